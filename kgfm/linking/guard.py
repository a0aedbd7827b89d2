"""Names that are also common words: when a text does mean the name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from kgfm.graph import KnowledgeGraph
from kgfm.linking.alias_tokens import AliasTokens, alias_tokens
from kgfm.linking.codes import code_points, token_arrays
from kgfm.linking.vocabulary import Vocabulary

_ENGLISH = """
    a about above after again all also am an and any are as at be because been before being
    below between both but by can could d did do does doing down during each else few for from
    further had has have having he her here hers herself him himself his how i if in into is it
    its itself just ll m may me might more most must my myself no nor not now of off on once only
    or other our ours out over own re s same shall she should so some such t than that the their
    theirs them then there these they this those through to too under until up upon us ve very was
    we were what when where which while who whom whose why will with would you your yours
"""
STOP_WORDS = frozenset(_ENGLISH.split())
"""English function words, and what an apostrophe leaves of them."""

FREE, PUNCTUATION, STOP_WORD, COMMON_WORD = range(4)
"""Why a name is guarded; FREE is not."""

_SHORT = 3
_ENOUGH, _ENOUGH_IF_SHORT = 10, 3
_DESCRIPTIONS_READ = 1 << 21
_BEGINS = re.compile(r"(?:^|[.!?:;…\n\r\"“”«»‹›(\[–—])[\s\"'“”‘’«»(\[*#>-]*\Z")
_NEXT_WORD = re.compile(r"\W*(\w+)")
_WORD_BEFORE = re.compile(r"(\w+)\W*\Z")
_NEAR = 60


def guards(
    names: tuple[Int64[np.ndarray, "token"], Int64[np.ndarray, "boundary"]],
    ends: Int64[np.ndarray, "alias"],
    vocabulary: Vocabulary,
    common: Bool[np.ndarray, "word"],
) -> UInt8[np.ndarray, "name"]:
    """Return why each name is guarded; place 0 is no name.

    Args:
        names: Tokens of all aliases, and where each alias begins there.
        ends: The name that each alias is.
        vocabulary: Of the tokens.
        common: Which tokens are common words.
    """
    tokens, firsts = names
    guard = np.full(int(ends.max(initial=0)) + 1, FREE, np.uint8)
    if not len(ends):
        return guard
    stop, punctuation = stop_tokens(vocabulary), punctuation_tokens(vocabulary)
    alone = np.diff(firsts) == 1
    guard[ends[alone & common[tokens[firsts[:-1]]]]] = COMMON_WORD
    for kind, members in ((STOP_WORD, stop | punctuation), (PUNCTUATION, punctuation)):
        guard[ends[np.logical_and.reduceat(members[tokens], firsts[:-1])]] = kind
    return guard


def stop_tokens(vocabulary: Vocabulary) -> Bool[np.ndarray, "word"]:
    """Return which tokens are English function words."""
    numbers = vocabulary.numbers(token_arrays(code_points(sorted(STOP_WORDS))))
    members = np.zeros(len(vocabulary), bool)
    members[numbers[numbers >= 0]] = True
    return members


def punctuation_tokens(vocabulary: Vocabulary) -> Bool[np.ndarray, "word"]:
    """Return which tokens are punctuation, from the first code point to the last."""
    codes, place = np.unique(vocabulary.keys, return_inverse=True)
    marks = [unicodedata.category(chr(code))[0] == "P" for code in codes.tolist()]
    is_mark = np.array(marks, bool)[place]
    if not len(vocabulary):
        return np.empty(0, bool)
    return np.logical_and.reduceat(is_mark, vocabulary.firsts[:-1])


def common_tokens(
    graph: KnowledgeGraph,
    vocabulary: Vocabulary,
    parts: Iterable[AliasTokens],
    numbers: Iterable[np.ndarray],
) -> Bool[np.ndarray, "word"]:
    """Return which tokens the graph itself mostly writes in lower case, and often.

    Names of several tokens count, and the first two million bytes of the descriptions that are
    spread evenly over the graph. Ten times in lower case are enough, three for a token of up to
    three letters, if that is at least half of all times.
    """
    lower, upper = (np.zeros(len(vocabulary), np.int64) for _ in range(2))

    def count(part: AliasTokens, number: np.ndarray, counted: np.ndarray) -> None:
        for totals, chosen in ((upper, part.upper), (lower, ~part.upper)):
            totals += np.bincount(number[chosen & counted], minlength=len(vocabulary))

    for part, number in zip(parts, numbers, strict=True):
        count(part, number, np.repeat(part.counts > 1, part.counts))
    total = len(graph.descriptions.bytes)
    every = max(1, -(-total // _DESCRIPTIONS_READ))
    texts = graph.descriptions.take(np.arange(0, len(graph), every)) if total else None
    for part in alias_tokens(texts) if texts is not None else ():
        number = vocabulary.numbers(part.tokens)
        count(part, number, number >= 0)
    enough = np.where(np.diff(vocabulary.firsts) <= _SHORT, _ENOUGH_IF_SHORT, _ENOUGH)
    return (lower >= enough) & (lower >= upper)


def means_the_name(text: str, start: int, end: int) -> bool:
    """Say whether capitals in ``text[start:end]`` are there for the name's sake.

    They say nothing where a sentence begins ("Over the years"), or where the words around are
    all in capitals too ("BREAD AND BUTTER").
    """
    spelled = text[start:end]
    before = text[max(0, start - _NEAR) : start]
    if len(spelled) > 1 and spelled.isupper():
        words = _WORD_BEFORE.search(before), _NEXT_WORD.match(text, end, end + _NEAR)
        around = [word[1] for word in words if word is not None and len(word[1]) > 1]
        return not around or not all(word.isupper() for word in around)
    if spelled[1:] != spelled[1:].lower() or (len(spelled) == 1 and spelled not in "AI"):
        return True
    return _BEGINS.search(before) is None
