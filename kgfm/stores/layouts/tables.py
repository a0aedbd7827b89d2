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
    if file.path.suffix == ".parquet":
        yield from _parquet_values(file, notes)
        return
    width = len(notes.columns)
    for number, cells in _text_rows(file, notes):
        if len(cells) != width:
            raise file.error(number, f"{len(cells)} fields, but there are {width} columns")
        yield [
            _value(cell, column, file, number)
            for cell, column in zip(cells, notes.columns, strict=True)
        ]


def _text_rows(file: LayoutFile, notes: TableNotes) -> Iterator[tuple[int, list[str]]]:
    with file.open() as opened:
        if file.path.suffix == ".csv":
            reader = csv.reader(opened)
            next(reader, None)
            try:
                yield from ((reader.line_num, row) for row in reader if row)
            except csv.Error as error:
                raise file.error(reader.line_num, str(error)) from None
            return
        for number, line in enumerate(opened, 1):
            cells = line.removesuffix("\n").split("\t")
            if number > 1:
                yield number, [*map(_unescaped, cells)] if notes.escaped else cells


def _unescaped(cell: str) -> str:
    if "\\" not in cell:
        return cell
    parts = cell.split("\\\\")
    for escape, meaning in _MEANS.items():
        parts = [part.replace(f"\\{escape}", meaning) for part in parts]
    return "\\".join(parts)


def _value(cell: str, column: Column, file: LayoutFile, number: int) -> Any:
    if column.kind == "str" or not cell:
        return cell or None
    if column.kind == "list":
        return cell.split("|")
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise file.error(
            number, f"{column.name} holds {cell[:40]!r}, which is no {column.kind} as JSON has it"
        ) from None


def _parquet_values(file: LayoutFile, notes: TableNotes) -> Iterator[list[Any]]:
    pyarrow, parquet = pyarrow_and_parquet()
    names = [column.name for column in notes.columns]
    row = 0
    try:
        for batch in parquet.ParquetFile(file.path).iter_batches(columns=names):
            columns = [batch.column(name).to_pylist() for name in names]
            for cells in zip(*columns, strict=True):
                row += 1
                yield [
                    _value(cell, column, file, row)
                    if column.kind == "json" and cell is not None
                    else cell
                    for cell, column in zip(cells, notes.columns, strict=True)
                ]
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
