"""Examples made ready, one by one: arrays still, and what makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from kgfm.batch.tensors import Tensors
from kgfm.types import Asked, Example, Mention, Row, Subgraph

MOST_CANDIDATES = 16
"""Of a mention, in a batch."""


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """One text made ready, with the subgraph that was cut for it."""

    input_ids: Int[np.ndarray, "token"]
    offsets: Int[np.ndarray, "token 2"]
    """Characters of ``Row.source`` that each token stands for; (0, 0) for a special token."""
    subgraph: Subgraph
    aligned: Int[np.ndarray, "2 pair"]
    """(token, node) pairs."""
    mention_span: Int[np.ndarray, "mention 2"]
    mention_node: Int[np.ndarray, "mention"]
    candidate_mention: Int[np.ndarray, "candidate"]
    candidate_entity: Int[np.ndarray, "candidate"]
    candidate_prior: Float[np.ndarray, "candidate"]
    words: tuple[Mention, ...] = ()
    """Words of the text that are entities too; aligned as mentions are, and none of them."""

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """Return (first, one past the last) token that overlaps characters; ``None`` if none."""
        inside = np.flatnonzero((self.offsets[:, 0] < end) & (self.offsets[:, 1] > start))
        return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One example made ready: all that does not depend on its neighbours in the batch."""

    rows: tuple[PreparedRow, ...]
    target: Any
    """What the task made of it: arrays, as its ``pack`` reads them."""
    known: bool
    """Whether what is right is known."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens of all its texts."""
        return sum(len(row.input_ids) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows and nodes of each example lie in a batch."""

    first_row: Int[np.ndarray, "example_bound"]
    """First row of each example, and the end."""
    first_node: Int[np.ndarray, "row_bound"]
    """First node of each row, and the end."""
    entities: Int[np.ndarray, "node"]
    """Row of each node in the graph."""


@runtime_checkable
class Asks(Protocol):
    """What a task does before tensors begin; see :class:`kgfm.tasks.Task`."""

    ranks_nodes: ClassVar[bool]
    reads_spans: int

    def rows(self, example: Example, /) -> Sequence[Row]: ...

    def known(self, example: Example, /) -> bool: ...

    def target(self, example: Example, rows: Sequence[PreparedRow], graph: Any, /) -> Any: ...

    def pack(self, prepared: Sequence[Prepared], layout: Layout, /) -> Tensors | None: ...


@runtime_checkable
class Vectors(Protocol):
    """Text vectors of a graph's entities and relations; see :class:`kgfm.vectors.NodeVectors`."""

    @property
    def relations(self) -> np.ndarray: ...

    def entities(self, rows: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class States(Protocol):
    """Cached states of texts; see :class:`kgfm.frozen.FrozenStates`."""

    def get(self, input_ids: np.ndarray) -> np.ndarray | None: ...


def prepared_row(
    ids: np.ndarray, offsets: np.ndarray, asked: Asked, subgraph: Subgraph, graph: Any
) -> PreparedRow:
    """Align a text's mentions with its tokens and its subgraph."""
    place = {int(row): node for node, row in enumerate(subgraph.nodes[: subgraph.num_seeds])}
    spans = np.full((len(asked.mentions), 2), -1, dtype=np.int64)
    nodes = np.array([place.get(int(row), -1) for row in asked.rows], dtype=np.int64)
    pairs: list[tuple[int, int]] = []
    for word, row in zip(asked.words, asked.word_rows, strict=True):
        node = place.get(int(row), -1)
        if node >= 0:
            pairs += [(int(token), node) for token in _inside(offsets, word)]
    for number, mention in enumerate(asked.mentions):
        inside = _inside(offsets, mention)
        if len(inside):
            spans[number] = inside[0], inside[-1] + 1
        if nodes[number] >= 0:
            pairs += [(int(token), int(nodes[number])) for token in inside]
    aligned = np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2).T
    candidates = _candidates(asked, graph)
    return PreparedRow(ids, offsets, subgraph, aligned, spans, nodes, *candidates, asked.words)


def _inside(offsets: np.ndarray, mention: Mention) -> Int[np.ndarray, "_"]:
    """Tokens that overlap a mention."""
    return np.flatnonzero((offsets[:, 0] < mention.end) & (offsets[:, 1] > mention.start))


def _candidates(asked: Asked, graph: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mention, row in the graph and prior of the linker's best candidates."""
    found: list[tuple[int, int, float]] = []
    for number, (mention, row) in enumerate(zip(asked.mentions, asked.rows, strict=True)):
        weighed = mention.candidates[:MOST_CANDIDATES]
        if not weighed and row >= 0:
            found.append((number, int(row), mention.score))
        for key, prior in weighed if graph is not None else ():
            known = int(graph.keys.find(key))
            if known >= 0:
                found.append((number, known, prior))
    mentions, rows = (np.array([one[n] for one in found], np.int64) for n in (0, 1))
    return mentions, rows, np.array([one[2] for one in found], np.float32)
