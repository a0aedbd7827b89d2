"""Base forms of English words by the rules of WordNet's morphy, without a model.

WordNet first looks a form up in lists of exceptions and then detaches endings, keeping what is one
of its words (morphy(7WN), https://wordnet.princeton.edu/documentation/morphy7wn). The rules are
here; exceptions are names of the graph that is asked, as aliases (the layout ``lexicon`` reads
WordNet's lists).
"""

from __future__ import annotations

DETACHMENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "noun": (
        ("s", ""),
        ("ses", "s"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "verb": (
        ("s", ""),
        ("ies", "y"),
        ("es", "e"),
        ("es", ""),
        ("ed", "e"),
        ("ed", ""),
        ("ing", "e"),
        ("ing", ""),
    ),
    "adjective": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
}
"""Endings by part of speech, and what stands in their place, in the order in which morphy tries."""


def base_forms(word: str) -> tuple[str, ...]:
    """Return what a word may be a form of, in the order of morphy; most of it is no word at all.

    As in WordNet, a noun in ``ss`` or of up to two letters has no base form, and of one in ``ful``
    the part before it changes (``boxesful``).

    >>> base_forms("losses")
    ('losse', 'loss')
    """
    found: dict[str, None] = {}
    for part, rules in DETACHMENTS.items():
        stem, behind = word, ""
        if part == "noun":
            if word.endswith("ful"):
                stem, behind = word[:-3], "ful"
            elif word.endswith("ss") or len(word) <= 2:
                continue
        for ending, instead in rules:
            if stem.endswith(ending) and len(stem) > len(ending):
                found[stem[: -len(ending)] + instead + behind] = None
    return tuple(form for form in found if form != word)
