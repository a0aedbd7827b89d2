"""What the learned part of walks is asked; it stands above the tensor line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int

MASK = "[MASK]"
"""Stands in a text for the mention where a walk begins."""
ENDS = 2
"""Behind the actions stand two more: the walk is at its end; the graph lacks what is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Walks from one mention of a question, each but the first behind its parent.

    Args:
        question: Number of the question.
        text: Its text, the mention replaced by :data:`MASK`.
        features: What is known of the mention beside the text.
        parent: Of each walk; -1 for the first, which has no step.
        action: The last step of each walk; -1 for the first.
        expands: Whether a walk may go on, so that to end is a choice.
        weight: How right it is to end with each walk, from 0 to 1.
        lacks: Whether the graph lacks what is asked for; then no walk is right.
        kind: Number of the kind of question; -1 where it is unknown.
        both: Whether what all mentions lead to is meant: 1, 0, or -1 where it is unknown.
    """

    question: int
    text: str
    features: tuple[float, ...]
    parent: Int[np.ndarray, "walk"]
    action: Int[np.ndarray, "walk"]
    expands: Bool[np.ndarray, "walk"]
    weight: Float[np.ndarray, "walk"]
    lacks: bool = False
    kind: int = -1
    both: int = -1


@runtime_checkable
class Reading(Protocol):
    """Masked texts that were read, and walks that set out from them.

    Attributes:
        mention: Logit of each mention to be what its text is about.
        kind: Probability of each kind but the last, for each mention's text.
        both: Probability that what all mentions lead to is meant.
        walks: The walk without a step of each mention, as numbers for :meth:`logits`.
    """

    mention: Float[np.ndarray, "mention"]
    kind: Float[np.ndarray, "mention 3"]
    both: Float[np.ndarray, "mention"]
    walks: Int[np.ndarray, "mention"]

    def logits(self, walks: Int[np.ndarray, "walk"]) -> Float[np.ndarray, "walk action_and_ends"]:
        """Logits of all actions, and of the two ends, after some walks."""

    def extend(
        self, walks: Int[np.ndarray, "walk"], actions: Int[np.ndarray, "walk"]
    ) -> Int[np.ndarray, "walk"]:
        """Return the numbers of walks that are one action longer."""


@runtime_checkable
class Scorer(Protocol):
    """Learns which actions a text asks for."""

    def bind(self, graph: Any, attributes: Sequence[str]) -> None:
        """Take the relations of a graph, and these attributes, as actions."""

    def learn(self, trees: Sequence[Tree], *, epochs: int | None, seed: int) -> None:
        """Learn from questions and the walks that are right."""

    def read(self, texts: Sequence[str], features: Float[np.ndarray, "mention feature"]) -> Reading:
        """Read masked texts."""

    def weights(self) -> dict[str, np.ndarray]:
        """Return what was learned, as plain arrays."""

    def restore(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take what was learned before."""
