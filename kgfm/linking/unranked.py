"""Linking by names alone, without weights: exact ones first, then what is like a name."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from kgfm.linking.choose import merged
from kgfm.linking.dictionary import spelling
from kgfm.linking.spans import Span, Spans
from kgfm.types import Mention

if TYPE_CHECKING:
    from kgfm.linking.names import Linker

MIN_SCORE = 0.05
Listed = tuple[tuple[str, float], ...]


def link(
    linker: Linker, texts: Sequence[str], find_spans: Spans | None
) -> list[tuple[Mention, ...]]:
    """Return the mentions of each text; ``find_spans`` says where else there may be one."""
    mentions = _exact(linker, texts)
    if find_spans is not None:
        spans = find_spans(texts)
        for own, more in zip(mentions, _others(linker, texts, mentions, spans), strict=True):
            own[:] = merged(own, more, overlapping=linker.overlapping)
    return [tuple(of_text) for of_text in mentions]


def link_spans(linker: Linker, text: str, spans: Sequence[Span]) -> list[Mention]:
    """Return a mention for each of some spans."""
    words = [text[start:end] for start, end in spans]
    listed_of = _alike(linker, words)
    mentions = []
    for place, (name, (start, end)) in enumerate(
        zip(linker.names.whole_names(words).tolist(), spans, strict=True)
    ):
        exact = linker.names.candidates(name, spelling(text, start, end)) if name else ()
        listed = exact or listed_of[place]
        least = _least(linker) if exact else linker.min_likeness
        key, score = listed[0] if listed and listed[0][1] >= least else (None, 0.0)
        mentions.append(Mention(start, end, words[place], key, score, listed))
    return mentions


def _exact(linker: Linker, texts: Sequence[str]) -> list[list[Mention]]:
    mentions: list[list[Mention]] = [[] for _ in texts]
    found = linker.names.scan(texts, longest=not linker.overlapping)
    columns = found.texts.tolist(), found.starts.tolist(), found.ends.tolist()
    for index, start, end, name in zip(*columns, found.names.tolist(), strict=True):
        mention = _mention(linker, texts[index], (start, end), name)
        if mention is not None:
            mentions[index].append(mention)
    return mentions


def _mention(linker: Linker, text: str, span: Span, name: int) -> Mention | None:
    start, end = span
    if end - start < linker.min_length:
        return None
    if linker.guard and linker.names.is_guarded(name, text, start, end):
        return None
    listed = linker.names.candidates(name, spelling(text, start, end))
    return _chosen(linker, text, span, listed, _least(linker))


def _least(linker: Linker) -> float:
    return MIN_SCORE if linker.min_score is None else linker.min_score


def _chosen(
    linker: Linker, text: str, span: Span, candidates: Listed, least: float
) -> Mention | None:
    """Return the mention of the best candidate, or NIL if that is kept."""
    start, end = span
    key, score = candidates[0] if candidates else (None, 0.0)
    if candidates and score >= least:
        return Mention(start, end, text[start:end], key, score, candidates)
    if linker.keep_nil:
        return Mention(start, end, text[start:end], None, 1 - score, candidates)
    return None


def _others(
    linker: Linker,
    texts: Sequence[str],
    mentions: Sequence[Sequence[Mention]],
    spans: Sequence[Sequence[Span]],
) -> list[list[Mention]]:
    """Return a mention for each span of the second source that is not linked already."""
    places: list[tuple[int, Span]] = []
    for index, of_text in enumerate(spans):
        known = {(mention.start, mention.end) for mention in mentions[index]}
        wanted = sorted({*of_text} - known)
        places += [(index, s) for s in wanted if s[1] - s[0] >= linker.min_length]
    listed = _alike(linker, [texts[index][start:end] for index, (start, end) in places])
    others: list[list[Mention]] = [[] for _ in texts]
    for (index, span), candidates in zip(places, listed, strict=True):
        mention = _chosen(linker, texts[index], span, candidates, linker.min_likeness)
        if mention is not None:
            others[index].append(mention)
    return others


def _alike(linker: Linker, spans: Sequence[str]) -> list[Listed]:
    """Return the candidates of each span whose names are like it, with the likeness."""
    if not linker.fuzzy:
        return [()] * len(spans)
    found = linker.candidates(spans)
    keys, rows = linker.graph.keys, found.rows.tolist()
    pairs = [(keys[row], s) for row, s in zip(rows, found.scores.tolist(), strict=True)]
    return [tuple(pairs[start:end]) for start, end in pairwise(found.indptr.tolist())]
