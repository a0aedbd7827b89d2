"""What every retriever by hops takes, and how it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from kgfm.retrieval.base import Retriever

if TYPE_CHECKING:
    from kgfm.retrieval.live_graph import Graph


BUDGET = 200
FAN_OUT = 64
"""The defaults hold the answers of two-hop questions: ``benchmarks/retrieval_recall.py``."""


class CappedRetriever(Retriever):
    """A walk with caps; :class:`kgfm.retrieval.HopRetriever` says what they mean.

    Raises:
        ValueError: ``hops`` is below 0, or ``budget`` or ``fan_out`` below 1.
        TypeError: ``hide_from_seed`` is a string.
    """

    def __init__(
        self,
        graph: Graph,
        hops: int,
        budget: int | Sequence[int],
        fan_out: int | Sequence[int] | None,
        hide_from_seed: Sequence[str],
    ) -> None:
        if hops < 0:
            raise ValueError(f"hops is at least 0, got {hops}.")
        if isinstance(hide_from_seed, str):
            raise TypeError(f"hide_from_seed is a list of relations; write [{hide_from_seed!r}].")
        self.graph = graph
        self.hops = hops
        self.budget = _checked("budget", budget, hops)
        each = self.budget if isinstance(self.budget, list) else []
        for before, after in pairwise(each):
            if after < before:
                raise ValueError(f"budget falls from {before} to {after}: nodes only ever come in.")
        self.fan_out = None if fan_out is None else _checked("fan_out", fan_out, hops)
        self.hide_from_seed = tuple(hide_from_seed)

    def config(self) -> dict[str, Any]:
        return {
            "hops": self.hops,
            "budget": self.budget,
            "fan_out": self.fan_out,
            "hide_from_seed": list(self.hide_from_seed),
        }


def _checked(name: str, given: int | Sequence[int], hops: int) -> int | list[int]:
    """Return a number, or one for each hop."""
    each = list(given) if isinstance(given, Sequence) else [given]
    for value in each:
        if value < 1:
            raise ValueError(f"{name} is at least 1, got {value}.")
    if not isinstance(given, Sequence):
        return given
    if len(each) != hops:
        raise ValueError(f"{name} lists {len(each)} numbers for {hops} hops; give one each.")
    return each
