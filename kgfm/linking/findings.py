"""What a look at a graph finds, and what the looks share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kgfm.graph import KnowledgeGraph

Level = Literal["fault", "warning", "note"]
MANY = 0.01
"""From this share of all on, something is worth a line."""
SHOWN = 5
"""Examples of a finding."""

# Letters that stand alone, or too many in a row for chance: not in Q42, m.02_x1 or g.11b71tsxrv.
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{3,}(?![^\W_])|[^\W\d_]{6}")
_HASH = re.compile(r"[0-9a-fA-F-]{16,}")


@dataclass(frozen=True)
class Finding:
    """Something that will hurt.

    Args:
        level: ``fault``: linking or training cannot work well. ``warning``: it will be worse than
            it could be. ``note``: worth knowing.
        name: A short name for programs.
        count: Of how many entities, relations or triples it is true.
        says: What is so, and what that does.
        mend: What to do about it.
        examples: Some of them.
    """

    level: Level
    name: str
    count: int
    says: str
    mend: str
    examples: tuple[str, ...] = ()


def share_of(count: int, of: int) -> str:
    return f"{count:,} of {of:,}" if count < of else f"all {of:,}"


def keys_of(graph: KnowledgeGraph, rows: Sequence[int] | np.ndarray) -> tuple[str, ...]:
    return tuple(graph.keys[int(row)] for row in rows[:SHOWN])


def names_of(graph: KnowledgeGraph, rows: Sequence[int] | np.ndarray) -> tuple[str, ...]:
    return tuple(graph.labels[int(row)] or graph.keys[int(row)] for row in rows[:SHOWN])


def is_opaque(name: str) -> bool:
    """Say whether a name is an identifier that tells people nothing.

    >>> [is_opaque(name) for name in ("Q42", "m.02_x1", "0553092626", "Heat", "AC/DC", "Up")]
    [True, True, True, False, False, False]
    """
    if not name or _HASH.fullmatch(name):
        return True
    return any(map(str.isdigit, name)) and not _WORD.search(name)
