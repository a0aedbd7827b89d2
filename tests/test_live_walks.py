"""Walks over a graph on its server: what a snapshot of it gives, in few questions."""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from live_servers import SnapshotServer
from neo4j_server import Neo4j
from sparql_server import Oxigraph, Virtuoso, oxigraph_server
from test_sparql import EX, unlabelled
from test_walk_retriever import FILMS, examples, world
from test_walks_cypher import drawn_graph
from test_walks_sparql import drawn_statements
from toy_scorer import ToyReading, ToyScorer

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.pipeline import Pipeline
from kgfm.pipeline.live import retrieve_or_nothing
from kgfm.retrieval import Around, GraphServer, LiveGraph, WalkRetriever, ask
from kgfm.retrieval.live_neo4j import Neo4jServer
from kgfm.retrieval.live_sparql import SparqlServer
from kgfm.retrieval.recent import CircuitBreaker
from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql import Endpoint
from kgfm.types import Asked, Example, Mention, Subgraph
from kgfm.walks import follow

Graph = KnowledgeGraph | LiveGraph


class NameScorer(ToyScorer):
    """Likes each action by its name and by the text, whatever numbers the graph gives them."""

    def __init__(self, ends: float = 0.5) -> None:
        super().__init__()
        self.ends = ends
        self.names: list[str] = []
        self.bound = self.texts_read = 0

    def bind(self, graph: Any, attributes: Sequence[str]) -> None:
        self.bound += 1
        texts = [graph.relation_text(row) for row in range(graph.num_relations)]
        self.names = [*texts, *(f"{text} back" for text in texts), *attributes]

    def read(self, texts: Sequence[str], features: np.ndarray) -> NameReading:
        self.texts_read += len(texts)
        return NameReading(self.names, self.ends, texts, features)

    def restore(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weighed = weights


def chance(*names: object) -> float:
    """A number from 0 to 1 that hangs on some names."""
    return zlib.crc32(repr(names).encode()) / 2**32


class NameReading(ToyReading):
    def __init__(
        self, names: Sequence[str], ends: float, texts: Sequence[str], features: np.ndarray
    ) -> None:
        super().__init__(np.zeros(0, np.float32), len(texts))
        self._names, self._ends = names, ends
        self._text = [*texts]
        self.mention = features.astype(np.float32) @ np.array([0.3, 1.0, 0.1], np.float32)
        kinds = [chance(text, "kind") for text in texts]
        self.kind = np.eye(3, dtype=np.float32)[[int(3 * kind) for kind in kinds]]
        self.both = np.array([chance(text, "both") for text in texts], np.float32)

    def logits(self, walks: np.ndarray) -> np.ndarray:
        found = [
            [*(4 * chance(self._text[walk], name) for name in self._names), 4 * self._ends, -2.0]
            for walk in walks.tolist()
        ]
        return np.array(found, np.float32)

    def extend(self, walks: np.ndarray, actions: np.ndarray) -> np.ndarray:
        pairs = zip(walks.tolist(), actions.tolist(), strict=True)
        self._text += [f"{self._text[walk]} {self._names[action]}" for walk, action in pairs]
        return super().extend(walks, actions)


def by_key(cut: Subgraph, graph: Graph) -> dict[str, Any]:
    """Everything about a subgraph, without the numbers of its graph."""
    nodes = [graph.keys[int(row)] for row in cut.nodes]
    relations = [graph.relation_keys[int(row)] for row in cut.edge_type]
    heads, tails = cut.edge_index.tolist()
    edges = [(nodes[h], r, nodes[t]) for h, r, t in zip(heads, relations, tails, strict=True)]
    found = cut.found
    return {
        "nodes": nodes,
        "edges": edges,
        "hops": cut.hops.tolist(),
        "prior": None if cut.prior is None else cut.prior.tolist(),
        "paths": [(one.nodes, one.edges, one.score) for one in cut.paths],
        "found": found
        and (
            [graph.keys[int(row)] for row in found.rows],
            found.sought,
            found.values,
            found.score,
            found.lacking,
            found.refused,
            found.near,
        ),
    }


def questions(
    graph: KnowledgeGraph, random: Random, number: int, keys: Sequence[str]
) -> list[tuple[str, list[str], list[tuple[str, str, str]]]]:
    """Texts, with what each names and which triples are hidden from it, by key."""
    columns = graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()
    triples = [
        (graph.keys[h], graph.relation_keys[r], graph.keys[t])
        for h, r, t in zip(*columns, strict=True)
    ]
    made = []
    for place in range(number):
        named = random.sample(keys, random.choice([0, 1, 1, 1, 2, 2, 10]))
        hidden = random.sample(triples, random.choice([0, 0, 3]))
        made.append((f"text {place}", named, hidden))
    return made


def asked_of(
    graph: Graph, texts: Sequence[tuple[str, list[str], list[tuple[str, str, str]]]]
) -> list[Asked]:
    made = []
    for text, named, hidden in texts:
        mentions = [Mention(n, n + 1, text[n : n + 1], key) for n, key in enumerate(named)]
        rows = ask(f"{text:<12}", mentions, graph).rows
        without = [
            (*graph.rows([h]).tolist(), graph.relation_row(r), *graph.rows([t]).tolist())
            for h, r, t in hidden
        ]
        without_rows = np.array(without, np.int64).reshape(-1, 3)
        made.append(Asked(f"{text:<12}", tuple(mentions), rows, without_rows))
    return made


def both(
    graph: KnowledgeGraph,
    server: GraphServer,
    texts: Sequence[tuple[str, list[str], list[tuple[str, str, str]]]],
    **options: Any,
) -> tuple[list[Any], list[Any], WalkRetriever]:
    """What walks find in the snapshot and on the server, and those of the server."""
    snapshot = WalkRetriever(graph, scorer=NameScorer(), **options)
    live = WalkRetriever(LiveGraph(server), scorer=NameScorer(), deadline=120, **options)
    expected = [by_key(one, graph) for one in snapshot.retrieve(asked_of(graph, texts))]
    return expected, live_found(live, texts), live


def live_found(
    live: WalkRetriever, texts: Sequence[tuple[str, list[str], list[tuple[str, str, str]]]]
) -> list[Any]:
    found = live.retrieve(asked_of(live.graph, texts))
    return [by_key(one, live.graph) for one in found]


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return world()


OPTIONS = [
    {},
    {"hops": 1},
    {"hops": 2, "width": 2, "come_back": True},
    {"most": 3, "sets": 1},
    {"budget": 7, "unsure": 0.4},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("seed", range(3))
def test_live_walks_are_those_of_the_snapshot(
    graph: KnowledgeGraph, seed: int, options: dict[str, Any]
) -> None:
    texts = questions(graph, Random(seed), 30, [*graph.keys])
    expected, found, live = both(graph, SnapshotServer(graph), texts, **options)
    assert found == expected
    assert live_found(live, texts[::-1]) == expected[::-1]  # now from memory


@pytest.mark.parametrize("seed", range(4))
def test_any_graph_live_is_its_snapshot(seed: int) -> None:
    """Loops, attributes of all kinds, several relations between the same two."""
    random = Random(seed)
    graph = drawn_graph(random)
    texts = questions(graph, random, 30, [*graph.keys])
    expected, found, _ = both(graph, SnapshotServer(graph), texts)
    assert found == expected
    kinds = {one["found"][1].kind for one in expected if one["found"][1]}
    assert {"entity", "literal"} <= kinds
    assert any(one["found"][2] for one in expected)


def test_the_server_is_asked_once_a_step_whatever_the_number_of_texts(
    graph: KnowledgeGraph,
) -> None:
    server = SnapshotServer(graph)
    texts = [(f"text {number}", [f"f{number % 3}"], []) for number in range(150)]
    expected, found, live = both(graph, server, texts, hops=3)
    assert found == expected
    cold = ["around", "describe", "around", "around", "triples_among", "describe"]
    assert server.questions == cold, "the first step met all relations"
    live_found(live, texts)
    assert server.questions == cold, "the same texts are answered from memory"
    other = WalkRetriever(live.graph, scorer=NameScorer(), hops=3)
    live_found(other, texts)
    warm = ["around", "around", "around", "triples_among", "describe"]
    assert server.questions[len(cold) :] == warm, "what relations are called is known"


def test_texts_are_read_once_unless_relations_come_up_that_were_not_met(
    graph: KnowledgeGraph,
) -> None:
    live = WalkRetriever(LiveGraph(SnapshotServer(graph)), scorer=NameScorer())
    scorer = live.scorer
    assert isinstance(scorer, NameScorer)
    for number in range(1, 4):
        live_found(live, [("text", ["f3", "p3", "y1"], [])])
        assert (scorer.bound, scorer.texts_read) == (1, 3 * number)
    assert live_found(live, []) == []
    asked = live_found(live, [("text", [], [])])
    assert asked[0]["found"][5] == "unnamed"


def test_texts_that_name_nothing_ask_nothing(graph: KnowledgeGraph) -> None:
    server = SnapshotServer(graph)
    server.down = True
    live = WalkRetriever(LiveGraph(server), scorer=NameScorer())
    (one,) = live_found(live, [("text", [], [])])
    assert one["found"][5] == "unnamed"
    assert server.questions == []


def test_an_entity_that_the_server_lacks_leads_nowhere(graph: KnowledgeGraph) -> None:
    live = WalkRetriever(LiveGraph(SnapshotServer(graph)), scorer=NameScorer())
    (one,) = live_found(live, [("text", ["nobody"], [])])
    assert one["nodes"] == ["nobody"]
    assert one["found"][5] == "lacking"


def test_a_text_about_a_hub_is_answered_from_its_words_and_the_others_are_not(
    graph: KnowledgeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    hub = graph.keys[int(np.argmax(graph.degree))]
    longest = int(graph.degree.max()) - 1
    film = "f3"
    texts = [("a text about a hub", [hub], []), ("another", [film], [])]
    with caplog.at_level(logging.WARNING):
        expected, found, _ = both(graph, SnapshotServer(graph), texts, hops=1, longest=longest)
    assert found[0]["nodes"] == []
    assert found[0]["found"] is None
    assert found[1] == expected[1]
    assert "Answering 1 texts without the graph" in caplog.text
    assert "a text about" not in caplog.text


@pytest.mark.parametrize("closed", [True, False])
def test_a_set_with_a_hub_in_it_leads_on_no_more(graph: KnowledgeGraph, closed: bool) -> None:
    hub = int(np.argmax(graph.degree))
    longest = int(graph.degree[hub]) - closed
    texts = [(f"text {n}", [f"f{n % FILMS}"], []) for n in range(60)]
    _, found, _ = both(graph, SnapshotServer(graph), texts, longest=longest)
    sought = [walk for one in found if one["found"][1] for walk in one["found"][1].walks]
    on_the_way = [
        follow(graph, replace(walk, steps=walk.steps[:number]))
        for walk in sought
        for number in range(1, len(walk.steps))
    ]
    assert any(hub in rows.tolist() for rows in on_the_way) != closed


def test_a_dead_server_is_no_longer_asked(graph: KnowledgeGraph) -> None:
    server = SnapshotServer(graph)
    breaker = CircuitBreaker(failures=2, pause=60)
    live = WalkRetriever(LiveGraph(server), scorer=NameScorer(), breaker=breaker)
    server.down = True
    for _ in range(4):
        with pytest.raises(ServerUnavailableError):
            live_found(live, [("text", ["f1"], [])])
    (one,) = live_found(live, [("text", [], [])])
    assert one["found"][5] == "unnamed", "what names nothing is no question to the server"
    assert breaker.is_open
    assert server.questions == ["around"] * 2


class Slow(SnapshotServer):
    """Takes its time, and writes down how much it was given."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        super().__init__(graph)
        self.given: list[float] = []

    def around(
        self, entities: Sequence[str], *, longest: int, timeout: float
    ) -> Mapping[str, Around]:
        self.given.append(timeout)
        time.sleep(0.2)
        return super().around(entities, longest=longest, timeout=timeout)


def test_all_questions_of_a_batch_share_one_deadline(graph: KnowledgeGraph) -> None:
    server = Slow(graph)
    live = WalkRetriever(LiveGraph(server), scorer=NameScorer(), deadline=60)
    live_found(live, [("text", ["f1"], [])])
    assert 60 > server.given[0] > server.given[1] + 0.2 > server.given[2] + 0.4
    live.deadline = 0.1
    with pytest.raises(ServerUnavailableError, match=r"deadline of 0.1 s"):
        live_found(live, [("text", ["f2"], [])])
    assert len(server.given) == 4


def test_threads_that_share_a_retriever_do_not_disturb_each_other() -> None:
    graph = drawn_graph(Random(7))
    texts = questions(graph, Random(8), 24, [*graph.keys])
    snapshot = WalkRetriever(graph, scorer=NameScorer())
    expected = [by_key(one, graph) for one in snapshot.retrieve(asked_of(graph, texts))]
    live = WalkRetriever(LiveGraph(SnapshotServer(graph)), scorer=NameScorer(), deadline=120)
    with ThreadPoolExecutor(4) as pool:
        parts = pool.map(lambda text: live_found(live, [text]), texts)
        assert [one for part in parts for one in part] == expected


def test_a_batch_ends_at_its_deadline(graph: KnowledgeGraph) -> None:
    live = WalkRetriever(LiveGraph(SnapshotServer(graph)), scorer=NameScorer(), deadline=1e-6)
    with pytest.raises(ServerUnavailableError, match=r"deadline of 1e-06 s.*width"):
        live_found(live, [("text", ["f1"], [])])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"deadline": 0}, "deadline is a number of seconds above 0"),
        ({"fresh": -1}, "fresh is a number of seconds above 0"),
        ({"remember": -1}, "remember is at least 0"),
        ({"longest": 0}, "longest is at least 1"),
    ],
)
def test_arguments_out_of_range_are_refused(
    graph: KnowledgeGraph, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        WalkRetriever(LiveGraph(SnapshotServer(graph)), scorer=NameScorer(), **wrong)


def test_walks_without_a_scorer_are_refused_at_once(graph: KnowledgeGraph) -> None:
    with pytest.raises(TypeError, match="needs a scorer"):
        WalkRetriever(LiveGraph(SnapshotServer(graph)))


# -- pipelines -------------------------------------------------------------------------------------


class Fails(SnapshotServer):
    """Fails at its ``number``-th question."""

    number = 10**6

    def _asked(self, question: str) -> None:
        self.down = len(self.questions) + 1 >= self.number
        super()._asked(question)


@pytest.fixture(scope="module")
def saved(graph: KnowledgeGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline that learned over the snapshot."""
    folder = tmp_path_factory.mktemp("walks")
    pipe = Pipeline(
        graph,
        task="answer",
        retriever={"name": "walks", "hops": 2, "epochs": 2},
        backbone="tiny-bert",
        text_encoder="tiny-bert",
        encoder={"name": "rgcn", "width": 16},
    )
    options = {"cache_states": False, "tensorboard": False, "folder": folder / "run"}
    pipe.fit(examples(graph)[::2], examples(graph)[1::4], epochs=1, **options)
    pipe.save(folder / "saved")
    return folder / "saved"


def asked_about(graph: KnowledgeGraph) -> list[Example]:
    texts = [Example(one.text, None, one.mentions) for one in examples(graph)[1::9]]
    return [*texts, Example("Nothing that the graph knows.", mentions=())]


def test_a_saved_pipeline_opened_live_answers_as_over_its_snapshot(
    saved: Path, graph: KnowledgeGraph
) -> None:
    server = SnapshotServer(graph)
    snapshot, live = Pipeline.load(saved), Pipeline.load(saved, graph=LiveGraph(server))
    assert isinstance(live.retriever, WalkRetriever)
    assert live.retriever.config() == snapshot.retriever.config()
    texts = asked_about(graph)
    for expected, found in zip(snapshot(texts), live(texts), strict=True):
        assert found.answers == expected.answers
        assert found.sought == expected.sought
        assert found.refused == expected.refused
        assert found.score == pytest.approx(expected.score, abs=1e-3)
        assert dict(found.scores) == pytest.approx(dict(expected.scores), abs=1e-2)
    assert server.questions == ["around", "around", "triples_among", "describe"]


def test_evidence_over_a_server_is_that_over_the_snapshot(
    saved: Path, graph: KnowledgeGraph
) -> None:
    snapshot = Pipeline.load(saved)
    live = Pipeline.load(saved, graph=LiveGraph(SnapshotServer(graph)))
    evidence = 0
    texts = asked_about(graph)
    answered = zip(texts, snapshot(texts), strict=True)
    of_kind: dict[bool, list[Any]] = {True: [], False: []}
    for text, said in answered:
        if said.refused is None:
            of_kind[said.answer in graph].append(text)
    assert all(of_kind.values())  # entities and values
    for text in [text for own in of_kind.values() for text in own[:3]]:
        expected, found = (
            {(e.kind, e.items): (e.answers, e.instead) for e in pipe.explain(text)}
            for pipe in (snapshot, live)
        )
        assert found == expected
        evidence += len(found)
    assert evidence


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_server_that_fails_on_the_way_leaves_the_text_alone(
    saved: Path, graph: KnowledgeGraph, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = Fails(graph)
    server.number = number
    live = Pipeline.load(saved, graph=LiveGraph(server))
    texts = asked_about(graph)
    with caplog.at_level(logging.WARNING):
        found = live(texts)
    assert len(server.questions) == number
    assert "without the graph" in caplog.text
    assert not any(one.graph_used for one in found)
    server.number, server.down = 10**6, False
    assert any(one.graph_used for one in live(texts))


def test_walks_do_not_learn_over_a_server(graph: KnowledgeGraph) -> None:
    pipe = Pipeline(
        LiveGraph(SnapshotServer(graph)),
        Linker(graph),
        retriever="walks",
        backbone="tiny-bert",
        text_encoder="tiny-bert",
    )
    with pytest.raises(TypeError, match=r"learn over a snapshot.*Pipeline.load\(folder, graph="):
        pipe.fit(examples(graph)[:4], examples(graph)[:4], epochs=1)


# -- real servers ----------------------------------------------------------------------------------


@pytest.mark.neo4j
@pytest.mark.parametrize("seed", range(3))
def test_walks_over_neo4j_are_those_of_the_snapshot(neo4j: Neo4j, seed: int) -> None:
    random = Random(seed)
    graph = drawn_graph(random)
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    server = Neo4jServer(neo4j.uri, **neo4j.login)
    texts = questions(graph, random, 40, [*graph.keys])
    expected, found, live = both(graph, server, texts)
    assert found == expected
    asked = server.questions
    assert asked <= 8  # three steps, edges, names, and what relations are called
    assert live_found(live, texts) == expected
    assert server.questions == asked
    live_found(WalkRetriever(live.graph, scorer=NameScorer(), deadline=120), texts)
    assert server.questions <= asked + 5
    server.close()


@pytest.fixture
def statements(request: pytest.FixtureRequest) -> str:
    """Links and literals without blank nodes, which no server names."""
    lines = drawn_statements(Random(request.param)).splitlines()
    return "\n".join(line for line in lines if "_:" not in line)


def assert_walks_are_those_of_the_snapshot(
    server: SparqlServer, statements: str, folder: Path
) -> None:
    (folder / "graph.nt").write_text(statements)
    graph = KnowledgeGraph.from_rdf(folder / "graph.nt")
    texts = questions(graph, Random(0), 40, [*graph.keys])
    expected, found, live = both(graph, server, texts)
    assert found == expected
    asked = server.endpoint.questions
    assert asked <= 9  # three steps, edges, names, what relations are called, and LATERAL once
    live_found(WalkRetriever(live.graph, scorer=NameScorer(), deadline=120), texts)
    assert server.endpoint.questions <= asked + 5


@pytest.mark.sparql
@unlabelled
@pytest.mark.parametrize("statements", range(3), indirect=True)
@pytest.mark.parametrize("lateral", [True, False])
def test_walks_over_sparql_are_those_of_the_snapshot(
    oxigraph: Oxigraph, tmp_path: Path, statements: str, lateral: bool
) -> None:
    server = SparqlServer(Endpoint(oxigraph.put(statements)))
    server.lateral = lateral
    assert_walks_are_those_of_the_snapshot(server, statements, tmp_path)


@pytest.mark.sparql
@unlabelled
@pytest.mark.parametrize("statements", [5], indirect=True)
def test_walks_over_virtuoso_are_those_of_the_snapshot(
    virtuoso: Virtuoso, tmp_path: Path, statements: str
) -> None:
    virtuoso.put(statements, EX + "walks")
    server = SparqlServer(Endpoint(virtuoso.url, graph=EX + "walks"))
    assert_walks_are_those_of_the_snapshot(server, statements, tmp_path)


@pytest.mark.sparql
@unlabelled
@pytest.mark.parametrize("statements", [0], indirect=True)
def test_texts_are_left_alone_when_a_real_server_dies(tmp_path: Path, statements: str) -> None:
    texts = [("text", [EX + name], []) for name in "ab"]
    with oxigraph_server(tmp_path) as server:
        live = LiveGraph(SparqlServer(server.put(statements)))
        walks = WalkRetriever(live, scorer=NameScorer(), deadline=20)
        before = live_found(walks, texts[:1])
        assert len(before[0]["nodes"]) > 1
    assert live_found(walks, texts[:1]) == before, "what was asked before is remembered"
    walks.deadline = 0.5
    for _ in range(4):
        cuts = retrieve_or_nothing(walks, asked_of(live, texts))
        assert [len(cut.nodes) for cut in cuts] == [0, 0]
    assert walks.breaker.is_open
