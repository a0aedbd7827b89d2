"""Training by Lightning, which is loaded when first used: a recipe needs the settings only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kgfm.training.config import TrainingConfig

if TYPE_CHECKING:
    from kgfm.training.data import LengthBuckets as LengthBuckets
    from kgfm.training.data import PreparedData as PreparedData
    from kgfm.training.module import TrainingModule as TrainingModule
    from kgfm.training.run import evaluate as evaluate
    from kgfm.training.run import fit as fit

_HOMES = {
    "LengthBuckets": "data",
    "PreparedData": "data",
    "TrainingModule": "module",
    "evaluate": "run",
    "fit": "run",
}

__all__ = [
    "LengthBuckets",
    "PreparedData",
    "TrainingConfig",
    "TrainingModule",
    "evaluate",
    "fit",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kgfm.training' has no attribute {name!r}")
    value = getattr(import_module(f"kgfm.training.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
