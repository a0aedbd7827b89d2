"""The subgraph of a question's likeliest walks, to a budget of nodes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from kgfm.retrieval.hops import HopRetriever
from kgfm.retrieval.walks.beam import Prefix, Walked
from kgfm.types import Asked, Found, Path, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

_FLOOR = 1e-4
"""The least probability of a node in the prior: walks that were not followed may lead to it."""
_PATHS = 32
Way = tuple[float, list[int], Prefix]
"""Log-probability of a walk, the rows on one way along it, and the walk."""


class Shown:
    """Shows walks as a subgraph.

    Args:
        graph: The graph.
        budget: Number of nodes at most.
        sets: How many of the likeliest sets are shown.
    """

    def __init__(self, graph: KnowledgeGraph, budget: int, sets: int) -> None:
        self.graph = graph
        self.budget = budget
        self.sets = sets
        self._among = HopRetriever(graph, hops=0, budget=budget)

    def __call__(self, asked: Asked, walked: Walked, found: Found) -> Subgraph:
        """Return the nodes of ways to answers, the edges among them, the prior and the ways."""
        hops, ways = self.ways(asked, walked)
        nodes = np.fromiter(hops, np.int64, len(hops))
        cut = self._among.retrieve([Asked.at(nodes, without=asked.without)])[0]
        return replace(
            cut,
            hops=np.fromiter(hops.values(), np.int32, len(hops)),
            prior=self._prior(nodes, walked),
            paths=self._paths(cut, ways),
            found=found,
        )

    def ways(self, asked: Asked, walked: Walked) -> tuple[dict[int, int], list[Way]]:
        """Return the nodes, each with its distance from the seeds, and the ways to answers."""
        hops: dict[int, int] = {}
        for row in asked.seeds.tolist():
            if len(hops) < self.budget:
                hops.setdefault(row, 0)
        ways: list[Way] = []
        sets: set[bytes] = set()
        for log, walk in walked.ended:
            key = np.sort(walk.rows).tobytes()
            if key not in sets and len(sets) == self.sets:
                continue
            if key in sets and len(walk.rows) > 1:
                continue
            sets.add(key)
            for place in np.argsort(walk.rows, kind="stable").tolist():
                way = walk.trace(place)
                if len(hops) + sum(row not in hops for row in set(way)) > self.budget:
                    break
                for hop, row in enumerate(way):
                    hops.setdefault(row, hop)
                ways.append((log, way, walk))
        return hops, ways

    @staticmethod
    def _prior(nodes: np.ndarray, walked: Walked) -> np.ndarray:
        total = np.full(len(nodes), _FLOOR)
        for log, walk in walked.ended:
            total[np.isin(nodes, walk.rows)] += np.exp(log)
        prior: np.ndarray = np.log(np.minimum(total, 1.0)).astype(np.float32)
        return prior

    def _paths(self, cut: Subgraph, ways: list[Way]) -> tuple[Path, ...]:
        place = {int(row): node for node, row in enumerate(cut.nodes)}
        heads, tails = cut.edge_index.tolist()
        edge = {
            key: n for n, key in enumerate(zip(heads, cut.edge_type.tolist(), tails, strict=True))
        }
        made: list[Path] = []
        for log, way, walk in ways[:_PATHS]:
            nodes = [place[row] for row in way]
            edges = []
            for (one, other), action in zip(pairwise(nodes), walk.actions, strict=True):
                if action >= 2 * self.graph.num_relations:
                    continue  # an attribute is no edge
                forward = action < self.graph.num_relations
                relation = action if forward else action - self.graph.num_relations
                edges.append(edge[(one, relation, other) if forward else (other, relation, one)])
            if edges:
                made.append(Path(tuple(nodes[: len(edges) + 1]), tuple(edges), log))
        return tuple(made)
