"""Evidence: what leaving a triple out does to the score, measured."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from neural import opened

from kgfm import Pipeline
from kgfm.batch import Batch, Prepared
from kgfm.explain import scores_without, triples_of
from kgfm.graph import KnowledgeGraph
from kgfm.retrieval import HopRetriever
from kgfm.synthetic import question_world
from kgfm.tasks import Output
from kgfm.types import NIL, Asked, Evidence, Example, Path, Prediction, Subgraph

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
        retriever={"name": "hops", "hops": 1, "fan_out": None, "budget": 1000},
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


def as_asked(pipeline: Pipeline, prediction: Prediction) -> Callable[..., list[Prepared]]:
    """What makes a prediction's question ready without some triples."""
    return partial(pipeline.questions.variants, prediction.example)


def option_of(pipeline: Pipeline, prediction: Prediction) -> int:
    return pipeline.task.option(prediction.answer, prediction.example, pipeline.graph)


def rows_of(pipeline: Pipeline, evidence: Evidence) -> np.ndarray:
    """The triples of an evidence as rows of the graph."""
    graph = pipeline.graph
    return np.array(
        [(graph.row(h), graph.relation_row(r), graph.row(t)) for h, r, t in evidence.triples]
    )


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
        ask = as_asked(pipeline, prediction)
        (whole,) = ask([np.empty((0, 3), np.int64)])
        triples = triples_of(whole.rows[0].subgraph)
        if len(triples) < 2:
            continue
        top = rows_of(pipeline, pipeline.explain(prediction)[0])
        others = triples[(triples != top).any(1)]
        chance = others[random.integers(len(others))][None]
        _, (score, without, other) = scores_without(
            pipeline.model,
            pipeline.collator,
            ask,
            [top, chance],
            option_of(pipeline, prediction),
        )
        named.append(score - without)
        by_chance.append(score - other)
    assert np.mean(named) > np.mean(by_chance) + 0.2


@pytest.mark.slow
def test_evidence_comes_largest_first_and_is_what_the_score_falls_by(
    trained: tuple[Pipeline, Sequence[Example]],
) -> None:
    pipeline, examples = trained
    graph = pipeline.graph
    for prediction in right(pipeline, examples)[:8]:
        evidence = pipeline.explain(prediction)
        changes = [item.change for item in evidence]
        assert changes == sorted(changes, reverse=True)
        # The model may point at what the other relation leads to, and answer by elimination.
        assert changes[0] > 0.2
        for item in evidence:
            (left_out,) = item.triples
            kept = [
                (graph.keys[h], graph.relation_keys[r], graph.keys[t])
                for h, r, t in zip(
                    graph.heads.tolist(),
                    graph.relations.tolist(),
                    graph.tails.tolist(),
                    strict=True,
                )
            ]
            kept.remove(left_out)
            records = [{"key": key, "label": graph.label(key)} for key in graph.keys]
            poorer = KnowledgeGraph.from_records(records, kept)
            again = Pipeline(
                poorer,
                **{
                    **pipeline.parts,
                    "backbone": pipeline.model.backbone,
                    "encoder": pipeline.model.encoder,
                    "fusion": None,
                    "task": pipeline.task,
                },
                max_tokens=24,
                vectors=pipeline.vectors,  # the same entities in the same rows
            )
            again.__dict__["model"] = pipeline.model
            found = dict(again(prediction.example).scores)
            expected = prediction.score - item.change
            assert found.get(prediction.answer, 0.0) == pytest.approx(expected, abs=1e-5)


def answering(**more: Any) -> Pipeline:
    graph = question_world(topics=8).graph
    encoder = {"name": "rgcn", "width": 16}
    made = Pipeline(graph, **{"backbone": TINY, "text_encoder": TINY, "encoder": encoder, **more})
    opened(made.model)
    return made


def question(pipeline: Pipeline, row: int = 0) -> str:
    return f"Who is the rival of {pipeline.graph.label(pipeline.graph.keys[row])}?"


def test_a_triple_is_left_out_with_its_inverse_in_one_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pipeline = answering()
    prediction = pipeline(question(pipeline))
    ask = as_asked(pipeline, prediction)
    (whole,) = ask([np.empty((0, 3), np.int64)])
    triples = triples_of(whole.rows[0].subgraph)
    batches = []
    forward = pipeline.model.forward

    def seen(batch: Batch) -> Output:
        batches.append(batch)
        return forward(batch)

    monkeypatch.setattr(pipeline.model, "forward", seen)
    removed = [triples[:1], triples[1:2]]
    scores_without(pipeline.model, pipeline.collator, ask, removed, option_of(pipeline, prediction))
    (batch,) = batches
    there, back = batch.edge_index.chunk(2, dim=1)
    assert torch.equal(back, there.flip(0))
    for text, left_out in enumerate([triples[:0], *removed]):
        edges = batch.node_text[there[0]] == text
        heads, tails = batch.node_entity[there[:, edges]].tolist()
        relations = batch.edge_type[: there.shape[1]][edges].tolist()
        shown = set(zip(heads, relations, tails, strict=True))
        assert shown.isdisjoint(map(tuple, left_out.tolist()))
        assert shown


def test_no_more_triples_are_tried_than_the_limit() -> None:
    pipeline = answering()
    text = question(pipeline)
    assert len(pipeline.explain(text)) > 1
    assert len(pipeline.explain(text, limit=1)) == 1


def test_any_answer_can_be_asked_for_and_an_impossible_one_is_refused() -> None:
    pipeline = answering()
    prediction = pipeline(question(pipeline))
    second = next(key for key, _ in prediction.scores[1:] if key != NIL)
    assert pipeline.explain(prediction, second)
    assert pipeline.explain(prediction, NIL)
    assert pipeline.explain(prediction, second) != pipeline.explain(prediction, prediction.answer)
    with pytest.raises(ValueError, match="No entity 'nobody'"):
        pipeline.explain(prediction, "nobody")


class Opinion(HopRetriever):
    """A retriever with a prior and a path that rest on the triples it cuts."""

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        return [self._with_opinion(cut) for cut in super().retrieve(asked)]

    def _with_opinion(self, cut: Subgraph) -> Subgraph:
        degree = np.bincount(cut.edge_index.reshape(-1), minlength=len(cut.nodes))
        heads, tails = cut.edge_index
        pairs = [
            Path((int(heads[a]), int(tails[a]), int(tails[b])), (a, b))
            for a in range(len(tails))
            for b in range(len(tails))
            if tails[a] == heads[b] and a != b
        ]
        return replace(cut, prior=degree.astype(np.float32), paths=tuple(pairs))


def test_the_text_is_asked_anew_so_that_prior_and_paths_change_too() -> None:
    records = [{"key": key, "label": key.title()} for key in ("peru", "lima", "rimac")]
    triples = [("peru", "capital", "lima"), ("lima", "river", "rimac"), ("rimac", "in", "peru")]
    graph = KnowledgeGraph.from_records(records, triples)
    made = Pipeline(
        graph,
        retriever=Opinion(graph),
        backbone=TINY,
        text_encoder=TINY,
        encoder={"name": "text", "width": 16},
        fusion=None,
    )
    prediction = made("What is the capital of Peru?")
    # The encoder sees no edge: all that a triple changes is the retriever's opinion.
    ask = as_asked(made, prediction)
    (first,) = ask([np.empty((0, 3), np.int64)])
    removed = triples_of(first.rows[0].subgraph)[:1]
    (poorer,) = ask([removed])
    assert first.rows[0].subgraph.prior.tolist() != poorer.rows[0].subgraph.prior.tolist()
    evidence = made.explain(prediction)
    assert {one.kind for one in evidence} == {"path", "triple"}
    assert any(abs(one.change) > 1e-3 for one in evidence)
    assert {len(one.triples) for one in evidence if one.kind == "path"} == {2}
    steps = {triple for one in evidence if one.kind == "path" for triple in one.triples}
    assert steps == {triple for one in evidence if one.kind == "triple" for triple in one.triples}


class Deaf(HopRetriever):
    """A retriever that does not know that triples may be hidden."""

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        return super().retrieve([replace(one, without=one.without[:0]) for one in asked])


def test_a_retriever_that_ignores_what_is_hidden_is_corrected() -> None:
    graph = question_world(topics=8).graph
    hops, deaf = answering(), answering(retriever=Deaf(graph))
    deaf.model.load_state_dict(hops.model.state_dict())
    text = question(hops)
    first, second = hops.explain(text), deaf.explain(text)
    assert {one.items for one in first} == {one.items for one in second}
    assert any(abs(one.change) > 1e-6 for one in second)


def test_a_text_without_triples_has_no_evidence() -> None:
    assert answering().explain("Nobody is named here.") == ()
    assert answering(retriever={"name": "hops", "hops": 0}).explain("Nobody.") == ()


def test_an_encoder_that_looks_at_no_edge_has_no_evidence() -> None:
    pipeline = answering(encoder={"name": "text", "width": 16})
    assert pipeline.explain(question(pipeline)) == ()


def test_a_text_that_is_cut_is_said_to_be_one_and_not_one_for_each_triple() -> None:
    pipeline = answering(max_tokens=16)
    text = question(pipeline) + " and so on" * 20
    with pytest.warns(UserWarning, match="longer than max_tokens") as said:
        assert pipeline.explain(text)
    assert {str(one.message).partition(" are")[0] for one in said} == {"1 of 1 texts"}


def test_a_prediction_is_plain_values_and_is_explained_after_its_travels() -> None:
    pipeline = answering()
    prediction = pipeline(question(pipeline))
    sent = pickle.dumps(prediction)
    assert len(sent) < 10_000
    back = pickle.loads(sent)
    assert back == prediction
    assert pipeline.explain(back) == pipeline.explain(prediction)
    record = prediction.to_dict()
    assert json.loads(json.dumps(record)) == record
    assert record["mentions"][0]["entity"] == prediction.mentions[0].entity


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_evidence_can_be_asked_for_where_gradients_are_off(off: Callable[[], Any]) -> None:
    graph = question_world(topics=8).graph
    made = Pipeline(graph, backbone=TINY, text_encoder=TINY, encoder={"name": "rgcn", "width": 16})
    opened(made.model)
    prediction = made(f"Who is the rival of {graph.label(graph.keys[0])}?")
    with off():
        evidence = made.explain(prediction)
    assert evidence
    assert all(parameter.grad is None for parameter in made.model.parameters())
