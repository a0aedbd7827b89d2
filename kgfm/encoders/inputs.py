"""What graph encoders start from: nodes and relations by their text, and edges in order."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from kgfm.batch import Batch
from kgfm.encoders.sums import Bags
from kgfm.registry import check_probabilities


class Edges:
    """The edges of a batch in the order of their targets, and of their kinds within each target.

    Sorted once for all layers. A kind is a relation in one direction: ``0 … R-1`` from head to
    tail, ``R … 2R-1`` from tail to head, as in :class:`kgfm.batch.Batch`.

    Attributes:
        source: Node that each edge comes from.
        target: Node that it leads to.
        kind: Of each edge.
        text: Whose subgraph it is part of.
        weight: Of each edge: what the text says of its kind, times ``edge_weight``; 0 if it is
            left out of this training step.
        share: ``1 / |N_r(i)|`` for an edge of kind ``r`` that leads to node ``i``, edges whose
            ``edge_weight`` is zero not counted.
    """

    def __init__(self, batch: Batch, num_kinds: int) -> None:
        key = batch.edge_index[1] * num_kinds + batch.edge_type
        key, order = torch.sort(key, stable=True)
        self.source = batch.edge_index[0].index_select(0, order)
        self.target = key // num_kinds
        self.kind = key - self.target * num_kinds
        self.text = batch.node_text.index_select(0, self.target)
        self.num_nodes, self.num_kinds = batch.node_text.shape[0], num_kinds
        given = batch.edge_weight
        self.weight = torch.ones(key.shape, device=key.device) if given is None else given[order]
        self.share = mean_shares(key, (self.weight != 0).to(self.weight.dtype))
        self._bags: dict[int, Bags] = {}

    def weighted_sums(
        self, x: Float[Tensor, "node width"], weights: Float[Tensor, "edge column"]
    ) -> Float[Tensor, "node column width"]:
        """Sum each node's incoming neighbours, once for each column of weights."""
        columns = weights.shape[1]
        if columns not in self._bags:
            self._bags[columns] = Bags(
                self.source, self.target, self.num_nodes, self.num_nodes, columns
            )
        return self._bags[columns].sum(x, weights)

    def sums(
        self, messages: Float[Tensor, "edge width"], *, both_ways: bool = False
    ) -> Float[Tensor, "node sum_width"]:
        """Sum what each node is told; with ``both_ways`` apart by direction, side by side."""
        parts = 2 if both_ways else 1
        row = self.target * parts
        if both_ways:
            row = row + (self.kind >= self.num_kinds // 2)
        sums = messages.new_zeros(self.num_nodes * parts, messages.shape[1])
        sums = sums.index_add(0, row, messages)
        return sums.view(self.num_nodes, parts * messages.shape[1])


def mean_shares(
    ordered: Int[Tensor, "edge"], counted: Float[Tensor, "edge"]
) -> Float[Tensor, "edge"]:
    """Return for each edge one over the number of counted edges of its group.

    Args:
        ordered: The group of each edge, never falling.
        counted: 1 for an edge that counts, 0 for one that does not.
    """
    begins = torch.ones_like(ordered)
    begins[1:] = ordered[1:] != ordered[:-1]
    group = begins.cumsum(0) - 1
    numbers = torch.zeros_like(counted).index_add(0, group, counted)
    return 1.0 / numbers.clamp(min=1).index_select(0, group)


class Inputs(nn.Module):
    """Nodes start from their text, relations act by theirs, and the text asked weighs the edges.

    A node's first state is its projected text vector, plus a learned mark if it is a seed. What a
    layer knows of a relation is a linear function of the relation's text vector, one function for
    each direction, so a relation never seen in training acts by its text too. With ``query_width``
    given, an edge of kind ``r`` in the subgraph of text ``t`` weighs ``2 sigmoid(<Q q_t, K v_r>)``,
    which starts at 1: the text says which relations matter.

    Args:
        feature_width: Width of the text vectors.
        query_width: Width of the text's own state; 0 leaves the text out.
        width: Width of the node states.
        layers: Number of layers that read edges; 0 for an encoder that reads none.
        relation_width: What each layer is given of a relation: so many numbers.
        relation_std: Of these numbers at the start, for text vectors of length 1.
        seeds: Whether seeds are marked.
        edge_dropout: Part of the edges that a training step leaves out, as in DropEdge (Rong et
            al., 2020, sec. 3.1, https://arxiv.org/abs/1907.10903); the others weigh more instead.

    Raises:
        ValueError: ``edge_dropout`` is no probability under 1.
    """

    def __init__(
        self,
        feature_width: int,
        query_width: int = 0,
        *,
        width: int,
        layers: int = 0,
        relation_width: int = 0,
        relation_std: float = 1.0,
        seeds: bool = True,
        edge_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        check_probabilities(edge_dropout=edge_dropout)
        self.width = width
        self.layers = layers
        self.table_width = layers * relation_width
        self.project = nn.Linear(feature_width, width)
        self.seed_mark = nn.Parameter(torch.randn(width) / width**0.5) if seeds else None
        if not layers:
            return
        self.edge_dropout = nn.Dropout(edge_dropout)
        self.gate_query = nn.Linear(query_width, width, bias=False) if query_width else None
        key_width = 0 if self.gate_query is None else width
        # Numbers for the layers and keys of the gate stand side by side: one product for both.
        self.relation_forward = nn.Linear(feature_width, self.table_width + key_width)
        self.relation_inverse = nn.Linear(feature_width, self.table_width + key_width)
        for linear in (self.relation_forward, self.relation_inverse):
            # torch's own start is ten times smaller, and three hops away nothing would be heard.
            nn.init.normal_(linear.weight[: self.table_width], std=relation_std)
            nn.init.zeros_(linear.bias[: self.table_width])
        if self.gate_query is not None:
            nn.init.zeros_(self.gate_query.weight)

    def nodes(self, batch: Batch) -> Float[Tensor, "node width"]:
        """Return the first state of each node."""
        x = self.project(batch.node_features).index_select(0, batch.node_feature)
        if self.seed_mark is not None:
            x = x + (batch.node_hops == 0)[:, None] * self.seed_mark
        states: Tensor = x
        return states

    def forward(
        self, batch: Batch, query: Float[Tensor, "batch query_width"]
    ) -> tuple[
        Float[Tensor, "node width"], Edges, tuple[Float[Tensor, "kind relation_width"], ...]
    ]:
        """Return the first states, the edges, and each layer's table of their kinds."""
        relations = batch.relation_features
        both = torch.cat([self.relation_forward(relations), self.relation_inverse(relations)])
        tables, keys = both.split([self.table_width, both.shape[1] - self.table_width], dim=1)
        edges = Edges(batch, both.shape[0])
        if self.gate_query is not None:
            gates = 2 * torch.sigmoid(self.gate_query(query) @ keys.T / self.width**0.5)
            place = edges.text * gates.shape[1] + edges.kind
            edges.weight = edges.weight * gates.flatten().index_select(0, place)
        edges.weight = self.edge_dropout(edges.weight)
        return self.nodes(batch), edges, tables.chunk(self.layers, dim=1)
