"""What every task with labels shares: losses, probabilities, thresholds, refusals, figures.

Tensors and arrays have a row for each thing that gets labels: a text, or a span of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from kgfm.metrics import (
    area_under_risk_coverage,
    auroc,
    best_threshold,
    best_thresholds,
    calibration_error,
    macro_f1,
    micro_f1,
    refusals,
)
from kgfm.registry import check_probabilities
from kgfm.tasks.base import Report
from kgfm.tasks.calibrate import best_temperature, refused_below
from kgfm.tasks.class_weights import check_weights, unknown
from kgfm.types import NIL, About, Answer

TRIAL = ("yes", "no")
"""Stand-ins for labels, to try values before data is read; what names others is not refused."""
UNSURE = "No label is likely enough: ask in other words, or train on texts like this."
Rows = Mapping[str, np.ndarray]
"""``logits`` and ``targets``, 1 for each right label; a row without one is right to refuse."""


class Labelling(nn.Module):
    """How logits of labels are learned, made probabilities of, and answered with.

    One label: ``p = softmax(z / T)``. The best label is given, unless ``max p < reject_below``:
    then there is none, and the answer is refused (Hendrycks and Gimpel, 2017,
    https://arxiv.org/abs/1610.02136). Several: ``p = sigmoid(z / T)``, and every label at or over
    its threshold is given. Temperature ``T``, thresholds and a rate of refusals are chosen on the
    validation part (:meth:`tune`).

    Args:
        labels: All labels.
        multi_label: Any number of labels may be right, not just one.
        class_weights: A weight for each label's part of the loss; a label that is left out has 1.
        label_smoothing: Share of a target that is spread over all labels (Szegedy et al., 2016).
        thresholds: With several labels: ``one`` for all, of the best micro-F1, or ``each`` its own,
            of its own best F1; a label that no validation text has takes the one for all.
        reject_below: With one label: the probability below which there is no answer; or how to
            choose it: ``{"risk": 0.05}`` answers as much as can be with at most so many of the
            answers wrong, ``{"share": 0.1}`` refuses so many of the validation texts.

    Raises:
        ValueError: There is no label; a value is none of the above; a weight is of no label.
    """

    temperature: Tensor
    thresholds: Tensor
    reject_below: Tensor
    weights: Tensor

    def __init__(
        self,
        labels: Iterable[str],
        *,
        multi_label: bool = False,
        class_weights: Mapping[str, float] | None = None,
        label_smoothing: float = 0.0,
        thresholds: Literal["one", "each"] = "one",
        reject_below: float | Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.multi_label = multi_label
        check_probabilities(label_smoothing=label_smoothing)
        self.label_smoothing = label_smoothing
        if thresholds not in ("one", "each"):
            raise ValueError(f"thresholds={thresholds!r}: 'one' for all labels, or 'each' its own.")
        self.each = thresholds == "each"
        self.refuses = _refuses(reject_below, multi_label)
        if labels is not TRIAL:
            check_weights(class_weights, self.labels)
        given = class_weights or {}
        known = [float(given.get(label, 1.0)) for label in self.labels]
        size = len(self.labels)
        # The weights are arguments, and need not be saved with what is learned.
        self.register_buffer("weights", torch.tensor(known), persistent=False)
        self.register_buffer("temperature", torch.tensor(1.0))
        self.register_buffer("thresholds", torch.full((size,), 0.5))
        fixed = reject_below if isinstance(reject_below, (int, float)) else 0.0
        self.register_buffer("reject_below", torch.tensor(float(fixed)))

    @property
    def monitor(self) -> str:
        """The metric that chooses the epoch: of one label not the accuracy, which is coarse."""
        return "micro_f1" if self.multi_label else "log_likelihood"

    @property
    def headline(self) -> str:
        """The metric by which runs are compared."""
        return "micro_f1" if self.multi_label else "accuracy"

    def take_over(self, other: Labelling, places: Sequence[int]) -> None:
        """Decide as another does, of whose labels these are the places here."""
        self.temperature.copy_(other.temperature)
        self.reject_below.copy_(other.reject_below)
        self.thresholds.fill_(float(other.thresholds.mean()))
        self.thresholds[list(places)] = other.thresholds

    def losses(
        self, logits: Float[Tensor, "row label"], right: Float[Tensor, "row label"]
    ) -> tuple[Float[Tensor, "row"], Float[Tensor, "row"]]:
        """Return the loss of each row, and its weight: the loss of all is ``sum l / sum w``.

        One label: cross-entropy, weighted by the right one's weight, smoothed, as
        :func:`torch.nn.functional.cross_entropy` has it. Several: the mean over labels of the
        weighted binary cross-entropy; each row counts 1.
        """
        smooth = self.label_smoothing
        if self.multi_label:
            even = right * (1 - smooth) + smooth / 2
            each = functional.binary_cross_entropy_with_logits(
                logits, even, weight=self.weights, reduction="none"
            )
            return each.mean(1), torch.ones_like(each[:, 0])
        best = right.argmax(1)
        losses = functional.cross_entropy(
            logits, best, self.weights, reduction="none", label_smoothing=smooth
        )
        return losses, self.weights[best]

    def loss(
        self,
        logits: Float[Tensor, "row label"],
        right: Float[Tensor, "row label"],
        known: Bool[Tensor, "row"],
    ) -> Float[Tensor, ""]:
        """Return the mean loss of the rows whose labels are known; zero, not NaN, where none is."""
        losses, weights = self.losses(logits, right)
        counted = known.to(losses.dtype)
        return torch.sum(losses * counted) / torch.sum(weights * counted).clamp(min=1e-9)

    def probabilities(self, logits: Float[Tensor, "row label"]) -> Float[Tensor, "row label"]:
        """Softmax over the labels, or the sigmoid of each, at the temperature; differentiable."""
        even = logits / self.temperature
        return torch.sigmoid(even) if self.multi_label else torch.softmax(even, dim=-1)

    def option(self, answer: str) -> int:
        """Return the number of a label; -1 for :data:`kgfm.types.NIL`, a refusal.

        Raises:
            ValueError: There is no such label.
        """
        if answer in self.labels:
            return self.labels.index(answer)
        if answer == NIL and self.refuses is not None:
            return -1
        raise ValueError(unknown(answer, self.labels))

    def score(self, logits: Float[Tensor, "row label"], option: int) -> Float[Tensor, "row"]:
        """Return the probability of a label; of a refusal, how far the best label is from sure."""
        found = self.probabilities(logits)
        return 1 - found.max(1).values if option < 0 else found[:, option]

    def answer(
        self, probabilities: Float[np.ndarray, "label"], about: About | None = None
    ) -> Answer:
        """Return the best label, all that hold, or a refusal with what was near."""
        order = np.argsort(-probabilities, kind="stable").tolist()
        ranked = tuple((self.labels[row], float(probabilities[row])) for row in order)
        best, score = ranked[0]
        if self.refuses is not None and score < float(self.reject_below):
            return Answer(
                NIL, 1 - score, ranked, (NIL,), about, refused="unsure", why=UNSURE, near=ranked
            )
        if not self.multi_label:
            return Answer(best, score, ranked, (best,), about)
        enough = self.thresholds.cpu().numpy()
        over = tuple(self.labels[row] for row in order if probabilities[row] >= enough[row])
        return Answer(best, score, ranked, over, about)

    def shown(self, answer: str) -> str:
        """Return an answer in words."""
        return answer if answer in self.labels else "(no label is likely enough)"

    def report(self) -> Report:
        """Say what a report holds."""
        thresholds: tuple[float, ...] = ()
        if self.multi_label:
            thresholds = tuple(map(float, self.thresholds if self.each else self.thresholds[:1]))
        below = None if self.refuses is None else float(self.reject_below)
        return Report(
            "label", self.labels, self.multi_label, thresholds, float(self.temperature), below
        )

    def tune(self, rows: Rows) -> None:
        """Choose temperature, then thresholds or the rate of refusals, on validation rows."""
        logits, right = rows["logits"], rows["targets"] > 0
        if not self.multi_label:
            logits, right = logits[right.any(1)], right[right.any(1)]
        if not len(logits):
            return
        self.temperature.fill_(best_temperature(logits, right, several=self.multi_label))
        scores = self._scores(logits)
        if self.multi_label:
            one = best_threshold(scores, right)
            found = best_thresholds(scores, right, otherwise=one) if self.each else one
            self.thresholds.copy_(torch.as_tensor(found))
        elif isinstance(self.refuses, Mapping):
            wrong = scores.argmax(1) != right.argmax(1)
            self.reject_below.fill_(refused_below(scores.max(1), ~wrong, **self.refuses))

    def metrics(self, rows: Rows) -> dict[str, float]:
        """Return the figures of some rows.

        One label: accuracy and macro-F1 of the best label, whether or not it is refused, mean log
        likelihood and calibration error, over the rows that have a label; and the area under the
        risk-coverage curve, in which a row without one is wrong whatever is answered. Where there
        are such rows, the AUROC of telling known from unknown by the score; where answers are
        refused, the shares of unknown and known that are, and the risk: the share of wrong answers
        among those given.
        Several: micro- and macro-F1 at the thresholds, and calibration error.
        """
        right, scores = rows["targets"] > 0, self._scores(rows["logits"])
        if self.multi_label:
            given = scores >= self.thresholds.cpu().numpy()
            return {
                "micro_f1": micro_f1(given, right),
                "macro_f1": macro_f1(given, right),
                "calibration_error": calibration_error(scores.ravel(), right.ravel()),
            }
        best = np.eye(len(self.labels), dtype=bool)[scores.argmax(1)]
        hit, known = (np.asarray(one.any(1), bool) for one in (best & right, right))
        score = scores.max(1)
        figures = {
            "accuracy": float(hit[known].mean()) if known.any() else np.nan,
            "macro_f1": macro_f1(best[known], right[known]),
            "log_likelihood": _log_likelihood(scores[known], right[known]),
            "calibration_error": calibration_error(score[known], hit[known]),
            "aurc": area_under_risk_coverage(score, hit),
        }
        if not known.all():
            figures["auroc_unknown"] = auroc(score, known)
        if self.refuses is None:
            return figures
        refused = np.asarray(score < float(self.reject_below), bool)
        shares = refusals(refused, known)
        wrong = ~hit[~refused]
        return figures | {
            "refused_unknown": shares.unanswerable,
            "refused_known": shares.answerable,
            "risk": float(wrong.mean()) if len(wrong) else np.nan,
        }

    def _scores(self, logits: np.ndarray) -> Float[np.ndarray, "row label"]:
        """Return probabilities in double precision, which sum to one."""
        with torch.no_grad():
            found: np.ndarray = self.probabilities(
                torch.from_numpy(logits).double().to(self.temperature.device)
            ).cpu().numpy()  # fmt: skip
        return found


def _log_likelihood(
    scores: Float[np.ndarray, "row label"], right: Bool[np.ndarray, "row label"]
) -> float:
    """Mean log probability of the right label; what has none at all counts as one in a trillion."""
    found = scores[np.arange(len(scores)), right.argmax(1)]
    return float(np.log(found.clip(1e-12)).mean()) if len(found) else np.nan


def _refuses(given: Any, several: bool) -> float | dict[str, float] | None:
    """Return how refusals are decided.

    Raises:
        ValueError: That is no way to.
    """
    if given is None:
        return None
    if several:
        raise ValueError(
            "reject_below is for one label; where several may hold, none over its threshold says "
            "the same: leave it out."
        )
    values = list(given.values()) if isinstance(given, Mapping) else [given]
    ways = not isinstance(given, Mapping) or set(given) in ({"risk"}, {"share"})
    if not ways or not all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and 0 <= v <= 1 for v in values
    ):
        raise ValueError(
            f"reject_below={given!r}: give a probability from 0 to 1, such as 0.5, or how to "
            "choose one on the validation part: {'risk': 0.05} or {'share': 0.1}."
        )
    return {name: float(v) for name, v in given.items()} if isinstance(given, Mapping) else given


def check_labels(labels: Sequence[str] | Mapping[str, str], task: str) -> None:
    """Refuse no labels, the same one twice, and descriptions that say nothing."""
    if not labels:
        raise ValueError(
            "The labels are not known yet: fit the pipeline, or give them: "
            f"task={{'name': {task!r}, 'labels': [...]}}."
        )
    if not isinstance(labels, Mapping):
        twice = [label for n, label in enumerate(labels) if label in labels[:n]]
        if twice:
            raise ValueError(f"labels has {twice[0]!r} twice; give each label once.")
        return
    for label, text in labels.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(
                f"labels: {label!r} has the description {text!r}; say in words what the label "
                "means, or give a list of labels."
            )
