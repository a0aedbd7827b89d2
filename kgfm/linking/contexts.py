"""What a text encoder says of the words around a mention."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int64

from kgfm.linking.spans import Span
from kgfm.vectors.encode import Encode, unit

LEAST, MOST = 60, 240
"""Characters that are read as one: a sentence, with the next if it is shorter, and a part of it if
it is longer."""
AROUND = 120
"""Characters on each side of a marked mention that are read."""
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+|\n+")


def windows(text: str) -> list[int]:
    """Return where each window of a text begins: at sentences, or at a word of a long one."""
    begins = [0]
    places = [match.end() for match in _SENTENCE.finditer(text)]
    for place in [*places, len(text)]:
        while place - begins[-1] > MOST:
            begins.append(_within(text, begins[-1]))
        if place - begins[-1] >= LEAST and place < len(text):
            begins.append(place)
    return begins


def _within(text: str, begin: int) -> int:
    """Return where to cut a sentence that is too long: after a space, if there is one."""
    space = text.rfind(" ", begin + MOST // 2, begin + MOST)
    return space + 1 if space >= 0 else begin + MOST


def context_vectors(
    encode: Encode,
    texts: Sequence[str],
    places: tuple[Int64[np.ndarray, "span"], Int64[np.ndarray, "span"]],
) -> tuple[Float32[np.ndarray, "span width"], Float32[np.ndarray, "span width"]]:
    """Return for each span the vector of its window, and the mean over its text.

    The windows of a text do not overlap, and only those with a span are read, so that all of it
    costs no more than reading each text once.

    Args:
        encode: The text encoder.
        texts: Of all spans.
        places: Text and start of each span.
    """
    begins: dict[int, list[int]] = {}
    numbers: dict[tuple[int, int], int] = {}
    passages: list[str] = []
    window = np.zeros(len(places[0]), np.int64)
    for span, (text, start) in enumerate(zip(*(p.tolist() for p in places), strict=True)):
        if text not in begins:
            begins[text] = windows(texts[text])
        at = bisect_right(begins[text], start) - 1
        if (text, at) not in numbers:
            numbers[text, at] = len(passages)
            stop = begins[text][at + 1] if at + 1 < len(begins[text]) else None
            passages.append(texts[text][begins[text][at] : stop])
        window[span] = numbers[text, at]
    vectors = unit(np.asarray(encode(passages), np.float32))
    owner = np.array([text for text, _ in numbers], np.int64)
    sums = np.zeros((len(texts), vectors.shape[1]), np.float32)
    np.add.at(sums, owner, vectors)
    return vectors[window], unit(sums)[places[0]]


def marked(text: str, span: Span, marks: tuple[str, str]) -> str:
    """Return a mention with its marks and what stands around it, whole words of it.

    >>> marked("He flew to Paris, Texas.", (11, 16), ("[", "]"))
    'He flew to [ Paris ], Texas.'
    """
    start, end = span
    left, right = text[max(0, start - AROUND) : start], text[end : end + AROUND]
    if start > AROUND:
        left = left.partition(" ")[2] or left
    if end + AROUND < len(text):
        right = right.rpartition(" ")[0] or right
    return f"{left}{marks[0]} {text[start:end]} {marks[1]}{right}"


def marked_vectors(
    encode: Encode, texts: Sequence[str], places: Sequence[tuple[int, Span]], marks: tuple[str, str]
) -> tuple[Float32[np.ndarray, "span width"], Float32[np.ndarray, "span width"]]:
    """Return for each span the vector of its marked context, and the mean over its text.

    This reads some 60 tokens for each mention, and not each text once.
    """
    passages = [marked(texts[text], span, marks) for text, span in places]
    vectors = unit(np.asarray(encode(passages), np.float32))
    owner = np.array([text for text, _ in places], np.int64)
    sums = np.zeros((len(texts), vectors.shape[1]), np.float32)
    np.add.at(sums, owner, vectors)
    return vectors, unit(sums)[owner]
