"""What every retriever is: what is asked in, one subgraph per text out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from kgfm.types import Asked, Example, Mention, Subgraph
from kgfm.walks import Kind

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph
    from kgfm.retrieval.live_graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A question with what is right about it, for a retriever that learns.

    Args:
        asked: What is seen of its text.
        rows: Of the entities that are right answers; none where nothing in the graph answers.
        kind: ``entity``, ``count``, ``yesno`` or ``literal``.
        values: What is right where the answer is no entity.
    """

    asked: Asked
    rows: Int[np.ndarray, "_"]
    kind: Kind = "entity"
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, example: Example, asked: Asked, graph: Graph) -> Answered:
        """Look up what is right about an example.

        Raises:
            KeyError: A right answer is not in the graph.
        """
        right = example.target or ()
        if example.kind != "entity":
            return cls(asked, np.empty(0, np.int64), example.kind, right)
        return cls(asked, np.unique(graph.rows(list(right))))


class Retriever(ABC):
    """Cut from a graph the part that matters for a text.

    It sees the whole question: text, mentions, candidates. What is learned stands above the tensor
    line and comes in as a callable, as ``encode`` does for linking.
    """

    graph: Graph
    learns: bool = False
    """Whether it has something to learn from answered questions before the model is trained."""

    @abstractmethod
    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the subgraph of each text.

        A text's :attr:`Asked.without` must be honoured: it is answered as if the graph did not
        hold these triples, in either direction, in what is walked and in what is shown. Priors and
        paths change with it; that is how evidence is measured.

        Args:
            asked: The texts, with what they name.
        """

    def learn(
        self, train: Sequence[Answered], validation: Sequence[Answered], *, seed: int = 0
    ) -> None:
        """Learn from questions and their answers; asked of one that ``learns``.

        Args:
            train: What to learn from.
            validation: What to choose by what is not learned, such as thresholds.
            seed: Of all that is random.

        Raises:
            TypeError: It has nothing to learn.
        """
        raise TypeError(f"{type(self).__name__} has nothing to learn.")

    def learned(self) -> dict[str, np.ndarray]:
        """Return what was learned, as plain arrays; saved with the pipeline."""
        return {}

    def restore(self, learned: Mapping[str, np.ndarray]) -> None:
        """Take what was learned before.

        Raises:
            TypeError: It has nothing to learn.
        """
        raise TypeError(f"{type(self).__name__} has nothing to learn.")

    def __call__(self, mentions: Sequence[Mention]) -> Subgraph:
        """Return the subgraph around the entities that one text mentions."""
        return self.retrieve([ask("", mentions, self.graph)])[0]

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal retriever over another graph, as JSON."""
        return {}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({given})"


def needs_snapshot(graph: KnowledgeGraph, name: str) -> KnowledgeGraph:
    """Return the graph, which has to be here.

    Raises:
        TypeError: It is on a server.
    """
    if hasattr(graph, "server"):
        raise TypeError(
            f"{name} needs a snapshot: it reads rows whole and in numbers that no server should be "
            f"asked for, and {graph!r} stays on its server. Use hops or walks, which a server "
            "can follow, or bring the graph here with KnowledgeGraph.from_neo4j or from_sparql."
        )
    return graph


def only_edges_of(source: str | None, graph: Graph) -> KnowledgeGraph:
    """Return the graph with the triples of one source and all its entities; ``None`` for all.

    Raises:
        ValueError: The graph has no such source; the message says which it has.
        TypeError: The graph is on a server.
    """
    whole: Any = graph
    if source is None:
        snapshot: KnowledgeGraph = whole
        return snapshot
    if hasattr(graph, "server"):
        raise TypeError(
            f"source={source!r} picks triples of a merged snapshot, and {graph!r} stays on its "
            "server, which knows no sources; leave source out."
        )
    return whole.select(whole.triples_in(source))  # type: ignore[no-any-return]


def checked_seeds(asked: Sequence[object], graph: Graph) -> list[np.ndarray]:
    """Return the seeds of each text, once all rows are known to be rows of the graph.

    Raises:
        TypeError: Something else than texts was asked, such as bare rows.
        IndexError: A row is none of the graph.
    """
    texts = [_text(number, one) for number, one in enumerate(asked)]
    _check_rows("seeds", [one.rows for one in texts], -1, graph.num_entities)  # -1 is NIL
    hidden = [one.without for one in texts if len(one.without)]
    ends, relations = [rows[:, ::2] for rows in hidden], [rows[:, 1] for rows in hidden]
    _check_rows("hidden triples' ends", ends, 0, graph.num_entities)
    _check_rows("hidden triples' relations", relations, 0, graph.num_relations)
    return [one.seeds for one in texts]


def _text(number: int, asked: object) -> Asked:
    if isinstance(asked, Asked):
        return asked
    raise TypeError(
        f"A retriever is asked about texts, got {type(asked).__name__} as number {number}; "
        "write Asked.at(rows), or ask(text, mentions, graph)."
    )


def _check_rows(name: str, rows: Sequence[np.ndarray], least: int, end: int) -> None:
    every = np.concatenate([each.ravel() for each in rows]) if rows else np.empty(0)
    if len(every) and (every.min() < least or every.max() >= end):
        raise IndexError(
            f"The {name} run from {every.min()} to {every.max()}; this graph has the rows 0 to "
            f"{end - 1:,}."
        )


def ask(text: str, mentions: Sequence[Mention], graph: Graph) -> Asked:
    """Look up the rows of the entities that a text mentions.

    Raises:
        KeyError: The graph has no such entity.
    """
    known = np.array([mention.entity is not None for mention in mentions], dtype=bool)
    rows = np.full(len(mentions), -1, dtype=np.int64)
    rows[known] = graph.rows([m.entity for m in mentions if m.entity is not None])
    return Asked(text, tuple(mentions), rows)


def drop_triples(subgraph: Subgraph, without: Int[np.ndarray, "triple 3"]) -> Subgraph:
    """Take triples, as rows of the graph, out of a subgraph, and the paths that used them."""
    heads, tails = subgraph.nodes[subgraph.edge_index]
    gone = np.zeros(len(subgraph.edge_type), dtype=bool)
    for head, relation, tail in without.tolist():
        gone |= (heads == head) & (subgraph.edge_type == relation) & (tails == tail)
    if not gone.any():
        return subgraph
    place = np.cumsum(~gone) - 1
    weight = subgraph.edge_weight
    paths = tuple(
        replace(path, edges=tuple(int(place[edge]) for edge in path.edges))
        for path in subgraph.paths
        if not any(gone[edge] for edge in path.edges)
    )
    return replace(
        subgraph,
        edge_index=subgraph.edge_index[:, ~gone],
        edge_type=subgraph.edge_type[~gone],
        paths=paths,
        edge_weight=None if weight is None else weight[~gone],
    )
