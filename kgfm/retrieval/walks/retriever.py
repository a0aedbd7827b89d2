"""Follow the relations that a question asks for, over the whole graph, to exact sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.retrieval.base import Answered, Retriever, checked_seeds, needs_snapshot
from kgfm.retrieval.caps import BUDGET
from kgfm.retrieval.walks.base import Scorer
from kgfm.retrieval.walks.beam import Walked, beam
from kgfm.retrieval.walks.calibrate import Calibration, calibrate
from kgfm.retrieval.walks.explore import Explorer
from kgfm.retrieval.walks.shown import Shown
from kgfm.retrieval.walks.sought import Reader
from kgfm.retrieval.walks.teach import Best, Caps, Teacher, features_of, masked, topics_of
from kgfm.types import Asked, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

_CHUNK = 64
_RARE = 0.05
_SETTINGS = (
    "hops",
    "width",
    "most",
    "budget",
    "sets",
    "come_back",
    "lacking",
    "composed",
    "refused",
    "unsure",
    "epochs",
)


class WalkRetriever(Retriever):
    """Walk from what a text names along the relations that it asks for.

    A learned scorer reads the text with the mention masked and chooses, step by step, among the
    relations that lead on, the end of the walk, and that the graph lacks what is asked for. The
    sets that walks lead to are exact, over the whole graph, whatever the budget of nodes; which of
    the names the question is about is learned too, and whether what several of them lead to is
    meant. All of it is learned from answers alone: walks are weighed by the F1 of their sets.

    The subgraph holds the seeds and ways to the answers of the likeliest sets, to a budget. The
    prior of a node is ``log sum p(walk) [node in set]``.

    Args:
        graph: A snapshot.
        scorer: Scores walks; what is learned stands in it.
        hops: Steps of a walk at most.
        width: Walks of a question that are followed after each step.
        most: A set of more entities leads on no more.
        budget: Number of nodes that a subgraph has at most.
        sets: How many of the likeliest sets are shown.
        come_back: Whether a walk may come back to its topic.
        lacking: Share of training questions that are also asked of a graph without a relation that
            they need, so that it is learned what the graph lacks; 0 for never.
        composed: How many questions are made by putting one in place of the topic of another, for
            numbers of steps that hardly any question has; ``None`` for as many as there are
            questions, to 2,000.
        refused: Share of questions with an answer that may be refused because the graph is thought
            to lack it.
        unsure: Scores below are no answer; 0 answers always.
        epochs: Of learning; ``None`` chooses by the number of questions.

    Raises:
        ValueError: A number is out of its range.
        TypeError: The graph is on a server.
    """

    graph: KnowledgeGraph
    learns = True

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        scorer: Scorer | None = None,
        hops: int = 3,
        width: int = 8,
        most: int = 3000,
        budget: int = BUDGET,
        sets: int = 3,
        come_back: bool = False,
        lacking: float = 0.15,
        composed: int | None = None,
        refused: float = 0.03,
        unsure: float = 0.0,
        epochs: int | None = None,
    ) -> None:
        self.graph = needs_snapshot(graph, "walks")
        given = {"hops": hops, "width": width, "most": most, "budget": budget, "sets": sets}
        for name, value in given.items():
            if value < 1:
                raise ValueError(f"{name} is at least 1, got {value}.")
        for name, share in {"lacking": lacking, "refused": refused, "unsure": unsure}.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} is a share, 0 <= {name} < 1; got {share}.")
        self.scorer = scorer
        self.hops, self.width, self.most, self.budget, self.sets = hops, width, most, budget, sets
        self.come_back, self.lacking, self.composed = come_back, lacking, composed
        self.refused, self.unsure, self.epochs = refused, unsure, epochs
        self.calibration = Calibration()

    def config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _SETTINGS}

    @cached_property
    def explorer(self) -> Explorer:
        return Explorer(self.graph, come_back=self.come_back)

    @cached_property
    def _bound(self) -> Scorer:
        if self.scorer is None:
            raise TypeError("walks needs a scorer; a Pipeline gives it one.")
        self.scorer.bind(self.graph, self.explorer.steps.attributes)
        return self.scorer

    # -- learning ----------------------------------------------------------------------------------

    def learn(
        self, train: Sequence[Answered], validation: Sequence[Answered], *, seed: int = 0
    ) -> None:
        """Learn which relations questions ask for, from their answers."""
        teacher = Teacher(self.explorer, Caps(self.hops, self.most))
        random = np.random.default_rng(seed)
        trees, known = [], []
        for number, answered in enumerate(train):
            lacks = answered.kind == "entity" and not len(answered.rows)
            own, best = teacher.trees(number, answered, lacks=lacks)
            trees += own
            if best is not None and best.weight > 0.25 and answered.kind == "entity":
                known.append((number, answered, best))
        number = len(train)
        for place in random.permutation(len(known))[: round(self.lacking * len(train))].tolist():
            _, answered, best = known[place]
            trees += teacher.without(number, answered, best, random)
            number += 1
        for answered in self._compose(teacher, known, len(train), random):
            trees += teacher.trees(number, answered)[0]
            number += 1
        self._bound.learn(trees, epochs=self.epochs, seed=seed)
        self._calibrate(validation)

    def _compose(
        self,
        teacher: Teacher,
        known: Sequence[tuple[int, Answered, Best]],
        num_questions: int,
        random: np.random.Generator,
    ) -> list[Answered]:
        """Make questions of as many steps as hardly any question has."""
        sure = [(answered, best) for _, answered, best in known if best.weight > 0.9]
        lengths = np.bincount([len(b.actions) for _, b in sure], minlength=self.hops + 1)
        rare = {n for n in range(2, self.hops + 1) if lengths[n] < _RARE * max(1, len(sure))}
        wanted = min(2000, num_questions) if self.composed is None else self.composed
        made: list[Answered] = []
        for _ in range(10 * wanted):
            if len(made) == wanted or not sure or not rare:
                break
            (one, own), (other, behind) = (sure[n] for n in random.integers(len(sure), size=2))
            if len(own.actions) + len(behind.actions) in rare:
                found = teacher.composed(one, own, other, behind)
                made += [] if found is None else [found]
        return made

    def _calibrate(self, validation: Sequence[Answered]) -> None:
        self.calibration = Calibration()
        answerable = [one for one in validation if len(one.rows) or one.values]
        found = [cut.found for cut in self.retrieve([one.asked for one in answerable])]
        score, right, lacking = [], [], []
        for one, said in zip(answerable, found, strict=True):
            if said is None or said.refused == "unnamed":
                continue
            lacking.append(said.lacking)
            score.append(said.score)
            same = np.array_equal(said.rows, np.unique(one.rows))
            right.append(same if one.kind == "entity" else set(said.values) == set(one.values))
        self.calibration = calibrate(
            np.array(score), np.array(right, bool), np.array(lacking), refused=self.refused
        )

    def learned(self) -> dict[str, np.ndarray]:
        """Return what the scorer learned, and the calibration."""
        values = np.array([*asdict(self.calibration).values()])
        return {"calibration": values, **self._bound.weights()}

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Take what was learned before."""
        weights = dict(learned)
        self.calibration = Calibration(*weights.pop("calibration").tolist())
        self._bound.restore(weights)

    # -- asking ------------------------------------------------------------------------------------

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the subgraph of each text, with its prior, paths, and what was found.

        Raises:
            TypeError: Not texts are asked about, but bare rows.
            IndexError: A seed is no row of the graph.
            RuntimeError: Nothing was learned yet.
        """
        checked_seeds(asked, self.graph)
        found: list[Subgraph] = []
        for start in range(0, len(asked), _CHUNK):
            found += self._some(asked[start : start + _CHUNK])
        return found

    def _some(self, asked: Sequence[Asked]) -> list[Subgraph]:
        reader = Reader(self.explorer, self.calibration, self.unsure)
        show = Shown(self.graph, self.budget, self.sets)
        texts: list[str] = []
        features: list[tuple[float, ...]] = []
        topics: list[int] = []
        numbers: list[np.ndarray] = []
        for one in asked:
            begin = len(texts)
            for mention in topics_of(one):
                row = int(one.rows[mention])
                topics.append(row)
                texts.append(masked(one.text, one.mentions[mention]))
                features.append(features_of(one.mentions[mention], int(self.graph.degree[row])))
            numbers.append(np.arange(begin, len(texts)))
        if not texts:
            return [show(one, Walked(), reader.unnamed()) for one in asked]
        reading = self._bound.read(texts, np.array(features, np.float32))
        hidden = [self.explorer.hidden_from(one) for one in asked]
        walked = beam(
            self.explorer,
            reading,
            numbers,
            topics,
            hidden,
            hops=self.hops,
            width=self.width,
            most=self.most,
        )
        made = []
        for one, own, walks in zip(asked, numbers, walked, strict=True):
            said = reader(own, reading, topics, walks) if len(own) else reader.unnamed()
            made.append(show(one, walks, said))
        return made
