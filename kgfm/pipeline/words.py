"""The second linker: words of a text that are entities, and nothing that the text is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgfm.batch import Prepared
from kgfm.linking import LINKERS, BaseLinker
from kgfm.retrieval import ask
from kgfm.types import Asked, Example, Mention, about_spans

Spans = Sequence[tuple[int, int]]


def with_words(
    linker: BaseLinker | None,
    examples: Sequence[Example],
    asked: Sequence[Sequence[Asked]],
    graph: Any,
) -> list[list[Asked]]:
    """Add to what is asked the words that a linker finds.

    A word that shares a character with a mention, linked or not, is none: words inside of a name
    are part of it. Nor is one inside of what is asked about.

    Args:
        linker: Finds the words; ``None`` finds none.
        examples: What is asked.
        asked: Of each example, each of the texts that are read for it.
        graph: Knows the rows of entities by key.
    """
    if linker is None:
        return [list(questions) for questions in asked]
    pairs = [(e, one) for e, questions in zip(examples, asked, strict=True) for one in questions]
    found = _found(linker, [one.text for e, one in pairs if e.words is None or one.text != e.text])
    # What several rows of an example share, they share with its words too.
    made = {id(one): _with(one, found.get(one.text, ()), e, graph) for e, one in pairs}
    return [[made[id(one)] for one in questions] for questions in asked]


def with_own_words(linker: BaseLinker | None, examples: Sequence[Example]) -> list[Example]:
    """Say of each example which its words are, so that they stay when it is asked in parts."""
    found = _found(linker, [one.text for one in examples if one.words is None])
    return [
        one
        if linker is None or one.words is not None
        else replace(one, words=apart_from(found[one.text], _taken(one.mentions or (), one)))
        for one in examples
    ]


def _found(linker: BaseLinker | None, texts: Sequence[str]) -> dict[str, tuple[Mention, ...]]:
    distinct = list(dict.fromkeys(texts))
    if linker is None or not distinct:
        return dict.fromkeys(distinct, ())
    return dict(zip(distinct, linker.link(distinct), strict=True))


def _taken(mentions: Sequence[Mention], example: Example | None) -> Spans:
    """Where there can be no words."""
    about = about_spans(example.about) if example is not None else ()
    return [*((one.start, one.end) for one in mentions), *about]


def _with(asked: Asked, found: Sequence[Mention], example: Example, graph: Any) -> Asked:
    # Else what is said of the example's text says nothing about this one.
    own = example if asked.text.startswith(example.text) else None
    if own is not None and own.words is not None:
        found = [*own.words, *(word for word in found if word.start >= len(own.text))]
    words = apart_from(found, _taken(asked.mentions, own))
    return replace(asked, words=words, word_rows=ask(asked.text, words, graph).rows)


def apart_from(words: Sequence[Mention], taken: Spans) -> tuple[Mention, ...]:
    """Return the linked words that share no character with any of some spans."""
    linked = [word for word in words if word.entity is not None]
    if not linked or not taken:
        return tuple(linked)
    starts, ends = np.array(taken).T
    return tuple(w for w in linked if not ((starts < w.end) & (ends > w.start)).any())


def words_of(prepared: Prepared, text: str) -> tuple[Mention, ...]:
    """Return the words that were found in a text itself, not in others that are read with it."""
    named = prepared.rows[0].words if prepared.rows else ()
    return tuple(word for word in named if text[word.start : word.end] == word.text)


def source_of(linker: BaseLinker, graph: Any) -> str | None:
    """Return the source of a merged graph whose entities a ready linker links to.

    ``None`` where it links to all of the graph, or says by itself which source it is for.

    Raises:
        TypeError: It links to another set of entities; the message says what to write.
    """
    own = getattr(linker, "graph", None)
    if not getattr(graph, "sources", ()) or own is None or _same_entities(own, graph):
        return None
    for source in graph.sources:
        if _same_entities(own, graph.only(source)):
            return str(source)
    raise TypeError(
        f"{linker!r} links to {own!r}, which is neither {graph!r} nor one of its sources "
        f"({', '.join(graph.sources)}), so it cannot be saved with it. Give it by name, such as "
        f"{{'name': {LINKERS.name_of(linker)!r}, 'source': {graph.sources[0]!r}}}."
    )


def _same_entities(one: Any, other: Any) -> bool:
    return one is other or (
        len(one) == len(other) and bool(np.array_equal(one.keys.bytes, other.keys.bytes))
    )
