"""Fine-tune a linker's text encoder, and tell how it does on texts that it has not learned from."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.linking.confusable import confusable
from kgfm.linking.formats.document import Document
from kgfm.linking.weights import shipped_weights
from kgfm.storage import replace_file
from kgfm.vectors import Encode

if TYPE_CHECKING:
    from kgfm.linking.names import Linker
    from kgfm.training import TrainingConfig

BEGUN = "begun.txt"
"""The file that says what a training learns from."""
MOST = 7
"""Candidates of a mention besides the right one that the encoder learns from."""


def fine_tune(
    linker: Linker,
    documents: Sequence[Document],
    config: TrainingConfig | None,
    *,
    folds: int,
    folder: str | Path | None,
    resume: bool = False,
    backbone: Any = None,
    seed: int,
    say: Callable[[str], None],
) -> tuple[Encode, list[tuple[Encode, list[Document]]]]:
    """Return a trained encoder, and what its similarities would be on texts that it has not seen.

    On texts that an encoder has learned from its similarities are too good to be true, and weights
    that were learned there would trust them too much. So the texts are dealt to folds, and for each
    an encoder is trained on the others (as in stacking: Wolpert, 1992, sec. 2,
    https://doi.org/10.1016/S0893-6080(05)80023-1); the fold chooses its best epoch. The last
    encoder learns from all texts, for as many epochs as ``config`` says.

    Args:
        linker: Finds the candidates of each mention.
        documents: Their gold entities are keys of the graph, or ``None``.
        config: How to train.
        folds: How many, at least two.
        folder: For checkpoints and logs, a folder for each training; by default they are not kept.
        resume: Go on with what was begun in ``folder``; trainings that are done stay as they are.
        backbone: As in :func:`kgfm.training.fit_text_encoder`; one that is ready learns from all.
        seed: Deals the documents to the folds.
        say: Told what is being done.

    Returns:
        The encoder, and each fold: an encoder that has not learned from it, and its documents.

    Raises:
        ValueError: There are fewer than two folds, or fewer texts with mentions than folds; or what
            was begun in ``folder`` had other texts or settings.
    """
    from kgfm.training import FINE_TUNING, fit_text_encoder

    fold = _dealt(documents, folds, seed)
    index = linker.candidates if linker.fuzzy else None
    weights = linker.weights or shipped_weights()
    names, config = linker.names, config or FINE_TUNING
    _begin(folder, _digest(documents, [asdict(config), folds, seed, str(backbone)]), resume=resume)
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as place:

        def trained(name: str, start: Any, learned: list[Document], held: list[Document]) -> Encode:
            train, other = (
                confusable(names, index, p, weights, most=MOST) for p in (learned, held)
            )
            return fit_text_encoder(
                linker.graph,
                train,
                other if held else None,
                config,
                folder=Path(place) / name,
                states=Path(place) / "states",
                backbone=start,
                seed=seed,
                resume=resume,
                say=say,
            )

        parts = []
        for number in range(folds):
            own = [one for one, of in zip(documents, fold, strict=True) if of == number]
            others = [one for one, of in zip(documents, fold, strict=True) if of != number]
            say(f"fold {number + 1} of {folds}, an encoder that learns from the others")
            parts.append((trained(f"fold-{number + 1}", deepcopy(backbone), others, own), own))
        say("an encoder that learns from all")
        return trained("all", backbone, list(documents), []), parts


def _begin(folder: str | Path | None, digest: str, *, resume: bool) -> None:
    """Write down what is learned from, or see that it is what was begun."""
    if folder is None:
        if resume:
            raise ValueError("resume goes on in a folder; say which.")
        return
    file = Path(folder) / BEGUN
    if not resume:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, digest.encode())
    elif not file.exists() or file.read_text(encoding="utf-8") != digest:
        raise ValueError(
            f"{folder} holds no fine-tuning that was begun with these texts and settings; leave "
            "out resume to begin one."
        )


def _digest(documents: Sequence[Document], settings: list[Any]) -> str:
    texts = [[one.text, [[m.start, m.end, m.entity] for m in one.mentions]] for one in documents]
    return blake2b(json.dumps([texts, settings]).encode(), digest_size=16).hexdigest()


def _dealt(documents: Sequence[Document], folds: int, seed: int) -> list[int]:
    """Return the fold of each document; each fold has as many with mentions as another, or one."""
    order = np.random.default_rng(seed).permutation(len(documents)).tolist()
    with_gold = [row for row in order if any(m.entity is not None for m in documents[row].mentions)]
    if folds < 2:
        raise ValueError(f"folds={folds}: give at least 2, such as 2, which takes the least time.")
    if len(with_gold) < folds:
        raise ValueError(
            f"Fine-tuning in {folds} folds needs as many texts with mentions of entities in the "
            f"graph; got {len(with_gold):,} such texts."
        )
    fold = [0] * len(documents)
    for place, row in enumerate([*with_gold, *(row for row in order if row not in {*with_gold})]):
        fold[row] = place % folds
    return fold
