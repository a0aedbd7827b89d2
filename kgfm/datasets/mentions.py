"""The mentions that a line of JSON gives for its text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kgfm.graph import KnowledgeGraph
from kgfm.registry import nearest
from kgfm.types import LINKED, Example, Mention

_NEEDED = ("start", "end", "entity")
_FIELDS = (*_NEEDED, "text", "score", "candidates")


def mentions_in(text: str, given: Any) -> tuple[Mention, ...]:
    """Read the mentions of a text.

    Args:
        text: The text.
        given: A list of ``{"start": 4, "end": 8, "entity": "film/Heat"}``; an entity that is not in
            the graph is ``null`` (NIL). ``candidates`` are ``[[key, prior], ...]``, best first;
            ``score`` is how sure the linker was, and ``text`` what stands there.

    Raises:
        TypeError: It is no list, or a value is of another kind.
        ValueError: Something is missing, unknown or out of bounds; the message says in which
            mention.
    """
    if not isinstance(given, list):
        raise TypeError(f"'mentions' is a list; got {type(given).__name__}.")
    return tuple(_mention(text, one, f"mention {place}") for place, one in enumerate(given))


def check_entities(examples: Iterable[Example], graph: KnowledgeGraph) -> None:
    """See that a graph has all entities that examples mention, weigh as candidates, or ask about.

    Raises:
        ValueError: It lacks one; the message says where it was read, and names keys that are near.
    """
    for example in examples:
        for key in _entities(example):
            if key is not None and key not in graph:
                raise ValueError(f"{at(example.where)}{_missing(key, graph)}")


def _entities(example: Example) -> Iterator[str | None]:
    for mention in example.mentions or ():
        yield mention.entity
        yield from (key for key, _ in mention.candidates)
    for about in example.about:
        yield from (key for key in about.entities or () if key != LINKED)


def at(where: str) -> str:
    """Return the beginning of a message about what was read there."""
    return f"{where}: " if where else ""


def _missing(key: str, graph: KnowledgeGraph) -> str:
    try:
        graph.row(key)
    except KeyError as error:
        return str(error.args[0])
    raise AssertionError(key)


def _mention(text: str, given: Any, name: str) -> Mention:
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} is an object with start, end and entity; got {given!r:.80}.")
    for field in given:
        if field not in _FIELDS:
            raise ValueError(
                f"{name} has an unknown {field!r}.{nearest(field, _FIELDS)} "
                f"A mention has {', '.join(_FIELDS)}."
            )
    missing = [field for field in _NEEDED if field not in given]
    if missing:
        raise ValueError(
            f"{name} has no {' and no '.join(map(repr, missing))}; it needs start, end and entity, "
            f"which is a key, or null for what is not in the graph. Got {dict(given)!r:.80}."
        )
    start, end, entity = (given[field] for field in _NEEDED)
    if not (type(start) is type(end) is int and 0 <= start < end <= len(text)):
        raise ValueError(
            f"{name} goes from {start!r} to {end!r}; the text has {len(text)} characters."
        )
    if given.get("text", text[start:end]) != text[start:end]:
        raise ValueError(
            f"{name} says {given['text']!r}, but {text[start:end]!r} stands at {start} to {end}; "
            "offsets count characters from 0, and the end is one past the last."
        )
    if entity is not None and not (isinstance(entity, str) and entity):
        raise TypeError(f"the entity of {name} is a key, or null for NIL; got {entity!r}.")
    score = _share(given.get("score", 1.0), f"the score of {name}")
    return Mention(start, end, text[start:end], entity, score, _candidates(given, name))


def _candidates(given: Mapping[str, Any], name: str) -> tuple[tuple[str, float], ...]:
    found, pairs = given.get("candidates", []), []
    if not isinstance(found, list):
        raise TypeError(f"the candidates of {name} are [[key, prior], ...]; got {found!r:.80}.")
    for pair in found:
        if not (isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)):
            raise TypeError(f"a candidate of {name} is [key, prior]; got {pair!r:.80}.")
        pairs.append((pair[0], _share(pair[1], f"the prior of {pair[0]!r} in {name}")))
    keys = [key for key, _ in pairs]
    if len({*keys}) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"{name} has the candidate {twice!r} twice.")
    return tuple(pairs)


def _share(given: Any, name: str) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= 1:
        raise ValueError(f"{name} is a number from 0 to 1; got {given!r:.80}.")
    return float(given)
