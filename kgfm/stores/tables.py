"""Graphs as tables: TSV, CSV, Parquet and Feather files, Arrow tables, data frames, rows."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.graph import EntityRecord, GraphBuilder, GraphSchema, KnowledgeGraph
from kgfm.graph.build import Codes
from kgfm.graph.columns import Coded, EdgeColumn
from kgfm.graph.records import as_name
from kgfm.graph.strings import StringTable
from kgfm.storage import sha256
from kgfm.stores import arrow, text_files
from kgfm.stores.batches import (
    Batch,
    Column,
    Table,
    coded,
    faults,
    values_of,
    whole_numbers,
)
from kgfm.stores.headers import (
    begins_with_key,
    columns_by_role,
    is_index,
    is_triple_header,
    key_by_name,
    looks_like_names,
)
from kgfm.stores.records import RecordMaker
from kgfm.stores.rejects import Rejects
from kgfm.stores.rows import is_path, table_of, typed_values
from kgfm.stores.text_files import Judge

SUFFIXES = (*text_files.SUFFIXES, *arrow.SUFFIXES)
COLUMNS = ("head", "relation", "tail")
# Of so many triples the keys are looked up together.
_ROWS = 1 << 22


def read(
    triples: Any,
    *,
    entities: Any = None,
    relations: Any = None,
    schema: GraphSchema | None = None,
    columns: Sequence[str] = COLUMNS,
    delimiter: str | None = None,
    header: bool | None = None,
    on_error: str = "raise",
    rejects: str | Path | None = None,
    source: Mapping[str, Any] | None = None,
) -> KnowledgeGraph:
    """Build a graph from a table of triples, and if there are, tables of entities and relations.

    Rows are read in batches of columns, and a key that comes a million times is one string. A
    triple given twice counts once; so does an entity in several rows, which add to each other.

    Args:
        triples: A TSV, CSV, Parquet or Feather file, an Arrow table, a data frame, or rows:
            (head, relation, tail), or mappings. Columns beyond the three become edge attributes.
        entities: A file or several, a data frame or Arrow table, mappings of column to value, or
            a mapping from key to label (or to such a mapping). Columns that the schema does not
            know become attributes. A text file without a header line has two columns: key and
            label.
        relations: Likewise; only key and label count.
        schema: Names of the columns; see :class:`~kgfm.graph.GraphSchema`.
        columns: Names of the head's, the relation's and the tail's column.
        delimiter: Between the fields of the text files; guessed where ``None``.
        header: Whether the first line of ``triples`` names the columns; ``None`` looks.
        on_error: ``"raise"`` at the first row that cannot be read, or ``"skip"`` such rows and
            warn of their number. Lines of a text file count from 1, other rows from 0.
        rejects: With ``"skip"``: a CSV file for the rows that were skipped, with the reasons.
        source: What to remember of where the graph comes from; by default the files' hashes and
            the options.

    Raises:
        ValueError: A column is missing, or a row is malformed, lacks a key, or calls an entity
            otherwise than an earlier row; the message names the columns that exist, or the row.
    """
    schema = schema or GraphSchema()
    builder = GraphBuilder()
    with Rejects(on_error, rejects) as rejected:
        reader = _Reader(builder, schema, delimiter, rejected)
        reader.add_entities(entities)
        reader.add_relations(relations)
        judge = header if header is not None else _is_header(columns)
        table = table_of(triples, "triples", columns, rejected, delimiter=delimiter, header=judge)
        reader.add_triples(table, columns)
    if source is None:
        options = {"columns": tuple(columns), "delimiter": delimiter, "header": header}
        given = {"triples": triples, "entities": entities, "relations": relations}
        source = {"store": "tables", **_origin(given), **_remembered(options, schema)}
        source |= {"skipped": rejected.count} if on_error == "skip" else {}
    made = KnowledgeGraph.from_builder(builder, source)
    if header is None and table.is_text and not table.is_named:
        _warn_of_header(made, table.name, reader.first)
    return made


def _is_header(columns: Sequence[str]) -> Judge:
    """Judge a first line: with columns of the user's own it must name them."""

    def judge(fields: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        return tuple(columns) != COLUMNS or is_triple_header(fields, rows)

    return judge


def _warn_of_header(graph: KnowledgeGraph, name: str, first: Sequence[str]) -> None:
    """Warn where nothing in the first row comes again, though in others relations do."""
    if not first or graph.num_triples < 2:
        return
    head, tail = graph.row(first[0]), graph.row(first[2])
    alone = np.count_nonzero(graph.relations == graph.relation_row(first[1])) == 1
    alone = alone and graph.degree[head] == 1 == graph.degree[tail]
    described = graph.labelled[head] or graph.labelled[tail]
    repeats = graph.num_triples > max(2, len(graph.relation_keys)) and graph.degree.max() > 1
    if alone and not described and (repeats or looks_like_names(first)):
        warnings.warn(
            f"The first line of {name}, {', '.join(first)}, was read as a triple, but looks like a "
            "header: nothing in it comes again. Say header=True (and columns=) or header=False.",
            UserWarning,
            stacklevel=4,
        )


class _Reader:
    """Puts tables into a builder."""

    def __init__(
        self, builder: GraphBuilder, schema: GraphSchema, delimiter: str | None, rejects: Rejects
    ) -> None:
        self._builder, self._schema = builder, schema
        self._delimiter, self._rejects = delimiter, rejects
        self._make = RecordMaker(schema)
        self.first: list[str] = []  # the first triple

    # -- entities and relations -------------------------------------------------------------------

    def add_entities(self, given: Any) -> None:
        rows: dict[str, int] = {}  # in which an entity came first
        for name, number, record in self._records(given, "entities"):
            if self._agrees(record, name, number, rows):
                self._builder.add_entity(record)

    def add_relations(self, given: Any) -> None:
        for _, _, record in self._records(given, "relations"):
            self._builder.add_relation(record.key, record.label)

    def _agrees(self, record: EntityRecord, name: str, number: int, rows: dict[str, int]) -> bool:
        """Say whether a record calls and describes its entity as the rows before did."""
        old = self._builder.record(record.key) or record
        for what, before, now in (
            ("label", old.label, record.label),
            ("description", old.description, record.description),
        ):
            if before and now and before != now:
                reason = f"another {what} for {record.key!r} than in row {rows[record.key]}"
                self._rejects.add(name, number, reason, [record.key, now])
                return False
        rows.setdefault(record.key, number)
        return True

    def _records(self, given: Any, what: str) -> Iterator[tuple[str, int, EntityRecord]]:
        if given is None:
            return
        if isinstance(given, Mapping):
            label = self._schema.label[-1]
            for number, (key, fields) in enumerate(given.items()):
                fields = fields if isinstance(fields, Mapping) else {label: fields}
                yield f"The table of {what}", number, self._make(key, fields)
            return
        several = isinstance(given, (list, tuple)) and given and all(map(is_path, given))
        for one in given if several else [given]:
            yield from self._records_of(self._table(one, what))

    def _table(self, given: Any, what: str) -> Table:
        known = {name.casefold() for name in self._schema.key}
        return table_of(
            given,
            what,
            (self._schema.key[0], self._schema.label[-1]),
            self._rejects,
            delimiter=self._delimiter,
            header=lambda fields, rows: (
                any(field.casefold() in known for field in fields)
                or key_by_name(fields, self._make.known) is not None
                or begins_with_key(fields, rows)
            ),
            joined=True,
        )

    def _records_of(self, table: Table) -> Iterator[tuple[str, int, EntityRecord]]:
        key = _key_column(table, self._schema, self._make)
        fields = [place for place in range(len(table.columns)) if place != key]
        untyped = [
            place
            for place in fields
            if table.is_text and not self._make.knows(table.columns[place])
        ]
        texts = {place: _TextColumn() for place in untyped}
        batches = []
        for batch in table.batches:
            batch = self._with_keys(batch, table, [key])
            for place, text in texts.items():
                text.add(_edge_values(batch.columns[place]))
                batch.columns[place] = []
            batches.append(batch)
        typed = {place: _rows_of(text.values()) for place, text in texts.items()}
        for place in [place for place in fields if is_index(table.columns[place])]:
            whole = EdgeColumn()
            for batch in batches if place not in texts else ():
                whole.add(_edge_values(batch.columns[place]))
            if _counts_rows(texts[place].finish() if place in texts else whole):
                fields.remove(place)
        names = [table.columns[place] or "index" for place in fields]
        for place in () if table.is_text else fields:
            whole_numbers(batches, place)
        for batch in batches:
            columns = [
                itertools.islice(typed[place], len(batch))
                if place in typed
                else values_of(batch.columns[place])
                for place in fields
            ]
            rows = zip(*columns, strict=True) if columns else itertools.repeat((), len(batch))
            keys = map(as_name, values_of(batch.columns[key]))
            numbers = batch.numbers.tolist()
            for number, name, row in zip(numbers, keys, rows, strict=True):
                yield table.name, number, self._make(name, dict(zip(names, row, strict=True)))

    # -- triples ----------------------------------------------------------------------------------

    def add_triples(self, table: Table, columns: Sequence[str]) -> None:
        if tuple(columns) == COLUMNS and not {*COLUMNS} <= {*table.columns}:
            found = columns_by_role(table.columns)
            columns = [name or role for name, role in zip(found, COLUMNS, strict=True)]
        places = [table.position(name, role) for name, role in zip(columns, COLUMNS, strict=True)]
        others = [place for place in range(len(table.columns)) if place not in places]
        attributes = {place: _TextColumn() if table.is_text else EdgeColumn() for place in others}
        waiting: list[list[Column]] = []
        for batch in table.batches:
            batch = self._with_keys(batch, table, places)
            for place, column in attributes.items():
                column.add(_edge_values(batch.columns[place]))
            waiting.append([batch.columns[place] for place in places])
            if not self.first and len(batch):
                self.first = [as_name(column[0]) for column in waiting[-1]]
            if sum(len(keys[0]) for keys in waiting) >= _ROWS:
                self._add_keys(waiting)
                waiting = []
        self._add_keys(waiting)
        for place, column in attributes.items():
            whole = column.finish() if isinstance(column, _TextColumn) else column
            name = table.columns[place]
            if not (is_index(name) and _counts_rows(whole)):
                self._builder.add_edge_attribute(name or "index", whole)

    def _add_keys(self, parts: Sequence[Sequence[Column]]) -> None:
        """Add the heads, relations and tails of several batches, each key looked up once."""
        if not parts:
            return
        heads, relations, tails = zip(*parts, strict=True)
        entities, codes = coded(*heads, *tails)
        names, types = coded(*relations)
        first, last = codes[: len(parts)], codes[len(parts) :]
        triples = np.stack([*map(np.concatenate, (first, types, last))])
        self._builder.add_coded_triples(entities, names, triples)

    def _with_keys(self, batch: Batch, table: Table, places: Sequence[int]) -> Batch:
        """Return the rows whose fields at ``places`` may be keys."""
        sound = np.ones(len(batch), bool)
        for place in places:
            for row, fault in sorted(faults(batch.columns[place]).items()):
                if sound[row]:
                    sound[row] = False
                    reason = f"{fault} {table.columns[place]!r}"
                    self._rejects.add(table.name, int(batch.numbers[row]), reason, batch.row(row))
        return batch.where(sound)


def _edge_values(column: Column) -> list[Any] | np.ndarray | Coded:
    if not isinstance(column, StringTable):
        return column
    texts, (codes,) = coded(column)
    return Coded(texts, codes)


def _rows_of(column: Coded) -> Iterator[Any]:
    """Yield the values of a column, row by row."""
    return map(column.values.__getitem__, column.codes.tolist())


class _TextColumn:
    """A column of a text file whose type shows when all of it has been seen."""

    def __init__(self) -> None:
        self._texts = Codes()
        self._parts: list[np.ndarray] = []

    def add(self, values: list[Any] | np.ndarray | Coded) -> None:
        """Add a portion."""
        if isinstance(values, Coded):
            self._parts.append(self._texts.encode(values.values).astype(np.int32)[values.codes])
        else:
            self._parts.append(self._texts.encode(map(str, values)).astype(np.int32))

    def values(self) -> Coded:
        """Return the column, numbers and truth values in place of texts if all are such."""
        codes = np.concatenate([np.empty(0, np.int32), *self._parts])
        return Coded(typed_values(list(self._texts)), codes)

    def finish(self) -> EdgeColumn:
        """Return the column as an attribute of triples."""
        column = EdgeColumn()
        column.add(self.values())
        return column


def _counts_rows(column: EdgeColumn) -> bool:
    """Say whether a column is whole numbers, each once, as pandas and R number rows."""
    values = column.finish()
    return (
        isinstance(values, np.ndarray)
        and values.dtype == np.int64
        and len(np.unique(values)) == len(values)
    )


def _key_column(table: Table, schema: GraphSchema, make: RecordMaker) -> int:
    folded = [column.casefold() for column in table.columns]
    for name in schema.key:
        if name.casefold() in folded:
            return table.position(table.columns[folded.index(name.casefold())], "key")
    by_name = key_by_name(table.columns, make.known)
    if by_name is not None:
        return table.position(by_name, "key")
    raise ValueError(
        f"{table.name} has no column for the key: it has {', '.join(map(repr, table.columns))}, "
        f"the schema knows {', '.join(map(repr, schema.key))}. Name it in GraphSchema(key=...)."
    )


def _origin(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names and hashes of the files."""
    found: dict[str, Any] = {}
    for what, one in given.items():
        if is_path(one):
            found[what] = _file(Path(one))
        elif isinstance(one, (list, tuple)) and one and all(map(is_path, one)):
            found[what] = [_file(Path(path)) for path in one]
    return found


def _file(path: Path) -> dict[str, str]:
    hashed = {"sha256": sha256(path)} if path.is_file() else {}  # a pipe is read but once
    return {"file": path.name, **hashed}


def _remembered(options: Mapping[str, Any], schema: GraphSchema) -> dict[str, Any]:
    """Return the options that are not the default, for a refresh."""
    defaults = {"columns": COLUMNS, "delimiter": None, "header": None}
    kept = {name: value for name, value in options.items() if value != defaults[name]}
    standard = asdict(GraphSchema())
    own = {name: value for name, value in asdict(schema).items() if value != standard[name]}
    kept |= {"schema": own} if own else {}
    return {"options": kept} if kept else {}
