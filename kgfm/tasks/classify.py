"""One or several labels for a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgfm.batch import Batch, Layout, Prepared, PreparedRow, Tensors
from kgfm.datasets.mentions import at
from kgfm.retrieval import Graph
from kgfm.tasks.base import Output, pooled, seed_mean
from kgfm.tasks.contrast import contrastive
from kgfm.tasks.label_task import LabelTask
from kgfm.tasks.labels import Rows
from kgfm.tasks.probe import (
    SCALE,
    STARTS,
    Known,
    Linear,
    Start,
    best_probe,
    prototypes,
    scaled,
)
from kgfm.types import Answer, Example


@dataclass
class RightLabels(Tensors):
    """What is right about the texts of a batch."""

    label: Float[Tensor, "batch label"]
    """1 for each right label; none where a text of one label is unknown to all of them."""
    known: Bool[Tensor, "batch"]
    """False for texts of which nothing is known."""


class ClassifyTask(LabelTask):
    """Label logits ``W norm(pool(tokens)) + b + G mean(seed nodes)``.

    ``norm(x) = x sqrt(d) / |x|`` for ``d`` numbers: vectors are told apart by direction.

    ``G`` starts at zero and has no bias: an untrained head reads the text alone, and for a text
    without mentions it always does.

    Before the first epoch ``W`` and ``b`` are set to the *probe*: logistic regression on the
    vectors that the text model gives as it is, its penalty chosen on the validation part. Training
    goes on from there (Kumar et al., 2022, https://arxiv.org/abs/2202.10054), and stays there with
    ``epochs: 0`` or where no epoch is better.

    Labels may be described in words. Then ``W`` starts from the vectors of the descriptions, which
    is enough to classify without any example, and the probe is pulled to those and not to zero.

    Args:
        width: Width of the tokens.
        node_width: Width of the node states; 0 where there is no graph.
        labels: All labels, or a mapping of each to what it means in words; training texts show
            them. A text without any is of none of them: right to refuse.
        multi_label: Any number of labels may be right (binary cross-entropy), not just one. The
            training texts decide, unless it is given: a text with two labels, or with none, makes
            it several.
        dropout: Before the products.
        class_weights: Of the losses: ``balanced`` (``N / (K n_c)``), or a mapping of labels to
            weights, 1 for one that it leaves out.
        label_smoothing: Share of a target that is spread over all labels.
        thresholds: With several labels: ``one`` for all, or ``each`` its own; both are chosen on
            the validation part.
        reject_below: With one label: the probability below which there is no answer, or how to
            choose it on the validation part: ``{"risk": 0.05}`` or ``{"share": 0.1}``.
        start: What ``W`` is before the first epoch: ``probe``, ``prototypes`` (the mean of each
            label's texts: Snell et al., 2017, https://arxiv.org/abs/1703.05175) or ``random``.
        contrast: Weight of a loss that draws together the texts of a label and apart those of
            different ones (Khosla et al., 2020, https://arxiv.org/abs/2004.11362), which helps
            where there are few. A batch then holds texts of a label in pairs, as SetFit has them
            (Tunstall et al., 2022, https://arxiv.org/abs/2209.11055).

    Raises:
        ValueError: There is no label, or a value is none of the above.
    """

    def __init__(
        self,
        width: int,
        node_width: int,
        labels: Sequence[str] | Mapping[str, str] = (),
        *,
        multi_label: bool = False,
        dropout: float = 0.1,
        class_weights: Mapping[str, float] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
        thresholds: Literal["one", "each"] = "one",
        reject_below: float | Mapping[str, float] | None = None,
        start: Start = "probe",
        contrast: float = 0.0,
    ) -> None:
        super().__init__(
            "classify",
            labels,
            multi_label=multi_label,
            dropout=dropout,
            class_weights=class_weights,
            label_smoothing=label_smoothing,
            thresholds=thresholds,
            reject_below=reject_below,
        )
        if start not in STARTS:
            raise ValueError(f"start={start!r}: one of {', '.join(STARTS)}.")
        if not contrast >= 0:
            raise ValueError(f"contrast={contrast!r}: a weight of 0 or more, such as 1.0.")
        self.begins, self.contrast = start, contrast
        self.label = nn.Linear(width, len(self.labels))
        self.graph = nn.Linear(node_width, len(self.labels), bias=False) if node_width else None
        if self.graph is not None:
            nn.init.zeros_(self.graph.weight)
        self.descriptions = tuple(labels.values()) if isinstance(labels, Mapping) else ()
        self.towards: Tensor | None
        is_described = bool(self.descriptions)
        self.register_buffer(
            "towards", torch.zeros_like(self.label.weight) if is_described else None
        )

    probes = True

    # -- the data ----------------------------------------------------------------------------------

    @classmethod
    def learned(cls, examples: Sequence[Example], given: Mapping[str, Any]) -> dict[str, Any]:
        """Find the labels, their weights, and whether a text may have several or none of them.

        Raises:
            ValueError: ``multi_label`` is false, and a text has several labels or none; a label is
                not among the given ones, or a weight is of none.
        """
        several = given.get("multi_label")
        if several is None or not several:
            odd = next((e for e in examples if e.target is not None and len(e.target) != 1), None)
            if several is False and odd is not None:
                raise ValueError(_contradiction(odd))
            several = odd is not None
        found = cls._found(((e, e.target or ()) for e in examples), given)
        return {**found, "multi_label": bool(several)}

    def target(
        self, example: Example, rows: Sequence[PreparedRow], graph: Graph | None
    ) -> Int[np.ndarray, "right"]:
        """Numbers of the right labels; none for a text that is of none of them.

        Raises:
            ValueError: A label was not among those of training, or there must be one and there
                are several.
        """
        if example.target is None:
            return np.zeros(0, dtype=np.int64)
        if not self.multi_label and len(example.target) > 1:
            raise ValueError(_contradiction(example))
        return np.array(self._numbers(example, example.target), dtype=np.int64)

    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> RightLabels | None:
        """Lay the right labels out, a row for each text."""
        known = np.array([one.known for one in prepared])
        if not known.any():
            return None
        label = np.zeros((len(prepared), len(self.labels)), dtype=np.float32)
        for text, one in enumerate(prepared):
            label[text, one.target] = 1.0
        return RightLabels(torch.from_numpy(label), torch.from_numpy(known))

    def groups(self, prepared: Sequence[Prepared]) -> list[int] | None:
        """Return a number for each training text; texts of one number belong in a batch together.

        ``None`` where it does not matter.
        """
        if not self.contrast:
            return None
        kinds: dict[tuple[int, ...], int] = {}
        return [kinds.setdefault(tuple(sorted(one.target)), len(kinds)) for one in prepared]

    # -- the start ---------------------------------------------------------------------------------

    def describe(self, vectors: Float[Tensor, "label width"]) -> None:
        """Start from the vectors of the labels' descriptions, each of length 1."""
        middle = vectors.new_zeros(len(vectors))
        if self.multi_label and len(vectors) > 1:
            # As like a description as the others are: neither likely nor unlikely.
            middle = ((vectors @ vectors.T).sum(1) - 1) / (len(vectors) - 1)
        self._set(Linear(SCALE * vectors, -SCALE * middle))
        self.towards = vectors.to(self.label.weight)

    def extend(self, other: ClassifyTask) -> None:
        """Take over what another has learned of its labels; the others are as described.

        They follow their descriptions as much as those of the other do, on the whole, theirs.
        """
        assert self.towards is not None
        assert other.towards is not None
        width = self.label.weight.shape[1]
        with torch.no_grad():
            scale = (other.label.weight * other.towards).sum(1).mean() * width**0.5
            self._set(
                Linear(scale * self.towards, other.label.bias.mean().expand(len(self.labels)))
            )
            places = [self.labels.index(label) for label in other.labels]
            for mine, theirs in (
                (self.label, other.label),
                (self.graph, other.graph),
            ):
                for name, value in () if theirs is None else theirs.named_parameters():
                    getattr(mine, name)[places] = value
            self.rule.take_over(other.rule, places)

    @property
    def starts(self) -> bool:
        """Whether there is something to learn from frozen vectors before the first epoch."""
        return self.begins != "random"

    def reads(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return what :meth:`start` needs of a batch, a row for each text with a label."""
        assert isinstance(batch.asked, RightLabels)
        assert output.vectors is not None
        kept = self._taught(batch.asked.known, batch.asked.label)
        return {"vectors": output.vectors[kept], "targets": batch.asked.label[kept]}

    def start(self, train: Rows, validation: Rows) -> dict[str, np.ndarray]:
        """Set the head from what :meth:`reads` returned of training and validation texts.

        Returns:
            What :meth:`collect` would of the validation texts.
        """
        learned, chosen_by = (self._known(rows) for rows in (train, validation))
        if self.begins == "prototypes":
            head = prototypes(self.rule, learned, otherwise=self.towards)
        else:
            towards = self.towards
            if towards is not None:
                towards = scaled(self.rule, towards, learned).weight
            head = best_probe(self.rule, learned, chosen_by, towards=towards)
        self._set(head)
        if self.graph is not None:
            nn.init.zeros_(self.graph.weight)
        logits = head(chosen_by.vectors)
        return {"logits": logits.cpu().numpy(), "targets": validation["targets"]}

    def _known(self, rows: Rows) -> Known:
        device = self.label.weight.device
        return Known(*(torch.from_numpy(rows[name]).to(device) for name in ("vectors", "targets")))

    @torch.no_grad()
    def _set(self, head: Linear) -> None:
        """Take a head over, which reads vectors of length 1."""
        width = head.weight.shape[1]
        self.label.weight.copy_(head.weight / width**0.5)
        self.label.bias.copy_(head.bias)

    # -- tensors -----------------------------------------------------------------------------------

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
        read: Float[Tensor, "batch width"] | None = None,
    ) -> Output:
        """Return one logit per text and label."""
        vectors = functional.normalize(pooled(tokens, batch, read), dim=-1)
        logits = self.label(self.dropout(vectors * vectors.shape[1] ** 0.5))
        if self.graph is not None and nodes is not None:
            logits = logits + self.graph(self.dropout(seed_mean(nodes, batch)))
        loss = self._loss(logits, vectors, batch)
        return Output(tokens, logits, loss=loss, vectors=vectors)

    def _loss(self, logits: Tensor, vectors: Tensor, batch: Batch) -> Tensor | None:
        asked = batch.asked
        if not isinstance(asked, RightLabels):
            return None
        known = self._taught(asked.known, asked.label)
        loss = self.rule.loss(logits, asked.label, known)
        if self.contrast and self.training:
            loss = loss + self.contrast * contrastive(vectors[known], asked.label[known])
        return loss

    # -- answers -----------------------------------------------------------------------------------

    def answers(
        self, output: Output, batch: Batch, examples: Sequence[Example], graph: Graph | None
    ) -> list[tuple[Answer, ...]]:
        """Take each text's best label, all over thresholds where several may hold, or none."""
        scores = self.probabilities(output, batch).double().cpu().numpy()
        return [(self.rule.answer(one),) for one in scores]

    def score(
        self, output: Output, batch: Batch, option: int, about: int = 0
    ) -> Float[Tensor, "example"]:
        """Probability of a label, or of a refusal that the best one is wrong."""
        return self.rule.score(output.logits, option)

    # -- figures -----------------------------------------------------------------------------------

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return logits and targets, one row per text."""
        assert isinstance(batch.asked, RightLabels)
        known = batch.asked.known
        return {"logits": output.logits[known], "targets": batch.asked.label[known]}


def _contradiction(example: Example) -> str:
    given = "no label" if not example.target else f"{len(example.target)} labels, {example.target}"
    text = " ".join(example.text.split())
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    place = at(example.where) or f"The text {shown!r}: "
    return (
        f"{place}{given}, where each text has one. Set multi_label: true in the task if any number "
        "of labels may be right, or leave it out and the training texts decide."
    )
