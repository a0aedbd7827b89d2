"""TSV and CSV files, cut into columns block by block without a Python object for each field."""

from __future__ import annotations

import csv
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from jaxtyping import Int, UInt8

from kgfm.graph import StringTable
from kgfm.stores.batches import Batch, Column, Table, batches_of_rows
from kgfm.stores.dialect import Dialect, dialect_of, is_quoted, said_delimiter
from kgfm.stores.rdf_sources import PACKED, unpacked_file
from kgfm.stores.rejects import Rejects, wrong_width

T = TypeVar("T")
Judge = Callable[[Sequence[str], Sequence[Sequence[str]]], bool]
"""Says of the fields of a first line, and those of lines after it, whether it is a header."""
SUFFIXES = (".tsv", ".csv", ".txt", ".tab", ".dict")
_BLOCK = 1 << 24
_LONGEST = 1 << 28  # of a line: what is longer is no table
_LONGEST_QUOTED = 1 << 24
_BOM, _UTF_16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_NEWLINE, _RETURN, _BLANK = 10, 13, 32
_ROWS = 1000  # of them a judge of the first line sees
_SAMPLE = 1 << 16  # bytes of a file by which its dialect shows


def read_text_file(
    path: Path,
    columns: Sequence[str],
    rejects: Rejects,
    *,
    delimiter: str | None = None,
    header: bool | Judge = False,
    joined: bool = False,
) -> Table:
    """Open a TSV or CSV file, packed (gzip, bzip2, xz, Zstandard) or not.

    Lines end with a newline, with or without a carriage return before it; empty ones do not count.
    Quotes work as in RFC 4180; between tabs everything stands for itself, unless a writer of CSV
    has made the file (:func:`~kgfm.stores.dialect.is_quoted`).
    Rows are numbered by their first line, from 1.

    Args:
        path: The file, in UTF-8.
        columns: Names of the columns where the file does not name them itself.
        rejects: Takes the rows that are malformed.
        delimiter: Between the fields; guessed from the first lines if ``None``.
        header: Whether the first line names the columns, or a judge of its fields.
        joined: Whether in a file without a header surplus fields belong to the last column.

    Raises:
        ValueError: The file is no UTF-8, or damaged.
    """
    lines = _Lines(path)
    if said := said_delimiter(lines.first):
        lines.drop_first()
    suffix = path.with_suffix("").suffix if path.suffix.lower() in PACKED else path.suffix
    sample, whole = lines.sample()
    dialect = dialect_of(
        sample,
        suffix.lower(),
        len(columns),
        delimiter=delimiter or said,
        joined=joined,
        whole=whole,
    )
    if len(dialect.delimiter) != 1:
        raise ValueError(f"A delimiter is one character, not {dialect.delimiter!r}.")
    cut = _Cut(str(path), dialect, rejects)
    fields = [field.strip() for field in dialect.fields(lines.first)] if lines.first else []
    rows = [dialect.fields(line) for line in sample.split("\n")[1:_ROWS] if line]
    is_named = bool(fields) and bool(header(fields, rows) if callable(header) else header)
    if is_named:
        lines.drop_first()
        # R leaves the column of its row numbers without a name.
        unnamed = len(dialect.fields(lines.first)) == len(fields) + 1
        columns, joined = ["", *fields] if unnamed else fields, False
    batches = cut(lines, columns, joined)
    return Table(str(path), list(columns), batches, is_text=True, is_named=is_named)


class _Lines:
    """Blocks of whole lines, the number of their first line with each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = self._read()
        self._head = (1, _joined(self._blocks))
        self._skip_empty()

    def _skip_empty(self) -> None:
        """Go to the first line that is not empty."""
        number, block = self._head
        start = 0
        while block[start : start + 1] in (b"\n", b"\r"):
            number += block[start] == _NEWLINE
            start += 1
        self._head = (number, block[start:])

    @property
    def first(self) -> str:
        """The first line; nothing where it is no UTF-8."""
        _, block = self._head
        end = block.find(b"\n")
        try:
            return block[: len(block) if end < 0 else end].decode().rstrip("\r\n")
        except UnicodeDecodeError:
            return ""

    def sample(self) -> tuple[str, bool]:
        """Return the first lines, and whether they are all."""
        return _beginning(self._head[1])

    def drop_first(self) -> None:
        """Leave out the first line."""
        number, block = self._head
        self._head = (number + 1, block[block.find(b"\n") + 1 :])
        self._skip_empty()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        number, block = self._head
        for following in itertools.chain(self._blocks, [b""]):
            if block:
                yield number, block
            number += block.count(b"\n")
            block = following

    def _read(self) -> Iterator[bytes]:
        with ExitStack() as stack:
            file = unpacked_file(self._path, stack)
            rest: list[bytes] = []
            size, first = 0, True
            while read := file.read(_BLOCK):
                if first and read.startswith(_UTF_16):
                    raise ValueError(f"{self._path} is not UTF-8 but UTF-16; convert it.")
                read, first = read.removeprefix(_BOM) if first else read, False
                end = read.rfind(b"\n") + 1
                if end:
                    yield b"".join([*rest, read[:end]])
                    rest, size = [], 0
                rest.append(read[end:])
                size += len(read) - end
                if size > _LONGEST:
                    raise ValueError(
                        f"{self._path} has a line of more than {_LONGEST >> 20} MiB; is it a table?"
                    )
            if last := b"".join(rest):
                yield last + b"\n"


class _Cut:
    """Cuts blocks of lines into columns."""

    def __init__(self, name: str, dialect: Dialect, rejects: Rejects) -> None:
        self._name, self._rejects = name, rejects
        self._delimiter, quotes, self._spaced = dialect
        self._quotes: bool | None = quotes or None  # not known before the first quote

    def __call__(self, lines: _Lines, columns: Sequence[str], joined: bool) -> Iterator[Batch]:
        width, self._columns = len(columns), columns
        checked = ((number, self._utf8(block, number)) for number, block in lines)
        waiting: deque[tuple[int, bytes]] = deque()
        blocks = _first_of(waiting, checked)
        for number, block in blocks:
            if self._asks_quotes(block):
                waiting.appendleft((number, block))
                if self._delimiter != "\t" or self._is_csv(waiting, checked):
                    yield from batches_of_rows(self._quoted(blocks, width, joined), width)
                    return
                waiting.popleft()
            yield self._plain(block, number, width, joined)

    def _asks_quotes(self, block: bytes) -> bool:
        """Say whether quotes or stray carriage returns ask for the slower reader."""
        if self._delimiter == "\t":
            return self._quotes is not False and b'"' in block
        stray = b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
        return stray or b'"' in block or not self._delimiter.isascii()

    def _is_csv(
        self, waiting: deque[tuple[int, bytes]], blocks: Iterator[tuple[int, bytes]]
    ) -> bool:
        """Say at the first quote whether what follows is written by a writer of CSV."""
        if self._quotes is None:
            _, first = waiting[0]
            start = first.rfind(b"\n", 0, first.find(b'"')) + 1
            while sum(len(block) for _, block in waiting) - start < _SAMPLE:
                if (block := next(blocks, None)) is None:
                    break
                waiting.append(block)
            text = b"".join(block for _, block in waiting)[start:]
            self._quotes = is_quoted(*_beginning(text))
        return self._quotes

    def _utf8(self, block: bytes, first: int) -> bytes:
        """Return the block with lines that are no UTF-8 left empty."""
        try:
            block.decode()
        except UnicodeDecodeError:
            lines = block.split(b"\n")
            for place, line in enumerate(lines):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    self._rejects.add(
                        self._name,
                        first + place,
                        f"not UTF-8 ({error.reason}; convert the file, say with iconv)",
                        line[:1000].decode(errors="backslashreplace"),
                    )
                    lines[place] = b""
            return b"\n".join(lines)
        return block

    def _plain(self, block: bytes, first: int, width: int, joined: bool) -> Batch:
        bytes = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(bytes == _NEWLINE)
        starts = np.concatenate([[0], ends[:-1] + 1])
        ends = _without_returns(bytes, starts, ends)
        full = ends > starts
        numbers, starts, ends = first + np.flatnonzero(full), starts[full], ends[full]
        cuts = np.flatnonzero(bytes == ord(self._delimiter))
        before = np.searchsorted(cuts, starts)
        surplus = np.searchsorted(cuts, ends) - before - (width - 1)
        good = surplus >= 0 if joined else surplus == 0
        for place in np.flatnonzero(~good).tolist():
            fields = block[starts[place] : ends[place]].decode().split(self._delimiter)
            self._refuse(int(numbers[place]), fields, width)
        starts, ends, before = starts[good], ends[good], before[good]
        inner = cuts[before[:, None] + np.arange(width - 1)]
        left = [starts, *(inner.T + 1)]
        right = [*inner.T, ends]
        if self._spaced:
            left = [_without_blanks(bytes, *bounds) for bounds in zip(left, right, strict=True)]
        columns: list[Column] = [
            StringTable.cut(bytes, *bounds) for bounds in zip(left, right, strict=True)
        ]
        return Batch(numbers[good], columns)

    def _refuse(self, number: int, fields: Sequence[Any], width: int) -> None:
        reason = wrong_width(len(fields), self._columns)
        self._rejects.add(self._name, number, reason, fields)

    def _quoted(
        self, blocks: Iterable[tuple[int, bytes]], width: int, joined: bool
    ) -> Iterator[tuple[int, list[str]]]:
        """Read rows in which fields may be quoted; a bad quote costs only its own line."""
        source = _Replay(blocks)
        reader = self._reader(source)
        while True:
            source.begin()
            try:
                with _long_fields():
                    fields = next(reader, None)
            except csv.Error as error:
                self._rejects.add(self._name, source.number, str(error), source.give_back())
                reader = self._reader(source)
                continue
            if fields is None:
                return
            if joined and len(fields) > width:
                fields = [*fields[: width - 1], self._delimiter.join(fields[width - 1 :])]
            if len(fields) == width:
                yield source.number, fields
            elif fields:
                self._refuse(source.number, fields, width)

    def _reader(self, source: _Replay) -> Iterator[list[str]]:
        return csv.reader(
            source, delimiter=self._delimiter, strict=True, skipinitialspace=self._spaced
        )


def _first_of(waiting: deque[T], others: Iterable[T]) -> Iterator[T]:
    """Yield what waits, and else the next of the others."""
    rest = iter(others)
    while waiting or (item := next(rest, None)) is not None:
        yield waiting.popleft() if waiting else cast(T, item)


def _beginning(block: bytes) -> tuple[str, bool]:
    """Return the first whole lines, in which what is no UTF-8 is marked, and whether all are."""
    whole = len(block) <= _SAMPLE
    end = len(block) if whole else block.rfind(b"\n", 0, _SAMPLE) + 1
    return block[: end or block.find(b"\n") + 1].decode(errors="replace"), whole


def _joined(blocks: Iterator[bytes]) -> bytes:
    """Return as many blocks as a dialect shows by, as one."""
    found: list[bytes] = []
    while sum(map(len, found)) < _SAMPLE and (block := next(blocks, b"")):
        found.append(block)
    return b"".join(found)


class _Replay:
    """Lines of text that can be given back when the row that they begin turns out to be none."""

    def __init__(self, blocks: Iterable[tuple[int, bytes]]) -> None:
        self._lines = (
            (number, line)
            for first, block in blocks
            for number, line in enumerate(block.decode().split("\n")[:-1], first)
        )
        self._again: deque[tuple[int, str]] = deque()
        self._taken: list[tuple[int, str]] = []

    def __iter__(self) -> _Replay:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        return line[1] + "\n"

    def begin(self) -> None:
        """Begin a row."""
        self._taken.clear()

    @property
    def number(self) -> int:
        """Number of the line in which the row begins."""
        return self._taken[0][0]

    def give_back(self) -> str:
        """Give back all lines of the row but the first, and return that one."""
        self._again.extendleft(reversed(self._taken[1:]))
        return self._taken[0][1]


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let a quoted field be long; the limit is the csv module's own for everybody else."""
    limit = csv.field_size_limit(_LONGEST_QUOTED)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _without_returns(
    bytes: UInt8[np.ndarray, "byte"], starts: Int[np.ndarray, "line"], ends: Int[np.ndarray, "line"]
) -> Int[np.ndarray, "line"]:
    """Return the ends of lines before the carriage returns that they end with."""
    ends = ends.copy()
    places = np.arange(len(ends))
    while len(places):
        places = places[(ends[places] > starts[places]) & (bytes[ends[places] - 1] == _RETURN)]
        ends[places] -= 1
    return ends


def _without_blanks(
    bytes: UInt8[np.ndarray, "byte"], starts: Int[np.ndarray, "line"], ends: Int[np.ndarray, "line"]
) -> Int[np.ndarray, "line"]:
    """Return the starts of fields behind the blanks that they begin with."""
    starts = starts.copy()
    places = np.arange(len(starts))
    while len(places):
        places = places[(starts[places] < ends[places]) & (bytes[starts[places]] == _BLANK)]
        starts[places] += 1
    return starts
