"""What a line of JSON asks about its text: spans, what they stand for, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgfm.registry import nearest
from kgfm.types import LINKED, About

Span = tuple[int, int]

_ONE = ("start", "end", "entity", "label", "text")
_TWO = ("spans", "entities", "label", "text")


def about_in(text: str, given: Any) -> tuple[About, ...]:
    """Read what is asked about a text.

    Args:
        text: The text.
        given: A list of ``{"start": 0, "end": 11, "entity": "JETAIRWAYS", "label": "positive"}``,
            or for what holds between two spans of ``{"spans": [[0, 11], [21, 25]], "entities":
            ["JETAIRWAYS", null], "label": "rival"}``. Without an entity the linker decides;
            ``null`` is one outside of the graph; among ``entities``, ``""`` is one that the linker
            decides. ``label`` is a string, or a list of several (``[]``: none holds); without it
            nothing is known. ``text`` is what stands there, or a list of it for two spans.

    Raises:
        TypeError: It is no list, or a value is of another kind.
        ValueError: Something is missing, unknown, out of bounds, or disagrees with the text; the
            message says in which question.
    """
    if not isinstance(given, list):
        raise TypeError(f"'about' is a list; got {type(given).__name__}.")
    return tuple(_about(text, one, f"about {place}") for place, one in enumerate(given))


def _about(text: str, given: Any, name: str) -> About:
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{name} is an object with start, end and label, or with spans and label; "
            f"got {given!r:.80}."
        )
    fields = _TWO if "spans" in given else _ONE
    for field in given:
        if field not in fields:
            raise ValueError(
                f"{name} has an unknown {field!r}.{nearest(field, fields)} A question about "
                f"{'spans' if 'spans' in given else 'one span'} has {', '.join(fields)}."
            )
    spans = _spans(text, given, name)
    _check_texts(text, spans, given, name)
    return About(spans, _entities(given, len(spans), name), labels_in(given.get("label"), name))


def _spans(text: str, given: Mapping[str, Any], name: str) -> tuple[Span, ...]:
    if "spans" not in given:
        missing = [field for field in ("start", "end") if field not in given]
        if missing:
            raise ValueError(
                f"{name} has no {' and no '.join(map(repr, missing))}; a span needs start and end, "
                f"and two are 'spans': [[start, end], [start, end]]. Got {dict(given)!r:.80}."
            )
        return (span_in(text, given["start"], given["end"], name),)
    pairs = given["spans"]
    if not (isinstance(pairs, list) and len(pairs) in (1, 2)):
        raise TypeError(f"the spans of {name} are [[start, end], [start, end]]; got {pairs!r:.80}.")
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2):
            raise TypeError(f"a span of {name} is [start, end]; got {pair!r:.80}.")
    return tuple(span_in(text, start, end, name) for start, end in pairs)


def span_in(text: str, start: Any, end: Any, name: str) -> Span:
    """Return a span of a text.

    Raises:
        ValueError: It is none: reversed, empty, behind the text, or no two integers.
    """
    if not (type(start) is type(end) is int and 0 <= start < end <= len(text)):
        raise ValueError(
            f"{name} goes from {start!r} to {end!r}; a span needs 0 <= start < end, and the text "
            f"has {len(text)} characters."
        )
    return start, end


def check_text(text: str, span: Span, said: Any, name: str) -> None:
    """Refuse a span at which something else stands than is said.

    Raises:
        ValueError: The two disagree; the message says where what is said does stand.
    """
    start, end = span
    if text[start:end] == said:
        return
    found = text.find(said) if isinstance(said, str) and said else -1
    instead = f" {said!r} begins at {found}." if found >= 0 else ""
    raise ValueError(
        f"{name} says {said!r:.80}, but {text[start:end]!r} stands at {start} to {end}; offsets "
        f"count characters from 0, and the end is one past the last.{instead}"
    )


def _check_texts(text: str, spans: tuple[Span, ...], given: Mapping[str, Any], name: str) -> None:
    if "text" not in given:
        return
    said = given["text"] if "spans" in given else [given["text"]]
    if not (isinstance(said, list) and len(said) == len(spans)):
        raise TypeError(
            f"the text of {name} is a list with what stands at each of its {len(spans)} spans; "
            f"got {said!r:.80}."
        )
    for span, one in zip(spans, said, strict=True):
        check_text(text, span, one, name)


def _entities(given: Mapping[str, Any], number: int, name: str) -> tuple[str | None, ...] | None:
    if "spans" not in given:
        if "entity" not in given:
            return None
        entity = given["entity"]
        if entity is None or (isinstance(entity, str) and entity != LINKED):
            return (entity,)
        raise TypeError(
            f"the entity of {name} is a key, or null for what is outside of the graph; leave it "
            f"out where the linker decides. Got {entity!r:.80}."
        )
    keys = given.get("entities", [LINKED] * number)
    if not (
        isinstance(keys, list)
        and len(keys) == number
        and all(key is None or isinstance(key, str) for key in keys)
    ):
        raise TypeError(
            f"the entities of {name} are a list of {number}: a key, null for what is outside of "
            f'the graph, or "" where the linker decides; got {keys!r:.80}.'
        )
    return tuple(keys)


def labels_in(given: Any, name: str) -> tuple[str, ...] | None:
    """Return a label or several as a tuple; ``None`` where none is known.

    Raises:
        TypeError: It is neither a string nor a list of strings.
    """
    if given is None:
        return None
    labels = [given] if isinstance(given, str) else given
    if not (isinstance(labels, list) and all(isinstance(label, str) for label in labels)):
        raise TypeError(f"the label of {name} is a string or a list of strings; got {given!r:.80}.")
    return tuple(dict.fromkeys(labels))
