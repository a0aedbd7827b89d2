"""Several graphs as one, in which every entity and triple keeps where it comes from.

A source is a bit: entity ``i`` comes from source ``k`` if bit ``k`` of ``entity_sources[i]`` is
set, a triple likewise. An entity that several graphs hold has several.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, Int64

from kgfm.graph.build import GraphBuilder, edge_arrays, table_arrays
from kgfm.graph.columns import Values, taken
from kgfm.graph.order import Arrays, boundaries, triple_arrays
from kgfm.graph.records import EntityRecord
from kgfm.graph.strings import StringTable

if TYPE_CHECKING:
    from kgfm.graph.knowledge_graph import KnowledgeGraph

MOST_SOURCES = 32
_STAYS = {
    "labels": "the first stays the label, the other is an alias",
    "descriptions": "the first stays",
    "attributes": "both values stay, as a list",
    "relation labels": "the first stays",
    "edge attributes": "one value stays",
}
"""What becomes of what two graphs say differently."""


# -- merging --------------------------------------------------------------------------------------


def merged(graphs: Mapping[str, KnowledgeGraph]) -> KnowledgeGraph:
    """Merge graphs by key; :meth:`KnowledgeGraph.merged` says how."""
    from kgfm.graph.knowledge_graph import KnowledgeGraph

    names = _names_of(graphs)
    builder, conflicts = GraphBuilder(warns_of_lost=False), Counter[str]()
    labels: dict[str, str] = {}
    for graph in graphs.values():
        for record in _records(graph):
            conflicts.update(_conflicts(builder.record(record.key), record))
            builder.add_entity(record)
        conflicts["relation labels"] += _name_relations(graph, labels)
        _add_triples(graph, builder)
    for key, label in labels.items():
        builder.add_relation(key, label)
    origin = {name: graph.manifest["source"] for name, graph in graphs.items()}
    whole = KnowledgeGraph.from_builder(builder, {"store": "merged", "graphs": origin})
    entities = np.zeros(whole.num_entities, np.uint32)
    triples = np.zeros(whole.num_triples, np.uint32)
    for name, graph in graphs.items():
        rows = whole.rows(graph.keys)
        places = _places_in(graph, whole, rows)
        conflicts["edge attributes"] += _lost_values(graph, whole, places)
        own = graph.sources or [name]
        bits = [np.uint32(1 << names.index(one)) for one in own]
        entities[rows] |= _moved(graph, "entity_sources", bits)
        triples[places] |= _moved(graph, "triple_sources", bits)
    _warn_of(conflicts)
    return whole.with_sources(names, entities, triples)


def _names_of(graphs: Mapping[str, KnowledgeGraph]) -> list[str]:
    """Return the names of all sources; a graph that has sources keeps them."""
    if not graphs:
        raise ValueError(
            "Merging takes graphs by name: "
            "KnowledgeGraph.merged({'companies': companies, 'affect': affect})."
        )
    names = list(
        dict.fromkeys(one for name, graph in graphs.items() for one in graph.sources or [name])
    )
    if "" in names:
        raise ValueError("A source has an empty name; give each graph a name of its own.")
    if len(names) > MOST_SOURCES:
        raise ValueError(f"A graph has {MOST_SOURCES} sources at most; got {len(names)}.")
    return names


def _records(graph: KnowledgeGraph) -> Iterator[EntityRecord]:
    columns = zip(
        graph.keys, graph.labels, graph.labelled.tolist(), graph.descriptions, strict=True
    )
    for row, (key, label, labelled, description) in enumerate(columns):
        yield EntityRecord(
            key,
            label if labelled else "",
            graph.names(row)[1:],
            description,
            graph.types(row),
            graph.attributes(row),
        )


def _conflicts(old: EntityRecord | None, new: EntityRecord) -> list[str]:
    """Say in what two records of an entity differ where both know something."""
    if old is None:
        return []
    found = []
    if old.label and new.label and old.label != new.label:
        found.append("labels")
    if old.description and new.description and old.description != new.description:
        found.append("descriptions")
    shared = old.attributes.keys() & new.attributes.keys()
    if any(old.attributes[name] != new.attributes[name] for name in shared):
        found.append("attributes")
    return found


def _name_relations(graph: KnowledgeGraph, labels: dict[str, str]) -> int:
    """Add the relations' labels; returns how many have another one already."""
    differ = 0
    columns = zip(
        graph.relation_keys, graph.relation_labels, graph.relation_labelled.tolist(), strict=True
    )
    for key, label, labelled in columns:
        if labelled:
            differ += labels.setdefault(key, label) != label
    return differ


def _add_triples(graph: KnowledgeGraph, builder: GraphBuilder) -> None:
    attributes = {
        name: [text or None for text in column] if isinstance(column, StringTable) else column
        for name, column in graph.edge_attributes.items()
    }
    triples = np.stack([graph.heads, graph.relations, graph.tails])
    builder.add_coded_triples(graph.keys, graph.relation_keys, triples, attributes)


def _places_in(
    graph: KnowledgeGraph, whole: KnowledgeGraph, rows: Int64[np.ndarray, "entity"]
) -> Int64[np.ndarray, "triple"]:
    relations = np.array([whole.relation_row(key) for key in graph.relation_keys], np.int64)
    return triple_places(whole, rows[graph.heads], relations[graph.relations], rows[graph.tails])


def _lost_values(
    graph: KnowledgeGraph, whole: KnowledgeGraph, places: Int64[np.ndarray, "triple"]
) -> int:
    """Count the triples of which an edge attribute is no longer what this graph says."""
    lost = np.zeros(graph.num_triples, bool)
    for name, column in graph.edge_attributes.items():
        now = whole.edge_attributes[name]
        if isinstance(column, StringTable) or isinstance(now, StringTable):
            now_of = [now[place] for place in places.tolist()]
            said = [str(value) for value in column]
            lost |= np.array([a not in ("", str(b)) for a, b in zip(said, now_of, strict=True)])
        else:
            said_numbers, is_now = column.astype(np.float64), now[places].astype(np.float64)
            lost |= (said_numbers != is_now) & ~np.isnan(said_numbers)
    return int(lost.sum())


def _moved(graph: KnowledgeGraph, name: str, bits: list[np.uint32]) -> Any:
    """Return the bits of a graph's entities or triples, in their places in the merged graph."""
    if not graph.sources:
        return bits[0]
    own = getattr(graph, name)
    moved = np.zeros(len(own), np.uint32)
    for place, bit in enumerate(bits):
        moved[(own >> np.uint32(place)) & np.uint32(1) == 1] |= bit
    return moved


def _warn_of(conflicts: Counter[str]) -> None:
    said = [f"{count:,} {what} ({_STAYS[what]})" for what, count in conflicts.items() if count]
    if said:
        warnings.warn(
            f"The graphs that are merged say different things: {', '.join(said)}.",
            UserWarning,
            stacklevel=4,
        )


# -- parts ----------------------------------------------------------------------------------------


def part_of(graph: KnowledgeGraph, source: str) -> tuple[Arrays, list[str]]:
    """Return the arrays of the graph that one source is: its entities, its triples, no others.

    And the names of the edge attributes that one of its triples has.
    """
    rows = np.flatnonzero(graph.in_source(source))
    triples = np.flatnonzero(graph.triples_in(source))
    relations = np.unique(graph.relations[triples])
    arrays: Arrays = {
        "labelled": graph.labelled[rows],
        "relation_labelled": graph.relation_labelled[relations],
    }
    tables = {
        "keys": graph.keys,
        "labels": graph.labels,
        "descriptions": graph.descriptions,
        "attributes": graph.attribute_texts,
    }
    for name, table in tables.items():
        arrays |= table_arrays(name, table.take(rows))
    of_relations = {"relation_keys": graph.relation_keys, "relation_labels": graph.relation_labels}
    for name, table in of_relations.items():
        arrays |= table_arrays(name, table.take(relations))
    aliases, arrays["aliases.indptr"] = _nested(graph.alias_indptr, rows)
    arrays |= table_arrays("aliases", graph.aliases.take(aliases))
    types, arrays["types.indptr"] = _nested(graph.type_indptr, rows)
    used, numbers = np.unique(graph.type_ids[types], return_inverse=True)
    names = [graph.type_names[number] for number in used.tolist()]
    arrays |= table_arrays("type_names", StringTable.from_strings(names))
    arrays["types.ids"] = numbers.astype(np.int32)
    known = {name: c for name, c in graph.edge_attributes.items() if _says(taken(c, triples))}
    for place, column in enumerate(known.values()):
        arrays |= edge_arrays(place, column, triples)
    row_of = np.full(len(graph), -1, np.int32)
    row_of[rows] = np.arange(len(rows))
    relation_of = np.searchsorted(relations, graph.relations[triples])
    columns = (row_of[graph.heads[triples]], relation_of, row_of[graph.tails[triples]])
    return arrays | triple_arrays(columns, len(rows), len(relations)), list(known)


def _says(column: Values | StringTable) -> bool:
    """Say whether an edge attribute has a value at all."""
    if isinstance(column, StringTable):
        return any(column)
    return bool((~np.isnan(column)).any()) if column.dtype == np.float64 else len(column) > 0


def _nested(
    indptr: Int64[np.ndarray, "boundary"], rows: Int64[np.ndarray, "row"]
) -> tuple[Int64[np.ndarray, "item"], Int64[np.ndarray, "kept_boundary"]]:
    """Return the places of the items of some rows, and where each row begins among them."""
    counts = indptr[rows + 1] - indptr[rows]
    begins = boundaries(counts)
    places = np.repeat(indptr[rows] - begins[:-1], counts) + np.arange(begins[-1])
    return places, begins


def triple_places(
    graph: KnowledgeGraph,
    heads: Int[np.ndarray, "_"],
    relations: Int[np.ndarray, "_"],
    tails: Int[np.ndarray, "_"],
) -> Int64[np.ndarray, "_"]:
    """Return the place of each triple among a graph's, by binary search; -1 where there is none."""
    size = np.int64(graph.num_entities)
    wanted = relations.astype(np.int64) * size + tails
    low, high = (graph.out_indptr[heads + shift].astype(np.int64) for shift in (0, 1))
    ends = high.copy()
    last = max(0, graph.num_triples - 1)
    while (low < high).any():
        middle = (low + high) // 2
        place = np.minimum(middle, last)
        found = graph.relations[place].astype(np.int64) * size + graph.tails[place]
        below = (found < wanted) & (low < high)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    there = low < ends
    place = np.where(there, low, 0)
    if graph.num_triples:
        there &= graph.relations[place].astype(np.int64) * size + graph.tails[place] == wanted
    return np.where(there, low, -1)
