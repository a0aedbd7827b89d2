"""What a task learns from frozen vectors, before the first epoch."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from kgfm.storage import replace_file
from kgfm.training.config import TrainingConfig
from kgfm.training.data import Packs, PreparedData, Tokens
from kgfm.training.module import Trainable, as_arrays, gathered

Rows = dict[str, np.ndarray]


class _Reading(L.LightningModule):
    """Collect what a task reads of texts, by a model that stays as it is."""

    def __init__(self, model: Trainable) -> None:
        super().__init__()
        self.model = model
        self.rows: Rows = {}
        self._mine: list[Rows] = []

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self._mine.append(as_arrays(self.model.task.reads(self.model(batch), batch)))

    def on_test_epoch_end(self) -> None:
        self.rows = gathered(self._mine, self.trainer.world_size)


@dataclass(frozen=True)
class Reader:
    """Return what a task reads of prepared texts, a row for each.

    Args:
        model: The model; its task has ``reads``.
        collator: Packs batches.
        config: Batch size.
        trainer: Makes what runs the model on its devices.
    """

    model: Trainable
    collator: Packs
    config: TrainingConfig
    trainer: Callable[[], L.Trainer]

    def __call__(self, texts: Sequence[Tokens]) -> Rows:
        config = self.config
        data = PreparedData(
            self.collator,
            test=texts,
            batch_size=2 * config.batch_size,
            num_workers=config.num_workers,
        )
        reading = _Reading(self.model)
        self.trainer().test(reading, datamodule=data, verbose=False)
        return reading.rows


@dataclass(frozen=True)
class Start:
    """A model before the first epoch, its task started, and how good that is.

    Args:
        figures: Of the validation part.
        state: All but frozen weights.
    """

    figures: dict[str, float]
    state: dict[str, Tensor]

    @classmethod
    def of(cls, model: Trainable, train: Rows, validation: Rows) -> Start:
        """Start the model's task, which is changed in place.

        Args:
            model: Its task has ``start``.
            train: What the task read of the training texts.
            validation: Of the validation texts, which choose what is not learned.
        """
        found = model.task.start(train, validation)
        model.task.tune(found)
        frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
        state = {n: v.clone() for n, v in model.state_dict().items() if n not in frozen}
        return cls(model.task.metrics(found), state)

    def restore(self, model: Trainable) -> None:
        """Put the model back to where it started."""
        model.load_state_dict(self.state, strict=False)

    def save(self, path: Path) -> None:
        """Keep it for a run that is resumed."""
        state = {name: value.contiguous() for name, value in self.state.items()}
        replace_file(path, save(state, {"figures": json.dumps(self.figures)}))

    @classmethod
    def load(cls, path: Path) -> Start | None:
        """Return what was kept; ``None`` if nothing was."""
        if not path.exists():
            return None
        with safe_open(path, "pt") as file:
            figures = json.loads(file.metadata()["figures"])
            return cls(figures, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
