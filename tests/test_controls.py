"""The graph on trial: what the rows see, what is compared, and what is not run twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worlds import tiny_recipe

import kgfm.controls.run as module
from kgfm.controls import (
    CONTROLS,
    ROWS,
    Shared,
    as_text,
    controls,
    row_digest,
    row_pipeline,
)
from kgfm.linking import Linker
from kgfm.recipes import Recipe, load_dataset, read_recipe, text_vectors
from kgfm.retrieval import HopRetriever
from kgfm.retrieval.altered import ShuffledEdges, WithoutEdges
from kgfm.types import Asked

TASKS = pytest.mark.parametrize("task", ["answer", "classify"])


def shared_by(recipe: Recipe) -> Shared:
    dataset = load_dataset(recipe)
    return Shared(dataset, Linker(dataset.graph), text_vectors(recipe, dataset.graph))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, dict, Path]:
    folder = tmp_path_factory.mktemp("controls")
    recipe = read_recipe(tiny_recipe(folder))
    return recipe, controls(recipe, (0, 1), folder / "table"), folder / "table"


@TASKS
def test_every_row_reads_the_same_texts_with_the_same_mentions(tmp_path: Path, task: str) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path, task))
    shared = shared_by(recipe)
    examples = shared.dataset.test[:6]
    for row in ROWS:
        pipeline = row_pipeline(row, recipe, shared)
        pipeline.learn(shared.dataset.train)
        prepared = pipeline.prepare(examples)
        if row == "with":
            ids = [item.rows[0].input_ids.tolist() for item in prepared]
        assert [item.rows[0].input_ids.tolist() for item in prepared] == ids
        assert pipeline.link(examples) == [example.mentions for example in examples]


def test_to_answer_every_row_ranks_the_same_candidates(tmp_path: Path) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path))
    shared = shared_by(recipe)
    nodes, edges = {}, {}
    for row in ROWS:
        prepared = row_pipeline(row, recipe, shared).prepare(shared.dataset.test)
        nodes[row] = [item.rows[0].subgraph.nodes.tolist() for item in prepared]
        edges[row] = sum(len(item.rows[0].subgraph.edge_type) for item in prepared)
        for item in prepared:
            assert {*item.target.tolist()} <= {*item.rows[0].subgraph.nodes.tolist()}
    assert nodes["with"] == nodes["without"] == nodes["shuffled"]
    assert edges["without"] == 0
    assert edges["shuffled"] == edges["with"] > 0


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


def test_the_table_has_means_and_differences_paired_by_seed(
    table: tuple[Recipe, dict, Path],
) -> None:
    _, found, folder = table
    mine, theirs = (found["rows"][row]["hits@1"]["values"] for row in ("with", "without"))
    gaps = [a - b for a, b in zip(mine, theirs, strict=True)]
    difference = found["differences"]["with - without"]["hits@1"]
    assert difference["mean"] == pytest.approx(sum(gaps) / 2)
    # Two values: t(0.975, 1) = 12.706, and s / sqrt(2) is half their distance.
    assert difference["half_width"] == pytest.approx(12.706 * abs(gaps[0] - gaps[1]) / 2, rel=1e-3)
    assert found["seeds"] == [0, 1]
    assert json.loads((folder / "controls.json").read_text())["rows"].keys() == {*ROWS}
    assert "with − without" in (folder / "controls.md").read_text()
    assert "±" in as_text(found)


def test_runs_that_are_there_are_not_run_again(
    table: tuple[Recipe, dict, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, found, folder = table
    monkeypatch.setattr(module, "fit_and_measure", None)  # any run would call it
    assert controls(recipe, (0, 1), folder) == found


def test_an_interrupted_table_goes_on_where_it_stopped(
    table: tuple[Recipe, dict, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, found, folder = table
    (folder / "shuffled-seed1" / "result.json").unlink()
    ran = []
    fit = module.fit_and_measure

    def counted(own, *rest, **more):
        ran.append(Path(own.out).name)
        return fit(own, *rest, **more)

    monkeypatch.setattr(module, "fit_and_measure", counted)
    again = controls(recipe, (0, 1), folder)
    assert ran == ["shuffled-seed1"]
    assert again["rows"] == found["rows"]


def test_another_recipe_or_other_texts_are_run_anew(table: tuple[Recipe, dict, Path]) -> None:
    recipe, _, _ = table
    dataset = load_dataset(recipe)
    mine = row_digest("with", recipe, dataset)
    assert mine != row_digest("with", replace(recipe, seed=5), dataset)
    assert mine != row_digest("with", recipe, replace(dataset, test=dataset.test[1:]))
    assert mine == row_digest("with", replace(recipe, out="elsewhere"), dataset)


def test_a_row_that_reads_texts_alone_is_the_same_for_another_graph(tmp_path: Path) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path, "classify"))
    other = replace(recipe, retriever={"name": "hops", "hops": 2})
    dataset = load_dataset(recipe)
    shuffled = replace(dataset, graph=dataset.graph.shuffled(0))
    digests = {
        row: row_digest(row, recipe, dataset) == row_digest(row, other, shuffled) for row in ROWS
    }
    assert digests == {"with": False, "without": True, "shuffled": False}


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_are_given_and_given_once(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one, and none twice"):
        controls(read_recipe(tiny_recipe(tmp_path)), seeds, tmp_path)
