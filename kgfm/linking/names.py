"""Linking by the names that the graph itself gives: labels and aliases, longest match first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kgfm.linking.base import BaseLinker, check_texts
from kgfm.linking.dictionary import NameDictionary, spelling
from kgfm.linking.fold import tokens
from kgfm.types import Mention

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


class Linker(BaseLinker):
    """Find the labels and aliases of a graph's entities in texts.

    A name matches whole tokens (runs of word characters, or single symbols), whatever its case,
    its accents and the white space between its tokens. From left to right the longest name wins.
    Of several entities with the same name, those come first whose name is spelled exactly as in
    the text, then those with more triples (:meth:`NameDictionary.rank` has the score). All that
    were weighed, the chosen one first and at most 16, are the mention's ``candidates``.

    The dictionary is made when it is first needed; pickling leaves it behind.

    Args:
        graph: Its entities are linked to.
        min_score: A mention whose best candidate scores less is NIL.
        min_length: Shorter mentions, in code points, are left out.
        guard: Leave out punctuation that is also a name ("..."), and English function words that
            are also names, unless spelled exactly like one that is not all lower case: the film
            "It" is found in "who directed It" and not in "who directed it".
        keep_nil: Return NIL mentions too, with ``entity=None``, instead of leaving them out.

    Raises:
        ValueError: ``min_score`` is not between 0 and 1, or ``min_length`` is below 1.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        min_score: float = 0.05,
        min_length: int = 1,
        guard: bool = True,
        keep_nil: bool = False,
    ) -> None:
        if not 0 <= min_score <= 1:
            raise ValueError(f"min_score is a probability from 0 to 1, got {min_score}.")
        if min_length < 1:
            raise ValueError(f"min_length is at least 1, got {min_length}.")
        self.graph = graph
        self.min_score = min_score
        self.min_length = min_length
        self.guard = guard
        self.keep_nil = keep_nil

    @cached_property
    def names(self) -> NameDictionary:
        """The dictionary: every label and alias of the graph."""
        return NameDictionary(self.graph)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "names"}

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal linker over another graph, as JSON."""
        return {
            "min_score": self.min_score,
            "min_length": self.min_length,
            "guard": self.guard,
            "keep_nil": self.keep_nil,
        }

    def link(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions of each text, in the order of the text, none overlapping another.

        Raises:
            TypeError: One of the texts is no ``str``; the message names its index.
        """
        check_texts(texts)
        return [self._link(text) for text in texts]

    def _link(self, text: str) -> tuple[Mention, ...]:
        found = tokens(text)
        mentions = (
            self._mention(text, found.starts[first], found.ends[end - 1], name)
            for first, end, name in self.names.scan(found)
        )
        return tuple(mention for mention in mentions if mention is not None)

    def _mention(self, text: str, start: int, end: int, name: int) -> Mention | None:
        spelled = spelling(text, start, end)
        if end - start < self.min_length or (self.guard and self.names.is_guarded(name, spelled)):
            return None
        ranked = self.names.rank(name, spelled)
        keys = self.graph.keys
        candidates = tuple((keys[row], score) for row, score in ranked)
        key, score = candidates[0]
        if score >= self.min_score:
            return Mention(start, end, text[start:end], key, score, candidates)
        if self.keep_nil:
            return Mention(start, end, text[start:end], None, 1 - score, candidates)
        return None
