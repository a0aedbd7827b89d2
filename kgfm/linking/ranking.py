"""The candidates of spans with a calibrated probability each: all features, and the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Float64, Int64

from kgfm.linking import candidate_features, candidates, span_features
from kgfm.linking.candidate_features import NearWords, add_near_words, name_features
from kgfm.linking.candidates import CandidateIndex, Candidates
from kgfm.linking.choice_model import Choices, probabilities
from kgfm.linking.contexts import context_vectors, marked_vectors
from kgfm.linking.dictionary import MAX_CANDIDATES, NameDictionary, spelling
from kgfm.linking.kept import WORTH_KEEPING, beside, keep_arrays, kept_arrays
from kgfm.linking.ranking_arrays import NAMES, ranking_arrays
from kgfm.linking.span_features import Places
from kgfm.linking.type_vectors import TypeVectors
from kgfm.linking.weights import LinkerWeights, shipped_weights
from kgfm.vectors import Encode, NodeVectors

KIND = "ranking"
SURELY_NIL = 0.98
"""Spans that are NIL with this probability by their names are not read in their contexts one by
one."""
CANDIDATE, SPAN = candidate_features.FEATURES, span_features.FEATURES
_COHERENCE = CANDIDATE.index("coherence")
_CONTEXT, _TEXT_CONTEXT, _TYPE_CONTEXT = map(CANDIDATE.index, candidate_features.OF_CONTEXT)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Spans, their candidates, and how likely each is.

    Args:
        places: The spans.
        indptr: The candidates of span ``s`` are ``indptr[s]:indptr[s + 1]``.
        rows: Row of each entity in the graph.
        probabilities: Of each candidate.
        nil: Of NIL, for each span; with the candidates of a span it sums to one.
    """

    places: Places
    indptr: Int64[np.ndarray, "boundary"]
    rows: Int64[np.ndarray, "candidate"]
    probabilities: Float64[np.ndarray, "candidate"]
    nil: Float64[np.ndarray, "span"]


class Ranking:
    """Weighs the candidates of spans.

    Args:
        dictionary: The names of the graph.
        index: Finds candidates that are alike; ``None`` leaves those with the very name.
        coherence: Whether the candidates of a text speak for each other.
        encode: Reads entities and contexts, to compare them; ``None`` leaves that out.
    """

    def __init__(
        self,
        dictionary: NameDictionary,
        index: CandidateIndex | None = None,
        *,
        coherence: bool = True,
        encode: Encode | None = None,
    ) -> None:
        self.dictionary = dictionary
        self.graph = dictionary.graph
        self.index = index
        self.coherence = coherence
        self.encode = encode
        self.vectors = None if encode is None else NodeVectors.of(self.graph, encode)

    @cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """What the features read of the graph; kept beside a snapshot with many names."""
        folder = beside(self.graph.path, KIND)
        if folder is None or len(self.dictionary) < WORTH_KEEPING:
            return ranking_arrays(self.dictionary)
        kept = kept_arrays(folder, KIND, self.graph.fingerprint, NAMES)
        if kept is None:
            kept = ranking_arrays(self.dictionary)
            with suppress(OSError):  # it will be made again
                kept = keep_arrays(folder, KIND, self.graph.fingerprint, kept)
        return dict(kept)

    def rank(
        self, texts: Sequence[str], places: Places, weights: LinkerWeights, *, given: bool = False
    ) -> Ranked:
        """Return the probability of each candidate of each span.

        Args:
            texts: The texts.
            places: The spans in them.
            weights: Of the kind of this ranking.
            given: Somebody gave the spans, so that there is something to link in each.
        """
        found, choices = self.choices(texts, places, given=given)
        choices = self.with_coherence(texts, places, found, choices, weights, given=given)
        has_context = self.vectors is not None
        chosen = weights.of(coherence=self.coherence, context=has_context, given=given)
        scores = chosen.logits(choices, CANDIDATE, SPAN)
        return Ranked(places, found.indptr, found.rows, *probabilities(scores, found.indptr))

    def choices(
        self, texts: Sequence[str], places: Places, *, given: bool = False
    ) -> tuple[Candidates, Choices]:
        """Return the candidates, and all features but coherence."""
        found = self._candidates(texts, places, given=given)
        names = self.dictionary.arrays
        features = name_features(found, places, names["label_names"], self._fame)
        if len(found.rows):
            add_near_words(features, found, NearWords(texts, places), self.arrays)
        spans = span_features.span_features(texts, places, self.arrays["commonness"], self._bearers)
        choices = Choices(found.indptr, features, spans)
        if self.vectors is not None and len(found.rows):
            read = np.arange(len(places))
            if self._marks is not None and not given:
                read = _worth_reading(choices)
            if len(read):
                self._add_context(features, texts, places, found, read)
        return found, choices

    def with_coherence(
        self,
        texts: Sequence[str],
        places: Places,
        found: Candidates,
        choices: Choices,
        weights: LinkerWeights,
        *,
        given: bool = False,
    ) -> Choices:
        """Return the features with coherence, if it is asked for; ``weights`` say who is likely."""
        if not self.coherence or not len(found.rows):
            return choices
        has_context = self.vectors is not None
        first = weights.of(coherence=False, context=has_context, given=given)
        scores = first.logits(choices, CANDIDATE, SPAN)
        likely, _ = probabilities(scores, found.indptr)
        came = self._coherence(texts, places, found, likely)
        features = choices.candidates.copy()
        features[:, _COHERENCE] = np.log1p(came / self._usual)
        return Choices(choices.indptr, features, choices.spans)

    @cached_property
    def _fame(self) -> Float32[np.ndarray, "entity"]:
        """Logarithm of each entity's triples, over the mean of that in the graph."""
        fame: np.ndarray = np.log1p(self.graph.degree).astype(np.float32)
        fame -= fame.mean() if len(fame) else 0
        return fame

    @cached_property
    def _usual(self) -> float:
        """What comes from an entity to a neighbour where both have the mean number of triples."""
        from kgfm.linking.coherence import RESTART

        mean = float(self.graph.degree.mean()) if len(self.graph) else 0.0
        return RESTART * (1 - RESTART) / max(1.0, mean)

    # -- candidates -----------------------------------------------------------------------------

    @cached_property
    def _bearers(self) -> Int64[np.ndarray, "name"]:
        count = np.diff(self.dictionary.arrays["row_indptr"])
        count[:1] = 0
        return count

    def _candidates(
        self, texts: Sequence[str], places: Places, *, given: bool = False
    ) -> Candidates:
        """Return the candidates of each span; spans with the same words are looked up once.

        What is a name of two words or more means those who bear it; one of a single word also those
        with a longer name; other spans, and given ones of a word, also those whose names are alike.
        """
        words = [texts[text][start:end] for text, start, end, _ in places.rows()]
        name_of = dict(zip(words, places.names.tolist(), strict=True))
        number = {word: place for place, word in enumerate(name_of)}
        owner = np.array([number[word] for word in words], np.int64)
        if self.index is None:
            return _taken([self._bearing(name_of)], owner)
        whole: list[str] = []
        single: list[str] = []
        others: list[str] = []
        for word, name in name_of.items():
            kind = whole if len(word.split()) > 1 else others if given else single
            kind = kind if name else others
            kind.append(word)
        found = [self._bearing({word: name_of[word] for word in whole})]
        if single:
            names = np.array([name_of[word] for word in single], np.int64)
            found.append(self.index.of_names(single, names))
        if others:
            found.append(self.index(others))
        place = np.empty(len(number), np.int64)
        place[[number[word] for word in (*whole, *single, *others)]] = np.arange(len(number))
        return _taken(found, place[owner])

    def _bearing(self, name_of: Mapping[str, int]) -> Candidates:
        """Return those who bear the very names, with the features of a whole name."""
        names = np.fromiter(name_of.values(), np.int64, len(name_of))
        counts = np.minimum(self._bearers[names], MAX_CANDIDATES)
        indptr = np.append(0, np.cumsum(counts))
        first = self.dictionary.arrays["row_indptr"][names]
        shift = np.repeat(first - indptr[:-1], counts)
        rows = self.dictionary.arrays["rows"][shift + np.arange(indptr[-1])].astype(np.int64)
        features = np.ones((len(rows), len(candidates.FEATURES)), np.float32)
        features[:, 5] = 0
        bounds, sizes = indptr.tolist(), counts.tolist()
        for place, (word, name) in enumerate(name_of.items()):
            part = slice(bounds[place], bounds[place + 1])
            spelled = spelling(word, 0, len(word))
            if sizes[place] == 1:
                features[part, 1] = spelled in self.dictionary.spellings(name)
            elif name:
                bearers = self.dictionary.bearers(name, spelled)
                features[part, 1] = np.isin(rows[part], bearers)
        scores = np.where(features[:, 1] > 0, 1, 0.95).astype(np.float32)
        return Candidates(indptr, rows, np.repeat(names, counts), features, scores)

    # -- what the text says ---------------------------------------------------------------------

    @cached_property
    def _types(self) -> TypeVectors:
        assert self.encode is not None
        return TypeVectors(self.graph, self.encode)

    @property
    def _marks(self) -> tuple[str, str] | None:
        """What the encoder wants around a mention; ``None`` for one that reads whole texts."""
        return getattr(self.encode, "marks", None)

    def _add_context(
        self,
        features: Float32[np.ndarray, "candidate feature"],
        texts: Sequence[str],
        places: Places,
        found: Candidates,
        read: Int64[np.ndarray, "read"],
    ) -> None:
        """Write how like the candidates of some spans are to their contexts."""
        encode, some = self.encode, places.take(read)
        assert encode is not None
        assert self.vectors is not None
        if self._marks is None:
            window, whole = context_vectors(encode, texts, (some.texts, some.starts))
        else:
            spans = [(text, (start, end)) for text, start, end, _ in some.rows()]
            window, whole = marked_vectors(encode, texts, spans, self._marks)
        place = np.full(len(places), -1, np.int64)
        place[read] = np.arange(len(read))
        owners = place[np.repeat(np.arange(len(found)), np.diff(found.indptr))]
        of_read = np.flatnonzero(owners >= 0)
        owners = owners[of_read]
        rows, number = np.unique(found.rows[of_read], return_inverse=True)
        entity = self.vectors.entities(rows).astype(np.float32)[number]
        features[of_read, _CONTEXT] = (window[owners] * entity).sum(axis=1)
        features[of_read, _TEXT_CONTEXT] = (whole[owners] * entity).sum(axis=1)
        agreement = self._types.agreement(window, owners, found.rows[of_read])
        features[of_read, _TYPE_CONTEXT] = agreement

    def _coherence(
        self, texts: Sequence[str], places: Places, found: Candidates, likely: np.ndarray
    ) -> Float64[np.ndarray, "candidate"]:
        from kgfm.linking.coherence import WINDOW, coherence

        first_of: dict[tuple[int, int, str], int] = {}
        groups: list[int] = []  # the span that stands for all of the same words in a window
        windows, of_text = [0], -1
        group_of = np.zeros(len(places), np.int64)
        for span, (text, start, end, _) in enumerate(places.rows()):
            if text != of_text or len(groups) - windows[-1] >= WINDOW:
                if len(groups) > windows[-1]:
                    windows.append(len(groups))
                of_text = text
            key = (text, windows[-1], texts[text][start:end].lower())
            if key not in first_of:
                first_of[key] = len(groups)
                groups.append(span)
            group_of[span] = first_of[key]
        windows.append(len(groups))
        spans = np.array(groups, np.int64)
        counts = np.diff(found.indptr)[spans]
        indptr = np.append(0, np.cumsum(counts))
        kept = np.repeat(found.indptr[spans] - indptr[:-1], counts) + np.arange(indptr[-1])
        came = coherence(
            self.graph, np.array(windows, np.int64), indptr, found.rows[kept], likely[kept]
        )
        owners = np.repeat(np.arange(len(places)), np.diff(found.indptr))
        keys = group_of[owners] << 32 | found.rows
        known = np.repeat(np.arange(len(spans)), counts) << 32 | found.rows[kept]
        order = np.argsort(known, kind="stable")
        place = np.minimum(np.searchsorted(known[order], keys), len(known) - 1)
        hit = known[order][place] == keys
        result: np.ndarray = np.where(hit, came[order][place], 0.0)
        return result


def _worth_reading(choices: Choices) -> Int64[np.ndarray, "span"]:
    """Return the spans that are not surely NIL by their names alone."""
    weights = shipped_weights().of(coherence=False, context=False)
    _, nil = probabilities(weights.logits(choices, CANDIDATE, SPAN), choices.indptr)
    return np.flatnonzero(nil < SURELY_NIL)


def _taken(found: Sequence[Candidates], rows: Int64[np.ndarray, "span"]) -> Candidates:
    """Return the candidates of some mentions, counted through all of ``found``."""
    columns = [
        np.concatenate([getattr(one, name) for one in found])
        for name in ("rows", "names", "features", "scores")
    ]
    counts = np.concatenate([np.diff(one.indptr) for one in found])
    first = np.cumsum(counts) - counts
    indptr = np.append(0, np.cumsum(counts[rows]))
    kept = np.repeat(first[rows] - indptr[:-1], counts[rows]) + np.arange(indptr[-1])
    return Candidates(indptr, *(column[kept] for column in columns))
