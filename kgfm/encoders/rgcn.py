"""A relational graph convolution, written densely: aggregate first, then one matrix product."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.encoders.inputs import Edges, Inputs
from kgfm.encoders.layered import LayeredEncoder


class RGCNLayer(nn.Module):
    """One layer of a relational graph convolution with basis decomposition.

    Computes ``x_i W_0 + b + sum_r sum_{j in N_r(i)} x_j W_r / |N_r(i)|`` with
    ``W_r = sum_k c_rk V_k`` (Schlichtkrull et al., 2018, eq. 2 and 3,
    https://arxiv.org/abs/1703.06103). Since the product is linear it is taken once per node and
    basis, after the sum over the edges; no edge meets a matrix.

    Args:
        width: Width of the node states, in and out.
        bases: Number of basis matrices ``V_k``.
    """

    def __init__(self, width: int, *, bases: int = 4) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.empty(bases, width, width))
        self.root = nn.Linear(width, width)
        for matrix in self.basis.data:
            nn.init.xavier_uniform_(matrix)

    def forward(
        self,
        x: Float[Tensor, "node width"],
        edges: Edges,
        coefficients: Float[Tensor, "kind base"],
    ) -> Float[Tensor, "node width"]:
        """Return what the nodes are told; ``coefficients`` are the ``c_rk``."""
        weight = (edges.weight * edges.share)[:, None]
        summed = edges.weighted_sums(x, coefficients.index_select(0, edges.kind) * weight)
        # Two products: one over both side by side would copy the sums, and their gradient back.
        return torch.addmm(self.root(x), summed.flatten(1), self.basis.flatten(0, 1))


class RGCN(LayeredEncoder):
    """R-GCN over text: the coefficients ``c_rk`` are a linear function of the relation's text.

    Args:
        feature_width: Width of the text vectors.
        query_width: Width of the text's own state; 0 leaves the text out.
        width: Width of the node states.
        layers: Number of layers, hence of hops that a message travels.
        bases: Number of basis matrices of each layer.
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
        bases: int = 4,
        dropout: float = 0.1,
        edge_dropout: float = 0.0,
    ) -> None:
        inputs = Inputs(
            feature_width,
            query_width,
            width=width,
            layers=layers,
            relation_width=bases,
            relation_std=bases**-0.5,  # a message starts as large as the state that it meets
            edge_dropout=edge_dropout,
        )
        super().__init__(inputs, [RGCNLayer(width, bases=bases) for _ in range(layers)], dropout)
