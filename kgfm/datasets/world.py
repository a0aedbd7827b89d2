"""Questions over the world graph that ships with kgfm, by one or two hops.

The topics of training, validation and test are three disjoint sets of entities. Half of the test
questions are in wordings that stand nowhere else. A share of them can be such as count, ask yes or
no, ask for numbers, join two conditions, or have no answer in the graph.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from kgfm.datasets.base import Dataset, compiled, needed_file, reads, shipped_file, split
from kgfm.datasets.operator_questions import UNSEEN, VOCABULARY, Operated, Operating
from kgfm.datasets.wordings import KINDS, Kind
from kgfm.graph import KnowledgeGraph
from kgfm.linking.fold import tokens
from kgfm.storage import sha256
from kgfm.types import Example

BASE = "https://kgfm.example/world/"
ALIAS, LOWER = 0.45, 0.2
"""Chance of an alias where the topic has one (some 20 % of all questions), and of lower case."""
UNANSWERABLE = 0.025
TEST_TOPICS, VALIDATION_TOPICS = 0.3, 0.15
_DULL = 200

Made = TypeVar("Made", "Question", Operated)

_WITH_ARTICLE = re.compile(
    r"\b(Islands|States|Emirates|Territor(y|ies)|Republic|Kingdom|Federation|Commonwealth|State|"
    r"Netherlands|Philippines|Bahamas|Maldives|Comoros|Seychelles|Gambia|Vatican|Isle|Holy See|"
    r"UK|USA|UAE|DRC|PRC|DPRK|RSA|KSA)\b"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question with how it was made.

    Args:
        text: What is asked.
        topic: Key of the entity that it is about.
        name: How the text calls the topic.
        answers: Keys of all right answers, sorted; none where the graph does not tell.
        kind: What is asked for, one of the names in ``KINDS``.
        wording: The template.
    """

    text: str
    topic: str
    name: str
    answers: tuple[str, ...]
    kind: str
    wording: str


@reads(task="answer")
def world(
    data: str | Path | None,
    cache: str | Path,
    *,
    seed: int = 0,
    graph: str | None = None,
    train: int = 3000,
    validation: int = 400,
    test: int = 600,
    operators: float = 0.0,
) -> Dataset:
    """Ask about the world graph.

    Args:
        data: Not needed.
        cache: Keeps the compiled graph.
        seed: Makes the questions.
        graph: A Turtle file of the same make; the one that ships with kgfm if ``None``.
        train: Number of training questions.
        validation: Number of validation questions.
        test: Number of test questions.
        operators: Share of these that count, ask yes or no, ask for numbers, join two conditions,
            or ask for what the graph lacks; they want the retriever ``walks``.

    Raises:
        ValueError: ``operators`` is no share, or there are not as many questions.
    """
    if not 0 <= operators <= 1:
        raise ValueError(f"operators is a share, 0 to 1; got {operators}.")
    opened = world_graph(cache, graph)
    sizes = {"train": train, "validation": validation, "test": test}
    others = {part: round(operators * size) for part, size in sizes.items()}
    paths = {part: size - others[part] for part, size in sizes.items()}
    examples = {
        part: [Example(question.text, question.answers) for question in questions]
        for part, questions in world_questions(opened, paths, seed=seed).items()
    }
    for part, operated in world_operators(opened, others, seed=seed).items():
        examples[part] += [Example(one.text, one.answers, kind=one.kind) for one in operated]
    if operators:
        examples = {part: _shuffled(own, seed) for part, own in examples.items()}
    train_, validation_, test_ = (tuple(examples[part]) for part in sizes)
    return Dataset(opened, train_, validation_, test_)


def world_path() -> Path:
    """Return the Turtle file that ships with kgfm: in the package, or in a checkout beside it."""
    return shipped_file("world", "world.ttl")


def world_graph(cache: str | Path, graph: str | Path | None = None) -> KnowledgeGraph:
    """Return the world graph, compiled into ``cache`` when first needed."""
    path = needed_file(Path(graph), "world") if graph else world_path()
    return compiled(
        cache, "world", {"sha256": sha256(path)}, partial(KnowledgeGraph.from_rdf, path)
    )


def world_questions(
    graph: KnowledgeGraph, sizes: Mapping[str, int], *, seed: int = 0
) -> dict[str, list[Question]]:
    """Make questions: ``sizes`` of each of ``train``, ``validation`` and ``test``."""
    world = _World(graph)
    topics = world.deal_topics(seed)
    made = {}
    for place, part in enumerate(("train", "validation", "test")):
        random = np.random.default_rng([seed, place])
        made[part] = world.ask(part, topics[part], sizes.get(part, 0), random)
    return made


def world_operators(
    graph: KnowledgeGraph, sizes: Mapping[str, int], *, seed: int = 0
) -> dict[str, list[Operated]]:
    """Make questions that count, ask yes or no, and so on: ``sizes`` of each part.

    Their topics are of the same parts as those of :func:`world_questions`.
    """
    if not any(sizes.values()):
        return {part: [] for part in sizes}
    world = _World(graph)
    rows = {type_: [row for row in own if world.names[row]] for type_, own in world.rows.items()}
    operating = Operating(graph, rows, world.say)
    topics = world.deal_topics(seed)
    made = {}
    for place, part in enumerate(("train", "validation", "test")):
        random = np.random.default_rng([seed, place, 1])
        streams = operating.streams(part, topics[part], random)
        made[part] = _take_in_turn(streams, sizes.get(part, 0))
        if len(made[part]) < sizes.get(part, 0):
            raise ValueError(
                f"The graph gives {len(made[part]):,} different {part} questions with operators, "
                f"{sizes[part]:,} are asked for; ask for fewer."
            )
    return made


def _shuffled(examples: Sequence[Example], seed: int) -> list[Example]:
    order = np.random.default_rng(seed).permutation(len(examples))
    return [examples[place] for place in order.tolist()]


class _World:
    """What the questions need to know of the graph."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.rows: dict[str, list[int]] = defaultdict(list)
        self.type_of: dict[int, str] = {}
        bearers: dict[tuple[str, ...], set[int]] = defaultdict(set)
        for row in range(len(graph)):
            for type_ in graph.types(row):
                self.rows[type_].append(row)
                self.type_of[row] = type_
            for name in graph.names(row):
                bearers[_folded(name)].add(row)
        # A name that several entities bear ("Singapore") leaves open which one is asked about.
        self.names = [
            tuple(name for name in graph.names(row) if len(bearers[_folded(name)]) == 1)
            for row in range(len(graph))
        ]
        self.keys = list(graph.keys)
        self.steps: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        relations = [key.removeprefix(VOCABULARY) for key in graph.relation_keys]
        columns = (graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist())
        for head, relation, tail in zip(*columns, strict=True):
            self.steps[relations[relation]][head].append(tail)
            self.steps["^" + relations[relation]][tail].append(head)
        self.reached = {kind.name: self.follow(kind) for kind in KINDS}

    def deal_topics(self, seed: int) -> dict[str, set[int]]:
        """Deal the entities of each type to the three parts."""
        topics: dict[str, set[int]] = {"train": set(), "validation": set(), "test": set()}
        for type_ in sorted({kind.topic for kind in KINDS}):
            dealt = split(
                self.rows[type_], seed=seed, test=TEST_TOPICS, validation=VALIDATION_TOPICS
            )
            for part, rows in zip(topics.values(), dealt, strict=True):
                part.update(rows)
        return topics

    def follow(self, kind: Kind) -> dict[int, set[int]]:
        """Return where the path of a kind leads from each of its topics."""
        reached = {row: {row} for row in self.rows[kind.topic] if self.names[row]}
        for step in kind.path:
            steps = self.steps[step]
            reached = {
                topic: {end for row in rows for end in steps.get(row, ())}
                for topic, rows in reached.items()
            }
        return reached

    def ask(
        self, part: str, topics: set[int], size: int, random: np.random.Generator
    ) -> list[Question]:
        """Make ``size`` different questions, as many of each kind as there are topics for."""
        unanswerable = round(size * UNANSWERABLE)
        streams = [self._stream(kind, part, topics, True, random) for kind in KINDS]
        questions = _take_in_turn(streams, size - unanswerable)
        streams = [self._stream(kind, part, topics, False, random) for kind in KINDS]
        questions += _take_in_turn(streams, unanswerable)
        if len(questions) < size:
            raise ValueError(
                f"The graph gives {len(questions):,} different {part} questions, "
                f"{size:,} are asked for; ask for fewer."
            )
        return [questions[place] for place in random.permutation(len(questions))]

    def _stream(
        self, kind: Kind, part: str, topics: set[int], answerable: bool, random: np.random.Generator
    ) -> Iterator[Question]:
        """Yield questions of one kind: each topic in one wording, then each in another, ..."""
        # Nobody asks a capital for the capital of its country.
        about = [
            row
            for row, reached in self.reached[kind.name].items()
            if row in topics and bool(reached) == answerable and row not in reached
        ]
        unseen = part == "test"
        for turn in range(len(kind.wordings)):
            for place in random.permutation(len(about)).tolist():
                row = about[place]
                if unseen and random.random() < UNSEEN:
                    wording = kind.unseen[turn % len(kind.unseen)]
                else:
                    wording = kind.wordings[(turn + row) % len(kind.wordings)]
                yield self._question(kind, row, wording, random)

    def _question(
        self, kind: Kind, row: int, wording: str, random: np.random.Generator
    ) -> Question:
        name = self._named(row, random)
        text = _typed(worded(wording, name, kind.topic), random)
        answers = tuple(sorted(self.keys[answer] for answer in self.reached[kind.name][row]))
        return Question(text, self.keys[row], name, answers, kind.name, wording)

    def _named(self, row: int, random: np.random.Generator) -> str:
        name, *aliases = self.names[row]
        if aliases and random.random() < ALIAS:
            return aliases[int(random.integers(len(aliases)))]
        return name

    def say(self, wording: str, rows: Mapping[str, int], random: np.random.Generator) -> str:
        """Put the entity ``x``, and ``y`` where there is one, into a wording."""
        text = wording
        for place, row in sorted(rows.items(), reverse=True):
            name = self._named(row, random)
            text = worded(text, name, self.type_of[row], place)
        return _typed(text, random)


def _typed(text: str, random: np.random.Generator) -> str:
    """Return a text as some people type it, in lower case, half of them without its end."""
    if random.random() >= LOWER:
        return text
    text = text.lower()
    return text.rstrip("?.") if random.random() < 0.5 else text


def _folded(name: str) -> tuple[str, ...]:
    return tuple(tokens(name).keys)


def _take_in_turn(streams: list[Iterator[Made]], size: int) -> list[Made]:
    """Take from each stream in turn, no text twice, until there are ``size`` or all run dry."""
    taken: dict[str, Made] = {}
    dull = 0  # turns that brought nothing new
    while streams and len(taken) < size and dull < _DULL:
        before = len(taken)
        for stream in list(streams):
            question = next(stream, None)
            if question is None:
                streams.remove(stream)
            elif len(taken) < size:
                taken.setdefault(question.text, question)
        dull = dull + 1 if len(taken) == before else 0
    return list(taken.values())


def worded(wording: str, name: str, topic: str, place: str = "x") -> str:
    """Put a name into a wording, with the article and the possessive that it needs.

    >>> worded("What is {xs} capital called?", "Netherlands", "country")
    "What is the Netherlands' capital called?"
    """
    has_article = name.startswith(("The ", "the "))
    wants_article = {
        "country": _WITH_ARTICLE.search(name) is not None,
        "currency": not name.isupper() and not name.endswith("s"),
    }
    if wants_article.get(topic) and not has_article:
        name = "the " + name
    possessive = name + ("'" if name.endswith("s") else "'s")
    said = {place: name, place + "s": possessive, place.upper(): name[0].upper() + name[1:]}
    for brace, filled in said.items():
        wording = wording.replace(f"{{{brace}}}", filled)
    return wording.replace("..", ".")
