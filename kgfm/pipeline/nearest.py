"""Names of the graph that are near to what a text says, for one in which nothing was found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from kgfm.graph import KnowledgeGraph
from kgfm.linking import LINKERS, BaseLinker

MOST_ENTITIES, MOST_NAMES = 200_000, 3


@dataclass
class NearNames:
    """Finds names that are misspelt, or written in part.

    Args:
        graph: Whose names; one of more than 200,000 entities is not searched, which would take
            seconds at the first question.
    """

    graph: KnowledgeGraph

    @cached_property
    def _linker(self) -> BaseLinker:
        return LINKERS.build({"name": "names", "fuzzy": True}, graph=self.graph)

    def __call__(self, text: str) -> tuple[str, ...]:
        """Return at most three labels."""
        if not 0 < len(self.graph) <= MOST_ENTITIES:
            return ()
        found: dict[str, float] = {}
        for mention in self._linker.link([text])[0]:
            weighed = [*mention.candidates]
            if mention.entity is not None:
                weighed.append((mention.entity, mention.score))
            for key, score in weighed:
                found[key] = max(score, found.get(key, 0.0))
        best = sorted(found, key=lambda key: -found[key])
        return tuple(dict.fromkeys(self.graph.label(key) for key in best))[:MOST_NAMES]
