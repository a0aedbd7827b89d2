"""Which names share the rarest parts with a query: exact inverted indices in flat arrays.

Parts are character trigrams, or whole tokens. Their weights are whole numbers, so that sums are the
same in whatever order they are added up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

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
        names: Ascending within a part.
        weights: Of each part.
        inverse: What a name's sum of shared weights is multiplied by.
    """

    name_indptr: Int64[np.ndarray, "name_boundary"]
    parts: Int32[np.ndarray, "posting"]
    part_indptr: Int64[np.ndarray, "part_boundary"]
    names: Int32[np.ndarray, "posting"]
    weights: Int32[np.ndarray, "part"]
    inverse: Float32[np.ndarray, "name"]


def build_overlap(
    names: Int64[np.ndarray, "given"],
    parts: Int64[np.ndarray, "given"],
    num_names: int,
    num_parts: int,
    *,
    power: int,
) -> Overlap:
    """Index (name, part) pairs; pairs that are given twice count once.

    A part that ``d`` of ``N`` names hold weighs ``log(1 + N / d) ** power``, and the inverse of a
    name is ``sum of its weights ** (-1 / power)``: with power 2, sums are turned into cosines.
    """
    pairs = np.unique(names << 32 | parts)
    names, parts = pairs >> 32, pairs & 0xFFFFFFFF
    del pairs
    held = np.bincount(parts, minlength=num_parts)
    frequency = np.maximum(held, 1)
    weights = np.rint(np.log(1 + num_names / frequency) ** power * SCALE).astype(np.int32)
    total = np.bincount(names, weights[parts], minlength=num_names)
    inverse = (np.maximum(total, 1) ** (-1 / power)).astype(np.float32)
    order = np.argsort(parts.astype(np.int32), kind="stable")
    return Overlap(
        indptr_of(names, num_names),
        parts.astype(np.int32),
        np.append(0, np.cumsum(held)),
        names[order].astype(np.int32),
        weights,
        inverse,
    )


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of queries, the heaviest first within a query.

    Args:
        indptr: Parts of query ``q`` are ``parts[indptr[q]:indptr[q + 1]]``.
        parts: Only known ones, each once.
        totals: Weight of all parts of each query, unknown ones included.
    """

    indptr: Int64[np.ndarray, "boundary"]
    parts: Int32[np.ndarray, "part"]
    totals: Int64[np.ndarray, "query"]


def parts_of_queries(
    queries: Int64[np.ndarray, "given"],
    parts: Int64[np.ndarray, "given"],
    num_queries: int,
    index: Overlap,
) -> Parts:
    """Order the parts of queries by weight; -1 is an unknown part, and weighs like the rarest."""
    rarest = int(index.weights.max(initial=SCALE))
    unknown = parts < 0
    totals = np.bincount(queries[unknown], minlength=num_queries) * rarest
    pairs = np.unique(queries[~unknown] << 32 | parts[~unknown])
    queries, parts = pairs >> 32, pairs & 0xFFFFFFFF
    weights = index.weights[parts]
    totals += np.bincount(queries, weights, minlength=num_queries).astype(np.int64)
    order = np.lexsort((parts, -weights.astype(np.int64), queries))
    queries, parts = queries[order], parts[order]
    begins = indptr_of(queries, num_queries)
    kept = np.arange(len(parts)) - begins[queries] < MOST_PARTS
    return Parts(indptr_of(queries[kept], num_queries), parts[kept].astype(np.int32), totals)


Factors = tuple[Float64[np.ndarray, "query"], Float64[np.ndarray, "query"]]


def top_names(
    queries: Parts, index: Overlap, factors: Factors, count: int
) -> tuple[Int64[np.ndarray, "hit"], Int64[np.ndarray, "hit"]]:
    """Return (query, name) of the names with the highest values, at most ``count`` a query.

    ``value = s * (factors[0] + factors[1] * inverse of the name)`` where ``s`` is the weight of the
    parts that query and name share; equal values in the order of the names. This is what
    :func:`kgfm.linking.overlap_kernels.top_names` does, query by query with numpy.
    """
    hits, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for query in range(len(queries.totals)):
        parts = queries.parts[queries.indptr[query] : queries.indptr[query + 1]]
        if not len(parts):
            continue
        starts, stops = index.part_indptr[parts], index.part_indptr[parts + 1]
        names = np.concatenate(
            [index.names[start:stop] for start, stop in zip(starts, stops, strict=True)]
        )
        found, place = np.unique(names, return_inverse=True)
        shared = np.bincount(place, np.repeat(index.weights[parts], stops - starts))
        slope = factors[1][query] * index.inverse[found].astype(np.float64)
        values = shared * (factors[0][query] + slope)
        best = np.lexsort((found, -values))[:count]
        hits.append(found[best].astype(np.int64))
        owners.append(np.full(len(best), query))
    return np.concatenate(owners), np.concatenate(hits)


def shared_weights(
    queries: Parts,
    index: Overlap,
    pairs: tuple[Int64[np.ndarray, "pair"], Int64[np.ndarray, "pair"]],
) -> Int64[np.ndarray, "pair"]:
    """Return the weight of the parts that the query and the name of each pair share."""
    owners, names = pairs
    first, count = index.name_indptr[names], np.diff(index.name_indptr)[names]
    pair = np.repeat(np.arange(len(names)), count)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    parts = index.parts[first[pair] + within].astype(np.int64)
    query_of = np.repeat(np.arange(len(queries.totals)), np.diff(queries.indptr))
    known = np.sort(query_of << 32 | queries.parts)
    asked = owners[pair] << 32 | parts
    place = np.minimum(np.searchsorted(known, asked), max(0, len(known) - 1))
    shared = known[place] == asked if len(known) else np.zeros(len(asked), bool)
    weights = np.where(shared, index.weights[parts], 0)
    return np.bincount(pair, weights, minlength=len(names)).astype(np.int64)
