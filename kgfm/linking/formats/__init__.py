"""Texts with gold mentions, in the formats that entity linking has them in.

``read("gold.jsonl", "elevant")`` gives :class:`Document`\\ s, whose :meth:`~Document.example` is an
:class:`~kgfm.types.Example`; ``write`` takes either. :mod:`kgfm.linking.formats.wsd` reads word
senses, which name no entity but a sense key.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from kgfm.linking.formats import blink, elevant, nif
from kgfm.linking.formats.document import Document, documents_of
from kgfm.registry import nearest
from kgfm.types import Example

FORMATS: dict[str, ModuleType] = {"blink": blink, "elevant": elevant, "nif": nif}
"""Modules by name, each with ``read`` and ``write``."""

__all__ = ["FORMATS", "Document", "format_of", "read", "write"]


def read(path: str | Path, format: str) -> tuple[Document, ...]:
    """Read the documents of a file.

    Args:
        path: The file.
        format: A name of :data:`FORMATS`.

    Raises:
        ValueError: There is no such format, or the file is not in it; the message names the line.
        FileNotFoundError: There is no such file.
    """
    module, path = format_of(format), Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"No file {path}.")
    found: tuple[Document, ...] = module.read(path)
    return found


def write(path: str | Path, documents: Iterable[Document | Example], format: str) -> None:
    """Write documents or examples with their mentions; a crash leaves the old file or the new one.

    Raises:
        ValueError: There is no such format.
    """
    format_of(format).write(Path(path), documents_of(documents, "write"))


def format_of(name: str) -> ModuleType:
    """Return the module of a format, or say which there are."""
    if name not in FORMATS:
        raise ValueError(
            f"No format {name!r}.{nearest(name, FORMATS)} There are {', '.join(FORMATS)}."
        )
    return FORMATS[name]
