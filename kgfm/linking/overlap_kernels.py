"""Compiled search for the names that share the most with a query.

Parts come heaviest first, which are those that the fewest names hold. As soon as a name that was
not met so far could not come among the best any more, the long lists of frequent parts are not
read: the names that still can are added up by their own parts.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from kgfm.retrieval.kernels import compiled

_TRY_AT = (0.5, 0.25, 0.12, 0.06, 0.03)


@compiled
def _better(value, name, other_value, other_name):
    return value > other_value or (value == other_value and name < other_name)


@compiled
def _offer(value, name, size, values, names):
    """Put a name into its place among the best, if it has one; return how many there are."""
    count = len(values)
    if size == count and not _better(value, name, values[size - 1], names[size - 1]):
        return size
    place = size if size < count else count - 1
    while place > 0 and _better(value, name, values[place - 1], names[place - 1]):
        values[place], names[place] = values[place - 1], names[place - 1]
        place -= 1
    values[place], names[place] = value, name
    return min(size + 1, count)


@compiled
def _bound(rest, factors):
    """Return what a name reaches at most that shares nothing but parts of weight ``rest``.

    Its own weight is ``rest`` or more, so with ``inverse = weight ** -0.5`` the value is at most
    ``factors[1] * sqrt(rest)``; a little more for the rounding of the inverse.
    """
    return factors[1] * np.sqrt(rest) * 1.0001


@compiled
def _select(met, num_met, sums, preference, prunes, factors, values, names):
    """Fill the best of the names that were met; return how many.

    If it ``prunes``, a sum that is too small for the last of the best by :func:`_bound` is passed
    over before the name's own weight is fetched.
    """
    size, least = 0, 0.0
    for place in range(num_met):
        name = np.int64(met[place])
        total = sums[name]
        if total < least:
            continue
        value = total * (factors[0] + factors[1] * np.float64(preference[name]))
        size = _offer(value, name, size, values, names)
        if prunes and size == len(values):
            least = (values[size - 1] / factors[1]) ** 2 * 0.9998
    return size


@compiled
def _shared(name, index, marks, initial_marks):
    """Return the weight of the marked parts of a name, and of the marked initials of the others."""
    parts, initials = index[1], index[6]
    first, stop = index[0][name], index[0][name + 1]
    total = np.int64(0)
    for at in range(first, stop):
        total += marks[parts[at]]
    if not len(initial_marks):
        return total
    for at in range(first, stop):
        initial = initials[parts[at]]
        if marks[parts[at]] == 0 and initial_marks[initial] > 0:
            total += initial_marks[initial]
            initial_marks[initial] *= -1  # each counts once
    for at in range(first, stop):
        initial = initials[parts[at]]
        initial_marks[initial] = abs(initial_marks[initial])
    return total


@compiled
def _finish(met, num_met, work, rest, index, prunes, factors, values, names):
    """Add up the names that may come among the best from their own parts; return how many."""
    sums, marks, initial_marks = work
    preference = index[5]
    size = _select(met, num_met, sums, preference, prunes, factors, values, names)
    least = values[size - 1] if size == len(values) else -1.0
    size = 0
    for place in range(num_met):
        name = met[place]
        factor = factors[0] + factors[1] * np.float64(preference[name])
        if (sums[name] + rest) * factor < least:
            continue
        total = _shared(name, index, marks, initial_marks)
        size = _offer(total * factor, name, size, values, names)
    return size


@compiled
def _first_holders(part, index, values, names):
    """Fill in the holders of one token, which stand in the order of their values."""
    first, stop = index[2][part], index[2][part + 1]
    size = min(stop - first, len(values))
    for place in range(size):
        names[place] = index[3][first + place]
    return size


@compiled
def _search(own, searched, rest, index, prunes, factors, work, values, names):
    """Fill the best names of one query, whose parts are marked; return how many there are."""
    part_indptr, holders, weights, preference = index[2], index[3], index[4], index[5]
    sums, met, marks, initial_marks = work
    if not prunes and len(own) == 1 and rest == weights[own[0]]:
        return _first_holders(own[0], index, values, names)
    counted = sums, marks, initial_marks
    num_met, level, size = 0, 0, -1
    total = rest
    for place in range(len(own)):
        if not searched[place]:
            continue
        part = own[place]
        while prunes and level < len(_TRY_AT) and rest <= _TRY_AT[level] * total:
            level += 1
            if num_met >= len(values):
                found = _select(met, num_met, sums, preference, prunes, factors, values, names)
                if values[found - 1] > _bound(rest, factors):
                    size = _finish(
                        met, num_met, counted, rest, index, prunes, factors, values, names
                    )
                    break
        if size >= 0:
            break
        weight = weights[part]
        for at in range(part_indptr[part], part_indptr[part + 1]):
            name = np.uint64(holders[at])
            known = sums[name]
            # Written over unless it is new: a branch would often be foreseen wrongly.
            met[num_met] = name
            num_met += known == 0
            sums[name] = known + weight
        rest -= weight
    if size < 0 and rest > 0:
        size = _finish(met, num_met, counted, rest, index, prunes, factors, values, names)
    elif size < 0:
        size = _select(met, num_met, sums, preference, prunes, factors, values, names)
    for place in range(num_met):
        sums[met[place]] = 0
    return size


@compiled
def _mark(own, initials, index, marks, initial_marks, sign):
    """Write the weights of a query's parts where they are looked up, or take them away again."""
    total = np.int64(0)
    for part in own:
        marks[part] = sign * index[4][part]
        total += marks[part]
    for initial in initials:
        initial_marks[initial] = sign * index[7][initial]
        total += initial_marks[initial]
    return total


@compiled
def top_names(queries, searched, index, prunes, factors, count):
    """Return what :func:`kgfm.linking.overlap.top_names` returns; ``prunes`` needs power 2."""
    indptr, parts, initial_indptr, initials = queries
    num_queries, num_names = len(indptr) - 1, len(index[5])
    marks = np.zeros(len(index[4]), np.int32)
    initial_marks = np.zeros(len(index[7]) if len(initials) else 0, np.int32)
    work = np.zeros(num_names, np.int32), np.empty(num_names + 1, np.int32), marks, initial_marks
    values, names = np.empty(count, np.float64), np.empty(count, np.int64)
    owners, hits = np.empty(num_queries * count, np.int64), np.empty(num_queries * count, np.int64)
    size = 0
    for query in range(num_queries):
        whole = slice(indptr[query], indptr[query + 1])
        begin = initials[initial_indptr[query] : initial_indptr[query + 1]]
        rest = _mark(parts[whole], begin, index, marks, initial_marks, 1)
        factor = factors[0][query], factors[1][query]
        found = _search(
            parts[whole], searched[whole], rest, index, prunes, factor, work, values, names
        )
        for place in range(found):
            owners[size], hits[size] = query, names[place]
            size += 1
        _mark(parts[whole], begin, index, marks, initial_marks, 0)
    return owners[:size], hits[:size]


@compiled
def shared_weights(queries, index, owners, names):
    """Return what :func:`kgfm.linking.overlap.shared_weights` returns; owners ascend."""
    indptr, parts, initial_indptr, initials = queries
    marks = np.zeros(len(index[4]), np.int32)
    initial_marks = np.zeros(len(index[7]) if len(initials) else 0, np.int32)
    shared = np.zeros(len(names), np.int64)
    pair = 0
    while pair < len(names):
        query = owners[pair]
        own = parts[indptr[query] : indptr[query + 1]]
        begin = initials[initial_indptr[query] : initial_indptr[query + 1]]
        _mark(own, begin, index, marks, initial_marks, 1)
        while pair < len(names) and owners[pair] == query:
            shared[pair] = _shared(names[pair], index, marks, initial_marks)
            pair += 1
        _mark(own, begin, index, marks, initial_marks, 0)
    return shared


@compiled
def _comes_first(one, other, scores, heavy, rows):
    if scores[one] != scores[other]:
        return scores[one] > scores[other]
    if heavy[one] != heavy[other]:
        return heavy[one] > heavy[other]
    return rows[one] < rows[other]


@compiled
def _bearers_of(first, stop, pairs, spelled, borne, limits, out):
    """Fill in the entities of the pairs of one mention; return the new end."""
    owners, names, likeness, same = pairs
    row_indptr, rows_of, degree = borne
    rows, pair, is_spelled, scores, heavy, begin = out
    end = begin
    for at in range(first, stop):
        name = names[at]
        last = min(row_indptr[name + 1], row_indptr[name] + limits[0])
        for place in range(row_indptr[name], last):
            row = np.int64(rows_of[place])
            score, alike = likeness[at], False
            if same[at] > 0:
                key = owners[at] << 32 | row
                known = np.searchsorted(spelled, key)
                alike = known < len(spelled) and spelled[known] == key
                score = np.float32(1) if alike else score
            old = begin
            while old < end and rows[old] != row:
                old += 1
            if old < end and scores[old] >= score:
                continue
            rows[old], pair[old], is_spelled[old], scores[old] = row, at, alike, score
            heavy[old] = degree[row]
            end = max(end, old + 1)
    return end


@compiled
def bearers(owners, names, likeness, same, spelled, borne, limits):
    """Return what :func:`kgfm.linking.bearers.bearers` returns.

    Args:
        owners: As there, and ``names``, ``likeness``, ``same``.
        names: Of each pair.
        likeness: Of each pair.
        same: Of each pair.
        spelled: ``mention << 32 | row``, ascending.
        borne: As there.
        limits: How many entities there are of one name, and in all.
    """
    size = 0
    for name in names:
        size += min(borne[0][name + 1] - borne[0][name], limits[0])
    rows, pair = np.empty(size, np.int64), np.empty(size, np.int64)
    is_spelled, scores = np.empty(size, np.bool_), np.empty(size, np.float32)
    heavy, order = np.empty(size, np.int64), np.empty(size, np.int64)
    pairs = owners, names, likeness, same
    first, begin, total = 0, 0, 0
    while first < len(owners):
        stop = first
        while stop < len(owners) and owners[stop] == owners[first]:
            stop += 1
        out = rows, pair, is_spelled, scores, heavy, begin
        end = _bearers_of(first, stop, pairs, spelled, borne, limits, out)
        start = total
        for one in range(begin, end):
            place = total
            while place > start and _comes_first(one, order[place - 1], scores, heavy, rows):
                if place < len(order):
                    order[place] = order[place - 1]
                place -= 1
            if place - start < limits[1]:
                order[place] = one
                total = min(total + 1, start + limits[1])
        first, begin = stop, end
    kept = order[:total]
    return rows[kept], pair[kept], is_spelled[kept]
