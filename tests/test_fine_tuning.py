"""The linker's text encoder learns from marked mentions, and is saved and loaded with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kgfm.backbones import TextEncoder, load_backbone
from kgfm.cli import main
from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.confusable import Confusable, confusable
from kgfm.linking.contexts import marked, marked_vectors
from kgfm.linking.fine_tuning import fine_tune
from kgfm.linking.formats.document import Document
from kgfm.linking.weights import shipped_weights
from kgfm.pipeline import Pipeline
from kgfm.storage import DamagedFileError
from kgfm.training import BiEncoder, TrainingConfig, fit_text_encoder
from kgfm.training.mentions import MentionCollator
from kgfm.types import Mention
from kgfm.vectors import NodeVectors

TINY = {"name": "tiny-bert", "freeze": 1}
CONFIG = TrainingConfig(epochs=6, batch_size=8, learning_rate=3e-3, max_tokens=32)
WORDS = {"river": "water boat fish swim", "bank": "money loan gold coin"}
"""What texts say of each kind; no description has any of these words."""


def graph_of_namesakes() -> KnowledgeGraph:
    """Ten names, each that of a river and of a bank."""
    return KnowledgeGraph.from_records(
        [
            {"key": f"{kind}{n}", "label": f"Lor{n}a", "description": kind}
            for n in range(10)
            for kind in WORDS
        ],
        [],
    )


GRAPH = graph_of_namesakes()


def documents(count: int, seed: int) -> list[Document]:
    chance = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        kind, number = chance.choice([*WORDS]), int(chance.integers(10))
        words, name = chance.choice(WORDS[kind].split(), 3), f"Lor{number}a"
        text = f"there is {words[0]} {words[1]} at {name} and {words[2]}"
        start = text.index(name)
        mention = Mention(start, start + len(name), name, f"{kind}{number}")
        made.append(Document(text, (mention,)))
    return made


def mentions(count: int, seed: int) -> list[Confusable]:
    names = Linker(GRAPH).names
    return confusable(names, None, documents(count, seed), shipped_weights(), most=3)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    linker = Linker(GRAPH, context=True, encode=TextEncoder(TINY), keep_nil=True)
    folder = tmp_path_factory.mktemp("run")
    return linker.fit(documents(90, 0), fine_tune=CONFIG, folder=folder, backbone=TINY)


def accuracy(linker: Linker, gold: list[Document]) -> float:
    found = [
        linker.link_spans(one.text, [(m.start, m.end) for m in one.mentions])[0].entity
        for one in gold
    ]
    return float(np.mean([f == one.mentions[0].entity for f, one in zip(found, gold, strict=True)]))


# -- what is learned from -------------------------------------------------------------------------


def test_a_mention_stands_between_its_marks_in_whole_words() -> None:
    text = "a" * 100 + " before " + "x" * 100 + " Heat " + "y" * 100 + " behind " + "b" * 100
    start = text.index("Heat")
    found = marked(text, (start, start + 4), ("[", "]"))
    assert found == f"before {'x' * 100} [ Heat ] {'y' * 100} behind"
    assert marked("Heat", (0, 4), ("<", ">")) == "< Heat >"


def test_a_mention_comes_with_its_other_candidates() -> None:
    for one in mentions(5, 0):
        assert len(one.others) == 1
        assert GRAPH.labels[one.right] == GRAPH.labels[one.others[0]]
        assert one.right not in one.others


def test_only_mentions_of_the_graph_are_learned_from() -> None:
    document = Document("Lor1a and Lor2a", (Mention(0, 5, "Lor1a", None),))
    assert confusable(Linker(GRAPH).names, None, [document], shipped_weights(), most=3) == []


def test_an_entity_of_several_mentions_is_read_once_in_a_batch() -> None:
    backbone = load_backbone(TINY)
    collator = MentionCollator(backbone, GRAPH, max_tokens=32)
    some = mentions(30, 0)
    batch = collator.pack(collator.prepare(some))
    assert len(batch.entities) == len({row for one in some for row in (one.right, *one.others)})
    assert batch.own.sum(1).tolist() == [2] * 30
    assert batch.own[torch.arange(30), batch.right].all()


def test_the_loss_reaches_the_layers_that_are_not_frozen_alone() -> None:
    backbone = load_backbone(TINY)
    collator = MentionCollator(backbone, GRAPH, max_tokens=32)
    BiEncoder(backbone)(collator.pack(collator.prepare(mentions(8, 0)))).loss.backward()
    moved = {n for n, p in backbone.named_parameters() if p.grad is not None and p.grad.any()}
    assert moved
    assert all(".layer.0." not in name and "embeddings" not in name for name in moved)


# -- the trained linker ---------------------------------------------------------------------------


def test_a_tuned_linker_tells_namesakes_by_their_context(tuned: Linker) -> None:
    untuned = Linker(GRAPH, context=True, encode=TextEncoder(TINY), keep_nil=True)
    test = documents(60, 9)
    assert accuracy(tuned, test) > 0.95
    assert accuracy(untuned.fit(documents(90, 0)), test) < 0.8


def test_each_text_is_weighed_by_an_encoder_that_has_not_learned_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learned: dict[Any, set[str]] = {}

    def fit(graph: KnowledgeGraph, train: list[Confusable], *_: Any, **__: Any) -> Any:
        encode = lambda texts: np.zeros((len(texts), 1))  # noqa: E731
        learned[encode] = {one.text for one in train}
        return encode

    monkeypatch.setattr("kgfm.training.fit_text_encoder", fit, raising=False)
    given = [*documents(9, 0), Document("nothing here")]
    linker = Linker(GRAPH, context=True, encode=TextEncoder(TINY))
    options = {"folder": None, "seed": 0, "say": lambda _: None}
    last, parts = fine_tune(linker, given, CONFIG, folds=3, **options)
    everything = {one.text for one in given if one.mentions}
    assert learned[last] == everything
    for encode, own in parts:
        texts = {one.text for one in own if one.mentions}
        assert texts
        assert learned[encode] == everything - texts
    assert sorted(one.text for _, own in parts for one in own) == sorted(one.text for one in given)


def test_an_interrupted_fine_tuning_goes_on_to_the_same_linker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kgfm.training import mentions as training

    config = TrainingConfig(epochs=2, batch_size=8, max_tokens=32)

    def fit(folder: Path, **more: Any) -> Linker:
        linker = Linker(GRAPH, context=True, encode=TextEncoder(TINY), coherence=False)
        return linker.fit(documents(12, 0), fine_tune=config, folder=folder, backbone=TINY, **more)

    whole = fit(tmp_path / "whole")
    trained = training.fit
    calls = iter(range(10))

    def killed(*given: Any, **more: Any) -> Any:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return trained(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(training, "fit", killed)
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path / "cut")
    resumed = fit(tmp_path / "cut", resume=True)
    assert resumed.weights == whole.weights
    assert resumed.encode.name == whole.encode.name
    with pytest.raises(ValueError, match="leave out resume"):
        fit(tmp_path / "cut", resume=True, folds=3)
    with pytest.raises(ValueError, match="say which"):
        fit(None, resume=True)


def test_a_seed_gives_the_same_encoder_again(tmp_path: Path) -> None:
    parts = mentions(16, 0), mentions(8, 1)
    config = TrainingConfig(epochs=1, batch_size=8, max_tokens=32)
    texts = ["there is [ Lor1a ] and water"]
    first, second = (
        fit_text_encoder(GRAPH, *parts, config, folder=tmp_path / name, backbone=TINY, seed=3)
        for name in "ab"
    )
    np.testing.assert_array_equal(first(texts), second(texts))
    assert first.name == second.name


def test_states_after_frozen_layers_change_nothing(tmp_path: Path) -> None:
    parts = mentions(16, 0), mentions(8, 1)
    kept, computed = (
        fit_text_encoder(
            GRAPH,
            *parts,
            TrainingConfig(epochs=1, batch_size=8, max_tokens=32, cache_states=states),
            folder=tmp_path / str(states),
            backbone=TINY,
        )
        for states in (True, False)
    )
    texts = ["there is [ Lor1a ] and water"]
    np.testing.assert_allclose(kept(texts), computed(texts), atol=2e-3)  # half numbers are kept


def test_fine_tuning_needs_context_and_mentions() -> None:
    with pytest.raises(ValueError, match="context=True"):
        Linker(GRAPH).fit(documents(4, 0), fine_tune=True)
    nothing = [Document("nothing here"), Document("nor here")]
    linker = Linker(GRAPH, context=True, encode=TextEncoder(TINY))
    with pytest.raises(ValueError, match="got 0 such texts"):
        linker.fit(nothing, fine_tune=CONFIG, backbone=TINY)
    with pytest.raises(ValueError, match="folds=1: give at least 2"):
        linker.fit(documents(4, 0), fine_tune=CONFIG, backbone=TINY, folds=1)
    with pytest.raises(ValueError, match="5 folds needs as many texts"):
        linker.fit(documents(4, 0), fine_tune=CONFIG, backbone=TINY, folds=5)


def test_an_encoder_with_marks_reads_each_mention_in_its_context() -> None:
    read: list[str] = []

    def encode(texts: list[str]) -> np.ndarray:
        read.extend(texts)
        return np.eye(len(texts), 4, dtype=np.float32)

    places = [(0, (0, 1)), (0, (2, 3)), (1, (0, 1))]
    own, whole = marked_vectors(encode, ["a b", "c"], places, ("<", ">"))
    assert read == ["< a > b", "a < b >", "< c >"]
    np.testing.assert_allclose(own[0] + own[1], whole[0] * 2**0.5, rtol=1e-6)


# -- saved and loaded -----------------------------------------------------------------------------


def test_a_tuned_linker_is_the_same_after_saving_and_loading(tuned: Linker, tmp_path: Path) -> None:
    tuned.save(tmp_path / "linker")
    loaded = Linker.load(tmp_path / "linker", GRAPH)
    texts = [one.text for one in documents(5, 4)]
    assert loaded.link(texts) == tuned.link(texts)
    assert loaded.encode.name == tuned.encode.name
    again = Linker(GRAPH, **loaded.config())
    assert again.link(texts) == tuned.link(texts)
    tuned.save(tmp_path / "linker")
    assert len(list((tmp_path / "linker").glob("encoder-*"))) == 1


def test_a_linker_without_an_encoder_of_its_own_saves_none(tmp_path: Path) -> None:
    Linker(GRAPH, fuzzy=True, min_score=0.3).save(tmp_path)
    assert (
        Linker.load(tmp_path, GRAPH).config() == Linker(GRAPH, fuzzy=True, min_score=0.3).config()
    )
    Linker(GRAPH, context=True, encode=TextEncoder(TINY)).save(tmp_path)
    assert not list(tmp_path.glob("encoder-*"))
    assert Linker.load(tmp_path, GRAPH, encode=TextEncoder(TINY)).context


def test_a_pipeline_keeps_the_tuned_encoder_of_its_linker(tuned: Linker, tmp_path: Path) -> None:
    tuned.save(tmp_path / "linker")
    linker = Linker.load(tmp_path / "linker", GRAPH)
    parts = {"backbone": "tiny-bert", "text_encoder": "tiny-bert"}
    task = {"name": "classify", "labels": ["a", "b"]}
    pipeline = Pipeline(GRAPH, linker, task=task, **parts)
    pipeline.save(tmp_path / "pipeline")
    for file in (tmp_path / "linker").rglob("*"):
        if file.is_file():
            file.unlink()
    loaded = Pipeline.load(tmp_path / "pipeline")
    texts = [one.text for one in documents(5, 4)]
    assert loaded.linker.link(texts) == tuned.link(texts)


def test_an_encoder_that_was_changed_on_disk_is_refused(tuned: Linker, tmp_path: Path) -> None:
    tuned.encode.save(tmp_path)
    weights = next(tmp_path.glob("encoder-*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(DamagedFileError, match="hash"):
        TextEncoder.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        Linker(GRAPH, context=True, encode=tmp_path / "nothing")


def test_an_encoder_that_is_only_in_memory_cannot_be_written_down() -> None:
    own = TextEncoder(load_backbone(TINY))
    with pytest.raises(TypeError, match="save the linker"):
        Linker(GRAPH, context=True, encode=own).config()


def test_no_encoder_reads_the_vectors_of_another(tuned: Linker, tmp_path: Path) -> None:
    GRAPH.save(tmp_path / "graph")
    graph = KnowledgeGraph.open(tmp_path / "graph")
    backbone = load_backbone(TINY)
    rows = np.arange(len(graph))
    for encode in (TextEncoder(backbone, max_tokens=32), tuned.encode):
        vectors = NodeVectors.load_or_compute(graph, encode)
        wanted = encode([graph.text(row) for row in rows.tolist()])
        np.testing.assert_allclose(vectors.entities(rows), wanted, atol=1e-3)
        again = NodeVectors.load_or_compute(KnowledgeGraph.open(tmp_path / "graph"), encode)
        np.testing.assert_array_equal(again.vectors, vectors.vectors)
    before = TextEncoder(backbone).name
    with torch.no_grad():
        next(backbone.layers[-1].parameters()).add_(0.1)
    assert TextEncoder(backbone).name != before


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the graph and gold mentions, and the working directory."""
    monkeypatch.chdir(tmp_path)
    GRAPH.save(tmp_path / "graph")
    (tmp_path / "gold.jsonl").write_text(
        "".join(
            json.dumps(
                {
                    "text": one.text,
                    "mentions": [
                        {"start": m.start, "end": m.end, "entity": m.entity} for m in one.mentions
                    ],
                }
            )
            + "\n"
            for one in documents(24, 0)
        )
    )
    return tmp_path


def test_the_command_fits_a_linker_and_links_with_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["link", "graph", "--fit", "gold.jsonl", "--out", "fitted"]) == 0
    assert "learned from 24 texts; the linker is in fitted" in capsys.readouterr().out
    assert main(["link", "graph", "a boat at Lor3a", "--linker", "fitted"]) == 0
    (mention,) = json.loads(capsys.readouterr().out)["mentions"]
    wanted = Linker.load("fitted", GRAPH)("a boat at Lor3a")[0]
    assert (mention["entity"], mention["score"]) == (
        wanted.entity,
        pytest.approx(wanted.score, abs=1e-4),
    )
    assert main(["link", "graph", "--linker", "fitted", "--evaluate", "gold.jsonl"]) == 0
    assert "links, micro" in capsys.readouterr().out


def test_the_command_calibrates_a_linker(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "texts.txt").write_text("".join(f"{one.text}\n" for one in documents(5, 0)))
    assert main(["link", "graph", "--calibrate", "texts.txt", "--out", "fitted"]) == 0
    assert "calibrated on 5 texts; the linker is in fitted" in capsys.readouterr().out
    wanted = Linker(GRAPH).calibrate([one.text for one in documents(5, 0)]).weights
    assert Linker.load("fitted", GRAPH).weights == wanted


@pytest.mark.slow
def test_the_command_trains_the_encoder_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--fit", "gold.jsonl", "--fine-tune", "--context", "--out", "tuned"]
    assert main(["link", "graph", *given, "--training.epochs=1"]) == 0
    said = capsys.readouterr().out
    assert said.count("12 mentions to train on, 12 to choose by") == 2
    assert "an encoder that learns from all\n24 mentions to train on" in said
    assert list((here / "tuned").glob("encoder-*/encoder-*.safetensors"))
    assert main(["link", "graph", "a boat at Lor3a", "--linker", "tuned"]) == 0
    assert json.loads(capsys.readouterr().out)["mentions"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--fit", "gold.jsonl"], "--out"),
        (["--fit", "gold.jsonl", "--evaluate", "gold.jsonl"], "not both"),
        (["--fine-tune"], "--context"),
        (["a text", "--folds=1"], "--folds=1: give at least 2"),
        (["--calibrate", "gold.jsonl"], "--out"),
        (["--calibrate", "gold.jsonl", "--evaluate", "gold.jsonl"], "own texts"),
        (["--fit", "gold.jsonl", "--out", "x", "--fine-tune"], "--context"),
        (["a text", "--linker", "nothing"], "no linker at 'nothing'"),
    ],
)
def test_options_that_do_not_go_together_say_what_would(
    given: list[str], says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["link", "graph", *given]) == 2
    assert says in capsys.readouterr().err
