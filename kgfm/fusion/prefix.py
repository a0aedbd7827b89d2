"""A few extra tokens that say what the subgraph holds."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.backbones import Extra
from kgfm.backbones.text import mean_pool
from kgfm.batch import Batch
from kgfm.fusion.base import Fusion, attention_pool, check_heads, has_nodes


class PrefixFusion(Fusion):
    """Pool each text's nodes into extra tokens that its own tokens attend to from one layer on.

    Extra token ``k`` is ``norm(B sigmoid(A p_k))``, with ``p_k`` the nodes pooled by attention
    whose query is a learned vector and the text, ``q_k + Q mean(tokens)``. The two products with a
    sigmoid between are those of G-Retriever (He et al., 2024, sec. 5.4,
    https://arxiv.org/abs/2402.07630), the pooling that knows the text is that of GNP (Tian et al.,
    2024, https://arxiv.org/abs/2309.15427). Each layer's tokens take
    ``plain + tanh(gate) (full - plain)`` of their attention without and with the extra tokens (see
    :class:`kgfm.backbones.Extra`). The gates start at zero, so an untrained fusion changes nothing;
    once they have moved, all else has a gradient too.

    It joins before the lowest of ``layers`` and stays to the end.

    Args:
        width: Width of the tokens, the backbone's ``hidden_size``.
        node_width: Width of the node states, the graph encoder's ``out_width``.
        depth: Number of layers that the extra tokens go through.
        tokens: Number of extra tokens.
        heads: Number of attention heads of the pooling; divides ``inner_width``.
        inner_width: Width of all heads together.

    Raises:
        ValueError: There is no extra token, or ``heads`` does not divide ``inner_width``.
    """

    def __init__(
        self,
        width: int,
        node_width: int,
        depth: int,
        *,
        tokens: int = 4,
        heads: int = 4,
        inner_width: int = 128,
    ) -> None:
        super().__init__()
        if tokens < 1:
            raise ValueError(f"tokens={tokens}: a prefix needs at least one; 4 would do.")
        check_heads(heads, inner_width)
        self.heads = heads
        self.learned_query = nn.Parameter(torch.randn(tokens, inner_width))
        self.query = nn.Linear(width, inner_width, bias=False)
        self.key = nn.Linear(node_width, inner_width, bias=False)
        self.value = nn.Linear(node_width, inner_width)
        self.project = nn.Sequential(
            nn.Linear(inner_width, inner_width), nn.Sigmoid(), nn.Linear(inner_width, width)
        )
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Parameter(torch.zeros(depth))

    def enter(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Tensor, Tensor, Extra]:
        """Return tokens and nodes as they are, and the extra tokens."""
        text = self.query(mean_pool(tokens, batch.attention_mask))
        query = text[:, None] + self.learned_query
        pooled = attention_pool(query, self.key(nodes), self.value(nodes), batch, heads=self.heads)
        states = self.norm(self.project(pooled)).to(tokens.dtype)
        mask = has_nodes(batch)[:, None].expand(states.shape[:2])
        return tokens, nodes, Extra(states, mask, torch.tanh(self.gate))
