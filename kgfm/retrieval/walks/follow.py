"""A batch of questions over one snapshot: where walks begin, where they lead, what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from kgfm.retrieval.walks.base import Reading
from kgfm.retrieval.walks.beam import Walked, beam
from kgfm.retrieval.walks.calibrate import Calibration
from kgfm.retrieval.walks.explore import Explorer
from kgfm.retrieval.walks.shown import Shown
from kgfm.retrieval.walks.sought import Reader
from kgfm.retrieval.walks.teach import features_of, masked, topics_of
from kgfm.types import Asked, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """Where the walks of some questions begin: at each mention of an entity.

    Args:
        asked: The questions.
        texts: The masked text of each mention.
        features: What is known of it beside its text.
        topics: Row of its entity.
        questions: Numbers of the mentions of each question.
    """

    asked: Sequence[Asked]
    texts: list[str]
    features: Float[np.ndarray, "mention feature"]
    topics: list[int]
    questions: list[Int[np.ndarray, "_"]]

    @classmethod
    def of(cls, asked: Sequence[Asked], graph: KnowledgeGraph) -> Begun:
        """Find where walks begin in a graph whose rows the questions name."""
        texts: list[str] = []
        features: list[tuple[float, ...]] = []
        topics: list[int] = []
        questions: list[np.ndarray] = []
        for one in asked:
            begin = len(texts)
            for mention in topics_of(one):
                row = int(one.rows[mention])
                topics.append(row)
                texts.append(masked(one.text, one.mentions[mention]))
                features.append(features_of(one.mentions[mention], int(graph.degree[row])))
            questions.append(np.arange(begin, len(texts)))
        columns = np.array(features, np.float32).reshape(-1, 3)
        return cls(asked, texts, columns, topics, questions)


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows the walks of questions, and shows what they lead to.

    Args:
        explorer: Of the graph.
        calibration: Of probabilities.
        width: Walks of a question that are followed after each step.
        most: A set of more entities leads on no more.
        budget: Number of nodes that a subgraph has at most.
        sets: How many of the likeliest sets are shown.
        unsure: Scores below are no answer.
    """

    explorer: Explorer
    calibration: Calibration
    width: int
    most: int
    budget: int
    sets: int
    unsure: float

    def walk(self, begun: Begun, reading: Reading | None, hops: int) -> list[Walked]:
        """Follow the likeliest walks of each question, ``hops`` steps at most."""
        if reading is None:
            return [Walked() for _ in begun.asked]
        return beam(
            self.explorer,
            reading,
            begun.questions,
            begun.topics,
            [self.explorer.hidden_from(one) for one in begun.asked],
            hops=hops,
            width=self.width,
            most=self.most,
        )

    def show(
        self, begun: Begun, reading: Reading | None, walked: Sequence[Walked]
    ) -> list[Subgraph]:
        """Return the subgraph of each question, with what is sought."""
        reader = Reader(self.explorer, self.calibration, self.unsure)
        shown = self.shown
        made = []
        for one, own, walks in zip(begun.asked, begun.questions, walked, strict=True):
            said = reader.unnamed()
            if reading is not None and len(own):
                said = reader(own, reading, begun.topics, walks)
            made.append(shown(one, walks, said))
        return made

    @property
    def shown(self) -> Shown:
        """What shows walks."""
        return Shown(self.explorer.graph, self.budget, self.sets)
