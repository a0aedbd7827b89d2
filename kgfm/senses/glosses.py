"""Vectors of glosses, computed once and kept beside the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kgfm.backbones import TextEncoder
from kgfm.senses.inventory import Inventory
from kgfm.storage import DamagedFileError, file_path, read_manifest, write_folder
from kgfm.vectors import text_digests, vectors_folder

KIND, FORMAT = "glosses", 1
MAX_TOKENS = 80
PART = 8192

Progress = Callable[[int, int], None]


def gloss_vectors(
    inventory: Inventory, encode: TextEncoder | None = None, progress: Progress | None = None
) -> Float[np.ndarray, "synset width"]:
    """Return the vector of each synset's lemmas, gloss and examples.

    They are kept beside a graph that is on disk, part by part, so that an interrupted run goes on.

    Args:
        inventory: Of the graph.
        encode: The frozen text encoder; by default the packaged MiniLM.
        progress: Told of (done, total) glosses.
    """
    encode = encode or TextEncoder(max_tokens=MAX_TOKENS)
    texts = inventory.gloss_texts()
    digests = text_digests(inventory.graph.keys, texts)
    path = inventory.graph.path
    folder = None if path is None else vectors_folder(path, f"glosses-{encode.name}")
    parts = []
    for start in range(0, len(texts), PART):
        stop = min(start + PART, len(texts))
        where = None if folder is None else folder / f"part-{start // PART:03d}"
        parts.append(_part(texts[start:stop], digests[start:stop], encode, where))
        if progress is not None:
            progress(stop, len(texts))
    return np.concatenate(parts)


def standardised(vectors: Float[np.ndarray, "synset width"]) -> Float[np.ndarray, "synset width"]:
    """Return the vectors less their mean, over their standard deviation, in half precision."""
    centred = vectors.astype(np.float32) - vectors.mean(0, dtype=np.float32)
    scaled: np.ndarray = (centred / centred.std().clip(min=1e-9)).astype(np.float16)
    return scaled


def _part(
    texts: list[str], digests: np.ndarray, encode: TextEncoder, folder: Path | None
) -> np.ndarray:
    if folder is not None:
        try:
            manifest = read_manifest(folder, KIND, FORMAT)
            arrays = [
                np.load(file_path(folder, manifest, name, verify=True))
                for name in ("digests.npy", "vectors.npy")
            ]
        except (DamagedFileError, FileNotFoundError):
            arrays = []
        if arrays and np.array_equal(arrays[0], digests):
            kept: np.ndarray = arrays[1]
            return kept
    vectors = encode(texts).astype(np.float16)
    if folder is not None:
        write_folder(
            folder,
            {
                "digests.npy": lambda path: np.save(path, digests),
                "vectors.npy": lambda path: np.save(path, vectors),
            },
            {"kind": KIND, "format": FORMAT, "encoder": encode.name},
        )
    return vectors
