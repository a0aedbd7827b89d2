"""Rows as a server sends them, as plain values in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kgfm.stores.neo4j.cypher import given_name
from kgfm.stores.neo4j.mapping import Neo4jMapping

if TYPE_CHECKING:
    import neo4j

_JSON = {str, int, float, bool, type(None)}


def rows_of(record: neo4j.Record) -> Iterable[Sequence[Any]]:
    """Return the rows in a record: a list of them, or a head and what belongs to it."""
    rows: list[Any] = record[len(record) - 1]
    if len(record) == 2:
        rows = [(record[0], *row) for row in rows]
    for row in rows:
        plain_properties(row[2 if len(record) == 1 else 3])
    return rows


def plain_properties(properties: dict[str, Any]) -> dict[str, Any]:
    """Make dates, durations and points among the values text, in place."""
    for name, value in properties.items():
        if type(value) not in _JSON:
            properties[name] = _as_json(value)
    return properties


def _as_json(value: Any) -> Any:
    if type(value) is list:
        return [one if type(one) in _JSON else _as_json(one) for one in value]
    if hasattr(value, "srid"):
        return f"POINT({' '.join(map(str, value))})"
    return value.iso_format() if hasattr(value, "iso_format") else str(value)


def edge_columns(
    mapping: Neo4jMapping, fields: Sequence[Mapping[str, Any]]
) -> dict[str, list[Any]]:
    """Return the properties of relationships as columns, ``None`` where missing."""
    names = sorted({name for row in fields for name in row} - {*mapping.ignore})
    named = given_name if mapping.own else str
    columns: dict[str, list[Any]] = {name: [None] * len(fields) for name in mapping.edge_attributes}
    return columns | {named(name): [row.get(name) for row in fields] for name in names}
