"""Small worlds written to files, and recipes that train on them in seconds."""

from __future__ import annotations

import json
from pathlib import Path

from kgfm.synthetic import World, label_world, question_world
from kgfm.types import Example


def write_world(world: World, folder: Path) -> None:
    """Write a small world as the data set ``jsonl``."""
    world.graph.save(folder / "graph")
    for part in ("train", "validation", "test"):
        lines = [json.dumps(as_line(example)) for example in getattr(world, part)]
        (folder / f"{part}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def as_line(example: Example) -> dict[str, object]:
    mentions = [
        {"start": mention.start, "end": mention.end, "entity": mention.entity}
        for mention in example.mentions or ()
    ]
    return {"text": example.text, "target": list(example.target or ()), "mentions": mentions}


def tiny_recipe(folder: Path, task: str = "answer") -> Path:
    """Write a small world and a recipe for it that trains in seconds."""
    world = question_world(topics=24) if task == "answer" else label_world(topics=40)
    write_world(world, folder)
    path = folder / "tiny.yaml"
    path.write_text(
        f"""
dataset: {{name: jsonl, graph: graph, train: train.jsonl, validation: validation.jsonl,
  test: test.jsonl}}
task: {task}
retriever: {{name: hops, hops: 1, budget: 20}}
backbone: tiny-bert
encoder: {{name: rgcn, width: 16}}
text_encoder: tiny-bert
training: {{epochs: 1, max_tokens: 24, batch_size: 16, tensorboard: false, accelerator: cpu}}
data: {folder}
cache: {folder / "cache"}
out: {folder / "run"}
""",
        encoding="utf-8",
    )
    return path
