"""A graph's arrays as a folder of ``.npy`` files that are mapped into memory one by one."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from kgfm.graph.order import Arrays
from kgfm.storage import DamagedFileError, file_path, read_manifest, write_folder

KIND, FORMAT = "graph", 1


class MappedArrays(dict[str, np.ndarray]):
    """The arrays of a snapshot, each mapped into memory when it is first asked for."""

    def __init__(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        self._folder, self._manifest = folder, manifest

    def __missing__(self, name: str) -> np.ndarray:
        path = file_path(self._folder, self._manifest, f"{name}.npy")
        try:
            # A plain view: slicing a np.memmap costs several times more.
            mapped: np.memmap = np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise DamagedFileError(f"{path} is damaged ({error}); build the graph anew.") from None
        array = self[name] = mapped.view(np.ndarray)
        return array


def read_snapshot(folder: Path, verify: bool) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays, still on disk, and the manifest."""
    manifest = read_manifest(folder, KIND, FORMAT)
    if verify:
        for name in manifest["files"]:
            file_path(folder, manifest, name, verify=True)
    return MappedArrays(folder, manifest), manifest


def write_snapshot(folder: str | Path, arrays: Arrays, manifest: Mapping[str, Any]) -> None:
    """Write the arrays and the manifest, so that a crash leaves an older snapshot whole."""
    files = {f"{name}.npy": _writer(array) for name, array in arrays.items()}
    write_folder(folder, files, {key: v for key, v in manifest.items() if key != "files"})


def fingerprint(arrays: Arrays, manifest: Mapping[str, Any]) -> str:
    """Hash the content; the files' hashes in the manifest spare reading the arrays."""
    if "files" in manifest:
        hashes = {name: entry["sha256"] for name, entry in manifest["files"].items()}
    else:
        hashes = {f"{name}.npy": _hash(array) for name, array in arrays.items()}
    lines = [f"{name} {hashes[name]}\n" for name in sorted(hashes)]
    lines += [f"edge {name}\n" for name in manifest["edge_attributes"]]
    lines += [f"source {name}\n" for name in manifest.get("sources", ())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def temporary_folder() -> Path:
    """Make a folder that lives as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="kgfm-graph-"))
    atexit.register(_remove, folder, os.getpid())
    return folder


def _writer(array: np.ndarray) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            # Into a real file numpy writes by itself, and hides why that failed.
            plain: Any = SimpleNamespace(write=file.write)
            np.save(plain, array, allow_pickle=False)

    return write


class _Hashing:
    """A file that keeps only the hash of what is written to it."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.hash.update(content)
        return len(content)


def _hash(array: np.ndarray) -> str:
    file: Any = _Hashing()
    np.save(file, array, allow_pickle=False)
    return str(file.hash.hexdigest())


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked worker must not take it from its parent
        shutil.rmtree(folder, ignore_errors=True)
