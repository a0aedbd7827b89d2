"""Linking by the names that the graph itself gives: labels and aliases, longest match first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.inputs import text_in, texts_in
from kgfm.linking import fine_tuning, unranked
from kgfm.linking.base import BaseLinker
from kgfm.linking.calibration import calibrated
from kgfm.linking.candidates import CandidateIndex
from kgfm.linking.choose import merged
from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.fitting import fit_weights
from kgfm.linking.formats.document import Document, documents_of, in_graph
from kgfm.linking.passages import link_in_passages
from kgfm.linking.ranked import find_places, given_places, mentions_of
from kgfm.linking.ranking import Ranking
from kgfm.linking.saved import encoder_folder, read_linker, resolve_encode, save_linker
from kgfm.linking.span_features import Places
from kgfm.linking.spans import Span, Spans, capitals, resolve_spans
from kgfm.linking.weights import LinkerWeights, kind_of, resolve_weights, shipped_weights
from kgfm.types import Example, Mention
from kgfm.vectors import Encode

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph
    from kgfm.training import TrainingConfig


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
    "source",
)


class Linker(BaseLinker):
    """Find the labels and aliases of a graph's entities in texts.

    A name matches whole tokens (runs of word characters, single symbols, or letters of scripts
    that put no space between words), whatever its case, its accents, the forms of its letters and
    the white space between its tokens, but for what is a part of something more
    (:mod:`kgfm.linking.wholes`). From left to right the longest name wins.
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
            found exactly stay, unless such a span holds more and is like a name. A ranked linker
            gives it texts of more than 250,000 characters in passages.
        min_likeness: A span that is less like every name is NIL.
        ranked: Weigh all candidates of a text together, NIL among them, by their names, how known
            they are, and the words around (:mod:`kgfm.linking.choice_model`). The scores are
            probabilities then, and ``min_score`` is the threshold that was chosen with the weights,
            unless it is given. ``context`` and ``weights`` imply it.
        coherence: Also by how near the candidates of a text's other mentions are in the graph
            (:mod:`kgfm.linking.coherence`).
        context: Also by how like the text an entity's label, types and description are.
        encode: Texts in, a vector for each out, such as :class:`kgfm.backbones.TextEncoder`, or
            the folder of one that was saved; ``context`` needs it. One with ``marks`` reads each
            mention in its context, marked; others read each text once.
        weights: What :meth:`fit` learned, or the path of a file of it; by default those that ship
            with kgfm, which were learned from texts about its world graph.
        source: Of a merged graph, the source whose entities are linked to; ``None`` for all.

    Raises:
        ValueError: ``min_score`` or ``min_likeness`` is not between 0 and 1, ``min_length`` is
            below 1, there is no such source of spans or of the graph, or ``context`` has no
            ``encode``.
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
        encode: Encode | str | Path | None = None,
        weights: LinkerWeights | Mapping[str, Any] | str | Path | None = None,
        source: str | None = None,
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
        self.graph = graph if source is None else graph.only(source)
        # What is built over a part of a graph is built anew over the same part.
        self.source: str | None = self.graph.manifest["source"].get("only")
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
        self.encode = resolve_encode(encode)
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
        return self._ranking(self.encode if self.context else None)

    def _ranking(self, encode: Encode | None) -> Ranking:
        return Ranking(
            self.names,
            self.candidates if self.fuzzy else None,
            coherence=self.coherence,
            encode=encode,
        )

    def __getstate__(self) -> dict[str, Any]:
        made = ("names", "candidates", "ranking")
        return {name: value for name, value in vars(self).items() if name not in made}

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal linker over another graph, as JSON.

        Raises:
            TypeError: ``spans`` is a function, which JSON cannot hold, or the encoder was trained
                and not saved.
        """
        if callable(self.spans):
            raise TypeError(
                f"spans={self.spans!r} is a function, which cannot be saved; use spans='capitals' "
                "or 'spacy:MODEL'."
            )
        weights = None if self.weights is None else self.weights.record()
        arguments = {name: getattr(self, name) for name in _ARGUMENTS} | {"weights": weights}
        return arguments | encoder_folder(self.encode)

    def save(self, folder: str | Path) -> None:
        """Save the arguments, the weights and an encoder of its own; the graph stays where it is.

        JSON and safetensors, with hashes; a crash leaves what was there before.
        """
        save_linker(self, Path(folder))

    @classmethod
    def load(
        cls, folder: str | Path, graph: KnowledgeGraph, *, encode: Encode | None = None
    ) -> Linker:
        """Load what :meth:`save` wrote, over a graph.

        Args:
            folder: Where it was saved.
            graph: Its entities are linked to.
            encode: For a linker with ``context`` whose encoder was not its own.

        Raises:
            FileNotFoundError: There is none.
            DamagedFileError: A file is missing, truncated or changed.
        """
        return cls(graph, **{"encode": encode, **read_linker(Path(folder))})

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in _ARGUMENTS)
        return f"{type(self).__name__}({given})"

    def link(self, texts: Iterable[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions of each text, in the order of the text.

        None overlaps another, unless the linker is ``overlapping``.

        Raises:
            TypeError: These are not several texts, or one of them is no ``str``; the message says
                what to write, and names the index of the one.
        """
        texts = [*texts_in(texts, "linker.link")]
        if self.ranked:
            return [*map(tuple, link_in_passages(texts, self.names, self._by_probability))]
        return unranked.link(self, texts, self._find_spans)

    def link_spans(self, text: str, spans: Sequence[Span]) -> list[Mention]:
        """Link given spans of a text: a mention for each, in their order, NIL ones too.

        Whether something is linked at all has a threshold of its own here, since somebody says that
        each span means something.

        Raises:
            ValueError: A span does not lie within the text.
            TypeError: The text is none.
        """
        text = text_in(text, "linker.link_spans", "linker.link")
        for start, end in spans:
            if not 0 <= start < end <= len(text):
                raise ValueError(f"A span lies within the text's {len(text)}; got {start}, {end}.")
        if not self.ranked:
            return unranked.link_spans(self, text, spans)
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
        fine_tune: bool | TrainingConfig = False,
        folds: int = 2,
        folder: str | Path | None = None,
        resume: bool = False,
        backbone: Any = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> Linker:
        """Learn how much each feature counts, and the threshold, from texts with gold mentions.

        The linker is ``ranked`` from then on; its ``weights`` are part of :meth:`config`.

        Args:
            examples: Examples with mentions, or documents; all mentions of a text are given.
            key_of: As in :func:`kgfm.linking.evaluate.evaluate`.
            seed: Deals the texts to folds.
            fine_tune: Train the text encoder too, as it says or by default; the linker's ``encode``
                is the trained one from then on (:func:`kgfm.linking.fine_tuning.fine_tune`).
            folds: Of that training: besides the encoder that is kept, so many are trained on all
                folds but one, so that weights are learned from similarities in unseen texts. More
                folds make these encoders more like the kept one, and take longer.
            folder: Keeps that training's checkpoints and logs; by default they are not kept.
            resume: Go on with that training in ``folder``, where it was interrupted.
            backbone: For that training, where to start from.
            say: Told what that training does.

        Raises:
            TypeError: These are no examples or documents.
            ValueError: There is too little to learn from, ``fine_tune`` without ``context``, fewer
                than two folds, or ``resume`` without what was begun with the same texts.
        """
        documents = [
            in_graph(one, self.graph, key_of) for one in documents_of(examples, "linker.fit")
        ]
        parts = [(self.ranking, documents)]
        if fine_tune:
            if not self.context:
                raise ValueError("fine_tune trains the encoder of context=True; ask for that too.")
            config = None if fine_tune is True else fine_tune
            how = {"folds": folds, "folder": folder, "resume": resume, "backbone": backbone}
            self.encode, tuned = fine_tuning.fine_tune(
                self, documents, config, seed=seed, say=say, **how
            )
            vars(self).pop("ranking")  # it has the vectors of the encoder before
            parts = [(self._ranking(encode), own) for encode, own in tuned]
        self.weights = fit_weights(parts, self._places, self.names.whole_names, seed=seed)
        self.ranked = True
        return self

    def calibrate(self, texts: Iterable[str]) -> Linker:
        """Fit the probabilities to a corpus of which nothing is known but some of its texts.

        How many of a corpus's names a graph has is estimated from them
        (:mod:`kgfm.linking.calibration`); much the same is linked as before, with other
        probabilities. The linker is ``ranked`` from then on. A few dozen texts will do.

        Args:
            texts: Texts such as are going to be linked.

        Raises:
            ValueError: No span of the texts has a candidate.
            TypeError: These are not several texts, or one of them is no ``str``.
        """
        texts = [*texts_in(texts, "linker.calibrate")]
        weights = self.weights or shipped_weights()
        kinds = dict(weights.kinds)
        free = self._places(texts)
        given = given_places(texts, capitals(texts), self.names)
        for places, is_given in ((free, False), (given, True)):
            found = self.ranking.rank(texts, places, weights, given=is_given)
            if not len(found.rows):
                raise ValueError(
                    f"Nothing in the {len(texts):,} texts is like a name of the graph; give texts "
                    "such as are going to be linked."
                )
            kind = kind_of(coherence=self.coherence, context=self.context, given=is_given)
            kinds[kind] = calibrated(weights.kinds[kind], found.nil)
        self.weights, self.ranked = LinkerWeights(kinds), True
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
        how = {"overlapping": self.overlapping, "keep_nil": self.keep_nil}
        mentions = mentions_of(texts, found, self.graph, threshold=least, **how)
        return [merged(own, [], overlapping=self.overlapping) for own in mentions]
