"""The model: the laws that hold for every encoder, fusion and task together."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from neural import LABELS, collator, labels_of, make_batch, make_model, make_prepared, opened

from kgfm.backbones.load import TINY_FAMILIES, tiny
from kgfm.backbones.text import mean_pool
from kgfm.encoders import ENCODERS
from kgfm.fusion import FUSIONS, Fusion
from kgfm.model import KGModel
from kgfm.tasks import TASKS

EVERY_PART = [(e, f, h) for e in ENCODERS for f in [None, *FUSIONS] for h in TASKS]


@pytest.fixture(params=EVERY_PART, ids=lambda parts: "+".join(map(str, parts)))
def parts(request):
    return request.param


@pytest.mark.parametrize("family", TINY_FAMILIES)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_an_untrained_model_reads_the_text_as_its_backbone_does(family, fusion):
    model, batch = make_model(family=family, fusion=fusion), make_batch()
    expected = model.backbone(batch.input_ids, batch.attention_mask)
    assert torch.equal(model(batch).tokens, expected)


@pytest.mark.parametrize("family", TINY_FAMILIES)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_text_without_mentions_equals_the_plain_backbone_in_a_trained_model(family, fusion):
    model = opened(make_model(family=family, fusion={"name": fusion, "layers": [0, 1, 2]}))
    batch = make_batch((4, 0, 6))
    plain = model.backbone(batch.input_ids, batch.attention_mask)
    assert torch.equal(model(batch).tokens[1], plain[1])
    nothing = make_batch((0, 0))
    plain = model.backbone(nothing.input_ids, nothing.attention_mask)
    assert torch.equal(model(nothing).tokens, plain)


def test_one_by_one_equals_all_together(parts):
    encoder, fusion, task = parts
    model = opened(make_model(task, encoder=encoder, fusion=fusion))
    labels = labels_of(task)
    texts = make_prepared((4, 0, 6), labels=labels)
    together = model(collator(labels).pack(texts))
    alone = [model(collator(labels).pack([text])) for text in texts]
    torch.testing.assert_close(together.logits, torch.cat([out.logits for out in alone]))
    losses = torch.stack([out.loss for out in alone])
    torch.testing.assert_close(together.loss, losses.mean())


@pytest.mark.parametrize("counts", [(4, 0, 6), (0, 0)])
def test_the_gradient_reaches_every_parameter(parts, counts):
    encoder, fusion, task = parts
    model = opened(make_model(task, encoder=encoder, fusion=fusion)).train()
    model(make_batch(counts, labels=labels_of(task))).loss.backward()
    absent = [n for n, p in model.named_parameters() if p.grad is None]
    assert absent == []  # DDP waits for each of them, also where no text has a node
    # Positions and words that no text has, and keys' biases (softmax ignores them) have zeros.
    idle = ("embeddings", "key.bias", "key_proj.bias")
    zero = [n for n, p in model.named_parameters() if not p.grad.any() and not n.endswith(idle)]
    if any(counts):
        assert [n for n in zero if "embeddings" not in n] == []


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("task", TASKS)
def test_every_fusion_learns_from_the_first_step(fusion, task):
    model = make_model(task, fusion=fusion).train()
    model(make_batch(labels=labels_of(task))).loss.backward()
    for operator in model.fusions.values():
        assert any(p.grad.any() for p in operator.parameters())


@pytest.mark.parametrize("freeze", [1, 2])
@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_cached_states_give_the_same_outputs_and_gradients(family, freeze):
    model = opened(make_model(family=family, freeze=freeze)).train()
    batch = make_batch()
    lower = model.backbone.lower(batch.input_ids, batch.attention_mask)
    results = []
    for states in (None, lower):
        model.zero_grad()
        torch.manual_seed(0)
        output = model(replace(batch, lower_states=states))
        output.loss.backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.requires_grad]
        results.append([output.loss.detach(), output.logits.detach(), *gradients])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


class Noting(Fusion):
    """Writes down where it is asked; tells itself apart by a letter."""

    def __init__(self, letter, notes):
        super().__init__()
        self.letter, self.notes = letter, notes

    def enter(self, tokens, nodes, batch):
        self.notes.append(f"{self.letter} enter")
        return tokens, nodes + 1.0, None

    def forward(self, tokens, nodes, batch):
        self.notes.append(f"{self.letter} forward")
        return tokens, nodes + 1.0

    def read(self, tokens, nodes, batch):
        self.notes.append(f"{self.letter} read")
        return tokens[:, 0] * 0.0 + 1.0

    def losses(self, tokens, nodes, batch):
        self.notes.append(f"{self.letter} losses")
        return {"a": tokens.sum() * 0.0 + 2.0, "b": tokens.sum() * 0.0 + 3.0}


class Marking(TASKS["classify"]):
    """Changes the tokens where the trained layers begin."""

    notes, read = (), None

    def enter(self, tokens, batch):
        self.notes.append("task enter")
        return tokens + 1.0

    def forward(self, tokens, nodes, batch, read=None):
        self.notes.append("task")
        self.read = read
        return super().forward(tokens, nodes, batch, read)


def noted(freeze=0, layers=(1, 2)):
    made, notes = make_model("classify", freeze=freeze, fusion=None), []
    encoder, task = made.encoder, Marking(32, 16, LABELS)
    encoder.register_forward_pre_hook(lambda *_: notes.append("encoder"))
    task.notes = notes
    fusions = {layer: Noting("ABC"[layer], notes) for layer in layers}
    return KGModel(made.backbone, encoder, fusions, task), notes


@pytest.mark.parametrize("freeze", [0, 1])
def test_a_pass_asks_each_part_in_its_place_and_once_alone_what_happens_once(freeze):
    model, notes = noted(freeze)
    batch = make_batch(labels=LABELS)
    parts = ["task enter", "encoder", "B enter", "B forward", "C forward", "B read", "task"]
    output = model.eval()(batch)
    assert notes == parts
    assert output.losses == {}
    notes.clear()
    trained = model.train()(batch)
    assert sorted(notes) == sorted([*parts, "B losses"])
    assert {name: loss.item() for name, loss in trained.losses.items()} == {"a": 2.0, "b": 3.0}
    assert model.task.read.tolist() == [[1.0] * 32] * 3
    losses = replace(batch, asked=None)
    assert model(losses).loss.item() == 5.0


@pytest.mark.parametrize("freeze", [1, 2])
@pytest.mark.parametrize("family", TINY_FAMILIES)
def test_a_task_marks_the_tokens_where_the_trained_layers_begin(family, freeze):
    backbone = tiny(family, freeze=freeze)
    task = Marking(32, 0, LABELS).eval()
    task.notes = []
    model, batch = KGModel(backbone, None, {}, task), make_batch(labels=LABELS)
    lower = backbone.lower(batch.input_ids, batch.attention_mask)
    expected = backbone(batch.input_ids, batch.attention_mask, lower_states=lower + 1.0)
    assert torch.equal(model(batch).tokens, expected)
    assert torch.equal(model(replace(batch, lower_states=lower)).tokens, expected)
    assert task.notes == ["task enter", "task"] * 2


def test_without_what_enters_the_encoder_waits_for_the_first_fused_layer():
    model, batch = make_model(fusion={"name": "cross-attention", "layers": [1]}), make_batch()
    seen, kept = [], {}
    model.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    model(batch)
    model.backbone(batch.input_ids, batch.attention_mask, lambda n, x: kept.setdefault(n, x))
    assert torch.equal(seen[0], mean_pool(kept[1], batch.attention_mask))


def test_different_fusions_may_sit_in_one_model():
    parts = make_model(fusion={"name": "cross-attention", "layers": [0]})
    prefix = make_model(fusion={"name": "prefix", "layers": [2]}).fusions["2"]
    late = make_model(fusion={"name": "late", "layers": [1]}).fusions["1"]
    fusions = {0: parts.fusions["0"], 1: late, 2: prefix}
    model, batch = KGModel(parts.backbone, parts.encoder, fusions, parts.task), make_batch()
    alone = KGModel(parts.backbone, parts.encoder, {}, parts.task)(batch)
    assert torch.equal(model(batch).logits, alone.logits)
    opened(model.fusions).train()
    model(batch).loss.backward()
    assert all(p.grad.any() for n, p in model.fusions.named_parameters() if "key.bias" not in n)


def test_predicting_switches_dropout_off_and_keeps_no_gradient():
    model, batch = make_model().train(), make_batch()
    first, second = model.predict(batch), model.predict(batch)
    assert torch.equal(first.logits, second.logits)
    assert not first.logits.requires_grad


def test_a_model_can_be_pickled():
    model, batch = opened(make_model()), make_batch()
    assert torch.equal(pickle.loads(pickle.dumps(model))(batch).logits, model(batch).logits)


def test_parameters_outside_the_backbone_are_those_of_the_graph_side():
    model = make_model()
    graph = {id(p) for p in model.graph_parameters()}
    backbone = {id(p) for p in model.backbone.parameters()}
    assert graph.isdisjoint(backbone)
    assert graph | backbone == {id(p) for p in model.parameters()}


def test_a_model_without_a_graph_ignores_it():
    model = make_model("classify", encoder=None, fusion=None)
    with_nodes, without = (
        make_batch(labels=labels_of("classify")),
        make_batch((0, 0, 0), labels=labels_of("classify")),
    )
    without = replace(without, input_ids=with_nodes.input_ids)
    assert torch.equal(model(with_nodes).logits, model(without).logits)


def test_a_fusion_without_an_encoder_is_refused():
    with pytest.raises(ValueError, match="A fusion needs a graph encoder"):
        make_model("classify", encoder=None)


@pytest.mark.parametrize(
    ("given", "near"),
    [
        ({"encoder": "rgnc"}, "No encoder 'rgnc'. Did you mean 'rgcn'"),
        ({"fusion": "cross-atention"}, "Did you mean 'cross-attention'"),
        ({"task": "clasify"}, "Did you mean 'classify'"),
        ({"encoder": {"name": "rgcn", "layer": 2}}, "takes no 'layer'. Did you mean 'layers'"),
    ],
)
def test_a_wrong_name_or_argument_is_told_the_nearest(given, near):
    with pytest.raises((KeyError, ValueError), match=near):
        make_model(**given)


def test_a_part_may_be_a_ready_object():
    made = make_model()
    model = KGModel.build(
        backbone=tiny(), encoder=made.encoder, fusion=None, task=made.task, feature_width=1
    )
    assert model.encoder is made.encoder
    assert model.task is made.task
