r"""Case, diacritics and other forms of letters folded, and tokens with exact offsets.

Lower-casing a whole string can change its length (``"İ".lower()`` has two code points), and every
offset behind it would be wrong. Here each code point by itself becomes one other or, where a letter
stands for several (ß for ss, ﬁ for fi), these; and one of some kinds, by which a regular expression
finds the tokens:

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
t     a tag, which belongs to the symbol before, as in the flag of Wales
r     one of the two letters of a flag, a token of its own
space white space
====  ==================================================================================

Scripts that put no space between words have kinds of their own (:mod:`kgfm.linking.scripts`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from kgfm.linking.scripts import HANGUL, TRAILING, letter_kind

_GONE = "\0"  # stands for a code point that is no part of a token's key
RUN_START = 0xF0000
"""Is added to the first code point of a run of Korean syllables, where a word begins."""
MOST_LETTERS = 4
"""For so many others a code point may stand."""

# A token goes on while each kind may follow the one before it: see ``codes.JOINS``.
_CLUSTER = "(?:vm*|nm*(?:cm*)?)"
_TOKEN = re.compile(
    "w[wm]*(?:[zj]+w[wm]*)*|sm*(?:jsm*)*(?:tm*)*|(?:tm*)+|rm*"
    f"|(?:lm*)?cm*{_CLUSTER}*|lm*|{_CLUSTER}+|hm*(?:vm*{_CLUSTER}*)?"
    "|ym*(?:xm*(?:[kx]m*)*)?|[kx]m*(?:[kx]m*)*"
)
_ALIKE = {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ı": "i", "Ø": "o", "Ł": "l", "Đ": "d", "Ħ": "h"}
_ALIKE |= {"æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "٫": ".", "٬": ","}
_ALIKE |= dict.fromkeys("‘’ʼ′", "'") | dict.fromkeys("“”„", '"') | dict.fromkeys("‐‑‒–—−", "-")
_OTHER_FORMS = tuple(
    f"<{form}>"
    for form in ["wide", "narrow", "font", "compat", "initial", "medial", "final", "isolated"]
)

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
    """Split a text into words, single symbols, and letters where there are no spaces."""
    kinds = text.translate(_KIND)
    spans = [match.span() for match in _TOKEN.finditer(kinds)]
    folded = text.translate(_FOLD)
    if len(folded) == len(text):
        keys = [folded[start:end] for start, end in spans]
    else:
        keys = [text[start:end].translate(_FOLD) for start, end in spans]
    if _GONE in folded:
        keys = [key.replace(_GONE, "") for key in keys]
    if HANGUL in kinds:
        _mark_runs(kinds, spans, keys)
    return Tokens([start for start, _ in spans], [end for _, end in spans], keys)


def _mark_runs(kinds: str, spans: list[tuple[int, int]], keys: list[str]) -> None:
    """Tell the first syllable of each Korean word from the others."""
    before = -1
    for place, (start, end) in enumerate(spans):
        if kinds[start] == HANGUL:
            if start != before:
                keys[place] = chr(ord(keys[place][0]) + RUN_START) + keys[place][1:]
            before = end


def fold(text: str) -> str:
    """Fold case, diacritics and forms; NUL stands where a code point counts for nothing."""
    return text.translate(_FOLD)


def _fold(character: str) -> str:
    if _kind(character) in "mjz":
        return _GONE
    if character in _ALIKE:
        return _ALIKE[character]
    return "".join(map(_folded, _written_out(character)))


def _written_out(character: str) -> str:
    """Return the letters that a full-width letter, a ligature or another form stands for."""
    form = unicodedata.decomposition(character).partition(" ")[0]
    if form in _OTHER_FORMS and letter_kind(character) != TRAILING:
        whole = unicodedata.normalize("NFKC", character)
        if len(whole) == 1 or (len(whole) <= MOST_LETTERS and whole.isalnum()):
            return whole
    return character


def _folded(character: str) -> str:
    if character in _ALIKE:
        return _ALIKE[character]
    decomposed = unicodedata.normalize("NFD", character)
    if letter_kind(character):
        return decomposed
    base, marks = decomposed[0], decomposed[1:]
    # Accents of Latin, Greek and Cyrillic go; an Indian mark makes another letter.
    if not marks or (base < "\u0530" and all(map(unicodedata.combining, marks))):
        character = base
    folded = character.casefold()
    if len(folded) == 1 or all(one.isalnum() and one not in _ALIKE for one in folded):
        return folded
    return character.lower() if len(character.lower()) == 1 else character


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace() or character == "\u200b":
        return " "
    if character == "\u200d":
        return "j"
    if "\U000e0020" <= character <= "\U000e007f":
        return "t"
    if "\U0001f1e6" <= character <= "\U0001f1ff":
        return "r"
    if category in ("Cc", "Cf"):
        return "z"
    if own := letter_kind(character):
        return own
    if category[0] == "M":
        # From the Indian scripts on, marks are vowels rather than accents.
        is_accent = character < "\u0900" or category == "Me" or _in_blocks(character)
        return "m" if is_accent else "w"
    letter = _ALIKE.get(character, _written_out(character))
    return "w" if letter.isalnum() or letter == "_" else "s"


def fold_code(code: int) -> str:
    """Return what a code point folds to, NUL where it counts for nothing."""
    return _FOLD[code]


def kind_code(code: int) -> str:
    """Return the kind of a code point: a letter as in the table above, or a space."""
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
