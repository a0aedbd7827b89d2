"""The linker as a component of spaCy pipelines."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example

from kgfm.graph import KnowledgeGraph
from kgfm.linking import BaseLinker, Linker
from kgfm.linking.choose import best_apart
from kgfm.linking.spacy_component import FILE, SpacyLinker, make_linker
from kgfm.storage import DamagedFileError
from kgfm.types import Example as Gold
from kgfm.types import Mention

ROOT = Path(__file__).parents[1]
TEXT = "Heat was directed by Michael Mann in Los Angeles."
ENTITIES = [
    {"key": "film/Heat", "label": "Heat", "types": ["Film"]},
    {"key": "person/Mann", "label": "Michael Mann", "types": ["Person"]},
    {"key": "city/LA", "label": "Los Angeles"},
    {"key": "emoji", "label": "🎬"},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "films"
    KnowledgeGraph.from_records(ENTITIES, [("film/Heat", "director", "person/Mann")]).save(path)
    return path


def pipeline(folder, **config):
    nlp = spacy.blank("en")
    nlp.add_pipe("kgfm_linker", config={"graph": str(folder), **config})
    return nlp


def links(doc):
    return [(ent.text, ent.kb_id_, ent.label_) for ent in doc.ents]


class Fixed(BaseLinker):
    """Finds the same mentions in every text."""

    def __init__(self, graph, *mentions):
        self.graph, self.mentions = graph, mentions

    def link(self, texts):
        return [self.mentions for _ in texts]


def fixed(folder, *mentions, **options):
    graph = KnowledgeGraph.open(folder)
    return SpacyLinker(spacy.blank("en").vocab, linker=Fixed(graph, *mentions), **options)


def test_the_entry_point_names_the_factory():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    module, _, name = project["entry-points"]["spacy_factories"]["kgfm_linker"].partition(":")
    assert getattr(importlib.import_module(module), name) is make_linker


@pytest.mark.slow
def test_spacy_finds_the_component_without_an_import_of_kgfm(folder, tmp_path):
    installed = tmp_path / "kgfm_linker_test-1.dist-info"
    installed.mkdir()
    installed.joinpath("METADATA").write_text("Name: kgfm-linker-test\nVersion: 1\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = project["entry-points"]["spacy_factories"]
    lines = ["[spacy_factories]", *(f"{name} = {value}" for name, value in points.items())]
    installed.joinpath("entry_points.txt").write_text("\n".join(lines))
    script = f"""
import spacy
nlp = spacy.blank("en")
nlp.add_pipe("kgfm_linker", config={{"graph": {str(folder)!r}}})
print([ent.kb_id_ for ent in nlp({TEXT!r}).ents])
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['film/Heat', 'person/Mann', 'city/LA']"


def test_entities_have_the_key_and_the_type(folder):
    assert links(pipeline(folder)(TEXT)) == [
        ("Heat", "film/Heat", "Film"),
        ("Michael Mann", "person/Mann", "Person"),
        ("Los Angeles", "city/LA", "ENTITY"),
    ]
    assert {label for _, _, label in links(pipeline(folder, label="X")(TEXT))} == {"X"}


def test_a_text_without_mentions_stays_as_it_is(folder):
    nlp = pipeline(folder)
    for text in ("", "  ", "Nothing here."):
        assert nlp(text).ents == ()
        assert list(nlp(text).spans["kgfm"]) == []


def test_the_arguments_of_the_linker_come_through_the_configuration(folder):
    nlp = pipeline(folder, linker={"name": "names", "min_length": 5})
    assert [text for text, _, _ in links(nlp(TEXT))] == ["Michael Mann", "Los Angeles"]
    with pytest.raises(ValueError, match=r"takes no 'min_lenth'.*'min_length'"):
        pipeline(folder, linker={"name": "names", "min_lenth": 5})(TEXT)


def test_a_mistake_in_the_configuration_is_told_where_it_is_made(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="kgfm graph build"):
        pipeline(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="alignment_mode is one of strict, contract, expand"):
        pipeline(folder, alignment_mode="exact")
    with pytest.raises(ValueError, match="ents is one of merge, link, none"):
        SpacyLinker(spacy.blank("en").vocab, ents="all")
    nlp = spacy.blank("en")
    nlp.add_pipe("kgfm_linker")
    with pytest.raises(ValueError, match="has no graph"):
        nlp(TEXT)


def test_an_empty_graph_is_told(tmp_path):
    KnowledgeGraph.from_records([], []).save(tmp_path / "empty")
    with pytest.warns(UserWarning, match="nothing will be linked"):
        pipeline(tmp_path / "empty")


def test_one_by_one_is_all_together(folder):
    nlp, texts = pipeline(folder), [TEXT, "", "Heat 🎬", "nothing", "Michael Mann"] * 3
    together = [links(doc) for doc in nlp.pipe(texts, batch_size=4)]
    assert together == [links(nlp(text)) for text in texts]


@pytest.mark.slow
def test_two_processes_link_as_one_does(folder):
    nlp, texts = pipeline(folder), [TEXT, "Heat", "nothing", "Los Angeles"] * 5
    two = list(nlp.pipe(texts, n_process=2, batch_size=3))
    assert [links(doc) for doc in two] == [links(nlp(text)) for text in texts]
    assert two[0].spans["kgfm"].attrs["mentions"][0][:3] == [0, 4, "film/Heat"]


def test_overlapping_mentions_are_spans_and_the_best_of_them_entities(folder):
    outer = Mention(21, 33, "Michael Mann", "person/Mann", 0.9)
    inner = Mention(29, 33, "Mann", "city/LA", 0.95)
    component = fixed(folder, outer, inner)
    doc = component(Doc(component.vocab, words=TEXT.rstrip(".").split()))
    assert [span.text for span in doc.spans["kgfm"]] == ["Michael Mann", "Mann"]
    assert links(doc) == [("Michael Mann", "person/Mann", "Person")]


def test_offsets_stay_exact_where_the_tokens_disagree(folder):
    mention = Mention(3, 7, "Heat", "film/Heat", 0.5)
    expected_by_mode = {"expand": ["preHeated"], "contract": [], "strict": []}
    for mode, expected in expected_by_mode.items():
        component = fixed(folder, mention, alignment_mode=mode)
        doc = component(Doc(component.vocab, words=["preHeated", "film"]))
        assert [span.text for span in doc.spans["kgfm"]] == expected
        kept = [[3, 7, "film/Heat", 0.5]] if expected else []
        assert doc.spans["kgfm"].attrs["mentions"] == kept


def test_nil_is_a_span_with_the_key_nil(folder):
    component = fixed(folder, Mention(0, 4, "Heat", None, 0.7))
    doc = component(Doc(component.vocab, words=["Heat"]))
    assert links(doc) == [("Heat", "NIL", "ENTITY")]
    assert doc.spans["kgfm"].attrs["mentions"] == [[0, 4, None, 0.7]]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("merge", [("Heat", "film/Heat", "WORK"), ("Michael Mann", "person/Mann", "Person")]),
        ("link", [("Heat", "film/Heat", "WORK"), ("Mann", "", "PER")]),
        ("none", [("Heat", "", "WORK"), ("Mann", "", "PER")]),
    ],
)
def test_entities_of_others_are_kept_as_the_setting_says(folder, mode, expected):
    nlp = pipeline(folder, ents=mode)
    doc = nlp.make_doc("Heat by Michael Mann")
    doc.ents = [Span(doc, 0, 1, label="WORK"), Span(doc, 3, 4, label="PER")]
    assert links(nlp.get_pipe("kgfm_linker")(doc)) == expected
    assert len(doc.spans["kgfm"]) == 2


def test_a_saved_pipeline_links_as_before(folder, tmp_path):
    nlp = pipeline(folder, linker={"name": "names", "min_length": 5})
    nlp.to_disk(tmp_path / "nlp")
    saved = json.loads((tmp_path / "nlp" / "kgfm_linker" / FILE).read_text(encoding="utf-8"))
    assert saved["graph"]["path"] == str(folder)
    again = spacy.load(tmp_path / "nlp")
    assert links(again(TEXT)) == links(nlp(TEXT))
    other = spacy.blank("en")
    other.add_pipe("kgfm_linker")
    assert links(other.from_bytes(nlp.to_bytes())(TEXT)) == links(nlp(TEXT))


def test_a_saved_pipeline_whose_graph_moved_or_changed_says_so(folder, tmp_path):
    graph = KnowledgeGraph.open(folder).save(tmp_path / "old")
    nlp = pipeline(tmp_path / "old")
    before = links(nlp(TEXT))
    nlp.to_disk(tmp_path / "nlp")
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(FileNotFoundError, match=r"spacy\.load"):
        spacy.load(tmp_path / "nlp")
    moved = {"components": {"kgfm_linker": {"graph": str(tmp_path / "new")}}}
    assert links(spacy.load(tmp_path / "nlp", config=moved)(TEXT)) == before
    assert graph.num_triples == 1
    KnowledgeGraph.from_records(ENTITIES[:1], []).save(tmp_path / "new")
    with pytest.warns(UserWarning, match="not as it was"):
        spacy.load(tmp_path / "nlp", config=moved)


def test_a_pipeline_over_a_relative_path_finds_its_graph_from_anywhere(
    folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    KnowledgeGraph.open(folder).save("snap")
    nlp = pipeline("snap")
    before = links(nlp(TEXT))
    nlp.to_disk("nlp")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert links(spacy.load(tmp_path / "nlp")(TEXT)) == before
    KnowledgeGraph.from_records(ENTITIES[:1], []).save("snap")  # another graph of that name
    assert links(spacy.load(tmp_path / "nlp")(TEXT)) == before
    nlp = pipeline("nowhere")
    with pytest.raises(FileNotFoundError, match="kgfm graph build"):
        nlp(TEXT)


def test_a_ranked_linker_with_its_weights_comes_back_from_disk(folder, tmp_path):
    examples = [
        Gold("Heat ran.", None, (Mention(0, 4, "Heat", "film/Heat"),)),
        Gold("No Mann.", None, ()),
    ]
    fitted = Linker(KnowledgeGraph.open(folder), keep_nil=True).fit(examples)
    nlp = spacy.blank("en")
    nlp.add_pipe(
        "kgfm_linker", config={"graph": str(folder), "linker": {"name": "names", **fitted.config()}}
    )
    found = [(m.start, m.entity, m.score) for m in fitted(TEXT)]
    for pipeline in (nlp, saved_and_loaded(nlp, tmp_path)):
        attrs = pipeline(TEXT).spans["kgfm"].attrs["mentions"]
        assert [(start, key, score) for start, _, key, score in attrs] == found


def saved_and_loaded(nlp, folder):
    nlp.to_disk(folder / "nlp")
    return spacy.load(folder / "nlp")


def test_a_linker_over_a_graph_in_memory_names_its_folder_later(folder, tmp_path):
    graph = KnowledgeGraph.from_records(ENTITIES, [])
    component = SpacyLinker(spacy.blank("en").vocab, linker=Linker(graph, min_length=5))
    component.to_disk(tmp_path)
    with pytest.raises(ValueError, match="in memory"):
        SpacyLinker(component.vocab).from_disk(tmp_path)
    with pytest.warns(UserWarning, match="not as it was"):
        found = SpacyLinker(component.vocab, graph=folder).from_disk(tmp_path)
    assert found.linker.config() == component.linker.config()


@pytest.mark.parametrize("content", ["", "{}", '{"format": 1, "graph": 3}', "\x80"])
def test_a_damaged_component_is_refused(folder, tmp_path, content):
    (tmp_path / FILE).write_bytes(content.encode("latin-1"))
    with pytest.raises(DamagedFileError, match="damaged"):
        SpacyLinker(spacy.blank("en").vocab, graph=folder).from_disk(tmp_path)


def test_a_component_of_a_newer_kgfm_is_refused(folder, tmp_path):
    nlp = pipeline(folder)
    content = nlp.get_pipe("kgfm_linker").to_bytes().replace(b'"format": 1', b'"format": 99')
    with pytest.raises(DamagedFileError, match="Upgrade"):
        nlp.get_pipe("kgfm_linker").from_bytes(content)


def test_documents_come_back_from_a_docbin_with_links_and_offsets(folder):
    nlp = pipeline(folder)
    docs = [nlp(TEXT), nlp("nothing")]
    stored = DocBin(docs=docs).to_bytes()
    for doc, again in zip(docs, DocBin().from_bytes(stored).get_docs(nlp.vocab), strict=True):
        assert links(again) == links(doc)
        assert again.spans["kgfm"].attrs == doc.spans["kgfm"].attrs
        assert [s.kb_id_ for s in again.spans["kgfm"]] == [s.kb_id_ for s in doc.spans["kgfm"]]


def test_the_scorer_of_spacy_counts_the_links(folder):
    nlp = pipeline(folder)
    gold = nlp.make_doc(TEXT)
    gold.ents = [
        Span(gold, 0, 1, label="Film", kb_id="film/Heat"),
        Span(gold, 4, 6, label="Person", kb_id="person/Other"),
        Span(gold, 7, 9, label="ENTITY", kb_id="NIL"),
    ]
    scores = nlp.evaluate([Example(nlp.make_doc(TEXT), gold)])
    assert scores["nel_micro_p"] == pytest.approx(1 / 3)  # one wrong, one should be NIL
    assert scores["nel_micro_r"] == pytest.approx(1 / 2)


def test_an_error_goes_to_the_handler_of_the_pipeline(folder):
    class Broken(Fixed):
        def link(self, texts):
            raise RuntimeError("broken")

    component = SpacyLinker(spacy.blank("en").vocab, linker=Broken(KnowledgeGraph.open(folder)))
    doc = Doc(component.vocab, words=["Heat"])
    with pytest.raises(RuntimeError, match="broken"):
        component(doc)
    met = []
    component.set_error_handler(lambda name, proc, docs, error: met.append((name, len(docs))))
    assert list(component.pipe([doc, doc])) == []
    assert met == [("kgfm_linker", 2)]


# -- choosing spans -------------------------------------------------------------------------------

SPANS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 6), st.integers(1, 9)).map(
        lambda t: (t[0], t[0] + t[1], float(t[2]))
    ),
    max_size=8,
)


@given(SPANS)
def test_the_chosen_spans_are_apart_and_no_others_weigh_more(spans):
    def weight(places):
        chosen = sorted(spans[place] for place in places)
        apart = all(a[1] <= b[0] for a, b in pairwise(chosen))
        return sum(span[2] for span in chosen) if apart else -1.0

    found = best_apart(spans)
    assert found == sorted(found, key=lambda place: spans[place])
    every = ([p for p in range(len(spans)) if mask >> p & 1] for mask in range(1 << len(spans)))
    assert weight(found) == max(map(weight, every))
