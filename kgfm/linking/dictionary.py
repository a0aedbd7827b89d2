"""The names of all entities of a graph: built once, kept beside the snapshot, mapped from disk."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from kgfm.graph import KnowledgeGraph
from kgfm.graph.order import indptr_of, order_of, repeats
from kgfm.linking.alias_tokens import alias_tokens
from kgfm.linking.fold import tokens
from kgfm.linking.guard import FREE, PUNCTUATION, STOP_WORD, common_tokens, guards, means_the_name
from kgfm.linking.kept import WORTH_KEEPING, Arrays, beside, keep_arrays, kept_arrays
from kgfm.linking.scan import Matches, Scanner
from kgfm.linking.trie import Trie, build_trie
from kgfm.linking.vocabulary import Vocabulary, build_vocabulary

KIND = "names"

MAX_CANDIDATES = 16
"""Of the entities with one name, how many are listed."""

_OTHER = " "  # no spelling: they begin with a token

_PARTS: dict[str, tuple[str, ...]] = {
    "vocabulary": ("factors", "table", "firsts", "keys"),
    "trie": ("roots", "filter", "table", "sizes"),
}
_OWN = (
    "guard",
    "label_names",
    "row_indptr",
    "rows",
    "spelling_indptr",
    "spellings",
    "bearer_indptr",
    "bearers",
)


class NameDictionary:
    """The folded names of a graph, and the entities that bear each.

    Names are numbered from 1. The rows of the entities with name ``n``, heaviest first, are
    ``rows[row_indptr[n]:row_indptr[n + 1]]``; its distinct spellings are, as places in the labels
    followed by the aliases, ``spellings[spelling_indptr[n]:spelling_indptr[n + 1]]``, and those
    who bear spelling ``s`` are ``bearers[bearer_indptr[s]:bearer_indptr[s + 1]]``. The label of row
    ``r`` is the name ``label_names[r]``, 0 if it is none.

    Args:
        graph: Labels and aliases of all its entities are the names.
        arrays: What :func:`build_arrays` gives for that graph.
        compiled: As in :class:`~kgfm.linking.scan.Scanner`.
    """

    def __init__(
        self, graph: KnowledgeGraph, arrays: Arrays, *, compiled: bool | None = None
    ) -> None:
        self.graph = graph
        self.arrays = dict(arrays)
        vocabulary, trie = (
            {name: arrays[f"{part}.{name}"] for name in names} for part, names in _PARTS.items()
        )
        self.vocabulary = Vocabulary(**vocabulary)
        self.trie = Trie(**trie)
        self.scanner = Scanner(self.vocabulary, self.trie, compiled=compiled)
        self._guard = self.arrays["guard"].tobytes()
        self._spellings: dict[int, tuple[str, ...]] = {}
        self._ranked: dict[int, dict[str, tuple[tuple[str, float], ...]]] = {}

    @classmethod
    def load_or_build(
        cls, graph: KnowledgeGraph, folder: str | Path | None = None
    ) -> NameDictionary:
        """Return the graph's dictionary: what was kept for this very graph, else a new one.

        Args:
            graph: Whose names.
            folder: Where it is kept; by default beside a snapshot on disk, if there are enough
                names to make it worth it and the folder can be written to.
        """
        place = beside(graph.path, KIND) if folder is None else Path(folder)
        kept = kept_arrays(place, KIND, graph.fingerprint, _names_of_arrays())
        if kept is not None:
            return cls(graph, kept)
        built = cls(graph, build_arrays(graph))
        if place is not None and (folder is not None or len(built) >= WORTH_KEEPING):
            try:
                return built.save(place)
            except OSError:
                if folder is not None:
                    raise
        return built

    def save(self, folder: str | Path) -> NameDictionary:
        """Write the dictionary to a folder, atomically, and return it mapped from there."""
        kept = keep_arrays(Path(folder), KIND, self.graph.fingerprint, self.arrays)
        return NameDictionary(self.graph, kept)

    def __len__(self) -> int:
        return self.trie.num_names

    def scan(self, texts: Sequence[str], *, longest: bool = True) -> Matches:
        """Return the names in texts (:meth:`kgfm.linking.scan.Scanner.scan`)."""
        return self.scanner.scan(texts, longest=longest)

    def whole_names(self, strings: Sequence[str]) -> Int64[np.ndarray, "string"]:
        """Return the name that the whole of each string is but for white space around it, or 0."""
        found = self.scan(strings)
        whole = np.zeros(len(strings), np.int64)
        # What is a name as a whole holds no second match, and so only one is looked at: slices for
        # each of many matches would cost the square of a long string.
        alone = np.flatnonzero(np.bincount(found.texts, minlength=1)[found.texts] == 1)
        columns = found.texts, found.starts, found.ends, found.names
        for text, start, end, name in zip(*(c[alone].tolist() for c in columns), strict=True):
            if not strings[text][:start].strip() and not strings[text][end:].strip():
                whole[text] = name
        return whole

    # -- who bears a name -----------------------------------------------------------------------

    def rows(self, name: int) -> Int64[np.ndarray, "row"]:
        """Return the rows of the entities with a name, those with more triples first."""
        start, end = self.arrays["row_indptr"][name : name + 2].tolist()
        return self.arrays["rows"][start:end].astype(np.int64)

    def spellings(self, name: int) -> tuple[str, ...]:
        """Return the ways in which the graph spells a name."""
        known = self._spellings.get(name)
        if known is None:
            start, end = self.arrays["spelling_indptr"][name : name + 2].tolist()
            aliases = self.arrays["spellings"][start:end].tolist()
            known = self._spellings[name] = tuple(_spelled(self._string(a)) for a in aliases)
        return known

    def _string(self, alias: int) -> str:
        labels = self.graph.labels
        return labels[alias] if alias < len(labels) else self.graph.aliases[alias - len(labels)]

    def is_guarded(self, name: int, text: str, start: int, end: int) -> bool:
        """Say whether a name is common in texts, and this text does not say that it means it.

        Punctuation never means the name. A function word or another common word does if it is
        spelled as in the graph, and if its capitals do not come from where it stands; a function
        word needs capitals.
        """
        reason = self._guard[name]
        if reason == FREE:
            return False
        spelled = spelling(text, start, end)
        is_lower = spelled == spelled.lower()
        if reason == PUNCTUATION or (reason == STOP_WORD and is_lower):
            return True
        if spelled not in self.spellings(name):
            return True
        return not is_lower and not means_the_name(text, start, end)

    def candidates(self, name: int, spelled: str) -> tuple[tuple[str, float], ...]:
        """Return (key, score) of the entities with this name, best first.

        ``score = weight / sum of weights`` with ``weight = degree + 1``. Where a name is spelled
        exactly so, the entities that bear it come first, and the others weigh a hundredth.
        """
        ranked = self._ranked.get(name)
        if ranked is None:
            ranked = self._ranked[name] = {}
            if self.arrays["row_indptr"][name + 1] - self.arrays["row_indptr"][name] == 1:
                ranked[""] = self._rank(name, "")  # whatever the spelling
        found = ranked.get("")
        if found is not None:
            return found
        key = spelled if spelled in self.spellings(name) else _OTHER
        if key not in ranked:
            ranked[key] = self._rank(name, key)
        return ranked[key]

    def bearers(self, name: int, spelled: str) -> Int64[np.ndarray, "row"]:
        """Return the rows of the entities with a name that is spelled exactly so."""
        spellings = self.spellings(name)
        if spelled not in spellings:
            return np.empty(0, np.int64)
        place = int(self.arrays["spelling_indptr"][name]) + spellings.index(spelled)
        first, last = self.arrays["bearer_indptr"][place : place + 2].tolist()
        return self.arrays["bearers"][first:last].astype(np.int64)

    def _rank(self, name: int, spelled: str) -> tuple[tuple[str, float], ...]:
        """Rank the bearers of a name, those with this spelling first."""
        rows, bearers, degree = self.rows(name), self.bearers(name, spelled), self.graph.degree
        agreeing = int(degree[bearers].sum()) + len(bearers)
        others = 0.01 if len(bearers) else 1.0
        total = agreeing + others * (int(degree[rows].sum()) + len(rows) - agreeing)
        rest = rows[~np.isin(rows, bearers)]
        ranked: list[tuple[str, float]] = []
        for chosen, factor in ((bearers, 1.0), (rest, others)):
            for row in chosen[: MAX_CANDIDATES - len(ranked)].tolist():
                ranked.append((self.graph.keys[row], factor * (int(degree[row]) + 1) / total))
        return tuple(ranked)

    @cached_property
    def num_bytes(self) -> int:
        """Size of all arrays."""
        return sum(array.nbytes for array in self.arrays.values())


def _names_of_arrays() -> list[str]:
    return [*_OWN, *(f"{part}.{name}" for part, names in _PARTS.items() for name in names)]


def spelling(text: str, start: int, end: int) -> str:
    """Return a stretch of text with one space for each run of white space."""
    return " ".join(text[start:end].split())


def _spelled(name: str) -> str:
    """Return how a name is spelled, from its first token to its last."""
    found = tokens(name)
    return spelling(name, found.starts[0], found.ends[-1])


def build_arrays(graph: KnowledgeGraph) -> dict[str, np.ndarray]:
    """Return the arrays of a graph's dictionary."""
    parts = [*alias_tokens(graph.labels), *alias_tokens(graph.aliases)]
    vocabulary, numbers = build_vocabulary(part.tokens for part in parts)
    common = common_tokens(graph, vocabulary, parts, numbers)
    none = np.empty(0, np.int64)
    counts = np.concatenate([none, *(part.counts for part in parts)])
    del parts
    aliases = np.flatnonzero(counts)
    firsts = np.append(0, np.cumsum(counts[aliases]))
    flat = np.concatenate([none, *numbers])
    del numbers
    trie, ends = build_trie(flat, firsts, len(vocabulary))
    guard = guards((flat, firsts), ends, vocabulary, common)
    label_names = np.zeros(len(graph), np.int32)
    labels = aliases < len(graph)
    label_names[aliases[labels]] = ends[labels]
    arrays: dict[str, np.ndarray] = {"guard": guard, "label_names": label_names}
    for part, whole in (("vocabulary", vocabulary), ("trie", trie)):
        arrays |= {f"{part}.{name}": getattr(whole, name) for name in _PARTS[part]}
    del flat, firsts
    owner = np.repeat(np.arange(len(graph)), np.diff(graph.alias_indptr))
    rows = np.append(np.arange(len(graph)), owner)[aliases]
    return arrays | _bearers(graph, ends, rows, aliases)


def _bearers(
    graph: KnowledgeGraph,
    names: Int64[np.ndarray, "alias"],
    rows: Int64[np.ndarray, "alias"],
    aliases: Int64[np.ndarray, "alias"],
) -> dict[str, np.ndarray]:
    """Return who bears each name, and each spelling of it, heaviest first."""
    num_names = int(names.max(initial=0)) + 1
    degree = graph.degree.astype(np.int64)
    order = order_of(names, degree.max(initial=0) - degree[rows], rows)
    names, rows, aliases = names[order], rows[order], aliases[order]
    new = ~repeats(names, rows)
    arrays = {
        "row_indptr": indptr_of(names[new], num_names),
        "rows": rows[new].astype(np.int32),
    }
    spelled = _spelling_of_each(graph, names, aliases)
    order = np.argsort(spelled, kind="stable")
    spelled, rows, bearing = spelled[order], rows[order], names[order]
    new = ~repeats(spelled, rows)
    spelled, rows, bearing = spelled[new], rows[new], bearing[new]
    begins = np.flatnonzero(~repeats(spelled))
    return arrays | {
        "spelling_indptr": indptr_of(bearing[begins], num_names),
        "spellings": aliases[spelled[begins]].astype(np.int32),
        "bearer_indptr": np.append(begins, len(rows)),
        "bearers": rows.astype(np.int32),
    }


def _spelling_of_each(
    graph: KnowledgeGraph, names: Int64[np.ndarray, "alias"], aliases: Int64[np.ndarray, "alias"]
) -> Int64[np.ndarray, "alias"]:
    """Return for each alias the first one of the same name that is spelled alike.

    Only aliases that share a name are compared, which are few in most graphs.
    """
    first = np.arange(len(names))
    shared = np.zeros(len(names), bool)
    same = names[1:] == names[:-1]
    shared[1:] |= same
    shared[:-1] |= same
    labels, others = graph.labels, graph.aliases
    known: dict[tuple[int, str], int] = {}
    seen: dict[str, str] = {}
    name = 0
    for place in np.flatnonzero(shared).tolist():
        if names[place] != name:
            name = int(names[place])
            known.clear()
            seen.clear()
        alias = int(aliases[place])
        string = labels[alias] if alias < len(labels) else others[alias - len(labels)]
        spelled = seen.get(string) or seen.setdefault(string, _spelled(string))
        first[place] = known.setdefault((name, spelled), place)
    return first
