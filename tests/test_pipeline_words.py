"""The second linker of a pipeline: words that are nodes, and nothing that the text is about."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from worlds import tiny_recipe

from kgfm import Example, KnowledgeGraph, Linker, Mention, Pipeline
from kgfm.cli import show
from kgfm.controls import CONTROLS, Case, Shared, controls
from kgfm.datasets.graphs import SHIPPED, affect_graph, merged_graph
from kgfm.graph import describe
from kgfm.linking import WordLinker
from kgfm.pipeline.words import apart_from
from kgfm.recipes import check_parts, load_dataset, read_recipe, train
from kgfm.types import About, Asked

FIRMS = [
    {"key": "apex", "label": "Apex Loss Adjusters", "types": ["company"]},
    {"key": "bolt", "label": "Bolt", "types": ["company"]},
    {"key": "rail", "label": "Rail", "types": ["sector"]},
]
TEXT = "Apex Loss Adjusters soared after losses."
TINY = {
    "backbone": "tiny-bert",
    "text_encoder": "tiny-bert",
    "encoder": {"name": "rgcn", "width": 16},
    "retriever": {"name": "hops", "hops": 1},
    "fusion": "mention-add",
    "task": {"name": "classify", "labels": ["up", "down"]},
}


@pytest.fixture(scope="module")
def lexicon(tmp_path_factory):
    path = tmp_path_factory.mktemp("lexicon") / "own.tsv"
    path.write_text("loss\t-3\nsoar\t3\nhappy\t2\n")
    return KnowledgeGraph.from_layout("lexicon", path)


@pytest.fixture(scope="module")
def firms():
    return KnowledgeGraph.from_records(FIRMS, [("apex", "sector", "rail")])


@pytest.fixture(scope="module")
def graph(firms, lexicon):
    return KnowledgeGraph.merged({"firms": firms, "words": lexicon})


def make(graph, **parts):
    usual = {
        "linker": {"name": "names", "source": "firms"},
        "words": {"name": "words", "source": "words"},
    }
    return Pipeline(graph, **{**TINY, **usual, **parts})


@pytest.fixture(scope="module")
def pipe(graph):
    return make(graph)


def test_words_are_listed_apart_from_mentions(pipe):
    said = pipe(TEXT)
    assert [mention.entity for mention in said.mentions] == ["apex"]
    assert [(w.text, w.entity) for w in said.words] == [
        ("soared", "word/soar"),
        ("losses", "word/loss"),
    ]
    assert said.graph_used
    assert json.loads(json.dumps(said.to_dict()))["words"][0]["entity"] == "word/soar"
    assert make(pipe.graph, words=None)(TEXT).words == ()


def test_a_text_of_words_alone_uses_the_graph(pipe):
    said = pipe("Losses everywhere.")
    assert said.mentions == ()
    assert said.graph_used
    assert not pipe("Nothing at all.").graph_used


def test_words_inside_of_a_name_are_no_words(pipe):
    # Given mentions count too, those outside of the graph as well.
    given = Example(TEXT, mentions=(Mention(20, 26, "soared", None),))
    assert [word.text for word in pipe(given).words] == ["Loss", "losses"]
    about = Example("The happy loss.", mentions=(), about=(About(((4, 9),)),))
    assert [word.text for word in pipe(about).words] == ["loss"]
    words = [Mention(0, 4, "loss", "word/loss"), Mention(5, 9, "soar", None)]
    assert apart_from(words, [(4, 5)]) == (words[0],)
    assert apart_from(words, [(3, 5)]) == ()


def test_words_are_seeds_that_tokens_are_aligned_with_and_no_mentions(pipe):
    (prepared,) = pipe.prepare([TEXT])
    (row,) = prepared.rows
    keys = [pipe.graph.keys[node] for node in row.subgraph.nodes.tolist()]
    assert keys[:3] == ["apex", "word/soar", "word/loss"]  # what the text is about comes first
    assert row.subgraph.num_seeds == 3
    assert {"rail", "affect/positive", "affect/negative"} == {*keys[3:]}
    assert len(row.mention_span) == len(row.mention_node) == 1
    aligned = {
        (TEXT[slice(*row.offsets[token].tolist())], keys[node]) for token, node in row.aligned.T
    }
    assert {key for _, key in aligned} == {"apex", "word/soar", "word/loss"}
    assert all(key in ("apex", "word/soar", "word/loss") for _, key in aligned)
    batch = pipe.collator.pack([prepared])
    assert batch.edge_weight is not None
    assert batch.candidate_mention.tolist() == [0]


def test_words_change_what_is_answered_once_the_fusion_has_moved(graph):
    with_words, without = make(graph), make(graph, words=None)
    text = "Nothing but losses."
    for one in (with_words, without):
        torch.nn.init.normal_(one.model.fusions["1"].output.weight)
    assert with_words(text).scores != without(text).scores
    assert with_words("Nothing at all.").scores == without("Nothing at all.").scores


def test_what_words_evoke_is_evidence(pipe):
    torch.nn.init.normal_(pipe.model.task.graph.weight)
    said = pipe(TEXT)
    found = {one.items[0]: one.change for one in pipe.explain(said)}
    assert ("word/loss", "evokes", "affect/negative") in found
    assert any(abs(change) > 1e-6 for change in found.values())
    torch.nn.init.zeros_(pipe.model.task.graph.weight)


def test_it_is_saved_and_loaded(pipe, tmp_path):
    pipe.save(tmp_path / "run")
    again = Pipeline.load(tmp_path / "run")
    assert again(TEXT) == pipe(TEXT)
    assert again.parts["words"] == {
        "name": "words",
        "source": "words",
        "lemmas": True,
        "without": [],
    }
    assert again.graph.sources == ["firms", "words"]


def test_ready_linkers_over_the_graphs_that_were_merged_are_saved_as_limited(
    graph, firms, lexicon, tmp_path
):
    made = make(graph, linker=Linker(firms), words=WordLinker(lexicon))
    made.save(tmp_path / "run")
    again = Pipeline.load(tmp_path / "run")
    assert again.parts["linker"]["source"] == "firms"
    assert again.parts["words"]["source"] == "words"
    assert again(TEXT) == made(TEXT)
    other = KnowledgeGraph.from_records([{"key": "apex", "label": "Apex"}], [])
    stranger = make(graph, linker=Linker(other))
    with pytest.raises(TypeError, match=r"neither .* nor one of its sources \(firms, words\)"):
        stranger.save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_pipeline_may_have_words_and_no_linker(graph, tmp_path):
    alone = make(graph, linker=None)
    said = alone(TEXT)
    assert said.mentions == ()
    assert [word.text for word in said.words] == ["Loss", "soared", "losses"]
    alone.save(tmp_path / "run")
    assert Pipeline.load(tmp_path / "run")(TEXT) == said


def test_words_without_a_graph_are_refused():
    with pytest.raises(ValueError, match="words='words' reads a graph, and there is none"):
        Pipeline(None, task="classify", words="words")


def test_words_are_checked_as_mentions_are():
    word = Mention(0, 4, "loss", "word/loss")
    asked = Asked("loss", (), np.empty(0, np.int64), words=(word,), word_rows=np.array([3]))
    assert asked.seeds.tolist() == [3]
    with pytest.raises(ValueError, match="1 words, but 0 rows"):
        Asked("loss", (), np.empty(0, np.int64), words=(word,))


# -- with spans -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asking(graph):
    made = make(graph, task={"name": "spans", "labels": ["up", "down"]})
    torch.nn.init.normal_(made.model.fusions["1"].output.weight)
    return made


def test_words_are_not_asked_about_and_are_none_inside_of_what_is(asking):
    text = "Bolt soared; Happy Loss plc saw losses."
    said = asking(text)
    assert [one.about.spans for one in said.about] == [((0, 4),)]
    assert [word.text for word in said.words] == ["soared", "Happy", "Loss", "losses"]
    both = asking(text, about=["Bolt", "Happy Loss plc"])
    assert [word.text for word in both.words] == ["soared", "losses"]
    assert [mention.entity for mention in both.mentions] == ["bolt"]


def test_one_of_several_spans_is_explained_with_the_words_of_all(asking):
    text = "Bolt soared; Happy Loss plc saw losses."
    both = asking(text, about=["Bolt", "Happy Loss plc"])
    assert both.example.words == both.words
    again = asking(replace(both.example, about=both.example.about[:1]))
    assert again.words == both.words
    assert again.about[0].score == pytest.approx(both.about[0].score, abs=1e-5)
    assert asking.explain(both, about=0) == asking.explain(again)


def test_a_text_that_is_asked_about_in_parts_has_the_same_words_in_each(asking):
    text = "Happy Loss plc soared. " + "Bolt, " * 20
    bolts = [(n, n + 4) for n in range(23, len(text) - 1, 6)]
    said = asking(text, about=[(0, 14), *bolts])
    assert len(said.about) == 21
    assert [word.text for word in said.words] == ["soared"]
    rows = [row for one in asking.prepare([said.example]) for row in one.rows]
    assert {tuple(word.text for word in row.words) for row in rows} == {("soared",)}


# -- graphs by name, and recipes ------------------------------------------------------------------


def test_the_affect_graph_ships_with_kgfm(tmp_path):
    graph = affect_graph(tmp_path)
    assert [key for key in graph.keys if key.startswith("affect/")] == [
        "affect/negative",
        "affect/positive",
        "affect/subjective",
    ]
    assert len(graph) == 8251
    assert graph.num_triples == 9461
    words = WordLinker(graph)("A terrible day: losses, but she smiled at the wonderful book.")
    affects = {
        (word.text, graph.labels[tail])
        for word in words
        for head, tail in zip(graph.heads.tolist(), graph.tails.tolist(), strict=True)
        if graph.keys[head] == word.entity
    }
    assert ("terrible", "negative affect") in affects
    assert ("wonderful", "positive affect") in affects
    assert affect_graph(tmp_path).path == graph.path


def test_graphs_are_merged_once_by_what_is_in_them(firms, tmp_path):
    first = merged_graph({"firms": "own", "affect": "affect"}, firms, None, tmp_path)
    assert first.sources == ["firms", "affect"]
    again = merged_graph({"firms": "own", "affect": "affect"}, firms, None, tmp_path)
    assert again.path == first.path
    turned = merged_graph(["own", "affect"], firms, None, tmp_path)
    assert turned.path != first.path
    firms.save(tmp_path / "firms")
    by_path = merged_graph(["firms", "affect"], None, tmp_path, tmp_path)
    assert by_path.fingerprint == first.fingerprint
    assert merged_graph(["affect"], None, None, tmp_path).sources == ["affect"]


def test_a_graph_that_is_not_there_is_named_with_the_nearest(firms, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No graph afect: .* Did you mean 'affect'\?"):
        merged_graph(["own", "afect"], firms, None, tmp_path)
    with pytest.raises(ValueError, match="no graph of its own"):
        merged_graph(["own", "affect"], None, None, tmp_path)
    with pytest.raises(ValueError, match="each a name of its own"):
        merged_graph(["own", "own"], firms, None, tmp_path)
    with pytest.raises(TypeError, match=r"write \[affect\]"):
        merged_graph("affect", firms, None, tmp_path)
    assert {"affect", "world"} <= {*SHIPPED}


def test_what_a_merged_graph_holds_is_counted_by_source(graph):
    found = describe(graph)
    assert found["by_source"] == [
        {"source": "firms", "entities": 3, "triples": 1},
        {"source": "words", "entities": 5, "triples": 3},
    ]
    said = show.graph_info(found)
    assert "triples by source" in said
    assert "3  words  <5 entities>" in said
    assert "by source" not in show.graph_info(describe(graph.only("firms")))


def test_the_terminal_shows_words_behind_names(pipe):
    assert show.mentions(pipe(TEXT), pipe.graph) == (
        "'Apex Loss Adjusters' → Apex Loss Adjusters; words: 'soared' → soar, 'losses' → loss"
    )
    assert show.mentions(pipe("Bolt opens."), pipe.graph) == "'Bolt' → Bolt"


@pytest.fixture
def recipe(lexicon, tmp_path):
    lexicon.save(tmp_path / "lexicon")
    path = tiny_recipe(tmp_path, "classify")
    more = """
graph: {towns: own, lexicon: lexicon}
linker: {name: names, source: towns}
words: {name: words, source: lexicon}
fusion: mention-add
"""
    path.write_text(path.read_text() + more)
    return path


def test_a_recipe_names_graphs_and_words(recipe):
    read = read_recipe(recipe)
    check_parts(read)
    assert read.words == {"name": "words", "source": "lexicon"}
    dataset = load_dataset(read)
    assert dataset.graph.sources == ["towns", "lexicon"]
    assert read_recipe(recipe, ["--words=words"]).words == {"name": "words"}
    assert read_recipe(recipe, ["--words=null", "--linker=null"]).linker is None
    assert read_recipe(recipe, ['--graph=["own"]']).graph == ["own"]
    with pytest.raises(ValueError, match=r"no 'sorce'.* Did you mean 'source'"):
        read_recipe(recipe, ["--words.sorce=lexicon"])


def test_a_recipe_with_words_is_trained_and_saved(recipe):
    read = read_recipe(recipe)
    train(read)
    pipe = Pipeline.load(read.folder())
    assert pipe.words.source == "lexicon"
    assert [word.text for word in pipe("A happy town.").words] == ["happy"]


def test_controls_can_alter_one_source_alone(recipe, tmp_path):
    read = read_recipe(recipe)
    rows = ("with", "without", "shuffled:lexicon")
    table = controls(read, seeds=[0], out=tmp_path / "table", rows=rows)
    assert list(table["rows"]) == list(rows)
    assert "of lexicon alone" in table["meaning"]
    assert (tmp_path / "table" / "shuffled-lexicon-seed0" / "result.json").exists()
    assert "shuffled (lexicon)" in (tmp_path / "table" / "controls.md").read_text()
    for row, said in (("shuffled:towm", "No source 'towm'"), ("without:towns", "no 'source'")):
        with pytest.raises(ValueError, match=said):
            controls(read, seeds=[0], out=tmp_path / "other", rows=("with", row))
    assert not (tmp_path / "other").exists()


def test_a_shuffled_lexicon_leaves_the_other_source_as_it_is(recipe):
    read = read_recipe(recipe)
    dataset = load_dataset(read)
    shared = Shared(dataset, Linker(dataset.graph, source="towns"), None)
    control = CONTROLS.build({"name": "shuffled", "source": "lexicon"})
    made = control.pipeline(replace(read, seed=3), shared, Case(False, False))
    same, other = dataset.graph.only("towns"), made.graph.only("towns")
    assert same.fingerprint == other.fingerprint
    assert made.words.source == "lexicon"
