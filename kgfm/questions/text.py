"""Patterns filled with words and names, so that each name is known by its place in the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kgfm.types import Mention

_PLACE = re.compile(r"\{([a-z_0-9]+(?:'s)?)\}")


@dataclass(frozen=True, slots=True)
class Named:
    """An entity's name in a text."""

    name: str
    key: str


Pieces = tuple[str | Named, ...]
Values = Mapping[str, Pieces]


def places(pattern: str) -> set[str]:
    """Return what a pattern leaves open: ``{"topic"}`` of ``Where is {topic}?``."""
    return set(_PLACE.findall(pattern))


def filled(pattern: str, values: Values) -> Pieces:
    """Fill a pattern; what the values hold is not looked into, whatever braces it has."""
    pieces: list[str | Named] = []
    for place, part in enumerate(_PLACE.split(pattern)):
        pieces += values[part] if place % 2 else [part]
    return tuple(piece for piece in pieces if piece)


def possessive(named: Named) -> Pieces:
    """Return ``Heat's``, ``the Netherlands'``."""
    return (named, "'" if named.name.endswith(("s", "S")) else "'s")


def lowered(pieces: Pieces) -> Pieces:
    """Return all of it as somebody types who does not care for capitals."""
    return tuple(
        Named(piece.name.lower(), piece.key) if isinstance(piece, Named) else piece.lower()
        for piece in pieces
    )


def capitalised(pieces: Pieces) -> Pieces:
    """Begin with a capital, unless a name stands there: names stay as they are."""
    first, *rest = pieces
    if isinstance(first, str) and len(first[0].upper()) == 1:
        return (first[0].upper() + first[1:], *rest)
    return pieces


def said(pieces: Pieces) -> tuple[str, tuple[Mention, ...]]:
    """Return the text, and where it names which entity."""
    text, mentions = "", []
    for piece in pieces:
        start = len(text)
        text += piece.name if isinstance(piece, Named) else piece
        if isinstance(piece, Named):
            mentions.append(Mention(start, len(text), piece.name, piece.key))
    return text, tuple(mentions)
