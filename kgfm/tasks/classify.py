"""One or several labels for a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgfm.batch import Batch, Layout, Prepared, PreparedRow, Tensors
from kgfm.metrics import best_threshold, macro_f1, micro_f1
from kgfm.registry import check_probabilities, nearest
from kgfm.retrieval import Graph
from kgfm.tasks.base import Output, Report, Task, mean_of_known, pooled, seed_mean
from kgfm.types import Answer, Example


@dataclass
class RightLabels(Tensors):
    """What is right about the texts of a batch."""

    label: Float[Tensor, "batch label"]
    """1 for each right label."""
    known: Bool[Tensor, "batch"]
    """False for texts of which nothing is known."""


class ClassifyTask(Task):
    """Label logits ``W pool(tokens) + b + G mean(seed nodes)``.

    With several labels those at or over ``threshold`` are given; validation texts choose it.

    ``G`` starts at zero and has no bias: an untrained head reads the text alone, and for a text
    without mentions it always does.

    Args:
        width: Width of the tokens.
        node_width: Width of the node states; 0 where there is no graph.
        labels: All labels; training texts show them.
        multi_label: Any number of labels may be right (binary cross-entropy), not just one. The
            training texts decide, unless it is given: a text with two labels, or with none, makes
            it several.
        dropout: Before the products.

    Raises:
        ValueError: There is no label, or ``dropout`` is no probability under 1.
    """

    def __init__(
        self,
        width: int,
        node_width: int,
        labels: Sequence[str] = (),
        *,
        multi_label: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not labels:
            raise ValueError(
                "The labels are not known yet: fit the pipeline, or give them: "
                "task={'name': 'classify', 'labels': [...]}."
            )
        check_probabilities(dropout=dropout)
        self.labels = tuple(labels)
        self._label_row = {label: row for row, label in enumerate(self.labels)}
        self.multi_label = multi_label
        self.monitor = "micro_f1" if multi_label else "accuracy"
        self.threshold: Tensor
        self.register_buffer("threshold", torch.tensor(0.5))
        self.dropout = nn.Dropout(dropout)
        self.label = nn.Linear(width, len(self.labels))
        self.graph = nn.Linear(node_width, len(self.labels), bias=False) if node_width else None
        if self.graph is not None:
            nn.init.zeros_(self.graph.weight)

    @classmethod
    def learned(cls, examples: Sequence[Example], given: Mapping[str, Any]) -> dict[str, Any]:
        """Find the labels, and whether a text may have several or none of them.

        Raises:
            ValueError: ``multi_label`` is false, and a text has several labels or none; or a label
                is not among the given ones.
        """
        several = given.get("multi_label")
        if several is None or not several:
            odd = next((e for e in examples if e.target is not None and len(e.target) != 1), None)
            if several is False and odd is not None:
                raise ValueError(_contradiction(odd))
            several = odd is not None
        found = sorted({label for e in examples for label in e.target or ()})
        labels = list(given.get("labels") or found)
        for example in examples if given.get("labels") else ():
            for label in example.target or ():
                if label not in labels:
                    raise ValueError(f"{_place(example)}{_unknown(label, labels)}")
        return {"labels": labels, "multi_label": bool(several)}

    @classmethod
    def trial(cls) -> dict[str, Any]:
        return {"labels": ("yes", "no")}

    def target(
        self, example: Example, rows: Sequence[PreparedRow], graph: Graph | None
    ) -> Int[np.ndarray, "right"]:
        """Numbers of the right labels.

        Raises:
            ValueError: A label was not among those of training, or there must be one and there
                are several or none.
        """
        if example.target is None:
            return np.zeros(0, dtype=np.int64)
        if not self.multi_label and len(example.target) != 1:
            raise ValueError(_contradiction(example))
        for label in example.target:
            if label not in self._label_row:
                raise ValueError(f"{_place(example)}{_unknown(label, self.labels)}")
        return np.array([self._label_row[label] for label in example.target], dtype=np.int64)

    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> RightLabels | None:
        """Lay the right labels out, a row for each text."""
        known = np.array([one.known for one in prepared])
        if not known.any():
            return None
        label = np.zeros((len(prepared), len(self.labels)), dtype=np.float32)
        for text, one in enumerate(prepared):
            label[text, one.target] = 1.0
        return RightLabels(torch.from_numpy(label), torch.from_numpy(known))

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
        read: Float[Tensor, "batch width"] | None = None,
    ) -> Output:
        """Return one logit per text and label."""
        logits = self.label(self.dropout(pooled(tokens, batch, read)))
        if self.graph is not None and nodes is not None:
            logits = logits + self.graph(self.dropout(seed_mean(nodes, batch)))
        return Output(tokens, logits, loss=self._loss(logits, batch))

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor | None:
        if not isinstance(batch.asked, RightLabels):
            return None
        right = batch.asked.label
        if self.multi_label:
            losses = functional.binary_cross_entropy_with_logits(
                logits, right, reduction="none"
            ).mean(1)
        else:
            losses = functional.cross_entropy(logits, right, reduction="none")
        return mean_of_known(losses, batch.asked.known)

    def probabilities(self, output: Output, batch: Batch) -> Float[Tensor, "batch label"]:
        """Sigmoid of each logit (multi-label), or softmax over the labels."""
        if self.multi_label:
            return torch.sigmoid(output.logits)
        return torch.softmax(output.logits, dim=-1)

    def answers(
        self, output: Output, batch: Batch, examples: Sequence[Example], graph: Graph | None
    ) -> list[tuple[Answer, ...]]:
        """Take each text's best label, and all labels over the threshold where several may hold."""
        found: list[tuple[Answer, ...]] = []
        for scores in self.probabilities(output, batch).double().cpu().numpy():
            order = np.argsort(-scores, kind="stable").tolist()
            over = order[:1]
            if self.multi_label:
                over = [row for row in order if scores[row] >= float(self.threshold)]
            ranked = tuple((self.labels[row], float(scores[row])) for row in order)
            found.append((Answer(*ranked[0], ranked, tuple(self.labels[row] for row in over)),))
        return found

    def option(self, answer: str, example: Example, graph: Graph | None) -> int:
        """Number of the label."""
        if answer not in self._label_row:
            raise ValueError(_unknown(answer, self.labels))
        return self._label_row[answer]

    def score(
        self, output: Output, batch: Batch, option: int, about: int = 0
    ) -> Float[Tensor, "example"]:
        """Probability of a label."""
        return self.probabilities(output, batch)[:, option]

    def report(self) -> Report:
        """Answers are labels, the same ones for each text."""
        thresholds = (float(self.threshold),) if self.multi_label else ()
        return Report("label", self.labels, self.multi_label, thresholds)

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return scores and targets, one row per text."""
        assert isinstance(batch.asked, RightLabels)
        known = batch.asked.known
        scores = self.probabilities(output, batch)
        return {"scores": scores[known], "targets": batch.asked.label[known]}

    def tune(self, rows: dict[str, np.ndarray]) -> None:
        """Choose the threshold with the best micro-F1."""
        if self.multi_label and len(rows["scores"]):
            self.threshold.fill_(best_threshold(rows["scores"], rows["targets"] > 0))

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return accuracy and macro-F1, or micro- and macro-F1 at the threshold."""
        right = rows["targets"] > 0
        if self.multi_label:
            given = rows["scores"] >= float(self.threshold)
            return {"micro_f1": micro_f1(given, right), "macro_f1": macro_f1(given, right)}
        given = np.eye(right.shape[1], dtype=bool)[rows["scores"].argmax(1)]
        return {
            "accuracy": float((given & right).any(1).mean()),
            "macro_f1": macro_f1(given, right),
        }


def _place(example: Example) -> str:
    return f"{example.where}: " if example.where else ""


def _unknown(label: str, labels: Sequence[str]) -> str:
    return (
        f"The label {label!r} was not among those of training: "
        f"{', '.join(map(repr, labels))}.{nearest(label, labels)}"
    )


def _contradiction(example: Example) -> str:
    given = "no label" if not example.target else f"{len(example.target)} labels, {example.target}"
    text = " ".join(example.text.split())
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    place = _place(example) or f"The text {shown!r}: "
    return (
        f"{place}{given}, where each text has one. Set multi_label: true in the task if any number "
        "of labels may be right, or leave it out and the training texts decide."
    )
