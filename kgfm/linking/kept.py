"""Arrays made from a graph's names, kept on disk for that very graph and mapped from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.storage import DamagedFileError, file_path, read_manifest, write_folder

FORMAT = 4

WORTH_KEEPING = 20_000
"""What is made from fewer names is made sooner than it is written and synced."""

Arrays = Mapping[str, np.ndarray]


def beside(snapshot: Path | None, kind: str) -> Path | None:
    """Return the folder of one kind of arrays beside a snapshot; a graph in memory has none."""
    return None if snapshot is None else snapshot.with_name(f"{snapshot.name}.{kind}")


def kept_arrays(
    folder: Path | None, kind: str, fingerprint: str, names: Iterable[str]
) -> Arrays | None:
    """Return what is kept in a folder for a graph; not if it is damaged, or another graph's."""
    if folder is None:
        return None
    try:
        manifest = read_manifest(folder, kind, FORMAT)
        fits = manifest["format"] == FORMAT and manifest.get("graph") == fingerprint
        return _mapped(folder, manifest, names) if fits else None
    except (DamagedFileError, FileNotFoundError):
        return None


def keep_arrays(folder: Path, kind: str, fingerprint: str, arrays: Arrays) -> Arrays:
    """Write arrays to a folder, atomically, and return them mapped from there."""
    files: dict[str, Callable[[Path], None]] = {
        f"{name}.npy": partial(_write, array) for name, array in arrays.items()
    }
    manifest = {"kind": kind, "format": FORMAT, "graph": fingerprint}
    return _mapped(folder, write_folder(folder, files, manifest), arrays)


def _write(array: np.ndarray, path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _mapped(
    folder: Path, manifest: Mapping[str, Any], names: Iterable[str]
) -> dict[str, np.ndarray]:
    arrays = {}
    for name in names:
        path = file_path(folder, manifest, f"{name}.npy")
        try:
            mapped: np.memmap = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise DamagedFileError(f"{path} is damaged ({error}).") from None
        arrays[name] = mapped.view(np.ndarray)
    return arrays
