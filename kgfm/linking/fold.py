r"""Case and diacritics folded one code point to one code point, and tokens with exact offsets.

Lower-casing a whole string can change its length (``"İ".lower()`` has two code points), and every
offset behind it would be wrong. Here each code point becomes exactly one other, and one of six
kinds, by which a regular expression finds the tokens:

====  ==================================================================================
kind  what
====  ==================================================================================
w     letter, digit or underscore, or a vowel sign that belongs to one
m     accent, Hebrew or Arabic point, variation selector: part of a token, not of its key
j     zero-width joiner
z     other control and format characters, such as NUL or a soft hyphen: skipped, and bridged
      inside a word
s     any other symbol, a lone surrogate among them: a token of its own
      (with joiners between them one token, as a family emoji is)
space white space
====  ==================================================================================
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_GONE = "\0"  # stands for a code point that is no part of a token's key
_TOKEN = re.compile("w[wm]*(?:[zj]+w[wm]*)*|sm*(?:jsm*)*")
_ALIKE = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "Ø": "o", "Ł": "l", "Đ": "d", "Ħ": "h"}
_ALIKE |= dict.fromkeys("‘’ʼ′", "'") | dict.fromkeys("“”„", '"') | dict.fromkeys("‐‑‒–—−", "-")

_ACCENT_BLOCKS = (
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE00, 0xFE0F),
    (0xFE20, 0xFE2F),
    (0xE0100, 0xE01EF),
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a text: where each begins and ends there, and its folded key."""

    starts: list[int]
    ends: list[int]
    keys: list[str]


def tokens(text: str) -> Tokens:
    """Split a text into runs of word characters and single symbols."""
    spans = [match.span() for match in _TOKEN.finditer(text.translate(_KIND))]
    folded = text.translate(_FOLD)
    keys = [folded[start:end] for start, end in spans]
    if _GONE in folded:
        keys = [key.replace(_GONE, "") for key in keys]
    return Tokens([start for start, _ in spans], [end for _, end in spans], keys)


def fold(text: str) -> str:
    """Fold case and diacritics; the result has the length of the text.

    NUL stands where a code point counts for nothing, such as a combining accent.
    """
    return text.translate(_FOLD)


def _fold(character: str) -> str:
    if _kind(character) in "mjz":
        return _GONE
    if character in _ALIKE:
        return _ALIKE[character]
    decomposed = unicodedata.normalize("NFD", character)
    base, marks = decomposed[0], decomposed[1:]
    # Accents of Latin, Greek and Cyrillic go; a Japanese or Indian mark makes another letter.
    if not marks or (base < "\u0530" and all(map(unicodedata.combining, marks))):
        character = base
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace() or character == "\u200b":
        return " "
    if character == "\u200d":
        return "j"
    if category in ("Cc", "Cf"):
        return "z"
    if category[0] == "M":
        # From the Indian scripts on, marks are vowels rather than accents.
        is_accent = character < "\u0900" or category == "Me" or _in_blocks(character)
        return "m" if is_accent else "w"
    letter = _ALIKE.get(character, character)
    return "w" if letter.isalnum() or letter == "_" else "s"


def fold_code(code: int) -> int:
    """Return the code point that a code point folds to, 0 where it counts for nothing."""
    return ord(_FOLD[code])


def kind_code(code: int) -> str:
    """Return the kind of a code point: ``w m j z s`` or a space."""
    return _KIND[code]


def _in_blocks(character: str) -> bool:
    """Say whether a mark is in a block of accents or of variation selectors."""
    code = ord(character)
    return any(first <= code <= last for first, last in _ACCENT_BLOCKS)


class _FoldTable(dict[int, str]):
    """What each code point folds to, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold(chr(code))
        return folded


class _KindTable(dict[int, str]):
    """The kind of each code point, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        self[code] = kind = _kind(chr(code))
        return kind


_FOLD, _KIND = _FoldTable(), _KindTable()
