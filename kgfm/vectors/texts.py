"""The vectors of a list of texts, each computed when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt64

from kgfm.vectors.encode import Encode, Progress, encoded
from kgfm.vectors.kept import Known, text_digests

_BATCH = 2048


@dataclass(frozen=True, eq=False)
class Source:
    """Numbered texts, and where their vectors come from.

    Args:
        keys: A key for each text.
        text: The text of a number.
        encode: The text encoder.
        known: What was computed earlier.
    """

    keys: Sequence[str]
    text: Callable[[int], str]
    encode: Encode
    known: Sequence[Known] = ()

    def digests(self, rows: Sequence[int]) -> UInt64[np.ndarray, "row"]:
        """Return the hashes of some keys with their texts."""
        return text_digests((self.keys[row] for row in rows), map(self.text, rows))

    def vectors(self, rows: Int[np.ndarray, "row"]) -> Float[np.ndarray, "row width"]:
        """Return the vectors of one text or more; only those that are not known are encoded."""
        digests = self.digests(rows.tolist()) if self.known else None
        missing = np.ones(len(rows), bool)
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for one in self.known:
            place = one.find(digests)  # type: ignore[arg-type]
            found = missing & (place >= 0)
            if found.any():
                parts.append((found, one.vectors[place[found]]))
            missing &= ~found
        if missing.any():
            texts = [self.text(row) for row in rows[missing].tolist()]
            parts.append((missing, encoded(self.encode, texts)))
        vectors = np.empty((len(rows), parts[0][1].shape[1]), np.float16)
        for mask, some in parts:
            vectors[mask] = some
        return vectors


class TextVectors:
    """The vectors of numbered texts, of length 1 and in half precision.

    Args:
        given: The texts, each of which is encoded when its vector is first asked for; or all
            vectors, where they were computed already.
    """

    def __init__(self, given: Source | Known) -> None:
        self._source = given if isinstance(given, Source) else None
        self._known = given if isinstance(given, Known) else None
        self._count = len(given.keys if isinstance(given, Source) else given.digests)
        self._vectors: np.ndarray | None = None
        self._is_there = np.zeros(self._count if self._known is None else 0, bool)
        self._lock = Lock()

    def __len__(self) -> int:
        return self._count

    @property
    def known(self) -> Known | None:
        """All vectors with their hashes, once they were computed."""
        return self._known

    @property
    def width(self) -> int:
        """Numbers in a vector; reads a text where none was read yet."""
        source, held = self._source, self._held()
        if held is None and self._count:
            held = self.take(np.zeros(1, np.int64))
        if held is None and source is not None:
            held = encoded(source.encode, [])
        return 0 if held is None else int(held.shape[1])

    def take(self, rows: Int[np.ndarray, "row"]) -> Float[np.ndarray, "row width"]:
        """Return the vectors of some texts; those that are not there yet are computed."""
        if self._known is None:
            with self._lock:  # several parts share these, and may run in several threads
                self._compute(rows)
        held = self._held()
        if held is None:
            return np.zeros((0, self.width), np.float16)
        return np.take(held, rows, axis=0)

    def _held(self) -> np.ndarray | None:
        # In this order, since another thread may complete them between the two.
        vectors, known = self._vectors, self._known
        return vectors if known is None else known.vectors

    def _compute(self, rows: Int[np.ndarray, "row"]) -> None:
        if self._source is None:  # another thread has completed them
            return
        missing = np.unique(rows[~self._is_there[rows]])
        for first in range(0, len(missing), _BATCH):
            some = missing[first : first + _BATCH]
            found = self._source.vectors(some)
            if self._vectors is None:
                self._vectors = np.zeros((self._count, found.shape[1]), np.float16)
            self._vectors[some] = found
            self._is_there[some] = True

    def compute_all(self, progress: Progress | None = None) -> Known:
        """Compute what is missing, and return all vectors.

        Args:
            progress: Told of (done, total) texts.
        """
        for first in range(0, self._count, _BATCH):
            if self._known is not None:
                break
            last = min(first + _BATCH, self._count)
            self.take(np.arange(first, last))
            if progress is not None:
                progress(last, self._count)
        if self._known is not None:
            return self._known
        held = np.zeros((0, 0), np.float16) if self._vectors is None else self._vectors
        return Known(held, self.digests())

    def digests(self) -> UInt64[np.ndarray, "text"]:
        """Return the hash of each key with its text."""
        source, known = self._source, self._known
        if known is not None:
            return known.digests
        assert source is not None
        return source.digests(range(self._count))

    def complete(self, known: Known) -> None:
        """Hold vectors that were computed, such as those that are mapped from disk."""
        with self._lock:
            self._known = known
            self._source, self._vectors = None, None  # with the source goes the encoder

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=Lock())
