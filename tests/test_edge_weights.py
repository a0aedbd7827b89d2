"""How much an edge says: from the attribute of a triple to the encoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kgfm import KnowledgeGraph, Pipeline
from kgfm.retrieval import RETRIEVERS, HopRetriever, drop_triples
from kgfm.retrieval.altered import RandomEdges, ShuffledEdges, WithoutEdges
from kgfm.types import Asked, Subgraph

TRIPLES = [("w0", "evokes", "joy"), ("w1", "evokes", "joy"), ("w2", "evokes", "fear")]
TINY = {"backbone": "tiny-bert", "text_encoder": "tiny-bert"}


def make(weights, name="weight"):
    entities = [{"key": key, "label": key} for key in ("w0", "w1", "w2", "joy", "fear")]
    more = [*TRIPLES, ("w0", "near", "w1")]
    values = [*weights, None]
    return KnowledgeGraph.from_records(entities, more, edge_attributes={name: values})


def weights_of(graph, cut):
    heads, tails = cut.nodes[cut.edge_index].tolist()
    return {
        (graph.keys[h], graph.relation_keys[r], graph.keys[t]): round(w, 4)
        for h, r, t, w in zip(
            heads, cut.edge_type.tolist(), tails, cut.edge_weight.tolist(), strict=True
        )
    }


def test_weights_are_told_beside_the_usual_one_of_their_relation():
    graph = make([0.2, 0.4, 0.6])
    expected = dict(zip([*TRIPLES, ("w0", "near", "w1")], [0.5, 1.0, 1.5, 1.0], strict=True))
    columns = (graph.heads, graph.relations, graph.tails, graph.edge_weights)
    for h, r, t, weight in zip(*(column.tolist() for column in columns), strict=True):
        triple = (graph.keys[h], graph.relation_keys[r], graph.keys[t])
        assert weight == pytest.approx(expected[triple])
    again = make([2000, 4000, 6000]).edge_weights
    np.testing.assert_allclose(again, graph.edge_weights)
    assert make([-1, 1, 1]).edge_weights.tolist().count(-1.0) == 1
    assert make([0, 0, 0]).edge_weights.tolist().count(0.0) == 3


def test_a_graph_without_numbers_as_weights_has_none():
    assert make([1, 2, 3], name="since").edge_weights is None
    assert make(["heavy", "light", "light"]).edge_weights is None
    assert KnowledgeGraph.from_records([], TRIPLES).edge_weights is None


@pytest.mark.parametrize("name", ["hops", "ppr", "paths"])
def test_every_cut_brings_the_weights_of_its_edges_along(name):
    graph = make([0.2, 0.4, 0.6])
    asked = [Asked.at(graph.rows(keys)) for keys in (["w0", "w2"], ["w1"], [])]
    for cut in RETRIEVERS.build(name, graph=graph).retrieve(asked):
        places = dict(zip([*TRIPLES, ("w0", "near", "w1")], [0.5, 1.0, 1.5, 1.0], strict=True))
        found = weights_of(graph, cut)
        assert found == {triple: places[triple] for triple in found}
    plain = RETRIEVERS.build(name, graph=KnowledgeGraph.from_records([], TRIPLES))
    assert all(cut.edge_weight is None for cut in plain.retrieve([Asked.at([0])]))


def test_the_weight_goes_with_the_relation_where_edges_are_others():
    graph = make([0.2, 0.4, 0.6])
    hops = HopRetriever(graph)
    asked = [Asked.at(graph.rows(["w0", "w2"]))]
    (true,) = hops.retrieve(asked)

    def pairs(cut):
        return sorted(zip(cut.edge_type.tolist(), cut.edge_weight.tolist(), strict=True))

    for kind in (ShuffledEdges, RandomEdges):
        assert pairs(kind(hops).retrieve(asked)[0]) == pairs(true)
    assert WithoutEdges(hops).retrieve(asked)[0].edge_weight is None
    hidden = np.array([[graph.row("w0"), graph.relation_row("evokes"), graph.row("joy")]])
    left = weights_of(graph, drop_triples(true, hidden))
    assert left == {k: w for k, w in weights_of(graph, true).items() if k != TRIPLES[0]}
    shuffled = graph.shuffled(0)
    assert sorted(shuffled.edge_weights.tolist()) == sorted(graph.edge_weights.tolist())


def test_there_is_a_weight_for_each_edge():
    none = np.empty(0, np.int64)
    with pytest.raises((ValueError, TypeError)):
        Subgraph(none, np.empty((2, 0), np.int64), none, none, edge_weight=np.ones(2))


@pytest.mark.parametrize("encoder", ["rgcn", "compgcn", "gine"])
def test_the_weights_reach_the_encoder(encoder):
    states = []
    for weights in ([0.2, 0.4, 0.6], [0.6, 0.4, 0.2], [1, 1, 1]):
        graph = make(weights)
        pipe = Pipeline(graph, task="answer", encoder={"name": encoder, "width": 16}, **TINY)
        batch = pipe.collator.pack(pipe.prepare(["w0 and w2", "w1"]))
        assert batch.edge_weight.shape == batch.edge_type.shape
        query = torch.zeros(2, 32)
        with torch.no_grad():
            states.append(pipe.model.encoder(batch, query))
            plain = pipe.model.encoder(replace(batch, edge_weight=None), query)
        if weights == [1, 1, 1]:
            torch.testing.assert_close(plain, states[-1])
        else:
            assert not torch.allclose(plain, states[-1])
    assert not torch.allclose(states[0], states[1])


def test_a_batch_of_graphs_without_weights_has_none():
    graph = make([1, 2, 3], name="since")
    pipe = Pipeline(graph, task="answer", encoder={"name": "rgcn", "width": 16}, **TINY)
    assert pipe.collator.pack(pipe.prepare(["w0"])).edge_weight is None


def test_evidence_is_proposed_by_what_edges_weigh():
    graph = make([0.0, 0.4, 0.6])
    pipe = Pipeline(graph, task="answer", encoder={"name": "rgcn", "width": 16}, **TINY)
    found = pipe.explain(pipe("w0 and w2"))
    change = {one.items[0]: one.change for one in found}
    assert change[TRIPLES[0]] == pytest.approx(0, abs=1e-6)  # an edge of weight 0 is gone anyway
