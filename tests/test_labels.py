"""What labels the data has: one for each text or several, and what contradicts that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from worlds import tiny_recipe

import kgfm
from kgfm.recipes import read_recipe, train
from kgfm.synthetic import label_world
from kgfm.types import Example

ONE = (Example("a", ("x",)), Example("b", ("y",)))
TWO = (Example("a", ("x", "y")), Example("b", ("y",)))
NONE = (Example("a", ("x",)), Example("b", ()))
TINY = {"name": "tiny-bert"}


def pipeline(**task: object) -> kgfm.Pipeline:
    return kgfm.Pipeline(None, task={"name": "classify", **task}, backbone=TINY)


@pytest.mark.parametrize(("examples", "several"), [(ONE, False), (TWO, True), (NONE, True)])
def test_the_data_decides_whether_there_are_several(
    examples: tuple[Example, ...], several: bool, tmp_path: Path
) -> None:
    made = pipeline()
    figures = made.fit(
        examples, examples, epochs=1, tensorboard=False, accelerator="cpu", folder=tmp_path
    )
    assert made.labels == tuple(sorted({label for e in examples for label in e.target or ()}))
    assert ("micro_f1" in figures) == several
    assert made.task.report().several == several
    made.save(tmp_path / "saved")
    again = kgfm.Pipeline.load(tmp_path / "saved")
    assert again.task.report() == made.task.report()


@pytest.mark.parametrize("examples", [TWO, NONE])
def test_one_label_is_not_what_texts_with_several_or_none_have(
    examples: tuple[Example, ...], tmp_path: Path
) -> None:
    made = pipeline(multi_label=False)
    with pytest.raises(ValueError, match=r"(2 labels|no label).*leave it out"):
        made.fit(examples, examples, epochs=1, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_several_labels_may_happen_to_be_one_each(tmp_path: Path) -> None:
    made = pipeline(multi_label=True)
    made.learn(ONE)
    assert made.task.report().several


def test_texts_with_several_labels_are_not_measured_as_if_they_had_one() -> None:
    made = pipeline()
    made.learn(ONE)
    with pytest.raises(ValueError, match=r"2 labels, \('x', 'y'\), where each text has one"):
        made.evaluate(TWO)


def test_a_label_outside_of_those_given_is_named() -> None:
    with pytest.raises(ValueError, match=r"'y' was not among those of training: 'x', 'z'"):
        pipeline(labels=["x", "z"]).learn(ONE)


def test_a_contradiction_is_said_with_file_and_line(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, "classify")
    path = tmp_path / "train.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[2])
    lines[2] = json.dumps({**record, "target": [*record["target"], "farm", "mine"]})
    path.write_text("\n".join(lines), encoding="utf-8")
    settled = read_recipe(recipe, ['--task={"name": "classify", "multi_label": false}'])
    with pytest.raises(ValueError, match=r"train\.jsonl, line 3: 3 labels"):
        train(settled)
    train(read_recipe(recipe))  # left open, the texts decide
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert result["metric"] == "micro_f1"


def test_no_graph_is_needed_to_classify(tmp_path: Path) -> None:
    world = label_world(topics=40)
    made = kgfm.Pipeline(None, task="classify", backbone=TINY)
    made.fit(
        world.train, world.validation, epochs=1, tensorboard=False, folder=tmp_path / "run",
        accelerator="cpu",
    )  # fmt: skip
    found = made(world.test[0].text)
    assert found.answer in made.labels
    assert (found.graph_used, found.mentions) == (False, ())
    assert made.explain(found) == ()
    assert made.vectors is None
    made.save(tmp_path / "saved")
    assert not [*(tmp_path / "saved").glob("graph-*")]
    assert kgfm.Pipeline.load(tmp_path / "saved")(world.test[0].text) == found


def test_what_reads_a_graph_is_refused_where_there_is_none() -> None:
    with pytest.raises(ValueError, match="reads a graph, and there is none"):
        kgfm.Pipeline(None, encoder={"name": "text"}, task="classify")
    with pytest.raises(ValueError, match="needs an encoder"):
        _ = kgfm.Pipeline(None, task="answer", backbone=TINY).model


def test_a_recipe_may_leave_the_graph_out(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path, "classify")
    text = recipe.read_text(encoding="utf-8").replace("graph: graph, ", "")
    recipe.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="The encoder reads a graph, and the data set has none"):
        train(read_recipe(recipe))
    figures = train(read_recipe(recipe, ["--encoder=null", "--fusion=null"]))
    assert "accuracy" in figures["test"]


def test_without_an_encoder_no_text_vector_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    from kgfm.backbones import TextEncoder

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("no part reads text vectors")

    monkeypatch.setattr(TextEncoder, "__call__", refuse)
    made = kgfm.Pipeline(
        label_world(topics=8).graph, task="classify", backbone=TINY, encoder=None, fusion=None
    )
    made.learn(ONE)
    assert made("Where?").answer in ("x", "y")
