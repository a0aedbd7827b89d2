"""What every retriever is: rows of seed entities in, one subgraph per text out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.types import Mention, Subgraph

if TYPE_CHECKING:
    from kgfm.retrieval.live_graph import Graph


class Retriever(ABC):
    """Cut from a graph the part that matters for a text."""

    graph: Graph

    @abstractmethod
    def retrieve(self, seeds: Sequence[np.ndarray]) -> list[Subgraph]:
        """Return the subgraph of each text.

        Args:
            seeds: Rows of the entities that each text names; may be empty.
        """

    def __call__(self, mentions: Sequence[Mention]) -> Subgraph:
        """Return the subgraph around the entities that one text mentions."""
        keys = [mention.entity for mention in mentions if mention.entity is not None]
        return self.retrieve([self.graph.rows(keys)])[0]

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal retriever over another graph, as JSON."""
        return {}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({given})"
