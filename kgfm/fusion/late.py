"""What the nodes say, beside the text and after its last layer."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kgfm.backbones.text import mean_pool
from kgfm.batch import Batch
from kgfm.fusion.base import Fusion, attention_pool, check_heads, dense_nodes, has_nodes


class LateFusion(Fusion):
    """Tell the task of a context node and of the nodes pooled by the text.

    With ``s`` the mean of a text's last tokens, a context node stands for the text and is joined to
    the entities that it names: ``z = GELU(C [s; mean of the seeds])``. The nodes are pooled by
    attention with the text as their query: ``g = attention(Q s, K nodes, V nodes)``. The task adds
    ``O [z; g]`` to its view of the text (after QA-GNN, Yasunaga et al., 2021, sec. 3.1 and 3.4,
    https://arxiv.org/abs/2104.06378, whose context node takes part in the message passing). ``O``
    starts at zero and has no bias; what a text without nodes reads is zero.

    The layers do not know of the graph; ``layers`` says only how much of them the graph encoder's
    query has seen.

    Args:
        width: Width of the tokens, the backbone's ``hidden_size``.
        node_width: Width of the node states, the graph encoder's ``out_width``.
        heads: Number of attention heads; divides ``inner_width``.
        inner_width: Width of the context node, and of all heads together.

    Raises:
        ValueError: ``heads`` does not divide ``inner_width``.
    """

    def __init__(
        self, width: int, node_width: int, *, heads: int = 2, inner_width: int = 128
    ) -> None:
        super().__init__()
        check_heads(heads, inner_width)
        self.heads = heads
        self.context = nn.Linear(width + node_width, inner_width)
        self.query = nn.Linear(width, inner_width)
        self.key = nn.Linear(node_width, inner_width, bias=False)
        self.value = nn.Linear(node_width, inner_width)
        self.output = nn.Linear(2 * inner_width, width, bias=False)
        nn.init.zeros_(self.output.weight)

    def read(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> Float[Tensor, "batch width"]:
        """Return what the task adds to its view of each text."""
        text = mean_pool(tokens, batch.attention_mask)
        seeds = (batch.node_hops == 0)[:, None] * nodes
        count = dense_nodes((batch.node_hops == 0)[:, None].to(nodes.dtype), batch).sum(1)
        seeds = dense_nodes(seeds, batch).sum(1) / count.clamp(min=1.0)
        context = functional.gelu(self.context(torch.cat([text, seeds], 1)))
        query = self.query(text)[:, None]
        pooled = attention_pool(query, self.key(nodes), self.value(nodes), batch, heads=self.heads)
        read: Tensor = self.output(torch.cat([context, pooled[:, 0]], 1))
        return read * has_nodes(batch)[:, None]
