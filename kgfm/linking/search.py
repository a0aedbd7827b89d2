"""Overlap searches with numpy at first, and compiled once there have been enough of them."""

from __future__ import annotations

import sys

import numpy as np
from jaxtyping import Int64

from kgfm.linking import overlap
from kgfm.linking.overlap import Factors, Overlap, Parts

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
        self, queries: Parts, index: Overlap, factors: Factors, count: int, *, prunes: bool = False
    ) -> tuple[Int64[np.ndarray, "hit"], Int64[np.ndarray, "hit"]]:
        """Return :func:`kgfm.linking.overlap.top_names`; ``prunes`` needs power 2."""
        if not self._is_compiled(queries):
            return overlap.top_names(queries, index, factors, count)
        from kgfm.linking.overlap_kernels import top_names

        owners, names = top_names(
            queries.indptr, queries.parts, _arrays(index), prunes, factors, count
        )
        return owners, names

    def shared_weights(
        self,
        queries: Parts,
        index: Overlap,
        pairs: tuple[Int64[np.ndarray, "pair"], Int64[np.ndarray, "pair"]],
    ) -> Int64[np.ndarray, "pair"]:
        """Return :func:`kgfm.linking.overlap.shared_weights`; the queries of the pairs ascend."""
        if not self._is_compiled(queries):
            return overlap.shared_weights(queries, index, pairs)
        from kgfm.linking.overlap_kernels import shared_weights

        shared: np.ndarray = shared_weights(queries.indptr, queries.parts, _arrays(index), *pairs)
        return shared


def _arrays(index: Overlap) -> tuple[np.ndarray, ...]:
    return (
        index.name_indptr,
        index.parts,
        index.part_indptr,
        index.names,
        index.weights,
        index.inverse,
    )
