"""Rows of the tables that data sets come in, each with its file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from kgfm.datasets.base import needed_file
from kgfm.graph.records import as_name
from kgfm.stores.batches import values_of
from kgfm.stores.rejects import Rejects
from kgfm.stores.rows import table_of


def rows_of(
    path: Path, columns: Sequence[str], what: str, *, delimiter: str | None = None
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Read some columns of a CSV, TSV, Parquet or Feather file whose columns have names.

    Args:
        path: The file.
        columns: Names of the columns.
        what: What needs the file, for errors.
        delimiter: Between the fields of a text file; guessed where ``None``.

    Yields:
        Where a row stands, and its values by column; numbers are written out, and what is missing
        is empty.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: There is no such column; a row is malformed; the message names the file and
            the line (from 1), or the row (from 0) where there are no lines.
    """
    table = table_of(
        needed_file(path, what), what, columns, Rejects(), delimiter=delimiter, header=True
    )
    counted = "line" if table.is_text else "row"
    places = [table.position(name, what) for name in columns]
    for batch in table.batches:
        chosen = [map(as_name, values_of(batch.columns[place])) for place in places]
        for number, *fields in zip(batch.numbers.tolist(), *chosen, strict=True):
            yield f"{path}, {counted} {number}", dict(zip(columns, fields, strict=True))
