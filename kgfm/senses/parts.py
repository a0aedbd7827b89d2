"""The parts of a tagger's training: the head alone, then the backbone's upper layers too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from kgfm.frozen import FrozenStates
from kgfm.senses.batch import PreparedWindow, SenseCollator
from kgfm.senses.model import SenseModel
from kgfm.senses.word_states import WordStates
from kgfm.training import TrainingConfig, fit

Say = Callable[[str], None]


@dataclass(frozen=True)
class Parts:
    """What all parts of training share.

    Args:
        model: Trained in place.
        collator: Packs its batches.
        train: Tagged windows.
        held: Those that choose the epoch.
        config: How to train; each part has epochs of its own.
        folder: For the checkpoints and logs of all parts.
        cache: Keeps the states of words and those after frozen layers.
        seed: Of the order of the batches, and of what is drawn.
        resume: Go on from the last checkpoint of each part.
        say: Told what is being done.
    """

    model: SenseModel
    collator: SenseCollator
    train: Sequence[PreparedWindow]
    held: Sequence[PreparedWindow]
    config: TrainingConfig
    folder: Path
    cache: Path
    seed: int
    resume: bool
    say: Say

    def head(self, epochs: int) -> dict[str, float]:
        """Train all but the backbone, whose states of words are computed once."""
        states = WordStates(self.model, self.cache / "words")
        states.fill([*self.train, *self.held], self.collator, told(self.say, "windows"))
        self.collator.word_states = states
        try:
            with _frozen(self.model.backbone):
                return self._fit(replace(self.config, epochs=epochs), "head")
        finally:
            self.collator.word_states = None

    def context(self, *, head_learnt: bool) -> dict[str, float]:
        """Train the backbone's upper layers too; a head that has learnt learns slower."""
        backbone = self.model.backbone
        config = self.config
        if head_learnt:
            config = replace(config, graph_learning_rate=config.graph_learning_rate / 4)
        if config.cache_states and backbone.freeze:
            limit = int(config.cache_limit_gb * 2**30)
            states = FrozenStates(backbone, self.cache / "states", limit_bytes=limit)
            texts = [text.input_ids for text in (*self.train, *self.held)]
            states.fill(texts, progress=told(self.say, "windows"))
            self.collator.states = states
        try:
            return self._fit(config, "")
        finally:
            self.collator.states = None

    def _fit(self, config: TrainingConfig, name: str) -> dict[str, float]:
        return fit(
            self.model,
            self.collator,
            self.train,
            self.held,
            config,
            folder=self.folder / name,
            seed=self.seed,
            resume=self.resume,
        )


@contextmanager
def _frozen(module: torch.nn.Module) -> Iterator[None]:
    """Train nothing of a module for a while."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


def told(say: Say, what: str) -> Callable[[int, int], None]:
    """Return a progress callback that says how many of something are done."""
    return lambda done, total: say(f"{done:,} of {total:,} {what}")
