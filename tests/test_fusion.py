"""Fusion: the laws that hold for every operator."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from neural import collator, make_batch, make_model, make_prepared, opened

from kgfm.fusion import FUSIONS, dense_nodes

WIDTH, NODE_WIDTH = 12, 10


@pytest.fixture(params=FUSIONS)
def fusion(request):
    """Each operator, untrained."""
    torch.manual_seed(0)
    return FUSIONS.build(request.param, width=WIDTH, node_width=NODE_WIDTH).eval()


@pytest.fixture
def inputs():
    batch = make_batch((4, 0, 6))
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(*batch.input_ids.shape, WIDTH, generator=generator)
    return tokens, torch.randn(batch.num_nodes, NODE_WIDTH, generator=generator), batch


def test_untrained_fusion_is_the_exact_identity(fusion, inputs):
    tokens, nodes = fusion(*inputs)
    assert torch.equal(tokens, inputs[0])
    assert torch.equal(nodes, inputs[1])


def test_a_text_without_nodes_is_left_as_it_was_by_a_trained_fusion_too(fusion, inputs):
    tokens, _ = opened(fusion)(*inputs)
    assert torch.equal(tokens[1], inputs[0][1])
    assert not torch.equal(tokens[0], inputs[0][0])
    assert not torch.equal(tokens[2], inputs[0][2])


def test_a_batch_without_any_node_is_left_as_it_was(fusion):
    batch = make_batch((0, 0))
    tokens = torch.randn(*batch.input_ids.shape, WIDTH)
    found, nodes = opened(fusion)(tokens, torch.zeros(0, NODE_WIDTH), batch)
    assert torch.equal(found, tokens)
    assert nodes.shape == (0, NODE_WIDTH)


@pytest.mark.parametrize("poison", [99.0, 1e6])
def test_padding_slots_are_never_read(fusion, inputs, poison):
    tokens, nodes, batch = inputs
    expected, _ = opened(fusion)(tokens, nodes, batch)
    # Padding points to row 0, which is of text 0: what stands there is nothing to the others.
    poisoned = nodes.clone()
    poisoned[0] = poison
    found, _ = fusion(tokens, poisoned, batch)
    assert torch.equal(found[1:], expected[1:])
    # Wherever padding points, nothing changes.
    elsewhere = torch.where(batch.node_mask, batch.node_slot, batch.num_nodes - 1)
    found, _ = fusion(tokens, nodes, replace(batch, node_slot=elsewhere))
    assert torch.equal(found, expected)


def test_permuting_the_nodes_changes_nothing_for_the_tokens(fusion):
    batch = make_batch((6,))
    tokens = torch.randn(*batch.input_ids.shape, WIDTH)
    nodes = torch.randn(6, NODE_WIDTH)
    order = torch.tensor([3, 1, 0, 5, 4, 2])
    aligned = batch.aligned.clone()
    aligned[2] = torch.argsort(order)[aligned[2]]
    expected, _ = opened(fusion)(tokens, nodes, batch)
    found, _ = fusion(tokens, nodes[order], replace(batch, aligned=aligned))
    torch.testing.assert_close(found, expected)


def test_one_by_one_equals_all_together(fusion):
    texts = make_prepared((4, 0, 6))
    batch = collator().pack(texts)
    tokens = torch.randn(*batch.input_ids.shape, WIDTH)
    nodes = torch.randn(batch.num_nodes, NODE_WIDTH)
    together, _ = opened(fusion)(tokens, nodes, batch)
    for row, text in enumerate(texts):
        length = text.num_tokens
        mine = nodes[batch.node_text == row]
        alone, _ = fusion(tokens[row : row + 1, :length], mine, collator().pack([text]))
        torch.testing.assert_close(together[row, :length], alone[0])


def test_the_gradient_opens_the_output_first_and_then_reaches_every_parameter(fusion, inputs):
    def with_gradient():
        fusion.zero_grad()
        tokens, nodes = fusion(*inputs)
        (tokens.square().sum() + nodes.square().sum()).backward()
        return {name for name, p in fusion.named_parameters() if p.grad.any()}

    assert with_gradient()
    opened(fusion)
    assert with_gradient() == {name for name, _ in fusion.named_parameters()}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_finite_for_texts_without_nodes(fusion, inputs, dtype):
    opened(fusion)
    with torch.autocast("cpu", dtype):
        tokens, _ = fusion(*inputs)
    assert tokens.isfinite().all()
    assert torch.equal(tokens[1].float(), inputs[0][1])


def test_a_token_of_a_mention_is_drawn_to_the_node_that_it_names(inputs):
    torch.manual_seed(0)
    fusion = opened(FUSIONS["cross-attention"](WIDTH, NODE_WIDTH))
    fusion.mention_bias.data.fill_(1e4)
    tokens, nodes, _ = inputs
    found, _ = fusion(*inputs)
    named = fusion.output(fusion.value(nodes[0]))  # tokens 1 and 2 of text 0 name its node 0
    torch.testing.assert_close(found[0, 1:3] - tokens[0, 1:3], named.expand(2, -1))
    assert not torch.allclose(found[0, 3] - tokens[0, 3], named)


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="heads=3 does not divide inner_width=128"):
        FUSIONS["cross-attention"](WIDTH, NODE_WIDTH, heads=3)


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


@pytest.mark.parametrize("name", FUSIONS)
def test_a_fusion_sits_after_the_last_two_trained_layers_unless_told(name):
    assert list(make_model(fusion=name).fusions) == ["1", "2"]
    assert list(make_model(fusion=name, freeze=2).fusions) == ["2"]
    assert list(make_model(fusion={"name": name, "layers": [0]}).fusions) == ["0"]
