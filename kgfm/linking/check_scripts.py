"""A look at the scripts that names are in: which there are, and what that means for texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from kgfm.graph import KnowledgeGraph
from kgfm.graph.strings import StringTable
from kgfm.linking.alias_tokens import string_codes
from kgfm.linking.codes import BARRIER
from kgfm.linking.findings import MANY, SHOWN, Finding
from kgfm.linking.scripts import letter_kind, script_of

_CHUNK = 1 << 16


def scripts_of(graph: KnowledgeGraph) -> Counter[str]:
    """Return how many labels and aliases have letters of each script, the most common first."""
    counts = _counted([graph.labels, graph.aliases])[0]
    return Counter(dict(counts.most_common()))


def shown(counts: Counter[str]) -> str:
    """Return scripts in words.

    >>> shown(Counter({"Latin": 1200, "Han": 3}))
    'Latin (1,200), Han (3)'
    """
    return ", ".join(f"{script} ({count:,})" for script, count in counts.most_common())


def look_at_scripts(graph: KnowledgeGraph) -> Iterator[Finding]:
    """Say in which scripts names are, where they are not all in Latin letters."""
    counts, unspaced, examples = _counted([graph.labels, graph.aliases])
    if not counts or [*counts] == ["Latin"]:
        return
    says = f"Names are in {shown(counts)}: texts in other scripts name nothing."
    mend = "Nothing, if texts are in these too; else bring names in their language."
    if unspaced:
        says += (
            f" {', '.join(sorted(unspaced))}: names are found among letters without spaces, a "
            "single letter only by itself, and Korean ones before particles."
        )
    many = [script for script, count in counts.items() if count >= MANY * counts.total()]
    yield Finding("note", "scripts", len(many), says, mend, tuple(examples.values())[:SHOWN])


def _counted(tables: list[StringTable]) -> tuple[Counter[str], set[str], dict[str, str]]:
    """Return how many names are in each script, those without spaces, and a name of each.

    A name counts with each script that its letters are of.
    """
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    unspaced: set[str] = set()
    known: dict[int, str] = {}
    for table in tables:
        for first in range(0, len(table), _CHUNK):
            stop = min(first + _CHUNK, len(table))
            codes = string_codes(table, first, stop)
            owner = np.cumsum(codes == BARRIER)
            kinds, place = np.unique(codes, return_inverse=True)
            for code in {*kinds.tolist()} - known.keys() - {BARRIER}:
                known[code] = script_of(chr(code))
                if letter_kind(chr(code)):
                    unspaced.add(known[code])
            names = sorted({*known.values()} - {""})
            number = {name: at for at, name in enumerate(names)}
            scripts = np.array([number.get(known.get(c, ""), -1) for c in kinds.tolist()], np.int64)
            of = scripts[place]
            pairs = np.unique(owner[of >= 0] * len(names) + of[of >= 0])
            for pair in pairs.tolist():
                string, script = divmod(pair, len(names))
                counts[names[script]] += 1
                examples.setdefault(names[script], table[first + string])
    return counts, unspaced - {""}, examples
