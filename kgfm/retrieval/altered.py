"""Subgraphs that are wrong on purpose, to see whether the right ones matter."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgfm.graph.control import rewired
from kgfm.graph.sources import triple_places
from kgfm.retrieval.base import Retriever, only_edges_of
from kgfm.types import Asked, Subgraph


def nothing() -> Subgraph:
    """Return a subgraph without a node."""
    none = np.empty(0, dtype=np.int32)
    return Subgraph(none, np.empty((2, 0), dtype=np.int32), none, none)


class _Altered(Retriever):
    """What a retriever cuts, changed afterwards.

    Paths go, for they would tell the true edges. It learns nothing: what a retriever learned of the
    true graph it would still know, so there the graph itself is altered.

    Args:
        retriever: Cuts.
    """

    def __init__(self, retriever: Retriever) -> None:
        self.retriever = retriever
        self.graph = retriever.graph

    def config(self) -> dict[str, Any]:
        return self.retriever.config()


class WithoutNodes(_Altered):
    """Nothing at all: the text stays alone."""

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return an empty subgraph for each text."""
        return [nothing() for _ in asked]


class WithoutEdges(_Altered):
    """The same nodes, no edge between them, and no opinion about them."""

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the nodes of each text's subgraph."""
        return [
            replace(
                cut,
                edge_index=cut.edge_index[:, :0],
                edge_type=cut.edge_type[:0],
                prior=None,
                paths=(),
                edge_weight=None,
            )
            for cut in self.retriever.retrieve(asked)
        ]


class _OtherEdges(_Altered):
    """The same nodes and as many edges, which say nothing true.

    The order comes from ``seed`` and the subgraph's own seeds, so a text has the same wrong edges
    in every epoch.

    Args:
        retriever: Cuts.
        seed: Of the permutations.
        source: Of a merged graph, the source whose edges are others; ``None`` for all.

    Raises:
        ValueError: The graph has no such source.
    """

    def __init__(self, retriever: Retriever, *, seed: int = 0, source: str | None = None) -> None:
        super().__init__(retriever)
        self.seed, self.source = seed, source
        if source is not None:
            only_edges_of(source, self.graph)

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return each text's subgraph with other edges."""
        return [
            self._other(cut, [self.seed, *cut.nodes[: cut.num_seeds].tolist()])
            for cut in self.retriever.retrieve(asked)
        ]

    def _moving(self, cut: Subgraph) -> np.ndarray:
        """Places of the edges that become others."""
        if self.source is None:
            return np.arange(len(cut.edge_type))
        graph: Any = self.graph
        heads, tails = cut.nodes[cut.edge_index]
        places = triple_places(graph, heads, cut.edge_type, tails)
        return np.flatnonzero(graph.triples_in(self.source)[places])

    @abstractmethod
    def _other(self, cut: Subgraph, seed: Sequence[int]) -> Subgraph: ...


def _with_edges(
    cut: Subgraph, tails: np.ndarray, places: np.ndarray, prior: np.ndarray | None
) -> Subgraph:
    """Return a cut with other tails, and with each relation, and its weight, from another place."""
    weight = cut.edge_weight
    return replace(
        cut,
        edge_index=np.stack([cut.edge_index[0], tails]),
        edge_type=cut.edge_type[places],
        prior=prior,
        paths=(),
        edge_weight=None if weight is None else weight[places],
    )


class ShuffledEdges(_OtherEdges):
    """Relations permuted among the edges, and tails among the nodes.

    What led to one node leads to another. So a node's number of edges, which would tell that a city
    is a capital, moves too, and a prior with it. Each head keeps its number of edges.
    """

    def _other(self, cut: Subgraph, seed: Sequence[int]) -> Subgraph:
        random = np.random.default_rng(seed)
        moving, tails = self._moving(cut), cut.edge_index[1].copy()
        elsewhere = random.permutation(len(cut.nodes)).astype(tails.dtype)
        tails[moving] = elsewhere[tails[moving]]
        places = np.arange(len(tails))
        places[moving] = random.permutation(moving)
        prior = None if cut.prior is None else cut.prior[np.argsort(elsewhere)]
        return _with_edges(cut, tails, places, prior)


class RandomEdges(_OtherEdges):
    """Another subgraph of the same degrees: relations and tails permuted among the edges.

    Each node keeps its number of edges out and in; which relations they are of, and where they
    lead, is chance. A prior came of the true edges, so it is dealt out anew.
    """

    def _other(self, cut: Subgraph, seed: Sequence[int]) -> Subgraph:
        moving = self._moving(cut)
        heads, tails = (end.astype(np.int64) for end in cut.edge_index)
        places = np.arange(len(tails))
        tails[moving], chosen = rewired(heads[moving], tails[moving], seed)
        places[moving] = moving[chosen]
        prior = cut.prior
        if prior is not None:
            prior = np.random.default_rng([*seed, 3]).permutation(prior)
        return _with_edges(cut, tails.astype(cut.edge_index.dtype), places, prior)
