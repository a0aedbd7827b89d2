"""Put what is sought into words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from kgfm.questions.english import (
    as_role,
    is_plural,
    means_people,
    participle_of,
    plural,
    singular,
    third_person,
    with_article,
)
from kgfm.questions.forms import ALIKE, BOTH, COUNT_ALIKE, COUNT_BOTH, FORMS, Forms
from kgfm.questions.index import Index
from kgfm.questions.labels import Reading, is_code, reading_of, time_of
from kgfm.questions.own import Own
from kgfm.questions.text import Named, Pieces, capitalised, filled, lowered, places, possessive
from kgfm.types import Kind

T = TypeVar("T")
ALIAS, LOWER, MANY, ALIKE_SHARE, PERSON = 0.3, 0.12, 0.7, 0.6, 0.3
"""Chance of an alias where there is one, of a text in lower case, of a plural where it fits, of one
clause about two topics, and of ``person`` for ``painter``."""
_TIME = re.compile(r"[+-]?\d{4}(-\d\d.*)?")


@dataclass(frozen=True, slots=True)
class Sought:
    """What is known of what a step leads to, or starts from.

    Args:
        noun: What it is, if that is known.
        people: It is somebody.
    """

    noun: str
    people: bool


class Speaker:
    """Words questions about a graph, each time in another way.

    Args:
        index: The graph.
        own: Patterns of one's own, by step and kind.
        random: Chooses.
    """

    def __init__(self, index: Index, own: Own, random: np.random.Generator) -> None:
        self.index, self.own, self.random = index, own, random
        self.reading = cache(self._read)
        self._is_code = cache(lambda step: is_code(index.name(step)))

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
        begun, several = self._phrase(topic, steps[:-1], sizes)
        step, sought = steps[-1], self._sought(steps[-1])
        many = kind != "yesno" and self._is_many(sizes[-1])
        person = self._starts_from_people(topic, steps)
        values = self._values(step, sought, many, counted=False)
        values |= self._topic(begun, several, person) | self._verbs(step, several, values)
        if about >= 0:
            values["about"] = (self.name(about),)
        patterns = self.own.patterns(step, kind, self._made(step, kind))
        return self._finish(self._filled(patterns, values))

    def both(self, kind: Kind, topics: Sequence[int], steps: Sequence[int], size: int) -> Pieces:
        """Ask for what two steps lead to, each from a topic of its own."""
        counted = kind == "count"
        many = counted or self._is_many(size)
        sought = max((self._sought(step) for step in steps), key=lambda one: (one.noun, one.people))
        if steps[0] == steps[1] and self.random.random() < ALIKE_SHARE:
            return self._alike(topics, steps[0], sought, size, counted=counted)
        values, clauses = {}, []
        for topic, step in zip(topics, steps, strict=True):
            values = self._values(step, sought, many, counted=counted)
            values |= self._topic((self.name(topic),), False, self.index.is_person(topic))
            values |= self._verbs(step, False, values)
            clauses.append(self._filled(self._forms(step).clauses, values))
        values |= {"one": clauses[0], "other": clauses[1]}
        return self._finish(self._filled(COUNT_BOTH if counted else BOTH, values))

    def _alike(
        self, topics: Sequence[int], step: int, sought: Sought, size: int, *, counted: bool
    ) -> Pieces:
        """Ask for what one step leads to from two topics, such as ``uses both Rust and Kafka``."""
        one, other = map(self.name, topics)
        patterns = COUNT_ALIKE if counted else (ALIKE[int(self.random.integers(len(ALIKE)))],)
        many = counted or (self._is_many(size) and "which_x" in places(patterns[0]))
        values = self._values(step, sought, many, counted=counted)
        values |= self._topic(("both ", one, " and ", other), True, False)
        values["a_topic"] = values["topic"]
        values |= self._verbs(step, True, values)
        values["one"] = self._filled(self._forms(step).clauses, values)
        return self._finish(self._filled(patterns, values))

    def absent(self, topic: int, noun: str) -> Pieces:
        """Ask for what the graph knows nothing of: a noun, or a question with ``{topic}``."""
        if places(noun):
            return self._finish(filled(noun, {"topic": (self.name(topic),)}))
        people = means_people(noun)
        values = self._words(Reading("noun", noun), Sought(noun, people), True)
        values |= self._topic((self.name(topic),), False, self.index.is_person(topic))
        values |= self._agreeing(is_plural(noun), values, counted=False)
        return self._finish(self._filled(FORMS["noun", True].questions, values))

    def can_ask(self, step: int, kind: Kind) -> bool:
        """Say whether there are words for a step: a label that says something, or own patterns."""
        return self.can_say(step) or bool(self.own.patterns(step, kind, ()))

    def can_say(self, step: int) -> bool:
        """Say whether the label of a step says something."""
        return not self._is_code(step)

    def name(self, row: int) -> Named:
        """Return an entity by its label or, now and then, by an alias."""
        label, *aliases = self.index.spoken(row)
        if aliases and self.random.random() < ALIAS:
            label = self._one_of(aliases)
        return Named(label, self.index.graph.keys[row])

    # -- the parts of a sentence ------------------------------------------------------------------

    def _read(self, step: int) -> Reading:
        reading = reading_of(self.index.name(step))
        if not self.index.is_literal(step):
            return reading
        time = time_of(reading)
        if time is not None and all(map(_TIME.fullmatch, self.index.values(step))):
            return time
        return reading

    def _sought(self, step: int) -> Sought:
        """Say what a step leads to."""
        reading, forward = self.reading(step), self.index.is_forward(step)
        noun = (reading.noun if forward else "") or self.index.noun(step)
        people = means_people(noun) if noun else reading.people if forward else reading.of_people
        return Sought(noun, people)

    def _starts_from_people(self, topic: int, steps: Sequence[int]) -> bool:
        if len(steps) > 1:
            return self._sought(steps[-2]).people
        if self.index.graph.types(topic):
            return self.index.is_person(topic)
        reading, forward = self.reading(steps[0]), self.index.is_forward(steps[0])
        return reading.of_people if forward else reading.people

    def _phrase(
        self, topic: int, steps: Sequence[int], sizes: Sequence[int]
    ) -> tuple[Pieces, bool]:
        """Return what a walk leads to as a noun phrase, and whether it is in the plural."""
        said: Pieces = (self.name(topic),)
        several = False
        for place, (step, size) in enumerate(zip(steps, sizes, strict=False)):
            person = self._starts_from_people(topic, steps[: place + 1])
            values = self._values(step, self._sought(step), size > 1, counted=True)
            values |= self._topic(said, several, person) | self._verbs(step, several, values)
            said, several = self._filled(self._forms(step).phrases, values), size > 1
        return said, several

    def _forms(self, step: int) -> Forms:
        return FORMS[self.reading(step).shape, self.index.is_forward(step)]

    def _made(self, step: int, kind: Kind) -> tuple[str, ...]:
        forms = self._forms(step)
        return {"count": forms.counts, "yesno": forms.yesno}.get(kind, forms.questions)

    def _is_many(self, size: int) -> bool:
        """Say whether so many are asked for in the plural."""
        return size > 1 and self.random.random() < MANY

    def _filled(self, patterns: Sequence[str], values: dict[str, Pieces]) -> Pieces:
        usable = [pattern for pattern in patterns if places(pattern) <= values.keys()]
        return filled(self._one_of(usable), values)

    def _finish(self, pieces: Pieces) -> Pieces:
        if isinstance(pieces[-2], Named) and pieces[-2].name.endswith(("?", "!", ".")):
            pieces = pieces[:-1] if pieces[-1] in ("?", ".") else pieces
        if self.random.random() >= LOWER:
            return capitalised(pieces)
        *most, last = lowered(pieces)
        bare = last.rstrip("?.") if isinstance(last, str) else last
        return tuple(piece for piece in (*most, bare) if piece)

    def _one_of(self, options: Sequence[T]) -> T:
        return options[int(self.random.integers(len(options)))]

    # -- the words that go into patterns ----------------------------------------------------------

    def _values(self, step: int, sought: Sought, many: bool, *, counted: bool) -> dict[str, Pieces]:
        """Return what patterns for a step can be filled with, but for its topic and verbs.

        Args:
            step: The step.
            sought: What it leads to.
            many: That is in the plural.
            counted: It stands behind a noun, and not behind ``what`` or ``who``.
        """
        forward = self.index.is_forward(step)
        relation = step if forward else self.index.inverse(step)
        values = self._words(self.reading(step), sought, self._leads_to_one(relation))
        if self.reading(step).shape == "role":
            only = self._leads_to_one(self.index.inverse(relation))
            values["a_role"] = (as_role(self.reading(step).label, only),)
        return values | self._agreeing(many, values, counted=counted)

    def _leads_to_one(self, step: int) -> bool:
        return self.index.is_literal(step) or self.index.is_functional(step)

    def _words(self, reading: Reading, sought: Sought, functional: bool) -> dict[str, Pieces]:
        label = singular(reading.label) if reading.shape == "noun" else reading.label
        noun, people = sought.noun, sought.people
        which = "who" if people else f"which {singular(noun)}" if noun else "what"
        plain = people and (not noun or self.random.random() < PERSON)
        thing = "person" if plain else singular(noun) if noun else "thing"
        every = f"every {singular(noun)}" if noun else "everything"
        found = {
            "label": reading.label,
            "label_1": label,
            "labels": plural(label),
            "the_label": with_article(label, "the" if functional else ""),
            "who": "who" if people else "what",
            "which": which,
            "whom": "whom" if people else which,
            "noun": thing,
            "nouns": plural(thing),
            "that": "who" if people else "that",
            "everything": "everyone" if people else every,
            "its_1": "their" if people else "its",
            "a_role_many": reading.label if as_role(label, True) == label else plural(label),
        }
        values: dict[str, Pieces] = {name: (word,) for name, word in found.items()}
        if noun and not people:
            values["noun_known"] = ()
        if reading.shape == "noun" and is_plural(reading.label):
            values["label_is_plural"] = ()
        return values

    def _topic(self, topic: Pieces, several: bool, person: bool) -> dict[str, Pieces]:
        words = ("are", "do", "were", "their") if several else ("is", "does", "was", "its")
        names = ("is_t", "does", "was_t", "its_t")
        values: dict[str, Pieces] = {name: (word,) for name, word in zip(names, words, strict=True)}
        values |= {"topic": topic, "a_topic": ("one of ", *topic) if several else topic}
        values["its_o"] = ("their" if person else "its",)
        if person:
            values["its_t"] = ("their",)
        if not any(isinstance(piece, str) and " as " in piece for piece in topic):
            values["as"] = ("as",)
        if len(topic) == 1 and isinstance(topic[0], Named):
            values |= {"topic's": possessive(topic[0]), "named": ()}
        return values

    def _agreeing(
        self, many: bool, values: dict[str, Pieces], *, counted: bool
    ) -> dict[str, Pieces]:
        """Return the words that agree with what is sought."""
        labels = many or "label_is_plural" in values
        plural_x = many and (counted or "noun_known" in values)  # "what" and "who" are singular
        found = {
            "label_x": values["labels" if labels else "label_1"],
            "is_l": ("are" if labels else "is",),
            "which_x": ("which ", *values["nouns"]) if plural_x else values["which"],
            "the_label_x": values["labels"] if plural_x else values["the_label"],
            "label_n": values["a_role_many" if many else "label_1"],
            "noun_n": values["nouns" if many else "noun"],
        }
        for end, plural_ in (("x", plural_x), ("n", many)):
            found |= {
                f"is_{end}": ("are" if plural_ else "is",),
                f"has_{end}": ("have" if plural_ else "has",),
                f"its_{end}": ("their",) if plural_ else values["its_1"],
                f"a_role_{end}": values["a_role_many"] if plural_ else values.get("a_role", ()),
                f"plural_{end}": ("s",) if plural_ else (),
            }
        return found

    def _verbs(self, step: int, several: bool, values: dict[str, Pieces]) -> dict[str, Pieces]:
        """Return the words of a verb, as its topic and what is sought need them."""
        reading = self.reading(step)
        agree = {"1": False, "many": True, "t": several}
        agree |= {end: bool(values[f"plural_{end}"]) for end in ("x", "n")}
        found = {"stem": reading.stem, "base": reading.base}
        if reading.shape == "verb":
            more = reading.label if reading.past else reading.base or reading.label
            found["participle"] = participle_of(reading.base)
            do, does = ("did", "did") if reading.past else ("do", "does")
            for end, plural_ in agree.items():
                found[f"verb_{end}"] = more if plural_ else reading.label
                found[f"does_{end}"] = do if plural_ else does
        elif reading.shape == "passive":
            one, more = ("was", "were") if reading.is_past else ("is", "are")
            found |= {f"cop_{end}": more if plural_ else one for end, plural_ in agree.items()}
            found |= {"preposition": reading.preposition, "active": reading.active}
            if reading.base:
                found["does_t"] = "do" if several else "does"
                found["present"] = third_person(reading.base)
                for end in ("t", "n"):
                    found[f"present_{end}"] = reading.base if agree[end] else found["present"]
        known: dict[str, Pieces] = {name: (word,) for name, word in found.items() if word}
        if not known.keys() & {"active", "participle"}:
            known["plain"] = ()
        if reading.where:
            known["where"] = ("where",)
        if reading.shape == "time" and all(len(one) == 4 for one in self.index.values(step)):
            known["year"] = ()
        return known
