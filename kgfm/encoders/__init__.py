"""Graph encoders: from a batch's subgraphs to a vector per node."""

from kgfm.encoders.base import ENCODERS, GraphEncoder
from kgfm.encoders.compgcn import CompGCN, CompGCNLayer
from kgfm.encoders.counter import Counter
from kgfm.encoders.gine import GINE, GINELayer
from kgfm.encoders.inputs import Edges, Inputs
from kgfm.encoders.layered import LayeredEncoder
from kgfm.encoders.rgcn import RGCN, RGCNLayer
from kgfm.encoders.text import TextNodes

ENCODERS.update(
    {"rgcn": RGCN, "compgcn": CompGCN, "gine": GINE, "counter": Counter, "text": TextNodes}
)

__all__ = [
    "ENCODERS",
    "GINE",
    "RGCN",
    "CompGCN",
    "CompGCNLayer",
    "Counter",
    "Edges",
    "GINELayer",
    "GraphEncoder",
    "Inputs",
    "LayeredEncoder",
    "RGCNLayer",
    "TextNodes",
]
