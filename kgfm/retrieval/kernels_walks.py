"""Compiled loops of walks: what leads on from a set, the set behind a step, all walks of a topic.

``steps`` are the arrays of :class:`kgfm.retrieval.walks.steps.Steps`. ``rule`` is (topic,
whether walks may come back to it, number of actions that lead on; those above read attributes).
``scratch`` is (when each entity was met last, a clock), so that no set has to be cleared.
``withheld`` are the entries that are hidden from a text.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from kgfm.retrieval.kernels import compiled, is_withheld


@compiled
def _leads_on(owner, run, steps, rule, withheld):
    """Say whether a run has an entry that is neither hidden nor the topic."""
    _, run_action, run_start, entity = steps
    topic, come_back, walked = rule
    action = run_action[run]
    if action >= walked:
        return True
    for place in range(run_start[run], run_start[run + 1]):
        if entity[place] == topic and not come_back:
            continue
        if len(withheld[0]) and is_withheld(owner, action, entity[place], withheld):
            continue
        return True
    return False


@compiled
def actions_from(rows, steps, rule, withheld, num_actions):
    """Return the actions that lead on from a set, ascending."""
    indptr, run_action = steps[0], steps[1]
    there = np.zeros(num_actions, np.bool_)
    for owner in rows:
        for run in range(indptr[owner], indptr[owner + 1]):
            if not there[run_action[run]]:
                there[run_action[run]] = _leads_on(owner, run, steps, rule, withheld)
    return np.flatnonzero(there)


@compiled
def _run_of(owner, action, indptr, run_action):
    """Return the run of an action of an entity, or -1."""
    low, stop = indptr[owner], indptr[owner + 1]
    high = stop
    while low < high:
        middle = (low + high) // 2
        if run_action[middle] < action:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and run_action[low] == action else -1


@compiled
def _grown(array, size):
    if size <= len(array):
        return array
    larger = np.empty(2 * size, array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def step_from(rows, action, steps, rule, withheld, scratch):
    """Return what an action leads to, each entity once, and the place in ``rows`` it came from."""
    indptr, run_action, run_start, entity = steps
    topic, come_back, walked = rule
    met, clock = scratch
    clock[0] += 1
    found, origin = np.empty(16, np.int32), np.empty(16, np.int32)
    size = 0
    for place, owner in enumerate(rows):
        run = _run_of(owner, action, indptr, run_action)
        if run < 0:
            continue
        length = run_start[run + 1] - run_start[run]
        found, origin = _grown(found, size + length), _grown(origin, size + length)
        for entry in range(run_start[run], run_start[run + 1]):
            other = entity[entry]
            if action < walked:
                if other == topic and not come_back:
                    continue
                if len(withheld[0]) and is_withheld(owner, action, other, withheld):
                    continue
            if met[other] != clock[0]:
                met[other] = clock[0]
                found[size], origin[size] = other, place
                size += 1
    return found[:size].copy(), origin[:size].copy()


@compiled
def walks_of(steps, rule, caps, right, banned, scratch, num_actions):
    """Return all walks from a topic, breadth first: parent, action, size of the set, hits, whether.

    Args:
        steps: What leads where.
        rule: With the topic.
        caps: (steps at most, a set of more entities leads on no more, walks at most).
        right: True for each entity that is a right answer.
        banned: True for each action that may not be taken.
        scratch: Of the entities.
        num_actions: Number of actions.

    The first walk has no step. A walk ``expands`` if those behind it are here too.
    """
    indptr, run_action, run_start, entity = steps
    topic, come_back, walked = rule
    hops, most, limit = caps
    met, clock = scratch
    room = 64
    parent, action = np.full(room, -1, np.int32), np.full(room, -1, np.int32)
    size, hits = np.ones(room, np.int32), np.zeros(room, np.int32)
    depth, start = np.zeros(room, np.int32), np.zeros(room, np.int64)
    expands = np.zeros(room, np.bool_)
    count = 1
    store = np.empty(256, np.int32)
    store[0] = topic
    used = 1
    hits[0] = right[topic]
    number = np.zeros(num_actions + 1, np.int64)
    walk = 0
    while walk < count and count < limit:
        if depth[walk] >= hops or size[walk] > most or action[walk] >= walked:
            walk += 1
            continue
        # Sort the runs of the set's entities by action, by counting.
        number[:] = 0
        begin, end = start[walk], start[walk] + size[walk]
        for place in range(begin, end):
            for run in range(indptr[store[place]], indptr[store[place] + 1]):
                number[run_action[run] + 1] += 1
        for one in range(num_actions):
            number[one + 1] += number[one]
        runs = np.empty(number[num_actions], np.int64)
        for place in range(begin, end):
            for run in range(indptr[store[place]], indptr[store[place] + 1]):
                runs[number[run_action[run]]] = run
                number[run_action[run]] += 1
        # ``number[a]`` is now where the runs of the action end.
        kept = depth[walk] + 1 < hops
        first = 0
        for one in range(num_actions):
            last = number[one]
            if last == first or banned[one]:
                first = last
                continue
            clock[0] += 1
            own, right_ones, at = 0, 0, used
            for place in range(first, last):
                run = runs[place]
                for entry in range(run_start[run], run_start[run + 1]):
                    other = entity[entry]
                    if one < walked and other == topic and not come_back:
                        continue
                    if met[other] == clock[0]:
                        continue
                    met[other] = clock[0]
                    own += 1
                    if one < walked and right[other]:
                        right_ones += 1
                    if kept and own <= most:
                        store = _grown(store, used + own)
                        store[used + own - 1] = other
            first = last
            if own == 0:
                continue
            if count == len(parent):
                parent, action = _grown(parent, count + 1), _grown(action, count + 1)
                size, hits = _grown(size, count + 1), _grown(hits, count + 1)
                depth, start = _grown(depth, count + 1), _grown(start, count + 1)
                more = np.zeros(len(parent), np.bool_)
                more[:count] = expands[:count]
                expands = more
            parent[count], action[count], start[count] = walk, one, at
            size[count], hits[count], depth[count] = own, right_ones, depth[walk] + 1
            expands[count] = False
            if kept and own <= most:
                used += own
            count += 1
            expands[walk] = True
        walk += 1
    return parent[:count], action[:count], size[:count], hits[:count], expands[:count]
