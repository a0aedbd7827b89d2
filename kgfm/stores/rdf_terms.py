"""RDF from files and from rdflib as plain tuples of keys and literals."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from kgfm.stores.literals import XSD, Literal

Triple = tuple[str, str, "str | Literal"]

_FORMATS = {
    **{name: name for name in ("ttl", "nt", "nq", "trig", "n3", "rdf", "jsonld")},
    "owl": "rdf",
    "xml": "rdf",
    "turtle": "ttl",
    "json": "jsonld",
}
SUFFIXES = tuple(f".{name}" for name in _FORMATS)
# Internal entities are for namespaces; anything else can read files or grow without bound.
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(\[.*?\]\s*)?>", re.DOTALL)
_PROLOG = 1 << 16


def suffix_of(path: Path, format: str | None) -> str:
    """Return the usual suffix of a file's format, as given or by its name; ``.gz`` aside.

    Raises:
        ValueError: It is no known format.
    """
    name = path.with_suffix("") if path.suffix == ".gz" else path
    suffix = (format or name.suffix).lower().lstrip(".")
    if suffix not in _FORMATS:
        raise ValueError(
            f"{path} is in no known format {suffix!r}; "
            f"give format= as one of {', '.join(_FORMATS)}."
        )
    return _FORMATS[suffix]


def read_file(
    path: Path, suffix: str, *, base: str | None = None, scope: str = ""
) -> Iterator[Triple]:
    """Stream the triples of a file; a blank node is ``_:`` + ``scope`` + its name.

    Raises:
        ValueError: The file is malformed; the message names the line.
    """
    if suffix == "rdf":
        _refuse_entities(path)
    with _open(path) as file:
        yield from _parse(file, path, suffix, base, f"_:{scope}")


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(path)) if path.suffix == ".gz" else path.open("rb")


def _parse(
    file: IO[bytes], path: Path, suffix: str, base: str | None, blank: str
) -> Iterator[Triple]:
    import pyoxigraph as ox

    try:
        for quad in ox.parse(file, format=ox.RdfFormat.from_extension(suffix), base_iri=base):
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
    with _open(path) as file:
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
