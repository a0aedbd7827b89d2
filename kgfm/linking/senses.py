"""The senses of words in a graph made of WordNet, in WordNet's own order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

PARTS_OF_SPEECH = {
    **{letter: letter for letter in "nvar"},
    "s": "a",
    "NOUN": "n",
    "VERB": "v",
    "ADJ": "a",
    "ADV": "r",
}
"""How parts of speech are written, and WordNet's letter for each."""
_LETTERS = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}


class Sense(NamedTuple):
    """One meaning of a word.

    Args:
        synset: Key of the entity.
        key: WordNet's sense key, such as ``heat%1:07:01::``.
        order: WordNet's sense number: 1 is the most frequent sense.
        tagged: How often it was tagged in WordNet's semantic concordances.
    """

    synset: str
    key: str
    order: int
    tagged: int


class Senses:
    """Words to synsets and sense keys to synsets, from the attribute ``senses`` of the entities.

    Args:
        graph: Made of WordNet: ``KnowledgeGraph.from_layout("wordnet", folder)``.

    Raises:
        ValueError: No entity of the graph has senses.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        words: dict[tuple[str, str], list[Sense]] = defaultdict(list)
        self._by_key: dict[str, Sense] = {}
        for row, synset in enumerate(graph.keys):
            listed = graph.attributes(row).get("senses", ())
            for text in [listed] if isinstance(listed, str) else listed:
                key, order, count = text.split()
                sense = Sense(synset, key, int(order), int(count))
                words[_word_of(key)].append(sense)
                self._by_key[key] = sense
        if not words:
            raise ValueError(
                f"No entity of {graph!r} has senses. Build the graph from WordNet: "
                "kgfm graph build FOLDER --layout wordnet --out SNAPSHOT."
            )
        self._words = {word: tuple(sorted(all, key=_order)) for word, all in words.items()}

    def __len__(self) -> int:
        return len(self._by_key)

    def of(self, lemma: str, pos: str) -> tuple[Sense, ...]:
        """Return the senses of a word, the most frequent first; none if it has none.

        Args:
            lemma: In any case, with blanks or underscores.
            pos: Part of speech, as WordNet (``n``, ``v``, ``a``, ``s``, ``r``) or the universal
                tags (``NOUN``, ``VERB``, ``ADJ``, ``ADV``) write it; others have no senses.
        """
        letter = PARTS_OF_SPEECH.get(pos, "")
        return self._words.get((lemma.replace(" ", "_").lower(), letter), ())

    def sense(self, key: str) -> Sense | None:
        """Return the sense of a key, or ``None``.

        Corpora write some satellite adjectives as plain adjectives and the other way round. If such
        a key is not found as it is, the one with the same word, file and number counts, if there is
        just one.
        """
        found = self._by_key.get(key)
        if found is None and key.partition("%")[2][:1] in ("3", "5"):
            alike = self._adjectives.get(_without_head(key), ())
            found = alike[0] if len(alike) == 1 else None
        return found

    def key_of(self, synset: str, lemma: str, pos: str) -> str | None:
        """Return the sense key of a word in a synset, or ``None`` if the word is not in it."""
        return next((sense.key for sense in self.of(lemma, pos) if sense.synset == synset), None)

    @cached_property
    def _adjectives(self) -> dict[str, Sequence[Sense]]:
        found: dict[str, list[Sense]] = defaultdict(list)
        for key, sense in self._by_key.items():
            if key.partition("%")[2][:1] in ("3", "5"):
                found[_without_head(key)].append(sense)
        return dict(found)


def _word_of(key: str) -> tuple[str, str]:
    lemma, _, rest = key.partition("%")
    return lemma, _LETTERS[rest[:1]]


def _order(sense: Sense) -> tuple[int, str]:
    return sense.order, sense.key


def _without_head(key: str) -> str:
    """Return ``lemma:file:number`` of an adjective's sense key."""
    lemma, _, rest = key.partition("%")
    return ":".join([lemma, *rest.split(":")[1:3]])
