"""One or several labels for a text."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kgfm.backbones.text import mean_pool
from kgfm.batch import Batch
from kgfm.heads.base import Head, Output, mean_of_known, seed_mean
from kgfm.metrics import best_threshold, macro_f1, micro_f1
from kgfm.registry import check_probabilities


class ClassifyHead(Head):
    """Label logits ``W pool(tokens) + b + G mean(seed nodes)``.

    With several labels those at or over ``threshold`` are given; validation texts choose it.

    ``G`` starts at zero and has no bias: an untrained head reads the text alone, and for a text
    without mentions it always does.

    Args:
        width: Width of the tokens.
        node_width: Width of the node states; 0 where there is no graph.
        num_labels: Number of labels.
        multi_label: Any number of labels may be right (binary cross-entropy), not just one.
        dropout: Before the products.

    Raises:
        ValueError: There is no label, or ``dropout`` is no probability under 1.
    """

    def __init__(
        self,
        width: int,
        node_width: int,
        num_labels: int,
        *,
        multi_label: bool = False,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if num_labels < 1:
            raise ValueError(
                "classify needs at least one label; give labels or examples with some."
            )
        check_probabilities(dropout=dropout)
        self.multi_label = multi_label
        self.monitor = "micro_f1" if multi_label else "accuracy"
        self.threshold: Tensor
        self.register_buffer("threshold", torch.tensor(0.5))
        self.dropout = nn.Dropout(dropout)
        self.label = nn.Linear(width, num_labels)
        self.graph = nn.Linear(node_width, num_labels, bias=False) if node_width else None
        if self.graph is not None:
            nn.init.zeros_(self.graph.weight)

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
    ) -> Output:
        """Return one logit per text and label."""
        logits = self.label(self.dropout(mean_pool(tokens, batch.attention_mask)))
        if self.graph is not None and nodes is not None:
            logits = logits + self.graph(self.dropout(seed_mean(nodes, batch)))
        return Output(tokens, logits, loss=self._loss(logits, batch))

    def _loss(self, logits: Tensor, batch: Batch) -> Tensor | None:
        if batch.label_target is None or batch.has_target is None:
            return None
        if self.multi_label:
            losses = functional.binary_cross_entropy_with_logits(
                logits, batch.label_target, reduction="none"
            ).mean(1)
        else:
            losses = functional.cross_entropy(logits, batch.label_target, reduction="none")
        return mean_of_known(losses, batch.has_target)

    def probabilities(self, output: Output, batch: Batch) -> Float[Tensor, "batch label"]:
        """Sigmoid of each logit (multi-label), or softmax over the labels."""
        if self.multi_label:
            return torch.sigmoid(output.logits)
        return torch.softmax(output.logits, dim=-1)

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return scores and targets, one row per text."""
        assert batch.label_target is not None
        assert batch.has_target is not None
        scores = self.probabilities(output, batch)
        return {
            "scores": scores[batch.has_target],
            "targets": batch.label_target[batch.has_target],
        }

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
