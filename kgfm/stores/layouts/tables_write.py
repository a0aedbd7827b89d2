r"""kgfm's own tables: a graph as files that people and other programs read, and back, the same.

A folder holds ``triples``, ``entities`` and ``relations`` as ``.tsv``, ``.csv`` or ``.parquet``,
and ``tables.json``, which says what each column is. In TSV a tab, a line's end and a backslash
inside a text are written ``\t``, ``\n``, ``\r``, ``\\`` in a file where that is needed;
``tables.json`` says where.
"""

from __future__ import annotations

import csv
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from kgfm.graph import KnowledgeGraph
from kgfm.graph.build import in_chunks
from kgfm.storage import replace_file
from kgfm.stores.records import edge_values, record_of, relation_labels

FORMATS = ("tsv", "csv", "parquet")
NOTES = "tables.json"
FORMAT = 1
_MOST_COLUMNS = 256
"""With more names of attributes than this, all of an entity's stand in one column, as JSON."""
_MOST_CHARACTERS = 131_072
"""Longer fields are refused by common readers of CSV, Python's among them."""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})

Rows = Callable[[], Iterator[Sequence[Any]]]


@dataclass(frozen=True)
class Column:
    """A column: its name in the file, what it is, and how its cells are written.

    ``kind`` is ``str``, ``int``, ``float``, ``bool``, ``list`` (texts with ``|`` between) or
    ``json``. An empty cell is no value. ``attribute`` is the name where that is not ``name``.
    """

    name: str
    role: str
    kind: str = "str"
    attribute: str | None = None

    @property
    def of(self) -> str:
        return self.name if self.attribute is None else self.attribute


@dataclass
class TableNotes:
    """What ``tables.json`` says of one file."""

    file: str
    columns: list[Column]
    escaped: bool = False
    rows: int = 0


def write(graph: KnowledgeGraph, folder: str | Path, format: str = "tsv") -> Path:
    """Write a graph as tables of triples, entities and relations, and return the folder.

    Columns that other programs know come first: ``head``, ``relation``, ``tail``; ``key``,
    ``label``, ``aliases``, ``description``, ``types``; attributes follow, each in a column.
    ``KnowledgeGraph.from_layout("tables", folder)`` reads the same graph back; a relation that no
    triple has, as after :meth:`~kgfm.graph.KnowledgeGraph.select`, is left out.

    Args:
        graph: The graph.
        folder: Where; made if missing. Tables that an earlier call wrote there are replaced.
        format: ``tsv``, ``csv`` or ``parquet``.

    Raises:
        ValueError: The format is unknown, or a text is too long for CSV.
    """
    if format not in FORMATS:
        raise ValueError(f"format is one of {', '.join(FORMATS)}; got {format!r}.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (
        NOTES,
        *(f"{what}.{f}" for what in ("triples", "entities", "relations") for f in FORMATS),
    ):
        (folder / name).unlink(missing_ok=True)  # the notes first: without them nothing is read
    notes = {}
    for what, columns, rows in (
        ("triples", _triple_columns(graph), lambda: _triple_rows(graph)),
        ("entities", _entity_columns(graph), lambda: _entity_rows(graph)),
        (
            "relations",
            [Column("key", "key"), Column("label", "label")],
            lambda: relation_labels(graph),
        ),
    ):
        notes[what] = _write_table(folder, what, format, columns, rows)
    content = {"kind": "tables", "format": FORMAT, "source": graph.manifest["source"], **notes}
    replace_file(
        folder / NOTES, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
    )
    return folder


def _triple_columns(graph: KnowledgeGraph) -> list[Column]:
    columns = [Column(name, name) for name in ("head", "relation", "tail")]
    kinds = {name: _kind_of_array(column) for name, column in graph.edge_attributes.items()}
    return columns + _attribute_columns(kinds, {column.name for column in columns})


def _kind_of_array(column: Any) -> str:
    if not isinstance(column, np.ndarray):
        return "str"
    return {"b": "bool", "i": "int"}.get(column.dtype.kind, "float")


def _triple_rows(graph: KnowledgeGraph) -> Iterator[Sequence[Any]]:
    keys, relations = list(graph.keys), list(graph.relation_keys)
    for rows in in_chunks(range(graph.num_triples)):
        chosen = np.array(rows)
        values = edge_values(graph, chosen).values()
        yield from zip(
            (keys[row] for row in graph.heads[chosen].tolist()),
            (relations[row] for row in graph.relations[chosen].tolist()),
            (keys[row] for row in graph.tails[chosen].tolist()),
            *values,
            strict=True,
        )


def _entity_columns(graph: KnowledgeGraph) -> list[Column]:
    lists = {"aliases": True, "types": True}  # whether bars can stand between the texts
    kinds: dict[str, str] = {}
    for row in range(len(graph)):
        record = record_of(graph, row)
        lists["aliases"] &= all(map(_is_plain, record.aliases))
        lists["types"] &= all(map(_is_plain, record.types))
        for name, value in record.attributes.items():
            kind = _kind_of(value)
            kinds[name] = kind if kinds.setdefault(name, kind) == kind else "json"
    columns = [
        Column("key", "key"),
        Column("label", "label"),
        Column("aliases", "aliases", "list" if lists["aliases"] else "json"),
        Column("description", "description"),
        Column("types", "types", "list" if lists["types"] else "json"),
    ]
    if len(kinds) > _MOST_COLUMNS:
        return [*columns, Column("attributes", "attributes", "json")]
    return columns + _attribute_columns(
        dict(sorted(kinds.items())), {column.name for column in columns}
    )


def _is_plain(text: str) -> bool:
    return "|" not in text and text == text.strip()


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(2**63) <= value < 2**63 else "json"
    if isinstance(value, float):
        return "float"
    return "str" if isinstance(value, str) and value else "json"


def _attribute_columns(kinds: dict[str, str], taken: set[str]) -> list[Column]:
    """Return columns for attributes; one whose name is taken gets an underscore behind it."""
    folded = {name.casefold() for name in taken}
    columns = []
    for attribute, kind in kinds.items():
        name = " ".join(attribute.split()) or "_"
        while name.casefold() in folded:
            name += "_"
        folded.add(name.casefold())
        columns.append(Column(name, "attribute", kind, attribute if name != attribute else None))
    return columns


def _entity_rows(graph: KnowledgeGraph) -> Iterator[Sequence[Any]]:
    columns = _entity_columns(graph)[5:]
    for row in range(len(graph)):
        record = record_of(graph, row)
        known = record.attributes
        others = (
            known or None if column.role == "attributes" else known.get(column.of)
            for column in columns
        )
        yield (
            record.key,
            record.label,
            list(record.aliases) or None,
            record.description,
            list(record.types) or None,
            *others,
        )


def _write_table(
    folder: Path, what: str, format: str, columns: list[Column], rows: Rows
) -> dict[str, Any]:
    notes = TableNotes(f"{what}.{format}", columns)
    with _replacing(folder / notes.file) as path:
        if format == "parquet":
            notes.rows = _write_parquet(path, columns, rows)
        else:
            notes.escaped = format == "tsv" and _needs_escapes(columns, rows)
            with path.open("w", encoding="utf-8", newline="") as file:
                notes.rows = _write_text(file, notes, format, rows)
    return {
        "file": notes.file,
        "rows": notes.rows,
        "escaped": notes.escaped,
        "columns": [
            {name: value for name, value in asdict(column).items() if value is not None}
            for column in columns
        ],
    }


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path; what is written there takes the place of ``path`` when all is well."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _cell(value: Any, kind: str) -> str:
    """Return a value as the text of a cell."""
    if value is None or kind == "str":
        return value or ""
    if kind == "list":
        return "|".join(value)
    return json.dumps(value, ensure_ascii=False)


def _cells(columns: list[Column], rows: Rows) -> Iterator[list[str]]:
    kinds = [column.kind for column in columns]
    return ([_cell(v, kind) for v, kind in zip(row, kinds, strict=True)] for row in rows())


def _needs_escapes(columns: list[Column], rows: Rows) -> bool:
    return any(
        "\t" in cell or "\n" in cell or "\r" in cell
        for row in _cells(columns, rows)
        for cell in row
    )


def _write_text(file: IO[str], notes: TableNotes, format: str, rows: Rows) -> int:
    header = [column.name for column in notes.columns]
    count = 0
    if format == "csv":
        writer = csv.writer(file)  # ends lines by \r\n, and so puts either of them in quotes
        writer.writerow(header)
        for count, row in enumerate(_cells(notes.columns, rows), 1):
            if max(map(len, row)) > _MOST_CHARACTERS:
                raise ValueError(
                    f"Row {count} of {notes.file} has a text of {max(map(len, row)):,} characters; "
                    f"readers of CSV take {_MOST_CHARACTERS:,}. Write tsv or parquet."
                )
            writer.writerow(row)
        return count
    file.write("\t".join(header) + "\n")
    for row in _cells(notes.columns, rows):
        cells = [cell.translate(_ESCAPES) for cell in row] if notes.escaped else row
        file.write("\t".join(cells) + "\n")
        count += 1
    return count


def _write_parquet(path: Path, columns: list[Column], rows: Rows) -> int:
    pyarrow, parquet = pyarrow_and_parquet()
    kinds = {
        "str": pyarrow.string(),
        "int": pyarrow.int64(),
        "float": pyarrow.float64(),
        "bool": pyarrow.bool_(),
        "list": pyarrow.list_(pyarrow.string()),
        "json": pyarrow.string(),
    }
    schema = pyarrow.schema([(column.name, kinds[column.kind]) for column in columns])
    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for chunk in in_chunks(rows()):
            count += len(chunk)
            arrays = [
                [_cell(v, "json") if column.kind == "json" and v is not None else v for v in values]
                for column, values in zip(columns, zip(*chunk, strict=True), strict=True)
            ]
            writer.write_table(
                pyarrow.table(
                    [
                        pyarrow.array(values, kind)
                        for values, kind in zip(arrays, schema.types, strict=True)
                    ],
                    schema=schema,
                )
            )
    return count


def pyarrow_and_parquet() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            'Parquet needs pyarrow: pip install "kgfm[tables]". TSV and CSV need nothing.'
        ) from None
    return pyarrow, parquet
