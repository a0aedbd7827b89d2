"""Compiled loops over a text in UTF-8: fold and split, hash the tokens, number them.

Most of most texts is ASCII, of which 64 bytes are sorted at a time; what touches anything else
is read code point by code point. Capitals of ASCII are lowered in place. A text ends with a
barrier, :data:`WALL_BYTE`, and :data:`PADDING` bytes of white space follow the last.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import numpy as np

from kgfm.linking.codes import (
    BARRIER,
    CODE_MASK,
    HANGUL,
    JOINER,
    JOINS,
    KIND_SHIFT,
    MARK,
    SKIPPED,
    SYMBOL,
    WALL,
    WALL_BYTE,
    WORD,
)
from kgfm.linking.fold import RUN_START
from kgfm.linking.intrinsics import byte_kinds, eight_bytes, lowest_bit
from kgfm.linking.vocabulary import INEXACT, SHORT
from kgfm.retrieval.kernels import compiled

_ALL = np.uint64(2**64 - 1)
_ONE = np.uint64(1)


@compiled
def code_at(text, place):
    """Return the code point at a place of a text, and where the next one begins."""
    first = np.uint32(text[place])
    if first < 0x80:
        return first, place + 1
    if first == WALL_BYTE:
        return np.uint32(BARRIER), place + 1
    if first < 0xE0:
        size, code = 2, first & np.uint32(0x1F)
    elif first < 0xF0:
        size, code = 3, first & np.uint32(0x0F)
    else:
        size, code = 4, first & np.uint32(0x07)
    for at in range(place + 1, place + size):
        code = code << np.uint32(6) | np.uint32(text[at]) & np.uint32(0x3F)
    return code, place + size


@compiled
def _goes_on(kind, last, gap):
    """Say whether a code point may be in a token: 2 in its key, 1 in it, 0 behind it, -1 unknown.

    ``last`` is the kind of the last one in the key, ``gap`` the kind of what lies between; it is 0
    at first.
    """
    if kind == MARK:
        return 1 if gap == 0 else 0
    if last == WORD:
        if kind == WORD:
            return 2
        return -1 if kind in (JOINER, SKIPPED) else 0
    if last == SYMBOL:
        if kind == SYMBOL:
            return 2 if gap == JOINER else 0
        if kind == JOINER:
            return -1 if gap == 0 else 0
    return 2 if gap == 0 and JOINS[last] >> np.int64(kind) & 1 else 0


@compiled
def _letters(folded, several):
    """Return how many letters a folded code stands for."""
    return np.int64(several[folded - BARRIER, 0]) if folded > BARRIER else 1


@compiled
def _letter(folded, several, number):
    """Return one of the letters that a folded code stands for."""
    return several[folded - BARRIER, number + 1] if folded > BARRIER else folded


@compiled
def _read_token(text, tables, factors, place, goes_on):
    """Return the end, the number of code points, the hash and the kind of the token at a place.

    ``goes_on`` says whether a Korean word goes on there.
    """
    table, several = tables
    code, ahead = code_at(text, place)
    value = table[code]
    begun, gap = value >> KIND_SHIFT, np.uint32(0)
    last = begun
    shift = np.uint64(RUN_START) if begun == HANGUL and not goes_on else np.uint64(0)
    end, points, read = ahead, 1, 1
    length, total, packed, seen = 0, np.uint64(0), np.uint64(0), np.uint64(0)
    step = 2
    while step != 0:
        if step == 2:
            whole = np.int64(value & CODE_MASK)
            for number in range(_letters(whole, several)):
                folded = np.uint64(_letter(whole, several, number)) + shift
                shift = np.uint64(0)
                if length < len(factors):
                    total += folded * factors[length]
                packed |= folded << np.uint64(8 * min(length, SHORT - 1))
                seen |= folded
                length += 1
            last = value >> KIND_SHIFT
        if step > 0:
            end, points, gap = ahead, read, np.uint32(0)
        code, ahead = code_at(text, ahead)
        read += 1
        value = table[code]
        kind = value >> KIND_SHIFT
        step = _goes_on(kind, last, gap)
        if step < 0:
            gap = kind
    if length > len(factors):
        return end, points, np.uint64(0), begun
    if seen < 128 and length <= SHORT:
        return end, points, packed, begun
    return end, points, total | INEXACT, begun


@compiled
def _hash_plain(text, factors, place, length):
    """Return the hash of a token that is all ASCII."""
    if length <= SHORT:
        return eight_bytes(text, place) & (_ALL >> np.uint64(64 - 8 * length))
    if length > len(factors):
        return np.uint64(0)
    total = np.uint64(0)
    for step in range(length):
        total += np.uint64(text[place + step]) * factors[step]
    return total | INEXACT


@compiled
def _split_plain(text, place, factors, extra, count, tokens):
    """Add the tokens that end within the ASCII from a place on.

    Return how many tokens there are then, where to go on, and whether something stands there that
    has to be read code point by code point.
    """
    places, starts, ends, hashed = tokens
    words, symbols, odd = byte_kinds(text, place)
    below = ~odd & (odd - _ONE)
    words &= below
    symbols &= below
    begins = words & ~(words << _ONE) | symbols
    stops = (words << _ONE & ~words | symbols << _ONE) & below
    while stops != 0:
        first, end = np.int64(lowest_bit(begins)), np.int64(lowest_bit(stops))
        begins &= begins - _ONE
        stops &= stops - _ONE
        places[count] = place + first
        starts[count], ends[count] = place + first - extra, place + end - extra
        hashed[count] = _hash_plain(text, factors, place + first, end - first)
        count += 1
    after = np.int64(lowest_bit(odd if begins == 0 else begins))
    return count, place + after, odd != 0 or after == 0


@compiled
def _lower(text, size):
    """Make small letters of the capitals of ASCII."""
    for place in range(size):
        byte = text[place]
        text[place] = byte + 32 * (65 <= byte <= 90)


@compiled
def split(text, size, tables, factors, tokens):
    """Fill the tokens' places in the text, starts, ends and hashes; starts count code points.

    Return how many tokens there are, or -1 for a gap in the table. Where a key is longer than any
    of the names', or is the barrier, the hash is that of no name.
    """
    places, starts, ends, hashed = tokens
    table = tables[0]
    _lower(text, size)
    count, place, extra = 0, 0, 0  # extra: so many bytes more than code points
    korean = -1  # the end of a syllable
    while place < size:
        count, place, is_odd = _split_plain(text, place, factors, extra, count, tokens)
        if not is_odd:
            continue
        code, end = code_at(text, place)
        kind, points, hash_ = table[code] >> KIND_SHIFT, 1, np.uint64(0)
        if kind == 0:
            return -1
        if kind in (WORD, SYMBOL) or kind > WALL:
            end, points, hash_, kind = _read_token(text, tables, factors, place, place == korean)
            korean = end if kind == HANGUL else -1
        if kind in (WORD, SYMBOL, WALL) or kind > WALL:
            places[count], hashed[count] = place, hash_
            starts[count], ends[count] = place - extra, place - extra + points
            count += 1
        extra += end - place - points
        place = end
    return count


@compiled
def is_key(text, tables, place, points, keys, first, stop):
    """Say whether the token at a place, of so many code points, has this key.

    That a Korean word begins there is not looked at again.
    """
    table, several = tables
    begins = first
    for _ in range(points):
        code, place = code_at(text, place)
        value = table[code]
        kind = value >> KIND_SHIFT
        if kind in (WORD, SYMBOL) or kind > WALL:
            whole = np.int64(value & CODE_MASK)
            for number in range(_letters(whole, several)):
                folded = _letter(whole, several, number)
                if first == stop:
                    return False
                if keys[first] != folded and (first > begins or keys[first] != folded + RUN_START):
                    return False
                first += 1
    return first == stop
