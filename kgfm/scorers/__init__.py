"""What retrievers learn: it stands above the tensor line and is handed in."""

from __future__ import annotations

from kgfm.scorers.walks import WalkScorer

__all__ = ["WalkScorer"]
