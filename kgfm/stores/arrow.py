"""Tables from Arrow: Parquet and Feather files, Arrow tables and streams, data frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.graph import StringTable
from kgfm.stores.batches import Batch, Column, Table

if TYPE_CHECKING:
    import pyarrow

SUFFIXES = (".parquet", ".pq", ".feather", ".arrow", ".ipc")
_ROWS = 1 << 18


def is_columnar(source: Any) -> bool:
    """Say whether a source offers its columns through Arrow's interface, or is a data frame."""
    return hasattr(source, "__arrow_c_stream__") or is_frame(source)


def is_frame(source: Any) -> bool:
    """Say whether a source is a pandas data frame, or works like one."""
    return hasattr(source, "columns") and hasattr(source, "iloc")


def read_arrow_file(path: Path) -> Table:
    """Open a Parquet or Feather file; its rows are read as they are asked for, counted from 0.

    Raises:
        ImportError: pyarrow is not installed.
        ValueError: The file is damaged.
    """
    pyarrow = _pyarrow(path.suffix)
    import pyarrow.parquet as parquet

    with path.open("rb"):
        pass  # a missing file is a FileNotFoundError of ours, whatever Arrow says
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            file = parquet.ParquetFile(path)
            names, batches = file.schema_arrow.names, file.iter_batches(batch_size=_ROWS)
        else:
            names, batches = _ipc(pyarrow.memory_map(str(path)), pyarrow)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path} is damaged ({error}); fetch it anew.") from None
    return Table(str(path), list(names), _converted(batches, names, str(path)))


def read_columns(source: Any, name: str) -> Table:
    """Take over an Arrow table or stream, or a data frame; rows are counted from 0."""
    if is_frame(source):
        return Table(name, [*map(str, source.columns)], _of_frame(source))
    pyarrow = _pyarrow("such tables")
    reader = pyarrow.RecordBatchReader.from_stream(source)
    return Table(name, reader.schema.names, _converted(reader, reader.schema.names, name))


def _pyarrow(what: str) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ImportError(f'{what} needs pyarrow: pip install "kgfm[tables]"') from None
    return pyarrow


def _ipc(source: Any, pyarrow: Any) -> tuple[Sequence[str], Iterable[pyarrow.RecordBatch]]:
    """Read Arrow's file format, or else its stream format."""
    try:
        file = pyarrow.ipc.open_file(source)
    except pyarrow.ArrowInvalid:
        source.seek(0)
        stream = pyarrow.ipc.open_stream(source)
        return stream.schema.names, stream
    return file.schema.names, map(file.get_batch, range(file.num_record_batches))


def _converted(
    batches: Iterable[pyarrow.RecordBatch], names: Sequence[str], name: str
) -> Iterator[Batch]:
    import pyarrow

    first = 0
    try:
        for whole in batches:
            for start in range(0, whole.num_rows, _ROWS):
                batch = whole.slice(start, _ROWS)
                columns = [
                    _column(column, f"{name}, column {title!r}")
                    for title, column in zip(names, batch.columns, strict=True)
                ]
                yield Batch(np.arange(first, first + batch.num_rows), columns)
                first += batch.num_rows
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{name} is damaged after row {first} ({error}); fetch it anew.") from None


def _column(array: Any, name: str) -> Column:
    """Return an Arrow array as texts, numbers or truth values, or as plain values."""
    import pyarrow.types as kinds

    if kinds.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kinds.is_binary(array.type) or kinds.is_large_binary(array.type):
        array = _decoded(array, name)
    if _is_text(array.type) and not array.null_count:
        return _texts(array)
    number = kinds.is_integer(array.type) and not array.null_count
    if number or kinds.is_floating(array.type):
        numbers: np.ndarray = array.to_numpy(zero_copy_only=False)
        return numbers
    if kinds.is_boolean(array.type) and not array.null_count:
        truth: np.ndarray = array.to_numpy(zero_copy_only=False)
        return truth
    values: list[Any] = array.to_pylist()
    return values


def _is_text(kind: Any) -> bool:
    import pyarrow.types as kinds

    return any(is_kind(kind) for is_kind in (kinds.is_string, kinds.is_large_string, _is_view))


def _is_view(kind: Any) -> bool:
    import pyarrow.types as kinds

    return hasattr(kinds, "is_string_view") and kinds.is_string_view(kind)


def _decoded(array: Any, name: str) -> Any:
    """Take bytes as UTF-8: some writers of Parquet do not say that theirs are texts."""
    import pyarrow

    try:
        return array.cast(pyarrow.large_string())
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"{name} holds bytes that are not UTF-8 ({error}).") from None


def _texts(array: Any) -> StringTable:
    """Return texts as offsets and bytes, without copying the bytes where they lie together."""
    import pyarrow

    large = array.cast(pyarrow.large_string())
    _, places, content = large.buffers()
    size = len(large)
    if not size:
        return StringTable.from_strings([])
    offsets = np.frombuffer(places, np.int64, size + 1, 8 * large.offset)
    whole = np.frombuffer(content, np.uint8) if content else np.empty(0, np.uint8)
    return StringTable(offsets - offsets[0], whole[offsets[0] : offsets[-1]])


def _of_frame(frame: Any) -> Iterator[Batch]:
    for first in range(0, len(frame), _ROWS):
        part = frame.iloc[first : first + _ROWS]
        series = [part.iloc[:, place] for place in range(len(frame.columns))]
        yield Batch(np.arange(first, first + len(part)), [*map(_of_series, series)])


def _whole(values: np.ndarray) -> Column:
    """Return floats as whole numbers where only gaps in the column have made them floats."""
    gaps = np.isnan(values)
    if not gaps.any() or gaps.all() or (values % 1 != 0)[~gaps].any():
        return values
    if (np.abs(values) >= 2**53)[~gaps].any():
        return values
    return [None if gap else int(value) for gap, value in zip(gaps, values.tolist(), strict=True)]


def _of_series(series: Any) -> Column:
    """Return a column of a data frame; one of mixed values stays as it is."""
    values = series.to_numpy() if series.dtype.kind in "iufb" else None
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        return _whole(values) if values.dtype.kind == "f" else values
    try:
        import pyarrow

        array = pyarrow.array(series, from_pandas=True)
        return _column(array.combine_chunks() if hasattr(array, "chunks") else array, "")
    except (
        ImportError,
        ValueError,
        TypeError,
        OverflowError,
    ):  # Arrow's own are among these
        plain: list[Any] = series.astype(object).where(series.notna(), None).tolist()
        return plain
