"""Texts as one array of code points, and their tokens as arrays.

The rules are those of :mod:`kgfm.linking.fold`; the tokens of an array are exactly the tokens
that :func:`~kgfm.linking.fold.tokens` finds. Texts lie one after the other with :data:`BARRIER`
between them, which is a token of its own that no name holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt32

from kgfm.linking.fold import MOST_LETTERS, RUN_START, fold_code, kind_code

BARRIER = 0x110000
"""Stands between two texts: one more than the last code point."""

WORD, MARK, JOINER, SKIPPED, SYMBOL, SPACE, WALL = range(1, 8)
TAG, LETTER, LEADING, TRAILING, STACKER, HIRAGANA, KATAKANA, VOICED, HANGUL, FLAG = range(8, 18)
"""Kinds of code points, as in :mod:`kgfm.linking.fold`; WALL is the kind of the barrier."""
KIND_SHIFT = np.uint32(24)
CODE_MASK = np.uint32((1 << 24) - 1)

_KINDS = {
    "w": WORD,
    "m": MARK,
    "j": JOINER,
    "z": SKIPPED,
    "s": SYMBOL,
    " ": SPACE,
    "t": TAG,
    "r": FLAG,
}
_KINDS |= {"c": LETTER, "l": LEADING, "v": TRAILING, "n": STACKER}
_KINDS |= {"y": HIRAGANA, "k": KATAKANA, "x": VOICED, "h": HANGUL}

_FOLLOWERS = {
    WORD: (WORD,),
    SYMBOL: (TAG,),
    TAG: (TAG,),
    LETTER: (TRAILING, STACKER),
    LEADING: (LETTER,),
    TRAILING: (TRAILING, STACKER),
    STACKER: (LETTER, TRAILING, STACKER),
    HIRAGANA: (VOICED,),
    KATAKANA: (KATAKANA, VOICED),
    VOICED: (KATAKANA, VOICED),
    HANGUL: (TRAILING,),
}
JOINS = tuple(sum(1 << kind for kind in _FOLLOWERS.get(last, ())) for last in range(FLAG + 1))
"""By kind: a bit for each kind that goes on with the token when it stands right behind."""
_JOINS = np.array(JOINS, np.uint32)
WALL_BYTE = 0xFF
"""The barrier in UTF-8, which has no such byte."""
PADDING = 64
"""So many bytes of white space follow a text in UTF-8, for loops that read as many at a time."""
_ROOM = MOST_LETTERS + 1
_BARRIER_BYTES = BARRIER.to_bytes(4, "little")


class FoldTable:
    """What each code point folds to, and its kind, in one number: ``kind << 24 | folded``.

    What stands for several others folds to ``BARRIER + n``, and these are in row ``n`` of
    ``several``, behind their number. Filled 256 code points at a time when one of them is first
    met; what nobody uses costs no memory.
    """

    def __init__(self) -> None:
        self.several: UInt32[np.ndarray, "folded letter"] = np.zeros((1, _ROOM), np.uint32)
        self._table = np.zeros(BARRIER + 256, np.uint32)
        self._table[BARRIER] = WALL << KIND_SHIFT | BARRIER
        self._filled = np.zeros((BARRIER >> 8) + 1, bool)
        self._filled[BARRIER >> 8] = True
        self._fill(0)

    @property
    def table(self) -> UInt32[np.ndarray, "table"]:
        """The table as far as it is filled; 0 stands for what nobody met."""
        return self._table

    @property
    def tables(self) -> tuple[UInt32[np.ndarray, "table"], UInt32[np.ndarray, "folded letter"]]:
        """The table, and what stands for several code points."""
        return self._table, self.several

    def cover(self, codes: UInt32[np.ndarray, "code"]) -> None:
        """Fill the table for all of these code points."""
        met = np.zeros(len(self._filled), bool)
        met[codes >> 8] = True
        for page in np.flatnonzero(met & ~self._filled).tolist():
            self._fill(page)

    def _fill(self, page: int) -> None:
        rows: list[np.ndarray] = []
        for code in range(page << 8, (page + 1) << 8):
            folded = fold_code(code)
            place = ord(folded) if len(folded) == 1 else BARRIER + len(self.several) + len(rows)
            if len(folded) > 1:
                codes = [len(folded), *map(ord, folded)]
                rows.append(np.array(codes + [0] * (_ROOM - len(codes)), np.uint32))
            self._table[code] = _KINDS[kind_code(code)] << 24 | place
        self.several = np.concatenate([self.several, *(row[None] for row in rows)])
        self._filled[page] = True

    def written_out(
        self, folded: UInt32[np.ndarray, "code"]
    ) -> tuple[UInt32[np.ndarray, "letter"], Int64[np.ndarray, "code"]]:
        """Return folded codes with all that one stands for, and how many that are for each."""
        more = folded > BARRIER
        rows = self.several[folded[more] - np.uint32(BARRIER)]
        counts = np.ones(len(folded), np.int64)
        counts[more] = rows[:, 0]
        firsts = np.cumsum(counts) - counts
        whole = np.repeat(folded, counts)
        for place in range(MOST_LETTERS):
            has = rows[:, 0] > place
            whole[firsts[more][has] + place] = rows[has, place + 1]
        return whole, counts


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
        joins = _joins(kinds[:-1], kinds[1:])
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
    starts = kept[firsts]
    keys, bounds = _keys(values[kept] & CODE_MASK, np.append(firsts, len(kept)))
    hangul = kinds[in_token][firsts] == HANGUL
    if hangul.any():
        within = np.append(False, hangul[:-1] & (ends[:-1] == starts[1:]))
        keys[bounds[:-1][hangul & ~within]] += np.uint32(RUN_START)
    return TokenArrays(starts, ends, bounds, keys)


def _keys(
    folded: UInt32[np.ndarray, "code"], firsts: Int64[np.ndarray, "boundary"]
) -> tuple[UInt32[np.ndarray, "key"], Int64[np.ndarray, "boundary"]]:
    """Return the keys of tokens, and where each begins, with all letters written out."""
    if folded.max(initial=0) <= BARRIER:
        return folded, firsts
    whole, counts = FOLD_TABLE.written_out(folded)
    return whole, np.append(0, np.cumsum(counts))[firsts]


def _joins(
    left: UInt8[np.ndarray, "pair"], right: UInt8[np.ndarray, "pair"]
) -> Bool[np.ndarray, "pair"]:
    """Say of each pair of kinds whether the second goes on with the token of the first."""
    if right.max(initial=0) <= WALL:
        plain: np.ndarray = (left == WORD) & (right == WORD)
        return plain
    found: np.ndarray = (_JOINS[left] >> right & 1).astype(bool)
    return found


def _across_gaps(
    kinds: UInt8[np.ndarray, "code"], solid: Int64[np.ndarray, "solid"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return which solid code points belong to the one before, and the marks right after each.

    Letters belong together across ``marks, then joiners or skipped ones``; symbols across
    ``marks, then one joiner``; what else may follow each other across marks.
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
    others = _joins(first, second) & (gap == marks[:-1])
    return words | others | ((first == SYMBOL) & (second == SYMBOL) & one_joiner), marks


def take_tokens(tokens: TokenArrays, rows: Int64[np.ndarray, "row"]) -> TokenArrays:
    """Return some of the tokens, with their keys."""
    lengths = tokens.firsts[rows + 1] - tokens.firsts[rows]
    firsts = np.append(0, np.cumsum(lengths))
    shift = np.repeat(tokens.firsts[rows] - firsts[:-1], lengths)
    keys = tokens.keys[shift + np.arange(firsts[-1])]
    return TokenArrays(tokens.starts[rows], tokens.ends[rows], firsts, keys)
