"""TSV and CSV files, cut into columns block by block without a Python object for each field."""

from __future__ import annotations

import csv
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from kgfm.graph import StringTable
from kgfm.stores.batches import Batch, Column, Table, batches_of_rows
from kgfm.stores.rdf_sources import PACKED, unpacked_file
from kgfm.stores.rejects import Rejects

SUFFIXES = (".tsv", ".csv", ".txt", ".tab", ".dict")
_BLOCK = 1 << 24
_LONGEST = 1 << 28  # of a line: what is longer is no table
_LONGEST_QUOTED = 1 << 24
_BOM, _UTF_16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")
_NEWLINE, _RETURN = 10, 13


def read_text_file(
    path: Path,
    columns: Sequence[str],
    rejects: Rejects,
    *,
    delimiter: str | None = None,
    header: bool | Callable[[Sequence[str]], bool] = False,
    joined: bool = False,
) -> Table:
    """Open a TSV or CSV file, packed (gzip, bzip2, xz, Zstandard) or not.

    Lines end with a newline, with or without a carriage return before it; empty ones do not count.
    Between tabs everything stands for itself; with another delimiter, quotes work as in RFC 4180.
    Rows are numbered by their first line, from 1.

    Args:
        path: The file, in UTF-8.
        columns: Names of the columns where the file does not name them itself.
        rejects: Takes the rows that are malformed.
        delimiter: Between the fields; guessed from suffix and first line if ``None``.
        header: Whether the first line names the columns, or a judge of its fields.
        joined: Whether in a file without a header surplus fields belong to the last column.

    Raises:
        ValueError: The file is no UTF-8, or damaged.
    """
    lines = _Lines(path)
    delimiter = delimiter or _guess_delimiter(path, lines.first, len(columns))
    if len(delimiter) != 1:
        raise ValueError(f"A delimiter is one character, not {delimiter!r}.")
    cut = _Cut(str(path), delimiter, rejects)
    if lines.first:
        fields = _fields(lines.first, delimiter)
        if header(fields) if callable(header) else header:
            columns, joined = fields, False
            lines.drop_first()
    return Table(str(path), list(columns), cut(lines, len(columns), joined), is_text=True)


class _Lines:
    """Blocks of whole lines, the number of their first line with each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks = self._read()
        block = next(self._blocks, b"")
        start, number = 0, 1
        while block[start : start + 1] in (b"\n", b"\r"):  # empty lines before the first
            number += block[start] == _NEWLINE
            start += 1
        end = block.find(b"\n", start)
        try:
            self.first = block[start : len(block) if end < 0 else end].decode().rstrip("\r\n")
        except UnicodeDecodeError:
            self.first = ""
        self._head = (number, block[start:])

    def drop_first(self) -> None:
        """Leave out the first line."""
        number, block = self._head
        self._head = (number + 1, block[block.find(b"\n") + 1 :])

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

    def __init__(self, name: str, delimiter: str, rejects: Rejects) -> None:
        self._name, self._delimiter, self._rejects = name, delimiter, rejects

    def __call__(self, lines: _Lines, width: int, joined: bool) -> Iterator[Batch]:
        blocks = ((number, self._utf8(block, number)) for number, block in lines)
        for number, block in blocks:
            if self._is_quoted(block):
                rest = itertools.chain([(number, block)], blocks)
                yield from batches_of_rows(self._quoted(rest, width, joined), width)
                return
            yield self._plain(block, number, width, joined)

    def _is_quoted(self, block: bytes) -> bool:
        """Say whether quotes or stray carriage returns ask for the slower reader."""
        if self._delimiter == "\t":
            return False
        stray = b"\r" in block and block.count(b"\r") != block.count(b"\r\n")
        return stray or b'"' in block or not self._delimiter.isascii()

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
        columns: list[Column] = [
            StringTable.cut(bytes, *bounds) for bounds in zip(left, right, strict=True)
        ]
        return Batch(numbers[good], columns)

    def _refuse(self, number: int, fields: Sequence[Any], width: int) -> None:
        reason = f"{len(fields)} fields, but there are {width} columns"
        self._rejects.add(self._name, number, reason, fields)

    def _quoted(
        self, blocks: Iterable[tuple[int, bytes]], width: int, joined: bool
    ) -> Iterator[tuple[int, list[str]]]:
        """Read rows in which fields may be quoted; a bad quote costs only its own line."""
        source = _Replay(blocks)
        reader = csv.reader(source, delimiter=self._delimiter, strict=True)
        while True:
            source.begin()
            try:
                with _long_fields():
                    fields = next(reader, None)
            except csv.Error as error:
                self._rejects.add(self._name, source.number, str(error), source.give_back())
                reader = csv.reader(source, delimiter=self._delimiter, strict=True)
                continue
            if fields is None:
                return
            if joined and len(fields) > width:
                fields = [*fields[: width - 1], self._delimiter.join(fields[width - 1 :])]
            if len(fields) == width:
                yield source.number, fields
            elif fields:
                self._refuse(source.number, fields, width)


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


def _fields(line: str, delimiter: str) -> list[str]:
    """Cut a first line, which may be a header."""
    try:
        quoted = [] if delimiter == "\t" else next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # it is a bad row, which has its turn later
        quoted = []
    return quoted or line.split(delimiter)


def _guess_delimiter(path: Path, line: str, width: int) -> str:
    """Take a tab, comma, semicolon or blank: what the suffix says, else what cuts the line."""
    suffix = path.with_suffix("").suffix if path.suffix.lower() in PACKED else path.suffix
    if suffix.lower() in (".tsv", ".tab"):
        return "\t"
    for delimiter in (",", ";", "\t") if suffix.lower() == ".csv" else ("\t", ",", ";", " "):
        if line.count(delimiter) >= width - 1:
            return delimiter
    return "," if suffix.lower() == ".csv" else "\t"
