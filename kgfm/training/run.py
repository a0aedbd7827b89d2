"""``fit`` and ``evaluate``: one trainer, best checkpoint, resume."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger

from kgfm.training.config import TrainingConfig
from kgfm.training.data import Packs, PreparedData, Tokens
from kgfm.training.module import Trainable, TrainingModule
from kgfm.training.start import Reader, Start

_HINTS = (
    ".*does not have many workers.*",  # packing a batch takes a millisecond
    ".*exists and is not empty.*",  # a run that is resumed
    ".*in eval mode.*",  # frozen layers stay in evaluation mode on purpose
    ".*number of training batches.*",
    ".*sync_dist=True.*",  # each process has gathered the rows of all
    ".*found in the loaded state dict.*|.*not in strict mode.*",
    ".*LeafSpec.*",  # Lightning's own use of torch
)


class PrintEpochs(Callback):
    """One plain line per epoch, for logs and pipes; of the loss where there is no validation."""

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self._print(trainer, "val_")

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.enable_validation:
            self._print(trainer, "train_")

    def _print(self, trainer: L.Trainer, prefix: str) -> None:
        if not trainer.is_global_zero:
            return
        figures = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(prefix)
        }
        _print_epoch(trainer.current_epoch + 1, trainer.max_epochs, figures)


def _print_epoch(epoch: int, epochs: int | None, figures: Mapping[str, float]) -> None:
    text = "  ".join(f"{name} {value:.4f}" for name, value in sorted(figures.items()))
    print(f"epoch {epoch}/{epochs}  {text}", flush=True)


def fit(
    model: Trainable,
    collator: Packs,
    train: Sequence[Tokens],
    validation: Sequence[Tokens] | None,
    config: TrainingConfig,
    *,
    folder: str | Path,
    seed: int = 0,
    resume: bool = False,
    trainer: L.Trainer | None = None,
    begin: Callable[[], None] | None = None,
    told: Callable[[dict[str, float]], None] | None = None,
) -> dict[str, float]:
    """Train, then put the best epoch's weights into ``model``.

    A task that learns from frozen vectors is started before the first epoch, and that start stays
    where no epoch is better, or with ``epochs=0``.

    Args:
        model: Trained in place.
        collator: Packs batches.
        train: Prepared training texts.
        validation: Prepared validation texts; they choose the epoch, and what the task tunes.
            ``None`` keeps the last epoch, and stops no sooner.
        config: How to train.
        folder: For checkpoints and logs.
        seed: Of the order of the texts and of dropout.
        resume: Go on from the last checkpoint in ``folder``, if there is one.
        trainer: A trainer of your own, in place of the one that ``config`` describes.
        begin: Called when all is checked, before anything is read or written in ``folder``.
        told: Called with the validation metrics of the start, where there is one.

    Returns:
        The validation metrics of the best epoch.

    Raises:
        ValueError: A part has no text, a text no target, or there is nothing to do.
    """
    if not train or (validation is not None and not validation):
        raise ValueError(
            f"{len(train)} training and {len(validation or ())} validation texts: give both."
        )
    _check_targets(train, "train")
    _check_targets(validation or (), "validation")
    starts = validation is not None and getattr(model.task, "starts", False)
    if not (config.epochs or starts):
        raise ValueError("epochs=0 learns a probe alone, which this task has not: give 1 or more.")
    folder = Path(folder)
    last = folder / "checkpoints" / "last.ckpt"
    path = str(last) if resume and last.exists() else None
    groups = getattr(model.task, "groups", None)
    data = PreparedData(
        collator,
        train=train,
        validation=validation or (),
        batch_size=config.batch_size,
        seed=seed,
        num_workers=config.num_workers,
        groups=groups(train) if groups else None,
    )
    module = TrainingModule(model, config, seed=seed)
    monitor = None if validation is None else f"val_{model.task.monitor}"
    with _quiet():
        trainer = trainer or _training_trainer(config, folder, monitor)
        if begin is not None:
            begin()
        kept = folder / "checkpoints" / "start.safetensors"
        first = Start.load(kept) if path is not None else None
        if starts and first is None:
            trainers = partial(_trainer, config, logger=False, enable_checkpointing=False)
            reader = Reader(model, collator, config, trainers)
            first = Start.of(model, reader(train), reader(validation or ()))
            if trainer.is_global_zero:
                _print_epoch(0, config.epochs, {f"val_{k}": v for k, v in first.figures.items()})
                if config.epochs and trainer.checkpoint_callback is not None:
                    first.save(kept)
        if first is not None and told is not None:
            told(first.figures)
        if first is not None and not config.epochs:
            return first.figures
        model.train()
        trainer.fit(module, datamodule=data, ckpt_path=path, weights_only=True if path else None)
    figures = _restore_best(module, trainer)
    if first is None or figures[model.task.monitor] >= first.figures[model.task.monitor]:
        return figures
    first.restore(model)
    return first.figures


def evaluate(
    model: Trainable,
    collator: Packs,
    texts: Sequence[Tokens],
    config: TrainingConfig,
    *,
    trainer: L.Trainer | None = None,
) -> dict[str, float]:
    """Return the task's metrics on prepared texts; nothing is trained or tuned.

    Args:
        model: The model.
        collator: Packs batches.
        texts: Prepared texts whose targets are known.
        config: Batch size, precision and devices.
        trainer: A trainer of your own.
    """
    if not texts:
        raise ValueError("There are no texts to evaluate.")
    _check_targets(texts, "test")
    data = PreparedData(
        collator, test=texts, batch_size=2 * config.batch_size, num_workers=config.num_workers
    )
    with _quiet():
        trainer = trainer or _trainer(config, logger=False, enable_checkpointing=False)
        (figures,) = trainer.test(TrainingModule(model, config), datamodule=data, verbose=False)
    return {name.removeprefix("test_"): value for name, value in figures.items()}


def _restore_best(module: TrainingModule, trainer: L.Trainer) -> dict[str, float]:
    """Load the best epoch's weights and return its validation metrics."""
    callback = trainer.checkpoint_callback
    path = getattr(callback, "best_model_path", "")
    metrics: dict[str, float] = {k: float(v) for k, v in trainer.callback_metrics.items()}
    if path:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        module.load_state_dict(checkpoint["state_dict"], strict=False)
        metrics = checkpoint["metrics"]
    module.model.eval()
    return {
        name.removeprefix("val_"): value
        for name, value in metrics.items()
        if name.startswith("val_")
    }


def _check_targets(texts: Sequence[Tokens], part: str) -> None:
    for row, text in enumerate(texts):
        if not text.known:
            raise ValueError(
                f"Text {row} of the {part} part has no target; give one (an empty tuple where "
                "nothing is right), or leave the text out."
            )


def _trainer(config: TrainingConfig, **more: Any) -> L.Trainer:
    """Make what trains or measures on the devices that ``config`` asks for.

    Raises:
        ValueError: They are not there.
    """
    settings: dict[str, Any] = {
        name: getattr(config, name) for name in ("precision", "accelerator", "devices", "strategy")
    }
    bars = {"enable_progress_bar": False, "enable_model_summary": False}
    try:
        return L.Trainer(**settings, **{**bars, **more}, use_distributed_sampler=False)
    except MisconfigurationException as error:
        asked = ", ".join(f"{name}={value!r}" for name, value in settings.items())
        raise ValueError(f"Lightning cannot train with {asked}: {error}") from error


def _training_trainer(config: TrainingConfig, folder: Path, monitor: str | None) -> L.Trainer:
    checkpoints = folder / "checkpoints"
    # A callback of its own: save_last=True writes only when an epoch is the best so far. It comes
    # second, so that what it writes knows of this epoch's best.
    last = ModelCheckpoint(checkpoints, "last", enable_version_counter=False)
    callbacks: list[Callback] = [last, PrintEpochs()]
    if monitor is not None:
        best = ModelCheckpoint(
            checkpoints, "best", monitor=monitor, mode="max", enable_version_counter=False
        )
        callbacks.insert(0, best)
        if config.patience is not None:
            callbacks.append(EarlyStopping(monitor, mode="max", patience=config.patience))
    loggers: list[Logger] = [CSVLogger(folder, name="", version="logs")]
    if config.tensorboard and find_spec("tensorboard"):
        loggers.append(TensorBoardLogger(folder, name="", version="tensorboard"))
    terminal = sys.stdout.isatty()
    return _trainer(
        config,
        max_epochs=config.epochs,
        accumulate_grad_batches=config.accumulate,
        gradient_clip_val=config.gradient_clip,
        callbacks=[*callbacks, RichProgressBar()] if terminal else callbacks,
        enable_progress_bar=terminal,
        logger=loggers,
        log_every_n_steps=10,
        num_sanity_val_steps=0,
        limit_val_batches=0 if monitor is None else 1.0,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide hints of Lightning's that are wrong for kgfm or of no use to its user."""
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in _HINTS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        logger.setLevel(level)
