"""A graph into Neo4j: merged by key in batches, so that doing it twice changes nothing."""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from kgfm.graph import KnowledgeGraph, StringTable
from kgfm.stores.neo4j.cypher import ENTITY, GRAPH, JSON, RELATION, quoted, stored_name
from kgfm.stores.neo4j.server import Server

BATCH = 5_000
FORMAT = 1
T = TypeVar("T")
_KINDS = (bool, int, float, str)

CONSTRAINTS = (
    f"CREATE CONSTRAINT kgfm_entity_key IF NOT EXISTS FOR (n:{ENTITY}) REQUIRE n.key IS UNIQUE",
    f"CREATE CONSTRAINT kgfm_relation_key IF NOT EXISTS FOR (n:{RELATION}) REQUIRE n.key IS UNIQUE",
)
NAMES_INDEX = (
    f"CREATE FULLTEXT INDEX kgfm_entity_names IF NOT EXISTS "
    f"FOR (n:{ENTITY}) ON EACH [n.label, n.aliases]"
)


def write(
    graph: KnowledgeGraph,
    uri: str,
    *,
    auth: Any = None,
    database: str | None = None,
    batch: int = BATCH,
    say: Callable[[str], None] | None = None,
    **connection: Any,
) -> None:
    """Write a graph into a Neo4j database.

    An entity is a node ``:KgfmEntity`` with the unique property ``key``; its types are further
    labels, and ``label``, ``aliases`` (a list) and ``description`` are properties beside its
    attributes. A triple is a relationship whose type is the relation's key, with the edge
    attributes as properties; the relation's label is kept on a node ``:KgfmRelation``. Names that
    Neo4j does not allow, or that kgfm uses itself, get the prefix ``kgfm:name:``, and values
    that no property holds (mixed lists, whole numbers beyond 64 bits) are JSON in ``kgfm:json``.
    Uniqueness constraints and a full-text index over the names are made once.

    Everything is merged by key, so a write that was broken off is completed by doing it again.
    What is in the database and not in the graph stays as it is.

    Args:
        graph: What to write.
        uri: See :class:`~kgfm.stores.neo4j.server.Server`, which also takes ``deadline``,
            ``timeout`` and ``driver``.
        auth: ``(user, password)``, or the driver's bearer or Kerberos token.
        database: Its name.
        batch: Number of nodes or relationships in a transaction.
        say: Is told the progress.

    Raises:
        ConnectionError: No server answers within the deadline.
        PermissionError: It refuses the login, or writing.
    """
    say = say or (lambda text: None)
    with Server(uri, auth=auth, database=database, **connection) as server:
        create_schema(server, CONSTRAINTS, [NAMES_INDEX])
        names = [stored_name(name) for name in graph.edge_attributes]
        server.write(
            f"MERGE (g:{GRAPH} {{name: 'graph'}}) "
            "SET g.format = $format, g.edge_attributes = $names",
            {"format": FORMAT, "names": names},
        )
        server.write(
            f"UNWIND $rows AS row MERGE (r:{RELATION} {{key: row[0]}}) SET r.label = row[1]",
            {"rows": list(_relations(graph))},
        )
        for done in _write_entities(server, graph, batch):
            say(f"{done:,} of {len(graph):,} entities")
        for done in _write_triples(server, graph, batch):
            say(f"{done:,} of {graph.num_triples:,} triples")


def create_schema(
    server: Server,
    constraints: Sequence[str],
    indexes: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Create constraints and indexes, and wait until they are there.

    Constraints must be; a full-text or vector index that the server does not have is left out with
    a warning, for not all that speak Bolt have them.
    """
    for statement in constraints:
        server.write(statement)
    for statement in indexes:
        try:
            server.write(statement, parameters)
        except (ValueError, RuntimeError) as error:
            warnings.warn(
                f"Written without an index, which the server does not make ({error}).",
                UserWarning,
                stacklevel=4,
            )
    # A server without this call makes its indexes at once.
    with suppress(ValueError, RuntimeError):
        server.rows("CALL db.awaitIndexes(300)")


def _relations(graph: KnowledgeGraph) -> Iterator[tuple[str, str | None]]:
    labelled = graph.relation_labelled.tolist()
    for row, key in enumerate(graph.relation_keys):
        yield key, graph.relation_labels[row] if labelled[row] else None


def batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    """Cut a stream into lists."""
    while found := list(islice(items, size)):
        yield found


def _write_entities(server: Server, graph: KnowledgeGraph, batch: int) -> Iterator[int]:
    """Merge the entities, those of the same types together; yield how many are done."""
    done = 0
    waiting: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in range(len(graph)):
        types = graph.types(row)
        waiting[types].append(_properties(graph, row))
        if len(waiting[types]) == batch:
            done += _merge_entities(server, types, waiting.pop(types))
            yield done
    for types, rows in waiting.items():
        done += _merge_entities(server, types, rows)
        yield done


def _merge_entities(server: Server, types: Sequence[str], rows: list[dict[str, Any]]) -> int:
    labels = "".join(f":{quoted(stored_name(name))}" for name in types)
    server.write(
        f"UNWIND $rows AS row MERGE (n:{ENTITY} {{key: row.key}}) SET n += row"
        + (f" SET n{labels}" if labels else ""),
        {"rows": rows},
    )
    return len(rows)


def _properties(graph: KnowledgeGraph, row: int) -> dict[str, Any]:
    """Return the properties of an entity's node; ``None`` takes away what an older graph had."""
    key, label = graph.keys[row], graph.labels[row]
    labelled = bool(graph.labelled[row])
    names = graph.names(row)
    properties, rest = storable(graph.attributes(row))
    return properties | {
        "key": key,
        "label": label if labelled else None,
        "aliases": list(names[1:] if label else names) or None,
        "description": graph.descriptions[row] or None,
        JSON: json.dumps(rest, ensure_ascii=False) if rest else None,
    }


def storable(attributes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split attributes into those that a property holds, under their stored names, and others."""
    properties, rest = {}, {}
    for name, value in attributes.items():
        if _fits(value):
            properties[stored_name(name)] = value
        else:
            rest[name] = value
    return properties, rest


def _fits(value: Any) -> bool:
    if isinstance(value, list):
        return len({type(one) for one in value}) == 1 and all(map(_fits, value))
    if type(value) is int:
        return -(2**63) <= value < 2**63
    return type(value) in _KINDS


def _write_triples(server: Server, graph: KnowledgeGraph, batch: int) -> Iterator[int]:
    """Merge the triples, relation by relation; yield how many are done."""
    order = np.argsort(graph.relations, kind="stable")
    ends = np.cumsum(np.bincount(graph.relations, minlength=graph.num_relations)).tolist()
    start = 0
    for row, end in enumerate(ends):
        relation = quoted(stored_name(graph.relation_keys[row]))
        statement = (
            f"UNWIND $rows AS row MATCH (h:{ENTITY} {{key: row[0]}}) "
            f"MATCH (t:{ENTITY} {{key: row[1]}}) MERGE (h)-[r:{relation}]->(t)"
        )
        if graph.edge_attributes:
            statement += " SET r += row[2]"
        for first in range(start, end, batch):
            places = order[first : min(first + batch, end)]
            server.write(statement, {"rows": _rows(graph, places)})
            yield first + len(places)
        start = end


def _rows(graph: KnowledgeGraph, places: np.ndarray) -> list[tuple[Any, ...]]:
    heads = graph.keys.take(graph.heads[places])
    tails = graph.keys.take(graph.tails[places])
    names = [stored_name(name) for name in graph.edge_attributes]
    if not names:
        return list(zip(heads, tails, strict=True))
    columns = [_values(column, places) for column in graph.edge_attributes.values()]
    fields = (dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True))
    return list(zip(heads, tails, fields, strict=True))


def _values(column: np.ndarray | StringTable, places: np.ndarray) -> list[Any]:
    """Return values of an edge attribute, ``None`` where missing."""
    if isinstance(column, StringTable):
        return [text or None for text in column.take(places)]
    values = column[places].tolist()
    return [None if value != value else value for value in values]
