"""Long texts in passages, and many texts in batches: what is held at a time stays bounded.

Ranking holds all features of all candidates of the texts that it is given, some 400 bytes for each
character of a text that names something everywhere; and the sorting and the look-ups of so much
miss every cache. So no more than :data:`PASSAGE` characters are ranked at once. Texts know nothing
of each other, and neither do the passages of a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int64

from kgfm.linking.codes import code_points, token_arrays
from kgfm.types import Mention

if TYPE_CHECKING:
    from kgfm.linking.dictionary import NameDictionary

Link = Callable[[Sequence[str]], Sequence[Sequence[Mention]]]

PASSAGE = 1 << 18
"""Characters that are ranked at once, a hundred pages: other texts are longer only if they are
books or hostile."""
_AROUND = 1 << 12
_BREAKS = tuple(map(re.compile, (r"\n\s*", r"[.!?…][\"'”’)]*\s+", r"\s+")))
"""Where a text is best cut, the best first: lines, sentences, words."""
_SPACE = re.compile(r"\s")


def link_in_passages(
    texts: Sequence[str], names: NameDictionary, link: Link, *, size: int = PASSAGE
) -> list[list[Mention]]:
    """Return the mentions of texts of any length and number.

    Args:
        texts: The texts.
        names: No passage ends within one.
        link: Returns the mentions of each of some texts.
        size: At most so many characters are given to ``link`` at once, but for a single token
            that is longer.
    """
    mentions: list[list[Mention]] = [[] for _ in texts]
    for batch in _batches(texts, names, size):
        found = link([texts[text][start:end] for text, start, end in batch])
        for (text, start, _), own in zip(batch, found, strict=True):
            mentions[text] += own if not start else (_moved(mention, start) for mention in own)
    return mentions


def _moved(mention: Mention, by: int) -> Mention:
    return replace(mention, start=mention.start + by, end=mention.end + by)


def _batches(
    texts: Sequence[str], names: NameDictionary, size: int
) -> Iterator[list[tuple[int, int, int]]]:
    """Yield lists of (text, start, end) with some ``size`` characters together."""
    batch: list[tuple[int, int, int]] = []
    total = 0
    for text, words in enumerate(texts):
        for start, end in passages(words, names, size=size):
            if batch and total + end - start > size:
                yield batch
                batch, total = [], 0
            batch.append((text, start, end))
            total += end - start
    if batch:
        yield batch


def passages(text: str, names: NameDictionary, *, size: int = PASSAGE) -> Iterator[tuple[int, int]]:
    """Yield where the passages of a text begin and end, all of it, each at most ``size`` long.

    They end between lines, else between sentences, else between words, and not within a name; only
    names that overlap each other without end are cut. A single token may be longer.
    """
    start = 0
    while len(text) - start > size:
        end = _end(text, start, names, size)
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


def _end(text: str, start: int, names: NameDictionary, size: int) -> int:
    """Return where the passage that begins at ``start`` ends, in its second half."""
    first, last = start + size // 2, start + size
    shift = max(start, first - _AROUND)  # names that begin before or end behind are seen whole
    part = text[shift : last + _AROUND]
    begins = token_arrays(code_points([part])).starts
    begins = begins[(begins > first - shift) & (begins <= last - shift)]
    if not len(begins):
        found = _SPACE.search(text, last)
        return found.start() if found else len(text)
    free = begins[~_within_names(part, names)[begins]]
    for pattern in _BREAKS if len(free) else ():
        ends = np.fromiter((match.end() for match in pattern.finditer(part)), np.int64)
        best = np.intersect1d(free, ends)
        if len(best):
            return shift + int(best[-1])
    return shift + int((free if len(free) else begins)[-1])


def _within_names(text: str, names: NameDictionary) -> Bool[np.ndarray, "place"]:
    """Return which places of a text are within a name, where it could not be cut."""
    found = names.scan([text], longest=False)
    change: Int64[np.ndarray, "place"] = np.zeros(len(text) + 2, np.int64)
    np.add.at(change, found.starts + 1, 1)
    np.add.at(change, found.ends, -1)
    within: np.ndarray = np.cumsum(change) > 0
    return within
