"""Controls where the retriever learns: the graph is altered before anything is learned of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worlds import tiny_recipe

from kgfm.controls import CONTROLS, Shared, as_text, controls, row_pipeline
from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.recipes import Recipe, load_dataset, read_recipe, text_vectors, train
from kgfm.retrieval import RETRIEVERS, HopRetriever
from kgfm.types import Asked, Subgraph


class CountingRetriever(HopRetriever):
    """Counts which relations lead from what is named to an answer, and expects the same again."""

    learns = True
    taught: list[CountingRetriever] = []  # noqa: RUF012

    def __init__(self, graph: KnowledgeGraph, *, hops: int = 1, budget: int = 20) -> None:
        super().__init__(graph, hops=hops, budget=budget)
        self.counts = np.zeros(graph.num_relations)

    def config(self):
        return {"hops": self.hops, "budget": self.budget}

    def learn(self, train, validation, *, seed=0) -> None:
        self.taught.append(self)
        graph = self.graph
        for one in train:
            leads = np.isin(graph.heads, one.asked.seeds) & np.isin(graph.tails, one.rows)
            self.counts += np.bincount(graph.relations[leads], minlength=len(self.counts))

    def learned(self):
        return {"counts": self.counts}

    def restore(self, learned):
        self.counts = learned["counts"]

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        return [replace(cut, prior=self._prior(cut)) for cut in super().retrieve(asked)]

    def _prior(self, cut: Subgraph) -> np.ndarray:
        found = np.zeros(len(cut.nodes))
        np.add.at(found, cut.edge_index[1], self.counts[cut.edge_type])
        return np.log(found + 0.1).astype(np.float32)


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setitem(RETRIEVERS, "counting", CountingRetriever)
    monkeypatch.setattr(CountingRetriever, "taught", [])
    found = read_recipe(tiny_recipe(tmp_path))
    return replace(found, retriever={"name": "counting", "hops": 1, "budget": 20})


@pytest.fixture
def shared(recipe: Recipe) -> Shared:
    dataset = load_dataset(recipe)
    return Shared(dataset, Linker(dataset.graph), text_vectors(recipe, dataset.graph))


def test_every_row_learns_anew_from_its_own_graph(recipe: Recipe, tmp_path: Path) -> None:
    rows = [row for row in CONTROLS if row != "probe"]  # which is for labels
    table = controls(recipe, (0,), tmp_path / "table", rows=rows)
    graph = load_dataset(recipe).graph
    taught = [retriever.graph.fingerprint for retriever in CountingRetriever.taught]
    altered = [graph.shuffled(0).fingerprint, graph.rewired(0).fingerprint]
    assert taught == [graph.fingerprint, *altered, graph.fingerprint]
    assert len({*map(id, CountingRetriever.taught)}) == 4
    counts = [retriever.counts.sum() for retriever in CountingRetriever.taught]
    assert counts[0] == counts[3] > max(counts[1:3])
    assert "before the cut, so that what is learned of it is learned anew" in as_text(table)
    assert "'without' ranks by their text alone what hops of the same budget" in table["meaning"]


@pytest.mark.parametrize("row", ["shuffled", "random"])
def test_an_answer_out_of_reach_counts_as_wrong(recipe: Recipe, shared: Shared, row: str) -> None:
    pipeline = row_pipeline(row, recipe, shared)
    assert type(pipeline.retriever) is CountingRetriever
    prepared = pipeline.prepare(shared.dataset.test)
    reached = [bool(np.isin(one.target.rows, one.rows[0].subgraph.nodes).any()) for one in prepared]
    assert not all(reached)
    assert all(len(one.target.rows) for one in prepared)
    figures = pipeline.evaluate(shared.dataset.test)
    assert figures["hits@10"] == pytest.approx(np.mean(reached))  # no text has ten nodes
    assert figures["hits@1"] <= figures["hits@10"]


def test_without_it_the_text_ranks_what_hops_of_the_same_budget_cut(
    recipe: Recipe, shared: Shared
) -> None:
    recipe = replace(recipe, retriever={"name": "counting", "hops": 2, "budget": 3})
    pipeline = row_pipeline("without", recipe, shared)
    assert not pipeline.retriever.learns
    cuts = [one.rows[0].subgraph for one in pipeline.prepare(shared.dataset.test)]
    seeds = [Asked.at(cut.nodes[: cut.num_seeds]) for cut in cuts]
    hops = HopRetriever(shared.dataset.graph, hops=2, budget=3).retrieve(seeds)
    assert [cut.nodes.tolist() for cut in cuts] == [cut.nodes.tolist() for cut in hops]
    assert max(len(cut.nodes) for cut in cuts) == 3
    assert all(cut.prior is None and not len(cut.edge_type) for cut in cuts)


def test_where_no_node_is_ranked_no_entity_is_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RETRIEVERS, "counting", CountingRetriever)
    monkeypatch.setattr(CountingRetriever, "taught", [])
    found = read_recipe(tiny_recipe(tmp_path, "classify"))
    train(replace(found, retriever={"name": "counting"}))
    (taught,) = CountingRetriever.taught
    assert not taught.counts.any()
