"""The counter: weighted edges are counted, and no text of a node is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from neural import FEATURE_WIDTH, collator, make_batch, make_prepared, with_row

from kgfm.encoders import Counter
from kgfm.types import Subgraph


def counter(**settings) -> Counter:
    torch.manual_seed(0)
    return Counter(FEATURE_WIDTH, **settings).eval()


def query_of(batch) -> torch.Tensor:
    return torch.zeros(len(batch), 0)


def test_two_rounds_are_counted_as_by_hand() -> None:
    nodes = np.arange(3)
    graph = Subgraph(nodes, np.array([[0, 1], [1, 2]]), np.array([0, 1]), nodes)
    batch = collator().pack([with_row(make_prepared((3,))[0], subgraph=graph)])
    encoder = counter(rounds=2)
    relations = batch.relation_features
    forward = encoder.edge_forward(relations).flatten()
    inverse = encoder.edge_inverse(relations).flatten()
    seed, (a, b), (a_back, b_back) = torch.tensor(1.0), forward[:2], inverse[:2]
    first = [seed + a_back, seed + a + b_back, b]
    second = [
        first[0] + first[1] + a_back,
        first[1] + first[0] + a + first[2] + b_back,
        first[2] + first[1] + b,
    ]
    # In the first round node 1 hears node 2, which has counted nothing yet.
    torch.testing.assert_close(encoder.count(batch), torch.stack(second))


def test_what_a_node_is_called_changes_nothing() -> None:
    batch, encoder = make_batch(), counter()
    other = replace(batch, node_features=torch.randn_like(batch.node_features))
    assert torch.equal(encoder(batch, query_of(batch)), encoder(other, query_of(batch)))


def test_an_edge_of_weight_zero_is_as_if_it_were_gone() -> None:
    (text,) = make_prepared((6,))
    graph = text.rows[0].subgraph
    kept = np.arange(len(graph.edge_type)) % 2 == 0
    fewer = replace(graph, edge_index=graph.edge_index[:, kept], edge_type=graph.edge_type[kept])
    batch = collator().pack([text])
    weights = torch.from_numpy(np.tile(kept, 2)).float()
    without = collator().pack([with_row(text, subgraph=fewer)])
    encoder = counter()
    torch.testing.assert_close(
        encoder(replace(batch, edge_weight=weights), query_of(batch)),
        encoder(without, query_of(without)),
    )


def test_states_stay_within_reach_however_many_edges_are_counted() -> None:
    nodes = np.arange(30)
    hub = np.array([[0] * 29, list(range(1, 30))])
    graph = Subgraph(nodes, hub, np.zeros(29, np.int64), np.minimum(nodes, 1))
    batch = collator().pack([with_row(make_prepared((30,))[0], subgraph=graph)])
    states = counter(rounds=8)(batch, query_of(batch))
    assert states.isfinite().all()
    assert states.abs().max() < 10


def test_a_counter_that_never_counts_is_refused() -> None:
    with pytest.raises(ValueError, match="rounds=0: a counter needs at least one"):
        counter(rounds=0)
