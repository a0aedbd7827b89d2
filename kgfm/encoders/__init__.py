"""Graph encoders: from a batch's subgraphs to a vector per node."""

from kgfm.encoders.base import ENCODERS, GraphEncoder
from kgfm.encoders.counter import Counter
from kgfm.encoders.rgcn import RGCN, RGCNLayer
from kgfm.encoders.text import TextNodes

ENCODERS.update({"rgcn": RGCN, "text": TextNodes, "counter": Counter})

__all__ = [
    "ENCODERS",
    "RGCN",
    "Counter",
    "GraphEncoder",
    "RGCNLayer",
    "TextNodes",
]
