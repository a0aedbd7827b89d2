"""What a graph is made of, each part by its name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int32, Int64, UInt32

from kgfm.graph.order import Arrays
from kgfm.graph.strings import StringTable
from kgfm.registry import nearest

WEIGHT = "weight"
"""The edge attribute that says how much a triple weighs."""


class GraphArrays:
    """The arrays and string tables of a graph; each is read from disk when it is first asked for.

    Attributes:
        path: The folder that it was opened from; ``None`` for a graph in memory.
        manifest: Format, counts, source and (from a folder) the files with their hashes.
    """

    def __init__(self, arrays: Arrays, manifest: Mapping[str, Any], path: Path | None = None):
        self._arrays = arrays
        self.manifest = dict(manifest)
        self.path = path
        counts = self.manifest["counts"]
        self.num_entities: int = counts["entities"]
        self.num_relations: int = counts["relations"]
        self.num_triples: int = counts["triples"]

    def _table(self, name: str) -> StringTable:
        return StringTable(self._arrays[f"{name}.offsets"], self._arrays[f"{name}.bytes"])

    @cached_property
    def keys(self) -> StringTable:
        """Keys of the entities, sorted by code point; an entity's row is its place here."""
        return self._table("keys")

    @cached_property
    def labels(self) -> StringTable:
        """Label of each entity, or the local name of its key where it has none."""
        return self._table("labels")

    @cached_property
    def descriptions(self) -> StringTable:
        """Description of each entity, ``""`` where it has none."""
        return self._table("descriptions")

    @cached_property
    def relation_keys(self) -> StringTable:
        """Keys of the relations, sorted by code point."""
        return self._table("relation_keys")

    @cached_property
    def relation_labels(self) -> StringTable:
        """Label of each relation, or the local name of its key where it has none."""
        return self._table("relation_labels")

    @cached_property
    def labelled(self) -> Bool[np.ndarray, "entity"]:
        """True where the source gave a label."""
        return self._arrays["labelled"]

    @cached_property
    def relation_labelled(self) -> Bool[np.ndarray, "relation"]:
        """True where the source gave a relation a label."""
        return self._arrays["relation_labelled"]

    @cached_property
    def heads(self) -> Int32[np.ndarray, "triple"]:
        """Row of each triple's head."""
        return self._arrays["heads"]

    @cached_property
    def relations(self) -> Int32[np.ndarray, "triple"]:
        """Row of each triple's relation."""
        return self._arrays["relations"]

    @cached_property
    def tails(self) -> Int32[np.ndarray, "triple"]:
        """Row of each triple's tail."""
        return self._arrays["tails"]

    @cached_property
    def out_indptr(self) -> Int64[np.ndarray, "boundary"]:
        """Triples of head ``i`` are ``out_indptr[i]:out_indptr[i + 1]``."""
        return self._arrays["out_indptr"]

    @cached_property
    def neighbour_indptr(self) -> Int64[np.ndarray, "boundary"]:
        """Neighbours of entity ``i``, in both directions, are between ``i`` and ``i + 1`` here.

        Each row is in the fan-out order: degree of the neighbour, relation key, out before in,
        neighbour key; lowest first.
        """
        return self._arrays["neighbour_indptr"]

    @cached_property
    def neighbour_entity(self) -> Int32[np.ndarray, "neighbour"]:
        """Row of each neighbour."""
        return self._arrays["neighbour_entity"]

    @cached_property
    def neighbour_relation(self) -> Int32[np.ndarray, "neighbour"]:
        """Relation to each neighbour; plus ``num_relations`` where the neighbour is the head."""
        return self._arrays["neighbour_relation"]

    @cached_property
    def degree(self) -> Int32[np.ndarray, "entity"]:
        """Number of triples in which an entity is the head, plus those in which it is the tail."""
        return self._arrays["degree"]

    @cached_property
    def edge_attributes(self) -> dict[str, np.ndarray | StringTable]:
        """Columns by triple: numbers (NaN where missing), truth values, or strings."""
        columns: dict[str, np.ndarray | StringTable] = {}
        files = self.manifest.get("files", {})
        for place, name in enumerate(self.manifest["edge_attributes"]):
            plain = f"edge{place}" in self._arrays or f"edge{place}.npy" in files
            columns[name] = self._arrays[f"edge{place}"] if plain else self._table(f"edge{place}")
        return columns

    @cached_property
    def edge_weights(self) -> Float32[np.ndarray, "triple"] | None:
        """How much each triple says beside others of its relation, 1 being as much as usual.

        The edge attribute ``weight``, divided by the mean of its absolute values over the relation;
        1 where it is missing. ``None`` in a graph whose triples have no such number.
        """
        given = self.edge_attributes.get(WEIGHT)
        if not isinstance(given, np.ndarray) or given.dtype == np.bool_:
            return None
        weights, relations = given.astype(np.float64), self.relations
        known = ~np.isnan(weights)
        total, count = (
            np.bincount(relations[known], values, minlength=self.num_relations)
            for values in (np.abs(weights[known]), None)
        )
        usual = np.where(total > 0, total / np.maximum(count, 1), 1.0)
        return np.where(known, weights / usual[relations], 1.0).astype(np.float32)

    @cached_property
    def alias_indptr(self) -> Int64[np.ndarray, "boundary"]:
        """Number of aliases before each entity's."""
        return self._arrays["aliases.indptr"]

    @cached_property
    def type_indptr(self) -> Int64[np.ndarray, "boundary"]:
        """Number of types before each entity's."""
        return self._arrays["types.indptr"]

    @cached_property
    def aliases(self) -> StringTable:
        """Aliases of all entities, entity after entity; :attr:`alias_indptr` has the bounds."""
        return self._table("aliases")

    @cached_property
    def type_names(self) -> list[str]:
        """Names of the types, sorted by code point."""
        return list(self._table("type_names"))

    @cached_property
    def type_ids(self) -> Int32[np.ndarray, "type"]:
        """Types of the entities one after the other, as places in :attr:`type_names`."""
        return self._arrays["types.ids"]

    @cached_property
    def sources(self) -> list[str]:
        """Names of the graphs that were merged into this one; none where it is of one source."""
        return list(self.manifest.get("sources", ()))

    @cached_property
    def entity_sources(self) -> UInt32[np.ndarray, "entity"]:
        """Where each entity comes from: bit ``k`` stands for ``sources[k]``."""
        return self._arrays["entity_sources"]

    @cached_property
    def triple_sources(self) -> UInt32[np.ndarray, "triple"]:
        """Where each triple comes from, likewise."""
        return self._arrays["triple_sources"]

    def sources_of(self, row: int) -> tuple[str, ...]:
        """Return the names of the graphs that an entity comes from; none in one of one source."""
        bits = int(self.entity_sources[row]) if self.sources else 0
        return tuple(name for place, name in enumerate(self.sources) if bits >> place & 1)

    def in_source(self, source: str) -> Bool[np.ndarray, "entity"]:
        """Say which entities come from a source.

        Raises:
            ValueError: There is no such source; the message says which there are.
        """
        bit = self._bit_of(source)
        found: np.ndarray = (self.entity_sources & bit) != 0
        return found

    def triples_in(self, source: str) -> Bool[np.ndarray, "triple"]:
        """Say which triples come from a source.

        Raises:
            ValueError: There is no such source; the message says which there are.
        """
        bit = self._bit_of(source)
        found: np.ndarray = (self.triple_sources & bit) != 0
        return found

    def _bit_of(self, source: str) -> np.uint32:
        if source in self.sources:
            return np.uint32(1 << self.sources.index(source))
        if not self.sources:
            raise ValueError(
                f"This graph is of one source and cannot be limited to {source!r}; graphs that "
                "were merged have several: KnowledgeGraph.merged({'mine': ..., 'theirs': ...})."
            )
        raise ValueError(
            f"No source {source!r} in this graph.{nearest(source, self.sources)} It has "
            f"{', '.join(self.sources)}."
        )

    @cached_property
    def attribute_texts(self) -> StringTable:
        """Attributes of each entity as JSON, ``""`` where it has none."""
        return self._table("attributes")
