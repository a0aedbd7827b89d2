"""A user's own texts as a table: CSV, TSV, Parquet or Feather, a text or a target in each row.

To classify, a row is a text and its label::

    text,label
    "Great phone, poor battery.",mixed

For what a text means for its targets, a row is one of them, and the rows of one text become one
example. A target is its first character and one past the last, or its words, which are then every
place where the text says them::

    text,target,entity,label
    "Kestrel beats Plover.",Kestrel,KESTREL,positive
    "Kestrel beats Plover.",Plover,NIL,negative
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kgfm.datasets.about import check_text, span_in
from kgfm.datasets.base import Dataset, reads, same_text, split_by
from kgfm.datasets.jsonl import open_graph
from kgfm.datasets.mentions import check_entities
from kgfm.datasets.rows import rows_of
from kgfm.datasets.said import Span, places
from kgfm.types import LINKED, NIL, About, Example

Row = tuple[str, Mapping[str, str]]


@dataclass(frozen=True)
class Columns:
    """The names of the columns that are read; ``None`` for one that there is not.

    Raises:
        ValueError: Of start and end only one is named, or there is an entity of no target.
    """

    text: str = "text"
    label: str = "label"
    start: str | None = None
    end: str | None = None
    target: str | None = None
    entity: str | None = None

    def __post_init__(self) -> None:
        if (self.start is None) != (self.end is None):
            raise ValueError("start and end are two columns; name both of them, or none.")
        if self.entity is not None and not self.asks:
            raise ValueError(
                "entity is that of a target: name the column target, or start and end."
            )

    @property
    def asks(self) -> bool:
        """Say whether a row is about a part of its text."""
        return self.start is not None or self.target is not None

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, once each."""
        own = (self.text, self.label, self.start, self.end, self.target, self.entity)
        return tuple(dict.fromkeys(name for name in own if name is not None))


@reads(task="classify")
def table(
    data: str | Path | None,
    cache: str | Path,
    *,
    train: str,
    validation: str | float = 0.1,
    test: str | None = None,
    graph: str | None = None,
    text: str = "text",
    label: str = "label",
    start: str | None = None,
    end: str | None = None,
    target: str | None = None,
    entity: str | None = None,
    several: str | None = None,
    delimiter: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Read texts from tables, to classify them or, with columns for a target, what they name.

    Args:
        data: The folder that the other paths start from; the current one if ``None``.
        cache: Keeps the compiled graph.
        train: File of the training texts.
        validation: File of the validation texts, or the share of the training texts to cut off.
        test: File of the test texts.
        graph: A snapshot's folder, or a file of RDF or of triples; left out, there is none.
        text: Column of the texts.
        label: Column of the labels; where it is empty, none is known.
        start: Column of each target's first character, counted from 0.
        end: Column of one past its last.
        target: Column of its words. Beside ``start`` and ``end`` they must be what stands there.
        entity: Column of the key of the entity that it is: empty where the linker decides,
            ``NIL`` where it is outside of the graph.
        several: What stands between several labels in one field, such as ``;``.
        delimiter: Between the fields; guessed where ``None``.
        seed: Cuts the validation off; the same text is in one part.

    Raises:
        ValueError: A row is not as above; the message names the file and the line.
    """
    folder = Path(data) if data is not None else Path()
    columns = Columns(text, label, start, end, target, entity)
    opened = None if graph is None else open_graph(folder / graph, cache)

    def read(file: str) -> tuple[Example, ...]:
        rows = rows_of(folder / file, columns.names, "table", delimiter=delimiter)
        make = _asked if columns.asks else _labelled
        examples = tuple(make(rows, columns, several))
        if opened is not None:
            check_entities(examples, opened)
        return examples

    learned, held_out = read(train), read(test) if test else ()
    if isinstance(validation, str):
        return Dataset(opened, learned, read(validation), held_out)
    if not 0 < validation < 1:
        raise ValueError(f"validation is a file, or a share between 0 and 1; got {validation!r}.")
    train_, cut, _ = split_by(learned, same_text, seed=seed, test=0.0, validation=validation)
    return Dataset(opened, train_, cut, held_out)


def _labels(given: str, several: str | None) -> tuple[str, ...] | None:
    parts = given.split(several) if several else [given]
    labels = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    return labels or None


def _labelled(rows: Iterable[Row], columns: Columns, several: str | None) -> Iterator[Example]:
    for where, row in rows:
        yield Example(_text(where, row, columns), _labels(row[columns.label], several), where=where)


def _text(where: str, row: Mapping[str, str], columns: Columns) -> str:
    if not row[columns.text].strip():
        raise ValueError(f"{where}: the text is empty.")
    return row[columns.text]


def _asked(rows: Iterable[Row], columns: Columns, several: str | None) -> Iterator[Example]:
    """Yield an example for each text, in the order in which the texts come first."""
    found: dict[str, Example] = {}
    for where, row in rows:
        text = _text(where, row, columns)
        labels = _labels(row[columns.label], several)
        entity = row[columns.entity] if columns.entity else LINKED
        key = None if entity == NIL else entity
        about = tuple(About((span,), (key,), labels) for span in _spans(where, text, row, columns))
        example = found.setdefault(text, Example(text, where=where))
        found[text] = replace(example, about=example.about + about)
    yield from found.values()


def _spans(where: str, text: str, row: Mapping[str, str], columns: Columns) -> list[Span]:
    words = row[columns.target] if columns.target else None
    if columns.start is None or columns.end is None:
        found = places(text, words or "")
        if not found:
            raise ValueError(f"{where}: {text!r:.200} does not say {words!r}.")
        return found
    try:
        start, end = int(row[columns.start]), int(row[columns.end])
    except ValueError:
        given = (row[columns.start], row[columns.end])
        raise ValueError(f"{where}: start and end are whole numbers; got {given}.") from None
    try:
        span = span_in(text, start, end, "the target")
        if words is not None:
            check_text(text, span, words, "the target")
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return [span]
