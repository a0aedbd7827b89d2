"""Word senses: WordNet as the graph, a bi-encoder of contexts and glosses, XML in, keys out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kgfm.senses.tagger import SenseTagger as SenseTagger

_HOMES = {"SenseTagger": "tagger"}

__all__ = ["SenseTagger"]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kgfm.senses' has no attribute {name!r}")
    value = getattr(import_module(f"kgfm.senses.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
