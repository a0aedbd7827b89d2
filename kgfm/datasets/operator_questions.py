"""Make the questions of :mod:`kgfm.datasets.operator_wordings` about the world's entities."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from kgfm.datasets.operator_wordings import ABSENT, OPERATORS, UNSEEN_ABSENT, Operator
from kgfm.graph import KnowledgeGraph
from kgfm.types import Kind
from kgfm.walks import Sought, Step, Walk, answers, follow

T = TypeVar("T")
VOCABULARY = "https://kgfm.example/world/vocabulary/"
ATTRIBUTES = frozenset(("population", "area", "callingCode", "topLevelDomain"))
UNSEEN, NEAR = 0.5, 0.5
"""Share of test questions in wordings of their own; of noes about what is joined otherwise."""
_TRIES = 40


@dataclass(frozen=True, slots=True)
class Operated:
    """A question with how it was made.

    Args:
        text: What is asked.
        answers: Keys or strings; none where the graph does not tell.
        kind: What the answers are.
        name: What is asked for: that of an operator, or ``absent``.
        sought: What it seeks; ``None`` where the graph has no relation for it.
        topics: Rows of the entities that it is about.
        wording: The template.
    """

    text: str
    answers: tuple[str, ...]
    kind: Kind
    name: str
    sought: Sought | None
    topics: tuple[int, ...]
    wording: str


Say = Callable[[str, Mapping[str, int], np.random.Generator], str]
"""Puts entities, by their places, into a wording."""


class Operating:
    """Makes questions.

    Args:
        graph: The world.
        rows: Of each type, the entities that have a name of their own.
        names: Puts entities into a wording.
    """

    def __init__(
        self, graph: KnowledgeGraph, rows: Mapping[str, Sequence[int]], names: Say
    ) -> None:
        self.graph, self.rows, self.names = graph, rows, names
        self._reached: dict[tuple[int, tuple[str, ...]], np.ndarray] = {}

    def streams(
        self, part: str, topics: Set[int], random: np.random.Generator
    ) -> list[Iterator[Operated]]:
        """Return endless questions of each kind; the absent ones twice as many as of a kind."""
        made = [self._stream(one, part, topics, random) for one in OPERATORS]
        return made + [self._absent(part, topics, random) for _ in range(2)]

    def _stream(
        self, one: Operator, part: str, topics: Set[int], random: np.random.Generator
    ) -> Iterator[Operated]:
        ours = [row for row in self.rows[one.walks[0][0]] if row in topics]
        others = [row for row in self.rows[one.walks[-1][0]] if row in topics]
        said = {"no": 0, "yes": 0}
        while True:
            for _ in range(_TRIES):
                topic = _one(ours, random)
                found = (
                    self._pair(one, topic, others, random)
                    if len(one.walks) > 1
                    else self._alone(one, topic, said["yes"] <= said["no"], random)
                )
                if found is not None:
                    break
            else:
                return
            sought, rows = found
            right = answers(self.graph, sought)
            if one.kind == "yesno":
                said[right[0]] += 1
            unseen = part == "test" and random.random() < UNSEEN
            wording = _one(one.unseen if unseen else one.wordings, random)
            text = self.names(wording, rows, random)
            about = tuple(rows[place] for place in "xy"[: len(one.walks)])
            yield Operated(text, right, one.kind, one.name, sought, about, wording)

    def _alone(
        self, one: Operator, topic: int, yes: bool, random: np.random.Generator
    ) -> tuple[Sought, dict[str, int]] | None:
        """One walk: what it leads to, their number, their values, or whether one is among them."""
        ((_, path),) = one.walks
        rows = self._follow(topic, path)
        if not len(rows):
            return None
        walk = self._walk(topic, path)
        if one.kind != "yesno":
            return Sought((walk,), one.kind), {"x": topic}
        inside = set(rows.tolist())
        options = [r for r in self.rows[one.about] if (r in inside) == yes and r != topic]
        if not options:
            return None
        joined: set[int] = set() if yes else self._neighbours(topic)
        near = [row for row in options if row in joined]
        about = _one(near if near and random.random() < NEAR else options, random)
        return Sought((walk,), "yesno", self.graph.keys[about]), {"x": topic, "y": about}

    def _neighbours(self, topic: int) -> set[int]:
        part = slice(*self.graph.neighbour_indptr[topic : topic + 2].tolist())
        return set(self.graph.neighbour_entity[part].tolist())

    def _pair(
        self, one: Operator, topic: int, others: Sequence[int], random: np.random.Generator
    ) -> tuple[Sought, dict[str, int]] | None:
        """Two walks that meet, neither of which alone leads there."""
        (_, path), (_, behind) = one.walks
        first = self._follow(topic, path)
        met = []
        for other in others:
            second = self._follow(other, behind)
            both = np.intersect1d(first, second)
            if other != topic and 0 < len(both) < min(len(first), len(second)):
                met.append(other)
        if not met:
            return None
        other = _one(met, random)
        return (
            Sought((self._walk(topic, path), self._walk(other, behind))),
            {"x": topic, "y": other},
        )

    def _absent(
        self, part: str, topics: Set[int], random: np.random.Generator
    ) -> Iterator[Operated]:
        ours = [row for type_ in ("city", "country") for row in self.rows[type_] if row in topics]
        countries = [row for row in self.rows["country"] if row in topics]
        while True:
            wording = _one(UNSEEN_ABSENT if part == "test" else ABSENT, random)
            topic = _one(countries if random.random() < 0.5 else ours, random)
            text = self.names(wording, {"x": topic}, random)
            yield Operated(text, (), "entity", "absent", None, (topic,), wording)

    def _walk(self, topic: int, path: tuple[str, ...]) -> Walk:
        steps = [
            Step(VOCABULARY + name.removeprefix("^"), name[0] != "^", name in ATTRIBUTES)
            for name in path
        ]
        return Walk(self.graph.keys[topic], tuple(steps))

    def _follow(self, topic: int, path: tuple[str, ...]) -> np.ndarray:
        if (topic, path) not in self._reached:
            self._reached[topic, path] = follow(self.graph, self._walk(topic, path))
        return self._reached[topic, path]


def _one(options: Sequence[T], random: np.random.Generator) -> T:
    return options[int(random.integers(len(options)))]
