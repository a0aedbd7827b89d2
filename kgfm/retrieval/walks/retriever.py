"""Follow the relations that a question asks for, over the whole graph, to exact sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from kgfm.questions import make
from kgfm.retrieval.base import Answered, Retriever, ask, checked_seeds, only_edges_of
from kgfm.retrieval.caps import BUDGET
from kgfm.retrieval.live_graph import Graph, LiveGraph
from kgfm.retrieval.recent import CircuitBreaker
from kgfm.retrieval.remembered import Remembered, check_numbers, time_until
from kgfm.retrieval.walks.base import Scorer
from kgfm.retrieval.walks.calibrate import Calibration, calibrate
from kgfm.retrieval.walks.explore import Explorer
from kgfm.retrieval.walks.follow import Begun, Follower
from kgfm.retrieval.walks.live import LiveWalks
from kgfm.retrieval.walks.part import Part
from kgfm.retrieval.walks.teach import Best, Caps, Teacher
from kgfm.types import Asked, Subgraph

_CHUNK = 64
_READABLE = 2
"""Steps of a made question: in words from labels, longer ones are hard to read."""
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
    "made",
    "refused",
    "unsure",
    "epochs",
    "source",
    "longest",
    "deadline",
    "remember",
    "fresh",
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

    What was learned over a snapshot answers over a live graph as well, with the same walks, sets
    and subgraphs as over a snapshot of the server (by key; rows are the live graph's own, in the
    order of the keys). For a batch of texts the server is asked once for each step of a walk, once
    for the edges among the nodes that are shown and once for names, whatever the number of texts;
    where relations come up that the live graph has not met yet, also for what they are called. Of
    an entity in a set all links are fetched; so a set leads on no more that has one in it with more
    than ``longest`` links, or with more than the server sends at once, and a text that names such
    an entity is answered from its words alone.

    Args:
        graph: Where to walk; to learn it has to be a snapshot.
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
        made: How many questions are made from the graph, in words from its labels alone, and
            learned from beside those that are given (:func:`kgfm.questions.make`). They bring
            wordings, and things to ask for that the graph lacks.
        refused: Share of questions with an answer that may be refused because the graph is thought
            to lack it.
        unsure: Scores below are no answer; 0 answers always.
        epochs: Of learning; ``None`` chooses by the number of questions.
        source: Of a merged graph, the source whose triples are walked and shown; ``None`` for all.
        longest: Links of an entity that are fetched from a server at most; this and what follows
            matters over a live graph only.
        deadline: Seconds for one batch, all questions to the server together.
        remember: Number of entities of which links, attributes and names are kept, and twenty times
            the number of texts whose edges are; the ones used last stay.
        fresh: Seconds after which what is remembered is asked again.
        breaker: What keeps a failing server from being asked; by default three failures in a row
            open it for ten seconds.

    Raises:
        ValueError: A number is out of its range, or the graph has no such source.
        TypeError: ``source`` is given, and the graph is on a server.
    """

    graph: Graph
    learns = True

    def __init__(
        self,
        graph: Graph,
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
        made: int = 0,
        refused: float = 0.03,
        unsure: float = 0.0,
        epochs: int | None = None,
        source: str | None = None,
        longest: int = 10_000,
        deadline: float = 5.0,
        remember: int = 20_000,
        fresh: float = 300.0,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        self.graph = graph if source is None else only_edges_of(source, graph)
        self.source = source
        given = {"hops": hops, "width": width, "most": most, "budget": budget, "sets": sets}
        for name, value in {**given, "longest": longest}.items():
            if value < 1:
                raise ValueError(f"{name} is at least 1, got {value}.")
        if made < 0:
            raise ValueError(f"made is a number of questions, 0 or more; got {made}.")
        for name, share in {"lacking": lacking, "refused": refused, "unsure": unsure}.items():
            if not 0 <= share < 1:
                raise ValueError(f"{name} is a share, 0 <= {name} < 1; got {share}.")
        self.scorer = scorer
        self.hops, self.width, self.most, self.budget, self.sets = hops, width, most, budget, sets
        self.come_back, self.lacking = come_back, lacking
        self.composed, self.made = composed, made
        self.refused, self.unsure, self.epochs = refused, unsure, epochs
        check_numbers(deadline, remember, fresh)
        self.longest, self.deadline = longest, deadline
        self.remember, self.fresh = remember, fresh
        self.breaker = breaker or CircuitBreaker()
        self.calibration = Calibration()
        self._live: LiveWalks | None = None
        if isinstance(graph, LiveGraph):
            remembered = Remembered(graph, remember, fresh)
            self._live = LiveWalks(graph, self._given_scorer, self._over, remembered, longest)

    def config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _SETTINGS}

    @cached_property
    def explorer(self) -> Explorer:
        """What follows relations over all of a snapshot.

        Raises:
            TypeError: The graph is on a server.
        """
        if isinstance(self.graph, LiveGraph):
            raise TypeError(
                "Walks learn over a snapshot, since all walks from all topics are weighed, and "
                f"{self.graph!r} stays on its server. Fit and save the pipeline over a snapshot of "
                "it, and then open it with Pipeline.load(folder, graph=the live graph)."
            )
        return Explorer(self.graph, come_back=self.come_back)

    @property
    def _given_scorer(self) -> Scorer:
        if self.scorer is None:
            raise TypeError("walks needs a scorer; a Pipeline gives it one.")
        return self.scorer

    @cached_property
    def _bound(self) -> Scorer:
        """The scorer; over a live graph the actions that it knows grow with what is met."""
        scorer = self._given_scorer
        if self._live is None:
            scorer.bind(self.graph, self.explorer.steps.attributes)
        return scorer

    def _over(self, part: Part, attributes: Sequence[str]) -> Follower:
        return self._follower(
            Explorer(
                part.graph, come_back=self.come_back, attributes=attributes, closed=part.closed
            )
        )

    def _follower(self, explorer: Explorer) -> Follower:
        return Follower(
            explorer, self.calibration, self.width, self.most, self.budget, self.sets, self.unsure
        )

    # -- learning ----------------------------------------------------------------------------------

    def learn(
        self, train: Sequence[Answered], validation: Sequence[Answered], *, seed: int = 0
    ) -> None:
        """Learn which relations questions ask for, from their answers.

        Raises:
            TypeError: The graph is on a server.
        """
        teacher = Teacher(self.explorer, Caps(self.hops, self.most))
        random = np.random.default_rng(seed)
        train = [*train, *self._made(seed)]
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

    def _made(self, seed: int) -> list[Answered]:
        """Make questions from the graph; what each is about is given."""
        if not self.made:
            return []
        graph = self.explorer.graph
        hops = min(self.hops, _READABLE)
        examples = [one.example for one in make(graph, number=self.made, hops=hops, seed=seed)]
        return [
            Answered.of(one, ask(one.text, one.mentions or (), graph), graph) for one in examples
        ]

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
            ServerUnavailableError: The server of a live graph does not answer in time, or did not
                lately.
        """
        checked_seeds(asked, self.graph)
        if isinstance(self.graph, LiveGraph):
            return self._retrieve_live(asked)
        found: list[Subgraph] = []
        follower = self._follower(self.explorer)
        for start in range(0, len(asked), _CHUNK):
            begun = Begun.of(asked[start : start + _CHUNK], self.graph)
            reading = self._bound.read(begun.texts, begun.features) if begun.texts else None
            walked = follower.walk(begun, reading, self.hops)
            found += follower.show(begun, reading, walked)
        return found

    def _retrieve_live(self, asked: Sequence[Asked]) -> list[Subgraph]:
        assert self._live is not None
        left = time_until(self.deadline, "hops, width or longest")
        asks = any(len(one.seeds) for one in asked)  # else the server has no say
        with self.breaker.guard() if asks else nullcontext():
            return self._live.retrieve(asked, self.hops, left)
