"""What speaks for a candidate beyond its name: how known it is, and the words around the mention.

The figures of a name are those of :data:`kgfm.linking.candidates.FEATURES`; here the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64

from kgfm.linking import candidates
from kgfm.linking.candidates import Candidates
from kgfm.linking.codes import BARRIER, code_points, token_arrays
from kgfm.linking.ranking_arrays import hashes_of
from kgfm.linking.span_features import Places

OF_CONTEXT = ("context", "text_context", "type_context")
FEATURES = (
    *candidates.FEATURES,
    "below_best",
    "degree",
    "label",
    "typed",
    "types",
    "description",
    "named_elsewhere",
    "coherence",
    *OF_CONTEXT,
)
"""Columns of the features of a candidate: those of its name; how far its likeness is below the best
of the span; logarithm of its triples over the graph's mean; the name is its label; it has types at
all; a word of them, and how many of its description, stand near; a longer mention of the text has
its name; and, where they are computed, coherence, and what an encoder says: how like its own text
is to the window and to the whole text, and its types to the window."""

NEAR = 400
"""Characters of a block; the words of a mention's block and of the two around it are near."""
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_ENOUGH_WORDS = 3


def name_features(
    found: Candidates, places: Places, label_names: np.ndarray, fame: np.ndarray
) -> Float32[np.ndarray, "candidate feature"]:
    """Return all features, those that need the texts or the graph's edges still 0."""
    features = np.zeros((len(found.rows), len(FEATURES)), np.float32)
    column = {name: place for place, name in enumerate(FEATURES)}
    features[:, : found.features.shape[1]] = found.features
    counts = np.diff(found.indptr)
    filled = counts > 0
    best = np.zeros(len(counts), np.float32)
    best[filled] = np.maximum.reduceat(found.scores, found.indptr[:-1][filled])
    owners = np.repeat(np.arange(len(counts)), counts)
    features[:, column["below_best"]] = best[owners] - found.scores
    features[:, column["degree"]] = fame[found.rows]
    features[:, column["label"]] = label_names[found.rows] == found.names
    features[:, column["named_elsewhere"]] = named_elsewhere(found, owners, places)
    return features


def named_elsewhere(
    found: Candidates, owners: Int64[np.ndarray, "candidate"], places: Places
) -> Bool[np.ndarray, "candidate"]:
    """Return which candidates have a longer mention in the same text that is a name of theirs."""
    length = (places.ends - places.starts)[owners]
    is_name = found.features[:, 0] > 0
    key = places.texts[owners] << 32 | found.rows
    keys, place = np.unique(key, return_inverse=True)
    longest = np.zeros(len(keys), np.int64)
    np.maximum.at(longest, place[is_name], length[is_name])
    is_longer: np.ndarray = longest[place] > length
    return is_longer


class NearWords:
    """The words of texts by blocks, as hashes, to be compared with words of entities.

    Args:
        texts: The texts.
        places: The mentions; their own words count for nothing.
    """

    def __init__(self, texts: Sequence[str], places: Places) -> None:
        tokens = token_arrays(code_points(texts))
        hashes = hashes_of(tokens.keys.astype(np.uint64), tokens.firsts)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        bounds = np.cumsum(lengths) - lengths
        text = np.searchsorted(bounds, tokens.starts, "right") - 1
        plain = tokens.keys[tokens.firsts[:-1]] != BARRIER
        begins = tokens.starts - bounds[text]
        blocks = _block_bounds(lengths)
        self._words = np.unique(_mixed(hashes, blocks[text] + begins // NEAR)[plain])
        self._blocks = blocks[places.texts] + places.starts // NEAR
        first = np.searchsorted(tokens.starts, bounds[places.texts] + places.starts)
        stop = np.searchsorted(tokens.starts, bounds[places.texts] + places.ends)
        count = stop - first
        own = np.repeat(first - np.append(0, np.cumsum(count)[:-1]), count)
        span = np.repeat(np.arange(len(places)), count)
        self._own = np.unique(_mixed(hashes[own + np.arange(len(own))], span))

    def count(
        self,
        owners: Int64[np.ndarray, "candidate"],
        rows: Int64[np.ndarray, "candidate"],
        lists: tuple[Int64[np.ndarray, "boundary"], UInt64[np.ndarray, "word"]],
    ) -> Int64[np.ndarray, "candidate"]:
        """Return how many words of each candidate stand near its mention.

        Args:
            owners: The mention of each candidate.
            rows: The entity of each.
            lists: The words of each entity: where they begin, and the words.
        """
        indptr, words = lists
        counts = indptr[rows + 1] - indptr[rows]
        ends = np.cumsum(counts)
        shift = np.repeat(indptr[rows] - (ends - counts), counts)
        candidate = np.repeat(np.arange(len(rows)), counts)
        hashes, span = words[shift + np.arange(len(shift))], owners[candidate]
        near = np.zeros(len(hashes), bool)
        for step in (-1, 0, 1):
            near |= _is_in(_mixed(hashes, self._blocks[span] + step), self._words)
        near &= ~_is_in(_mixed(hashes, span), self._own)
        found: np.ndarray = np.bincount(candidate[near], minlength=len(rows))
        return found


def add_near_words(
    features: Float32[np.ndarray, "candidate feature"],
    found: Candidates,
    near: NearWords,
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Fill in what the words near a mention say of types and description."""
    owners = np.repeat(np.arange(len(found)), np.diff(found.indptr))
    first = arrays["type_indptr"]
    features[:, FEATURES.index("typed")] = first[found.rows + 1] > first[found.rows]
    types = near.count(owners, found.rows, (first, arrays["types"]))
    words = near.count(owners, found.rows, (arrays["word_indptr"], arrays["words"]))
    features[:, FEATURES.index("types")] = types > 0
    features[:, FEATURES.index("description")] = np.minimum(words / _ENOUGH_WORDS, 1)


def _block_bounds(lengths: Int64[np.ndarray, "text"]) -> Int64[np.ndarray, "text"]:
    """Return the number of each text's first block; no block of one is beside one of another."""
    blocks = lengths // NEAR + 3
    first: np.ndarray = np.cumsum(blocks) - blocks + 1
    return first


def _mixed(
    hashes: UInt64[np.ndarray, "word"], place: Int64[np.ndarray, "word"]
) -> UInt64[np.ndarray, "word"]:
    mixed: np.ndarray = hashes + place.astype(np.uint64) * _SPREAD
    return mixed


def _is_in(
    keys: UInt64[np.ndarray, "key"], known: UInt64[np.ndarray, "known"]
) -> Bool[np.ndarray, "key"]:
    if not len(known):
        return np.zeros(len(keys), bool)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    is_in: np.ndarray = known[place] == keys
    return is_in
