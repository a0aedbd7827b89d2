"""Subgraphs by hops from the seeds, to a fan-out and a budget of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.retrieval.arrays import (
    flat,
    hidden_relations,
    neighbours_of,
    plain,
    subgraphs,
    triples_of,
    withheld_entries,
)
from kgfm.retrieval.base import checked_seeds, only_edges_of
from kgfm.retrieval.caps import BUDGET, FAN_OUT, CappedRetriever
from kgfm.types import Asked, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

_NO_CAP = np.iinfo(np.int64).max


class HopRetriever(CappedRetriever):
    """Walk from the seeds along edges in either direction, and show all edges among what was met.

    The rule, in full, so that a server can follow it:

    1. The first nodes are the seeds in their order, without repeats, the first ``budget`` of them
       (of several numbers the first counts). Their width is 0, and they stay.
    2. A hop looks at the nodes that the hop before brought in or made narrower (at first the
       seeds), in their order. Of each it reads the row of neighbours: one entry per triple and
       direction, in the order (degree of the neighbour, relation, out before in, key of the
       neighbour), lowest first. Hidden entries are dropped, then all but the first ``fan_out``.
       Two relations to one neighbour are two entries, and nodes use their places up too.
    3. What a row leads to is as wide as that row is long, or as the node whose row it is if that is
       wider; led to by several rows, as wide as by the best of them. So the width of an entity is
       that of the widest row on the way to it: hubs lead to what is wide and says little. A node
       to which a narrower way is found takes that width.
    4. Of nodes and what was met the first ``budget`` are the nodes, in the order (width, hop that
       brought this width, turn), lowest first; the others are forgotten. The turn: of equal width,
       what rows lead to with their first entries comes before what they lead to with their
       second, and so on, in the order of the rows' nodes, so that several seeds share the budget.
       Of several budgets, one for each hop, each is room of the hop's own: nodes stay, with the
       width that they came with, in the order (hop, width, turn).
    5. The edges are all triples of the graph whose head and tail are nodes, hidden ones
       excepted, each once, ordered by (head, relation, tail). They need not have been walked.

    What is narrower than ``fan_out`` stays when ``fan_out`` grows and the budget is shared: only
    rows of hubs become longer, and what they lead to comes last.

    A triple is hidden if its relation is in ``hide_from_seed`` and its head or tail is a seed, or
    if it is in the text's :attr:`Asked.without`. The order of a row, with its degrees, stays that
    of the whole graph.

    Args:
        graph: Where to cut.
        hops: How many steps from the seeds; 0 keeps the seeds and the edges among them.
        budget: Number of nodes that a subgraph has at most, shared by all hops; or one number for
            each hop, none smaller than the one before: how many nodes there are at most after it.
        fan_out: Number of entries of a row that the walk follows, or one number for each hop;
            ``None`` follows all.
        hide_from_seed: Keys of relations that a seed must not show, such as the one that holds the
            answer.
        source: Of a merged graph, the source whose triples are walked and shown; ``None`` for all.
            What a text names stays a node, wherever it comes from.

    Raises:
        ValueError: ``hops`` is below 0, ``budget`` or ``fan_out`` below 1, or the graph has no such
            source.
        KeyError: The graph has no such relation.
    """

    graph: KnowledgeGraph

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        hops: int = 2,
        budget: int | Sequence[int] = BUDGET,
        fan_out: int | Sequence[int] | None = FAN_OUT,
        hide_from_seed: Sequence[str] = (),
        source: str | None = None,
    ) -> None:
        super().__init__(only_edges_of(source, graph), hops, budget, fan_out, hide_from_seed)
        self.source = source
        self.hidden = hidden_relations(self.graph, self.hide_from_seed)

    def config(self) -> dict[str, Any]:
        return super().config() | {"source": self.source}

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
        from kgfm.retrieval.kernels_hops import cut  # imports numba, which takes a while

        checked = checked_seeds(asked, self.graph)
        if not checked:
            return []
        return subgraphs(
            self.graph,
            *cut(
                *flat(checked, np.int32),
                plain(
                    self._for_each_hop(_NO_CAP if self.fan_out is None else self.fan_out), np.int64
                ),
                plain(self._budgets(), np.int64),
                not isinstance(self.budget, list),
                neighbours_of(self.graph),
                triples_of(self.graph),
                plain(self.hidden, np.bool_),
                withheld_entries(asked, self.graph),
            ),
        )
