"""ELEVANT's benchmark files: a document a line, with labels by span.

::

    {"id": 0, "title": "", "text": "Heat is a film.", "evaluation_span": [0, 15],
     "labels": [{"id": 0, "span": [0, 4], "entity_id": "Q42198", "name": "Heat", "type": "Q11424"}]}

https://github.com/ad-freiburg/elevant (Bast, Hertel and Prange, 2022). ``<NIL>``, ``<NO_MAPPING>``
and ``Unknown...`` are NIL. Dates, quantities and labels that are ``optional`` are ignored: what is
linked there is neither right nor wrong. So are labels inside of another one (with a ``parent``),
which are a second reading of it, unless that one is NIL.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kgfm.linking.formats.document import (
    Document,
    as_lines,
    at_line,
    json_lines,
    mention_of,
    string_of,
)
from kgfm.storage import replace_file
from kgfm.types import Mention

NO_ENTITY = ("<NIL>", "<NO_MAPPING>", "NIL", "")
NO_NAMES = ("DATETIME", "QUANTITY")
"""Types of labels that name no entity."""


def read(path: Path) -> tuple[Document, ...]:
    """Read a file; see the module."""
    documents = []
    for number, record in json_lines(path):
        try:
            documents.append(_document(record))
        except (TypeError, ValueError, KeyError) as error:
            raise at_line(path, number, error) from None
    return tuple(documents)


def write(path: Path, documents: Iterable[Document]) -> None:
    """Write a line for each document, atomically."""
    replace_file(path, as_lines(_record(n, document) for n, document in enumerate(documents)))


def _document(record: dict[str, Any]) -> Document:
    text = string_of(record, "text")
    labels = record.get("labels")
    if not isinstance(labels, list):
        raise TypeError(f"'labels' is a list; got {labels!r:.80}.")
    mentions, ignored = list[Mention](), list[Mention]()
    nil = set[Any]()
    for place, label in enumerate(labels):
        if not isinstance(label, dict):
            raise TypeError(f"label {place} is a mapping; got {label!r:.80}.")
        mention = _mention(text, label)
        if mention.entity is None:
            nil.add(label.get("id"))
        (ignored if _left_out(label, nil) else mentions).append(mention)
    part = record.get("evaluation_span")
    return Document(
        text,
        tuple(sorted(mentions, key=_place)),
        str(record.get("id", "")),
        string_of(record, "title", ""),
        None if part is None or tuple(part) == (0, len(text)) else (int(part[0]), int(part[1])),
        tuple(sorted(ignored, key=_place)),
    )


def _left_out(label: dict[str, Any], nil: set[Any]) -> bool:
    parent = label.get("parent")
    return (
        bool(label.get("optional"))
        or label["entity_id"] in NO_NAMES
        or label.get("type") in NO_NAMES
        or (parent is not None and parent not in nil)
    )


def _mention(text: str, label: dict[str, Any]) -> Mention:
    entity, span = string_of(label, "entity_id"), label.get("span")
    if not (isinstance(span, list) and len(span) == 2):
        raise TypeError(f"'span' is [start, end]; got {span!r:.80}.")
    nil = entity in NO_ENTITY or entity.startswith("Unknown")
    return mention_of(text, span[0], span[1], None if nil else entity)


def _record(number: int, document: Document) -> dict[str, Any]:
    labels = [_label(mention) for mention in document.mentions]
    labels += [
        _label(mention) | ({} if mention.entity in NO_NAMES else {"optional": True})
        for mention in document.ignored
    ]
    labels.sort(key=lambda label: label["span"])
    return {
        "id": document.id or number,
        "title": document.title,
        "text": document.text,
        "evaluation_span": list(document.evaluated or (0, len(document.text))),
        "labels": [{"id": place, **label} for place, label in enumerate(labels)],
    }


def _label(mention: Mention) -> dict[str, Any]:
    entity = mention.entity or "<NIL>"
    kind = entity if entity in NO_NAMES else "OTHER"
    span = [mention.start, mention.end]
    return {"span": span, "entity_id": entity, "name": mention.text, "type": kind}


def _place(mention: Mention) -> tuple[int, int]:
    return mention.start, mention.end
