"""Compiled loops that all retrievers share: the table of nodes, what is hidden, the edges.

Everything works on one batch: seeds lie flat with offsets, and so do the results. A table with
open addressing holds the nodes of one text at a time (1,024 slots for 200 nodes, which stay in the
cache of the processor) and is emptied node by node, so that its size costs nothing per text.

What is hidden from a text (``curtain``) is a pair: ``hidden``, true for each relation, then each
inverse one, that no seed shows; and the entries of rows that are withheld from this text as three
columns (entity, relation, other), sorted, a triple in both directions.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

# A run of tails shorter than this many times the nodes is read through; a longer one is searched.
SEARCH = 32

_FILES: dict[str, frozenset[str]] = {}
"""Of each file with compiled functions: itself, and all files whose compiled functions it calls."""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile with numba; the machine code is kept on disk where there is a place for it."""
    function = inspect.unwrap(function)  # tests wrap every function in a type checker
    try:
        made = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it may write to
        return njit(nogil=True)(function)
    # Machine code holds what it calls, but numba only looks at the file of the caller.
    kept = getattr(getattr(made, "_cache", None), "_cache_file", None)
    if kept is not None:
        stats = [Path(file).stat() for file in sorted(_files_of(function))]
        stamp = tuple((stat.st_mtime, stat.st_size) for stat in stats)
        kept._source_stamp = (kept._source_stamp, stamp)
    return made


def _files_of(function: Callable[..., Any]) -> frozenset[str]:
    """Return the files of a function and of all compiled ones that its own file has imported."""
    own = function.__code__.co_filename
    called = [
        _FILES.get(value.py_func.__code__.co_filename, frozenset())
        for value in function.__globals__.values()
        if hasattr(value, "py_func")
    ]
    _FILES[own] = frozenset({own}).union(_FILES.get(own, ()), *called)
    return _FILES[own]


@compiled
def slot_of(keys, entity):
    """Return where ``entity`` stands in the table, or the free slot where it would."""
    mask = len(keys) - 1
    slot = ((np.int64(entity) * 0x9E3779B1) >> 15) & mask
    while keys[slot] != -1 and keys[slot] != entity:
        slot = (slot + 1) & mask
    return slot


@compiled
def add(entity, hop, count, table, nodes, distance):
    """Make ``entity`` a node unless it is one; return the new number of nodes."""
    keys, places = table
    slot = slot_of(keys, entity)
    if keys[slot] == entity:
        return count
    keys[slot] = entity
    places[slot] = count
    nodes[count] = entity
    distance[count] = hop
    return count + 1


@compiled
def clear(count, keys, nodes):
    """Empty the table: first find every slot, for a slot emptied early would hide later ones."""
    slots = np.empty(count, np.int64)
    for node in range(count):
        slots[node] = slot_of(keys, nodes[node])
    keys[slots] = -1


@compiled
def _is_seed(entity, table, distance):
    keys, places = table
    slot = slot_of(keys, entity)
    return keys[slot] == entity and distance[places[slot]] == 0


@compiled
def is_withheld(entity, relation, other, withheld):
    """Say whether an entry of a row is one of those withheld from this text."""
    entities, relations, others = withheld
    low, high = 0, len(entities)
    while low < high:
        middle = (low + high) // 2
        if entities[middle] < entity:
            low = middle + 1
        else:
            high = middle
    while low < len(entities) and entities[low] == entity:
        if relations[low] == relation and others[low] == other:
            return True
        low += 1
    return False


@compiled
def is_shown(place, entity, at_seed, row, curtain, table, distance):
    """Say whether an entry of the row of ``entity`` is shown."""
    entities, relations = row
    hidden, withheld = curtain
    if hidden[relations[place]] and (at_seed or _is_seed(entities[place], table, distance)):
        return False
    return len(withheld[0]) == 0 or not is_withheld(
        entity, relations[place], entities[place], withheld
    )


@compiled
def _end_of_run(relations, start, stop):
    """Return where the run of ``relations[start]`` ends in a sorted row: gallop, then halve."""
    step = 1
    while start + step < stop and relations[start + step] == relations[start]:
        step *= 2
    low, high = start + step // 2 + 1, min(start + step, stop)
    while low < high:
        middle = (low + high) // 2
        if relations[middle] == relations[start]:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def room_for(edges, size, more):
    """Return ``edges`` with place for ``more``."""
    if size + more <= edges.shape[1]:
        return edges
    larger = np.empty((3, 2 * (size + more)), edges.dtype)
    larger[:, :size] = edges[:, :size]
    return larger


@compiled
def _read_run(start, stop, head, triples, curtain, table, walk, edges, size):
    """Add the shown edges of ``head`` in rows ``start:stop`` by reading each of them."""
    relations, tails = triples
    keys, places = table
    nodes, distance = walk
    hidden, withheld = curtain
    for row in range(start, stop):
        slot = slot_of(keys, tails[row])
        if keys[slot] == -1:
            continue
        tail = places[slot]
        if hidden[relations[row]] and (distance[head] == 0 or distance[tail] == 0):
            continue
        if len(withheld[0]) and is_withheld(nodes[head], relations[row], tails[row], withheld):
            continue
        edges[0, size], edges[1, size], edges[2, size] = head, tail, relations[row]
        size += 1
    return size


@compiled
def _search_run(start, stop, head, order, triples, curtain, walk, edges, size):
    """The same for a long run of one relation, whose tails ascend: look each node up."""
    relations, tails = triples
    nodes, distance = walk
    relation, is_hidden = relations[start], curtain[0][relations[start]]
    low = start
    for tail in order:
        high = stop
        while low < high:
            middle = (low + high) // 2
            if tails[middle] < nodes[tail]:
                low = middle + 1
            else:
                high = middle
        if low == stop:
            break
        if tails[low] != nodes[tail] or (
            is_hidden and (distance[head] == 0 or distance[tail] == 0)
        ):
            continue
        if len(curtain[1][0]) and is_withheld(nodes[head], relation, nodes[tail], curtain[1]):
            continue
        edges[0, size], edges[1, size], edges[2, size] = head, tail, relation
        size += 1
    return size


@compiled
def induce(count, out, curtain, table, walk, edges, size):
    """Add all shown edges among the nodes, by (head, relation, tail); return them and how many."""
    indptr, triples = out
    order = np.argsort(walk[0][:count])
    for head in order:
        entity = walk[0][head]
        start, stop = indptr[entity], indptr[entity + 1]
        while start < stop:
            end = stop
            if stop - start > SEARCH * count:
                end = _end_of_run(triples[0], start, stop)
            if end - start > SEARCH * count:
                edges = room_for(edges, size, count)
                size = _search_run(start, end, head, order, triples, curtain, walk, edges, size)
            else:
                edges = room_for(edges, size, end - start)
                size = _read_run(start, end, head, triples, curtain, table, walk, edges, size)
            start = end
    return edges, size


@compiled
def with_nodes(found, begin, count, nodes, distance):
    """Return ``found`` with the nodes and distances of one more text, from ``begin`` on."""
    if begin + count > found.shape[1]:
        larger = np.empty((2, 2 * (begin + count)), np.int32)
        larger[:, :begin] = found[:, :begin]
        found = larger
    found[0, begin : begin + count] = nodes[:count]
    found[1, begin : begin + count] = distance[:count]
    return found


@compiled
def withheld_from(text, offsets, withheld):
    """Return the entries withheld from one text."""
    a, b = offsets[text], offsets[text + 1]
    return withheld[0][a:b], withheld[1][a:b], withheld[2][a:b]
