"""Graphs as PyTorch Geometric holds them, homogeneous or by type, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.graph import EntityRecord, GraphBuilder, KnowledgeGraph
from kgfm.graph.build import Codes
from kgfm.stores.records import record_of, relation_labels

if TYPE_CHECKING:
    from torch_geometric.data import Data, HeteroData

UNTYPED = "entity"
"""The node type of entities without a type."""

_ATTRIBUTE = "edge_attribute_"  # with "edge" in it PyG never takes it for one of the nodes
_FIELDS = ("label", "aliases", "description", "types", "attributes")


def write(graph: KnowledgeGraph, *, vectors: Any = None, names: bool = True) -> Data:
    """Return a graph as one ``Data``: all nodes alike, a number for each relation.

    ``edge_index`` and ``edge_type`` count entities and relations in the order of their keys, which
    stand by number in ``entity_key`` and ``relation_key``; the tensor ``entity_row`` says which
    entity a node is. An edge attribute ``w`` is the tensor ``edge_attribute_w``; of texts it holds
    places in ``edge_texts["w"]``. PyG's own tools (``subgraph``, ``sort``, samplers,
    ``RemoveIsolatedNodes``) take these tensors along, and many of them no lists.

    Args:
        graph: The graph.
        vectors: Node features ``x``: an array with a row for each entity, or
            :class:`~kgfm.vectors.NodeVectors`.
        names: Whether labels, aliases, descriptions, types and attributes come along, as
            ``entity_fields``. With them :func:`read` gives the same snapshot back.
    """
    import torch
    from torch_geometric.data import Data

    made = Data(
        edge_index=torch.from_numpy(np.stack([graph.heads, graph.tails]).astype(np.int64)),
        edge_type=torch.from_numpy(graph.relations.astype(np.int64)),
        num_nodes=len(graph),
        entity_row=torch.arange(len(graph)),
        # No lists: PyG would take one as long as there are nodes for features of these.
        entity_key=dict(enumerate(graph.keys)),
        relation_key=dict(enumerate(graph.relation_keys)),
        relation_label=dict(relation_labels(graph)),
        **_edge_tensors(graph, np.arange(graph.num_triples)),
    )
    rows = np.arange(len(graph))
    if names:
        made.entity_fields = {row: _fields_of(graph, row) for row in rows.tolist()}
    if vectors is not None:
        made.x = _features(vectors, rows)
    return made


def write_hetero(graph: KnowledgeGraph, *, vectors: Any = None, names: bool = True) -> HeteroData:
    """Return a graph as ``HeteroData``: nodes by entity type, edges by relation.

    An entity of several types stands under the one that most entities have (of equals the first
    by name), so that there are few kinds of edges; one without a type under ``"entity"``. An edge
    type is (type of the head, key of the relation, type of the tail). The rest is as in
    :func:`write`, for each type.
    """
    import torch
    from torch_geometric.data import HeteroData

    made = HeteroData()
    kinds = node_types(graph)
    names_of_kinds = sorted({*kinds})
    kind = np.array([names_of_kinds.index(name) for name in kinds], np.int64)
    place = np.zeros(len(graph), np.int64)
    for number, name in enumerate(names_of_kinds):
        rows = np.flatnonzero(kind == number)
        place[rows] = np.arange(len(rows))
        store = made[name]
        store.num_nodes = len(rows)
        store.entity_row = torch.arange(len(rows))
        store.entity_key = {n: graph.keys[row] for n, row in enumerate(rows.tolist())}
        if names:
            store.entity_fields = {n: _fields_of(graph, row) for n, row in enumerate(rows.tolist())}
        if vectors is not None:
            store.x = _features(vectors, rows)
    for rows in _alike(kind[graph.heads], graph.relations, kind[graph.tails]):
        first = int(rows[0])
        head, tail = int(graph.heads[first]), int(graph.tails[first])
        key = graph.relation_keys[int(graph.relations[first])]
        edges = made[kinds[head], key, kinds[tail]]
        ends = np.stack([place[graph.heads[rows]], place[graph.tails[rows]]])
        edges.edge_index = torch.from_numpy(ends)
        for name, values in _edge_tensors(graph, rows).items():
            edges[name] = values
    made.relation_label = dict(relation_labels(graph))
    return made


def node_types(graph: KnowledgeGraph) -> list[str]:
    """Return the one type that each entity stands under: of its types the most frequent."""
    types = [graph.types(row) for row in range(len(graph))]
    count = Counter(name for row in types for name in row)
    return [min(row, key=lambda name: (-count[name], name)) if row else UNTYPED for row in types]


def _alike(*columns: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the rows that are alike in all columns, group by group."""
    order = np.lexsort(columns[::-1])
    new = np.logical_or.reduce([np.diff(column[order]) != 0 for column in columns])
    return (part for part in np.split(order, np.flatnonzero(new) + 1) if len(part))


def _fields_of(graph: KnowledgeGraph, row: int) -> dict[str, Any]:
    record = record_of(graph, row)
    values = {name: getattr(record, name) for name in _FIELDS}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value
    }


def _edge_tensors(graph: KnowledgeGraph, rows: np.ndarray) -> dict[str, Any]:
    """Return the edge attributes of some triples as tensors, and the texts that some stand for."""
    import torch

    made: dict[str, Any] = {}
    texts: dict[str, list[str]] = {}
    for name, column in graph.edge_attributes.items():
        if isinstance(column, np.ndarray):
            made[_ATTRIBUTE + name] = torch.from_numpy(column[rows])
        else:
            codes = Codes()
            places = codes.encode(column[row] for row in rows.tolist())
            made[_ATTRIBUTE + name], texts[name] = torch.from_numpy(places), list(codes)
    return made | ({"edge_texts": texts} if texts else {})


def _features(vectors: Any, rows: np.ndarray) -> Any:
    import torch

    taken = vectors.entities(rows) if hasattr(vectors, "entities") else np.asarray(vectors)[rows]
    return torch.from_numpy(np.ascontiguousarray(taken, dtype=np.float32))


# -- and back -------------------------------------------------------------------------------------


def read(
    data: Any,
    *,
    entities: Sequence[str] | Mapping[str, Sequence[str]] | None = None,
    relations: Sequence[str] | None = None,
    default_relation: str | None = None,
    source: Mapping[str, Any] | None = None,
) -> KnowledgeGraph:
    """Build a graph from a ``Data`` or ``HeteroData``.

    What :func:`write` and :func:`write_hetero` leave beside the tensors (keys, names, edge
    attributes) is taken up. Features (``x``) are no facts and stay behind.

    Args:
        data: The graph. A ``Data`` has ``edge_index`` and, unless all edges are of one relation,
            ``edge_type``.
        entities: Keys of the nodes; of a ``HeteroData`` by node type. By default ``entity_key``,
            else the nodes' numbers, with their type before them where there are types.
        relations: Keys of the relations by number; by default ``relation_key``, else the numbers.
            A ``HeteroData`` names them itself.
        default_relation: The relation of all edges where there is no ``edge_type``.
        source: What to remember of where the graph comes from.

    Raises:
        ValueError: Edges have no relation, there is no key for a node or relation, or
            ``edge_index`` is of another shape.
    """
    builder = GraphBuilder()
    if hasattr(data, "node_types"):
        keys = _read_nodes_by_type(data, entities, builder)
        for kind in data.edge_types:
            store = data[kind]
            given = keys.get(kind[0], []), keys.get(kind[2], [])
            ends = _ends(store.edge_index, given, f"edges {kind!r}")
            names = [kind[1]] * len(ends[0])
            builder.add_triples(ends[0], names, ends[1], _edge_columns(store, len(names)))
    else:
        nodes = _read_nodes(data, int(data.num_nodes or 0), entities, "", builder)
        ends = _ends(data.edge_index, (nodes, nodes), "edges")
        names = _relations_of(data, len(ends[0]), relations, default_relation)
        builder.add_triples(ends[0], names, ends[1], _edge_columns(data, len(names)))
    for key, label in (getattr(data, "relation_label", None) or {}).items():
        builder.add_relation(key, label)
    return KnowledgeGraph.from_builder(builder, source or {"store": "pyg"})


def _read_nodes_by_type(
    data: Any, entities: Any, builder: GraphBuilder
) -> dict[str, Sequence[str]]:
    given = entities or {}
    if not isinstance(given, Mapping):
        raise TypeError("A HeteroData takes entities= as a mapping from node type to keys.")
    return {
        kind: _read_nodes(
            data[kind], int(data[kind].num_nodes or 0), given.get(kind), kind, builder
        )
        for kind in data.node_types
    }


def _read_nodes(
    store: Any, count: int, given: Any, kind: str, builder: GraphBuilder
) -> Sequence[str]:
    """Add the nodes of one type, and return their keys."""
    keys = given if given is not None else _by_row(store, "entity_key")
    if keys is None:
        keys = [f"{kind}/{number}" if kind else str(number) for number in range(count)]
    if len(keys) != count:
        where = f" of type {kind!r}" if kind else ""
        raise ValueError(f"{len(keys):,} keys for {count:,} nodes{where}; give one for each.")
    fields = _by_row(store, "entity_fields")
    if fields is None:
        own = [kind] if kind and kind != UNTYPED else []
        fields = [{"types": own}] * count
    for key, known in zip(keys, fields, strict=True):
        builder.add_entity(EntityRecord(key, **known))
    return list(keys)


def _by_row(store: Any, name: str) -> Sequence[Any] | None:
    """Return what is known of each node under a name."""
    known: Sequence[Any] | Mapping[int, Any] | None = getattr(store, name, None)
    if not isinstance(known, Mapping):
        return known
    rows = getattr(store, "entity_row", None)
    return None if rows is None else [known[row] for row in rows.tolist()]


def _ends(
    edge_index: Any, keys: tuple[Sequence[str], Sequence[str]], what: str
) -> tuple[list[str], list[str]]:
    index = np.asarray(edge_index)
    if index.ndim != 2 or len(index) != 2:
        raise ValueError(
            f"edge_index of the {what} has shape {index.shape}; it must be (2, edges)."
        )
    for row, known in zip(index, keys, strict=True):
        if len(row) and not 0 <= row.min() <= row.max() < len(known):
            raise ValueError(
                f"edge_index of the {what} goes from {row.min()} to {row.max()}, but there are "
                f"{len(known):,} nodes."
            )
    heads, tails = (
        [known[i] for i in row.tolist()] for row, known in zip(index, keys, strict=True)
    )
    return heads, tails


def _relations_of(
    data: Any, count: int, given: Sequence[str] | None, default: str | None
) -> list[str]:
    edge_type = getattr(data, "edge_type", None)
    if edge_type is None:
        if default is None and count:
            raise ValueError("The edges have no edge_type; give default_relation=.")
        return [default or ""] * count
    numbers = np.asarray(edge_type).tolist()
    if len(numbers) != count:
        raise ValueError(f"edge_type has {len(numbers):,} values for {count:,} edges.")
    keys = given if given is not None else getattr(data, "relation_key", None)
    if keys is None:
        return [str(number) for number in numbers]
    if numbers and not 0 <= min(numbers) <= max(numbers) < len(keys):
        raise ValueError(
            f"edge_type goes from {min(numbers)} to {max(numbers)}, but there are {len(keys):,} "
            "relations; give relations= a key for each."
        )
    return [keys[number] for number in numbers]


def _edge_columns(store: Any, count: int) -> dict[str, list[Any]]:
    texts = getattr(store, "edge_texts", None) or {}
    columns = {}
    for stored in store.keys():  # noqa: SIM118 - a store of PyG iterates otherwise
        if not stored.startswith(_ATTRIBUTE):
            continue
        name = stored.removeprefix(_ATTRIBUTE)
        values = np.asarray(store[stored]).tolist()
        if name in texts:
            values = [texts[name][place] or None for place in values]
        if len(values) != count:
            raise ValueError(f"{stored!r} has {len(values):,} values for {count:,} edges.")
        columns[name] = values
    return columns
