"""Fusion: let the text model read the graph, starting as the exact identity."""

from kgfm.fusion.base import FUSIONS, Fusion, dense_nodes
from kgfm.fusion.cross_attention import CrossAttentionFusion

FUSIONS.update({"cross-attention": CrossAttentionFusion})

__all__ = ["FUSIONS", "CrossAttentionFusion", "Fusion", "dense_nodes"]
