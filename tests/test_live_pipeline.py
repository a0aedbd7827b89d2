"""A pipeline over a live graph: the snapshot's answers, and the text alone without a server."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from live_servers import SnapshotServer
from sparql_server import oxigraph_server
from test_sparql import WORLD as WORLD_FILE
from test_sparql import as_n_triples

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker, WordLinker
from kgfm.pipeline import Pipeline
from kgfm.retrieval import LiveGraph, LiveRetriever
from kgfm.retrieval.live_sparql import SparqlServer
from kgfm.stores.server import ServerUnavailableError
from kgfm.synthetic import question_world
from kgfm.types import Example, Mention

PARTS = {
    "retriever": {"name": "hops", "hops": 1, "budget": 12},
    "backbone": "tiny-bert",
    "text_encoder": "tiny-bert",
    "encoder": {"name": "rgcn", "width": 16},
}
WORLD = question_world(topics=24)
TEXTS = [*WORLD.test[:6], Example("Nothing that the graph knows.", mentions=())]


def opened(pipeline: Pipeline) -> Pipeline:
    """Let the graph speak: an untrained fusion is the identity."""
    for name, weights in pipeline.model.named_parameters():
        if "fusion" in name:
            weights.data.add_(0.05)
    return pipeline


@pytest.fixture
def snapshot() -> Pipeline:
    return opened(Pipeline(WORLD.graph, **PARTS))


@pytest.fixture
def server() -> SnapshotServer:
    return SnapshotServer(WORLD.graph)


@pytest.fixture
def live(server: SnapshotServer) -> Pipeline:
    return opened(Pipeline(LiveGraph(server), Linker(WORLD.graph), **PARTS))


def test_a_live_pipeline_answers_as_one_over_the_snapshot(
    snapshot: Pipeline, live: Pipeline
) -> None:
    for expected, found in zip(snapshot(TEXTS), live(TEXTS), strict=True):
        assert found.answer == expected.answer
        assert found.graph_used == expected.graph_used
        assert dict(found.scores) == pytest.approx(dict(expected.scores), abs=1e-3)
    assert [prediction.graph_used for prediction in live(TEXTS)] == [True] * 6 + [False]


def test_a_live_pipeline_has_words_as_one_over_the_snapshot_has(server: SnapshotServer) -> None:
    parts = {**PARTS, "fusion": "mention-add"}
    linker, words = Linker(WORLD.graph), WordLinker(WORLD.graph)
    over = opened(Pipeline(WORLD.graph, None, words=words, **parts))
    live = opened(Pipeline(LiveGraph(server), None, words=words, **parts))
    texts = [example.text for example in WORLD.test[:4]]
    for expected, found, mentions in zip(over(texts), live(texts), linker.link(texts), strict=True):
        assert found.words == expected.words
        assert {word.entity for word in found.words} >= {one.entity for one in mentions}
        assert dict(found.scores) == pytest.approx(dict(expected.scores), abs=1e-3)
    with pytest.raises(TypeError, match="cannot list its names for the linker 'words'"):
        Pipeline(LiveGraph(server), None, words="words", **parts)


def test_without_its_server_it_answers_from_the_text_alone_and_says_so(
    snapshot: Pipeline, live: Pipeline, server: SnapshotServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.down = True
    with caplog.at_level(logging.WARNING):
        found = live(TEXTS)
    assert not any(prediction.graph_used for prediction in found)
    assert "without the graph" in caplog.text
    for example in TEXTS:
        assert example.text not in caplog.text
    alone = snapshot([Example(example.text, mentions=()) for example in TEXTS])
    for expected, prediction in zip(alone, found, strict=True):
        assert prediction.answer == expected.answer
        assert prediction.score == pytest.approx(expected.score, abs=1e-6)
    server.down = False


def test_figures_are_never_of_texts_that_missed_the_graph(
    live: Pipeline, server: SnapshotServer
) -> None:
    server.down = True
    with pytest.raises(ServerUnavailableError):
        live.evaluate(WORLD.test[:4])


def test_a_saved_pipeline_goes_on_live_with_the_names_of_its_snapshot(
    snapshot: Pipeline, server: SnapshotServer, tmp_path: Path
) -> None:
    snapshot.save(tmp_path / "saved")
    live = Pipeline.load(tmp_path / "saved", graph=LiveGraph(server))
    texts = [example.text for example in TEXTS]
    assert [p.answer for p in live(texts)] == [p.answer for p in snapshot(texts)]
    assert server.questions
    assert live.retriever.config()["budget"] == 12
    with pytest.raises(TypeError, match="stays on its server"):
        live.save(tmp_path / "other")


def test_evidence_names_the_triples_of_the_server(live: Pipeline) -> None:
    prediction = live(TEXTS[0])
    triples = WORLD.graph
    known = {
        (triples.keys[h], triples.relation_keys[r], triples.keys[t])
        for h, r, t in zip(
            triples.heads.tolist(), triples.relations.tolist(), triples.tails.tolist(), strict=True
        )
    }
    evidence = live.explain(prediction)
    assert evidence
    assert {triple for one in evidence for triple in one.triples} <= known


def test_a_linker_by_name_is_refused_over_a_live_graph(server: SnapshotServer) -> None:
    with pytest.raises(TypeError, match="Give a ready linker"):
        Pipeline(LiveGraph(server))


def test_live_vectors_are_those_of_the_snapshot_and_computed_once(live: Pipeline) -> None:
    live(TEXTS)
    graph: KnowledgeGraph = WORLD.graph
    snapshot = Pipeline(graph, **PARTS).vectors
    keys = list(live.graph.keys)
    found = live.vectors.entities(np.arange(len(keys)))
    np.testing.assert_allclose(
        found.astype(float), snapshot.entities(graph.rows(keys)).astype(float), atol=2e-3
    )
    assert live.vectors.relations.shape[1] == live.vectors.width


@pytest.mark.slow
@pytest.mark.sparql
def test_a_pipeline_survives_the_death_of_a_real_server(tmp_path: Path) -> None:
    base = "https://kgfm.example/world/"
    graph = KnowledgeGraph.from_rdf(WORLD_FILE)
    text = "What is the capital of Chad?"
    mentions = (Mention(23, 27, "Chad", f"{base}country/Chad"),)
    with oxigraph_server(tmp_path) as server:
        url = server.put(as_n_triples(WORLD_FILE))
        live = opened(Pipeline(LiveGraph(SparqlServer(url)), Linker(graph), **PARTS))
        live.retriever = LiveRetriever(live.graph, hops=1, budget=12, deadline=10, remember=0)
        snapshot = opened(Pipeline(graph, **PARTS))
        (expected,), (found,) = (p([Example(text, mentions=mentions)]) for p in (snapshot, live))
        assert found.graph_used
        assert dict(found.scores) == pytest.approx(dict(expected.scores), abs=1e-3)
    live.retriever.deadline = 0.5
    for _ in range(4):
        (found,) = live([Example(text, mentions=mentions)])
        assert not found.graph_used
    assert live.retriever.breaker.is_open
