"""How to train; nothing here says what is trained."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """Settings of one training run.

    Args:
        epochs: Passes over the training part; 0 trains no layer: a task with labels then stays at
            its probe, which takes seconds.
        batch_size: Texts in one step and process.
        accumulate: Steps whose gradients are added up before the weights move.
        learning_rate: Peak rate of the backbone.
        graph_learning_rate: Peak rate of encoder, fusion and task, which start untrained.
        weight_decay: Of all weight matrices.
        warmup: Part of all steps in which the rates rise; they fall linearly to zero after it.
        gradient_clip: Largest norm of the gradient.
        patience: Epochs without a better validation figure before training stops; ``None`` goes on.
        max_tokens: Longer texts are cut.
        cache_states: Compute the states after the frozen layers once and keep them on disk.
        cache_limit_gb: Size in GiB that the cache of states may reach.
        precision: As Lightning's; ``bf16-mixed`` is fast on a GPU and very slow on most CPUs.
        accelerator: As Lightning's.
        devices: As Lightning's.
        strategy: As Lightning's, such as ``ddp``.
        num_workers: Processes that pack batches; 0 packs in the training process.
        tensorboard: Write TensorBoard's files beside the CSV.
    """

    epochs: int = 3
    batch_size: int = 32
    accumulate: int = 1
    learning_rate: float = 5e-5
    graph_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    gradient_clip: float = 1.0
    patience: int | None = None
    max_tokens: int = 128
    cache_states: bool = True
    cache_limit_gb: float = 8.0
    precision: str = "32-true"
    accelerator: str = "auto"
    devices: int | str = "auto"
    strategy: str = "auto"
    num_workers: int = 0
    tensorboard: bool = True

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise ValueError(f"epochs={self.epochs}: it cannot be negative.")
        for name in ("batch_size", "accumulate", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: it must be at least 1.")
        for name in ("learning_rate", "graph_learning_rate", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: 0 <= {name} < 1, such as 1e-4.")
        for name in ("weight_decay", "gradient_clip", "patience", "cache_limit_gb", "num_workers"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name}={getattr(self, name)}: it cannot be negative.")


FINE_TUNING = TrainingConfig(epochs=3, batch_size=16, learning_rate=1e-4, max_tokens=96)
"""Of a linker's text encoder, unless something else is said."""
