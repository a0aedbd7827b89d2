"""A graph isomorphism network that reads its edges."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.encoders.inputs import Edges, Inputs
from kgfm.encoders.layered import LayeredEncoder


class GINELayer(nn.Module):
    """One layer of a graph isomorphism network with edge features.

    Computes ``MLP((1 + eps) x_i + sum_{(j, r) in N(i)} ReLU(x_j + r))`` (Hu et al., 2020, sec. A.1,
    https://arxiv.org/abs/1905.12265; as PyG's ``GINEConv``, which knows no weights of edges).

    Args:
        width: Width of the node states, in and out, and inside the MLP.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(()))
        inner, outer = nn.Linear(width, width), nn.Linear(width, width)
        self.mlp = nn.Sequential(inner, nn.ReLU(), outer)
        for linear in (inner, outer):
            # torch's own start makes an update a tenth of the state, unheard three hops away.
            nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu")

    def forward(
        self, x: Float[Tensor, "node width"], edges: Edges, relations: Float[Tensor, "kind width"]
    ) -> Float[Tensor, "node width"]:
        """Return what the nodes are told; ``relations`` are the ``r``."""
        told = x.index_select(0, edges.source) + relations.index_select(0, edges.kind)
        out: Tensor = self.mlp((1 + self.eps) * x + edges.sums(told.relu() * edges.weight[:, None]))
        return out


class GINE(LayeredEncoder):
    """GINE over text: relations are a linear function of their text, one for each layer.

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
            relation_std=feature_width**-0.5,  # as large as a node's projected text
            edge_dropout=edge_dropout,
        )
        super().__init__(inputs, [GINELayer(width) for _ in range(layers)], dropout)
