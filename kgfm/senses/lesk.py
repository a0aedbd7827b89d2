"""How well a synset's gloss, and the glosses around it in the graph, suit a text."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, normalize

from kgfm.senses.batch import SenseBatch
from kgfm.senses.inventory import Pointers


class Lesk(nn.Module):
    """Extended Lesk (Banerjee and Pedersen, 2003), with cosines in place of counted words.

    ``t l(w, s) + a cos(g_s, c) + b cos(sum_{j in N(s)} g_j / |g_j|, c)``: ``l`` is the trained
    model's logit, ``g`` are the frozen vectors of glosses, ``N(s)`` the synsets that pointers join
    to ``s``, and ``c`` is the mean of the directions of the window's words, each less what all
    words have in common. ``t, a, b`` are chosen on texts that were not trained on, where the logits
    are no surer than they should be; until then they are 1, 0 and 0.

    Args:
        around: :func:`around` of all synsets; ``None`` leaves the graph out.
        width: Of the words' states and of the glosses' vectors, which come from like encoders.
    """

    def __init__(self, around: Float[Tensor, "row width"] | None, width: int) -> None:
        super().__init__()
        self.around: Tensor | None
        self.centre: Tensor
        self.weights: Tensor
        self.register_buffer("around", around, persistent=False)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("weights", torch.tensor([1.0, 0.0, 0.0]))

    @property
    def chosen(self) -> bool:
        """Whether the weights have been chosen."""
        return bool(self.weights[1:].any())

    def forward(
        self,
        logits: Float[Tensor, "candidate"],
        words: Float[Tensor, "word width"],
        glosses: Float[Tensor, "synset width"],
        batch: SenseBatch,
    ) -> Float[Tensor, "candidate"]:
        """Return the logits with what the window says."""
        scores: Tensor = self.parts(logits, words, glosses, batch) @ self.weights
        return scores

    def parts(
        self,
        logits: Float[Tensor, "candidate"],
        words: Float[Tensor, "word width"],
        glosses: Float[Tensor, "synset width"],
        batch: SenseBatch,
    ) -> Float[Tensor, "candidate part"]:
        """Return what the weights are for: the logits, and both cosines."""
        window = batch.word_windows()
        context = words.new_zeros(len(batch), words.shape[1])
        context = context.index_add(0, window, normalize(words - self.centre, dim=1))
        given = normalize(context, dim=1)[window[batch.candidate_word]]
        gloss = (normalize(glosses, dim=1)[batch.candidate] * given).sum(1)
        if self.around is None:
            return torch.stack([logits.float(), gloss, torch.zeros_like(gloss)], dim=1)
        near = self.around[batch.synsets].float()[batch.candidate]
        return torch.stack([logits.float(), gloss, (near * given).sum(1)], dim=1)


def around(
    glosses: Float[np.ndarray, "row width"], pointers: Pointers
) -> Float[np.ndarray, "row width"]:
    """Return the direction of the sum of the directions around each synset; zero where none are."""
    summed = embedding_bag(
        torch.from_numpy(pointers.source),
        torch.from_numpy(unit(glosses.astype(np.float32))),
        torch.from_numpy(pointers.starts[:-1]),
        mode="sum",
    )
    found: np.ndarray = unit(summed.numpy()).astype(np.float16)
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of length 1; zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    found: np.ndarray = vectors / np.maximum(length, 1e-9)
    return found
