"""What the graph costs in a training step, beside the text.

    python benchmarks/bench_step.py [film-genres-neighbours --data DIR] [--threads 1]

Timed by turns on the same batches, and printed as ratios:

* the step of the recipe, cached states included, with packing its batch;
* the same step without the graph (no nodes, no encoder, no fusion);
* that step without the cache of states, so that the frozen layers run too;
* packing a batch with its graph, and without;
* forward and backward of the graph encoder alone, and of one fusion.

The graph side is the first minus the second, over the second. A ratio is that of the medians of a
round's batches; the median of the rounds is printed, with the lowest and the highest. ``cpu`` times
count the processor and not the clock: a busy machine changes them little. Wall times are what a
user waits for. ``--encoder.bases=4`` and the like change the recipe.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
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
        pipeline.learn(dataset.train)
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


def fusion_step(pipeline: Pipeline, batch: Batch) -> None:
    """Forward and backward of one fusion alone."""
    fusion = next(iter(pipeline.model.fusions.values()))
    assert pipeline.model.encoder is not None
    tokens = torch.ones(*batch.input_ids.shape, pipeline.model.backbone.width, requires_grad=True)
    nodes = torch.ones(batch.num_nodes, pipeline.model.encoder.out_width, requires_grad=True)
    fusion(tokens, nodes, batch)[0].sum().backward()
    pipeline.model.zero_grad()


def cases(recipe: Recipe, num_texts: int) -> list[dict[str, Callable[[], object]]]:
    """For each batch of texts, what is timed."""
    found = twins(recipe, num_texts)
    full, texts = found["with"]
    plain, plain_texts = found["without"]
    lengths = [text.num_tokens for text in texts]
    made: list[dict[str, Callable[[], object]]] = []
    for rows in LengthBuckets(lengths, recipe.training.batch_size):
        mine, theirs = [texts[row] for row in rows], [plain_texts[row] for row in rows]
        packed, uncached = full.collator.pack(mine), plain.collator.pack(theirs)
        uncached.lower_states = None
        pack_mine = partial(full.collator.pack, mine)
        pack_theirs = partial(plain.collator.pack, theirs)
        made.append(
            {
                "with": lambda pack=pack_mine: train_step(full, pack()),
                "without": lambda pack=pack_theirs: train_step(plain, pack()),
                "uncached": partial(train_step, plain, uncached),
                "pack": pack_mine,
                "pack without": pack_theirs,
                "encoder": partial(encoder_step, full, packed),
                "fusion": partial(fusion_step, full, packed),
            }
        )
    return made


def measure(
    batches: list[dict[str, Callable[[], object]]], rounds: int
) -> list[dict[str, dict[str, float]]]:
    """For each round and clock, the median milliseconds of each case."""
    clocks = {"wall": time.perf_counter, "cpu": time.process_time}
    found = []
    for _ in range(rounds + 1):
        times: dict[str, dict[str, list[float]]] = {
            clock: {name: [] for name in batches[0]} for clock in clocks
        }
        for batch in batches:
            for name, run in batch.items():
                before = {clock: read() for clock, read in clocks.items()}
                run()
                for clock, read in clocks.items():
                    times[clock][name].append(1000 * (read() - before[clock]))
        found.append(
            {
                clock: {name: statistics.median(values) for name, values in of_clock.items()}
                for clock, of_clock in times.items()
            }
        )
    return found[1:]  # the first round warms up


def ratios(ms: dict[str, float]) -> dict[str, float]:
    """What is printed of one round."""
    text, uncached = ms["without"], ms["uncached"]
    return {
        "step with the graph, ms": ms["with"],
        "step without, ms": text,
        "graph side / text side": (ms["with"] - text) / text,
        "packing the graph / text side": (ms["pack"] - ms["pack without"]) / text,
        "encoder / text side": ms["encoder"] / text,
        "one fusion / text side": ms["fusion"] / text,
        "encoder / uncached text step": ms["encoder"] / uncached,
        "uncached / cached text step": uncached / text,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="world")
    parser.add_argument("--data")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    given, overrides = parser.parse_known_args()
    torch.set_num_threads(given.threads)
    if given.data:
        overrides.append(f"--data={given.data}")
    recipe = read_recipe(given.recipe, overrides)
    rounds = measure(cases(recipe, given.texts), given.rounds)
    figures: dict[str, float] = {"threads": given.threads}
    for clock in rounds[0]:
        of_rounds = [ratios(found[clock]) for found in rounds]
        for name in of_rounds[0]:
            values = [found[name] for found in of_rounds]
            figures[f"{clock}: {name}"] = middle = statistics.median(values)
            print(f"{clock}: {name:35} {middle:8.3f}  ({min(values):.3f} to {max(values):.3f})")
    if given.json:
        Path(given.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
