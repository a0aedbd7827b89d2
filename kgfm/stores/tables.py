"""Graphs as tables: TSV and CSV files, rows, data frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kgfm.graph import EntityRecord, GraphBuilder, GraphSchema, KnowledgeGraph
from kgfm.graph.build import in_chunks
from kgfm.graph.records import plain
from kgfm.storage import sha256
from kgfm.stores.records import RecordMaker
from kgfm.stores.rows import Table, is_path, table_of

SUFFIXES = (".tsv", ".csv", ".txt", ".tab", ".dict")
COLUMNS = ("head", "relation", "tail")
# Two of these in the first line, and it is no triple.
_HEADER_WORDS = {"head", "relation", "tail", "subject", "predicate", "object", "source", "target"}


def read(
    triples: Any,
    *,
    entities: Any = None,
    relations: Any = None,
    schema: GraphSchema | None = None,
    columns: Sequence[str] = COLUMNS,
    delimiter: str | None = None,
    header: bool | None = None,
    source: Mapping[str, Any] | None = None,
) -> KnowledgeGraph:
    """Build a graph from a table of triples, and if there are, tables of entities and relations.

    Args:
        triples: A TSV or CSV file, a data frame, or rows: (head, relation, tail), or mappings.
            Columns beyond the three become edge attributes.
        entities: A file, a data frame, mappings of column to value, or a mapping from key to label
            (or to such a mapping). Columns that the schema does not know become attributes. A file
            without a header line has two columns: key and label.
        relations: Likewise; only key and label count.
        schema: Names of the columns; see :class:`~kgfm.graph.GraphSchema`.
        columns: Names of the head's, the relation's and the tail's column.
        delimiter: Between the fields of the files; guessed where ``None``.
        header: Whether the first line of ``triples`` names the columns; ``None`` looks.
        source: What to remember of where the graph comes from; by default the files' hashes.

    Raises:
        ValueError: A column is missing, or a row has another number of fields; the message names
            the columns that exist, or the file and the row.
    """
    schema = schema or GraphSchema()
    builder = GraphBuilder()
    for record in _records(entities, "entities", schema, delimiter):
        builder.add_entity(record)
    for record in _records(relations, "relations", schema, delimiter):
        builder.add_relation(record.key, record.label)
    judge = header if header is not None else _is_header(columns)
    table = table_of(triples, "triples", columns, delimiter=delimiter, header=judge)
    _add_triples(builder, table, columns)
    if source is None:
        given = {"triples": triples, "entities": entities, "relations": relations}
        source = {"store": "tables", **_origin(given)}
    return KnowledgeGraph.from_builder(builder, source)


def _is_header(columns: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Judge a first line: with columns of the user's own it must name them."""

    def judge(fields: Sequence[str]) -> bool:
        words = {field.casefold() for field in fields}
        return tuple(columns) != COLUMNS or len(words & _HEADER_WORDS) > 1

    return judge


def _records(
    given: Any, what: str, schema: GraphSchema, delimiter: str | None
) -> Iterator[EntityRecord]:
    if given is None:
        return
    make = RecordMaker(schema)
    if isinstance(given, Mapping):
        for key, fields in given.items():
            yield make(key, fields if isinstance(fields, Mapping) else {schema.label[-1]: fields})
        return
    known = {name.casefold() for name in schema.key}
    table = table_of(
        given,
        what,
        (schema.key[0], schema.label[-1]),
        delimiter=delimiter,
        header=lambda fields: any(field.casefold() in known for field in fields),
        joined=True,
    )
    place = _key_column(table, schema)
    named = [p for p, column in enumerate(table.columns) if make.knows(column)]
    table = table.typed(except_for=[place, *named])
    names = table.columns[:place] + table.columns[place + 1 :]
    for row in table.rows:
        yield make(
            _key(row[place]), dict(zip(names, [*row[:place], *row[place + 1 :]], strict=True))
        )


def _key_column(table: Table, schema: GraphSchema) -> int:
    folded = [column.casefold() for column in table.columns]
    for name in schema.key:
        if name.casefold() in folded:
            return folded.index(name.casefold())
    raise ValueError(
        f"{table.name} has no column for the key: it has {', '.join(map(repr, table.columns))}, "
        f"the schema knows {', '.join(map(repr, schema.key))}. Name it in GraphSchema(key=...)."
    )


def _add_triples(builder: GraphBuilder, table: Table, columns: Sequence[str]) -> None:
    what = ("head", "relation", "tail")
    places = [table.position(column, role) for column, role in zip(columns, what, strict=True)]
    others = [place for place in range(len(table.columns)) if place not in places]
    if others:
        table = table.typed(except_for=places)
    for chunk in in_chunks(table.rows):
        values = list(zip(*chunk, strict=True))
        heads, relations, tails = (_keys(values[place], table, place) for place in places)
        attributes = {table.columns[place]: values[place] for place in others}
        builder.add_triples(heads, relations, tails, attributes)


def _origin(given: Mapping[str, Any]) -> dict[str, Any]:
    paths = {what: Path(p) for what, p in given.items() if is_path(p)}
    return {what: {"file": path.name, "sha256": sha256(path)} for what, path in paths.items()}


def _key(value: Any) -> str:
    """Return a key as text; numbers are written out, a missing one is empty."""
    if isinstance(value, str):
        return value
    value = plain(value)
    return "" if value is None else str(value)


def _keys(values: Sequence[Any], table: Table, place: int) -> Sequence[str]:
    if any(not isinstance(value, str) for value in values):
        values = [_key(value) for value in values]
    if "" in values:
        raise ValueError(
            f"{table.name} has an empty {table.columns[place]!r} in a row; "
            "fill it or leave the row out."
        )
    return values
