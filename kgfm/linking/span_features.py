"""What the looks of a span, and its name in the graph, say for NIL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64

from kgfm.linking.guard import means_the_name

FEATURES = (
    "bias",
    "lower",
    "uncased_text",
    "begins_sentence",
    "capitals",
    "short",
    "no_letters",
    "words",
    "nested",
    "capital_before",
    "capital_after",
    "joined",
    "lower_elsewhere",
    "common",
    "no_name",
    "bearers",
)
"""Columns of :func:`span_features`, most of them 0 or 1: one; in lower case, where the text has
capitals; the text has none; a capital that stands there for the sentence's sake; all in capitals;
one over the length; no letter at all; how many words, by the logarithm; within a longer name that
the graph has; a capitalised word right before, and right behind; joined to a word by a hyphen or
the like; the same word stands elsewhere in lower case; how many names hold its rarest token; no
name of the graph; how many entities bear it, by the logarithm."""

_BEFORE = re.compile(r"([^\W\d_][\w.]*)[ \u00a0]\Z")
_AFTER = re.compile(r"[ \u00a0]([^\W\d_])")
_WORDS = re.compile(r"[^\W\d_]\w*")
_NEAR = 40


@dataclass(frozen=True, slots=True)
class Places:
    """Spans of several texts, in the order of the texts, of the starts and of the ends.

    Args:
        texts: Which text.
        starts: First code point there.
        ends: One past the last.
        names: The graph's name that it is, 0 for none.
    """

    texts: Int64[np.ndarray, "span"]
    starts: Int64[np.ndarray, "span"]
    ends: Int64[np.ndarray, "span"]
    names: Int64[np.ndarray, "span"]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> Places:
        """Return some of the spans."""
        return Places(*(getattr(self, name)[rows] for name in self.__slots__))

    def rows(self) -> list[tuple[int, int, int, int]]:
        """Return (text, start, end, name) of each."""
        return list(zip(*(getattr(self, name).tolist() for name in self.__slots__), strict=True))


def span_features(
    texts: Sequence[str],
    places: Places,
    commonness: Float32[np.ndarray, "name"],
    bearers: Int64[np.ndarray, "name"],
) -> Float32[np.ndarray, "span feature"]:
    """Return the features of each span.

    Args:
        texts: The texts.
        places: The spans.
        commonness: Of each name, how many names hold its rarest token.
        bearers: How many entities bear each name.
    """
    found = np.zeros((len(places), len(FEATURES)), np.float32)
    column = {name: place for place, name in enumerate(FEATURES)}
    known: dict[int, _Text] = {}
    for row, (text, start, end, _) in enumerate(places.rows()):
        if text not in known:
            known = {text: _Text(texts[text])}  # the spans come text by text
        for name in known[text].signs(start, end):
            found[row, column[name]] = 1
        span = texts[text][start:end]
        found[row, column["short"]] = 1 / (end - start)
        found[row, column["words"]] = np.log(1 + span.count(" "))
    found[:, column["bias"]] = 1
    found[:, column["nested"]] = _nested(places)
    found[:, column["common"]] = commonness[places.names]
    found[:, column["no_name"]] = places.names == 0
    found[:, column["bearers"]] = np.log1p(bearers[places.names]) / 3
    return found


def _nested(places: Places) -> np.ndarray:
    """Return which spans lie within a longer one that is a name."""
    found = np.zeros(len(places), bool)
    order = np.lexsort((-places.ends, places.starts, places.texts)).tolist()
    rows = places.rows()
    text, reach = -1, -1
    last = (-1, -1)
    for place in order:
        of_text, start, end, name = rows[place]
        if of_text != text:
            text, reach = of_text, -1
        found[place] = end <= reach and (start, end) != last
        if name and end > reach:
            reach, last = end, (start, end)
    return found


class _Text:
    """What is asked of one text again and again."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.has_case = text != text.lower()

    @cached_property
    def lower_words(self) -> set[str]:
        return {word for word in _WORDS.findall(self.text) if word.islower()}

    def signs(self, start: int, end: int) -> list[str]:
        """Return the names of the features that are 1."""
        text, span = self.text, self.text[start:end]
        if not any(map(str.isalpha, span[:_NEAR])):
            return ["no_letters"]
        signs = []
        is_lower = span == span.lower()
        if not self.has_case:
            signs.append("uncased_text")
        elif is_lower:
            signs.append("lower")
        else:
            if not means_the_name(text, start, end):
                signs.append("begins_sentence")
            if end - start > 1 and span == span.upper():
                signs.append("capitals")
            if span.lower() in self.lower_words:
                signs.append("lower_elsewhere")
        before = _BEFORE.search(text[max(0, start - _NEAR) : start])
        if before and before[1][0].isupper():
            signs.append("capital_before")
        after = _AFTER.match(text, end)
        if after and after[1].isupper():
            signs.append("capital_after")
        joints = text[start - 2 : start] if start > 1 else "", text[end : end + 2]
        if (joints[0][1:] in "-–/&" and joints[0][:1].isalnum()) or (
            joints[1][:1] in "-–/&" and joints[1][1:].isalnum()
        ):
            signs.append("joined")
        return signs
