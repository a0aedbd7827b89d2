"""A task is one file and one line: three of other kinds go through all that kgfm does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_tasks import ChooseTask, RankTask, SpanTask

import kgfm
from kgfm.controls import controls
from kgfm.datasets import DATASETS, Dataset
from kgfm.recipes import Recipe, evaluate, train
from kgfm.synthetic import label_world, question_world
from kgfm.tasks import TASKS
from kgfm.training import TrainingConfig
from kgfm.types import NIL, About, Example

TOYS: dict[str, Any] = {"rank": RankTask, "choose": ChooseTask, "label-spans": SpanTask}
PACKAGE = Path(kgfm.__file__).parent


def toy(data: Path | None, cache: Path, *, kind: str) -> Dataset:
    """Small worlds whose texts are asked as each task asks."""
    world: Any = question_world(topics=24) if kind != "label-spans" else label_world(topics=30)
    graph = world.graph

    def asked(example: Example) -> Example:
        if kind == "rank":
            return example
        if kind == "choose":
            right = graph.label(example.target[0]) if example.target else "nobody"
            others = [name for name in map(graph.label, list(graph.keys)[:3]) if name != right]
            return replace(example, choices=(*others[:2], right), target=(right,))
        start, end = example.mentions[0].start, example.mentions[0].end
        about = (About(((start, end),), labels=example.target), About(((0, 2),), labels=("mine",)))
        return Example(example.text, about=about)

    parts = [tuple(map(asked, getattr(world, part))) for part in ("train", "validation", "test")]
    return Dataset(graph, *parts)


@pytest.fixture(params=TOYS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(TASKS, request.param, TOYS[request.param])
    monkeypatch.setitem(DATASETS, "toy", toy)
    return str(request.param)


def recipe_for(kind: str, folder: Path) -> Recipe:
    return Recipe(
        dataset={"name": "toy", "kind": kind},
        task={"name": kind},
        retriever={"name": "hops", "hops": 1, "budget": 20},
        backbone={"name": "tiny-bert"},
        text_encoder={"name": "tiny-bert"},
        encoder={"name": "rgcn", "width": 16},
        training=TrainingConfig(
            epochs=1, max_tokens=32, batch_size=16, tensorboard=False, accelerator="cpu"
        ),
        cache=str(folder / "cache"),
        out=str(folder / "run"),
    )


def test_it_trains_evaluates_predicts_explains_saves_and_loads(kind: str, tmp_path: Path) -> None:
    recipe = recipe_for(kind, tmp_path)
    figures = train(recipe)
    assert evaluate(recipe.folder()) == pytest.approx(figures["test"])
    pipeline = kgfm.Pipeline.load(recipe.folder())
    assert type(pipeline.task) is TOYS[kind]
    assert pipeline.task.monitor in figures["test"]
    examples = toy(None, tmp_path, kind=kind).test[:5]
    together, alone = pipeline(examples), [pipeline(example) for example in examples]
    for one, other, example in zip(together, alone, examples, strict=True):
        assert (one.text, one.answer, one.mentions) == (other.text, other.answer, other.mentions)
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert len(one.about) == len(example.about)
        assert one.choices == example.choices
    evidence = pipeline.explain(together[0])
    assert all(item.kind == "triple" for item in evidence)
    pipeline.save(tmp_path / "again")
    assert kgfm.Pipeline.load(tmp_path / "again")(examples) == together
    assert pipeline.task.report().kind


def test_the_graph_can_be_put_on_trial(kind: str, tmp_path: Path) -> None:
    recipe = recipe_for(kind, tmp_path)
    table = controls(recipe, (0,), tmp_path / "table")
    assert set(table["rows"]) == {"with", "without", "shuffled"}
    assert table["metric"] == TOYS[kind].monitor


def test_answers_by_another_name_learn_as_they_do_by_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TASKS, "rank", RankTask)
    world = question_world(topics=24)
    figures = []
    for name in ("rank", "answer"):
        pipeline = kgfm.Pipeline(
            world.graph,
            task=name,
            backbone={"name": "tiny-bert"},
            text_encoder="tiny-bert",
            encoder={"name": "rgcn", "width": 16},
        )
        settings = {"epochs": 1, "tensorboard": False, "accelerator": "cpu", "max_tokens": 24}
        figures.append(
            pipeline.fit(world.train, world.validation, folder=tmp_path / name, **settings)
        )
        found = pipeline(world.test[0].text)
        assert found.answer == NIL or found.answer in world.graph
    assert figures[0] == figures[1]


def test_no_task_is_known_by_name_outside_of_its_file() -> None:
    # What reads recipes may name the usual task; a data set names the one that it asks.
    allowed = {"tasks", "recipes", "datasets"}
    name = r"""["'](answer|classify)["']"""
    asks = re.compile(rf"(==|!=|\bin\b|\bcase\b)\s*[(\[{{]?\s*{name}|{name}\s*(==|!=)")
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in allowed:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "multi_label" in line or asks.search(line):
                found.append(f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}")
    assert found == []
