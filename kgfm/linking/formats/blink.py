"""BLINK's JSON lines: one mention a line, between its two contexts.

::

    {"context_left": "Who directed", "mention": "Heat", "context_right": "?", "label_id": "Q42198"}

https://github.com/facebookresearch/BLINK (Wu et al., 2020). Lines that follow each other and give
the same text are one document. BLINK's own files cut the white space between mention and contexts
off; it is put back between two letters or digits. Lines that kgfm writes have a ``doc_id`` too, and
their contexts are exact. A text without mentions cannot be written: it has no line.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from kgfm.linking.formats.document import Document, as_lines, at_line, json_lines, string_of
from kgfm.storage import replace_file
from kgfm.types import Mention

NO_ENTITY = (-1, "-1", None, "NIL", "unknown", "")
"""What stands in ``label_id`` where the entity is not in the knowledge base."""


def read(path: Path) -> tuple[Document, ...]:
    """Read a file; see the module."""
    found = []
    for number, record in json_lines(path):
        try:
            found.append(_mention(record))
        except (TypeError, ValueError) as error:
            raise at_line(path, number, error) from None
    documents = []
    for (id, text), lines in groupby(found, lambda line: line[:2]):
        mentions = sorted((line[2] for line in lines), key=lambda m: (m.start, m.end))
        documents.append(Document(text, tuple(mentions), id))
    return tuple(documents)


def write(path: Path, documents: Iterable[Document]) -> None:
    """Write a line for each mention, atomically."""
    records: list[dict[str, Any]] = []
    for number, document in enumerate(documents):
        for mention in document.mentions:
            records.append(
                {
                    "id": len(records),
                    "doc_id": document.id or str(number),
                    "label_id": -1 if mention.entity is None else mention.entity,
                    "label": mention.entity or "unknown",
                    "context_left": document.text[: mention.start],
                    "mention": mention.text,
                    "context_right": document.text[mention.end :],
                }
            )
    replace_file(path, as_lines(records))


def _mention(record: dict[str, Any]) -> tuple[str, str, Mention]:
    parts = [string_of(record, name) for name in ("context_left", "mention", "context_right")]
    if not parts[1]:
        raise ValueError("'mention' is empty.")
    if "label_id" not in record:
        raise ValueError("there is no 'label_id'; -1 means that no entity is named.")
    if "doc_id" not in record:
        parts = _with_blanks(*parts)
    left, text, right = parts
    label = record["label_id"]
    if not isinstance(label, str | int | None) or isinstance(label, bool):
        raise TypeError(f"'label_id' is a string or a number; got {label!r:.80}.")
    entity = None if label in NO_ENTITY else str(label)
    start = len(left)
    mention = Mention(start, start + len(text), text, entity)
    return str(record.get("doc_id", "")), f"{left}{text}{right}", mention


def _with_blanks(left: str, text: str, right: str) -> list[str]:
    if left[-1:].isalnum() and text[0].isalnum():
        left += " "
    if right[:1].isalnum() and text[-1].isalnum():
        right = f" {right}"
    return [left, text, right]
