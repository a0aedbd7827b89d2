"""Subgraphs by hops from the seeds, to a fan-out and a budget of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.retrieval.base import checked_seeds
from kgfm.retrieval.caps import CappedRetriever
from kgfm.types import Asked, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

_NO_CAP = np.iinfo(np.int64).max


class HopRetriever(CappedRetriever):
    """Walk from the seeds along edges in either direction, and show all edges among what was met.

    The rule, in full, so that a server can follow it:

    1. The nodes are the seeds in their order, without repeats, the first ``budget`` of them (of
       several numbers the first counts).
    2. A hop looks at the nodes that the hop before added (at first the seeds), in their order. Of
       each it reads the row of neighbours: one entry per triple and direction, in the order
       (degree of the neighbour, relation, out before in, key of the neighbour), lowest first.
       Hidden entries are dropped from the row, then all but the first ``fan_out``. Two relations
       to one neighbour are two entries, and a neighbour that is a node already uses its place up.
    3. Entities that are no nodes yet become nodes until there are ``budget`` (of several numbers
       the hop's own; a hop that finds no room ends the walk): those that most
       entries lead to come first, for they tie the others together; among equals the nodes take
       turns, the first entry of each, then the second of each, and so on, so that several seeds
       share the budget.
    4. The edges are all triples of the graph whose head and tail are nodes, hidden ones
       excepted, each once, ordered by (head, relation, tail). They need not have been walked.

    A triple is hidden if its relation is in ``hide_from_seed`` and its head or tail is a seed.

    Args:
        graph: Where to cut.
        hops: How many steps from the seeds; 0 keeps the seeds and the edges among them.
        budget: Number of nodes that a subgraph has at most, or one number for each hop, none
            smaller than the one before: how many nodes there are at most after it. So a hop that
            finds much leaves room for the next.
        fan_out: Number of entries of a row that the walk follows, or one number for each hop;
            ``None`` follows all.
        hide_from_seed: Keys of relations that a seed must not show, such as the one that holds the
            answer.

    Raises:
        ValueError: ``hops`` is below 0, or ``budget`` or ``fan_out`` below 1.
        KeyError: The graph has no such relation.
    """

    graph: KnowledgeGraph

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        hops: int = 2,
        budget: int | Sequence[int] = 200,
        fan_out: int | Sequence[int] | None = 16,
        hide_from_seed: Sequence[str] = (),
    ) -> None:
        super().__init__(graph, hops, budget, fan_out, hide_from_seed)
        self._hidden = np.zeros(2 * graph.num_relations, dtype=bool)
        for key in self.hide_from_seed:
            self._hidden[graph.relation_row(key) :: graph.num_relations] = True

    def _for_each_hop(self, given: int | list[int]) -> np.ndarray:
        """One number for each hop; a walk longer than the graph is large finds no more."""
        hops = min(self.hops, self.graph.num_entities)
        return np.array(given[:hops] if isinstance(given, list) else [given] * hops, dtype=np.int64)

    def _budgets(self) -> np.ndarray:
        """Nodes at most, of seeds alone and after each hop."""
        first = self.budget[0] if isinstance(self.budget, list) else self.budget
        each = [first, *self._for_each_hop(self.budget).tolist()]
        most = max(1, self.graph.num_entities)
        return np.array([min(number, most) for number in each], dtype=np.int64)

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the subgraph of each text; one without seeds has an empty one.

        Raises:
            TypeError: Not texts are asked about, but bare rows.
            IndexError: A seed is no row of the graph.
        """
        from kgfm.retrieval.kernels import cut  # imports numba, which takes a while

        checked = checked_seeds(asked, self.graph)
        if not checked:
            return []
        graph = self.graph
        neighbours = (graph.neighbour_entity, graph.neighbour_relation)
        node_offsets, nodes, edge_offsets, edges = cut(
            _plain(np.cumsum([0, *map(len, checked)]), np.int64),
            _plain(np.concatenate(checked), np.int32),
            _plain(self._for_each_hop(_NO_CAP if self.fan_out is None else self.fan_out), np.int64),
            _plain(self._budgets(), np.int64),
            (
                _plain(graph.neighbour_indptr, np.int64),
                tuple(_plain(a, np.int32) for a in neighbours),
            ),
            (
                _plain(graph.out_indptr, np.int64),
                (_plain(graph.relations, np.int32), _plain(graph.tails, np.int32)),
            ),
            _plain(self._hidden, np.bool_),
        )
        # Copies, so that one subgraph that is kept does not keep its whole batch.
        return [
            Subgraph(
                nodes=nodes[0, a:b].copy(),
                edge_index=edges[:2, c:d].copy(),
                edge_type=edges[2, c:d].copy(),
                hops=nodes[1, a:b].copy(),
            )
            for a, b, c, d in zip(
                node_offsets[:-1],
                node_offsets[1:],
                edge_offsets[:-1],
                edge_offsets[1:],
                strict=True,
            )
        ]


def _plain(array: np.ndarray, dtype: Any) -> np.ndarray:
    """View any array as read-only and contiguous, because numba compiles anew for each kind."""
    view = np.ascontiguousarray(array, dtype=dtype).view(np.ndarray)[:]
    view.flags.writeable = False
    return view
