"""Graphs from NetworkX, and back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.graph import GraphBuilder, GraphSchema, KnowledgeGraph
from kgfm.graph.build import in_chunks
from kgfm.graph.records import as_name
from kgfm.stores.records import ROLES, RecordMaker, edge_values, record_of, relation_labels

if TYPE_CHECKING:
    from networkx import MultiDiGraph

NOTES = "kgfm"
"""Under this name a graph from :func:`write` says which attribute is what."""


def read(
    graph: Any,
    *,
    schema: GraphSchema | None = None,
    relation: str | None = None,
    default_relation: str | None = None,
    relations: Mapping[str, str] | None = None,
    source: Mapping[str, Any] | None = None,
) -> KnowledgeGraph:
    """Take over a NetworkX graph of any of the four kinds.

    A node is an entity whose key is the node as text; of its attributes the schema takes label,
    alias, description and type, the others stay attributes. An edge is a triple, and its other
    attributes become edge attributes. An edge without direction gives one triple, from the
    smaller key to the larger. A graph from :func:`write` says itself what its attributes are.

    Args:
        graph: A ``Graph``, ``DiGraph``, ``MultiGraph`` or ``MultiDiGraph``.
        schema: Names of the attributes; see :class:`~kgfm.graph.GraphSchema`.
        relation: The edge attribute that names the relation, ``"relation"`` unless told otherwise.
            In a multigraph an edge's key does so where the attribute is missing, if it is a string.
        default_relation: The relation of edges that name none.
        relations: Labels of the relations by key.
        source: What to remember of where the graph comes from.

    Raises:
        ValueError: An edge names no relation, or two nodes are the same as text.
    """
    notes = _notes_of(graph)
    if schema is None and "schema" in notes:
        named: dict[str, Any] = {role: (name,) for role, name in notes["schema"].items()}
        schema = GraphSchema(**named)
    relation = relation or notes.get("relation", "relation")
    relations = {**notes.get("relations", {}), **(relations or {})}
    builder = GraphBuilder()
    make = RecordMaker(schema or GraphSchema())
    seen: dict[str, Any] = {}
    lists = {*notes.get("lists", ())}
    for node, fields in graph.nodes(data=True):
        key = as_name(node)
        if not key:
            raise ValueError(
                f"The node {node!r} is a missing value or an empty text; remove it first, say with "
                f"graph.remove_node, or the rows without an end from the frame (dropna)."
            )
        if key in seen:
            raise ValueError(
                f"The nodes {seen[key]!r} and {node!r} are the same as text; rename one."
            )
        seen[key] = node
        builder.add_entity(make(key, _unpacked(fields, lists)))
    for key, label in relations.items():
        builder.add_relation(key, label)
    known = notes.get("edge_attributes", ())  # one that no edge has would get lost else
    for chunk in in_chunks(_edges(graph, relation, default_relation)):
        heads, names, tails, fields = zip(*chunk, strict=True)
        others = {*known, *(str(name) for row in fields for name in row)} - {relation}
        if notes and "id" not in known:
            others -= {"id"}  # read_graphml gives every edge one
        columns = {name: [row.get(name) for row in fields] for name in sorted(others)}
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
        name = as_name(fields.get(relation)) or (key if isinstance(key, str) else default)
        if not name:
            raise ValueError(
                f"The edge {head!r} -> {tail!r} has no attribute {relation!r}; it has "
                f"{', '.join(map(repr, fields)) or 'none'}. Name the right one with relation=, "
                "or give default_relation=."
            )
        ends = (as_name(head), as_name(tail))
        first, last = ends if graph.is_directed() else sorted(ends)
        yield first, name, last, fields


def write(graph: KnowledgeGraph) -> MultiDiGraph:
    """Return a graph as NetworkX holds it; :func:`read` gives the same snapshot back.

    A node is an entity's key, with ``label``, ``alias``, ``description``, ``type`` and its
    attributes, as far as there are such. An edge's key is that of the relation, which is also its
    attribute ``relation``. Several values (aliases, types) are a JSON array in a text, so that
    ``networkx.write_graphml`` and its like can write the graph. Where an attribute of the
    graph's own has one of these names, the name here gets an underscore behind it;
    ``graph.graph["kgfm"]`` says so. A relation that no triple has, as after
    :meth:`~kgfm.graph.KnowledgeGraph.select`, is left out.
    """
    import networkx

    records = [record_of(graph, row) for row in range(len(graph))]
    names = _free_names(ROLES, {name for record in records for name in record.attributes})
    relation = _free_names(("relation",), graph.edge_attributes)["relation"]
    made = networkx.MultiDiGraph()
    lists: set[str] = set()
    for record in records:
        known = {
            "label": record.label,
            "alias": _several(record.aliases),
            "description": record.description,
            "type": _several(record.types),
        }
        fields = {names[role]: value for role, value in known.items() if value}
        fields |= record.attributes
        lists |= {name for name, value in fields.items() if isinstance(value, list)}
        made.add_nodes_from([(record.key, fields)])
    for _, fields in made.nodes(data=True):
        fields.update({name: _packed(fields[name]) for name in lists & fields.keys()})
    notes = {
        "schema": names,
        "relation": relation,
        "relations": dict(relation_labels(graph)),
        "edge_attributes": [*graph.edge_attributes],
        "lists": sorted(lists),
    }
    made.graph[NOTES] = json.dumps(notes, ensure_ascii=False)
    for edge in _written_edges(graph, [record.key for record in records], relation):
        made.add_edges_from([edge])
    return made


def _several(texts: Iterable[str]) -> str | list[str]:
    """Return a single text as itself, unless it would be read as several."""
    found = [*texts]
    one = found[0] if len(found) == 1 else "|"
    return one if "|" not in one and one == one.strip() else found


def _notes_of(graph: Any) -> dict[str, Any]:
    """Return what :func:`write` left, if it did; they are a text, which files can hold."""
    try:
        notes = json.loads(graph.graph.get(NOTES) or "{}")
    except (TypeError, ValueError):  # another's attribute of that name
        return {}
    return notes if isinstance(notes, dict) else {}


def _packed(value: Any) -> Any:
    """Return a list as JSON text, for what GraphML and GEXF can hold are single values."""
    listed = value if isinstance(value, list) else [value]
    needed = listed is value or (isinstance(value, str) and value.startswith("["))
    return json.dumps(listed, ensure_ascii=False) if needed else value


def _unpacked(fields: Mapping[str, Any], lists: Collection[str]) -> Mapping[str, Any]:
    """Return the attributes of a node with the lists that :func:`_packed` made texts."""
    packed = {
        name: json.loads(fields[name])
        for name in lists
        if isinstance(fields.get(name), str) and fields[name].startswith("[")
    }
    return {**fields, **packed}


def _free_names(wanted: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """Return a name for each that is wanted which is not taken, whatever the case."""
    folded = {name.casefold() for name in taken}
    names = {}
    for name in wanted:
        free = name
        while free.casefold() in folded:
            free += "_"
        names[name] = free
    return names


def _written_edges(
    graph: KnowledgeGraph, keys: list[str], relation: str
) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    relations = list(graph.relation_keys)
    for rows in in_chunks(range(graph.num_triples)):
        columns = edge_values(graph, np.array(rows))
        ends = (graph.heads[rows], graph.tails[rows], graph.relations[rows])
        for place, (head, tail, kind) in enumerate(
            zip(*(end.tolist() for end in ends), strict=True)
        ):
            values = {name: column[place] for name, column in columns.items()}
            fields = {name: value for name, value in values.items() if value is not None}
            name = relations[kind]
            yield keys[head], keys[tail], name, {relation: name, **fields}
