"""RDF from documents, rdflib and Oxigraph as plain statements."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, cast

from kgfm.graph.schema import RDF
from kgfm.stores.literals import XSD, Literal, Triple
from kgfm.stores.rdf_guards import NO_LANGUAGE, guarded

Kind = tuple[str, str]
"""IRI of a literal's datatype, and its language."""
Columns = tuple[list[str], list[str], list[str], list[Kind | None], list[str]]
"""Of some statements: subjects, predicates, objects, what kinds of literals the objects are
(``None``: none), and graphs."""
# Statements in columns at once: as few as fit the nearest memory.
_TOGETHER = 128

REIFIES = RDF + "reifies"
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
) -> Iterator[Columns]:
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
        has_graphs = format is not None and format.supports_datasets
        read = read_quads(quads, name, scope=scope, graphs=graphs, has_graphs=has_graphs)
        yield from map(_without_language, read) if suffix == "rdf" else read
    except SyntaxError as error:
        raise ValueError(_explained(error, name)) from None


def _without_language(columns: Columns) -> Columns:
    """Give the texts without a language, for which the guard wrote one, back as what they are."""
    kinds = columns[3]
    for place, kind in enumerate(kinds):
        if kind is not None and kind[1] == NO_LANGUAGE:
            kinds[place] = XSD + "string", ""
    return columns


def read_file(path: Path, suffix: str) -> Iterator[Triple]:
    """Stream the triples of a file."""
    with path.open("rb") as file:
        for columns in read_document(file, suffix, str(path)):
            for subject, predicate, term, kind, _ in zip(*columns, strict=True):
                end = term.replace(BLANK, "_:") if kind is None else Literal(term, *kind)
                yield subject.replace(BLANK, "_:"), predicate, end


def _explained(error: SyntaxError, name: str) -> str:
    if re.search("LoadDocumentCallback|remote context", str(error.msg)):
        return (
            f"{name} takes its @context from elsewhere, and nothing is fetched unasked. Write the "
            "context into the file, or name its host: allow_remote=['example.org']."
        )
    if "@type must be the first key" in str(error.msg):
        return (
            f"{name}: a map by @type, or a @type behind other keys where types bring a context of "
            "their own, is not read as it stands. Write @type into the objects, first; or read the "
            'file with rdflib.Graph().parse(FILE, format="json-ld") and give that graph.'
        )
    return f"{name}, line {error.lineno}: {error.msg}." if error.lineno else f"{name}: {error.msg}."


def read_quads(
    quads: Iterable[Any],
    name: str,
    *,
    scope: str = "",
    graphs: Collection[str] | None = None,
    has_graphs: bool = True,
) -> Iterator[Columns]:
    """Stream pyoxigraph's quads, of a parser or a store; ``has_graphs``: any may be in a graph."""
    import pyoxigraph as ox

    named, blank, literal = ox.NamedNode, ox.BlankNode, ox.Literal
    prefix = BLANK + scope
    in_graphs, origin = has_graphs or graphs is not None, ""
    stream = iter(quads)
    while some := [*itertools.islice(stream, _TOGETHER)]:
        columns: Columns = ([], [], [], [], [])
        subjects, predicates, objects, kinds, origins = columns
        add_subject, add_predicate, add_object = subjects.append, predicates.append, objects.append
        add_kind, add_graph = kinds.append, origins.append
        for quad in some:
            if in_graphs:
                graph = quad.graph_name
                origin = graph.value if type(graph) is named else ""
                if graphs is not None and (origin not in graphs or type(graph) is blank):
                    continue
            subject, term = quad.subject, quad.object
            kind = type(term)
            if kind is named:
                add_object(term.value)
                add_kind(None)
            elif kind is literal:
                add_object(term.value)
                add_kind((term.datatype.value, term.language or ""))
            elif kind is blank:
                add_object(prefix + term.value)
                add_kind(None)
            else:
                _add_reified(columns, quad, origin, name, prefix)
                continue
            add_subject(subject.value if type(subject) is named else prefix + subject.value)
            add_predicate(quad.predicate.value)
            if in_graphs:
                add_graph(origin)
        if not in_graphs:
            origins[:] = [""] * len(subjects)
        yield columns


def _add_reified(columns: Columns, quad: Any, origin: str, name: str, prefix: str) -> None:
    """Add what a reifier speaks of as RDF 1.1 says it: its subject, predicate and object."""
    import pyoxigraph as ox

    if quad.predicate.value != REIFIES or isinstance(quad.object.object, ox.Triple):
        raise ValueError(
            f"{name} speaks of a triple ({quad.subject} {quad.predicate} ...); of triples only "
            "what a reifier says of them is read. Take it out."
        )

    def key(term: Any) -> str:
        return str(prefix + term.value if isinstance(term, ox.BlankNode) else term.value)

    for part in ("subject", "predicate", "object"):
        term = getattr(quad.object, part)
        literal = isinstance(term, ox.Literal)
        subjects, predicates, objects, kinds, origins = columns
        subjects.append(key(quad.subject))
        predicates.append(RDF + part)
        objects.append(key(term))
        kinds.append((term.datatype.value, term.language or "") if literal else None)
        origins.append(origin)


def read_rdflib(graph: Any, graphs: Collection[str] | None = None) -> Iterator[Columns]:
    """Stream the statements of an rdflib graph, or of all graphs of a data set."""
    import rdflib

    def key(term: Any) -> str:
        return BLANK + term if isinstance(term, rdflib.BNode) else str(term)

    quads = (quad for quad in _rdflib_quads(graph) if graphs is None or quad[3] in graphs)
    while some := [*itertools.islice(quads, _TOGETHER)]:
        subjects, predicates, terms, origins = zip(*some, strict=True)
        kinds = [
            (str(term.datatype or XSD + "string"), term.language or "")
            if isinstance(term, rdflib.Literal)
            else None
            for term in terms
        ]
        heads, ends = [*map(key, subjects)], [*map(key, terms)]
        yield heads, [*map(str, predicates)], ends, kinds, [*origins]


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
