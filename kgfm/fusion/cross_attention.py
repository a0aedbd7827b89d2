"""Tokens look at the nodes of their own text's subgraph."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kgfm.batch import Batch
from kgfm.fusion.base import Fusion, dense_nodes


class CrossAttentionFusion(Fusion):
    """Let every token look at the nodes of its own subgraph.

    Computes ``tokens + O attention(Q norm(tokens), K nodes, V nodes)`` (after Alayrac et al., 2022,
    sec. 3.1.2, https://arxiv.org/abs/2204.14198). A token inside a mention has a learned bias
    towards the node that it names. ``O`` starts at zero, so an untrained fusion returns its input,
    and it has no bias, so a text without nodes always does. With ``O`` at zero and not a gate, the
    first step already has a gradient.

    Args:
        width: Width of the tokens, the backbone's ``hidden_size``.
        node_width: Width of the node states, the graph encoder's ``out_width``.
        heads: Number of attention heads; divides ``inner_width``.
        inner_width: Width of all heads together.

    Raises:
        ValueError: ``heads`` does not divide ``inner_width``.
    """

    def __init__(
        self, width: int, node_width: int, *, heads: int = 4, inner_width: int = 128
    ) -> None:
        super().__init__()
        if inner_width % heads:
            raise ValueError(
                f"heads={heads} does not divide inner_width={inner_width}; 1, 2 or 4 heads may do."
            )
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, inner_width)
        self.key = nn.Linear(node_width, inner_width)
        self.value = nn.Linear(node_width, inner_width)
        self.mention_bias = nn.Parameter(torch.ones(heads))
        self.output = nn.Linear(inner_width, width, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Float[Tensor, "batch token width"], Float[Tensor, "node node_width"]]:
        """Return the tokens with what they read added, and the nodes as they were."""
        query = self._heads(self.query(self.norm(tokens)))
        # Keys and values of the flat nodes first: padding slots then cost no product.
        key = self._heads(dense_nodes(self.key(nodes), batch))
        value = self._heads(dense_nodes(self.value(nodes), batch))
        read = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=self._bias(batch, query)
        )
        # A text without nodes has read padding only; it gets exactly zero.
        read = read.transpose(1, 2).flatten(2) * batch.node_mask[:, :1, None]
        return tokens + self.output(read), nodes

    def _heads(self, x: Float[Tensor, "batch row inner"]) -> Float[Tensor, "batch head row part"]:
        parts: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return parts

    def _bias(self, batch: Batch, query: Tensor) -> Float[Tensor, "batch head token slot"]:
        """Zero for a node, the learned bias where a token names it, and very low for padding."""
        text, token, slot = batch.aligned
        named = query.new_zeros(len(batch), query.shape[2], batch.node_mask.shape[1])
        named[text, token, slot] = 1.0
        bias: Tensor = named[:, None] * self.mention_bias[:, None, None]
        # The lowest number and not minus infinity, which would make a row of padding NaN.
        return bias.masked_fill(~batch.node_mask[:, None, None, :], torch.finfo(query.dtype).min)
