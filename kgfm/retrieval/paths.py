"""Subgraphs of the shortest paths between what a text names, to a budget of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.retrieval.arrays import (
    flat,
    neighbours_of,
    plain,
    subgraphs,
    triples_of,
    withheld_entries,
)
from kgfm.retrieval.base import Retriever, checked_seeds, needs_snapshot, only_edges_of
from kgfm.retrieval.caps import BUDGET, FAN_OUT
from kgfm.retrieval.hops import HopRetriever
from kgfm.types import Asked, Path, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


class PathRetriever(Retriever):
    """Show how the entities that a text names hang together: all shortest paths of each pair.

    Edges are walked in either direction, hidden triples in none. A path is told by its entities:
    where several triples join two of them it stands once, over the first one in the order of the
    edges. Its score is ``-sum(log(degree))`` over the entities between its ends, so that a path
    over hubs, which says little, comes late. (Both ends' searches meet in the middle, the smaller
    frontier going first; Pohl, 1971.)

    The nodes are the seeds in their order, then what stands on paths: the best path of each pair,
    then the second of each, and so on. A path that the budget has no room for is left out. ``hops``
    of a node is its distance from the nearer end of a path that is shown. The edges are all among
    the nodes, as :class:`kgfm.retrieval.HopRetriever` shows them. A text that names fewer than two
    entities is given its neighbours instead: one hop by the rule of ``HopRetriever``, no paths.

    Args:
        graph: Where to cut.
        length: Number of steps of a path at most.
        most: Number of paths between two seeds at most; of more, those that are found first.
        budget: Number of nodes that a subgraph has at most.
        fan_out: Number of neighbours of a single seed that are read at most; ``None`` for all.
        hide_from_seed: Keys of relations that a seed must not show.
        source: Of a merged graph, the source whose triples are walked and shown; ``None`` for all.

    Raises:
        ValueError: A number is below 1, or the graph has no such source.
        KeyError: The graph has no such relation.
        TypeError: The graph is on a server, or ``hide_from_seed`` is a string.
    """

    graph: KnowledgeGraph

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        length: int = 3,
        most: int = 16,
        budget: int = BUDGET,
        fan_out: int | None = FAN_OUT,
        hide_from_seed: Sequence[str] = (),
        source: str | None = None,
    ) -> None:
        self.graph = only_edges_of(source, needs_snapshot(graph, "paths"))
        self.source = source
        for name, value in {"length": length, "most": most}.items():
            if value < 1:
                raise ValueError(f"{name} is at least 1, got {value}.")
        self.length, self.most, self.budget = length, most, budget
        self._alone = HopRetriever(
            self.graph, hops=1, budget=budget, fan_out=fan_out, hide_from_seed=hide_from_seed
        )
        self.hide_from_seed = self._alone.hide_from_seed

    def config(self) -> dict[str, Any]:
        alone = {**self._alone.config(), "source": self.source}
        del alone["hops"]
        return {"length": self.length, "most": self.most, **alone}

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the subgraph of each text; one without seeds has an empty one.

        Raises:
            TypeError: Not texts are asked about, but bare rows.
            IndexError: A seed is no row of the graph.
        """
        checked = checked_seeds(asked, self.graph)
        several = [len(set(seeds.tolist())) > 1 for seeds in checked]
        alone = [one for one, pairs in zip(asked, several, strict=True) if not pairs]
        joined = [one for one, pairs in zip(asked, several, strict=True) if pairs]
        cuts = iter(self._alone.retrieve(alone)), iter(self._between(joined))
        return [next(cuts[pairs]) for pairs in several]

    def _between(self, asked: Sequence[Asked]) -> list[Subgraph]:
        from kgfm.retrieval.kernels_paths import cut  # imports numba, which takes a while

        if not asked:
            return []
        found, (offsets, nodes, edges, scores) = cut(
            *flat([one.seeds for one in asked], np.int32),
            (self.most, self.length),
            min(self.budget, max(1, self.graph.num_entities)),
            neighbours_of(self.graph),
            plain(self.graph.degree, np.int32),
            triples_of(self.graph),
            plain(self._alone.hidden, np.bool_),
            withheld_entries(asked, self.graph),
        )
        paths = [
            Path(tuple(n for n in way if n >= 0), tuple(e for e in steps if e >= 0), score)
            for way, steps, score in zip(
                nodes.tolist(), edges.tolist(), scores.tolist(), strict=True
            )
        ]
        each = [paths[a:b] for a, b in pairwise(offsets.tolist())]
        return [
            replace(cut, paths=tuple(sorted(own, key=lambda path: -path.score)))
            for cut, own in zip(subgraphs(self.graph, *found), each, strict=True)
        ]
