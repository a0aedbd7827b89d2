"""Make questions with their answers from any graph."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from kgfm.graph import KnowledgeGraph
from kgfm.questions.absent import absent_from
from kgfm.questions.gold import Triple, triples_of
from kgfm.questions.index import Index, Rows
from kgfm.questions.labels import is_code
from kgfm.questions.own import Own, own_patterns
from kgfm.questions.text import Pieces, said
from kgfm.questions.wording import Speaker
from kgfm.storage import replace_file
from kgfm.types import Example, Kind
from kgfm.walks import Sought, Walk, answers, follow

SHARES = {
    "entity": 0.46,
    "both": 0.08,
    "count": 0.1,
    "yesno": 0.12,
    "literal": 0.1,
    "lacking": 0.07,
    "absent": 0.07,
}
"""How the questions are dealt out; the share of what a graph has nothing for goes to the rest."""
PARTS = {"train": 0.8, "validation": 0.1, "test": 0.1}
TOPICS = {"train": 0.7, "validation": 0.15, "test": 0.15}
"""Shares of the questions, and of the entities that they are about."""

MOST_ANSWERS, MOST_COUNTED, MOST_VALUES, WIDEST = 50, 1000, 10, 200
"""Of a set, of a set that is counted, of values; and how much a walk may reach on its way."""
COUNT_BOTH, NEAR = 0.2, 0.5
"""Share of counts of two conditions; of noes about what another relation joins with the topic."""
_UNANSWERED = ("lacking", "absent")
_USUAL = 0.3
_TRIES, _LIVES = 30, 5
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Made:
    """A question that was made.

    Args:
        example: The text with its answers. Its mentions are given: what the question is about is
            known, and a name that several entities bear would else be linked to one that the answer
            is not about. Leave them out to train or measure with the linker.
        sought: What it seeks; ``None`` where it asks for something that the graph has no relation
            for.
    """

    example: Example
    sought: Sought | None


def make(
    graph: KnowledgeGraph,
    *,
    number: int = 2000,
    hops: int = 2,
    seed: int = 0,
    patterns: str | Path | Sequence[Mapping[str, Any]] | None = None,
) -> list[Made]:
    """Make questions from a graph, each text once.

    Every relation comes up as often as every other, in both directions, and so do attributes, as
    far as the graph has topics for it; one whose label says nothing, such as ``P19``, is left out.
    Sets, conjunctions of two walks, counts, yes or no (half each), values, and questions that the
    graph cannot answer: about a relation that a topic lacks though others of its kind have it, and
    about what the graph knows nothing of.

    Args:
        graph: The graph.
        number: How many; of a small graph there are fewer.
        hops: Most steps of a walk.
        seed: Of all that is left to chance.
        patterns: Patterns of one's own: a file, or mappings; see :mod:`kgfm.questions.own`.

    Raises:
        ValueError: There is nothing to make by these numbers, or a pattern will not do.
    """
    _check(number, hops)
    index = Index(graph)
    everywhere = np.ones(len(graph), bool)
    own, absent = _own(index, patterns), absent_from(index.names())
    return _Maker(index, own, everywhere, absent, hops, seed).make(number)


def make_parts(
    graph: KnowledgeGraph,
    *,
    number: int = 2000,
    hops: int = 2,
    seed: int = 0,
    patterns: str | Path | Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, list[Made]]:
    """Make questions for training, validation and test, about disjoint sets of topics.

    What a graph knows nothing of is asked in other words in each part too. Arguments as for
    :func:`make`.
    """
    _check(number, hops)
    index = Index(graph)
    own, absent = _own(index, patterns), absent_from(index.names())
    random = np.random.default_rng([seed, len(PARTS)])
    topics, nouns = random.permutation(len(graph)), random.permutation(len(absent)).tolist()
    made, begin = {}, 0.0
    for place, (part, share) in enumerate(PARTS.items()):
        end = begin + TOPICS[part]
        ours = np.zeros(len(graph), bool)
        ours[topics[round(begin * len(topics)) : round(end * len(topics))]] = True
        words = nouns[round(begin * len(nouns)) : round(end * len(nouns))]
        maker = _Maker(index, own, ours, [absent[word] for word in words], hops, [seed, place])
        wanted = round(number * share)
        made[part] = maker.make(wanted) if wanted else []
        begin = end
    return made


def _check(number: int, hops: int) -> None:
    for name, value in (("number", number), ("hops", hops)):
        if value < 1:
            raise ValueError(f"{name} is at least 1; got {value}.")


def _own(index: Index, patterns: str | Path | Sequence[Mapping[str, Any]] | None) -> Own:
    """Read patterns of one's own; warn of what is asked about in no words."""
    own = own_patterns(index, patterns)
    asked = {index.step(step).relation for step, _ in own.by_step}
    steps = [*range(index.num_relations), *index.literals]
    mute = [index.step(step).relation for step in steps if is_code(index.name(step))]
    mute = [key for key in mute if key not in asked]
    if mute:
        names = ", ".join(map(repr, mute[:_NAMED])) + ", ..." * (len(mute) > _NAMED)
        warnings.warn(
            f"{len(mute):,} of {len(steps):,} relations and attributes have labels that say "
            f"nothing: {names}. Nothing is asked about them; give them labels in words, or "
            "patterns of your own.",
            UserWarning,
            stacklevel=3,
        )
    return own


def write(made: Iterable[Made], path: str | Path) -> None:
    """Write questions as JSON lines, which the data set ``jsonl`` reads."""
    # Half a surrogate pair is written as JSON's own escape.
    lines = [json.dumps(_line(one.example), ensure_ascii=False) + "\n" for one in made]
    replace_file(Path(path), "".join(lines).encode("utf-8", "backslashreplace"))


def _line(example: Example) -> dict[str, Any]:
    return {
        "text": example.text,
        "target": list(example.target or ()),
        "kind": example.kind,
        "mentions": [
            {"start": mention.start, "end": mention.end, "entity": mention.entity}
            for mention in example.mentions or ()
        ],
        "gold": [list(triple) for triple in example.gold],
    }


class _Maker:
    """Makes questions about some of the entities.

    Args:
        index: The graph.
        own: Patterns of one's own.
        topics: True for the entities that may be topics.
        absent: What the graph knows nothing of.
        hops: Most steps of a walk.
        seed: Of the random generator.
    """

    def __init__(
        self,
        index: Index,
        own: Own,
        topics: Bool[np.ndarray, "entity"],
        absent: Sequence[str],
        hops: int,
        seed: int | list[int],
    ) -> None:
        self.index, self.graph, self.topics, self.hops = index, index.graph, topics, hops
        self.absent = absent
        self.random = np.random.default_rng(seed)
        self.speaker = Speaker(index, own, self.random)
        self.yes = self.no = 0
        self.turns: dict[str, itertools.cycle[int]] = {}
        self.ways: dict[str, Callable[[], Made | None]] = {
            "entity": self._entity,
            "both": self._both,
            "count": self._count,
            "yesno": self._yesno,
            "literal": self._literal,
            "lacking": self._lacking,
            "absent": self._absent,
        }

    def make(self, number: int) -> list[Made]:
        """Make so many questions, or as many as the graph gives."""
        made: dict[str, Made] = {}
        counts = dict.fromkeys(SHARES, 0)
        lives = dict.fromkeys(SHARES, _LIVES)
        while len(made) < number:
            ways = self._ways_left(lives, counts)
            if not ways:
                break
            way = min(ways, key=lambda one: (counts[one] + 0.5) / SHARES[one])
            found = self._new(way, made)
            if found is None:
                lives[way] -= 1
                if not lives[way]:
                    del lives[way]
                continue
            lives[way] = _LIVES
            counts[way] += 1
            made[_same(found)] = found
            self.yes += found.example.target == ("yes",)
            self.no += found.example.target == ("no",)
        ordered = list(made.values())
        return [ordered[place] for place in self.random.permutation(len(ordered)).tolist()]

    def _ways_left(self, lives: Mapping[str, int], counts: Mapping[str, int]) -> list[str]:
        """Return what can still be asked; without an answer no more than its share."""
        answered = [one for one in SHARES if one not in _UNANSWERED]
        share = sum(counts[one] for one in answered) / sum(SHARES[one] for one in answered)
        return [one for one in lives if one in answered or counts[one] < SHARES[one] * share]

    def _new(self, way: str, made: Mapping[str, Made]) -> Made | None:
        """Try some times to make a question that is not there yet."""
        for _ in range(_TRIES):
            found = self.ways[way]()
            if found is not None and _same(found) not in made:
                return found
        return None

    # -- one question of each sort, or None where the try fails -----------------------------------

    def _entity(self) -> Made | None:
        walked = self._walk(self._turn("entity"), self._length())
        if walked is None or not 0 < len(walked[2][-1]) <= MOST_ANSWERS:
            return None
        return self._asked("entity", *walked)

    def _count(self) -> Made | None:
        if self.random.random() < COUNT_BOTH:
            return self._both("count")
        walked = self._walk(self._turn("count"), self._length())
        if walked is None or not 0 < len(walked[2][-1]) <= MOST_COUNTED:
            return None
        return self._asked("count", *walked)

    def _yesno(self) -> Made | None:
        walked = self._walk(self._turn("yesno"), self._length())
        if walked is None or not len(walked[2][-1]):
            return None
        topic, steps, reached = walked
        others = reached[-1]
        if self.no < self.yes or (self.no == self.yes and self.random.random() < 0.5):
            others = self.index.bearers(self.index.inverse(steps[-1]))
            others = np.setdiff1d(others, [*reached[-1].tolist(), topic])
            near = np.intersect1d(others, self.index.neighbours(topic))
            others = near if len(near) and self.random.random() < NEAR else others
        about = self._any(others)
        if about is None or not self.index.spoken(about):
            return None
        return self._asked("yesno", topic, steps, reached, about)

    def _literal(self) -> Made | None:
        walked = self._walk(self._turn("literal"), self._length())
        if walked is None or not 0 < len(walked[2][-1]) <= MOST_ANSWERS:
            return None
        found = self._asked("literal", *walked)
        return found if 0 < len(found.example.target or ()) <= MOST_VALUES else None

    def _both(self, kind: Kind = "entity") -> Made | None:
        """Ask for what two steps lead to, each from a topic of its own."""
        first = self._turn(f"both {kind}")
        topic = None if first is None else self._any(self._ours(self.index.bearers(first)))
        if first is None or topic is None:
            return None
        shared = int(self._one_of(self.index.ends(topic, first).tolist()))
        other = self._other(topic, shared)
        if other is None:
            return None
        known, steps = (topic, other[0]), (first, other[1])
        walks = [self._as_walk(topic, [step]) for topic, step in zip(known, steps, strict=True)]
        sets = [follow(self.graph, walk) for walk in walks]
        ends = np.intersect1d(sets[0], sets[1])
        smaller = 0 < len(ends) < min(map(len, sets))
        if not smaller or len(ends) > (MOST_COUNTED if kind == "count" else MOST_ANSWERS):
            return None
        gold = [
            triples_of(self.index, [step], [np.array([topic])], ends)
            for topic, step in zip(known, steps, strict=True)
        ]
        both = [one for pair in itertools.zip_longest(*gold) for one in pair if one is not None]
        text = self.speaker.both(kind, known, steps, len(ends))
        return self._made(text, Sought(tuple(walks), kind), tuple(both[:64]))

    def _other(self, topic: int, shared: int) -> tuple[int, int] | None:
        """Return another topic from which a step leads to the same entity, and the step."""
        steps = self._steps_at(shared)
        for place in self.random.permutation(len(steps)).tolist():
            others = self._ours(self.index.ends(shared, steps[place]))
            other = self._any(others[(others != topic) & (others != shared)])
            if other is not None and topic != shared:
                return other, self.index.inverse(steps[place])
        return None

    def _lacking(self) -> Made | None:
        """Ask for a relation that a topic lacks, though a good part of its like have it."""
        step = self._turn("lacking")
        like = None if step is None else self._any(self.index.bearers(step))
        if step is None or like is None:
            return None
        others = [one for one in self.index.steps_at(like) if one != step]
        if not others:
            return None
        kin = self.index.bearers(self._one_of(others))
        have = np.isin(kin, self.index.bearers(step), assume_unique=True)
        topic = self._any(self._ours(kin[~have])) if have.mean() >= _USUAL else None
        types = set(self.graph.types(like))
        if topic is None or (types and types.isdisjoint(self.graph.types(topic))):
            return None
        kind: Kind = "literal" if self.index.is_literal(step) else "entity"
        sought = Sought((self._as_walk(topic, [step]),), kind)
        if answers(self.graph, sought):
            return None
        return self._made(self.speaker.question(kind, topic, [step], [1]), sought, ())

    def _absent(self) -> Made | None:
        step = self._turn("absent")
        topic = None if step is None else self._any(self._ours(self.index.bearers(step)))
        if topic is None or not self.absent:
            return None
        return self._made(self.speaker.absent(topic, self._one_of(self.absent)), None, ())

    # -- walks ------------------------------------------------------------------------------------

    def _walk(self, last: int | None, length: int) -> tuple[int, list[int], list[Rows]] | None:
        """Choose a walk by its last step, from there back to a topic.

        Returns:
            The topic, the steps, and what is reached before the first and after each of them;
            after a last step to values, the entities that have them.
        """
        if last is None:
            return None
        steps, starts = [last], self.index.bearers(last)
        while len(steps) < length:
            row = self._any(starts)
            before = [] if row is None else self._steps_at(row)
            if row is None or not before:
                return None
            back = self._one_of(before)
            steps.insert(0, self.index.inverse(back))
            starts = self.index.ends(row, back)
        topic = self._any(self._ours(starts))
        if topic is None:
            return None
        reached = [np.array([topic], np.int64)]
        for end in range(1, length + 1):
            if len(reached[-1]) > WIDEST:
                return None
            reached.append(follow(self.graph, self._as_walk(topic, steps[:end])))
        return topic, steps, reached

    def _as_walk(self, topic: int, steps: Sequence[int]) -> Walk:
        return Walk(self.graph.keys[topic], tuple(map(self.index.step, steps)))

    def _asked(
        self,
        kind: Kind,
        topic: int,
        steps: list[int],
        reached: list[Rows],
        about: int | None = None,
    ) -> Made:
        ends = reached[-1] if about is None else np.intersect1d(reached[-1], [about])
        key = None if about is None else self.graph.keys[about]
        sizes = [len(rows) for rows in reached[1:]]
        text = self.speaker.question(kind, topic, steps, sizes, -1 if about is None else about)
        gold = triples_of(self.index, steps, reached[:-1], ends) if len(ends) else ()
        return self._made(text, Sought((self._as_walk(topic, steps),), kind, key), gold)

    def _made(self, pieces: Pieces, sought: Sought | None, gold: tuple[Triple, ...]) -> Made:
        text, mentions = said(pieces)
        target = () if sought is None else answers(self.graph, sought)
        kind = "entity" if sought is None else sought.kind
        return Made(Example(text, target, mentions, kind=kind, gold=gold), sought)

    # -- chance -----------------------------------------------------------------------------------

    def _turn(self, use: str) -> int | None:
        """Return the next of the steps that a use takes in turn, in an order of chance."""
        if use not in self.turns:
            relations, literals = self.index.relations, self.index.literals
            steps = {"literal": literals, "lacking": relations + literals}.get(use, relations)
            steps = [step for step in steps if self._can_use(step, use)]
            order = self.random.permutation(len(steps)).tolist()
            self.turns[use] = itertools.cycle([steps[place] for place in order])
        return next(self.turns[use], None)

    def _can_use(self, step: int, use: str) -> bool:
        """Say whether there are words for what a use makes of a step."""
        if use.startswith("both"):
            return self.speaker.can_say(step)
        kind: Kind = "literal" if self.index.is_literal(step) else "entity"
        if use in ("count", "yesno"):
            kind = "count" if use == "count" else "yesno"
        return use == "absent" or self.speaker.can_ask(step, kind)

    def _steps_at(self, row: int) -> list[int]:
        """Return the steps of an entity that can stand within a sentence."""
        return [step for step in self.index.steps_at(row) if self.speaker.can_say(step)]

    def _length(self) -> int:
        return int(self.random.integers(1, self.hops + 1))

    def _ours(self, rows: Rows) -> Rows:
        """Return those that may be topics."""
        ours: Rows = rows[self.topics[rows]]
        return ours

    def _any(self, rows: Rows) -> int | None:
        """Return one of some entities, if it has a name; ``None`` if there are none."""
        if not len(rows):
            return None
        row = int(rows[int(self.random.integers(len(rows)))])
        return row if self.index.spoken(row) else None

    def _one_of(self, options: Sequence[Any]) -> Any:
        return options[int(self.random.integers(len(options)))]


def _same(made: Made) -> str:
    """Return what two questions share that read the same."""
    return made.example.text.lower().rstrip("?.")
