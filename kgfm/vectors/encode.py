"""What a text encoder is, and the form in which its vectors are held."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Float32

Encode = Callable[[list[str]], np.ndarray]
"""Texts in, a row of numbers for each out.

One with a ``name`` that says which encoder it is, such as :class:`kgfm.backbones.TextEncoder`, has
its vectors kept beside a snapshot and shared among the parts that ask for them.
"""
Progress = Callable[[int, int], None]
"""Told of (done, total) texts."""


def name_of(encode: Encode) -> str:
    """Return the name of an encoder; empty where it has none."""
    return str(getattr(encode, "name", None) or "")


def unit(vectors: Float32[np.ndarray, "row width"]) -> Float32[np.ndarray, "row width"]:
    """Return the rows with length 1; zeros stay."""
    norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    scaled: np.ndarray = vectors / np.maximum(norms, 1e-12)
    return scaled


def encoded(encode: Encode, texts: Sequence[str]) -> Float[np.ndarray, "text width"]:
    """Return the vectors of some texts as they are held: of length 1, in half precision.

    Raises:
        ValueError: The encoder does not give a row for each text.
    """
    found = np.asarray(encode(list(texts)), np.float32)
    if found.ndim != 2 or len(found) != len(texts):
        raise ValueError(
            f"The text encoder gave an array of shape {found.shape} for {len(texts):,} texts; it "
            "gives a row of numbers for each."
        )
    return unit(found).astype(np.float16)
