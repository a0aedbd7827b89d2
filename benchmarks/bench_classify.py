"""Classification that stands alone, on Banking77: how good, and in how much processor time.

    python benchmarks/bench_classify.py probe --data DIR --seeds 0 1 2
    python benchmarks/bench_classify.py few --data DIR --seeds 0 1 2
    python benchmarks/bench_classify.py unknown --data DIR --seeds 0 1 2
    python benchmarks/bench_classify.py unknown-tuned --data DIR --seeds 0 1 2
    python benchmarks/bench_classify.py names --data DIR --seeds 0 1 2
    python benchmarks/bench_classify.py all --data DIR --seeds 0 1 2      (long)

DIR holds ``banking77/``. Each seed deals out train.csv anew, a fifth to the test, and begins the
weights; ``--test official`` measures on test.csv instead. ``probe``: ten texts an intent, nothing
fine-tuned. ``few``: the same texts, fine-tuned with contrastive pairs from the probe on, beside the
probe. ``unknown``: ten intents left out of the training, whose texts in the test are right to
refuse; the probe, and by ``unknown-tuned`` fine-tuned from ten texts an intent. ``names``: intents
known by their names alone, no example. ``all``: all texts. Processor time is that of the whole
fitting, with what it imports, and without the test.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kgfm.datasets import Dataset, banking77
from kgfm.metrics import mean_ci, paired_difference
from kgfm.pipeline import Pipeline

IMPORTS = time.process_time()
"""Of all that a fitting needs; counted for each of them."""
FEW = {"epochs": 4, "batch_size": 32, "learning_rate": 2e-4}
ALL = {"epochs": 4, "batch_size": 32, "learning_rate": 1e-4}


def fitted(
    dataset: Dataset, seed: int, task: dict[str, Any], settings: dict[str, Any], freeze: int
) -> Any:
    """Return a pipeline fitted to a data set."""
    backbone = {"name": "minilm", "freeze": freeze}
    made = Pipeline(None, task={"name": "classify", **task}, backbone=backbone, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        made.fit(
            dataset.train,
            dataset.validation,
            folder=folder,
            cache=f"{folder}/states",
            tensorboard=False,
            accelerator="cpu",
            **settings,
        )
    return made


def probe(dataset: Dataset, seed: int, task: dict[str, Any] | None = None) -> Any:
    """Nothing but the probe."""
    return fitted(dataset, seed, task or {}, {"epochs": 0}, freeze=0)


def few(dataset: Dataset, seed: int) -> Any:
    """Fine-tuned from few texts."""
    return fitted(dataset, seed, {"contrast": 1.0}, FEW, freeze=4)


def tuned(dataset: Dataset, seed: int) -> Any:
    """Fine-tuned from all texts."""
    return fitted(dataset, seed, {}, ALL, freeze=2)


def named(dataset: Dataset, seed: int) -> Any:
    """Labels by their names, no example."""
    labels = sorted({example.target[0] for example in dataset.train if example.target})
    known = {label: label.replace("_", " ").strip("?") for label in labels}
    return Pipeline(None, task={"name": "classify", "labels": known}, seed=seed)


Rows = dict[str, Callable[[Dataset, int], Any]]
TABLES: dict[str, tuple[dict[str, Any], Rows]] = {
    "probe": ({"per_class": 10}, {"probe": probe}),
    "few": ({"per_class": 10}, {"fine-tuned": few, "probe": probe}),
    "unknown": ({"unknown": 10}, {"probe": probe}),
    "unknown-tuned": (
        {"unknown": 10, "per_class": 10},
        {"fine-tuned": few, "probe": probe},
    ),
    "names": ({"per_class": 10}, {"names": named}),
    "all": ({}, {"fine-tuned": tuned, "probe": probe}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--data", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--test", choices=("own", "official"), default="own")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    arguments, rows = TABLES[given.table]
    figures: dict[str, dict[str, list[float]]] = {row: {} for row in rows}
    for seed in given.seeds:
        folder = Path(given.data) / "banking77"
        dataset = banking77(folder, folder, test=given.test, seed=seed, **arguments)
        for row, fit in rows.items():
            start = time.process_time()
            made = fit(dataset, seed)
            seconds = time.process_time() - start + IMPORTS
            found = {
                **made.evaluate(dataset.test),
                "cpu_s": seconds,
                "validation": made.training.get("validation", {}).get("accuracy", float("nan")),
            }
            for name, value in found.items():
                figures[row].setdefault(name, []).append(value)
            shown = "  ".join(f"{name} {value:.4f}" for name, value in found.items())
            print(f"seed {seed}  {row:10}  {shown}", flush=True)
    for row, found in figures.items():
        print(f"{row:10}  " + "  ".join(f"{k} {mean_ci(v)}" for k, v in found.items()))
    first, *others = figures
    for other in others:
        for name in figures[first].keys() & figures[other].keys():
            both = (figures[one][name] for one in (first, other))
            print(f"{first} - {other}  {name} {paired_difference(*both)}")
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
