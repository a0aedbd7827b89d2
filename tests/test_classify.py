"""Classification that stands alone: probe, weights, refusals, few texts, labels in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

import kgfm
from kgfm.datasets import banking77, phrasebank
from kgfm.datasets.phrasebank import mended
from kgfm.metrics import auroc, best_thresholds
from kgfm.recipes import read_recipe
from kgfm.tasks import TASKS
from kgfm.tasks.calibrate import best_temperature, refused_below
from kgfm.tasks.class_weights import weights_of
from kgfm.tasks.contrast import contrastive
from kgfm.tasks.labels import Labelling
from kgfm.tasks.probe import Known, best_probe, fit_probe, prototypes
from kgfm.training import LengthBuckets
from kgfm.types import NIL, Example

TINY = {"name": "tiny-bert"}
LABELS = ("red", "green", "blue")
WORDS = {
    "red": ("rose", "blood", "ruby", "brick", "cherry", "wine"),
    "green": ("grass", "leaf", "moss", "lime", "fern", "pea"),
    "blue": ("sky", "sea", "jeans", "ink", "whale", "ice"),
}


def texts(labels: Sequence[str] = LABELS, *, first: int = 0, end: int = 4) -> list[Example]:
    return [
        Example(f"{form} {word}", (label,))
        for label in labels
        for word in WORDS[label][first:end]
        for form in ("a", "one", "my")
    ]


def pipeline(*, seed: int = 0, backbone: Any = TINY, **task: Any) -> kgfm.Pipeline:
    made = {"name": "classify", **task}
    return kgfm.Pipeline(None, task=made, backbone=backbone, seed=seed, max_tokens=16)


def fit(made: kgfm.Pipeline, folder: Path, *parts: Sequence[Example], **more: Any) -> Any:
    train, validation = parts or (texts(), texts(first=4, end=5))
    settings = {"epochs": 0, "tensorboard": False, "accelerator": "cpu", "max_tokens": 16}
    return made.fit(train, validation, folder=folder, cache=folder, **{**settings, **more})


def known(*, rows: int = 60, labels: int = 3, width: int = 8, seed: int = 0) -> Known:
    generator = torch.Generator().manual_seed(seed)
    right = torch.arange(rows) % labels
    centres = 2 * torch.eye(labels, width)
    vectors = centres[right] + torch.randn(rows, width, generator=generator)
    return Known(functional.normalize(vectors, dim=1), functional.one_hot(right, labels).float())


# -- losses ---------------------------------------------------------------------------------------


def test_weights_and_smoothing_are_those_of_the_cross_entropy() -> None:
    rule = Labelling(LABELS, class_weights={"red": 2.0, "blue": 0.5}, label_smoothing=0.2)
    torch.manual_seed(0)
    logits, right = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 0])
    found = rule.loss(logits, functional.one_hot(right, 3).float(), torch.ones(5, dtype=torch.bool))
    weights = torch.tensor([2.0, 1.0, 0.5])
    expected = functional.cross_entropy(logits, right, weights, label_smoothing=0.2)
    torch.testing.assert_close(found, expected)


def test_what_is_unknown_counts_for_no_loss_and_nothing_known_is_no_nan() -> None:
    rule = Labelling(LABELS, class_weights={"red": 3.0})
    logits, right = torch.randn(2, 3), torch.eye(3)[:2]
    one = rule.loss(logits, right, torch.tensor([True, False]))
    torch.testing.assert_close(one, functional.cross_entropy(logits[:1], torch.tensor([0])))
    assert float(rule.loss(logits, right, torch.tensor([False, False]))) == 0.0


@pytest.mark.parametrize("several", [False, True])
def test_extreme_logits_give_finite_losses_probabilities_and_figures(several: bool) -> None:
    rule = Labelling(LABELS, multi_label=several)
    logits = torch.tensor([[1e5, -1e5, 0.0], [-1e5, 1e5, 1e5]], requires_grad=True)
    right = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    loss = rule.loss(logits, right, torch.tensor([True, True]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    rows = {"logits": logits.detach().numpy(), "targets": right.numpy()}
    rule.tune(rows)
    assert np.isfinite(list(rule.metrics(rows).values())).all()


def test_balanced_weights_make_every_label_count_alike() -> None:
    weights = weights_of("balanced", ("a", "b", "never"), {"a": 8, "b": 2})
    assert weights == {"a": 10 / (2 * 8), "b": 10 / (2 * 2)}
    assert 8 * weights["a"] == 2 * weights["b"]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"gren": 2.0}, r"class_weights: The label 'gren' .*Did you mean 'green'"),
        ({"green": 0.0}, r"'green' has 0\.0; a weight is over 0"),
        ({"green": True}, "'green' has True"),
        ({"green": float("nan")}, "'green' has nan"),
        ("even", "class_weights='even': give 'balanced'"),
    ],
)
def test_weights_of_what_is_no_label_or_no_weight_are_refused(
    weights: Any, said: str, tmp_path: Path, unchecked: None
) -> None:
    with pytest.raises(ValueError, match=said):
        fit(pipeline(class_weights=weights), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recipe_may_weigh_labels_that_it_does_not_list() -> None:
    from kgfm.recipes import check_parts

    recipe = read_recipe("phrasebank", ["--task.class_weights={'negative': 3.0}"])
    check_parts(recipe)
    assert recipe.task == {"name": "classify", "class_weights": {"negative": 3.0}}


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"label_smoothing": 1.0}, "label_smoothing=1.0"),
        ({"thresholds": "all"}, "'one' for all labels, or 'each'"),
        ({"reject_below": 1.5}, r"reject_below=1\.5: give a probability"),
        ({"reject_below": {"rate": 0.1}}, "reject_below=.*'risk'"),
        ({"reject_below": {"risk": 0.1, "share": 0.1}}, "reject_below="),
        ({"reject_below": True}, "reject_below=True"),
        ({"reject_below": 0.5, "multi_label": True}, "reject_below is for one label"),
        ({"start": "prob"}, "start='prob': one of probe, prototypes, random"),
        ({"contrast": -1.0}, "contrast=-1.0"),
        ({"labels": ["a", "b", "a"]}, "labels has 'a' twice"),
        ({"labels": {"a": "all", "b": " "}}, "'b' has the description ' '"),
    ],
)
def test_values_that_will_not_do_are_refused(
    task: dict[str, Any], said: str, unchecked: None
) -> None:
    with pytest.raises(ValueError, match=said):
        TASKS.build({"name": "classify", "labels": LABELS, **task}, width=8, node_width=0)


# -- what is chosen on validation -----------------------------------------------------------------


@pytest.mark.parametrize("several", [False, True])
def test_the_temperature_is_that_of_least_negative_log_likelihood(several: bool) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3))
    if several:
        right = random.random(logits.shape) < 1 / (1 + np.exp(-logits))
    else:
        gumbel = random.gumbel(size=logits.shape)
        right = np.eye(3, dtype=bool)[(logits + gumbel).argmax(1)]
    assert best_temperature(3 * logits, right, several=several) == pytest.approx(3, rel=0.1)
    assert best_temperature(logits / 4, right, several=several) == pytest.approx(0.25, rel=0.1)


def test_few_texts_that_are_all_right_do_not_make_a_model_certain() -> None:
    logits = 4 * np.eye(3)[[0, 1]]
    hot = best_temperature(logits, logits > 0)
    sure = float(torch.softmax(torch.tensor(logits / hot), 1).max())
    assert sure < 0.9


def test_the_temperature_changes_no_answer_and_one_label_needs_none() -> None:
    assert best_temperature(np.zeros((4, 1)), np.ones((4, 1), bool)) == 1.0
    assert best_temperature(np.zeros((4, 3)), np.eye(3, dtype=bool)[[0, 1, 2, 0]]) == 1.0


def test_each_label_may_have_its_own_threshold_and_one_without_a_text_takes_the_common() -> None:
    scores = np.array([[0.9, 0.2, 0.6], [0.8, 0.3, 0.4], [0.1, 0.05, 0.7]])
    right = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    found = best_thresholds(scores, right, otherwise=0.55)
    assert found == pytest.approx([0.45, 0.25, 0.55])
    rule = Labelling(LABELS, multi_label=True, thresholds="each")
    logits = np.log(scores / (1 - scores)).astype(np.float32)
    rows = {"logits": logits, "targets": right.astype(np.float32)}
    rule.tune(rows)
    assert rule.metrics(rows)["micro_f1"] == 1.0
    assert len(rule.report().thresholds) == 3
    one = Labelling(LABELS, multi_label=True)
    one.tune(rows)
    assert one.metrics(rows)["micro_f1"] < 1.0
    assert len(one.report().thresholds) == 1


def test_the_refusals_keep_a_risk_or_a_share() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, False, True, False])
    assert refused_below(scores, right, risk=0.0) == pytest.approx(0.75)
    assert refused_below(scores, right, risk=0.25) == pytest.approx(0.55)
    assert refused_below(scores, right, risk=0.5) == 0.0
    assert refused_below(scores, right, share=0.4) == pytest.approx(0.65)
    assert refused_below(scores, right, share=0.0) == 0.0
    assert refused_below(scores, ~right & False, risk=0.1) > 1.0


def test_auroc_is_how_often_the_known_score_higher() -> None:
    scores, positive = np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    assert auroc(scores, positive) == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert np.isnan(auroc(scores, np.ones(4, bool)))
    with pytest.raises(ValueError, match="NaN"):
        auroc(np.array([np.nan]), np.array([True]))


def test_an_unsure_answer_is_refused_with_what_was_near(tmp_path: Path) -> None:
    made = pipeline(reject_below=1.0)
    fit(made, tmp_path)
    found = made("a rose")
    assert (found.answer, found.refused, found.labels) == (NIL, "unsure", (NIL,))
    assert found.near[0][0] in LABELS
    assert found.score == pytest.approx(1 - found.near[0][1])
    assert "likely enough" in found.why
    assert made.task.shown(found.answer, None) == "(no label is likely enough)"
    assert made.explain(found) == ()
    made.save(tmp_path / "saved")
    assert kgfm.Pipeline.load(tmp_path / "saved")("a rose") == found


def test_a_text_of_no_label_is_right_to_refuse(tmp_path: Path) -> None:
    made = pipeline(reject_below={"share": 0.5})
    fit(made, tmp_path)
    unknown = [Example("the train is late again", ()), Example("who paid for it", ())]
    figures = made.evaluate([*texts(first=5, end=6), *unknown])
    assert {"auroc_unknown", "refused_unknown", "refused_known", "risk"} <= set(figures)
    assert 0 < made.task.report().reject_below < 1
    alone = made.evaluate(texts(first=5, end=6))
    assert alone["accuracy"] == figures["accuracy"]
    assert "auroc_unknown" not in alone


def test_without_a_rate_of_refusals_nil_is_no_answer_of_the_task(tmp_path: Path) -> None:
    made = pipeline(labels=LABELS)
    with pytest.raises(ValueError, match="'NIL' was not among"):
        made.explain("a rose", NIL)


# -- the probe ------------------------------------------------------------------------------------


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("weights", [None, {"red": 4.0}])
def test_the_probe_is_where_the_penalised_loss_is_flat(several: bool, weights: Any) -> None:
    rule, train = Labelling(LABELS, multi_label=several, class_weights=weights), known()
    found = fit_probe(rule, train, 0.5)
    parts = [part.clone().requires_grad_() for part in found]
    losses, _ = rule.losses(train.vectors @ parts[0].T + parts[1], train.right)
    (losses.sum() + 0.25 * parts[0].square().sum()).backward()
    assert all(part.grad.abs().max() < 5e-3 for part in parts)


def test_a_penalty_pulls_the_probe_to_the_descriptions() -> None:
    rule, train = Labelling(LABELS), known()
    towards = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
    near = fit_probe(rule, train, 1e6, towards=towards)
    torch.testing.assert_close(near.weight, towards, atol=1e-2, rtol=1e-2)


def test_the_penalty_is_chosen_on_the_validation_part() -> None:
    rule, train, other = Labelling(LABELS), known(rows=9), known(seed=5)
    shuffled = Known(other.vectors, other.right[torch.randperm(60)])
    sure, unsure = (best_probe(rule, train, part) for part in (other, shuffled))
    assert sure.weight.norm() >= unsure.weight.norm()


def test_prototypes_are_the_means_of_the_labels() -> None:
    rule, train = Labelling(LABELS), known()
    head = prototypes(rule, train)
    means = functional.normalize(train.right.T @ train.vectors, dim=1)
    torch.testing.assert_close(functional.normalize(head.weight, dim=1), means)
    assert (head(train.vectors).argmax(1) == train.right.argmax(1)).float().mean() > 0.7


@pytest.mark.parametrize("task", [{}, {"multi_label": True}, {"start": "prototypes"}])
def test_no_epoch_learns_the_head_alone_and_is_a_pipeline_as_any(
    task: dict[str, Any], tmp_path: Path
) -> None:
    made = pipeline(**task)
    made.learn(texts())
    before = {n: v.clone() for n, v in made.model.backbone.state_dict().items()}
    figures = fit(made, tmp_path, texts(), texts(end=2))
    after = made.model.backbone.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert made.training["start"] == figures
    assert made.evaluate(texts(end=2)) == pytest.approx(figures, abs=1e-5)
    assert figures[made.task.headline] > 0.5
    found = made(["a rose", "my sky"])
    made.save(tmp_path / "saved")
    assert kgfm.Pipeline.load(tmp_path / "saved")(["a rose", "my sky"]) == found
    assert not (tmp_path / "checkpoints").exists()


def test_the_probe_is_the_same_for_every_seed_and_batch_size(tmp_path: Path) -> None:
    heads = []
    for seed, size in ((0, 4), (1, 32)):
        made = pipeline(seed=seed, dropout=0.5)
        fit(made, tmp_path / str(seed), batch_size=size)
        heads.append(made.task.label.weight)
    torch.testing.assert_close(*heads, atol=2e-3, rtol=2e-3)


def test_fine_tuning_goes_on_from_the_probe_and_never_ends_worse_on_validation(
    tmp_path: Path,
) -> None:
    made = pipeline()
    figures = fit(made, tmp_path / "bad", epochs=2, learning_rate=0.5, graph_learning_rate=0.5)
    assert figures["log_likelihood"] >= made.training["start"]["log_likelihood"]
    probe = pipeline()
    fit(probe, tmp_path / "probe")
    assert figures == probe.training["start"]
    assert made("a rose") == probe("a rose")


def test_a_run_that_is_resumed_still_knows_its_start(tmp_path: Path) -> None:
    bad = {"learning_rate": 0.5, "graph_learning_rate": 0.5}
    first = pipeline()
    fit(first, tmp_path, epochs=1, **bad)
    again = pipeline()
    fit(again, tmp_path, epochs=2, resume=True, **bad)
    assert again("a rose") == first("a rose")
    assert again.training["start"] == first.training["start"]


def test_a_task_without_a_probe_needs_an_epoch(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="epochs=0 learns a probe alone"):
        fit(pipeline(start="random"), tmp_path)


def test_a_head_may_start_at_random(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = pipeline(start="random")
    fit(made, tmp_path, epochs=1)
    assert "start" not in made.training
    assert "epoch 0" not in capsys.readouterr().out


# -- few texts, and labels in words ---------------------------------------------------------------


def test_the_contrastive_loss_is_that_of_its_paper() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = functional.normalize(torch.randn(5, 4, generator=generator), dim=1)
    right = torch.eye(3)[[0, 0, 1, 1, 2]]
    each = []
    for i, j in ((0, 1), (1, 0), (2, 3), (3, 2)):
        others = [a for a in range(5) if a != i]
        each.append(
            torch.logsumexp(vectors[others] @ vectors[i] / 0.1, 0) - vectors[j] @ vectors[i] / 0.1
        )
    torch.testing.assert_close(contrastive(vectors, right), torch.stack(each).mean())
    assert float(contrastive(vectors[4:], right[4:])) == 0.0


def test_texts_of_a_label_come_in_pairs_that_change_from_epoch_to_epoch() -> None:
    groups = [0] * 6 + [1] * 5
    buckets = LengthBuckets([3] * 11, 4, groups=groups)
    epochs = []
    for epoch in range(2):
        buckets.set_epoch(epoch)
        batches = list(buckets)
        assert sorted(row for batch in batches for row in batch) == list(range(11))
        flat = [groups[row] for batch in batches for row in batch]
        assert sum(a == b for a, b in pairwise(flat)) >= 5
        epochs.append(batches)
    assert epochs[0] != epochs[1]


def test_contrast_trains_and_gives_the_plain_loss_in_evaluation(tmp_path: Path) -> None:
    made = pipeline(contrast=1.0)
    fit(made, tmp_path, epochs=1, learning_rate=1e-4)
    batch = made.collator.pack(made.prepare(texts()))
    output = made.model.predict(batch)
    plain = functional.cross_entropy(output.logits, batch.asked.label.argmax(1))
    torch.testing.assert_close(output.loss, plain)


MEANT = {"red": "red rose", "green": "green grass", "blue": "blue sky"}


def test_labels_in_words_need_no_example_and_new_ones_no_training(tmp_path: Path) -> None:
    made = pipeline(labels=MEANT, backbone="minilm")
    assert [made(text).answer for text in MEANT.values()] == list(MEANT)
    made.add_labels({"train": "the train is late"})
    assert made.labels == (*MEANT, "train")
    assert made("the train is late").answer == "train"
    assert made("red rose").answer == "red"
    made.save(tmp_path / "saved")
    again = kgfm.Pipeline.load(tmp_path / "saved")
    assert again("the train is late") == made("the train is late")


def test_a_label_that_no_training_text_has_is_found_by_its_description(tmp_path: Path) -> None:
    made = pipeline(labels={**MEANT, "train": "the train is late"}, backbone="minilm")
    fit(made, tmp_path)
    assert made("my cherry").answer == "red"
    assert made("the train is late").answer == "train"
    before = made("a rose").scores
    made.add_labels({"cat": "a cat sat on a mat"})
    assert [label for label, _ in made("a rose").scores if label != "cat"] == [
        label for label, _ in before
    ]


def test_labels_are_added_only_where_all_are_in_words() -> None:
    with pytest.raises(ValueError, match="have descriptions"):
        pipeline(labels=LABELS).add_labels({"x": "y"})
    with pytest.raises(ValueError, match="a label 'red' already"):
        pipeline(labels=MEANT).add_labels({"red": "y"})


# -- hostile labels -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        ("only",),
        ("1", "2", "10"),
        ("", " ", "\u00e9t\u00e9 \U0001f600"),
        (NIL, "other", "a/b.c"),
    ],
)
def test_any_strings_are_labels(labels: tuple[str, ...], tmp_path: Path) -> None:
    named = dict(zip(LABELS, labels, strict=False))
    train = [
        Example(e.text, (named[e.target[0]],)) for e in texts() if e.target and e.target[0] in named
    ]
    made = pipeline()
    figures = fit(made, tmp_path, train, train)
    assert made.labels == tuple(sorted(labels))
    assert figures["accuracy"] > 0.9
    found = made("a rose")
    assert found.refused is None
    made.save(tmp_path / "saved")
    assert kgfm.Pipeline.load(tmp_path / "saved")("a rose") == found
    fit(made, tmp_path / "more", train, train, epochs=1)
    assert all(np.isfinite(score) for _, score in made("a rose").scores)


@pytest.mark.parametrize("several", [False, True])
def test_one_text_of_a_label_and_none_in_validation_is_enough(
    several: bool, tmp_path: Path
) -> None:
    train = [*texts(("red", "green")), Example("ink", ("blue",))]
    made = pipeline(multi_label=several, class_weights="balanced", thresholds="each", contrast=1.0)
    fit(made, tmp_path, train, texts(("red",), first=4, end=5), epochs=1)
    found = made("ink")
    assert {label for label, _ in found.scores} == set(LABELS)
    assert np.isfinite([score for _, score in found.scores]).all()


# -- data sets ------------------------------------------------------------------------------------


@pytest.fixture
def intents(tmp_path: Path) -> Path:
    folder = tmp_path / "banking77"
    folder.mkdir()
    rows = [f'"where, pray, is {thing} {n}?",lost_{thing}' for thing in "abcd" for n in range(20)]
    content = "\n".join(["text,category", *rows, rows[0], ""])
    (folder / "train.csv").write_text(content, encoding="utf-8")
    (folder / "test.csv").write_text("text,category\nmy a?,lost_a\n", encoding="utf-8")
    return folder


def test_intents_are_dealt_out_and_no_text_is_in_two_parts(intents: Path) -> None:
    dataset = banking77(intents, intents)
    parts = (dataset.train, dataset.validation, dataset.test)
    assert [len(part) for part in parts] == [58, 6, 16]
    assert len({one.text for part in parts for one in part}) == 80
    assert dataset.train[0].text.startswith("where, pray, is ")
    assert [e.text for e in banking77(intents, intents, test="official").test] == ["my a?"]
    assert banking77(intents, intents, seed=1).test != dataset.test


def test_few_of_each_intent_and_some_unknown(intents: Path) -> None:
    dataset = banking77(intents, intents, per_class=2, unknown=1)
    labels = [example.target[0] for example in dataset.train if example.target]
    assert sorted(labels) == sorted([*set(labels)] * 2)
    assert len(set(labels)) == 3
    outside = [example for example in dataset.test if example.target == ()]
    assert outside
    assert {e.text.split()[3] for e in outside}.isdisjoint(e.text.split()[3] for e in dataset.train)
    assert all(example.target for example in dataset.train + dataset.validation)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"unknown": 4}, "unknown=4: from 0 to 3"),
        ({"per_class": 0}, "per_class=0"),
        ({"test": "mine"}, "own.*official"),
    ],
)
def test_what_cannot_be_dealt_out_is_refused(
    intents: Path, unchecked: None, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        banking77(intents, intents, **arguments)


@pytest.mark.parametrize(
    ("line", "said"), [("one field", ""), (",no_text", "one is empty"), ("a,b,c", "")]
)
def test_a_line_that_is_no_intent_is_named(intents: Path, line: str, said: str) -> None:
    with (intents / "train.csv").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(ValueError, match=rf"train\.csv, (line|row) 83.*{said}"):
        banking77(intents, intents)


def test_sentences_are_mended_and_count_once(tmp_path: Path) -> None:
    lines = [f"Profit of Sepp+\u00f1l+\u00f1 rose by {n} .@positive" for n in range(10)]
    lines += [lines[0], "7", "", "Both .@neutral", "Both .@negative", "a@b fell .@negative"]
    content = "\r\n".join(lines)
    (tmp_path / "Sentences_50Agree.txt").write_bytes(content.encode("latin-1"))
    dataset = phrasebank(tmp_path, tmp_path)
    every = [*dataset.train, *dataset.validation, *dataset.test]
    assert len(every) == 11
    assert {example.target for example in every} == {("positive",), ("negative",)}
    assert sum("Sepp\u00e4l\u00e4" in example.text for example in every) == 10
    assert "a@b fell ." in {example.text for example in every}
    with (tmp_path / "Sentences_50Agree.txt").open("ab") as file:
        file.write(b"\r\nGood@great\r\n")
    with pytest.raises(ValueError, match=r"50Agree\.txt, line 17: 'Good@great"):
        phrasebank(tmp_path, tmp_path)


def test_only_what_is_broken_is_mended() -> None:
    assert (
        mended("+\u00e0land, T+\u00ael+\u00aecom -\u00ae 2006")
        == "\u00c5land, T\u00e9l\u00e9com \u00a9 2006"
    )
    for text in ("a + b - c", "+44 20", "caf\u00e9", "\u00c5land", "-\u20ac5"):
        assert mended(text) == text


@pytest.mark.data
def test_the_intents_are_all_there(public_data: Path) -> None:
    folder = public_data / "banking77"
    dataset = banking77(folder, folder)
    assert [len(p) for p in (dataset.train, dataset.validation, dataset.test)] == [7199, 800, 2000]
    found = {label for example in dataset.train for label in example.target or ()}
    assert found == set(json.loads((folder / "categories.json").read_text(encoding="utf-8")))
    few = banking77(folder, folder, per_class=10, unknown=10)
    assert len(few.train) == 670


@pytest.mark.data
@pytest.mark.parametrize(("agree", "sizes"), [("50", (3482, 387, 967)), ("All", (1625, 181, 452))])
def test_the_sentences_are_all_there(public_data: Path, agree: Any, sizes: tuple[int, ...]) -> None:
    folder = public_data / "financial-phrasebank"
    dataset = phrasebank(folder, folder, agree=agree)
    assert tuple(map(len, (dataset.train, dataset.validation, dataset.test))) == sizes
