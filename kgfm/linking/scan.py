"""All names in texts: with numpy at first, compiled once there has been enough to read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt32

from kgfm.linking.codes import FOLD_TABLE, code_points, token_arrays, utf8
from kgfm.linking.doubtful import doubtful_mask
from kgfm.linking.trie import Trie
from kgfm.linking.vocabulary import Vocabulary
from kgfm.linking.wholes import parts_among

_CHUNK, _GROWTH = 1 << 17, 8
_CALL, _ENOUGH = 2_000, 4_000_000
_KERNELS = "kgfm.linking.kernels"


@dataclass(frozen=True, slots=True)
class Matches:
    """Names found in texts, in the order of the texts and of where they begin.

    Args:
        texts: Which text.
        starts: First code point there.
        ends: One past the last.
        names: Which name.
    """

    texts: Int32[np.ndarray, "match"]
    starts: Int32[np.ndarray, "match"]
    ends: Int32[np.ndarray, "match"]
    names: Int32[np.ndarray, "match"]

    def __len__(self) -> int:
        return len(self.names)


Found = tuple[np.ndarray, np.ndarray, np.ndarray]
Columns = Int32[np.ndarray, "4 match"]
Parts = Iterator[tuple[int, int, Columns]]


class Scanner:
    """Finds the names of a trie in texts.

    Loading compiled code takes about half a second, which a few short texts would not earn back.
    So numpy reads the first ones, and what it costs is counted; both give the same matches.

    Args:
        vocabulary: The tokens of the names.
        trie: The names.
        compiled: True or False settles which code reads; ``None`` lets the work decide.
    """

    def __init__(self, vocabulary: Vocabulary, trie: Trie, *, compiled: bool | None = None) -> None:
        self.vocabulary = vocabulary
        self.trie = trie
        self.compiled = compiled
        self._work = 0

    def scan(self, texts: Sequence[str], *, longest: bool = True) -> Matches:
        """Return the names in texts.

        Args:
            texts: Where to look.
            longest: From left to right the longest name, and none that overlaps it. Otherwise
                every name at every token, by where it begins and then by length.
        """
        find = self._compiled if self._is_compiled(texts) else self._vectorised
        return Matches(*_joined(find(texts, longest), len(texts)))

    def _is_compiled(self, texts: Sequence[str]) -> bool:
        if self.compiled is None and _KERNELS not in sys.modules:
            self._work += sum(map(len, texts)) + _CALL
            return self._work > _ENOUGH
        return self.compiled is not False

    def _vectorised(self, texts: Sequence[str], longest: bool) -> Parts:
        for first, after, bounds in _chunks(texts):
            codes = code_points(texts[first:after])
            given = texts[first:after], bounds
            starts, ends, names = scan_arrays(codes, given, self.vocabulary, self.trie, longest)
            text = np.searchsorted(bounds, starts, "right") - 1
            columns = [text, starts - bounds[text], ends - bounds[text], names]
            yield first, after, np.array(columns, np.int32)

    def _compiled(self, texts: Sequence[str], longest: bool) -> Parts:
        from kgfm.linking.kernels import chosen, find, space_for

        room = 0
        for first, after, bounds in _chunks(texts):
            chunk = texts[first:after]
            text, size = utf8(chunk)
            if size > room:
                room, space = size, space_for(size)
            arrays = *self._arrays, space
            found, wrong, parts, doubtful = find(text, size, FOLD_TABLE.tables, *arrays)
            if wrong < 0:  # a code point that nobody met before
                FOLD_TABLE.cover(code_points(chunk))
                found, wrong, parts, doubtful = find(text, size, FOLD_TABLE.tables, *arrays)
            if len(doubtful):
                spans = space[1][found[0, doubtful]], space[2][found[1, doubtful]]
                parts[doubtful] = _parts(chunk, bounds, *(s.astype(np.int64) for s in spans))
            yield first, after, chosen(found, wrong, parts, bounds, longest, space[1:4])

    @cached_property
    def _arrays(self) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        words, names = self.vocabulary, self.trie
        return (
            (words.factors, words.table, words.firsts, words.keys),
            (names.roots, names.filter, names.table, names.sizes),
        )


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, int, Int64[np.ndarray, "text"]]]:
    """Cut a list of texts into parts that fit into a cache, each from a text to before another.

    The third value is where each text of a part begins among the code points of them all.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
    ends = np.cumsum(lengths)
    first = 0
    while first < len(texts):
        begun = int(ends[first] - lengths[first])
        after = max(int(ends.searchsorted(begun + _CHUNK + 1, "right")), first + 1)
        yield first, after, ends[first:after] - lengths[first:after] - begun
        first = after


def _joined(parts: Parts, num_texts: int) -> Columns:
    """Return the matches of all parts; memory that is touched first costs more than the search."""
    whole, size = np.empty((4, 0), np.int32), 0
    for first, after, part in parts:
        part[0] += first
        if first == 0 and after == num_texts:
            return part
        needed = size + part.shape[1]
        if needed > whole.shape[1]:
            likely = needed * 9 // 8 * num_texts // after
            larger = np.empty((4, min(likely, _GROWTH * needed) + _CHUNK), np.int32)
            larger[:, :size] = whole[:, :size]
            whole = larger
        whole[:, size:needed] = part
        size = needed
    return whole[:, :size]


def _parts(
    texts: Sequence[str],
    bounds: Int64[np.ndarray, "text"],
    starts: Int64[np.ndarray, "match"],
    ends: Int64[np.ndarray, "match"],
) -> Bool[np.ndarray, "match"]:
    """Say which matches among texts that lie one after the other are a part of something more."""
    if not len(starts):
        return np.empty(0, bool)
    order = np.argsort(starts, kind="stable")
    text = bounds.searchsorted(starts[order], "right") - 1
    rows = zip(text.tolist(), starts[order].tolist(), ends[order].tolist(), strict=True)
    found = np.zeros(len(order), bool)
    found[order] = parts_among(
        texts, [(row, s - int(bounds[row]), e - int(bounds[row])) for row, s, e in rows]
    )
    return found


def scan_arrays(
    codes: UInt32[np.ndarray, "code"],
    given: tuple[Sequence[str], Int64[np.ndarray, "text"]],
    vocabulary: Vocabulary,
    trie: Trie,
    longest: bool,
) -> Found:
    """Return starts, ends and names of the matches: one step for all tokens at a time.

    ``given`` are the texts, and where each begins among the code points.
    """
    tokens = token_arrays(codes)
    numbers = vocabulary.numbers(tokens)
    first = np.flatnonzero(numbers >= 0)
    leads = trie.roots[numbers[first]].astype(np.int64)
    parts: list[Found] = []
    depth = 0
    while True:
        nodes = leads >> 1
        named = (nodes > 0) & (nodes <= trie.num_names)
        parts.append((first[named], first[named] + depth, nodes[named]))
        on = ((leads & 1) == 1) & (first + depth + 1 < len(numbers))
        depth += 1
        first, nodes = first[on], nodes[on]
        known = numbers[first + depth] >= 0
        first, nodes = first[known], nodes[known]
        if not len(first):
            break
        leads = trie.steps(nodes, numbers[first + depth])
    begin, last, names = map(np.concatenate, zip(*parts, strict=True))
    order = np.lexsort((last, begin))
    begin, last, names = begin[order], last[order], names[order]
    doubtful = np.flatnonzero(doubtful_mask(codes, tokens, begin, last))
    if len(doubtful):
        spans = tokens.starts[begin[doubtful]], tokens.ends[last[doubtful]]
        kept = np.ones(len(begin), bool)
        kept[doubtful] = ~_parts(*given, *spans)
        begin, last, names = begin[kept], last[kept], names[kept]
    if longest:
        kept = _leftmost_longest(begin, last)
        begin, last, names = begin[kept], last[kept], names[kept]
    return tokens.starts[begin], tokens.ends[last], names


def _leftmost_longest(
    begin: Int64[np.ndarray, "match"], last: Int64[np.ndarray, "match"]
) -> Int64[np.ndarray, "kept"]:
    """Return which matches stay: from left to right the longest, then on behind it."""
    longest = np.flatnonzero(np.append(begin[1:] != begin[:-1], True)) if len(begin) else begin
    kept, free = [], 0
    for row, start, end in zip(
        longest.tolist(), begin[longest].tolist(), last[longest].tolist(), strict=True
    ):
        if start >= free:
            kept.append(row)
            free = end + 1
    return np.array(kept, np.int64)
