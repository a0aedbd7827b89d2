"""How much each label counts in a loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from kgfm.registry import nearest

BALANCED = "balanced"
Weights = Literal["balanced"] | Mapping[str, float] | None


def label_counts(targets: Iterable[Sequence[str]]) -> Counter[str]:
    """Count how often each label is right."""
    return Counter(label for target in targets for label in target)


def weights_of(
    given: Weights, labels: Sequence[str], counts: Mapping[str, int]
) -> dict[str, float] | None:
    """Return the weight of each label; ``balanced`` is ``w_c = N / (K n_c)``.

    ``n_c`` counts the texts that have the label, ``N`` is the sum of these, ``K`` the number of
    labels that occur (King and Zeng, 2001). A label that never occurs has 1.

    Raises:
        ValueError: It is neither ``balanced`` nor a mapping, or a weight is of no label.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        check_weights(given, labels)
        return dict(given)
    if given != BALANCED:
        raise ValueError(
            f"class_weights={given!r}: give {BALANCED!r}, or a mapping of labels to weights."
        )
    occur = [label for label in labels if counts.get(label)]
    total = sum(counts[label] for label in occur)
    return {label: total / (len(occur) * counts[label]) for label in occur}


def check_weights(given: Any, labels: Sequence[str]) -> None:
    """Refuse weights of what is no label, and such as are no weights.

    Raises:
        ValueError: The message says which.
    """
    if not isinstance(given, Mapping):
        return
    for label, weight in given.items():
        if label not in labels:
            raise ValueError(f"class_weights: {unknown(label, labels)}")
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not weight > 0:
            raise ValueError(
                f"class_weights: {label!r} has {weight!r}; a weight is over 0, such as 2.5."
            )


def unknown(label: Any, labels: Sequence[str]) -> str:
    """Say that something is no label."""
    return (
        f"The label {label!r} was not among those of training: "
        f"{', '.join(map(repr, labels))}.{nearest(str(label), labels)}"
    )
