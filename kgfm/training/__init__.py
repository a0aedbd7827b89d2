"""Training by Lightning, which is loaded when first used: a recipe needs the settings only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kgfm.training.config import FINE_TUNING, TrainingConfig

if TYPE_CHECKING:
    from kgfm.training.data import LengthBuckets as LengthBuckets
    from kgfm.training.data import PreparedData as PreparedData
    from kgfm.training.mentions import BiEncoder as BiEncoder
    from kgfm.training.mentions import fit_text_encoder as fit_text_encoder
    from kgfm.training.module import TrainingModule as TrainingModule
    from kgfm.training.run import evaluate as evaluate
    from kgfm.training.run import fit as fit

_HOMES = {
    "BiEncoder": "mentions",
    "LengthBuckets": "data",
    "PreparedData": "data",
    "TrainingModule": "module",
    "evaluate": "run",
    "fit": "run",
    "fit_text_encoder": "mentions",
}

__all__ = [
    "FINE_TUNING",
    "BiEncoder",
    "LengthBuckets",
    "PreparedData",
    "TrainingConfig",
    "TrainingModule",
    "evaluate",
    "fit",
    "fit_text_encoder",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kgfm.training' has no attribute {name!r}")
    value = getattr(import_module(f"kgfm.training.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
