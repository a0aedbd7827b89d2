"""Which names share the rarest parts with a query: exact inverted indices in flat arrays.

Parts are character trigrams, or whole tokens. Their weights are whole numbers, so that sums are the
same in whatever order they are added up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32, Int64

from kgfm.graph.order import indptr_of

SCALE = 1024
"""One unit of weight: inverse document frequencies are rounded to its inverse."""

MOST_PARTS = 256
"""Of a longer query only the heaviest parts count, so that the time for one is bounded."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Parts of names, by name and by part.

    Args:
        name_indptr: Parts of name ``n`` are ``parts[name_indptr[n]:name_indptr[n + 1]]``.
        parts: Ascending within a name, each once.
        part_indptr: Names with part ``p`` are ``names[part_indptr[p]:part_indptr[p + 1]]``.
        names: Within a part of tokens those of highest preference first; else ascending.
        weights: Of each part.
        inverse: What a name's sum of shared weights is multiplied by.
        preference: Which names come first among those that share as much.
        initials: Number of the initial of each part; none where parts are no tokens.
        initial_weights: Of each initial, by how many names have a token that begins with it.
    """

    name_indptr: Int64[np.ndarray, "name_boundary"]
    parts: Int32[np.ndarray, "posting"]
    part_indptr: Int64[np.ndarray, "part_boundary"]
    names: Int32[np.ndarray, "posting"]
    weights: Int32[np.ndarray, "part"]
    inverse: Float32[np.ndarray, "name"]
    preference: Float32[np.ndarray, "name"]
    initials: Int32[np.ndarray, "token"]
    initial_weights: Int32[np.ndarray, "initial"]


def build_overlap(
    names: Int64[np.ndarray, "given"],
    parts: Int64[np.ndarray, "given"],
    num_names: int,
    num_parts: int,
    *,
    power: int,
    degree: Int64[np.ndarray, "name"] | None = None,
    initials: Int64[np.ndarray, "part"] | None = None,
) -> Overlap:
    """Index (name, part) pairs; pairs that are given twice count once.

    A part that ``d`` of ``N`` names hold weighs ``log(1 + N / d) ** power``, and the inverse of a
    name is ``sum of its weights ** (-1 / power)``: with power 2, sums are turned into cosines.

    Args:
        names: Of each pair.
        parts: Of each pair.
        num_names: How many names there are.
        num_parts: How many parts.
        power: 1 or 2.
        degree: Names of fewer parts are preferred, of equals those of higher degree, then those of
            higher inverse; by default that alone decides.
        initials: Number of the initial of each part, if parts are tokens.
    """
    pairs = np.unique(names << 32 | parts)
    names, parts = pairs >> 32, pairs & 0xFFFFFFFF
    del pairs
    held = np.bincount(parts, minlength=num_parts)
    weights = _weights(held, num_names, power)
    total = np.bincount(names, weights[parts], minlength=num_names)
    inverse = (np.maximum(total, 1) ** (-1 / power)).astype(np.float32)
    name_indptr = indptr_of(names, num_names)
    preference = inverse if degree is None else _preference(np.diff(name_indptr), (degree, inverse))
    place = np.arange(num_names)
    if degree is not None:
        place[np.argsort(-preference, kind="stable")] = np.arange(num_names)
    order = np.argsort(parts << 32 | place[names])
    begin = initial_weights = np.empty(0, np.int32)
    if initials is not None:
        begin = initials.astype(np.int32)
        pairs = np.unique(names << 32 | begin[parts])
        initial_weights = _weights(np.bincount(pairs & 0xFFFFFFFF), num_names, power)
    return Overlap(
        name_indptr,
        parts.astype(np.int32),
        np.append(0, np.cumsum(held)),
        names[order].astype(np.int32),
        weights,
        inverse,
        preference,
        begin,
        initial_weights,
    )


def _weights(
    held: Int64[np.ndarray, "part"], num_names: int, power: int
) -> Int32[np.ndarray, "part"]:
    frequency = np.maximum(held, 1)
    weights: np.ndarray = np.rint(np.log(1 + num_names / frequency) ** power * SCALE)
    return weights.astype(np.int32)


def _preference(
    counts: Int64[np.ndarray, "name"],
    fame: tuple[Int64[np.ndarray, "name"], Float32[np.ndarray, "name"]],
) -> Float32[np.ndarray, "name"]:
    """Return ``1 / (parts + place)``: place 0 for the highest degree and inverse, then up to 1."""
    degree, inverse = fame
    place = np.empty(len(degree))
    order = np.lexsort((-inverse, -degree))
    place[order] = np.arange(len(degree)) / max(1, len(degree))
    preference: np.ndarray = 1 / (np.maximum(counts, 1) + place)
    return preference.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of queries, the heaviest first within a query.

    Args:
        indptr: Parts of query ``q`` are ``parts[indptr[q]:indptr[q + 1]]``.
        parts: Only known ones, each once.
        totals: Weight of all parts of each query, unknown ones included.
        initial_indptr: Likewise the initials of query ``q``.
        initials: Stand for any token that begins so and is no part of the query.
    """

    indptr: Int64[np.ndarray, "boundary"]
    parts: Int32[np.ndarray, "part"]
    totals: Int64[np.ndarray, "query"]
    initial_indptr: Int64[np.ndarray, "boundary"]
    initials: Int32[np.ndarray, "initial"]

    def of(self, query: int) -> Parts:
        """Return the parts of one query."""
        first, stop = self.indptr[query : query + 2]
        begin, end = self.initial_indptr[query : query + 2]
        return Parts(
            np.array([0, stop - first]),
            self.parts[first:stop],
            self.totals[query : query + 1],
            np.array([0, end - begin]),
            self.initials[begin:end],
        )


Pairs = tuple[Int64[np.ndarray, "pair"], Int64[np.ndarray, "pair"]]
Initials = tuple[Int64[np.ndarray, "initial"], Int64[np.ndarray, "initial"]]


def parts_of_queries(
    given: Pairs, num_queries: int, index: Overlap, initials: Initials | None = None
) -> Parts:
    """Order the parts of queries by weight.

    Args:
        given: Query and part; -1 is an unknown part, and weighs like the rarest.
        num_queries: How many queries there are.
        index: Has the weights.
        initials: Query and initial; -1 is an unknown one.
    """
    owners, parts, totals = _known(given, num_queries, index.weights)
    kept = np.arange(len(parts)) - indptr_of(owners, num_queries)[owners] < MOST_PARTS
    own = indptr_of(owners[kept], num_queries), parts[kept].astype(np.int32)
    begin = np.zeros(num_queries + 1, np.int64), np.empty(0, np.int32)
    if initials is not None and len(initials[0]):
        owners, letters, more = _known(initials, num_queries, index.initial_weights)
        begin = indptr_of(owners, num_queries), letters.astype(np.int32)
        totals = totals + more
    return Parts(*own, totals, *begin)


def parts_of_names(names: Int64[np.ndarray, "query"], index: Overlap) -> Parts:
    """Return the parts of names, as the parts of queries."""
    first, count = index.name_indptr[names], index.name_indptr[names + 1] - index.name_indptr[names]
    indptr = np.append(0, np.cumsum(count))
    query = np.repeat(np.arange(len(names)), count)
    parts = index.parts[np.arange(indptr[-1]) + (first - indptr[:-1])[query]]
    weights = index.weights[parts]
    totals = np.bincount(query, weights, minlength=len(names)).astype(np.int64)
    order = np.lexsort((-weights, query))
    kept = order[np.arange(len(order)) - indptr[query] < MOST_PARTS]
    indptr = np.append(0, np.cumsum(np.minimum(count, MOST_PARTS)))
    none = np.zeros(len(names) + 1, np.int64), np.empty(0, np.int32)
    return Parts(indptr, parts[kept], totals, *none)


def _known(
    given: Pairs, num_queries: int, weights: Int32[np.ndarray, "part"]
) -> tuple[Int64[np.ndarray, "known"], Int64[np.ndarray, "known"], Int64[np.ndarray, "query"]]:
    """Return the known pairs, each once and the heaviest first, and the weight of each query."""
    queries, parts = given
    rarest = int(weights.max(initial=SCALE))
    unknown = parts < 0
    totals = np.bincount(queries[unknown], minlength=num_queries) * rarest
    pairs = np.unique(queries[~unknown] << 32 | parts[~unknown])
    queries, parts = pairs >> 32, pairs & 0xFFFFFFFF
    own = weights[parts].astype(np.int64)
    totals += np.bincount(queries, own, minlength=num_queries).astype(np.int64)
    order = np.lexsort((parts, -own, queries))
    return queries[order], parts[order], totals


Factors = tuple[Float64[np.ndarray, "query"], Float64[np.ndarray, "query"]]


def top_names(
    queries: Parts,
    index: Overlap,
    factors: Factors,
    count: int,
    searched: Bool[np.ndarray, "part"] | None = None,
) -> tuple[Int64[np.ndarray, "hit"], Int64[np.ndarray, "hit"]]:
    """Return (query, name) of the names with the highest values, at most ``count`` a query.

    ``value = s * (factors[0] + factors[1] * preference of the name)`` where ``s`` is the weight of
    what query and name share; equal values in the order of the names. Only names are looked at that
    hold one of the ``searched`` parts, by default all. This is what
    :func:`kgfm.linking.overlap_kernels.top_names` does, query by query with numpy.
    """
    hits, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for query in range(len(queries.totals)):
        whole = slice(queries.indptr[query], queries.indptr[query + 1])
        parts = queries.parts[whole] if searched is None else queries.parts[whole][searched[whole]]
        if not len(parts):
            continue
        starts, stops = index.part_indptr[parts], index.part_indptr[parts + 1]
        found = np.unique(
            np.concatenate(
                [index.names[start:stop] for start, stop in zip(starts, stops, strict=True)]
            )
        ).astype(np.int64)
        shared = shared_weights(queries.of(query), index, (np.zeros(len(found), np.int64), found))
        slope = factors[1][query] * index.preference[found].astype(np.float64)
        values = shared * (factors[0][query] + slope)
        best = np.lexsort((found, -values))[:count]
        hits.append(found[best])
        owners.append(np.full(len(best), query))
    return np.concatenate(owners), np.concatenate(hits)


def shared_weights(queries: Parts, index: Overlap, pairs: Pairs) -> Int64[np.ndarray, "pair"]:
    """Return the weight of what the query and the name of each pair share."""
    owners, names = pairs
    first, count = index.name_indptr[names], np.diff(index.name_indptr)[names]
    pair = np.repeat(np.arange(len(names)), count)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    parts = index.parts[first[pair] + within].astype(np.int64)
    shared = _is_asked(queries.indptr, queries.parts, owners[pair], parts)
    weights = np.where(shared, index.weights[parts], 0)
    total = np.bincount(pair, weights, minlength=len(names)).astype(np.int64)
    if len(queries.initials):
        pair, begin = pair[~shared], index.initials[parts[~shared]].astype(np.int64)
        asked = _is_asked(queries.initial_indptr, queries.initials, owners[pair], begin)
        once = np.unique(pair[asked] << 32 | begin[asked])
        more = index.initial_weights[once & 0xFFFFFFFF]
        total += np.bincount(once >> 32, more, minlength=len(names)).astype(np.int64)
    return total


def _is_asked(
    indptr: Int64[np.ndarray, "boundary"],
    parts: Int32[np.ndarray, "part"],
    owners: Int64[np.ndarray, "pair"],
    asked: Int64[np.ndarray, "pair"],
) -> Bool[np.ndarray, "pair"]:
    """Return which pairs of query and part are among those of the queries."""
    if not len(parts):
        return np.zeros(len(asked), bool)
    query_of = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    known, wanted = np.sort(query_of << 32 | parts), owners << 32 | asked
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    is_asked: np.ndarray = known[place] == wanted
    return is_asked
