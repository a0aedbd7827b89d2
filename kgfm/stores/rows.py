"""Tables of any make as columns and rows: files, data frames, rows, mappings."""

from __future__ import annotations

import csv
import gzip
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INTEGER = re.compile(r"-?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_TRUTH = {"true": True, "false": False}


@dataclass
class Table:
    """Rows under named columns.

    Args:
        name: How errors call it.
        columns: Names of the fields.
        rows: One sequence of values for each row, as long as ``columns``.
        is_text: Whether all values are text as it stood in a file.
    """

    name: str
    columns: list[str]
    rows: Iterable[Sequence[Any]]
    is_text: bool = False

    def position(self, column: str, what: str) -> int:
        """Return the place of a column, or say which ones there are."""
        if column not in self.columns:
            raise ValueError(
                f"{self.name} has no column {column!r} for the {what}; it has "
                f"{', '.join(map(repr, self.columns))}. Name the right one."
            )
        return self.columns.index(column)

    def typed(self, except_for: Collection[int] = ()) -> Table:
        """Return the table with numbers and truth values in place of texts that are such.

        A column changes only if every value in it does; empty values become ``None``.
        """
        if not self.is_text:
            return self
        columns = [
            column if place in except_for else typed_values(column)
            for place, column in enumerate(zip(*self.rows, strict=True))
        ]
        return Table(self.name, self.columns, zip(*columns, strict=True))


def typed_values(values: Sequence[str]) -> list[Any]:
    """Return texts as integers, else as floats, else as truth values, if all of them are such."""
    given = {value for value in values if value}
    if given and all(map(_INTEGER.fullmatch, given)):
        return [int(value) if value else None for value in values]
    if given and all(map(_NUMBER.fullmatch, given)) and not any(map(_padded, given)):
        return [float(value) if value else None for value in values]
    if given and given <= _TRUTH.keys():
        return [_TRUTH.get(value) for value in values]
    return [value or None for value in values]


def _padded(text: str) -> bool:
    """Say whether leading zeros mark a code, such as a postal one, and no number."""
    return len(text) > 1 and text[0] == "0" and text[1].isdigit()


def is_path(source: Any) -> bool:
    """Say whether a source is the name of a file."""
    return isinstance(source, (str, Path))


def table_of(
    source: Any,
    what: str,
    columns: Sequence[str],
    *,
    delimiter: str | None = None,
    header: bool | Callable[[Sequence[str]], bool] = False,
    joined: bool = False,
) -> Table:
    """Make a table of a file, a data frame, mappings or rows.

    Args:
        source: The file, the data frame, or an iterable of mappings or of sequences.
        what: What it holds, for errors.
        columns: Names of the columns where the source does not name them itself.
        delimiter: Between the fields of a file; guessed if ``None``.
        header: Whether a file's first line names the columns, or a judge of its fields.
        joined: Whether in a file without a header surplus fields belong to the last column.
    """
    name = f"The table of {what}"
    if is_path(source):
        return _file(Path(source), columns, delimiter, header, joined)
    if hasattr(source, "columns") and hasattr(source, "itertuples"):
        values = [source[column].tolist() for column in source.columns]
        return Table(name, [*map(str, source.columns)], zip(*values, strict=True))
    rows = iter(source)
    first = next(rows, None)
    if first is None:
        return Table(name, list(columns), [])
    rows = itertools.chain([first], rows)
    if isinstance(first, Mapping):
        given = list(rows)
        names = list(dict.fromkeys(itertools.chain.from_iterable(given)))
        return Table(name, [*map(str, names)], [[row.get(n) for n in names] for row in given])
    return Table(name, list(columns), _checked(enumerate(rows), name, len(columns)))


def _file(
    path: Path,
    columns: Sequence[str],
    delimiter: str | None,
    header: bool | Callable[[Sequence[str]], bool],
    joined: bool,
) -> Table:
    lines = _lines(path)
    first = next(lines, "")
    delimiter = delimiter or _guess_delimiter(path, first, len(columns))
    rows = _split(itertools.chain([first], lines) if first else (), delimiter, path)
    start = next(rows, None)
    if start is None:
        return Table(str(path), list(columns), (), is_text=True)
    if header(start[1]) if callable(header) else header:
        columns, joined = start[1], False
    else:
        rows = itertools.chain([start], rows)
    joint = delimiter if joined else None
    checked = _checked(rows, str(path), len(columns), joint)
    return Table(str(path), list(columns), checked, is_text=True)


def _lines(path: Path) -> Iterator[str]:
    """Read a file's lines, in which a lone carriage return is a character like others."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="\n") as file:
        try:
            yield from file
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is not UTF-8 ({error}); convert it, say with iconv."
            ) from None


def _guess_delimiter(path: Path, line: str, width: int) -> str:
    """Take a tab, comma, semicolon or blank: what the suffix says, else what cuts the line."""
    suffix = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() in (".tsv", ".tab"):
        return "\t"
    for delimiter in (",", ";", "\t") if suffix.lower() == ".csv" else ("\t", ",", ";", " "):
        if line.count(delimiter) >= width - 1:
            return delimiter
    return "," if suffix.lower() == ".csv" else "\t"


def _split(lines: Iterable[str], delimiter: str, path: Path) -> Iterator[tuple[int, Sequence[str]]]:
    """Cut lines into fields and number them from 1; only a tab stands for itself in quotes."""
    if delimiter == "\t":
        for number, line in enumerate(lines, 1):
            if line := line.rstrip("\r\n"):
                yield number, line.split("\t")
        return
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        for fields in reader:
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise ValueError(f"{path}, row {reader.line_num}: {error}.") from None


def _checked(
    rows: Iterable[tuple[int, Sequence[Any]]], name: str, width: int, joint: str | None = None
) -> Iterator[Sequence[Any]]:
    """Refuse a row of another width; ``joint`` joins surplus fields to the last one instead."""
    for number, fields in rows:
        if len(fields) != width or isinstance(fields, str):
            if joint is None or len(fields) < width:
                raise ValueError(
                    f"{name}, row {number}: {len(fields)} fields, but there are {width} columns: "
                    f"{str(fields)[:200]}."
                )
            fields = [*fields[: width - 1], joint.join(fields[width - 1 :])]
        yield fields
