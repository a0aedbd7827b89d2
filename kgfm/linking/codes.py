"""Texts as one array of code points, and their tokens as arrays.

The rules are those of :mod:`kgfm.linking.fold`; the tokens of an array are exactly the tokens
that :func:`~kgfm.linking.fold.tokens` finds. Texts lie one after the other with :data:`BARRIER`
between them, which is a token of its own that no name holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8, UInt32

from kgfm.linking.fold import fold_code, kind_code

BARRIER = 0x110000
"""Stands between two texts: one more than the last code point."""

WORD, MARK, JOINER, SKIPPED, SYMBOL, SPACE, WALL = range(1, 8)
"""Kinds of code points, as in :mod:`kgfm.linking.fold`; WALL is the kind of the barrier."""
KIND_SHIFT = np.uint32(24)
CODE_MASK = np.uint32((1 << 24) - 1)

_KINDS = {"w": WORD, "m": MARK, "j": JOINER, "z": SKIPPED, "s": SYMBOL, " ": SPACE}
WALL_BYTE = 0xFF
"""The barrier in UTF-8, which has no such byte."""
PADDING = 64
"""So many bytes of white space follow a text in UTF-8, for loops that read as many at a time."""
_BARRIER_BYTES = BARRIER.to_bytes(4, "little")


class FoldTable:
    """What each code point folds to, and its kind, in one number: ``kind << 24 | folded``.

    Filled 256 code points at a time when one of them is first met; what nobody uses costs no
    memory.
    """

    def __init__(self) -> None:
        self._table = np.zeros(BARRIER + 256, np.uint32)
        self._table[BARRIER] = WALL << KIND_SHIFT | BARRIER
        self._filled = np.zeros((BARRIER >> 8) + 1, bool)
        self._filled[BARRIER >> 8] = True
        self._fill(0)

    @property
    def table(self) -> UInt32[np.ndarray, "table"]:
        """The table as far as it is filled; 0 stands for what nobody met."""
        return self._table

    def cover(self, codes: UInt32[np.ndarray, "code"]) -> None:
        """Fill the table for all of these code points."""
        met = np.zeros(len(self._filled), bool)
        met[codes >> 8] = True
        for page in np.flatnonzero(met & ~self._filled).tolist():
            self._fill(page)

    def _fill(self, page: int) -> None:
        for code in range(page << 8, (page + 1) << 8):
            self._table[code] = _KINDS[kind_code(code)] << 24 | fold_code(code)
        self._filled[page] = True


FOLD_TABLE = FoldTable()


def code_points(texts: Sequence[str]) -> UInt32[np.ndarray, "code"]:
    """Return the code points of all texts, with the barrier after each."""
    joined = "\n".join(texts)
    encoded = bytearray(joined.encode("utf-32-le", "surrogatepass"))
    encoded += _BARRIER_BYTES
    codes = np.frombuffer(encoded, "<u4").astype(np.uint32, copy=False)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    codes[np.cumsum(lengths + 1) - 1] = BARRIER
    return codes if len(texts) else codes[:0]


def utf8(texts: Sequence[str]) -> tuple[UInt8[np.ndarray, "byte"], int]:
    """Return the bytes of all texts, :data:`WALL_BYTE` after each, and then some white space.

    Their number, without the white space, is the second value.
    """
    try:
        parts = [*map(str.encode, texts)]
    except UnicodeEncodeError:
        parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    joined = bytearray((WALL_BYTE,)).join([*parts, b" " * PADDING])
    return np.frombuffer(joined, np.uint8), len(joined) - PADDING


@dataclass(frozen=True, slots=True)
class TokenArrays:
    """The tokens of an array of code points.

    Args:
        starts: Where each begins.
        ends: One past its last code point.
        firsts: Where each one's key begins in ``keys``, and the end.
        keys: Folded code points of all keys, one after the other.
    """

    starts: Int64[np.ndarray, "token"]
    ends: Int64[np.ndarray, "token"]
    firsts: Int64[np.ndarray, "boundary"]
    keys: UInt32[np.ndarray, "key"]

    def __len__(self) -> int:
        return len(self.starts)


def token_arrays(codes: UInt32[np.ndarray, "code"]) -> TokenArrays:
    """Split code points into tokens; the barrier is one too."""
    values = FOLD_TABLE.table[codes]
    if not values.all():
        FOLD_TABLE.cover(codes)
        values = FOLD_TABLE.table[codes]
    kinds = (values >> KIND_SHIFT).astype(np.uint8)
    gone = (kinds == MARK) | (kinds == JOINER) | (kinds == SKIPPED)
    if gone.any():
        solid = np.flatnonzero(~gone)
        joins, marks = _across_gaps(kinds, solid)
        kinds = kinds[solid]
    else:
        solid, marks = np.arange(len(codes)), None
        joins = (kinds[1:] == WORD) & (kinds[:-1] == WORD)
    # A solid code point begins a token unless it joins the one before it.
    in_token = kinds != SPACE
    begins = in_token.copy()
    begins[1:] &= ~joins
    kept = solid[in_token]
    firsts = np.flatnonzero(begins[in_token])
    lasts = np.append(firsts[1:], len(kept))[: len(firsts)] - 1
    ends = kept[lasts] + 1
    if marks is not None:
        ends += marks[in_token][lasts]
    return TokenArrays(kept[firsts], ends, np.append(firsts, len(kept)), values[kept] & CODE_MASK)


def _across_gaps(
    kinds: UInt8[np.ndarray, "code"], solid: Int64[np.ndarray, "solid"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which solid code points belong to the one before, and the marks right after each.

    Letters belong together across ``marks, then joiners or skipped ones``; symbols across
    ``marks, then one joiner``.
    """
    is_mark = kinds == MARK
    place = np.arange(len(kinds))
    stop = np.append(np.where(is_mark, len(kinds), place), len(kinds))
    no_mark_from = np.minimum.accumulate(stop[::-1])[::-1]
    marks = (no_mark_from[solid + 1] - (solid + 1)) * (kinds[solid] != WALL)
    marks_before = np.append(0, np.cumsum(is_mark))
    left, right = solid[:-1], solid[1:]
    gap = right - left - 1
    all_marks = marks_before[right] - marks_before[left + 1]
    first, second = kinds[left], kinds[right]
    words = (first == WORD) & (second == WORD) & (all_marks == marks[:-1])
    one_joiner = (gap == marks[:-1] + 1) & (kinds[right - 1] == JOINER)
    return words | ((first == SYMBOL) & (second == SYMBOL) & one_joiner), marks


def take_tokens(tokens: TokenArrays, rows: Int64[np.ndarray, "row"]) -> TokenArrays:
    """Return some of the tokens, with their keys."""
    lengths = tokens.firsts[rows + 1] - tokens.firsts[rows]
    firsts = np.append(0, np.cumsum(lengths))
    shift = np.repeat(tokens.firsts[rows] - firsts[:-1], lengths)
    keys = tokens.keys[shift + np.arange(firsts[-1])]
    return TokenArrays(tokens.starts[rows], tokens.ends[rows], firsts, keys)
