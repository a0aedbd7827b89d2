"""Rows of unlike length as one array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgfm.batch.prepared import States


def padded_ids(rows: Sequence[np.ndarray], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Return token ids as one array, each row filled up to the longest, and the attention mask."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(max(1, lengths.max())) < lengths[:, None]
    padded = np.full(mask.shape, pad, dtype=np.int64)
    padded[mask] = np.concatenate(rows)
    return padded, mask.astype(np.int64)


def padded_states(states: States | None, rows: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return cached states of token ids, zeros up to the longest; ``None`` if one is missing."""
    found = None if states is None else all_known([states.get(row) for row in rows])
    if found is None:
        return None
    padded = np.zeros((len(found), max(1, *map(len, found)), found[0].shape[1]), np.float32)
    for row, known in zip(padded, found, strict=True):
        row[: len(known)] = known
    return padded


def all_known(found: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """Return all, or ``None`` if one is missing."""
    there = [states for states in found if states is not None]
    return there if len(there) == len(found) else None
