"""The probe: multinomial logistic regression on vectors that stay as they are.

It is what a fine-tuned model must beat, a model by itself, and where fine-tuning starts: a head at
random would first distort what the text model knows (Kumar et al., 2022,
https://arxiv.org/abs/2202.10054).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from kgfm.tasks.calibrate import best_temperature
from kgfm.tasks.labels import Labelling

PENALTIES = (1.0, 0.25, 0.0625, 0.016, 0.004)
"""Of the squares of the weights, beside the sum of the losses; ``1 / C`` of scikit-learn."""
_STEPS = 200

Start = Literal["probe", "prototypes", "random"]
STARTS = ("probe", "prototypes", "random")


class Linear(NamedTuple):
    """Weights and biases of labels, for vectors of length 1."""

    weight: Float[Tensor, "label width"]
    bias: Float[Tensor, "label"]

    def __call__(self, vectors: Float[Tensor, "row width"]) -> Float[Tensor, "row label"]:
        """Return the logits."""
        return vectors @ self.weight.T + self.bias


class Known(NamedTuple):
    """Vectors of length 1, and which labels are right for each."""

    vectors: Float[Tensor, "row width"]
    right: Float[Tensor, "row label"]


def fit_probe(
    rule: Labelling,
    train: Known,
    penalty: float,
    *,
    towards: Float[Tensor, "label width"] | None = None,
    start: Linear | None = None,
) -> Linear:
    """Minimise ``sum_i l_i + penalty / 2 * |W - W0|^2`` by L-BFGS.

    Args:
        rule: Its loss, with class weights and smoothing.
        train: What to learn from.
        penalty: How much weights are kept near to ``towards``; biases are free.
        towards: ``W0``, such as vectors of descriptions; by default zero.
        start: Where to begin.
    """
    labels, width = train.right.shape[1], train.vectors.shape[1]
    kept = train.vectors.new_zeros(labels, width) if towards is None else towards
    first = start or Linear(kept, kept.new_zeros(labels))
    weight, bias = (part.detach().clone().requires_grad_() for part in first)
    total = rule.losses(train.right, train.right)[1].sum()
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def loss() -> float:
        optimizer.zero_grad()
        losses, _ = rule.losses(Linear(weight, bias)(train.vectors), train.right)
        found = (losses.sum() + penalty / 2 * (weight - kept).square().sum()) / total
        torch.autograd.backward(found)
        return found.item()

    with torch.enable_grad():
        optimizer.step(loss)
    return Linear(weight.detach(), bias.detach())


def best_probe(
    rule: Labelling,
    train: Known,
    validation: Known,
    *,
    towards: Float[Tensor, "label width"] | None = None,
) -> Linear:
    """Return the probe of the penalty that the validation part finds likeliest.

    Each is judged by its negative log likelihood at its own best temperature, the least first.
    """
    found: list[tuple[float, Linear]] = []
    last: Linear | None = None
    for penalty in PENALTIES:
        last = fit_probe(rule, train, penalty, towards=towards, start=last)
        found.append((likelihood(rule, last, validation), last))
    return max(found, key=lambda one: one[0])[1]


def likelihood(rule: Labelling, probe: Linear, known: Known) -> float:
    """Return the mean log likelihood of what is right, at the best temperature for it."""
    logits, right = probe(known.vectors), known.right
    even = logits / _temperature(rule, logits, right)
    if rule.multi_label:
        return -float(functional.binary_cross_entropy_with_logits(even, right))
    return float((even.log_softmax(1) * right).sum(1).mean())


def prototypes(
    rule: Labelling, train: Known, *, otherwise: Float[Tensor, "label width"] | None = None
) -> Linear:
    """Return ``s c_k``: the direction of the mean of each label's texts (Snell et al., 2017).

    The scale ``s`` of the cosines is the likeliest on the texts themselves.

    Args:
        rule: Says whether several labels may hold.
        train: Vectors with their labels.
        otherwise: Of a label without a text, such as the vector of its description.
    """
    sums = train.right.T @ train.vectors
    there = train.right.sum(0) > 0
    if otherwise is not None:
        sums = torch.where(there[:, None], sums, otherwise)
    return scaled(rule, functional.normalize(sums, dim=1), train)


def scaled(rule: Labelling, towards: Float[Tensor, "label width"], known: Known) -> Linear:
    """Return cosines to some directions, at the scale that is likeliest for what is known."""
    cosines = known.vectors @ towards.T
    # A sigmoid needs to know from which cosine on a label is likelier than not.
    middle = cosines.mean(0) if rule.multi_label else cosines.new_zeros(len(towards))
    scale = 1 / _temperature(rule, SCALE * (cosines - middle), known.right) * SCALE
    return Linear(scale * towards, -scale * middle)


SCALE = 20.0
"""What cosines are multiplied by where nothing is known, as in the training of MiniLM."""


def _temperature(rule: Labelling, logits: Tensor, right: Tensor) -> float:
    return best_temperature(
        logits.detach().cpu().numpy(), right.cpu().numpy() > 0, several=rule.multi_label
    )
