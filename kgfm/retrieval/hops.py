"""Subgraphs by hops from the seeds, to a fan-out and a budget of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.retrieval.base import Retriever
from kgfm.types import Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

_NO_CAP = np.iinfo(np.int64).max


class HopRetriever(Retriever):
    """Walk from the seeds along edges in either direction, and show all edges among what was met.

    The rule, in full, so that a server can follow it:

    1. The nodes are the seeds in their order, without repeats, the first ``budget`` of them.
    2. A hop looks at the nodes that the hop before added (at first the seeds), in their order. Of
       each it reads the row of neighbours: one entry per triple and direction, in the order
       (degree of the neighbour, relation, out before in, key of the neighbour), lowest first.
       Hidden entries are dropped from the row, then all but the first ``fan_out``. Two relations
       to one neighbour are two entries, and a neighbour that is a node already uses its place up.
    3. Entities that are no nodes yet become nodes until there are ``budget``: those that most
       entries lead to come first, for they tie the others together; among equals the nodes take
       turns, the first entry of each, then the second of each, and so on, so that several seeds
       share the budget.
    4. The edges are all triples of the graph whose head and tail are nodes, hidden ones
       excepted, each once, ordered by (head, relation, tail). They need not have been walked.

    A triple is hidden if its relation is in ``hide_from_seed`` and its head or tail is a seed.

    Args:
        graph: Where to cut.
        hops: How many steps from the seeds; 0 keeps the seeds and the edges among them.
        budget: Number of nodes that a subgraph has at most.
        fan_out: Number of entries of a row that the walk follows, or one number for each hop;
            ``None`` follows all.
        hide_from_seed: Keys of relations that a seed must not show, such as the one that holds the
            answer.

    Raises:
        ValueError: ``hops`` is below 0, or ``budget`` or ``fan_out`` below 1.
        KeyError: The graph has no such relation.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        hops: int = 2,
        budget: int = 200,
        fan_out: int | Sequence[int] | None = 16,
        hide_from_seed: Sequence[str] = (),
    ) -> None:
        each = fan_out if isinstance(fan_out, Sequence) else [] if fan_out is None else [fan_out]
        for name, value, least in (
            ("hops", hops, 0),
            ("budget", budget, 1),
            *(("fan_out", value, 1) for value in each),
        ):
            if value < least:
                raise ValueError(f"{name} is at least {least}, got {value}.")
        if isinstance(fan_out, Sequence) and len(fan_out) != hops:
            raise ValueError(
                f"fan_out lists {len(fan_out)} numbers for {hops} hops; give one each."
            )
        if isinstance(hide_from_seed, str):
            raise TypeError(f"hide_from_seed is a list of relations; write [{hide_from_seed!r}].")
        self.graph = graph
        self.hops = hops
        self.budget = budget
        self.fan_out = list(fan_out) if isinstance(fan_out, Sequence) else fan_out
        self.hide_from_seed = tuple(hide_from_seed)
        self._hidden = np.zeros(2 * graph.num_relations, dtype=bool)
        for key in self.hide_from_seed:
            self._hidden[graph.relation_row(key) :: graph.num_relations] = True

    def config(self) -> dict[str, Any]:
        return {
            "hops": self.hops,
            "budget": self.budget,
            "fan_out": self.fan_out,
            "hide_from_seed": list(self.hide_from_seed),
        }

    def _fan_outs(self) -> np.ndarray:
        """Entries that each hop follows; a walk longer than the graph is large finds no more."""
        if isinstance(self.fan_out, list):
            return np.array(self.fan_out, dtype=np.int64)
        hops = min(self.hops, self.graph.num_entities)
        return np.full(hops, _NO_CAP if self.fan_out is None else self.fan_out, dtype=np.int64)

    def retrieve(self, seeds: Sequence[np.ndarray]) -> list[Subgraph]:
        """Return the subgraph of each text; one without seeds has an empty one.

        Raises:
            TypeError: Seeds are not integers.
            IndexError: A seed is no row of the graph.
        """
        from kgfm.retrieval.kernels import cut  # imports numba, which takes a while

        checked = [self._check(number, rows) for number, rows in enumerate(seeds)]
        if not checked:
            return []
        graph = self.graph
        neighbours = (graph.neighbour_entity, graph.neighbour_relation)
        node_offsets, nodes, edge_offsets, edges = cut(
            _plain(np.cumsum([0, *map(len, checked)]), np.int64),
            _plain(np.concatenate(checked), np.int32),
            _plain(self._fan_outs(), np.int64),
            max(1, min(self.budget, graph.num_entities)),
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

    def _check(self, number: int, rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        if not len(rows):
            return np.empty(0, dtype=np.int64)
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise TypeError(
                f"The seeds of text {number} are a flat array of rows (integers), got shape "
                f"{rows.shape} of {rows.dtype}; graph.rows(keys) makes rows of keys."
            )
        if rows.min() < 0 or rows.max() >= self.graph.num_entities:
            raise IndexError(
                f"The seeds of text {number} run from {rows.min()} to {rows.max()}; this graph has "
                f"the rows 0 to {self.graph.num_entities - 1:,}."
            )
        return rows


def _plain(array: np.ndarray, dtype: Any) -> np.ndarray:
    """View any array as read-only and contiguous, because numba compiles anew for each kind."""
    view = np.ascontiguousarray(array, dtype=dtype).view(np.ndarray)[:]
    view.flags.writeable = False
    return view
