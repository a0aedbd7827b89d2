"""Compiled loops over texts: number the tokens, walk the trie of names.

Each pass does one step for all tokens at a time, and those that wait for memory have no branches:
so the searches of a pass overlap, in tables that are larger than the caches.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from kgfm.linking.hashing import FACTOR, HALF, NEAR
from kgfm.linking.intrinsics import fetch_ahead, near_value
from kgfm.linking.token_kernels import is_key, split
from kgfm.linking.vocabulary import INEXACT
from kgfm.linking.whole_kernels import part_matches
from kgfm.retrieval.kernels import compiled

AHEAD = 16
"""So many searches before its own a slot of the trie is asked for."""

ONWARD, NAMED = 1, 2
"""What a token may be: the first of a longer name, and a name."""

_ONE, _LOW = np.uint64(1), np.uint64(63)


def space_for(size: int) -> tuple[np.ndarray, ...]:
    """Return arrays for the tokens of texts of so many bytes, to be used again and again."""
    size += AHEAD + 1
    numbers = [np.empty(size, np.int32) for _ in range(6)]
    slots = np.zeros(size, np.int64)
    return *numbers, np.empty(size, np.uint64), np.empty(size, np.uint8), slots


@compiled
def _key(node, token):
    """Return the key of a step in the trie."""
    return np.uint64(node) << HALF | np.uint64(np.int64(token) & 0xFFFFFFFF)


@compiled
def _home(key, slots):
    """Return the slot where a key would like to stand."""
    return np.int64(((key * FACTOR) >> HALF) * np.uint64(slots) >> HALF)


@compiled
def _value(table, key, slot):
    """Return the value of a key whose search begins at a slot, 0 where there is none."""
    found = near_value(table, slot, key)
    if found == 0:
        slot += NEAR - 1
        while table[slot, 1] != 0 and table[slot, 0] != key:
            slot += 1
        found = table[slot, 1]
    return np.int64(found)


@compiled
def _number(count, words, hashed, numbers):
    """Fill the tokens' numbers in the vocabulary by their hashes alone, -1 for the unknown."""
    table, size = words[1], len(words[2]) - 1
    slots = size + size // 2 + 1
    hashed[count : count + AHEAD] = 0
    for token in range(count):
        fetch_ahead(table, _home(hashed[token + AHEAD], slots))
        key = hashed[token]
        numbers[token] = _value(table, key, _home(key, slots)) - 1


@compiled
def _shift(blocks):
    """Return by how much a hash is shifted for its place in the filter."""
    shift, bits = 58, 64 * len(blocks)
    while bits > 64:
        shift, bits = shift - 1, bits // 2
    return np.uint64(shift)


@compiled
def _bit(node, after, shift):
    """Return the place of a step in the filter."""
    return _key(node, after) * FACTOR >> shift


@compiled
def _kind(leads, after, num_names, blocks, shift):
    """Return what a step leads to, without a branch, ``after`` being the token that follows.

    The filter lets all steps through that there are, and few others.
    """
    node = leads >> 1
    bit = _bit(node, after, shift)
    passes = np.int64(blocks[bit >> np.uint64(6)] >> (bit & _LOW))
    is_name = (-node & (node - num_names - 1)) >> 63
    return passes & leads & ~(np.int64(after) >> 63) & ONWARD | is_name & NAMED


@compiled
def _first_kinds(count, numbers, names, kinds):
    """Fill what each token may be the first of."""
    roots, blocks, num_names = names[0], names[1], names[3][0]
    shift = _shift(blocks)
    numbers[count : count + AHEAD + 1] = -1
    for first in range(count):
        word = np.int64(numbers[first + AHEAD])
        bit = _bit(roots[max(word, 0)] >> 1, numbers[first + AHEAD + 1], shift)
        fetch_ahead(blocks, np.int64(bit >> np.uint64(6)))
        word = np.int64(numbers[first])
        leads = np.int64(roots[max(word, 0)]) & ~(word >> 63)
        kinds[first] = _kind(leads, numbers[first + 1], num_names, blocks, shift)


@compiled
def _room(found, size):
    """Return ``found`` with place for so many."""
    if size <= found.shape[1]:
        return found
    larger = np.empty((3, 2 * size), found.dtype)
    larger[:, : found.shape[1]] = found
    return larger


@compiled
def _walk(count, names, numbers, space):
    """Return (first token, last token, name) of the matches, the shortest first."""
    roots, blocks, entries, sizes = names
    firsts, nodes, kinds, slots = space
    num_names, shift = sizes[0], _shift(blocks)
    num_slots = sizes[1] + sizes[1] // 2 + 1
    found, size, active = np.empty((3, count), np.int32), 0, 0
    _first_kinds(count, numbers, names, kinds)
    for first in range(count):
        kind, node = kinds[first], roots[max(numbers[first], 0)] >> 1
        found[0, size], found[1, size], found[2, size] = first, first, node
        firsts[active], nodes[active] = first, node
        size, active = size + (kind >> 1), active + (kind & 1)
    depth = 1
    while active > 0:
        found = _room(found, size + active)
        for place in range(active):
            key = _key(nodes[place], numbers[firsts[place] + depth])
            slots[place] = _home(key, num_slots)
        waiting, active = active, 0
        for place in range(waiting):
            fetch_ahead(entries, slots[place + AHEAD])
            first = firsts[place]
            last = first + depth
            key = _key(nodes[place], numbers[last])
            leads = _value(entries, key, slots[place])
            kind, node = _kind(leads, numbers[last + 1], num_names, blocks, shift), leads >> 1
            found[0, size], found[1, size], found[2, size] = first, last, node
            firsts[active], nodes[active] = first, node
            size, active = size + (kind >> 1), active + (kind & 1)
        depth += 1
    return found[:, :size]


@compiled
def _in_order(count, firsts):
    """Return the matches by the tokens where they begin."""
    ends = np.zeros(count + 1, np.int32)
    for match in range(len(firsts)):
        ends[firsts[match] + 1] += 1
    for token in range(count):
        ends[token + 1] += ends[token]
    order = np.empty(len(firsts), np.int32)
    for match in range(len(firsts)):
        order[ends[firsts[match]]] = match
        ends[firsts[match]] += 1
    return order


@compiled
def _doubtful(found, hashed, doubtful):
    """Fill the tokens of matches whose hash is no key itself, each once; return how many."""
    size = 0
    for match in range(found.shape[1]):
        for token in range(found[0, match], found[1, match] + 1):
            doubtful[size] = token
            size += int(hashed[token] >> _LOW)
            hashed[token] &= ~INEXACT
    return size


@compiled
def _num_wrong(found, text, tables, words, tokens, doubtful):
    """Make unknown what has not the key that its hash promises; return how many those are."""
    places, starts, ends, hashed, numbers = tokens
    firsts, keys = words[2], words[3]
    size, wrong = _doubtful(found, hashed, doubtful), 0
    for place in range(size):
        fetch_ahead(firsts, np.int64(numbers[doubtful[min(place + 2 * AHEAD, size - 1)]]))
        fetch_ahead(keys, firsts[numbers[doubtful[min(place + AHEAD, size - 1)]]])
        token = doubtful[place]
        word, points = numbers[token], ends[token] - starts[token]
        if not is_key(text, tables, places[token], points, keys, firsts[word], firsts[word + 1]):
            numbers[token] = -1
            wrong += 1
    return wrong


@compiled
def _are_known(first, last, numbers):
    """Say whether tokens ``first .. last`` are all known."""
    return numbers[first : last + 1].min() >= 0


@compiled
def find(text, size, tables, words, names, space):
    """Return all (first token, last token, name), and what is wrong with them.

    That is how many tokens are unknown, or -1 for a gap in the tables; which matches are a part of
    something more; and the places of others that may be.
    """
    places, starts, ends, numbers, firsts, nodes, hashed, kinds, slots = space
    nothing = np.empty((3, 0), np.int32)
    count = split(text, size, tables, words[0], (places, starts, ends, hashed))
    if count < 0 or len(names[0]) == 0:
        return nothing, min(count, 0), np.empty(0, np.bool_), nothing[0]
    _number(count, words, hashed, numbers)
    found = _walk(count, names, numbers, (firsts, nodes, kinds, slots))
    tokens = places, starts, ends, hashed, numbers
    wrong = _num_wrong(found, text, tables, words, tokens, firsts)
    doubtful = np.empty(found.shape[1], np.int32)
    parts, num_doubtful = part_matches(found, text, tables, (places, starts, ends), doubtful)
    return found, wrong, parts, doubtful[:num_doubtful]


@compiled
def chosen(found, wrong, parts, bounds, longest, tokens):
    """Return texts, starts, ends and names of the matches that stay.

    ``bounds`` are where the texts begin; starts and ends are counted from there. ``parts`` says
    which matches are a part of something more.
    """
    starts, ends, numbers = tokens
    matches, size = np.empty((4, found.shape[1]), np.int32), 0
    at, begun, free = 0, -1, 0
    count = found[0].max() + 1 if found.shape[1] else 0
    for match in _in_order(count, found[0]):
        first, last, name = found[0, match], found[1, match], found[2, match]
        if longest and first != begun and first < free:
            continue
        if wrong and not _are_known(first, last, numbers):
            continue
        if parts[match]:
            continue
        if longest and first == begun:
            size -= 1
        begun, free = first, last + 1
        start, end = starts[first], ends[last]
        while at + 1 < len(bounds) and bounds[at + 1] <= start:
            at += 1
        matches[0, size], matches[1, size] = at, start - bounds[at]
        matches[2, size], matches[3, size] = end - bounds[at], name
        size += 1
    return matches[:, :size]
