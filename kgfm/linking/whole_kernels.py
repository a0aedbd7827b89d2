"""Compiled: which matches have to be looked at for being a part of something more.

Most names stand between white space and punctuation, and two bytes tell so. All that
:class:`kgfm.linking.wholes.Wholes` says is a part is among the doubtful, and little else.
"""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

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
_SLASH, _BACKSLASH, _AT = 47, 92, 64


@compiled
def _is_space(byte):
    return byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31


@compiled
def _may_be_digit(byte):
    return 48 <= byte <= 57 or byte >= 0x80


@compiled
def _is_odd(text, tokens, token):
    """Say whether a token is one of those that addresses have, and it is not the end of a run."""
    places, starts, ends = tokens
    byte = text[places[token]]
    if byte == _DOT:
        return starts[token + 1] == ends[token] and text[places[token + 1]] != WALL_BYTE
    return byte == _SLASH or byte == _BACKSLASH or byte == _AT


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
def _one_side(beside, own, beyond, is_behind, digit):
    """Say what a token beside a match is: 2 doubtful, 1 where the run is odd, 0 harmless.

    Args:
        beside: Its kind, and its first folded code.
        own: The kind of the match's token there, and whether it is the only one.
        beyond: Whether another one touches it on the other side.
        is_behind: Whether it is behind the match, and not before it.
        digit: Whether the match may end in a digit there.
    """
    kind, code = beside
    if kind > WALL:
        is_letter = own[0] == FLAG or (own[1] and own[0] > WALL)
        return 2 if is_letter or (is_behind and kind == HANGUL) else 1
    if code == _QUOTE or code == _LESS or code == _MORE:
        return 0
    if code == _DOT:
        return 2 if beyond else 1
    if (code == _COMMA or code == _COLON or code == _APOSTROPHE) and beyond and digit:
        return 2
    return 2 if is_behind and (code == _SHARP or code == _PLUS) else 1


@compiled
def _before(text, tables, tokens, span):
    """Say what stands before a match; see :func:`_one_side`."""
    places, starts, ends = tokens
    first, last = span
    digit = _may_be_digit(text[places[first]])
    if first == 0:
        return 0
    if ends[first - 1] != starts[first]:
        return 2 if digit and starts[first] - ends[first - 1] == 1 else 0
    beyond = first > 1 and ends[first - 2] == starts[first - 1]
    own = _beside(text, tables, places[first])[0], first == last
    return _one_side(_beside(text, tables, places[first - 1]), own, beyond, False, digit)


@compiled
def _behind(text, tables, tokens, span):
    """Say what stands behind a match, where there is a token or the end of a text."""
    places, starts, ends = tokens
    first, last = span
    if ends[last] != starts[last + 1]:
        digit = _may_be_digit(text[places[last + 1]])
        return 2 if digit and starts[last + 1] - ends[last] == 1 else 0
    digit = _may_be_digit(text[places[last + 1] - 1])
    if text[places[last + 1]] == WALL_BYTE:
        return 0
    beyond = ends[last + 1] == starts[last + 2] and text[places[last + 2]] != WALL_BYTE
    own = _beside(text, tables, places[last])[0], first == last
    return _one_side(_beside(text, tables, places[last + 1]), own, beyond, True, digit)


@compiled
def _is_doubtful(text, tables, tokens, span, run):
    first, last = span
    before, behind = _before(text, tables, tokens, span), _behind(text, tables, tokens, span)
    if before == 2 or behind == 2:
        return True
    if before + behind > 0 and tokens[2][last] - tokens[1][first] == 1:
        return True
    if before == 1 and _has_odd(text, tokens, first, run):
        return True
    return behind == 1 and _has_odd(text, tokens, last, run)


@compiled
def doubtful_matches(found, text, tables, tokens, doubtful):
    """Fill the matches that may be a part of something more; return how many those are."""
    places = tokens[0]
    run = np.zeros(3, np.int64)
    size = 0
    for match in range(found.shape[1]):
        first, last = found[0, match], found[1, match]
        before, after = text[places[first] - 1], text[places[last + 1] - 1]
        if _is_space(before) and _is_space(after):
            continue
        doubtful[size] = match
        size += _is_doubtful(text, tables, tokens, (first, last), run)
    return size
