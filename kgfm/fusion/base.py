"""What a fusion operator is."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.batch import Batch
from kgfm.registry import Registry


class Fusion(nn.Module, ABC):
    """Exchange information between tokens and nodes after one layer of the backbone.

    Two laws hold for every operator: untrained it returns its tokens unchanged, to the bit, and a
    text without nodes always gets its tokens back unchanged.
    """

    @abstractmethod
    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Float[Tensor, "batch token width"], Float[Tensor, "node node_width"]]:
        """Return tokens and nodes to go on with."""


FUSIONS: Registry[Fusion] = Registry("fusion", Fusion)


def dense_nodes(
    nodes: Float[Tensor, "node node_width"], batch: Batch
) -> Float[Tensor, "batch slot node_width"]:
    """Lay flat nodes out by text; slots without a node are zero."""
    # A row of zeros behind the nodes keeps the gather legal, and the graph part in the autograd
    # graph, when no text of the batch has a node (as DDP needs).
    padded = nodes.new_zeros(1, nodes.shape[1])
    rows = batch.node_slot.masked_fill(~batch.node_mask, len(nodes))
    dense = torch.cat([nodes, padded]).index_select(0, rows.flatten())
    laid_out: Tensor = dense.unflatten(0, rows.shape)
    return laid_out
