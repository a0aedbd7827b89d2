"""Follow the most likely walks of each question, a step of all at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from kgfm.retrieval.walks.base import ENDS, Reading
from kgfm.retrieval.walks.explore import Explorer

Rows = Int[np.ndarray, "_"]


@dataclass(slots=True, eq=False)
class Prefix:
    """A walk that is not done, with the set that it leads to.

    Args:
        mention: Number of the mention that it sets out from.
        topic: Row of its entity.
        number: Of the walk in the reading.
        log: Log-probability of mention and steps.
        rows: Where it leads, ascending within what each row of the set before leads to.
        actions: The steps.
        before: The walk a step shorter.
        origin: Of each row, the place in the rows before that it comes from.
    """

    mention: int
    topic: int
    number: int
    log: float
    rows: Rows
    actions: tuple[int, ...] = ()
    before: Prefix | None = None
    origin: Rows = field(default_factory=lambda: np.empty(0, np.int32))

    def trace(self, place: int) -> list[int]:
        """Rows of one way from the topic to the row at ``place``."""
        way, walk = [int(self.rows[place])], self
        while walk.before is not None:
            place = int(walk.origin[place])
            walk = walk.before
            way.append(int(walk.rows[place]))
        return way[::-1]


@dataclass(slots=True, eq=False)
class Walked:
    """What was found for one question.

    Args:
        ended: Log-probability to end with a walk, and the walk; best first.
        lacking: Probability that the graph lacks what is asked for.
    """

    ended: list[tuple[float, Prefix]] = field(default_factory=list)
    lacking: float = 0.0


def beam(
    explorer: Explorer,
    reading: Reading,
    questions: Sequence[Int[np.ndarray, "_"]],
    topics: Sequence[int],
    hidden: Sequence[tuple[np.ndarray, ...]],
    *,
    hops: int,
    width: int,
    most: int,
) -> list[Walked]:
    """Follow walks from all mentions of each question.

    Args:
        explorer: Of the graph.
        reading: The texts, one for each mention.
        questions: Numbers of the mentions of each question.
        topics: Row of each mention.
        hidden: From each question.
        hops: Steps of a walk at most.
        width: Walks of a question that are followed further after each step.
        most: A set of more entities leads on no more.
    """
    found = [Walked() for _ in questions]
    question_of = np.zeros(len(topics), np.int64)
    prefixes: list[Prefix] = []
    for number, mentions in enumerate(questions):
        question_of[mentions] = number
        logits = reading.mention[mentions]
        chosen = logits - _log_sum(logits) if len(mentions) else logits
        for mention, log in zip(mentions.tolist(), chosen.tolist(), strict=True):
            rows = np.array([topics[mention]], np.int32)
            start = int(reading.walks[mention])
            prefixes.append(Prefix(mention, topics[mention], start, log, rows))
    for depth in range(hops):
        prefixes = _settle(prefixes, found, question_of, explorer, most)
        if not prefixes:
            break
        on = [
            explorer.actions(one.rows, one.topic, hidden[question_of[one.mention]])
            for one in prefixes
        ]
        logs = _choices(reading.logits(np.array([one.number for one in prefixes])), on, depth)
        ways: list[list[tuple[float, int, int]]] = [[] for _ in questions]
        for place, (one, actions, log) in enumerate(zip(prefixes, on, logs, strict=True)):
            own = found[question_of[one.mention]]
            own.lacking += float(np.exp(one.log + log[-1]))
            if depth:
                own.ended.append((one.log + float(log[-ENDS]), one))
            ways[question_of[one.mention]] += [
                (one.log + float(log[action]), place, int(action)) for action in actions
            ]
        taken = [way for each in ways for way in sorted(each, key=lambda w: -w[0])[:width]]
        prefixes = _taken(taken, prefixes, explorer, reading, question_of, hidden)
    for one in prefixes:
        found[question_of[one.mention]].ended.append((one.log, one))
    for each in found:
        each.ended.sort(key=lambda item: -item[0])
    return found


def _settle(
    prefixes: Sequence[Prefix],
    found: Sequence[Walked],
    question_of: Int[np.ndarray, "mention"],
    explorer: Explorer,
    most: int,
) -> list[Prefix]:
    """End what cannot go on; return the others."""
    on = []
    for one in prefixes:
        if goes_on(one, explorer, most):
            on.append(one)
        else:
            found[question_of[one.mention]].ended.append((one.log, one))
    return on


def goes_on(walk: Prefix, explorer: Explorer, most: int) -> bool:
    """Whether a walk may go on, which one that ends in values may not."""
    is_value = bool(walk.actions) and walk.actions[-1] >= 2 * explorer.steps.num_relations
    return not is_value and explorer.leads_on(walk.rows, most)


def _choices(logits: np.ndarray, on: Sequence[Rows], depth: int) -> np.ndarray:
    """Log-probabilities among the actions that lead on, the end (not at once) and a lack."""
    allowed = np.zeros(logits.shape, dtype=bool)
    for row, actions in enumerate(on):
        allowed[row, actions] = True
    allowed[:, -1] = True
    allowed[:, -ENDS] = depth > 0
    masked = np.where(allowed, logits.astype(np.float64), -np.inf)
    top = masked.max(1, keepdims=True)
    logs: np.ndarray = masked - top - np.log(np.exp(masked - top).sum(1, keepdims=True))
    return logs


def _taken(
    ways: Sequence[tuple[float, int, int]],
    prefixes: Sequence[Prefix],
    explorer: Explorer,
    reading: Reading,
    question_of: Int[np.ndarray, "mention"],
    hidden: Sequence[tuple[np.ndarray, ...]],
) -> list[Prefix]:
    """Take steps."""
    if not ways:
        return []
    numbers = reading.extend(
        np.array([prefixes[place].number for _, place, _ in ways]),
        np.array([action for _, _, action in ways]),
    )
    made = []
    for (log, place, action), number in zip(ways, numbers.tolist(), strict=True):
        one = prefixes[place]
        rows, origin = explorer.step(one.rows, action, one.topic, hidden[question_of[one.mention]])
        made.append(
            Prefix(one.mention, one.topic, number, log, rows, (*one.actions, action), one, origin)
        )
    return made


def _log_sum(values: np.ndarray) -> float:
    top = float(values.max())
    return top + float(np.log(np.exp(values - top).sum()))
