"""Fit the share of NIL to texts without gold mentions, so that probabilities hold for them too.

Weights that were learned from some texts know how often a span was NIL there. A graph that has few
of a text's names makes NIL likelier, and all probabilities of links too high. How often it is NIL
in other texts is estimated by expectation maximisation (Saerens et al., 2002, sec. 2.2,
https://doi.org/10.1162/089976602753284446): with the share ``q`` of NIL in learning and the
probability ``p(s)`` of NIL of span ``s``, ``q' = mean of p'(s)`` where ``p'(s)`` has the odds of
``p(s)`` times ``odds(q') / odds(q)``. It assumes that spans which are NIL, and those which are not,
look alike in both; only how many there are of each differs.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from kgfm.linking.weights import Weights

_ROUNDS, _ENOUGH = 500, 1e-7
_LEAST = 1e-3
"""No share is estimated below this, or above one less this."""


def nil_share(nil: Float64[np.ndarray, "span"], learned: float) -> float:
    """Return the share of NIL among spans.

    Args:
        nil: The probability of NIL of each span.
        learned: The share of NIL where the probabilities were learned.
    """
    share = learned
    for _ in range(_ROUNDS):
        before = share
        one, other = nil * share / learned, (1 - nil) * (1 - share) / (1 - learned)
        share = float(np.clip((one / (one + other)).mean(), _LEAST, 1 - _LEAST))
        if abs(share - before) < _ENOUGH:
            break
    return share


def calibrated(weights: Weights, nil: Float64[np.ndarray, "span"]) -> Weights:
    """Return weights for texts of another share of NIL.

    The threshold moves along, so that much the same is linked as before; the probabilities say how
    sure that is.

    Args:
        weights: Of one kind.
        nil: The probability of NIL that they give each span of the texts.

    Raises:
        ValueError: These weights do not know the share that they were learned from.
    """
    if weights.nil is None:
        raise ValueError("These weights are of an older kgfm; fit them again to calibrate them.")
    learned = min(max(weights.nil, _LEAST), 1 - _LEAST)
    share = nil_share(nil, learned)
    shift = _logit(share) - _logit(learned)
    threshold = min(max(weights.threshold, 1e-12), 1 - 1e-12)
    return replace(
        weights,
        span={**weights.span, "bias": weights.span.get("bias", 0.0) + shift * weights.temperature},
        threshold=1 / (1 + math.exp(shift - _logit(threshold))),
        nil=share,
    )


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
