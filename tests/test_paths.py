"""Retrieval by paths: against networkx where uncapped, and what caps may take away."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from live_servers import SnapshotServer
from test_retrieval import (
    ALL,
    RELATIONS,
    Edge,
    Edges,
    everything,
    graph_of,
    one,
    some_edges,
    some_seeds,
    triples,
)

from kgfm.retrieval import HopRetriever, LiveGraph, PathRetriever
from kgfm.types import Asked, Subgraph

relations = st.sets(st.sampled_from(RELATIONS)).map(sorted)
numbers = st.lists(st.integers(0, 50), max_size=4)


def shown_to(
    edges: Edges, seeds: Sequence[int], hide: Sequence[str], without: Sequence[Edge]
) -> networkx.Graph:
    """The triples that a text is shown, as a plain graph."""
    hidden = {RELATIONS.index(key) for key in hide}
    plain = networkx.Graph()
    plain.add_nodes_from(range(12))
    for head, relation, tail in {*edges} - {*without}:
        if relation not in hidden or not {head, tail} & {*seeds}:
            plain.add_edge(head, tail)
    return plain


def shortest(plain: networkx.Graph, seeds: Sequence[int], length: int) -> set[tuple[int, ...]]:
    """All shortest paths between seeds, each from the seed that is named first."""
    found: set[tuple[int, ...]] = set()
    for a, b in combinations(dict.fromkeys(seeds), 2):
        if networkx.has_path(plain, a, b):
            paths = map(tuple, networkx.all_shortest_paths(plain, a, b))
            found |= {path for path in paths if len(path) <= length + 1}
    return found


def paths_of(subgraph: Subgraph) -> list[tuple[int, ...]]:
    return [tuple(subgraph.nodes[[*path.nodes]].tolist()) for path in subgraph.paths]


@given(some_edges, some_seeds, st.integers(1, 5), relations, numbers)
@example([(0, 0, 1), (0, 1, 1), (1, 0, 0), (1, 2, 2), (2, 0, 2)], [0, 2, 0], 2, [], [])
@example([(0, 0, 1), (2, 0, 3)], [0, 3, 5], 5, [], [])
def test_without_caps_they_are_all_shortest_paths_of_networkx(
    edges: Edges, seeds: list[int], length: int, hide: list[str], places: list[int]
) -> None:
    graph = graph_of(edges)
    without = [edges[place] for place in places if place < len(edges)]
    retriever = PathRetriever(graph, length=length, most=10_000, budget=ALL, hide_from_seed=hide)
    subgraph = one(retriever, seeds, without)
    plain = shown_to([*edges, *triples_of(graph)], seeds, hide, without)
    if len({*seeds}) < 2:
        return
    found, expected = paths_of(subgraph), shortest(plain, seeds, length)
    assert len(found) == len({*found})
    assert {*found} == expected
    on_paths = {node for path in expected for node in path} - {*seeds}
    assert subgraph.nodes.tolist()[: len({*seeds})] == [*dict.fromkeys(seeds)]
    assert {*subgraph.nodes.tolist()} == on_paths | {*seeds}
    hidden = {RELATIONS.index(key) for key in hide}
    assert triples(subgraph) == [
        (head, relation, tail)
        for head, relation, tail in triples_of(graph)
        if {head, tail} <= {*subgraph.nodes.tolist()} and (head, relation, tail) not in without
        if relation not in hidden or not {head, tail} & {*seeds}
    ]


def triples_of(graph: Any) -> Edges:
    columns = graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()
    return list(zip(*columns, strict=True))


@given(some_edges, some_seeds, st.integers(1, 4), st.integers(1, 4), st.integers(1, 13))
def test_caps_only_take_paths_away(
    edges: Edges, seeds: list[int], length: int, most: int, budget: int
) -> None:
    graph = graph_of(edges)
    subgraph = one(PathRetriever(graph, length=length, most=most, budget=budget), seeds)
    kept = [*dict.fromkeys(seeds)][:budget]
    assert len(subgraph.nodes) <= budget
    if len({*seeds}) < 2:
        return
    every = shortest(shown_to([*edges, *triples_of(graph)], [], [], []), kept, length)
    found = paths_of(subgraph)
    assert {*found} <= every
    ends = [(path[0], path[-1]) for path in found]
    for pair in combinations(kept, 2):
        there = sum((path[0], path[-1]) == pair for path in every)
        assert ends.count(pair) <= min(most, there)
        if budget >= 12:
            assert ends.count(pair) == min(most, there)


@given(some_edges, some_seeds, st.integers(1, 13))
def test_each_edge_of_a_path_joins_its_neighbours_and_nodes_know_how_near_an_end_is(
    edges: Edges, seeds: list[int], budget: int
) -> None:
    subgraph = one(PathRetriever(graph_of(edges), budget=budget), seeds)
    scores = [path.score for path in subgraph.paths]
    assert scores == sorted(scores, reverse=True)
    nearest = dict.fromkeys(range(subgraph.num_seeds), 0)
    for path in subgraph.paths:
        for step, edge in zip(pairwise(path.nodes), path.edges, strict=True):
            joined = [{*ends} == {*step} for ends in subgraph.edge_index.T.tolist()]
            assert joined.index(True) == edge
        for place, node in enumerate(path.nodes):
            away = min(place, len(path.edges) - place)
            nearest[node] = min(nearest.get(node, away), away)
    if len({*seeds}) > 1:
        assert dict(enumerate(subgraph.hops.tolist())) == nearest


@given(some_edges, st.lists(st.integers(0, 11), min_size=1, max_size=1), st.integers(1, 13))
def test_a_text_that_names_one_entity_is_given_its_neighbours(
    edges: Edges, seeds: list[int], budget: int
) -> None:
    graph = graph_of(edges)
    alone = one(PathRetriever(graph, budget=budget), seeds * 2)
    assert everything(alone) == everything(one(HopRetriever(graph, hops=1, budget=budget), seeds))
    assert alone.paths == ()
    ego = networkx.ego_graph(shown_to([*edges, *triples_of(graph)], [], [], []), seeds[0], 1)
    assert {*alone.nodes.tolist()} <= {*ego}
    if budget >= 12:
        assert {*alone.nodes.tolist()} == {*ego}


def test_a_path_over_a_hub_comes_after_one_that_says_more() -> None:
    hub = [(2, 0, other) for other in range(4, 12)]
    graph = graph_of([(0, 0, 2), (2, 0, 1), (0, 0, 3), (3, 0, 1), *hub])
    assert paths_of(one(PathRetriever(graph), [0, 1])) == [(0, 3, 1), (0, 2, 1)]
    first = one(PathRetriever(graph, budget=3), [0, 1])
    assert paths_of(first) == [(0, 3, 1)]


def test_texts_with_and_without_pairs_keep_their_places() -> None:
    graph = graph_of([(0, 0, 1), (1, 0, 2)])
    retriever = PathRetriever(graph)
    asked = [Asked.at([]), Asked.at([0, 2]), Asked.at([1]), Asked.at([2, 0])]
    found = retriever.retrieve(asked)
    assert [paths_of(cut) for cut in found] == [[], [(0, 1, 2)], [], [(2, 1, 0)]]
    assert [len(cut.nodes) for cut in found] == [0, 3, 3, 3]


def test_many_paths_and_long_rows_are_found_whole() -> None:
    middle = [(0, 0, node) for node in range(2, 3_000)] + [(1, 0, n) for n in range(2, 3_000)]
    graph = graph_of(middle, 3_000)
    whole = one(PathRetriever(graph, most=5_000, budget=5_000), [0, 1])
    assert {*paths_of(whole)} == {(0, node, 1) for node in range(2, 3_000)}
    assert len(one(PathRetriever(graph), [0, 1]).paths) == 16


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"length": 0}, ValueError, "length is at least 1"),
        ({"most": 0}, ValueError, "most is at least 1"),
        ({"budget": 0}, ValueError, "budget is at least 1"),
        ({"hide_from_seed": "a"}, TypeError, r"write \['a'\]"),
        ({"hide_from_seed": ["d"]}, KeyError, "No relation 'd'"),
    ],
)
def test_arguments_out_of_range_are_refused(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        PathRetriever(graph_of([(n, n, n) for n in range(3)]), **wrong)


def test_a_graph_on_its_server_is_refused_with_what_to_use() -> None:
    live: Any = LiveGraph(SnapshotServer(graph_of([])))
    with pytest.raises(TypeError, match=r"paths needs a snapshot.*Use hops"):
        PathRetriever(live)


def test_the_configuration_builds_an_equal_retriever() -> None:
    graph = graph_of([(0, 0, 1)])
    retriever = PathRetriever(graph, length=2, hide_from_seed=("a",), fan_out=None)
    assert PathRetriever(graph, **retriever.config()).config() == retriever.config()
    assert np.array_equal(retriever.retrieve([Asked.at([0])])[0].nodes, [0])
