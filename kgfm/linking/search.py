"""Overlap searches with numpy at first, and compiled once there have been enough of them."""

from __future__ import annotations

import sys

import numpy as np
from jaxtyping import Bool, Int64

from kgfm.linking import overlap
from kgfm.linking.bearers import Borne, Found, Limits, bearers
from kgfm.linking.overlap import Factors, Overlap, Pairs, Parts

_KERNELS = "kgfm.linking.overlap_kernels"
_ENOUGH = 2_000


class Search:
    """Searches of an :class:`~kgfm.linking.overlap.Overlap`; either code gives the same.

    Args:
        compiled: True or False settles which code searches; ``None`` lets the number of queries
            decide, since loading compiled code takes as long as some hundred of them.
    """

    def __init__(self, compiled: bool | None) -> None:
        self.compiled = compiled
        self._work = 0

    def _is_compiled(self, queries: Parts) -> bool:
        if self.compiled is None and _KERNELS not in sys.modules:
            self._work += len(queries.totals)
            return self._work > _ENOUGH
        return self.compiled is not False

    def top_names(
        self,
        queries: Parts,
        index: Overlap,
        factors: Factors,
        count: int,
        *,
        searched: Bool[np.ndarray, "part"] | None = None,
        prunes: bool = False,
    ) -> tuple[Int64[np.ndarray, "hit"], Int64[np.ndarray, "hit"]]:
        """Return :func:`kgfm.linking.overlap.top_names`; ``prunes`` needs power 2."""
        if count < 1:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        if not self._is_compiled(queries):
            return overlap.top_names(queries, index, factors, count, searched)
        from kgfm.linking.overlap_kernels import top_names

        read = np.ones(len(queries.parts), bool) if searched is None else searched
        owners, names = top_names(_asked(queries), read, _arrays(index), prunes, factors, count)
        return owners, names

    def shared_weights(
        self, queries: Parts, index: Overlap, pairs: Pairs
    ) -> Int64[np.ndarray, "pair"]:
        """Return :func:`kgfm.linking.overlap.shared_weights`; the queries of the pairs ascend."""
        if not self._is_compiled(queries):
            return overlap.shared_weights(queries, index, pairs)
        from kgfm.linking.overlap_kernels import shared_weights

        shared: np.ndarray = shared_weights(_asked(queries), _arrays(index), *pairs)
        return shared

    def bearers(
        self,
        pairs: Pairs,
        likeness: tuple[np.ndarray, np.ndarray],
        spelled: tuple[np.ndarray, np.ndarray],
        borne: Borne,
        limits: Limits,
    ) -> Found:
        """Return :func:`kgfm.linking.bearers.bearers`."""
        if self.compiled is False or (self.compiled is None and _KERNELS not in sys.modules):
            return bearers(pairs, likeness, spelled, borne, limits)
        from kgfm.linking.overlap_kernels import bearers as compiled_bearers

        found: Found = compiled_bearers(
            *pairs, *likeness, np.sort(spelled[0] << 32 | spelled[1]), borne, limits[3:]
        )
        return found


def _asked(queries: Parts) -> tuple[np.ndarray, ...]:
    return queries.indptr, queries.parts, queries.initial_indptr, queries.initials


def _arrays(index: Overlap) -> tuple[np.ndarray, ...]:
    return (
        index.name_indptr,
        index.parts,
        index.part_indptr,
        index.names,
        index.weights,
        index.preference,
        index.initials,
        index.initial_weights,
    )
