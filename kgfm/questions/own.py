r"""Patterns of one's own: a file of JSON lines, or of YAML or JSON with a list.

Each says for which step it is::

    {"relation": "directed_by", "direction": "inverse",
     "patterns": ["Which films did {topic} direct?"]}

``relation`` is the key or the label of a relation, or the name of an attribute; ``direction`` is
``forward`` (from head to tail, as where nothing is said) or ``inverse``; ``kind`` is ``entity``
(where nothing is said), ``count``, ``yesno`` (the pattern has ``{about}`` too) or ``literal``
(where nothing is said of an attribute); with ``"join": true`` they are used beside those that kgfm
makes, and otherwise in their place. In a question of several steps, ``{topic}`` is what stands for
the steps before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kgfm.questions.index import Index
from kgfm.questions.labels import words_of
from kgfm.questions.text import places
from kgfm.registry import nearest
from kgfm.types import KINDS, Kind

_FIELDS = ("relation", "direction", "kind", "patterns", "join")
_DIRECTIONS = ("forward", "inverse")


@dataclass
class Own:
    """Patterns by step and kind, and which of them stand beside those that are made."""

    by_step: dict[tuple[int, str], tuple[str, ...]] = field(default_factory=dict)
    joined: set[tuple[int, str]] = field(default_factory=set)

    def patterns(self, step: int, kind: Kind, made: tuple[str, ...]) -> tuple[str, ...]:
        """Return the patterns for a step."""
        own = self.by_step.get((step, kind), ())
        return own + made if not own or (step, kind) in self.joined else own


def read_patterns(path: str | Path) -> list[tuple[str, Any]]:
    """Read a file of patterns; with each, where it stands.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is neither JSON lines nor a list in YAML or JSON.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file of patterns {path}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}.") from None
    numbered = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    try:
        lines = [(f"{path}, line {number}", json.loads(line)) for number, line in numbered]
        if all(isinstance(given, Mapping) for _, given in lines):
            return lines
    except ValueError:
        pass
    import yaml  # type: ignore[import-untyped]

    try:
        listed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is neither JSON lines nor YAML: {error}.") from None
    if not isinstance(listed, list):
        raise ValueError(f"{path} holds no list of patterns; each has relation and patterns.")
    return [(f"{path}, pattern {number}", given) for number, given in enumerate(listed, 1)]


def own_patterns(index: Index, given: str | Path | Sequence[Mapping[str, Any]] | None) -> Own:
    """Return patterns of one's own, from a file or as mappings, for the steps of a graph.

    Raises:
        ValueError: A field, kind or place in a pattern is unknown, or the graph has no such
            relation; the message says where, and names what is near.
    """
    if given is None:
        return Own()
    if isinstance(given, str | Path):
        listed = read_patterns(given)
    else:
        listed = [(f"pattern {number}", one) for number, one in enumerate(given, 1)]
    steps, own = _steps(index), Own()
    for where, one in listed:
        try:
            at = _place(index, steps, one)
            own.by_step[at] = own.by_step.get(at, ()) + _patterns(one, at[1])
            if one.get("join"):
                own.joined.add(at)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{where}: {error}") from None
    return own


def _steps(index: Index) -> dict[str, list[int]]:
    """Return the forward steps, by key or name and by words; what is ambiguous has several."""
    found: dict[str, list[int]] = {}
    for step in (*range(index.num_relations), *index.literals):
        key = index.step(step).relation
        for name in {key, index.name(step), words_of(index.name(step))} - {""}:
            found.setdefault(name, []).append(step)
    for step in (*range(index.num_relations), *index.literals):
        found[index.step(step).relation] = [step]
    return found


def _place(index: Index, steps: Mapping[str, list[int]], given: Any) -> tuple[int, str]:
    if not isinstance(given, Mapping):
        raise TypeError(f"a pattern is a mapping with relation and patterns; got {given!r:.80}.")
    for name in given:
        if name not in _FIELDS:
            raise ValueError(
                f"unknown {name!r}.{nearest(str(name), _FIELDS)} It has {', '.join(_FIELDS)}."
            )
    relation = given.get("relation")
    if not isinstance(relation, str):
        raise TypeError(f"'relation' is the key of a relation; got {relation!r:.80}.")
    if relation not in steps:
        raise ValueError(f"the graph has no relation {relation!r}.{nearest(relation, steps)}")
    if len(steps[relation]) > 1:
        keys = ", ".join(repr(index.step(step).relation) for step in steps[relation])
        raise ValueError(f"{relation!r} is the label of several relations; write one of {keys}.")
    (step,) = steps[relation]
    literal = index.is_literal(step)
    direction = given.get("direction", _DIRECTIONS[0])
    if direction not in _DIRECTIONS[: 1 if literal else 2]:
        allowed = " or ".join(_DIRECTIONS[: 1 if literal else 2])
        raise ValueError(f"'direction' of {relation!r} is {allowed}; got {direction!r:.80}.")
    kinds = KINDS[3:] if literal else KINDS[:3]
    kind = given.get("kind", kinds[0])
    if kind not in kinds:
        raise ValueError(f"'kind' of {relation!r} is {', '.join(kinds)}; got {kind!r:.80}.")
    if not isinstance(given.get("join", False), bool):
        raise TypeError(f"'join' is true or false; got {given['join']!r:.80}.")
    return (index.inverse(step) if direction == "inverse" else step), kind


def _patterns(given: Mapping[str, Any], kind: str) -> tuple[str, ...]:
    patterns = given.get("patterns")
    if not isinstance(patterns, list) or not patterns:
        raise TypeError(f"'patterns' is a list of texts with {{topic}}; got {patterns!r:.80}.")
    needed = {"topic", "about"} if kind == "yesno" else {"topic"}
    for pattern in patterns:
        found = places(pattern) if isinstance(pattern, str) else set()
        if found != needed:
            names = " and ".join(f"{{{name}}}" for name in sorted(needed, reverse=True))
            raise ValueError(f"a pattern is a text with {names} and no other; got {pattern!r:.80}.")
    return tuple(patterns)
