"""How well the types of an entity agree with the words around a mention."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64

from kgfm.graph import KnowledgeGraph
from kgfm.vectors import Encode, type_vectors
from kgfm.vectors.encode import unit

MOST_AT_ONCE = 4096
"""More types are read as they come up; the mean is taken of so many of them."""
WORTH_KEEPING = 500
_PAIRS = 1 << 16


class TypeVectors:
    """Compares contexts with the names of types, as one text encoder reads both.

    ``agreement = max over the types t of an entity: cos(context, vector(t) - mean vector)``.
    Names of types are all somewhat alike to an encoder, and long ones more like any text than short
    ones; less their mean, what is left says what sets a type apart.

    Args:
        graph: Its types have names.
        encode: The text encoder; one with a ``name`` has the vectors kept beside a snapshot of many
            types.
    """

    def __init__(self, graph: KnowledgeGraph, encode: Encode) -> None:
        self.graph = graph
        self._ids = np.asarray(graph.type_ids)
        self._indptr = np.asarray(graph.type_indptr)
        self._vectors = type_vectors(graph, encode)

    def agreement(
        self,
        contexts: Float32[np.ndarray, "span width"],
        owners: Int64[np.ndarray, "candidate"],
        rows: Int64[np.ndarray, "candidate"],
    ) -> Float32[np.ndarray, "candidate"]:
        """Return how well each candidate's types agree with its context; 0 without types.

        Args:
            contexts: A unit vector for each mention.
            owners: The mention of each candidate.
            rows: The entity of each.
        """
        result = np.zeros(len(rows), np.float32)
        counts = self._indptr[rows + 1] - self._indptr[rows]
        typed = np.flatnonzero(counts)
        if not len(typed):
            return result
        ends = np.cumsum(counts[typed])
        cuts = np.unique(np.searchsorted(ends, np.arange(0, ends[-1], _PAIRS)))
        for part in np.split(typed, cuts[1:]):
            result[part] = self._best(contexts, owners[part], rows[part])
        return result

    def _best(
        self,
        contexts: Float32[np.ndarray, "span width"],
        owners: Int64[np.ndarray, "candidate"],
        rows: Int64[np.ndarray, "candidate"],
    ) -> Float32[np.ndarray, "candidate"]:
        first = self._indptr[rows].astype(np.int64)
        counts = self._indptr[rows + 1] - first
        before = np.cumsum(counts) - counts
        place = np.repeat(first - before, counts) + np.arange(int(counts.sum()))
        types, number = np.unique(self._ids[place], return_inverse=True)
        apart = unit(self._vectors.take(types).astype(np.float32) - self._mean)
        likeness = np.einsum("pw,pw->p", apart[number], contexts[np.repeat(owners, counts)])
        best: np.ndarray = np.maximum.reduceat(likeness, before)
        return best

    @cached_property
    def _mean(self) -> Float32[np.ndarray, "width"]:
        count = len(self.graph.type_names)
        if WORTH_KEEPING < count <= MOST_AT_ONCE:
            self._vectors.compute_all()
        some = np.unique(np.linspace(0, count - 1, min(count, MOST_AT_ONCE)).astype(np.int64))
        mean: np.ndarray = self._vectors.take(some).mean(axis=0, dtype=np.float32)
        return mean
