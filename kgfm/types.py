"""The values that flow through kgfm: text -> Mention -> Subgraph -> Example -> Prediction.

They carry numpy arrays and plain Python values only; tensors begin in :mod:`kgfm.batch`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape

import numpy as np
from jaxtyping import Int

NIL = "NIL"
"""The answer, or the entity, that is not in the graph."""


@dataclass(frozen=True, slots=True, repr=False)
class Mention:
    """A stretch of text and the entity it names.

    Args:
        start: First character, counted in code points of the original text.
        end: One past the last character.
        text: ``source[start:end]``.
        entity: Key of the entity in the graph, or ``None`` for NIL.
        score: How sure the linker is, from 0 to 1.
        candidates: Entities that it weighed: (key, score), best first.
    """

    start: int
    end: int
    text: str
    entity: str | None
    score: float = 1.0
    candidates: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(
                f"A mention needs 0 <= start <= end, got start={self.start}, end={self.end}."
            )

    def __repr__(self) -> str:
        return f"Mention({self.text!r} -> {self.entity or NIL}, {self.score:.2f})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Subgraph:
    """The part of the graph that matters for one text; each triple stands once, head to tail.

    Args:
        nodes: Rows of the entities in the graph, the seeds first.
        edge_index: Heads (row 0) and tails (row 1), as positions in ``nodes``.
        edge_type: Row of each edge's relation in the graph.
        hops: Distance of each node from the nearest seed; 0 marks the seeds.
    """

    nodes: Int[np.ndarray, "node"]
    edge_index: Int[np.ndarray, "2 edge"]
    edge_type: Int[np.ndarray, "edge"]
    hops: Int[np.ndarray, "node"]

    def __post_init__(self) -> None:
        if self.edge_index.shape != (2, len(self.edge_type)):
            raise ValueError(
                f"edge_index has shape {self.edge_index.shape}, "
                f"but there are {len(self.edge_type)} edge types."
            )
        if len(self.nodes) != len(self.hops):
            raise ValueError(f"{len(self.nodes)} nodes, but {len(self.hops)} hops.")

    @property
    def num_seeds(self) -> int:
        return int(np.count_nonzero(self.hops == 0))

    def __repr__(self) -> str:
        return (
            f"Subgraph({len(self.nodes)} nodes, {len(self.edge_type)} edges, "
            f"{self.num_seeds} seeds)"
        )


@dataclass(frozen=True, slots=True)
class Example:
    """A text with what is known about it.

    Args:
        text: The text itself.
        target: The right labels (``classify``) or the keys of the right entities (``answer``;
            empty means unanswerable). ``None`` where unknown.
        mentions: Given mentions; ``None`` lets the linker find them.
    """

    text: str
    target: tuple[str, ...] | None = None
    mentions: tuple[Mention, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"An example's text is a str, got {type(self.text).__name__}.")
        if isinstance(self.target, str):
            raise TypeError(f"target is a tuple of strings; write ({self.target!r},).")


@dataclass(frozen=True, slots=True)
class Evidence:
    """A triple, by key, and how much the score falls when it is taken away."""

    head: str
    relation: str
    tail: str
    change: float


@dataclass(frozen=True, repr=False)
class Prediction:
    """What the pipeline says about one text.

    Args:
        text: The text that was asked about.
        answer: The label, or the key of the entity; :data:`NIL` where nothing in the graph answers.
        score: Probability of ``answer``.
        scores: (label or key, probability), best first.
        labels: All labels over the decision threshold (multi-label ``classify``), else
            ``(answer,)``.
        mentions: What the linker found.
        graph_used: False where no mention brought a subgraph in, or the graph's server was
            unavailable.
    """

    text: str
    answer: str
    score: float
    scores: tuple[tuple[str, float], ...] = ()
    labels: tuple[str, ...] = ()
    mentions: tuple[Mention, ...] = ()
    graph_used: bool = True
    _explain: Callable[[], tuple[Evidence, ...]] | None = field(
        default=None, repr=False, compare=False
    )

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """The triples that mattered, largest change of the score first; computed when asked for."""
        return () if self._explain is None else self._explain()

    def __repr__(self) -> str:
        return f"Prediction({self.answer!r}, {self.score:.2f})"

    def _repr_html_(self) -> str:
        """Show the text with what was linked, and the answer, in a notebook."""
        parts, done = [], 0
        for mention in sorted(self.mentions, key=lambda mention: mention.start):
            if mention.start < done:  # given by hand, mentions may overlap
                continue
            parts.append(escape(self.text[done : mention.start]))
            words, entity = self.text[mention.start : mention.end], mention.entity or NIL
            parts.append(f'<mark title="{escape(entity)}">{escape(words)}</mark>')
            done = mention.end
        parts.append(escape(self.text[done:]))
        said = ", ".join(map(escape, self.labels)) or escape(self.answer)
        return f"<p>{''.join(parts)}<br><b>{said}</b> ({self.score:.2f})</p>"
