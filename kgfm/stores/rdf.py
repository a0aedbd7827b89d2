"""Graphs from RDF: Turtle, N-Triples, RDF/XML, JSON-LD and others, or objects that hold it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kgfm.graph import EntityRecord, GraphBuilder, GraphSchema, KnowledgeGraph
from kgfm.stores import conventions
from kgfm.stores.literals import Literal, Triple
from kgfm.stores.rdf_meaning import Meaning
from kgfm.stores.rdf_sources import ARCHIVES, Sources
from kgfm.stores.rdf_statements import Statements
from kgfm.stores.rdf_terms import FORMATS, Columns, read_document, read_quads, read_rdflib

SUFFIXES = (*(f".{name}" for name in FORMATS), *ARCHIVES)


def read(
    given: Any,
    /,
    *,
    schema: GraphSchema | None = None,
    format: str | None = None,
    base: str | None = None,
    graphs: Sequence[str] | None = None,
    graph_attribute: str | None = None,
    same_as: bool = False,
    convention: str | Sequence[str] | None = None,
    allow_remote: Collection[str] = (),
    progress: Callable[[int], None] | None = None,
    source: Mapping[str, Any] | None = None,
) -> KnowledgeGraph:
    """Build a graph from RDF.

    A link from one IRI or blank node to another is a triple. A literal is a label, alias or
    description if the schema says so, else an attribute, with the value that
    :func:`~kgfm.stores.literals.value_of` gives. Types name a kind of thing and are no entities,
    nor are predicates, unless they also stand in a triple; what is of a class is also of the
    classes above it. Blank nodes get keys from what is said about them; the manifest's ``source``
    counts those that nothing tells apart.

    Files may be packed (``.gz``, ``.bz2``, ``.xz``, ``.zst``) or members of a ``.zip`` or ``.tar``
    archive. Nothing is unpacked to disk, fetched, or read from a path that a document names.

    Args:
        given: A file, a stream of bytes or text, an address whose host ``allow_remote`` names,
            several of these, an ``rdflib.Graph``, ``Dataset`` or ``ConjunctiveGraph``, or a
            ``pyoxigraph.Store`` or ``Dataset``.
        schema: Names of the predicates, and the languages; see
            :class:`~kgfm.graph.GraphSchema`.
        format: A suffix such as ``"ttl"``, where that of the file does not tell.
        base: The IRI that relative IRIs in the files start from.
        graphs: IRIs of the named graphs to read, ``""`` for the default graph; by default all.
        graph_attribute: Keeps the IRI of a triple's graph as an edge attribute of this name; a
            triple of several graphs keeps the first by code point.
        same_as: Whether entities that ``owl:sameAs`` links become one. It has the smallest of
            their keys (an IRI before a blank node), all that is known about any of them, and the
            other keys in the attribute ``owl:sameAs``.
        convention: Names of :data:`~kgfm.stores.conventions.CONVENTIONS` to read by, ``"plain"``
            for none; guessed from the predicates if not given. The manifest's ``source`` has them.
        allow_remote: Hosts from which a file, or the context of a JSON-LD file, may be fetched.
        progress: Told now and then how many statements have been read.
        source: What to remember of where the graph comes from; by default the files' hashes.

    Raises:
        ValueError: There is no such convention; or a file is malformed, nested too deeply or would
            grow without bound; the message names it, and the line where there is one.
        PermissionError: An address is on a host that was not named.
    """
    schema = schema or GraphSchema()
    wanted = None if convention is None else conventions.named(convention)
    statements = Statements(with_graphs=graph_attribute is not None)
    origin: dict[str, Any] = {"store": "rdf"}
    for part in _parts(given, origin, Sources((), format, allow_remote), base, graphs):
        statements.extend(part, progress)
    origin["blank_node_ties"] = statements.close()
    if same_as:
        statements.merge_same()
    followed = conventions.known_by(statements) if wanted is None else wanted
    followed = [name for name in followed if name != conventions.PLAIN]
    taken = conventions.follow(followed, statements, schema)
    if followed:
        origin["conventions"] = followed
    if taken:
        origin["left_out"] = taken
    chosen: dict[str, Any] = {
        "format": format,
        "base": base,
        "graphs": graphs and [*graphs],
        "same_as": same_as,
        "convention": wanted,
    }
    chosen |= {"graph_attribute": graph_attribute, "allow_remote": [*allow_remote]}
    options = {name: value for name, value in chosen.items() if value}
    if schema != GraphSchema():
        options["schema"] = asdict(schema)
    if options:
        origin["options"] = options
    builder = Meaning(statements, schema).fill(GraphBuilder(), graph_attribute)
    return KnowledgeGraph.from_builder(builder, origin if source is None else source)


def _parts(
    given: Any,
    origin: dict[str, Any],
    sources: Sources,
    base: str | None,
    graphs: Collection[str] | None,
) -> Iterator[Iterable[Columns]]:
    """Yield the statements of each document or object."""
    if hasattr(given, "triples"):
        yield read_rdflib(given, graphs)
    elif hasattr(given, "quads_for_pattern") or hasattr(given, "quads_for_subject"):
        yield read_quads(given, "The store", graphs=graphs)
    else:
        single = isinstance(given, (str, Path)) or hasattr(given, "read")
        sources.given = [given] if single else given
        origin["files"] = sources.origin
        for number, (stream, suffix, name) in enumerate(sources):
            yield read_document(stream, suffix, name, base=base, scope=f"{number}.", graphs=graphs)


def describe(triples: Iterable[Triple], schema: GraphSchema) -> dict[str, EntityRecord]:
    """Return what triples say about each of their subjects, as a snapshot would name it."""
    given = [*triples]
    kinds = [(o.datatype, o.language) if isinstance(o, Literal) else None for *_, o in given]
    ends = [o.lexical if isinstance(o, Literal) else o for *_, o in given]
    statements = Statements()
    statements.extend([([s for s, *_ in given], [p for _, p, _ in given], ends, kinds, [])])
    statements.close()
    conventions.follow(conventions.known_by(statements), statements, schema)
    meaning = Meaning(statements, schema)
    return {record.key: record for record in meaning.records(meaning.known())}
