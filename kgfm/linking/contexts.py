"""What a text encoder says of the words around a mention, and of an entity's own text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from kgfm.linking.kept import beside, keep_arrays, kept_arrays
from kgfm.linking.spans import Span

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

Encode = Callable[[list[str]], np.ndarray]
"""Texts in, a row of numbers for each out."""

KIND = "entity-vectors"
WINDOW = 400
"""Characters that are read as one; whole sentences, as far as they are shorter."""
_MOST = 2 * WINDOW
AROUND = 120
"""Characters on each side of a marked mention that are read."""
_BATCH = 512
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+|\n+")


def windows(text: str) -> list[int]:
    """Return where each window of a text begins: at sentences, some 400 characters apart."""
    begins = [0]
    places = [match.end() for match in _SENTENCE.finditer(text)]
    for place in [*places, len(text)]:
        while place - begins[-1] > _MOST:  # no sentence ends for long
            begins.append(begins[-1] + WINDOW)
        if place - begins[-1] >= WINDOW and place < len(text):
            begins.append(place)
    return begins


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
    vectors = _unit(np.asarray(encode(passages), np.float32))
    owner = np.array([text for text, _ in numbers], np.int64)
    sums = np.zeros((len(texts), vectors.shape[1]), np.float32)
    np.add.at(sums, owner, vectors)
    return vectors[window], _unit(sums)[places[0]]


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
    vectors = _unit(np.asarray(encode(passages), np.float32))
    owner = np.array([text for text, _ in places], np.int64)
    sums = np.zeros((len(texts), vectors.shape[1]), np.float32)
    np.add.at(sums, owner, vectors)
    return vectors, _unit(sums)[owner]


class EntityVectors:
    """The vectors of a graph's entities, each computed when it is first asked for.

    Args:
        graph: The encoder reads ``graph.text(row)``.
        encode: The text encoder; one with a ``name`` has its vectors kept beside a snapshot by
            :meth:`compute_all`.
    """

    def __init__(self, graph: KnowledgeGraph, encode: Encode) -> None:
        self.graph = graph
        self.encode = encode
        self._vectors: np.ndarray | None = None
        self._known = np.zeros(len(graph), bool)
        name = getattr(encode, "name", None)
        self._folder = beside(graph.path, KIND) if name else None
        self._mark = f"{graph.fingerprint}/{name}"
        kept = kept_arrays(self._folder, KIND, self._mark, ["vectors"])
        if kept is not None:
            self._vectors, self._known[:] = kept["vectors"], True

    def take(self, rows: Int64[np.ndarray, "row"]) -> Float32[np.ndarray, "row width"]:
        """Return the vectors of some rows, of length 1."""
        missing = np.unique(rows[~self._known[rows]])
        for first in range(0, len(missing), _BATCH):
            some = missing[first : first + _BATCH]
            encoded = self.encode([self.graph.text(int(row)) for row in some])
            found = _unit(np.asarray(encoded, np.float32))
            if self._vectors is None:
                self._vectors = np.zeros((len(self.graph), found.shape[1]), np.float16)
            self._vectors[some] = found
            self._known[some] = True
        if self._vectors is None:
            return np.zeros((len(rows), 1), np.float32)
        vectors: np.ndarray = self._vectors[rows].astype(np.float32)
        return vectors

    def compute_all(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Compute what is missing, and keep all of it beside a snapshot if that is possible.

        Args:
            progress: Called with the number of entities that are done, and of all.
        """
        if self._known.all():
            return
        for first in range(0, len(self.graph), _BATCH):
            self.take(np.arange(first, min(first + _BATCH, len(self.graph))))
            if progress is not None:
                progress(min(first + _BATCH, len(self.graph)), len(self.graph))
        if self._folder is not None and self._vectors is not None:
            with suppress(OSError):
                kept = keep_arrays(self._folder, KIND, self._mark, {"vectors": self._vectors})
                self._vectors = kept["vectors"]


def _unit(vectors: Float32[np.ndarray, "row width"]) -> Float32[np.ndarray, "row width"]:
    norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    scaled: np.ndarray = vectors / np.maximum(norms, 1e-12)
    return scaled
