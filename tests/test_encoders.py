"""Graph encoders: equal to PyG's layer, and the laws that hold for each of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neural import (
    FEATURE_WIDTH,
    NUM_RELATIONS,
    collator,
    make_batch,
    make_prepared,
    opened,
    with_row,
)

from kgfm.encoders import ENCODERS, RGCN, RGCNLayer
from kgfm.encoders.rgcn import mean_over_relation
from kgfm.types import Subgraph

QUERY_WIDTH = 12


def build(name):
    torch.manual_seed(0)
    widths = {"feature_width": FEATURE_WIDTH, "query_width": QUERY_WIDTH}
    encoder = ENCODERS.build(name, **widths)
    return opened(encoder).eval()


@pytest.fixture(params=ENCODERS)
def encoder(request):
    """Each encoder, its zeros moved."""
    return build(request.param)


def queries(batch, seed=0):
    return torch.randn(len(batch), QUERY_WIDTH, generator=torch.Generator().manual_seed(seed))


# The layer.


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 40), st.integers(1, 5), st.integers(1, 4), st.data())
def test_the_layer_equals_pyg(num_nodes, num_edges, num_relations, bases, data):
    from torch_geometric.nn import RGCNConv

    torch.manual_seed(data.draw(st.integers(0, 99)))
    width = 6
    conv = RGCNConv(width, width, num_relations, num_bases=bases, aggr="mean")
    layer = RGCNLayer(width, bases=bases)
    with torch.no_grad():
        conv.bias.normal_()
        layer.basis.copy_(conv.weight)
        layer.root.weight.copy_(conv.root.T)
        layer.root.bias.copy_(conv.bias)
    x = torch.randn(num_nodes, width)
    edge_index = torch.randint(num_nodes, (2, num_edges))  # loops and repeated edges among them
    edge_type = torch.randint(num_relations, (num_edges,))
    scale = mean_over_relation(edge_index[1], edge_type, num_relations)
    found = layer(x, edge_index, conv.comp[edge_type] * scale[:, None])
    torch.testing.assert_close(found, conv(x, edge_index, edge_type), atol=1e-5, rtol=1e-4)


# Every encoder.


def test_permuting_the_nodes_permutes_the_outputs(encoder):
    (text,) = make_prepared((7,))
    order = np.random.default_rng(1).permutation(7)
    place = np.argsort(order)
    graph = text.rows[0].subgraph
    moved = with_row(
        text,
        subgraph=Subgraph(
            graph.nodes[order], place[graph.edge_index], graph.edge_type, graph.hops[order]
        ),
    )
    batch, other = collator().pack([text]), collator().pack([moved])
    query = queries(batch)
    torch.testing.assert_close(encoder(other, query), encoder(batch, query)[order])


def test_one_by_one_equals_all_together(encoder):
    texts = make_prepared((4, 0, 6, 1))
    batch = collator().pack(texts)
    query = queries(batch)
    alone = [
        encoder(collator().pack([text]), query[row : row + 1]) for row, text in enumerate(texts)
    ]
    torch.testing.assert_close(encoder(batch, query), torch.cat(alone))


def test_an_isolated_node_and_an_empty_subgraph_are_finite(encoder):
    batch = collator().pack(make_prepared((1, 0, 3), edges_per_node=0))
    states = encoder(batch, queries(batch))
    assert states.shape == (4, encoder.out_width)
    assert states.isfinite().all()
    nothing = make_batch((0, 0))
    assert encoder(nothing, queries(nothing)).shape == (0, encoder.out_width)


def test_gradients_reach_every_parameter_even_without_a_node(encoder):
    for counts in [(5, 6), (0, 0)]:
        encoder.zero_grad()
        batch = make_batch(counts)
        states = encoder(batch, queries(batch))
        (states * torch.arange(states.numel()).reshape(states.shape)).sum().backward()
        missing = [name for name, p in encoder.named_parameters() if p.grad is None]
        assert missing == []
        if any(counts):
            still = [name for name, p in encoder.named_parameters() if not p.grad.any()]
            assert still == []


def test_weights_of_one_change_nothing(encoder):
    batch = make_batch()
    ones = replace(batch, edge_weight=torch.ones(len(batch.edge_type)))
    assert torch.equal(encoder(batch, queries(batch)), encoder(ones, queries(batch)))


# The R-GCN alone.


def test_an_untrained_query_weighs_every_edge_one():
    torch.manual_seed(0)
    rgcn = RGCN(FEATURE_WIDTH, QUERY_WIDTH).eval()
    batch = make_batch()
    asked = rgcn(batch, queries(batch))
    assert torch.equal(asked, rgcn(batch, queries(batch, seed=1)))
    without = RGCN(FEATURE_WIDTH).eval()
    without.load_state_dict(rgcn.state_dict(), strict=False)
    assert torch.equal(asked, without(batch, queries(batch)))
    opened(rgcn)
    assert not torch.equal(rgcn(batch, queries(batch)), rgcn(batch, queries(batch, seed=1)))


def with_edges(text, kept):
    graph = text.rows[0].subgraph
    return with_row(
        text,
        subgraph=replace(
            graph, edge_index=graph.edge_index[:, kept], edge_type=graph.edge_type[kept]
        ),
    )


def test_an_edge_of_weight_zero_says_nothing_but_keeps_its_place_in_the_mean():
    rgcn = build("rgcn")
    nodes = np.arange(4)
    # Edge 0 is the only one of relation 0; edges 1 and 2 are two of relation 1 that end in node 3.
    graph = Subgraph(nodes, np.array([[0, 1, 2], [1, 3, 3]]), np.array([0, 1, 1]), nodes)
    text = with_row(make_prepared((4,))[0], subgraph=graph)
    batch = collator().pack([text])
    query = queries(batch)

    def states(weight):
        return rgcn(replace(batch, edge_weight=torch.tensor(weight * 2)), query)

    def without(edge):
        return rgcn(collator().pack([with_edges(text, np.arange(3) != edge)]), query)

    torch.testing.assert_close(states([0.0, 1.0, 1.0]), without(0))
    assert not torch.allclose(states([1.0, 0.0, 1.0]), without(1))
    doubled = replace(batch, edge_weight=torch.tensor([1.0, 0.0, 2.0, 1.0, 0.0, 1.0]))
    torch.testing.assert_close(rgcn(doubled, query), without(1))


def test_a_new_relation_has_coefficients_by_its_text():
    rgcn = build("rgcn")
    batch = make_batch()
    longer = replace(
        batch,
        relation_features=torch.cat([batch.relation_features, torch.ones(1, FEATURE_WIDTH)]),
        edge_type=torch.where(
            batch.edge_type < NUM_RELATIONS, batch.edge_type, batch.edge_type + 1
        ),
    )
    torch.testing.assert_close(rgcn(longer, queries(batch)), rgcn(batch, queries(batch)))


def test_left_out_edges_are_missed_in_training_alone():
    torch.manual_seed(0)
    whole, thinned = (
        RGCN(FEATURE_WIDTH, dropout=0.0),
        RGCN(FEATURE_WIDTH, dropout=0.0, edge_dropout=0.5),
    )
    thinned.load_state_dict(whole.state_dict())
    batch = make_batch()
    query = queries(batch)
    assert torch.equal(thinned.eval()(batch, query), whole.eval()(batch, query))
    assert torch.equal(whole.train()(batch, query), whole.eval()(batch, query))
    assert not torch.equal(thinned.train()(batch, query), thinned.eval()(batch, query))


def test_an_untrained_network_hears_what_stands_as_many_hops_away_as_it_has_layers():
    torch.manual_seed(0)
    rgcn = RGCN(64, layers=3).eval()
    text = with_row(
        make_prepared((4,))[0],
        subgraph=Subgraph(
            np.arange(4), np.array([[1, 2, 3], [0, 1, 2]]), np.zeros(3, np.int64), np.arange(4)
        ),
    )
    batch = collator().pack([text])
    features = torch.nn.functional.normalize(torch.randn(5, len(batch.node_features), 64), dim=-1)
    batch = replace(batch, relation_features=features[4, :NUM_RELATIONS], node_features=features[0])
    other = features[0].clone()
    other[batch.node_feature[3]] = features[1, 0]
    query = torch.zeros(1, 0)
    near, far = rgcn(batch, query)[0], rgcn(replace(batch, node_features=other), query)[0]
    assert (near - far).norm() > 0.01 * near.norm()


def test_a_network_without_a_layer_is_refused():
    with pytest.raises(ValueError, match="layers=0: an R-GCN needs at least one"):
        RGCN(FEATURE_WIDTH, layers=0)
