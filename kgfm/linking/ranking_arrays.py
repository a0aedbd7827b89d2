"""What the ranking of candidates reads of a graph, made once from its dictionary of names."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from kgfm.graph import KnowledgeGraph
from kgfm.graph.strings import StringTable
from kgfm.linking.alias_tokens import alias_tokens
from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.fold import tokens
from kgfm.linking.guard import STOP_WORDS

NAMES = ("commonness", "word_indptr", "words", "type_indptr", "types")
"""Names of the arrays: of each name, in how many names its rarest token stands, from 0 (in one
alone) to 1 (in all), by the logarithm; and for each entity the hashes of the words of its
description and of its types."""

_FACTOR = np.uint64(0x100000001B3)
_LONGEST = 32


def ranking_arrays(dictionary: NameDictionary) -> dict[str, np.ndarray]:
    """Return the arrays of a graph."""
    graph = dictionary.graph
    words = _words_of_table(graph.descriptions)
    types = _words_of_types(graph)
    return {
        "commonness": _commonness(dictionary),
        "word_indptr": words[0],
        "words": words[1],
        "type_indptr": types[0],
        "types": types[1],
    }


def word_hash(word: str) -> int:
    """Return the hash of a folded word."""
    codes = np.frombuffer(word[:_LONGEST].encode("utf-32-le", "surrogatepass"), "<u4")
    return int(hashes_of(codes.astype(np.uint64), np.array([0, len(codes)]))[0])


def hashes_of(
    codes: UInt64[np.ndarray, "code"], firsts: Int64[np.ndarray, "boundary"]
) -> UInt64[np.ndarray, "word"]:
    """Return ``sum of code * FACTOR ** (place + 1)`` of each word, modulo 2 ** 64."""
    if len(firsts) == 1:
        return np.empty(0, np.uint64)
    lengths = np.diff(firsts)
    place = np.arange(len(codes)) - np.repeat(firsts[:-1], lengths)
    powers = np.cumprod(np.full(_LONGEST, _FACTOR))
    parts = codes * powers[np.minimum(place, _LONGEST - 1)] * (place < _LONGEST).astype(np.uint64)
    return np.add.reduceat(parts, firsts[:-1])


def _words_of_table(
    table: StringTable,
) -> tuple[Int64[np.ndarray, "boundary"], UInt64[np.ndarray, "word"]]:
    """Return the hashes of the words of each string, without function words and single letters."""
    stop = np.array(sorted(map(word_hash, STOP_WORDS)), np.uint64)
    counts, words = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    for part in alias_tokens(table):
        hashes = hashes_of(part.tokens.keys.astype(np.uint64), part.tokens.firsts)
        long = np.diff(part.tokens.firsts) > 1
        kept = long & ~np.isin(hashes, stop)
        owner = np.repeat(np.arange(len(part.counts)), part.counts)
        counts.append(np.bincount(owner[kept], minlength=len(part.counts)))
        words.append(hashes[kept])
    return np.append(0, np.cumsum(np.concatenate(counts))), np.concatenate(words)


def _words_of_types(
    graph: KnowledgeGraph,
) -> tuple[Int64[np.ndarray, "boundary"], UInt64[np.ndarray, "word"]]:
    hashes = [
        np.array([word_hash(key) for key in tokens(name).keys if key not in STOP_WORDS], np.uint64)
        for name in graph.type_names
    ]
    lengths = np.array([len(one) for one in hashes], np.int64)
    ids = np.asarray(graph.type_ids)
    ends = np.append(0, np.cumsum(lengths[ids]))
    words = np.concatenate([np.empty(0, np.uint64), *(hashes[one] for one in ids.tolist())])
    return ends[np.asarray(graph.type_indptr)], words


def _commonness(dictionary: NameDictionary) -> Float32[np.ndarray, "name"]:
    names, numbers = dictionary.trie.name_tokens()
    commonness = np.zeros(len(dictionary) + 1, np.float32)
    if not len(names):
        return commonness
    held = np.bincount(numbers, minlength=len(dictionary.vocabulary))
    rarest = np.full(len(commonness), len(dictionary) + 1, np.int64)
    np.minimum.at(rarest, names, held[numbers])
    commonness[:] = np.log(np.maximum(1, rarest)) / np.log(len(dictionary) + 2)
    commonness[0] = 0
    return commonness
