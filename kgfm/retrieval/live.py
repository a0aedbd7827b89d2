"""Subgraphs from a server, without a snapshot: the same as HopRetriever cuts from one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kgfm.retrieval.base import checked_seeds
from kgfm.retrieval.caps import BUDGET, FAN_OUT, CappedRetriever
from kgfm.retrieval.recent import CircuitBreaker, RecentCache
from kgfm.retrieval.remembered import Left, Remembered, check_numbers, time_until
from kgfm.retrieval.server import Neighbour, Triple
from kgfm.retrieval.walk import Walk
from kgfm.types import Asked, Subgraph

if TYPE_CHECKING:
    from kgfm.retrieval.live_graph import LiveGraph


class _Row(NamedTuple):
    """The beginning of an entity's row, and the length that was asked for (``None``: all)."""

    limit: int | None
    entries: Sequence[Neighbour]

    def serves(self, limit: int | None) -> bool:
        """Whether the row begins as far as ``limit``."""
        if self.limit is None or len(self.entries) < self.limit:  # the whole row
            return True
        return limit is not None and limit <= self.limit


class LiveRetriever(CappedRetriever):
    """Cut subgraphs from a graph that stays on its server.

    The subgraphs are those that :class:`kgfm.retrieval.HopRetriever` cuts from a snapshot of the
    same server with the same caps: same nodes in the same order, same edges (by key; rows are the
    live graph's own). For a batch of texts the server is asked once for each hop, once for the
    edges among the nodes and once for names and texts, whatever the number of texts; what was asked
    before is remembered.

    Args:
        graph: The live graph.
        hops: How many steps from the seeds.
        budget: Number of nodes that a subgraph has at most, or one number for each hop.
        fan_out: Number of entries of a row that the walk follows, or one number for each hop;
            ``None`` follows all.
        hide_from_seed: Keys of relations that a seed must not show; one that the server does not
            have hides nothing.
        deadline: Seconds for one batch, all questions together.
        remember: Number of entities whose rows and names are kept, and twenty times the number of
            texts whose edges are; the ones used last stay.
        fresh: Seconds after which what is remembered is asked again.
        breaker: What keeps a failing server from being asked; by default three failures in a row
            open it for ten seconds.

    Raises:
        ValueError: A number is out of range.
        TypeError: The graph is a snapshot.
    """

    graph: LiveGraph

    def __init__(
        self,
        graph: LiveGraph,
        *,
        hops: int = 2,
        budget: int | Sequence[int] = BUDGET,
        fan_out: int | Sequence[int] | None = FAN_OUT,
        hide_from_seed: Sequence[str] = (),
        deadline: float = 5.0,
        remember: int = 20_000,
        fresh: float = 300.0,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        if not hasattr(graph, "server"):
            raise TypeError(
                f"A live retriever needs a LiveGraph, got {type(graph).__name__}; "
                "HopRetriever cuts from a snapshot."
            )
        super().__init__(graph, hops, budget, fan_out, hide_from_seed)
        check_numbers(deadline, remember, fresh)
        self.deadline, self.remember, self.fresh = deadline, remember, fresh
        self.breaker = breaker or CircuitBreaker()
        self._remembered = Remembered(graph, remember, fresh)
        self._rows = RecentCache[tuple[str, bool], _Row](remember, fresh)

    def config(self) -> dict[str, object]:
        own = {"deadline": self.deadline, "remember": self.remember, "fresh": self.fresh}
        return {**super().config(), **own}

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the subgraph of each text; one without seeds has an empty one.

        Raises:
            TypeError: Not texts are asked about, but bare rows.
            IndexError: A seed is no row of the live graph.
            ServerUnavailableError: The server does not answer in time, or did not lately.
        """
        checked = checked_seeds(asked, self.graph)
        walks = [self._walk(one, rows) for one, rows in zip(asked, checked, strict=True)]
        if not any(walk.hops for walk in walks):
            return [self._subgraph(walk, []) for walk in walks]
        left = time_until(self.deadline, "hops, budget or fan_out")
        with self.breaker.guard():
            return self._cut(walks, left)

    def _walk(self, asked: Asked, seeds: np.ndarray) -> Walk:
        keys, relations = self.graph.keys, self.graph.relation_keys
        return Walk(
            [keys[row] for row in seeds.tolist()],
            self.budget[0] if isinstance(self.budget, list) else self.budget,
            self.hide_from_seed,
            [(keys[h], relations[r], keys[t]) for h, r, t in asked.without.tolist()],
            shared=not isinstance(self.budget, list),
        )

    def _cut(self, walks: Sequence[Walk], left: Left) -> list[Subgraph]:
        for hop in range(self.hops):
            budget = self.budget[hop] if isinstance(self.budget, list) else self.budget
            fan_out = self.fan_out[hop] if isinstance(self.fan_out, list) else self.fan_out
            for walk in walks:
                walk.frontier = walk.asks(budget)
            moving = [walk for walk in walks if walk.frontier]
            if not moving:
                break
            rows = self._ask_rows(moving, fan_out, left)
            for walk in moving:
                walk.step(rows, fan_out, budget)
        edges = self._remembered.edges([walk.nodes for walk in walks], left)
        relations = {relation for found in edges for _, relation, _ in found}
        nodes = {key for walk in walks for key in walk.hops}
        self._remembered.learn_names(nodes, relations, left)
        return [self._subgraph(walk, found) for walk, found in zip(walks, edges, strict=True)]

    def _ask_rows(
        self, walks: Sequence[Walk], fan_out: int | None, left: Left
    ) -> dict[str, Sequence[Neighbour]]:
        """Return the rows of all frontiers, from memory or from the server.

        At a seed hidden relations are dropped by the server. Elsewhere what is hidden differs from
        text to text, so rows are asked for that are longer by the number of entries that may be:
        one for each hidden relation, direction and seed, and each triple that a text is to be
        answered without. What is remembered is therefore the same for all texts. All walks are at
        the same hop, so a frontier is seeds in all of them or in none.
        """
        entities = dict.fromkeys(key for walk in walks for key in walk.frontier)
        at_seeds = bool(self.hide_from_seed) and walks[0].is_seed(walks[0].frontier[0])
        limit = fan_out
        if limit is not None:
            limit += max(walk.num_withheld(walk.frontier) for walk in walks)
            if self.hide_from_seed and not at_seeds:
                limit += 2 * len(self.hide_from_seed) * max(walk.num_seeds for walk in walks)
        found: dict[str, Sequence[Neighbour]] = {}
        for key in entities:
            row = self._rows.get((key, at_seeds))
            if row is not None and row.serves(limit):
                found[key] = row.entries
        missing = [key for key in entities if key not in found]
        if missing:
            without = self.hide_from_seed if at_seeds else ()
            answer = self.graph.server.neighbours(
                missing, limit=limit, without=without, timeout=left()
            )
            for key in missing:
                found[key] = answer.get(key, ())
                self._rows.put((key, at_seeds), _Row(limit, found[key]))
        return found

    def _subgraph(self, walk: Walk, triples: Collection[Triple]) -> Subgraph:
        place = {key: node for node, key in enumerate(walk.hops)}
        shown = [triple for triple in triples if walk.shows(triple)]
        index = [[place[triple[end]] for triple in shown] for end in (0, 2)]
        relations = self.graph.relation_keys.number(relation for _, relation, _ in shown)
        return Subgraph(
            nodes=self.graph.rows(walk.hops).astype(np.int32),
            edge_index=np.array(index, np.int32).reshape(2, len(shown)),
            edge_type=np.array(relations, np.int32),
            hops=np.fromiter(walk.hops.values(), np.int32, len(walk.hops)),
        )
