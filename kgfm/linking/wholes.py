"""Names that are a part of something more, where they name nothing.

300 in 1,300, C in C#, Apple in https://apple.com/apple, a flag across two of a row of flags, one
letter of a word that has no spaces around it, a Korean name that goes on with no particle.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Bool

from kgfm.linking.fold import tokens
from kgfm.linking.scripts import HANGUL, letter_kind

_POINTS = ".,'’:٫٬．，："  # between two digits
_FIXED_SPACES = "\u00a0\u202f\u2009"
_THREE = re.compile(r"\d{3}(?!\d)")
_JOINTS = "&＆-‐‑'’.+"  # one letter beside them is a part: T-shirt, AT&T, U.S., O'Neill
_POSSESSIVE = re.compile(r"['’]s\b", re.IGNORECASE)

# Tokens are not joined across these, nor across white space.
_BREAKS = frozenset(
    chr(code)
    for first, last in ((0x7F, 0x9F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F))
    for code in range(first, last + 1)
) | {"\xad", "\ufeff"}
_UNSPACED = "\u0e01"
_RUN = re.compile(f"[^\\s\x00-\x1f{''.join(sorted(_BREAKS))}]+")
_FLAGS = re.compile("[\U0001f1e6-\U0001f1ff]+")
# Pieces of a run without white space; each expression is linear, as it only looks at one class.
_SCHEME = re.compile(r"(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]{0,30}://")
_WWW = re.compile(r"(?<!\w)www\.(?=\w)", re.IGNORECASE)
_ADDRESS_ENDS = re.compile(r"[<>\"“”„＂＜＞「」『』《》（）［］【】，。、；！？]")
_MAIL = re.compile(r"(?<![\w.+%@-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}\w{2,63}")
_DOMAINS = (
    "com org net edu gov mil int info biz io ai app dev eu uk de fr es nl ch pl cz ru ua cn jp"
)
_DOMAINS += " kr br ca au nz se dk fi pt gr tr ir tw hk"
_DOMAIN = re.compile(
    rf"(?<![\w@.-])(?:[\w-]{{1,63}}\.){{1,8}}(?:{'|'.join(_DOMAINS.split())})(?![\w-])"
    r"(?::\d{1,5})?(?:[/?#]\S*)?"
)
_DRIVE = r"(?:~|\.{1,2}|[A-Za-z]:)"
_PATH = re.compile(rf"{_DRIVE}?[/\\]+[\w.-]+[/\\]\S*|{_DRIVE}[/\\]+[\w.-]\S*")
_LONGEST_ADDRESS = 2048
_OPENING, _CLOSING = "([{<\"'“‘«", ".,;:!?)]}>\"'”’»…*"

_AFTER_ANY = """
    의 에 에서 에게 에게서 에겐 한테 한테서 께 께서 께서는 도 만 까지 부터 보다 처럼 같이 마다 조차
    마저 밖에 뿐 이다 입니다 인 인데 이라는 이라고 이라면 이란 이며 이고 이나 이랑 이었다 이었던
    하고 대로 만큼 에다 에다가 이든
"""
_AFTER_VOWEL = """
    는 가 를 와 로 로서 로써 로부터 랑 나 라 라는 라고 라면 란 며 다 였다 였던 예요 야 든
"""
_AFTER_CONSONANT = "은 이 을 과 으로 으로서 으로써 으로부터 이에요 아"
_MORE = "(?:는|은|도|만|의|를|을|까지|부터|조차|마저|이다|입니다|이나|라도|이라도)"
_LONGEST_TAIL = 40


def _tails(*particles: str) -> re.Pattern[str]:
    first = "|".join(sorted({*" ".join(particles).split()}, key=len, reverse=True))
    return re.compile(f"(?:들|씨|님)|(?:들|씨|님)?(?:{first}){_MORE}{{0,2}}")


_TAILS = {
    "vowel": _tails(_AFTER_ANY, _AFTER_VOWEL),
    "consonant": _tails(_AFTER_ANY, _AFTER_CONSONANT),
    "l": _tails(_AFTER_ANY, _AFTER_CONSONANT, "로 로서 로써 로부터"),
    "": _tails(_AFTER_ANY, _AFTER_VOWEL, _AFTER_CONSONANT),
}


class Wholes:
    """Says which spans of one text are a part of something more.

    Args:
        text: The text. Spans are asked for best in their order, since what is found out about the
            stretch around one is kept for the next.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._reach = 0
        self._begin = 0
        self._spans: list[tuple[int, int]] = []

    def is_part(self, start: int, end: int) -> bool:
        """Say whether ``text[start:end]``, whole tokens, is a part of something more."""
        text = self.text
        first, last = text[start], text[end - 1]
        before, after = text[max(0, start - 2) : start], text[end : end + 2]
        if end - start == 1 and self._is_initial(start):
            return True
        if _is_dotted(before, (first, last), after) or self._in_number(start, end):
            return True
        if _in_symbols(before, (first, last), after, end - start == 1):
            return True
        if first >= _UNSPACED and (
            _is_letter_of_word(text, start, end) or self._in_flags(start, end)
        ):
            return True
        if after >= _UNSPACED and _goes_on_in_korean(text, start, end):
            return True
        return self._cuts_address(start, start, end) or (
            end > self._reach and self._cuts_address(end - 1, start, end)
        )

    def _in_number(self, start: int, end: int) -> bool:
        text = self.text
        if text[start].isdigit() and start > 1 and text[start - 2].isdigit():
            if text[start - 1] in _POINTS:
                return True
            if text[start - 1] in _FIXED_SPACES and _THREE.match(text, start):
                return True
        if text[end - 1].isdigit() and text[end + 1 : end + 2].isdigit():
            return text[end] in _POINTS or (
                text[end] in _FIXED_SPACES and _THREE.match(text, end + 1) is not None
            )
        return False

    def _is_initial(self, at: int) -> bool:
        """Say whether one letter is joined to others, as in T-shirt; C's is another matter."""
        text = self.text
        if not text[at].isalpha() or letter_kind(text[at]):
            return False
        if at > 1 and text[at - 1] in _JOINTS and text[at - 2].isalnum():
            return True
        behind = text[at + 1 : at + 3]
        joined = len(behind) > 1 and behind[0] in _JOINTS and behind[1].isalnum()
        return joined and not _POSSESSIVE.match(text, at + 1)

    # -- what the stretch around says, each stretch looked at once ----------------------------

    def _in_flags(self, start: int, end: int) -> bool:
        """Say whether a span of flags begins or ends in the middle of one: each has two letters."""
        text = self.text
        if not ("\U0001f1e6" <= text[start] <= "\U0001f1ff"):
            return False
        for first, last in self._flags_of(start):
            if first <= start < last:
                return bool((start - first) % 2 or (end < last and (end - first) % 2))
        return False

    def _flags_of(self, at: int) -> list[tuple[int, int]]:
        place = bisect_right(self._flags, (at, len(self.text) + 1)) - 1
        return self._flags[max(0, place) : place + 1]

    @cached_property
    def _flags(self) -> list[tuple[int, int]]:
        return [match.span() for match in _FLAGS.finditer(self.text)]

    def _cuts_address(self, at: int, start: int, end: int) -> bool:
        if not self._begin <= at < self._reach:
            self._look_around(at)
        place = bisect_right(self._spans, (at, len(self.text) + 1)) - 1
        return any(
            first < end and start < last and not (start <= first and last <= end)
            for first, last in self._spans[max(0, place) : place + 2]
        )

    def _look_around(self, at: int) -> None:
        text, begin = self.text, at
        while begin and _is_solid(text[begin - 1]):
            begin -= 1
        run = _RUN.match(text, begin)
        self._begin, self._reach = begin, at + 1 if run is None else max(run.end(), at + 1)
        self._spans = addresses(text[begin : self._reach], begin)


def _is_solid(character: str) -> bool:
    return character > " " and not character.isspace() and character not in _BREAKS


def addresses(run: str, shift: int = 0) -> list[tuple[int, int]]:
    """Return where in a run without white space there are web and mail addresses, and paths.

    >>> addresses("(https://apple.com/apple),")
    [(1, 24)]
    """
    found: list[tuple[int, int]] = []
    for sign, pattern in (("://", _SCHEME), ("www.", _WWW)):
        if sign in run.lower():
            ends = ((m.start(), _address_end(run, m.end())) for m in pattern.finditer(run))
            found += ends
    if "@" in run:
        found += [match.span() for match in _MAIL.finditer(run)]
    if "." in run:
        found += [(m.start(), _address_end(run, m.start(), m.end())) for m in _DOMAIN.finditer(run)]
    opened = len(run) - len(run.lstrip(_OPENING))
    if match := _PATH.match(run, opened):
        found.append((opened, _address_end(run, opened, match.end())))
    apart: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if apart and start < apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1])
        else:
            apart.append((start, end))
    return [(start + shift, end + shift) for start, end in apart]


def _address_end(run: str, at: int, end: int | None = None) -> int:
    """Return where an address ends.

    That is before punctuation, and before words of a script without spaces right behind the host.
    """
    end = min(len(run) if end is None else end, at + _LONGEST_ADDRESS)
    if stop := _ADDRESS_ENDS.search(run, at, end):
        end = stop.start()
    while end > at and run[end - 1] in _CLOSING:
        end -= 1
    slash = run.find("/", at, end)
    for place in range(at, end if slash < 0 else slash):
        if letter_kind(run[place]):
            return place
    return end


def _in_symbols(before: str, inside: tuple[str, str], after: str, is_one: bool) -> bool:
    """Say whether signs behind belong to a name: C#, C++, Disney+; A* but not *A*."""
    sign, behind = after[:1], after[1:]
    if sign in ("#", "＃", "+", "＋") and inside[1].isalnum():
        return not behind.isalnum() or (is_one and sign in "#＃")
    if is_one and inside[0].isalpha():
        starred = before[-1:] == "*"
        return (sign == "*" and not starred) or (starred and before[:-1].isalnum())
    return False


def _is_dotted(before: str, inside: tuple[str, str], after: str) -> bool:
    """Say whether full stops join a name to others, as in Node.js, and do not end a sentence."""
    on = after[1:] if after[:1] == "." else ""
    if on.isalpha() and (on.islower() or (on.isupper() and inside[1].isupper())):
        return True
    if len(before) == 2 and before[1] == "." and before[0].isalnum():
        return inside[0].islower() or (inside[0].isupper() and before[0].isupper())
    return False


def _is_letter_of_word(text: str, start: int, end: int) -> bool:
    """Say whether a span is one letter of a script without spaces, with others of it around."""
    group = _group(text[start])
    if not group or end - start > 8:
        return False
    around = text[start - 1 : start], text[end : end + 1]
    return (
        any(one and _group(one) == group for one in around)
        and len(tokens(text[start:end]).keys) == 1
    )


def _group(character: str) -> str:
    kind = letter_kind(character)
    return {"c": "c", "l": "c", "v": "c", "n": "c", "y": "y", "x": "y"}.get(kind, "")


def _goes_on_in_korean(text: str, start: int, end: int) -> bool:
    """Say whether Korean syllables follow that are no particles."""
    if end == len(text) or letter_kind(text[end]) != HANGUL:
        return False
    tail = _korean(text[end : end + _LONGEST_TAIL])
    name = unicodedata.normalize("NFC", text[max(start, end - 8) : end])
    if len(name) == 1 and letter_kind(name) == HANGUL:
        return True
    return _TAILS[_final(name[-1])].fullmatch(tail) is None


def _korean(text: str) -> str:
    """Return the Korean syllables that a text begins with."""
    whole = unicodedata.normalize("NFC", text)
    stop = next((at for at, one in enumerate(whole) if not "가" <= one <= "힣"), len(whole))
    return whole[:stop]


def _final(character: str) -> str:
    """Return what a Korean syllable ends in, on which the particle depends; else nothing."""
    if not "가" <= character <= "힣":
        return ""
    final = (ord(character) - ord("가")) % 28
    return "vowel" if final == 0 else "l" if final == 8 else "consonant"


def parts_among(
    texts: Sequence[str], spans: Iterable[tuple[int, int, int]]
) -> Bool[np.ndarray, "span"]:
    """Say of each (text, start, end), best in their order, whether it is a part of something."""
    found: list[bool] = []
    at, whole = -1, Wholes("")
    for text, start, end in spans:
        if text != at:
            at, whole = text, Wholes(texts[text])
        found.append(whole.is_part(start, end))
    return np.array(found, bool)
