"""Fusion: the laws that hold for every operator, in every family of backbones."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from neural import (
    FEATURE_WIDTH,
    LABELS,
    collator,
    labels_of,
    make_batch,
    make_model,
    make_prepared,
    opened,
    with_row,
)
from worlds import tiny_recipe

from kgfm.backbones.load import TINY_FAMILIES, tiny
from kgfm.fusion import FUSIONS, Fusion, dense_nodes
from kgfm.fusion.base import PLACES
from kgfm.model import KGModel
from kgfm.recipes import check_parts, read_recipe
from kgfm.tasks import TASKS

WIDTH, NODE_WIDTH = 12, 10
EVERY = pytest.mark.parametrize("name", FUSIONS)
FAMILY = pytest.mark.parametrize("family", TINY_FAMILIES)
CHANGES_TOKENS = [name for name, part in FUSIONS.items() if part.places & {"enter", "forward"}]


@pytest.fixture(params=FUSIONS)
def fusion(request):
    """Each operator, untrained."""
    torch.manual_seed(0)
    return FUSIONS.build(
        request.param,
        width=WIDTH,
        node_width=NODE_WIDTH,
        feature_width=FEATURE_WIDTH,
        depth=2,
    ).eval()


@pytest.fixture
def inputs():
    batch = make_batch((4, 0, 6))
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(*batch.input_ids.shape, WIDTH, generator=generator)
    return tokens, torch.randn(batch.num_nodes, NODE_WIDTH, generator=generator), batch


def told(fusion, tokens, nodes, batch):
    """All that an operator says in one pass: tokens, nodes, what joins, what the task reads."""
    tokens, nodes, extra = fusion.enter(tokens, nodes, batch)
    joins = tokens.new_zeros(len(batch), 0)
    if extra is not None:
        joins = (extra.gate.sum() * extra.mask[..., None] * extra.states).flatten(1)
    tokens, nodes = fusion(tokens, nodes, batch)
    read = fusion.read(tokens, nodes, batch)
    read = tokens.new_zeros(len(batch), 0) if read is None else read
    return tokens, nodes, joins, read


@lru_cache
def backbone(family, freeze):
    """Read by many tests and trained by none."""
    return tiny(family, freeze=freeze)


def fused(name, family, task="classify", *, freeze=0, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KGModel.build(
            backbone=backbone(family, freeze),
            encoder={"name": "rgcn", "width": 16},
            fusion=name,
            task={"name": task, "labels": LABELS} if labels_of(task) else task,
            feature_width=FEATURE_WIDTH,
        ).eval()


def moved(model):
    """The same model, all around its backbone as if trained."""
    for part in (model.encoder, model.fusions, model.task):
        opened(part)
    return model


def trained_parameters(model):
    return [p for p in model.parameters() if p.requires_grad]


def without(model):
    """The same model, weight by weight, with its fusion taken out."""
    return KGModel(model.backbone, model.encoder, {}, model.task)


# -- the operator alone ---------------------------------------------------------------------------


def test_untrained_fusion_is_the_exact_identity(fusion, inputs):
    tokens, nodes, joins, read = told(fusion, *inputs)
    assert torch.equal(tokens, inputs[0])
    assert torch.equal(nodes, inputs[1])
    assert not joins.any()
    assert not read.any()


def test_a_text_without_nodes_is_left_as_it_was_by_a_trained_fusion_too(fusion, inputs):
    tokens, _, joins, read = told(opened(fusion), *inputs)
    assert torch.equal(tokens[1], inputs[0][1])
    assert not joins[1].any()
    assert not read[1].any()
    for row in (0, 2):
        same = torch.equal(tokens[row], inputs[0][row])
        assert not same or joins[row].any() or read[row].any()


def test_a_batch_without_any_node_is_left_as_it_was(fusion):
    batch = make_batch((0, 0))
    tokens = torch.randn(*batch.input_ids.shape, WIDTH)
    found, nodes, joins, read = told(opened(fusion), tokens, torch.zeros(0, NODE_WIDTH), batch)
    assert torch.equal(found, tokens)
    assert nodes.shape == (0, NODE_WIDTH)
    assert not joins.any()
    assert not read.any()


@pytest.mark.parametrize("poison", [99.0, 1e6])
def test_padding_slots_are_never_read(fusion, inputs, poison):
    tokens, nodes, batch = inputs
    expected = told(opened(fusion), tokens, nodes, batch)
    # Padding points to row 0, which is of text 0: what stands there is nothing to the others.
    poisoned = nodes.clone()
    poisoned[0] = poison
    found = told(fusion, tokens, poisoned, batch)
    for part in (0, 2, 3):
        assert torch.equal(found[part][1:], expected[part][1:])
    # Wherever padding points, nothing changes.
    elsewhere = torch.where(batch.node_mask, batch.node_slot, batch.num_nodes - 1)
    found = told(fusion, tokens, nodes, replace(batch, node_slot=elsewhere))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_permuting_the_nodes_changes_nothing_for_the_tokens(fusion):
    batch = make_batch((6,))
    tokens = torch.randn(*batch.input_ids.shape, WIDTH)
    nodes = torch.randn(6, NODE_WIDTH)
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    aligned = batch.aligned.clone()
    aligned[2] = torch.argsort(order)[aligned[2]]
    permuted = replace(batch, aligned=aligned, node_hops=batch.node_hops[order])
    expected = told(opened(fusion), tokens, nodes, batch)
    found = told(fusion, tokens, nodes[order], permuted)
    for part in (0, 2, 3):
        torch.testing.assert_close(found[part], expected[part])


def test_one_by_one_equals_all_together(fusion):
    texts = make_prepared((4, 0, 6))
    batch = collator().pack(texts)
    tokens = torch.randn(*batch.input_ids.shape, WIDTH)
    nodes = torch.randn(batch.num_nodes, NODE_WIDTH)
    together = told(opened(fusion), tokens, nodes, batch)
    for row, text in enumerate(texts):
        length = text.num_tokens
        mine = nodes[batch.node_text == row]
        alone = told(fusion, tokens[row : row + 1, :length], mine, collator().pack([text]))
        torch.testing.assert_close(together[0][row, :length], alone[0][0])
        torch.testing.assert_close(together[2][row], alone[2][0])
        torch.testing.assert_close(together[3][row], alone[3][0])


def test_the_gradient_opens_the_output_first_and_then_reaches_every_parameter(fusion, inputs):
    fusion.train()

    def with_gradient():
        fusion.zero_grad()
        torch.manual_seed(0)
        parts = told(fusion, *inputs)
        losses = fusion.losses(parts[0], parts[1], inputs[2])
        sum(((part + 1.0).square().sum() for part in parts), sum(losses.values())).backward()
        return {name for name, p in fusion.named_parameters() if p.grad.any()}

    assert with_gradient()
    opened(fusion)
    assert with_gradient() == {name for name, _ in fusion.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_finite_for_texts_without_nodes(fusion, inputs, dtype):
    opened(fusion)
    with torch.autocast("cpu", dtype):
        tokens, _, joins, read = told(fusion, *inputs)
    assert all(part.isfinite().all() for part in (tokens, joins, read))
    assert torch.equal(tokens[1].float(), inputs[0][1])
    assert not read[1].any()


def test_a_fusion_that_would_change_nothing_is_refused_when_it_is_written():
    with pytest.raises(TypeError, match=r"Idle would change nothing: .* enter, forward, read, los"):

        class Idle(Fusion):
            pass

    assert {place for part in FUSIONS.values() for place in part.places} == set(PLACES)


def test_a_token_of_a_mention_is_drawn_to_the_node_that_it_names(inputs):
    torch.manual_seed(0)
    fusion = opened(FUSIONS["cross-attention"](WIDTH, NODE_WIDTH))
    fusion.mention_bias.data.fill_(1e4)
    tokens, nodes, _ = inputs
    found, _ = fusion(*inputs)
    named = fusion.output(fusion.value(nodes[0]))  # tokens 1 and 2 of text 0 name its node 0
    torch.testing.assert_close(found[0, 1:3] - tokens[0, 1:3], named.expand(2, -1))
    assert not torch.allclose(found[0, 3] - tokens[0, 3], named)


@pytest.mark.parametrize("name", [name for name in FUSIONS if FUSIONS.default(name, "heads")])
def test_heads_that_do_not_divide_the_width_are_refused(name):
    with pytest.raises(ValueError, match="heads=3 does not divide inner_width=128"):
        make_model(fusion={"name": name, "heads": 3})


def test_dense_nodes_are_zero_where_there_is_none(inputs):
    dense = dense_nodes(inputs[1], inputs[2])
    assert torch.equal(dense[inputs[2].node_mask], inputs[1])
    assert not dense[~inputs[2].node_mask].any()


@pytest.mark.parametrize("name", FUSIONS)
def test_a_fusion_below_the_frozen_layers_is_refused_with_the_reason(name):
    with pytest.raises(ValueError, match=r"layer 0 cannot be: layers 1 to 2 .* must not depend"):
        make_model(fusion={"name": name, "layers": [0, 2]}, freeze=1)
    with pytest.raises(ValueError, match="layer 3 cannot be"):
        make_model(fusion={"name": name, "layers": [3]})


# -- in a model, in every family ------------------------------------------------------------------


@FAMILY
@EVERY
def test_a_model_with_an_untrained_fusion_is_the_model_without_it(name, family):
    for task in TASKS:
        model, batch = fused(name, family, task), make_batch(labels=labels_of(task))
        found, plain = model(batch), without(model)(batch)
        assert torch.equal(found.tokens, plain.tokens)
        assert torch.equal(found.logits, plain.logits)
        assert torch.equal(found.loss, plain.loss)


@FAMILY
@EVERY
def test_a_text_without_nodes_is_read_as_without_the_graph_and_others_are_not(name, family):
    model, batch = moved(fused(name, family)), make_batch((4, 0, 6))
    found, plain = model(batch), without(model)(batch)
    assert torch.equal(found.tokens[1], plain.tokens[1])
    assert torch.equal(found.logits[1], plain.logits[1])
    assert not torch.allclose(found.logits[0], plain.logits[0])
    assert torch.equal(found.tokens[0], plain.tokens[0]) != (name in CHANGES_TOKENS)
    nothing = make_batch((0, 0))
    assert torch.equal(model(nothing).logits, without(model)(nothing).logits)


@FAMILY
@EVERY
def test_neither_padding_nor_another_text_is_read(name, family):
    model = moved(fused(name, family))
    texts, others = make_prepared((4, 0, 6)), make_prepared((4, 0, 6), seed=1)
    batch = collator().pack(texts)
    expected = model(batch)
    real = batch.attention_mask.bool()
    padded = replace(batch, input_ids=batch.input_ids.masked_fill(~real, 1234))
    found = model(padded)
    assert torch.equal(found.tokens[real], expected.tokens[real])
    assert torch.equal(found.logits, expected.logits)
    found = model(collator().pack([others[0], *texts[1:]]))
    torch.testing.assert_close(found.logits[1:], expected.logits[1:])
    alone = torch.cat([model(collator().pack([text])).logits for text in texts])
    torch.testing.assert_close(alone, expected.logits, rtol=1e-4, atol=1e-5)


@FAMILY
@EVERY
@pytest.mark.parametrize("freeze", [1, 2])
def test_cached_lower_states_stay_valid(name, family, freeze):
    model = moved(fused(name, family, freeze=freeze)).train()
    batch = make_batch(labels=LABELS)
    results = []
    for states in (None, model.backbone.lower(batch.input_ids, batch.attention_mask)):
        model.zero_grad()
        torch.manual_seed(0)  # dropout, and what is hidden
        output = model(replace(batch, lower_states=states))
        output.loss.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.requires_grad]
        results.append([output.loss.detach(), output.logits.detach(), *gradients])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@FAMILY
@EVERY
def test_what_is_saved_is_the_whole_operator(name, family):
    model, batch = moved(fused(name, family)), make_batch()
    again = fused(name, family, seed=1)
    assert not torch.equal(again(batch).logits, model(batch).logits)
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(batch).logits, model(batch).logits)


@EVERY
def test_a_tiny_model_learns_by_each_operator_what_the_text_does_not_say(name):
    """The texts are the same; what they name decides the label."""
    texts = make_prepared((3,) * 9, labels=LABELS)
    (first,) = texts[0].rows
    texts = [with_row(text, input_ids=first.input_ids, offsets=first.offsets) for text in texts]
    batch = collator(LABELS).pack(texts)
    model = make_model("classify", encoder="text", fusion=name, freeze=1)
    model.task.graph = None  # or the task would read the nodes by itself
    torch.manual_seed(0)
    optimizer = torch.optim.Adam(trained_parameters(model), lr=5e-3)
    for _ in range(160):
        optimizer.zero_grad()
        model.train()(batch).loss.backward()
        optimizer.step()

    def right(model):
        return (model.eval()(batch).logits.argmax(1) == batch.asked.label.argmax(1)).sum()

    assert right(model) >= 8
    assert right(without(model)) == 3


@EVERY
def test_a_fusion_sits_after_the_last_two_trained_layers_unless_told(name):
    """One without ``forward`` has nothing to do after a layer; it is built once, at the lowest."""
    every = "forward" in FUSIONS[name].places
    assert list(make_model(fusion=name).fusions) == (["1", "2"] if every else ["1"])
    assert list(make_model(fusion=name, freeze=2).fusions) == ["2"]
    assert list(make_model(fusion={"name": name, "layers": [0]}).fusions) == ["0"]
    chosen = make_model(fusion={"name": name, "layers": [2, 0]})
    assert list(chosen.fusions) == (["0", "2"] if every else ["0"])


@EVERY
def test_a_recipe_may_name_it(name, tmp_path):
    check_parts(read_recipe(tiny_recipe(tmp_path), [f"--fusion={name}"]))
    wrong = read_recipe(tiny_recipe(tmp_path), [f"--fusion={name}", "--fusion.heads=3"])
    said = "fusion: heads=3 does not divide" if FUSIONS.default(name, "heads") else "no 'heads'"
    with pytest.raises(ValueError, match=said):
        check_parts(wrong)


# -- each operator --------------------------------------------------------------------------------


def test_a_prefix_has_as_many_tokens_as_asked_for_and_a_gate_for_each_layer():
    model = make_model(fusion={"name": "prefix", "tokens": 7, "layers": [0]})
    batch = make_batch()
    nodes = torch.randn(batch.num_nodes, 16)
    tokens = torch.randn(*batch.input_ids.shape, 32)
    _, _, extra = model.fusions["0"].enter(tokens, nodes, batch)
    assert extra.states.shape == (3, 7, 32)
    assert extra.gate.shape == (3,)
    assert extra.mask.tolist() == [[True] * 7, [False] * 7, [True] * 7]
    with pytest.raises(ValueError, match="tokens=0: a prefix needs at least one"):
        make_model(fusion={"name": "prefix", "tokens": 0})


@FAMILY
def test_the_tokens_of_a_prefix_are_attended_to_once_its_gate_has_moved(family):
    model, batch = make_model(family=family, fusion="prefix"), make_batch()
    prefix, states = model.fusions["1"], []
    plain = model(batch).logits
    prefix.gate.data[1] = 0.5  # in the last layer alone
    last = model(batch).logits
    assert not torch.allclose(last, plain)
    prefix.gate.data[0] = 0.5
    assert not torch.allclose(model(batch).logits, last)
    expected = model(batch).logits
    prefix.norm.register_forward_hook(lambda _, __, output: states.append(output) or output.flip(1))
    torch.testing.assert_close(model(batch).logits, expected)  # a set, not a sequence
    assert states[0].shape == (3, 4, 32)


def hiding(**settings):
    torch.manual_seed(0)
    return FUSIONS["masked-entities"](WIDTH, NODE_WIDTH, FEATURE_WIDTH, **settings).train()


def test_masked_entities_hide_named_nodes_in_training_and_none_in_evaluation(inputs):
    tokens, nodes, batch = inputs
    named = {0, 4}  # the seeds of texts 0 and 2
    fusion = hiding(rate=0.5)
    found = set()
    for _ in range(20):
        _, changed, _ = fusion.enter(*inputs)
        hidden = (changed != nodes).any(1).nonzero()[:, 0].tolist()
        assert hidden
        assert set(hidden) <= named
        assert torch.equal(changed[hidden[0]], fusion.unknown)
        found.add(tuple(hidden))
    assert len(found) > 1
    _, same, _ = hiding(rate=0.0).enter(*inputs)
    assert (same != nodes).any(1).sum() == 1  # one at least, or there would be nothing to learn
    fusion.losses(tokens, nodes, batch)
    _, same, _ = fusion.eval().enter(*inputs)
    assert same is nodes


def test_masked_entities_add_two_losses_in_training_which_training_lowers():
    model, batch = (
        make_model("classify", fusion="masked-entities", freeze=1),
        make_batch((4, 5, 6), labels=LABELS),
    )
    assert model(batch).losses == {}
    torch.manual_seed(0)
    output = model.train()(batch)
    assert set(output.losses) == {"entity", "link"}
    unknown = replace(batch, asked=None)
    alone = model(unknown)
    torch.testing.assert_close(alone.loss, sum(alone.losses.values()))
    optimizer = torch.optim.Adam(trained_parameters(model), lr=3e-3)
    first = {name: loss.item() for name, loss in output.losses.items()}
    for _ in range(80):
        optimizer.zero_grad()
        output = model(unknown)
        output.loss.backward()
        optimizer.step()
    assert all(output.losses[name].item() < 0.6 * first[name] for name in first)


def test_masked_entities_weigh_their_losses(inputs):
    tokens, nodes, batch = inputs
    found = []
    for weight in (1.0, 3.0):
        fusion = hiding(entity_weight=weight, link_weight=2 * weight)
        torch.manual_seed(1)
        fusion.enter(*inputs)
        found.append(fusion.losses(tokens, nodes, batch))
    for name in ("entity", "link"):
        torch.testing.assert_close(3 * found[0][name], found[1][name])
    assert hiding().losses(tokens, nodes, batch) == {}  # nothing was hidden


def test_triples_of_a_hidden_entity_are_not_asked_about(inputs):
    tokens, nodes, batch = inputs
    fusion = hiding(rate=0.0)
    nodes = nodes.clone().requires_grad_()
    _, changed, _ = fusion.enter(tokens, nodes, batch)
    hidden = (changed != nodes).any(1)
    changed = changed.detach().requires_grad_()
    fusion.losses(tokens, changed, batch)["link"].backward()
    assert not changed.grad[hidden].any()
    assert changed.grad[~hidden].any()
