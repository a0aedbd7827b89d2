"""Graph encoders: from a batch's subgraphs to a vector per node."""

from kgfm.encoders.base import ENCODERS, GraphEncoder
from kgfm.encoders.rgcn import RGCN, RGCNLayer
from kgfm.encoders.text import TextNodes

ENCODERS.update({"rgcn": RGCN, "text": TextNodes})

__all__ = [
    "ENCODERS",
    "RGCN",
    "GraphEncoder",
    "RGCNLayer",
    "TextNodes",
]
