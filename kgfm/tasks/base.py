"""What a task is: the one place that knows what a kind of question reads, learns and answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.backbones.text import mean_pool
from kgfm.batch import Batch, Layout, Prepared, PreparedRow, Tensors
from kgfm.registry import Registry
from kgfm.retrieval import Graph
from kgfm.types import Answer, Example, Row


@dataclass
class Output:
    """What the model says about a batch.

    Args:
        tokens: The backbone's last states, fused.
        logits: In the shape of the task: one per text and label, per node, per span, ...
        nil: One per text: nothing in the graph answers.
        loss: Mean over the examples whose target is known; ``None`` where none is.
        losses: What a fusion adds to the loss in training, by name, weighted.
        vectors: What the task's head reads, for a task that is started from that.
    """

    tokens: Float[Tensor, "batch token width"]
    logits: Tensor
    nil: Float[Tensor, "batch"] | None = None
    loss: Float[Tensor, ""] | None = None
    losses: dict[str, Tensor] = field(default_factory=dict)
    vectors: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a report of a task holds.

    Args:
        kind: What one answer is: ``label``, ``entity``, or a word of another task's own.
        options: All possible answers, for figures of each and a confusion matrix; ``None`` where
            they differ from text to text.
        several: Any number of answers may be right, so that they are compared as sets.
        thresholds: From which probability on an answer is given, for each option or for all.
        temperature: What logits are divided by, so that probabilities are what they promise.
        reject_below: The probability below which an answer is refused; ``None``: none is.
    """

    kind: str
    options: tuple[str, ...] | None = None
    several: bool = False
    thresholds: tuple[float, ...] = ()
    temperature: float = 1.0
    reject_below: float | None = None


class Task(nn.Module, ABC):
    """Everything about one kind of question.

    A task reads an example as one row of text or several, makes and packs its targets, turns
    tokens and nodes into logits and a loss, and those into probabilities, answers and metrics.
    Nothing outside of its file knows it by name.

    The constructor is given, by name and where it takes them, ``width`` (of the tokens),
    ``node_width`` (of the node states; 0 without a graph), and whatever :meth:`learned` found.
    """

    monitor: str
    """The metric, larger is better, by which the best checkpoint is chosen."""

    @property
    def headline(self) -> str:
        """The metric by which runs are compared in a report; by default :attr:`monitor`."""
        return self.monitor

    ranks_nodes: ClassVar[bool] = False
    """Whether its answers are nodes of the subgraph. Then controls keep the candidates as they are,
    and a text whose right answer was not cut cannot be answered."""

    probes: ClassVar[bool] = False
    """Whether it can learn a head on frozen vectors alone. Then it has ``starts``, which says
    whether to, ``reads(output, batch)``, rows for ``start(train, validation)``, and that returns
    what ``collect`` would of the validation part."""

    descriptions: Sequence[str] = ()
    """Texts whose vectors, by the backbone as it is, :meth:`describe` is given when the model is
    made, such as what labels mean."""

    reads_spans: int = 0
    """How many spans each of the things that :attr:`Example.about` asks about has; 0 for a task
    that is not asked about spans. Where an example then asks about nothing, a pipeline asks about
    all that the linker finds."""

    # -- the data, before tensors begin ------------------------------------------------------------

    @classmethod
    def learned(cls, examples: Sequence[Example], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the constructor's arguments that the data decides, such as the labels.

        They are saved with the task's name.

        Args:
            examples: Training and validation texts.
            given: Arguments that were given, which the data must not contradict.

        Raises:
            ValueError: An example contradicts what was given, or another one.
        """
        return {}

    @classmethod
    def trial(cls) -> dict[str, Any]:
        """Return stand-ins for what :meth:`learned` finds, to try values before data is read."""
        return {}

    def rows(self, example: Example) -> Sequence[Row]:
        """Return the texts, or pairs of texts, to read for an example; by default its text."""
        return (Row(example.text),)

    def known(self, example: Example) -> bool:
        """Say whether it is known what is right."""
        return example.target is not None

    @abstractmethod
    def target(self, example: Example, rows: Sequence[PreparedRow], graph: Graph | None) -> Any:
        """Return what :meth:`pack` needs of an example: what is right, tokens of spans, ...

        Args:
            example: What is asked; its target may be unknown.
            rows: Its texts made ready, with offsets and subgraphs.
            graph: The graph, which knows the rows of entities.
        """

    @abstractmethod
    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> Tensors | None:
        """Turn the targets of a batch into tensors; they become ``Batch.asked``."""

    def describe(self, vectors: Float[Tensor, "text width"]) -> None:
        """Begin with the vectors of :attr:`descriptions`, each of length 1."""

    # -- tensors -----------------------------------------------------------------------------------

    def enter(
        self, tokens: Float[Tensor, "batch token width"], batch: Batch
    ) -> Float[Tensor, "batch token width"]:
        """Change the tokens where the trained layers begin, before any fusion; by default not."""
        return tokens

    @abstractmethod
    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
        read: Float[Tensor, "batch width"] | None = None,
    ) -> Output:
        """Return logits, and a loss where what is right is known.

        Args:
            tokens: The backbone's last states.
            nodes: The encoder's states; ``None`` without a graph.
            batch: The texts, and in ``asked`` what :meth:`pack` made.
            read: What a fusion says about each text at the end.
        """

    @abstractmethod
    def probabilities(self, output: Output, batch: Batch) -> Tensor:
        """Probabilities in the shape of the logits; differentiable."""

    # -- answers -----------------------------------------------------------------------------------

    @abstractmethod
    def answers(
        self, output: Output, batch: Batch, examples: Sequence[Example], graph: Graph | None
    ) -> list[tuple[Answer, ...]]:
        """Return, for each example, an answer for each thing that it asks about.

        At least one, unless the task reads spans and there are none.
        """

    @abstractmethod
    def option(self, answer: str, example: Example, graph: Graph | None) -> int:
        """Return the number of an answer, for :meth:`score`.

        Raises:
            ValueError: It is no possible answer.
        """

    @abstractmethod
    def score(
        self, output: Output, batch: Batch, option: int, about: int = 0
    ) -> Float[Tensor, "example"]:
        """Probability of one answer in each example, differentiable; evidence is measured by it.

        Args:
            output: Of the model.
            batch: The same question in each example, over graphs that may differ.
            option: The answer's number; one that an example cannot give has probability 0.
            about: Which of the things asked about.
        """

    def shown(self, answer: str, graph: Graph | None) -> str:
        """Return an answer in words for people; by default itself."""
        return answer

    # -- figures -----------------------------------------------------------------------------------

    @abstractmethod
    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return what the metrics need of a batch, one row per example whose target is known."""

    @abstractmethod
    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return the metrics of all collected rows."""

    def tune(self, rows: dict[str, np.ndarray]) -> None:
        """Choose on the validation part what is not trained, such as a decision threshold."""

    @abstractmethod
    def report(self) -> Report:
        """Say what a report of this task holds."""


TASKS: Registry[Task] = Registry(
    "task", Task, formerly="head", surroundings=("width", "node_width", "learned_prior")
)


def pooled(
    tokens: Float[Tensor, "batch token width"],
    batch: Batch,
    read: Float[Tensor, "batch width"] | None,
) -> Float[Tensor, "batch width"]:
    """Average each text's tokens, and add what a fusion read at the end."""
    mean = mean_pool(tokens, batch.attention_mask)
    return mean if read is None else mean + read


def seed_mean(
    nodes: Float[Tensor, "node node_width"], batch: Batch
) -> Float[Tensor, "batch node_width"]:
    """Average each text's seeds; zero for a text without any."""
    seeds = (batch.node_hops == 0).to(nodes.dtype)
    total = nodes.new_zeros(len(batch), nodes.shape[1])
    total = total.index_add(0, batch.node_text, nodes * seeds[:, None])
    count = nodes.new_zeros(len(batch)).index_add(0, batch.node_text, seeds)
    return total / count.clamp(min=1.0)[:, None]


def mean_of_known(losses: Float[Tensor, "example"], known: Tensor) -> Float[Tensor, ""]:
    """Average over the examples whose target is known; zero, not NaN, where none is."""
    weight = known.to(losses.dtype)
    return torch.sum(losses * weight) / weight.sum().clamp(min=1.0)
