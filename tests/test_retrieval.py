"""Retrieval by hops: against networkx where uncapped, against the written rule where capped."""

from __future__ import annotations

import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from live_servers import SnapshotServer
from toy_scorer import ToyScorer

from kgfm.graph import KnowledgeGraph
from kgfm.retrieval import RETRIEVERS, HopRetriever, LiveGraph, Retriever, drop_triples
from kgfm.types import Asked, Mention, Subgraph
from kgfm.types import Path as Way

RELATIONS = ("a", "b", "c")
ALL = 10**9  # a budget that nothing here reaches


def graph_of(edges: Sequence[tuple[int, int, int]], num_entities: int = 12) -> KnowledgeGraph:
    return KnowledgeGraph.from_records(
        [{"key": f"e{row:06}"} for row in range(num_entities)],
        [(f"e{head:06}", RELATIONS[r], f"e{tail:06}") for head, r, tail in edges],
        relations={relation: relation for relation in RELATIONS},
    )


Edge = tuple[int, int, int]
Edges = list[Edge]
loops = [(11, relation, 11) for relation in range(3)]  # so that every graph has all relations
# Graphs are built in the tests: the type checker draws at random, which no strategy may do.
some_edges = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 2), st.integers(0, 11)), max_size=40
).map(lambda drawn: drawn + loops)
some_seeds = st.lists(st.integers(0, 11), max_size=4)
hop_counts = st.integers(0, 4)
caps = st.fixed_dictionaries(
    {
        "hops": hop_counts,
        "budget": st.integers(1, 13),
        "fan_out": st.none() | st.integers(1, 4),
        "hide_from_seed": st.sets(st.sampled_from(RELATIONS)).map(sorted),
    }
)


def one(retriever: Retriever, seeds: Sequence[int], without: Sequence[Edge] = ()) -> Subgraph:
    return retriever.retrieve([Asked.at(seeds, without=without)])[0]


def triples(subgraph: Subgraph) -> list[tuple[int, int, int]]:
    heads, tails = subgraph.nodes[subgraph.edge_index]
    return list(zip(heads.tolist(), subgraph.edge_type.tolist(), tails.tolist(), strict=True))


def everything(subgraph: Subgraph) -> tuple[Any, ...]:
    return subgraph.nodes.tolist(), subgraph.hops.tolist(), triples(subgraph)


def by_the_rule(
    graph: KnowledgeGraph,
    seeds: Sequence[int],
    *,
    hops: int,
    budget: int | list[int],
    fan_out: int | Sequence[int] | None,
    hide_from_seed: Sequence[str],
    without: Sequence[Edge] = (),
) -> tuple[Any, ...]:
    """The rule of :class:`HopRetriever`, word by word, without a thought of speed."""
    labels, distance = labels_by_the_rule(
        graph, seeds, hops, budget, fan_out, hide_from_seed, without
    )
    columns = graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()
    hidden = {graph.relation_row(key) for key in hide_from_seed}
    shown = [
        (head, relation, tail)
        for head, relation, tail in zip(*columns, strict=True)
        if head in labels and tail in labels and (head, relation, tail) not in without
        if relation not in hidden or (labels[head][0] and labels[tail][0])
    ]
    return list(labels), [distance[entity] for entity in labels], shown


def labels_by_the_rule(
    graph: KnowledgeGraph,
    seeds: Sequence[int],
    hops: int,
    budget: int | list[int],
    fan_out: int | Sequence[int] | None,
    hide_from_seed: Sequence[str],
    without: Sequence[Edge] = (),
) -> tuple[dict[int, tuple[int, ...]], dict[int, int]]:
    """The nodes with (width, hop, turn, owner's place), in order, and their distances."""
    hidden = {graph.relation_row(key) for key in hide_from_seed}
    rooms = budget if isinstance(budget, list) else [budget] * max(hops, 1)
    chosen = set(list(dict.fromkeys(seeds))[: rooms[0]])
    labels: dict[int, tuple[int, ...]] = {
        seed: (0, 0, 0, 0) for seed in dict.fromkeys(seeds) if seed in chosen
    }
    distance = dict.fromkeys(labels, 0)

    def row(entity: int, cap: int | None) -> list[int]:
        place = slice(*graph.neighbour_indptr[entity : entity + 2])
        others = graph.neighbour_entity[place].tolist()
        found = []
        for other, step in zip(others, graph.neighbour_relation[place].tolist(), strict=True):
            inward, relation = divmod(step, graph.num_relations)
            triple = (other, relation, entity) if inward else (entity, relation, other)
            if triple not in without and (relation not in hidden or not {*triple[::2]} & chosen):
                found.append(other)
        return found[:cap]

    def order(entity: int) -> tuple[int, ...]:
        width, hop, *turn = labels[entity]
        return (hop, width, *turn) if isinstance(budget, list) else labels[entity]

    for hop in range(1, hops + 1):
        cap = fan_out[hop - 1] if isinstance(fan_out, list) else fan_out
        owners = [entity for entity, label in labels.items() if label[1] == hop - 1]
        before = dict(labels)
        for place, entity in enumerate(owners):
            entries = row(entity, cap)
            for turn, other in enumerate(entries):
                label = (max(before[entity][0], len(entries)), hop, turn, place)
                if other not in before or not isinstance(budget, list):
                    # As wide as before brings nothing, for this hop is a later one.
                    labels[other] = min(labels.get(other, label), label)
                distance.setdefault(other, hop)
        kept = sorted(labels, key=order)[: rooms[hop - 1]]  # stable: seeds keep their order
        labels = {entity: labels[entity] for entity in kept}
        distance = {entity: distance[entity] for entity in kept}
    return labels, distance


@given(some_edges, some_seeds, hop_counts)
@example([(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 2, 2)], [0], 1)
def test_without_caps_it_is_the_ego_graph_of_networkx(
    edges: Edges, seeds: list[int], hops: int
) -> None:
    graph = graph_of(edges)
    whole = networkx.MultiDiGraph()
    whole.add_nodes_from(range(graph.num_entities))
    for head, relation, tail in zip(graph.heads, graph.relations, graph.tails, strict=True):
        whole.add_edge(int(head), int(tail), key=int(relation))
    egos = [networkx.ego_graph(whole, seed, hops, undirected=True) for seed in seeds]
    nodes = {node for ego in egos for node in ego}
    distance = networkx.multi_source_dijkstra_path_length(
        whole.to_undirected(), set(seeds), hops, weight=None
    ) if seeds else {}  # fmt: skip

    subgraph = one(HopRetriever(graph, hops=hops, budget=ALL, fan_out=None), seeds)
    assert set(subgraph.nodes.tolist()) == nodes
    assert len(subgraph.nodes) == len(nodes)
    induced = whole.subgraph(nodes)
    assert sorted(triples(subgraph)) == sorted((h, r, t) for h, t, r in induced.edges(keys=True))
    assert dict(zip(subgraph.nodes.tolist(), subgraph.hops.tolist(), strict=True)) == distance


@given(some_edges, some_seeds, caps, st.lists(st.integers(0, 50), max_size=4))
def test_with_caps_it_is_the_written_rule(
    edges: Edges, seeds: list[int], arguments: dict[str, Any], hide: list[int]
) -> None:
    graph = graph_of(edges)
    without = [edges[place] for place in hide if place < len(edges)]
    subgraph = one(HopRetriever(graph, **arguments), seeds, without)
    assert everything(subgraph) == by_the_rule(graph, seeds, **arguments, without=without)


@given(some_edges, some_seeds, hop_counts, st.lists(st.integers(0, 50), max_size=4))
def test_without_a_triple_it_is_the_cut_of_a_graph_that_does_not_hold_it(
    edges: Edges, seeds: list[int], hops: int, hide: list[int]
) -> None:
    without = [edges[place] for place in hide if place < len(edges) - len(loops)]
    smaller = graph_of([edge for edge in edges if edge not in {*without} - {*loops}])
    caps = {"hops": hops, "budget": ALL, "fan_out": None}
    whole = one(HopRetriever(graph_of(edges), **caps), seeds, [*{*without} - {*loops}])
    part = one(HopRetriever(smaller, **caps), seeds)
    assert sorted(triples(whole)) == sorted(triples(part))
    distances = [dict(zip(s.nodes.tolist(), s.hops.tolist(), strict=True)) for s in (whole, part)]
    assert distances[0] == distances[1]


@pytest.mark.parametrize("name", RETRIEVERS)
@given(some_edges, some_seeds, st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_no_retriever_shows_what_a_text_is_asked_without(
    name: str, edges: Edges, seeds: list[int], hide: list[int]
) -> None:
    without = [edges[place % len(edges)] for place in hide]
    subgraph = one(retriever_of(name, graph_of(edges)), seeds, without)
    assert not {*triples(subgraph)} & {*without}


@given(some_edges, some_seeds, st.lists(st.integers(0, 50), max_size=4))
def test_dropped_triples_take_their_edges_and_paths_with_them(
    edges: Edges, seeds: list[int], hide: list[int]
) -> None:
    graph = graph_of(edges)
    whole = one(HopRetriever(graph), seeds)
    heads, tails = whole.edge_index.tolist()
    steps = [
        Way((head, tail), (edge,))
        for edge, (head, tail) in enumerate(zip(heads, tails, strict=True))
    ]
    without = [edges[place] for place in hide if place < len(edges)]
    part = drop_triples(replace(whole, paths=tuple(steps)), Asked.at([], without=without).without)
    assert triples(part) == [triple for triple in triples(whole) if triple not in without]
    assert part.nodes.tolist() == whole.nodes.tolist()
    for edge, path in enumerate(part.paths):
        assert path.edges == (edge,)
        assert path.nodes == tuple(part.edge_index[:, edge].tolist())
    assert len(part.paths) == len(part.edge_type)


@given(some_edges, some_seeds, hop_counts, st.integers(1, 13), st.integers(1, 6))
def test_what_is_narrower_than_the_fan_out_stays_when_it_grows(
    edges: Edges, seeds: list[int], hops: int, budget: int, fan_out: int
) -> None:
    graph = graph_of(edges)
    labels, _ = labels_by_the_rule(graph, seeds, hops, budget, fan_out, [])
    narrow = [entity for entity, (width, *_) in labels.items() if width < fan_out]
    for larger in (fan_out + 1, fan_out + 5, None):
        retriever = HopRetriever(graph, hops=hops, budget=budget, fan_out=larger)
        assert one(retriever, seeds).nodes[: len(narrow)].tolist() == narrow


@given(
    some_edges,
    some_seeds,
    st.lists(st.tuples(st.integers(1, 4), st.integers(1, 13)), min_size=1, max_size=3),
)
def test_each_hop_may_have_caps_of_its_own(
    edges: Edges, seeds: list[int], each: list[tuple[int, int]]
) -> None:
    graph = graph_of(edges)
    fan_out, budget = (list(column) for column in zip(*each, strict=True))
    arguments = {
        "hops": len(each),
        "budget": sorted(budget),
        "fan_out": fan_out,
        "hide_from_seed": [],
    }
    subgraph = one(HopRetriever(graph, **arguments), seeds)
    assert everything(subgraph) == by_the_rule(graph, seeds, **arguments)


@given(some_edges, some_seeds, caps)
def test_caps_only_take_away(edges: Edges, seeds: list[int], arguments: dict[str, Any]) -> None:
    graph = graph_of(edges)
    capped = one(HopRetriever(graph, **arguments), seeds)
    whole = one(HopRetriever(graph, **{**arguments, "budget": ALL, "fan_out": None}), seeds)
    assert len(capped.nodes) <= arguments["budget"]
    assert set(capped.nodes.tolist()) <= set(whole.nodes.tolist())
    if len(set(seeds)) <= arguments["budget"]:
        assert capped.num_seeds == len(set(seeds))
        assert set(triples(capped)) <= set(triples(whole))


@given(some_edges, some_seeds, caps)
def test_hidden_relations_never_touch_a_seed(
    edges: Edges, seeds: list[int], arguments: dict[str, Any]
) -> None:
    graph = graph_of(edges)
    subgraph = one(HopRetriever(graph, **arguments), seeds)
    hidden = {RELATIONS.index(key) for key in arguments["hide_from_seed"]}
    for head, relation, tail in triples(subgraph):
        assert relation not in hidden or not {head, tail} & set(seeds)


def retriever_of(name: str, graph: KnowledgeGraph) -> Retriever:
    """A retriever by name; a live one gets a server in memory, and the rows of the graph."""
    if name == "live":
        live = LiveGraph(SnapshotServer(graph))
        live.rows(graph.keys)
        live.relation_keys.number(graph.relation_keys)
        return RETRIEVERS[name](live)
    return RETRIEVERS.build(name, graph=graph, scorer=ToyScorer())


@pytest.mark.parametrize("name", RETRIEVERS)
@given(some_edges, st.lists(some_seeds, max_size=6))
def test_one_by_one_is_all_together(name: str, edges: Edges, batch: list[list[int]]) -> None:
    graph = graph_of(edges)
    retriever = retriever_of(name, graph)
    together = retriever.retrieve([Asked.at(seeds) for seeds in batch])
    alone = [retriever.retrieve([Asked.at(seeds)])[0] for seeds in batch]
    assert list(map(everything, together)) == list(map(everything, alone))


@pytest.mark.parametrize("name", RETRIEVERS)
def test_a_text_without_seeds_has_an_empty_subgraph(name: str) -> None:
    retriever = retriever_of(name, graph_of([(0, 0, 1)]))
    empty, full = retriever.retrieve([Asked.at([]), Asked.at([0])])
    assert everything(empty) == ([], [], [])
    assert len(full.nodes) == 2
    assert retriever.retrieve([]) == []
    assert everything(retriever([])) == ([], [], [])


def test_an_empty_graph_gives_empty_subgraphs() -> None:
    graph = KnowledgeGraph.from_records([], [])
    assert everything(one(HopRetriever(graph), [])) == ([], [], [])


def test_mentions_give_the_seeds_in_the_order_of_the_text() -> None:
    graph = graph_of([(0, 0, 1), (1, 0, 2)])
    mentions = [
        Mention(0, 1, "x", "e000002"),
        Mention(2, 3, "y", None),
        Mention(4, 5, "z", "e000000"),
    ]
    assert HopRetriever(graph, hops=0)(mentions).nodes.tolist() == [2, 0]


def hub(size: int) -> KnowledgeGraph:
    """Entity 0 leads to all others by two relations; each other leads on to the next one."""
    out = [(0, relation, tail) for relation in (0, 1) for tail in range(1, size)]
    return graph_of([*out, *((row, 2, row + 1) for row in range(1, size - 1))], size)


def test_a_hub_of_a_hundred_thousand_neighbours_gives_no_more_than_the_budget() -> None:
    graph = hub(100_001)
    arguments = {"hops": 2, "budget": 50, "fan_out": 16, "hide_from_seed": []}
    for seeds in ([0], [77_777], [5, 99_999]):
        subgraph = one(HopRetriever(graph, **arguments), seeds)
        assert everything(subgraph) == by_the_rule(graph, seeds, **arguments)
    assert len(one(HopRetriever(graph, fan_out=None, budget=ALL), [9]).nodes) == 100_001


@pytest.mark.parametrize("hide", [[], ["a"], ["a", "b"]])
def test_long_rows_give_the_same_edges_searched_or_read(hide: list[str]) -> None:
    graph = hub(3_000)
    arguments = {"hops": 1, "budget": 20, "fan_out": 9, "hide_from_seed": hide}
    for seeds in ([0], [0, 17, 2_999, 1], [4, 5, 6]):
        subgraph = one(HopRetriever(graph, **arguments), seeds)
        assert everything(subgraph) == by_the_rule(graph, seeds, **arguments)


def test_several_seeds_share_the_budget() -> None:
    graph = graph_of([(seed, 0, 10 * seed + i) for seed in (1, 2, 3) for i in range(10)], 40)
    nodes = one(HopRetriever(graph, hops=1, budget=12), [1, 2, 3]).nodes[3:]
    assert np.bincount(nodes // 10, minlength=4)[1:].tolist() == [3, 3, 3]


def test_a_snapshot_on_disk_gives_what_the_graph_in_memory_gives(tmp_path: Path) -> None:
    from kgfm.retrieval.kernels_hops import cut

    graph = graph_of([(0, 0, 1), (1, 1, 2), (2, 2, 0), (5, 0, 5)])
    saved = graph.save(tmp_path / "graph")
    expected = everything(one(HopRetriever(graph), [0, 5]))
    compiled = len(cut.signatures)
    assert everything(one(HopRetriever(saved), [0, 5])) == expected
    copy = pickle.loads(pickle.dumps(HopRetriever(saved, hops=1)))
    assert everything(one(copy, [0, 5])) == everything(one(HopRetriever(graph, hops=1), [0, 5]))
    assert len(cut.signatures) == compiled


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"hops": -1}, "hops is at least 0, got -1"),
        ({"budget": 0}, "budget is at least 1, got 0"),
        ({"fan_out": 0}, "fan_out is at least 1, got 0"),
        ({"fan_out": [4, 0]}, "fan_out is at least 1, got 0"),
        ({"fan_out": [4, 4, 4]}, "fan_out lists 3 numbers for 2 hops"),
        ({"budget": [9, 20, 30]}, "budget lists 3 numbers for 2 hops"),
        ({"budget": [20, 9]}, "budget falls from 20 to 9"),
    ],
)
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HopRetriever(graph_of([]), **wrong)


def test_an_unknown_relation_is_refused_with_the_nearest() -> None:
    graph = KnowledgeGraph.from_records([], [("x", "has_genre", "y")])
    with pytest.raises(KeyError, match="Did you mean 'has_genre'"):
        HopRetriever(graph, hide_from_seed=["has_gener"])
    with pytest.raises(TypeError, match=r"write \['has_genre'\]"):
        HopRetriever(graph, hide_from_seed="has_genre")


def test_seeds_that_are_no_rows_are_refused() -> None:
    retriever = HopRetriever(graph_of([]))
    with pytest.raises(IndexError, match="seeds run from 0 to 12; this graph has the rows 0 to 11"):
        retriever.retrieve([Asked.at([0]), Asked.at([3, 12])])
    with pytest.raises(IndexError, match="seeds run from -2"):
        one(retriever, [-2])
    with pytest.raises(IndexError, match="hidden triples' ends run from 0 to 12"):
        retriever.retrieve([Asked.at([0], without=[(0, 0, 12)])])
    with pytest.raises(IndexError, match="hidden triples' relations run from 3 to 3"):
        retriever.retrieve([Asked.at([0], without=[(0, 3, 1)])])


@pytest.mark.parametrize("seeds", [["e000001"], [0.5], [[0, 1]], np.array(["x"]), np.ones(2)])
def test_seeds_that_are_no_integers_are_refused_with_what_to_write(seeds: Any) -> None:
    unchecked = inspect.unwrap(Asked.at.__func__)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"flat array of rows .* graph\.rows\(keys\) makes rows"):
        unchecked(Asked, seeds)


@pytest.mark.parametrize("name", RETRIEVERS)
def test_bare_rows_are_refused_with_what_to_write(name: str) -> None:
    retriever = retriever_of(name, graph_of([]))
    asked: list[Any] = [np.array([0])]
    unchecked = inspect.unwrap(type(retriever).retrieve)  # past the type checker of the tests
    with pytest.raises(TypeError, match=r"got ndarray as number 0; write Asked.at\(rows\)"):
        unchecked(retriever, asked)


@pytest.mark.parametrize("name", RETRIEVERS)
def test_a_mention_of_nothing_in_the_graph_is_no_seed(name: str) -> None:
    retriever = retriever_of(name, graph_of([(0, 0, 1)]))
    with_nil, without = retriever.retrieve([Asked.at([-1, 0]), Asked.at([0])])
    assert everything(with_nil) == everything(without)


def test_the_configuration_builds_an_equal_retriever() -> None:
    graph = graph_of([(0, 0, 1)])
    retriever = HopRetriever(graph, hops=1, hide_from_seed=("a",))
    assert HopRetriever(graph, **retriever.config()).config() == retriever.config()
    assert "hide_from_seed=['a']" in repr(retriever)


@pytest.mark.slow
def test_kernels_work_where_numba_can_write_no_cache(tmp_path: Path) -> None:
    code = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "from kgfm.graph import KnowledgeGraph\n"
        "from kgfm.retrieval import HopRetriever\n"
        "from kgfm.types import Asked\n"
        "graph = KnowledgeGraph.from_records([], [('x', 'r', 'y')])\n"
        "print(HopRetriever(graph).retrieve([Asked.at(graph.rows(['x']))]))\n"
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[Subgraph(2 nodes, 1 edges, 1 seeds)]\n", done.stderr
