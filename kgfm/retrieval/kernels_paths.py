"""The compiled search of :class:`kgfm.retrieval.PathRetriever`: all shortest paths of two seeds."""

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
def _side(capacity):
    """Return room for what one of two searches reaches.

    A table (keys, places); entities, levels and the last of each one's links; and links: the place
    that leads to an entity from the level before, and the next link of the same entity.
    """
    table = np.full(4 * capacity, -1, np.int32), np.empty(4 * capacity, np.int32)
    reached = np.empty((3, capacity), np.int32)
    return table, reached, np.empty((2, capacity), np.int32)


@compiled
def _grown(side, sizes, more):
    """Return the same with room for ``more`` entities and links than there are."""
    count, num_links = sizes
    table, reached, links = side
    if num_links + more > links.shape[1]:
        larger = np.empty((2, 2 * (num_links + more)), np.int32)
        larger[:, :num_links] = links[:, :num_links]
        links = larger
    if count + more > reached.shape[1]:
        wider = np.empty((3, 2 * (count + more)), np.int32)
        wider[:, :count] = reached[:, :count]
        slots = len(table[0])
        while slots < 2 * wider.shape[1]:
            slots *= 2
        table = np.full(slots, -1, np.int32), np.empty(slots, np.int32)
        for place in range(count):
            slot = slot_of(table[0], wider[0, place])
            table[0][slot], table[1][slot] = wider[0, place], place
        reached = wider
    return table, reached, links


@compiled
def _reach(entity, level, source, sizes, side):
    """Note that ``source`` leads to an entity at a level; return the new sizes."""
    (keys, places), reached, links = side
    count, num_links = sizes
    slot = slot_of(keys, entity)
    if keys[slot] == entity:
        place = places[slot]
        if reached[1, place] != level or links[0, reached[2, place]] == source:
            return sizes  # nearer already, or by two triples from the same entity
    else:
        place = count
        keys[slot], places[slot] = entity, place
        reached[0, place], reached[1, place], reached[2, place] = entity, level, -1
        count += 1
    links[0, num_links], links[1, num_links] = source, reached[2, place]
    reached[2, place] = num_links
    return count, num_links + 1


@compiled
def _begin(seed, side):
    (keys, places), reached, _ = side
    slot = slot_of(keys, seed)
    keys[slot], places[slot] = seed, 0
    reached[0, 0], reached[1, 0], reached[2, 0] = seed, 0, -1


@compiled
def _volume(begin, count, side, indptr):
    """Return how many entries the rows of a frontier have."""
    entries = 0
    for place in range(begin, count):
        entity = side[1][0, place]
        entries += indptr[entity + 1] - indptr[entity]
    return entries


@compiled
def _expand(begin, level, sizes, side, graph, veiled, curtain, table, distance):
    """Reach the next level from the frontier that begins at a place."""
    indptr, row = graph
    end = sizes[0]
    for place in range(begin, end):
        entity = side[1][0, place]
        start, stop = indptr[entity], indptr[entity + 1]
        side = _grown(side, sizes, stop - start)
        at_seed = False
        if veiled:
            slot = slot_of(table[0], entity)
            at_seed = table[0][slot] == entity and distance[table[1][slot]] == 0
        for entry in range(start, stop):
            if veiled and not is_shown(entry, entity, at_seed, row, curtain, table, distance):
                continue
            sizes = _reach(row[0][entry], level, place, sizes, side)
    return side, sizes


@compiled
def _meeting(begin, sizes, side, other):
    """Return the places of a frontier where the other search has been."""
    found, size = np.empty(sizes[0] - begin, np.int64), 0
    for place in range(begin, sizes[0]):
        entity = side[1][0, place]
        if other[0][0][slot_of(other[0][0], entity)] == entity:
            found[size] = place
            size += 1
    return found[:size]


@compiled
def _walks(place, side, most):
    """Return the ways from the seed of a side to a place, as rows of entities, the seed last."""
    level = side[1][1, place]
    ways = np.empty((most, level + 1), np.int32)
    cursor, at = np.empty(level + 1, np.int64), np.empty(level + 1, np.int64)
    at[0], cursor[0] = place, side[1][2, place]
    size, depth = 0, 0
    while depth >= 0 and size < most:
        if depth == level:
            for step in range(level + 1):
                ways[size, step] = side[1][0, at[step]]
            size += 1
            depth -= 1
        elif cursor[depth] < 0:
            depth -= 1
        else:
            link = cursor[depth]
            cursor[depth] = side[2][1, link]
            depth += 1
            at[depth] = side[2][0, link]
            cursor[depth] = side[1][2, at[depth]]
    return ways[:size]


@compiled
def _join(met, steps, sides, most, degree, indptr):
    """Return up to ``most`` shortest paths through where the searches met, and their scores."""
    near, far = sides
    paths, scores = np.empty((most, steps + 1), np.int32), np.empty(most)
    size = 0
    for place in met:
        entity = near[1][0, place]
        there = far[0][1][slot_of(far[0][0], entity)]
        first, second = _walks(place, near, most - size), _walks(there, far, most - size)
        for a in range(len(first)):
            for b in range(len(second)):
                if size < most:
                    length = first.shape[1]
                    paths[size, :length] = first[a, ::-1]
                    paths[size, length:] = second[b, 1:]
                    scores[size] = 0.0
                    for step in range(1, steps):
                        scores[size] -= np.log(degree[paths[size, step]])
                    size += 1
    order = np.argsort(-scores[:size], kind="mergesort")
    return paths[:size][order], scores[:size][order]


@compiled
def _search(pair, most, longest, graph, degree, veiled, curtain, table, distance, near, far):
    """Find the shortest paths of two seeds; return the sides for reuse, paths and scores."""
    indptr = graph[0]
    _begin(pair[0], near)
    _begin(pair[1], far)
    sizes, others = (1, 0), (1, 0)
    begin, other_begin, level, other_level = 0, 0, 0, 0
    turned, met = False, np.empty(0, np.int64)
    while level + other_level < longest and begin < sizes[0] and other_begin < others[0]:
        if _volume(begin, sizes[0], near, indptr) > _volume(other_begin, others[0], far, indptr):
            near, far = far, near
            sizes, others = others, sizes
            begin, other_begin = other_begin, begin
            level, other_level = other_level, level
            turned = not turned
        level += 1
        end = sizes[0]
        near, sizes = _expand(begin, level, sizes, near, graph, veiled, curtain, table, distance)
        begin = end
        met = _meeting(begin, sizes, near, far)
        if len(met):
            break
    steps = level + other_level if len(met) else 0
    paths, scores = _join(met, steps, (near, far), most, degree, indptr)
    clear(sizes[0], near[0][0], near[1][0])
    clear(others[0], far[0][0], far[1][0])
    if turned:
        near, far = far, near
        paths = paths[:, ::-1].copy()
    return near, far, paths, scores


@compiled
def _wider(found, size, more):
    """Return room for more paths: entities, scores and pairs."""
    paths, scores, pairs = found
    if size + more <= len(scores):
        return found
    rows = 2 * (size + more)
    larger = np.full((rows, paths.shape[1]), -1, np.int32), np.empty(rows), np.empty(rows, np.int64)
    larger[0][:size], larger[1][:size], larger[2][:size] = paths[:size], scores[:size], pairs[:size]
    return larger


@compiled
def _between(seeds, limits, graph, degree, veiled, curtain, table, walk, near, far, found):
    """Find the paths of each pair of seeds; return the sides, the paths, and how many."""
    most, longest = limits
    size, pair = 0, 0
    for a in range(len(seeds)):
        for b in range(a + 1, len(seeds)):
            near, far, paths, scores = _search(
                (seeds[a], seeds[b]),
                most, longest, graph, degree, veiled, curtain, table, walk[1], near, far,
            )  # fmt: skip
            found = _wider(found, size, len(paths))
            for path in range(len(paths)):
                found[0][size] = -1
                found[0][size, : paths.shape[1]] = paths[path]
                found[1][size], found[2][size] = scores[path], pair
                size += 1
            pair += 1
    return near, far, found, size


@compiled
def _in_turns(pairs):
    """Return the order in which pairs take turns: the first path of each, then the second."""
    turns = np.zeros(len(pairs), np.int64)
    for path in range(1, len(pairs)):
        turns[path] = turns[path - 1] + 1 if pairs[path] == pairs[path - 1] else 0
    return np.argsort(turns, kind="mergesort")


@compiled
def _take(path, count, budget, table, walk):
    """Make the entities of a path nodes if all of them fit; return how many nodes there are."""
    keys, places = table
    nodes, distance = walk
    steps = len(path) - 1
    while path[steps] < 0:
        steps -= 1
    new = 0
    for entity in path[: steps + 1]:
        new += keys[slot_of(keys, entity)] != entity
    if count + new > budget:
        return -1
    for step in range(steps + 1):
        away = min(step, steps - step)
        count = add(path[step], away, count, table, nodes, distance)
        place = places[slot_of(keys, path[step])]
        distance[place] = min(distance[place], away)
        path[step] = place
    return count


@compiled
def _fill(order, ways, count, budget, table, walk, taken, num_paths):
    """Take the paths that the budget has room for; return the new numbers of nodes and paths."""
    for way in order:
        after = _take(ways[0][way], count, budget, table, walk)
        if after < 0:
            continue
        count = after
        if num_paths == len(taken[2]):
            nodes, steps, scores = taken
            taken = (
                np.concatenate((nodes, nodes)),
                np.concatenate((steps, steps)),
                np.concatenate((scores, scores)),
            )
        taken[0][num_paths], taken[2][num_paths] = ways[0][way], ways[1][way]
        num_paths += 1
    return count, taken, num_paths


@compiled
def _joins(path, edges, begin, size, steps):
    """Fill ``steps`` with the first edge between each two neighbours of a path, as places."""
    for step in range(len(steps)):
        steps[step] = -1
        if path[step + 1] < 0:
            continue
        a, b = path[step], path[step + 1]
        for edge in range(begin, size):
            head, tail = edges[0, edge], edges[1, edge]
            if (head == a and tail == b) or (head == b and tail == a):
                steps[step] = edge - begin
                break


@compiled
def cut(offsets, seeds, limits, budget, graph, degree, out, hidden, withheld):
    """Cut the subgraphs of a batch.

    Args:
        offsets: Where each text's seeds begin in ``seeds``, and the end.
        seeds: Rows of entities, text after text.
        limits: Paths of a pair and length of a path, at most.
        budget: Number of nodes of a text at most.
        graph: ``(indptr, (entities, relations))``, neighbours both ways.
        degree: Of each entity.
        out: ``(indptr, (relations, tails))`` of the triples by head.
        hidden: True for each relation, then each inverse one, that is hidden at a seed.
        withheld: Offsets of the entries withheld from each text, and their three columns.

    Returns:
        Nodes' offsets, nodes, hops, edges' offsets, edges (heads, tails, relations); paths'
        offsets, their nodes and edges (ended by -1), and their scores.
    """
    slots = 16
    while slots < 4 * budget:
        slots *= 2
    table = (np.full(slots, -1, np.int32), np.empty(slots, np.int32))
    walk = np.empty(budget, np.int32), np.empty(budget, np.int32)
    num_texts = len(offsets) - 1
    node_offsets = np.zeros(num_texts + 1, np.int64)
    edge_offsets = np.zeros(num_texts + 1, np.int64)
    path_offsets = np.zeros(num_texts + 1, np.int64)
    found, edges = np.empty((2, 1024), np.int32), np.empty((3, 4096), np.int32)
    ways = np.full((64, limits[1] + 1), -1, np.int32), np.empty(64), np.empty(64, np.int64)
    taken = (
        np.empty((64, limits[1] + 1), np.int32),
        np.empty((64, limits[1]), np.int32),
        np.empty(64),
    )
    near, far = _side(1024), _side(1024)
    size, num_paths, any_hidden = 0, 0, hidden.any()
    for text in range(num_texts):
        curtain = hidden, withheld_from(text, withheld[0], withheld[1])
        veiled = any_hidden or len(curtain[1][0]) > 0
        count = 0
        for seed in seeds[offsets[text] : offsets[text + 1]]:
            if count < budget:
                count = add(seed, 0, count, table, walk[0], walk[1])
        near, far, ways, num_ways = _between(
            walk[0][:count].copy(),
            limits, graph, degree, veiled, curtain, table, walk, near, far, ways,
        )  # fmt: skip
        first = num_paths
        order = _in_turns(ways[2][:num_ways])
        count, taken, num_paths = _fill(order, ways, count, budget, table, walk, taken, num_paths)
        start = size
        edges, size = induce(count, out, curtain, table, walk, edges, size)
        for path in range(first, num_paths):
            _joins(taken[0][path], edges, start, size, taken[1][path])
        clear(count, table[0], walk[0])
        begin = node_offsets[text]
        found = with_nodes(found, begin, count, walk[0], walk[1])
        node_offsets[text + 1], edge_offsets[text + 1] = begin + count, size
        path_offsets[text + 1] = num_paths
    cuts = node_offsets, found, edge_offsets, edges
    nodes, steps, scores = taken
    return cuts, (path_offsets, nodes[:num_paths], steps[:num_paths], scores[:num_paths])
