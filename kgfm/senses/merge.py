"""One tagger out of several that learnt from the same texts: the mean of their weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from kgfm.senses.tagger import SenseTagger


def merge(taggers: Sequence[SenseTagger]) -> SenseTagger:
    """Average the weights of taggers (Wortsman et al., 2022, https://arxiv.org/abs/2203.05482).

    They must have started from the same backbone and seed, or their weights have nothing to do
    with each other. Each part of what :meth:`SenseTagger.calibrate` chose is averaged too; call it
    again.

    Args:
        taggers: Trained; the first one is changed in place.

    Returns:
        The first one.

    Raises:
        ValueError: There is none, or one differs from the first in graph, settings or the synsets
            that it learnt.
    """
    if not taggers:
        raise ValueError("There is no tagger to average; give one at least.")
    first, *others = taggers
    state = first.model.state_dict()
    mean = {name: value.double() for name, value in state.items() if value.is_floating_point()}
    for number, other in enumerate(others, 2):
        why = _difference(first, other)
        if why:
            raise ValueError(f"Tagger {number} cannot be averaged with the first one: {why}.")
        given = other.model.state_dict()
        for name, value in mean.items():
            value += given[name]
    state |= {name: (value / len(taggers)).to(state[name].dtype) for name, value in mean.items()}
    first.model.load_state_dict(state)
    return first


def _difference(first: SenseTagger, other: SenseTagger) -> str | None:
    """Say what keeps two taggers from being averaged."""
    if first.graph.fingerprint != other.graph.fingerprint:
        return "it has another graph"
    differ = [name for name, value in first.settings.items() if other.settings[name] != value]
    if differ:
        return "it has other settings (" + ", ".join(sorted(differ)) + ")"
    mine, given = first.model.state_dict(), other.model.state_dict()
    shapes = {name: value.shape for name, value in mine.items()}
    if shapes != {name: value.shape for name, value in given.items()}:
        return "its weights have other shapes"
    fixed = [name for name, value in mine.items() if not value.is_floating_point()]
    if not all(torch.equal(mine[name], given[name]) for name in fixed):
        return "it learnt from other texts"
    return None
