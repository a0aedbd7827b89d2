"""Read back the tables that :mod:`kgfm.stores.layouts.tables_write` writes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kgfm.graph import EntityRecord, GraphBuilder
from kgfm.graph.build import in_chunks
from kgfm.stores.layouts.files import Folder, LayoutFile
from kgfm.stores.layouts.tables_write import FORMAT, NOTES, Column, TableNotes, pyarrow_and_parquet

KEYS = ("head", "relation", "tail", "key")
"""Roles of the columns that may not be empty."""

_MEANS = {"t": "\t", "n": "\n", "r": "\r"}


def tables(folder: Folder, builder: GraphBuilder) -> None:
    """Tables of kgfm's own, as :meth:`~kgfm.graph.KnowledgeGraph.to_tables` writes them."""
    said = folder.need(NOTES)
    content = said.json()
    if content.get("kind") != "tables" or int(content.get("format", 0)) > FORMAT:
        raise ValueError(
            f"{said} is not of this kgfm's tables (kind {content.get('kind')!r}, format "
            f"{content.get('format')!r}); write them anew, or upgrade kgfm."
        )
    for what in ("relations", "entities", "triples"):
        try:
            entry = content[what]
            columns = [Column(**column) for column in entry["columns"]]
            notes = TableNotes(entry["file"], columns, bool(entry["escaped"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{said} does not describe the {what} ({error}).") from None
        file = folder.need(Path(notes.file).name)
        _READ[what](builder, columns, _values(file, notes))


def _values(file: LayoutFile, notes: TableNotes) -> Iterator[list[Any]]:
    """Yield the rows as values."""
    is_parquet = file.path.suffix == ".parquet"
    rows = _parquet_rows(file, notes) if is_parquet else _text_rows(file, notes)
    keys = [place for place, column in enumerate(notes.columns) if column.role in KEYS]
    for number, cells in rows:
        if len(cells) != len(notes.columns):
            reason = f"{len(cells)} fields, but there are {len(notes.columns)} columns"
            file.reject(number, reason, cells)
            continue
        pairs = zip(cells, notes.columns, strict=True)
        try:
            row = [_value(cell, column, is_parquet) for cell, column in pairs]
        except ValueError as error:
            file.reject(number, str(error), cells)
            continue
        if all(row[place] for place in keys):
            yield row
        else:
            file.reject(number, "an empty key", cells)


def _text_rows(file: LayoutFile, notes: TableNotes) -> Iterator[tuple[int, list[Any]]]:
    with file.text() as opened:
        if file.path.suffix == ".csv":
            yield from _csv_rows(file, opened)
            return
        for number, line in enumerate(opened, 1):
            cells = line.removesuffix("\n").split("\t")
            if number > 1:
                yield number, [*map(_unescaped, cells)] if notes.escaped else cells


def _csv_rows(file: LayoutFile, opened: Iterable[str]) -> Iterator[tuple[int, list[Any]]]:
    reader = csv.reader(opened)
    next(reader, None)
    while True:
        try:
            row = next(reader)
        except csv.Error as error:
            file.reject(reader.line_num, str(error), "")
        except StopIteration:
            return
        else:
            if row:
                yield reader.line_num, row


def _unescaped(cell: str) -> str:
    if "\\" not in cell:
        return cell
    parts = cell.split("\\\\")
    for escape, meaning in _MEANS.items():
        parts = [part.replace(f"\\{escape}", meaning) for part in parts]
    return "\\".join(parts)


def _value(cell: Any, column: Column, typed: bool) -> Any:
    """Return a cell's value; where cells are typed, only JSON is still to be read.

    Raises:
        ValueError: It is not of its column's kind.
    """
    if cell is None or cell == "":
        return None
    if column.kind == "str" or (typed and column.kind != "json"):
        return cell
    if column.kind == "list":
        return cell.split("|")
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise ValueError(f"{column.name} holds what is no {column.kind} as JSON has it") from None


def _parquet_rows(file: LayoutFile, notes: TableNotes) -> Iterator[tuple[int, list[Any]]]:
    pyarrow, parquet = pyarrow_and_parquet()
    names = [column.name for column in notes.columns]
    row = 0
    try:
        for batch in parquet.ParquetFile(file.path).iter_batches(columns=names):
            columns = [batch.column(name).to_pylist() for name in names]
            for cells in zip(*columns, strict=True):
                row += 1
                yield row, [*cells]
    except (pyarrow.ArrowException, KeyError) as error:
        raise ValueError(f"{file} is damaged or lacks a column ({error}).") from None


def _read_relations(
    builder: GraphBuilder, columns: list[Column], rows: Iterable[list[Any]]
) -> None:
    for key, label in rows:
        builder.add_relation(key, label or "")


def _read_entities(builder: GraphBuilder, columns: list[Column], rows: Iterable[list[Any]]) -> None:
    for row in rows:
        record = EntityRecord("")
        attributes: dict[str, Any] = {}
        for column, value in zip(columns, row, strict=True):
            if value is None:
                continue
            if column.role == "attribute":
                attributes[column.of] = value
            elif column.role == "attributes":
                attributes.update(value)
            else:
                setattr(record, column.role, value)
        record.attributes = attributes
        builder.add_entity(record)


def _read_triples(builder: GraphBuilder, columns: list[Column], rows: Iterable[list[Any]]) -> None:
    others = {column.of: place for place, column in enumerate(columns) if place > 2}
    builder.add_triples([], [], [], {name: [] for name in others})
    for chunk in in_chunks(rows):
        values = list(zip(*chunk, strict=True))
        given = {name: values[place] for name, place in others.items()}
        builder.add_triples(values[0], values[1], values[2], given)


_READ = {"relations": _read_relations, "entities": _read_entities, "triples": _read_triples}
