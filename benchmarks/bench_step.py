"""What the graph costs in a training step, beside the text.

    python benchmarks/bench_step.py [film-genres-neighbours --data DIR] [--threads 1]

Four things are timed by turns on the same batches, and their medians printed as ratios:

* the step of the recipe, cached states included, with packing its batch;
* the same step without the graph (no nodes, no encoder, no fusion);
* that step without the cache of states, so that the frozen layers run too;
* forward and backward of the graph encoder alone.

``cpu`` times count the processor and not the clock: a busy machine changes them little. Wall times
are what a user waits for. The graph side is the first minus the second, over the second.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from kgfm.batch import Batch, Prepared
from kgfm.controls import ROWS, Shared, row_pipeline
from kgfm.frozen import FrozenStates
from kgfm.linking import LINKERS
from kgfm.pipeline import Pipeline
from kgfm.recipes import Recipe, load_dataset, read_recipe, text_vectors
from kgfm.training import LengthBuckets


def twins(recipe: Recipe, num_texts: int) -> dict[str, tuple[Pipeline, list[Prepared]]]:
    """Return the recipe's pipeline and its twin without the graph, each with the same texts."""
    dataset = load_dataset(recipe)
    linker = LINKERS.build(recipe.linker, graph=dataset.graph)
    shared = Shared(dataset, linker, text_vectors(recipe, dataset.graph))
    found = {}
    for row in ("with", "without"):
        assert row in ROWS
        pipeline = row_pipeline(row, recipe, shared)
        if recipe.task["name"] == "classify":
            pipeline.labels = tuple(sorted({t for e in dataset.train for t in e.target or ()}))
        prepared = pipeline.prepare(dataset.train[:num_texts])
        backbone = pipeline.model.backbone
        if backbone.freeze:
            states = FrozenStates(backbone, Path(recipe.cache) / "states")
            states.fill([row.input_ids for text in prepared for row in text.rows])
            pipeline.collator.states = states
        pipeline.model.train()
        found[row] = (pipeline, prepared)
    return found


def train_step(pipeline: Pipeline, batch: Batch) -> None:
    """Forward and backward, as in training."""
    loss = pipeline.model(batch).loss
    assert loss is not None
    loss.backward()
    pipeline.model.zero_grad()


def encoder_step(pipeline: Pipeline, batch: Batch) -> None:
    """Forward and backward of the graph encoder alone."""
    assert pipeline.model.encoder is not None
    query = torch.ones(len(batch), pipeline.model.backbone.width)
    pipeline.model.encoder(batch, query).sum().backward()
    pipeline.model.zero_grad()


def cases(recipe: Recipe, num_texts: int) -> list[dict[str, Callable[[], None]]]:
    """For each batch of texts, what is timed."""
    found = twins(recipe, num_texts)
    full, texts = found["with"]
    plain, plain_texts = found["without"]
    lengths = [text.num_tokens for text in texts]
    made = []
    for rows in LengthBuckets(lengths, recipe.training.batch_size):
        mine, theirs = [texts[row] for row in rows], [plain_texts[row] for row in rows]
        packed = full.collator.pack(mine)
        uncached = plain.collator.pack(theirs)
        uncached.lower_states = None
        made.append(
            {
                "with": lambda mine=mine: train_step(full, full.collator.pack(mine)),
                "without": lambda theirs=theirs: train_step(plain, plain.collator.pack(theirs)),
                "uncached": lambda batch=uncached: train_step(plain, batch),
                "encoder": lambda batch=packed: encoder_step(full, batch),
            }
        )
    return made  # type: ignore[return-value]


def measure(batches: list[dict[str, Callable[[], None]]], rounds: int) -> dict[str, float]:
    """Median seconds per step of each case, by wall clock and by processor time."""
    clocks = {"wall": time.perf_counter, "cpu": time.process_time}
    found: dict[str, list[float]] = {f"{c} {name}": [] for c in clocks for name in batches[0]}
    for number in range(rounds + 1):
        for batch in batches:
            for name, run in batch.items():
                before = {clock: read() for clock, read in clocks.items()}
                run()
                if number:  # the first round warms up
                    for clock, read in clocks.items():
                        found[f"{clock} {name}"].append(read() - before[clock])
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="world")
    parser.add_argument("--data")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    overrides = [f"--data={given.data}"] if given.data else []
    recipe = read_recipe(given.recipe, overrides)
    seconds = measure(cases(recipe, given.texts), given.rounds)
    figures: dict[str, float] = {"threads": given.threads}
    for clock in ("wall", "cpu"):
        full, text, uncached, encoder = (
            seconds[f"{clock} {name}"] for name in ("with", "without", "uncached", "encoder")
        )
        figures |= {
            f"{clock}: step with the graph, ms": 1000 * full,
            f"{clock}: step without, ms": 1000 * text,
            f"{clock}: graph side / text side": (full - text) / text,
            f"{clock}: encoder / uncached text step": encoder / uncached,
            f"{clock}: uncached / cached text step": uncached / text,
        }
    for name, value in figures.items():
        print(f"{name:45} {value:8.3f}")
    if given.json:
        Path(given.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
