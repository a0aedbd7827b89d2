"""From logits over labels to losses, answers and figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from kgfm.metrics import accuracy, best_threshold, conflicting, macro_f1, micro_f1
from kgfm.registry import nearest
from kgfm.tasks.base import Report, mean_of_known
from kgfm.types import About, Answer

Rows = dict[str, np.ndarray]


class SpanLabels(nn.Module):
    """One label of several, or any number of them at or over ``threshold``.

    Args:
        labels: All labels.
        multi_label: Any number of labels may be right.

    Raises:
        ValueError: One label is given twice.
    """

    threshold: Tensor

    def __init__(self, labels: Iterable[str], *, multi_label: bool = False) -> None:
        super().__init__()
        self.labels = tuple(labels)
        twice = [label for n, label in enumerate(self.labels) if label in self.labels[:n]]
        if twice:
            raise ValueError(f"labels has {twice[0]!r} twice; give each label once.")
        self.multi_label = multi_label
        self.register_buffer("threshold", torch.tensor(0.5))

    @property
    def monitor(self) -> str:
        """The metric that chooses the epoch."""
        return "micro_f1" if self.multi_label else "accuracy"

    def number(self, label: Any) -> int:
        """Return the number of a label.

        Raises:
            ValueError: There is no such label; the message names near ones.
        """
        if label in self.labels:
            return self.labels.index(label)
        raise ValueError(unknown(label, self.labels))

    def loss(
        self,
        logits: Float[Tensor, "row label"],
        right: Float[Tensor, "row label"],
        known: Bool[Tensor, "row"],
    ) -> Float[Tensor, ""]:
        """Return the mean loss of the rows whose labels are known; zero, not NaN, where none is.

        Cross-entropy, or with several labels the mean of the binary ones.
        """
        if self.multi_label:
            each = functional.binary_cross_entropy_with_logits(logits, right, reduction="none")
            return mean_of_known(each.mean(1), known)
        each = functional.cross_entropy(logits, right.argmax(1), reduction="none")
        return mean_of_known(each, known)

    def probabilities(self, logits: Float[Tensor, "row label"]) -> Float[Tensor, "row label"]:
        """Softmax over the labels, or the sigmoid of each."""
        return torch.sigmoid(logits) if self.multi_label else torch.softmax(logits, dim=-1)

    def answer(
        self, probabilities: Float[np.ndarray, "label"], about: About | None = None
    ) -> Answer:
        """Return the best label, and all that hold."""
        order = np.argsort(-probabilities, kind="stable").tolist()
        ranked = tuple((self.labels[row], float(probabilities[row])) for row in order)
        over = order[:1]
        if self.multi_label:
            over = [row for row in order if probabilities[row] >= float(self.threshold)]
        return Answer(*ranked[0], ranked, tuple(self.labels[row] for row in over), about)

    def report(self) -> Report:
        """Say what a report holds."""
        thresholds = (float(self.threshold),) if self.multi_label else ()
        return Report("label", self.labels, self.multi_label, thresholds)

    def tune(self, rows: Rows) -> None:
        """Choose the threshold of best micro-F1 on validation rows."""
        if self.multi_label and len(rows["logits"]):
            self.threshold.fill_(best_threshold(self._scores(rows), rows["targets"] > 0))

    def metrics(self, rows: Rows) -> dict[str, float]:
        """Return the figures of rows, each one thing asked about.

        One label: accuracy and macro-F1. Several: micro- and macro-F1 at the threshold. Beside
        them, where there are such, the share that is right (as a whole set) in texts whose things
        asked about differ in what is right: ``accuracy_conflicting``.
        """
        right, scores = rows["targets"] > 0, self._scores(rows)
        best = np.eye(right.shape[1], dtype=bool)[scores.argmax(1)]
        given = scores >= float(self.threshold) if self.multi_label else best
        hit = (given == right).all(1)
        figures = {"macro_f1": macro_f1(given, right)}
        if self.multi_label:
            figures = {"micro_f1": micro_f1(given, right), **figures}
        else:
            figures = {"accuracy": accuracy(best.argmax(1), right.argmax(1)), **figures}
        differ = conflicting(rows["text"], right)
        if differ.any():
            figures["accuracy_conflicting"] = float(hit[differ].mean())
        return figures

    def _scores(self, rows: Rows) -> Float[np.ndarray, "row label"]:
        found: np.ndarray = self.probabilities(torch.from_numpy(rows["logits"]).double()).numpy()
        return found


def unknown(label: Any, labels: Sequence[str]) -> str:
    """Say that something is no label."""
    return (
        f"The label {label!r} was not among those of training: "
        f"{', '.join(map(repr, labels))}.{nearest(str(label), labels)}"
    )
