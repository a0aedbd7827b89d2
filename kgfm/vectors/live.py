"""Text vectors of a graph that stays on its server, computed as its nodes are met."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from kgfm.retrieval import LiveGraph
from kgfm.retrieval.recent import RecentCache
from kgfm.vectors.encode import Encode, encoded, name_of

_FOREVER = float("inf")  # a vector belongs to its text, which never grows old


class LiveVectors:
    """Vectors of the entities and relations of a live graph, by their texts.

    They are those that :class:`kgfm.vectors.NodeVectors` has for the same texts; the ones used
    last are kept.

    Args:
        graph: The live graph.
        encode: The text encoder.
        remember: Number of vectors that are kept.
    """

    def __init__(self, graph: LiveGraph, encode: Encode, *, remember: int = 100_000) -> None:
        self._graph, self._encode = graph, encode
        self._vectors: RecentCache[str, np.ndarray] = RecentCache(remember, _FOREVER)
        self.encoder = name_of(encode)
        """Name of the text encoder."""
        self.width = int(encoded(encode, ["width"]).shape[1])

    def entities(self, rows: np.ndarray) -> Float[np.ndarray, "row width"]:
        """Vectors of the entities in these rows."""
        return self._of([self._graph.text(int(row)) for row in rows])

    @property
    def relations(self) -> Float[np.ndarray, "relation width"]:
        """Vectors of the relations met so far."""
        rows = range(self._graph.num_relations)
        return self._of([self._graph.relation_text(row) for row in rows])

    def _of(self, texts: list[str]) -> Float[np.ndarray, "text width"]:
        known = {text: self._vectors.get(text) for text in dict.fromkeys(texts)}
        new = [text for text, vector in known.items() if vector is None]
        if new:
            for text, vector in zip(new, encoded(self._encode, new), strict=True):
                known[text] = vector
                self._vectors.put(text, vector)
        vectors = [known[text] for text in texts]
        return np.array(vectors, np.float16).reshape(len(texts), self.width)

    def __repr__(self) -> str:
        return f"LiveVectors({len(self._vectors):,} texts, width {self.width}, {self.encoder!r})"
