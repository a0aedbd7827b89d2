"""What a :class:`~kgfm.linking.candidates.CandidateIndex` searches, made once from a dictionary."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int64, UInt32, UInt64

from kgfm.linking.acronyms import initials_index
from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.guard import punctuation_tokens, stop_tokens
from kgfm.linking.hashing import build_table
from kgfm.linking.overlap import Overlap, build_overlap

Arrays = Mapping[str, np.ndarray]

_OVERLAP = (
    "name_indptr",
    "parts",
    "part_indptr",
    "names",
    "weights",
    "inverse",
    "preference",
    "initials",
    "initial_weights",
)
_OWN = (
    "is_mark",
    "is_stop",
    "lengths",
    "letters",
    "gram_table",
    "initials.hashes",
    "initials.names",
)
NAMES = (*_OWN, *(f"{kind}.{name}" for kind in ("tokens", "trigrams") for name in _OVERLAP))
"""Names of the arrays: which tokens are punctuation, which of them or of the function words are
passed over, code points of each name, the code points that tokens begin with, trigram -> number +
1, the acronyms, and both overlaps."""


def candidate_arrays(dictionary: NameDictionary) -> dict[str, np.ndarray]:
    """Return the arrays of a dictionary's candidates."""
    vocabulary = dictionary.vocabulary
    is_mark = punctuation_tokens(vocabulary)
    is_stop = stop_tokens(vocabulary) | is_mark
    names, tokens = dictionary.trie.name_tokens()
    plain = ~is_mark[tokens]
    names, tokens = names[plain], tokens[plain]
    size = len(dictionary) + 1
    initials = initials_index(names, tokens, vocabulary, is_stop)
    packed, firsts = packed_grams(vocabulary.keys, vocabulary.firsts)
    distinct, grams = np.unique(packed, return_inverse=True)
    letters, letter = np.unique(vocabulary.keys[vocabulary.firsts[:-1]], return_inverse=True)
    words = build_overlap(
        names,
        tokens,
        size,
        len(vocabulary),
        power=1,
        degree=_degree(dictionary),
        initials=letter,
    )
    lengths = np.bincount(names, np.diff(vocabulary.firsts)[tokens], minlength=size)
    count = np.diff(firsts)[tokens]
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    grams = grams[np.repeat(firsts[tokens], count) + within]
    trigrams = build_overlap(np.repeat(names, count), grams, size, len(distinct), power=2)
    arrays = {
        "is_mark": is_mark,
        "is_stop": is_stop,
        "lengths": lengths.astype(np.int64),
        "letters": letters,
        "gram_table": build_table(distinct, np.arange(1, len(distinct) + 1)),
        "initials.hashes": initials.hashes,
        "initials.names": initials.names,
    }
    for kind, overlap in (("tokens", words), ("trigrams", trigrams)):
        arrays |= {f"{kind}.{name}": getattr(overlap, name) for name in _OVERLAP}
    return arrays


def _degree(dictionary: NameDictionary) -> Int64[np.ndarray, "name"]:
    """Return the degree of the best known bearer of each name, which comes first among them."""
    first = dictionary.arrays["row_indptr"][:-1]
    degree = np.zeros(len(first), np.int64)
    borne = np.diff(dictionary.arrays["row_indptr"]) > 0
    degree[borne] = dictionary.graph.degree[dictionary.arrays["rows"][first[borne]]]
    return degree


def overlap_of(arrays: Arrays, kind: str) -> Overlap:
    """Return one of the two overlaps among the arrays: ``tokens`` or ``trigrams``."""
    return Overlap(**{name: arrays[f"{kind}.{name}"] for name in _OVERLAP})


def packed_grams(
    keys: UInt32[np.ndarray, "key"], firsts: Int64[np.ndarray, "boundary"]
) -> tuple[UInt64[np.ndarray, "gram"], Int64[np.ndarray, "boundary"]]:
    """Return the grams of each key, and where each key's begin.

    They are the initial, for "J." to be like "John"; then the trigram around each code point, a
    space before and behind the key.
    """
    codes = keys.astype(np.uint64)
    before, after = np.full(len(codes), 32, np.uint64), np.full(len(codes), 32, np.uint64)
    before[1:], after[:-1] = codes[:-1], codes[1:]
    before[firsts[:-1]] = 32
    after[firsts[1:] - 1] = 32
    trigrams = before << np.uint64(42) | codes << np.uint64(21) | after
    return np.insert(trigrams, firsts[:-1], codes[firsts[:-1]]), firsts + np.arange(len(firsts))
