"""Tables from whatever holds them: files, data frames, Arrow tables, rows, mappings."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kgfm.stores import arrow
from kgfm.stores.batches import Table, batches_of_rows
from kgfm.stores.rejects import Rejects, wrong_width
from kgfm.stores.text_files import Judge, read_text_file

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")
_MISSING = ("nan", "NaN", "NaT", "<NA>")  # as pandas and NumPy write it
_TRUTH: Mapping[str, Any] = {"true": True, "false": False}
_LONGEST = 300  # digits of a number


def table_of(
    source: Any,
    what: str,
    columns: Sequence[str],
    rejects: Rejects,
    *,
    delimiter: str | None = None,
    header: bool | Judge = False,
    joined: bool = False,
) -> Table:
    """Make a table of a file, a data frame, an Arrow table, mappings or rows.

    Args:
        source: The file, the frame or table, or an iterable of mappings or of sequences.
        what: What it holds, for errors.
        columns: Names of the columns where the source does not name them itself.
        rejects: Takes the rows that are malformed.
        delimiter: Between the fields of a text file; guessed if ``None``.
        header: Whether a text file's first line names the columns, or a judge of its fields.
        joined: Whether in a text file without a header surplus fields belong to the last column.
    """
    name = f"The table of {what}"
    if is_path(source):
        path = Path(source)
        if path.suffix.lower() in arrow.SUFFIXES:
            return arrow.read_arrow_file(path)
        return read_text_file(
            path, columns, rejects, delimiter=delimiter, header=header, joined=joined
        )
    if arrow.is_columnar(source):
        return arrow.read_columns(source, name)
    rows = iter(source)
    first = next(rows, None)
    rows = itertools.chain([] if first is None else [first], rows)
    if isinstance(first, Mapping):
        given = list(rows)
        names = list(dict.fromkeys(itertools.chain.from_iterable(given)))
        values = ((number, [row.get(n) for n in names]) for number, row in enumerate(given))
        return Table(name, [*map(str, names)], batches_of_rows(values, len(names)))
    checked = _checked(rows, name, columns, rejects)
    return Table(name, list(columns), batches_of_rows(checked, len(columns)))


def is_path(source: Any) -> bool:
    """Say whether a source is the name of a file."""
    return isinstance(source, (str, Path))


def _checked(
    rows: Iterable[Any], name: str, columns: Sequence[str], rejects: Rejects
) -> Iterator[tuple[int, list[Any]]]:
    """Number rows from 0, and set aside those of another width."""
    for number, fields in enumerate(rows):
        sound = isinstance(fields, Sequence) and not isinstance(fields, (str, bytes))
        if sound and len(fields) == len(columns):
            yield number, list(fields)
        elif sound:
            rejects.add(name, number, wrong_width(len(fields), columns), str(fields))
        else:
            reason = f"a {type(fields).__name__}, no row of {', '.join(columns)}"
            rejects.add(name, number, reason, str(fields))


def typed_values(values: Sequence[str]) -> list[Any]:
    """Return texts as numbers or truth values, if all of them are such and return as written.

    A code that only looks like a number (``007``, ``+49301``, ``2E10``, version ``1.10``) does not
    return as it is written, so that its whole column stays text. Empty texts become ``None``;
    likewise ``NaT`` and ``<NA>``, and ``nan`` in a column that is numeric else.
    """
    given = {value for value in values if value}
    present = given.difference(_MISSING)
    found: Mapping[str, Any] | None = _numbers(present)
    if found is None and present and present <= _TRUTH.keys():
        found = _TRUTH
    if found is None:
        found = {text: text for text in given.difference(_MISSING[2:])}
    return [found.get(value) for value in values]


def _numbers(texts: set[str]) -> Mapping[str, int | float] | None:
    """Return the numbers that texts write, or ``None`` where one does not return as written."""
    found: dict[str, int | float] = {}
    for text in texts:
        if not _NUMBER.fullmatch(text):
            return None
        value = int(text) if text.lstrip("-").isdigit() and len(text) < _LONGEST else float(text)
        if repr(value) != text:
            return None
        found[text] = value
    return found or None
