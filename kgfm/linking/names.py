"""Linking by the names that the graph itself gives: labels and aliases, longest match first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.linking.base import BaseLinker, check_texts
from kgfm.linking.candidates import CandidateIndex
from kgfm.linking.contexts import Encode, EntityVectors
from kgfm.linking.dictionary import NameDictionary, spelling
from kgfm.linking.fitting import fit_weights
from kgfm.linking.formats.document import Document, documents_of, in_graph
from kgfm.linking.ranked import find_places, given_places, mentions_of, whole_names
from kgfm.linking.ranking import Ranking
from kgfm.linking.span_features import Places
from kgfm.linking.spans import Span, Spans, resolve_spans
from kgfm.linking.weights import LinkerWeights, resolve_weights, shipped_weights
from kgfm.types import Example, Mention

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


_ARGUMENTS = (
    "min_score",
    "min_length",
    "guard",
    "keep_nil",
    "overlapping",
    "fuzzy",
    "spans",
    "min_likeness",
    "ranked",
    "coherence",
    "context",
    "weights",
)
_MIN_SCORE = 0.05


class Linker(BaseLinker):
    """Find the labels and aliases of a graph's entities in texts.

    A name matches whole tokens (runs of word characters, or single symbols), whatever its case,
    its accents and the white space between its tokens. From left to right the longest name wins.
    Of several entities with the same name, those come first whose name is spelled exactly as in
    the text, then those with more triples (:meth:`NameDictionary.candidates` has the score). All
    that were weighed, the chosen one first and at most 16, are the mention's ``candidates``.

    The dictionary is made when it is first needed, and kept beside a snapshot on disk if there are
    many names; pickling leaves it behind.

    Args:
        graph: Its entities are linked to.
        min_score: A mention whose best candidate scores less is NIL; .05 by default.
        min_length: Shorter mentions, in code points, are left out.
        guard: Leave out punctuation that is also a name ("..."), and common words that are also
            names unless the text says that it means the name: the film "It" is found in "who
            directed It", and not in "who directed it" nor in "It was late"
            (:meth:`NameDictionary.is_guarded` has the rule).
        keep_nil: Return NIL mentions too, with ``entity=None``, instead of leaving them out.
        overlapping: Return every name, also those within or across a longer one.
        fuzzy: Link spans that are no exact name too: by a part ("Merkel"), an acronym, or
            characters in common (:class:`~kgfm.linking.candidates.CandidateIndex`). Their score is
            the likeness of the best candidate; it is not calibrated.
        spans: Where such names may stand: ``capitals`` (what ``fuzzy`` uses unless told
            otherwise), ``spacy:MODEL``, or a function from texts to lists of (start, end). Names
            found exactly stay, unless such a span holds more and is like a name.
        min_likeness: A span that is less like every name is NIL.
        ranked: Weigh all candidates of a text together, NIL among them, by their names, how known
            they are, and the words around (:mod:`kgfm.linking.choice_model`). The scores are
            probabilities then, and ``min_score`` is the threshold that was chosen with the weights,
            unless it is given. ``context`` and ``weights`` imply it.
        coherence: Also by how near the candidates of a text's other mentions are in the graph
            (:mod:`kgfm.linking.coherence`).
        context: Also by how like the text an entity's label, types and description are.
        encode: Texts in, a vector for each out, such as :class:`kgfm.backbones.TextEncoder`;
            ``context`` needs it.
        weights: What :meth:`fit` learned, or the path of a file of it; by default those that ship
            with kgfm, which were learned from texts about its world graph.

    Raises:
        ValueError: ``min_score`` or ``min_likeness`` is not between 0 and 1, ``min_length`` is
            below 1, there is no such source of spans, or ``context`` has no ``encode``.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        min_score: float | None = None,
        min_length: int = 1,
        guard: bool = True,
        keep_nil: bool = False,
        overlapping: bool = False,
        fuzzy: bool = False,
        spans: str | Spans | None = None,
        min_likeness: float = 0.6,
        ranked: bool = False,
        coherence: bool = True,
        context: bool = False,
        encode: Encode | None = None,
        weights: LinkerWeights | Mapping[str, Any] | str | Path | None = None,
    ) -> None:
        for name, value in {"min_score": min_score, "min_likeness": min_likeness}.items():
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is a number from 0 to 1, got {value}.")
        if min_length < 1:
            raise ValueError(f"min_length is at least 1, got {min_length}.")
        if context and encode is None:
            raise ValueError(
                "context=True compares texts by vectors: give encode=..., from a list of texts to "
                "an array, such as kgfm.backbones.TextEncoder()."
            )
        self.graph = graph
        self.min_score = min_score
        self.min_length = min_length
        self.guard = guard
        self.keep_nil = keep_nil
        self.overlapping = overlapping
        self.fuzzy = fuzzy
        self.spans = spans
        self.min_likeness = min_likeness
        self.ranked = ranked or context or weights is not None
        self.coherence = coherence
        self.context = context
        self.encode = encode
        self.weights = resolve_weights(weights)
        self._find_spans = resolve_spans("capitals" if fuzzy and spans is None else spans)

    @cached_property
    def names(self) -> NameDictionary:
        """The dictionary: every label and alias of the graph."""
        return NameDictionary.load_or_build(self.graph)

    @cached_property
    def candidates(self) -> CandidateIndex:
        """What finds names that are like a span; used with ``fuzzy``."""
        return CandidateIndex.load_or_build(self.names)

    @cached_property
    def ranking(self) -> Ranking:
        """What weighs the candidates; used if the linker is ``ranked``."""
        return Ranking(
            self.names,
            self.candidates if self.fuzzy else None,
            coherence=self.coherence,
            vectors=EntityVectors(self.graph, self.encode)
            if self.encode and self.context
            else None,
        )

    def __getstate__(self) -> dict[str, Any]:
        made = ("names", "candidates", "ranking")
        return {name: value for name, value in vars(self).items() if name not in made}

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal linker over another graph, as JSON.

        Raises:
            TypeError: ``spans`` is a function, which JSON cannot hold.
        """
        if callable(self.spans):
            raise TypeError(
                f"spans={self.spans!r} is a function, which cannot be saved; use spans='capitals' "
                "or 'spacy:MODEL'."
            )
        weights = None if self.weights is None else self.weights.record()
        return {name: getattr(self, name) for name in _ARGUMENTS} | {"weights": weights}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in _ARGUMENTS)
        return f"{type(self).__name__}({given})"

    def link(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions of each text, in the order of the text.

        None overlaps another, unless the linker is ``overlapping``.

        Raises:
            TypeError: One of the texts is no ``str``; the message names its index.
        """
        check_texts(texts)
        if self.ranked:
            return [tuple(self._merged(own, [])) for own in self._by_probability(texts)]
        mentions = self._exact(texts)
        if self._find_spans is not None:
            for own, more in zip(mentions, self._others(texts, mentions), strict=True):
                own[:] = self._merged(own, more)
        return [tuple(of_text) for of_text in mentions]

    def link_spans(self, text: str, spans: Sequence[Span]) -> list[Mention]:
        """Link given spans of a text: a mention for each, in their order, NIL ones too.

        Whether something is linked at all has a threshold of its own here, since somebody says that
        each span means something.

        Raises:
            ValueError: A span does not lie within the text.
        """
        check_texts([text])
        for start, end in spans:
            if not 0 <= start < end <= len(text):
                raise ValueError(f"A span lies within the text's {len(text)}; got {start}, {end}.")
        if not self.ranked:
            return self._alike(text, spans)
        places = given_places([text], [spans], self.names)
        weights = self.weights or shipped_weights()
        found = self.ranking.rank([text], places, weights, given=True)
        least = self._threshold(weights, given=True)
        return mentions_of(
            [text], found, self.graph, threshold=least, overlapping=True, keep_nil=True
        )[0]

    def fit(
        self,
        examples: Iterable[Example | Document],
        *,
        key_of: Callable[[str], str | None] | None = None,
        seed: int = 0,
    ) -> Linker:
        """Learn how much each feature counts, and the threshold, from texts with gold mentions.

        The linker is ``ranked`` from then on; its ``weights`` are part of :meth:`config`.

        Args:
            examples: Examples with mentions, or documents; all mentions of a text are given.
            key_of: As in :func:`kgfm.linking.evaluate.evaluate`.
            seed: Deals the texts to folds.

        Raises:
            ValueError: There is too little to learn from.
        """
        documents = [in_graph(one, self.graph, key_of) for one in documents_of(examples)]
        self.weights = fit_weights(
            self.ranking,
            documents,
            self._places,
            partial(whole_names, names=self.names),
            seed=seed,
        )
        self.ranked = True
        return self

    def _places(self, texts: Sequence[str]) -> Places:
        return find_places(
            texts, self.names, self._find_spans, guard=self.guard, min_length=self.min_length
        )

    def _threshold(self, weights: LinkerWeights, *, given: bool = False) -> float:
        if self.min_score is not None:
            return self.min_score
        own = weights.of(coherence=self.coherence, context=self.context, given=given)
        return own.threshold

    def _by_probability(self, texts: Sequence[str]) -> list[list[Mention]]:
        weights = self.weights or shipped_weights()
        found = self.ranking.rank(texts, self._places(texts), weights)
        least = self._threshold(weights)
        return mentions_of(
            texts,
            found,
            self.graph,
            threshold=least,
            overlapping=self.overlapping,
            keep_nil=self.keep_nil,
        )

    def _alike(self, text: str, spans: Sequence[Span]) -> list[Mention]:
        """Link given spans without weights."""
        words = [text[start:end] for start, end in spans]
        ranked = self._ranked(words)
        mentions = []
        for place, (name, (start, end)) in enumerate(
            zip(whole_names(words, self.names).tolist(), spans, strict=True)
        ):
            exact = self.names.candidates(name, spelling(text, start, end)) if name else ()
            listed = exact or ranked[place]
            least = (
                (_MIN_SCORE if self.min_score is None else self.min_score)
                if exact
                else (self.min_likeness)
            )
            key, score = listed[0] if listed and listed[0][1] >= least else (None, 0.0)
            mentions.append(Mention(start, end, words[place], key, score, listed))
        return mentions

    def _exact(self, texts: Sequence[str]) -> list[list[Mention]]:
        mentions: list[list[Mention]] = [[] for _ in texts]
        found = self.names.scan(texts, longest=not self.overlapping)
        columns = found.texts.tolist(), found.starts.tolist(), found.ends.tolist()
        for index, start, end, name in zip(*columns, found.names.tolist(), strict=True):
            mention = self._mention(texts[index], start, end, name)
            if mention is not None:
                mentions[index].append(mention)
        return mentions

    def _mention(self, text: str, start: int, end: int, name: int) -> Mention | None:
        names = self.names
        if end - start < self.min_length:
            return None
        if self.guard and names.is_guarded(name, text, start, end):
            return None
        candidates = names.candidates(name, spelling(text, start, end))
        least = _MIN_SCORE if self.min_score is None else self.min_score
        return self._chosen(text, (start, end), candidates, least)

    def _chosen(
        self,
        text: str,
        span: Span,
        candidates: tuple[tuple[str, float], ...],
        least: float,
    ) -> Mention | None:
        """Return the mention of the best candidate, or NIL if that is kept."""
        start, end = span
        key, score = candidates[0] if candidates else (None, 0.0)
        if candidates and score >= least:
            return Mention(start, end, text[start:end], key, score, candidates)
        if self.keep_nil:
            return Mention(start, end, text[start:end], None, 1 - score, candidates)
        return None

    def _others(
        self, texts: Sequence[str], mentions: Sequence[Sequence[Mention]]
    ) -> list[list[Mention]]:
        """Return a mention for each span of the second source that is not linked already."""
        assert self._find_spans is not None
        places: list[tuple[int, Span]] = []
        for index, spans in enumerate(self._find_spans(texts)):
            known = {(mention.start, mention.end) for mention in mentions[index]}
            wanted = sorted({*spans} - known)
            places += [(index, s) for s in wanted if s[1] - s[0] >= self.min_length]
        ranked = self._ranked([texts[index][start:end] for index, (start, end) in places])
        others: list[list[Mention]] = [[] for _ in texts]
        for (index, span), candidates in zip(places, ranked, strict=True):
            mention = self._chosen(texts[index], span, candidates, self.min_likeness)
            if mention is not None:
                others[index].append(mention)
        return others

    def _ranked(self, spans: Sequence[str]) -> list[tuple[tuple[str, float], ...]]:
        if not self.fuzzy:
            return [()] * len(spans)
        found = self.candidates(spans)
        keys, rows = self.graph.keys, found.rows.tolist()
        pairs = [(keys[row], s) for row, s in zip(rows, found.scores.tolist(), strict=True)]
        return [tuple(pairs[start:end]) for start, end in pairwise(found.indptr.tolist())]

    def _merged(self, exact: list[Mention], others: list[Mention]) -> list[Mention]:
        """Put both sources together: what is linked before NIL, then the longer, then the exact."""
        together = [*exact, *others]
        if not self.overlapping:
            first = sorted(together, key=lambda m: (m.entity is None, m.start - m.end))
            taken = bytearray(max((mention.end for mention in together), default=0))
            together = []
            for mention in first:
                if not any(taken[mention.start : mention.end]):
                    taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
                    together.append(mention)
        return sorted(together, key=lambda mention: (mention.start, mention.end))
