"""Names of the graph that are near to what a text says, for one in which nothing was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from kgfm.graph import KnowledgeGraph
from kgfm.linking import LINKERS, BaseLinker
from kgfm.linking.fold import tokens

MOST_ENTITIES, MOST_NAMES = 200_000, 3
_SHORTEST, _WORDS, _LETTERS, _SEEN = 4, 20, 40, 5_000


@dataclass
class NearNames:
    """Finds names that are misspelt, or written in part.

    A linker with fuzzy names goes first. It compares trigrams, of which a short name has too few:
    where it finds nothing, words with one letter wrong, missing, too much, or exchanged with the
    next are looked up (Norvig, 2007, http://norvig.com/spell-correct.html).

    Args:
        graph: Whose names; one of more than 200,000 entities is not searched, which would take
            seconds at the first question.
        rare: Says whether a word is rare enough to be a misspelling.
    """

    graph: KnowledgeGraph
    rare: Callable[[str], bool]

    @cached_property
    def _linker(self) -> BaseLinker:
        return LINKERS.build({"name": "names", "fuzzy": True}, graph=self.graph)

    @cached_property
    def _letters(self) -> str:
        """The letters that the names are written in, the most frequent ones."""
        step = max(1, len(self.graph) // _SEEN)
        counted: Counter[str] = Counter()
        for row in range(0, len(self.graph), step):
            for name in self.graph.names(row):
                counted.update(letter for letter in name.casefold() if letter.isalpha())
        return "".join(letter for letter, _ in counted.most_common(_LETTERS))

    def __call__(self, text: str) -> tuple[str, ...]:
        """Return at most three labels."""
        if not 0 < len(self.graph) <= MOST_ENTITIES:
            return ()
        found = self._weighed([text]) or self._weighed(list(self._respelt(text)))
        best = sorted(found, key=lambda key: -found[key])
        return tuple(dict.fromkeys(self.graph.label(key) for key in best))[:MOST_NAMES]

    def _weighed(self, texts: list[str]) -> dict[str, float]:
        """The best score of each entity that one of the texts may name."""
        found: dict[str, float] = {}
        for mentions in self._linker.link(texts):
            for mention in mentions:
                weighed = [*mention.candidates]
                if mention.entity is not None:
                    weighed.append((mention.entity, mention.score))
                for key, score in weighed:
                    found[key] = max(score, found.get(key, 0.0))
        return found

    def _respelt(self, text: str) -> Iterator[str]:
        """Rare words of a text, one letter of each another."""
        words = [word for word in tokens(text).keys if len(word) >= _SHORTEST and word.isalpha()]
        for word in [word for word in words if self.rare(word)][:_WORDS]:
            for place in range(len(word) + 1):
                before, behind = word[:place], word[place:]
                if len(behind) > 1:
                    yield before + behind[1] + behind[0] + behind[2:]
                if behind:
                    yield before + behind[1:]
                for letter in self._letters:
                    yield before + letter + behind
                    if behind:
                        yield before + letter + behind[1:]
