"""RDF from files and from rdflib as plain tuples of keys and literals."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kgfm.stores.literals import XSD, Literal

Triple = tuple[str, str, "str | Literal"]

SUFFIXES = (".ttl", ".nt", ".nq", ".trig", ".n3", ".rdf", ".xml", ".owl", ".jsonld")
_LIKE = {"owl": "rdf", "xml": "rdf", "turtle": "ttl", "json": "jsonld"}
# Internal entities are for namespaces; anything else can read files or grow without bound.
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>", re.DOTALL)
_PROLOG = 1 << 16


def read_file(
    path: Path, *, format: str | None = None, base: str | None = None, scope: str = ""
) -> Iterator[Triple]:
    """Stream the triples of a file; a blank node is ``_:`` + ``scope`` + its name.

    Raises:
        ValueError: The file is malformed (names the line), or of no known format.
    """
    import pyoxigraph as ox

    suffix = (format or path.suffix).lower().lstrip(".")
    kind = ox.RdfFormat.from_extension(_LIKE.get(suffix, suffix))
    if kind is None:
        known = ", ".join(SUFFIXES)
        raise ValueError(
            f"{path} is in no known format {suffix!r}; give format= as one of {known}."
        )
    if kind == ox.RdfFormat.RDF_XML:
        _refuse_entities(path)
    blank = f"_:{scope}"
    try:
        for quad in ox.parse(path=str(path), format=kind, base_iri=base):
            subject, term = quad.subject, quad.object
            if isinstance(subject, ox.Triple) or isinstance(term, ox.Triple):
                raise ValueError(
                    f"{path} speaks of a triple ({quad.subject} {quad.predicate} ...); "
                    "statements about triples are not read. Take them out."
                )
            head = subject.value if isinstance(subject, ox.NamedNode) else blank + subject.value
            if isinstance(term, ox.NamedNode):
                yield head, quad.predicate.value, term.value
            elif isinstance(term, ox.Literal):
                literal = Literal(term.value, term.datatype.value, term.language or "")
                yield head, quad.predicate.value, literal
            else:
                yield head, quad.predicate.value, blank + term.value
    except SyntaxError as error:
        where = f"{path}, line {error.lineno}" if error.lineno else str(path)
        raise ValueError(f"{where}: {error.msg}.") from None


def _refuse_entities(path: Path) -> None:
    """Refuse a document type that defines entities by others or from elsewhere."""
    with path.open("rb") as file:
        found = _DOCTYPE.search(file.read(_PROLOG))
    if found is None:
        return
    for definition in re.findall(rb"<!ENTITY\s(.*?)>", found[0], re.DOTALL):
        value = re.fullmatch(rb"""\s*[\w.-]+\s+("[^"&%]*"|'[^'&%]*')\s*""", definition)
        if value is None:
            raise ValueError(
                f"{path} defines an XML entity by others or from elsewhere "
                f"({definition[:60].decode('utf-8', 'replace')!r}), which can grow without bound; "
                "write the text itself, or convert the file to Turtle."
            )


def read_rdflib(graph: Any) -> Iterator[Triple]:
    """Stream the triples of an rdflib graph."""
    import rdflib

    def key(term: Any) -> str:
        return f"_:{term}" if isinstance(term, rdflib.BNode) else str(term)

    triples = graph.triples((None, None, None))
    for subject, predicate, term in triples:
        if isinstance(term, rdflib.Literal):
            datatype = str(term.datatype or XSD + "string")
            literal = Literal(str(term), datatype, term.language or "")
            yield key(subject), str(predicate), literal
        else:
            yield key(subject), str(predicate), key(term)
