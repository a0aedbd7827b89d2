"""What each row of a table sees: the same texts, and the graph, an altered one or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worlds import tiny_recipe

from kgfm.controls import CONTROLS, Shared, controls, row_pipeline
from kgfm.controls.base import case_of
from kgfm.linking import Linker
from kgfm.recipes import Recipe, load_dataset, read_recipe, text_vectors
from kgfm.retrieval import RETRIEVERS, HopRetriever
from kgfm.retrieval.altered import RandomEdges, ShuffledEdges, WithoutEdges
from kgfm.types import Asked, Subgraph

TASKS = pytest.mark.parametrize("task", ["answer", "classify"])


def shared_by(recipe: Recipe) -> Shared:
    dataset = load_dataset(recipe)
    return Shared(dataset, Linker(dataset.graph), text_vectors(recipe, dataset.graph))


def rows_for(recipe: Recipe, shared: Shared) -> list[str]:
    """The rows that there are for a recipe's task."""
    case = case_of(recipe, shared.dataset.graph)
    return [row for row in CONTROLS if CONTROLS.build(row).suits(case)]


@TASKS
def test_every_row_reads_the_same_texts_with_the_same_mentions(tmp_path: Path, task: str) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path, task))
    shared = shared_by(recipe)
    examples = shared.dataset.test[:6]
    for row in rows_for(recipe, shared):
        pipeline = row_pipeline(row, recipe, shared)
        pipeline.learn(shared.dataset.train)
        prepared = pipeline.prepare(examples)
        if row == "with":
            ids = [item.rows[0].input_ids.tolist() for item in prepared]
        assert [item.rows[0].input_ids.tolist() for item in prepared] == ids
        assert pipeline.link(examples) == [example.mentions for example in examples]


UNTAUGHT = [n for n, kind in RETRIEVERS.items() if n != "live" and not kind.learns]
"""Where something is learned, the graph is altered before, and other nodes are cut."""


@pytest.mark.parametrize("retriever", UNTAUGHT)
def test_to_answer_every_row_ranks_the_same_candidates(tmp_path: Path, retriever: str) -> None:
    recipe = replace(read_recipe(tiny_recipe(tmp_path)), retriever={"name": retriever})
    shared = shared_by(recipe)
    nodes, edges = {}, {}
    for row in rows_for(recipe, shared):
        prepared = row_pipeline(row, recipe, shared).prepare(shared.dataset.test)
        nodes[row] = [item.rows[0].subgraph.nodes.tolist() for item in prepared]
        edges[row] = sum(len(item.rows[0].subgraph.edge_type) for item in prepared)
        for item in prepared:
            assert {*item.target.rows.tolist()} <= {*item.rows[0].subgraph.nodes.tolist()}
    assert all(found == nodes["with"] for found in nodes.values())
    assert edges.pop("without") == 0
    assert set(edges.values()) == {edges["with"]} != {0}


def test_to_classify_a_random_graph_is_whole_and_of_the_same_degrees(tmp_path: Path) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path, "classify"))
    shared = shared_by(recipe)
    graph, other = shared.dataset.graph, row_pipeline("random", recipe, shared).graph
    assert other.fingerprint not in (
        graph.fingerprint,
        row_pipeline("shuffled", recipe, shared).graph.fingerprint,
    )
    for column in ("heads", "relations", "tails"):
        mine, theirs = (np.sort(getattr(g, column)).tolist() for g in (graph, other))
        assert mine == theirs


def test_the_counter_is_the_recipe_with_another_encoder(tmp_path: Path) -> None:
    from kgfm.encoders import Counter

    recipe = read_recipe(tiny_recipe(tmp_path))
    shared = shared_by(recipe)
    mine, theirs = (row_pipeline(row, recipe, shared) for row in ("with", "counter"))
    assert type(theirs.model.encoder) is Counter
    assert theirs.model.encoder.out_width == mine.model.encoder.out_width
    assert mine.model.fusions.keys() == theirs.model.fusions.keys()
    assert mine.graph is theirs.graph


def test_to_classify_the_row_without_has_no_node_and_the_shuffled_graph_is_whole(
    tmp_path: Path,
) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path, "classify"))
    shared = shared_by(recipe)
    without = row_pipeline("without", recipe, shared)
    without.learn(shared.dataset.train)
    assert without.model.encoder is None
    assert all(
        not len(item.rows[0].subgraph.nodes) for item in without.prepare(shared.dataset.test)
    )
    graph, other = shared.dataset.graph, row_pipeline("shuffled", recipe, shared).graph
    assert other.num_triples == graph.num_triples
    assert other.fingerprint != graph.fingerprint
    for relation in range(graph.num_relations):
        mine, theirs = (np.sort(g.tails[g.relations == relation]) for g in (graph, other))
        assert mine.tolist() == theirs.tolist()


def test_shuffled_edges_are_the_same_in_every_epoch_and_others_for_another_seed() -> None:
    from kgfm.synthetic import question_world

    graph = question_world(topics=40).graph
    retriever = HopRetriever(graph, hops=2)
    seeds = [Asked.at([row]) for row in range(8)]
    first, again, other = (
        ShuffledEdges(retriever, seed=seed).retrieve(seeds) for seed in (1, 1, 2)
    )
    true = retriever.retrieve(seeds)
    same = [
        a.edge_index.tolist() == b.edge_index.tolist() for a, b in zip(first, again, strict=True)
    ]
    assert all(same)
    assert any(
        a.edge_index.tolist() != b.edge_index.tolist() for a, b in zip(first, other, strict=True)
    )
    for cut, whole in zip(first, true, strict=True):
        assert cut.nodes.tolist() == whole.nodes.tolist()
        assert cut.edge_index[0].tolist() == whole.edge_index[0].tolist()
        assert sorted(cut.edge_type.tolist()) == sorted(whole.edge_type.tolist())
    bare = WithoutEdges(retriever).retrieve(seeds)
    assert all(not len(cut.edge_type) and len(cut.nodes) for cut in bare)


def degrees(cut: Subgraph) -> list[list[int]]:
    return [np.bincount(ends, minlength=len(cut.nodes)).tolist() for ends in cut.edge_index]


def test_random_edges_keep_every_nodes_number_of_edges_and_nothing_else() -> None:
    from kgfm.synthetic import question_world

    graph = question_world(topics=40).graph
    retriever = HopRetriever(graph, hops=2)
    seeds = [Asked.at([row]) for row in range(8)]
    random = RandomEdges(retriever, seed=1).retrieve(seeds)
    again = RandomEdges(retriever, seed=1).retrieve(seeds)
    moved = 0
    for cut, whole, twin in zip(random, retriever.retrieve(seeds), again, strict=True):
        assert cut.edge_index.tolist() == twin.edge_index.tolist()
        assert cut.nodes.tolist() == whole.nodes.tolist()
        assert degrees(cut) == degrees(whole)
        assert sorted(cut.edge_type.tolist()) == sorted(whole.edge_type.tolist())
        true, false = (
            {*zip(*one.edge_index.tolist(), one.edge_type.tolist(), strict=True)}
            for one in (whole, cut)
        )
        moved += len(true - false)
    assert moved > sum(len(cut.edge_type) for cut in random) / 2


class Opinionated(HopRetriever):
    """Thinks the better of a node the later it was met."""

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        return [
            replace(cut, prior=np.arange(len(cut.nodes), dtype=np.float32))
            for cut in super().retrieve(asked)
        ]


def test_what_the_true_edges_say_of_a_node_is_in_no_altered_subgraph() -> None:
    from kgfm.synthetic import question_world

    retriever = Opinionated(question_world(topics=40).graph, hops=2)
    seeds = [Asked.at([0])]
    (true,) = retriever.retrieve(seeds)
    assert WithoutEdges(retriever).retrieve(seeds)[0].prior is None
    for other in (ShuffledEdges, RandomEdges):
        (cut,) = other(retriever).retrieve(seeds)
        assert sorted(cut.prior.tolist()) == true.prior.tolist() != cut.prior.tolist()
    (cut,) = ShuffledEdges(retriever).retrieve(seeds)
    elsewhere = dict(zip(true.edge_index[1].tolist(), cut.edge_index[1].tolist(), strict=True))
    assert all(cut.prior[there] == true.prior[here] for here, there in elsewhere.items())


def test_the_probe_is_a_row_for_a_task_with_labels_and_trains_no_layer(tmp_path: Path) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path, "classify"))
    recipe = replace(recipe, task={"name": "classify", "start": "random"})
    table = controls(recipe, (0,), tmp_path / "table")
    assert [*table["rows"]] == ["with", "without", "shuffled", "probe"]
    assert "probe - without" in table["differences"]
    assert "'probe' is logistic regression" in table["meaning"]
    assert table["metric"] == "accuracy"
    run = read_recipe(tmp_path / "table" / "probe-seed0" / "recipe.yaml")
    assert run.training.epochs == 0
    shared = shared_by(recipe)
    assert row_pipeline("probe", recipe, shared).parts["encoder"] is None


def test_to_answer_there_is_no_probe(tmp_path: Path) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path))
    assert "probe" not in rows_for(recipe, shared_by(recipe))
    with pytest.raises(ValueError, match="'probe' is not for such a task"):
        controls(recipe, (0,), tmp_path / "table", rows=("with", "probe"))
    assert not (tmp_path / "table").exists()
