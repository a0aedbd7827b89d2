"""All steps that walks can take from each entity, sorted by what is followed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from kgfm.retrieval.arrays import plain
from kgfm.walks import Step

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


class Steps:
    """The actions that lead on from each entity, and where to.

    An action is a relation from head to tail (``0 … R-1``), from tail to head (``R … 2R-1``), or
    the reading of an attribute (``2R …``), which leads to the entity itself. The entries of an
    entity are in the order (action, entity led to); those of one action are a run, so that what an
    entity can do is known without a look at where it leads. 8 bytes for each triple, 12 for
    each run, 8 for each entity.

    Args:
        graph: A snapshot.
        attributes: Names that are actions even where no entity of the graph bears them.
    """

    def __init__(self, graph: KnowledgeGraph, attributes: Iterable[str] = ()) -> None:
        self.graph = graph
        self.num_relations = graph.num_relations
        names, bearers, attribute = _attributes(graph, attributes)
        self.attributes: tuple[str, ...] = names
        heads, tails = graph.heads.astype(np.int64), graph.tails.astype(np.int64)
        relations = graph.relations.astype(np.int64)
        counts = [np.bincount(who, minlength=len(graph)) for who in (heads, tails, bearers)]
        before = np.concatenate([[0], np.cumsum(sum(counts))])
        entity = np.empty(int(before[-1]), np.int32)
        action = np.empty(len(entity), np.int32)
        begins = before[:-1]
        columns = [
            (heads, relations, tails),
            (tails, relations + self.num_relations, heads),
            (bearers, attribute + 2 * self.num_relations, bearers),
        ]
        for count, (who, what, where) in zip(counts, columns, strict=True):
            order = np.lexsort([where, what, who])
            first = np.cumsum(count) - count
            place = begins[who[order]] + np.arange(len(who)) - first[who[order]]
            entity[place], action[place] = where[order], what[order]
            begins = begins + count
        owner = np.repeat(np.arange(len(graph)), sum(counts))
        starts = np.ones(len(entity), dtype=bool)
        starts[1:] = (owner[1:] != owner[:-1]) | (action[1:] != action[:-1])
        runs = np.flatnonzero(starts)
        self.arrays = (
            plain(np.searchsorted(runs, before), np.int64),
            plain(action[runs], np.int32),
            plain(np.append(runs, len(entity)), np.int64),
            plain(entity, np.int32),
        )

    @property
    def num_actions(self) -> int:
        """Number of relations both ways, and of attributes."""
        return 2 * self.num_relations + len(self.attributes)

    def actions_at(self, row: int) -> Int[np.ndarray, "_"]:
        """Return the actions that lead on from an entity."""
        begins, actions = self.arrays[:2]
        return actions[begins[row] : begins[row + 1]]

    def step(self, action: int) -> Step:
        """Return an action by name."""
        if action >= 2 * self.num_relations:
            return Step(self.attributes[action - 2 * self.num_relations], literal=True)
        forward = action < self.num_relations
        key = self.graph.relation_keys[action if forward else action - self.num_relations]
        return Step(key, forward)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(array.nbytes for array in self.arrays)


def _attributes(graph: KnowledgeGraph, also: Iterable[str]) -> tuple[tuple[str, ...], Any, Any]:
    """Names of all attributes, and for each that an entity bears its row and the name's number."""
    texts = graph.attribute_texts
    bear = np.flatnonzero(np.diff(texts.offsets) > 0)
    number = {name: place for place, name in enumerate(dict.fromkeys(also))}
    rows, given = [], []
    for row in bear.tolist():
        for name in graph.attributes(row):
            rows.append(row)
            given.append(number.setdefault(name, len(number)))
    names = sorted(number)
    place = np.empty(len(names), np.int64)
    place[[number[name] for name in names]] = np.arange(len(names))
    found: tuple[Int[np.ndarray, "_"], Int[np.ndarray, "_"]] = (
        np.array(rows, np.int64),
        place[np.array(given, np.int64)] if given else np.empty(0, np.int64),
    )
    return tuple(names), *found
