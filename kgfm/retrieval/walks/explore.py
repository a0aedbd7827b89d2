"""Steps over a snapshot, for one question at a time: what leads on, and where to."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Int

from kgfm.retrieval.arrays import withheld_entries
from kgfm.retrieval.walks.steps import Steps
from kgfm.types import Asked

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

Rows = Int[np.ndarray, "_"]


@dataclass(frozen=True, slots=True, eq=False)
class AllWalks:
    """All walks from a topic, each but the first behind its parent.

    Args:
        parent: -1 for the first, which has no step.
        action: The last step; -1 for the first.
        size: Of the set that it leads to.
        hits: Number of right answers in it.
        expands: Whether the walks behind it are here too.
    """

    parent: Int[np.ndarray, "walk"]
    action: Int[np.ndarray, "walk"]
    size: Int[np.ndarray, "walk"]
    hits: Int[np.ndarray, "walk"]
    expands: Bool[np.ndarray, "walk"]

    def steps(self, walk: int) -> list[int]:
        """The actions of a walk, in order."""
        found: list[int] = []
        while walk > 0:
            found.append(int(self.action[walk]))
            walk = int(self.parent[walk])
        return found[::-1]


class Explorer:
    """Follows actions from sets of entities.

    Args:
        graph: A snapshot.
        come_back: Whether walks may come back to their topic.
        attributes: Names that are actions even where no entity of the graph bears them.
        closed: Rows of entities of which it is not known what leads on; a set with one of them
            leads on no more.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        come_back: bool = False,
        attributes: Iterable[str] = (),
        closed: Iterable[int] = (),
    ) -> None:
        self.graph = graph
        self.come_back = come_back
        self.steps = Steps(graph, attributes)
        self._closed = np.fromiter(closed, np.int64)
        self._own = threading.local()  # scratch of a thread's own: the kernels run without a lock

    @property
    def num_actions(self) -> int:
        return self.steps.num_actions

    def leads_on(self, rows: Rows, most: int) -> bool:
        """Whether walks may go on from a set: not from one of more than ``most`` entities."""
        return len(rows) <= most and not np.isin(self._closed, rows).any()

    def _scratch(self) -> tuple[np.ndarray, np.ndarray]:
        if not hasattr(self._own, "scratch"):
            met = np.zeros(self.graph.num_entities, np.int64)
            self._own.scratch = met, np.zeros(1, np.int64)
        found: tuple[np.ndarray, np.ndarray] = self._own.scratch
        return found

    def _rule(self, topic: int) -> tuple[int, bool, int]:
        return topic, self.come_back, 2 * self.steps.num_relations

    def hidden_from(self, asked: Asked) -> tuple[np.ndarray, ...]:
        """Return the entries that are hidden from a text."""
        if not len(asked.without):
            return _HIDDEN
        return withheld_entries([asked], self.graph)[1]

    def actions(self, rows: Rows, topic: int, hidden: tuple[np.ndarray, ...]) -> Rows:
        """Return the actions that lead on from a set, ascending."""
        from kgfm.retrieval.kernels_walks import actions_from

        found: Rows = actions_from(
            rows, self.steps.arrays, self._rule(topic), hidden, self.num_actions
        )
        return found

    def step(
        self, rows: Rows, action: int, topic: int, hidden: tuple[np.ndarray, ...]
    ) -> tuple[Rows, Rows]:
        """Return what an action leads to, and the place in ``rows`` from where."""
        from kgfm.retrieval.kernels_walks import step_from

        found: tuple[Rows, Rows] = step_from(
            rows, action, self.steps.arrays, self._rule(topic), hidden, self._scratch()
        )
        return found

    def follow(self, topic: int, actions: list[int]) -> Rows:
        """Return the set that actions lead to from a topic, ascending."""
        rows = np.array([topic], np.int32)
        for action in actions:
            rows, _ = self.step(rows, action, topic, _HIDDEN)
        return np.sort(rows)

    def all_walks(
        self,
        topic: int,
        right: Rows,
        *,
        hops: int,
        most: int,
        limit: int,
        banned: Bool[np.ndarray, "action"] | None = None,
    ) -> AllWalks:
        """Return all walks from a topic.

        Args:
            topic: Where they begin.
            right: Rows of the right answers.
            hops: Steps of a walk at most.
            most: A set of more entities leads on no more.
            limit: Number of walks about which no more are looked for.
            banned: True for each action that is not there.
        """
        from kgfm.retrieval.kernels_walks import walks_of

        marks = np.zeros(self.graph.num_entities, dtype=bool)
        marks[right] = True
        if banned is None:
            banned = np.zeros(self.num_actions, dtype=bool)
        return AllWalks(
            *walks_of(
                self.steps.arrays,
                self._rule(topic),
                (hops, most, limit),
                marks,
                banned,
                self._scratch(),
                self.num_actions,
            )
        )


_HIDDEN: tuple[np.ndarray, ...] = (
    np.empty(0, np.int32),
    np.empty(0, np.int32),
    np.empty(0, np.int32),
)
for _column in _HIDDEN:
    _column.flags.writeable = False
