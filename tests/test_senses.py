"""Word senses with a WordNet of a dozen synsets: windows, candidates, pointers, training, files."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from kgfm.backbones import TextEncoder
from kgfm.backbones.load import tiny
from kgfm.cli import main
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.linking.formats import wsd
from kgfm.linking.formats.wsd import Instance, Sentence
from kgfm.senses import SenseTagger
from kgfm.senses.batch import SenseCollator
from kgfm.senses.corpus import forms_of, inflected, split_semcor, usage_examples, windows
from kgfm.senses.inventory import Inventory, ranges
from kgfm.senses.lesk import Lesk, around
from kgfm.senses.merge import merge
from kgfm.senses.model import best, log_sum
from kgfm.senses.untrained import Parts, UntrainedScorer, Weights, choose, fit_weights
from kgfm.storage import DamagedFileError
from kgfm.training import TrainingConfig

KEYS = {"shore": "bank%1:17:00::", "money": "bank%1:14:00::", "put": "bank%2:40:00::"}
SYNSETS = {
    # key: names, gloss, senses (key, order, count)
    "00000001-n": (["ground"], "solid earth", ["ground%1:17:00:: 1 5"]),
    "00000002-n": (
        ["bank", "shore"],
        'sloping land beside water; "they sat on the banks of the river"',
        ["bank%1:17:00:: 2 1", "shore%1:17:00:: 1 3"],
    ),
    "00000003-n": (
        ["bank"],
        'an institution that keeps money; "he cashed a check at the bank"',
        ["bank%1:14:00:: 1 9"],
    ),
    "00000004-n": (["money"], "what banks keep", ["money%1:21:00:: 1 4"]),
    "00000005-v": (
        ["bank"],
        'put into a bank account; "she banked the check"',
        ["bank%2:40:00:: 1 2"],
    ),
}


@pytest.fixture(scope="module")
def graph():
    entities = [
        EntityRecord(key, names[0], names[1:], gloss, (), {"senses": listed})
        for key, (names, gloss, listed) in SYNSETS.items()
    ]
    triples = [
        ("00000002-n", "hypernym", "00000001-n"),
        ("00000003-n", "part holonym", "00000004-n"),
        ("00000005-v", "derivationally related form", "00000003-n"),
    ]
    return KnowledgeGraph.from_records(entities, triples)


@pytest.fixture(scope="module")
def inventory(graph):
    return Inventory(graph)


def names(inventory, rows):
    return [inventory.graph.keys[row] for row in rows.tolist()]


def sentence(id: str, text: str, word: str, pos: str, key: str = "", lemma: str = "bank"):
    start = text.index(word)
    keys = (key,) if key else ()
    return Sentence(id, text, (Instance(f"{id}.t0", start, start + len(word), lemma, pos, keys),))


def corpus(document: str):
    return [
        sentence(f"{document}.1", "Grass grew on the bank of a river.", "bank", "n", KEYS["shore"]),
        sentence(f"{document}.2", "The bank lent them much money.", "bank", "n", KEYS["money"]),
        sentence(f"{document}.3", "Water ran along both banks.", "banks", "n", KEYS["shore"]),
        sentence(f"{document}.4", "Banks charge interest.", "Banks", "n", KEYS["money"]),
    ]


def collator(inventory, **settings):
    return SenseCollator(tiny().tokenizer, inventory, **settings)


# -- the inventory --------------------------------------------------------------------------------


def test_candidates_come_in_the_order_of_wordnet(inventory):
    found = inventory.candidates("Bank", "NOUN")
    assert names(inventory, found.rows) == ["00000003-n", "00000002-n"]
    assert found.order.tolist() == [1, 2]
    assert found.keys == (KEYS["money"], KEYS["shore"])
    assert len(inventory.candidates("bank", "ADV").rows) == 0


def test_pointers_stand_both_ways_and_weigh_one_over_their_number(inventory):
    row = {key: number for number, key in enumerate(inventory.graph.keys)}
    edges, target = inventory.pointers.into(np.array([row["00000003-n"], row["00000001-n"]]))
    sources = names(inventory, inventory.pointers.source[edges])
    assert sorted(zip(target.tolist(), sources, strict=True)) == [
        (0, "00000004-n"),
        (0, "00000005-v"),
        (1, "00000002-n"),
    ]
    kinds = inventory.pointers.kind[edges]
    assert (kinds < 2 * inventory.num_relations).all()
    assert (kinds >= inventory.num_relations).sum() == 2  # against the pointer's direction
    assert inventory.pointers.weight[edges].tolist() == [1.0, 1.0, 1.0]


def test_pointers_from_some_synsets_only_are_weighed_anew(inventory):
    rows = np.arange(len(inventory.graph))
    assert all(map(np.array_equal, inventory.pointers, inventory.pointers.only_from(rows)))
    few = inventory.pointers.only_from(rows[3:4])
    assert names(inventory, np.unique(few.source)) == ["00000004-n"]
    _edges, target = few.into(rows)
    assert names(inventory, target) == ["00000003-n"]


def test_ranges_lie_one_after_another():
    assert ranges(np.array([3, 7, 7]), np.array([5, 7, 9])).tolist() == [3, 4, 7, 8]


# -- texts ----------------------------------------------------------------------------------------


def test_documents_are_held_out_whole_and_always_the_same():
    sentences = [
        Sentence(f"brown{1 + number % 2}/br-{number:03d}.{part}", "x", ())
        for number in range(200)
        for part in (1, 2)
    ] + [Sentence("brownv/br-000.1", "x", ())]
    train, held = split_semcor(sentences)
    assert len(train) + len(held) == len(sentences)
    documents = {s.id.rpartition(".")[0] for s in held}
    assert len(documents) == 20
    assert not documents & {s.id.rpartition(".")[0] for s in train}
    assert split_semcor(reversed(sentences))[1][0].id.rpartition(".")[0] in documents


def test_examples_in_glosses_show_one_of_the_synsets_words(graph):
    found = {
        one.instances[0].keys[0]: one.text[one.instances[0].start : one.instances[0].end]
        for one in usage_examples(graph)
    }
    assert found == {KEYS["shore"]: "banks", KEYS["money"]: "bank", KEYS["put"]: "banked"}
    irregular = usage_examples(graph, {("bank", "n"): {"cashed a check"}})
    assert "cashed a check" in {
        o.text[o.instances[0].start : o.instances[0].end] for o in irregular
    }


@pytest.mark.parametrize(
    ("lemma", "pos", "form"),
    [("try", "v", "tried"), ("sit_down", "v", "sitting down"), ("city", "n", "cities")],
)
def test_words_are_inflected_regularly(lemma, pos, form):
    assert form in inflected(lemma, pos)


def test_windows_hold_neighbours_of_one_document():
    sentences = [Sentence(f"{doc}.{n}", "x", ()) for doc in "ab" for n in range(3)]
    lengths = [4, 4, 4, 4, 20, 4]
    assert list(windows(sentences, lengths, 10)) == [[0, 1], [2], [3], [4], [5]]
    assert list(windows(sentences, lengths, 10, join=False)) == [[0, 1], [2, 3], [4], [5]]


# -- batches --------------------------------------------------------------------------------------


def test_each_word_meets_its_own_tokens_and_candidates(inventory):
    packer = collator(inventory, max_tokens=24, pointers=inventory.pointers)
    texts = packer.prepare(corpus("d"))
    batch = packer.pack(texts)
    tokens = packer.tokenizer.convert_ids_to_tokens(
        batch.input_ids.flatten()[batch.pieces].tolist()
    )
    assert tokens == ["bank", "bank", "banks", "banks"]
    assert batch.candidate_word.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert batch.right.tolist() == [False, True, True, False] * 2
    rows = batch.synsets[batch.candidate]
    assert names(inventory, rows[:2]) == ["00000003-n", "00000002-n"]
    nodes = batch.nodes[batch.edge_index[0]]
    assert set(names(inventory, nodes)) == {
        "00000001-n",
        "00000004-n",
        "00000005-v",
    }


def test_a_word_that_is_unknown_has_no_candidates_and_no_answer(inventory):
    texts = collator(inventory).prepare(
        [sentence("d.1", "A wug banks here.", "wug", "n", lemma="wug"), *corpus("d")[1:2]]
    )
    batch = collator(inventory).pack(texts)
    chosen = best(torch.zeros(len(batch.candidate)), batch)
    assert chosen.tolist() == [-1, 0]
    assert log_sum(torch.zeros(len(batch.candidate)), batch)[1].exp().item() == pytest.approx(2.0)


# -- training -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def config():
    return TrainingConfig(
        epochs=6,
        batch_size=4,
        learning_rate=1e-3,
        graph_learning_rate=1e-2,
        accelerator="cpu",
        tensorboard=False,
    )


def trained(graph, config, folder, head_epochs=3, **settings):
    encode = TextEncoder(tiny(seed=1), max_tokens=40)
    tagger = SenseTagger(graph, {"name": "tiny-bert", "freeze": 1}, prior=False, **settings)
    texts = [one for number in range(8) for one in corpus(f"d{number}")]
    figures = tagger.fit(
        texts,
        corpus("v"),
        config,
        folder=folder,
        examples=list(usage_examples(graph)),
        encode=encode,
        head_epochs=head_epochs,
        cache=folder / "states",
    )
    return tagger, figures


def test_a_tagger_learns_saves_and_loads(graph, config, tmp_path):
    tagger, figures = trained(graph, config, tmp_path)
    assert figures["f1"] == 1.0
    assert tagger(corpus("new")) == {
        one.instances[0].id: one.instances[0].keys for one in corpus("new")
    }
    tagger.save(tmp_path / "run")
    loaded = SenseTagger.load(tmp_path / "run")
    batch = loaded.collator.pack(loaded.collator.prepare(corpus("new")))
    with torch.inference_mode():
        assert torch.equal(loaded.model(batch).logits, tagger.model.eval()(batch).logits)
    assert loaded.known == tagger.known == {("bank", "n")}
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    weights = tmp_path / "run" / manifest["files"]["model.safetensors"]["file"]
    weights.write_bytes(weights.read_bytes()[:-8] + b"damaged!")
    with pytest.raises(DamagedFileError):
        SenseTagger.load(tmp_path / "run")


def test_a_tagger_reads_as_many_tokens_together_as_it_is_told(graph, config, tmp_path):
    tagger, _ = trained(graph, config, tmp_path)
    texts = corpus("new")
    together = [len(tagger.collator.prepare(texts, max_tokens=size)) for size in (3, None, 500)]
    assert together[0] == len(texts) > together[1] >= together[2]
    assert tagger(texts, max_tokens=3).keys() == tagger(texts, max_tokens=500).keys()
    with pytest.raises(ValueError, match="Windows of 2 tokens: 3 would do"):
        tagger(texts, max_tokens=2)


def test_untrained_pointers_change_nothing_and_trained_ones_do(graph, config, tmp_path):
    tagger, _ = trained(graph, config, tmp_path)
    batch = tagger.collator.pack(tagger.collator.prepare(corpus("v")))
    model = tagger.model.eval()
    with torch.inference_mode():
        read = model.synsets(batch)
        model.pointers.basis.zero_()
        model.pointers.spread.zero_()
        alone = model.synsets(batch)
    assert not torch.allclose(read, alone)
    rows = batch.synsets
    own = model.gloss(model.glosses[rows].float()) + model.own(model.place[rows])
    torch.testing.assert_close(alone, own)


def test_own_vectors_are_left_out_in_training_only(graph, config, tmp_path):
    settings = {"own_dropout": 0.999, "pointers": False, "lesk": False}
    tagger, _ = trained(graph, replace(config, epochs=1), tmp_path, **settings)
    model = tagger.model
    torch.nn.init.ones_(model.own.weight)
    batch = tagger.collator.pack(tagger.collator.prepare(corpus("v")))
    with torch.inference_mode():
        alone = model.gloss(model.glosses[batch.synsets].float())
        torch.testing.assert_close(model.train().synsets(batch), alone)
        assert not torch.allclose(model.eval().synsets(batch), alone)


def test_words_without_a_key_teach_nothing(graph, config, tmp_path):
    texts = corpus("d")
    untagged = sentence("d.5", "Grass covers the ground.", "ground", "n", lemma="ground")
    tagger = SenseTagger(graph, "tiny-bert", pointers=False)
    encode = TextEncoder(tiny(seed=1), max_tokens=40)
    how = {"folder": tmp_path, "cache": tmp_path / "states", "encode": encode, "head_epochs": 0}
    tagger.fit([*texts, untagged], corpus("v"), replace(config, epochs=1), **how)
    assert tagger.known == {("bank", "n")}
    assert set(names(tagger.inventory, tagger.model.read_from)) == {"00000002-n", "00000003-n"}


def test_lesk_adds_the_cosines_of_a_gloss_and_of_those_around_it(inventory):
    row = {key: number for number, key in enumerate(inventory.graph.keys)}
    glosses = np.zeros((len(row), 3), dtype=np.float16)
    glosses[row["00000003-n"]] = [5.0, 0.0, 0.0]  # the institution
    glosses[row["00000004-n"]] = [0.0, 2.0, 0.0]  # the money around it
    near = around(glosses, inventory.pointers)
    assert near[row["00000003-n"]].tolist() == [0.0, 1.0, 0.0]
    assert near[row["00000002-n"]].tolist() == [0.0, 0.0, 0.0]
    packer = collator(inventory)
    batch = packer.pack(packer.prepare(corpus("d")[:2]))
    assert batch.word_windows().tolist() == [0, 0]
    words = torch.tensor([[2.0, 0.0, 0.0], [1.0, 7.0, 0.0]])
    lesk = Lesk(torch.from_numpy(near), 3)
    lesk.centre[0] = 1.0  # what the words have in common; a right angle is left between them
    logits = torch.tensor([3.0, 4.0, 0.0, 0.0])
    given = logits, words, torch.from_numpy(glosses)[batch.synsets].float(), batch
    assert torch.equal(lesk(*given), logits)
    lesk.weights.copy_(torch.tensor([2.0, 1.0, 2.0]))
    assert names(inventory, batch.synsets[batch.candidate][:2]) == ["00000003-n", "00000002-n"]
    diagonal = 3 * 0.5**0.5
    torch.testing.assert_close(lesk(*given), torch.tensor([6.0 + diagonal, 8.0, diagonal, 0.0]))
    alone = Lesk(None, 3)
    assert alone.parts(*given)[:, 2].tolist() == [0.0] * 4


def test_what_is_chosen_after_training_is_saved_and_can_be_chosen_anew(graph, config, tmp_path):
    tagger, figures = trained(graph, config, tmp_path)
    lesk = tagger.model.lesk
    assert lesk.chosen
    kept = lesk.weights.clone()
    tagger.save(tmp_path / "run")
    loaded = SenseTagger.load(tmp_path / "run")
    assert torch.equal(loaded.model.lesk.weights, kept)
    assert torch.equal(loaded.model.lesk.around, lesk.around)
    lesk.weights.copy_(torch.tensor([1.0, 9.0, 9.0]))
    assert tagger.calibrate(corpus("v")) == figures
    torch.testing.assert_close(lesk.weights, kept)
    loaded.model.lesk = None
    with pytest.raises(ValueError, match="nothing to choose"):
        loaded.calibrate(corpus("v"))


def test_merged_taggers_have_the_mean_of_their_weights(graph, config, tmp_path):
    taggers = [
        trained(graph, replace(config, epochs=epochs), tmp_path / str(epochs))[0]
        for epochs in (1, 2)
    ]
    wanted = torch.stack([one.model.context.weight for one in taggers]).mean(0)
    assert merge(taggers) is taggers[0]
    torch.testing.assert_close(taggers[0].model.context.weight, wanted)
    assert taggers[0](corpus("new"))


def test_taggers_that_learnt_differently_are_not_merged(graph, config, tmp_path):
    short = replace(config, epochs=1)
    first, _ = trained(graph, short, tmp_path / "a", head_epochs=0)
    narrow, _ = trained(graph, short, tmp_path / "b", head_epochs=0, width=8)
    with pytest.raises(ValueError, match=r"Tagger 2 cannot.*other settings \(width\)"):
        merge([first, narrow])
    with pytest.raises(ValueError, match="give one at least"):
        merge([])


def test_an_untrained_tagger_says_so(graph):
    with pytest.raises(RuntimeError, match="call fit"):
        SenseTagger(graph, "tiny-bert")(corpus("v"))


# -- without training -----------------------------------------------------------------------------


def test_the_untrained_scorer_gives_each_candidate_its_parts(inventory):
    backbone = tiny()
    random = np.random.default_rng(0)
    glosses = random.standard_normal((len(inventory.graph), backbone.width)).astype(np.float32)
    parts = UntrainedScorer(inventory, backbone, glosses).parts(corpus("d"))
    assert [one.id for one in parts] == [f"d.{number}.t0" for number in (1, 2, 3, 4)]
    assert all(one.values.shape == (2, 5) and np.isfinite(one.values).all() for one in parts)
    assert choose(parts, Weights(order=-1.0)) == {one.id: (KEYS["money"],) for one in parts}
    # The shore's only neighbour is not a candidate here; money keeps more of the walk's mass.
    assert choose(parts, Weights(pagerank=1.0))["d.1.t0"] == (KEYS["money"],)


def test_weights_follow_the_part_that_is_right():
    random = np.random.default_rng(0)
    parts = []
    for number in range(200):
        values = random.standard_normal((3, 5))
        right = np.arange(3) == values[:, 2].argmax()
        parts.append(
            Parts(str(number), ("a%1:00:00::", "b%1:00:00::", "c%1:00:00::"), values, right)
        )
    weights = fit_weights(parts)
    assert weights.word > 5 * max(abs(weights.context), abs(weights.order), abs(weights.pagerank))
    answers = choose(parts, weights)
    assert np.mean([one.keys[one.right.argmax()] in answers[one.id] for one in parts]) > 0.95
    with pytest.raises(ValueError, match="give tagged sentences"):
        fit_weights([])


# -- the commands ---------------------------------------------------------------------------------


def semcor_table(documents: int) -> str:
    lines = []
    for number in range(documents):
        for one in corpus(f"brown1/br-a{number:02d}"):
            document, _, place = one.id.rpartition(".")
            lines.append(f"# {document} {place}")
            (word,) = one.instances
            for token in one.text.rstrip(".").split():
                named = token == one.text[word.start : word.end]
                lines.append(f"{token}\t{token}\tNN\t{word.keys[0] if named else ''}\t1")
    text = "\n".join(lines) + "\n"
    return text.replace("banks\tbanks", "banks\tbank").replace("Banks\tBanks", "Banks\tbank")


@pytest.mark.slow
def test_the_commands_train_on_a_table_and_tag_an_xml(graph, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    graph.save("wordnet")
    (tmp_path / "semcor.tsv").write_text(semcor_table(8))
    settings = "--freeze 4 --head_epochs 2 --training.epochs 1 --training.batch_size 2"
    given = f"senses train --graph wordnet --semcor semcor.tsv --out run {settings} --json f.json"
    assert main(given.split()) == 0
    assert set(json.loads((tmp_path / "f.json").read_text())) == {"f1", "f1_unseen"}
    (tmp_path / "x.data.xml").write_text(
        '<corpus><text id="d0"><sentence id="d0.s0"><wf lemma="the" pos="DET">The</wf>'
        '<instance id="d0.s0.t0" lemma="bank" pos="NOUN">bank</instance>'
        '<instance id="d0.s0.t1" lemma="wug" pos="NOUN">wug</instance>'
        "</sentence></text></corpus>"
    )
    (tmp_path / "x.gold.key.txt").write_text(f"d0.s0.t0 {KEYS['money']} {KEYS['shore']}\n")
    capsys.readouterr()
    assert main(["senses", "tag", "run", "x.data.xml", "--out", "keys.txt"]) == 0
    assert "instances 2  answered 1  precision 1  recall 1" in capsys.readouterr().out
    assert (tmp_path / "keys.txt").read_text().split()[0] == "d0.s0.t0"
    merge_them = ["senses", "merge", "run", "run", "--semcor", "semcor.tsv", "--out", "both"]
    assert main([*merge_them, "--json", "m.json"]) == 0
    assert set(json.loads((tmp_path / "m.json").read_text())) == {"f1", "f1_unseen"}
    assert main(["senses", "tag", "both", "x.data.xml"]) == 0
    assert main(["senses", "tag", "nowhere", "x.data.xml"]) == 2
    assert "nowhere" in capsys.readouterr().err


# -- the real thing -------------------------------------------------------------------------------


@pytest.mark.data
@pytest.mark.slow
def test_the_public_files_give_windows_splits_and_examples(public_data):
    folder = public_data / "wsd"
    wordnet = Inventory(KnowledgeGraph.from_layout("wordnet", folder / "wordnet-3.0-dict.tar.gz"))
    sentences = wsd.read(folder / "eval" / "semeval2007.data.xml")
    texts = SenseCollator(tiny().tokenizer, wordnet).prepare(sentences)
    assert sum(len(text.ids) for text in texts) == 455
    assert all(np.isin(np.arange(len(text.ids)), text.candidate_word).all() for text in texts)
    train, held = split_semcor(wsd.read_semcor(folder / "semcor3.tsv.gz"))
    assert len(train) + len(held) == 37_176
    assert {one.id.rpartition(".")[0] for one in held} >= {"brown1/br-a13", "brown2/br-n14"}
    assert sum(1 for _ in usage_examples(wordnet.graph, forms_of(train))) > 45_000
