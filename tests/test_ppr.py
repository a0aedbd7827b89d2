"""Retrieval by personalised PageRank: against the exact values of a dense solver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from live_servers import SnapshotServer
from test_retrieval import RELATIONS, Edge, Edges, graph_of, one, some_edges, some_seeds, triples

from kgfm.graph import KnowledgeGraph
from kgfm.retrieval import LiveGraph, PPRRetriever

relations = st.sets(st.sampled_from(RELATIONS)).map(sorted)
numbers = st.lists(st.integers(0, 50), max_size=4)
alphas = st.sampled_from([0.1, 0.15, 0.5, 0.9])


def exact(
    graph: KnowledgeGraph,
    seeds: Sequence[int],
    alpha: float,
    hide: Sequence[str] = (),
    without: Sequence[Edge] = (),
) -> np.ndarray:
    """Solve for the share of walkers who stop at each entity."""
    size = graph.num_entities
    hidden = {RELATIONS.index(key) for key in hide}
    steps = np.zeros((size, size))
    columns = graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()
    for triple in zip(*columns, strict=True):
        head, relation, tail = triple
        if triple not in without and (relation not in hidden or not {head, tail} & {*seeds}):
            steps[head, tail] += 1
            steps[tail, head] += 1
    stuck = steps.sum(1) == 0
    steps[stuck, stuck] = 1
    steps /= steps.sum(1, keepdims=True)
    begin = np.isin(np.arange(size), seeds) / max(1, len({*seeds}))
    return np.linalg.solve(np.eye(size) - (1 - alpha) * steps.T, alpha * begin)


@given(some_edges, some_seeds, alphas, relations, numbers, st.integers(1, 13))
@example([(0, 0, 1), (0, 1, 1), (1, 0, 0), (2, 0, 2)], [0, 2, 0, 5], 0.15, [], [], 12)
def test_with_a_small_epsilon_it_shows_the_entities_of_most_exact_value(
    edges: Edges,
    seeds: list[int],
    alpha: float,
    hide: list[str],
    places: list[int],
    budget: int,
) -> None:
    graph = graph_of(edges)
    without = [edges[place] for place in places if place < len(edges)]
    retriever = PPRRetriever(
        graph, alpha=alpha, epsilon=1e-9, budget=budget, hide_from_seed=hide, prior=True
    )
    cut = one(retriever, seeds, without)
    values = exact(graph, seeds, alpha, hide, without)
    named = [*dict.fromkeys(seeds)][:budget]
    nodes, found = cut.nodes.tolist(), np.exp(cut.prior if cut.prior is not None else [])
    assert nodes[: len(named)] == named
    assert np.flatnonzero(cut.hops == 0).tolist() == [*range(len(named))]
    np.testing.assert_allclose(found, values[nodes], rtol=1e-3)
    others = [entity for entity in range(12) if entity not in {*nodes, *seeds}]
    if others and len(nodes) > len(named):
        assert values[others].max() <= values[nodes[len(named) :]].min() + 1e-6
    assert len(nodes) == min(budget, max(len(named), np.count_nonzero(values > 0)))
    hidden = {RELATIONS.index(key) for key in hide}
    for head, relation, tail in triples(cut):
        assert (head, relation, tail) not in without
        assert relation not in hidden or not {head, tail} & {*seeds}


@given(some_edges, some_seeds, alphas, st.sampled_from([0.3, 0.1, 0.01]))
def test_no_value_is_too_high_or_lower_than_epsilon_allows(
    edges: Edges, seeds: list[int], alpha: float, epsilon: float
) -> None:
    graph = graph_of(edges)
    cut = one(PPRRetriever(graph, alpha=alpha, epsilon=epsilon, budget=12, prior=True), seeds)
    values, nodes = exact(graph, seeds, alpha), cut.nodes
    found = np.exp(cut.prior if cut.prior is not None else [])
    assert (found <= values[nodes] * (1 + 1e-5)).all()
    assert (found >= values[nodes] - epsilon * graph.degree[nodes] - 1e-6).all()
    rest = np.setdiff1d(np.arange(12), nodes)
    assert (values[rest] <= epsilon * graph.degree[rest] + 1e-6).all()


def test_equal_values_are_taken_by_row_and_there_is_no_prior_unless_asked_for() -> None:
    graph = graph_of([(11, 0, node) for node in range(8, 2, -1)])
    cut = one(PPRRetriever(graph, budget=4), [11])
    assert cut.nodes.tolist() == [11, 3, 4, 5]
    assert cut.hops.tolist() == [0, 1, 1, 1]
    assert cut.prior is None


def test_a_hub_of_many_neighbours_makes_room_for_them() -> None:
    graph = graph_of([(0, 0, node) for node in range(1, 20_000)], 20_000)
    cut = one(PPRRetriever(graph, epsilon=1e-9, budget=20_000), [5])
    assert len(cut.nodes) == 20_000
    assert np.bincount(cut.hops).tolist() == [1, 1, 19_998]
    assert len(cut.edge_type) == 19_999


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"alpha": 0}, ValueError, "alpha is a probability between 0 and 1, got 0"),
        ({"alpha": 1.0}, ValueError, "alpha is a probability"),
        ({"epsilon": 0.0}, ValueError, "epsilon is above 0"),
        ({"budget": 0}, ValueError, "budget is at least 1"),
        ({"hide_from_seed": "a"}, TypeError, r"write \['a'\]"),
        ({"hide_from_seed": ["d"]}, KeyError, "No relation 'd'"),
    ],
)
def test_arguments_out_of_range_are_refused(
    wrong: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        PPRRetriever(graph_of([(n, n, n) for n in range(3)]), **wrong)


def test_a_graph_on_its_server_is_refused_with_what_to_use() -> None:
    live: Any = LiveGraph(SnapshotServer(graph_of([])))
    with pytest.raises(TypeError, match=r"ppr needs a snapshot.*Use hops"):
        PPRRetriever(live)


def test_the_configuration_builds_an_equal_retriever() -> None:
    graph = graph_of([(0, 0, 1)])
    retriever = PPRRetriever(graph, alpha=0.3, hide_from_seed=("a",), prior=True)
    assert PPRRetriever(graph, **retriever.config()).config() == retriever.config()
