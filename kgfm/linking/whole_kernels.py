"""Compiled: which matches have to be looked at for being a part of something more.

Most names stand between white space and punctuation, and two bytes tell so. All that
:class:`kgfm.linking.wholes.Wholes` says is a part is among the doubtful, and little else.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls
# numba compares numbers one by one sooner than it looks into a tuple.
# ruff: noqa: SIM109

from __future__ import annotations

import numpy as np

from kgfm.linking.codes import (
    CODE_MASK,
    FLAG,
    HANGUL,
    KIND_SHIFT,
    WALL,
    WALL_BYTE,
)
from kgfm.linking.token_kernels import code_at
from kgfm.retrieval.kernels import compiled

_DOT, _COMMA, _COLON, _APOSTROPHE = 46, 44, 58, 39
_SHARP, _PLUS = 35, 43
_QUOTE, _LESS, _MORE = 34, 60, 62
_SLASH, _BACKSLASH, _AT, _HYPHEN, _AND, _STAR = 47, 92, 64, 45, 38, 42
# Of a byte: 0 white space or the end of a text, 1 a sign that says nothing next to one, 3 others.
_OPENS = np.full(256, 3, np.uint8)
_OPENS[[*b"!\"$%&'(),-.:;<=>?[]^`{|}~"]] = 1
_OPENS[[9, 10, 11, 12, 13, 28, 29, 30, 31, 32, WALL_BYTE]] = 0
_BETWEEN_DIGITS, _JOINT, _ODD_SIGN, _OTHER, _SIGN_BEHIND = 1, 2, 4, 16, 64
_SIGNS = np.zeros(256, np.uint8)
for _bit, _bytes in (
    (_BETWEEN_DIGITS, b".,:'"),
    (_JOINT, b"'-&+.*"),
    (_SIGN_BEHIND, b"#+*"),
    (_ODD_SIGN, b"/\\@."),
    (_OTHER, bytes(range(0x80, WALL_BYTE))),
):
    _SIGNS[[*_bytes]] |= _bit
_NEAR = 32  # bytes
_HARMLESS, _ODD, _DOUBTFUL, _PART = range(4)


@compiled
def _is_space(byte):
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31


@compiled
def _may_be_digit(byte):
    return 48 <= byte <= 57 or byte >= 0x80


@compiled
def _may_be_letter(byte):
    return 97 <= byte <= 122 or byte >= 0x80


@compiled
def _is_plain_word(byte):
    """Say whether a byte is a letter or digit of ASCII."""
    return 97 <= byte <= 122 or 48 <= byte <= 57


@compiled
def _may_be_word(byte):
    return _is_plain_word(byte) or byte >= 0x80


@compiled
def _is_odd(text, tokens, token):
    """Say whether a token is of the kind by which addresses are known.

    That is a full stop within a run, an at, and a slash that does not just stand between two words.
    """
    places, starts, ends = tokens
    byte = text[places[token]]
    if byte == _AT:
        return True
    is_slash = byte == _SLASH or byte == _BACKSLASH
    if byte != _DOT and not is_slash:
        return False
    after = text[places[token + 1]] if starts[token + 1] == ends[token] else np.uint8(32)
    if byte == _DOT:
        return after != WALL_BYTE and _may_be_word(after)
    if after == _SLASH or after == _BACKSLASH or token == 0:
        return True
    touches = starts[token] == ends[token - 1]
    return not (touches and _may_be_word(text[places[token] - 1]))


@compiled
def _has_odd(text, tokens, first, run):
    """Say whether the tokens around one, with no space between, have such a token; kept in run."""
    places, starts, ends = tokens
    if run[0] <= first < run[1]:
        return run[2] != 0
    begin, after, odd = first, first, 0
    while begin > 0 and ends[begin - 1] == starts[begin] and text[places[begin - 1]] != WALL_BYTE:
        begin -= 1
        odd |= _is_odd(text, tokens, begin)
    while text[places[after]] != WALL_BYTE:
        odd |= _is_odd(text, tokens, after)
        after += 1
        if starts[after] != ends[after - 1]:
            break
    run[0], run[1], run[2] = begin, max(after, first + 1), odd
    return odd != 0


@compiled
def _beside(text, tables, place):
    """Return the kind and the folded code of what stands at a place."""
    byte = text[place]
    if byte < 0x80:
        return np.uint32(0), np.uint32(byte)
    if byte == WALL_BYTE:
        return np.uint32(WALL), np.uint32(_QUOTE)
    value = tables[0][code_at(text, place)[0]]
    return value >> KIND_SHIFT, value & CODE_MASK


@compiled
def _kind_at(text, tables, place, byte):
    """Return the kind of the code point at a place, 0 for ASCII."""
    if byte < 0x80:
        return np.uint32(0)
    return tables[0][code_at(text, place)[0]] >> KIND_SHIFT


@compiled
def _one_side(beside, own, inner, outer, is_behind):
    """Say what a token beside a match is: part of a whole with it, doubtful, odd, or harmless.

    Args:
        beside: Its kind, and its first folded code.
        own: The kind of the match's token there; whether it is the only one, and may be a letter.
        inner: The byte of the match beside it.
        outer: The byte beyond it, a space if none touches it.
        is_behind: Whether it is behind the match, and not before it.
    """
    kind, code = beside
    is_ascii = inner < 0x80
    if kind > WALL:
        is_letter = own[0] == FLAG or (own[1] and own[0] > WALL)
        return _DOUBTFUL if is_letter or (is_behind and kind == HANGUL) else _ODD
    if code == _QUOTE or code == _LESS or code == _MORE:
        return _HARMLESS
    if code == _COMMA or code == _COLON or code == _APOSTROPHE or code == _DOT:
        if 48 <= inner <= 57 and 48 <= outer <= 57:
            return _PART
        if _may_be_digit(inner) and _may_be_digit(outer):
            return _DOUBTFUL
    if code == _DOT and _may_be_word(outer):
        return _PART if own[2] and is_ascii and _is_plain_word(outer) else _DOUBTFUL
    if own[2]:
        joins = code == _APOSTROPHE or code == _HYPHEN or code == _AND or code == _PLUS
        if joins and _may_be_word(outer):
            is_sure = is_ascii and _is_plain_word(outer) and (outer != 115 or not is_behind)
            return _PART if is_sure else _DOUBTFUL
        if code == _STAR:
            return _DOUBTFUL
    return _DOUBTFUL if is_behind and (code == _SHARP or code == _PLUS) else _ODD


@compiled
def _before(text, tables, tokens, span, is_one):
    """Say what stands before a match; see :func:`_one_side`."""
    places, starts, ends = tokens
    first, last = span
    place = places[first]
    inner, byte = text[place], text[place - 1]
    if byte <= 32 or byte == WALL_BYTE:
        return _HARMLESS
    if byte < 0x80:  # then its neighbours in the text are those among the tokens
        code = np.uint32(0), np.uint32(byte)
        return _one_side(code, (np.uint32(0), False, is_one), inner, text[place - 2], False)
    if ends[first - 1] != starts[first]:
        return _DOUBTFUL if _may_be_digit(inner) else _HARMLESS
    touches = first > 1 and ends[first - 2] == starts[first - 1]
    outer = text[places[first - 1] - 1] if touches else np.uint8(32)
    own = _kind_at(text, tables, place, inner), first == last, is_one
    return _one_side(_beside(text, tables, places[first - 1]), own, inner, outer, False)


@compiled
def _behind(text, tables, tokens, span, is_one):
    """Say what stands behind a match, where there is a token or the end of a text."""
    places, starts, ends = tokens
    first, last = span
    place = places[last + 1]
    inner, byte = text[place - 1], text[place]
    if inner <= 32 or byte == WALL_BYTE:
        return _HARMLESS
    if inner < 0x80 and byte < 0x80:
        code = np.uint32(0), np.uint32(byte)
        return _one_side(code, (np.uint32(0), False, is_one), inner, text[place + 1], True)
    if ends[last] != starts[last + 1]:
        return _DOUBTFUL if _may_be_digit(byte) else _HARMLESS
    outer = np.uint8(32)
    if ends[last + 1] == starts[last + 2] and text[places[last + 2]] != WALL_BYTE:
        outer = text[places[last + 2]]
    own = _kind_at(text, tables, places[last], text[places[last]]), first == last, is_one
    return _one_side(_beside(text, tables, place), own, inner, outer, True)


@compiled
def _is_odd_at(text, at):
    """Say what :func:`_is_odd` says, or more, of a byte."""
    byte = text[at]
    if byte == _DOT:
        return _may_be_word(text[at + 1]) and text[at + 1] != WALL_BYTE
    after = text[at + 1]
    is_between = _is_plain_word(text[at - 1]) and after != _SLASH and after != _BACKSLASH
    return byte == _AT or not is_between


@compiled
def _may_be_odd(text, place, after):
    """Say whether :func:`_has_odd` may say so of what is around a match: bytes tell sooner."""
    at = place - 1
    while text[at] > 32 and text[at] != WALL_BYTE:
        if (_SIGNS[text[at]] & _ODD_SIGN and _is_odd_at(text, at)) or at <= place - _NEAR:
            return True
        at -= 1
    at = place
    while at < after or (text[at] > 32 and text[at] != WALL_BYTE):
        if (_SIGNS[text[at]] & _ODD_SIGN and _is_odd_at(text, at)) or at >= after + _NEAR:
            return True
        at += 1
    return False


@compiled
def _wants_look(text, place, after, is_one):
    """Say whether what stands beside a match may matter whatever else its run holds."""
    sign, inner = text[place - 1], text[after - 1]
    follows = np.uint8(0) if inner <= 32 else text[after]
    if (sign == _DOT and _may_be_word(text[place - 2])) or (
        follows == _DOT and _may_be_word(text[after + 1])
    ):
        return True
    signs = _SIGNS[sign] | _SIGNS[follows] | _SIGNS[inner] & _OTHER
    wanted = _OTHER | (_JOINT if is_one else 0)
    wanted |= _BETWEEN_DIGITS if 48 <= text[place] <= 57 or 48 <= inner <= 57 else 0
    return signs & wanted != 0 or _SIGNS[follows] & _SIGN_BEHIND != 0


@compiled
def _sides(text, tables, tokens, span, is_one):
    """Say what stands on both sides of a match; see :func:`_one_side`."""
    before = _before(text, tables, tokens, span, is_one)
    return max(before, _behind(text, tables, tokens, span, is_one))


@compiled
def _open_matches(found, text, places, chosen):
    """Fill the matches that are not next to a space on both sides; return how many those are.

    One sign may stand between, but none of those that are part of names or addresses. There is no
    branch, since most would be foreseen wrongly.
    """
    size = 0
    for match in range(found.shape[1]):
        place, after = places[found[0, match]], places[found[1, match] + 1]
        before = _OPENS[text[place - 1]] & (_OPENS[text[place - 2]] | 2)
        behind = _OPENS[text[after]] & (_OPENS[text[after + 1]] | 2)
        last = text[after - 1]
        behind = (behind & _OPENS[last]) | last >> 7
        chosen[size] = match
        size += (before | behind) != 0
    return size


@compiled
def part_matches(found, text, tables, tokens, doubtful):
    """Return which matches are a part of something more, and how many others may be.

    Those are filled in.
    """
    places, starts, ends = tokens
    run = np.zeros(3, np.int64)
    parts = np.zeros(found.shape[1], np.bool_)
    waiting, size = _open_matches(found, text, places, doubtful), 0
    for at in range(waiting):
        match = doubtful[at]
        first, last = found[0, match], found[1, match]
        place, after = places[first], places[last + 1]
        is_one = first == last and ends[last] - starts[first] == 1 and _may_be_letter(text[place])
        joined = _SIGNS[text[place - 1]] & _JOINT and _is_plain_word(text[place - 2])
        if is_one and joined and text[place] < 0x80:
            parts[match] = True
            continue
        level = _ODD
        if _wants_look(text, place, after, is_one):
            level = _sides(text, tables, tokens, (first, last), is_one)
        if level == _ODD and _may_be_odd(text, place, after):
            odd = _has_odd(text, tokens, first, run) or _has_odd(text, tokens, last, run)
            level = _DOUBTFUL if odd else _HARMLESS
        parts[match] = level == _PART
        doubtful[size] = match
        size += level == _DOUBTFUL
    return parts, size
