"""How much the other mentions of a text speak for a candidate, by walks over the graph.

Each different mention of a text sends one unit out from its candidates, divided as is likely
without this figure, and personalised PageRank says where it comes to (as Pershina et al., 2015,
"Personalized PageRank for named entity disambiguation", but one walk for each mention). A
candidate's coherence is what comes to it from mentions that are spelled otherwise and may not mean
the candidate itself.

PageRank is the forward push of Andersen, Chung and Lang (2006, sec. 3), whose work is bounded by
``1 / (restart * tolerance)`` steps along edges whatever the size of the graph.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls, allow-any-generics

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Int64

from kgfm.graph import KnowledgeGraph
from kgfm.retrieval.kernels import compiled

RESTART, TOLERANCE = 0.25, 3e-4
WINDOW = 48
"""So many different mentions in a row speak for each other, and not those of a whole book."""


def coherence(
    graph: KnowledgeGraph,
    windows: Int64[np.ndarray, "window_boundary"],
    groups: Int64[np.ndarray, "group_boundary"],
    rows: Int64[np.ndarray, "candidate"],
    mass: Float64[np.ndarray, "candidate"],
) -> Float64[np.ndarray, "candidate"]:
    """Return what comes to each candidate from the other groups of its window.

    Args:
        graph: Where they walk.
        windows: The groups of window ``w`` are ``windows[w]:windows[w + 1]``.
        groups: The candidates of group ``g`` are ``groups[g]:groups[g + 1]``; a group does not
            speak for its own.
        rows: Entity of each candidate, none twice in a group.
        mass: How likely each candidate is.
    """
    size = len(graph)
    scratch = np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size, np.bool_)
    lists = graph.neighbour_indptr, graph.neighbour_entity
    found = np.zeros(len(rows))
    for first, stop in pairwise(windows.tolist()):
        if stop - first > 1:
            _walks(*lists, groups[first : stop + 1], rows, mass, scratch, found)
    return found


@compiled
def _walks(indptr, neighbours, groups, rows, mass, scratch, found):
    """Fill in what comes to the candidates of one window.

    Args:
        indptr: The neighbours of entity ``e`` are ``neighbours[indptr[e]:indptr[e + 1]]``.
        neighbours: Both ways.
        groups: Where the candidates of each group begin, and the end of the last.
        rows: Entity of each candidate.
        mass: How likely each is.
        scratch: Zeros for every entity, and zeros again afterwards.
        found: Is filled.
    """
    rank, rest, total, queued = scratch
    touched = np.empty(1024, np.int64)
    everything = np.empty(1024, np.int64)
    num_everything = 0
    queue = np.empty(1024, np.int64)
    for group in range(len(groups) - 1):
        count = waiting = 0
        for place in range(groups[group], groups[group + 1]):
            row = np.int64(rows[place])
            rest[row] = mass[place]
            touched = _with(touched, count, row)
            count += 1
            if rest[row] >= TOLERANCE * max(1, indptr[row + 1] - indptr[row]):
                queue = _with(queue, waiting, row)
                waiting += 1
                queued[row] = True
        at = 0
        while at < waiting:
            row = queue[at]
            at += 1
            queued[row] = False
            left, degree = rest[row], indptr[row + 1] - indptr[row]
            rank[row] += RESTART * left
            rest[row] = 0.0
            if degree == 0:
                continue
            share = (1 - RESTART) * left / degree
            for edge in range(indptr[row], indptr[row + 1]):
                other = np.int64(neighbours[edge])
                if rest[other] == 0.0 and rank[other] == 0.0:
                    touched = _with(touched, count, other)
                    count += 1
                rest[other] += share
                if not queued[other] and rest[other] >= TOLERANCE * max(
                    1, indptr[other + 1] - indptr[other]
                ):
                    queued[other] = True
                    queue = _with(queue, waiting, other)
                    waiting += 1
        for place in range(groups[group], groups[group + 1]):
            rank[rows[place]] = 0.0  # what stays is no one else's word
            rest[rows[place]] = 0.0
        for number in range(count):
            row = touched[number]
            came = rank[row] + RESTART * rest[row]
            rank[row] = 0.0
            rest[row] = 0.0
            if came > 0.0:
                if total[row] == 0.0:
                    everything = _with(everything, num_everything, row)
                    num_everything += 1
                total[row] += came
    for place in range(groups[0], groups[-1]):
        found[place] = total[rows[place]]
    for number in range(num_everything):
        total[everything[number]] = 0.0


@compiled
def _with(rows, count, row):
    """Return the list with one more; it grows when it is full."""
    if count == len(rows):
        larger = np.empty(2 * count, np.int64)
        larger[:count] = rows
        rows = larger
    rows[count] = row
    return rows
