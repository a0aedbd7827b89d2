"""Put what is sought into words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TypeVar

import numpy as np

from kgfm.questions.english import (
    as_role,
    is_plural,
    means_people,
    plural,
    singular,
    with_article,
)
from kgfm.questions.forms import BOTH, COUNT_BOTH, FORMS, Forms
from kgfm.questions.index import Index
from kgfm.questions.labels import Reading, reading_of
from kgfm.questions.own import Own
from kgfm.questions.text import Named, Pieces, capitalised, filled, lowered, places, possessive
from kgfm.types import Kind

T = TypeVar("T")
ALIAS, LOWER, MANY = 0.3, 0.12, 0.7
"""Chance of an alias where there is one, of a text in lower case, of a plural where it fits."""


class Speaker:
    """Words questions about a graph, each time in another way.

    Args:
        index: The graph.
        own: Patterns of one's own, by step and kind.
        random: Chooses.
    """

    def __init__(self, index: Index, own: Own, random: np.random.Generator) -> None:
        self.index, self.own, self.random = index, own, random
        self.reading = cache(lambda step: reading_of(index.name(step)))

    def question(
        self, kind: Kind, topic: int, steps: Sequence[int], sizes: Sequence[int], about: int = -1
    ) -> Pieces:
        """Ask what a walk leads to, or how many that are, or whether ``about`` is among it.

        Args:
            kind: What is asked.
            topic: Row of the entity where the walk begins.
            steps: The walk.
            sizes: How many entities each step leads to.
            about: Row of the entity that a yes-or-no question is about.
        """
        begun = self._phrase(topic, steps[:-1], sizes)
        several = len(steps) > 1 and sizes[-2] > 1
        step, size = steps[-1], sizes[-1]
        values = self._values(step, begun, several, self._is_many(step, size, kind))
        if about >= 0:
            values["about"] = (self.name(about),)
        patterns = self.own.patterns(step, kind, self._made(step, kind))
        return self._finish(self._filled(patterns, values))

    def both(self, kind: Kind, topics: Sequence[int], steps: Sequence[int], size: int) -> Pieces:
        """Ask for what two steps lead to, each from a topic of its own."""
        many = kind == "count" or self._is_many(steps[0], size, kind)
        values, clauses = {}, []
        for topic, step in zip(topics, steps, strict=True):
            values = self._values(step, (self.name(topic),), False, many)
            clauses.append(self._filled(self._forms(step).clauses, values))
        values |= {"one": clauses[0], "other": clauses[1]}
        return self._finish(self._filled(COUNT_BOTH if kind == "count" else BOTH, values))

    def absent(self, topic: int, noun: str) -> Pieces:
        """Ask for something of which the graph knows nothing."""
        values = self._words(Reading("noun", noun, people=means_people(noun)), True, "", True)
        values |= self._topic((self.name(topic),), False)
        values |= self._agreeing(is_plural(noun), values)
        return self._finish(self._filled(FORMS["noun", True].questions, values))

    def name(self, row: int) -> Named:
        """Return an entity by its label or, now and then, by an alias."""
        label, *aliases = self.index.spoken(row)
        if aliases and self.random.random() < ALIAS:
            label = self._one_of(aliases)
        return Named(label, self.index.graph.keys[row])

    # -- the parts of a sentence ------------------------------------------------------------------

    def _phrase(self, topic: int, steps: Sequence[int], sizes: Sequence[int]) -> Pieces:
        """Return what a walk leads to as a noun phrase."""
        said: Pieces = (self.name(topic),)
        several = False
        for step, size in zip(steps, sizes, strict=False):
            values = self._values(step, said, several, size > 1)
            said = self._filled(self._forms(step).phrases, values)
            several = size > 1
        return said

    def _forms(self, step: int) -> Forms:
        return FORMS[self.reading(step).shape, self.index.is_forward(step)]

    def _made(self, step: int, kind: Kind) -> tuple[str, ...]:
        forms = self._forms(step)
        return {"count": forms.counts, "yesno": forms.yesno}.get(kind, forms.questions)

    def _is_many(self, step: int, size: int, kind: Kind) -> bool:
        """Say whether it is asked for in the plural: only where the noun is known."""
        if kind == "yesno" or size < 2:
            return False
        return self.random.random() < MANY

    def _filled(self, patterns: Sequence[str], values: dict[str, Pieces]) -> Pieces:
        usable = [pattern for pattern in patterns if places(pattern) <= values.keys()]
        return filled(self._one_of(usable), values)

    def _finish(self, pieces: Pieces) -> Pieces:
        if self.random.random() >= LOWER:
            return capitalised(pieces)
        *most, last = lowered(pieces)
        bare = last.rstrip("?.") if isinstance(last, str) else last
        return tuple(piece for piece in (*most, bare) if piece)

    def _one_of(self, options: Sequence[T]) -> T:
        return options[int(self.random.integers(len(options)))]

    # -- the words that go into patterns ----------------------------------------------------------

    def _values(self, step: int, topic: Pieces, several: bool, many: bool) -> dict[str, Pieces]:
        """Return what patterns for a step can be filled with.

        Args:
            step: The step.
            topic: What it starts from.
            several: That is in the plural.
            many: What it leads to is in the plural.
        """
        reading, forward = self.reading(step), self.index.is_forward(step)
        noun = (reading.noun if forward else "") or self.index.noun(step)
        functional = self.index.is_literal(step) or self.index.is_functional(
            step if forward else self.index.inverse(step)
        )
        values = self._words(reading, forward, noun, functional)
        values |= self._topic(topic, several)
        values |= self._agreeing(many, values)
        values |= self._verbs(reading, several, "noun_known" in values and many)
        return values

    def _words(
        self, reading: Reading, forward: bool, noun: str, functional: bool
    ) -> dict[str, Pieces]:
        label = singular(reading.label) if reading.shape == "noun" else reading.label
        people = means_people(noun) if noun else reading.people and forward
        which = "who" if people else f"which {singular(noun)}" if noun else "what"
        found = {
            "label": reading.label,
            "label_1": label,
            "labels": plural(label),
            "the_label": with_article(label, "the" if functional else ""),
            "who": "who" if people else "what",
            "which": which,
            "whom": "whom" if people else which,
            "noun": singular(noun) if noun else "person" if people else "thing",
            "nouns": plural(noun) if noun else "people" if people else "things",
            "that": "who" if people else "that",
            "everything": "everyone"
            if people
            else f"every {singular(noun)}"
            if noun
            else "everything",
            "a_role": as_role(reading.label),
            "a_role_many": reading.label if as_role(label) == label else plural(reading.label),
        }
        values: dict[str, Pieces] = {name: (word,) for name, word in found.items()}
        if noun and not people:
            values["noun_known"] = ()
        if reading.shape == "noun" and is_plural(reading.label):
            values["label_is_plural"] = ()
        return values

    def _topic(self, topic: Pieces, several: bool) -> dict[str, Pieces]:
        words = ("are", "do", "their") if several else ("is", "does", "its")
        values: dict[str, Pieces] = {"topic": topic}
        values |= {
            name: (word,) for name, word in zip(("is_t", "does", "its_t"), words, strict=True)
        }
        if len(topic) == 1 and isinstance(topic[0], Named):
            values["topic's"] = possessive(topic[0])
        return values

    def _agreeing(self, many: bool, values: dict[str, Pieces]) -> dict[str, Pieces]:
        """Return the words that agree with what is sought."""
        labels = many or "label_is_plural" in values
        asked = many and "noun_known" in values  # "what" and "who" stand in the singular
        return {
            "label_x": values["labels" if labels else "label_1"],
            "is_l": ("are" if labels else "is",),
            "noun_x": values["nouns" if many else "noun"],
            "which_x": ("which ", *values["nouns"]) if asked else values["which"],
            "is_x": ("are" if asked else "is",),
            "has_x": ("have" if asked else "has",),
            "its_x": ("their" if asked else "its",),
            "the_label_x": values["labels"] if asked else values["the_label"],
            "a_role_x": values["a_role_many" if asked else "a_role"],
        }

    def _verbs(self, reading: Reading, several: bool, asked: bool) -> dict[str, Pieces]:
        if reading.shape == "verb":
            base = reading.base or reading.label
            found = {
                "verb_1": reading.label,
                "verb_many": base,
                "verb_t": base if several else reading.label,
                "verb_x": base if asked else reading.label,
                "base": reading.base,
            }
        elif reading.shape == "passive":
            one, more = ("was", "were") if reading.preposition == "by" else ("is", "are")
            found = {
                "cop_1": one,
                "cop_many": more,
                "cop_t": more if several else one,
                "cop_x": more if asked else one,
                "stem": reading.stem,
                "preposition": reading.preposition,
                "active": reading.active,
            }
        else:
            found = {}
        values: dict[str, Pieces] = {name: (word,) for name, word in found.items() if word}
        if "active" not in values:
            values["plain"] = ()
        return values
