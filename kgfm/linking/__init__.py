"""Find where a text names entities of a graph."""

from __future__ import annotations

from kgfm.linking.base import BaseLinker
from kgfm.linking.names import Linker
from kgfm.linking.words import WordLinker
from kgfm.registry import Registry

LINKERS: Registry[BaseLinker] = Registry("linker", BaseLinker, surroundings=("graph", "encode"))
LINKERS.update({"names": Linker, "words": WordLinker})

__all__ = ["LINKERS", "BaseLinker", "Linker", "WordLinker"]
