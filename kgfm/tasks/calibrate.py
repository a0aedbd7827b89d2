"""What is chosen on validation texts so that probabilities are what they promise."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch.nn import functional

from kgfm.metrics import risk_coverage

_HOTTEST = 10.0
"""Largest temperature; its inverse is the smallest."""


def best_temperature(
    logits: Float[np.ndarray, "row label"],
    right: Bool[np.ndarray, "row label"],
    *,
    several: bool = False,
) -> float:
    """Return the temperature of least negative log likelihood (Guo et al., 2017, sec. 4.2).

    The targets of n rows are smoothed by ``1 / (n + 2)``, as Platt (1999) does: a few rows that are
    all right would else say that the model is certain of everything. From 0.1 to 10; 1 where all
    temperatures are alike.
    """
    z = torch.from_numpy(np.asarray(logits, np.float64))
    smooth = 1 / (len(z) + 2)
    y = torch.from_numpy(np.asarray(right, np.float64))
    y = y * (1 - smooth) + smooth / (2 if several else z.shape[1])

    def loss(log: float) -> float:
        even = z / float(np.exp(log))
        if several:
            return float(functional.binary_cross_entropy_with_logits(even, y))
        return float(-(y * even.log_softmax(1)).sum(1).mean())

    low, high = -float(np.log(_HOTTEST)), float(np.log(_HOTTEST))
    share = (np.sqrt(5) - 1) / 2
    for _ in range(32):  # golden section: convex in 1 / T, so there is one valley
        first, second = high - share * (high - low), low + share * (high - low)
        low, high = (low, second) if loss(first) <= loss(second) else (first, high)
    found = (low + high) / 2
    return float(np.exp(found)) if loss(found) < loss(0.0) - 1e-9 else 1.0


def refused_below(
    scores: Float[np.ndarray, "row"],
    right: Bool[np.ndarray, "row"],
    *,
    risk: float | None = None,
    share: float | None = None,
) -> float:
    """Return the score below which to refuse, for a risk among the answers or a share refused."""
    curve, ranked = risk_coverage(scores, right), np.unique(scores)[::-1]
    # As Geifman and El-Yaniv (2017) do, without their bound: a validation part may be small.
    good = curve.risk <= risk if risk is not None else curve.coverage <= 1 - (share or 0.0) + 1e-9
    if not good.any():
        return 1.1  # over every probability
    last = int(np.flatnonzero(good)[-1])
    return float(ranked[last : last + 2].mean()) if last + 1 < len(ranked) else 0.0
