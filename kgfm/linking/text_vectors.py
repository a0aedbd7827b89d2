"""The vectors of many texts, each computed when it is first asked for, or all kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from kgfm.linking.kept import beside, keep_arrays, kept_arrays

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

Encode = Callable[[list[str]], np.ndarray]
"""Texts in, a row of numbers for each out."""

_BATCH = 512


class TextVectors:
    """The vectors of a numbered list of texts that belong to a graph.

    Args:
        graph: Whose texts they are.
        encode: The text encoder; one with a ``name`` has its vectors kept beside a snapshot by
            :meth:`compute_all`.
        text_of: The text of a number.
        count: How many there are.
        kind: What they are called on disk.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        encode: Encode,
        *,
        text_of: Callable[[int], str],
        count: int,
        kind: str,
    ) -> None:
        self.graph = graph
        self.encode = encode
        self._text_of = text_of
        self._kind = kind
        self._vectors: np.ndarray | None = None
        self._known = np.zeros(count, bool)
        name = getattr(encode, "name", None)
        self._folder = beside(graph.path, kind) if name else None
        self._mark = f"{graph.fingerprint}/{name}"
        kept = kept_arrays(self._folder, kind, self._mark, ["vectors"])
        if kept is not None:
            self._vectors, self._known[:] = kept["vectors"], True

    def __len__(self) -> int:
        return len(self._known)

    def take(self, rows: Int64[np.ndarray, "row"]) -> Float32[np.ndarray, "row width"]:
        """Return the vectors of some rows, of length 1."""
        missing = np.unique(rows[~self._known[rows]])
        for first in range(0, len(missing), _BATCH):
            some = missing[first : first + _BATCH]
            encoded = self.encode([self._text_of(int(row)) for row in some])
            found = unit(np.asarray(encoded, np.float32))
            if self._vectors is None:
                self._vectors = np.zeros((len(self), found.shape[1]), np.float16)
            self._vectors[some] = found
            self._known[some] = True
        if self._vectors is None:
            return np.zeros((len(rows), 1), np.float32)
        vectors: np.ndarray = self._vectors[rows].astype(np.float32)
        return vectors

    def compute_all(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Compute what is missing, and keep all of it beside a snapshot if that is possible.

        Args:
            progress: Called with the number of texts that are done, and of all.
        """
        if self._known.all():
            return
        for first in range(0, len(self), _BATCH):
            self.take(np.arange(first, min(first + _BATCH, len(self))))
            if progress is not None:
                progress(min(first + _BATCH, len(self)), len(self))
        if self._folder is not None and self._vectors is not None:
            with suppress(OSError):
                kept = keep_arrays(self._folder, self._kind, self._mark, {"vectors": self._vectors})
                self._vectors = kept["vectors"]


class EntityVectors(TextVectors):
    """The vectors of a graph's entities; the encoder reads ``graph.text(row)``.

    Args:
        graph: The graph.
        encode: The text encoder.
    """

    def __init__(self, graph: KnowledgeGraph, encode: Encode) -> None:
        super().__init__(graph, encode, text_of=graph.text, count=len(graph), kind="entity-vectors")


def unit(vectors: Float32[np.ndarray, "row width"]) -> Float32[np.ndarray, "row width"]:
    """Return the rows with length 1; zeros stay."""
    norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    scaled: np.ndarray = vectors / np.maximum(norms, 1e-12)
    return scaled
