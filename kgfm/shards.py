"""Arrays of many rows, kept on disk in shards and found by key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

import numpy as np

from kgfm.storage import file_path, read_manifest, write_folder

FORMAT = 1


class Shards:
    """Rows of states by a key of 16 bytes; a shard is there whole or not at all.

    Args:
        folder: Where.
        kind: What is kept, in each shard's manifest.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.kind = kind
        self._places: dict[bytes, tuple[np.ndarray, int, int]] = {}
        for shard in sorted(folder.glob("shard-*")):
            self._open(shard)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def get(self, key: bytes) -> np.ndarray | None:
        """Return the rows of a key, or ``None`` if they are not there."""
        place = self._places.get(key)
        return None if place is None else place[0][place[1] : place[2]]

    def write(self, keys: Sequence[bytes], counts: Sequence[int], states: np.ndarray) -> None:
        """Keep a shard: the rows of some keys one after another, and how many each has."""
        arrays = {
            "states": states,
            "offsets": np.concatenate([[0], np.cumsum(counts)]),
            "keys": np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, 16),
        }
        # Another process may write at the same time: other keys make another name, and the same
        # keys the same shard.
        digest = blake2b(arrays["keys"].tobytes(), digest_size=16).hexdigest()
        shard = self.folder / f"shard-{digest}"
        files = {f"{name}.npy": partial(_save, array) for name, array in arrays.items()}
        write_folder(shard, files, {"kind": self.kind, "format": FORMAT})
        self._open(shard)

    def _open(self, shard: Path) -> None:
        """Find the shard's keys; those of one that is unfinished or damaged are computed again."""
        try:
            manifest = read_manifest(shard, self.kind, FORMAT)
            paths = {  # the states are too large to be read whole just to compare their hash
                name: file_path(shard, manifest, f"{name}.npy", verify=name != "states")
                for name in ("states", "offsets", "keys")
            }
            states = np.load(paths["states"], mmap_mode="r")
            offsets, keys = np.load(paths["offsets"]).tolist(), np.load(paths["keys"])
        except (ValueError, OSError):  # among them DamagedFileError
            return
        for number, key in enumerate(keys):
            self._places[key.tobytes()] = (states, offsets[number], offsets[number + 1])


def _save(array: np.ndarray, path: Path) -> None:
    np.save(path, array)
