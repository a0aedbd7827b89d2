"""The triples that an answer rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgfm.questions.index import Index, Rows
from kgfm.walks import values_of

MOST = 64
Triple = tuple[str, str, str]


def triples_of(
    index: Index, steps: Sequence[int], frontiers: Sequence[Rows], ends: Rows
) -> tuple[Triple, ...]:
    """Return the triples on the way of a walk to some of its ends, the last ones first.

    Args:
        index: The graph.
        steps: The walk.
        frontiers: What it has reached before each of its steps; the first is the topic alone.
        ends: Those of its ends that count, or the entities whose values are read.
    """
    found: dict[Triple, None] = {}
    for step, frontier in zip(reversed(steps), reversed(frontiers), strict=True):
        if len(found) >= MOST:
            break
        if index.is_literal(step):
            _add_values(index, step, ends, found)
            continue
        ends = _add_edges(index, step, frontier, ends, found)
    return tuple(found)[:MOST]


def _add_edges(
    index: Index, step: int, frontier: Rows, ends: Rows, found: dict[Triple, None]
) -> Rows:
    keys, relation = index.graph.keys, index.step(step).relation
    came_from = []
    for row in frontier.tolist():
        reached = np.intersect1d(index.ends(row, step), ends)
        if len(reached):
            came_from.append(row)
        for end in reached.tolist():
            head, tail = (row, end) if index.is_forward(step) else (end, row)
            found[keys[head], relation, keys[tail]] = None
    return np.array(came_from, np.int64)


def _add_values(index: Index, step: int, rows: Rows, found: dict[Triple, None]) -> None:
    attribute = index.step(step).relation
    for row in rows.tolist():
        for value in values_of(index.graph, [row], attribute):
            found[index.graph.keys[row], attribute, value] = None
