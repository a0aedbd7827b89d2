"""Which entities a mention may mean when its exact name is not enough: partial names, typos, ..."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

from kgfm.linking.acronyms import InitialsIndex, initials_of
from kgfm.linking.bearers import Limits
from kgfm.linking.candidate_arrays import NAMES, Arrays, candidate_arrays, overlap_of
from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.kept import WORTH_KEEPING, beside, keep_arrays, kept_arrays
from kgfm.linking.mention_parts import MentionReader, Query
from kgfm.linking.overlap import Parts
from kgfm.linking.search import Search

KIND = "candidates"

FEATURES = (
    "same_name",
    "same_spelling",
    "trigrams",
    "mention_covered",
    "name_covered",
    "acronym",
    "length_ratio",
)
"""Columns of :attr:`Candidates.features`, each from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of several mentions, most alike first.

    Args:
        indptr: Those of mention ``m`` are ``indptr[m]:indptr[m + 1]`` in the other arrays.
        rows: Row of each entity in the graph; none twice for one mention.
        names: The name of it that is most like the mention.
        features: How the two are alike, by the columns :data:`FEATURES`: the same folded name; the
            same spelling; cosine of the character trigrams; share of the mention's tokens, by
            weight, that the name holds; share of the name's that the mention holds; one is an
            acronym of the other; length of the shorter over that of the longer.
        scores: One figure of all that (:func:`likeness`).
    """

    indptr: Int64[np.ndarray, "boundary"]
    rows: Int64[np.ndarray, "candidate"]
    names: Int64[np.ndarray, "candidate"]
    features: Float32[np.ndarray, "candidate feature"]
    scores: Float32[np.ndarray, "candidate"]

    def __len__(self) -> int:
        return len(self.indptr) - 1


def likeness(
    features: Float32[np.ndarray, "candidate feature"],
) -> Float32[np.ndarray, "candidate"]:
    """Return one figure from 0 to 1 for each row of features.

    Without training: 1 for the same spelling and .95 for the same name; else the highest of the
    cosine of trigrams, .9 times the covered share of the mention and a quarter of that of the
    name, and .7 for an acronym, and at most .9.
    """
    column = dict(zip(FEATURES, features.T, strict=True))
    partial = 0.65 * column["mention_covered"] + 0.25 * column["name_covered"]
    fuzzy = np.maximum.reduce([column["trigrams"], partial, 0.7 * column["acronym"]])
    whole = np.where(column["same_spelling"] > 0, 1, 0.95)
    best: np.ndarray = np.where(column["same_name"] > 0, whole, np.minimum(fuzzy, 0.9))
    return best.astype(np.float32)


class CandidateIndex:
    """Finds names that are like a mention: the same, a part, an acronym, or alike in trigrams.

    Args:
        dictionary: The names.
        arrays: What :func:`~kgfm.linking.candidate_arrays.candidate_arrays` gives for it, some 250
            bytes a name; made if not given.
        limits: How many candidates there are at most.
        compiled: As in :class:`~kgfm.linking.scan.Scanner`.
    """

    def __init__(
        self,
        dictionary: NameDictionary,
        arrays: Arrays | None = None,
        *,
        limits: Limits = Limits(),  # noqa: B008 - immutable
        compiled: bool | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.arrays = candidate_arrays(dictionary) if arrays is None else arrays
        self.limits = limits
        self.tokens = overlap_of(self.arrays, "tokens")
        self.trigrams = overlap_of(self.arrays, "trigrams")
        self._initials = InitialsIndex(
            self.arrays["initials.hashes"], self.arrays["initials.names"]
        )
        self._reader = MentionReader(dictionary.vocabulary, self.arrays)
        self._search = Search(compiled)

    @classmethod
    def load_or_build(cls, dictionary: NameDictionary) -> CandidateIndex:
        """Return the index of a graph's names: the one kept beside its snapshot, or a new one.

        A new one is kept if there are enough names to make it worth it, and a place to write to.
        """
        graph = dictionary.graph
        folder = beside(graph.path, KIND)
        if folder is None or len(dictionary) < WORTH_KEEPING:
            return cls(dictionary)
        kept = kept_arrays(folder, KIND, graph.fingerprint, NAMES)
        if kept is None:
            kept = candidate_arrays(dictionary)
            with suppress(OSError):
                kept = keep_arrays(folder, KIND, graph.fingerprint, kept)
        return cls(dictionary, kept)

    def __call__(self, mentions: Sequence[str]) -> Candidates:
        """Return the candidates of each mention."""
        query = self._reader(mentions)
        hits = self._by_trigrams(query), self._by_tokens(query)
        return self._gathered(mentions, self.dictionary.whole_names(mentions), query, hits)

    def of_names(self, mentions: Sequence[str], names: Int64[np.ndarray, "mention"]) -> Candidates:
        """Return the candidates of mentions that are names, without those alike in trigrams alone.

        Args:
            mentions: As they are spelled.
            names: The name that the whole of each is.
        """
        query = self._reader.of_names(names)
        return self._gathered(mentions, names, query, [self._by_tokens(query)])

    def _gathered(
        self,
        mentions: Sequence[str],
        exact: Int64[np.ndarray, "mention"],
        query: Query,
        hits: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> Candidates:
        """Return the bearers of the names that were found, of the very name and of acronyms."""
        acronyms = self._by_acronym(mentions)
        found = [(np.flatnonzero(exact), exact[exact > 0]), *hits, acronyms]
        owners, names = (np.concatenate(c) for c in zip(*found, strict=True))
        pairs = np.unique(owners.astype(np.int64) << 32 | names)
        owners, names = pairs >> 32, pairs & 0xFFFFFFFF
        features = self._features(query, owners, names)
        features[:, 0] = exact[owners] == names
        if len(acronyms[0]):
            features[:, 5] = np.isin(pairs, acronyms[0].astype(np.int64) << 32 | acronyms[1])
        spelled = self._spelled(mentions, exact)
        bearers = self.dictionary.arrays["row_indptr"], self.dictionary.arrays["rows"]
        scores = likeness(features)
        rows, pair, is_spelled = self._search.bearers(
            (owners, names),
            (scores, features[:, 0]),
            spelled,
            (*bearers, self.dictionary.graph.degree),
            self.limits,
        )
        features = features[pair]
        features[:, 1] = is_spelled
        counts = np.bincount(owners[pair], minlength=len(mentions))
        indptr = np.append(0, np.cumsum(counts))
        scores = np.where(is_spelled, np.float32(1), scores[pair])
        return Candidates(indptr, rows, names[pair], features, scores)

    def by_trigrams(
        self, mentions: Sequence[str]
    ) -> tuple[Int64[np.ndarray, "hit"], Int64[np.ndarray, "hit"]]:
        """Return (mention, name) of the names most alike in their trigrams alone, best first."""
        return self._by_trigrams(self._reader(mentions))

    # -- ways to a name -------------------------------------------------------------------------

    def _by_trigrams(self, query: Query) -> tuple[np.ndarray, np.ndarray]:
        totals = np.maximum(query.trigrams.totals, 1)
        factors = np.zeros(len(totals)), totals**-0.5
        return self._search.top_names(
            query.trigrams, self.trigrams, factors, self.limits.trigrams, prunes=True
        )

    def _by_tokens(self, query: Query) -> tuple[np.ndarray, np.ndarray]:
        """Return the names that share the most with the mention and hold one of its rare tokens.

        Of names that share as much, those come first that have the fewest tokens besides.
        """
        tokens = query.tokens
        factors = 1 / np.maximum(tokens.totals, 1), 0.1 / np.maximum(tokens.totals, 1)
        return self._search.top_names(
            tokens, self.tokens, factors, self.limits.tokens, searched=self._rare(tokens)
        )

    def _rare(self, tokens: Parts) -> Bool[np.ndarray, "part"]:
        """Return which tokens not very many names hold; the heaviest of a mention always counts."""
        held = np.diff(self.tokens.part_indptr)[tokens.parts]
        frequent = held > max(1000, len(self.dictionary) // 50)
        rare: np.ndarray = ~(frequent | self.arrays["is_stop"][tokens.parts])
        rare[tokens.indptr[:-1][np.diff(tokens.indptr) > 0]] = True
        return rare

    def _by_acronym(self, mentions: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return initials_of(mentions, self._initials, self.dictionary, self.limits.acronyms)

    # -- features, and entities -----------------------------------------------------------------

    def _features(
        self,
        query: Query,
        owners: Int64[np.ndarray, "pair"],
        names: Int64[np.ndarray, "pair"],
    ) -> Float32[np.ndarray, "pair feature"]:
        features = np.zeros((len(names), len(FEATURES)), np.float32)
        shared = self._search.shared_weights(query.trigrams, self.trigrams, (owners, names))
        norm = np.maximum(query.trigrams.totals, 1) ** -0.5
        features[:, 2] = shared * norm[owners] * self.trigrams.inverse[names]
        shared = self._search.shared_weights(query.tokens, self.tokens, (owners, names))
        features[:, 3] = shared / np.maximum(query.tokens.totals, 1)[owners]
        features[:, 4] = shared * self.tokens.inverse[names]
        pair = query.lengths[owners], self.arrays["lengths"][names]
        features[:, 6] = np.minimum(*pair) / np.maximum(1, np.maximum(*pair))
        return np.minimum(features, 1)

    def _spelled(
        self, mentions: Sequence[str], exact: Int64[np.ndarray, "mention"]
    ) -> tuple[Int64[np.ndarray, "spelled"], Int64[np.ndarray, "spelled"]]:
        """Return (mention, row) of those whose name is spelled just like the mention."""
        owners: list[int] = []
        rows: list[int] = []
        for mention, name in enumerate(exact.tolist()):
            if name:
                spelled = " ".join(mentions[mention].split())
                bearers = self.dictionary.bearers(name, spelled).tolist()
                rows += bearers
                owners += [mention] * len(bearers)
        return np.array(owners, np.int64), np.array(rows, np.int64)
