"""Subgraphs that are wrong on purpose, to see whether the right ones matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgfm.retrieval.base import Retriever
from kgfm.types import Asked, Subgraph


def nothing() -> Subgraph:
    """Return a subgraph without a node."""
    none = np.empty(0, dtype=np.int32)
    return Subgraph(none, np.empty((2, 0), dtype=np.int32), none, none)


class _Altered(Retriever):
    """What a retriever cuts, changed afterwards.

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
    """The same nodes, no edge between them."""

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the nodes of each text's subgraph."""
        return [
            replace(cut, edge_index=cut.edge_index[:, :0], edge_type=cut.edge_type[:0], paths=())
            for cut in self.retriever.retrieve(asked)
        ]


class ShuffledEdges(_Altered):
    """The same nodes and as many edges, which say nothing true.

    Relations are permuted among the edges, and tails among the nodes: what led to one node leads
    to another. So a node's number of edges, which would tell that a city is a capital, moves too.
    Each head keeps its number of edges. The order comes from ``seed`` and the
    subgraph's own seeds, so a text has the same wrong edges in every epoch.

    Args:
        retriever: Cuts.
        seed: Of the permutations.
    """

    def __init__(self, retriever: Retriever, *, seed: int = 0) -> None:
        super().__init__(retriever)
        self.seed = seed

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return each text's subgraph with its edges shuffled."""
        return [self._shuffle(cut) for cut in self.retriever.retrieve(asked)]

    def _shuffle(self, cut: Subgraph) -> Subgraph:
        random = np.random.default_rng([self.seed, *cut.nodes[: cut.num_seeds].tolist()])
        heads, tails = cut.edge_index
        elsewhere = random.permutation(len(cut.nodes)).astype(tails.dtype)
        return replace(
            cut,
            edge_index=np.stack([heads, elsewhere[tails]]),
            edge_type=random.permutation(cut.edge_type),
            paths=(),
        )
