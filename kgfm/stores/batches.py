"""Tables as batches of columns: how rows come from files and frames, millions at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from kgfm.graph import StringTable
from kgfm.graph.build import Codes
from kgfm.graph.records import plain

Column = StringTable | np.ndarray | list[Any]
"""Texts, numbers or truth values, or anything else."""
# From here on Arrow's hash table pays for being loaded.
_MANY = 1 << 15


@dataclass
class Batch:
    """Some rows of a table.

    Args:
        numbers: By which the source and its errors count the rows.
        columns: One for each column of the table, as long as ``numbers``.
    """

    numbers: Int[np.ndarray, "row"]
    columns: list[Column]

    def __len__(self) -> int:
        return len(self.numbers)

    def row(self, place: int) -> list[Any]:
        """Return the fields of one row."""
        return [column[place] for column in self.columns]

    def where(self, kept: Bool[np.ndarray, "row"]) -> Batch:
        """Return the rows where ``kept`` is True."""
        if kept.all():
            return self
        places = np.flatnonzero(kept)
        return Batch(self.numbers[places], [taken(column, places) for column in self.columns])


@dataclass
class Table:
    """Rows under named columns.

    Args:
        name: How errors call it.
        columns: Names of the fields.
        batches: The rows.
        is_text: Whether all values are text as it stood in a file.
    """

    name: str
    columns: list[str]
    batches: Iterable[Batch]
    is_text: bool = False

    def position(self, column: str, what: str) -> int:
        """Return the place of a column, or say which ones there are."""
        if self.columns.count(column) == 1:
            return self.columns.index(column)
        several = f"{self.columns.count(column)} columns" if column in self.columns else "no column"
        raise ValueError(
            f"{self.name} has {several} {column!r} for the {what}; it has "
            f"{', '.join(map(repr, self.columns))}. Name the right one."
        )


def batches_of_rows(
    rows: Iterable[tuple[int, list[Any]]], width: int, size: int = 1 << 16
) -> Iterator[Batch]:
    """Turn numbered rows of one width into batches."""
    numbers: list[int] = []
    fields: list[list[Any]] = []
    for number, row in rows:
        numbers.append(number)
        fields.append(row)
        if len(fields) == size:
            yield _batch(numbers, fields, width)
            numbers, fields = [], []
    if fields:
        yield _batch(numbers, fields, width)


def _batch(numbers: list[int], rows: list[list[Any]], width: int) -> Batch:
    columns: list[Column] = [list(column) for column in zip(*rows, strict=True)]
    return Batch(np.array(numbers, np.int64), columns or [[] for _ in range(width)])


def taken(column: Column, places: Int[np.ndarray, "place"]) -> Column:
    """Return a column at some places."""
    if isinstance(column, StringTable):
        return column.take(places)
    if isinstance(column, np.ndarray):
        part: np.ndarray = column[places]
        return part
    return [column[place] for place in places.tolist()]


def values_of(column: Column) -> list[Any]:
    """Return a column as plain values."""
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def key_text(value: Any) -> str:
    """Return a key as text; numbers are written out, a missing one is empty."""
    if isinstance(value, str):
        return value
    value = plain(value)
    return "" if value is None else str(value)


def coded(column: Column) -> tuple[list[str], Int[np.ndarray, "row"]]:
    """Return the distinct keys of a column, and for each row the place of its key.

    Long columns of texts go through Arrow's hash table where Arrow is installed, so that there is
    one Python object for each key and none for each row.
    """
    if isinstance(column, StringTable):
        return _coded_texts(column)
    if isinstance(column, np.ndarray):
        values, codes = np.unique(column, return_inverse=True)
        return [key_text(value) for value in values.tolist()], codes
    return _numbered(map(key_text, column))


def _coded_texts(texts: StringTable) -> tuple[list[str], Int[np.ndarray, "row"]]:
    if len(texts) >= _MANY:
        try:
            import pyarrow
        except ImportError:
            return _numbered(texts)
        buffers = [None, pyarrow.py_buffer(texts.offsets), pyarrow.py_buffer(texts.bytes)]
        array = pyarrow.Array.from_buffers(pyarrow.large_string(), len(texts), buffers)
        found = array.dictionary_encode()
        keys: list[str] = found.dictionary.to_numpy(zero_copy_only=False).tolist()
        return keys, found.indices.to_numpy()
    return _numbered(texts)


def _numbered(texts: Iterable[str]) -> tuple[list[str], Int[np.ndarray, "row"]]:
    codes = Codes()
    places = codes.encode(texts)
    return list(codes), places
