"""The states after frozen layers: the same outputs, found again on disk, within a limit."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from neural import collator, make_batch, make_model, make_prepared, opened, tokenizer, with_row

from kgfm import frozen
from kgfm.backbones import Backbone
from kgfm.backbones.load import TINY_FAMILIES, tiny
from kgfm.frozen import FrozenStates
from kgfm.storage import MANIFEST


def texts(count: int = 6, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.integers(1000, 2000, size=length) for length in range(3, 3 + count)]


def filled(folder: Path, backbone: Backbone, **settings: object) -> FrozenStates:
    states = FrozenStates(backbone, folder, **settings)
    states.fill(texts())
    return states


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many texts are computed, a number for each pass."""
    passes: list[int] = []
    lower = Backbone.lower

    def noting(self: Backbone, input_ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        passes.append(len(input_ids))
        return lower(self, input_ids, mask)

    monkeypatch.setattr(Backbone, "lower", noting)
    return passes


# -- the same outputs -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_the_cache_changes_neither_outputs_nor_gradients(tmp_path, family):
    model = opened(make_model(family=family, freeze=2)).train()
    prepared = make_prepared((4, 0, 6))
    states = FrozenStates(model.backbone, tmp_path)
    states.fill([item.rows[0].input_ids for item in prepared])
    results = []
    for cache in (None, states):
        batch = collator(states=cache).pack(prepared)
        assert (batch.lower_states is None) == (cache is None)
        model.train().zero_grad()
        torch.manual_seed(0)
        output = model(batch)
        output.loss.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.requires_grad]
        results.append([output.logits, output.loss, *gradients])
    for without, cached in zip(*results, strict=True):
        torch.testing.assert_close(cached, without, rtol=1e-5, atol=1e-6)


def test_half_precision_halves_the_disk_and_stays_near(tmp_path):
    backbone = tiny(freeze=1)
    whole, half = filled(tmp_path, backbone), filled(tmp_path, backbone, dtype="float16")
    for ids in texts():
        np.testing.assert_allclose(half.get(ids), whole.get(ids), rtol=1e-2, atol=1e-2)
    sizes = [sum(p.stat().st_size for p in s.folder.rglob("states*")) for s in (whole, half)]
    assert sizes[1] < 0.6 * sizes[0]


def test_a_text_that_is_not_there_lets_the_batch_be_computed_as_ever(tmp_path):
    prepared = make_prepared((3, 2))
    states = FrozenStates(tiny(freeze=1), tmp_path)
    states.fill([prepared[0].rows[0].input_ids])
    assert collator(states=states).pack(prepared[:1]).lower_states is not None
    assert collator(states=states).pack(prepared).lower_states is None


def test_frozen_layers_stay_in_evaluation_mode_and_have_no_gradient():
    model = make_model(freeze=2).train()
    layers = model.backbone.layers
    assert [layer.training for layer in layers] == [False, False, True]
    assert not model.backbone.model.embeddings.training
    model(make_batch()).loss.backward()
    frozen_ones = [p for layer in layers[:2] for p in layer.parameters()]
    assert all(p.grad is None and not p.requires_grad for p in frozen_ones)
    assert all(p.grad is not None for p in layers[2].parameters())


def test_a_fusion_below_the_frozen_layers_is_refused():
    with pytest.raises(ValueError, match="layers 2 to 2 of 'tiny-bert' are trained"):
        make_model(freeze=2, fusion={"name": "cross-attention", "layers": [1]})
    make_model(freeze=2, fusion={"name": "cross-attention", "layers": [2]})


def test_there_is_no_cache_without_frozen_layers(tmp_path):
    with pytest.raises(ValueError, match="freeze=0"):
        FrozenStates(tiny(), tmp_path)


# -- found again ----------------------------------------------------------------------------------


def test_states_are_computed_once_and_found_again(tmp_path, monkeypatch):
    passes = counted(monkeypatch)
    first = filled(tmp_path, tiny(freeze=1))
    assert sum(passes) == len(texts()) == len(first)
    again = filled(tmp_path, tiny(freeze=1))
    assert sum(passes) == len(texts())
    for ids in texts():
        assert np.array_equal(again.get(ids), first.get(ids))


def test_only_new_texts_are_computed_and_a_text_given_twice_once(tmp_path, monkeypatch):
    states = filled(tmp_path, tiny(freeze=1))
    passes = counted(monkeypatch)
    new = np.arange(5)
    states.fill([*texts(), new, new])
    assert passes == [1]
    assert len(FrozenStates(tiny(freeze=1), tmp_path)) == len(texts()) + 1


def changed(backbone: Backbone) -> Backbone:
    with torch.no_grad():
        backbone.layers[0].attention.output.dense.bias[0] += 1
    return backbone


def test_states_of_other_weights_depths_and_formats_are_never_met(tmp_path):
    states = filled(tmp_path, tiny(freeze=1))
    ids = texts()[0]
    for backbone in (tiny(freeze=2), tiny(freeze=1, seed=1), changed(tiny(freeze=1))):
        assert FrozenStates(backbone, tmp_path).get(ids) is None
    assert FrozenStates(tiny(freeze=1), tmp_path, dtype="float16").get(ids) is None
    assert states.get(ids[:-1]) is None
    assert states.get(ids[::-1]) is None
    assert states.get(ids) is not None


def test_training_the_upper_layers_leaves_the_states_valid(tmp_path):
    filled(tmp_path, tiny(freeze=1))
    trained = tiny(freeze=1)
    with torch.no_grad():
        for parameter in trained.layers[1:].parameters():
            parameter += 1
    assert len(FrozenStates(trained, tmp_path)) == len(texts())


def test_progress_is_told_and_shards_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "SHARD_TEXTS", 4)
    told: list[tuple[int, int]] = []
    states = FrozenStates(tiny(freeze=1), tmp_path)
    states.fill(texts(), progress=lambda done, total: told.append((done, total)))
    assert told == [(4, 6), (6, 6)]
    assert len(list(states.folder.glob("shard-*"))) == 2


# -- interrupted, damaged -------------------------------------------------------------------------


def test_an_interrupted_run_keeps_the_shards_that_were_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "SHARD_TEXTS", 2)
    states = FrozenStates(tiny(freeze=1), tmp_path)

    def interrupt(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        states.fill(texts(), progress=interrupt)
    passes = counted(monkeypatch)
    assert len(filled(tmp_path, tiny(freeze=1))) == len(texts())
    assert sum(passes) == 2


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def scribbled(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize("damage", [Path.unlink, cut_off, scribbled])
@pytest.mark.parametrize("name", ["states-*.npy", "offsets-*.npy", "keys-*.npy", MANIFEST])
def test_a_damaged_shard_is_computed_again(tmp_path, monkeypatch, name, damage):
    first = filled(tmp_path, tiny(freeze=1))
    (shard,) = first.folder.glob("shard-*")
    wanted = [np.array(first.get(ids)) for ids in texts()]
    (path,) = shard.glob(name)
    damage(path)
    passes = counted(monkeypatch)
    again = filled(tmp_path, tiny(freeze=1))
    assert sum(passes) == len(texts())
    for ids, states in zip(texts(), wanted, strict=True):
        assert np.array_equal(again.get(ids), states)
    assert len(FrozenStates(tiny(freeze=1), tmp_path)) == len(texts())


# -- the limit ------------------------------------------------------------------------------------


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_folder_stays_within_its_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen, "SHARD_TEXTS", 2)
    states = filled(tmp_path, tiny(freeze=1), limit_bytes=5000)
    assert 0 < len(states) < len(texts())
    assert size_of(tmp_path) <= 5000
    nothing = filled(tmp_path / "none", tiny(freeze=1), limit_bytes=0)
    assert len(nothing) == 0
    assert size_of(tmp_path / "none") == 0


def test_states_of_other_models_leave_first_and_the_oldest_before_all(tmp_path):
    old, newer = filled(tmp_path, tiny(freeze=1)), filled(tmp_path, tiny(freeze=2))
    os.utime(old.folder, (1, 1))
    room = size_of(tmp_path) + size_of(old.folder) // 2  # one of the two must leave
    now = filled(tmp_path, tiny(freeze=1, seed=1), limit_bytes=room)
    assert len(now) == len(texts())
    assert not old.folder.exists()
    assert newer.folder.exists()
    assert size_of(tmp_path) <= room


def test_what_is_not_the_caches_own_is_never_removed_and_does_not_count(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("x" * 100_000)
    states = filled(tmp_path, tiny(freeze=1), limit_bytes=50_000)
    assert len(states) == len(texts())
    filled(tmp_path, tiny(freeze=2), limit_bytes=6_000)
    assert (tmp_path / "thesis" / "chapter.txt").exists()


# -- several processes ----------------------------------------------------------------------------


def write_some(folder: str, first: int, last: int) -> None:
    FrozenStates(tiny(freeze=1), folder).fill(texts(60)[first:last])


@pytest.mark.slow
def test_several_processes_may_write_at_the_same_time(tmp_path):
    tokenizer()  # read before the processes part
    context = multiprocessing.get_context("spawn")
    # Two write the same texts; one writes others, of which the shortest is shared.
    parts = [(0, 60), (0, 60), (0, 30)]
    processes = [context.Process(target=write_some, args=(str(tmp_path), *p)) for p in parts]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    backbone = tiny(freeze=1)
    there, alone = FrozenStates(backbone, tmp_path), FrozenStates(backbone, tmp_path / "alone")
    alone.fill(texts(60))
    assert len(there) == 60
    for ids in texts(60):
        np.testing.assert_allclose(there.get(ids), alone.get(ids), rtol=1e-5, atol=1e-6)


def test_writers_with_one_text_in_common_do_not_take_each_others_place(tmp_path):
    backbone = tiny(freeze=1)
    first, second = FrozenStates(backbone, tmp_path), FrozenStates(backbone, tmp_path)
    first.fill(texts(4))
    second.fill([*texts(1), *texts(6)[4:]])
    assert len(FrozenStates(backbone, tmp_path)) == 6


def test_a_folder_that_another_process_empties_meanwhile_is_no_error(tmp_path, monkeypatch):
    other = filled(tmp_path, tiny(freeze=2))
    limit = size_of(tmp_path) + 3000
    states = FrozenStates(tiny(freeze=1), tmp_path, limit_bytes=limit)
    size = frozen._size

    def emptied(folders: object) -> int:
        found = size(folders)
        for path in sorted(other.folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        return found

    monkeypatch.setattr(frozen, "_size", emptied)
    states.fill(texts(2))
    assert len(states) == 2


def test_a_batch_on_the_way_to_the_model_carries_the_states(tmp_path):
    states = filled(tmp_path, tiny(freeze=1))
    prepared = [
        with_row(item, input_ids=ids, offsets=np.zeros((len(ids), 2), np.int64))
        for item, ids in zip(make_prepared((2, 0)), texts(), strict=False)
    ]
    batch = collator(states=states).pack(prepared)
    for row, item in enumerate(prepared):
        length = item.num_tokens
        assert np.array_equal(batch.lower_states[row, :length], states.get(item.rows[0].input_ids))
        assert not batch.lower_states[row, length:].any()
