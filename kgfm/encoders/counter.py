"""Nodes known by counting alone: no text of a node is read."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.batch import Batch
from kgfm.encoders.base import GraphEncoder


class Counter(GraphEncoder):
    """Count weighted edges: one number a node, one learned number a kind of edge.

    ``s_i <- s_i + sum_{j -r-> i} (s_j + a_r)``, some rounds over, from a learned number at the
    seeds and 0 elsewhere: the soft counter of Wang et al., 2022, "GNN is a Counter? Revisiting GNN
    for Question Answering" (sec. 4, https://arxiv.org/abs/2110.03192), in which a context node
    marks the seeds. ``a_r`` is a linear function of the relation's text vector, one function for
    each direction, so that a relation never seen in training counts too. Sums over hubs grow large,
    so a node's state is a linear function of ``sign(s) log(1 + |s|)``, normed.

    Args:
        feature_width: Width of the text vectors.
        width: Width of a node's state.
        rounds: How often the edges are counted, hence of hops that a count travels.

    Raises:
        ValueError: There is no round.
    """

    reads_text = False

    def __init__(self, feature_width: int, *, width: int = 128, rounds: int = 3) -> None:
        super().__init__()
        if rounds < 1:
            raise ValueError(f"rounds={rounds}: a counter needs at least one, such as 3.")
        self.out_width = width
        self.rounds = rounds
        self.seed = nn.Parameter(torch.ones(()))
        self.edge_forward = nn.Linear(feature_width, 1)
        self.edge_inverse = nn.Linear(feature_width, 1)
        for edge in (self.edge_forward, self.edge_inverse):
            # With text vectors of length 1, kinds of edges then start as different as they can.
            nn.init.normal_(edge.weight)
            nn.init.zeros_(edge.bias)
        self.state = nn.Linear(1, width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, batch: Batch, query: Float[Tensor, "batch query_width"]
    ) -> Float[Tensor, "node node_width"]:
        """Return the state of each node."""
        # Counts of hubs grow beyond what half precision tells apart.
        with torch.autocast(batch.edge_index.device.type, enabled=False):
            count = self.count(batch)
        states: Tensor = self.norm(self.state((count.sign() * count.abs().log1p())[:, None]))
        return states

    def count(self, batch: Batch) -> Float[Tensor, "node"]:
        """Return the score of each node."""
        relations = batch.relation_features
        scores = torch.cat([self.edge_forward(relations), self.edge_inverse(relations)]).squeeze(1)
        edges = scores.index_select(0, batch.edge_type)
        source, target = batch.edge_index
        count = (batch.node_hops == 0) * self.seed
        for _ in range(self.rounds):
            told = count.index_select(0, source) + edges
            if batch.edge_weight is not None:
                told = told * batch.edge_weight
            count = count.index_add(0, target, told)
        return count
