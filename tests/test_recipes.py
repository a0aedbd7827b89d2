"""Recipes: read with every key checked, trained, resumed, measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import tiny_recipe

from kgfm.recipes import Recipe, digest, evaluate, read_recipe, shipped, train, write_recipe
from kgfm.recipes.run import load_dataset
from kgfm.tasks import TASKS


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    return tiny_recipe(tmp_path)


def test_a_part_is_a_name_or_a_mapping_and_becomes_a_mapping(recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file)
    assert recipe.backbone == {"name": "tiny-bert"}
    assert recipe.encoder == {"name": "rgcn", "width": 16}
    assert recipe.training.epochs == 1


def test_a_dotted_override_changes_one_setting_and_leaves_the_others(recipe_file: Path) -> None:
    recipe = read_recipe(
        recipe_file,
        ["--training.epochs=5", "--encoder.width=64", "--retriever.hops", "2", "--seed=3"],
    )
    assert (recipe.training.epochs, recipe.training.max_tokens) == (5, 24)
    assert recipe.encoder == {"name": "rgcn", "width": 64}
    assert recipe.retriever == {"name": "hops", "hops": 2, "budget": 20}
    assert recipe.seed == 3


def test_a_part_can_be_replaced_by_name_or_left_out(recipe_file: Path) -> None:
    replaced = read_recipe(recipe_file, ["--encoder=text", "--encoder.width=8"])
    assert replaced.encoder == {"name": "text", "width": 8}
    assert read_recipe(recipe_file, ["--encoder", "null", "--fusion=null"]).encoder is None
    with pytest.raises(ValueError, match="without an encoder"):
        read_recipe(recipe_file, ["--encoder=null"])


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("encodr: rgcn", "'encoder'"),
        ("training: {epoch: 3}", "'epochs'"),
        ("dataset: {name: metaqa, hop: 1}", "'hops'"),
        ("dataset: metaq", "'metaqa'"),
        ("retriever: {name: hops, budgt: 3}", "'budget'"),
        ("linker: nams", "'names'"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(
    tmp_path: Path, line: str, named: str
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(line if line.startswith("dataset") else f"dataset: world\n{line}")
    with pytest.raises((ValueError, KeyError), match=f"Did you mean {named}"):
        read_recipe(file)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("--encoder.widht=3", "'width'"),
        ("--fusion=cross-atention", "'cross-attention'"),
        ("--task=clasify", "'classify'"),
        ("--backbone.freez=1", "'freeze'"),
    ],
)
def test_an_unknown_key_of_a_neural_part_is_refused_before_anything_is_done(
    recipe_file: Path, override: str, named: str
) -> None:
    recipe = read_recipe(recipe_file, [override])
    with pytest.raises((ValueError, KeyError), match=f"Did you mean {named}"):
        train(recipe)
    assert not recipe.folder().exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dataset: {name: world", "no YAML"),
        ("", "needs keys"),
        ("task: answer", "needs a dataset"),
        ("dataset: world\ntraining: {epochs: five}", "training.epochs"),
        ("dataset: world\ntraining: {epochs: -1}", "cannot be negative"),
        ("dataset: world\ntraining: 3", "training needs keys"),
        ("dataset: {hops: 1}", "with a name"),
    ],
)
def test_a_recipe_that_is_none_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_recipe(file)


def test_a_missing_recipe_names_those_that_ship() -> None:
    with pytest.raises(FileNotFoundError, match=r"metaqa-1hop.*world"):
        read_recipe("no-such-recipe")


@pytest.mark.parametrize("name", shipped())
def test_a_recipe_that_ships_is_read_and_its_parts_are_known(name: str) -> None:
    from kgfm.recipes import check_parts

    recipe = read_recipe(name)
    check_parts(recipe)
    assert recipe.out == f"runs/{name}"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("--encoder.edge_dropout=2", r"encoder: edge_dropout=2: .*0 <= edge_dropout < 1"),
        ("--encoder.dropout=-0.1", r"encoder: dropout=-0.1: .*such as 0.1"),
        ("--encoder.layers=0", "encoder: layers=0"),
        ("--encoder.width=wide", "encoder: "),
        ("--fusion.heads=3", "fusion: heads=3 does not divide"),
        ("--task.dropout=1", "task: dropout=1"),
    ],
)
def test_a_value_that_will_not_do_is_refused_before_anything_is_read(
    override: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kgfm.recipes import run

    monkeypatch.setattr(run, "load_dataset", lambda _: pytest.fail("something was read"))
    with pytest.raises(ValueError, match=says):
        run.train(read_recipe("world", [override]))


def test_a_number_may_be_written_with_an_exponent(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("dataset: world\nencoder: {name: rgcn, dropout: 1e-2}")
    assert read_recipe(file).encoder == {"name": "rgcn", "dropout": 0.01}


def test_a_written_recipe_reads_as_the_same(tmp_path: Path, recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file, ["--fusion=null", "--training.learning_rate=1e-4"])
    write_recipe(recipe, tmp_path / "again.yaml")
    assert read_recipe(tmp_path / "again.yaml") == recipe


def test_the_digest_changes_with_a_setting_and_not_with_a_place(recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file)
    assert digest(recipe) == digest(replace(recipe, out="elsewhere", data=None, cache="c"))
    assert digest(recipe) != digest(replace(recipe, seed=1))
    assert digest(recipe) != digest(read_recipe(recipe_file, ["--encoder.width=8"]))


def test_public_data_are_found_in_their_own_folder_or_the_one_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kgfm.recipes.run import _data_folder

    (tmp_path / "metaqa").mkdir()
    recipe = Recipe(dataset={"name": "film-genres"})
    assert _data_folder(replace(recipe, data=str(tmp_path))) == tmp_path / "metaqa"
    assert _data_folder(replace(recipe, data=str(tmp_path / "metaqa"))) == tmp_path / "metaqa"
    monkeypatch.setenv("KGFM_DATA", str(tmp_path))
    assert _data_folder(recipe) == tmp_path / "metaqa"
    assert _data_folder(Recipe(dataset={"name": "jsonl"})) is None
    monkeypatch.delenv("KGFM_DATA")
    with pytest.raises(ValueError, match="--data FOLDER"):
        load_dataset(recipe)


@pytest.mark.parametrize("task", ["answer", "classify"])
def test_a_run_is_saved_with_recipe_versions_seed_and_figures(tmp_path: Path, task: str) -> None:
    import kgfm

    said: list[str] = []
    recipe = read_recipe(tiny_recipe(tmp_path, task))
    figures = train(recipe, say=said.append)
    folder = tmp_path / "run"
    result = json.loads((folder / "result.json").read_text())
    assert result["figures"] == figures
    start = {"start"} if task == "classify" else set()
    assert set(figures) == {"validation", "test"} | start
    assert result["metric"] in figures["test"]
    assert {"kgfm", "torch", "transformers", "lightning", "python"} <= set(result["versions"])
    assert (result["seed"], result["digest"]) == (0, digest(recipe))
    assert read_recipe(folder / "recipe.yaml") == recipe
    assert any("training on" in line for line in said)
    pipeline = kgfm.Pipeline.load(folder)
    assert TASKS.name_of(pipeline.task) == task
    assert evaluate(folder) == pytest.approx(figures["test"], nan_ok=True)
    assert evaluate(folder, part="validation") == pytest.approx(figures["validation"], nan_ok=True)
    assert evaluate(folder, file=tmp_path / "test.jsonl") == pytest.approx(figures["test"])


def test_a_finished_run_can_be_resumed_and_stays_the_same(recipe_file: Path) -> None:
    recipe = read_recipe(recipe_file)
    assert train(recipe, resume=True) == train(recipe, resume=True)


def test_another_recipe_is_not_resumed(recipe_file: Path) -> None:
    from kgfm.recipes import start_folder

    recipe = read_recipe(recipe_file)
    start_folder(recipe, recipe.folder(), resume=False)
    other = read_recipe(recipe_file, ["--training.epochs=2"])
    with pytest.raises(ValueError, match=r"training\.epochs: 1 then, 2 now"):
        train(other, resume=True)


def test_a_run_that_starts_anew_forgets_the_old_checkpoints_and_result(recipe_file: Path) -> None:
    from kgfm.recipes import start_folder

    recipe = read_recipe(recipe_file)
    for name in ("checkpoints/last.ckpt", "result.json"):
        path = recipe.folder() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")
    start_folder(recipe, recipe.folder(), resume=False)
    assert sorted(path.name for path in recipe.folder().iterdir()) == ["recipe.yaml"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--encoder=rgnc"], "Did you mean 'rgcn'"),
        (["--encoder.dropout=2"], "dropout=2"),
        (["--retriever.hops=-1"], "hops is at least 0"),
        (['--dataset={"name": "jsonl", "train": "nowhere.jsonl", "validation": "x"}'], "nowhere"),
        (["--backbone=tiny-bret"], "Did you mean 'tiny-bert'"),
        (["--backbone.freeze=9"], "freeze=9"),
        (["--task=clasify"], "Did you mean 'classify'"),
        (["--text_encoder=nothing-such"], "nothing-such"),
        (["--training.accelerator=nothing-such"], "invalid accelerator name"),
    ],
)
def test_a_mistake_leaves_a_finished_run_as_it_was(
    recipe_file: Path, wrong: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    recipe = read_recipe(recipe_file)
    train(recipe)
    before = contents(recipe.folder())
    assert any("checkpoints" in name for name in before)
    with pytest.raises((ValueError, KeyError, OSError), match=said):
        train(read_recipe(recipe_file, wrong))
    assert contents(recipe.folder()) == before


def test_a_text_that_cannot_be_trained_on_leaves_a_finished_run_as_it_was(
    recipe_file: Path,
) -> None:
    recipe = read_recipe(recipe_file)
    train(recipe)
    before = contents(recipe.folder())
    texts = recipe_file.parent / "train.jsonl"
    first, *rest = texts.read_text(encoding="utf-8").splitlines()
    lines = [json.dumps({**json.loads(first), "target": ["nobody"]}), *rest]
    texts.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(KeyError, match="nobody"):
        train(recipe)
    texts.write_text("\n".join([json.dumps({"text": "no target"}), *rest]), encoding="utf-8")
    with pytest.raises(ValueError, match="has no target"):
        train(recipe)
    assert contents(recipe.folder()) == before
