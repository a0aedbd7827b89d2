"""Bring a snapshot up to date by what a property or a query of the user's says has changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.stores.neo4j.cypher import Vocabulary
from kgfm.stores.neo4j.inspection import inspect, relation_labels
from kgfm.stores.neo4j.mapping import Neo4jMapping, NodeRecords
from kgfm.stores.neo4j.moments import as_parameter, moment_of
from kgfm.stores.neo4j.rows import edge_columns, plain_properties
from kgfm.stores.neo4j.server import Server

_BATCH = 5_000


def update(
    old: KnowledgeGraph,
    source: str | None,
    *,
    auth: Any = None,
    database: str | None = None,
    changed: str | None = None,
    query: str | None = None,
    since: Any = None,
    **connection: Any,
) -> KnowledgeGraph:
    """Return the graph as the server has it now, by asking for what changed.

    A node counts as changed if it is new, if ``changed`` is at or after ``since`` in it, or if
    ``query`` returns its key; its record and all relationships that leave it are read anew. So
    whoever changes a node or such a relationship must also move the property on. What is gone is
    found by reading all keys, which is far less than reading the graph.

    Args:
        old: A snapshot that was read from a Neo4j database.
        source: The server's address; ``None`` for the one that the snapshot is from.
        auth: As for :func:`~kgfm.stores.neo4j.read.read`; logins are not remembered.
        database: As for :func:`~kgfm.stores.neo4j.read.read`; remembered.
        changed: A property of nodes that says when they last changed.
        query: Cypher that returns keys of changed entities; ``$since`` stands in it for the moment.
            It runs in a transaction that cannot write.
        since: A moment: whatever compares with the property, such as a number or a
            ``datetime.datetime``. A snapshot that was read with ``changed`` remembers its own.
        connection: See :class:`~kgfm.stores.neo4j.server.Server`.

    Raises:
        ValueError: Neither ``changed`` nor ``query`` is given, or the moment is missing.
        KeyError: The server no longer knows a label or property of the mapping.
    """
    from kgfm.stores.refresh import Changes

    origin = old.manifest["source"]
    since = as_parameter(origin.get("moment")) if since is None else since
    if changed is None and query is None:
        raise ValueError(
            "Say what changed: changed= names a property of nodes that holds the moment of their "
            "last change, or query= is Cypher that returns the keys of changed entities."
        )
    if since is None and (changed is not None or "$since" in str(query)):
        raise ValueError("since= is missing: the moment after which changes count.")
    database = database or origin.get("database")
    with Server(source or origin["server"], auth=auth, database=database, **connection) as server:
        mapping = Neo4jMapping.from_json(origin["mapping"])
        known = Vocabulary.of(server)
        # What kgfm wrote may have got relations since; other mappings stay as they were chosen.
        mapping = inspect(server) if mapping.own else mapping.check(known)
        moment = moment_of(server, mapping, known, changed)
        keys = _all_keys(server, mapping)
        found = _changed(server, mapping, known, changed, query, since)
        before = {*old.keys}
        anew = sorted((found & keys) | (keys - before))
        edges = list(_edges(server, mapping, known, anew))
        changes = Changes(
            entities=_records(server, mapping, anew),
            heads=anew,
            triples=[triple for triple, _ in edges],
            edge_attributes=edge_columns(mapping, [properties for _, properties in edges]),
            removed=before - keys,
            relations=relation_labels(server, mapping),
        )
        return changes.applied_to(old, {**origin, "mapping": mapping.as_json(), "moment": moment})


def _all_keys(server: Server, mapping: Neo4jMapping) -> set[str]:
    rows = server.rows(
        f"MATCH (n) WHERE {mapping.inside('n')} RETURN {mapping.text_key('n')}",
        {"labels": list(mapping.nodes)},
    )
    return {str(key) for (key,) in rows}


def _changed(
    server: Server,
    mapping: Neo4jMapping,
    known: Vocabulary,
    changed: str | None,
    query: str | None,
    since: Any,
) -> set[str]:
    parameters = {"labels": list(mapping.nodes), "since": since}
    if query is None:
        query = (
            f"MATCH (n) WHERE n.{known.property(str(changed))} >= $since "
            f"AND {mapping.inside('n')} RETURN {mapping.text_key('n')}"
        )
    return {str(row[0]) for row in server.rows(query, parameters)}


def _records(server: Server, mapping: Neo4jMapping, keys: Sequence[str]) -> Iterable[EntityRecord]:
    make = NodeRecords(mapping)
    query = f"{mapping.find()} RETURN row.key, labels(n), properties(n)"
    for start in range(0, len(keys), _BATCH):
        rows = mapping.rows(keys[start : start + _BATCH])
        found = server.rows(query, {"rows": rows, "labels": list(mapping.nodes)})
        for key, labels, properties in found:
            yield make(key, labels, plain_properties(properties))


def _edges(
    server: Server, mapping: Neo4jMapping, known: Vocabulary, keys: Sequence[str]
) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
    """Yield the triples that begin at these entities, and what is said about each."""
    if not mapping.relations:
        return
    query = (
        f"{mapping.find()} MATCH (n)-[r{known.any_relation(mapping.relations)}]->(m) "
        f"WHERE {mapping.inside('m')} RETURN row.key, type(r), {mapping.text_key('m')}, "
        "properties(r)"
    )
    for start in range(0, len(keys), _BATCH):
        rows = mapping.rows(keys[start : start + _BATCH])
        found = server.rows(query, {"rows": rows, "labels": list(mapping.nodes)})
        for head, relation, tail, properties in found:
            triple = (str(head), mapping.relation_key(relation), str(tail))
            yield triple, plain_properties(properties)
