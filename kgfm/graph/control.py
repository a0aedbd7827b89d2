"""Graphs that are wrong on purpose, to see whether the right one matters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64

from kgfm.graph.order import order_of, repeats

_ROUNDS = 6


def shuffled_tails(
    heads: Int64[np.ndarray, "triple"],
    relations: Int64[np.ndarray, "triple"],
    tails: Int64[np.ndarray, "triple"],
    seed: int | Sequence[int],
) -> Int64[np.ndarray, "triple"]:
    """Permute the tails within each relation, and again where that makes a triple twice."""
    random = np.random.default_rng(seed)
    moving = np.ones(len(tails), bool)
    for _ in range(_ROUNDS):
        tails = _permuted(relations, tails, moving, random)
        order = order_of(heads, relations, tails)
        double = order[repeats(heads[order], relations[order], tails[order])]
        if not len(double):
            break
        # Doubles need others to swap with: as many of each relation, drawn by chance.
        moving = np.zeros(len(tails), bool)
        moving[double] = True
        by_relation = np.argsort(relations, kind="stable")
        start = np.searchsorted(relations[by_relation], relations[double], "left")
        end = np.searchsorted(relations[by_relation], relations[double], "right")
        moving[by_relation[random.integers(start, end)]] = True
    return tails


def rewired(
    heads: Int64[np.ndarray, "triple"],
    tails: Int64[np.ndarray, "triple"],
    seed: int | Sequence[int],
) -> tuple[Int64[np.ndarray, "triple"], Int64[np.ndarray, "triple"]]:
    """Draw another graph of the same degrees, as the configuration model does.

    Tails are permuted over all triples, whatever their relation, and relations among them too. So
    every entity has as many edges out and as many in as before, and every relation as many edges;
    which relation an edge is of, and where it leads, is chance. Permuted within each relation
    (:func:`shuffled_tails`), an entity would keep its number of edges of each relation, and a
    relation the kind of entities that it joins.

    Returns:
        The tails, and for each triple the place from which it takes its relation.
    """
    # Streams of their own: tails and relations must not move in step, nor as those that are
    # shuffled by the same seed, which in a graph of one relation would be the same ones.
    own = [seed] if isinstance(seed, int) else list(seed)
    ends = shuffled_tails(heads, np.zeros_like(heads), tails, [*own, 1])
    return ends, np.random.default_rng([*own, 2]).permutation(len(tails))


def _permuted(
    relations: Int64[np.ndarray, "triple"],
    tails: Int64[np.ndarray, "triple"],
    moving: Bool[np.ndarray, "triple"],
    random: np.random.Generator,
) -> Int64[np.ndarray, "triple"]:
    """Return the tails, the moving ones permuted within their relation."""
    places = random.permutation(np.flatnonzero(moving))
    chance = places[np.argsort(relations[places], kind="stable")]
    places = np.sort(places)
    places = places[np.argsort(relations[places], kind="stable")]
    permuted = tails.copy()
    permuted[places] = tails[chance]
    return permuted
