"""Compiled loops over texts: fold and split, number the tokens, walk the trie of names.

Three passes, so that the searches of one pass do not wait for each other: most of the time goes
into fetching slots of tables that are larger than the caches.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from kgfm.linking.codes import CODE_MASK, JOINER, KIND_SHIFT, MARK, SKIPPED, SYMBOL, WALL, WORD
from kgfm.linking.hashing import FACTOR, HALF
from kgfm.retrieval.kernels import compiled

_FIRST_ROOM = 1 << 12


@compiled
def _word_end(codes, table, place):
    """Return the end of a word token that begins at ``place``."""
    size, end = len(codes), place + 1
    while end < size:
        kind = table[codes[end]] >> KIND_SHIFT
        if kind in (WORD, MARK):
            end += 1
            continue
        if kind not in (JOINER, SKIPPED):
            break
        after = end + 1
        while after < size:
            kind = table[codes[after]] >> KIND_SHIFT
            if kind not in (JOINER, SKIPPED):
                break
            after += 1
        if after == size or kind != WORD:
            break
        end = after + 1
    return end


@compiled
def _symbol_end(codes, table, place):
    """Return the end of a symbol token that begins at ``place``."""
    size, end = len(codes), place + 1
    while end < size:
        kind = table[codes[end]] >> KIND_SHIFT
        if kind == MARK:
            end += 1
        elif kind == JOINER and end + 1 < size and (table[codes[end + 1]] >> KIND_SHIFT) == SYMBOL:
            end += 2
        else:
            break
    return end


@compiled
def _slot(table, key, slots):
    """Return where a key stands in a table, or the free slot where the search ends."""
    slot = np.int64(((key * FACTOR) >> HALF) * np.uint64(slots) >> HALF)
    while table[slot, 1] != 0 and table[slot, 0] != key:
        slot += 1
    return slot


@compiled
def split(codes, table, factors, starts, ends, hashed):
    """Fill the tokens' starts, ends and hashes; return how many, or -1 for a gap in ``table``.

    A hash is 0 where a key is longer than any of the names', or is the barrier.
    """
    count, place, size = 0, 0, len(codes)
    while place < size:
        value = table[codes[place]]
        kind = value >> KIND_SHIFT
        if kind == WORD:
            # Plain words are most of a text: no look ahead while letter follows letter.
            end, length = place + 1, 1
            total = np.uint64(0)
            if len(factors) > 0:
                total = np.uint64(value & CODE_MASK) * factors[0]
            while end < size:
                value = table[codes[end]]
                if value >> KIND_SHIFT != WORD:
                    break
                if length < len(factors):
                    total += np.uint64(value & CODE_MASK) * factors[length]
                length += 1
                end += 1
            kind = np.uint32(0)
            if end < size:
                kind = table[codes[end]] >> KIND_SHIFT
            if kind in (MARK, JOINER, SKIPPED):
                end = _word_end(codes, table, place)
                total, length = _hash(codes, table, factors, place, end)
        elif kind == SYMBOL:
            end = _symbol_end(codes, table, place)
            total, length = _hash(codes, table, factors, place, end)
        elif kind == WALL:
            end, length, total = place + 1, 1, np.uint64(0)
        elif kind == 0:
            return -1
        else:
            place += 1
            continue
        starts[count], ends[count] = place, end
        hashed[count] = total if length <= len(factors) else np.uint64(0)
        count += 1
        place = end
    return count


@compiled
def _hash(codes, table, factors, place, end):
    """Return the hash of the key of a token, and the key's length."""
    total, length = np.uint64(0), 0
    for at in range(place, end):
        value = table[codes[at]]
        kind = value >> KIND_SHIFT
        if kind in (WORD, SYMBOL):
            if length < len(factors):
                total += np.uint64(value & CODE_MASK) * factors[length]
            length += 1
    return total, length


@compiled
def _is_key(codes, table, place, end, keys, first, stop):
    """Say whether the token at ``place`` has this key."""
    for at in range(place, end):
        value = table[codes[at]]
        kind = value >> KIND_SHIFT
        if kind in (WORD, SYMBOL):
            if first == stop or keys[first] != value & CODE_MASK:
                return False
            first += 1
    return first == stop


@compiled
def number(words, count, hashed, numbers):
    """Fill the tokens' numbers in the vocabulary by their hashes alone, -1 for the unknown."""
    entries, size = words[1], len(words[2]) - 1
    slots = size + size // 2 + 1
    for token in range(count):
        numbers[token] = -1
        if hashed[token] != 0:
            numbers[token] = np.int64(entries[_slot(entries, hashed[token], slots), 1]) - 1


@compiled
def _are_keys(first, last, codes, table, words, tokens):
    """Say whether tokens ``first .. last`` have the keys that their hashes promise.

    Only tokens of a name that was found are compared, and each at most once: ``hashed`` is 0 from
    then on. One that is not what it seemed becomes unknown.
    """
    starts, ends, hashed, numbers = tokens
    firsts, keys = words[2], words[3]
    for token in range(first, last + 1):
        word = numbers[token]
        if word < 0:
            return False
        if hashed[token] != 0:
            hashed[token] = 0
            if not _is_key(
                codes, table, starts[token], ends[token], keys, firsts[word], firsts[word + 1]
            ):
                numbers[token] = -1
                return False
    return True


@compiled
def _room(found, size):
    """Return ``found`` with place for one more."""
    if size < found.shape[1]:
        return found
    larger = np.empty((3, 2 * size), found.dtype)
    larger[:, :size] = found
    return larger


@compiled
def _passes(blocks, shift, key):
    """Say whether the filter lets a step through: all that there are, and few others."""
    bit = (key * FACTOR) >> shift
    return (blocks[bit >> np.uint64(6)] >> (bit & np.uint64(63))) & np.uint64(1) != 0


@compiled
def _shift(blocks):
    """Return by how much a hash is shifted for its place in the filter."""
    shift, bits = 58, 64 * len(blocks)
    while bits > 64:
        shift, bits = shift - 1, bits // 2
    return np.uint64(shift)


@compiled
def _promising(count, numbers, names, promising):
    """Mark the tokens at which a name may begin: no branches, so that the fetches overlap."""
    roots, blocks, num_names = names[0], names[1], names[3][0]
    shift = _shift(blocks)
    for first in range(count):
        word, after = numbers[first], numbers[min(first + 1, count - 1)]
        leads = np.int64(roots[max(word, 0)])
        node = leads >> 1
        key = np.uint64(node) << HALF | np.uint64(max(after, 0))
        goes_on = (leads & 1 != 0) & (after >= 0) & _passes(blocks, shift, key)
        is_name = (node > 0) & (node <= num_names)
        promising[first] = (word >= 0) & (is_name | goes_on)


@compiled
def _walk(count, codes, table, words, names, tokens, longest):
    """Return (first token, last token, name) of the matches."""
    roots, blocks, entries, sizes = names
    num_names, num_steps = sizes[0], sizes[1]
    slots, shift = num_steps + num_steps // 2 + 1, _shift(blocks)
    numbers = tokens[3]
    found, size = np.empty((3, _FIRST_ROOM), np.int64), 0
    promising = np.empty(count, np.bool_)
    if len(roots) > 0:
        _promising(count, numbers, names, promising)
    first = 0
    while first < count and len(roots) > 0:
        if not promising[first] or numbers[first] < 0:
            first += 1
            continue
        last, leads, after = first, np.int64(roots[numbers[first]]), first + 1
        best = np.int64(0)
        while leads != 0:
            node = leads >> 1
            if node <= num_names:
                if not _are_keys(first, last, codes, table, words, tokens):
                    break
                if longest:
                    best, after = node, last + 1
                else:
                    found = _room(found, size)
                    found[0, size], found[1, size], found[2, size] = first, last, node
                    size += 1
            last += 1
            if leads & 1 == 0 or last == count or numbers[last] < 0:
                break
            key = np.uint64(node) << HALF | np.uint64(numbers[last])
            if not _passes(blocks, shift, key):
                break
            leads = np.int64(entries[_slot(entries, key, slots), 1])
        if best > 0:
            found = _room(found, size)
            found[0, size], found[1, size], found[2, size] = first, after - 1, best
            size += 1
        first = after
    return found[:, :size]


@compiled
def scan(codes, bounds, table, words, names, longest):
    """Return texts, starts, ends and names of the matches, or ``None`` for a gap in ``table``.

    ``bounds`` are where the texts begin; starts and ends are counted from there.
    """
    size = len(codes)
    starts, ends = np.empty(size, np.int32), np.empty(size, np.int32)
    hashed, numbers = np.empty(size, np.uint64), np.empty(size, np.int32)
    count = split(codes, table, words[0], starts, ends, hashed)
    if count < 0:
        return None
    number(words, count, hashed, numbers)
    tokens = starts, ends, hashed, numbers
    found = _walk(count, codes, table, words, names, tokens, longest)
    texts, text = np.empty(found.shape[1], np.int64), 0
    for match in range(found.shape[1]):
        start, end = starts[found[0, match]], ends[found[1, match]]
        while text + 1 < len(bounds) and bounds[text + 1] <= start:
            text += 1
        texts[match] = text
        found[0, match], found[1, match] = start - bounds[text], end - bounds[text]
    return texts, found[0], found[1], found[2]
