"""Tokens look at the nodes of their own text's subgraph."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kgfm.batch import Batch
from kgfm.fusion.base import Fusion


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
        query = self.query(self.norm(tokens)).unflatten(2, (self.heads, -1)).transpose(1, 2)
        key, value = self._keys_and_values(nodes, batch)
        scores = torch.baddbmm(
            self._padding(batch, query),
            query.flatten(0, 1),
            key.flatten(0, 1).transpose(1, 2),
            alpha=query.shape[3] ** -0.5,
        ).unflatten(0, query.shape[:2])
        attention = self._with_mentions(scores, batch).softmax(-1)
        # A text without nodes reads padding only, whose values are zero; it gets exactly zero.
        read = torch.bmm(attention.flatten(0, 1), value.flatten(0, 1))
        read = read.unflatten(0, query.shape[:2]).transpose(1, 2).flatten(2)
        return tokens + self.output(read), nodes

    def _keys_and_values(
        self, nodes: Float[Tensor, "node node_width"], batch: Batch
    ) -> tuple[
        Float[Tensor, "batch head slot part"],
        Float[Tensor, "batch head slot part"],
    ]:
        """One product for both, of nodes that lie flat: padding costs none, and stays zero."""
        weight = torch.cat([self.key.weight, self.value.weight])
        bias = torch.cat([self.key.bias, self.value.bias])
        both = functional.linear(nodes, weight, bias).unflatten(1, (2, self.heads, -1))
        shape = (batch.node_slot.shape[0], self.heads, batch.node_slot.shape[1], both.shape[3])
        # Each head's part goes straight to where attention reads it.
        first = batch.node_slot[:, 0].index_select(0, batch.node_text)
        slot = torch.arange(nodes.shape[0], device=nodes.device) - first
        head = torch.arange(self.heads, device=nodes.device)
        place = batch.node_text[:, None], head, slot[:, None]
        key, value = both.new_zeros(shape), both.new_zeros(shape)
        key[place], value[place] = both.unbind(1)
        return key, value

    def _padding(self, batch: Batch, query: Tensor) -> Float[Tensor, "text_head 1 slot"]:
        """Zero for a node, very low for padding."""
        # The lowest number and not minus infinity, which would make a row of padding NaN.
        low = torch.zeros_like(batch.node_mask, dtype=query.dtype)
        low = low.masked_fill(~batch.node_mask, torch.finfo(query.dtype).min)
        return low.repeat_interleave(self.heads, dim=0)[:, None]

    def _with_mentions(
        self, scores: Float[Tensor, "batch head token slot"], batch: Batch
    ) -> Float[Tensor, "batch head token slot"]:
        """Add the learned bias where a token names a node; the scores are changed in place."""
        text, token, slot = batch.aligned[:, :, None]
        head = torch.arange(self.heads, device=scores.device)
        bias = self.mention_bias.to(scores.dtype).expand(text.shape[0], -1)
        return scores.index_put_((text, head, token, slot), bias, accumulate=True)
