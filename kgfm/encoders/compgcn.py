"""Messages composed of node and relation, element by element."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.encoders.inputs import Edges, Inputs
from kgfm.encoders.layered import LayeredEncoder


class CompGCNLayer(nn.Module):
    """One layer of a composition-based graph convolution.

    Computes ``x_i W_0 + b + sum_d (sum_{(j, r) in N_d(i)} x_j * r / |N_r(i)|) W_d`` over both
    directions ``d`` (Vashishth et al., 2020, eq. 2 to 5, with the product as composition,
    https://arxiv.org/abs/1911.03082), each relation's messages averaged. As the product is linear
    it is taken once per node and direction.

    Args:
        width: Width of the node states, in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.root = nn.Linear(width, width)
        self.direction = nn.Parameter(torch.empty(2, width, width))
        for matrix in self.direction.data:
            nn.init.xavier_uniform_(matrix)

    def forward(
        self, x: Float[Tensor, "node width"], edges: Edges, relations: Float[Tensor, "kind width"]
    ) -> Float[Tensor, "node width"]:
        """Return what the nodes are told; ``relations`` are the ``r``."""
        told = x.index_select(0, edges.source) * relations.index_select(0, edges.kind)
        summed = edges.sums(told * (edges.weight * edges.share)[:, None], both_ways=True)
        out: Tensor = self.root(x) + summed @ self.direction.flatten(0, 1)
        return out


class CompGCN(LayeredEncoder):
    """CompGCN over text: relations are a linear function of their text, one for each layer.

    Args:
        feature_width: Width of the text vectors.
        query_width: Width of the text's own state; 0 leaves the text out.
        width: Width of the node states.
        layers: Number of layers, hence of hops that a message travels.
        dropout: After each layer.
        edge_dropout: Part of the edges that a training step leaves out.

    Raises:
        ValueError: There is no layer, or ``dropout`` or ``edge_dropout`` is no probability under 1.
    """

    def __init__(
        self,
        feature_width: int,
        query_width: int = 0,
        *,
        width: int = 128,
        layers: int = 2,
        dropout: float = 0.1,
        edge_dropout: float = 0.0,
    ) -> None:
        inputs = Inputs(
            feature_width,
            query_width,
            width=width,
            layers=layers,
            relation_width=width,
            edge_dropout=edge_dropout,
        )
        super().__init__(inputs, [CompGCNLayer(width) for _ in range(layers)], dropout)
