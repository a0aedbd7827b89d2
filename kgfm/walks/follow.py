"""Follow walks over a graph, exactly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Int

from kgfm.graph import KnowledgeGraph
from kgfm.walks.walk import NO, YES, Sought, Step, Walk

Rows = Int[np.ndarray, "_"]


def step(graph: KnowledgeGraph, rows: Rows, taken: Step) -> Rows:
    """Return the rows of all that a relation joins with some entities, in order, each once."""
    relation = graph.relation_row(taken.relation)
    found = [np.empty(0, np.int64)]
    for row in rows.tolist():
        indptr = graph.out_indptr if taken.forward else graph.neighbour_indptr
        part = slice(*indptr[row : row + 2].tolist())
        if taken.forward:
            found.append(graph.tails[part][graph.relations[part] == relation])
        else:
            inverse = relation + graph.num_relations
            found.append(graph.neighbour_entity[part][graph.neighbour_relation[part] == inverse])
    return np.unique(np.concatenate(found)).astype(np.int64)


def follow(graph: KnowledgeGraph, walk: Walk) -> Rows:
    """Return the rows that a walk leads to; those that bear the values where it ends in values.

    Raises:
        KeyError: The graph has no such topic or relation.
    """
    topic = graph.row(walk.topic)
    rows = np.array([topic], np.int64)
    for taken in walk.steps:
        if taken.literal:
            bear = [taken.relation in graph.attributes(row) for row in rows.tolist()]
            return rows[bear]
        rows = step(graph, rows, taken)
        if not walk.come_back:
            rows = rows[rows != topic]
    return rows


def reached(graph: KnowledgeGraph, sought: Sought) -> Rows:
    """Return the rows that all walks lead to."""
    rows = follow(graph, sought.walks[0])
    for walk in sought.walks[1:]:
        rows = np.intersect1d(rows, follow(graph, walk))
    return rows


def answers(graph: KnowledgeGraph, sought: Sought) -> tuple[str, ...]:
    """Return what a question seeks: keys in the order of rows, values, a number, yes or no."""
    rows = reached(graph, sought)
    if sought.kind == "count":
        return (str(len(rows)),)
    if sought.kind == "yesno":
        assert sought.about is not None
        return (YES if graph.row(sought.about) in rows.tolist() else NO,)
    if sought.kind == "literal":
        return values_of(graph, rows.tolist(), sought.walks[0].steps[-1].relation)
    return tuple(graph.keys[row] for row in rows.tolist())


def values_of(graph: KnowledgeGraph, rows: Iterable[int], attribute: str) -> tuple[str, ...]:
    """Return the values of an attribute as strings, each once, in the order of the rows."""
    found: dict[str, None] = {}
    for row in rows:
        given = graph.attributes(int(row)).get(attribute)
        for value in given if isinstance(given, list) else [given]:
            if value is not None:
                found[as_value(value)] = None
    return tuple(found)


def as_value(value: Any) -> str:
    """Return a literal as the string that an answer gives: ``3776``, ``true``, a date as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
