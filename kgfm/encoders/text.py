"""Nodes known by their text alone: what a graph encoder has to beat."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from kgfm.batch import Batch
from kgfm.encoders.base import GraphEncoder
from kgfm.encoders.inputs import Inputs


class TextNodes(GraphEncoder):
    """Project each node's text vector; no edge and no seed is looked at.

    Args:
        feature_width: Width of the text vectors.
        width: Width of a node's state.
    """

    reads_edges = False

    def __init__(self, feature_width: int, *, width: int = 128) -> None:
        super().__init__()
        self.out_width = width
        self.inputs = Inputs(feature_width, width=width, seeds=False)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, batch: Batch, query: Float[Tensor, "batch query_width"]
    ) -> Float[Tensor, "node node_width"]:
        """Return the state of each node."""
        states: Tensor = self.norm(self.inputs.nodes(batch))
        return states
