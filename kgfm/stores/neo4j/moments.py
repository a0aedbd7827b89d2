"""The moment up to which a snapshot knows of changes, as a manifest holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgfm.stores.neo4j.cypher import Vocabulary
from kgfm.stores.neo4j.mapping import Neo4jMapping
from kgfm.stores.neo4j.server import Server


def moment_of(server: Server, mapping: Neo4jMapping, known: Vocabulary, changed: str | None) -> Any:
    """Return the latest value of the property that says when a node last changed.

    It is asked for before anything is read: what changes meanwhile is read once more, not missed.
    """
    if changed is None:
        return None
    query = f"MATCH (n) WHERE {mapping.inside('n')} RETURN max(n.{known.property(changed)})"
    value = server.rows(query, {"labels": list(mapping.nodes)})[0][0]
    if hasattr(value, "iso_format"):
        return {"kind": type(value).__name__, "value": value.iso_format()}
    return value


def as_parameter(moment: Any) -> Any:
    """Return a remembered moment as a value that the server compares."""
    if isinstance(moment, Mapping):
        import neo4j.time

        kinds = {name: getattr(neo4j.time, name) for name in ("Date", "DateTime", "Time")}
        return kinds[moment["kind"]].from_iso_format(moment["value"])
    return moment
