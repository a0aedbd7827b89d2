"""Tokens look at the nodes of their own text's subgraph."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

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
        query = self.query(self.norm(tokens)).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        # Keys and values of the flat nodes first: padding slots then cost no product.
        key = dense_nodes(self.key(nodes), batch).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        value = dense_nodes(self.value(nodes), batch).unflatten(-1, (self.heads, -1))
        logits = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        logits = logits + self._bias(batch, logits.shape)
        logits = logits.masked_fill(~batch.node_mask[:, None, None, :], -1e9)
        # The second mask makes the row of a text without nodes all zero.
        weights = torch.softmax(logits, -1) * batch.node_mask[:, None, None, :]
        read = (weights @ value.transpose(1, 2)).transpose(1, 2).flatten(2)
        return tokens + self.output(read), nodes

    def _bias(self, batch: Batch, shape: torch.Size) -> Float[Tensor, "batch head token slot"]:
        text, token, slot = batch.aligned
        named = torch.zeros(shape[0], *shape[2:], device=text.device)
        named[text, token, slot] = 1.0
        return named[:, None] * self.mention_bias[:, None, None]
