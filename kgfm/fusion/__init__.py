"""Fusion: let the text model read the graph, starting as the exact identity."""

from kgfm.backbones import Extra
from kgfm.fusion.base import FUSIONS, Fusion, attention_pool, dense_nodes, has_nodes
from kgfm.fusion.cross_attention import CrossAttentionFusion
from kgfm.fusion.late import LateFusion
from kgfm.fusion.masked_entities import MaskedEntitiesFusion
from kgfm.fusion.mention_add import MentionAddFusion
from kgfm.fusion.prefix import PrefixFusion

FUSIONS.update({"cross-attention": CrossAttentionFusion})
FUSIONS.update({"prefix": PrefixFusion})
FUSIONS.update({"late": LateFusion})
FUSIONS.update({"masked-entities": MaskedEntitiesFusion})
FUSIONS.update({"mention-add": MentionAddFusion})

__all__ = [
    "FUSIONS",
    "CrossAttentionFusion",
    "Extra",
    "Fusion",
    "LateFusion",
    "MaskedEntitiesFusion",
    "MentionAddFusion",
    "PrefixFusion",
    "attention_pool",
    "dense_nodes",
    "has_nodes",
]
