"""Learn the weights of a ranking from texts with gold mentions.

Temperature and thresholds are chosen on texts that the weights in question were not learned from
(five folds); the weights that are kept are then learned from all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from kgfm.linking.candidate_features import OF_CONTEXT
from kgfm.linking.candidates import Candidates
from kgfm.linking.choice_model import (
    Choices,
    Logits,
    best_temperature,
    best_threshold,
    learn,
    logits,
    probabilities,
)
from kgfm.linking.choose import best_apart
from kgfm.linking.formats.document import Document
from kgfm.linking.ranking import CANDIDATE, SPAN, Ranking
from kgfm.linking.span_features import Places
from kgfm.linking.weights import LinkerWeights, Weights, kind_of

Part = tuple[Ranking, Sequence[Document]]
"""Texts with gold mentions, and what weighs their candidates."""
FindPlaces = Callable[[Sequence[str]], Places]
WholeNames = Callable[[Sequence[str]], Int64[np.ndarray, "text"]]

FOLDS, PENALTY = 5, 1.0
_OF_CONTEXT = [CANDIDATE.index(name) for name in OF_CONTEXT]
_OF_COHERENCE = [CANDIDATE.index("coherence")]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Spans with what is right for each.

    Args:
        texts: The texts.
        places: The spans.
        found: Their candidates.
        choices: The features.
        target: Place of the right candidate, -1 for NIL.
        gold: How many gold mentions have an entity in the graph, found or not.
    """

    texts: Sequence[str]
    places: Places
    found: Candidates
    choices: Choices
    target: Int64[np.ndarray, "span"]
    gold: int


def fit_weights(
    parts: Sequence[Part],
    find: FindPlaces,
    whole_names: WholeNames,
    *,
    seed: int = 0,
) -> LinkerWeights:
    """Return weights for each kind of ranking that the given ones have the features for.

    Args:
        parts: Texts with gold mentions, whose entities are keys of the graph or ``None``, and what
            weighs their candidates. Rankings of several parts differ by their encoders alone, each
            of which has not learned from its own part.
        find: The spans that the linker looks at.
        whole_names: The name that each of some strings is, or 0.
        seed: Deals the texts to the folds.

    Raises:
        ValueError: No gold mention has an entity of the graph, or there are fewer than two texts.
    """
    ranking, documents = parts[0][0], [one for _, own in parts for one in own]
    total = _gold(documents)
    if not total or len(documents) < 2:
        raise ValueError(
            f"Fitting needs two texts or more with mentions of entities in the graph; got "
            f"{len(documents)} texts with {total} such mentions."
        )
    free = _joined([_lesson(one, own, find([d.text for d in own])) for one, own in parts])
    bound = _joined(
        [_lesson(one, own, _gold_places(own, whole_names), given=True) for one, own in parts]
    )
    folds = np.random.default_rng(seed).permutation(len(documents)) % min(FOLDS, len(documents))
    kinds: dict[str, Weights] = {}
    for lesson, is_given in ((free, False), (bound, True)):
        for context in (False, True) if ranking.vectors is not None else (False,):
            own = _masked(lesson, context=context)
            for coherence in (False, True) if ranking.coherence else (False,):
                if coherence:
                    first = kinds[kind_of(coherence=False, context=context, given=is_given)]
                    own = _with_coherence(ranking, own, first, given=is_given)
                kind = kind_of(coherence=coherence, context=context, given=is_given)
                kinds[kind] = _learned(own, folds)
    return LinkerWeights(kinds)


def _lesson(
    ranking: Ranking, documents: Sequence[Document], places: Places, *, given: bool = False
) -> Lesson:
    """Return the spans that count, with features and what is right."""
    texts = [document.text for document in documents]
    gold = [{(m.start, m.end): m.entity for m in document.mentions} for document in documents]
    counted = [_counts(documents[t], gold[t], (s, e)) for t, s, e, _ in places.rows()]
    places = places.take(np.array(counted, bool))
    found, choices = ranking.choices(texts, places, given=given)
    target = np.full(len(places), -1, np.int64)
    for span, (text, start, end, _) in enumerate(places.rows()):
        entity = gold[text].get((start, end))
        if entity is not None:
            first, stop = found.indptr[span : span + 2].tolist()
            at = np.flatnonzero(found.rows[first:stop] == ranking.graph.row(entity))
            target[span] = first + at[0] if len(at) else -1
    return Lesson(texts, places, found, choices, target, _gold(documents))


def _gold(documents: Sequence[Document]) -> int:
    """Count the gold mentions of entities in the graph."""
    return sum(m.entity is not None for document in documents for m in document.mentions)


def _joined(lessons: Sequence[Lesson]) -> Lesson:
    """Return one lesson of the texts of all."""
    if len(lessons) == 1:
        return lessons[0]
    texts = np.cumsum([0, *(len(one.texts) for one in lessons)]).tolist()
    rows = np.cumsum([0, *(len(one.found.rows) for one in lessons)]).tolist()

    def columns(of: str, name: str) -> np.ndarray:
        return np.concatenate([getattr(getattr(one, of), name) for one in lessons])

    starts, ends, names = (columns("places", name) for name in ("starts", "ends", "names"))
    owners = [one.places.texts + shift for one, shift in zip(lessons, texts, strict=False)]
    bounds = [one.found.indptr[1:] + shift for one, shift in zip(lessons, rows, strict=False)]
    indptr = np.concatenate([[0], *bounds]).astype(np.int64)
    found = Candidates(
        indptr, *(columns("found", name) for name in ("rows", "names", "features", "scores"))
    )
    targets = [
        np.where(one.target < 0, -1, one.target + shift)
        for one, shift in zip(lessons, rows, strict=False)
    ]
    return Lesson(
        [text for one in lessons for text in one.texts],
        Places(np.concatenate(owners), starts, ends, names),
        found,
        Choices(indptr, columns("choices", "candidates"), columns("choices", "spans")),
        np.concatenate(targets),
        sum(one.gold for one in lessons),
    )


def _counts(
    document: Document, gold: dict[tuple[int, int], str | None], span: tuple[int, int]
) -> bool:
    start, end = document.evaluated or (0, len(document.text))
    if not start <= span[0] <= span[1] <= end:
        return False
    left_out = any(span[0] < m.end and m.start < span[1] for m in document.ignored)
    return span in gold or not left_out


def _gold_places(documents: Sequence[Document], whole_names: WholeNames) -> Places:
    rows = sorted({(t, m.start, m.end) for t, d in enumerate(documents) for m in d.mentions})
    names = whole_names([documents[t].text[start:end] for t, start, end in rows])
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    return Places(columns[0], columns[1], columns[2], names)


def _with_coherence(ranking: Ranking, lesson: Lesson, first: Weights, *, given: bool) -> Lesson:
    kind = kind_of(coherence=False, context=ranking.vectors is not None, given=given)
    weights = LinkerWeights({kind: first})
    parts = lesson.texts, lesson.places, lesson.found, lesson.choices
    return replace(lesson, choices=ranking.with_coherence(*parts, weights, given=given))


def _masked(lesson: Lesson, *, context: bool) -> Lesson:
    """Return the lesson without the columns that this kind does not use."""
    if context:
        return lesson
    features = lesson.choices.candidates.copy()
    features[:, _OF_CONTEXT] = 0
    return replace(lesson, choices=Choices(lesson.choices.indptr, features, lesson.choices.spans))


def _learned(lesson: Lesson, folds: Int64[np.ndarray, "text"]) -> Weights:
    """Return the weights of one kind."""
    fold = folds[lesson.places.texts]
    unseen = Logits(np.zeros(len(lesson.found.rows)), np.zeros(len(lesson.places)))
    for left_out in range(int(folds.max()) + 1):
        weights = learn(*_part(lesson, np.flatnonzero(fold != left_out)), penalty=PENALTY)
        found, mine = logits(lesson.choices, *weights), fold == left_out
        unseen.nil[mine] = found.nil[mine]
        of_mine = mine[lesson.choices.owners]
        unseen.candidates[of_mine] = found.candidates[of_mine]
    indptr = lesson.choices.indptr
    temperature = best_temperature(unseen, indptr, lesson.target)
    likely, _ = probabilities(unseen, indptr, temperature=temperature)
    candidate, span = learn(lesson.choices, lesson.target, penalty=PENALTY)
    return Weights(
        dict(zip(CANDIDATE, map(_short, candidate), strict=True)),
        dict(zip(SPAN, map(_short, span), strict=True)),
        _short(temperature),
        _short(_threshold(lesson, likely)),
        _short(float(np.mean(lesson.target < 0))),
    )


def _part(lesson: Lesson, rows: Int64[np.ndarray, "row"]) -> tuple[Choices, np.ndarray]:
    """Return some spans, and their targets among the candidates that are left."""
    choices = lesson.choices.take(rows)
    moved = lesson.target[rows] - lesson.choices.indptr[rows] + choices.indptr[:-1]
    return choices, np.where(lesson.target[rows] < 0, -1, moved)


def _threshold(lesson: Lesson, likely: Float64[np.ndarray, "candidate"]) -> float:
    """Return the threshold of highest F1 of the links that do not overlap."""
    scores, best = best_of_each(likely, lesson.found.indptr)
    apart = apart_mask(lesson.places, scores)
    right = (best == lesson.target) & (lesson.target >= 0)
    return best_threshold(scores[apart], right[apart], lesson.gold)


def best_of_each(
    likely: Float64[np.ndarray, "candidate"], indptr: Int64[np.ndarray, "boundary"]
) -> tuple[Float64[np.ndarray, "span"], Int64[np.ndarray, "span"]]:
    """Return the highest probability of each span and where it stands; 0 and -1 without any."""
    counts = np.diff(indptr)
    scores, places = np.zeros(len(counts)), np.full(len(counts), -1, np.int64)
    owners = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((-np.arange(len(likely)), likely, owners))  # of equals the first comes last
    lasts = indptr[1:][counts > 0] - 1
    places[counts > 0] = order[lasts]
    scores[counts > 0] = likely[order[lasts]]
    return scores, places


def apart_mask(places: Places, scores: Float64[np.ndarray, "span"]) -> Bool[np.ndarray, "span"]:
    """Return which spans of highest sum do not overlap in their texts."""
    kept = np.zeros(len(places), bool)
    rows = places.rows()
    bounds = np.flatnonzero(np.append(True, places.texts[1:] != places.texts[:-1]))
    for first, stop in zip(bounds.tolist(), [*bounds.tolist()[1:], len(rows)], strict=True):
        spans = [(rows[i][1], rows[i][2], float(scores[i])) for i in range(first, stop)]
        kept[[first + place for place in best_apart(spans)]] = True
    return kept


def _short(value: float) -> float:
    return round(float(value), 5)
