"""A relational graph convolution, written densely: aggregate first, then one matrix product."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgfm.batch import Batch
from kgfm.encoders.base import GraphEncoder
from kgfm.registry import check_probabilities


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
        edge_index: Int[Tensor, "2 edge"],
        weights: Float[Tensor, "edge base"],
    ) -> Float[Tensor, "node width"]:
        """Return the new node states; ``weights`` is ``c_rk / |N_r(i)|`` for each edge."""
        summed = weighted_sums(x, edge_index, weights)
        out: Tensor = self.root(x) + summed.flatten(1) @ self.basis.flatten(0, 1)
        return out


def weighted_sums(
    x: Float[Tensor, "node width"],
    edge_index: Int[Tensor, "2 edge"],
    weights: Float[Tensor, "edge base"],
    num_targets: int | None = None,
) -> Float[Tensor, "target base width"]:
    """Sum each node's incoming neighbours, once for each column of weights.

    With ``num_targets``, only of the first so many nodes, to which all edges then lead.
    ``embedding_bag`` reads the rows in place, forward and backward: no array of edges by width is
    ever made, which halves the time of gathering, weighing and ``index_add``.
    """
    num_bases, num_edges = weights.shape[1], weights.shape[0]
    num_targets = len(x) if num_targets is None else num_targets
    order = torch.argsort(edge_index[1], stable=True)
    source = edge_index[0].index_select(0, order)
    starts = torch.searchsorted(
        edge_index[1].index_select(0, order), torch.arange(num_targets, device=x.device)
    )
    shift = torch.arange(num_bases, device=x.device)[:, None] * num_edges
    sums = functional.embedding_bag(
        source.repeat(num_bases),
        x,
        (starts + shift).flatten(),
        mode="sum",
        per_sample_weights=weights.index_select(0, order).T.flatten(),
    )
    by_node: Tensor = sums.unflatten(0, (num_bases, num_targets)).transpose(0, 1)
    return by_node


class RGCN(GraphEncoder):
    """R-GCN over text: nodes start from their text, relations act by theirs.

    A node's first state is its projected text vector, plus a learned mark if it is a seed. The
    coefficients ``c_rk`` are a linear function of the relation's text vector, one function for
    each direction, so a relation never seen in training has coefficients too. With ``query``
    given, edge ``e`` of relation ``r`` in the subgraph of text ``t`` weighs
    ``2 sigmoid(<Q q_t, K v_r>)``, which starts at 1: the text says which relations matter.

    Args:
        feature_width: Width of the text vectors.
        query_width: Width of the text's own state; 0 leaves the text out.
        width: Width of the node states.
        layers: Number of layers, hence of hops that a message travels.
        bases: Number of basis matrices of each layer.
        dropout: After each layer.
        edge_dropout: Part of the edges that a training step leaves out, as in DropEdge (Rong et
            al., 2020, sec. 3.1, https://arxiv.org/abs/1907.10903); the others weigh more instead.

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
        super().__init__()
        if layers < 1:
            raise ValueError(f"layers={layers}: an R-GCN needs at least one.")
        check_probabilities(dropout=dropout, edge_dropout=edge_dropout)
        self.out_width = width
        self.project = nn.Linear(feature_width, width)
        self.seed_mark = nn.Parameter(torch.randn(width) / width**0.5)
        self.forward_coefficients = nn.Linear(feature_width, layers * bases)
        self.inverse_coefficients = nn.Linear(feature_width, layers * bases)
        for coefficients in (self.forward_coefficients, self.inverse_coefficients):
            # With text vectors of length 1, a message starts as large as the state that it meets;
            # torch's own start is ten times smaller, and three hops away nothing would be heard.
            nn.init.normal_(coefficients.weight, std=bases**-0.5)
            nn.init.zeros_(coefficients.bias)
        self.layers = nn.ModuleList([RGCNLayer(width, bases=bases) for _ in range(layers)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(layers)])
        self.dropout = nn.Dropout(dropout)
        self.edge_dropout = nn.Dropout(edge_dropout)
        self.gate_query = nn.Linear(query_width, width, bias=False) if query_width else None
        if self.gate_query is not None:
            nn.init.zeros_(self.gate_query.weight)
            self.gate_forward = nn.Linear(feature_width, width)
            self.gate_inverse = nn.Linear(feature_width, width)

    def forward(
        self, batch: Batch, query: Float[Tensor, "batch query_width"]
    ) -> Float[Tensor, "node node_width"]:
        """Return the state of each node."""
        x = self.project(batch.node_features).index_select(0, batch.node_feature)
        x = x + (batch.node_hops == 0)[:, None] * self.seed_mark
        weights = self._edge_weights(batch, query).unflatten(1, (len(self.layers), -1))
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            update = functional.gelu(layer(x, batch.edge_index, weights[:, number]))
            x = norm(x + self.dropout(update))
        states: Tensor = x
        return states

    def _edge_weights(self, batch: Batch, query: Tensor) -> Float[Tensor, "edge layer_base"]:
        relations = batch.relation_features
        table = _both_ways(relations, self.forward_coefficients, self.inverse_coefficients)
        scale = mean_over_relation(batch.edge_index[1], batch.edge_type, len(table))
        if self.gate_query is not None:
            keys = _both_ways(relations, self.gate_forward, self.gate_inverse)
            gates = 2 * torch.sigmoid(self.gate_query(query) @ keys.T / keys.shape[1] ** 0.5)
            scale = scale * gates[batch.node_text[batch.edge_index[1]], batch.edge_type]
        if batch.edge_weight is not None:
            scale = scale * batch.edge_weight
        kept: Tensor = self.edge_dropout(scale)
        return table.index_select(0, batch.edge_type) * kept[:, None]


def _both_ways(relations: Tensor, there: nn.Linear, back: nn.Linear) -> Tensor:
    """Rows ``0..R-1`` for the relations from head to tail, ``R..2R-1`` for their inverses."""
    return torch.cat([there(relations), back(relations)])


def mean_over_relation(
    target: Int[Tensor, "edge"], edge_type: Int[Tensor, "edge"], num_types: int
) -> Float[Tensor, "edge"]:
    """Return ``1 / |N_r(i)|`` for each edge of type ``r`` that ends in node ``i``."""
    group = target * num_types + edge_type
    _, place, count = torch.unique(group, return_inverse=True, return_counts=True)
    weight: Tensor = 1.0 / count[place]
    return weight
