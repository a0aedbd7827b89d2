"""Which matches have to be looked at for being a part of something more: numpy, many at a time.

The rules are those of :mod:`kgfm.linking.whole_kernels`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int64, UInt32

from kgfm.linking.codes import (
    BARRIER,
    FLAG,
    FOLD_TABLE,
    HANGUL,
    KIND_SHIFT,
    WALL,
    WORD,
    TokenArrays,
)

_HARMLESS = np.array([*map(ord, '"<>'), BARRIER], np.uint32)
_BETWEEN_DIGITS = np.array([*map(ord, ",:'")], np.uint32)
_SIGNS = np.array([*map(ord, "#+")], np.uint32)
_IN_ADDRESSES = np.array([*map(ord, "/\\@.")], np.uint32)
_SLASHES = np.array([*map(ord, "/\\")], np.uint32)
_DOT = ord(".")


def doubtful_mask(
    codes: UInt32[np.ndarray, "code"],
    tokens: TokenArrays,
    first: Int64[np.ndarray, "match"],
    last: Int64[np.ndarray, "match"],
) -> Bool[np.ndarray, "match"]:
    """Say which matches, from a first token to a last, may be a part of something more."""
    around = _Around(codes, tokens)
    before, behind = (
        around.side(first, first - 1, first == last),
        around.side(last, last + 1, first == last),
    )
    found: np.ndarray = (before == 2) | (behind == 2)
    found |= (before + behind > 0) & (tokens.ends[last] - tokens.starts[first] == 1)
    rest = np.flatnonzero(~found & (before + behind > 0))
    if len(rest):
        odd = around.odd_runs()
        found[rest] |= (before[rest] == 1) & odd[first[rest]]
        found[rest] |= (behind[rest] == 1) & odd[last[rest]]
    return found


class _Around:
    """What stands beside tokens."""

    def __init__(self, codes: UInt32[np.ndarray, "code"], tokens: TokenArrays) -> None:
        self.codes, self.tokens = codes, tokens
        self.heads = tokens.keys[tokens.firsts[:-1]]
        self.touches = np.append(tokens.ends[:-1] == tokens.starts[1:], False)

    def side(
        self,
        own: Int64[np.ndarray, "match"],
        beside: Int64[np.ndarray, "match"],
        alone: Bool[np.ndarray, "match"],
    ) -> Int64[np.ndarray, "match"]:
        """Return 2 where what stands beside is doubtful, 1 where the run must be odd for that."""
        tokens, step = self.tokens, int(beside[0] - own[0]) if len(own) else 1
        found = np.zeros(len(own), np.int64)
        there = beside >= 0
        edge = np.minimum(own, beside)
        gap = np.zeros(len(own), np.int64)
        gap[there] = tokens.starts[edge[there] + 1] - tokens.ends[edge[there]]
        place = tokens.starts[own] if step < 0 else tokens.ends[own] - 1
        digit = self._may_be_digit(place)
        near = np.flatnonzero(there & (gap == 1) & digit)
        spaced = self.codes[place[near] + step]
        found[near[spaced >= 0x80]] = 2
        near = np.flatnonzero(there & (gap == 0))
        near = near[~np.isin(self.heads[beside[near]], _HARMLESS)]
        if not len(near):
            return found
        kinds, own_kinds = self._kinds(beside[near]), self._kinds(own[near])
        head, further = self.heads[beside[near]], beside[near] + step
        inner = np.minimum(beside[near], further)
        beyond = (further >= 0) & self.touches[np.maximum(inner, 0)]
        beyond &= self.heads[np.maximum(further, 0)] != BARRIER
        level = np.ones(len(near), np.int64)
        level[(head == _DOT) & beyond] = 2
        level[np.isin(head, _BETWEEN_DIGITS) & beyond & digit[near]] = 2
        special = kinds > WALL
        level[special] = 1
        level[special & ((own_kinds == FLAG) | (alone[near] & (own_kinds > WALL)))] = 2
        if step > 0:
            level[(np.isin(head, _SIGNS) & ~special) | (kinds == HANGUL)] = 2
        found[near] = level
        return found

    def _may_be_digit(self, places: Int64[np.ndarray, "match"]) -> Bool[np.ndarray, "match"]:
        codes = self.codes[places]
        found: np.ndarray = ((codes >= ord("0")) & (codes <= ord("9"))) | (codes >= 0x80)
        return found

    def _kinds(self, tokens: Int64[np.ndarray, "match"]) -> np.ndarray:
        kinds: np.ndarray = FOLD_TABLE.table[self.codes[self.tokens.starts[tokens]]] >> KIND_SHIFT
        return kinds

    def odd_runs(self) -> Bool[np.ndarray, "token"]:
        """Say which tokens are in a run, with no space between, that may hold an address.

        It has a full stop within, an at, or a slash that does not just stand between two words.
        """
        wall = self.heads == BARRIER
        joined = self.touches[:-1] & ~wall[:-1] & ~wall[1:]
        run = np.append(0, np.cumsum(~joined))
        marks = np.flatnonzero(np.isin(self.heads, _IN_ADDRESSES))
        slashes = np.isin(self.heads, _SLASHES)
        follows, leads = np.append(False, joined), np.append(joined, False)
        is_dot, is_slash = self.heads[marks] == _DOT, slashes[marks]
        between = follows[marks] & (self._kinds(np.maximum(marks - 1, 0)) == WORD)
        between &= ~(leads & np.append(slashes[1:], False))[marks]
        kept = marks[np.where(is_dot, leads[marks], ~(is_slash & between))]
        odd = np.zeros(int(run[-1]) + 1, bool)
        odd[run[kept]] = True
        found: np.ndarray = odd[run]
        return found
