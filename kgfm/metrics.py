"""Figures of merit: arrays in, floats out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

# 97.5 % points of Student's t with 1, 2, ... degrees of freedom.
_T = (
    12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
    2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
    2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423,
)  # fmt: skip


class Interval(NamedTuple):
    """A mean and half the width of its 95 % confidence interval (NaN for fewer than 2 values)."""

    mean: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.half_width:.3f}"


def accuracy(predicted: Shaped[np.ndarray, "text"], right: Shaped[np.ndarray, "text"]) -> float:
    """Return the share of texts whose predicted label is the right one: ``mean(p_i == r_i)``."""
    _same_shape(predicted, right)
    return float(np.mean(predicted == right)) if len(right) else math.nan


def micro_f1(
    predicted: Shaped[np.ndarray, "text label"], right: Shaped[np.ndarray, "text label"]
) -> float:
    """Return F1 over all (text, label) pairs: ``2 TP / (2 TP + FP + FN)``, 0 if there are none."""
    predicted, right = _as_bool(predicted, right)
    total = int(predicted.sum() + right.sum())
    return 2 * int((predicted & right).sum()) / total if total else 0.0


def macro_f1(
    predicted: Shaped[np.ndarray, "text label"], right: Shaped[np.ndarray, "text label"]
) -> float:
    """Return the mean over labels of ``2 TP / (2 TP + FP + FN)``; a label without any counts 0."""
    predicted, right = _as_bool(predicted, right)
    if predicted.shape[1] == 0:
        return math.nan
    shared, total = (predicted & right).sum(axis=0), predicted.sum(axis=0) + right.sum(axis=0)
    return float(np.mean(np.where(total > 0, 2 * shared / np.maximum(total, 1), 0.0)))


def best_threshold(
    scores: Float[np.ndarray, "text label"], targets: Shaped[np.ndarray, "text label"]
) -> float:
    """Return the threshold that maximises micro-F1 of ``scores >= threshold``.

    With the scores in falling order and ``c_k`` right ones among the first k, F1 of the first k is
    ``2 c_k / (k + number of right ones)``. The threshold lies halfway between the last score that
    counts and the next one; without any right pair it lies above every score.
    """
    _same_shape(scores, targets)
    flat, right = scores.ravel().astype(np.float64), np.asarray(targets, bool).ravel()
    if not len(flat):
        return 0.5
    if np.isnan(flat).any():
        raise ValueError("Some scores are NaN; there is no threshold to choose.")
    order = np.argsort(-flat, kind="stable")
    ranked = flat[order]
    if not right.any():
        return float(np.nextafter(ranked[0], math.inf))
    count = np.arange(1, len(flat) + 1)
    f1 = 2 * np.cumsum(right[order]) / (count + right.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0  # equal scores go together
    last = int(np.argmax(f1))
    if last + 1 == len(ranked):
        return float(ranked[last])
    middle = (ranked[last] + ranked[last + 1]) / 2
    return float(middle if middle > ranked[last + 1] else ranked[last])


def best_thresholds(
    scores: Float[np.ndarray, "text label"],
    targets: Shaped[np.ndarray, "text label"],
    *,
    otherwise: float,
) -> Float[np.ndarray, "label"]:
    """Return for each label the threshold that maximises its own F1.

    Args:
        scores: Of each text and label.
        targets: What is right.
        otherwise: The threshold of a label that no text has.
    """
    _same_shape(scores, targets)
    right = np.asarray(targets, bool)
    found = [
        best_threshold(scores[:, [label]], right[:, [label]]) if own.any() else otherwise
        for label, own in enumerate(right.T)
    ]
    return np.array(found, np.float64)


def auroc(scores: Float[np.ndarray, "item"], positive: Bool[np.ndarray, "item"]) -> float:
    """Return the area under the ROC curve: ``P(s+ > s-) + P(s+ = s-) / 2``.

    How often a positive item has the higher score than a negative one, by the ranks of the scores
    (Hanley and McNeil, 1982). NaN without one of each.

    Raises:
        ValueError: A score is NaN.
    """
    _same_shape(scores, positive)
    if np.isnan(scores).any():
        raise ValueError("Some scores are NaN; there is no order of confidence.")
    is_positive = np.asarray(positive, bool)
    first, second = int(is_positive.sum()), int((~is_positive).sum())
    if not first or not second:
        return math.nan
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place.reshape(-1)]
    return float((ranks[is_positive].sum() - first * (first + 1) / 2) / (first * second))


def conflicting(
    texts: Shaped[np.ndarray, "item _"], right: Shaped[np.ndarray, "item label"]
) -> Bool[np.ndarray, "item"]:
    """Return which items stand in a text with at least two items whose right labels differ.

    Args:
        texts: What text each item stands in, the same numbers for the same text.
        right: What is right about each item.
    """
    if not len(texts):
        return np.zeros(0, dtype=bool)
    _, text = np.unique(texts, axis=0, return_inverse=True)
    _, kind = np.unique(right, axis=0, return_inverse=True)
    text, kind = text.reshape(-1), kind.reshape(-1)
    lowest, highest = np.full(len(texts), len(kind)), np.full(len(texts), -1)
    np.minimum.at(lowest, text, kind)
    np.maximum.at(highest, text, kind)
    found: np.ndarray = lowest[text] != highest[text]
    return found


def hits_at_k(ranks: Int[np.ndarray, "text"], k: int = 1) -> float:
    """Return the share of texts with a right answer among the first k: ``mean(rank_i <= k)``.

    Args:
        ranks: Of the best right answer, from 1; 0 where no right answer was ranked at all.
        k: How many answers count.
    """
    if k < 1:
        raise ValueError(f"k is at least 1, got {k}.")
    return float(np.mean((ranks > 0) & (ranks <= k))) if len(ranks) else math.nan


def mrr(ranks: Int[np.ndarray, "text"]) -> float:
    """Return the mean reciprocal rank ``mean(1 / rank_i)``, with 0 for a rank of 0 (not ranked)."""
    if not len(ranks):
        return math.nan
    return float(np.mean(np.where(ranks > 0, 1 / np.maximum(ranks, 1), 0.0)))


def counts_f1(
    shared: Int[np.ndarray, "*document"],
    predicted: Int[np.ndarray, "*document"],
    right: Int[np.ndarray, "*document"],
) -> Float[np.ndarray, "*document"]:
    """Return ``2 shared / (predicted + right)`` of counts; 1 where there is nothing to find.

    A text without anything to find, in which nothing was found, counts as done right (as GERBIL
    counts: Usbeck et al., 2015).
    """
    total = np.asarray(predicted + right, np.float64)
    return np.where(total > 0, 2 * shared / np.maximum(total, 1), 1.0)


def calibration_error(
    scores: Float[np.ndarray, "item"], right: Bool[np.ndarray, "item"], bins: int = 10
) -> float:
    """Return the expected calibration error: how far probabilities are from what they promise.

    ``sum over bins of |B| / n * |mean(right in B) - mean(score in B)|`` over ``bins`` equal parts
    of [0, 1], the lower bound of each exclusive (Guo et al., 2017, eq. 3). NaN without any item.

    Raises:
        ValueError: A score is not from 0 to 1, or there is no bin.
    """
    _same_shape(scores, right)
    if bins < 1:
        raise ValueError(f"There is at least 1 bin, got {bins}.")
    if not len(scores):
        return math.nan
    if not bool(np.all((scores >= 0) & (scores <= 1))):
        raise ValueError("Scores are probabilities from 0 to 1.")
    place = np.clip(np.ceil(scores * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(place, np.asarray(right, np.float64) - scores, bins)
    return float(np.abs(gap).sum() / len(scores))


def set_f1(
    shared: Int[np.ndarray, "question"],
    predicted: Int[np.ndarray, "question"],
    right: Int[np.ndarray, "question"],
) -> float:
    """Return the mean over questions of the F1 of their answer sets; see :func:`counts_f1`.

    Args:
        shared: How many answers are both predicted and right.
        predicted: How many are predicted.
        right: How many are right.
    """
    _check_counts(shared, predicted, right)
    return float(np.mean(counts_f1(shared, predicted, right))) if len(right) else math.nan


def exact_sets(
    shared: Int[np.ndarray, "question"],
    predicted: Int[np.ndarray, "question"],
    right: Int[np.ndarray, "question"],
) -> float:
    """Return the share of questions whose predicted set is the right one, or both are empty.

    ``mean(shared_i == predicted_i == right_i)``; the counts are those of :func:`set_f1`.
    """
    _check_counts(shared, predicted, right)
    return float(np.mean((shared == predicted) & (shared == right))) if len(right) else math.nan


class RiskCoverage(NamedTuple):
    """How often answers are wrong as ever less confident ones are given.

    Args:
        coverage: Share of the questions that are answered, rising to 1.
        risk: Share of wrong ones among these answers.
    """

    coverage: Float[np.ndarray, "point"]
    risk: Float[np.ndarray, "point"]


def risk_coverage(
    scores: Float[np.ndarray, "question"], right: Bool[np.ndarray, "question"]
) -> RiskCoverage:
    """Return the risk at each coverage that refusing the least confident answers can give.

    With the scores in falling order, the first k answers have the coverage ``k / n`` and the risk
    ``1 - mean(right of the first k)`` (El-Yaniv and Wiener, 2010,
    https://www.jmlr.org/papers/v11/el-yaniv10a.html). Answers of equal score are given or refused
    together, so there are as many points as different scores; none without any question.

    Raises:
        ValueError: A score is NaN.
    """
    _same_shape(scores, right)
    if np.isnan(scores).any():
        raise ValueError("Some scores are NaN; there is no order of confidence.")
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
    answered = last + 1
    wrong = np.cumsum(~np.asarray(right, bool)[order])[last]
    return RiskCoverage(answered / max(len(scores), 1), wrong / answered)


def area_under_risk_coverage(
    scores: Float[np.ndarray, "question"], right: Bool[np.ndarray, "question"]
) -> float:
    """Return the mean risk over all coverages: the lower, the better scores tell right from wrong.

    ``sum_j (coverage_j - coverage_(j-1)) * risk_j``, which is the mean over k of the risk of the
    first k where no scores are equal (Geifman et al., 2019,
    https://arxiv.org/abs/1805.08206). Equal scores throughout give the share of wrong answers. NaN
    without any question.
    """
    coverage, risk = risk_coverage(scores, right)
    return float(np.sum(np.diff(coverage, prepend=0.0) * risk)) if len(risk) else math.nan


class Refusals(NamedTuple):
    """Shares of the questions of a kind that were refused (NaN where there is none).

    Args:
        unanswerable: Of the questions without an answer: right to refuse.
        answerable: Of the questions with one: refused in vain.
    """

    unanswerable: float
    answerable: float


def refusals(
    refused: Bool[np.ndarray, "question"], answerable: Bool[np.ndarray, "question"]
) -> Refusals:
    """Return ``mean(refused_i)`` over the questions without an answer, and over those with one."""
    refused, answerable = (np.asarray(given, bool) for given in (refused, answerable))
    _same_shape(refused, answerable)
    shares = (
        float(np.mean(refused[kind])) if kind.any() else math.nan
        for kind in (~answerable, answerable)
    )
    return Refusals(*shares)


def mean_ci(values: Sequence[float] | Float[np.ndarray, "run"]) -> Interval:
    """Return the mean and the half width ``t(0.975, n - 1) * s / sqrt(n)`` of its interval.

    ``s`` is the sample's standard deviation, with n - 1 under the fraction.
    """
    given = np.asarray(values, np.float64)
    if not len(given):
        return Interval(math.nan, math.nan)
    if len(given) == 1:
        return Interval(float(given[0]), math.nan)
    deviation = float(np.std(given, ddof=1))
    return Interval(
        float(given.mean()), student_t(len(given) - 1) * deviation / math.sqrt(len(given))
    )


def paired_difference(
    first: Sequence[float] | Float[np.ndarray, "run"],
    second: Sequence[float] | Float[np.ndarray, "run"],
) -> Interval:
    """Return mean and interval of ``first_i - second_i``, paired by run (such as by seed)."""
    if len(first) != len(second):
        raise ValueError(f"Pairs need as many of each: {len(first)} and {len(second)} were given.")
    return mean_ci(np.asarray(first, np.float64) - np.asarray(second, np.float64))


def student_t(freedom: int) -> float:
    """Return the 97.5 % point of Student's t.

    From a table to 30 degrees of freedom, then by the first terms of the expansion in 1 / freedom
    (Abramowitz and Stegun, 26.7.5), which is right to four digits there.
    """
    if freedom < 1:
        raise ValueError(f"There are no {freedom} degrees of freedom; give two values or more.")
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = 1.959963984540054
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def _as_bool(
    predicted: Shaped[np.ndarray, "text label"], right: Shaped[np.ndarray, "text label"]
) -> tuple[Bool[np.ndarray, "text label"], Bool[np.ndarray, "text label"]]:
    _same_shape(predicted, right)
    return np.asarray(predicted, bool), np.asarray(right, bool)


def _same_shape(first: np.ndarray, second: np.ndarray) -> None:
    if first.shape != second.shape:
        raise ValueError(f"The shapes differ: {first.shape} and {second.shape}.")


def _check_counts(shared: np.ndarray, predicted: np.ndarray, right: np.ndarray) -> None:
    _same_shape(shared, predicted)
    _same_shape(shared, right)
    if (shared < 0).any() or (shared > predicted).any() or (shared > right).any():
        raise ValueError("What is shared is part of what is predicted and of what is right.")
