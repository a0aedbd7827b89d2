"""The one object that touches raw text and the graph at once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch

from kgfm.backbones import TextEncoder
from kgfm.batch import Collator, Prepared
from kgfm.encoders import LiveVectors, NodeVectors
from kgfm.explain import explain
from kgfm.frozen import FrozenStates
from kgfm.graph import KnowledgeGraph
from kgfm.heads import HEADS
from kgfm.linking import LINKERS, BaseLinker
from kgfm.model import KGModel
from kgfm.pipeline.live import check_linker, live_retriever, retrieve_or_nothing
from kgfm.pipeline.predictions import answer_predictions, label_predictions
from kgfm.registry import check_arguments, lookup, resolve
from kgfm.retrieval import RETRIEVERS, Graph, LiveGraph, Retriever, ask
from kgfm.training import TrainingConfig, evaluate, fit
from kgfm.types import Asked, Evidence, Example, Mention, Prediction, Subgraph

if TYPE_CHECKING:
    import lightning as L

Spec = str | Mapping[str, Any]
Text = str | Example


class Pipeline:
    """Linker + retriever + collator + model: raw text in, :class:`kgfm.Prediction` out.

    Args:
        graph: The knowledge graph; a live one needs a ready linker. While its server is unavailable
            texts are answered from their words alone, with ``graph_used`` False.
        linker: Name, mapping or object; by default the dictionary of names.
        task: ``answer`` (rank the entities of the subgraph) or ``classify``; a head's name or
            mapping.
        retriever: Name, mapping or object.
        backbone: Name, mapping or object.
        encoder: Name, mapping or object; ``None`` leaves the graph out.
        fusion: Name or mapping; ``None`` leaves it out.
        text_encoder: The frozen backbone that gives nodes and relations their text vectors.
        labels: The labels of ``classify``; by default those of the training texts.
        multi_label: Several labels may be right.
        max_tokens: Longer texts are cut.
        seed: Of the weights that start at random.
        vectors: Ready text vectors of the graph, to compute none.

    Raises:
        KeyError: A part's name is unknown.
        ValueError: A part does not take an argument.
    """

    def __init__(
        self,
        graph: Graph,
        linker: Spec | BaseLinker = "names",
        *,
        task: Spec = "answer",
        retriever: Spec | Retriever = "hops",
        backbone: Any = "minilm",
        encoder: Any = "rgcn",
        fusion: Spec | None = "cross-attention",
        text_encoder: Any = "minilm",
        labels: Sequence[str] = (),
        multi_label: bool = False,
        max_tokens: int = 128,
        seed: int = 0,
        vectors: NodeVectors | None = None,
    ) -> None:
        if isinstance(graph, LiveGraph):
            check_linker(linker)
            retriever = live_retriever(retriever)
        elif not graph.num_entities:
            warnings.warn("The graph is empty, so texts stay alone.", UserWarning, stacklevel=2)
        if not isinstance(task, str) and not (isinstance(task, Mapping) and "name" in task):
            raise TypeError(
                "task is a head's name or a mapping with 'name', such as 'answer'; "
                f"got {type(task).__name__}."
            )
        lookup("head", task if isinstance(task, str) else task["name"], HEADS)
        # A live graph does what a snapshot does for the entities that it has met.
        self.graph: KnowledgeGraph = graph  # type: ignore[assignment]
        self.parts: dict[str, Any] = {
            "linker": linker,
            "retriever": retriever,
            "backbone": backbone,
            "encoder": encoder,
            "fusion": fusion,
            "head": task,
            "text_encoder": text_encoder,
        }
        encode = TextEncoder(text_encoder)  # loads nothing before a linker with context asks
        self.linker = resolve("linker", linker, LINKERS, BaseLinker, graph=graph, encode=encode)  # type: ignore[type-abstract]
        self.retriever = resolve("retriever", retriever, RETRIEVERS, Retriever, graph=graph)  # type: ignore[type-abstract]
        self.labels = tuple(labels)
        self.multi_label = multi_label
        if self.labels and self.task != "classify":
            raise ValueError(f"labels are for task='classify'; the task is {self.task!r}.")
        self.max_tokens = max_tokens
        self.seed = seed
        self._vectors = vectors
        self.training: dict[str, Any] = {}

    @property
    def task(self) -> str:
        """Name of the head."""
        head = self.parts["head"]
        return head if isinstance(head, str) else str(head["name"])

    @cached_property
    def vectors(self) -> NodeVectors | LiveVectors:
        """Text vectors of the graph's entities and relations; computed once."""
        if self._vectors is not None:
            return self._vectors
        encode = TextEncoder(self.parts["text_encoder"])
        if isinstance(self.graph, LiveGraph):
            return LiveVectors(self.graph, encode)
        return NodeVectors.load_or_compute(self.graph, encode)

    @cached_property
    def model(self) -> KGModel:
        """The ``nn.Module``; built when first needed."""
        if self.task == "classify" and not self.labels:
            raise ValueError("The labels are not known yet: fit the pipeline, or give labels=(…).")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return KGModel.build(
                backbone=self.parts["backbone"],
                encoder=self.parts["encoder"],
                fusion=self.parts["fusion"],
                head=self.parts["head"],
                feature_width=self.vectors.width,
                num_labels=len(self.labels),
                multi_label=self.multi_label,
            ).eval()

    @cached_property
    def collator(self) -> Collator:
        """What packs texts and subgraphs into a :class:`kgfm.batch.Batch`."""
        backbone = self.model.backbone
        return Collator(
            backbone.tokenizer,
            self.vectors,
            max_tokens=min(self.max_tokens, backbone.max_tokens),
            labels=self.labels,
        )

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
        **settings: Any,
    ) -> dict[str, float]:
        """Train the model; the best epoch by the validation figure stays.

        Args:
            train: Texts with targets.
            validation: Texts with targets; they choose the epoch and the decision threshold.
            config: All settings at once.
            folder: For checkpoints and logs.
            cache: For the states after frozen layers, if any are frozen.
            resume: Go on from the last checkpoint in ``folder``.
            trainer: A Lightning trainer of your own.
            settings: Single ones of :class:`kgfm.training.TrainingConfig`, such as ``epochs=3``.

        Returns:
            The validation metrics of the best epoch.
        """
        check_arguments("fit", TrainingConfig, settings)
        config = config or TrainingConfig(**{"max_tokens": self.max_tokens, **settings})
        self.max_tokens = config.max_tokens
        self.__dict__.pop("collator", None)  # it may have been made for other settings
        if self.task == "classify" and not self.labels:
            found = {
                label for part in (train, validation) for e in part for label in e.target or ()
            }
            self.labels = tuple(sorted(found))
        prepared, held_out = self.prepare(train), self.prepare(validation)
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
            )
        finally:
            self.collator.states = None
        self.training = {"validation": figures, "seed": self.seed, "texts": len(prepared)}
        return figures

    def evaluate(
        self,
        examples: Sequence[Example],
        config: TrainingConfig | None = None,
        *,
        cache: str | os.PathLike[str] | None = None,
    ) -> dict[str, float]:
        """Return the metrics of the head on examples whose targets are known."""
        config = config or TrainingConfig(max_tokens=self.max_tokens)
        prepared = self.prepare(examples)
        if cache is not None:
            self._use_cache(config, cache, prepared)
        try:
            return evaluate(self.model, self.collator, prepared, config)
        finally:
            self.collator.states = None

    def _use_cache(
        self, config: TrainingConfig, folder: str | os.PathLike[str], texts: Sequence[Prepared]
    ) -> None:
        backbone = self.model.backbone
        if config.cache_states and backbone.freeze:
            limit = int(config.cache_limit_gb * 2**30)
            states = FrozenStates(backbone, Path(folder), limit_bytes=limit)
            states.fill([text.input_ids for text in texts])
            self.collator.states = states

    def link(self, examples: Sequence[Example]) -> list[tuple[Mention, ...]]:
        """Return the given mentions of each example, or what the linker finds."""
        open_rows = [row for row, example in enumerate(examples) if example.mentions is None]
        found = self.linker.link([examples[row].text for row in open_rows])
        mentions = [example.mentions or () for example in examples]
        for row, linked in zip(open_rows, found, strict=True):
            mentions[row] = tuple(linked)
        return mentions

    def prepare(self, examples: Sequence[Text]) -> list[Prepared]:
        """Link, cut subgraphs and tokenise: all that can be done text by text."""
        checked = [_example(text, row) for row, text in enumerate(examples)]
        return self._prepare(checked, self.link(checked))

    def _prepare(
        self,
        examples: Sequence[Example],
        mentions: Sequence[Sequence[Mention]],
        cut: Callable[[Sequence[Asked]], list[Subgraph]] | None = None,
    ) -> list[Prepared]:
        if not examples:
            return []
        kept = [[m for m in found if m.entity is not None] for found in mentions]
        seeds = [self.graph.rows([m.entity for m in found]) for found in kept]  # type: ignore[misc]
        questions = [
            ask(example.text, found, self.graph)
            for example, found in zip(examples, mentions, strict=True)
        ]
        subgraphs = (cut or self.retriever.retrieve)(questions)
        nothing = np.zeros(0, dtype=np.int64)
        right = [
            self.graph.rows(list(example.target))
            if self.task == "answer" and example.target
            else nothing
            for example in examples
        ]
        return self.collator.prepare(
            examples, kept, subgraphs, [rows.tolist() for rows in seeds], right
        )

    @overload  # a str is an Iterable[str] too; the first one wins
    def __call__(self, texts: Text) -> Prediction: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, texts: Iterable[Text]) -> list[Prediction]: ...

    def __call__(self, texts: Text | Iterable[Text]) -> Prediction | list[Prediction]:
        """Answer one text, or each of several.

        Raises:
            TypeError: Something in the batch is not a text; the message names its index.
        """
        if isinstance(texts, (str, Example)):
            return self._predict([texts])[0]
        if not isinstance(texts, Iterable) or isinstance(texts, bytes):
            raise TypeError(f"Give a text or several texts; got {type(texts).__name__}.")
        return list(self.pipe(texts))

    def pipe(self, texts: Iterable[Text], *, batch_size: int = 32) -> Iterator[Prediction]:
        """Answer a stream of texts, in order, a batch at a time.

        Raises:
            ValueError: ``batch_size`` is less than 1.
            TypeError: Something in the stream is not a text; the message names its index.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, got {batch_size}.")
        stream, done = iter(texts), 0
        while batch := list(islice(stream, batch_size)):
            yield from self._predict(batch, done)
            done += len(batch)

    def _predict(self, texts: Sequence[Text], done: int = 0) -> list[Prediction]:
        examples = [_example(text, done + row) for row, text in enumerate(texts)]
        mentions = self.link(examples)
        prepared = self._prepare(examples, mentions, partial(retrieve_or_nothing, self.retriever))
        batch = self.collator.pack(prepared).to(next(self.model.parameters()).device)
        _, probabilities = self.model.predict(batch)
        asked = [partial(self._explain, item) for item in prepared]
        source = [example.text for example in examples]
        if self.task == "answer":
            return answer_predictions(self.graph, source, mentions, batch, probabilities, asked)
        threshold = float(self.model.head.get_buffer("threshold")) if self.multi_label else None
        return label_predictions(
            self.labels, source, mentions, batch, probabilities, threshold, asked
        )

    def _explain(self, prepared: Prepared, target: int | None) -> tuple[Evidence, ...]:
        return explain(self.model, self.collator, prepared, target, self.graph)

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
        parts = (self.parts[kind] for kind in ("backbone", "encoder", "fusion", "head"))
        names = [_short_name(part) for part in parts if part is not None]
        return f"Pipeline({' + '.join(names)} over {self.graph!r})"


def _short_name(part: Any) -> str:
    if isinstance(part, Mapping):
        return str(part["name"])
    return part if isinstance(part, str) else str(getattr(part, "name", type(part).__name__))


def _example(text: Any, row: int) -> Example:
    if isinstance(text, Example):
        return text
    if isinstance(text, str):
        return Example(text)
    raise TypeError(f"Text {row} is {type(text).__name__}; give a str or a kgfm.Example.")
