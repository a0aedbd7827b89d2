"""Find the words of a graph, such as a lexicon, by themselves and by their base forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kgfm.inputs import texts_in
from kgfm.linking.base import BaseLinker
from kgfm.linking.dictionary import NameDictionary, spelling
from kgfm.linking.fold import tokens
from kgfm.linking.morphy import base_forms
from kgfm.types import Mention

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

Span = tuple[int, int]
_MOST_KNOWN = 1 << 17


class WordLinker(BaseLinker):
    """Find the labels and aliases of a graph's entities as words, in whatever form they stand.

    As :class:`kgfm.Linker`, a name matches whole tokens, whatever its case and its accents, and
    from left to right the longest name wins; but here a name may be a function word ("not"), and a
    token that is no name is looked up by its base forms (:mod:`kgfm.linking.morphy`): the graph's
    "loss" is found in "losses". What begins or ends with a symbol, such as ":)", needs white space
    around it. Of several entities with one name the first candidate counts, as there.

    Made to be the second linker of a pipeline, ``Pipeline(graph, linker, words=...)``.

    Args:
        graph: Its entities are linked to.
        source: Of a merged graph, the source whose entities are found; ``None`` for all.
        lemmas: Whether base forms are looked up.
        without: Words that are never found, in any form in which they are written here.

    Raises:
        ValueError: The graph has no such source.
        TypeError: ``without`` is a string.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        source: str | None = None,
        lemmas: bool = True,
        without: Sequence[str] = (),
    ) -> None:
        if isinstance(without, str):
            raise TypeError(f"without is a list of words; write [{without!r}].")
        self.graph = graph if source is None else graph.only(source)
        # What is built over a part of a graph is built anew over the same part.
        self.source: str | None = self.graph.manifest["source"].get("only")
        self.lemmas = lemmas
        self.without = tuple(without)
        self._left_out = {_key(word) for word in without}
        self._name_of: dict[str, int] = {}

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal linker over another graph, as JSON."""
        return {"source": self.source, "lemmas": self.lemmas, "without": list(self.without)}

    @cached_property
    def names(self) -> NameDictionary:
        """The dictionary: every label and alias of the graph."""
        return NameDictionary.load_or_build(self.graph)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k != "names"} | {"_name_of": {}}

    def link(self, texts: Iterable[str]) -> list[tuple[Mention, ...]]:
        """Return the words of each text that the graph has, in the order of the text.

        Raises:
            TypeError: These are not several texts, or one of them is no ``str``.
        """
        texts = [*texts_in(texts, "linker.link")]
        found = self._exact(texts)
        if self.lemmas:
            forms = [self._other_tokens(text, own) for text, own in zip(texts, found, strict=True)]
            self._look_up({key for of_text in forms for key in of_text.values()})
            for own, of_text in zip(found, forms, strict=True):
                own |= {span: name for span, key in of_text.items() if (name := self._name_of[key])}
        return [
            tuple(self._mention(text, span, own[span]) for span in sorted(own))
            for text, own in zip(texts, found, strict=True)
        ]

    def _exact(self, texts: Sequence[str]) -> list[dict[Span, int]]:
        """The names in each text, by where they stand."""
        found: list[dict[Span, int]] = [{} for _ in texts]
        matches = self.names.scan(texts)
        columns = matches.texts, matches.starts, matches.ends, matches.names
        for index, start, end, name in zip(*(c.tolist() for c in columns), strict=True):
            text = texts[index]
            if _stands_alone(text, start, end) and _key(text[start:end]) not in self._left_out:
                found[index][start, end] = name
        return found

    def _other_tokens(self, text: str, found: dict[Span, int]) -> dict[Span, str]:
        """The words of a text that are part of no name, folded."""
        within = tokens(text)
        taken = sorted(found)
        place = 0
        others: dict[Span, str] = {}
        for start, end, key in zip(within.starts, within.ends, within.keys, strict=True):
            while place < len(taken) and taken[place][1] <= start:
                place += 1
            is_free = place == len(taken) or taken[place][0] >= end
            if is_free and len(key) > 2 and key.isalpha() and key not in self._left_out:
                others[start, end] = key
        return others

    def _look_up(self, keys: set[str]) -> None:
        """Remember which name each word is a form of; 0 for none."""
        if len(self._name_of) > _MOST_KNOWN:
            self._name_of.clear()
        new = sorted(keys - self._name_of.keys())
        forms = {key: base_forms(key) for key in new}
        distinct = sorted({form for own in forms.values() for form in own} - self._left_out)
        names = dict(zip(distinct, self.names.whole_names(distinct).tolist(), strict=True))
        for key, own in forms.items():
            self._name_of[key] = next((names[form] for form in own if names.get(form)), 0)

    def _mention(self, text: str, span: Span, name: int) -> Mention:
        listed = self.names.candidates(name, spelling(text, *span))
        key, score = listed[0]
        return Mention(*span, text[slice(*span)], key, score, listed)


def _key(word: str) -> str:
    return " ".join(tokens(word).keys)


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Say whether what begins or ends with a symbol has white space, or nothing, around it."""
    if text[start].isalnum() and text[end - 1].isalnum():
        return True
    return all(not around or around.isspace() for around in _around(text, start, end))


def _around(text: str, start: int, end: int) -> Iterator[str]:
    yield text[max(0, start - 1) : start]
    yield text[end : end + 1]
