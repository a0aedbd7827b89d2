"""The compiled push of :class:`kgfm.retrieval.PPRRetriever`."""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from kgfm.retrieval.kernels import (
    add,
    clear,
    compiled,
    induce,
    is_shown,
    slot_of,
    with_nodes,
    withheld_from,
)


@compiled
def _reached(capacity):
    """Return room for entities that mass has reached.

    A table (keys, places), entities, distances from a seed, and by column: what is still to be
    pushed, what it takes to be pushed, what has come to stay; and who waits for a push.
    """
    table = np.full(4 * capacity, -1, np.int32), np.empty(4 * capacity, np.int32)
    mass = np.empty((capacity, 3))
    return table, np.empty(capacity, np.int32), np.empty(capacity, np.int32), mass


@compiled
def _grown(reached, count, more):
    """Return the same with room for ``more`` than the ``count`` entities that are there."""
    if count + more <= len(reached[1]):
        return reached
    capacity = len(reached[1])
    while capacity < count + more:
        capacity *= 2
    larger = _reached(capacity)
    for place in range(count):
        add(reached[1][place], reached[2][place], place, larger[0], larger[1], larger[2])
    larger[3][:count] = reached[3][:count]
    return larger


@compiled
def _receive(entity, amount, away, count, epsilon, degree, reached):
    """Give an entity mass; return its place, and the new number of entities."""
    (keys, places), entities, distance, mass = reached
    slot = slot_of(keys, entity)
    if keys[slot] == entity:
        place = places[slot]
        mass[place, 0] += amount
        distance[place] = min(distance[place], away)
        return place, count
    keys[slot], places[slot] = entity, count
    entities[count], distance[count] = entity, away
    mass[count, 0], mass[count, 1], mass[count, 2] = amount, epsilon * degree[entity], 0.0
    return count, count + 1


@compiled
def _push(place, count, waiting, num_waiting, alpha, epsilon, graph, veiled, curtain, reached):
    """Let a part of an entity's mass stay, and spread the rest over the entries of its row."""
    (indptr, row), degree = graph
    table, entities, distance, mass = reached
    entity, at_seed = entities[place], distance[place] == 0
    start, stop = indptr[entity], indptr[entity + 1]
    shown = stop - start
    if veiled:
        shown = 0
        for entry in range(start, stop):
            shown += is_shown(entry, entity, at_seed, row, curtain, table, distance)
    amount = mass[place, 0]
    mass[place, 0] = 0.0
    if shown == 0:  # a walker who cannot move stays
        mass[place, 2] += amount
        return count, num_waiting
    mass[place, 2] += alpha * amount
    share, away = (1 - alpha) * amount / shown, distance[place] + 1
    for entry in range(start, stop):
        if veiled and not is_shown(entry, entity, at_seed, row, curtain, table, distance):
            continue
        other, count = _receive(row[0][entry], share, away, count, epsilon, degree, reached)
        left, limit = mass[other, 0], mass[other, 1]
        if left > limit and left - share <= limit:  # else it waits already
            waiting[num_waiting] = other
            num_waiting += 1
    return count, num_waiting


@compiled
def _spread(seeds, alpha, epsilon, graph, veiled, curtain, reached):
    """Push until nothing is left to push; return what was reached, and how many entities."""
    (indptr, _), degree = graph
    reached[0][0][:] = -1
    count = 0
    for seed in seeds:
        place, count = _receive(seed, 0.0, 0, count, epsilon, degree, reached)
    reached[3][:count, 0] = 1.0 / max(count, 1)
    now, num_now = np.empty(len(reached[1]), np.int32), 0
    for place in range(count):
        if reached[3][place, 0] > reached[3][place, 1]:
            now[num_now] = place
            num_now += 1
    later = np.empty(len(now), np.int32)
    while num_now > 0:
        num_later = 0
        for turn in range(num_now):
            entity = reached[1][now[turn]]
            reached = _grown(reached, count, indptr[entity + 1] - indptr[entity])
            if len(later) < len(reached[1]):
                more = np.empty(len(reached[1]), np.int32)
                more[:num_later] = later[:num_later]
                later = more
            count, num_later = _push(
                now[turn], count, later, num_later, alpha, epsilon, graph, veiled, curtain, reached
            )
        now, later, num_now = later, now, num_later
    return reached, count


@compiled
def _best(count, budget, num_seeds, alpha, reached):
    """Return the places of the entities of most value: seeds, then by value, then by row."""
    _, entities, _, mass = reached
    value = mass[:count, 2] + alpha * mass[:count, 0]
    rest = value[num_seeds:]
    least, room = 0.0, budget - num_seeds
    if room <= 0:
        return np.arange(budget), value
    if len(rest) > room:
        least = -np.partition(-rest, room - 1)[room - 1]
    chosen = num_seeds + np.flatnonzero(rest >= least)
    chosen = chosen[np.argsort(entities[chosen])]
    chosen = chosen[np.argsort(-value[chosen], kind="mergesort")][:room]
    return np.concatenate((np.arange(num_seeds), chosen)), value


@compiled
def cut(offsets, seeds, push, budget, graph, out, hidden, withheld):
    """Cut the subgraphs of a batch.

    Args:
        offsets: Where each text's seeds begin in ``seeds``, and the end.
        seeds: Rows of entities, text after text.
        push: ``(alpha, epsilon)``.
        budget: Number of nodes of a text at most.
        graph: ``((indptr, (entities, relations)), degree)``, neighbours both ways.
        out: ``(indptr, (relations, tails))`` of the triples by head.
        hidden: True for each relation, then each inverse one, that is hidden at a seed.
        withheld: Offsets of the entries withheld from each text, and their three columns.

    Returns:
        Nodes' offsets, nodes, hops, edges' offsets, edges (heads, tails, relations), and values.
    """
    slots = 16
    while slots < 4 * budget:
        slots *= 2
    table = (np.full(slots, -1, np.int32), np.empty(slots, np.int32))
    walk = np.empty(budget, np.int32), np.empty(budget, np.int32)
    num_texts = len(offsets) - 1
    node_offsets = np.zeros(num_texts + 1, np.int64)
    edge_offsets = np.zeros(num_texts + 1, np.int64)
    found, edges = np.empty((2, 1024), np.int32), np.empty((3, 4096), np.int32)
    values = np.empty(1024)
    reached = _reached(max(1024, len(seeds)))
    size, any_hidden = 0, hidden.any()
    for text in range(num_texts):
        curtain = hidden, withheld_from(text, withheld[0], withheld[1])
        veiled = any_hidden or len(curtain[1][0]) > 0
        seed = seeds[offsets[text] : offsets[text + 1]]
        reached, num_reached = _spread(seed, push[0], push[1], graph, veiled, curtain, reached)
        num_seeds = np.count_nonzero(reached[2][:num_reached] == 0)
        best, value = _best(num_reached, budget, num_seeds, push[0], reached)
        count = 0
        for place in best:
            count = add(reached[1][place], reached[2][place], count, table, walk[0], walk[1])
        edges, size = induce(count, out, curtain, table, walk, edges, size)
        clear(count, table[0], walk[0])
        begin = node_offsets[text]
        found = with_nodes(found, begin, count, walk[0], walk[1])
        if len(values) < found.shape[1]:
            larger = np.empty(found.shape[1])
            larger[:begin] = values[:begin]
            values = larger
        values[begin : begin + count] = value[best]
        node_offsets[text + 1] = begin + count
        edge_offsets[text + 1] = size
    return node_offsets, found, edge_offsets, edges, values
