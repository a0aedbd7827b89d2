"""What a batch of questions has met of a live graph, as a small snapshot that grows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
from jaxtyping import Int

from kgfm.graph import EntityRecord, GraphBuilder, KnowledgeGraph
from kgfm.retrieval.live_graph import LiveGraph
from kgfm.retrieval.server import Around, Triple
from kgfm.types import Asked, Subgraph


class Part:
    """The links and attributes of some entities of a live graph.

    Rows and relations of its snapshot are in the order of keys, as they are in a snapshot of all
    of the server, so that what is decided by that order is decided alike. All relations that the
    live graph has met are in it, whether or not a link here is of them.

    Args:
        graph: The live graph.
        entities: Keys that are in it in any case.
    """

    def __init__(self, graph: LiveGraph, entities: Iterable[str]) -> None:
        self._live = graph
        self._builder = GraphBuilder()
        self._known: set[str] = set()
        self._closed: set[str] = set()
        for key in entities:
            self._builder.add_entity(EntityRecord(key, key))

    def lacks(self, keys: Iterable[str]) -> list[str]:
        """Return those of some entities of which it is not known what leads on."""
        return sorted({*keys} - self._known)

    def add(self, found: Mapping[str, Around]) -> None:
        """Take in what leads on from some entities."""
        triples: list[Triple] = []
        for key, (links, attributes) in found.items():
            if links is None:
                self._closed.add(key)
            for relation, inward, other in links or ():
                triples.append((other, relation, key) if inward else (key, relation, other))
            label = "" if self._builder.record(key) else key
            self._builder.add_entity(EntityRecord(key, label, attributes=attributes))
        self._known |= found.keys()
        self.add_triples(triples)

    def add_triples(self, triples: Iterable[Triple]) -> None:
        """Take in further triples."""
        heads, relations, tails = zip(*triples, strict=True) if triples else ((), (), ())
        self._builder.add_triples(heads, relations, tails)
        for key in {*heads, *tails}:
            if self._builder.record(key) is None:  # the label keeps the builder from warnings
                self._builder.add_entity(EntityRecord(key, key))
        self.__dict__.pop("graph", None)

    def is_closed(self, key: str) -> bool:
        """Whether an entity has more links than are followed."""
        return key in self._closed

    @cached_property
    def graph(self) -> KnowledgeGraph:
        """All of it as a snapshot."""
        relations = sorted({*self._live.relation_keys})
        for key in relations:
            self._builder.add_relation(key, self._live.relation_label(key))
        self._builder.add_coded_triples((), relations, np.empty((3, 0), np.int64))
        return KnowledgeGraph.from_builder(self._builder, {"store": "live"})

    @property
    def closed(self) -> list[int]:
        """Rows of entities with more links than are followed."""
        return [self.graph.row(key) for key in sorted(self._closed)]

    @property
    def relations(self) -> tuple[tuple[str, str], ...]:
        """Keys and labels of all relations."""
        graph = self.graph
        return tuple(zip(graph.relation_keys, graph.relation_labels, strict=True))

    def keys(self, rows: Iterable[int]) -> list[str]:
        """Return the keys of some rows."""
        return [self.graph.keys[row] for row in rows]

    # -- between the two numberings ----------------------------------------------------------------

    def of(self, asked: Asked) -> Asked:
        """Ask of the snapshot what is asked of the live graph."""
        live, graph = self._live, self.graph
        rows = [graph.row(live.keys[row]) if row >= 0 else -1 for row in asked.rows.tolist()]
        hidden = [
            (graph.keys.find(live.keys[h]), graph.relation_row(live.relation_keys[r]), tail)
            for h, r, t in asked.without.tolist()
            if (tail := graph.keys.find(live.keys[t])) >= 0
        ]
        without = np.array([one for one in hidden if one[0] >= 0], np.int64).reshape(-1, 3)
        return replace(asked, rows=np.array(rows, np.int64), without=without)

    def back(self, cut: Subgraph) -> Subgraph:
        """Name the rows of the live graph in place of those of the snapshot."""
        relations = [self.graph.relation_keys[row] for row in cut.edge_type.tolist()]
        found = cut.found
        if found is not None:
            found = replace(found, rows=self._live_rows(found.rows))
        return replace(
            cut,
            nodes=self._live_rows(cut.nodes).astype(np.int32),
            edge_type=np.array(self._live.relation_keys.number(relations), np.int32),
            found=found,
        )

    def _live_rows(self, rows: Int[np.ndarray, "_"]) -> Int[np.ndarray, "_"]:
        return self._live.rows(self.keys(rows.tolist()))
