"""NIF 2.0: texts and mentions as RDF, in Turtle or another syntax that the suffix names.

A ``nif:Context`` has the text (``nif:isString``); a phrase refers to it
(``nif:referenceContext``), says where it is (``nif:beginIndex``, ``nif:endIndex``, in code points)
and what it names (``itsrdf:taIdentRef``); without that it is NIL.
https://persistence.uni-leipzig.org/nlp2rdf/ (Hellmann et al., 2013).

IRIs are keys as they are. A key that is no IRI is written as ``urn:kgfm:entity:`` and the key
percent-encoded, and read back as the key.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from kgfm.linking.formats.document import Document, mention_of
from kgfm.storage import replace_file
from kgfm.stores.literals import XSD
from kgfm.stores.rdf_terms import format_of, read_document
from kgfm.types import Mention

NIF = "http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#"
ITSRDF = "http://www.w3.org/2005/11/its/rdf#"
RDF_TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
TITLE = "http://purl.org/dc/elements/1.1/title"
ENTITY, DOCUMENT = "urn:kgfm:entity:", "urn:kgfm:document:"
NAMES = {
    **{NIF + name: name for name in ("isString", "referenceContext", "beginIndex", "endIndex")},
    NIF + "anchorOf": "anchorOf",
    ITSRDF + "taIdentRef": "taIdentRef",
    TITLE: "title",
}
"""The predicates that are read."""
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]+")

Fields = dict[str, str]


def read(path: Path) -> tuple[Document, ...]:
    """Read a file; see the module. Of several ``taIdentRef`` the first in order counts."""
    nodes: dict[str, Fields] = defaultdict(dict)
    with path.open("rb") as file:
        suffix = format_of(str(path), None)
        for columns in read_document(file, suffix, str(path)):
            for subject, predicate, value, _, _ in zip(*columns, strict=True):
                name = NAMES.get(predicate)
                if name is not None:
                    nodes[subject][name] = min(value, nodes[subject].get(name, value))
    contexts = {iri: fields for iri, fields in nodes.items() if "isString" in fields}
    mentions: dict[str, list[Mention]] = defaultdict(list)
    for iri, fields in nodes.items():
        context = fields.get("referenceContext")
        if context is None or iri == context or "beginIndex" not in fields:
            continue
        try:
            if context not in contexts:
                raise ValueError(f"its context <{context}> has no nif:isString.")
            mentions[context].append(_mention(contexts[context]["isString"], fields))
        except ValueError as error:
            raise ValueError(f"{path}, <{iri}>: {error}") from None
    return tuple(
        Document(
            fields["isString"],
            tuple(sorted(mentions[iri], key=lambda m: (m.start, m.end, m.entity or ""))),
            _key(iri, DOCUMENT),
            fields.get("title", ""),
        )
        for iri, fields in contexts.items()
    )


def write(path: Path, documents: Iterable[Document]) -> None:
    """Write the documents, atomically; documents with the same ``id`` are refused."""
    import pyoxigraph as ox

    suffix = format_of(str(path), None)
    triples: dict[Any, None] = {}
    contexts = set()
    for number, document in enumerate(documents):
        context = _iri(document.id or str(number), DOCUMENT)
        if context in contexts:
            raise ValueError(f"Two documents have the id {document.id!r}; give each its own.")
        contexts.add(context)
        triples |= dict.fromkeys(_triples(context, document))
    content = ox.serialize(
        triples,
        format=ox.RdfFormat.from_extension(suffix),
        prefixes={"nif": NIF, "itsrdf": ITSRDF, "xsd": XSD},
    )
    replace_file(path, content or b"")


def _mention(text: str, fields: Fields) -> Mention:
    try:
        start, end = int(fields["beginIndex"]), int(fields["endIndex"])
    except (KeyError, ValueError):
        raise ValueError("nif:beginIndex and nif:endIndex are two whole numbers.") from None
    iri = fields.get("taIdentRef")
    mention = mention_of(text, start, end, None if iri is None else _key(iri, ENTITY))
    if fields.get("anchorOf", mention.text) != mention.text:
        raise ValueError(
            f"nif:anchorOf is {fields['anchorOf']!r:.80}, but at {start} to {end} the text has "
            f"{mention.text!r:.80}; offsets count code points."
        )
    return mention


def _triples(context: str, document: Document) -> Iterator[Any]:
    import pyoxigraph as ox

    whole = ox.NamedNode(context)

    def say(subject: Any, predicate: str, value: Any) -> Any:
        return ox.Triple(subject, ox.NamedNode(predicate), value)

    def number(value: int) -> Any:
        kind = ox.NamedNode(XSD + "nonNegativeInteger")
        return ox.Literal(str(value), datatype=kind)

    yield say(whole, RDF_TYPE, ox.NamedNode(NIF + "Context"))
    yield say(whole, NIF + "isString", ox.Literal(document.text))
    yield say(whole, NIF + "beginIndex", number(0))
    yield say(whole, NIF + "endIndex", number(len(document.text)))
    if document.title:
        yield say(whole, TITLE, ox.Literal(document.title))
    for place, mention in enumerate(document.mentions):
        # The place makes two mentions of the same stretch, or none, two phrases.
        phrase = ox.NamedNode(f"{context}#char={mention.start},{mention.end};{place}")
        yield say(phrase, RDF_TYPE, ox.NamedNode(NIF + "Phrase"))
        yield say(phrase, NIF + "referenceContext", whole)
        yield say(phrase, NIF + "beginIndex", number(mention.start))
        yield say(phrase, NIF + "endIndex", number(mention.end))
        yield say(phrase, NIF + "anchorOf", ox.Literal(mention.text))
        if mention.entity is not None:
            entity = ox.NamedNode(_iri(mention.entity, ENTITY))
            yield say(phrase, ITSRDF + "taIdentRef", entity)


def _iri(key: str, base: str) -> str:
    is_iri = _IRI.fullmatch(key) and not key.startswith(base)
    return key if is_iri and _is_valid(key) else base + quote(key, safe="")


def _is_valid(iri: str) -> bool:
    import pyoxigraph as ox

    try:
        ox.NamedNode(iri)
    except ValueError:
        return False
    return True


def _key(iri: str, base: str) -> str:
    return unquote(iri.removeprefix(base)) if iri.startswith(base) else iri
