"""Linking by the names that the graph itself gives: labels and aliases, longest match first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kgfm.linking.base import BaseLinker, check_texts
from kgfm.linking.dictionary import NameDictionary, spelling
from kgfm.types import Mention

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


class Linker(BaseLinker):
    """Find the labels and aliases of a graph's entities in texts.

    A name matches whole tokens (runs of word characters, or single symbols), whatever its case,
    its accents and the white space between its tokens. From left to right the longest name wins.
    Of several entities with the same name, those come first whose name is spelled exactly as in
    the text, then those with more triples (:meth:`NameDictionary.candidates` has the score). All
    that were weighed, the chosen one first and at most 16, are the mention's ``candidates``.

    The dictionary is made when it is first needed, and kept beside a snapshot on disk if there are
    many names; pickling leaves it behind.

    Args:
        graph: Its entities are linked to.
        min_score: A mention whose best candidate scores less is NIL.
        min_length: Shorter mentions, in code points, are left out.
        guard: Leave out punctuation that is also a name ("..."), and common words that are also
            names unless the text says that it means the name: the film "It" is found in "who
            directed It", and not in "who directed it" nor in "It was late"
            (:meth:`NameDictionary.is_guarded` has the rule).
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
        return NameDictionary.load_or_build(self.graph)

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
        mentions: list[list[Mention]] = [[] for _ in texts]
        found = self.names.scan(texts)
        columns = found.texts.tolist(), found.starts.tolist(), found.ends.tolist()
        for index, start, end, name in zip(*columns, found.names.tolist(), strict=True):
            mention = self._mention(texts[index], start, end, name)
            if mention is not None:
                mentions[index].append(mention)
        return [tuple(of_text) for of_text in mentions]

    def _mention(self, text: str, start: int, end: int, name: int) -> Mention | None:
        names = self.names
        if end - start < self.min_length:
            return None
        if self.guard and names.is_guarded(name, text, start, end):
            return None
        candidates = names.candidates(name, spelling(text, start, end))
        key, score = candidates[0]
        if score >= self.min_score:
            return Mention(start, end, text[start:end], key, score, candidates)
        if self.keep_nil:
            return Mention(start, end, text[start:end], None, 1 - score, candidates)
        return None
