"""Tasks: losses and figures against naive references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from neural import LABELS, collator, labels_of, make_batch, make_prepared, opened
from torch.nn import functional

from kgfm.tasks import TASKS, AnswerTask, ClassifyTask, Output
from kgfm.tasks.answer import Right

WIDTH, NODE_WIDTH = 12, 10
ELSEWHERE = 10**6
"""A row of the graph that no subgraph of the tests holds."""


def build(name, **settings):
    torch.manual_seed(0)
    context = {"width": WIDTH, "node_width": NODE_WIDTH, "labels": LABELS}
    return opened(TASKS.build({"name": name, **settings}, **context)).eval()


def inputs_for(batch, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(*batch.input_ids.shape, WIDTH, generator=generator)
    return tokens, torch.randn(batch.num_nodes, NODE_WIDTH, generator=generator), batch


@pytest.fixture(params=TASKS)
def name(request):
    return request.param


# Every task.


def test_probabilities_sum_to_one_for_each_text(name):
    task, batch = build(name), make_batch(labels=labels_of(name))
    output = task(*inputs_for(batch))
    probabilities = task.probabilities(output, batch)
    assert probabilities.shape == output.logits.shape
    if output.nil is None:
        sums = probabilities.sum(1)
    else:
        total = task._log_sum(output.logits, output.nil, batch)
        sums = (output.nil - total).exp().index_add(0, batch.node_text, probabilities)
    torch.testing.assert_close(sums, torch.ones(len(batch)))


def test_a_text_whose_target_is_unknown_does_not_count(name):
    task, labels = build(name), labels_of(name)
    texts = make_prepared((4, 3), labels=labels)
    known = collator(labels).pack(texts)
    half = collator(labels).pack([texts[0], replace(texts[1], known=False)])
    alone = collator(labels).pack(texts[:1])
    tokens, nodes, _ = inputs_for(known)
    short = tokens[:1, : alone.input_ids.shape[1]]
    expected = task(short, nodes[:4], alone)
    found = task(tokens, nodes, half)
    torch.testing.assert_close(found.loss, expected.loss)
    rows = task.collect(found, half)
    assert {len(row) for row in rows.values()} == {1}
    none = collator(labels).pack([replace(text, known=False) for text in texts])
    assert task(tokens, nodes, none).loss is None


def test_gradients_reach_every_parameter_even_without_a_node(name):
    task = build(name)
    for counts in [(4, 5), (0, 0)]:
        task.zero_grad()
        tokens, nodes, batch = inputs_for(make_batch(counts, labels=labels_of(name)))
        task(task.enter(tokens, batch), nodes, batch).loss.backward()
        assert [n for n, p in task.named_parameters() if p.grad is None] == []
        if any(counts):
            assert [n for n, p in task.named_parameters() if not p.grad.any()] == []


def test_extreme_logits_give_a_finite_loss(name):
    task, batch = build(name), make_batch(labels=labels_of(name))
    tokens, nodes, _ = inputs_for(batch)
    output = task(task.enter(1e4 * tokens, batch), 1e4 * nodes, batch)
    assert output.loss.isfinite()
    output.loss.backward()
    assert all(p.grad.isfinite().all() for p in task.parameters())


# Classify.


def test_the_loss_of_one_label_is_the_cross_entropy():
    task, batch = build("classify"), make_batch(labels=LABELS)
    output = task(*inputs_for(batch))
    expected = functional.cross_entropy(output.logits, batch.asked.label.argmax(1))
    torch.testing.assert_close(output.loss, expected)


def test_the_loss_of_several_labels_is_the_binary_cross_entropy():
    task = build("classify", multi_label=True)
    texts = make_prepared((4, 0), labels=LABELS)
    batch = collator(LABELS).pack([replace(texts[0], target=np.array([0, 2])), texts[1]])
    output = task(*inputs_for(batch))
    right = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    expected = functional.binary_cross_entropy(output.logits.sigmoid(), right)
    torch.testing.assert_close(output.loss, expected)


def test_an_untrained_head_and_a_text_without_nodes_read_the_text_alone():
    torch.manual_seed(0)
    task = ClassifyTask(WIDTH, NODE_WIDTH, LABELS).eval()
    tokens, nodes, batch = inputs_for(make_batch(labels=LABELS))
    alone = task(tokens, None, batch).logits
    assert torch.equal(task(tokens, nodes, batch).logits, alone)
    trained = opened(task)(tokens, nodes, batch).logits
    assert torch.equal(trained[1], alone[1])
    assert not torch.equal(trained[0], alone[0])


def test_the_threshold_is_chosen_on_validation_and_saved_with_the_weights():
    task = build("classify", multi_label=True)
    scores = np.array([[0.9, 0.3, 0.1], [0.2, 0.35, 0.05]])
    logits = np.log(scores / (1 - scores)).astype(np.float32)
    rows = {"logits": logits, "targets": np.array([[1, 1, 0], [0, 1, 0]], np.float32)}
    assert task.metrics(rows)["micro_f1"] == pytest.approx(0.5)
    task.tune(rows)
    (threshold,) = task.report().thresholds
    lower, upper = 1 / (1 + np.exp(-logits[[1, 0], [0, 1]] / task.report().temperature))
    assert lower < threshold < upper
    figures = task.metrics(rows)
    assert (figures["micro_f1"], figures["macro_f1"]) == (1.0, pytest.approx(2 / 3))
    copy = build("classify", multi_label=True)
    copy.load_state_dict(task.state_dict())
    assert copy.report() == task.report()


def test_one_label_has_no_threshold_to_choose():
    task = build("classify")
    task.tune({"logits": np.eye(3, dtype=np.float32), "targets": np.eye(3, dtype=np.float32)})
    assert task.report().thresholds == ()


def test_accuracy_is_the_share_of_best_labels_that_are_right():
    scores = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.6, 0.3]], np.float32)
    figures = build("classify").metrics({"logits": np.log(scores), "targets": np.eye(3)})
    assert figures["accuracy"] == pytest.approx(2 / 3)


def test_classify_without_labels_is_refused():
    with pytest.raises(ValueError, match="labels are not known yet"):
        ClassifyTask(WIDTH, NODE_WIDTH)


# Answer.


def naive_loss(output, batch):
    """Cross-entropy to the uniform distribution over the right nodes, or to NIL."""
    losses = []
    for text in range(len(batch)):
        mine = batch.node_text == text
        everything = torch.cat([output.logits[mine], output.nil[text : text + 1]])
        log = torch.log_softmax(everything, 0)
        right = batch.asked.node[mine]
        losses.append(-log[:-1][right].mean() if right.any() else -log[-1])
    return torch.stack(losses).mean()


def answer_batch(*targets, counts=(4, 5, 0, 6)):
    """Texts of which the n-th has these nodes as its right answers."""
    texts = make_prepared(counts)
    return collator().pack(
        [
            replace(
                text,
                target=Right(
                    np.array(
                        [text.rows[0].subgraph.nodes[n] if n >= 0 else ELSEWHERE for n in target],
                        np.int64,
                    )
                ),
            )
            for text, target in zip(texts, targets, strict=True)
        ]
    )


def test_the_loss_shares_the_probability_among_all_right_answers():
    # One right answer; three; an answer outside of an empty subgraph; unanswerable.
    batch = answer_batch([1], [0, 2, 4], [-1], [])
    output = build("answer")(*inputs_for(batch))
    torch.testing.assert_close(output.loss, naive_loss(output, batch))


def test_ranks_equal_a_naive_reference_and_unanswerable_means_nil():
    batch = answer_batch([1], [0, 2], [-1], [], counts=(12, 12, 3, 5))
    task = build("answer")
    output = task(*inputs_for(batch))
    rows = {name: value.numpy() for name, value in task.collect(output, batch).items()}
    for text in range(2):
        logits = output.logits[batch.node_text == text].tolist()
        right = batch.asked.node[batch.node_text == text].tolist()
        order = sorted(range(len(logits)), key=lambda n: -logits[n])
        assert rows["rank"][text] == 1 + next(place for place, n in enumerate(order) if right[n])
    assert rows["rank"][2:].tolist() == [0.0, -1.0]
    ranks = rows["rank"][:3]
    figures = task.metrics(rows)
    assert figures["hits@1"] == pytest.approx(np.mean(ranks == 1))
    assert figures["hits@10"] == pytest.approx(np.mean((ranks > 0) & (ranks <= 10)))
    assert figures["mrr"] == pytest.approx(sum(1 / rank for rank in ranks if rank) / 3)
    assert figures["accuracy"] == pytest.approx(rows["right"].mean())


@pytest.mark.parametrize(
    ("nil", "right"), [(9.0, [False, True, True]), (-9.0, [True, False, True])]
)
def test_nil_competes_for_accuracy(nil, right):
    batch = answer_batch([0], [], [], counts=(2, 2, 0))
    logits = torch.tensor([1.0, 0.0, 1.0, 0.0])
    tokens = torch.zeros(*batch.input_ids.shape, WIDTH)
    rows = build("answer").collect(Output(tokens, logits, nil=torch.full((3,), nil)), batch)
    assert rows["right"].tolist() == right


def test_answer_without_nodes_to_rank_is_refused():
    with pytest.raises(ValueError, match="answer ranks nodes, so it needs an encoder"):
        AnswerTask(WIDTH, 0)
    tokens, _, batch = inputs_for(make_batch())
    with pytest.raises(ValueError, match="so the model needs an encoder"):
        build("answer")(tokens, None, batch)
