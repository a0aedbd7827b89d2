"""Acronyms: "EEC" for "European Economic Community", and the other way round."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.fold import fold, tokens
from kgfm.linking.guard import STOP_WORDS
from kgfm.linking.vocabulary import Vocabulary, multipliers

_MOST = 8
_FACTORS = multipliers(_MOST, seed=0)
_ACRONYM = re.compile(r"(?:[^\W\d_]\.?\s?){2,8}")


@dataclass(frozen=True, slots=True)
class InitialsIndex:
    """Names of two tokens and more by the hash of their initials.

    Args:
        hashes: Ascending.
        names: The name of each.
    """

    hashes: UInt64[np.ndarray, "entry"]
    names: Int64[np.ndarray, "entry"]


def initials_index(
    names: Int64[np.ndarray, "token"],
    tokens: Int64[np.ndarray, "token"],
    vocabulary: Vocabulary,
    is_stop: Bool[np.ndarray, "word"],
) -> InitialsIndex:
    """Index names by the initials of all their tokens, and of those that are no function words."""
    if not len(tokens):
        return InitialsIndex(np.empty(0, np.uint64), np.empty(0, np.int64))
    initials = vocabulary.keys[vocabulary.firsts[:-1]]
    whole = _hashed(names, initials[tokens])
    content = ~is_stop[tokens]
    short = _hashed(names[content], initials[tokens[content]])
    hashes, owners = (np.concatenate(pair) for pair in zip(whole, short, strict=True))
    order = np.lexsort((owners, hashes))
    return InitialsIndex(hashes[order], owners[order])


def _hashed(
    names: Int64[np.ndarray, "token"], initials: np.ndarray
) -> tuple[UInt64[np.ndarray, "name"], Int64[np.ndarray, "name"]]:
    """Return the hash of the initials of each name of 2 to 8 tokens, and the names."""
    begins = np.flatnonzero(np.append(True, names[1:] != names[:-1])[: len(names)])
    if not len(begins):
        return np.empty(0, np.uint64), np.empty(0, np.int64)
    counts = np.diff(np.append(begins, len(names)))
    place = np.arange(len(names)) - np.repeat(begins, counts)
    products = initials.astype(np.uint64) * _FACTORS.take(place, mode="clip")
    sums = np.add.reduceat(products, begins)
    fit = (counts >= 2) & (counts <= _MOST)
    return sums[fit], names[begins[fit]]


def initials_of(
    mentions: Sequence[str], index: InitialsIndex, dictionary: NameDictionary, count: int
) -> tuple[Int64[np.ndarray, "hit"], Int64[np.ndarray, "hit"]]:
    """Return (mention, name) where one is an acronym of the other, at most ``count`` a mention.

    A mention in capitals, with or without full stops, may be the acronym of a name; one of several
    tokens may have a name that is its acronym.
    """
    owners: list[int] = []
    names: list[int] = []
    wanted: list[tuple[int, str]] = []
    for mention, text in enumerate(mentions):
        if len(text) <= 3 * _MOST and text.isupper() and _ACRONYM.fullmatch(text.strip()):
            letters = fold("".join(c for c in text if c.isalpha()))
            found = _with_initials(letters, index)[:count]
            names += found
            owners += [mention] * len(found)
        elif not text.isalnum():  # it may have several tokens
            wanted += [(mention, short) for short in _acronyms(text)]
    if wanted:
        matches = dictionary.scan([short for _, short in wanted])
        for at, name in zip(matches.texts.tolist(), matches.names.tolist(), strict=True):
            owners.append(wanted[at][0])
            names.append(name)
    return np.array(owners, np.int64), np.array(names, np.int64)


def _with_initials(letters: str, index: InitialsIndex) -> list[int]:
    if not 2 <= len(letters) <= _MOST:
        return []
    codes = np.array([ord(letter) for letter in letters], np.uint64)
    key = np.sum(codes * _FACTORS[: len(codes)], dtype=np.uint64)
    first, last = np.searchsorted(index.hashes, [key, key + np.uint64(1)])
    return list(dict.fromkeys(index.names[first:last].tolist()))


def _acronyms(text: str) -> set[str]:
    """Return the initials of a text of several words, with and without function words."""
    words = [key for key in tokens(text).keys if key[0].isalpha()][: _MOST + 1]
    content = [key for key in words if key not in STOP_WORDS]
    return {"".join(key[0] for key in kept) for kept in (words, content) if 2 < len(kept) <= _MOST}
