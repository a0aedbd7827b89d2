"""Folded tokens as numbers: a hash of their code points, checked code point by code point.

A short key of ASCII is its own hash, so that most need no check.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt32, UInt64

from kgfm.linking.codes import TokenArrays, take_tokens
from kgfm.linking.hashing import build_table, look_up

UNKNOWN = -1
"""Number of a token that no name holds."""

SHORT = 8
"""A key of ASCII and of so many code points at most is its own hash: a byte each, lowest first."""

INEXACT = np.uint64(1 << 63)
"""Set in the hash of any other key, and so in none that is exact."""


def multipliers(length: int, seed: int) -> UInt64[np.ndarray, "place"]:
    """Return a random odd factor for each place of a key."""
    random = np.random.Generator(np.random.PCG64(seed))
    return random.integers(0, 2**64, length, np.uint64) | np.uint64(1)


def hashes(
    tokens: TokenArrays, factors: UInt64[np.ndarray, "place"]
) -> tuple[UInt64[np.ndarray, "token"], Bool[np.ndarray, "token"]]:
    """Return the hash of each key, and which keys are too long.

    It is ``sum of code * factor of its place``, with :data:`INEXACT` set, but for short ASCII.
    """
    begins = tokens.firsts[:-1]
    lengths = np.diff(tokens.firsts)
    if not len(begins):
        return np.empty(0, np.uint64), np.empty(0, bool)
    place = np.arange(len(tokens.keys)) - np.repeat(begins, lengths)
    hashed = np.add.reduceat(tokens.keys * factors.take(place, mode="clip"), begins) | INEXACT
    exact = (lengths <= SHORT) & (np.maximum.reduceat(tokens.keys, begins) < 128)
    shifts = np.uint64(8) * np.minimum(place, SHORT - 1).astype(np.uint64)
    packed = np.add.reduceat(tokens.keys.astype(np.uint64) << shifts, begins)
    return np.where(exact, packed, hashed), lengths > len(factors)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The tokens of all names, numbered in the order of their hashes.

    Args:
        factors: Of the hash, one for each place of the longest key.
        table: Hash -> number + 1.
        firsts: Where the key of each token begins in ``keys``, and the end.
        keys: Folded code points of all keys.
    """

    factors: UInt64[np.ndarray, "place"]
    table: UInt64[np.ndarray, "slot 2"]
    firsts: Int64[np.ndarray, "boundary"]
    keys: UInt32[np.ndarray, "key"]

    def __len__(self) -> int:
        return len(self.firsts) - 1

    def key(self, token: int) -> str:
        """Return the folded key of a token."""
        codes = self.keys[self.firsts[token] : self.firsts[token + 1]]
        return codes.tobytes().decode("utf-32-le", "surrogatepass")

    def numbers(self, tokens: TokenArrays) -> Int64[np.ndarray, "token"]:
        """Return the number of each token, :data:`UNKNOWN` for those in no name."""
        hashed, too_long = hashes(tokens, self.factors)
        numbers = look_up(self.table, hashed, len(self)) - 1
        numbers[too_long] = UNKNOWN
        known = np.flatnonzero(numbers >= 0)
        same = _same_keys(tokens, known, self, numbers[known])
        numbers[known[~same]] = UNKNOWN
        return numbers


def _same_keys(
    left: TokenArrays,
    left_rows: Int64[np.ndarray, "pair"],
    right: TokenArrays | Vocabulary,
    right_rows: Int64[np.ndarray, "pair"],
) -> Bool[np.ndarray, "pair"]:
    """Say of each pair of tokens whether their keys are the same code points."""
    lengths = left.firsts[left_rows + 1] - left.firsts[left_rows]
    same: np.ndarray = lengths == right.firsts[right_rows + 1] - right.firsts[right_rows]
    rows, lengths = np.flatnonzero(same), lengths[same]
    if not len(rows):
        return same
    begins = np.append(0, np.cumsum(lengths)[:-1])
    within = np.arange(lengths.sum()) - np.repeat(begins, lengths)
    ours = left.keys[np.repeat(left.firsts[left_rows[rows]], lengths) + within]
    theirs = right.keys[np.repeat(right.firsts[right_rows[rows]], lengths) + within]
    same[rows] = np.logical_and.reduceat(ours == theirs, begins)
    return same


def build_vocabulary(
    parts: Iterable[TokenArrays],
) -> tuple[Vocabulary, list[np.ndarray]]:
    """Return the vocabulary of tokens that come in parts, and the numbers of each part's.

    Two keys with one hash make it start again with other factors, so that none share a number.
    """
    parts = list(parts)
    longest = max((int(np.diff(part.firsts).max(initial=1)) for part in parts), default=1)
    for seed in range(100):
        factors = multipliers(longest, seed)
        hashed = [hashes(part, factors)[0] for part in parts]
        distinct = [np.unique(part, return_index=True) for part in hashed]
        shown = [take_tokens(part, rows) for part, (_, rows) in zip(parts, distinct, strict=True)]
        whole = _joined(shown)
        known, rows = np.unique(
            np.concatenate([np.empty(0, np.uint64), *(keys for keys, _ in distinct)]),
            return_index=True,
        )
        chosen = take_tokens(whole, rows)
        table = build_table(known, np.arange(1, len(known) + 1))
        vocabulary = Vocabulary(factors, table, chosen.firsts, chosen.keys)
        numbers = [np.searchsorted(known, part).astype(np.int64) for part in hashed]
        alike = (
            _same_keys(part, np.arange(len(part)), vocabulary, number).all()
            for part, number in zip(parts, numbers, strict=True)
        )
        if all(alike):
            return vocabulary, numbers
    raise ValueError("The tokens of the names collide whatever the hash; shorten the longest.")


def _joined(parts: list[TokenArrays]) -> TokenArrays:
    sizes = np.append(0, np.cumsum([len(part.keys) for part in parts], dtype=np.int64))
    firsts = [part.firsts[:-1] + size for part, size in zip(parts, sizes[:-1], strict=True)]
    keys = np.concatenate([np.empty(0, np.uint32), *(part.keys for part in parts)])
    starts, ends = (
        np.concatenate([np.empty(0, np.int64), *(getattr(part, name) for part in parts)])
        for name in ("starts", "ends")
    )
    return TokenArrays(starts, ends, np.concatenate([*firsts, sizes[-1:]]), keys)
