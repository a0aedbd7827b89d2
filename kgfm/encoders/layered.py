"""Encoders that are a row of layers over edges."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kgfm.batch import Batch
from kgfm.encoders.base import GraphEncoder
from kgfm.encoders.dropout import Dropout
from kgfm.encoders.inputs import Inputs
from kgfm.registry import check_probabilities


class LayeredEncoder(GraphEncoder):
    """Each layer's update is added to the states: ``x <- norm(x + dropout(gelu(layer(x))))``.

    Args:
        inputs: Where the nodes start, and what the layers are told of edges and relations.
        layers: Each is called with the states, the :class:`~kgfm.encoders.inputs.Edges` and its
            table of relations, and returns the update of the states.
        dropout: After each layer.

    Raises:
        ValueError: There is no layer, or ``dropout`` is no probability under 1.
    """

    def __init__(self, inputs: Inputs, layers: Sequence[nn.Module], dropout: float) -> None:
        super().__init__()
        if not layers:
            raise ValueError("layers=0: an encoder that reads edges needs at least one, such as 2.")
        check_probabilities(dropout=dropout)
        self.out_width = inputs.width
        self.inputs = inputs
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList([nn.LayerNorm(inputs.width) for _ in layers])
        self.dropout = Dropout(dropout)

    def forward(
        self, batch: Batch, query: Float[Tensor, "batch query_width"]
    ) -> Float[Tensor, "node node_width"]:
        """Return the state of each node."""
        x, edges, tables = self.inputs(batch, query)
        for layer, norm, relations in zip(self.layers, self.norms, tables, strict=True):
            update = functional.gelu(layer(x, edges, relations))
            x = norm(x + self.dropout(update))
        states: Tensor = x
        return states
