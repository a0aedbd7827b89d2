"""What a batch of questions has met of a live graph, as a small snapshot that grows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from kgfm.graph import EntityRecord, GraphBuilder, KnowledgeGraph
from kgfm.retrieval.live_graph import LiveGraph
from kgfm.retrieval.server import Around, Triple
from kgfm.types import Asked, Subgraph

_NOTHING = Around()


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
        self._entities = sorted(entities)
        self._found: dict[str, Around] = {}
        self._triples: tuple[list[str], list[str], list[str]] = [], [], []
        self._built: tuple[KnowledgeGraph, list[str]] | None = None

    def lacks(self, keys: Iterable[str]) -> list[str]:
        """Return those of some entities of which it is not known what leads on."""
        return sorted({*keys} - self._found.keys())

    def add(self, found: Mapping[str, Around]) -> None:
        """Take in what leads on from some entities."""
        self._found |= found
        self.add_triples(
            (other, relation, key) if inward else (key, relation, other)
            for key, (links, _) in found.items()
            for relation, inward, other in links or ()
        )

    def add_triples(self, triples: Iterable[Triple]) -> None:
        """Take in further triples."""
        heads, relations, tails = self._triples
        for head, relation, tail in triples:
            heads.append(head)
            relations.append(relation)
            tails.append(tail)
        self._built = None

    def is_closed(self, key: str) -> bool:
        """Whether an entity has more links than are followed."""
        return key in self._found and self._found[key].links is None

    @property
    def graph(self) -> KnowledgeGraph:
        """All of it as a snapshot."""
        return self._snapshot()[0]

    def _snapshot(self) -> tuple[KnowledgeGraph, list[str]]:
        """The snapshot, and the key of each row."""
        if self._built is None:
            builder, relations = GraphBuilder(), sorted({*self._live.relation_keys})
            for key in relations:
                builder.add_relation(key, self._live.relation_label(key))
            builder.add_coded_triples(self._entities, relations, np.empty((3, 0), np.int64))
            builder.add_triples(*self._triples)
            keys = sorted(builder.entity_keys)
            for key in keys:  # with a label, so that no lack of labels is warned of
                attributes = self._found.get(key, _NOTHING).attributes
                builder.add_entity(EntityRecord(key, key, attributes=attributes))
            self._built = KnowledgeGraph.from_builder(builder, {"store": "live"}), keys
        return self._built

    @property
    def closed(self) -> list[int]:
        """Rows of entities with more links than are followed."""
        return [self.graph.row(key) for key in self._found if self.is_closed(key)]

    @property
    def relations(self) -> tuple[tuple[str, str], ...]:
        """Keys and labels of all relations."""
        graph = self.graph
        return tuple(zip(graph.relation_keys, graph.relation_labels, strict=True))

    def keys(self, rows: Iterable[int]) -> list[str]:
        """Return the keys of some rows."""
        every = self._snapshot()[1]
        return [every[row] for row in rows]

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
