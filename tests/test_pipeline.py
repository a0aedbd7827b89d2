"""The pipeline: raw text in, predictions out; saved, loaded, damaged, interrupted."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from neural import opened

from kgfm import NIL, Example, GraphSchema, KnowledgeGraph, Linker, Mention, Pipeline
from kgfm.encoders import ENCODERS
from kgfm.fusion import FUSIONS
from kgfm.graph import EntityRecord
from kgfm.linking import LINKERS
from kgfm.pipeline.saving import FORMAT, KIND
from kgfm.registry import Registry
from kgfm.retrieval import RETRIEVERS, HopRetriever
from kgfm.storage import MANIFEST, DamagedFileError, read_manifest, sha256
from kgfm.synthetic import label_world, question_world
from kgfm.tasks import TASKS as KINDS

TINY = {"name": "tiny-bert"}
TEXTS = ["Who is the rival of {a}?", "Nobody is named here.", "{b}: who is the mentor of {a}?"]


def pipeline_for(task: str, **more: Any) -> Pipeline:
    """An untrained pipeline whose zero weights are moved, so that the graph matters."""
    world = question_world(topics=24) if task == "answer" else label_world(topics=24)
    known = {"labels": ("harbour", "mine", "farm")} if task == "classify" else {}
    given: dict[str, Any] = {
        "task": {"name": task, **known, **more.pop("settings", {})},
        "backbone": TINY,
        "encoder": {"name": "rgcn", "width": 16},
        "text_encoder": TINY,
        "max_tokens": 32,
    }
    made = Pipeline(world.graph, **{**given, **more})
    opened(made.model)
    return made


def texts_for(pipeline: Pipeline) -> list[str]:
    names = [pipeline.graph.label(pipeline.graph.keys[row]) for row in range(2)]
    return [text.format(a=names[0], b=names[1]) for text in TEXTS]


def scores(predictions: Any) -> list[Any]:
    return [(p.answer, p.score, p.scores, p.labels, p.mentions) for p in predictions]


TASKS = pytest.mark.parametrize(
    ("task", "more"),
    [("answer", {}), ("classify", {}), ("classify", {"settings": {"multi_label": True}})],
)


@pytest.fixture(scope="module")
def answering() -> Pipeline:
    return pipeline_for("answer")


# -- text in, predictions out ---------------------------------------------------------------------


@TASKS
def test_a_text_gives_a_prediction_with_what_was_linked(task: str, more: dict[str, Any]) -> None:
    pipeline = pipeline_for(task, **more)
    text = texts_for(pipeline)[0]
    found = pipeline(text)
    (mention,) = found.mentions
    assert text[mention.start : mention.end] == mention.text
    assert found.graph_used
    assert found.scores[0] == (found.answer, found.score)
    assert pipeline.explain(found)
    ranked = [score for _, score in found.scores]
    assert ranked == sorted(ranked, reverse=True)


def test_one_by_one_is_all_together(answering: Pipeline) -> None:
    texts = texts_for(answering)
    alone, together = [answering(text) for text in texts], answering(texts)
    assert [p.answer for p in alone] == [p.answer for p in together]
    np.testing.assert_allclose(
        [p.score for p in alone], [p.score for p in together], rtol=1e-4, atol=1e-6
    )


def test_a_stream_is_answered_in_order_as_it_comes(answering: Pipeline) -> None:
    texts = texts_for(answering)
    read = []

    def stream():
        for text in texts * 3:
            read.append(text)
            yield text

    found = answering.pipe(stream(), batch_size=2)
    assert not read
    assert next(found).text == texts[0]
    assert len(read) == 2
    assert [p.text for p in found] == (texts * 3)[1:]


def test_given_mentions_are_taken_as_they_are(answering: Pipeline) -> None:
    key = answering.graph.keys[3]
    mention = Mention(0, 4, "That", key)
    found = answering(Example("That one: who is the rival?", None, (mention,)))
    assert found.mentions == (mention,)
    assert found.graph_used


def test_a_linker_with_context_reads_by_the_text_encoder(answering: Pipeline) -> None:
    other = pipeline_for("answer", linker={"name": "names", "context": True})
    text = f"Who knows {answering.graph.labels[3]}?"
    (mention,) = other.linker.link_spans(text, [(10, len(text) - 1)])
    assert mention.candidates[0][0] == answering.graph.keys[3]
    assert other.linker.config()["context"]


def test_parts_may_be_names_mappings_or_objects(answering: Pipeline) -> None:
    graph = answering.graph
    other = pipeline_for(
        "answer", linker=Linker(graph), retriever=HopRetriever(graph, hops=1, budget=20)
    )
    assert other.retriever.config()["budget"] == 20
    with pytest.raises(KeyError, match="Did you mean 'rgcn'"):
        _ = pipeline_for("answer", encoder="rgnc")
    with pytest.raises(KeyError, match="'hops'"):
        Pipeline(graph, retriever="hop")
    with pytest.raises(KeyError, match="Did you mean 'classify'"):
        Pipeline(graph, task="clasify")
    with pytest.raises(TypeError, match="a mapping with 'name'"):
        Pipeline(graph, task={"hidden_width": 8})
    with pytest.raises(ValueError, match="The task 'answer' takes no 'labels'"):
        Pipeline(graph, task={"name": "answer", "labels": ("farm",)})


def test_the_repr_names_the_parts(answering: Pipeline) -> None:
    assert repr(answering).startswith("Pipeline(tiny-bert + rgcn + cross-attention + answer over ")


# -- texts that name nothing, and texts that are none ---------------------------------------------


@pytest.mark.parametrize("text", ["", "  \t\n", "\u200b", "Nobody is named here.", "\0\0"])
def test_a_text_that_names_nothing_is_answered_by_the_text_alone(
    answering: Pipeline, text: str
) -> None:
    found = answering(text)
    assert (found.answer, found.graph_used, found.mentions) == (NIL, False, ())
    assert found.score == pytest.approx(1.0)
    assert answering.explain(found) == ()


def test_a_text_without_mentions_is_the_plain_backbone_to_the_bit(answering: Pipeline) -> None:
    batch = answering.collator.pack(answering.prepare(["Nobody is named here."]))
    output = answering.model(batch)
    plain = answering.model.backbone(batch.input_ids, batch.attention_mask)
    assert torch.equal(output.tokens, plain)


@pytest.mark.parametrize("strange", ["\ud800", "\0", "\u202e", "👨‍👩‍👧", "e\u0301"])
def test_strange_characters_keep_offsets_exact(answering: Pipeline, strange: str) -> None:
    name = answering.graph.label(answering.graph.keys[0])
    text = f"{strange} Who is the rival of {name}?"
    (mention,) = answering(text).mentions
    assert text[mention.start : mention.end] == name


def test_a_text_of_a_megabyte_is_cut_and_answered(answering: Pipeline) -> None:
    name = answering.graph.label(answering.graph.keys[0])
    with pytest.warns(UserWarning, match="longer than max_tokens=32"):
        found = answering(f"Who is the rival of {name}? " + "and so on " * 100_000)
    assert found.graph_used


# In this process a type checker sits before every function and would speak first.
WRONG = """
import sys
from kgfm import Pipeline
pipeline = Pipeline.load(sys.argv[1])
for wrong in (["fine", None], ["fine", 5], ["fine"] * 33 + [b"bytes"], [["nested"]], None, 5, b"x"):
    try:
        pipeline(wrong)
    except TypeError as error:
        print(error)
"""


@pytest.mark.slow
def test_what_is_no_text_is_named_by_its_index(answering: Pipeline, tmp_path: Path) -> None:
    answering.save(tmp_path / "saved")
    done = subprocess.run(
        [sys.executable, "-c", WRONG, str(tmp_path / "saved")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "Text 1 is NoneType; give a str or a kgfm.Example. Where a text is missing, leave it out "
        "or give ''.",
        "Text 1 is int; give a str or a kgfm.Example.",
        "Text 33 is bytes; give a str or a kgfm.Example.",
        "Text 0 is list; give a str or a kgfm.Example.",
        "pipe() takes several texts, not None: write pipe([text, ...]).",
        "pipe() takes several texts, not int: write pipe([text, ...]).",
        "pipe() takes several texts, not bytes: write pipe([bytes(given).decode()]).",
    ]


def test_an_empty_batch_has_no_answers(answering: Pipeline) -> None:
    assert answering([]) == []
    assert list(answering.pipe(iter([]))) == []


@pytest.mark.parametrize("size", [0, -1])
def test_a_batch_without_room_is_refused_instead_of_losing_texts(
    answering: Pipeline, size: int
) -> None:
    with pytest.raises(ValueError, match=f"batch_size is at least 1, got {size}"):
        list(answering.pipe(["One."], batch_size=size))


def test_an_empty_graph_leaves_the_text_alone() -> None:
    graph = KnowledgeGraph.from_records([], [])
    with pytest.warns(UserWarning, match="graph is empty"):
        pipeline = Pipeline(graph, backbone=TINY, text_encoder=TINY, max_tokens=32)
    assert not pipeline("Who directed Heat?").graph_used


def test_a_graph_without_labels_is_known_by_its_local_names() -> None:
    triples = [("http://x.org/Heat", "http://x.org/directedBy", "http://x.org/Michael_Mann")]
    with pytest.warns(UserWarning, match="label"):
        graph = KnowledgeGraph.from_records([], triples)
    pipeline = Pipeline(graph, backbone=TINY, text_encoder=TINY, max_tokens=32)
    named = [mention.entity for mention in pipeline("Who directed Heat?").mentions]
    assert named == ["http://x.org/Heat"]


def test_labels_are_needed_to_classify(answering: Pipeline) -> None:
    with pytest.raises(ValueError, match="labels are not known yet"):
        Pipeline(answering.graph, task="classify", backbone=TINY, text_encoder=TINY)("x")


# -- saving and loading ---------------------------------------------------------------------------


@TASKS
def test_a_loaded_pipeline_answers_as_the_saved_one_to_the_bit(
    tmp_path: Path, task: str, more: dict[str, Any]
) -> None:
    pipeline = pipeline_for(task, **more)
    pipeline.save(tmp_path / "saved")
    again = Pipeline.load(tmp_path / "saved")
    texts = texts_for(pipeline)
    assert scores(again(texts)) == scores(pipeline(texts))
    assert again.explain(texts[0]) == pipeline.explain(texts[0])
    assert repr(again) == repr(pipeline)


def with_defaults(make: Callable[..., Any], **changed: Any) -> Callable[..., Any]:
    """Return what makes the same part, by other defaults."""

    def made(**given: Any) -> Any:
        return make(**{**changed, **given})

    signature = inspect.signature(make)
    parameters = [
        parameter.replace(default=changed.get(parameter.name, parameter.default))
        for parameter in signature.parameters.values()
    ]
    made.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("fusion", list(FUSIONS))
def test_a_saved_pipeline_answers_the_same_when_the_defaults_have_become_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fusion: str
) -> None:
    pipeline = pipeline_for("answer", encoder="rgcn", fusion=fusion)
    pipeline.save(tmp_path / "saved")
    texts = texts_for(pipeline)
    before = scores(pipeline(texts))
    sized = FUSIONS.default(fusion, "inner_width")
    others: list[tuple[Registry[Any], str, dict[str, Any]]] = [
        (ENCODERS, "rgcn", {"width": 24, "layers": 1, "bases": 2}),
        (FUSIONS, fusion, {"inner_width": 32, "heads": 1} if sized else {}),
        (KINDS, "answer", {"hidden_width": 24}),
        (RETRIEVERS, "hops", {"hops": 1, "budget": 3, "fan_out": 1}),
        (LINKERS, "names", {"min_length": 40}),
    ]
    for registry, name, changed in others:
        monkeypatch.setitem(registry, name, with_defaults(registry[name], **changed))
    assert scores(Pipeline.load(tmp_path / "saved")(texts)) == before
    other = pipeline_for("answer", encoder="rgcn", fusion=fusion)
    assert scores(other(texts)) != before


def test_a_saved_folder_holds_nothing_that_could_run(answering: Pipeline, tmp_path: Path) -> None:
    answering.save(tmp_path / "saved")
    suffixes = {path.suffix for path in (tmp_path / "saved").rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".safetensors", ".npy", ".txt", ".md", ".jinja", ".model"}
    assert "kgfm.Pipeline.load" in (tmp_path / "saved" / "README.md").read_text()


def test_saving_again_leaves_no_old_files(tmp_path: Path) -> None:
    pipeline = pipeline_for("answer")
    pipeline.save(tmp_path / "saved")
    before = {path.name for path in (tmp_path / "saved").iterdir()}
    pipeline.model.task.nil.bias.data.fill_(9.0)
    pipeline.save(tmp_path / "saved")
    after = {path.name for path in (tmp_path / "saved").iterdir()}
    assert len(after) == len(before)
    assert len(after - before) == 1
    assert scores(Pipeline.load(tmp_path / "saved")(["x"])) == scores(pipeline(["x"]))


def test_a_linked_graph_is_not_copied(answering: Pipeline, tmp_path: Path) -> None:
    graph = answering.graph.save(tmp_path / "graph")
    pipeline = Pipeline(graph, backbone=TINY, text_encoder=TINY, max_tokens=32)
    pipeline.save(tmp_path / "saved", graph="link")
    assert not list((tmp_path / "saved").glob("graph-*"))
    assert Pipeline.load(tmp_path / "saved").graph.path == tmp_path / "graph"
    shutil.rmtree(tmp_path / "graph")
    with pytest.raises(FileNotFoundError, match="Put it back there, or give one"):
        Pipeline.load(tmp_path / "saved")
    assert Pipeline.load(tmp_path / "saved", graph=answering.graph).graph is answering.graph
    with pytest.raises(ValueError, match="only in memory"):
        answering.save(tmp_path / "other", graph="link")


def test_a_new_entity_is_known_by_its_text_without_training(
    answering: Pipeline, tmp_path: Path
) -> None:
    answering.save(tmp_path / "saved")
    graph = answering.graph
    triples = [
        (graph.keys[h], graph.relation_keys[r], graph.keys[t])
        for h, r, t in np.stack([graph.heads, graph.relations, graph.tails], 1).tolist()
    ]
    records = [
        EntityRecord(key, graph.label(key), types=graph.types(row))
        for row, key in enumerate(graph.keys)
    ]
    newcomer = EntityRecord("x/Newcomer", "Newcomer", types=("person",))
    larger = KnowledgeGraph.from_records(
        [*records, newcomer], [*triples, ("x/Newcomer", "rival", graph.keys[0])]
    )
    found = Pipeline.load(tmp_path / "saved", graph=larger)("Who is the rival of Newcomer?")
    assert found.mentions[0].entity == "x/Newcomer"
    assert graph.keys[0] in dict(found.scores)


class OwnRetriever(HopRetriever):
    """Not registered anywhere."""


def test_a_part_that_cannot_be_written_down_is_refused_before_anything_is_written(
    answering: Pipeline, tmp_path: Path
) -> None:
    pipeline = pipeline_for("answer", retriever=OwnRetriever(answering.graph))
    with pytest.raises(TypeError, match="give it by name or as a mapping"):
        pipeline.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_there_is_no_pipeline_in_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no pipeline"):
        Pipeline.load(tmp_path)


# -- damage ---------------------------------------------------------------------------------------


def _rewrite(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text())
        change(manifest)
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return damage


def _weights(folder: Path) -> Path:
    (path,) = folder.glob("model-*.safetensors")
    return path


def _truncate(folder: Path) -> None:
    os.truncate(_weights(folder), 1000)


def _tamper(folder: Path) -> None:
    content = bytearray(_weights(folder).read_bytes())
    content[-1] ^= 1
    _weights(folder).write_bytes(content)


def _tamper_graph(folder: Path) -> None:
    (path,) = (next(folder.glob("graph-*"))).glob("tails-*.npy")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (_truncate, "truncated or was changed"),
    "tampered": (_tamper, "its hash is not the one"),
    "tampered graph": (_tamper_graph, "its hash is not the one"),
    "missing": (lambda folder: _weights(folder).unlink(), "lacks model-"),
    "newer": (_rewrite(lambda manifest: manifest.update(format=99)), "Upgrade kgfm"),
    "other kind": (_rewrite(lambda manifest: manifest.update(kind="graph")), "holds a graph"),
    "no files": (_rewrite(lambda manifest: manifest.pop("files")), "is damaged"),
    "no graph": (_rewrite(lambda manifest: manifest.pop("graph")), "names no graph"),
    "outside": (
        _rewrite(lambda m: m["files"]["config.json"].update(file="../config.json")),
        "lacks",
    ),
    "no encoder": (_rewrite(lambda manifest: manifest.pop("encoder")), "lacks 'encoder'"),
    "no JSON": (lambda folder: (folder / MANIFEST).write_text("{"), "is damaged"),
}


@pytest.fixture(scope="module")
def once_saved(answering: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    answering.save(folder)
    return folder


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_folder_is_refused_with_the_reason(
    once_saved: Path, tmp_path: Path, kind: str
) -> None:
    damage, said = DAMAGE[kind]
    shutil.copytree(once_saved, tmp_path / "saved")
    damage(tmp_path / "saved")
    with pytest.raises(DamagedFileError, match=said):
        Pipeline.load(tmp_path / "saved")


@pytest.mark.parametrize("key", ["task", "backbone", "max_tokens", "retriever"])
def test_a_configuration_that_lacks_a_key_names_it(
    once_saved: Path, tmp_path: Path, key: str
) -> None:
    folder = tmp_path / "saved"
    shutil.copytree(once_saved, folder)
    manifest = read_manifest(folder, KIND, FORMAT)
    path = folder / manifest["files"]["config.json"]["file"]
    config = json.loads(path.read_text())
    del config[key]
    path.write_text(json.dumps(config))
    manifest["files"]["config.json"] |= {"sha256": sha256(path), "bytes": path.stat().st_size}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(DamagedFileError, match=f"'{key}'"):
        Pipeline.load(folder)


def test_a_run_of_an_earlier_kgfm_is_refused_with_what_to_do(
    once_saved: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    shutil.copytree(once_saved, folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format": 1}))
    with pytest.raises(DamagedFileError) as raised:
        Pipeline.load(folder)
    said = str(raised.value)
    assert f"has format 1, of an earlier kgfm; this one reads {FORMAT}" in said
    assert f"train it again, kgfm train {folder / 'recipe.yaml'}" in said


def test_a_mention_that_is_nothing_in_the_graph_is_kept_and_seeds_nothing(
    answering: Pipeline,
) -> None:
    name = answering.graph.label(answering.graph.keys[0])
    candidates = ((answering.graph.keys[0], 0.4), (answering.graph.keys[1], 0.2))
    nil = Mention(20, 20 + len(name), name, None, 0.4, candidates)
    example = Example(f"Who is the rival of {name}?", mentions=(nil,))
    found = answering(example)
    assert found.mentions == (nil,)
    assert not found.graph_used
    batch = answering.collator.pack(answering.prepare([example]))
    assert batch.mention_node.tolist() == [-1]
    assert batch.candidate_prior.tolist() == pytest.approx([0.4, 0.2])


def test_what_saving_cleans_up_is_its_own(tmp_path: Path) -> None:
    pipeline, folder = pipeline_for("answer"), tmp_path / "saved"
    pipeline.graph.save(folder / "graph-of-films")
    pipeline.save(folder)
    pipeline.graph = pipeline.graph.shuffled(0)
    pipeline.save(folder)
    graphs = sorted(path.name for path in folder.glob("graph-*"))
    assert graphs == sorted([f"graph-{pipeline.graph.fingerprint[:16]}", "graph-of-films"])


@pytest.mark.parametrize("moment", range(0, 24, 3))
def test_an_interrupted_save_leaves_the_old_pipeline_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    pipeline = pipeline_for("answer")
    pipeline.save(tmp_path / "saved")
    before = scores(pipeline(texts_for(pipeline)))
    pipeline.model.task.nil.bias.data.fill_(9.0)
    real, left = os.replace, [moment]

    def failing(source: Any, target: Any) -> None:
        if not left[0]:
            raise OSError(28, "No space left on device")
        left[0] -= 1
        real(source, target)

    monkeypatch.setattr(os, "replace", failing)
    try:
        pipeline.save(tmp_path / "saved")
    except OSError:
        committed = False
    else:
        committed = True
    monkeypatch.setattr(os, "replace", real)
    again = Pipeline.load(tmp_path / "saved")
    if not committed:
        committed = float(again.model.task.nil.bias.item()) == 9.0  # it failed after the commit
    after = before if not committed else scores(pipeline(texts_for(pipeline)))
    assert scores(again(texts_for(pipeline))) == after


SAVER = """
import sys
from kgfm import Pipeline
pipeline = Pipeline.load(sys.argv[1])
print("ready", flush=True)
number = 0.0
while True:
    number += 1
    pipeline.model.task.nil.bias.data.fill_(number)
    pipeline.save(sys.argv[1])
"""


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_pipeline(tmp_path: Path) -> None:
    import random
    import time

    folder = tmp_path / "saved"
    pipeline_for("answer").save(folder)
    chance = random.Random(0)
    for _ in range(4):
        saver = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert saver.stdout is not None
        assert saver.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.1, 1.5))
        saver.kill()
        saver.wait()
        saver.stdout.close()
        assert Pipeline.load(folder)("Nobody.").answer == NIL


# -- fitting --------------------------------------------------------------------------------------


def test_a_fitted_pipeline_knows_its_labels_and_its_threshold(tmp_path: Path) -> None:
    world = label_world(topics=40)
    train = [replace(e, target=(*(e.target or ()), "person")) for e in world.train]
    pipeline = Pipeline(
        world.graph,
        task="classify",
        backbone=TINY,
        text_encoder=TINY,
        encoder={"name": "rgcn", "width": 16},
    )
    pipeline.fit(
        train,
        world.validation,
        epochs=1,
        max_tokens=24,
        folder=tmp_path / "run",
        tensorboard=False,
        accelerator="cpu",
    )
    assert pipeline.labels == ("farm", "harbour", "mine", "person")
    thresholds = pipeline.task.report().thresholds
    pipeline.save(tmp_path / "saved")
    again = Pipeline.load(tmp_path / "saved")
    assert again.task.report().thresholds == thresholds
    assert again.training["seed"] == 0
    found = again(world.test[0].text)
    assert set(found.labels) == {label for label, score in found.scores if score >= thresholds[0]}


def test_an_unknown_setting_of_fit_is_refused_with_the_nearest(answering: Pipeline) -> None:
    with pytest.raises(ValueError, match="Did you mean 'epochs'"):
        answering.fit([], [], epoch=3)


def test_a_schema_is_only_needed_for_another_vocabulary() -> None:
    schema = GraphSchema(label=("title",))
    graph = KnowledgeGraph.from_networkx(_film(), schema=schema)
    assert graph.label("heat") == "Heat"


def _film() -> Any:
    networkx = pytest.importorskip("networkx")
    graph = networkx.MultiDiGraph()
    graph.add_node("heat", title="Heat")
    graph.add_node("mann", title="Michael Mann")
    graph.add_edge("heat", "mann", relation="directed_by")
    return graph
