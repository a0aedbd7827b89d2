"""Training by Lightning."""

from kgfm.training.config import TrainingConfig
from kgfm.training.data import LengthBuckets, PreparedData
from kgfm.training.module import TrainingModule
from kgfm.training.run import evaluate, fit

__all__ = [
    "LengthBuckets",
    "PreparedData",
    "TrainingConfig",
    "TrainingModule",
    "evaluate",
    "fit",
]
