"""Compiled loops over the rows of a graph: the walk from the seeds, and the edges among nodes.

Everything works on one batch: seeds lie flat with offsets, and so do the results. A table with
open addressing holds the nodes of one text at a time (1,024 slots for 200 nodes, which stay in the
cache of the processor) and is emptied node by node, so that its size costs nothing per text.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

# A run of tails shorter than this many times the nodes is read through; a longer one is searched.
SEARCH = 32


def compiled(function: Callable[..., Any]) -> Any:
    """Compile with numba; the machine code is kept on disk where there is a place for it."""
    function = inspect.unwrap(function)  # tests wrap every function in a type checker
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba found no folder that it may write to
        return njit(nogil=True)(function)


@compiled
def _slot(keys, entity):
    """Return where ``entity`` stands in the table, or the free slot where it would."""
    mask = len(keys) - 1
    slot = ((np.int64(entity) * 0x9E3779B1) >> 15) & mask
    while keys[slot] != -1 and keys[slot] != entity:
        slot = (slot + 1) & mask
    return slot


@compiled
def _add(entity, hop, count, keys, places, nodes, distance):
    """Make ``entity`` a node unless it is one; return the new number of nodes."""
    slot = _slot(keys, entity)
    if keys[slot] == entity:
        return count
    keys[slot] = entity
    places[slot] = count
    nodes[count] = entity
    distance[count] = hop
    return count + 1


@compiled
def _is_seed(entity, keys, places, distance):
    slot = _slot(keys, entity)
    return keys[slot] == entity and distance[places[slot]] == 0


@compiled
def _next_shown(place, stop, at_seed, row, hidden, keys, places, distance):
    """Return the first entry from ``place`` on that is not hidden, or ``stop``."""
    entities, relations = row
    while place < stop:
        if not hidden[relations[place]]:
            return place
        if not at_seed and not _is_seed(entities[place], keys, places, distance):
            return place
        place += 1
    return stop


@compiled
def _entries(begin, count, fan_out, graph, hidden, table, walk):
    """Return the entities that the walk's next hop meets, in turns; nodes are left out."""
    indptr, row = graph
    keys, places = table
    nodes, distance, cursor, active = walk
    num_active, room = count - begin, 0
    for turn in range(num_active):
        active[turn] = begin + turn
        cursor[begin + turn] = indptr[nodes[begin + turn]]
        room += min(fan_out, indptr[nodes[begin + turn] + 1] - indptr[nodes[begin + turn]])
    found, size, taken = np.empty(room, np.int32), 0, 0
    while num_active > 0 and taken < fan_out:
        left = 0
        for turn in range(num_active):
            node = active[turn]
            stop = indptr[nodes[node] + 1]
            place = _next_shown(
                cursor[node], stop, distance[node] == 0, row, hidden, keys, places, distance
            )
            if place < stop:
                cursor[node] = place + 1
                active[left] = node
                left += 1
                if keys[_slot(keys, row[0][place])] == -1:
                    found[size] = row[0][place]
                    size += 1
        num_active = left
        taken += 1
    return found[:size]


@compiled
def _most_linked(found):
    """Return the distinct entities, those found most often first, then in the order found."""
    order = np.argsort(found, kind="mergesort")
    links, first = np.zeros(len(found), np.int64), np.empty(len(found), np.int64)
    size = 0
    for place in range(len(order)):
        if place == 0 or found[order[place]] != found[order[place - 1]]:
            first[size] = order[place]
            size += 1
        links[size - 1] += 1
    # One sortable number: first more links, then an earlier place.
    rank = np.argsort(first[:size] - links[:size] * len(found))
    return found[first[:size][rank]]


@compiled
def _walk(seeds, fan_outs, budgets, graph, hidden, table, walk):
    """Fill ``walk`` with the nodes of one text, breadth first; return how many there are."""
    nodes, distance = walk[0], walk[1]
    count = 0
    for entity in seeds:
        if count < budgets[0]:
            count = _add(entity, 0, count, table[0], table[1], nodes, distance)
    begin, hop = 0, 1
    while hop <= len(fan_outs) and begin < count < budgets[hop]:
        found = _entries(begin, count, fan_outs[hop - 1], graph, hidden, table, walk)
        begin = count
        for entity in _most_linked(found):
            if count < budgets[hop]:
                count = _add(entity, hop, count, table[0], table[1], nodes, distance)
        hop += 1
    return count


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
def _room(edges, size, more):
    """Return ``edges`` with place for ``more``."""
    if size + more <= edges.shape[1]:
        return edges
    larger = np.empty((3, 2 * (size + more)), edges.dtype)
    larger[:, :size] = edges[:, :size]
    return larger


@compiled
def _read_run(start, stop, head, triples, hidden, table, distance, edges, size):
    """Add the shown edges of ``head`` in rows ``start:stop`` by reading each of them."""
    relations, tails = triples
    keys, places = table
    for row in range(start, stop):
        slot = _slot(keys, tails[row])
        if keys[slot] == -1:
            continue
        tail = places[slot]
        if hidden[relations[row]] and (distance[head] == 0 or distance[tail] == 0):
            continue
        edges[0, size], edges[1, size], edges[2, size] = head, tail, relations[row]
        size += 1
    return size


@compiled
def _search_run(start, stop, head, order, triples, hidden, walk, edges, size):
    """The same for a long run of one relation, whose tails ascend: look each node up."""
    relations, tails = triples
    nodes, distance = walk[0], walk[1]
    is_hidden = hidden[relations[start]]
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
        edges[0, size], edges[1, size], edges[2, size] = head, tail, relations[start]
        size += 1
    return size


@compiled
def _induce(count, indptr, triples, hidden, table, walk, edges, size):
    """Add all shown edges among the nodes, by (head, relation, tail); return them and how many."""
    order = np.argsort(walk[0][:count])
    for head in order:
        entity = walk[0][head]
        start, stop = indptr[entity], indptr[entity + 1]
        while start < stop:
            end = stop
            if stop - start > SEARCH * count:
                end = _end_of_run(triples[0], start, stop)
            if end - start > SEARCH * count:
                edges = _room(edges, size, count)
                size = _search_run(start, end, head, order, triples, hidden, walk, edges, size)
            else:
                edges = _room(edges, size, end - start)
                size = _read_run(start, end, head, triples, hidden, table, walk[1], edges, size)
            start = end
    return edges, size


@compiled
def _clear(count, keys, nodes):
    """Empty the table: first find every slot, for a slot emptied early would hide later ones."""
    slots = np.empty(count, np.int64)
    for node in range(count):
        slots[node] = _slot(keys, nodes[node])
    keys[slots] = -1


@compiled
def cut(offsets, seeds, fan_outs, budgets, neighbours, out, hidden):
    """Cut the subgraphs of a batch.

    Args:
        offsets: Where each text's seeds begin in ``seeds``, and the end.
        seeds: Rows of entities, text after text.
        fan_outs: How many entries of a row each hop follows.
        budgets: Number of nodes of a text at most, of seeds alone and after each hop.
        neighbours: ``(indptr, (entities, relations))``, both ways, in the order of the fan-out.
        out: ``(indptr, (relations, tails))`` of the triples by head.
        hidden: True for each relation, then each inverse one, that is hidden at a seed.

    Returns:
        Nodes' offsets, nodes, hops, edges' offsets, edges (heads, tails, relations).
    """
    limit, slots = budgets.max(), 16
    while slots < 4 * limit:
        slots *= 2
    table = (np.full(slots, -1, np.int32), np.empty(slots, np.int32))
    walk = (
        np.empty(limit, np.int32),
        np.empty(limit, np.int32),
        np.empty(limit, np.int64),
        np.empty(limit, np.int32),
    )
    num_texts = len(offsets) - 1
    node_offsets = np.zeros(num_texts + 1, np.int64)
    edge_offsets = np.zeros(num_texts + 1, np.int64)
    nodes, edges = np.empty((2, 1024), np.int32), np.empty((3, 4096), np.int32)
    size = 0
    for text in range(num_texts):
        seed = seeds[offsets[text] : offsets[text + 1]]
        count = _walk(seed, fan_outs, budgets, neighbours, hidden, table, walk)
        edges, size = _induce(count, out[0], out[1], hidden, table, walk, edges, size)
        _clear(count, table[0], walk[0])
        begin = node_offsets[text]
        if begin + count > nodes.shape[1]:
            larger = np.empty((2, 2 * (begin + count)), np.int32)
            larger[:, :begin] = nodes[:, :begin]
            nodes = larger
        nodes[0, begin : begin + count] = walk[0][:count]
        nodes[1, begin : begin + count] = walk[1][:count]
        node_offsets[text + 1] = begin + count
        edge_offsets[text + 1] = size
    return node_offsets, nodes, edge_offsets, edges
