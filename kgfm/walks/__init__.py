"""What a question seeks in a graph: walks along relations, followed exactly."""

from __future__ import annotations

from kgfm.types import KINDS, Kind
from kgfm.walks.follow import answers, follow, reached, values_of
from kgfm.walks.walk import NO, YES, Sought, Step, Walk
from kgfm.walks.words import in_words

__all__ = [
    "KINDS",
    "NO",
    "YES",
    "Kind",
    "Sought",
    "Step",
    "Walk",
    "answers",
    "follow",
    "in_words",
    "reached",
    "values_of",
]
