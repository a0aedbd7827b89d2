"""Graph encoders: equal to PyG's layers, and the laws that hold for each of them."""

from __future__ import annotations

from copy import deepcopy
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

from kgfm.encoders import (
    ENCODERS,
    CompGCNLayer,
    Edges,
    GINELayer,
    LayeredEncoder,
    RGCNLayer,
)
from kgfm.encoders.dropout import Dropout
from kgfm.encoders.sums import weighted_sums
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


READING = [name for name, kind in ENCODERS.items() if kind.reads_edges]
reading = pytest.mark.parametrize("encoder", READING, indirect=True)


def edges_of(edge_index, edge_type, num_nodes, num_kinds=2 * NUM_RELATIONS):
    batch = make_batch((num_nodes,))
    return Edges(replace(batch, edge_index=edge_index, edge_type=edge_type), num_kinds)


def random_graph(data, num_nodes, num_edges, num_kinds, width=6):
    """Node states and edges; loops and repeated edges are among them."""
    torch.manual_seed(data.draw(st.integers(0, 99)))
    edge_index = torch.randint(num_nodes, (2, num_edges))
    return torch.randn(num_nodes, width), edge_index, torch.randint(num_kinds, (num_edges,))


# The layers.


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 40), st.integers(1, 5), st.integers(1, 4), st.data())
def test_an_rgcn_layer_equals_pyg(num_nodes, num_edges, num_kinds, bases, data):
    from torch_geometric.nn import RGCNConv

    x, edge_index, edge_type = random_graph(data, num_nodes, num_edges, num_kinds)
    conv = RGCNConv(6, 6, num_kinds, num_bases=bases, aggr="mean")
    layer = RGCNLayer(6, bases=bases)
    with torch.no_grad():
        conv.bias.normal_()
        layer.basis.copy_(conv.weight)
        layer.root.weight.copy_(conv.root.T)
        layer.root.bias.copy_(conv.bias)
    found = layer(x, edges_of(edge_index, edge_type, num_nodes, num_kinds), conv.comp)
    torch.testing.assert_close(found, conv(x, edge_index, edge_type), atol=1e-5, rtol=1e-4)


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 40), st.integers(1, 5), st.data())
def test_a_gine_layer_equals_pyg(num_nodes, num_edges, num_kinds, data):
    from torch_geometric.nn import GINEConv

    x, edge_index, edge_type = random_graph(data, num_nodes, num_edges, num_kinds)
    relations = torch.randn(num_kinds, 6)
    layer = GINELayer(6)
    layer.eps.data.fill_(0.3)
    conv = GINEConv(layer.mlp, eps=0.3)
    found = layer(x, edges_of(edge_index, edge_type, num_nodes, num_kinds), relations)
    expected = conv(x, edge_index, relations[edge_type])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 40), st.integers(1, 3), st.data())
def test_a_compgcn_layer_is_its_formula(num_nodes, num_edges, num_relations, data):
    x, edge_index, kinds = random_graph(data, num_nodes, num_edges, 2 * num_relations)
    relations = torch.randn(2 * num_relations, 6)
    layer = CompGCNLayer(6)
    expected = layer.root(x)
    for source, target, kind in zip(*edge_index, kinds, strict=True):
        number = ((edge_index[1] == target) & (kinds == kind)).sum()
        matrix = layer.direction[int(kind >= num_relations)]
        expected[target] = expected[target] + (x[source] * relations[kind]) @ matrix / number
    found = layer(x, edges_of(edge_index, kinds, num_nodes, 2 * num_relations), relations)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


@settings(max_examples=30)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 30), st.integers(1, 3), st.data())
def test_weighted_sums_and_their_gradients_are_right(sources, targets, num_edges, columns, data):
    torch.manual_seed(data.draw(st.integers(0, 99)))
    edge_index = torch.stack(
        [torch.randint(sources, (num_edges,)), torch.randint(targets, (num_edges,))]
    )
    x = torch.randn(sources, 3, dtype=torch.double, requires_grad=True)
    weights = torch.randn(num_edges, columns, dtype=torch.double, requires_grad=True)
    expected = torch.zeros(targets, columns, 3, dtype=torch.double).index_add(
        0, edge_index[1], weights[:, :, None] * x[edge_index[0]][:, None]
    )
    torch.testing.assert_close(weighted_sums(x, edge_index, weights, targets), expected)
    if num_edges:
        assert torch.autograd.gradcheck(
            lambda x, weights: weighted_sums(x, edge_index, weights, targets), (x, weights)
        )


def test_dropout_leaves_out_its_part_and_keeps_the_mean():
    torch.manual_seed(0)
    dropout, ones = Dropout(0.3), torch.ones(2003, 101, requires_grad=True)
    left = dropout(ones)
    assert abs((left == 0).float().mean() - 0.3) < 0.01
    assert abs(left.mean() - 1) < 0.01
    left.sum().backward()
    assert torch.equal(ones.grad, left)
    assert not torch.equal(dropout(ones), left)
    torch.manual_seed(0)
    assert torch.equal(dropout(ones), left)
    assert torch.equal(dropout.eval()(ones), ones)
    assert torch.equal(Dropout(0.0)(ones), ones)


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


def test_half_precision_is_near_to_full(encoder):
    batch = make_batch()
    with torch.autocast("cpu", torch.bfloat16):
        states = encoder(batch, queries(batch))
        states.float().square().sum().backward()
    torch.testing.assert_close(states.float(), encoder(batch, queries(batch)), atol=0.1, rtol=0.1)


def test_weights_of_one_change_nothing(encoder):
    batch = make_batch()
    ones = replace(batch, edge_weight=torch.ones(len(batch.edge_type)))
    assert torch.equal(encoder(batch, queries(batch)), encoder(ones, queries(batch)))


@pytest.fixture
def asked():
    batch = make_batch((5, 0, 6))
    return batch, queries(batch)


def test_the_order_of_the_edges_is_nothing_to_it(encoder, asked):
    batch, query = asked
    weighted = replace(batch, edge_weight=torch.rand(len(batch.edge_type)))
    order = torch.randperm(len(batch.edge_type))
    moved = replace(
        weighted,
        edge_index=batch.edge_index[:, order],
        edge_type=batch.edge_type[order],
        edge_weight=weighted.edge_weight[order],
    )
    torch.testing.assert_close(encoder(moved, query), encoder(weighted, query))


@pytest.mark.parametrize("seed", range(5))
def test_an_edge_of_weight_zero_is_as_if_it_were_gone(encoder, asked, seed):
    batch, query = asked
    generator = torch.Generator().manual_seed(seed)
    kept = torch.rand(len(batch.edge_type), generator=generator) < 0.6
    weighed = encoder(replace(batch, edge_weight=kept.float()), query)
    without = replace(batch, edge_index=batch.edge_index[:, kept], edge_type=batch.edge_type[kept])
    torch.testing.assert_close(weighed, encoder(without, query))
    assert torch.allclose(weighed, encoder(batch, query)) != encoder.reads_edges


@reading
def test_the_weight_of_an_edge_has_a_gradient(encoder, asked):
    batch, query = asked
    weight = torch.ones(len(batch.edge_type), requires_grad=True)
    encoder(replace(batch, edge_weight=weight), query).square().sum().backward()
    assert (weight.grad != 0).float().mean() > 0.9


def pair(source, target, relation=0):
    """Two nodes, none a seed, and one edge."""
    edge = np.array([[source], [target]])
    graph = Subgraph(np.arange(2), edge, np.array([relation]), np.ones(2, np.int64))
    return collator().pack([with_row(make_prepared((2,))[0], subgraph=graph)])


@reading
def test_an_edge_speaks_both_ways_and_not_alike(encoder):
    batch = pair(0, 1)
    query = queries(batch)
    states = encoder(batch, query)
    for moved in range(2 if encoder.reads_text else 0):
        other = batch.node_features.clone()
        other[batch.node_feature[moved]] += 1.0
        told = encoder(replace(batch, node_features=other), query)
        assert not torch.allclose(told[1 - moved], states[1 - moved])
    assert not torch.allclose(encoder(pair(1, 0), query), states)


@reading
def test_a_new_relation_acts_by_its_text(encoder, asked):
    batch, query = asked
    states = encoder(batch, query)

    def with_new(text):
        """All edges of relation 0 are of a new one."""
        kinds = batch.edge_type
        kinds = torch.where(kinds < NUM_RELATIONS, kinds, kinds + 1)
        kinds = torch.where(kinds == 0, NUM_RELATIONS, kinds)
        kinds = torch.where(kinds == NUM_RELATIONS + 1, 2 * NUM_RELATIONS + 1, kinds)
        features = torch.cat([batch.relation_features, text[None]])
        return encoder(replace(batch, relation_features=features, edge_type=kinds), query)

    torch.testing.assert_close(with_new(batch.relation_features[0]), states)
    assert not torch.allclose(with_new(batch.relation_features[0] + 1.0), states)


def test_weights_are_saved_and_loaded(encoder, asked):
    other = deepcopy(encoder)
    for parameter in other.parameters():
        parameter.data += torch.randn_like(parameter)
    assert not torch.equal(other(*asked), encoder(*asked))
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other(*asked), encoder(*asked))


# Encoders that are a row of layers.


LAYERED = [name for name, kind in ENCODERS.items() if issubclass(kind, LayeredEncoder)]
layered = pytest.mark.parametrize("name", LAYERED)


@layered
def test_an_untrained_query_weighs_every_edge_one(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name](FEATURE_WIDTH, QUERY_WIDTH).eval()
    batch = make_batch()
    states = encoder(batch, queries(batch))
    assert torch.equal(states, encoder(batch, queries(batch, seed=1)))
    opened(encoder)
    assert not torch.equal(encoder(batch, queries(batch)), encoder(batch, queries(batch, seed=1)))


@layered
def test_without_a_query_the_text_has_no_say(name):
    encoder = ENCODERS[name](FEATURE_WIDTH).eval()
    batch = make_batch()
    assert torch.equal(encoder(batch, queries(batch)), encoder(batch, torch.zeros(len(batch), 0)))
    assert not [key for key in encoder.state_dict() if "gate" in key]


@layered
def test_left_out_edges_are_missed_in_training_alone(name):
    torch.manual_seed(0)
    whole = ENCODERS[name](FEATURE_WIDTH, dropout=0.0)
    thinned = ENCODERS[name](FEATURE_WIDTH, dropout=0.0, edge_dropout=0.5)
    thinned.load_state_dict(whole.state_dict())
    batch = make_batch()
    query = queries(batch)
    assert torch.equal(thinned.eval()(batch, query), whole.eval()(batch, query))
    assert torch.equal(whole.train()(batch, query), whole.eval()(batch, query))
    assert not torch.equal(thinned.train()(batch, query), thinned.eval()(batch, query))


@layered
def test_an_untrained_network_hears_what_stands_as_many_hops_away_as_it_has_layers(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name](64, layers=3).eval()
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
    near, far = encoder(batch, query)[0], encoder(replace(batch, node_features=other), query)[0]
    assert (near - far).norm() > 0.01 * near.norm()


@layered
def test_a_network_without_a_layer_is_refused(name):
    with pytest.raises(ValueError, match="layers=0: an encoder that reads edges needs at least"):
        ENCODERS[name](FEATURE_WIDTH, layers=0)
