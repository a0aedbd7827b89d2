"""Tables as batches of columns: how rows come from files and frames, millions at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from kgfm.graph import StringTable
from kgfm.graph.build import Codes
from kgfm.graph.records import as_name, is_missing
from kgfm.graph.strings import has_surrogate

Column = StringTable | np.ndarray | list[Any]
"""Texts, numbers or truth values, or anything else."""
# From here on Arrow's hash table pays for being loaded.
_MANY = 1 << 15
_LOST = "a float that cannot hold every whole number of its size (give text or integers) in"


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
        is_named: Whether the file itself, in its first line, names the columns.
    """

    name: str
    columns: list[str]
    batches: Iterable[Batch]
    is_text: bool = False
    is_named: bool = False

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


def coded(*columns: Column) -> tuple[list[str], list[Int[np.ndarray, "_"]]]:
    """Return the distinct keys of columns, and for each column the places of its rows' keys.

    Long columns of texts go through Arrow's hash table where Arrow is installed, so that there is
    one Python object for each key and none for each row.
    """
    texts = [column for column in columns if isinstance(column, StringTable)]
    if len(texts) == len(columns) and sum(map(len, texts)) >= _MANY:
        try:
            import pyarrow
        except ImportError:
            pass
        else:
            chunks = pyarrow.chunked_array([*map(_as_arrow, texts)])
            found = chunks.dictionary_encode().chunks
            keys: list[str] = found[-1].dictionary.to_numpy(zero_copy_only=False).tolist()
            places = np.concatenate([chunk.indices.to_numpy() for chunk in found])
            return keys, np.split(places, np.cumsum([*map(len, texts)])[:-1])
    codes = Codes()
    numbered = [_places(codes, column) for column in columns]
    return list(codes), numbered


def _as_arrow(texts: StringTable) -> Any:
    import pyarrow

    buffers = [None, pyarrow.py_buffer(texts.offsets), pyarrow.py_buffer(texts.bytes)]
    return pyarrow.Array.from_buffers(pyarrow.large_string(), len(texts), buffers)


def whole_numbers(batches: Sequence[Batch], place: int) -> None:
    """Make a column whole numbers again where only its gaps have made floats of them."""
    values = [*itertools.chain.from_iterable(values_of(batch.columns[place]) for batch in batches)]
    given = [value for value in values if not is_missing(value)]
    kinds = {type(value) for value in given}
    if len(given) == len(values) or float not in kinds or not kinds <= {int, float}:
        return
    if any(value % 1 or abs(value) > 2**53 for value in given):
        return
    whole = iter([None if is_missing(value) else int(value) for value in values])
    for batch in batches:
        batch.columns[place] = list(itertools.islice(whole, len(batch)))


def _places(codes: Codes, column: Column) -> Int[np.ndarray, "_"]:
    if isinstance(column, np.ndarray):
        values, places = np.unique(column, return_inverse=True)
        known: np.ndarray = codes.encode(map(as_name, values.tolist()))[places]
        return known
    return codes.encode(column if isinstance(column, StringTable) else map(as_name, column))


def faults(column: Column) -> dict[int, str]:
    """Say of each row whose field cannot be a key what is wrong with it."""
    if isinstance(column, StringTable):
        empty = np.flatnonzero(column.offsets[1:] == column.offsets[:-1]).tolist()
        nul = np.flatnonzero(column.bytes == 0)
        rows = np.unique(np.searchsorted(column.offsets, nul, "right") - 1).tolist()
        return dict.fromkeys(empty, "an empty") | dict.fromkeys(rows, "a NUL character in")
    keys, (codes,) = coded(column)
    wrong = np.array([bool(key_fault(key)) for key in keys], bool)
    found = {row: key_fault(keys[codes[row]]) for row in np.flatnonzero(wrong[codes]).tolist()}
    return found | dict.fromkeys(_rows_of_lost_digits(column), _LOST)


def _rows_of_lost_digits(column: np.ndarray | list[Any]) -> list[int]:
    """Return the rows of floats so large that they may stand for another whole number."""
    if isinstance(column, list):
        floats = np.array([v if isinstance(v, (float, np.floating)) else 0.0 for v in column])
    elif column.dtype.kind == "f":
        floats = column
    else:
        return []
    rows: list[int] = np.flatnonzero(np.abs(floats) >= 2**53).tolist()
    return rows


def key_fault(key: str) -> str:
    """Say what keeps a text from being a key; nothing if it may be one."""
    if not key:
        return "an empty"
    if "\0" in key:
        return "a NUL character in"
    return "a lone surrogate in" if has_surrogate(key) else ""
