"""The names of all entities of a graph, as a trie over their folded tokens."""

from __future__ import annotations

import unicodedata
from itertools import islice
from typing import TYPE_CHECKING

from kgfm.linking.fold import Tokens, tokens

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

MAX_TOKENS = 64
"""Longer names are left out, so that the time for a text stays linear in its length."""

MAX_CANDIDATES = 16
"""Of the entities with one name, how many are listed."""

_ENGLISH = """
    a about above after again all also am an and any are as at be because been before being
    below between both but by can could d did do does doing down during each else few for from
    further had has have having he her here hers herself him himself his how i if in into is it
    its itself just ll m may me might more most must my myself no nor not now of off on once only
    or other our ours out over own re s same shall she should so some such t than that the their
    theirs them then there these they this those through to too under until up upon us ve very was
    we were what when where which while who whom whose why will with would you your yours
"""
STOP_WORDS = frozenset(_ENGLISH.split())
"""English function words, and what an apostrophe leaves of them."""


class NameDictionary:
    """Longest names by token, and the entities that bear each.

    A name is known by the number of the node of the trie where it ends.

    Args:
        graph: Labels and aliases of all its entities are the names.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self._words: dict[str, int] = {}
        self._steps: dict[tuple[int, int], int] = {}
        self._guard: dict[int, str] = {}
        self._rows: dict[int, list[int]] = {}
        self._spelled: dict[str, list[int]] = {}
        self._degree = graph.degree
        self._ranked: dict[tuple[int, str | None], tuple[tuple[int, float], ...]] = {}
        for row in range(graph.num_entities):
            for name in graph.names(row):
                self._insert(name, row)
        for rows in self._rows.values():
            rows.sort(key=self._order)
        self._totals = {name: sum(map(self._weight, rows)) for name, rows in self._rows.items()}

    def __len__(self) -> int:
        return len(self._rows)

    def _insert(self, name: str, row: int) -> None:
        found = tokens(name)
        if not 1 <= len(found.keys) <= MAX_TOKENS:
            return
        words, steps, node = self._words, self._steps, 0
        for key in found.keys:
            step = node, words.setdefault(key, len(words))
            node = steps.setdefault(step, len(steps) + 1)
        rows = self._rows.setdefault(node, [])
        if not rows:
            self._note_guard(node, found)
        if not rows or rows[-1] != row:  # a name and its other spelling, of one entity
            rows.append(row)
        spelled = self._spelled.setdefault(spelling(name, found.starts[0], found.ends[-1]), [])
        if not spelled or spelled[-1] != row:
            spelled.append(row)

    def _note_guard(self, node: int, found: Tokens) -> None:
        if all(unicodedata.category(key[:1] or " ")[0] == "P" for key in found.keys):
            self._guard[node] = "punctuation"
        elif len(found.keys) == 1 and found.keys[0] in STOP_WORDS:
            self._guard[node] = "stop word"

    def is_guarded(self, node: int, spelled: str) -> bool:
        """Say whether a name is punctuation, or a function word not written as that very name."""
        reason = self._guard.get(node)
        if reason is None:
            return False
        as_named = spelled in self._spelled and spelled != spelled.lower()
        return reason == "punctuation" or not as_named

    def scan(self, found: Tokens) -> list[tuple[int, int, int]]:
        """Return (first token, one past the last, name), leftmost and longest."""
        words = [self._words.get(key, -1) for key in found.keys]
        steps, names, hits = self._steps, self._rows, []
        position, stop = 0, len(words)
        while position < stop:
            node, place, end, name = 0, position, position + 1, 0
            while place < stop and words[place] >= 0:
                node = steps.get((node, words[place]), -1)
                if node < 0:
                    break
                place += 1
                if node in names:
                    end, name = place, node
            if name:
                hits.append((position, end, name))
            position = end
        return hits

    def rank(self, name: int, spelled: str) -> tuple[tuple[int, float], ...]:
        """Return (row, score) of the entities with this name, best first.

        ``score = weight / sum of weights`` with ``weight = degree + 1``. Where a name is spelled
        exactly so, the entities that bear it come first, and the others weigh a hundredth.
        """
        key = name, spelled if spelled in self._spelled else None
        if key not in self._ranked:
            self._ranked[key] = self._rank(name, set(self._spelled.get(spelled, ())))
        return self._ranked[key]

    def _rank(self, name: int, exact: set[int]) -> tuple[tuple[int, float], ...]:
        agreeing = sum(map(self._weight, exact))
        others = 0.01 if exact else 1.0
        total = agreeing + others * (self._totals[name] - agreeing)
        rest = (row for row in self._rows[name] if row not in exact)
        first = sorted(exact, key=self._order)[:MAX_CANDIDATES]
        ranked = [(row, self._weight(row) / total) for row in first]
        ranked += [
            (row, others * self._weight(row) / total)
            for row in islice(rest, MAX_CANDIDATES - len(ranked))
        ]
        return tuple(ranked)

    def _weight(self, row: int) -> int:
        return int(self._degree[row]) + 1

    def _order(self, row: int) -> tuple[int, int]:
        return -self._weight(row), row


def spelling(text: str, start: int, end: int) -> str:
    """Return a stretch of text with one space for each run of white space."""
    return " ".join(text[start:end].split())
