"""What a task about spans reads, and where the spans then lie in a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgfm.batch import Layout, Prepared, PreparedRow, Tensors
from kgfm.retrieval import Graph
from kgfm.types import About, Example, Row

Condition = Literal["tag", "pool", "markers", "pair"]
CONDITIONS: tuple[Condition, ...] = get_args(Condition)
MARKS = (("[ ", " ]"), ("{ ", " }"))
"""What stands before and behind the first span and the second."""
BETWEEN = " ; "
"""What stands between two spans that are quoted behind their text."""


def rows_of(example: Example, condition: Condition) -> tuple[Row, ...]:
    """Return what is read of an example: a row for each thing asked about, or one for all.

    An example that asks about nothing has its text for a row, of which nothing is asked.
    """
    text, about = example.text, example.about
    if not about:
        return (Row(text),)
    if condition == "pool":
        return (Row(text, focus=tuple(dict.fromkeys(one.spans for one in about))),)
    if condition == "markers":
        return tuple(Row(text, marks=_marks(one), focus=(one.spans,)) for one in about)
    if condition == "pair":
        quoted = [BETWEEN.join(text[start:end] for start, end in one.spans) for one in about]
        return tuple(
            Row(text, words, quotes=True, focus=(one.spans,))
            for one, words in zip(about, quoted, strict=True)
        )
    return tuple(Row(text, focus=(one.spans,)) for one in about)


def _marks(about: About) -> tuple[tuple[int, str], ...]:
    """Write marks around each span; what ends at a place stands before what begins there."""
    found = []
    for (start, end), (before, behind) in zip(about.spans, MARKS, strict=False):
        found += [(start, 1, -end, before), (end, 0, -start, behind)]
    return tuple((place, mark) for place, *_, mark in sorted(found))


class Place(NamedTuple):
    """Where one thing asked about lies in an example.

    Args:
        row: Among the example's rows.
        tokens: First token and one past the last of each span; (0, 0) for one without any.
        nodes: Node of each span's entity in the row's subgraph; -1 for NIL.
        labels: Numbers of the right labels; ``None`` where unknown.
        text: A hash of the text, in numbers that a float holds.
    """

    row: int
    tokens: tuple[tuple[int, int], ...]
    nodes: tuple[int, ...]
    labels: tuple[int, ...] | None
    text: tuple[int, int, int]


def place_of(
    about: About,
    number: int,
    rows: Sequence[PreparedRow],
    graph: Graph | None,
    *,
    together: bool,
) -> tuple[int, tuple[tuple[int, int], ...], tuple[int, ...]]:
    """Find the row, the tokens and the nodes of one thing asked about.

    Args:
        about: What is asked about.
        number: Its number in the example.
        rows: Of the example.
        graph: Knows the rows of entities by key.
        together: Whether a row is read for several.
    """
    row = _best(about, rows) if together else number
    tokens = tuple(rows[row].tokens_of(*span) or (0, 0) for span in about.spans)
    keys = about.entities or (None,) * len(about.spans)
    return row, tokens, tuple(_node(key, rows[row], graph) for key in keys)


def _best(about: About, rows: Sequence[PreparedRow]) -> int:
    """Number of the row that reads most of the spans; of several the first."""
    if len(rows) == 1:
        return 0
    read = [sum(_characters(span, row) for span in about.spans) for row in rows]
    return int(np.argmax(read))


def _characters(span: tuple[int, int], row: PreparedRow) -> int:
    start, end = row.offsets.T
    inside = np.minimum(end, span[1]) - np.maximum(start, span[0])
    return int(np.clip(inside, 0, None).sum())


def _node(key: str | None, row: PreparedRow, graph: Graph | None) -> int:
    cut = row.subgraph
    if not key or graph is None or not len(cut.nodes):
        return -1
    found = np.flatnonzero(cut.nodes[: cut.num_seeds] == graph.keys.find(key))
    return int(found[0]) if len(found) else -1


def text_hash(text: str) -> tuple[int, int, int]:
    """Three numbers under 2^16, which go through single precision unharmed."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
    first, second, third = (int.from_bytes(digest[n : n + 2]) for n in (0, 2, 4))
    return first, second, third


@dataclass
class SpansAsked(Tensors):
    """All things asked about in a batch, example by example, in the order asked."""

    row: Int[Tensor, "about"]
    """The row that each is read in."""
    example: Int[Tensor, "about"]
    node: Int[Tensor, "about span"]
    """Node of the entity of each span, among all nodes; -1 for NIL."""
    inside: Int[Tensor, "3 pair"]
    """(thing asked about, which of its spans, token of its row) for each token of a span."""
    text: Int[Tensor, "about 3"]
    """A hash of the text that each stands in."""
    label: Float[Tensor, "about label"]
    """1 for each right label."""
    known: Bool[Tensor, "about"]
    """False where nothing is known to be right."""
    is_known: bool
    """Whether anything is known about the batch, were it only that there is nothing to ask."""


def packed(
    prepared: Sequence[Prepared], layout: Layout, *, num_spans: int, num_labels: int
) -> SpansAsked:
    """Lay the spans of a batch out."""
    places: list[Place] = [place for one in prepared for place in one.target]
    counts = [len(one.target) for one in prepared]
    example = np.repeat(np.arange(len(prepared)), counts)
    row = layout.first_row[example] + np.array([place.row for place in places], np.int64)
    node = np.array([place.nodes for place in places], np.int64).reshape(-1, num_spans)
    node = np.where(node < 0, -1, node + layout.first_node[row][:, None])
    inside = [
        (number, span, token)
        for number, place in enumerate(places)
        for span, (first, end) in enumerate(place.tokens)
        for token in range(first, end)
    ]
    label = np.zeros((len(places), num_labels), np.float32)
    for number, place in enumerate(places):
        label[number, list(place.labels or ())] = 1.0
    taught = [prepared[number].known for number in example.tolist()]
    known = [one.labels is not None and own for one, own in zip(places, taught, strict=True)]
    arrays = {
        "row": row.astype(np.int64),
        "example": example.astype(np.int64),
        "node": node,
        "inside": np.array(inside, np.int64).reshape(-1, 3).T,
        "text": np.array([place.text for place in places], np.int64).reshape(-1, 3),
        "label": label,
        "known": np.array(known, dtype=bool),
    }
    made = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}
    return SpansAsked(**made, is_known=any(one.known for one in prepared))
