"""What is chosen after training, on texts that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from kgfm.senses.batch import PreparedWindow, SenseCollator
from kgfm.senses.lesk import Lesk
from kgfm.senses.model import SenseModel, SenseOutput
from kgfm.senses.untrained import weigh

BATCH = 32


@torch.no_grad()
def choose_lesk(
    model: SenseModel, lesk: Lesk, collator: SenseCollator, windows: Sequence[PreparedWindow]
) -> dict[str, float]:
    """Choose how much the window counts beside the trained logits.

    The weights make the right candidates most probable (:func:`kgfm.senses.untrained.weigh`).

    Args:
        model: Trained; its :attr:`SenseModel.lesk` is used from now on.
        lesk: Of the model; changed in place.
        collator: Packs its batches.
        windows: Tagged.

    Returns:
        F1 on the same windows, and that of unseen words; two weights and a scale were chosen there.

    Raises:
        ValueError: No instance has a choice and a known sense.
    """
    model.eval()
    lesk.weights.copy_(torch.tensor([1.0, 0.0, 0.0]))
    order = sorted(windows, key=lambda window: len(window.input_ids))
    device = lesk.weights.device
    packed = []
    for start in range(0, len(order), BATCH):
        batch = collator.pack(order[start : start + BATCH]).to(device)
        if batch.word_states is None:
            batch.word_states = model.word_states(batch)
        packed.append((batch, model(batch).logits, batch.word_states[:, -1].float()))
    lesk.centre.copy_(torch.cat([states for _, _, states in packed]).mean(0))
    parts = [
        lesk.parts(logits, states, model.glosses[batch.synsets].float(), batch)
        for batch, logits, states in packed
    ]
    values, right = [], []
    for (batch, _, _), found in zip(packed, parts, strict=True):
        ends = torch.bincount(batch.candidate_word, minlength=batch.num_words).cumsum(0)[:-1]
        values += np.split(found.cpu().double().numpy(), ends.tolist())
        right += np.split(batch.right.cpu().numpy(), ends.tolist())
    lesk.weights.copy_(torch.tensor(weigh(values, right)))
    rows = [
        model.task.collect(SenseOutput(found @ lesk.weights), batch)
        for (batch, _, _), found in zip(packed, parts, strict=True)
    ]
    return model.task.metrics(
        {name: torch.cat([row[name] for row in rows]).cpu().numpy() for name in rows[0]}
    )
