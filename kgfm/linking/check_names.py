"""Looks at labels and descriptions: can texts name the entities, and does that tell them apart?"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from kgfm.graph import KnowledgeGraph, local_name
from kgfm.graph.describe import shared_names
from kgfm.linking.dictionary import MAX_CANDIDATES
from kgfm.linking.findings import (
    MANY,
    SHOWN,
    Finding,
    Level,
    is_opaque,
    keys_of,
    names_of,
    share_of,
)
from kgfm.linking.fold import tokens
from kgfm.linking.guard import STOP_WORDS
from kgfm.linking.trie import MAX_TOKENS

_LONG_TEXT = 2_000
"""Bytes; text encoders read some 512 tokens."""
_NUMBER = re.compile(r"[\W_]*\d[\d\W_]*")
_DAMAGE = re.compile(r"\ufffd|Ã[\u0080-\u00bf]|â€|&(?:[a-z]{2,6}|#\d+);|<[a-zA-Z/][^>]*>")


def look_at_labels(graph: KnowledgeGraph) -> Iterator[Finding]:
    missing = np.flatnonzero(~graph.labelled)
    count, nameless = (
        len(graph),
        [row for row in missing.tolist() if is_opaque(local_name(graph.keys[row]))],
    )
    if len(nameless) >= MANY * count:
        yield Finding(
            "fault" if len(nameless) > count / 2 else "warning",
            "no-names",
            len(nameless),
            f"{share_of(len(nameless), count)} entities have no label, and their keys are no "
            "names: no text can name them, and text vectors of them mean nothing.",
            "If the source has labels, name their predicate or column (and language) in a "
            "GraphSchema, or bring a table of names: from_tables(..., entities=...).",
            keys_of(graph, nameless),
        )
    others = len(missing) - len(nameless)
    if others >= MANY * count:
        opaque = {*nameless}
        rows = [row for row in missing.tolist() if row not in opaque]
        yield Finding(
            "warning" if graph.labelled.any() else "note",
            "no-labels",
            others,
            f"{share_of(others, count)} entities have no label; the last part of their keys stands "
            "in, so that only a text that spells it so links to them.",
            "Name the predicate or column of labels in a GraphSchema.",
            keys_of(graph, rows),
        )


def look_at_texts(graph: KnowledgeGraph) -> Iterator[Finding]:
    lengths = np.diff(graph.descriptions.offsets)
    without, count = int(np.count_nonzero(lengths == 0)), len(graph)
    if without > 0.9 * count:
        yield Finding(
            "note" if without < count else "warning",
            "no-descriptions",
            without,
            f"{share_of(without, count)} entities have no description: candidates with one name "
            "can only be told apart by their neighbours and types.",
            "Name the predicate or column of descriptions in a GraphSchema, if there is one.",
        )
    long = np.flatnonzero((lengths > _LONG_TEXT) | (np.diff(graph.labels.offsets) > _LONG_TEXT))
    if len(long):
        yield Finding(
            "warning",
            "long-texts",
            len(long),
            f"{share_of(len(long), count)} entities with a label or description of more than "
            f"{_LONG_TEXT:,} bytes: a text encoder reads the beginning and no more.",
            "Shorten descriptions to a sentence or two.",
            names_of(graph, long),
        )
    giant = np.flatnonzero(np.diff(graph.attribute_texts.offsets) > 50 * _LONG_TEXT)
    if len(giant):
        yield Finding(
            "note",
            "giant-literals",
            len(giant),
            f"{share_of(len(giant), count)} entities with attributes of more than "
            f"{50 * _LONG_TEXT:,} bytes; "
            "nothing reads them, but each snapshot carries them.",
            "Leave such literals out (documents, geometries, images) when the graph is built.",
            names_of(graph, giant),
        )


def look_at_shared_labels(graph: KnowledgeGraph) -> Iterator[Finding]:
    shared = shared_names(graph.labels)
    crowded = {label: count for label, count in shared.items() if count > MAX_CANDIDATES}
    examples = tuple(f"{label} ({count:,})" for label, count in list(shared.items())[:SHOWN])
    if crowded:
        yield Finding(
            "warning",
            "crowded-labels",
            sum(crowded.values()),
            f"{len(crowded):,} labels belong to more than {MAX_CANDIDATES} entities each; the "
            "linker weighs the most linked ones of them and never sees the others.",
            "Put into labels what tells them apart (a year, a place), merge doubles "
            "(owl:sameAs), or leave out kinds of entities that texts do not name.",
            examples,
        )
    several = sum(shared.values()) - sum(crowded.values())
    if several > 0.05 * len(graph):
        yield Finding(
            "note",
            "shared-labels",
            several,
            f"{share_of(several, len(graph))} entities share their label with others; a text that "
            "names one has to be told apart by its context.",
            "Descriptions and types help; doubles of one thing should be merged.",
            examples,
        )


def look_at_strange_labels(graph: KnowledgeGraph) -> Iterator[Finding]:
    """Look at labels that text will name by accident, or never."""
    kinds: dict[str, list[int]] = {name: [] for name in _STRANGE}
    for row, label in enumerate(graph.labels):
        if label and (kind := _strangeness(label)):
            kinds[kind].append(row)
    for name, (level, least, what, effect, mend) in _STRANGE.items():
        rows = kinds[name]
        if rows and len(rows) >= least * len(graph):
            says = f"{share_of(len(rows), len(graph))} entities with {what}: {effect}"
            yield Finding(level, name, len(rows), says, mend, names_of(graph, rows))


_STRANGE: dict[str, tuple[Level, float, str, str, str]] = {
    "damaged-labels": (
        "warning",
        0.0,
        "a damaged label, or markup in it",
        "no text spells them so.",
        "Read the source in its right encoding, and take tags and &entities; out of labels.",
    ),
    "web-addresses": (
        "warning",
        MANY,
        "a web address as label",
        "no text names an entity so.",
        "Name the predicate or column of real labels in a GraphSchema.",
    ),
    "stop-words": (
        "note",
        0.0,
        "a function word of English, such as 'it', as label",
        "the linker only takes them where they are written as names.",
        "Nothing, if they are names (films, bands); else leave the entities out.",
    ),
    "numbers": (
        "note",
        MANY,
        "a number as label",
        "every number in a text links to them.",
        "Years and amounts are better attributes than entities; Linker(min_length=...) and "
        "types can keep them out too.",
    ),
    "single-characters": (
        "note",
        0.0,
        "one character as label",
        "they link by accident.",
        "Linker(min_length=2) leaves them out.",
    ),
    "endless-labels": (
        "warning",
        0.0,
        f"a label longer than {MAX_TOKENS} tokens",
        "the linker leaves them out.",
        "They may be descriptions; say so in a GraphSchema.",
    ),
    "unlinkable-labels": (
        "note",
        0.0,
        "a label without a letter or digit",
        "the linker takes no punctuation for a name.",
        "Give these entities an alias in words.",
    ),
}


def _strangeness(label: str) -> str:
    """Return the name of what is strange about a label, or nothing."""
    if _DAMAGE.search(label):
        return "damaged-labels"
    if "://" in label and " " not in label:
        return "web-addresses"
    if label.casefold() in STOP_WORDS:
        return "stop-words"
    if _NUMBER.fullmatch(label):
        return "numbers"
    if not any(map(str.isalnum, label)):
        return "unlinkable-labels"
    if len(label) == 1:
        return "single-characters"
    if len(label) > MAX_TOKENS and len(tokens(label).keys) > MAX_TOKENS:
        return "endless-labels"
    return ""
