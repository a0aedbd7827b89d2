"""Extra tokens beside a text: read as if they stood in it, and unseen behind closed gates."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from neural import tokenizer
from transformers import AutoConfig, AutoModel

from kgfm.backbones import Backbone, Extra
from kgfm.backbones.load import TINY_FAMILIES, tiny

EVERY = pytest.mark.parametrize("family", TINY_FAMILIES)


@pytest.fixture(scope="module")
def words():
    """Texts of three lengths; the longest is beyond ModernBERT's window of 128 tokens."""
    random = np.random.default_rng(0)
    names = ["film", "actor", "harbour", "Heat", "river", "who", "directed", "a"]
    texts = [" ".join(random.choice(names, size=size)) for size in (3, 40, 180)]
    batch = tokenizer()(texts, padding=True, return_tensors="pt")
    return batch["input_ids"], batch["attention_mask"]


def real(tokens, words):
    """Tokens without the padding."""
    return tokens[words[1].bool()]


def beside(backbone, *, gate, layer=1, has=(True, True, False), **given):
    """Three extra tokens a text, before one layer."""
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(len(has), 3, backbone.width, generator=generator)
    mask = torch.tensor(has)[:, None].expand(-1, 3)
    extra = Extra(states, mask, torch.full((backbone.num_layers - layer,), gate), **given)
    return lambda number, tokens: (tokens, extra if number == layer else None)


def with_attention(family, kind):
    backbone = tiny(family)
    if family != "deberta-v2":  # it knows one kind alone
        backbone.model.set_attn_implementation(kind)
    return backbone


KINDS = pytest.mark.parametrize("kind", ["sdpa", "eager"])


@EVERY
@KINDS
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_extra_tokens_behind_a_gate_of_zero_change_no_bit(family, kind, layer, words):
    backbone = with_attention(family, kind)
    plain = backbone(*words)
    assert torch.equal(backbone(*words, before=beside(backbone, gate=0.0, layer=layer)), plain)
    opened = backbone(*words, before=beside(backbone, gate=0.5, layer=layer))
    assert opened.shape == plain.shape
    assert torch.equal(opened[2], plain[2])  # it has none
    assert not any(torch.allclose(opened[n, :4], plain[n, :4]) for n in (0, 1))
    assert torch.equal(backbone(*words), plain)


@EVERY
@KINDS
def test_with_gates_at_one_extra_tokens_are_read_as_if_they_stood_in_the_text(family, kind, words):
    backbone, kept = with_attention(family, kind), {}
    ids = words[0][:2, :40].clamp(min=1000)
    mask = torch.ones_like(ids)
    expected = backbone(ids, mask, lambda n, tokens: kept.setdefault(n, tokens))[:, :32]
    extra = Extra(
        kept[0][:, 32:],
        torch.ones(2, 8, dtype=torch.bool),
        torch.ones(2),
        position=torch.arange(32, 40).expand(2, -1),
    )
    found = backbone(
        ids[:, :32],
        mask[:, :32],
        before=lambda n, x: (kept[0][:, :32], extra) if n == 1 else (x, None),
    )
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@EVERY
@pytest.mark.parametrize("freeze", [1, 2])
def test_extra_tokens_join_cached_states_too(family, freeze, words):
    backbone = tiny(family, freeze=freeze)
    before = beside(backbone, gate=0.5, layer=2)
    lower = backbone.lower(*words)
    assert torch.equal(
        backbone(*words, lower_states=lower, before=before), backbone(*words, before=before)
    )


@EVERY
def test_extra_tokens_of_one_text_are_nothing_to_another_nor_is_padding(family, words):
    backbone = tiny(family)
    together = backbone(*words, before=beside(backbone, gate=0.5))
    for row in (0, 1):
        length = int(words[1][row].sum())
        given = beside(backbone, gate=0.5)(1, None)[1]
        alone = Extra(given.states[row : row + 1], given.mask[row : row + 1], given.gate)
        found = backbone(
            words[0][row : row + 1, :length],
            words[1][row : row + 1, :length],
            before=lambda n, x, extra=alone: (x, extra if n == 1 else None),
        )
        torch.testing.assert_close(found[0], together[row, :length], rtol=1e-4, atol=1e-5)


@EVERY
def test_an_extra_token_that_a_row_does_not_see_is_nothing_to_it(family, words):
    backbone = tiny(family)
    size = words[0].shape[1] + 3
    sees = torch.ones(3, size, size, dtype=torch.bool)
    sees[:, 5:, -3:] = False  # only the first five tokens read them
    plain = backbone(*words)
    # In the last layer: below it, what is read is passed on.
    found = backbone(*words, before=beside(backbone, gate=0.5, layer=2, sees=sees))
    torch.testing.assert_close(found[1, 5:40], plain[1, 5:40], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[1, :5], plain[1, :5])


@EVERY
def test_a_position_counts_where_the_layers_ask_for_one(family, words):
    backbone = tiny(family)
    near, far = (
        backbone(*words, before=beside(backbone, gate=0.5, position=torch.full((3, 3), at)))
        for at in (0, 9)
    )
    asks = family in ("modernbert", "deberta-v2")
    assert torch.equal(near[0], far[0]) != asks


@EVERY
def test_gates_and_extra_tokens_have_gradients(family, words):
    backbone = tiny(family).train()
    states = torch.randn(3, 2, backbone.width, requires_grad=True)
    gate = torch.zeros(2, requires_grad=True)

    def before(number, tokens):
        extra = Extra(states, torch.ones(3, 2, dtype=torch.bool), gate)
        return tokens, extra if number == 1 else None

    real(backbone(*words, before=before), words).square().sum().backward()
    assert gate.grad.all()
    assert not states.grad.any()
    with torch.no_grad():
        gate += 0.5
    real(backbone(*words, before=before), words).square().sum().backward()
    assert states.grad.any(-1).all()


@EVERY
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_extra_tokens_keep_their_laws_in_half_precision(family, dtype, words):
    backbone = tiny(family)
    with torch.autocast("cpu", dtype):
        plain = backbone(*words)
        closed = backbone(*words, before=beside(backbone, gate=0.0))
        opened = backbone(*words, before=beside(backbone, gate=0.5))
    assert torch.equal(closed, plain)
    assert torch.equal(opened[2], plain[2])
    assert opened.isfinite().all()
    assert not torch.allclose(opened[0], plain[0])


@EVERY
def test_two_threads_may_run_a_model_with_extra_tokens_and_without(family, words):
    backbone = tiny(family)
    before = beside(backbone, gate=0.5)
    expected = {None: backbone(*words), before: backbone(*words, before=before)}

    def run(given):
        return torch.equal(backbone(*words, before=given), expected[given])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(run, [None, before] * 4))
    copy = pickle.loads(pickle.dumps(backbone))
    assert torch.equal(copy(*words, before=before), expected[before])


@EVERY
def test_extra_tokens_leave_no_trace_in_what_is_hashed_and_saved(family, words):
    backbone = tiny(family, freeze=1)
    before, config = backbone.lower_hash(), backbone.model.config.to_json_string(False)
    backbone(*words, before=beside(backbone, gate=0.5))
    assert backbone.lower_hash() == before
    assert backbone.model.config.to_json_string(False) == config


def test_a_gate_for_each_layer_is_asked_for(words):
    backbone = tiny("bert")
    extra = Extra(torch.zeros(3, 1, 32), torch.ones(3, 1, dtype=torch.bool), torch.zeros(1))
    with pytest.raises(ValueError, match=r"1 gates .* layers 1 to 2; give 2"):
        backbone(*words, before=lambda n, x: (x, extra if n == 1 else None))


def test_gradient_checkpointing_is_refused_with_extra_tokens(words):
    backbone = tiny("bert").train()
    backbone.layers[2].gradient_checkpointing = True
    with pytest.raises(ValueError, match="gradient checkpointing; switch it off"):
        backbone(*words, before=beside(backbone, gate=0.0))
    backbone.eval()(*words, before=beside(backbone, gate=0.0))


def test_attention_that_nothing_can_join_is_refused_with_the_way_out(words):
    backbone = tiny("bert")
    backbone.model.config._attn_implementation = "flash_attention_2"
    with pytest.raises(ValueError, match=r"BertModel with 'flash_attention_2' .* sdpa or eager"):
        backbone(*words, before=beside(backbone, gate=0.0, layer=0))
    config = AutoConfig.for_model(
        "mpnet",
        vocab_size=30522,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
    )
    mpnet = Backbone(AutoModel.from_config(config).eval(), tokenizer(), name="mpnet")
    with pytest.raises(ValueError, match=r"MPNetModel .* 'cross-attention', works for every"):
        mpnet(*words, before=beside(mpnet, gate=0.0))
