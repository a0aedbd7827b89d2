"""RDF from documents, rdflib and Oxigraph as plain statements."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, cast

from kgfm.stores.literals import XSD, Literal, Triple
from kgfm.stores.rdf_guards import guarded

Kind = tuple[str, str]
"""IRI of a literal's datatype, and its language."""
Statement = tuple[str, str, str, "Kind | None", str]
"""Subject, predicate, object, what kind of literal the object is (``None``: none), and graph."""

# Marks a blank node by its name in the source: no IRI and no literal of a document holds half of a
# surrogate pair, so nothing else is taken for one.
BLANK = "_:\ud800"

FORMATS = {
    **{name: name for name in ("ttl", "nt", "nq", "trig", "n3", "rdf", "jsonld")},
    "owl": "rdf",
    "xml": "rdf",
    "turtle": "ttl",
    "ntriples": "nt",
    "nquads": "nq",
    "json": "jsonld",
    "json-ld": "jsonld",
}


def read_document(
    stream: BufferedIOBase,
    suffix: str,
    name: str,
    *,
    base: str | None = None,
    scope: str = "",
    graphs: Collection[str] | None = None,
) -> Iterator[Statement]:
    """Stream the statements of one document.

    Args:
        stream: Its bytes, from the start; must be seekable.
        suffix: One of the values of :data:`FORMATS`.
        name: How errors call it.
        base: The IRI that relative ones start from.
        scope: Keeps its blank nodes apart from those of others.
        graphs: IRIs of the graphs to read, ``""`` for the default graph; ``None`` for all.

    Raises:
        ValueError: It is malformed or nested too deeply; the message names the line.
    """
    import pyoxigraph as ox

    format = ox.RdfFormat.from_extension(suffix)
    if suffix == "n3":
        graphs = [""]  # what stands in a formula is quoted, not said
    try:
        blocks = cast(IO[bytes], guarded(stream, suffix, name))
        quads = ox.parse(blocks, format=format, base_iri=base)
        yield from read_quads(quads, name, scope=scope, graphs=graphs)
    except SyntaxError as error:
        raise ValueError(_explained(error, name)) from None


def read_file(path: Path, suffix: str) -> Iterator[Triple]:
    """Stream the triples of a file."""
    with path.open("rb") as file:
        for subject, predicate, term, kind, _ in read_document(file, suffix, str(path)):
            end = term.replace(BLANK, "_:") if kind is None else Literal(term, *kind)
            yield subject.replace(BLANK, "_:"), predicate, end


def _explained(error: SyntaxError, name: str) -> str:
    if re.search("LoadDocumentCallback|remote context", str(error.msg)):
        return (
            f"{name} takes its @context from elsewhere, and nothing is fetched unasked. Write the "
            "context into the file, or name its host: allow_remote=['example.org']."
        )
    return f"{name}, line {error.lineno}: {error.msg}." if error.lineno else f"{name}: {error.msg}."


def read_quads(
    quads: Iterable[Any], name: str, *, scope: str = "", graphs: Collection[str] | None = None
) -> Iterator[Statement]:
    """Stream pyoxigraph's quads, of a parser or a store."""
    import pyoxigraph as ox

    named, blank, literal = ox.NamedNode, ox.BlankNode, ox.Literal
    prefix = BLANK + scope
    for quad in quads:
        graph = quad.graph_name
        origin = graph.value if type(graph) is named else ""
        if graphs is not None and (origin not in graphs or type(graph) is blank):
            continue
        subject, term = quad.subject, quad.object
        head = subject.value if type(subject) is named else prefix + subject.value
        if type(term) is named:
            yield head, quad.predicate.value, term.value, None, origin
        elif type(term) is literal:
            kind = (term.datatype.value, term.language or "")
            yield head, quad.predicate.value, term.value, kind, origin
        elif type(term) is blank:
            yield head, quad.predicate.value, prefix + term.value, None, origin
        else:
            raise ValueError(
                f"{name} speaks of a triple ({quad.subject} {quad.predicate} ...); "
                "statements about triples are not read. Take them out."
            )


def read_rdflib(graph: Any, graphs: Collection[str] | None = None) -> Iterator[Statement]:
    """Stream the statements of an rdflib graph, or of all graphs of a data set."""
    import rdflib

    def key(term: Any) -> str:
        return BLANK + term if isinstance(term, rdflib.BNode) else str(term)

    for subject, predicate, term, origin in _rdflib_quads(graph):
        if graphs is not None and origin not in graphs:
            continue
        if isinstance(term, rdflib.Literal):
            kind = (str(term.datatype or XSD + "string"), term.language or "")
            yield key(subject), str(predicate), str(term), kind, origin
        else:
            yield key(subject), str(predicate), key(term), None, origin


def _rdflib_quads(graph: Any) -> Iterator[tuple[Any, Any, Any, str]]:
    import rdflib
    from rdflib.graph import DATASET_DEFAULT_GRAPH_ID

    if not hasattr(graph, "quads"):
        for triple in graph.triples((None, None, None)):
            yield *triple, ""
        return
    for *triple, context in graph.quads((None, None, None, None)):
        origin = getattr(context, "identifier", context)
        named = isinstance(origin, rdflib.URIRef) and origin != DATASET_DEFAULT_GRAPH_ID
        yield triple[0], triple[1], triple[2], str(origin) if named else ""


def format_of(name: str, given: str | None) -> str:
    """Return the usual suffix of a document's format, as given or by its name.

    Raises:
        ValueError: It is no known format.
    """
    suffix = (given or Path(name).suffix).lower().lstrip(".")
    if suffix not in FORMATS:
        raise ValueError(
            f"{name} is in no known format {suffix!r}; give format= as one of {', '.join(FORMATS)}."
        )
    return FORMATS[suffix]
