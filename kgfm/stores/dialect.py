"""How a text file writes its table: what stands between the fields, quotes, blanks, a header."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

_LINES = 200  # of the beginning of a file decide
_NUMBER = re.compile(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?|NA")
_SAID = re.compile(r'"?sep=(.)"?')
_TABS = (".tsv", ".tab")


class Dialect(NamedTuple):
    """How the fields of a file are written.

    Args:
        delimiter: Between the fields.
        quoted: Whether quotes around a field are no part of it, as in RFC 4180.
        spaced: Whether a blank after each delimiter is no part of the field.
    """

    delimiter: str
    quoted: bool
    spaced: bool

    def fields(self, line: str) -> list[str]:
        """Cut a first line, which may be a header."""
        try:
            reader = csv.reader([line], delimiter=self.delimiter, skipinitialspace=self.spaced)
            cut = next(reader, []) if self.quoted else line.split(self.delimiter)
        except csv.Error:  # it is a bad row, which has its turn later
            cut = line.split(self.delimiter)
        return cut


def said_delimiter(line: str) -> str:
    """Return the delimiter that a first line such as ``sep=;`` names, as Excel writes it."""
    found = _SAID.fullmatch(line)
    return found[1] if found else ""


def dialect_of(
    sample: str,
    suffix: str,
    width: int,
    *,
    delimiter: str | None = None,
    joined: bool = False,
    whole: bool = False,
) -> Dialect:
    """Say how a file is written, from its beginning as a whole.

    Args:
        sample: The beginning of the file.
        suffix: The suffix of its name, which decides where the content does not.
        width: Number of fields at least.
        delimiter: Between the fields, where that is known.
        joined: Whether surplus fields belong to the last one.
        whole: Whether the sample is the whole file.
    """
    lines = [line for line in sample.replace("\r\n", "\n").split("\n") if line][:_LINES]
    delimiter = delimiter or _delimiter(lines, suffix, width, joined)
    spaced = delimiter in ",;|" and _share_with_blank(lines, delimiter) == 1
    return Dialect(delimiter, delimiter != "\t" or is_quoted(sample, whole), spaced)


def _delimiter(lines: Sequence[str], suffix: str, width: int, joined: bool) -> str:
    """Return what cuts most lines alike; of equals what the suffix says, and no comma of prose."""
    if suffix in _TABS and (not lines or any("\t" in line for line in lines)):
        return "\t"
    order = ",;\t|" if suffix == ".csv" else "\t,;| "
    scores = {}
    for one in order:
        wide = [count for line in lines if (count := _num_fields(line, one)) >= width]
        alike = len(wide) if joined else max(Counter(wide).values(), default=0)
        scores[one] = alike * (1 - _share_with_blank(lines, one) / 2)
    if any(scores[one] for one in order if one != " "):
        scores.pop(" ", None)
    best = max(scores, key=lambda one: scores[one])
    default = "," if suffix == ".csv" else "\t"
    return best if scores[best] else default


def _num_fields(line: str, delimiter: str) -> int:
    if '"' in line and delimiter not in "\t ":
        try:
            return len(next(csv.reader([line], delimiter=delimiter, skipinitialspace=True)))
        except csv.Error:
            pass
    return line.count(delimiter) + 1


def _share_with_blank(lines: Sequence[str], delimiter: str) -> float:
    """Return of which share of the delimiters a blank follows."""
    if delimiter == " ":
        return 0.0
    text = "\n".join(lines)
    count = text.count(delimiter)
    return text.count(f"{delimiter} ") / count if count else 0.0


def is_quoted(sample: str, whole: bool = False) -> bool:
    """Say whether quotes between tabs are those of a writer of CSV, and no part of the fields.

    They are if the sample, read so and written so again, gives the very same text: with quotes
    where fields need them, around all, or around all but numbers.

    Args:
        sample: Whole lines.
        whole: Whether the file ends with them, so that no row may be cut off at the end.
    """
    text = sample.replace("\r\n", "\n")
    text = text if text.endswith("\n") else f"{text}\n"
    rows = list(_sound_rows(text))
    return any(
        '"' in written and (written == text if whole else text.startswith(written))
        for needs in _WRITERS
        for written in ["".join(_written(row, needs) for row in rows)]
    )


def _sound_rows(text: str) -> Iterator[list[str]]:
    """Yield the rows between tabs as far as they are sound, and one with NUL if quotes are others.

    They are where a row goes over several lines of which the first has all the fields itself.
    """
    lines = text.split("\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    try:
        start = 0
        for row in reader:
            if reader.line_num > start + 1 and lines[start].count("\t") + 1 >= len(row):
                yield ["\0"]
            yield row
            start = reader.line_num
    except csv.Error as error:
        if "unexpected end" not in str(error):
            yield ["\0"]


def _written(row: Sequence[str], needs: Callable[[str], bool]) -> str:
    fields = ('"' + field.replace('"', '""') + '"' if needs(field) else field for field in row)
    return "\t".join(fields) + "\n"


def _needs_quotes(field: str) -> bool:
    return any(sign in field for sign in '"\t\n\r')


_WRITERS: tuple[Callable[[str], bool], ...] = (
    _needs_quotes,
    lambda field: True,
    lambda field: not _NUMBER.fullmatch(field),
    lambda field: bool(field) and not _NUMBER.fullmatch(field),
)
