"""The compiled walk of :class:`kgfm.retrieval.HopRetriever`."""

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
def _frontier(count, hop, walk):
    """Return the nodes that came in, or became narrower, in a hop; in their order."""
    frontier, size = np.empty(count, np.int64), 0
    for node in range(count):
        if walk[2][node] == hop:
            frontier[size] = node
            size += 1
    return frontier[:size]


@compiled
def _widths(frontier, fan_out, graph, veiled, curtain, table, walk):
    """Return how wide each walk becomes that follows the row of a node of the frontier."""
    indptr, row = graph
    nodes, distance, width = walk[0], walk[1], walk[3]
    widths = np.empty(len(frontier), np.int64)
    for turn in range(len(frontier)):
        node = frontier[turn]
        entity, at_seed = nodes[node], distance[node] == 0
        place, stop = indptr[entity], indptr[entity + 1]
        followed = min(fan_out, stop - place)
        if veiled:
            followed = 0
            while place < stop and followed < fan_out:
                followed += is_shown(place, entity, at_seed, row, curtain, table, distance)
                place += 1
        widths[turn] = max(width[node], followed)
    return widths


@compiled
def _meet(entity, wide, hop, count, size, table, walk):
    """Put an entity behind what was met, unless it is as narrow already; return the new number.

    The first ``count`` are the nodes; one that was wider leaves its place, with a width of -1.
    """
    nodes, distance, since, width = walk
    slot = slot_of(table[0], entity)
    away = hop
    if table[0][slot] == entity:
        old = table[1][slot]
        if old >= count or width[old] <= wide:
            return size
        away = distance[old]
        width[old] = -1
    table[0][slot], table[1][slot] = entity, size
    nodes[size], distance[size], since[size], width[size] = entity, away, hop, wide
    return size + 1


@compiled
def _take_turns(owners, wide, hop, fan_out, most, bounds, graph, curtain, table, walk):
    """Meet what the rows of ``owners`` lead to, in turns, until there are ``most``.

    ``bounds`` holds the number of nodes and of all entities that stand in the walk.
    """
    indptr, row = graph
    nodes, distance = walk[0], walk[1]
    count, size = bounds
    cursor, active = indptr[nodes[owners]], np.arange(len(owners))
    num_active, taken = len(active), 0
    while num_active > 0 and taken < fan_out:
        left = 0
        for turn in range(num_active):
            owner = active[turn]
            entity, at_seed = nodes[owners[owner]], distance[owners[owner]] == 0
            place, stop = cursor[owner], indptr[entity + 1]
            while place < stop and not is_shown(
                place, entity, at_seed, row, curtain, table, distance
            ):
                place += 1
            if place < stop:
                cursor[owner] = place + 1
                active[left] = owner
                left += 1
                size = _meet(row[0][place], wide, hop, count, size, table, walk)
                if size == most:
                    return size
        num_active = left
        taken += 1
    return size


@compiled
def _hop(count, first, hop, fan_out, budget, shared, graph, veiled, curtain, table, walk):
    """Put behind the ``count`` nodes what a hop meets, narrowest first; return how many stand.

    Nodes from ``first`` on make way for what is narrower. Rows that are too wide to bring
    anything in are not read.
    """
    width = walk[3]
    frontier = _frontier(count, hop - 1, walk)
    widths = _widths(frontier, fan_out, graph, veiled, curtain, table, walk)
    order = np.argsort(widths, kind="mergesort")
    size, start, node, firm = count, 0, first, first
    while start < len(order):
        wide = widths[order[start]]
        end = start
        while end < len(order) and widths[order[end]] == wide:
            end += 1
        while node < count and (width[node] <= wide or not shared):
            firm += width[node] >= 0  # stays, whatever is this wide
            node += 1
        most = size + budget - firm - (size - count)
        if most <= size:
            break
        owners = frontier[order[start:end]]
        size = _take_turns(
            owners, wide, hop, fan_out, most, (count, size), graph, curtain, table, walk
        )
        start = end
    return size


@compiled
def _merge(count, size, first, budget, table, walk):
    """Of nodes (from ``first`` on) and what was met let the narrowest be the nodes."""
    clear(size, table[0], walk[0])
    nodes, distance, since, width = walk
    old = nodes[:size].copy(), distance[:size].copy(), since[:size].copy(), width[:size].copy()
    node, met, kept = first, count, first
    while kept < budget and (node < count or met < size):
        if met == size or (node < count and old[3][node] <= old[3][met]):
            place = node
            node += 1
        else:
            place = met
            met += 1
        if old[3][place] >= 0:
            nodes[kept], distance[kept] = old[0][place], old[1][place]
            since[kept], width[kept] = old[2][place], old[3][place]
            kept += 1
    for place in range(kept):
        slot = slot_of(table[0], nodes[place])
        table[0][slot], table[1][slot] = nodes[place], place
    return kept


@compiled
def _walk(seeds, fan_outs, budgets, shared, graph, veiled, curtain, table, walk):
    """Fill ``walk`` with the nodes of one text; return how many there are."""
    count = 0
    for entity in seeds:
        if count < budgets[0]:
            count = add(entity, 0, count, table, walk[0], walk[1])
    walk[2][:count] = 0
    walk[3][:count] = 0
    first = count
    for hop in range(1, len(fan_outs) + 1):
        fan_out, budget = fan_outs[hop - 1], budgets[hop]
        size = _hop(count, first, hop, fan_out, budget, shared, graph, veiled, curtain, table, walk)
        if size == count:
            break
        count = _merge(count, size, first if shared else count, budget, table, walk)
        first = first if shared else count
    return count


@compiled
def cut(offsets, seeds, fan_outs, budgets, shared, neighbours, out, hidden, withheld):
    """Cut the subgraphs of a batch.

    Args:
        offsets: Where each text's seeds begin in ``seeds``, and the end.
        seeds: Rows of entities, text after text.
        fan_outs: How many entries of a row each hop follows.
        budgets: Number of nodes of a text at most, of seeds alone and after each hop.
        shared: Whether a hop may put out what an earlier one found.
        neighbours: ``(indptr, (entities, relations))``, both ways, in the order of the fan-out.
        out: ``(indptr, (relations, tails))`` of the triples by head.
        hidden: True for each relation, then each inverse one, that is hidden at a seed.
        withheld: Offsets of the entries withheld from each text, and their three columns.

    Returns:
        Nodes' offsets, nodes, hops, edges' offsets, edges (heads, tails, relations).
    """
    limit, slots = budgets.max(), 16
    while slots < 8 * limit:
        slots *= 2
    table = (np.full(slots, -1, np.int32), np.empty(slots, np.int32))
    # Entity, distance from the nearest seed, hop in which it came, width of the way to it.
    walk = (
        np.empty(2 * limit, np.int32),
        np.empty(2 * limit, np.int32),
        np.empty(2 * limit, np.int32),
        np.empty(2 * limit, np.int64),
    )
    num_texts = len(offsets) - 1
    node_offsets = np.zeros(num_texts + 1, np.int64)
    edge_offsets = np.zeros(num_texts + 1, np.int64)
    found, edges = np.empty((2, 1024), np.int32), np.empty((3, 4096), np.int32)
    size, any_hidden = 0, hidden.any()
    for text in range(num_texts):
        curtain = hidden, withheld_from(text, withheld[0], withheld[1])
        veiled = any_hidden or len(curtain[1][0]) > 0
        seed = seeds[offsets[text] : offsets[text + 1]]
        count = _walk(seed, fan_outs, budgets, shared, neighbours, veiled, curtain, table, walk)
        edges, size = induce(count, out, curtain, table, walk[:2], edges, size)
        clear(count, table[0], walk[0])
        begin = node_offsets[text]
        found = with_nodes(found, begin, count, walk[0], walk[1])
        node_offsets[text + 1] = begin + count
        edge_offsets[text + 1] = size
    return node_offsets, found, edge_offsets, edges
