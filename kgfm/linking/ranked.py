"""From texts to the spans that are ranked, and from ranked spans to mentions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Bool

from kgfm.graph import KnowledgeGraph
from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.fitting import apart_mask, best_of_each
from kgfm.linking.guard import means_the_name
from kgfm.linking.ranking import Ranked
from kgfm.linking.scan import Matches
from kgfm.linking.span_features import Places
from kgfm.linking.spans import Span, Spans
from kgfm.types import Mention

ARTICLE = "the "
MOST_LISTED = 64
"""So many candidates of a mention are listed."""


def find_places(
    texts: Sequence[str],
    names: NameDictionary,
    others: Spans | None,
    *,
    guard: bool,
    min_length: int,
) -> Places:
    """Return all names in the texts, overlapping ones too, and the spans of a second source.

    Of "the Netherlands" and "Netherlands" only the second is there (:func:`_article_mask`).
    """
    places = _places_of(names.scan(texts, longest=False))
    kept = places.ends - places.starts >= min_length
    if guard:
        rows = places.rows()
        for place in np.flatnonzero(kept).tolist():
            text, start, end, name = rows[place]
            kept[place] = not names.is_guarded(name, texts[text], start, end)
    places = places.take(kept)
    if others is None:
        return places.take(~_article_mask(texts, places, names))
    known = {row[:3] for row in places.rows()}
    more = {
        (text, start, end)
        for text, spans in enumerate(others(texts))
        for start, end in spans
        if end - start >= min_length and texts[text][start:end].strip()
    } - known
    rows = sorted([*places.rows(), *((*row, 0) for row in more)])
    places = Places(*np.array(rows, np.int64).reshape(-1, 4).T)
    return places.take(~_article_mask(texts, places, names))


def _article_mask(
    texts: Sequence[str], places: Places, names: NameDictionary
) -> Bool[np.ndarray, "span"]:
    """Return which spans are another one and an article that is no part of the name there.

    The article counts as part of the name where its capital stands for the name's sake ("saw The
    Who"), or where no one bears both names.
    """

    @cache
    def share_a_bearer(name: int, inner: int) -> bool:
        return bool(np.isin(names.rows(name), names.rows(inner)).any())

    found = np.zeros(len(places), bool)
    known = {row[:3]: row[3] for row in places.rows()}
    for place, (text, start, end, name) in enumerate(places.rows()):
        words = texts[text]
        if words[start : start + len(ARTICLE)].lower() != ARTICLE:
            continue
        inner = known.get((text, start + len(ARTICLE), end))
        if inner is None or (words[start] == "T" and means_the_name(words, start, start + 3)):
            continue
        found[place] = not name or share_a_bearer(name, inner)
    return found


def _places_of(found: Matches) -> Places:
    columns = (found.texts, found.starts, found.ends, found.names)
    return Places(*(column.astype(np.int64) for column in columns))


def given_places(
    texts: Sequence[str], spans: Sequence[Sequence[Span]], names: NameDictionary
) -> Places:
    """Return given spans, with the names that they are."""
    rows = [(text, start, end) for text, own in enumerate(spans) for start, end in own]
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    whole = names.whole_names([texts[text][start:end] for text, start, end in rows])
    return Places(columns[0], columns[1], columns[2], whole)


def mentions_of(
    texts: Sequence[str],
    ranked: Ranked,
    graph: KnowledgeGraph,
    *,
    threshold: float,
    overlapping: bool,
    keep_nil: bool,
) -> list[list[Mention]]:
    """Return the mentions of each text, with those that are NIL if they are kept.

    Of linked mentions that overlap, those stay whose probabilities sum to the most, unless
    ``overlapping`` ones are wanted too. The score of NIL is the probability of NIL and of all that
    is not likely enough.
    """
    scores, _ = best_of_each(ranked.probabilities, ranked.indptr)
    linked = scores >= max(threshold, 1e-12)
    if not overlapping:
        chosen = np.flatnonzero(linked)
        linked[chosen] = apart_mask(ranked.places.take(chosen), scores[chosen])
    mentions: list[list[Mention]] = [[] for _ in texts]
    keys, bounds = graph.keys, ranked.indptr.tolist()
    for span, (text, start, end, _) in enumerate(ranked.places.rows()):
        if not (linked[span] or keep_nil):
            continue
        part = slice(bounds[span], bounds[span + 1])
        likely, rows = ranked.probabilities[part], ranked.rows[part]
        order = np.argsort(-likely, kind="stable")[:MOST_LISTED].tolist()
        listed = tuple((keys[int(rows[place])], float(likely[place])) for place in order)
        words, entity, score = texts[text][start:end], None, float(1 - scores[span])
        if linked[span]:
            entity, score = listed[0]
        mentions[text].append(Mention(start, end, words, entity, score, listed))
    return mentions
