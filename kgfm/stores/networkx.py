"""Graphs from NetworkX."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kgfm.graph import GraphBuilder, GraphSchema, KnowledgeGraph
from kgfm.graph.build import in_chunks
from kgfm.stores.records import RecordMaker


def read(
    graph: Any,
    *,
    schema: GraphSchema | None = None,
    relation: str = "relation",
    default_relation: str | None = None,
    relations: Mapping[str, str] | None = None,
    source: Mapping[str, Any] | None = None,
) -> KnowledgeGraph:
    """Take over a NetworkX graph of any of the four kinds.

    A node is an entity whose key is the node as text; of its attributes the schema takes label,
    alias, description and type, the others stay attributes. An edge is a triple, and its other
    attributes become edge attributes. An edge without direction gives one triple, from the
    smaller key to the larger.

    Args:
        graph: A ``Graph``, ``DiGraph``, ``MultiGraph`` or ``MultiDiGraph``.
        schema: Names of the attributes; see :class:`~kgfm.graph.GraphSchema`.
        relation: The edge attribute that names the relation. In a multigraph an edge's key does
            so where the attribute is missing, if it is a string.
        default_relation: The relation of edges that name none.
        relations: Labels of the relations by key.
        source: What to remember of where the graph comes from.

    Raises:
        ValueError: An edge names no relation, or two nodes are the same as text.
    """
    builder = GraphBuilder()
    make = RecordMaker(schema or GraphSchema())
    seen: dict[str, Any] = {}
    for node, fields in graph.nodes(data=True):
        key = str(node)
        if key in seen:
            raise ValueError(
                f"The nodes {seen[key]!r} and {node!r} are the same as text; rename one."
            )
        seen[key] = node
        builder.add_entity(make(key, fields))
    for key, label in (relations or {}).items():
        builder.add_relation(key, label)
    for chunk in in_chunks(_edges(graph, relation, default_relation)):
        heads, names, tails, fields = zip(*chunk, strict=True)
        others = sorted({str(name) for row in fields for name in row} - {relation})
        columns = {name: [row.get(name) for row in fields] for name in others}
        builder.add_triples(heads, names, tails, columns)
    return KnowledgeGraph.from_builder(builder, source or {"store": "networkx"})


def _edges(
    graph: Any, relation: str, default: str | None
) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    edges = (
        graph.edges(keys=True, data=True)
        if graph.is_multigraph()
        else ((head, tail, None, fields) for head, tail, fields in graph.edges(data=True))
    )
    for head, tail, key, fields in edges:
        name = fields.get(relation, key if isinstance(key, str) else default)
        if name is None:
            raise ValueError(
                f"The edge {head!r} -> {tail!r} has no attribute {relation!r}; it has "
                f"{', '.join(map(repr, fields)) or 'none'}. Name the right one with relation=, "
                "or give default_relation=."
            )
        ends = (str(head), str(tail))
        first, last = ends if graph.is_directed() else sorted(ends)
        yield first, str(name), last, fields
