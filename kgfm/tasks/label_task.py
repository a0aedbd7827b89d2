"""What tasks have in common whose answers are labels, of texts or of spans."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kgfm.batch import Batch
from kgfm.datasets.mentions import at
from kgfm.registry import check_probabilities
from kgfm.retrieval import Graph
from kgfm.tasks.base import Output, Report, Task
from kgfm.tasks.class_weights import Weights, label_counts, unknown, weights_of
from kgfm.tasks.labels import TRIAL, Labelling, check_labels
from kgfm.types import Example


class LabelTask(Task):
    """A task that answers as a :class:`~kgfm.tasks.labels.Labelling` says.

    Args:
        name: Of the task, for what is said of it.
        labels: All labels, or a mapping of each to what it means in words.
        multi_label: Any number of labels may be right, not just one.
        dropout: Before the products.
        class_weights: Of the losses; ``balanced`` is what :meth:`learned` finds the weights for.
        label_smoothing: As for a labelling.
        thresholds: As for a labelling.
        reject_below: As for a labelling.

    Raises:
        ValueError: There is no label, or a value is none of the above.
    """

    def __init__(
        self,
        name: str,
        labels: Sequence[str] | Mapping[str, str],
        *,
        multi_label: bool,
        dropout: float,
        class_weights: Mapping[str, float] | Literal["balanced"] | None,
        label_smoothing: float,
        thresholds: Literal["one", "each"],
        reject_below: float | Mapping[str, float] | None,
    ) -> None:
        super().__init__()
        check_labels(labels, name)
        check_probabilities(dropout=dropout)
        self.rule = Labelling(
            labels,
            multi_label=multi_label,
            class_weights=None if isinstance(class_weights, str) else class_weights,
            label_smoothing=label_smoothing,
            thresholds=thresholds,
            reject_below=reject_below,
        )
        self.labels = self.rule.labels
        self.multi_label = multi_label
        self.monitor = self.rule.monitor
        self.dropout = nn.Dropout(dropout)

    @property
    def headline(self) -> str:
        return self.rule.headline

    @classmethod
    def trial(cls) -> dict[str, Any]:
        return {"labels": TRIAL}

    @staticmethod
    def _found(
        right: Iterable[tuple[Example, Sequence[str]]], given: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the labels that are right somewhere, or those given, and their weights if asked.

        Args:
            right: Right labels, each time with the example that they stand in.
            given: Arguments of the task.

        Raises:
            ValueError: A label is not among the given ones, or a weight is of none.
        """
        right = list(right)
        counts = label_counts(own for _, own in right)
        labels = given.get("labels") or sorted(counts)
        labels = dict(labels) if isinstance(labels, Mapping) else list(labels)
        for example, own in right:
            for label in own:
                if label not in labels:
                    raise ValueError(f"{at(example.where)}{unknown(label, tuple(labels))}")
        weights: Weights = given.get("class_weights")
        if weights is None:
            return {"labels": labels}
        return {"labels": labels, "class_weights": weights_of(weights, tuple(labels), counts)}

    def _numbers(self, example: Example, right: Sequence[str]) -> tuple[int, ...]:
        """Return the numbers of right labels.

        Raises:
            ValueError: One was not among those of training.
        """
        for label in right:
            if label not in self.labels:
                raise ValueError(f"{at(example.where)}{unknown(label, self.labels)}")
        return tuple(self.labels.index(label) for label in right)

    def _taught(
        self, known: Bool[Tensor, "row"], right: Float[Tensor, "row label"]
    ) -> Bool[Tensor, "row"]:
        """Which rows there is something to learn from."""
        return known if self.multi_label else known & (right > 0).any(1)

    def probabilities(self, output: Output, batch: Batch) -> Float[Tensor, "row label"]:
        """Sigmoid of each logit (multi-label), or softmax over the labels, at the temperature."""
        return self.rule.probabilities(output.logits)

    def option(self, answer: str, example: Example, graph: Graph | None) -> int:
        """Number of the label; -1 for a refusal."""
        return self.rule.option(answer)

    def shown(self, answer: str, graph: Graph | None) -> str:
        return self.rule.shown(answer)

    def report(self) -> Report:
        """Answers are labels, the same ones wherever they are given."""
        return self.rule.report()

    def tune(self, rows: dict[str, np.ndarray]) -> None:
        """Choose temperature, thresholds, and from where on to refuse."""
        self.rule.tune(rows)

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return the figures; see :meth:`kgfm.tasks.labels.Labelling.metrics`."""
        return self.rule.metrics(rows)
