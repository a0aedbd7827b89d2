"""What every retriever is: what is asked in, one subgraph per text out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.types import Asked, Mention, Subgraph

if TYPE_CHECKING:
    from kgfm.retrieval.live_graph import Graph


class Retriever(ABC):
    """Cut from a graph the part that matters for a text.

    It sees the whole question: text, mentions, candidates. What is learned stands above the tensor
    line and comes in as a callable, as ``encode`` does for linking.
    """

    graph: Graph

    @abstractmethod
    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the subgraph of each text; triples in its ``without`` are not in it.

        Args:
            asked: The texts, with what they name.
        """

    def __call__(self, mentions: Sequence[Mention]) -> Subgraph:
        """Return the subgraph around the entities that one text mentions."""
        return self.retrieve([ask("", mentions, self.graph)])[0]

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal retriever over another graph, as JSON."""
        return {}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({given})"


def ask(text: str, mentions: Sequence[Mention], graph: Graph) -> Asked:
    """Look up the rows of the entities that a text mentions.

    Raises:
        KeyError: The graph has no such entity.
    """
    known = np.array([mention.entity is not None for mention in mentions], dtype=bool)
    rows = np.full(len(mentions), -1, dtype=np.int64)
    rows[known] = graph.rows([m.entity for m in mentions if m.entity is not None])
    return Asked(text, tuple(mentions), rows)
