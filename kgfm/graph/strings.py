"""Many strings in two arrays, so that a table of millions opens at once from disk."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Int, Int64, UInt8

_CHUNK, _BYTES = 1 << 16, 1 << 22


class StringTable(Sequence[str]):
    """An immutable list of strings: UTF-8 bytes, and where each string begins.

    Args:
        offsets: String ``i`` is ``bytes[offsets[i]:offsets[i + 1]]``.
        bytes: The strings one after the other, in UTF-8.
    """

    __slots__ = ("bytes", "offsets")

    def __init__(self, offsets: Int64[np.ndarray, "boundary"], bytes: UInt8[np.ndarray, "byte"]):
        self.offsets = offsets
        self.bytes = bytes

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> StringTable:
        """Put strings into a table.

        Raises:
            ValueError: A string holds a lone surrogate, which UTF-8 cannot hold.
        """
        strings = strings if isinstance(strings, list) else list(strings)
        offsets = np.zeros(len(strings) + 1, np.int64)
        parts = []
        for start in range(0, len(strings), _CHUNK):
            chunk = strings[start : start + _CHUNK]
            try:
                joined = "".join(chunk)
                encoded = joined.encode()
            except UnicodeEncodeError as error:
                row, first = next((i, s) for i, s in enumerate(chunk, start) if has_surrogate(s))
                raise ValueError(
                    f"String {row}, {first[:80]!r}, holds a lone surrogate, "
                    "which UTF-8 cannot hold; replace or remove it."
                ) from error
            ascii = len(encoded) == len(joined)
            lengths = map(len, chunk if ascii else map(str.encode, chunk))
            offsets[start + 1 : start + len(chunk) + 1] = np.fromiter(lengths, np.int64, len(chunk))
            parts.append(encoded)
        return cls(np.cumsum(offsets, out=offsets), np.frombuffer(b"".join(parts), np.uint8))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        if not -len(self) <= row < len(self):
            raise IndexError(f"Row {row} of a table of {len(self):,} strings.")
        return self._encoded(row % len(self)).decode()

    def __iter__(self) -> Iterator[str]:
        whole, ends = self.bytes.tobytes(), self.offsets.tolist()
        for start, end in itertools.pairwise(ends):
            yield whole[start:end].decode()

    def __repr__(self) -> str:
        shown = ", ".join(repr(self[row]) for row in range(min(3, len(self))))
        return f"StringTable({len(self):,} strings{': ' if shown else ''}{shown})"

    def _encoded(self, row: int) -> bytes:
        return self.bytes[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def position(self, string: str) -> int:
        """Return how many strings of a sorted table come before ``string``, by binary search.

        The order of UTF-8 bytes is the order of code points, so nothing is decoded.
        """
        wanted = string.encode("utf-8", "surrogatepass")
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self._encoded(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def find(self, string: str) -> int:
        """Return the row of ``string`` in a sorted table, or -1."""
        row = self.position(string)
        return row if row < len(self) and self[row] == string else -1

    def take(self, rows: Int[np.ndarray, "row"]) -> StringTable:
        """Return a table of the strings at ``rows``, in that order."""
        return StringTable.cut(self.bytes, self.offsets[:-1][rows], self.offsets[1:][rows])

    @classmethod
    def cut(
        cls,
        source: UInt8[np.ndarray, "byte"],
        starts: Int[np.ndarray, "row"],
        ends: Int[np.ndarray, "row"],
    ) -> StringTable:
        """Return a table of the pieces of ``source`` from each start to the end beside it."""
        offsets = np.zeros(len(starts) + 1, np.int64)
        np.cumsum(ends - starts, out=offsets[1:])
        bytes = np.empty(offsets[-1], np.uint8)
        first = 0
        while first < len(starts):  # an index for each byte would take eight times the bytes
            last = int(np.searchsorted(offsets, offsets[first] + _BYTES, "right")) - 1
            last = min(max(last, first + 1), len(starts))
            place = slice(int(offsets[first]), int(offsets[last]))
            lengths = np.diff(offsets[first : last + 1])
            shift = np.repeat(starts[first:last] - offsets[first:last], lengths)
            shift += np.arange(place.start, place.stop)
            bytes[place] = source[shift]
            first = last
        return cls(offsets, bytes)


def has_surrogate(string: str) -> bool:
    """Say whether a string holds half of a surrogate pair, which UTF-8 cannot hold."""
    try:
        string.encode()
    except UnicodeEncodeError:
        return True
    return False
