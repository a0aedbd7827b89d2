"""What freezing layers and caching their states gain, in training and in evaluation.

    python benchmarks/bench_epoch.py [film-genres-names --data DIR] [--texts 1024]

One epoch of a recipe over the same texts, and one evaluation of them, with all layers learning,
with the recipe's lower layers frozen, and with the states after these cached. Filling the cache is
timed on its own: it happens once. A machine's noise hits all rows, since they take turns.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from kgfm.datasets import Dataset
from kgfm.frozen import FrozenStates
from kgfm.pipeline import Pipeline
from kgfm.recipes import (
    Recipe,
    aligned,
    build_pipeline,
    load_dataset,
    read_recipe,
    text_vectors,
    write_json,
)
from kgfm.training import evaluate, fit

CASES = {
    "all layers learn": (False, False),
    "lower layers frozen": (True, False),
    "frozen and cached": (True, True),
}


def pipelines(recipe: Recipe, dataset: Dataset) -> Iterator[tuple[str, bool, Pipeline]]:
    """Yield each case's name, whether it has a cache, and its pipeline."""
    vectors = text_vectors(recipe, dataset.graph)
    for name, (frozen, cached) in CASES.items():
        backbone = recipe.backbone if frozen else {**recipe.backbone, "freeze": 0}
        own = replace(recipe, backbone=backbone)
        pipeline = build_pipeline(own, dataset, vectors=vectors)
        pipeline.learn([*dataset.train, *dataset.validation])
        yield name, cached, pipeline


def measure(recipe: Recipe, num_texts: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return tokens per second, by case, of training and of evaluation."""
    dataset = load_dataset(recipe)
    config = replace(recipe.training, epochs=1, tensorboard=False, accelerator="cpu", devices=1)
    found: dict[str, dict[str, list[float]]] = {
        name: {"train": [], "evaluate": [], "fill": []} for name in CASES
    }
    for number in range(rounds + 1):  # the first, a short one, warms up
        for name, cached, pipeline in pipelines(recipe, dataset):
            prepared = pipeline.prepare(dataset.train[: num_texts if number else 64])
            tokens = sum(text.num_tokens for text in prepared)
            with tempfile.TemporaryDirectory() as folder:
                seconds = {}
                if cached:
                    states = FrozenStates(pipeline.model.backbone, Path(folder) / "states")
                    start = time.perf_counter()
                    states.fill([row.input_ids for text in prepared for row in text.rows])
                    seconds["fill"] = time.perf_counter() - start
                    pipeline.collator.states = states
                start = time.perf_counter()
                fit(
                    pipeline.model,
                    pipeline.collator,
                    prepared,
                    prepared[:1],
                    config,
                    folder=Path(folder) / "run",
                )
                seconds["train"] = time.perf_counter() - start
                start = time.perf_counter()
                evaluate(pipeline.model, pipeline.collator, prepared, config)
                seconds["evaluate"] = time.perf_counter() - start
            for what, taken in seconds.items() if number else ():
                found[name][what].append(tokens / taken)
    return {
        name: {what: statistics.median(values) for what, values in figures.items() if values}
        for name, figures in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="world")
    parser.add_argument("--data")
    parser.add_argument("--texts", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    given = parser.parse_args()
    recipe = read_recipe(given.recipe, [f"--data={given.data}"] if given.data else [])
    figures = measure(recipe, given.texts, given.rounds)
    slow = figures["all layers learn"]
    rows = [["tokens per second", "training", "", "evaluation", "", "filling the cache"]]
    for name, found in figures.items():
        ratios = {what: f"{found[what] / slow[what]:.1f} ×" for what in ("train", "evaluate")}
        fill = f"{found['fill']:,.0f}" if "fill" in found else ""
        train, read = f"{found['train']:,.0f}", f"{found['evaluate']:,.0f}"
        rows.append([name, train, ratios["train"], read, ratios["evaluate"], fill])
    print(f"{recipe.dataset['name']}, {torch.get_num_threads()} threads, median of {given.rounds}")
    print(aligned(rows))
    if given.json:
        write_json(given.json, {"threads": torch.get_num_threads(), "rows": figures})


if __name__ == "__main__":
    main()
