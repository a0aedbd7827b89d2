"""A scorer of walks that needs no network: each action has a score of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgfm.retrieval.walks.base import ENDS, Tree


class ToyReading:
    """All texts are alike, and so are all kinds."""

    def __init__(
        self, scores: np.ndarray, num_mentions: int, kind: int = 0, both: float = 0.0
    ) -> None:
        self._scores = scores
        self._count = num_mentions
        self.mention = np.zeros(num_mentions, np.float32)
        self.kind = np.tile(np.eye(3, dtype=np.float32)[kind], (num_mentions, 1))
        self.both = np.full(num_mentions, both, np.float32)
        self.walks = np.arange(num_mentions)

    def logits(self, walks: np.ndarray) -> np.ndarray:
        return np.tile(self._scores, (len(walks), 1))

    def extend(self, walks: np.ndarray, actions: np.ndarray) -> np.ndarray:
        self._count += len(walks)
        return np.arange(self._count - len(walks), self._count)


class ToyScorer:
    """Likes the first actions most, and hardly thinks that anything is lacking.

    Args:
        kind: Number of what all texts ask for: entities, a count, yes or no.
        both: Probability that what several topics share is meant.
    """

    def __init__(self, *, kind: int = 0, both: float = 0.0) -> None:
        self.kind, self.both = kind, both
        self.scores = np.zeros(ENDS, np.float32)

    def bind(self, graph: Any, attributes: Sequence[str]) -> None:
        num_actions = 2 * graph.num_relations + len(attributes)
        self.scores = np.append(-0.1 * np.arange(num_actions), [0.0, -9.0]).astype(np.float32)

    def learn(self, trees: Sequence[Tree], *, epochs: int | None, seed: int) -> None:
        self.learned = [*trees]

    def read(self, texts: Sequence[str], features: np.ndarray) -> ToyReading:
        return ToyReading(self.scores, len(texts), self.kind, self.both)

    def weights(self) -> dict[str, np.ndarray]:
        return {"scores": self.scores}

    def restore(self, weights: Mapping[str, np.ndarray]) -> None:
        self.scores = weights["scores"]
