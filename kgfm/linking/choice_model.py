"""The probability that a stretch of text means a candidate, or nothing in the graph (NIL).

A conditional logit (McFadden, 1974): a span with candidates ``c`` and features ``x_c`` of each, and
features ``z`` of the span itself, has the probabilities

    p(c) = exp(w · x_c / T) / Z        p(NIL) = exp(v · z / T) / Z

where ``Z`` is the sum of all of them and the temperature ``T`` is chosen on texts that ``w`` and
``v`` were not learned from (Guo et al., 2017, sec. 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64

_STEPS, _HALVINGS, _ENOUGH = 60, 20, 1e-9
_TEMPERATURES = np.geomspace(0.4, 4.0, 61)


@dataclass(frozen=True, slots=True)
class Choices:
    """Spans and what each may mean.

    Args:
        indptr: The candidates of span ``s`` are ``indptr[s]:indptr[s + 1]``.
        candidates: Features of the candidates.
        spans: Features of the spans.
    """

    indptr: Int64[np.ndarray, "boundary"]
    candidates: Float[np.ndarray, "candidate candidate_feature"]
    spans: Float[np.ndarray, "span span_feature"]

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def owners(self) -> Int64[np.ndarray, "candidate"]:
        """The span of each candidate."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    def take(self, rows: Int64[np.ndarray, "row"]) -> Choices:
        """Return some of the spans, with their candidates."""
        counts = np.diff(self.indptr)[rows]
        indptr = np.append(0, np.cumsum(counts))
        shift = np.repeat(self.indptr[rows] - indptr[:-1], counts)
        return Choices(indptr, self.candidates[shift + np.arange(indptr[-1])], self.spans[rows])


class Logits(NamedTuple):
    """What the exponentials are taken of: one for each candidate, and one for NIL of each span."""

    candidates: Float[np.ndarray, "candidate"]
    nil: Float[np.ndarray, "span"]


def logits(
    choices: Choices,
    candidate_weights: Float[np.ndarray, "candidate_feature"],
    span_weights: Float[np.ndarray, "span_feature"],
) -> Logits:
    """Return the logits at temperature 1."""
    return Logits(choices.candidates @ candidate_weights, choices.spans @ span_weights)


def probabilities(
    found: Logits, indptr: Int64[np.ndarray, "boundary"], *, temperature: float = 1.0
) -> tuple[Float[np.ndarray, "candidate"], Float[np.ndarray, "span"]]:
    """Return the probability of each candidate, and of NIL for each span."""
    owners = np.repeat(np.arange(len(found.nil)), np.diff(indptr))
    candidates, nil = found.candidates / temperature, found.nil / temperature
    largest = nil.copy()
    np.maximum.at(largest, owners, candidates)
    parts, nothing = np.exp(candidates - largest[owners]), np.exp(nil - largest)
    total = nothing + np.bincount(owners, parts, len(nil))
    return parts / total[owners], nothing / total


def log_loss(
    found: Logits,
    indptr: Int64[np.ndarray, "boundary"],
    target: Int64[np.ndarray, "span"],
    *,
    temperature: float = 1.0,
) -> float:
    """Return the mean of ``-log p(target)``; a target is the place of a candidate, -1 is NIL."""
    if not len(target):
        return 0.0
    candidates, nil = probabilities(found, indptr, temperature=temperature)
    padded = np.append(candidates, 1.0)
    return float(-np.log(np.maximum(np.where(target < 0, nil, padded[target]), 1e-300)).mean())


def learn(
    choices: Choices, target: Int64[np.ndarray, "span"], *, penalty: float = 1.0
) -> tuple[Float[np.ndarray, "candidate_feature"], Float[np.ndarray, "span_feature"]]:
    """Return the weights of highest likelihood, by Newton's method.

    Minimises ``sum of -log p(target) + penalty / 2 * |weights|²``, which is convex.

    Args:
        choices: What there was to choose from.
        target: The place of the right candidate among all candidates, -1 where it is NIL.
        penalty: Keeps weights small that few spans speak for.
    """
    width, more = choices.candidates.shape[1], choices.spans.shape[1]
    weights = np.zeros(width + more)
    owners = choices.owners
    candidates, spans = choices.candidates.astype(float), choices.spans.astype(float)
    right = np.zeros(len(owners))
    right[target[target >= 0]] = 1
    nil_right = (target < 0).astype(float)

    def loss(at: np.ndarray) -> float:
        found = Logits(candidates @ at[:width], spans @ at[width:])
        return log_loss(found, choices.indptr, target) * len(spans) + penalty / 2 * float(at @ at)

    current = loss(weights)
    for _ in range(_STEPS):
        found = Logits(candidates @ weights[:width], spans @ weights[width:])
        p, nil = probabilities(found, choices.indptr)
        gradient = penalty * weights
        gradient[:width] += candidates.T @ (p - right)
        gradient[width:] += spans.T @ (nil - nil_right)
        means = np.empty((len(spans), width + more))
        for column in range(width):
            means[:, column] = np.bincount(owners, p * candidates[:, column], len(spans))
        means[:, width:] = nil[:, None] * spans
        hessian = -means.T @ means + penalty * np.eye(width + more)
        hessian[:width, :width] += candidates.T @ (p[:, None] * candidates)
        hessian[width:, width:] += spans.T @ (nil[:, None] * spans)
        step = np.linalg.solve(hessian, gradient)
        size, before = 1.0, current
        for _ in range(_HALVINGS):
            current = loss(weights - size * step)
            if current <= before:
                break
            size /= 2
        else:
            break
        weights = weights - size * step
        if before - current < _ENOUGH * max(1.0, before):
            break
    return weights[:width], weights[width:]


def best_temperature(
    found: Logits, indptr: Int64[np.ndarray, "boundary"], target: Int64[np.ndarray, "span"]
) -> float:
    """Return the temperature of lowest log loss."""
    losses = [log_loss(found, indptr, target, temperature=float(t)) for t in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def best_threshold(scores: Float[np.ndarray, "link"], right: np.ndarray, total: int) -> float:
    """Return the threshold of highest F1.

    Args:
        scores: Probability of each possible link.
        right: Whether it is right.
        total: Gold mentions.
    """
    if not len(scores):
        return 0.5
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(right[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + max(total, 1))
    last = np.append(scores[1:] < scores[:-1], True)  # equal scores are kept or left together
    best = int(np.flatnonzero(last)[np.argmax(f1[last])])
    after = scores[best + 1] if best + 1 < len(scores) else 0.0
    return float((scores[best] + after) / 2)
