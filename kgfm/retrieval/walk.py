"""One text's walk from its seeds, by the rule of HopRetriever, over rows that a server gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import chain, zip_longest

from kgfm.retrieval.server import Neighbour, Triple


class Walk:
    """The nodes of one text, breadth first.

    Args:
        seeds: Keys, in the order of the text.
        limit: Number of seeds at most.
        hidden: Relations that a seed must not show.
    """

    def __init__(self, seeds: Sequence[str], limit: int, hidden: Collection[str]) -> None:
        self.hops = dict.fromkeys(list(dict.fromkeys(seeds))[:limit], 0)
        """Distance of each node from the nearest seed; nodes stand in their order."""
        self.frontier = list(self.hops)
        """What the last hop added."""
        self._hidden = hidden

    @property
    def nodes(self) -> list[str]:
        return list(self.hops)

    def is_seed(self, key: str) -> bool:
        return self.hops.get(key) == 0

    def step(
        self, rows: Mapping[str, Sequence[Neighbour]], fan_out: int | None, budget: int
    ) -> None:
        """Take one hop from the frontier.

        Args:
            rows: Neighbours of each entity of the frontier, long enough for ``fan_out`` of them to
                be left when hidden ones are dropped.
            fan_out: Entries followed.
            budget: Nodes at most after the hop.
        """
        hop = 1 + self.hops[self.frontier[0]]
        shown = [self._shown(key, rows.get(key, ()))[:fan_out] for key in self.frontier]
        in_turns = filter(None, chain.from_iterable(zip_longest(*shown)))
        links = Counter(key for key in in_turns if key not in self.hops)
        # Equal counts stay in the order in which they were met.
        found = sorted(links, key=lambda key: -links[key])[: max(0, budget - len(self.hops))]
        self.hops |= dict.fromkeys(found, hop)
        self.frontier = found

    def _shown(self, key: str, row: Sequence[Neighbour]) -> list[str]:
        if not self._hidden:
            return [entry.key for entry in row]
        at_seed = self.is_seed(key)
        return [
            entry.key
            for entry in row
            if entry.relation not in self._hidden or not (at_seed or self.is_seed(entry.key))
        ]

    def shows(self, triple: Triple) -> bool:
        """Say whether a triple among the nodes is not hidden."""
        head, relation, tail = triple
        return relation not in self._hidden or not (self.is_seed(head) or self.is_seed(tail))
