"""Where a text may name something, whether or not a graph has that name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kgfm.linking.fold import Tokens, tokens
from kgfm.linking.guard import STOP_WORDS
from kgfm.linking.trie import MAX_TOKENS

if TYPE_CHECKING:
    from spacy.language import Language

Span = tuple[int, int]
Spans = Callable[[Sequence[str]], Sequence[Sequence[Span]]]
"""Texts in, (start, end) of the spans of each out."""

_SMALL_WORDS = """
    of the for de la le du des von van der den di da al el bin & ' -
"""
_BRIDGES = frozenset(_SMALL_WORDS.split())
_MOST_BRIDGES = 2
_MOST_CHARACTERS = 1000
_SPACY = "spacy:"


def resolve_spans(given: str | Spans | None) -> Spans | None:
    """Return what finds spans: ``capitals``, ``spacy:MODEL``, or a function that is given.

    Raises:
        ValueError: There is no source of that name.
    """
    if not isinstance(given, str):
        return given
    if given == "capitals":
        return capitals
    if given.startswith(_SPACY):
        return SpacySpans(given.removeprefix(_SPACY))
    raise ValueError(
        f"No source of spans {given!r}: 'capitals', 'spacy:MODEL' (such as 'spacy:en_core_web_sm') "
        "or a function from texts to lists of (start, end) would do."
    )


def capitals(texts: Sequence[str]) -> list[list[Span]]:
    """Find runs of words with capital initials; "of", "von" or "&" may stand between them.

    A function word alone, which has its capital from where the sentence begins, is none. Nor is a
    run of more than :data:`~kgfm.linking.trie.MAX_TOKENS` tokens, which no name has, or of a
    thousand characters: a text all in capitals is not one span that is compared to every name.
    """
    return [_capitals(text) for text in texts]


def _capitals(text: str) -> list[Span]:
    found = tokens(text)
    runs: list[Span] = []
    first, last = -1, -1
    for place, (key, start) in enumerate(zip(found.keys, found.starts, strict=True)):
        if first >= 0 and not _goes_on(text, found, place, last):
            runs.append((first, last))
            first = -1
        if text[start].isupper() or text[start].istitle():
            if first < 0 and key in STOP_WORDS:
                continue
            first, last = first if first >= 0 else place, place
    if first >= 0:
        runs.append((first, last))
    short = [(first, last) for first, last in runs if last - first < MAX_TOKENS]
    spans = [(found.starts[first], found.ends[last]) for first, last in short]
    return [(start, end) for start, end in spans if end - start <= _MOST_CHARACTERS]


def _goes_on(text: str, found: Tokens, place: int, last: int) -> bool:
    """Say whether a token belongs to a run of capitals, or may stand within one."""
    start, before = found.starts[place], found.ends[place - 1]
    if place - last > _MOST_BRIDGES + 1 or "\n" in text[before:start]:
        return False
    if text[start].isupper() or text[start].istitle():
        return True
    # "J. Smith", but not "He met Smith. Jones left."
    is_initial = found.keys[place] == "." and place == last + 1 and len(found.keys[last]) == 1
    return is_initial or found.keys[place] in _BRIDGES


class SpacySpans:
    """The entities that a spaCy pipeline recognises.

    Args:
        model: Name or folder of an installed pipeline, loaded when it is first needed; or a ready
            one.
    """

    def __init__(self, model: str | Language) -> None:
        self.model = model

    def __call__(self, texts: Sequence[str]) -> list[list[Span]]:
        if isinstance(self.model, str):
            self.model = _load(self.model)
        return [
            [(entity.start_char, entity.end_char) for entity in document.ents]
            for document in self.model.pipe(texts)
        ]


def _load(name: str) -> Language:
    import spacy

    try:
        return spacy.load(name)
    except OSError:
        raise OSError(
            f"spaCy finds no pipeline {name!r}. Install it (python -m spacy download {name}), name "
            "a folder that holds one, or use spans='capitals'."
        ) from None
