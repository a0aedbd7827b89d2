"""Where a text says something."""

from __future__ import annotations

import re
from collections.abc import Container

Span = tuple[int, int]


def places(text: str, words: str, *, cased: bool = True) -> list[Span]:
    """Return all places at which a text says ``words``, as words of their own.

    Blanks in ``words`` stand for blanks of any length; blanks around them do not count.

    >>> places("Kestrels beat Kestrel, says Kestrel's chief.", "Kestrel")
    [(14, 21), (28, 35)]
    """
    parts = words.split()
    if not parts:
        return []
    before = r"(?<!\w)" if re.match(r"\w", parts[0]) else ""
    behind = r"(?!\w)" if re.match(r"\w", parts[-1][-1]) else ""
    pattern = before + r"\s+".join(map(re.escape, parts)) + behind
    return [found.span() for found in re.finditer(pattern, text, 0 if cased else re.IGNORECASE)]


def places_within(text: str, words: str) -> list[Span]:
    """Return all places at which a text says ``words``, as a part of a word too, in any case."""
    pattern = r"\s+".join(map(re.escape, words.split()))
    return [found.span() for found in re.finditer(pattern, text, re.IGNORECASE)] if pattern else []


def is_free(span: Span, taken: Container[int]) -> bool:
    """Say whether none of the characters of a span are taken."""
    return not any(place in taken for place in range(*span))
