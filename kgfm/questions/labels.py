"""How the label of a relation can be read: as a noun, a verb, a participle, a role or a time."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from kgfm.graph.schema import as_words, local_name
from kgfm.questions.english import (
    base_of,
    infinitive_of,
    is_done_by_people,
    is_of_people,
    is_participle,
    is_placed,
    is_role,
    is_state,
    is_verb,
    is_what_people_do,
    means_people,
    past_of,
)
from kgfm.questions.words import PREPOSITIONS

Shape = Literal["noun", "passive", "verb", "role", "time"]
_CODE = re.compile(r"[^\W\d_]{1,6}[ _.:-]?\d{4,}|[^\W\d_][ _.:-]?\d+|(?=.*\d)[0-9a-f-]{6,}", re.I)
_LETTERS = re.compile(r"[^\W\d_]{2,}|[^\W\d_\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class Reading:
    """A label as it can stand in a sentence about a head and a tail.

    Args:
        shape: ``noun``: the tail is the head's LABEL. ``passive``: the head is LABEL the tail.
            ``verb``: the head LABEL the tail. ``role``: the head is LABEL of the tail. ``time``:
            the head was STEM then.
        label: The words that stand there.
        noun: What the label says the tail is, if anything.
        base: Of a verb, what stands behind ``does`` or ``did``; of a passive with ``by``, what
            stands behind ``did`` where the tail did it. Empty where it is not known.
        stem: Of a passive, the part before its preposition.
        active: Of a passive with ``by``, what the tail did, if the form is known.
        past: The verb is in the past.
        where: Of a passive: ``where`` can ask for the tail.
        people: The tail is somebody.
        of_people: The head is somebody.
    """

    shape: Shape
    label: str
    noun: str = ""
    base: str = ""
    stem: str = ""
    active: str = ""
    past: bool = False
    where: bool = False
    people: bool = False
    of_people: bool = False

    @property
    def is_past(self) -> bool:
        """Whether the head was so, and need not be so now."""
        return self.preposition == "by" or self.stem == "born"

    @property
    def preposition(self) -> str:
        """The last word of the label."""
        return self.label.rpartition(" ")[2]


def words_of(name: str) -> str:
    """Return a label, or the last part of an IRI or path, as words in one line.

    >>> words_of("/people/person/place_of_birth"), words_of("http://a.org/v#bordersWith")
    ('place of birth', 'borders with')
    """
    name = local_name(name)
    if "/" in name and not any(character.isspace() for character in name):
        name = next((part for part in reversed(name.split("/")) if part.strip("._")), name)
    words = as_words(name).split()
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


def is_code(name: str) -> bool:
    """Say whether a label says nothing: ``P19``, ``RO_0002202``, ``7f3a91``.

    >>> [is_code(name) for name in ("P19", "http://a.org/RO_0002202", "part of", "capital")]
    [True, True, False, False]
    """
    words = words_of(name)
    return _LETTERS.search(words) is None or _CODE.fullmatch(words) is not None


def time_of(reading: Reading) -> Reading | None:
    """Read the name of an attribute as something that was done at that time, if it can be.

    >>> [time_of(reading_of(name)).stem for name in ("founded", "released in", "born on")]
    ['founded', 'released', 'born']
    """
    bare = reading.shape == "verb" and is_participle(reading.label)
    if bare or (reading.shape == "passive" and reading.preposition in ("in", "on", "at")):
        stem = reading.label if bare else reading.stem
        return Reading("time", reading.label, stem=stem) if is_participle(stem) else None
    return None


def reading_of(name: str) -> Reading:
    """Read the label of a relation.

    >>> [reading_of(label).shape for label in ("capital", "directed_by", "bordersWith", "part of")]
    ['noun', 'passive', 'verb', 'role']
    """
    return _read(words_of(name).split() or ["relation"])


def _read(words: list[str]) -> Reading:
    first, last, rest = words[0], words[-1], words[1:]
    if words in (["isa"], ["is", "a"], ["is", "an"]):
        return Reading("role", "kind")
    if rest and first in ("is", "are", "was", "were"):
        return _read(rest[1:] if rest[1:] and rest[0] in ("a", "an", "the") else rest)
    if rest and first in ("has", "have"):
        return _noun(rest)
    if is_verb(first) or (
        len(words) == 2 and first.endswith("s") and last in PREPOSITIONS - {"of"}
    ):
        return _verb(words)
    if is_participle(first):
        if not rest:
            return Reading("verb", first, base=infinitive_of(first), past=True)
        if rest[0] in PREPOSITIONS:
            return _passive(words)
    if rest and last == "of" and not is_state(first):
        return Reading("role", " ".join(words[:-1]))
    if rest and last in PREPOSITIONS:
        return Reading("passive", " ".join(words), stem=" ".join(words[:-1]))
    if len(words) > 2 and words[1] == "of" and is_role(first):
        return Reading("role", first, noun=_without_article(words[2:]))
    return _noun(rest if rest and first in PREPOSITIONS else words)


def _noun(words: list[str]) -> Reading:
    label = _without_article(words)
    return Reading("noun", label, people=means_people(label), of_people=is_of_people(label))


def _verb(words: list[str]) -> Reading:
    """Read ``borders``, ``borders with``, ``causes desire``, ``assesses effect of``."""
    if len(words) > 2 and words[-1] in PREPOSITIONS:
        return Reading("verb", " ".join(words), base=" ".join([base_of(words[0]), *words[1:]]))
    end = 2 if len(words) > 1 and words[1] in PREPOSITIONS else 1
    label = words[:end]
    base = " ".join([base_of(words[0]), *label[1:]])
    noun = _without_article(words[end:])
    return Reading("verb", " ".join(label), noun, base, of_people=is_what_people_do(base))


def _passive(words: list[str]) -> Reading:
    """Read ``directed by``, ``located in country``."""
    stem, preposition = words[:2]
    found = Reading("passive", f"{stem} {preposition}", _without_article(words[2:]), stem=stem)
    if preposition != "by":
        where = is_placed(stem) and preposition in ("in", "at", "on")
        return replace(found, where=where and not found.noun, of_people=stem == "born")
    return replace(
        found, active=past_of(stem), base=infinitive_of(stem), people=is_done_by_people(stem)
    )


def _without_article(words: list[str]) -> str:
    return " ".join(words[1:] if words[1:] and words[0] in ("a", "an", "the") else words)
