"""Find where a text names entities of a graph."""

from __future__ import annotations

from collections.abc import Callable

from kgfm.linking.base import BaseLinker
from kgfm.linking.names import Linker

LINKERS: dict[str, Callable[..., BaseLinker]] = {"names": Linker}

__all__ = ["LINKERS", "BaseLinker", "Linker"]
