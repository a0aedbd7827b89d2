"""A loss that draws together the vectors of texts with a common label."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_CLOSE = 0.1
"""Temperature of the cosines, as in the paper."""


def contrastive(
    vectors: Float[Tensor, "text width"], right: Float[Tensor, "text label"]
) -> Float[Tensor, ""]:
    """Return the supervised contrastive loss of texts, of which those with a common label are near.

    ``mean_i mean_(p near i) -log(exp(v_i v_p / t) / sum_(a != i) exp(v_i v_a / t))`` over the texts
    that have a near one (Khosla et al., 2020, eq. 2); 0 where none has.
    """
    itself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    near = (right @ right.T > 0) & ~itself
    count = near.sum(1)
    likeness = (vectors @ vectors.T / _CLOSE).masked_fill(itself, -1e4)
    each = (likeness.log_softmax(1) * near).sum(1) / count.clamp(min=1)
    return -each.sum() / (count > 0).sum().clamp(min=1)
