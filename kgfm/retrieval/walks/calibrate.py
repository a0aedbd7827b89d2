"""From the probability of a walk to how often such an answer is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

_ROUNDS, _RIDGE, _SLOPE = 50, 1e-2, 0.1
_LACKING = 0.5
"""A lack of which the probability is less is never believed."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """``sigmoid(slope * logit(p) + shift)`` (Platt, 1999), and from where on a lack is believed.

    Args:
        slope: Of the probability's logit.
        shift: Added to it.
        lacking: From which probability on the graph is said to lack what is asked for.
    """

    slope: float = 1.0
    shift: float = 0.0
    lacking: float = 0.5

    def __call__(self, probability: float) -> float:
        """Return how often an answer of such a probability is right."""
        logit = _logit(np.array([probability]))[0]
        return float(1 / (1 + np.exp(-(self.slope * logit + self.shift))))


def _logit(probability: Float[np.ndarray, "_"]) -> Float[np.ndarray, "_"]:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    logit: Float[np.ndarray, "_"] = np.log(clipped) - np.log1p(-clipped)
    return logit


def calibrate(
    probability: Float[np.ndarray, "question"],
    right: Bool[np.ndarray, "question"],
    lacking: Float[np.ndarray, "question"],
    *,
    refused: float,
) -> Calibration:
    """Fit the calibration to answered questions by Newton's steps, with a small ridge.

    Args:
        probability: Of the set that is answered with.
        right: Whether it is exactly the right one.
        lacking: Probability, for questions that have an answer, that there is none.
        refused: Share of questions with an answer that may be refused for that.
    """
    if not len(probability):
        return Calibration()
    logit = _logit(probability)
    # Targets a little inside of 0 and 1, as Platt does, so that no weight runs off.
    ones = int(right.sum())
    target = np.where(right, (ones + 1) / (ones + 2), 1 / (len(right) - ones + 2))
    slope, shift = _fit(
        np.stack([logit, np.ones(len(logit))], axis=1), target, np.zeros_like(logit)
    )
    if slope < _SLOPE:  # likelier answers are to have the higher score, also where all are right
        slope = _SLOPE
        (shift,) = _fit(np.ones((len(logit), 1)), target, slope * logit)
    # Half of what may be refused, for on questions not seen here it is more.
    threshold = float(np.quantile(lacking, 1 - refused / 2)) if len(lacking) else 0.5
    return Calibration(float(slope), float(shift), max(_LACKING, threshold))


def _fit(
    features: Float[np.ndarray, "question feature"],
    target: Float[np.ndarray, "question"],
    given: Float[np.ndarray, "question"],
) -> Float[np.ndarray, "feature"]:
    """Weights of a logistic regression, ``given`` added to its logit."""
    weights = np.zeros(features.shape[1])
    weights[0] = float(features.shape[1] > 1)
    prior = weights.copy()
    for _ in range(_ROUNDS):
        guess = 1 / (1 + np.exp(-(features @ weights + given)))
        gradient = features.T @ (guess - target) + _RIDGE * (weights - prior)
        curve = (features * (guess * (1 - guess))[:, None]).T @ features
        move = np.linalg.solve(curve + _RIDGE * np.eye(len(weights)), gradient)
        weights = weights - np.clip(move, -1, 1)
        if np.abs(move).max() < 1e-8:
            break
    return weights
