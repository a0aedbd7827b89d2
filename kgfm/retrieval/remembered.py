"""What a graph server said lately, and the questions for the rest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from kgfm.retrieval.recent import RecentCache
from kgfm.retrieval.server import Around, Triple
from kgfm.stores.server import ServerUnavailableError

if TYPE_CHECKING:
    from kgfm.retrieval.live_graph import LiveGraph

Left = Callable[[], float]
"""Says how many seconds are left; none left is an error."""


class Remembered:
    """Answers of a live graph's server, from memory where they are not too old.

    Args:
        graph: The live graph; it is taught the names that are asked for.
        remember: Number of entities of which something is kept, and twenty times the number of
            texts whose edges are; the ones used last stay.
        fresh: Seconds after which what is remembered is asked again.
    """

    def __init__(self, graph: LiveGraph, remember: int, fresh: float) -> None:
        self.graph = graph
        self._around = RecentCache[tuple[str, int], Around](remember, fresh)
        self._edges = RecentCache[frozenset[str], list[Triple]](remember // 20, fresh)
        self._described = RecentCache[tuple[str, bool], bool](remember, fresh)

    def around(self, entities: Iterable[str], longest: int, left: Left) -> dict[str, Around]:
        """Return what leads on from each entity; of one that the server lacks nothing does."""
        known = {key: self._around.get((key, longest)) for key in entities}
        missing = [key for key, around in known.items() if around is None]
        answer: Mapping[str, Around] = {}
        if missing:
            answer = self.graph.server.around(missing, longest=longest, timeout=left())
        for key in missing:
            self._around.put((key, longest), answer.get(key, Around()))
        return {key: around or answer.get(key, Around()) for key, around in known.items()}

    def edges(self, groups: Sequence[Sequence[str]], left: Left) -> list[list[Triple]]:
        """Return the triples among the nodes of each text, in order."""
        wanted = [frozenset(group) for group in groups]
        found = {nodes: self._edges.get(nodes) for nodes in wanted if nodes}
        missing = [nodes for nodes, edges in found.items() if edges is None]
        if missing:
            asked = [sorted(nodes) for nodes in missing]
            answer = self.graph.server.triples_among(asked, timeout=left())
            for nodes, edges in zip(missing, answer, strict=True):
                found[nodes] = sorted(set(edges))
                self._edges.put(nodes, found[nodes] or [])
        return [found.get(nodes) or [] for nodes in wanted]

    def learn_names(self, entities: Iterable[str], relations: Iterable[str], left: Left) -> None:
        """Teach the graph the names of what was met and is not known, or not lately."""
        new = [key for key in sorted(entities) if not self._described.get((key, False))]
        new_relations = [key for key in sorted(relations) if not self._described.get((key, True))]
        if not new and not new_relations:
            return
        records, labels = self.graph.server.describe(new, new_relations, timeout=left())
        self.graph.learn(records, labels)
        for keys, is_relation in ((new, False), (new_relations, True)):
            for key in keys:
                self._described.put((key, is_relation), True)


def time_until(seconds: float, instead: str) -> Left:
    """Begin to count a deadline; ``instead`` says what to lower where it is too short."""
    ends = time.monotonic() + seconds

    def left() -> float:
        remaining = ends - time.monotonic()
        if remaining <= 0:
            raise ServerUnavailableError(
                f"The graph server took longer than the deadline of {seconds:g} s; raise "
                f"deadline=, or lower {instead}."
            )
        return remaining

    return left


def check_numbers(deadline: float, remember: int, fresh: float) -> None:
    """Refuse what is no time, and what is no number of things to remember.

    Raises:
        ValueError: One is out of its range.
    """
    for name, value in {"deadline": deadline, "fresh": fresh}.items():
        if not value > 0:
            raise ValueError(f"{name} is a number of seconds above 0, got {value}.")
    if remember < 0:
        raise ValueError(f"remember is at least 0, got {remember}.")
