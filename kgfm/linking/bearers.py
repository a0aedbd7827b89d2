"""From names that are like a mention to the entities that bear them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64

from kgfm.linking.overlap import Pairs


class Limits(NamedTuple):
    """How many candidates there are at most.

    Args:
        trigrams: Names by their trigrams.
        tokens: Names by their tokens.
        acronyms: Names that the mention is an acronym of, or the other way round.
        bearers: Entities with one name, those with more triples first.
        total: Entities of one mention.
    """

    trigrams: int = 16
    tokens: int = 16
    acronyms: int = 8
    bearers: int = 16
    total: int = 64


Borne = tuple[Int64[np.ndarray, "boundary"], Int32[np.ndarray, "row"], Int32[np.ndarray, "entity"]]
"""The rows of the entities with name ``n`` are ``[1][[0][n]:[0][n + 1]]``; the degree of each."""

Found = tuple[
    Int64[np.ndarray, "candidate"], Int64[np.ndarray, "candidate"], Bool[np.ndarray, "candidate"]
]


def bearers(
    pairs: Pairs,
    likeness: tuple[Float32[np.ndarray, "pair"], Float32[np.ndarray, "pair"]],
    spelled: tuple[Int64[np.ndarray, "spelled"], Int64[np.ndarray, "spelled"]],
    borne: Borne,
    limits: Limits,
) -> Found:
    """Turn names into the entities that bear them; of an entity the most alike name stays.

    The most alike come first, then those of higher degree. This is what
    :func:`kgfm.linking.overlap_kernels.bearers` does, with numpy.

    Args:
        pairs: Mention and name, ascending.
        likeness: Of each pair; and 1 where the name is the mention.
        spelled: (mention, row) of those whose name is spelled just like the mention.
        borne: Who bears each name.
        limits: How many there are of one name, and in all.

    Returns:
        Row of each entity, its pair, and whether its name is spelled just like the mention.
    """
    owners, names = pairs
    row_indptr, rows_of, degree = borne
    count = np.minimum(row_indptr[names + 1] - row_indptr[names], limits.bearers)
    pair = np.repeat(np.arange(len(names)), count)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    rows = rows_of[row_indptr[names[pair]] + within].astype(np.int64)
    owner = owners[pair]
    known = np.isin(owner << 32 | rows, spelled[0] << 32 | spelled[1])
    is_spelled = known & (likeness[1][pair] > 0)
    scores = np.where(is_spelled, np.float32(1), likeness[0][pair])
    order = np.lexsort((pair, -scores, rows, owner))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(owner[order]) != 0) | (np.diff(rows[order]) != 0)
    kept = order[fresh]
    heavy = -degree[rows[kept]].astype(np.int64)
    kept = kept[np.lexsort((rows[kept], heavy, -scores[kept], owner[kept]))]
    first = np.searchsorted(owner[kept], owner[kept])
    kept = kept[np.arange(len(kept)) - first < limits.total]
    return rows[kept], pair[kept], is_spelled[kept]
