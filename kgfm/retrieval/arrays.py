"""What the compiled kernels take and give, as plain arrays, and as values of kgfm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.graph.sources import triple_places
from kgfm.types import Asked, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


def plain(array: Any, dtype: Any) -> np.ndarray:
    """View any array as read-only and contiguous, because numba compiles anew for each kind."""
    view = np.ascontiguousarray(array, dtype=dtype).view(np.ndarray)[:]
    view.flags.writeable = False
    return view


def neighbours_of(graph: KnowledgeGraph) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return where rows of neighbours begin, and the entities and relations in them."""
    entities, relations = graph.neighbour_entity, graph.neighbour_relation
    row = plain(entities, np.int32), plain(relations, np.int32)
    return plain(graph.neighbour_indptr, np.int64), row


def triples_of(graph: KnowledgeGraph) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return where the triples of each head begin, and their relations and tails."""
    columns = plain(graph.relations, np.int32), plain(graph.tails, np.int32)
    return plain(graph.out_indptr, np.int64), columns


def hidden_relations(graph: KnowledgeGraph, keys: Sequence[str]) -> np.ndarray:
    """Return which relations, and then which inverse ones, a seed does not show.

    Raises:
        KeyError: The graph has no such relation.
    """
    hidden = np.zeros(2 * graph.num_relations, dtype=bool)
    for key in keys:
        hidden[graph.relation_row(key) :: graph.num_relations] = True
    return hidden


def flat(rows: Sequence[np.ndarray], dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return where each array begins, and all of them one after the other."""
    joined = np.concatenate(rows) if rows else np.empty(0, dtype)
    return plain(np.cumsum([0, *map(len, rows)]), np.int64), plain(joined, dtype)


Columns = tuple[np.ndarray, np.ndarray, np.ndarray]


def withheld_entries(asked: Sequence[Asked], graph: KnowledgeGraph) -> tuple[np.ndarray, Columns]:
    """Return the entries of rows that are hidden from each text, sorted: triples both ways."""
    each = [_both_ways(one.without, graph.num_relations) for one in asked]
    offsets, entries = flat([entries.ravel() for entries in each], np.int32)
    entity, relation, other = entries.reshape(-1, 3).T
    columns = plain(entity, np.int32), plain(relation, np.int32), plain(other, np.int32)
    return plain(offsets // 3, np.int64), columns


def _both_ways(triples: np.ndarray, num_relations: int) -> np.ndarray:
    if not len(triples):
        return np.empty((0, 3), np.int32)
    back = triples[:, ::-1] + [0, num_relations, 0]
    return np.unique(np.concatenate([triples, back]), axis=0).astype(np.int32)


def subgraphs(
    graph: KnowledgeGraph,
    node_offsets: np.ndarray,
    nodes: np.ndarray,
    edge_offsets: np.ndarray,
    edges: np.ndarray,
) -> list[Subgraph]:
    """Return the subgraph of each text; copies, so that one that is kept keeps no batch."""
    weights = _weights(graph, node_offsets, nodes[0], edge_offsets, edges)
    bounds = zip(
        node_offsets[:-1].tolist(),
        node_offsets[1:].tolist(),
        edge_offsets[:-1].tolist(),
        edge_offsets[1:].tolist(),
        strict=True,
    )
    return [
        Subgraph(
            nodes=nodes[0, a:b].copy(),
            edge_index=edges[:2, c:d].copy(),
            edge_type=edges[2, c:d].copy(),
            hops=nodes[1, a:b].copy(),
            edge_weight=None if weights is None else weights[c:d].copy(),
        )
        for a, b, c, d in bounds
    ]


def _weights(
    graph: KnowledgeGraph,
    node_offsets: np.ndarray,
    rows: np.ndarray,
    edge_offsets: np.ndarray,
    edges: np.ndarray,
) -> np.ndarray | None:
    """Return what the edges weigh, if those of the graph weigh anything."""
    known = graph.edge_weights
    if known is None:
        return None
    total = int(edge_offsets[-1])
    first = np.repeat(node_offsets[:-1], np.diff(edge_offsets))
    heads, tails = (rows[edges[end, :total] + first] for end in (0, 1))
    weights: np.ndarray = known[triple_places(graph, heads, edges[2, :total], tails)]
    return weights
