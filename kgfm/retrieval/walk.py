"""One text's walk from its seeds, by the rule of HopRetriever, over rows that a server gave."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kgfm.retrieval.server import Neighbour, Triple


class Walk:
    """The nodes of one text.

    Args:
        seeds: Keys, in the order of the text.
        limit: Number of seeds at most.
        hidden: Relations that a seed must not show.
        withheld: Triples that this text must not show.
        shared: Whether all hops share one budget, so that what is narrower puts others out.
    """

    def __init__(
        self,
        seeds: Sequence[str],
        limit: int,
        hidden: Collection[str],
        withheld: Collection[Triple],
        *,
        shared: bool,
    ) -> None:
        self.hops = dict.fromkeys(list(dict.fromkeys(seeds))[:limit], 0)
        """Distance of each node from the nearest seed; nodes stand in their order."""
        self.frontier = list(self.hops)
        """What the last hop added."""
        self.num_seeds = len(self.hops)
        self._width = dict(self.hops)
        self._hop = 0
        self._hidden, self._withheld, self._shared = hidden, frozenset(withheld), shared

    @property
    def nodes(self) -> list[str]:
        return list(self.hops)

    def is_seed(self, key: str) -> bool:
        return self.hops.get(key) == 0

    def asks(self, budget: int) -> list[str]:
        """Return the entities of the frontier whose rows may still bring something in."""
        if len(self.hops) < budget:
            return self.frontier
        widest = max(self._width.values(), default=0) if self._shared else 0
        return [key for key in self.frontier if self._width[key] < widest]

    def num_withheld(self, keys: Collection[str]) -> int:
        """Return how many entries are withheld from the row of one of these, at most."""
        ends = [end for head, _, tail in self._withheld for end in (head, tail)]
        return max((ends.count(key) for key in {*ends}.intersection(keys)), default=0)

    def step(
        self, rows: Mapping[str, Sequence[Neighbour]], fan_out: int | None, budget: int
    ) -> None:
        """Take one hop from the frontier.

        Args:
            rows: Neighbours of each entity that the walk asks for, long enough for ``fan_out`` of
                them to be left when hidden ones are dropped.
            fan_out: Entries followed.
            budget: Nodes at most after the hop.
        """
        self._hop += 1
        met: dict[str, tuple[int, int, int]] = {}
        for place, key in enumerate(self.frontier):
            row = self._shown(key, rows.get(key, ()))[:fan_out]
            width = max(self._width[key], len(row))
            for turn, other in enumerate(row):
                if not self._is_as_narrow(other, width):
                    met[other] = min(met.get(other, (width, turn, place)), (width, turn, place))
        found = sorted(met, key=met.__getitem__)
        stay = [key for key in self.hops if key not in met]
        away = {key: self.hops.get(key, self._hop) for key in found}
        self._width |= {key: met[key][0] for key in found}
        order = stay + found
        if self._shared:  # what is there already stands before what is as wide and new
            order.sort(key=self._width.__getitem__)
        self.hops = {key: away[key] if key in away else self.hops[key] for key in order[:budget]}
        self.frontier = [key for key in self.hops if key in met]

    def _is_as_narrow(self, key: str, width: int) -> bool:
        """Say whether an entity is a node that another way of a width brings nothing."""
        return key in self.hops and (not self._shared or self._width[key] <= width)

    def _shown(self, key: str, row: Sequence[Neighbour]) -> list[str]:
        if not self._hidden and not self._withheld:
            return [entry.key for entry in row]
        return [entry.key for entry in row if self.shows(_triple(key, entry))]

    def shows(self, triple: Triple) -> bool:
        """Say whether a triple is not hidden from this text."""
        head, relation, tail = triple
        if relation in self._hidden and (self.is_seed(head) or self.is_seed(tail)):
            return False
        return triple not in self._withheld


def _triple(key: str, entry: Neighbour) -> Triple:
    if entry.inward:
        return entry.key, entry.relation, key
    return key, entry.relation, entry.key
