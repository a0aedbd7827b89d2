"""The demo: all of it on a small world."""

from __future__ import annotations

import json
from pathlib import Path

from worlds import tiny_recipe

from kgfm import Pipeline
from kgfm.demo import demo
from kgfm.recipes import read_recipe


def test_the_demo_links_trains_compares_answers_and_leaves_a_pipeline(tmp_path: Path) -> None:
    said: list[str] = []
    recipe = read_recipe(tiny_recipe(tmp_path))
    table = demo(tmp_path / "demo", recipe=recipe, say=said.append)
    text = "\n".join(said)
    for step in ("1. The graph", "2. Linking", "3. Training", "4. Did the graph help?", "5. Quest"):
        assert step in text
    assert f'kgfm predict {tmp_path / "demo"} "' in text
    assert set(table["rows"]) == {"with", "without", "shuffled"}
    pipeline = Pipeline.load(tmp_path / "demo")
    question = json.loads((tmp_path / "test.jsonl").read_text().splitlines()[0])
    assert pipeline(question["text"]).graph_used
    assert read_recipe(tmp_path / "demo" / "recipe.yaml").out == str(tmp_path / "demo")
    again = demo(tmp_path / "demo", recipe=recipe, say=said.append)
    assert again["rows"] == table["rows"]
    assert sum("there already" in line for line in said) == 3
