"""The LightningModule: one loss, two learning rates, the task's own metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import lightning as L
import numpy as np
import torch
import torch.distributed
from torch import Tensor, nn

from kgfm.training.config import TrainingConfig


@runtime_checkable
class Trainable(Protocol):
    """A model whose output has a ``loss``, such as :class:`kgfm.KGModel`; an ``nn.Module``."""

    @property
    def task(self) -> Any: ...

    def __call__(self, batch: Any, /) -> Any: ...

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Any, strict: bool = True) -> Any: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...

    def graph_parameters(self) -> list[nn.Parameter]: ...

    def train(self, mode: bool = True) -> Any: ...

    def eval(self) -> Any: ...


class TrainingModule(L.LightningModule):
    """Train and measure a :class:`kgfm.KGModel`, or another model with its methods.

    Args:
        model: The model.
        config: Rates, schedule and the like.
        seed: Each epoch's dropout starts from ``(seed, epoch)``, so that a run that was resumed at
            the start of an epoch equals one that was never interrupted.
    """

    def __init__(self, model: Trainable, config: TrainingConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.seed = seed
        self.strict_loading = False  # frozen weights are not in a checkpoint
        self._rows: list[dict[str, np.ndarray]] = []

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Lightning leaves out on_train_epoch_start for the first epoch after a resume.
        if batch_idx == 0:
            torch.manual_seed(self.seed * 1_000_003 + self.current_epoch)

    def training_step(self, batch: Any, _: int) -> Tensor:
        loss: Tensor | None = self.model(batch).loss
        if loss is None:
            raise ValueError("No text of this batch has a target; training needs labelled texts.")
        self.log(
            "train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch), sync_dist=True
        )
        return loss

    def validation_step(self, batch: Any, _: int) -> None:
        output = self.model(batch)
        self._rows.append(as_arrays(self.model.task.collect(output, batch)))

    test_step = validation_step

    def on_validation_epoch_end(self) -> None:
        rows = self._collected()
        if rows:
            self.model.task.tune(rows)
            self._log("val", rows)

    def on_test_epoch_end(self) -> None:
        rows = self._collected()
        if rows:
            self._log("test", rows)

    def _log(self, part: str, rows: dict[str, np.ndarray]) -> None:
        metrics = self.model.task.metrics(rows)
        # Every process has gathered the same rows, so there is nothing to average.
        self.log_dict(
            {f"{part}_{name}": value for name, value in metrics.items()}, rank_zero_only=False
        )

    def _collected(self) -> dict[str, np.ndarray]:
        mine, self._rows = self._rows, []
        return gathered(mine, self.trainer.world_size)

    def configure_optimizers(self) -> Any:
        config = self.config
        graph = {id(p) for p in self.model.graph_parameters()}
        groups: dict[tuple[bool, bool], list[torch.nn.Parameter]] = {}
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                kind = (id(parameter) in graph, parameter.ndim > 1)
                groups.setdefault(kind, []).append(parameter)
        optimizer = torch.optim.AdamW(
            [
                {
                    "params": parameters,
                    "lr": config.graph_learning_rate if of_graph else config.learning_rate,
                    "weight_decay": config.weight_decay if matrix else 0.0,
                }
                for (of_graph, matrix), parameters in groups.items()
            ]
        )
        steps = max(1, int(self.trainer.estimated_stepping_batches))
        rise = max(1, round(steps * config.warmup))

        def rate(step: int) -> float:
            return min((step + 1) / rise, max(0.0, (steps - step) / max(1, steps - rise)))

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        frozen = {f"model.{n}" for n, p in self.model.named_parameters() if not p.requires_grad}
        checkpoint["state_dict"] = {
            name: value for name, value in checkpoint["state_dict"].items() if name not in frozen
        }
        metrics = self.trainer.callback_metrics
        checkpoint["metrics"] = {name: float(value) for name, value in metrics.items()}


def as_arrays(rows: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """Move what a task collected out of tensors."""
    return {name: value.float().cpu().numpy() for name, value in rows.items()}


def gathered(mine: list[dict[str, np.ndarray]], processes: int) -> dict[str, np.ndarray]:
    """Return the rows of all batches of all processes."""
    if processes > 1:
        everyone: list[Any] = [None] * processes
        torch.distributed.all_gather_object(everyone, mine)
        mine = [rows for part in everyone for rows in part]
    names = mine[0] if mine else {}
    return {name: np.concatenate([rows[name] for rows in mine]) for name in names}
