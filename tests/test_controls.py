"""The graph on trial: what is compared, what is not run twice, and what a mistake leaves."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from worlds import tiny_recipe

import kgfm.controls.run as module
from kgfm.cli.app import main
from kgfm.controls import (
    CONTROLS,
    ROWS,
    Case,
    Control,
    as_text,
    controls,
    row_digest,
)
from kgfm.controls.table import table_of
from kgfm.datasets import Dataset
from kgfm.recipes import Recipe, load_dataset, read_recipe


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, dict, Path]:
    folder = tmp_path_factory.mktemp("controls")
    recipe = read_recipe(tiny_recipe(folder))
    return recipe, controls(recipe, (0, 1), folder / "table"), folder / "table"


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
        row: row_digest(row, recipe, dataset) == row_digest(row, other, shuffled)
        for row in CONTROLS
    }
    assert digests == {row: row in ("without", "probe") for row in CONTROLS}


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_are_given_and_given_once(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one, and none twice"):
        controls(read_recipe(tiny_recipe(tmp_path)), seeds, tmp_path)


def test_other_rows_stand_beside_those_that_are_there(table: tuple[Recipe, dict, Path]) -> None:
    recipe, found, folder = table
    rows = ("with", "random", "without", "shuffled", "counter")
    said: list[str] = []
    more = controls(recipe, (0, 1), folder, rows=rows, say=said.append)
    assert tuple(more["rows"]) == rows
    assert {row: more["rows"][row] for row in ROWS} == found["rows"]
    assert list(more["differences"]) == [
        *(f"with - {row}" for row in rows[1:]),
        *(f"{row} - without" for row in rows if row not in ("with", "without")),
    ]
    assert sum("there already" in line for line in said) == 6
    lines = as_text(more).splitlines()
    assert [line.split("  ")[0] for line in lines[-12:]][:5] == [
        "with the graph",
        *rows[1:],
    ]
    assert "'counter' has one learned number a kind of edge" in more["meaning"]


class EmptyControl(Control):
    """The recipe over a graph without a triple."""

    title = "no edges"

    def pipeline(self, recipe, shared, case):
        graph = shared.dataset.graph
        return shared.pipeline(recipe, graph=graph.select(np.zeros(graph.num_triples, bool)))


def test_a_control_of_ones_own_is_a_class_and_a_line(
    table: tuple[Recipe, dict, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, _, folder = table
    monkeypatch.setitem(CONTROLS, "empty", EmptyControl)
    found = controls(recipe, (0,), folder, rows=("empty", "with", "without"))
    assert [*found["differences"]] == ["with - empty", "with - without", "empty - without"]
    assert "no edges" in as_text(found)
    assert "from the row 'no edges'" in found["meaning"]


def result(row: str, seed: int, value: float) -> dict:
    return {
        "figures": {"test": {"mrr": value + seed / 1000}},
        "metric": "mrr",
        "seconds": 1.0,
        "versions": {},
    }


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"without": 0.5, "shuffled": 0.5}, "The graph helped: mrr +0.400 ± 0.000 over the row"),
        ({"without": 0.9, "shuffled": 0.5}, "No measurable help from the graph: mrr +0.000"),
        ({"without": 0.95, "shuffled": 0.5}, "The graph did harm: mrr -0.050"),
        (
            {"without": 0.5, "shuffled": 0.9},
            "Better with a graph (mrr +0.400 ± 0.000 over the row without), but what the graph "
            "says does not matter: +0.000 ± 0.000 over the shuffled one.",
        ),
        (
            {"without": 0.5, "shuffled": 0.9, "random": 0.9, "counter": 0.9},
            "but what the graph says does not matter: +0.000 ± 0.000 over the shuffled one, "
            "+0.000 ± 0.000 over the random one; to count its edges does as well: +0.000 ± 0.000 "
            "over the counter.",
        ),
        (
            {"shuffled": 0.5, "random": 0.6},
            "With the graph, mrr is +0.400 ± 0.000 over the shuffled one and +0.300 ± 0.000 over "
            "the random one.",
        ),
    ],
)
def test_the_verdict_says_no_more_than_the_intervals(values: dict, said: str) -> None:
    recipe = Recipe(dataset={"name": "world"})
    rows = {row: CONTROLS.build(row) for row in ("with", *values)}
    results = {
        row: [result(row, seed, value) for seed in (0, 1)]
        for row, value in {"with": 0.9, **values}.items()
    }
    found = table_of(recipe, rows, Case(ranks_nodes=True, learns=False), (0, 1), results)
    assert said in found["meaning"]


def test_the_table_has_the_figures_that_all_of_its_rows_have() -> None:
    recipe = Recipe(dataset={"name": "world"})
    rows = {row: CONTROLS.build(row) for row in ("with", "without")}
    results = {row: [result(row, 0, 0.9)] for row in rows}
    results["with"][0]["figures"]["test"]["set_f1"] = 0.9
    found = table_of(recipe, rows, Case(ranks_nodes=True, learns=True), (0,), results)
    assert "set_f1" not in found["rows"]["with"]
    assert as_text(found)


def test_the_command_takes_the_rows_of_its_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tiny_recipe(tmp_path)), "--seeds", "0", "--rows", "with", "counter"]
    assert main(["controls", *words]) == 0
    said = capsys.readouterr().out
    assert "with − counter" in said
    assert "without" not in said


# -- mistakes -------------------------------------------------------------------------------------


def as_left(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("changed", "rows", "message"),
    [
        ({}, ("with", "shufled"), "No control 'shufled'. Did you mean 'shuffled'"),
        ({}, ("with", "without", "without"), "none twice"),
        ({}, ("without", "shuffled"), "give 'with', which is on trial"),
        ({}, ("with",), "at least one other"),
        ({}, "with", "at least one other"),
        ({"encoder": {"name": "rgcm"}}, ROWS, "No encoder 'rgcm'. Did you mean 'rgcn'"),
        ({"encoder": {"name": "rgcn", "widht": 3}}, ROWS, "Did you mean 'width'"),
        ({"encoder": None, "fusion": None}, ROWS, "no graph to put on trial"),
        ({"data": "nowhere"}, ROWS, "nowhere"),
    ],
)
def test_a_mistake_leaves_table_and_runs_as_they_were(
    table: tuple[Recipe, dict, Path], changed: dict, rows: Sequence[str], message: str
) -> None:
    recipe, _, folder = table
    before = as_left(folder)
    with pytest.raises((KeyError, ValueError, FileNotFoundError), match=message):
        controls(replace(recipe, **changed), (0, 1), folder, rows=rows)
    assert as_left(folder) == before


def test_texts_that_cannot_be_read_leave_table_and_runs_as_they_were(
    table: tuple[Recipe, dict, Path],
) -> None:
    recipe, _, folder = table
    dataset = load_dataset(recipe)
    wrong = replace(dataset.validation[0], target=("x/nobody",))
    dataset = replace(dataset, validation=(*dataset.validation, wrong))
    before = as_left(folder)
    with pytest.raises(KeyError, match="nobody"):
        controls(recipe, (0, 1), folder, dataset=dataset)
    assert as_left(folder) == before


def test_a_data_set_without_a_graph_cannot_be_put_on_trial(tmp_path: Path) -> None:
    recipe = read_recipe(tiny_recipe(tmp_path, "classify"))
    dataset = load_dataset(recipe)
    bare = Dataset(None, dataset.train, dataset.validation)
    with pytest.raises(ValueError, match="This data set has no graph") as caught:
        controls(recipe, (0,), tmp_path / "table", dataset=bare)
    assert "\n" not in str(caught.value)
    assert not os.path.lexists(tmp_path / "table")


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--rows", "with", "shufled"], "Did you mean 'shuffled'"),
        (["--encoder=null", "--fusion=null"], "no graph to put on trial"),
        (["--dataset.graph=null"], "This data set has no graph"),
    ],
)
def test_the_command_refuses_a_mistake_in_a_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: str
) -> None:
    recipe = tiny_recipe(tmp_path, "classify")
    capsys.readouterr()
    assert main(["controls", str(recipe), *words]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()
