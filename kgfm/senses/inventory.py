"""WordNet as arrays: the synsets that a word may mean, and the pointers around them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from kgfm.graph import KnowledgeGraph
from kgfm.linking.formats.wsd import Instance
from kgfm.linking.senses import PARTS_OF_SPEECH, Senses


class Candidates(NamedTuple):
    """The synsets that a word may mean, in WordNet's order, and which of them are right."""

    rows: Int[np.ndarray, "sense"]
    order: Int[np.ndarray, "sense"]
    keys: tuple[str, ...]


class Pointers(NamedTuple):
    """Edges into each synset, both ways, as a compressed table.

    The edges into row ``i`` stand at ``starts[i]:starts[i + 1]``. Relation ``r`` comes from a
    pointer's tail to its head, ``r + R`` from its head to its tail. ``weight`` is ``1 / |N_r(i)|``.
    """

    starts: Int[np.ndarray, "synset_and_one"]
    source: Int[np.ndarray, "edge"]
    kind: Int[np.ndarray, "edge"]
    weight: Float[np.ndarray, "edge"]

    def into(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges into some rows, and for each the place of its row in ``rows``."""
        first, last = self.starts[rows], self.starts[rows + 1]
        return ranges(first, last), np.repeat(np.arange(len(rows)), last - first)

    @classmethod
    def of(cls, target: np.ndarray, source: np.ndarray, kind: np.ndarray, size: int) -> Pointers:
        """Sort edges by their target among ``size`` rows, and weigh them."""
        order = np.argsort(target, kind="stable")
        target, source, kind = target[order], source[order], kind[order]
        group = target * (kind.max(initial=0) + 1) + kind
        _, place, count = np.unique(group, return_inverse=True, return_counts=True)
        starts = np.searchsorted(target, np.arange(size + 1))
        return cls(starts, source, kind, (1.0 / count[place]).astype(np.float32))

    def only_from(self, rows: np.ndarray) -> Pointers:
        """Return the edges that come from some rows, weighed anew."""
        size = len(self.starts) - 1
        wanted = np.zeros(size, dtype=bool)
        wanted[rows] = True
        kept = wanted[self.source]
        target = np.repeat(np.arange(size), np.diff(self.starts))
        return Pointers.of(target[kept], self.source[kept], self.kind[kept], size)


def ranges(first: np.ndarray, last: np.ndarray) -> Int[np.ndarray, "total"]:
    """Return ``first[0] .. last[0] - 1, first[1] .. last[1] - 1, ...`` as one array."""
    counts = last - first
    shift = first - np.concatenate([[0], np.cumsum(counts)[:-1]])[: len(counts)]
    return np.repeat(shift, counts) + np.arange(counts.sum())


class Inventory:
    """The senses of words in a graph made of WordNet, as rows of the graph.

    Args:
        graph: Made of WordNet: ``KnowledgeGraph.from_layout("wordnet", folder)``.

    Raises:
        ValueError: No entity of the graph has senses.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.senses = Senses(graph)
        self._row = {key: row for row, key in enumerate(graph.keys)}
        self._found: dict[tuple[str, str], Candidates] = {}

    @property
    def num_relations(self) -> int:
        """Relations of the graph; :attr:`pointers` has twice as many kinds of edges."""
        return self.graph.num_relations

    def candidates(self, lemma: str, pos: str) -> Candidates:
        """Return the synsets of a word; none if it has none."""
        word = lemma.replace(" ", "_").lower(), PARTS_OF_SPEECH.get(pos, "")
        if word not in self._found:
            senses = self.senses.of(*word)
            self._found[word] = Candidates(
                np.array([self._row[sense.synset] for sense in senses], dtype=np.int64),
                np.array([sense.order for sense in senses], dtype=np.int64),
                tuple(sense.key for sense in senses),
            )
        return self._found[word]

    def right(self, instance: Instance) -> np.ndarray:
        """Say of each candidate of an instance whether one of its keys names it."""
        named = {found.key for key in instance.keys if (found := self.senses.sense(key))}
        keys = self.candidates(instance.lemma, instance.pos).keys
        return np.array([key in named for key in keys], dtype=bool)

    @cached_property
    def pointers(self) -> Pointers:
        """The graph's triples, from tail to head and from head to tail."""
        graph, kinds = self.graph, self.num_relations
        heads, relations, tails = (
            np.asarray(part, dtype=np.int64) for part in (graph.heads, graph.relations, graph.tails)
        )
        return Pointers.of(
            np.concatenate([heads, tails]),
            np.concatenate([tails, heads]),
            np.concatenate([relations, relations + kinds]),
            len(graph),
        )

    def words(self, instances: Iterable[Instance]) -> set[tuple[str, str]]:
        """Return lemma and part of speech of instances, written in one way."""
        return {(one.lemma.lower(), PARTS_OF_SPEECH.get(one.pos, "")) for one in instances}

    def gloss_texts(self) -> list[str]:
        """Return for each synset its lemmas, its gloss and its examples."""
        graph = self.graph
        return [
            f"{', '.join(graph.names(row))}: {graph.descriptions[row]}" for row in range(len(graph))
        ]
