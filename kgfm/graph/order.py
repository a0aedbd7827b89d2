"""The one canonical order of triples and of neighbours, by sorts of plain integers.

Several columns are packed into one integer wherever 63 bits are enough, since one sort of integers
is several times faster than one for each column, and needs no index beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64

Arrays = dict[str, np.ndarray]
Given = tuple[Int[np.ndarray, "given"], Int[np.ndarray, "given"], Int[np.ndarray, "given"]]
Triples = tuple[Int[np.ndarray, "triple"], Int[np.ndarray, "triple"], Int[np.ndarray, "triple"]]
"""Heads, relations and tails."""
Ties = Callable[[Int[np.ndarray, "row"]], Sequence[Int[np.ndarray, "row"]]]
_BITS = 63
# So many neighbours are sorted at a time: few enough for the cache, and for little memory beside.
_AT_ONCE = 1 << 21


def order_of(*columns: Int[np.ndarray, "row"]) -> Int64[np.ndarray, "row"]:
    """Return the stable order of rows by ``columns``, the first of them counting most.

    Columns hold no negative numbers.
    """
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    if math.prod(sizes) >= 2**_BITS:
        return np.lexsort(columns[::-1])
    packed = columns[0].astype(np.int64)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        packed *= size
        packed += column
    return np.argsort(packed, kind="stable")


def repeats(*columns: Int[np.ndarray, "row"]) -> Bool[np.ndarray, "row"]:
    """Return where a row is the same as the one before it."""
    same = np.zeros(len(columns[0]), bool)
    if len(same):
        same[1:] = True
        for column in columns:
            same[1:] &= column[1:] == column[:-1]
    return same


def indptr_of(rows: Int[np.ndarray, "item"], size: int) -> Int64[np.ndarray, "boundary"]:
    """Return where each row begins among items that are sorted by row."""
    return boundaries(np.bincount(rows, minlength=size))


def boundaries(counts: Int[np.ndarray, "row"]) -> Int64[np.ndarray, "boundary"]:
    """Return where each row begins, from how many items each has."""
    indptr = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=indptr[1:])
    return indptr


def distinct_triples(triples: Given, num_entities: int, num_relations: int) -> Triples:
    """Return heads, relations and tails in canonical order, each triple once."""
    heads, relations, tails = triples
    relation_width, entity_width = _width(num_relations), _width(num_entities)
    if relation_width + 2 * entity_width > _BITS:
        kept = kept_triples(heads, relations, tails)
        return heads[kept], relations[kept], tails[kept]
    packed = heads.astype(np.int64)
    packed <<= relation_width
    packed |= relations
    packed <<= entity_width
    packed |= tails
    packed.sort()
    packed = packed[~repeats(packed)]
    last = (packed & ((1 << entity_width) - 1)).astype(np.int32)
    packed >>= entity_width
    middle = (packed & ((1 << relation_width) - 1)).astype(np.int32)
    packed >>= relation_width
    return packed.astype(np.int32), middle, last


def _width(size: int) -> int:
    """Return the bits of the numbers below ``size``."""
    return max(0, size - 1).bit_length()


def kept_triples(
    heads: Int[np.ndarray, "given"],
    relations: Int[np.ndarray, "given"],
    tails: Int[np.ndarray, "given"],
    ties: Ties | None = None,
) -> Int64[np.ndarray, "triple"]:
    """Return which of the given triples stay, in canonical order.

    Of equal triples the one with the lowest ``ties`` stays, and the first one given without them.
    ``ties`` is asked only about the rows of triples that were given more than once.
    """
    order = order_of(heads, relations, tails)
    again = repeats(heads[order], relations[order], tails[order])
    if ties is not None and again.any():
        shared = again.copy()
        shared[:-1] |= again[1:]
        rows = order[shared]
        group = np.cumsum(~again)[shared]
        order[shared] = rows[order_of(group, *ties(rows))]
    kept: np.ndarray = order[~again]
    return kept


def triple_arrays(triples: Triples, num_entities: int, num_relations: int) -> Arrays:
    """Return triples that are in canonical order, and both compressed adjacencies.

    A row of neighbours is in the order (degree, relation, out before in, neighbour).
    """
    heads, relations, tails = (column.astype(np.int32, copy=False) for column in triples)
    out = np.bincount(heads, minlength=num_entities)
    degree = out + np.bincount(tails, minlength=num_entities)
    out_indptr, indptr = boundaries(out), boundaries(degree)
    by_tail = np.argsort(tails, kind="stable")
    neighbour = np.empty(2 * len(heads), np.int32)
    relation = np.empty(2 * len(heads), np.int32)
    steps = _Steps(degree, num_relations)
    for first, last in _ranges(indptr, steps.most_owners):
        start, end = out_indptr[first], out_indptr[last]
        back = by_tail[indptr[first] - start : indptr[last] - end]
        place = slice(indptr[first], indptr[last])
        neighbour[place], relation[place] = steps.in_order(
            np.concatenate([heads[start:end], tails[back]]) - first,
            np.concatenate([tails[start:end], heads[back]]),
            np.concatenate([relations[start:end] * np.int64(2), relations[back] * np.int64(2) + 1]),
        )
    return {
        "heads": heads,
        "relations": relations,
        "tails": tails,
        "out_indptr": out_indptr,
        "neighbour_indptr": indptr,
        "neighbour_entity": neighbour,
        "neighbour_relation": relation,
        "degree": degree.astype(np.int32),
    }


class _Steps:
    """Sorts the steps from some entities to their neighbours, packed into one integer each.

    A step is twice the relation's row, plus one for the inverse: out comes before in.
    """

    def __init__(self, degree: Int64[np.ndarray, "entity"], num_relations: int) -> None:
        # Far fewer degrees occur than the highest of them: together they make the edges.
        occurring, rank = np.unique(degree, return_inverse=True)
        self._rank = rank.astype(np.int32)
        self._num_relations = num_relations
        self._step_width = _width(2 * num_relations)
        self._entity_width = _width(len(degree))
        self._rank_width = _width(len(occurring))
        spare = _BITS - self._step_width - self._entity_width - self._rank_width
        self._packs = spare >= 0
        self.most_owners = 1 << spare if self._packs else len(degree)

    def in_order(
        self,
        owner: Int[np.ndarray, "step"],
        neighbour: Int32[np.ndarray, "step"],
        step: Int64[np.ndarray, "step"],
    ) -> tuple[Int32[np.ndarray, "step"], Int32[np.ndarray, "step"]]:
        """Return the neighbours and their relations, an inverse one plus the number of them."""
        if not self._packs:
            order = np.lexsort((neighbour, step, self._rank[neighbour], owner))
            return neighbour[order], self._relation(step[order])
        packed = owner.astype(np.int64)
        packed <<= self._rank_width
        packed |= self._rank[neighbour]
        packed <<= self._step_width
        packed |= step
        packed <<= self._entity_width
        packed |= neighbour
        packed.sort()
        neighbour = (packed & ((1 << self._entity_width) - 1)).astype(np.int32)
        packed >>= self._entity_width
        packed &= (1 << self._step_width) - 1
        return neighbour, self._relation(packed)

    def _relation(self, step: Int64[np.ndarray, "step"]) -> Int32[np.ndarray, "step"]:
        return ((step >> 1) + (step & 1) * self._num_relations).astype(np.int32)


def _ranges(indptr: Int64[np.ndarray, "boundary"], most_owners: int) -> Iterator[tuple[int, int]]:
    """Cut the owners into runs of so many neighbours, at least one owner in each."""
    first, size = 0, len(indptr) - 1
    while first < size:
        last = int(np.searchsorted(indptr, indptr[first] + _AT_ONCE, "right")) - 1
        last = min(max(last, first + 1), first + most_owners, size)
        yield first, last
        first = last
