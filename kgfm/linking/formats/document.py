"""A text with its gold mentions, and what the formats say of it besides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.inputs import texts_in
from kgfm.types import Example, Mention

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


@dataclass(frozen=True)
class Document:
    """A text, the entities that it names, and where they count.

    Args:
        text: The whole text; offsets count its code points.
        mentions: The gold mentions in the order of the text; ``entity=None`` is NIL.
        id: How the file calls it.
        title: Its title, if there is one.
        evaluated: (start, end) of the part that is annotated; ``None`` means all of it.
        ignored: Mentions that count neither as right nor as wrong, such as dates and those that an
            annotator may leave out.
    """

    text: str
    mentions: tuple[Mention, ...] = ()
    id: str = ""
    title: str = ""
    evaluated: tuple[int, int] | None = None
    ignored: tuple[Mention, ...] = field(default=(), repr=False)

    def example(self) -> Example:
        """Return the text and its mentions as an example."""
        return Example(self.text, None, self.mentions)

    @classmethod
    def of(cls, example: Example, id: str = "") -> Document:
        """Return an example as a document; one without given mentions has none."""
        return cls(example.text, example.mentions or (), id)


def documents_of(given: Iterable[Document | Example], what: str) -> Iterator[Document]:
    """Yield documents; examples are numbered from 0. ``what`` was called, for the message.

    Raises:
        TypeError: These are no documents or examples, or one of them is neither.
    """
    for number, one in enumerate(texts_in(given, what, (Example, Document))):
        yield one if isinstance(one, Document) else Document.of(one, str(number))


def in_graph(
    document: Document, graph: KnowledgeGraph, key_of: Callable[[str], str | None] | None
) -> Document:
    """Return the document with the graph's keys; what is not in the graph is NIL."""

    def key(entity: str | None) -> str | None:
        if entity is not None and key_of is not None:
            entity = key_of(entity)
        return entity if entity in graph else None

    start, end = document.evaluated or (0, len(document.text))
    return Document(
        document.text,
        tuple(
            Mention(m.start, m.end, m.text, key(m.entity))
            for m in document.mentions
            if start <= m.start and m.end <= end
        ),
        document.id,
        document.title,
        (start, end),
        document.ignored,
    )


def mention_of(text: str, start: Any, end: Any, entity: str | None) -> Mention:
    """Return a mention of a text, or say why there is none at these offsets."""
    if not (type(start) is type(end) is int and 0 <= start < end <= len(text)):
        raise ValueError(
            f"a mention goes from {start!r} to {end!r}; the text has {len(text)} characters."
        )
    return Mention(start, end, text[start:end], entity)


def string_of(record: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that is a string."""
    value = record.get(name, default)
    if not isinstance(value, str):
        raise TypeError(f"{name!r} is a string; got {value!r:.80}.")
    return value


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects of a file of JSON lines with the numbers of their lines."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        try:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise ValueError(f"{path}, line {number}: no JSON ({error}).") from None
                if not isinstance(record, dict):
                    raise ValueError(
                        f"{path}, line {number}: a line is a JSON object, "
                        f"not {type(record).__name__}."
                    )
                yield number, record
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path} is not UTF-8 ({error}); convert it, say with iconv."
            ) from None


def at_line(path: Path, number: int, error: Exception) -> ValueError:
    """Return the error to raise for a line: the file, the line and what is wrong."""
    reason = f"no {error}." if isinstance(error, KeyError) else str(error)
    return ValueError(f"{path}, line {number}: {reason}")


def as_lines(records: Iterable[dict[str, Any]]) -> bytes:
    """Return records as JSON lines."""
    return "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records).encode(
        "utf-8", "surrogatepass"
    )
