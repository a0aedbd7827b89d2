"""Dropout at a third of its cost on a CPU."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Dropout(nn.Dropout):
    """``torch.nn.Dropout`` that tosses a coin of 16 bits for each number.

    On a CPU torch draws one number after another, and each of them takes as long as four coins, so
    that dropout took a tenth of an encoder's step. Probabilities are rounded to 1/65536. Elsewhere
    it is torch's own.
    """

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the input with a part of its numbers zero and the others larger instead."""
        if not self.training or not self.p or input.device.type != "cpu":
            return functional.dropout(input, self.p, self.training)
        four_each = torch.empty((input.numel() + 3) // 4, dtype=torch.int64)
        coins = four_each.random_(-(2**63), None).view(torch.int16)[: input.numel()]
        kept = coins.view(input.shape) >= round(self.p * 2**16) - 2**15
        return input * kept.to(input.dtype).mul_(1 / (1 - self.p))
