"""Mentions as the parts by which names are searched: tokens, initials and trigrams."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from kgfm.linking.candidate_arrays import Arrays, overlap_of, packed_grams
from kgfm.linking.codes import (
    BARRIER,
    FLAG,
    FOLD_TABLE,
    KIND_SHIFT,
    SYMBOL,
    TokenArrays,
    code_points,
    take_tokens,
    token_arrays,
)
from kgfm.linking.hashing import look_up
from kgfm.linking.overlap import Parts, parts_of_names, parts_of_queries
from kgfm.linking.vocabulary import Vocabulary

_FULL_STOP = ord(".")


@dataclass(frozen=True, slots=True)
class Query:
    """Mentions as parts, without their punctuation.

    Args:
        lengths: Code points of each mention.
        tokens: Tokens; those of one letter as initials.
        trigrams: Trigrams.
    """

    lengths: Int64[np.ndarray, "mention"]
    tokens: Parts
    trigrams: Parts


class MentionReader:
    """Reads mentions as the parts of an index.

    Args:
        vocabulary: Of the names.
        arrays: Of the index (:func:`~kgfm.linking.candidate_arrays.candidate_arrays`).
    """

    def __init__(self, vocabulary: Vocabulary, arrays: Arrays) -> None:
        self.vocabulary = vocabulary
        self.arrays = arrays
        self.tokens = overlap_of(arrays, "tokens")
        self.trigrams = overlap_of(arrays, "trigrams")

    def __call__(self, mentions: Sequence[str]) -> Query:
        """Return the parts of some mentions."""
        tokens = token_arrays(code_points(mentions))
        barrier = tokens.keys[tokens.firsts[:-1]] == BARRIER
        owner = np.cumsum(barrier) - barrier
        numbers = self.vocabulary.numbers(tokens)
        kept = np.flatnonzero(~barrier & ~self._marks(tokens, numbers))
        is_initial = self._is_initial(tokens, numbers, owner, kept)[kept]
        plain, owner, numbers = take_tokens(tokens, kept), owner[kept], numbers[kept]
        grams, gram_firsts = packed_grams(plain.keys, plain.firsts)
        known = look_up(self.arrays["gram_table"], grams, len(self.trigrams.weights)) - 1
        num = len(mentions)
        letters = self._letters(plain, np.flatnonzero(is_initial))
        return Query(
            np.bincount(owner, np.diff(plain.firsts), minlength=num).astype(np.int64),
            parts_of_queries(
                (owner[~is_initial], numbers[~is_initial]),
                num,
                self.tokens,
                (owner[is_initial], letters),
            ),
            parts_of_queries((np.repeat(owner, np.diff(gram_firsts)), known), num, self.trigrams),
        )

    def of_names(self, names: Int64[np.ndarray, "mention"]) -> Query:
        """Return the parts of names, as the index has them."""
        return Query(
            self.arrays["lengths"][names],
            parts_of_names(names, self.tokens),
            parts_of_names(names, self.trigrams),
        )

    def _marks(
        self, tokens: TokenArrays, numbers: Int64[np.ndarray, "token"]
    ) -> Bool[np.ndarray, "token"]:
        """Return which tokens are punctuation; an unknown symbol counts as such."""
        known = numbers >= 0
        marks = np.zeros(len(numbers), bool)
        marks[known] = self.arrays["is_mark"][numbers[known]]
        initials = tokens.keys[tokens.firsts[:-1]]
        FOLD_TABLE.cover(initials)
        kinds = FOLD_TABLE.table[initials] >> KIND_SHIFT
        marks |= ~known & ((kinds == SYMBOL) | (kinds == FLAG))
        return marks

    def _is_initial(
        self,
        tokens: TokenArrays,
        numbers: Int64[np.ndarray, "token"],
        owner: Int64[np.ndarray, "token"],
        plain: Int64[np.ndarray, "plain"],
    ) -> Bool[np.ndarray, "token"]:
        """Return which tokens are one letter beside longer tokens ("J. Smith").

        A function word ("a kiss") is one only with a full stop behind it.
        """
        is_initial = np.zeros(len(tokens), bool)
        lengths = np.diff(tokens.firsts)[plain]
        short = plain[lengths == 1]
        if not len(short):
            return is_initial
        longer = np.zeros(int(owner[-1]) + 1, bool)
        longer[owner[plain[lengths > 1]]] = True
        for token in short[longer[owner[short]]].tolist():
            letter = chr(tokens.keys[tokens.firsts[token]])
            number = numbers[token]
            stops = number >= 0 and self.arrays["is_stop"][number]
            followed = tokens.keys[tokens.firsts[token + 1]] == _FULL_STOP
            is_initial[token] = letter.upper() != letter and (followed or not stops)
        return is_initial

    def _letters(
        self, plain: TokenArrays, short: Int64[np.ndarray, "initial"]
    ) -> Int64[np.ndarray, "initial"]:
        """Return the number of each initial, -1 where no name has a token that begins so."""
        codes, known = plain.keys[plain.firsts[short]], self.arrays["letters"]
        place = np.searchsorted(known, codes)
        hit = known[np.minimum(place, len(known) - 1)] == codes if len(known) else codes < 0
        return np.where(hit, place, -1)
