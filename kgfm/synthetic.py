"""Small worlds with known answers, which only the graph can tell.

Every name is invented and every topic stands in one part only, so a model that reads nothing but
the texts cannot do better than guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.types import Example, Mention

RELATIONS = ("mentor", "rival", "tailor", "neighbour", "employer", "banker")
LABELS = ("harbour", "mine", "farm", "market", "abbey", "fortress")
WORDINGS = (
    "Who is the {relation} of {name}?",
    "{name}: who is the {relation}?",
    "Tell me who the {relation} of {name} is.",
)
REMARKS = (
    "{name} wrote a letter home.",
    "We met {name} on the road.",
    "They say that {name} is back.",
)
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


class World(NamedTuple):
    """A graph and texts about it, like a data set."""

    graph: KnowledgeGraph
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]


def question_world(
    *,
    topics: int = 120,
    relations: int = 3,
    answers: int = 1,
    unanswerable: float = 0.0,
    given_mentions: bool = True,
    seed: int = 0,
) -> World:
    """Make people who are related by chance, and questions on who is whose what.

    Half of the topics are in ``train``, a quarter each in ``validation`` and ``test``; each has one
    question for each relation. The answers are other people, of a pool half as large.

    Args:
        topics: Number of people who are asked about.
        relations: Number of relations, up to six.
        answers: Number of right answers to a question.
        unanswerable: Share of questions of which the graph does not tell the answer.
        given_mentions: Whether an example gives its mention, or leaves it to the linker.
        seed: Makes the world.
    """
    random = np.random.default_rng(seed)
    kinds = _first(RELATIONS, relations, "relations")
    names = invented_names(topics + max(topics // 2, answers + 1), random)
    people, pool = names[:topics], names[topics:]
    triples: list[tuple[str, str, str]] = []

    def about(name: str) -> list[Example]:
        made = []
        for kind in kinds:
            right: tuple[str, ...] = ()
            if random.random() >= unanswerable:
                chosen = random.choice(len(pool), size=answers, replace=False).tolist()
                right = tuple(sorted(_key(pool[place]) for place in chosen))
            triples.extend((_key(name), kind, answer) for answer in right)
            wording = WORDINGS[int(random.integers(len(WORDINGS)))].replace("{relation}", kind)
            made.append(_example(wording, name, right, given_mentions))
        return made

    examples = _in_parts(people, about)
    records = [EntityRecord(_key(name), name, types=("person",)) for name in names]
    return World(_graph(records, triples, seed), *examples)


def label_world(
    *,
    topics: int = 120,
    labels: int = 3,
    hops: int = 1,
    given_mentions: bool = True,
    seed: int = 0,
) -> World:
    """Make people who live in towns; a text's label is what kind of town its person lives in.

    Args:
        topics: Number of people; half are in ``train``, a quarter each in ``validation``, ``test``.
        labels: Number of kinds of towns, up to six.
        hops: 1: the person lives in the town. 2: the person's friend lives there.
        given_mentions: Whether an example gives its mention, or leaves it to the linker.
        seed: Makes the world.
    """
    if hops not in (1, 2):
        raise ValueError(f"hops is 1 or 2, got {hops}.")
    random = np.random.default_rng(seed)
    kinds = _first(LABELS, labels, "labels")
    num_towns = 4 * len(kinds)
    names = invented_names(num_towns + topics * hops, random)
    towns, people, friends = (
        names[:num_towns],
        names[num_towns : num_towns + topics],
        names[num_towns + topics :],
    )
    triples: list[tuple[str, str, str]] = []
    kind_of = {town: kinds[place % len(kinds)] for place, town in enumerate(towns)}
    friend_of = dict(zip(people, friends, strict=True)) if hops == 2 else {}

    def about(name: str) -> list[Example]:
        town = towns[int(random.integers(num_towns))]
        friend = friend_of.get(name)
        if friend is not None:
            triples.append((_key(name), "friend", _key(friend)))
        triples.append((_key(friend or name), "lives_in", _key(town)))
        remark = REMARKS[int(random.integers(len(REMARKS)))]
        return [_example(remark, name, (kind_of[town],), given_mentions)]

    examples = _in_parts(people, about)
    records = [EntityRecord(_key(name), name, types=("person",)) for name in names[num_towns:]]
    records += [EntityRecord(_key(town), town, types=(kind,)) for town, kind in kind_of.items()]
    return World(_graph(records, triples, seed), *examples)


def invented_names(count: int, random: np.random.Generator) -> list[str]:
    """Return different names of three syllables, such as "Tobaki"."""
    names: dict[str, None] = {}
    limit = (len(_CONSONANTS) * len(_VOWELS)) ** 3
    if count > limit // 2:
        raise ValueError(f"There are names for {limit // 2:,} entities, not for {count:,}.")
    while len(names) < count:
        syllables = [
            _CONSONANTS[int(random.integers(len(_CONSONANTS)))]
            + _VOWELS[int(random.integers(len(_VOWELS)))]
            for _ in range(3)
        ]
        names["".join(syllables).capitalize()] = None
    return list(names)


def _key(name: str) -> str:
    return f"x/{name}"


def _first(known: tuple[str, ...], count: int, what: str) -> tuple[str, ...]:
    if not 1 <= count <= len(known):
        raise ValueError(f"{what} is from 1 to {len(known)}, got {count}.")
    return known[:count]


def _example(wording: str, name: str, target: tuple[str, ...], given: bool) -> Example:
    start = wording.index("{name}")
    mention = Mention(start, start + len(name), name, _key(name))
    return Example(wording.replace("{name}", name), target, (mention,) if given else None)


def _in_parts(
    people: list[str], about: Callable[[str], list[Example]]
) -> tuple[tuple[Example, ...], tuple[Example, ...], tuple[Example, ...]]:
    half, quarter = len(people) // 2, len(people) // 4
    parts = people[:half], people[half : half + quarter], people[half + quarter :]
    train, validation, test = (
        tuple(example for name in part for example in about(name)) for part in parts
    )
    return train, validation, test


def _graph(
    records: list[EntityRecord], triples: list[tuple[str, str, str]], seed: int
) -> KnowledgeGraph:
    return KnowledgeGraph.from_records(records, triples, source={"synthetic": seed})
