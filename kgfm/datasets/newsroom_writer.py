"""Write the headlines of :mod:`kgfm.datasets.newsroom` about the companies of its graph."""

from __future__ import annotations

import datetime
import itertools
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from kgfm.datasets.newsroom_wordings import (
    AFFECT,
    AFFECT_UNSEEN,
    EVENTS,
    EVENTS_UNSEEN,
    KINDS,
    MOVES,
    MOVES_UNSEEN,
    Kind,
)
from kgfm.graph import KnowledgeGraph
from kgfm.types import About

BASE = "https://kgfm.example/newsroom/"
VOCABULARY = f"{BASE}vocabulary/"
LABELS = {"+": "positive", "0": "neutral", "-": "negative"}
FIRST_DAY, DAYS = datetime.date(2031, 1, 1), 365
SLIPS = 0.04
"""Share of the labels of training and validation that are wrong, one of the other two by chance."""
OUTSIDE, ALIAS, LOWER = 0.25, 0.4, 0.08
"""Share of the companies that the graph lacks, where the text says all; of those that are called by
a short name; of headlines in lower case."""
HELD_OUT, UNSEEN = 0.3, 0.5
"""Share of the companies that stand in test headlines only; of the test headlines' companies that
are among them, and of its wordings and words that stand nowhere else."""
MOOD = 0.35
"""How much the month of a sector sways what is said of its companies."""
_TRIES = 400

_SLOT = re.compile(r"\{(?:(?P<target>[ABCHP])(?P<mark>[-+?0-9])|(?P<value>\w+))\}")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Headline:
    """A headline with how it was made.

    Args:
        text: What it says.
        date: When it appeared.
        about: All companies and persons that it names, in the order of the text, with their labels.
        right: Their labels before some were made wrong.
        kind: The name of its kind.
        wording: The template.
    """

    text: str
    date: datetime.date
    about: tuple[About, ...]
    right: tuple[str, ...]
    kind: str
    wording: str


class World:
    """What the headlines need to know of the graph."""

    def __init__(self, graph: KnowledgeGraph, outside: Sequence[str], seed: int) -> None:
        self.names: dict[str, list[str]] = {}
        self.of_type: dict[str, list[str]] = defaultdict(list)
        for row, key in enumerate(graph.keys):
            self.names[key] = list(graph.names(row))
            for type_ in graph.types(row):
                self.of_type[type_].append(key)
        tails: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        columns = (graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist())
        keys, relations = list(graph.keys), list(graph.relation_keys)
        for head, relation, tail in zip(*columns, strict=True):
            name = relations[relation].removeprefix(VOCABULARY)
            tails[name][keys[head]].append(keys[tail])
        self.sector = {key: found[0] for key, found in tails["sector"].items()}
        self.home = {key: found[0] for key, found in tails["country"].items()}
        self.trade = {
            (sector, commodity): sign
            for relation, sign in (("sells", 1), ("buys", -1))
            for sector, traded in tails[relation].items()
            for commodity in traded
        }
        self.companies = list(self.sector)
        random = np.random.default_rng([seed, 9])
        order = random.permutation(len(self.companies)).tolist()
        held = round(HELD_OUT * len(order))
        self.held_out: list[str] = [self.companies[place] for place in sorted(order[:held])]
        self.others: list[str] = [self.companies[place] for place in sorted(order[held:])]
        half = len(outside) // 2
        self.outside = (list(outside[:half]), list(outside[half:]))  # of all parts, of the test
        self.prices = {
            (commodity, month): int(random.integers(2)) * 2 - 1
            for commodity in self.of_type["commodity"]
            for month in range(1, 13)
        }

    def exposed(self, company: str, commodity: str) -> int:
        """Say whether a company gains by a dearer commodity: 1, 0 or -1."""
        return self.trade.get((self.sector[company], commodity), 0)

    def mood(self, company: str, month: int) -> int:
        """Say how a month's prices are for a company's sector, all in all: 1, 0 or -1."""
        sums = sum(
            sign * self.prices[commodity, month]
            for (sector, commodity), sign in self.trade.items()
            if sector == self.sector[company]
        )
        return (sums > 0) - (sums < 0)


@dataclass(frozen=True, slots=True)
class _Target:
    """What a headline names: where, its key, and what it means for it."""

    span: tuple[int, int]
    key: str | None
    label: str


@dataclass
class Draft:
    """A headline while it is written."""

    date: datetime.date
    targets: list[_Target] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    """What stands in slots that are no targets, by slot."""
    signs: dict[str, str] = field(default_factory=dict)
    """Label signs of affect words, by their number."""
    judge: Callable[[str], int] | None = None
    """What the headline means for a company, where that is left to who knows it."""
    wanted: tuple[int, ...] = ()
    """What it can mean, each as often as the others."""


class Writer:
    """Writes the headlines of one part."""

    def __init__(self, world: World, is_test: bool, random: np.random.Generator) -> None:
        self.world, self.is_test, self.random = world, is_test, random

    def write(self, size: int, said: set[str]) -> list[Headline]:
        """Return ``size`` headlines that are not in ``said``, and add them there."""
        made: list[Headline] = []
        for kind, count in zip(KINDS, _counts(size), strict=True):
            goal, dull = len(made) + count, 0
            while len(made) < goal:
                one = self._headline(kind)
                if one is not None and one.text.casefold() not in said:
                    said.add(one.text.casefold())
                    made.append(one)
                    dull = 0
                    continue
                dull += 1
                if dull > _TRIES:
                    raise ValueError(
                        f"There are no {count:,} different {kind.name} headlines; ask for fewer."
                    )
        return [made[place] for place in self.random.permutation(len(made)).tolist()]

    def _headline(self, kind: Kind) -> Headline | None:
        date = FIRST_DAY + datetime.timedelta(days=int(self.random.integers(DAYS)))
        wording = self._one(kind.unseen if self._unseen() else kind.wordings)
        draft = Draft(date, values={"n": str(int(self.random.integers(3, 60)))})
        if kind.name == "affect":
            self._affect(draft)
        elif kind.name == "trade":
            self._trade(draft)
        elif kind.name == "home":
            self._home(draft)
        text = self._filled(wording, draft)
        named = [one.key or text[slice(*one.span)] for one in draft.targets]
        if len({*named}) < len(named):
            return None
        if self.random.random() < LOWER:
            text = text.lower()
        right = tuple(one.label for one in draft.targets)
        labels = [label if self.is_test else self._slip(label) for label in right]
        about = tuple(
            About((one.span,), (one.key,), (label,))
            for one, label in zip(draft.targets, labels, strict=True)
        )
        return Headline(text, date, about, right, kind.name, wording)

    # -- what a kind of headline says -------------------------------------------------------------

    def _affect(self, draft: Draft) -> None:
        signs = ["+", "-"] if self._flip() else ["-", "+"]
        for number, sign in enumerate(signs, 1):
            words = (AFFECT_UNSEEN if self._unseen() else AFFECT)[sign]
            draft.values[f"w{number}"], draft.signs[str(number)] = self._one(words), sign

    def _trade(self, draft: Draft) -> None:
        commodity = self._one(self.world.of_type["commodity"])
        move = self.world.prices[commodity, draft.date.month]
        moves = MOVES_UNSEEN if self._unseen() else MOVES
        sign = "+" if move > 0 else "-"
        draft.values |= {slot: self._one(words[sign]) for slot, words in moves.items()}
        draft.values["m"] = draft.values["M"] = self._one(self.world.names[commodity])
        draft.judge = lambda company: move * self.world.exposed(company, commodity)
        draft.wanted = (-1, 0, 1)

    def _home(self, draft: Draft) -> None:
        country = self._one(self.world.of_type["country"])
        sign = "+" if self._flip() else "-"
        event = self._one((EVENTS_UNSEEN if self._unseen() else EVENTS)[sign])
        draft.values["event"] = event.replace("{K}", self.world.names[country][0])
        good = 1 if sign == "+" else -1
        draft.judge = lambda company: good * (self.world.home[company] == country)
        draft.wanted = (0, good)

    # -- who is named -----------------------------------------------------------------------------

    def _filled(self, wording: str, draft: Draft) -> str:
        """Put names into a wording, and note in the draft where they stand."""
        text, done = "", 0
        for slot in _SLOT.finditer(wording):
            text += wording[done : slot.start()]
            done = slot.end()
            if slot["value"]:
                text += draft.values[slot["value"]]
                continue
            sign = draft.signs.get(slot["mark"], slot["mark"])
            said, key, sign = self._target(slot["target"], sign, draft)
            draft.targets.append(_Target((len(text), len(text) + len(said)), key, LABELS[sign]))
            text += said
        text += wording[done:]
        return text[0].upper() + text[1:]

    def _target(self, what: str, sign: str, draft: Draft) -> tuple[str, str | None, str]:
        """Return what a target is called, its key, and the sign of its label."""
        if what == "P":
            person = self._one(self.world.of_type["person"])
            return self.world.names[person][0], person, sign
        if what == "H":
            bank = self._company()
            while not self.world.sector[bank].endswith("/banks"):
                bank = self._company()
            return self._called(bank), bank, sign
        if draft.judge is not None:
            wanted = self._one(draft.wanted)
            for _ in range(_TRIES):
                company = self._company()
                if draft.judge(company) == wanted:
                    break
            found = draft.judge(company)
            return self._called(company), company, "-0+"[found + 1]
        if self.random.random() < OUTSIDE:
            held = self.is_test and self.random.random() < UNSEEN
            return self._one(self.world.outside[held]), None, sign
        company = self._company()
        while not self._suits(company, sign, draft.date.month):
            company = self._company()
        return self._called(company), company, sign

    def _company(self) -> str:
        held = self.is_test and self.random.random() < UNSEEN
        return self._one(self.world.held_out if held else self.world.others)

    def _suits(self, company: str, sign: str, month: int) -> bool:
        """Say whether a company is taken: more often where the month of its sector is alike."""
        against = {"+": -1, "0": 2, "-": 1}[sign] == self.world.mood(company, month)
        return not (against and self.random.random() < 2 * MOOD)

    def _called(self, company: str) -> str:
        names = self.world.names[company]
        return names[0] if self.random.random() >= ALIAS else self._one(names[1:])

    # -- chance -----------------------------------------------------------------------------------

    def _slip(self, label: str) -> str:
        if self.random.random() >= SLIPS:
            return label
        return self._one([other for other in LABELS.values() if other != label])

    def _unseen(self) -> bool:
        return self.is_test and bool(self.random.random() < UNSEEN)

    def _flip(self) -> bool:
        return bool(self.random.random() < 0.5)

    def _one(self, options: Sequence[Item]) -> Item:
        return options[int(self.random.integers(len(options)))]


def _counts(size: int) -> list[int]:
    """Return how many headlines there are of each kind."""
    ends = np.round(np.cumsum([0.0, *(kind.share for kind in KINDS)]) * size).astype(int).tolist()
    return [end - start for start, end in itertools.pairwise(ends)]
