"""What a question seeks, in one line for people."""

from __future__ import annotations

import re
import unicodedata

from kgfm.graph import KnowledgeGraph, local_name
from kgfm.graph.schema import as_words
from kgfm.walks.walk import Sought, Walk

_LONGEST = 40
_FIRST_STRONG, _POP = "\u2068", "\u2069"  # Unicode's isolates: UAX 9, sec. 2.4
_NOT_SHOWN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def in_words(sought: Sought, graph: KnowledgeGraph) -> str:
    """Return what a question seeks as one line.

    A walk is read from left to right, from its topic to ``?``, and an arrow points from head to
    tail. A dot stands for the entities between two steps, and an attribute has no arrow. A walk
    that may come back to its topic says so. What is longer than forty characters is cut in the
    middle; names that are written from right to left stand in isolates, so that they do not turn
    the arrows around.

    >>> from kgfm.graph import KnowledgeGraph
    >>> from kgfm.walks import Sought, Step, Walk
    >>> graph = KnowledgeGraph.from_records(
    ...     [], [("Lima", "capitalOf", "Peru"), ("Peru", "borders", "Chile")]
    ... )
    >>> capital = Walk("Peru", (Step("capitalOf", forward=False),))
    >>> in_words(Sought((capital,)), graph)
    'Peru ←capital of– ?'
    >>> in_words(Sought((capital,), "count"), graph)
    'how many: Peru ←capital of– ?'
    >>> in_words(Sought((capital,), "yesno", "Lima"), graph)
    'is Lima among: Peru ←capital of– ?'
    >>> borders = Step("borders")
    >>> around = Walk("Chile", (Step("borders", forward=False), borders), come_back=True)
    >>> in_words(Sought((Walk("Peru", (borders,)), around)), graph)
    'Peru –borders→ ? and Chile ←borders– · –borders→ ? (Chile too)'
    >>> totals = Walk("Peru", (borders, Step("gdpTotal", literal=True)))
    >>> in_words(Sought((totals,), "literal"), graph)
    'Peru –borders→ · –gdp total: ?'

    Raises:
        KeyError: The graph has no such entity or relation.
    """
    said = " and ".join(_walk(walk, graph) for walk in sought.walks)
    if sought.kind == "count":
        return f"how many: {said}"
    if sought.kind == "yesno":
        assert sought.about is not None
        return f"is {_entity(sought.about, graph)} among: {said}"
    return said


def _walk(walk: Walk, graph: KnowledgeGraph) -> str:
    steps = []
    for step in walk.steps:
        if step.literal:
            steps.append(f"–{_shown(as_words(local_name(step.relation)) or step.relation)}:")
        else:
            name = _shown(graph.relation_text(graph.relation_row(step.relation)) or step.relation)
            steps.append(f"–{name}→" if step.forward else f"←{name}–")
    topic = _entity(walk.topic, graph)
    line = f"{topic} {' · '.join(steps)} ?" if steps else topic
    return f"{line} ({topic} too)" if walk.come_back and len(steps) > 1 else line


def _entity(key: str, graph: KnowledgeGraph) -> str:
    return _shown(graph.label(key) or key)


def _shown(name: str) -> str:
    """Return a name on one line, cut if it is long, isolated if it is written to the left."""
    name = _NOT_SHOWN.sub(" ", name).strip()
    if len(name) > _LONGEST:
        half = (_LONGEST - 1) // 2
        name = f"{name[: _LONGEST - 1 - half].rstrip()}…{name[-half:].lstrip()}"
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in name):
        return f"{_FIRST_STRONG}{name}{_POP}"
    return name
