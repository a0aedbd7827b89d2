"""Scripts: which of them a text is in, and how those that put no space between words are read.

Where no space tells words apart, each letter is a token of its own, with what is written around it:
a Thai consonant with its vowels and tone, a Khmer stack. Katakana, which spells foreign words, goes
by runs, and so no name is found within a longer one. Korean has spaces, but hangs particles on
words; there each syllable is a token, and the first of a run differs from the same one within.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right

LETTER, LEADING, TRAILING, STACKER, HIRAGANA, KATAKANA, VOICED, HANGUL = "clvnykxh"
"""Kinds of code points: a letter by itself; a vowel written before its letter; a vowel or mark
behind; one that puts the next letter below; kana, and their marks of voice; a Korean syllable."""

_RANGES = (
    (0x0E01, 0x0E2E, LETTER),  # Thai
    (0x0E2F, 0x0E3A, TRAILING),
    (0x0E40, 0x0E44, LEADING),
    (0x0E45, 0x0E4E, TRAILING),
    (0x0E81, 0x0EAE, LETTER),  # Lao
    (0x0EAF, 0x0EBD, TRAILING),
    (0x0EC0, 0x0EC4, LEADING),
    (0x0EC6, 0x0ECE, TRAILING),
    (0x0EDC, 0x0EDF, LETTER),
    (0x1000, 0x102A, LETTER),  # Myanmar
    (0x102B, 0x1038, TRAILING),
    (0x1039, 0x1039, STACKER),
    (0x103A, 0x103E, TRAILING),
    (0x103F, 0x103F, LETTER),
    (0x1050, 0x1055, LETTER),
    (0x1056, 0x1059, TRAILING),
    (0x105A, 0x108F, LETTER),
    (0x109A, 0x109D, TRAILING),
    (0x1100, 0x115F, HANGUL),  # Korean letters in syllables written out, and the syllables
    (0x1160, 0x11FF, TRAILING),
    (0x1780, 0x17B3, LETTER),  # Khmer
    (0x17B4, 0x17D1, TRAILING),
    (0x17D2, 0x17D2, STACKER),
    (0x17D3, 0x17DD, TRAILING),
    (0x1950, 0x19C9, LETTER),  # Tai Le, New Tai Lue
    (0x1A20, 0x1A54, LETTER),  # Tai Tham
    (0x1A55, 0x1A5F, TRAILING),
    (0x1A60, 0x1A60, STACKER),
    (0x1A61, 0x1A7C, TRAILING),
    (0x1B05, 0x1B33, LETTER),  # Balinese
    (0x1B34, 0x1B43, TRAILING),
    (0x1B44, 0x1B44, STACKER),
    (0x3005, 0x3007, LETTER),  # Han
    (0x3021, 0x3029, LETTER),
    (0x3041, 0x3096, HIRAGANA),
    (0x3099, 0x309A, VOICED),
    (0x309D, 0x309F, HIRAGANA),
    (0x30A1, 0x30FA, KATAKANA),
    (0x30FC, 0x30FF, KATAKANA),
    (0x3105, 0x312F, LETTER),  # Bopomofo
    (0x3131, 0x318E, HANGUL),
    (0x31A0, 0x31BF, LETTER),
    (0x31F0, 0x31FF, KATAKANA),
    (0x3400, 0x4DBF, LETTER),
    (0x4E00, 0x9FFF, LETTER),
    (0xA000, 0xA48C, LETTER),  # Yi
    (0xA960, 0xA97C, HANGUL),
    (0xA984, 0xA9B2, LETTER),  # Javanese
    (0xA9B3, 0xA9BF, TRAILING),
    (0xA9C0, 0xA9C0, STACKER),
    (0xAA60, 0xAA7A, LETTER),
    (0xAA80, 0xAADD, LETTER),  # Tai Viet
    (0xAC00, 0xD7A3, HANGUL),
    (0xD7B0, 0xD7FB, TRAILING),
    (0xF900, 0xFAFF, LETTER),
    (0xFF66, 0xFF9D, KATAKANA),
    (0xFF9E, 0xFF9F, VOICED),
    (0xFFA0, 0xFFDC, HANGUL),
    (0x1AFF0, 0x1AFFE, KATAKANA),
    (0x1B000, 0x1B000, KATAKANA),
    (0x1B001, 0x1B11F, HIRAGANA),
    (0x20000, 0x3FFFF, LETTER),
)
_FIRSTS = [first for first, _, _ in _RANGES]

_NAMES = {
    "CJK": "Han",
    "IDEOGRAPHIC": "Han",
    "KATAKANA-HIRAGANA": "Katakana",
    "HALFWIDTH": "Katakana",
    "FULLWIDTH": "Latin",
    "MATHEMATICAL": "Latin",
    "OLD": "",
    "MODIFIER": "",
}


def letter_kind(character: str) -> str:
    """Return the kind of a letter or mark of a script without spaces, else nothing."""
    code = ord(character)
    place = bisect_right(_FIRSTS, code) - 1
    if place < 0 or code > _RANGES[place][1]:
        return ""
    kind, is_mark = _RANGES[place][2], unicodedata.category(character)[0] == "M"
    if not (character.isalpha() or is_mark or character == "〇"):
        return ""
    return TRAILING if is_mark and kind == LETTER else kind


def script_of(character: str) -> str:
    """Return the script of a letter by the name that Unicode gives it; nothing for others.

    >>> [script_of(character) for character in "aЖ東のลカ서ß5"]
    ['Latin', 'Cyrillic', 'Han', 'Hiragana', 'Thai', 'Katakana', 'Hangul', 'Latin', '']
    """
    if not character.isalpha():
        return ""
    first = unicodedata.name(character, "").partition(" ")[0]
    return _NAMES.get(first, first.capitalize())
