"""Training: what is learned, kept, resumed and written, in one process and in two."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kgfm import KnowledgeGraph, Pipeline
from kgfm.backbones import TextEncoder
from kgfm.batch import Batch, Prepared
from kgfm.metrics import best_threshold
from kgfm.recipes import read_recipe, shipped
from kgfm.synthetic import World, label_world, question_world
from kgfm.tasks import ClassifyTask
from kgfm.training import LengthBuckets, PreparedData, TrainingConfig, evaluate, fit
from kgfm.types import Example
from kgfm.vectors import NodeVectors

TINY = "tiny-bert"
LABELS = ("farm", "harbour", "mine")
WORLD = label_world(topics=32)
AT_RANDOM = {"name": "classify", "labels": LABELS, "start": "random"}


@cache
def vectors_of(graph: KnowledgeGraph) -> NodeVectors:
    return NodeVectors.load_or_compute(graph, TextEncoder(TINY))


def pipeline_over(world: World = WORLD, *, seed: int = 0, freeze: int = 0, **more: Any) -> Pipeline:
    arguments: dict[str, Any] = {
        "task": {"name": "classify", "labels": LABELS},
        "encoder": {"name": "rgcn", "width": 16},
        "retriever": {"name": "hops", "hops": 1},
        "max_tokens": 24,
        "text_encoder": TINY,
    } | more
    if arguments["text_encoder"] == TINY:
        arguments["vectors"] = vectors_of(world.graph)
    backbone = {"name": TINY, "freeze": freeze}
    return Pipeline(world.graph, backbone=backbone, seed=seed, **arguments)


def config(**settings: Any) -> TrainingConfig:
    given_ = {"epochs": 2, "batch_size": 4, "tensorboard": False, "accelerator": "cpu"}
    return TrainingConfig(**{**given_, **settings})


def trained(
    pipeline: Pipeline, folder: Path, *, world: World = WORLD, resume: bool = False, **settings: Any
) -> dict[str, float]:
    pipeline.learn([*world.train, *world.validation])
    train, validation = pipeline.prepare(world.train), pipeline.prepare(world.validation)
    return fit(
        pipeline.model,
        pipeline.collator,
        train,
        validation,
        config(**settings),
        folder=folder,
        seed=pipeline.seed,
        resume=resume,
    )


def weights(pipeline: Pipeline) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in pipeline.model.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def checkpoint(folder: Path, name: str = "last") -> dict[str, Any]:
    path = folder / "checkpoints" / f"{name}.ckpt"
    found: dict[str, Any] = torch.load(path, weights_only=True)
    return found


# -- what is learned ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("task", ["answer", "classify"])
def test_a_tiny_model_learns_from_the_graph_what_it_cannot_from_the_text(tmp_path, task):
    if task == "classify":
        world, epochs, without = label_world(topics=160), 16, {"encoder": None, "fusion": None}
    else:
        # Which relation is asked for is found late, when some 100 steps have shown nothing.
        world, epochs = question_world(topics=320, relations=2), 10
        without = {"encoder": "text"}
    found = {}
    for name, more in {
        "with": {"encoder": {"name": "rgcn", "width": 32}},
        "without": without,
    }.items():
        pipeline = pipeline_over(world, task=task, text_encoder="minilm", **more)
        trained(
            pipeline,
            tmp_path / name,
            world=world,
            epochs=epochs,
            batch_size=16,
            graph_learning_rate=5e-3,
        )
        figures = evaluate(
            pipeline.model, pipeline.collator, pipeline.prepare(world.test), config()
        )
        found[name] = figures[pipeline.model.task.headline]
    assert found["with"] >= 0.9
    assert found["without"] <= 0.6


def test_each_side_has_a_rate_of_its_own_and_frozen_layers_have_none(tmp_path):
    pipeline = pipeline_over(freeze=1, task=AT_RANDOM)
    before = weights(pipeline)
    trained(pipeline, tmp_path, epochs=1, learning_rate=0.0, graph_learning_rate=1e-2)
    after = weights(pipeline)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved
    assert all(name.startswith(("encoder.", "fusions.", "task.")) for name in moved)
    (groups,) = [state["param_groups"] for state in checkpoint(tmp_path)["optimizer_states"]]
    assert {group["initial_lr"] for group in groups} == {0.0, 1e-2}

    trained(pipeline, tmp_path, epochs=1, learning_rate=1e-2)
    frozen = [
        n
        for n in after
        if n.startswith(("backbone.model.embeddings", "backbone.model.encoder.layer.0"))
    ]
    now = weights(pipeline)
    assert frozen
    assert all(torch.equal(now[name], before[name]) for name in frozen)
    assert not torch.equal(
        now["backbone.model.encoder.layer.1.output.dense.weight"],
        before["backbone.model.encoder.layer.1.output.dense.weight"],
    )


def test_decay_is_for_matrices_alone(tmp_path):
    trained(pipeline_over(), tmp_path, epochs=1, weight_decay=0.3)
    groups = checkpoint(tmp_path)["optimizer_states"][0]["param_groups"]
    assert sorted(group["weight_decay"] for group in groups) == [0.0, 0.0, 0.3, 0.3]


def test_rates_rise_and_fall(tmp_path, monkeypatch):
    rates = []
    step = torch.optim.lr_scheduler.LambdaLR.step

    def noted(self, *args):
        step(self, *args)
        rates.append(self.get_last_lr()[0])

    monkeypatch.setattr(torch.optim.lr_scheduler.LambdaLR, "step", noted)
    trained(pipeline_over(), tmp_path, epochs=5, warmup=0.5, learning_rate=0.1)
    assert rates.pop() == 0.0  # after the last step
    top = int(np.argmax(rates))
    assert len(rates) == 20
    assert rates == pytest.approx([*sorted(rates[:top]), *sorted(rates[top:], reverse=True)])
    assert rates[top] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.01)


def test_gradients_of_several_steps_are_added_up(tmp_path):
    trained(pipeline_over(), tmp_path / "each", epochs=1)
    trained(pipeline_over(), tmp_path / "two", epochs=1, accumulate=2)
    assert checkpoint(tmp_path / "each")["global_step"] == len(WORLD.train) // 4
    assert checkpoint(tmp_path / "two")["global_step"] == len(WORLD.train) // 8


def test_half_precision_is_never_chosen_by_kgfm():
    assert TrainingConfig().precision == "32-true"
    for name in shipped():
        assert read_recipe(name).training.precision == "32-true"


def test_weights_stay_in_single_precision_and_no_step_is_autocast(tmp_path, monkeypatch):
    forward, seen = ClassifyTask.forward, []

    def noted(self, tokens, nodes, batch, read=None):
        seen.append((tokens.dtype, torch.is_autocast_enabled("cpu")))
        return forward(self, tokens, nodes, batch, read)

    monkeypatch.setattr(ClassifyTask, "forward", noted)
    pipeline = pipeline_over()
    trained(pipeline, tmp_path, epochs=1)
    assert set(seen) == {(torch.float32, False)}
    assert {value.dtype for value in pipeline.model.parameters()} == {torch.float32}


def test_the_cache_of_states_trains_the_same_model(tmp_path):
    found = []
    for cached in (False, True):
        pipeline = pipeline_over(freeze=2)
        pipeline.fit(
            WORLD.train,
            WORLD.validation,
            config(cache_states=cached, max_tokens=24),
            folder=tmp_path / str(cached),
            cache=tmp_path / "states",
        )
        assert pipeline.collator.states is None
        found.append(weights(pipeline))
    assert any((tmp_path / "states").rglob("shard-*"))
    for name in found[0]:
        torch.testing.assert_close(found[1][name], found[0][name], rtol=1e-3, atol=1e-4)


# -- what is kept ---------------------------------------------------------------------------------


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[float]], list[torch.Tensor]]:
    """Let each epoch's figure be a given one; return the weights that each epoch ended with."""

    def script(accuracies: Sequence[float]) -> list[torch.Tensor]:
        left, seen = list(accuracies), []

        def metrics(self: ClassifyTask, rows: object) -> dict[str, float]:
            seen.append(self.label.weight.detach().clone())
            return {self.monitor: left.pop(0), "macro_f1": 0.0}

        monkeypatch.setattr(ClassifyTask, "metrics", metrics)
        return seen

    return script


def test_the_best_epoch_stays(tmp_path, scripted):
    seen = scripted([0.2, 0.9, 0.5])
    pipeline = pipeline_over(task=AT_RANDOM)
    assert trained(pipeline, tmp_path, epochs=3)[pipeline.task.monitor] == pytest.approx(0.9)
    assert torch.equal(pipeline.model.task.label.weight, seen[1])
    assert not torch.equal(seen[1], seen[2])
    assert not pipeline.model.training


def test_of_equal_epochs_the_first_stays(tmp_path, scripted):
    seen = scripted([0.5, 0.5])
    pipeline = pipeline_over(task=AT_RANDOM)
    trained(pipeline, tmp_path)
    assert torch.equal(pipeline.model.task.label.weight, seen[0])


@pytest.mark.parametrize(("patience", "epochs"), [(1, 2), (2, 4), (None, 5)])
def test_training_stops_when_no_epoch_gets_better(tmp_path, scripted, patience, epochs):
    seen = scripted([0.5, 0.4, 0.6, 0.3, 0.2] if patience == 2 else [0.5, 0.4, 0.3, 0.2, 0.1])
    # With patience 2 the third epoch is the best, and there are five in all.
    trained(pipeline_over(task=AT_RANDOM), tmp_path, epochs=5, patience=patience)
    assert len(seen) == (5 if patience == 2 else epochs)


def test_the_threshold_is_the_one_that_suits_the_validation_part(tmp_path):
    pipeline = pipeline_over(task={"name": "classify", "labels": LABELS, "multi_label": True})
    figures = trained(pipeline, tmp_path, epochs=1)
    task, model = pipeline.model.task, pipeline.model
    batch = pipeline.collator.pack(pipeline.prepare(WORLD.validation))
    output = model.predict(batch)
    scores = task.probabilities(output, batch).numpy()
    right = batch.asked.label.numpy() > 0
    (chosen,) = task.report().thresholds
    assert chosen == pytest.approx(best_threshold(scores, right), abs=1e-6)
    rows = {"logits": output.logits.numpy(), "targets": right}
    assert figures == pytest.approx(task.metrics(rows))
    evaluate(model, pipeline.collator, pipeline.prepare(WORLD.test), config())
    assert task.report().thresholds == (chosen,)


def test_figures_do_not_depend_on_the_batches(tmp_path):
    pipeline = pipeline_over()
    texts = pipeline.prepare(WORLD.test)
    by_size = [
        evaluate(pipeline.model, pipeline.collator, texts, config(batch_size=size))
        for size in (1, 3, 64)
    ]
    assert by_size[0] == pytest.approx(by_size[1])
    assert by_size[0] == pytest.approx(by_size[2])
    batch = pipeline.collator.pack(texts)
    output = pipeline.model.predict(batch)
    probabilities = pipeline.task.probabilities(output, batch)
    hits = probabilities.argmax(1) == batch.asked.label.argmax(1)
    assert by_size[0]["accuracy"] == pytest.approx(float(hits.float().mean()))


# -- what is written ------------------------------------------------------------------------------


def test_figures_of_each_epoch_are_written_and_told(tmp_path, capsys):
    trained(pipeline_over(), tmp_path, tensorboard=True)
    with (tmp_path / "logs" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows if row["val_accuracy"]] == ["0", "1"]
    assert [float(row["train_loss"]) > 0 for row in rows if row["train_loss"]] == [True, True]
    pytest.importorskip("tensorboard")
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 0/2", "epoch 1/2", "epoch 2/2"]
    assert "val_accuracy" in lines[0]


def test_tensorboard_can_be_left_out(tmp_path):
    trained(pipeline_over(), tmp_path, epochs=1)
    assert not (tmp_path / "tensorboard").exists()


def test_frozen_weights_are_not_in_a_checkpoint(tmp_path):
    trained(pipeline_over(freeze=2), tmp_path, epochs=1)
    names = checkpoint(tmp_path, "best")["state_dict"]
    assert not [name for name in names if "embeddings" in name or "layer.0" in name]
    assert [name for name in names if "layer.2" in name]


# -- the same again -------------------------------------------------------------------------------


def test_a_seed_makes_the_same_model_twice_and_another_seed_another(tmp_path):
    runs = []
    for number, seed in enumerate((3, 3, 4)):
        torch.manual_seed(number)  # what was random before must not matter
        pipeline = pipeline_over(seed=seed)
        trained(pipeline, tmp_path / str(number), epochs=1)
        runs.append(weights(pipeline))
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_every_finished_epoch_can_be_resumed_from_and_not_only_the_best(tmp_path, scripted):
    scripted([0.9, 0.5, 0.4])
    trained(pipeline_over(task=AT_RANDOM), tmp_path, epochs=3)
    assert checkpoint(tmp_path)["epoch"] == 2
    assert checkpoint(tmp_path, "best")["epoch"] == 0
    resumed = pipeline_over(task=AT_RANDOM)
    figures = trained(resumed, tmp_path, epochs=3, resume=True)
    assert figures[resumed.task.monitor] == pytest.approx(0.9)


class Stopped(Exception):
    """Ends a training in the middle."""


@pytest.mark.parametrize("freeze", [0, 2])
@pytest.mark.parametrize("steps", [8, 10])  # four steps to an epoch: at its end, and within
def test_a_resumed_run_ends_as_one_that_was_never_interrupted(tmp_path, monkeypatch, freeze, steps):
    whole = pipeline_over(freeze=freeze)
    figures = trained(whole, tmp_path / "whole", epochs=4)

    forward, left = ClassifyTask.forward, [steps]

    def stopping(self, tokens, nodes, batch, read=None):
        if self.training:
            left[0] -= 1
            if left[0] < 0:
                raise Stopped
        return forward(self, tokens, nodes, batch, read)

    with monkeypatch.context() as patch:
        patch.setattr(ClassifyTask, "forward", stopping)
        with pytest.raises(Stopped):
            trained(pipeline_over(freeze=freeze), tmp_path / "broken", epochs=4)
    assert checkpoint(tmp_path / "broken")["epoch"] == 1
    torch.manual_seed(99)
    resumed = pipeline_over(freeze=freeze)
    assert trained(resumed, tmp_path / "broken", epochs=4, resume=True) == figures
    assert same(weights(resumed), weights(whole))
    ends = [checkpoint(tmp_path / name)["state_dict"] for name in ("whole", "broken")]
    assert same(*ends)  # the last epoch's; the best one may lie before the interruption


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_training import pipeline_over, trained, weights
import torch
pipeline = pipeline_over()
trained(pipeline, Path(sys.argv[2]), epochs=30, resume=True)
ends = torch.load(Path(sys.argv[2]) / "checkpoints" / "last.ckpt", weights_only=True)
torch.save(weights(pipeline) | ends["state_dict"], sys.argv[3])
"""


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_ends_as_if_nothing_had_been(tmp_path):
    def start(folder: str) -> subprocess.Popen[bytes]:
        words = [str(Path(__file__).parent), str(tmp_path / folder), str(tmp_path / f"{folder}.pt")]
        return subprocess.Popen(
            [sys.executable, "-c", KILLED, *words], stdout=subprocess.DEVNULL, cwd=tmp_path
        )

    env_path = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[1]), env_path])
    try:
        assert start("whole").wait() == 0
        broken, last = start("broken"), tmp_path / "broken" / "checkpoints" / "last.ckpt"
        while not last.exists():
            assert broken.poll() is None
            time.sleep(0.05)
        time.sleep(0.3)
        broken.send_signal(signal.SIGKILL)
        assert broken.wait() == -signal.SIGKILL
        assert start("broken").wait() == 0
    finally:
        os.environ["PYTHONPATH"] = env_path
    one, other = (torch.load(tmp_path / f"{name}.pt") for name in ("whole", "broken"))
    assert same(one, other)


# -- a trainer of one's own, and settings ---------------------------------------------------------


def own_trainer(**more: Any) -> L.Trainer:
    return L.Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **more,
    )


def test_a_trainer_of_ones_own_is_used_as_it_is(tmp_path):
    pipeline = pipeline_over()
    before, trainer = weights(pipeline), own_trainer(limit_train_batches=2)
    figures = pipeline.fit(
        WORLD.train, WORLD.validation, config(epochs=7), folder=tmp_path, trainer=trainer
    )
    assert trainer.global_step == 2
    assert {"accuracy", "macro_f1"} <= set(figures)
    assert not same(before, weights(pipeline))
    assert not list(tmp_path.iterdir())
    texts = pipeline.prepare(WORLD.validation)
    found = evaluate(
        pipeline.model,
        pipeline.collator,
        texts,
        config(),
        trainer=own_trainer(num_sanity_val_steps=0),
    )
    assert found == pytest.approx(figures)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", -1),
        ("batch_size", 0),
        ("accumulate", 0),
        ("max_tokens", 0),
        ("learning_rate", -1e-3),
        ("graph_learning_rate", 2.0),
        ("weight_decay", -0.1),
        ("warmup", 1.5),
        ("gradient_clip", -1.0),
        ("patience", -1),
        ("num_workers", -1),
        ("cache_limit_gb", -1.0),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_name(setting, value):
    with pytest.raises(ValueError, match=f"{setting}={value}"):
        TrainingConfig(**{setting: value})


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this machine has Apple's GPU")
def test_a_device_that_is_not_there_is_a_users_mistake(tmp_path):
    with pytest.raises(ValueError, match="accelerator='mps'"):
        trained(pipeline_over(), tmp_path, accelerator="mps")


@pytest.mark.parametrize("part", ["train", "validation"])
def test_texts_are_needed_and_each_needs_a_target(tmp_path, part):
    parts = {"train": list(WORLD.train), "validation": list(WORLD.validation)}
    pipeline = pipeline_over()
    nothing = {**parts, part: []}
    with pytest.raises(ValueError, match="give both"):
        pipeline.fit(nothing["train"], nothing["validation"], config(), folder=tmp_path)
    parts[part][2] = Example("Nobody knows.")
    with pytest.raises(ValueError, match=f"Text 2 of the {part} part has no target"):
        pipeline.fit(parts["train"], parts["validation"], config(), folder=tmp_path)


def test_figures_need_targets():
    pipeline = pipeline_over()
    with pytest.raises(ValueError, match="Text 1 of the test part has no target"):
        pipeline.evaluate([WORLD.test[0], Example("Nobody knows.")])
    with pytest.raises(ValueError, match="no texts"):
        pipeline.evaluate([])


# -- batches --------------------------------------------------------------------------------------

sizes = {
    "lengths": st.lists(st.integers(1, 40), min_size=1, max_size=60),
    "batch_size": st.integers(1, 9),
    "world": st.integers(1, 4),
}


def of_all_processes(
    lengths: list[int], batch_size: int, world: int, *, epoch: int = 0, **more: Any
) -> list[list[list[int]]]:
    """Return the batches of each process."""
    parts = []
    for rank in range(world):
        buckets = LengthBuckets(lengths, batch_size, num_replicas=world, rank=rank, **more)
        buckets.set_epoch(epoch)
        parts.append(list(buckets))
        assert len(parts[-1]) == len(buckets)
    return parts


@given(**sizes)
def test_unshuffled_rows_come_once_each_whatever_the_number_of_processes(
    lengths, batch_size, world
):
    if len(lengths) < world:
        with pytest.raises(ValueError, match="too few"):
            of_all_processes(lengths, batch_size, world, shuffle=False)
        return
    parts = of_all_processes(lengths, batch_size, world, shuffle=False)
    assert len({len(part) for part in parts}) == 1
    rows = [row for part in parts for batch in part for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    if world == 1:
        assert all(len(batch) <= batch_size for batch in parts[0])
        ordered = [lengths[row] for row in rows]
        assert ordered == sorted(ordered)


@given(**sizes, seed=st.integers(0, 3), epoch=st.integers(0, 2))
def test_shuffled_rows_all_come_and_every_process_takes_as_many_steps(
    lengths, batch_size, world, seed, epoch
):
    parts = of_all_processes(lengths, batch_size, world, seed=seed, epoch=epoch)
    assert len({len(part) for part in parts}) == 1
    batches = [batch for part in parts for batch in part]
    assert {row for batch in batches for row in batch} == set(range(len(lengths)))
    assert all(0 < len(set(batch)) == len(batch) <= batch_size for batch in batches)
    assert len(batches) - -(-len(lengths) // batch_size) < world  # what comes twice
    assert of_all_processes(lengths, batch_size, world, seed=seed, epoch=epoch) == parts


def test_each_epoch_and_each_seed_has_an_order_of_its_own():
    orders = []
    for seed in (0, 1):
        buckets = LengthBuckets(range(1, 101), 4, seed=seed)
        for epoch in (0, 1):
            buckets.set_epoch(epoch)
            orders.append(list(buckets))
    assert all(one != other for n, one in enumerate(orders) for other in orders[:n])


def test_texts_of_like_length_share_a_batch():
    lengths = np.random.default_rng(0).integers(4, 120, size=512)
    padded = sum(len(b) * lengths[b].max() for b in LengthBuckets(lengths.tolist(), 16))
    assert padded < 1.1 * lengths.sum()


def test_every_text_is_a_row_of_its_own():
    pipeline = pipeline_over()
    texts: Sequence[Prepared] = pipeline.prepare(WORLD.train)
    module = PreparedData(pipeline.collator, train=texts, test=texts, batch_size=5)
    for loader in (module.train_dataloader(), module.test_dataloader()):
        rows = []
        for batch in loader:
            assert isinstance(batch, Batch)
            for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True):
                rows.append(tuple(ids[mask.bool()].tolist()))
        assert sorted(rows) == sorted(tuple(text.rows[0].input_ids.tolist()) for text in texts)


def test_batches_may_be_packed_by_other_processes(tmp_path):
    alone, helped = pipeline_over(), pipeline_over()
    trained(alone, tmp_path / "alone", epochs=1)
    trained(helped, tmp_path / "helped", epochs=1, num_workers=1)
    assert same(weights(alone), weights(helped))


# -- two processes --------------------------------------------------------------------------------

TWO = """
import hashlib, json, os, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_training import WORLD, config, pipeline_over
from kgfm.training import evaluate, fit

pipeline = pipeline_over()
# Half of the texts name nobody. They are longer, so they fill batches of their own, and one
# process has a batch without a node while the other has nodes; of some steps neither has any.
nobody = [replace(e, text=e.text + " and so on and on", mentions=()) for e in WORLD.train]
train = pipeline.prepare([*WORLD.train, *nobody])
validation = pipeline.prepare(WORLD.validation)
two = config(devices=2, strategy="ddp", epochs=2)
figures = fit(pipeline.model, pipeline.collator, train, validation, two, folder=sys.argv[2])
test = pipeline.prepare([*WORLD.test, *WORLD.validation[:3]])
measured = evaluate(pipeline.model, pipeline.collator, test, two)
digest = hashlib.sha256()
for value in pipeline.model.state_dict().values():
    digest.update(value.numpy().tobytes())
rank = os.environ.get("LOCAL_RANK", "0")
found = {"figures": figures, "test": measured, "weights": digest.hexdigest()}
if rank == "0":
    found["alone"] = evaluate(pipeline.model, pipeline.collator, test, config())
Path(sys.argv[2], f"rank-{rank}.json").write_text(json.dumps(found))
"""


@pytest.mark.slow
def test_two_processes_train_one_model_and_measure_each_text_once(tmp_path):
    (tmp_path / "two.py").write_text(TWO)
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(tmp_path / "two.py"), str(Path(__file__).parent), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": root, "PL_TORCH_DISTRIBUTED_BACKEND": "gloo"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    ranks = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in (0, 1)]
    alone = ranks[0].pop("alone")
    assert ranks[0] == ranks[1]
    assert ranks[0]["test"] == pytest.approx(alone)
    assert checkpoint(tmp_path)["global_step"] == 2 * (2 * len(WORLD.train) // 4) // 2
