"""Live retrieval: the same subgraphs as from a snapshot, few questions, and a server that fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_servers import SnapshotServer
from test_retrieval import Edges, caps, graph_of, some_edges, some_seeds

from kgfm.graph import KnowledgeGraph
from kgfm.retrieval import HopRetriever, LiveGraph, LiveRetriever
from kgfm.retrieval.recent import CircuitBreaker, RecentCache
from kgfm.stores.server import ServerUnavailableError
from kgfm.types import Asked, Mention, Subgraph


def by_key(subgraph: Subgraph, graph: KnowledgeGraph | LiveGraph) -> tuple[Any, ...]:
    """Everything about a subgraph, without the numbers of its graph."""
    nodes = [graph.keys[int(row)] for row in subgraph.nodes]
    heads, tails = subgraph.edge_index.tolist()
    relations = [graph.relation_keys[int(row)] for row in subgraph.edge_type]
    edges = [(nodes[h], r, nodes[t]) for h, r, t in zip(heads, relations, tails, strict=True)]
    return nodes, subgraph.hops.tolist(), edges


def both(
    graph: KnowledgeGraph,
    live: LiveRetriever,
    batch: Sequence[Sequence[str]],
    without: Sequence[Sequence[tuple[str, str, str]]] = (),
) -> tuple[list[Any], list[Any]]:
    """What the snapshot gives, and what the live retriever gives."""

    def asked(graph: KnowledgeGraph | LiveGraph) -> list[Asked]:
        texts = [Asked.at(graph.rows(keys)) for keys in batch]
        for number, triples in enumerate(without):
            rows = [
                (*graph.rows([h]), graph.relation_row(r), *graph.rows([t])) for h, r, t in triples
            ]
            texts[number] = replace(texts[number], without=np.array(rows, np.int64).reshape(-1, 3))
        return texts

    shared = live.config().keys() & HopRetriever(graph).config().keys()
    arguments = {name: live.config()[name] for name in shared}
    snapshot = HopRetriever(graph, **arguments)
    expected = snapshot.retrieve(asked(graph))
    found = live.retrieve(asked(live.graph))
    return [by_key(s, graph) for s in expected], [by_key(s, live.graph) for s in found]


def keys_of(batch: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[f"e{row:06}" for row in seeds] for seeds in batch]


@given(some_edges, st.lists(some_seeds, max_size=5), caps)
def test_live_subgraphs_are_those_of_the_snapshot(
    edges: Edges, batch: list[list[int]], arguments: dict[str, Any]
) -> None:
    graph = graph_of(edges)
    live = LiveRetriever(LiveGraph(SnapshotServer(graph)), **arguments)
    expected, found = both(graph, live, keys_of(batch))
    assert found == expected
    again = both(graph, live, keys_of(batch[::-1]))[1]  # now from memory, in part or in whole
    assert again == expected[::-1]


@given(
    some_edges,
    st.lists(some_seeds, max_size=3),
    caps,
    st.lists(st.lists(st.integers(0, 42), max_size=3), min_size=3, max_size=3),
)
def test_live_subgraphs_without_triples_are_those_of_the_snapshot(
    edges: Edges, batch: list[list[int]], arguments: dict[str, Any], hide: list[list[int]]
) -> None:
    graph = graph_of(edges)
    live = LiveRetriever(LiveGraph(SnapshotServer(graph)), **arguments)
    columns = graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()
    triples = [
        (graph.keys[h], graph.relation_keys[r], graph.keys[t])
        for h, r, t in zip(*columns, strict=True)
    ]
    without = [[triples[n % len(triples)] for n in numbers] for numbers in hide][: len(batch)]
    expected, found = both(graph, live, keys_of(batch), without)
    assert found == expected
    whole, again = both(graph, live, keys_of(batch))  # what is remembered is the whole graph
    assert again == whole


@given(some_edges, st.lists(some_seeds, max_size=3), st.lists(st.integers(1, 4), max_size=3))
def test_each_hop_may_have_caps_of_its_own(
    edges: Edges, batch: list[list[int]], fan_out: list[int]
) -> None:
    graph = graph_of(edges)
    budget = np.cumsum(fan_out).tolist() if fan_out else 3
    live = LiveRetriever(
        LiveGraph(SnapshotServer(graph)), hops=len(fan_out), fan_out=fan_out, budget=budget
    )
    expected, found = both(graph, live, keys_of(batch))
    assert found == expected


def chain(length: int = 400) -> KnowledgeGraph:
    edges = [(row, row % 3, (row * 7 + 1) % length) for row in range(length)]
    return graph_of([*edges, *((row, 0, row // 2) for row in range(length))], length)


def test_a_batch_of_64_texts_costs_four_questions_at_two_hops() -> None:
    graph = chain()
    server = SnapshotServer(graph)
    live = LiveRetriever(LiveGraph(server), hops=2)
    batch = keys_of([[(text * 5 + seed) % 400 for seed in range(4)] for text in range(64)])
    expected, found = both(graph, live, batch)
    assert found == expected
    assert server.questions == ["neighbours", "neighbours", "triples_among", "describe"]
    both(graph, live, batch)
    assert len(server.questions) == 4, "the same batch is answered from memory"


def test_what_is_remembered_is_asked_again_when_it_is_old() -> None:
    graph = chain()
    server = SnapshotServer(graph)
    live = LiveRetriever(LiveGraph(server), hops=1, fresh=1e-9)
    for _ in range(2):
        both(graph, live, keys_of([[1]]))
    assert server.questions == ["neighbours", "triples_among", "describe"] * 2


def test_nodes_and_relations_have_the_texts_of_the_snapshot() -> None:
    entities = [
        {"key": "heat", "label": "Heat", "types": ["Film"], "description": "A heist."},
        {"key": "mann", "label": "Michael Mann", "aliases": ["Mann"]},
        {"key": "http://x.org/no_label"},
    ]
    triples = [("heat", "directedBy", "mann"), ("mann", "knows", "http://x.org/no_label")]
    with pytest.warns(UserWarning, match="no label"):
        graph = KnowledgeGraph.from_records(entities, triples)
    live = LiveRetriever(LiveGraph(SnapshotServer(graph)))
    live([Mention(0, 4, "Heat", "heat")])
    assert live.graph.num_entities == 3
    for key in graph.keys:
        row, other = graph.row(key), live.graph.row(key)
        assert live.graph.text(other) == graph.text(row)
        assert live.graph.label(key) == graph.label(key)
        assert live.graph.names(other) == graph.names(row)
    for key in graph.relation_keys:
        text = graph.relation_text(graph.relation_row(key))
        assert live.graph.relation_text(live.graph.relation_row(key)) == text


def test_a_dead_server_is_no_longer_asked_until_a_pause_has_passed() -> None:
    now = [0.0]
    server = SnapshotServer(chain())
    breaker = CircuitBreaker(failures=2, pause=10, clock=lambda: now[0])
    live = LiveRetriever(LiveGraph(server), breaker=breaker)
    seeds = [Asked.at(live.graph.rows(["e000001"]))]
    server.down = True
    for _ in range(5):
        with pytest.raises(ServerUnavailableError):
            live.retrieve(seeds)
    assert len(server.questions) == 2
    now[0] = 11.0
    with pytest.raises(ServerUnavailableError, match="down"):  # one trial
        live.retrieve(seeds)
    with pytest.raises(ServerUnavailableError, match="asked again in 10"):
        live.retrieve(seeds)
    now[0], server.down = 22.0, False
    assert len(live.retrieve(seeds)[0].nodes) > 1
    assert not breaker.is_open


def test_texts_without_seeds_ask_nothing() -> None:
    server = SnapshotServer(chain())
    live = LiveRetriever(LiveGraph(server))
    server.down = True
    empty = live.retrieve([Asked.at([]), Asked.at([])])
    assert [len(subgraph.nodes) for subgraph in empty] == [0, 0]
    assert live.retrieve([]) == []
    assert server.questions == []


def test_an_entity_that_the_server_does_not_have_stands_alone() -> None:
    live = LiveRetriever(LiveGraph(SnapshotServer(chain())))
    subgraph = live([Mention(0, 1, "x", "nobody")])
    assert by_key(subgraph, live.graph) == (["nobody"], [0], [])
    assert live.graph.text(0) == "nobody"


def test_a_snapshot_is_no_live_graph() -> None:
    with pytest.raises(TypeError, match="LiveGraph"):
        LiveRetriever(chain())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"deadline": 0}, "deadline is a number of seconds above 0"),
        ({"fresh": -1}, "fresh is a number of seconds above 0"),
        ({"remember": -1}, "remember is at least 0"),
        ({"hops": -1}, "hops is at least 0"),
        ({"fan_out": [1]}, "fan_out lists 1 numbers for 2 hops"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LiveRetriever(LiveGraph(SnapshotServer(chain())), **wrong)


def test_the_cache_keeps_what_was_used_last() -> None:
    now = [0.0]
    cache: RecentCache[str, int] = RecentCache(2, 5.0, clock=lambda: now[0])
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)
    now[0] = 6.0
    assert cache.get("a") is None
    assert len(cache) == 1
    nothing: RecentCache[str, int] = RecentCache(0, 5.0)
    nothing.put("a", 1)
    assert nothing.get("a") is None
