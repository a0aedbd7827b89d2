"""Bring a snapshot up to date with the source that it was built from.

A store takes part with one function in :data:`UPDATES`::

    def update(old: KnowledgeGraph, source: Any, **options) -> KnowledgeGraph: ...

It gets the snapshot as it is, and returns the graph that a fresh build would give, to the byte but
for ``source`` in the manifest. A store of files reads the new dump. A store that can ask a server
what changed puts the answer into :class:`Changes` and returns ``changes.applied_to(old, source)``.
What such a question needs (an address, a moment, a mapping) it finds in ``old.manifest["source"]``,
where its ``read`` left it: options that shape the graph stand there under ``"options"``, and come
back to ``update`` as keyword arguments, under those that the user gives anew.

Nothing is written before the new graph is whole; then :mod:`kgfm.storage` swaps it in by replacing
one file, so the old snapshot serves until then, and after a kill at any moment. Vectors beside the
snapshot follow key and text (:class:`kgfm.vectors.NodeVectors`): only new texts are
encoded when the graph is next used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.graph import EntityRecord, GraphBuilder, GraphSchema, KnowledgeGraph
from kgfm.graph.order import order_of, repeats
from kgfm.stores import STORES, store_for
from kgfm.stores.records import edge_values, record_of, relation_labels

Update = Callable[..., KnowledgeGraph]


@dataclass(frozen=True)
class Changes:
    """What is different in a source since a snapshot was taken.

    Args:
        entities: The whole record of each entity that is new, or of which anything but its triples
            changed; it takes the old record's place.
        heads: Keys of the entities whose triples are all listed anew.
        triples: All triples that begin at one of ``heads``, as (head, relation, tail).
        edge_attributes: By name, one value for each of ``triples``; ``None`` where missing.
        removed: Keys of the entities that are gone; their triples go too, at either end.
        relations: Labels of the relations that are new or are now called otherwise.
        keep_bare: Whether an entity of which nothing is known stays when its last triple goes; in
            RDF it does not, in a property graph its node does.
    """

    entities: Iterable[EntityRecord] = ()
    heads: Collection[str] = ()
    triples: Sequence[tuple[str, str, str]] = ()
    edge_attributes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    removed: Collection[str] = ()
    relations: Mapping[str, str] = field(default_factory=dict)
    keep_bare: bool = True

    def applied_to(self, old: KnowledgeGraph, source: Mapping[str, Any]) -> KnowledgeGraph:
        """Return the graph with these changes.

        Raises:
            ValueError: A triple begins elsewhere than at one of ``heads``.
        """
        heads, removed = {*self.heads}, {*self.removed}
        stray = next((triple for triple in self.triples if triple[0] not in heads), None)
        if stray is not None:
            raise ValueError(f"The triple {stray!r} begins at none of the heads listed anew.")
        builder = GraphBuilder()
        records = {record.key: record for record in self.entities}
        keys = list(old.keys)
        gone = np.fromiter((key in removed for key in keys), bool, len(keys))
        anew = np.fromiter((key in heads for key in keys), bool, len(keys))
        kept = np.flatnonzero(~(gone | anew)[old.heads] & ~gone[old.tails])
        _add_kept_triples(builder, old, keys, kept)
        given = [triple for triple in self.triples if removed.isdisjoint((triple[0], triple[2]))]
        if len(given) != len(self.triples):
            raise ValueError("A triple begins or ends at an entity that is said to be removed.")
        starts, names, ends = ([triple[place] for triple in given] for place in range(3))
        builder.add_triples(starts, names, ends, self.edge_attributes)
        for row in np.flatnonzero(~gone).tolist():
            if keys[row] not in records:
                record = record_of(old, row)
                if self.keep_bare or not _is_bare(record):
                    builder.add_entity(record)
        for record in records.values():
            builder.add_entity(record)
        for key, label in relation_labels(old):
            builder.add_relation(key, label)
        for key, label in self.relations.items():
            builder.add_relation(key, label)
        return KnowledgeGraph.from_builder(builder, source)


@dataclass(frozen=True)
class Refreshed:
    """The graph after a refresh, and how it differs from the one before."""

    graph: KnowledgeGraph
    entities_added: int
    entities_removed: int
    texts_changed: int
    triples_added: int
    triples_removed: int

    def counts(self) -> dict[str, int]:
        """Return the figures by name."""
        return {name: value for name, value in vars(self).items() if name != "graph"}


def update_from_files(old: KnowledgeGraph, source: Any, **options: Any) -> KnowledgeGraph:
    """Read a new dump the way in which the old one was read."""
    origin = old.manifest["source"]
    store = str(origin["store"])
    if source is None:
        raise ValueError(
            f"The snapshot was built from {_files(origin)}, and it does not remember where that "
            "was. Name the new dump: kgfm graph refresh SNAPSHOT SOURCE."
        )
    for table in ("entities", "relations"):
        if table in origin and options.get(table) is None:
            raise ValueError(
                f"The snapshot was built with a table of {table}, {_names(origin[table])}; "
                f"name the new one with --{table}."
            )
    read: Any = STORES[store]
    new: KnowledgeGraph = read(source, **options)
    return new


def update_from_layout(old: KnowledgeGraph, source: Any, **options: Any) -> KnowledgeGraph:
    """Read a folder in the layout that the snapshot was built from."""
    layout = old.manifest["source"]["layout"]
    if source is None:
        raise ValueError(
            f"The snapshot was built from a folder in the layout {layout!r}, and it does not "
            "remember where that was. Name it: kgfm graph refresh SNAPSHOT FOLDER."
        )
    return KnowledgeGraph.from_layout(layout, source, **options)


def update_from_sparql(old: KnowledgeGraph, source: Any, **options: Any) -> KnowledgeGraph:
    """Ask the endpoint whether anything changed, and read it anew if so."""
    from kgfm.stores import sparql

    return sparql.update(old, source, **options)


def update_from_neo4j(old: KnowledgeGraph, source: Any, **options: Any) -> KnowledgeGraph:
    """Ask the database what changed, and take that in."""
    from kgfm.stores.neo4j.update import update

    return update(old, source, **options)


UPDATES: dict[str, Update] = {
    "layout": update_from_layout,
    "neo4j": update_from_neo4j,
    "rdf": update_from_files,
    "sparql": update_from_sparql,
    "tables": update_from_files,
}
"""By name of the store: what returns the graph as the source has it now."""


def refresh(snapshot: str | Path, source: Any = None, **options: Any) -> Refreshed:
    """Bring a snapshot up to date, and return it opened, with what is different.

    Args:
        snapshot: Its folder.
        source: The new dump, or where the source is now; servers are remembered.
        options: For the store, in place of those that the snapshot was built with.

    Raises:
        FileNotFoundError: There is no snapshot in that folder.
        ValueError: The store that it was built from cannot tell what changed, or the source is
            missing or is one of another kind.
    """
    old = KnowledgeGraph.open(snapshot)
    origin = old.manifest["source"]
    store = origin.get("store")
    if store not in UPDATES:
        raise ValueError(
            f"The snapshot in {snapshot} is from {store or 'records in memory'!r}, which cannot be "
            f"refreshed; {', '.join(sorted(UPDATES))} can. Build it anew."
        )
    if isinstance(source, (str, Path)) and UPDATES[store] is update_from_files:
        found = store_for(source)
        if found != store:
            raise ValueError(
                f"{source} is for the store {found!r}, but the snapshot is from {store!r}; "
                "build it anew with kgfm graph build."
            )
    remembered = dict(origin.get("options", {}))
    if "schema" in remembered:
        lists = remembered["schema"].items()  # JSON has no tuples
        fields: dict[str, Any] = {n: v if isinstance(v, str) else tuple(v) for n, v in lists}
        remembered["schema"] = GraphSchema(**fields)
    given = {name: value for name, value in options.items() if value is not None}
    new = UPDATES[store](old, source, **{**remembered, **given})
    counts = _difference(old, new)
    return Refreshed(new.save(snapshot), **counts)


def _files(origin: Mapping[str, Any]) -> str:
    return _names(origin.get("files") or origin.get("triples") or []) or "rows in memory"


def _names(files: Any) -> str:
    entries = [files] if isinstance(files, Mapping) else files
    return ", ".join(repr(entry["file"]) for entry in entries)


def _is_bare(record: EntityRecord) -> bool:
    known = record.label, record.aliases, record.description, record.types, record.attributes
    return not any(known)


def _add_kept_triples(
    builder: GraphBuilder, old: KnowledgeGraph, keys: Sequence[str], kept: np.ndarray
) -> None:
    relations = list(old.relation_keys)
    for rows in np.array_split(kept, len(kept) // (1 << 16) + 1):
        builder.add_triples(
            [keys[row] for row in old.heads[rows].tolist()],
            [relations[row] for row in old.relations[rows].tolist()],
            [keys[row] for row in old.tails[rows].tolist()],
            edge_values(old, rows),
        )


def _difference(old: KnowledgeGraph, new: KnowledgeGraph) -> dict[str, int]:
    """Count what two graphs do not share."""
    before = {key: row for row, key in enumerate(old.keys)}
    after = list(new.keys)
    shared = [(before[key], row) for row, key in enumerate(after) if key in before]
    common = _shared_triples(old, new, before, after)
    return {
        "entities_added": len(after) - len(shared),
        "entities_removed": len(before) - len(shared),
        "texts_changed": sum(old.text(one) != new.text(other) for one, other in shared),
        "triples_added": new.num_triples - common,
        "triples_removed": old.num_triples - common,
    }


def _shared_triples(
    old: KnowledgeGraph, new: KnowledgeGraph, before: Mapping[str, int], after: Sequence[str]
) -> int:
    """Count the triples of both graphs, in the old one's rows; strangers get rows of their own."""
    relation_rows = {key: row for row, key in enumerate(old.relation_keys)}
    entity = np.array([before.get(key, len(old) + i) for i, key in enumerate(after)], np.int64)
    relation = np.array(
        [relation_rows.get(key, len(relation_rows) + i) for i, key in enumerate(new.relation_keys)],
        np.int64,
    )
    columns = [
        np.concatenate([old.heads, entity[new.heads]]),
        np.concatenate([old.relations, relation[new.relations]]),
        np.concatenate([old.tails, entity[new.tails]]),
    ]
    order = order_of(*columns)
    return int(repeats(*(column[order] for column in columns)).sum())
