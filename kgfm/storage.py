"""Folders that are either the old version or the new one, whatever happens in between.

A folder holds data files under content names (``stem-<hash>.npy``) and one ``manifest.json`` that
says which of them count. New files are written and synced first; the ``os.replace`` of the manifest
is the commit; what the new manifest no longer names is removed afterwards.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from io import BufferedWriter
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


class DamagedFileError(ValueError):
    """A saved folder is incomplete, was changed, or was written by a newer kgfm."""


def sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file so that a crash leaves the old one or the new one, never a part."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BufferedWriter]:
    """Open a file that takes the place of another when the block has ended well, and only then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_folder(
    folder: str | Path,
    files: Mapping[str, Callable[[Path], None]],
    manifest: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a folder so that a crash at any moment leaves the old one whole.

    Of several processes that write the same folder one does so at a time.

    Args:
        folder: Where; made if missing.
        files: By name such as ``tails.npy``: what writes that file to the path it is given.
        manifest: Entries of the manifest; needs ``kind`` and ``format``.

    Returns:
        The manifest as written, with ``files``: name -> file, sha256 and bytes.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder) as is_alone:
        if is_alone:
            for left in folder.glob(".tmp-*"):  # by one that was killed; a living one has the lock
                left.unlink(missing_ok=True)
        return _write_folder(folder, files, manifest)


def copies(folder: Path) -> dict[str, Callable[[Path], None]]:
    """Return what copies each file of a folder, by its name, for :func:`write_folder`."""
    return {path.name: partial(_copy, path) for path in sorted(folder.iterdir())}


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Wait until no other process writes this folder: each would remove what the other keeps.

    A process that dies loses the lock. Where the file system has no locks it goes without, and
    yields False.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    locked = False
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            locked = True
        yield locked
    finally:
        os.close(descriptor)


def _write_folder(
    folder: Path, files: Mapping[str, Callable[[Path], None]], manifest: Mapping[str, Any]
) -> dict[str, Any]:
    written: dict[str, dict[str, Any]] = {}
    for name, write in files.items():
        descriptor, path = tempfile.mkstemp(dir=folder, prefix=".tmp-", suffix=Path(name).suffix)
        os.close(descriptor)
        temporary = Path(path)
        try:
            write(temporary)
            os.chmod(temporary, 0o644)
            _sync(temporary)
            digest = sha256(temporary)
            final = f"{Path(name).stem}-{digest[:16]}{Path(name).suffix}"
            written[name] = {
                "file": final,
                "sha256": digest,
                "bytes": temporary.stat().st_size,
            }
            os.replace(temporary, folder / final)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if _is_full(error):
                reason = f"no space is left for {folder / name}; what was saved before is whole"
                raise OSError(errno.ENOSPC, reason) from None
            raise
    whole = {**manifest, "files": written}
    previous = folder / MANIFEST
    old = _old_files(previous)
    _sync(folder)
    replace_file(previous, (json.dumps(whole, indent=1, ensure_ascii=False) + "\n").encode())
    kept = {entry["file"] for entry in written.values()}
    for name in old - kept:
        (folder / name).unlink(missing_ok=True)
    return whole


def _is_full(error: BaseException) -> bool:
    """Say whether an error is that of a full disk, as the libraries that write say it.

    NumPy tells of items "requested and written", safetensors and torch of no OSError at all.
    """
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    text = str(error)
    return "No space left" in text or "os error 28" in text or "requested and" in text


def _old_files(manifest: Path) -> set[str]:
    """Names of the files that a manifest names; none where it is missing or damaged."""
    try:
        entries = json.loads(manifest.read_text(encoding="utf-8"))["files"].values()
        return {entry["file"] for entry in entries if Path(entry["file"]).name == entry["file"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def read_manifest(
    folder: str | Path, kind: str, format: int, *, older: str = "make it anew with this one"
) -> dict[str, Any]:
    """Read and check a folder's manifest.

    Args:
        folder: Where it is.
        kind: What the folder must hold.
        format: The one format that is read.
        older: What to do about an older one.

    Raises:
        FileNotFoundError: There is no such folder, or no manifest in it.
        DamagedFileError: The manifest cannot be read, is of another kind or format, or
            a file that it names is missing or has another size.
    """
    path = Path(folder) / MANIFEST
    before = _mark(path)
    try:
        return _read_manifest(Path(folder), kind, format, older)
    except DamagedFileError:
        if _mark(path) == before:
            raise
    return read_manifest(folder, kind, format, older=older)  # another process replaced it meanwhile


def _mark(path: Path) -> tuple[int, int]:
    """Return what tells a file from the one that takes its place; zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_ino, found.st_mtime_ns


def _read_manifest(folder: Path, kind: str, format: int, older: str) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.exists():
        if not folder.exists():
            raise FileNotFoundError(f"There is no {kind} at {str(folder)!r}.")
        raise FileNotFoundError(f"{folder} holds no {kind}: no {MANIFEST}.")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found, version, files = manifest["kind"], int(manifest["format"]), manifest["files"]
        sizes = {entry["file"]: int(entry["bytes"]) for entry in files.values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedFileError(f"{path} is damaged ({error}); save it anew.") from None
    if found != kind:
        raise DamagedFileError(f"{folder} holds a {found}, not a {kind}.")
    if version > format:
        raise DamagedFileError(
            f"{folder} has format {version}; this kgfm reads up to {format}. Upgrade kgfm."
        )
    if version < format:
        raise DamagedFileError(
            f"{folder} has format {version}, of an earlier kgfm; this one reads {format}: {older}."
        )
    for name, size in sizes.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise DamagedFileError(f"{folder} lacks {name}, which its manifest names.")
        if file.stat().st_size != size:
            raise DamagedFileError(
                f"{file} has {file.stat().st_size:,} bytes, its manifest says {size:,}: "
                "it is truncated or was changed."
            )
    return manifest


def file_path(
    folder: str | Path, manifest: Mapping[str, Any], name: str, verify: bool = False
) -> Path:
    """Return the path of a file by its name in the manifest; ``verify`` compares its hash.

    Raises:
        DamagedFileError: The manifest names no such file, its hash is another, or it is gone, as
            after another process has replaced the folder that this one has open.
    """
    entry = manifest["files"].get(name)
    if entry is None:
        raise DamagedFileError(f"The manifest in {folder} names no {name}.")
    path = Path(folder) / str(entry["file"])
    if not path.is_file():
        raise DamagedFileError(
            f"{folder} no longer has the {name} that it had when it was opened: it was replaced or "
            "removed meanwhile. Open it again."
        )
    if verify and sha256(path) != entry["sha256"]:
        raise DamagedFileError(f"{path} was changed: its hash is not the one in the manifest.")
    return path
