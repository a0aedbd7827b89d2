"""The names of a graph as tokens: labels first, then aliases, many names at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, UInt32

from kgfm.graph.strings import StringTable
from kgfm.linking.codes import BARRIER, TokenArrays, take_tokens, token_arrays
from kgfm.linking.trie import MAX_TOKENS

_CHUNK = 1 << 17


@dataclass(frozen=True, slots=True)
class AliasTokens:
    """The tokens of consecutive strings of a table; strings without, or with too many, have none.

    Args:
        tokens: All tokens, without those of strings that are no names.
        counts: Number of tokens of each string.
        upper: True for each token that begins with a capital letter.
    """

    tokens: TokenArrays
    counts: Int64[np.ndarray, "string"]
    upper: Bool[np.ndarray, "token"]


def alias_tokens(table: StringTable) -> Iterator[AliasTokens]:
    """Split the strings of a table, about 128 kB at a time."""
    offsets = np.asarray(table.offsets)
    first = 0
    while first < len(table):
        stop = int(np.searchsorted(offsets, offsets[first] + _CHUNK, "right")) - 1
        stop = min(max(stop, first + 1), len(table))
        yield _split(string_codes(table, first, stop), stop - first)
        first = stop


def string_codes(table: StringTable, first: int, stop: int) -> UInt32[np.ndarray, "code"]:
    """Return the code points of consecutive strings, with the barrier after each."""
    offsets = table.offsets[first : stop + 1] - table.offsets[first]
    encoded = np.asarray(table.bytes[table.offsets[first] : table.offsets[stop]])
    codes = np.frombuffer(encoded.tobytes().decode().encode("utf-32-le"), "<u4")
    begun = np.append(0, np.cumsum((encoded & 0xC0) != 0x80))  # not a byte within a character
    return np.insert(codes, begun[offsets[1:]], np.uint32(BARRIER))


def _split(codes: UInt32[np.ndarray, "code"], num_strings: int) -> AliasTokens:
    tokens = token_arrays(codes)
    is_barrier = tokens.keys[tokens.firsts[:-1]] == BARRIER
    owner = np.cumsum(is_barrier) - is_barrier
    counts = np.bincount(owner[~is_barrier], minlength=num_strings)
    counts[counts > MAX_TOKENS] = 0
    kept = np.flatnonzero(~is_barrier & (counts[owner] > 0))
    return AliasTokens(take_tokens(tokens, kept), counts, _are_upper(codes[tokens.starts[kept]]))


def _are_upper(codes: UInt32[np.ndarray, "code"]) -> Bool[np.ndarray, "code"]:
    distinct, place = np.unique(codes, return_inverse=True)
    upper = np.fromiter((_is_upper(chr(code)) for code in distinct.tolist()), bool, len(distinct))
    return upper[place]


def _is_upper(character: str) -> bool:
    return character.isupper() or character.istitle()
