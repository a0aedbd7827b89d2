"""Live retrieval over a real Neo4j: the same subgraphs as from a snapshot of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_servers import SnapshotServer, around_of
from neo4j_server import Neo4j, Proxy
from test_live import both
from test_live_sparql import assert_same_texts, drawn_seeds
from test_walks_cypher import drawn_graph

from kgfm import KnowledgeGraph
from kgfm.datasets.metaqa import metaqa_graph
from kgfm.datasets.world import world_path
from kgfm.retrieval import LiveGraph, LiveRetriever
from kgfm.retrieval.live_neo4j import Neo4jServer
from kgfm.retrieval.recent import CircuitBreaker
from kgfm.stores.neo4j import Neo4jMapping
from kgfm.stores.server import ServerUnavailableError
from kgfm.types import Mention

pytestmark = pytest.mark.neo4j
VOCABULARY = "https://kgfm.example/world/vocabulary/"


def live_on(neo4j: Neo4j, deadline: float = 120, **arguments: Any) -> LiveRetriever:
    server = Neo4jServer(neo4j.uri, **neo4j.login)
    return LiveRetriever(LiveGraph(server), deadline=deadline, **arguments)


def questions(live: LiveRetriever) -> int:
    server = live.graph.server
    assert isinstance(server, Neo4jServer)
    return server.questions


@pytest.fixture
def world(neo4j: Neo4j) -> KnowledgeGraph:
    graph = KnowledgeGraph.from_rdf(world_path())
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    return graph


def test_64_texts_of_four_seeds_cost_four_questions_over_the_world(
    neo4j: Neo4j, world: KnowledgeGraph
) -> None:
    live = live_on(neo4j)
    batch = drawn_seeds(world, 64, 4)
    expected, found = both(world, live, batch)
    assert found == expected
    assert questions(live) == 4
    assert_same_texts(world, live.graph)
    hidden = live_on(
        neo4j, hide_from_seed=[VOCABULARY + "language"], fan_out=[5, 3], budget=[15, 40]
    )
    expected, found = both(world, hidden, batch[:8])
    assert found == expected


@pytest.mark.data
@pytest.mark.slow
def test_metaqa_live_is_metaqa_from_its_file(
    neo4j: Neo4j, tmp_path: Path, public_data: Path
) -> None:
    graph = metaqa_graph(public_data / "metaqa", tmp_path)
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    live = live_on(neo4j)
    expected, found = both(graph, live, drawn_seeds(graph, 64, 4))
    assert found == expected
    assert questions(live) == 4


names = st.sampled_from([*"abcdefgh"])
links = st.lists(st.tuples(names, st.sampled_from("pq"), names), min_size=1, max_size=30)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*have no label")
@pytest.mark.filterwarnings("ignore:Do not use the .random. module")
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(links, st.lists(st.lists(names, max_size=3), max_size=3), st.integers(1, 4), st.booleans())
def test_any_graph_of_the_users_own_live_is_its_snapshot(
    neo4j: Neo4j,
    drawn: list[tuple[str, str, str]],
    batch: Sequence[Sequence[str]],
    fan_out: int,
    hide: bool,
) -> None:
    """Relationships may be there twice, loop, and lead to nodes that are not read."""
    neo4j.empty()
    neo4j.run("CREATE CONSTRAINT FOR (n:A) REQUIRE n.id IS UNIQUE")
    neo4j.run("UNWIND $ids AS id CREATE (n:A {id: id})", ids=[*"abcdefgh"])
    for relation in "pq":
        neo4j.run(
            "UNWIND $edges AS e MATCH (h:A {id: e[0]}), (t:A {id: e[2]}) "
            f"CREATE (h)-[:{relation}]->(t), (h)-[:{relation}]->(:B)",
            edges=[list(edge) for edge in drawn if edge[1] == relation],
        )
    options: dict[str, Any] = {"labels": ["A"], "key": "id", "say": None}
    graph = KnowledgeGraph.from_neo4j(neo4j.uri, **options, **neo4j.login)
    mapping = Neo4jMapping.from_json(graph.manifest["source"]["mapping"])
    live = LiveRetriever(
        LiveGraph(Neo4jServer(neo4j.uri, mapping=mapping, **neo4j.login)),
        fan_out=fan_out,
        budget=6,
        deadline=60,
        hide_from_seed=[str(graph.relation_keys[0])] if hide else [],
    )
    expected, found = both(graph, live, batch)
    assert found == expected


def test_whole_numbers_as_keys_and_several_labels(neo4j: Neo4j) -> None:
    neo4j.run(
        "CREATE (a:A {id: 9, name: 'nine'})-[:R]->(b:B {id: 10, name: 'ten'}), "
        "(b)-[:R]->(:A:B {id: 11, name: 'eleven'})"
    )
    for label in "AB":
        neo4j.run(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    for qualified in (False, True):
        graph = KnowledgeGraph.from_neo4j(
            neo4j.uri, key="id", qualified=qualified, say=None, **neo4j.login
        )
        mapping = Neo4jMapping.from_json(graph.manifest["source"]["mapping"])
        server = Neo4jServer(neo4j.uri, mapping=mapping, **neo4j.login)
        live = LiveRetriever(LiveGraph(server), deadline=120)
        expected, found = both(graph, live, [list(graph.keys)[:1], list(graph.keys)])
        assert found == expected
        assert_same_texts(graph, live.graph)
        odd = [Mention(0, 1, "x", "x`) DETACH DELETE n //"), Mention(0, 1, "x", "A/x")]
        assert len(live(odd).nodes) == 2


@pytest.mark.parametrize("own", [True, False])
def test_all_that_leads_on_is_what_a_snapshot_holds(neo4j: Neo4j, own: bool) -> None:
    """Hostile keys and names; links there twice, loops, and to nodes that are not read; dates."""
    if own:
        graph = drawn_graph(Random(1))
        graph.to_neo4j(neo4j.uri, **neo4j.login)
        mapping = None
    else:
        neo4j.run("CREATE CONSTRAINT FOR (n:A) REQUIRE n.id IS UNIQUE")
        neo4j.run(
            "CREATE (a:A {id: 1, name: 'one', day: date('2020-01-01'), list: [2, 1]}), "
            "(b:A {id: 2, name: 'two', size: 1.5}), (a)-[:R]->(b), (a)-[:R]->(b), (b)-[:S]->(b), "
            "(a)-[:R]->(:B)"
        )
        options: dict[str, Any] = {"labels": ["A"], "key": "id", "say": None, **neo4j.login}
        graph = KnowledgeGraph.from_neo4j(neo4j.uri, **options)
        mapping = Neo4jMapping.from_json(graph.manifest["source"]["mapping"])
    server = Neo4jServer(neo4j.uri, mapping=mapping, **neo4j.login)
    keys = [*graph.keys, "nobody"]
    for longest in (1000, 12, 2):
        expected = around_of(SnapshotServer(graph), keys, longest)
        assert around_of(server, keys, longest) == expected
    assert server.questions == 3
    server.close()


def test_a_key_without_an_index_is_refused_with_the_statement_to_run(neo4j: Neo4j) -> None:
    neo4j.run("CREATE (:A {id: 1})")
    with pytest.raises(
        ValueError, match=r"Run CREATE CONSTRAINT FOR \(n:`A`\) REQUIRE n.`id` IS UN"
    ):
        Neo4jServer(neo4j.uri, mapping=Neo4jMapping({"A": "id"}), **neo4j.login)


def test_a_server_that_stalls_costs_the_deadline_and_then_nothing(
    neo4j: Neo4j, world: KnowledgeGraph, proxy: Proxy
) -> None:
    world.to_neo4j(neo4j.uri, **neo4j.login)  # the proxy came with an empty server
    server = Neo4jServer(proxy.uri, **neo4j.login)
    breaker = CircuitBreaker(failures=1, pause=3600)
    live = LiveRetriever(LiveGraph(server), deadline=120, remember=0, breaker=breaker)
    mention = Mention(0, 4, "Peru", world.keys[0])
    assert len(live([mention]).nodes) > 1
    proxy.stalled.set()
    live.deadline = 1.0
    began = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=r"did not answer|No Neo4j answers"):
        live([mention])
    with pytest.raises(ServerUnavailableError, match="failed 1 times in a row"):
        live([mention])
    assert time.monotonic() - began < 30
    server.close()


def test_a_hub_that_takes_too_long_is_stopped_on_the_server_too(neo4j: Neo4j) -> None:
    neo4j.run(
        "CREATE (h:A {id: 'hub'}) WITH h UNWIND range(1, 60000) AS i "
        "CREATE (h)-[:R]->(:A {id: 'n' + i})"
    )
    neo4j.run("CREATE CONSTRAINT FOR (n:A) REQUIRE n.id IS UNIQUE")
    live = live_on(neo4j, deadline=0.05)
    with pytest.raises(ServerUnavailableError):
        live([Mention(0, 3, "hub", "hub")])
    running = "SHOW TRANSACTIONS YIELD currentQuery RETURN count(*)"
    for _ in range(60):  # it looks for what is too late every two seconds
        if (left := neo4j.run(running)) == [[1]]:
            break
        time.sleep(0.5)
    assert left == [[1]], "only this very question runs"
    live.graph.server.close()
