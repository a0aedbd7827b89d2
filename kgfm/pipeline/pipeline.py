"""The one object that touches raw text and the graph at once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import torch

from kgfm.backbones import TextEncoder, check_backbone
from kgfm.batch import Collator, Prepared
from kgfm.datasets.targets import resolved
from kgfm.explain import explain
from kgfm.frozen import FrozenStates
from kgfm.graph import KnowledgeGraph
from kgfm.inputs import texts_in
from kgfm.linking import LINKERS, BaseLinker
from kgfm.model import KGModel
from kgfm.pipeline.about import asked_about, in_parts, one_of
from kgfm.pipeline.answering import predictions
from kgfm.pipeline.live import check_linker, live_retriever, retrieve_or_nothing
from kgfm.pipeline.nearest import NearNames
from kgfm.pipeline.questions import Questions
from kgfm.registry import check_arguments
from kgfm.retrieval import RETRIEVERS, Graph, LiveGraph, Retriever
from kgfm.scorers import WalkScorer
from kgfm.tasks import TASKS, Task
from kgfm.training import TrainingConfig, evaluate, fit
from kgfm.types import Answer, Evidence, Example, Mention, Prediction, check_labels
from kgfm.vectors import LiveVectors, NodeVectors

if TYPE_CHECKING:
    import lightning as L

Spec = str | Mapping[str, Any]
Text = str | Example
ENCODER, FUSION = "rgcn", "cross-attention"
"""What reads a graph, unless something else is said."""


class Pipeline:
    """Linker + retriever + collator + model: raw text in, :class:`kgfm.Prediction` out.

    Args:
        graph: The knowledge graph; a live one needs a ready linker. While its server is unavailable
            texts are answered from their words alone, with ``graph_used`` False. ``None``: there is
            none, and a task that needs none reads the text alone.
        linker: Name, mapping or object; by default the dictionary of names. ``None`` finds nothing.
        task: ``answer`` (rank the entities of the subgraph), ``classify``, or ``spans`` (labels for
            parts of a text); a task's name or mapping, such as
            ``{"name": "classify", "labels": ["good", "bad"]}``.
        retriever: Name, mapping or object.
        backbone: Name, mapping or object.
        encoder: Name, mapping or object; ``None`` leaves the graph out.
        fusion: Name or mapping; ``None`` leaves it out.
        text_encoder: The frozen backbone that gives nodes and relations their text vectors.
        max_tokens: Longer texts are cut.
        seed: Of the weights that start at random.
        vectors: Ready text vectors of the graph, to compute none.
        words: A second linker, for words that the text is not about, such as those of a lexicon:
            name, mapping or object. What it finds outside of the linker's mentions become seeds
            that tokens are aligned with; a prediction lists them as its ``words``.

    Raises:
        KeyError: A part's name is unknown.
        ValueError: A part does not take an argument.
        TypeError: A part is neither named nor of its kind.
    """

    def __init__(
        self,
        graph: Graph | None,
        linker: Spec | BaseLinker | None = "names",
        *,
        task: Spec | Task = "answer",
        retriever: Spec | Retriever = "hops",
        backbone: Any = "minilm",
        encoder: Any = ENCODER,
        fusion: Spec | None = FUSION,
        text_encoder: Any = "minilm",
        max_tokens: int = 128,
        seed: int = 0,
        vectors: NodeVectors | None = None,
        words: Spec | BaseLinker | None = None,
    ) -> None:
        if graph is None:
            encoder, fusion = _without_graph(encoder, fusion, words)
        elif isinstance(graph, LiveGraph):
            check_linker(linker)
            check_linker(words)
            retriever = live_retriever(retriever)
        elif not graph.num_entities:
            warnings.warn("The graph is empty, so texts stay alone.", UserWarning, stacklevel=2)
        TASKS.check(task)
        check_backbone(backbone)
        # A live graph does what a snapshot does for the entities that it has met.
        self.graph: Any = graph
        self.parts: dict[str, Any] = {
            "linker": linker,
            "words": words,
            "retriever": retriever,
            "backbone": backbone,
            "encoder": encoder,
            "fusion": fusion,
            "task": task,
            "text_encoder": text_encoder,
        }
        encode = TextEncoder(text_encoder)  # loads nothing before a linker with context asks
        self.linker: BaseLinker | None = None
        self.words: BaseLinker | None = None
        self.retriever: Retriever | None = None
        if graph is not None:
            self.linker = (
                None if linker is None else LINKERS.build(linker, graph=graph, encode=encode)
            )
            self.words = None if words is None else LINKERS.build(words, graph=graph, encode=encode)
            self.retriever = RETRIEVERS.build(retriever, graph=graph, scorer=WalkScorer(encode))
        self.max_tokens = max_tokens
        self.seed = seed
        self._vectors = vectors
        if vectors is not None and isinstance(graph, KnowledgeGraph):
            vectors.share(graph)  # with a linker that compares contexts
        self.training: dict[str, Any] = {}

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the task has learned or was given, if it has any."""
        task = self.parts["task"]
        known = task.get("labels") if isinstance(task, Mapping) else getattr(task, "labels", None)
        return tuple(known or ())

    @property
    def task(self) -> Task:
        """What answers; part of the model."""
        return self.model.task

    @cached_property
    def vectors(self) -> NodeVectors | LiveVectors | None:
        """Text vectors of the graph's entities and relations; ``None`` where no part reads them."""
        if self.graph is None or self.parts["encoder"] is None:
            return None
        if self._vectors is not None:
            return self._vectors
        encode = TextEncoder(self.parts["text_encoder"])
        if isinstance(self.graph, LiveGraph):
            return LiveVectors(self.graph, encode)
        return NodeVectors.load_or_compute(self.graph, encode)

    @cached_property
    def model(self) -> KGModel:
        """The ``nn.Module``; built when first needed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return KGModel.build(
                backbone=self.parts["backbone"],
                encoder=self.parts["encoder"],
                fusion=self.parts["fusion"],
                task=self.parts["task"],
                feature_width=0 if self.vectors is None else self.vectors.width,
                learned_prior=self.retriever is not None and self.retriever.learns,
            ).eval()

    @cached_property
    def collator(self) -> Collator:
        """What packs texts and subgraphs into a :class:`kgfm.batch.Batch`."""
        backbone = self.model.backbone
        return Collator(
            backbone.tokenizer,
            self.vectors,
            self.model.task,
            max_tokens=min(self.max_tokens, backbone.max_tokens),
        )

    @property
    def questions(self) -> Questions:
        """What makes texts ready for the model."""
        reads_graph = self.parts["encoder"] is not None
        retriever = self.retriever if reads_graph else None
        words = self.words if reads_graph else None
        return Questions(self.linker, retriever, self.collator, self.graph, words)

    def learn(self, examples: Sequence[Example]) -> None:
        """Let the task find in labelled texts what it depends on, such as the labels.

        Raises:
            ValueError: A text contradicts what was given; the message says which.
        """
        task = self.parts["task"]
        if isinstance(task, Task):
            return
        given = TASKS.as_mapping(task)
        kind = TASKS.find(given["name"])
        learned = getattr(kind, "learned", None)  # a function that makes a task learns nothing
        self.parts["task"] = {**given, **(learned(examples, given) if learned else {})}

    def add_labels(self, descriptions: Mapping[str, str]) -> None:
        """Let further labels be known by their descriptions, without any training.

        The labels so far keep what was learned of them; they must have descriptions too.

        Raises:
            ValueError: They have none, or one of these labels is known.
        """
        from kgfm.pipeline.labels import add_labels

        add_labels(self, descriptions)

    def fit(
        self,
        train: Sequence[Example],
        validation: Sequence[Example],
        config: TrainingConfig | None = None,
        *,
        folder: str | os.PathLike[str] = "runs/last",
        cache: str | os.PathLike[str] = "cache/states",
        resume: bool = False,
        trainer: L.Trainer | None = None,
        begin: Callable[[], None] | None = None,
        **settings: Any,
    ) -> dict[str, float]:
        """Train the model; the best epoch by the validation figure stays.

        Args:
            train: Texts with targets.
            validation: Texts with targets; they choose the epoch and the decision threshold.
            config: All settings at once; ``epochs=0`` trains no layer, but the probe of a task with
                labels.
            folder: For checkpoints and logs.
            cache: For the states after frozen layers, if any are frozen.
            resume: Go on from the last checkpoint in ``folder``.
            trainer: A Lightning trainer of your own.
            begin: Called when all is checked and ready, before ``folder`` is touched.
            settings: Single ones of :class:`kgfm.training.TrainingConfig`, such as ``epochs=3``.

        Returns:
            The validation metrics of the best epoch.

        Raises:
            TypeError: The texts are not a sequence of examples.
            ValueError: They contradict the task, or have no targets.
        """
        check_arguments("fit", TrainingConfig, settings)
        config = config or TrainingConfig(**{"max_tokens": self.max_tokens, **settings})
        train, validation = _examples(train, "fit"), _examples(validation, "fit")
        self.max_tokens = config.max_tokens
        self.__dict__.pop("collator", None)  # it may have been made for other settings
        self.learn([*train, *validation])
        train, validation = self._with_keys(train), self._with_keys(validation)
        if self.retriever is not None and self.retriever.learns:
            answered = self.questions.with_answers(train, validation)
            self.retriever.learn(*answered, seed=self.seed)
        prepared, held_out = self.prepare(train), self.prepare(validation)
        started: dict[str, float] = {}
        if config.epochs:
            self._use_cache(config, cache, [*prepared, *held_out])
        try:
            figures = fit(
                self.model,
                self.collator,
                prepared,
                held_out,
                config,
                folder=Path(folder),
                seed=self.seed,
                resume=resume,
                trainer=trainer,
                begin=begin,
                told=started.update,
            )
        finally:
            self.collator.states = None
        self.training = {"validation": figures, "seed": self.seed, "texts": len(prepared)}
        if started:
            self.training["start"] = started
        return figures

    def evaluate(
        self,
        examples: Sequence[Example],
        config: TrainingConfig | None = None,
        *,
        cache: str | os.PathLike[str] | None = None,
    ) -> dict[str, float]:
        """Return the metrics of the task on examples whose targets are known."""
        config = config or TrainingConfig(max_tokens=self.max_tokens)
        prepared = self.prepare(self._with_keys(_examples(examples, "evaluate")))
        if cache is not None:
            self._use_cache(config, cache, prepared)
        try:
            return evaluate(self.model, self.collator, prepared, config)
        finally:
            self.collator.states = None

    def _with_keys(self, examples: Sequence[Example]) -> Sequence[Example]:
        """Turn right answers that are names into keys, where a task ranks the entities."""
        if self.task.ranks_nodes and isinstance(self.graph, KnowledgeGraph):
            return resolved(examples, self.graph)
        return examples

    def _use_cache(
        self, config: TrainingConfig, folder: str | os.PathLike[str], texts: Sequence[Prepared]
    ) -> None:
        backbone = self.model.backbone
        if config.cache_states and backbone.freeze:
            limit = int(config.cache_limit_gb * 2**30)
            states = FrozenStates(backbone, Path(folder), limit_bytes=limit)
            states.fill([row.input_ids for text in texts for row in text.rows])
            self.collator.states = states

    def link(self, examples: Sequence[Example]) -> list[tuple[Mention, ...]]:
        """Return the given mentions of each example's text, or what the linker finds."""
        return self.questions.link(examples)

    def prepare(self, examples: Iterable[Text]) -> list[Prepared]:
        """Link, cut subgraphs and tokenise: all that can be done text by text."""
        asked = [_example(text) for text in texts_in(examples, "prepare", (str, Example))]
        for example in asked:
            check_labels(example)
        if self.task.reads_spans:  # a text of many spans is read in parts
            asked = [part for one in self.questions.settled(asked) for part in in_parts(one)]
        return self.questions.prepare(asked)

    @overload  # a str is an Iterable[str] too; the first one wins
    def __call__(self, texts: Text, *, about: Any = None) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, texts: Iterable[Text], *, about: Any = None) -> list[Prediction]: ...

    def __call__(
        self, texts: Text | Iterable[Text], *, about: Any = None
    ) -> Prediction | list[Prediction]:
        """Answer one text, or each of several.

        Args:
            texts: The text, or several.
            about: For a task that reads spans, what is asked about: a list of spans ``(0, 11)``,
                strings, for every place where the text says it, pairs of spans, or
                :class:`kgfm.types.About`; ``"linked"``: all that the linker finds, which is also
                what a text is asked about by default. For several texts a list of such for each.

        Raises:
            TypeError: Something in the batch is not a text; the message names its index. Or
                something in ``about`` is nothing to ask about.
            ValueError: The text does not say what it is asked about, or the task reads no spans.
        """
        if isinstance(texts, (str, Example)):
            asked = [_example(texts)]
            if about is not None:
                asked = list(asked_about(asked, about, self.task, single=True))
            return self._predict(asked)[0]
        return list(self.pipe(texts, about=about))

    def pipe(
        self, texts: Iterable[Text], *, about: Any = None, batch_size: int = 32
    ) -> Iterator[Prediction]:
        """Answer a stream of texts, in order, a batch at a time.

        Args:
            texts: The texts.
            about: What each is asked about, a list for each text or ``"linked"``; see
                :meth:`__call__`.
            batch_size: Texts that are read together.

        Raises:
            ValueError: ``batch_size`` is less than 1; or as :meth:`__call__` has it.
            TypeError: These are no texts, or something among them is none; the message names its
                index.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, got {batch_size}.")
        # Checked when called, not when the first answer is asked for.
        asked: Iterator[Example] = map(_example, texts_in(texts, "pipe", (str, Example)))
        if about is not None:
            asked = asked_about(asked, about, self.task)
        return self._stream(asked, batch_size)

    def _stream(self, examples: Iterator[Example], batch_size: int) -> Iterator[Prediction]:
        while batch := list(islice(examples, batch_size)):
            yield from self._predict(batch)

    def _predict(self, examples: Sequence[Example]) -> list[Prediction]:
        examples = self.questions.settled(examples, asking=True)
        linked = zip(examples, self.link(examples), strict=True)
        parts = [in_parts(replace(example, mentions=named)) for example, named in linked]
        flat = [part for of_one in parts for part in of_one]
        prepared = self.questions.prepare(flat, self.link(flat), retrieve_or_nothing)
        read = (self.model, self.collator, self.graph)
        return list(predictions(parts, prepared, *read, why=self._why))

    def _why(self, text: str, answer: Answer) -> str:
        """Say what a refusal means; where nothing was named, with the names that are near."""
        if answer.refused != "unnamed" or not isinstance(self.graph, KnowledgeGraph):
            return answer.why
        names = self._near_names(text)
        return f"{answer.why} Nearest name: {' or '.join(names)}." if names else answer.why

    @cached_property
    def _near_names(self) -> NearNames:
        # Words that people write often are whole tokens, and are not misspelt.
        tokenizer = self.model.backbone.tokenizer
        return NearNames(self.graph, lambda word: len(tokenizer.tokenize(word)) > 1)

    def explain(
        self,
        asked: Prediction | Text,
        answer: str | None = None,
        *,
        about: int = 0,
        limit: int = 32,
    ) -> tuple[Evidence, ...]:
        """Measure what an answer rests on, by taking it away and asking anew.

        Args:
            asked: A prediction of this pipeline, or a text.
            answer: The label or key whose score is followed; by default the one that was given.
            about: Which of the spans asked about.
            limit: Number of triples to leave out.

        Returns:
            The evidence, largest fall of the score first.

        Raises:
            ValueError: ``answer`` is no possible answer.
            IndexError: So many spans were not asked about.
        """
        said = asked if isinstance(asked, Prediction) else self(_example(asked))
        example = said.example
        if self.task.reads_spans:
            if not said.about:  # nothing was asked, so nothing was answered
                return ()
            # Each is answered by itself, so that the others need not be asked again.
            said, about = one_of(said, about), 0
            example = said.example
        if answer is None:
            answer = said.about[about].answer if said.about else said.answer
        option = self.model.task.option(answer, example, self.graph)
        if self.retriever is None or self.parts["encoder"] is None:
            return ()
        return explain(
            self.model,
            self.collator,
            partial(self.questions.variants, example),
            option,
            self.graph,
            about=about,
            limit=limit,
        )

    def save(self, folder: str | os.PathLike[str], *, graph: str = "copy") -> None:
        """Save everything that is needed to answer again; see :mod:`kgfm.pipeline.saving`."""
        from kgfm.pipeline.saving import save

        save(self, Path(folder), graph=graph)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, graph: Graph | None = None) -> Pipeline:
        """Load a saved pipeline; its outputs are those of the saved one, bit for bit.

        Args:
            folder: Where it was saved.
            graph: A graph to use in place of the saved one. With a live graph the names still come
                from the saved one.

        Raises:
            FileNotFoundError: There is none.
            DamagedFileError: A file is missing, truncated or changed.
        """
        from kgfm.pipeline.saving import load

        return load(Path(folder), graph=graph)

    def __repr__(self) -> str:
        parts = (self.parts[kind] for kind in ("backbone", "encoder", "fusion", "task"))
        names = [_short_name(part) for part in parts if part is not None]
        return f"Pipeline({' + '.join(names)} over {self.graph!r})"


def _without_graph(encoder: Any, fusion: Any, words: Any) -> tuple[None, None]:
    """Leave out what reads a graph, where there is none.

    Raises:
        ValueError: Another encoder or fusion than the usual one was asked for, or words.
    """
    parts = (("encoder", encoder, ENCODER), ("fusion", fusion, FUSION), ("words", words, None))
    for kind, part, usual in parts:
        if part is not None and part != usual:
            raise ValueError(
                f"{kind}={part!r} reads a graph, and there is none: give one, or {kind}=None."
            )
    return None, None


def _short_name(part: Any) -> str:
    if isinstance(part, Mapping):
        return str(part["name"])
    return part if isinstance(part, str) else str(getattr(part, "name", type(part).__name__))


def _examples(given: Iterable[Any], what: str) -> list[Example]:
    examples: list[Example] = list(texts_in(given, what, (Example,)))
    for example in examples:
        check_labels(example)
    return examples


def _example(text: Text) -> Example:
    return text if isinstance(text, Example) else Example(text)
