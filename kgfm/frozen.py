"""States after the frozen lower layers, computed once per text and kept on disk."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from kgfm.backbones import Backbone
from kgfm.shards import Shards

KIND = "states"
SHARD_TEXTS = 2048
_NAME = re.compile(r"[0-9a-f]{24}-\d+-float\d+")
"""Folders with such names are the cache's own; no other one is ever removed."""


class FrozenStates:
    """A disk cache of the states that enter the first trained layer.

    Keyed by the input ids, the weights of the frozen part, the number of frozen layers and the
    number format, so a changed model or text never meets old states. Complete shards survive an
    interruption. When the folder reaches its limit, states of other models leave, the oldest
    first; texts that still find no room are computed anew each time.

    Args:
        backbone: With ``freeze`` of at least 1.
        folder: Where all models' states are kept.
        limit_bytes: Size that the folder may reach.
        dtype: ``float32`` gives the same outputs as without the cache; ``float16`` halves the disk.

    Raises:
        ValueError: Nothing is frozen.
    """

    def __init__(
        self,
        backbone: Backbone,
        folder: str | Path,
        *,
        limit_bytes: int = 8 * 2**30,
        dtype: str = "float32",
    ) -> None:
        if not backbone.freeze:
            raise ValueError("There are no frozen states with freeze=0; freeze some layers first.")
        self.backbone = backbone
        self.limit_bytes = limit_bytes
        self.dtype = np.dtype(dtype)
        name = f"{backbone.lower_hash()[:24]}-{backbone.freeze}-{self.dtype.name}"
        self.root = Path(folder)
        self.folder = self.root / name
        self._shards = Shards(self.folder, KIND)

    def __len__(self) -> int:
        return len(self._shards)

    def get(self, input_ids: Int[np.ndarray, "token"]) -> Float[np.ndarray, "token width"] | None:
        """Return the states of a text, or ``None`` if they are not there."""
        return self._shards.get(_key(input_ids))

    def fill(
        self,
        texts: Sequence[Int[np.ndarray, "_"]],
        *,
        batch_size: int = 64,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Compute and keep the states of all texts that are not there yet."""
        missing = {_key(ids): ids for ids in texts if _key(ids) not in self._shards}
        rows = sorted(missing.items(), key=lambda item: (len(item[1]), item[0]))
        for start in range(0, len(rows), SHARD_TEXTS):
            shard = rows[start : start + SHARD_TEXTS]
            if not self._room_for(self._bytes_of([ids for _, ids in shard])):
                return
            self._write(shard, batch_size)
            if progress is not None:
                progress(min(start + SHARD_TEXTS, len(rows)), len(rows))

    def _bytes_of(self, texts: Sequence[np.ndarray]) -> int:
        """Size of a shard: states, keys and offsets, and some for headers and the manifest."""
        states = sum(map(len, texts)) * self.backbone.width * self.dtype.itemsize
        return states + 24 * len(texts) + 2048

    def _write(self, rows: Sequence[tuple[bytes, np.ndarray]], batch_size: int) -> None:
        counts = [len(ids) for _, ids in rows]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        states = np.empty((int(offsets[-1]), self.backbone.width), dtype=self.dtype)
        for start in range(0, len(rows), batch_size):
            batch = [ids for _, ids in rows[start : start + batch_size]]
            for number, found in enumerate(self._lower(batch), start):
                states[offsets[number] : offsets[number + 1]] = found
        self._shards.write([key for key, _ in rows], counts, states)

    def _lower(self, batch: Sequence[np.ndarray]) -> list[np.ndarray]:
        device = next(self.backbone.parameters()).device
        longest = max(len(ids) for ids in batch)
        padded = torch.full((len(batch), longest), self.backbone.tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(padded)
        for row, ids in enumerate(batch):
            padded[row, : len(ids)] = torch.from_numpy(ids)
            mask[row, : len(ids)] = 1
        self.backbone.eval()
        states = self.backbone.lower(padded.to(device), mask.to(device)).cpu().numpy()
        return [found[: len(ids)] for found, ids in zip(states, batch, strict=True)]

    def _room_for(self, wanted: int) -> bool:
        caches = [path for path in self.root.glob("*") if _NAME.fullmatch(path.name)]
        caches.sort(key=_modified)
        while _size(caches) + wanted > self.limit_bytes:
            oldest = next((path for path in caches if path != self.folder), None)
            if oldest is None:
                return False
            shutil.rmtree(oldest, ignore_errors=True)
            caches.remove(oldest)
        return True


def _key(input_ids: np.ndarray) -> bytes:
    return blake2b(np.asarray(input_ids, dtype=np.int64).tobytes(), digest_size=16).digest()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # another process has removed it
        return 0.0


def _size(folders: Iterable[Path]) -> int:
    return sum(_bytes(path) for folder in folders for path in folder.rglob("*"))


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
