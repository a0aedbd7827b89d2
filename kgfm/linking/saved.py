"""A linker in a folder: its arguments, its weights, and a text encoder of its own if it has one."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from kgfm.storage import DamagedFileError, file_path, read_manifest, replace_file, write_folder
from kgfm.vectors import Encode

if TYPE_CHECKING:
    from kgfm.linking.names import Linker

KIND, FORMAT = "linker", 1
_ENCODER = re.compile(r"encoder-[0-9a-f]{16}")


@runtime_checkable
class SavableEncode(Protocol):
    """A text encoder that can be saved, such as :class:`kgfm.backbones.TextEncoder`."""

    folder: Path | None

    @property
    def name(self) -> str: ...

    @property
    def is_named(self) -> bool: ...

    def __call__(self, texts: list[str], /) -> np.ndarray: ...

    def save(self, folder: Path, /) -> None: ...


def resolve_encode(given: Encode | str | Path | None) -> Encode | None:
    """Return an encoder that is given as such, or as the folder that it was saved to."""
    if not isinstance(given, str | Path):
        return given
    from kgfm.backbones import TextEncoder

    return TextEncoder.load(given)


def encoder_folder(encode: Encode | None) -> dict[str, str]:
    """Return where a linker's own encoder is, as an argument; nothing for one known by its name.

    Raises:
        TypeError: It was trained, and not saved.
    """
    if not isinstance(encode, SavableEncode) or encode.is_named:
        return {}
    if encode.folder is None:
        raise TypeError(
            "The text encoder of this linker was trained and is in memory only; save the linker, "
            "or the encoder: linker.encode.save(folder)."
        )
    return {"encode": str(encode.folder)}


def save_encoder(encode: Encode | None, folder: Path) -> str | None:
    """Save a linker's own encoder within a folder; returns its name there, ``None`` without one."""
    if not isinstance(encode, SavableEncode) or encode.is_named:
        return None
    name = f"encoder-{sha256(encode.name.encode()).hexdigest()[:16]}"
    encode.save(folder / name)
    return name


def remove_other_encoders(folder: Path, name: str | None) -> None:
    """Remove the encoders of earlier saves; other folders that begin alike stay."""
    for old in folder.glob("encoder-*"):
        if _ENCODER.fullmatch(old.name) and old.name != name:
            shutil.rmtree(old)


def save_linker(linker: Linker, folder: Path) -> None:
    """Save a linker so that a crash at any moment leaves the old one whole."""
    name = save_encoder(linker.encode, folder)
    config = linker.config() | ({} if name is None else {"encode": name})
    content = (json.dumps(config, indent=1) + "\n").encode()
    files = {"linker.json": lambda path: replace_file(path, content)}
    write_folder(folder, files, {"kind": KIND, "format": FORMAT})
    remove_other_encoders(folder, name)


def read_linker(folder: Path) -> dict[str, Any]:
    """Return the arguments of the linker that was saved in a folder."""
    manifest = read_manifest(folder, KIND, FORMAT)
    path = file_path(folder, manifest, "linker.json", verify=True)
    config = json.loads(path.read_bytes())
    if not isinstance(config, dict):
        raise DamagedFileError(f"{path} holds no arguments of a linker; save it anew.")
    return with_encoder(config, folder)


def with_encoder(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return a linker's arguments with the path of the encoder that was saved in a folder."""
    name = config.get("encode")
    own = isinstance(name, str) and _ENCODER.fullmatch(name)
    return {**config, **({"encode": str(folder / str(name))} if own else {})}
