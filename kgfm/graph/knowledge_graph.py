"""The graph: an immutable snapshot that opens in milliseconds whatever its size."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int64, UInt32

from kgfm.graph import sources
from kgfm.graph.arrays import GraphArrays
from kgfm.graph.build import GraphBuilder, edge_arrays, in_chunks
from kgfm.graph.control import rewired, shuffled_tails
from kgfm.graph.order import Arrays, kept_triples, triple_arrays
from kgfm.graph.records import EntityRecord, as_text
from kgfm.graph.schema import GraphSchema, as_words
from kgfm.graph.snapshot import (
    FORMAT,
    KIND,
    fingerprint,
    read_snapshot,
    temporary_folder,
    write_snapshot,
)
from kgfm.graph.strings import StringTable
from kgfm.registry import nearest
from kgfm.storage import DamagedFileError

if TYPE_CHECKING:
    from networkx import MultiDiGraph
    from torch_geometric.data import Data, HeteroData


class KnowledgeGraph(GraphArrays):
    """Entities, relations and triples with their names, as arrays that are never changed.

    Entities and relations are numbered in the order of their keys, triples stand in the order
    (head, relation, tail), none twice. Make one with :meth:`from_rdf`, :meth:`from_sparql`,
    :meth:`from_tables`, :meth:`from_networkx`, :meth:`from_records` or :meth:`open`.
    """

    # -- doors: each opens its room when it is used ---------------------------------------------

    @classmethod
    def from_rdf(
        cls, given: Any, /, *, schema: GraphSchema | None = None, **options: Any
    ) -> KnowledgeGraph:
        """Read RDF: files, streams, rdflib and Oxigraph (:func:`kgfm.stores.rdf.read`)."""
        from kgfm.stores import rdf

        return rdf.read(given, schema=schema, **options)

    @classmethod
    def from_sparql(cls, url: Any, /, **options: Any) -> KnowledgeGraph:
        """Read a SPARQL 1.1 endpoint, whole or in part (:func:`kgfm.stores.sparql.read`)."""
        from kgfm.stores import sparql

        return sparql.read(url, **options)

    @classmethod
    def from_tables(cls, triples: Any, **options: Any) -> KnowledgeGraph:
        """Read tables: TSV, CSV, rows or data frames (:func:`kgfm.stores.tables.read`)."""
        from kgfm.stores import tables

        return tables.read(triples, **options)

    @classmethod
    def from_layout(cls, layout: str, folder: str | Path, **options: Any) -> KnowledgeGraph:
        """Read a folder in a named layout, as ``"kgat"`` (:func:`kgfm.stores.layouts.read`)."""
        from kgfm.stores import layouts

        return layouts.read(layout, folder, **options)

    @classmethod
    def from_networkx(cls, graph: Any, **options: Any) -> KnowledgeGraph:
        """Take over a NetworkX graph (:func:`kgfm.stores.networkx.read`)."""
        from kgfm.stores import networkx

        return networkx.read(graph, **options)

    @classmethod
    def from_neo4j(cls, uri: str, **options: Any) -> KnowledgeGraph:
        """Read a Neo4j database (:func:`kgfm.stores.neo4j.read.read`)."""
        from kgfm.stores.neo4j import read

        return read(uri, **options)

    def to_rdf(self, path: str | Path) -> Path:
        """Write N-Triples or Turtle that :meth:`from_rdf` reads back to the same bytes.

        See :func:`kgfm.stores.rdf_export.write`.
        """
        from kgfm.stores import rdf_export

        return rdf_export.write(self, path)

    def to_neo4j(self, uri: str, **options: Any) -> None:
        """Write into a Neo4j database (:func:`kgfm.stores.neo4j.write.write`)."""
        from kgfm.stores.neo4j import write

        write(self, uri, **options)

    @classmethod
    def from_pyg(cls, data: Any, **options: Any) -> KnowledgeGraph:
        """Take over a PyTorch Geometric ``Data`` or ``HeteroData`` (:func:`kgfm.stores.pyg.read`).

        What :meth:`to_pyg` returned gives the same snapshot back.
        """
        from kgfm.stores import pyg

        return pyg.read(data, **options)

    @classmethod
    def from_records(
        cls,
        entities: Iterable[EntityRecord | Mapping[str, Any]],
        triples: Iterable[Sequence[str]],
        *,
        relations: Mapping[str, str] | None = None,
        edge_attributes: Mapping[str, Sequence[Any]] | None = None,
        source: Mapping[str, Any] | None = None,
    ) -> KnowledgeGraph:
        """Build a graph from what is known about its entities and from its triples.

        Args:
            entities: Records, or mappings with ``key`` and any other of a record's fields. An
                entity that only stands in a triple needs none.
            triples: (head key, relation key, tail key); those given twice count once.
            relations: Labels of the relations by key.
            edge_attributes: By name, one value for each of ``triples``; ``None`` where missing.
            source: What to remember of where the graph comes from.
        """
        builder = GraphBuilder()
        for record in entities:
            if not isinstance(record, EntityRecord):
                record = EntityRecord(**record)
            builder.add_entity(record)
        for key, label in (relations or {}).items():
            builder.add_relation(key, label)
        first = 0
        for chunk in in_chunks(triples):
            if {len(triple) for triple in chunk} != {3}:
                place, bad = next((i, t) for i, t in enumerate(chunk, first) if len(t) != 3)
                raise ValueError(f"Triple {place} is {bad!r}; it must be (head, relation, tail).")
            heads, names, tails = zip(*chunk, strict=True)
            last = first + len(chunk)
            columns = {name: c[first:last] for name, c in (edge_attributes or {}).items()}
            builder.add_triples(heads, names, tails, columns)
            first = last
        return cls.from_builder(builder, source)

    @classmethod
    def from_builder(
        cls, builder: GraphBuilder, source: Mapping[str, Any] | None
    ) -> KnowledgeGraph:
        """Finish a builder that a store has filled."""
        arrays, edge_names = builder.build()
        repeated = builder.num_given - len(arrays["heads"])
        noted = {"repeated_triples": repeated} if repeated else {}
        noted |= {"dropped_edge_values": builder.num_lost} if builder.num_lost else {}
        return cls._of(arrays, edge_names, {**(source or {}), **noted})

    @classmethod
    def merged(cls, graphs: Mapping[str, KnowledgeGraph]) -> KnowledgeGraph:
        """Merge graphs by key into one in which each entity and triple keeps its sources.

        Of an entity that several graphs hold, names, types and attributes are joined; where they
        say different things, the first graph's label and description stay. A graph that has sources
        already keeps them.

        Args:
            graphs: Each by the name of the source that it is, such as ``companies``.

        Raises:
            ValueError: There is no graph, or there are more than 32 sources.

        Warns:
            UserWarning: They say different things, how often, and what became of it.
        """
        return sources.merged(graphs)

    def with_sources(
        self, names: Sequence[str], entities: UInt32[np.ndarray, "_"], triples: np.ndarray
    ) -> KnowledgeGraph:
        """Return the same graph, told where its entities and triples come from, as bits."""
        arrays = self._all_arrays() | {"entity_sources": entities, "triple_sources": triples}
        manifest = self.manifest
        return self._of(arrays, manifest["edge_attributes"], manifest["source"], names)

    @classmethod
    def _of(
        cls,
        arrays: Arrays,
        edge_names: Sequence[str],
        source: Mapping[str, Any],
        sources: Sequence[str] = (),
    ) -> KnowledgeGraph:
        counts = {
            "entities": len(arrays["keys.offsets"]) - 1,
            "relations": len(arrays["relation_keys.offsets"]) - 1,
            "triples": len(arrays["heads"]),
        }
        for array in arrays.values():
            array.setflags(write=False)
        manifest = {
            "kind": KIND,
            "format": FORMAT,
            "counts": counts,
            "edge_attributes": list(edge_names),
            "source": dict(source),
        }
        if sources:
            manifest["sources"] = list(sources)
        return cls(arrays, manifest)

    # -- doors out ------------------------------------------------------------------------------

    def to_networkx(self) -> MultiDiGraph:
        """Return the graph as a NetworkX ``MultiDiGraph`` (:func:`kgfm.stores.networkx.write`)."""
        from kgfm.stores import networkx

        return networkx.write(self)

    def to_pyg(
        self, *, hetero: bool = False, vectors: Any = None, names: bool = True
    ) -> Data | HeteroData:
        """Return the graph as PyTorch Geometric has it: ``Data``, or ``HeteroData`` by type.

        See :func:`kgfm.stores.pyg.write` and :func:`kgfm.stores.pyg.write_hetero`.
        """
        from kgfm.stores import pyg

        write = pyg.write_hetero if hetero else pyg.write
        return write(self, vectors=vectors, names=names)

    def to_tables(self, folder: str | Path, format: str = "tsv") -> Path:
        """Write triples, entities and relations as TSV, CSV or Parquet, and return the folder.

        ``from_layout("tables", folder)`` reads the same graph back
        (:func:`kgfm.stores.layouts.tables_write.write`).
        """
        from kgfm.stores.layouts import tables_write

        return tables_write.write(self, folder, format)

    # -- on disk --------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> KnowledgeGraph:
        """Open a snapshot; its arrays stay on disk until they are read.

        Args:
            path: The folder that :meth:`save` wrote.
            verify: Also compare the hash of every file, which reads them all.

        Raises:
            DamagedFileError: A file is missing, cut off or (with ``verify``) changed.
        """
        folder = Path(path).absolute()
        arrays, manifest = read_snapshot(folder, verify)
        try:
            return cls(arrays, manifest, folder)
        except (KeyError, TypeError) as error:
            raise DamagedFileError(
                f"The manifest in {folder} lacks {error}; build the graph anew."
            ) from None

    def save(self, path: str | Path) -> KnowledgeGraph:
        """Write the snapshot, so that a crash leaves an older one whole, and return it opened."""
        write_snapshot(path, self._all_arrays(), self.manifest)
        return type(self).open(path)

    def _all_arrays(self) -> Arrays:
        names = self.manifest.get("files")
        if names is None:
            return dict(sorted(self._arrays.items()))
        return {Path(name).stem: self._arrays[Path(name).stem] for name in sorted(names)}

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the content, wherever it came from and whatever folder it is in."""
        return fingerprint(self._arrays, self.manifest)

    @cached_property
    def _temporary(self) -> Path:
        folder = temporary_folder()
        self.save(folder)
        return folder

    def __reduce__(self) -> tuple[Callable[..., KnowledgeGraph], tuple[str, str]]:
        return _reopen, (str(self.path or self._temporary), self.fingerprint)

    # -- one entity or relation -----------------------------------------------------------------

    def __len__(self) -> int:
        return self.num_entities

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.keys.find(key) >= 0

    def row(self, key: str) -> int:
        """Return the row of an entity.

        Raises:
            KeyError: It is not in the graph; the message names keys that are near.
        """
        row = self.keys.find(key)
        if row < 0:
            raise KeyError(
                f"No entity {key!r} in this graph of {len(self):,} entities.{_near(key, self.keys)}"
            )
        return row

    def rows(self, keys: Iterable[str]) -> Int64[np.ndarray, "key"]:
        """Return the rows of many entities; each must be in the graph."""
        keys = list(keys)
        if len(keys) * 20 < len(self):
            return np.array([self.row(key) for key in keys], np.int64)
        row_of = {key: row for row, key in enumerate(self.keys)}
        found = [row_of.get(key, -1) for key in keys]
        if -1 in found:
            self.row(keys[found.index(-1)])
        return np.array(found, np.int64)

    def relation_row(self, key: str) -> int:
        """Return the row of a relation, or raise a KeyError that names near ones."""
        row = self.relation_keys.find(key)
        if row < 0:
            raise KeyError(
                f"No relation {key!r} in this graph of {self.num_relations:,} relations."
                f"{_near(key, self.relation_keys)}"
            )
        return row

    def label(self, key: str) -> str:
        """Return the label of an entity given by its key."""
        return self.labels[self.row(key)]

    def names(self, row: int) -> tuple[str, ...]:
        """Return the label and then the aliases, none twice and none empty."""
        start, end = self.alias_indptr[row : row + 2].tolist()
        aliases = self.aliases
        label = self.labels[row]
        return (label,) * bool(label) + tuple(aliases[place] for place in range(start, end))

    def types(self, row: int) -> tuple[str, ...]:
        """Return the names of an entity's types."""
        start, end = self.type_indptr[row : row + 2].tolist()
        return tuple(self.type_names[place] for place in self.type_ids[start:end])

    def attributes(self, row: int) -> dict[str, Any]:
        """Return the literal attributes of an entity: numbers, truth values, strings, lists."""
        text = self.attribute_texts[row]
        return dict(json.loads(text)) if text else {}

    def text(self, row: int) -> str:
        """Return what a text encoder reads: ``label (type, type). description``."""
        return as_text(self.labels[row], self.types(row), self.descriptions[row])

    def relation_text(self, row: int) -> str:
        """Return a relation's label with underscores and camelCase as spaces."""
        return as_words(self.relation_labels[row])

    # -- where it comes from --------------------------------------------------------------------

    def only(self, source: str) -> KnowledgeGraph:
        """Return the graph of one source: its entities and triples, with rows of its own.

        Raises:
            ValueError: There is no such source; the message says which there are.
        """
        how = {"only": source, "of": self.manifest["source"]}
        return self._of(*sources.part_of(self, source), how)

    # -- other graphs over the same entities ----------------------------------------------------

    def shuffled(self, seed: int, source: str | None = None) -> KnowledgeGraph:
        """Return the graph with the tails permuted within each relation: the control.

        Heads keep their relations and each relation keeps its tails, but who goes with whom is
        chance. A triple that comes up twice is drawn again; the few that are still double after
        some rounds are in the graph once.

        Args:
            seed: Of the permutation.
            source: Only triples of this source are permuted, the others stay.

        Raises:
            ValueError: There is no such source; the message says which there are.
        """
        heads, relations, tails = self._columns()
        moving = self._moving(source)
        tails[moving] = shuffled_tails(heads[moving], relations[moving], tails[moving], seed)
        origin = np.arange(self.num_triples)
        return self._with_triples(heads, relations, tails, origin, _how("shuffled", seed, source))

    def rewired(self, seed: int, source: str | None = None) -> KnowledgeGraph:
        """Return another graph of the same degrees, whose edges are chance: the random control.

        Entities keep their number of edges out and in, relations their number of edges. Unlike in
        :meth:`shuffled`, an edge's relation is chance too, so a relation may join anything. The few
        triples that come up twice are in the graph once; edge attributes go with the relation.

        Args:
            seed: Of the permutations.
            source: Only triples of this source are permuted, the others stay.

        Raises:
            ValueError: There is no such source; the message says which there are.
        """
        heads, relations, tails = self._columns()
        moving = self._moving(source)
        origin = np.arange(self.num_triples)
        tails[moving], places = rewired(heads[moving], tails[moving], seed)
        origin[moving] = moving[places]
        relations = relations[origin]
        return self._with_triples(heads, relations, tails, origin, _how("rewired", seed, source))

    def _columns(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Heads, relations and tails, to be changed."""
        columns = (self.heads, self.relations, self.tails)
        heads, relations, tails = (column.astype(np.int64) for column in columns)
        return heads, relations, tails

    def _moving(self, source: str | None) -> Int64[np.ndarray, "_"]:
        """Places of the triples of a source, or of all."""
        if source is None:
            return np.arange(self.num_triples)
        return np.flatnonzero(self.triples_in(source))

    def select(self, triple_mask: Bool[np.ndarray, "triple"]) -> KnowledgeGraph:
        """Return the graph with only the triples where the mask is True, and all entities.

        Raises:
            ValueError: The mask is not one truth value for each triple.
        """
        mask = np.asarray(triple_mask)
        if mask.shape != (self.num_triples,) or mask.dtype != np.bool_:
            raise ValueError(
                f"The mask is {mask.dtype} of shape {mask.shape}; it must be bool of shape "
                f"({self.num_triples},), True for each triple to keep."
            )
        kept = np.flatnonzero(mask)
        columns = (self.heads[kept], self.relations[kept], self.tails[kept])
        return self._with_triples(*columns, kept, {"selected": len(kept)})

    def _with_triples(
        self,
        heads: np.ndarray,
        relations: np.ndarray,
        tails: np.ndarray,
        origin: np.ndarray,
        how: Mapping[str, Any],
    ) -> KnowledgeGraph:
        """Return a graph of other triples; ``origin`` is where each finds its edge attributes."""
        kept = kept_triples(heads, relations, tails)
        columns = (heads[kept], relations[kept], tails[kept])
        triples = triple_arrays(columns, len(self), self.num_relations)
        arrays = {
            name: array
            for name, array in self._all_arrays().items()
            if name not in triples and not name.startswith("edge")
        }
        for place, column in enumerate(self.edge_attributes.values()):
            arrays |= edge_arrays(place, column, origin[kept])
        if self.sources:
            arrays["triple_sources"] = self.triple_sources[origin[kept]]
        source = {**how, "of": self.manifest["source"]}
        edge_names = self.manifest["edge_attributes"]
        return self._of(arrays | triples, edge_names, source, self.sources)

    # -- how it shows ---------------------------------------------------------------------------

    def __repr__(self) -> str:
        return (
            f"KnowledgeGraph({self.num_entities:,} entities, {self.num_relations:,} relations, "
            f"{self.num_triples:,} triples)"
        )

    def _repr_html_(self) -> str:
        """Show the first triples of the graph in a notebook."""
        shown = range(min(5, self.num_triples))
        rows = [
            (
                self.labels[int(self.heads[i])],
                self.relation_text(int(self.relations[i])),
                self.labels[int(self.tails[i])],
            )
            for i in shown
        ]
        cells = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        return f"<p><b>{html.escape(repr(self))}</b></p><table>{cells}</table>"


def _how(name: str, seed: int, source: str | None) -> dict[str, Any]:
    """What a graph remembers of how it was altered."""
    return {name: seed} if source is None else {name: seed, "source": source}


def _near(key: str, keys: StringTable) -> str:
    """Return a hint at keys like this one; in a large graph only its neighbours in order count."""
    if not isinstance(key, str):
        return f" Keys are strings, not {type(key).__name__}."
    place = keys.position(key) if len(keys) > 20_000 else 0
    around = range(max(0, place - 50), min(len(keys), place + (50 if place else 20_000)))
    return nearest(key, [keys[row] for row in around])


def _reopen(path: str, fingerprint: str) -> KnowledgeGraph:
    graph = KnowledgeGraph.open(path)
    if graph.fingerprint != fingerprint:
        raise DamagedFileError(
            f"The graph in {path} is not the one that was pickled; it was rebuilt meanwhile. "
            "Start again from the new one."
        )
    return graph
