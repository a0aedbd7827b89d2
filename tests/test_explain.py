"""Evidence: what leaving a triple out does to the score, measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from neural import collator, make_model, make_prepared, opened

from kgfm import Pipeline
from kgfm.explain import explain, propose, scores_without
from kgfm.graph import KnowledgeGraph
from kgfm.synthetic import question_world
from kgfm.types import Example, Prediction

TINY = {"name": "tiny-bert"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, Sequence[Example]]:
    """A small pipeline that has learned to read the graph of a small world, and test questions."""
    folder = tmp_path_factory.mktemp("explained")
    world = question_world(topics=320, relations=2)
    pipeline = Pipeline(
        world.graph,
        backbone=TINY,
        encoder={"name": "rgcn", "width": 32},
        retriever={"name": "hops", "hops": 1},
        max_tokens=24,
    )
    pipeline.fit(
        world.train,
        world.validation,
        epochs=10,
        batch_size=16,
        graph_learning_rate=5e-3,
        folder=folder / "run",
        tensorboard=False,
        accelerator="cpu",
    )
    return pipeline, world.test


def right(pipeline: Pipeline, examples: Sequence[Example]) -> list[Prediction]:
    """Those answers that are right."""
    found = pipeline(list(examples))
    return [p for p, e in zip(found, examples, strict=True) if p.answer in (e.target or ())]


@pytest.mark.slow
def test_removing_the_named_evidence_hurts_more_than_removing_random_triples(
    trained: tuple[Pipeline, Sequence[Example]],
) -> None:
    pipeline, examples = trained
    answered = right(pipeline, examples)
    assert len(answered) > 0.8 * len(examples)
    named, by_chance = [], []
    random = np.random.default_rng(0)
    for prediction in answered[:24]:
        (prepared,) = pipeline.prepare([Example(prediction.text, None, prediction.mentions)])
        edges = prepared.subgraph
        if len(edges.edge_type) < 2:
            continue
        top = prediction.evidence[0]
        keys = pipeline.graph.keys
        heads, tails = edges.nodes[edges.edge_index].tolist()
        which = next(
            row
            for row, (head, kind, tail) in enumerate(
                zip(heads, edges.edge_type.tolist(), tails, strict=True)
            )
            if (keys[head], pipeline.graph.relation_keys[kind], keys[tail])
            == (top.head, top.relation, top.tail)
        )
        other = int(random.choice([row for row in range(len(heads)) if row != which]))
        node = int(np.flatnonzero(edges.nodes == pipeline.graph.row(prediction.answer))[0])
        whole, without, chance = scores_without(
            pipeline.model, pipeline.collator, prepared, node, [[which], [other]]
        )
        named.append(whole - without)
        by_chance.append(whole - chance)
    assert np.mean(named) > np.mean(by_chance) + 0.2


@pytest.mark.slow
def test_evidence_comes_largest_first_and_is_what_the_score_falls_by(
    trained: tuple[Pipeline, Sequence[Example]],
) -> None:
    pipeline, examples = trained
    keys = pipeline.graph.keys
    for prediction in right(pipeline, examples)[:8]:
        changes = [item.change for item in prediction.evidence]
        assert changes == sorted(changes, reverse=True)
        # The model may point at what the other relation leads to, and answer by elimination.
        assert changes[0] > 0.2
        (whole,) = pipeline.prepare([Example(prediction.text, None, prediction.mentions)])
        edges = whole.subgraph
        heads, tails = (edges.nodes[row].tolist() for row in edges.edge_index)
        for item in prediction.evidence:
            kept = [
                (keys[head], pipeline.graph.relation_keys[kind], keys[tail])
                != (item.head, item.relation, item.tail)
                for head, kind, tail in zip(heads, edges.edge_type.tolist(), tails, strict=True)
            ]
            poorer = replace(
                edges, edge_index=edges.edge_index[:, kept], edge_type=edges.edge_type[kept]
            )
            batch = pipeline.collator.pack([replace(whole, subgraph=poorer)])
            _, scores = pipeline.model.predict(batch)
            row = [keys[entity] for entity in batch.node_entity.tolist()].index(prediction.answer)
            assert float(scores[row]) == pytest.approx(prediction.score - item.change, abs=1e-5)


def test_a_triple_is_left_out_with_its_inverse_in_one_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, pack = opened(make_model()), collator()
    (prepared,) = make_prepared([6])
    batches = []
    forward = model.forward

    def seen(batch):
        batches.append(batch)
        return forward(batch)

    monkeypatch.setattr(model, "forward", seen)
    edges = len(prepared.subgraph.edge_type)
    scores_without(model, pack, prepared, 1, [[0], [1], [2, 3]])
    (batch,) = batches
    per_text = np.bincount(batch.node_text[batch.edge_index[1]].numpy(), minlength=4)
    assert per_text.tolist() == [2 * edges, 2 * edges - 2, 2 * edges - 2, 2 * edges - 4]


def test_no_more_triples_are_tried_than_the_limit() -> None:
    model, pack = opened(make_model()), collator()
    (prepared,) = make_prepared([12], edges_per_node=6)
    assert len(prepared.subgraph.edge_type) > 32
    assert len(propose(model, pack.pack([prepared]), 1, 32)) == 32
    assert len({*propose(model, pack.pack([prepared]), 1, 5)}) == 5


def test_the_proposal_is_gradient_times_value() -> None:
    model, pack = opened(make_model()), collator()
    (prepared,) = make_prepared([8])
    chosen = propose(model, pack.pack([prepared]), 2, 3)
    whole, *without = scores_without(
        model, pack, prepared, 2, [[edge] for edge in range(len(prepared.subgraph.edge_type))]
    )
    falls = np.abs(whole - np.array(without))
    assert falls[chosen].mean() > falls.mean()


@pytest.mark.parametrize("count", [0, 1])
def test_a_text_without_triples_has_no_evidence(count: int) -> None:
    (prepared,) = make_prepared([count])
    graph = KnowledgeGraph.from_records([], [("a", "r", "b")])
    assert explain(make_model(), collator(), prepared, None, graph) == ()


@pytest.mark.parametrize("encoder", ["text"])
def test_an_encoder_that_looks_at_no_edge_has_no_evidence(encoder: str) -> None:
    (prepared,) = make_prepared([6])
    graph = KnowledgeGraph.from_records([], [("a", "r", "b")])
    assert explain(make_model(encoder=encoder), collator(), prepared, 1, graph) == ()


def test_evidence_is_computed_only_when_asked_for_and_once() -> None:
    asked = []
    found = Prediction("t", "a", 1.0, _explain=lambda: asked.append(1) or ())
    assert not asked
    assert found.evidence == found.evidence == ()
    assert asked == [1]


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_evidence_can_be_asked_for_where_gradients_are_off(off: Callable[[], Any]) -> None:
    graph = question_world(topics=8).graph
    made = Pipeline(graph, backbone=TINY, text_encoder=TINY, encoder={"name": "rgcn", "width": 16})
    opened(made.model)
    prediction = made(f"Who is the rival of {graph.label(graph.keys[0])}?")
    with off():
        evidence = prediction.evidence
    assert evidence
    assert all(parameter.grad is None for parameter in made.model.parameters())
