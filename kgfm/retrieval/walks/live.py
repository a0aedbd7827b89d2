"""Walks over a graph that stays on its server: the same as over a snapshot of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from threading import Lock
from typing import NamedTuple

from kgfm.retrieval.altered import nothing
from kgfm.retrieval.live_graph import LiveGraph
from kgfm.retrieval.remembered import Left, Remembered
from kgfm.retrieval.walks.base import Reading, Scorer
from kgfm.retrieval.walks.beam import Walked, goes_on
from kgfm.retrieval.walks.follow import Begun, Follower
from kgfm.retrieval.walks.part import Part
from kgfm.retrieval.walks.teach import topics_of
from kgfm.types import Asked, Subgraph

_log = logging.getLogger(__name__)
Vocabulary = tuple[tuple[tuple[str, str], ...], tuple[str, ...]]
"""Relations, each with its label, and attributes."""
Over = Callable[[Part, Sequence[str]], Follower]
"""Makes what follows walks over a part, with these attributes among the actions."""


class _Step(NamedTuple):
    """How far the walks of a batch have come, over what has been fetched."""

    follower: Follower
    begun: Begun
    reading: Reading | None
    vocabulary: Vocabulary
    """The actions that it was read for."""
    walked: list[Walked]

    def frontier(self, depth: int) -> set[int]:
        """Return the rows of all sets after ``depth`` steps from which walks may go on."""
        explorer, most = self.follower.explorer, self.follower.most
        return {
            row
            for own in self.walked
            for _, walk in own.ended
            if len(walk.actions) == depth and goes_on(walk, explorer, most)
            for row in walk.rows.tolist()
        }

    def nodes(self) -> list[list[int]]:
        """Return the rows that are shown of each question."""
        shown = self.follower.shown
        pairs = zip(self.begun.asked, self.walked, strict=True)
        return [[*shown.ways(asked, walked)[0]] for asked, walked in pairs]

    def show(self) -> list[Subgraph]:
        """Return the subgraph of each question."""
        return self.follower.show(self.begun, self.reading, self.walked)


class LiveWalks:
    """Fetches, a depth at a time, what walks set out from, and follows them over that.

    What has been fetched for a batch is a small snapshot, over which walks are followed as over any
    other. It has all that leads on from the sets of the depth before, so the next step is exact.
    The server is asked once for each depth, once for the edges among the nodes that are shown and
    once for names, whatever the number of texts; and once before a step along relations that the
    live graph has no name for yet.

    Args:
        graph: The live graph.
        scorer: Scores walks.
        over: Makes what follows them.
        remembered: What the server said lately.
        longest: An entity with more links leads on no more.
    """

    def __init__(
        self, graph: LiveGraph, scorer: Scorer, over: Over, remembered: Remembered, longest: int
    ) -> None:
        self.graph, self.scorer = graph, scorer
        self._over, self._remembered, self._longest = over, remembered, longest
        self._attributes: set[str] = set()
        self._bound: Vocabulary | None = None
        self._lock = Lock()

    def retrieve(self, asked: Sequence[Asked], hops: int, left: Left) -> list[Subgraph]:
        """Return the subgraph of each text.

        One whose topic has more links than are followed is left without a node, to be answered
        from its words alone.
        """
        keys = self.graph.keys
        topics = [[keys[int(one.rows[mention])] for mention in topics_of(one)] for one in asked]
        part = Part(self.graph, {keys[row] for one in asked for row in one.seeds.tolist()})
        self._fetch(part, {key for own in topics for key in own}, left)
        is_lost = [any(map(part.is_closed, own)) for own in topics]
        if any(is_lost):
            _log.warning(
                "Answering %d texts without the graph: they name entities with more links than "
                "longest=%d, or than the server sends at once.",
                sum(is_lost),
                self._longest,
            )
        followed = [one for one, lost in zip(asked, is_lost, strict=True) if not lost]
        cuts = iter(self._cut(part, followed, hops, left))
        return [nothing() if lost else next(cuts) for lost in is_lost]

    def _cut(self, part: Part, asked: Sequence[Asked], hops: int, left: Left) -> list[Subgraph]:
        step = self._walk(part, asked, 1, None)
        for depth in range(1, hops):
            self._fetch(part, part.keys(step.frontier(depth)), left)
            step = self._walk(part, asked, depth + 1, step)
        shown = [part.keys(rows) for rows in step.nodes()]
        edges = {edge for own in self._remembered.edges(shown, left) for edge in own}
        relations = {relation for _, relation, _ in edges}
        self._remembered.learn_names({key for own in shown for key in own}, relations, left)
        self.graph.relation_keys.number(sorted(relations))
        part.add_triples([*edges])
        step = self._walk(part, asked, hops, step)
        return [part.back(cut) for cut in step.show()]

    def _fetch(self, part: Part, keys: Iterable[str], left: Left) -> None:
        """Ask what leads on from entities, and what relations not met yet are called."""
        found = self._remembered.around(part.lacks(keys), self._longest, left)
        met = {relation for links, _ in found.values() for relation, _, _ in links or ()}
        new = sorted(key for key in met if not self.graph.is_named(key))
        self._remembered.learn_names((), new, left)
        # A name that the server does not know is not asked for again.
        self.graph.learn({}, {key: self.graph.relation_label(key) for key in new})
        with self._lock:
            self._attributes.update(*(attributes for _, attributes in found.values()))
        part.add(found)

    def _walk(self, part: Part, asked: Sequence[Asked], depth: int, before: _Step | None) -> _Step:
        """Follow all walks from their beginning, ``depth`` steps, over what has been fetched."""
        with self._lock:
            attributes = sorted(self._attributes)
        follower = self._over(part, attributes)
        begun = Begun.of([part.of(one) for one in asked], part.graph)
        vocabulary = part.relations, follower.explorer.steps.attributes
        reading = None
        if before is not None and before.vocabulary == vocabulary:
            reading = before.reading
        elif begun.texts:
            reading = self._read(part, begun, vocabulary)
        return _Step(follower, begun, reading, vocabulary, follower.walk(begun, reading, depth))

    def _read(self, part: Part, begun: Begun, vocabulary: Vocabulary) -> Reading:
        """Read the texts, once the scorer knows the actions."""
        with self._lock:  # the actions have to be these until the texts are read
            if self._bound != vocabulary:
                self.scorer.bind(part.graph, vocabulary[1])
                self._bound = vocabulary
            return self.scorer.read(begun.texts, begun.features)
