"""Vectors on disk, each known by the hash of its key and text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, UInt64

from kgfm.storage import DamagedFileError, file_path, read_manifest, write_folder

KIND, FORMAT = "vectors", 1
_NAMES = (("vectors", "digests"), ("relations", "relation_digests"))
"""Names of the arrays of the first list of texts in a folder, and of the second."""


def text_digests(keys: Iterable[str], texts: Iterable[str]) -> UInt64[np.ndarray, "row"]:
    """Return a 64-bit hash of each key and its text."""
    digests = [
        blake2b(f"{key}\0{text}".encode(), digest_size=8).digest()
        for key, text in zip(keys, texts, strict=True)
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8")


def vectors_folder(snapshot: Path, encoder: str) -> Path:
    """Folder of an encoder's vectors beside a snapshot."""
    safe = encoder.replace("/", "--").replace("\\", "--").lstrip(".") or "encoder"
    return snapshot.with_name(f"{snapshot.name}.vectors") / safe


@dataclass(frozen=True, eq=False)
class Known:
    """Vectors of a list of texts, as they were computed once.

    Args:
        vectors: Of each text, of length 1, in half precision.
        digests: Hash of each key and text.
    """

    vectors: Float[np.ndarray, "row width"]
    digests: UInt64[np.ndarray, "row"]

    @cached_property
    def _order(self) -> Int64[np.ndarray, "row"]:
        return np.argsort(self.digests, kind="stable")

    def find(self, digests: UInt64[np.ndarray, "text"]) -> Int64[np.ndarray, "text"]:
        """Return the row that each text has here, or -1."""
        if not len(self.digests):
            return np.full(len(digests), -1, np.int64)
        place = np.searchsorted(self.digests, digests, sorter=self._order)
        rows = self._order[place % len(self.digests)]
        return np.where(self.digests[rows] == digests, rows, -1)


@dataclass(frozen=True)
class Shelf:
    """Where the vectors of one encoder for the texts of one graph are kept.

    Args:
        folder: Their folder.
        encoder: Name of the encoder.
        fingerprint: Of the graph.
        lists: Number of lists of texts in the folder.
    """

    folder: Path
    encoder: str
    fingerprint: str
    lists: int

    def own(self) -> list[Known] | None:
        """Return what was kept for this very graph; ``None`` where nothing was, or is damaged."""
        try:
            manifest = read_manifest(self.folder, KIND, FORMAT)
            same = (manifest.get("encoder"), manifest.get("graph"))
            if same != (self.encoder, self.fingerprint):
                return None
            return read_lists(self.folder, manifest, self.lists)
        except (DamagedFileError, FileNotFoundError):
            return None

    def others(self) -> list[list[Known]]:
        """Return what was kept by this encoder, here and beside the neighbouring snapshots."""
        beside = sorted(self.folder.parent.parent.glob(f"*.vectors/{self.folder.name}"))
        found = []
        for path in dict.fromkeys([self.folder, *beside]):
            with suppress(DamagedFileError, FileNotFoundError):  # they can be computed again
                manifest = read_manifest(path, KIND, FORMAT)
                if manifest.get("encoder") == self.encoder:
                    found.append(read_lists(path, manifest, self.lists))
        return found

    def put(self, lists: Sequence[Known]) -> list[Known]:
        """Write all lists, atomically, and return them memory-mapped; a full disk is no error."""
        manifest = {
            "kind": KIND,
            "format": FORMAT,
            "encoder": self.encoder,
            "width": int(lists[0].vectors.shape[1]),
            "graph": self.fingerprint,
        }
        try:
            written = write_folder(self.folder, writers(lists), manifest)
            return read_lists(self.folder, written, self.lists)
        except OSError:
            return [*lists]


def writers(lists: Sequence[Known]) -> dict[str, Callable[[Path], None]]:
    """Return what writes each array of some lists, by the name of its file."""
    arrays = {
        name: array
        for names, one in zip(_NAMES, lists, strict=False)
        for name, array in zip(names, (one.vectors, one.digests), strict=True)
    }
    return {
        f"{name}.npy": lambda path, array=array: np.save(path, array)  # type: ignore[misc]
        for name, array in arrays.items()
    }


def read_lists(
    folder: str | Path, manifest: Mapping[str, Any], lists: int, *, verify: bool = False
) -> list[Known]:
    """Open the arrays in any folder whose manifest names them; ``verify`` compares hashes."""
    found = []
    for names in _NAMES[:lists]:
        paths = [file_path(folder, manifest, f"{name}.npy", verify) for name in names]
        found.append(Known(*(_mapped(path) for path in paths)))
    return found


def _mapped(path: Path) -> np.ndarray:
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DamagedFileError(f"{path} is damaged ({error}).") from None
    return mapped
