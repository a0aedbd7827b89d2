"""What a sense model reads: SemCor without its held-out documents, and WordNet's own examples."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from kgfm.graph import KnowledgeGraph
from kgfm.linking.formats.wsd import Instance, Sentence
from kgfm.linking.senses import PARTS_OF_SPEECH

HELD_OUT = 20
_FULLY_TAGGED = re.compile(r"brown[12]/")
_QUOTED = re.compile(r'"([^"]+)"')

Forms = dict[tuple[str, str], set[str]]
"""How each word (lemma, part of speech) is written in texts."""


def document_of(sentence: Sentence) -> str:
    """Return the document of a sentence, whose id is ``document.sentence``."""
    return sentence.id.rpartition(".")[0]


def split_semcor(sentences: Iterable[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """Hold 20 documents out: every ninth of those that are tagged throughout, from the fifth on.

    Returns:
        The sentences to train on, and those of the held-out documents (br-a13, br-d02, ...).
    """
    everything = list(sentences)
    documents = sorted({document_of(s) for s in everything if _FULLY_TAGGED.match(s.id)})
    held = set(documents[4::9][:HELD_OUT])
    train = [sentence for sentence in everything if document_of(sentence) not in held]
    return train, [sentence for sentence in everything if document_of(sentence) in held]


def forms_of(sentences: Iterable[Sentence]) -> Forms:
    """Collect how the words of tagged sentences are written."""
    forms: Forms = defaultdict(set)
    for sentence in sentences:
        for one in sentence.instances:
            word = one.lemma.lower(), PARTS_OF_SPEECH.get(one.pos, "")
            forms[word].add(sentence.text[one.start : one.end].lower())
    return dict(forms)


def usage_examples(graph: KnowledgeGraph, forms: Forms | None = None) -> Iterator[Sentence]:
    """Yield the examples in WordNet's glosses, each with the one word that it shows in use.

    An example belongs to a synset and shows one of its words. It is found if it is written as in
    ``forms`` or inflected regularly; an example in which none is found is left out.
    """
    for row, key in enumerate(graph.keys):
        listed = graph.attributes(row).get("senses", ())
        senses = [text.split()[0] for text in ([listed] if isinstance(listed, str) else listed)]
        pos = key[-1:]
        for number, text in enumerate(_QUOTED.findall(graph.descriptions[row] or "")):
            for sense in senses:
                lemma = sense.partition("%")[0]
                written = inflected(lemma, pos) | (forms or {}).get((lemma, pos), set())
                place = _longest(written, text)
                if place is not None:
                    one = Instance(f"{key}.{number}.{lemma}", *place, lemma, pos, (sense,))
                    yield Sentence(f"{key}.{number}", text, (one,))
                    break


def _longest(written: set[str], text: str) -> tuple[int, int] | None:
    """Return where the longest of some words stands in a text."""
    low = text.lower()
    if len(low) != len(text):  # a letter that grows when it is lowered; offsets would not hold
        return None
    found = [
        match.span()
        for word in written
        if word in low and (match := re.search(rf"(?<!\w){re.escape(word)}(?!\w)", low))
    ]
    return max(found, key=lambda span: (span[1] - span[0], -span[0]), default=None)


def inflected(lemma: str, pos: str) -> set[str]:
    """Return a word and its regular inflections, some of which may not exist.

    In a verb of several words the first one is inflected.
    """
    word = lemma.replace("_", " ").lower()
    if pos == "v":
        head, blank, rest = word.partition(" ")
        return {word} | {f"{verb}{blank}{rest}" for verb in _verb_forms(head)}
    if pos == "n":
        plural = {word[:-1] + "ies"} if word.endswith("y") else set()
        return {word, f"{word}s", f"{word}es"} | plural
    if pos == "a":
        return {word, *(word + ending for ending in ("r", "st", "er", "est"))}
    return {word}


def _verb_forms(verb: str) -> set[str]:
    forms = {verb + ending for ending in ("s", "es", "d", "ed", "ing")}
    forms |= {f"{verb}{verb[-1:]}{ending}" for ending in ("ed", "ing")}
    if verb.endswith("e"):
        forms.add(verb[:-1] + "ing")
    if verb.endswith("y"):
        forms |= {verb[:-1] + "ies", verb[:-1] + "ied"}
    return forms


def windows(
    sentences: Sequence[Sentence], lengths: Sequence[int], max_tokens: int, *, join: bool = True
) -> Iterator[list[int]]:
    """Group neighbouring sentences, so that a text model reads them together.

    Args:
        sentences: In the order of their documents.
        lengths: Of each sentence, in tokens.
        max_tokens: A window is no longer, unless one sentence alone is.
        join: ``False`` lets sentences of several documents stand in one window.

    Yields:
        The places of the sentences of a window.
    """
    window: list[int] = []
    total, document = 0, ""
    for place, (sentence, length) in enumerate(zip(sentences, lengths, strict=True)):
        other = join and document_of(sentence) != document
        if window and (other or total + length > max_tokens):
            yield window
            window, total = [], 0
        window.append(place)
        total, document = total + length, document_of(sentence)
    if window:
        yield window
