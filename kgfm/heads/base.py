"""What a head is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.batch import Batch


@dataclass
class Output:
    """What the model says about a batch.

    Args:
        tokens: The backbone's last states, fused.
        logits: One per text and label, or one per node.
        nil: One per text: nothing in the graph answers (``answer`` only).
        loss: Mean over the texts whose target is known; ``None`` where none is.
    """

    tokens: Float[Tensor, "batch token width"]
    logits: Tensor
    nil: Float[Tensor, "batch"] | None = None
    loss: Float[Tensor, ""] | None = None


class Head(nn.Module, ABC):
    """Turn tokens and nodes into logits, and into a loss where targets are known."""

    @abstractmethod
    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
    ) -> Output:
        """Return the output."""

    @abstractmethod
    def probabilities(self, output: Output, batch: Batch) -> Tensor:
        """Probabilities in the shape of the logits; differentiable."""

    monitor: str
    """The metric, larger is better, by which the best checkpoint is chosen."""

    @abstractmethod
    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return what the metrics need of a batch, one row per text with a known target."""

    @abstractmethod
    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return the metrics of all collected rows."""

    def tune(self, rows: dict[str, np.ndarray]) -> None:
        """Choose on the validation part what is not trained, such as a decision threshold."""


HEADS: dict[str, type[Head]] = {}


def seed_mean(
    nodes: Float[Tensor, "node node_width"], batch: Batch
) -> Float[Tensor, "batch node_width"]:
    """Average each text's seeds; zero for a text without any."""
    seeds = (batch.node_hops == 0).to(nodes.dtype)
    total = nodes.new_zeros(len(batch), nodes.shape[1])
    total = total.index_add(0, batch.node_text, nodes * seeds[:, None])
    count = nodes.new_zeros(len(batch)).index_add(0, batch.node_text, seeds)
    return total / count.clamp(min=1.0)[:, None]


def mean_of_known(losses: Float[Tensor, "batch"], known: Tensor) -> Float[Tensor, ""]:
    """Average over the texts whose target is known; zero, not NaN, where none is."""
    weight = known.to(losses.dtype)
    return torch.sum(losses * weight) / weight.sum().clamp(min=1.0)
