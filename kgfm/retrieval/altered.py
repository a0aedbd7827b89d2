"""Subgraphs that are wrong on purpose, to see whether the right ones matter."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgfm.graph.control import rewired
from kgfm.retrieval.base import Retriever
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
    """

    def __init__(self, retriever: Retriever, *, seed: int = 0) -> None:
        super().__init__(retriever)
        self.seed = seed

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return each text's subgraph with other edges."""
        return [
            self._other(cut, [self.seed, *cut.nodes[: cut.num_seeds].tolist()])
            for cut in self.retriever.retrieve(asked)
        ]

    @abstractmethod
    def _other(self, cut: Subgraph, seed: Sequence[int]) -> Subgraph: ...


class ShuffledEdges(_OtherEdges):
    """Relations permuted among the edges, and tails among the nodes.

    What led to one node leads to another. So a node's number of edges, which would tell that a city
    is a capital, moves too, and a prior with it. Each head keeps its number of edges.
    """

    def _other(self, cut: Subgraph, seed: Sequence[int]) -> Subgraph:
        random = np.random.default_rng(seed)
        heads, tails = cut.edge_index
        elsewhere = random.permutation(len(cut.nodes)).astype(tails.dtype)
        return replace(
            cut,
            edge_index=np.stack([heads, elsewhere[tails]]),
            edge_type=random.permutation(cut.edge_type),
            prior=None if cut.prior is None else cut.prior[np.argsort(elsewhere)],
            paths=(),
        )


class RandomEdges(_OtherEdges):
    """Another subgraph of the same degrees: relations and tails permuted among the edges.

    Each node keeps its number of edges out and in; which relations they are of, and where they
    lead, is chance. A prior came of the true edges, so it is dealt out anew.
    """

    def _other(self, cut: Subgraph, seed: Sequence[int]) -> Subgraph:
        heads, tails = cut.edge_index
        ends, places = rewired(heads.astype(np.int64), tails.astype(np.int64), seed)
        prior = cut.prior
        if prior is not None:
            prior = np.random.default_rng([*seed, 3]).permutation(prior)
        return replace(
            cut,
            edge_index=np.stack([heads, ends.astype(tails.dtype)]),
            edge_type=cut.edge_type[places],
            prior=prior,
            paths=(),
        )
