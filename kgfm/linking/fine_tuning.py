"""Fine-tune a linker's text encoder on some of the texts, and leave the others to its weights."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.linking.confusable import confusable
from kgfm.linking.contexts import Encode
from kgfm.linking.formats.document import Document
from kgfm.linking.weights import shipped_weights

if TYPE_CHECKING:
    from kgfm.linking.names import Linker
    from kgfm.training import TrainingConfig

HELD, MOST = 1 / 3, 7
"""The share of the texts that the encoder does not learn from, and the candidates of a mention
besides the right one that it does."""


def fine_tune(
    linker: Linker,
    documents: Sequence[Document],
    config: TrainingConfig | None,
    *,
    folder: str | Path | None,
    backbone: Any = None,
    seed: int,
    say: Callable[[str], None],
) -> tuple[Encode, list[Document]]:
    """Return a trained encoder, and the documents that it has not learned from.

    They choose its best epoch, and weights are to be learned from them: on texts that it has
    learned from its similarities are too good to be true.

    Args:
        linker: Finds the candidates of each mention.
        documents: Their gold entities are keys of the graph, or ``None``.
        config: How to train.
        folder: For checkpoints and logs; by default they are not kept.
        backbone: As in :func:`kgfm.training.fit_text_encoder`.
        seed: Chooses the documents.
        say: Told what is being done.
    """
    from kgfm.training import FINE_TUNING, fit_text_encoder

    order = np.random.default_rng(seed).permutation(len(documents)).tolist()
    num_held = max(1, round(HELD * len(order)))
    held, rest = (
        [documents[row] for row in sorted(part)] for part in (order[:num_held], order[num_held:])
    )
    index = linker.candidates if linker.fuzzy else None
    weights = linker.weights or shipped_weights()
    parts = [confusable(linker.names, index, p, weights, most=MOST) for p in (rest, held)]
    with tempfile.TemporaryDirectory() if folder is None else nullcontext(folder) as place:
        encode = fit_text_encoder(
            linker.graph,
            parts[0],
            parts[1],
            config or FINE_TUNING,
            folder=place,
            backbone=backbone,
            seed=seed,
            say=say,
        )
    return encode, held
