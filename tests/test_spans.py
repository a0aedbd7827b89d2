"""The task about spans: what it reads and computes, learns, answers and is measured by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from neural import LABELS as GENRES
from neural import OfSpans, collator, make_batch, make_prepared, opened
from span_worlds import CONDITIONS, LABELS, scores_of, spans_pipeline, spans_world
from torch.nn import functional

from kgfm import Example, Pipeline
from kgfm.controls import controls
from kgfm.datasets import DATASETS, Dataset
from kgfm.metrics import conflicting
from kgfm.recipes import Recipe, evaluate, train
from kgfm.synthetic import World
from kgfm.tasks import TASKS, SpansTask
from kgfm.tasks.span_rows import Place
from kgfm.training import TrainingConfig
from kgfm.types import NIL, About

WIDTH, NODE_WIDTH = 12, 10
OWN = OfSpans(GENRES)
TINY_FROZEN = {"name": "tiny-bert", "freeze": 1}
EACH = pytest.mark.parametrize("condition", CONDITIONS)


@pytest.fixture(scope="module")
def world() -> World:
    return spans_world()


def build(**settings: Any) -> SpansTask:
    torch.manual_seed(0)
    context = {"width": WIDTH, "node_width": NODE_WIDTH, "labels": GENRES}
    return opened(TASKS.build({"name": "spans", **settings}, **context)).eval()


def inputs_for(batch):
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(*batch.input_ids.shape, WIDTH, generator=generator)
    return tokens, torch.randn(batch.num_nodes, NODE_WIDTH, generator=generator), batch


# -- the formula ----------------------------------------------------------------------------------


def test_the_logits_are_those_of_the_formula():
    task, batch = build(), make_batch((4, 0), labels=OWN)
    tokens, nodes, _ = inputs_for(batch)
    found = task(tokens, nodes, batch).logits
    for text, state in enumerate((nodes[0], torch.zeros(NODE_WIDTH))):
        length = int(batch.attention_mask[text].sum())
        mean = torch.cat([tokens[text, 1:3].mean(0), tokens[text, :length].mean(0)])
        expected = task.label(mean) + task.graph.weight @ state
        torch.testing.assert_close(found[text], expected)


def test_an_untrained_head_and_a_span_outside_of_the_graph_read_the_text_alone():
    torch.manual_seed(0)
    task = SpansTask(WIDTH, NODE_WIDTH, GENRES).eval()
    tokens, nodes, batch = inputs_for(make_batch((4, 0), labels=OWN))
    alone = task(tokens, None, batch).logits
    assert torch.equal(task(tokens, nodes, batch).logits, alone)
    assert torch.equal(task.enter(tokens, batch), tokens)
    trained = opened(task)(tokens, nodes, batch).logits
    assert torch.equal(trained[1], alone[1])
    assert not torch.equal(trained[0], alone[0])


def test_two_spans_have_a_direction():
    task = build(spans=2)
    (text,) = make_prepared((4,), labels=OWN)
    there, back = ((1, 2), (2, 4)), ((2, 4), (1, 2))
    places = [Place(0, spans, (0, -1), (0,), (0, 0, 0)) for spans in (there, back)]
    packs = collator(OWN)
    packs.task = task
    batch = packs.pack([replace(text, target=places)])
    tokens, nodes, _ = inputs_for(batch)
    there, back = task(tokens, nodes, batch).logits
    assert not torch.allclose(there, back)
    first, second = tokens[0, 1], tokens[0, 2:4].mean(0)
    mean = tokens[0, : int(batch.attention_mask[0].sum())].mean(0)
    states = torch.cat([nodes[0], torch.zeros(NODE_WIDTH)])
    expected = task.label(torch.cat([first, second, mean])) + task.graph.weight @ states
    torch.testing.assert_close(there, expected)
    assert not torch.equal(task.mark[0], task.mark[1])


def test_the_tag_is_added_to_the_tokens_of_the_span_alone():
    task, batch = build(), make_batch((4, 0), labels=OWN)
    tokens, _, _ = inputs_for(batch)
    added = task.enter(tokens, batch) - tokens
    torch.testing.assert_close(added[:, 1:3], task.mark.expand(2, 2, -1))
    assert not added[:, 0].any()
    assert not added[:, 3:].any()


def test_the_losses_are_cross_entropies():
    batch = make_batch((4, 0), labels=OWN)
    output = build()(*inputs_for(batch))
    expected = functional.cross_entropy(output.logits, torch.tensor([0, 1]))
    torch.testing.assert_close(output.loss, expected)
    output = build(multi_label=True)(*inputs_for(batch))
    right = torch.eye(3)[:2]
    expected = functional.binary_cross_entropy(output.logits.sigmoid(), right)
    torch.testing.assert_close(output.loss, expected)


def test_a_span_without_a_token_is_read_as_the_text():
    task = build()
    (text,) = make_prepared((0,), labels=OWN)
    target = [text.target[0]._replace(tokens=((0, 0),))]
    tokens, nodes, batch = inputs_for(collator(OWN).pack([replace(text, target=target)]))
    mean = tokens[0].mean(0)
    expected = task.label(torch.cat([mean, mean]))
    torch.testing.assert_close(task(tokens, nodes, batch).logits[0], expected)


def test_what_makes_no_task_is_refused():
    with pytest.raises(ValueError, match="labels are not known yet"):
        SpansTask(WIDTH, NODE_WIDTH)
    with pytest.raises(ValueError, match="'a' twice"):
        SpansTask(WIDTH, NODE_WIDTH, ("a", "b", "a"))
    with pytest.raises(ValueError, match="spans=3: 1, or 2"):
        build(spans=3)


def test_an_unknown_way_to_condition_is_refused(unchecked: None) -> None:
    with pytest.raises(ValueError, match="condition='tags': one of tag, pool, markers, pair"):
        build(condition="tags")


# -- what it learns from the data -----------------------------------------------------------------


def asked(*labels: tuple[str, ...] | None, spans: int = 1) -> Example:
    both = ((0, 2), (3, 5))[:spans]
    return Example("ab cd", about=tuple(About(both, labels=one) for one in labels))


def test_the_training_texts_decide_labels_spans_and_whether_there_are_several():
    learn = SpansTask.learned
    assert learn([asked(("b",), ("a",), None)], {}) == {
        "labels": ["a", "b"],
        "multi_label": False,
        "spans": 1,
    }
    assert learn([asked(("b",)), asked(("a", "b"), ())], {})["multi_label"]
    assert learn([asked(("b",), spans=2)], {})["spans"] == 2


@pytest.mark.parametrize(
    ("examples", "given", "reason"),
    [
        ([Example("a", ("x",))], {}, r"None of 1 texts asks about a span.*about=\(kgfm"),
        ([asked(("a",)), asked(("a",), spans=2)], {}, "2 spans.*reads 1 at a time"),
        ([asked(("a", "b"))], {"multi_label": False}, "2 labels.*for 'ab'.*multi_label: true"),
        ([asked(())], {"multi_label": False}, "no label for 'ab'.*multi_label: true"),
        ([asked(("fram",))], {"labels": ["farm"]}, "The label 'fram' .*Did you mean 'farm'"),
    ],
)
def test_texts_that_contradict_the_task_are_refused(examples, given, reason):
    with pytest.raises(ValueError, match=reason):
        SpansTask.learned(examples, given)


def test_an_unseen_label_is_named_with_where_it_was_read(world: World) -> None:
    pipeline = spans_pipeline(world.graph)
    example = replace(asked(("fram",)), where="texts.jsonl, line 3")
    with pytest.raises(ValueError, match=r"texts.jsonl, line 3: The label 'fram'.*'farm'"):
        pipeline.prepare([example])


def test_labels_that_are_no_strings_are_refused(world: World, unchecked: None) -> None:
    pipeline = spans_pipeline(world.graph)
    with pytest.raises(TypeError, match="labels holds 5, a int; labels and keys are strings"):
        pipeline.prepare([Example("ab cd", about=(About(((0, 2),), labels=(5,)),))])


@pytest.mark.parametrize("labels", [("", "7", "naïve ☂"), ("alone",)])
def test_labels_may_be_empty_numbers_of_any_script_or_just_one(
    world: World, labels: tuple[str, ...], tmp_path: Path
) -> None:
    pipeline = spans_pipeline(world.graph, task={"labels": labels})
    found = pipeline("ab cd", about=[(0, 2)])
    assert {label for label, _ in found.about[0].scores} == {*labels}
    pipeline.save(tmp_path)
    assert Pipeline.load(tmp_path)("ab cd", about=[(0, 2)]) == found
    (prepared,) = pipeline.prepare([asked((labels[0],))])
    assert pipeline.model(pipeline.collator.pack([prepared])).loss.isfinite()


# -- figures --------------------------------------------------------------------------------------


def rows(logits: Any, targets: Any, texts: Any) -> dict[str, np.ndarray]:
    given = {"logits": logits, "targets": targets, "text": [[one, 0, 0] for one in texts]}
    return {name: np.array(value, np.float32) for name, value in given.items()}


def test_accuracy_is_taken_over_all_and_over_texts_whose_spans_differ():
    best = [[2, 0, 0], [0, 2, 0], [0, 2, 0], [2, 0, 0], [0, 0, 2]]
    right = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]
    found = build().metrics(rows(best, right, [1, 1, 2, 2, 3]))
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert "accuracy_conflicting" not in found  # in each text all have the same label
    right[3] = [0, 0, 1]
    found = build().metrics(rows(best, right, [1, 1, 2, 2, 3]))
    assert found["accuracy_conflicting"] == pytest.approx(1 / 2)


def test_several_labels_have_a_threshold_that_validation_chooses_and_weights_keep():
    task = build(multi_label=True)
    scores = np.array([[0.9, 0.3, 0.1], [0.2, 0.35, 0.05]])
    given = rows(np.log(scores / (1 - scores)), [[1, 1, 0], [0, 1, 0]], [1, 1])
    assert task.metrics(given)["micro_f1"] == pytest.approx(0.5)
    task.tune(given)
    figures = task.metrics(given)
    assert figures["micro_f1"] == figures["micro_f1_conflicting"] == 1.0
    assert figures["macro_f1"] == pytest.approx(2 / 3)
    copy = build(multi_label=True)
    copy.load_state_dict(task.state_dict())
    assert copy.report() == task.report()


def test_labels_are_weighed_smoothed_and_refused_as_those_of_texts_are():
    learned = SpansTask.learned([asked(("a",), ("a",), ("b",))], {"class_weights": "balanced"})
    assert learned["class_weights"] == {"a": 3 / 4, "b": 3 / 2}
    batch = make_batch((4, 0), labels=OWN)
    task = build(class_weights={"drama": 3.0}, label_smoothing=0.1, reject_below=0.9)
    with torch.no_grad():
        output = task(*inputs_for(batch))
    expected = functional.cross_entropy(
        output.logits, torch.tensor([0, 1]), torch.tensor([3.0, 1.0, 1.0]), label_smoothing=0.1
    )
    torch.testing.assert_close(output.loss, expected)
    examples = [asked(("drama",)), asked(("comedy",))]
    for (answer,) in task.answers(output, batch, examples, None):
        assert (answer.answer, answer.refused) == (NIL, "unsure")
        assert answer.about is not None
    best = task.probabilities(output, batch).max(1).values
    torch.testing.assert_close(
        task.score(output, batch, task.option(NIL, examples[0], None)), 1 - best
    )


def test_items_conflict_where_their_text_holds_different_right_labels():
    texts = np.array([[1, 5], [2, 5], [1, 5], [2, 5], [1, 6]])
    right = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [1, 0]])
    assert conflicting(texts, right).tolist() == [True, False, True, False, False]
    assert conflicting(texts[:0], right[:0]).tolist() == []


# -- training -------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", ["tag", "pool"])
def test_it_learns_what_only_the_graph_tells_where_the_spans_of_a_text_differ(
    condition: str, tmp_path: Path
) -> None:
    world = spans_world(topics=240)
    pipeline = Pipeline(
        world.graph,
        task={"name": "spans", "condition": condition},
        backbone="tiny-bert",
        text_encoder="tiny-bert",
        encoder={"name": "rgcn", "width": 32},
        max_tokens=32,
    )
    settings: dict[str, Any] = {"epochs": 6, "batch_size": 8, "graph_learning_rate": 0.01}
    figures = pipeline.fit(
        world.train, world.validation, folder=tmp_path, tensorboard=False, **settings
    )
    assert pipeline.labels == LABELS
    assert figures["accuracy"] > 0.7
    assert figures["accuracy_conflicting"] > 0.6
    assert pipeline.evaluate(world.test)["accuracy"] > 0.7


@EACH
def test_texts_that_ask_about_none_one_and_many_train_together(
    world: World, condition: str, tmp_path: Path
) -> None:
    first, second = world.train[:2]
    many = replace(first, about=(*first.about, replace(first.about[0], labels=None)) * 20)
    one = replace(second, about=second.about[:1])
    mixed = [replace(first, about=()), one, many, *world.train[2:4], replace(second, about=())]
    pipeline = spans_pipeline(world.graph, task={"condition": condition}, backbone=TINY_FROZEN)
    settings = {"epochs": 1, "batch_size": 1, "tensorboard": False}
    figures = pipeline.fit(mixed, world.validation[:4], folder=tmp_path, cache=tmp_path, **settings)
    assert np.isfinite(figures["accuracy"])


def test_a_text_that_asks_about_nothing_teaches_nothing(world: World) -> None:
    pipeline = spans_pipeline(world.graph)
    prepared = pipeline.prepare([replace(world.train[0], about=()), world.train[1]])
    nothing = pipeline.model(pipeline.collator.pack(prepared[:1])).loss
    assert nothing.item() == 0.0
    nothing.backward()
    alone = pipeline.model(pipeline.collator.pack(prepared[1:])).loss
    both = pipeline.model(pipeline.collator.pack(prepared)).loss
    torch.testing.assert_close(both, alone)


def test_spans_whose_labels_are_unknown_do_not_count(world: World) -> None:
    pipeline = spans_pipeline(world.graph)
    example = world.train[0]
    half = replace(example, about=(example.about[0], replace(example.about[1], labels=None)))
    one = replace(example, about=example.about[:1])
    losses = [
        pipeline.model(pipeline.collator.pack(pipeline.prepare([each]))).loss
        for each in (half, one)
    ]
    torch.testing.assert_close(*losses)
    unknown = replace(example, about=(replace(example.about[0], labels=None),))
    batch = pipeline.collator.pack(pipeline.prepare([unknown]))
    assert pipeline.model(batch).loss is None
    with pytest.raises(ValueError, match="Text 0 of the train part has no target"):
        pipeline.fit([unknown], [example], epochs=1)


@EACH
def test_cached_states_of_frozen_layers_give_the_same(
    world: World, condition: str, tmp_path: Path
) -> None:
    pipeline = spans_pipeline(world.graph, task={"condition": condition}, backbone=TINY_FROZEN)
    plain = pipeline.evaluate(world.test)
    assert pipeline.evaluate(world.test, cache=tmp_path) == pytest.approx(plain)
    batch = pipeline.collator.pack(pipeline.prepare(world.test[:4]))
    output = pipeline.model(batch).logits
    apart = replace(batch, twin=None, once=None)
    torch.testing.assert_close(pipeline.model(apart).logits, output)
    if condition == "tag":
        assert batch.twin.tolist() == [0, 0, 2, 2, 4, 4, 6, 6]
        assert len(batch.once.batch) == 4


@EACH
def test_a_loaded_pipeline_answers_as_the_saved_one(
    world: World, condition: str, tmp_path: Path
) -> None:
    pipeline = spans_pipeline(world.graph, task={"condition": condition})
    found = pipeline(world.test[:3])
    pipeline.save(tmp_path)
    again = Pipeline.load(tmp_path)
    assert again(world.test[:3]) == found
    assert again.explain(found[0], about=1) == pipeline.explain(found[0], about=1)
    assert again([one.example for one in found]) == found


@EACH
def test_what_is_asked_alone_is_answered_as_together(world: World, condition: str) -> None:
    pipeline = spans_pipeline(world.graph, task={"condition": condition}, max_tokens=64)
    text = world.test[0].text
    spans = [one.spans[0] for one in world.test[0].about]
    asked_of = [(0, 3), spans[0], spans[1], spans[0], (0, len(text)), (spans[1][0], len(text))]
    together = pipeline(text, about=asked_of)
    assert [one.about.spans[0] for one in together.about] == asked_of
    for span, one in zip(asked_of, together.about, strict=True):
        (alone,) = pipeline(text, about=[span]).about
        assert scores_of([alone])[0] == pytest.approx(scores_of([one])[0], abs=1e-5)
    assert together.about[1].scores == together.about[3].scores
    batched = pipeline([text, "Nobody.", text], about=[asked_of, [(0, 6)], asked_of[:1]])
    for one, other in zip(batched[0].about, together.about, strict=True):
        assert scores_of([one])[0] == pytest.approx(scores_of([other])[0], abs=1e-5)


@pytest.mark.parametrize("condition", ["tag", "markers", "pair"])
def test_without_a_graph_two_spans_of_a_text_are_told_apart(condition: str, tmp_path: Path) -> None:
    pipeline = spans_pipeline(None, task={"condition": condition}, encoder=None)
    assert pipeline.vectors is None
    text = "Jet Airways climbs while ONGC slides."
    found = pipeline(text, about=["Jet Airways", "ONGC"])
    first, second = scores_of(found.about)
    assert first != pytest.approx(second, abs=1e-4)
    assert [one.about.entities for one in found.about] == [(None,), (None,)]
    assert pipeline.explain(found, about=1) == ()
    pipeline.save(tmp_path)
    assert Pipeline.load(tmp_path)(text, about=["Jet Airways", "ONGC"]) == found
    assert pipeline(text).about == ()  # there is no linker that would find something


def test_a_graph_that_no_part_reads_has_no_text_vectors(world: World) -> None:
    pipeline = spans_pipeline(world.graph, encoder=None, fusion=None)
    assert pipeline(world.test[0]).about
    assert pipeline.vectors is None


def test_the_graph_can_be_put_on_trial(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(data: Path | None, cache: Path) -> Dataset:
        return Dataset(world.graph, world.train, world.validation, world.test)

    monkeypatch.setitem(DATASETS, "told", told)
    settings = TrainingConfig(epochs=1, max_tokens=32, tensorboard=False, accelerator="cpu")
    recipe = Recipe(
        dataset={"name": "told"},
        task={"name": "spans", "condition": "tag"},
        backbone=TINY_FROZEN,
        text_encoder={"name": "tiny-bert"},
        encoder={"name": "rgcn", "width": 16},
        training=settings,
        cache=str(tmp_path / "cache"),
        out=str(tmp_path / "run"),
    )
    table = controls(recipe, (0,), tmp_path / "table")
    assert set(table["rows"]) == {"with", "without", "shuffled"}
    assert table["metric"] == "accuracy"  # by which runs are compared
    figures = train(recipe)
    assert evaluate(recipe.folder()) == pytest.approx(figures["test"])
