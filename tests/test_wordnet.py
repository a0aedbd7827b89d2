"""WordNet as a graph, and the senses of its words in order."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from kgfm.graph import KnowledgeGraph
from kgfm.linking.formats import wsd
from kgfm.linking.senses import Senses

BUILD = Path(__file__).parents[1] / "graphs" / "wordnet" / "build.py"
LICENCE = "  1 This software and database is being provided to you  \n"
DATA = {
    "noun": LICENCE
    + "00000100 03 n 01 entity 0 001 ~ 00000200 n 0000 | that which is perceived  \n"
    + "00000200 04 n 02 Film 0 motion_picture 1 003 @ 00000100 n 0000 + 00000300 v 0101 "
    + ';c 00000100 n 0000 | a form of entertainment; "they went to see a film"  \n',
    "verb": "00000300 36 v 01 film 1 001 + 00000200 n 0101 02 + 08 00 + 10 00 | make a film of  \n",
    "adj": "00000400 00 a 01 able(p) 0 001 & 00000500 a 0000 | having the skill  \n"
    "00000500 00 s 01 adept 0 001 & 00000400 a 0000 | having knowledge  \n",
    "adv": "00000600 02 r 01 ably 0 001 \\ 00000400 a 0101 | in an able manner  \n",
}
INDEX = """able%3:00:00:: 00000400 1 9
ably%4:02:00:: 00000600 1 0
adept%5:00:00:able:00 00000500 1 2
entity%1:03:00:: 00000100 1 11
film%1:04:00:: 00000200 2 3
film%2:36:00:: 00000300 1 5
motion_picture%1:04:00:: 00000200 1 1
"""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "dict"
    path.mkdir()
    for name, text in DATA.items():
        (path / f"data.{name}").write_text(text)
    (path / "index.sense").write_text(INDEX)
    return path


@pytest.fixture
def graph(folder):
    return KnowledgeGraph.from_layout("wordnet", folder)


def triples(graph):
    columns = (graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist())
    return {
        (graph.labels[h], graph.relation_labels[r], graph.labels[t])
        for h, r, t in zip(*columns, strict=True)
    }


def test_a_synset_has_its_lemmas_gloss_and_types(graph):
    row = graph.row("00000200-n")
    assert graph.names(row) == ("Film", "motion picture")
    assert graph.descriptions[row] == 'a form of entertainment; "they went to see a film"'
    assert graph.types(row) == ("noun", "noun.act")
    assert graph.names(graph.row("00000400-a")) == ("able",)


def test_pointers_are_named_triples_and_none_says_the_inverse(folder, graph):
    one_way = {
        ("Film", "hypernym", "entity"),
        ("Film", "domain topic", "entity"),
        ("Film", "derivationally related form", "film"),
        ("film", "derivationally related form", "Film"),
        ("able", "similar to", "adept"),
        ("adept", "similar to", "able"),
        ("ably", "derived from adjective", "able"),
    }
    assert triples(graph) == one_way
    both = KnowledgeGraph.from_layout("wordnet", folder, inverses=True)
    assert triples(both) == one_way | {("entity", "hyponym", "Film")}


def test_senses_come_in_the_order_of_wordnet(folder, tmp_path):
    (folder / "index.sense").write_text(INDEX + "film%1:03:00:: 00000100 1 40\n")
    senses = Senses(KnowledgeGraph.from_layout("wordnet", folder).save(tmp_path / "graph"))
    assert len(senses) == 8
    assert [(s.synset, s.order, s.tagged) for s in senses.of("Film", "NOUN")] == [
        ("00000100-n", 1, 40),
        ("00000200-n", 2, 3),
    ]
    assert senses.of("motion picture", "n")[0].key == "motion_picture%1:04:00::"
    assert [s.synset for s in senses.of("film", "v")] == ["00000300-v"]
    assert senses.of("film", "PRON") == senses.of("nothing", "n") == ()
    assert senses.key_of("00000200-n", "film", "NOUN") == "film%1:04:00::"
    assert senses.key_of("00000300-v", "film", "NOUN") is None


def test_a_key_finds_its_synset_and_satellites_are_folded(graph):
    senses = Senses(graph)
    assert senses.sense("film%2:36:00::").synset == "00000300-v"
    assert senses.sense("adept%3:00:00::").synset == "00000500-a"
    assert senses.sense("able%5:00:00:fit:00").synset == "00000400-a"
    assert senses.sense("able%3:00:07::") is senses.sense("film%1:99:00::") is None


def test_a_graph_of_something_else_has_no_senses():
    with pytest.raises(ValueError, match="--layout wordnet"):
        Senses(KnowledgeGraph.from_records([{"key": "a", "label": "a"}], []))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("data.noun", DATA["noun"] + "nonsense\n", "data.noun, row 4: no synset"),
        ("data.verb", DATA["verb"].replace(" + 0", " ? 0", 1), "unknown pointer '[?]'"),
        ("data.verb", DATA["verb"].replace("001 +", "009 +"), "no synset"),
        ("data.adv", DATA["adv"].replace(" | ", " "), "no synset"),
        ("index.sense", "film%9:36:00:: 00000300 1 5\n", "row 1: no sense"),
        ("index.sense", "film%2:36:00:: 00000300 1\n", "row 1: 3 fields"),
    ],
)
def test_a_damaged_file_is_refused_with_the_row(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        KnowledgeGraph.from_layout("wordnet", folder)


def test_the_script_builds_a_snapshot(folder, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("wordnet_build", BUILD)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(folder), "--out", str(tmp_path / "out")])
    assert "6 entities" in capsys.readouterr().out
    assert KnowledgeGraph.open(tmp_path / "out").label("00000100-n") == "entity"


# -- the WSD evaluation framework ------------------------------------------------------------------

XML = """<?xml version="1.0" encoding="UTF-8" ?>
<corpus lang="en"><text id="d0"><sentence id="d0.s0">
<wf lemma="the" pos="DET">The</wf>
<instance id="d0.s0.t0" lemma="film" pos="NOUN">films &amp; more</instance>
<wf lemma="be" pos="VERB">are</wf>
<instance id="d0.s0.t1" lemma="able" pos="ADJ">able</instance>
</sentence></text></corpus>
"""
KEYS = "d0.s0.t0 film%1:04:00:: entity%1:03:00::\nd0.s0.t1 able%3:00:00::\n"


@pytest.fixture
def framework(tmp_path):
    (tmp_path / "x.data.xml").write_text(XML)
    (tmp_path / "x.gold.key.txt").write_text(KEYS)
    return tmp_path / "x.data.xml"


def test_the_framework_is_read_with_exact_offsets(framework, graph):
    (sentence,) = wsd.read(framework)
    assert sentence.text == "The films & more are able"
    assert [sentence.text[i.start : i.end] for i in sentence.instances] == ["films & more", "able"]
    document = sentence.document(Senses(graph))
    assert [m.entity for m in document.example().mentions] == ["00000200-n", "00000400-a"]
    assert [key for key, _ in document.mentions[0].candidates] == ["00000200-n", "00000100-n"]


def test_links_become_a_key_file_that_scores_as_the_framework_does(framework, graph, tmp_path):
    senses, sentences = Senses(graph), wsd.read(framework)
    linked = [sentence.document(senses).mentions for sentence in sentences]
    answers = wsd.keys_of(sentences, linked, senses)
    wsd.write_keys(tmp_path / "answers.txt", answers)
    assert wsd.read_keys(tmp_path / "answers.txt") == answers
    gold = wsd.read_keys(tmp_path / "x.gold.key.txt")
    assert wsd.score(gold, answers) == (1.0, 1.0, 1.0, 2, 2)
    half = wsd.score(gold, {"d0.s0.t1": ("able%3:00:00::", "adept%5:00:00:able:00")})
    assert half[:3] == (0.5, 0.25, pytest.approx(1 / 3))
    assert wsd.score(gold, {})[:3] == (0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="has blanks or is empty"):
        wsd.write_keys(tmp_path / "answers.txt", {"a b": ("x%1:00:00::",)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (XML.replace("</sentence>", ""), "x.data.xml, line 7: mismatched tag"),
        (XML.replace(' lemma="able"', ""), "line 6: <instance> has no lemma"),
        (XML.replace(">are<", "> <"), "line 5: <wf> is empty"),
        (XML.replace('<sentence id="d0.s0">', ""), "line 3: <wf> is in no <sentence>"),
        (
            XML.replace("<corpus", '<!DOCTYPE c [<!ENTITY a "b">]><corpus'),
            "line 2: it defines an XML entity",
        ),
    ],
)
def test_a_malformed_xml_is_refused_with_the_line(framework, text, message):
    framework.write_text(text)
    with pytest.raises(ValueError, match=message):
        wsd.read(framework)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a x%1:00:00::\na\n", "line 2: 'a' is not 'id sense_key"),
        ("a x%1:00:00::\na x%1:00:00::\n", "line 2: 'a' has keys already"),
    ],
)
def test_a_malformed_key_file_is_refused_with_the_line(tmp_path, text, message):
    (tmp_path / "keys.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        wsd.read_keys(tmp_path / "keys.txt")


def test_semcor_is_read_sentence_by_sentence(tmp_path):
    path = tmp_path / "semcor.tsv"
    path.write_text(
        "# b/a01 1\nThe\tthe\tDT\t\t1\nmotion_picture\tmotion_picture\tNN\tfilm%1:04:00::\t1\n"
        "_\t_\tSYM\t\t1\n\n# b/a01 2\nably\tably\tRB\tably%4:02:00::\t1\n"
    )
    first, second = wsd.read_semcor(path)
    assert (first.id, first.text) == ("b/a01.1", "The motion picture _")
    (instance,) = first.instances
    assert first.text[instance.start : instance.end] == "motion picture"
    assert (instance.lemma, instance.pos) == ("motion_picture", "n")
    assert second.instances[0].keys == ("ably%4:02:00::",)
    path.write_text("# b/a01 1\nThe\tthe\n")
    with pytest.raises(ValueError, match=r"line 2: .* is not 'token lemma"):
        list(wsd.read_semcor(path))


# -- the real thing -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wordnet(public_data):
    return KnowledgeGraph.from_layout("wordnet", public_data / "wsd" / "wordnet-3.0-dict.tar.gz")


@pytest.mark.data
@pytest.mark.slow
def test_wordnet_has_all_its_synsets_and_senses_and_every_gold_key(public_data, wordnet):
    assert len(wordnet) == 117_659
    senses = Senses(wordnet)
    assert len(senses) == 206_941
    sentences = wsd.read(public_data / "wsd" / "eval" / "semeval2007.data.xml")
    keys = [key for sentence in sentences for one in sentence.instances for key in one.keys]
    assert len({one.id for sentence in sentences for one in sentence.instances}) == 455
    missing = [key for key in keys if key not in senses._by_key]
    assert not missing
    for sentence in sentences:
        for one in sentence.instances:
            listed = {sense.key for sense in senses.of(one.lemma, one.pos)}
            assert listed & {*one.keys}, one


@pytest.mark.data
@pytest.mark.slow
def test_what_is_left_out_is_there_the_other_way_round(public_data, wordnet):
    path = public_data / "wsd" / "wordnet-3.0-dict.tar.gz"
    both = KnowledgeGraph.from_layout("wordnet", path, inverses=True)
    names = dict(enumerate(both.relation_labels))
    inverse = {
        "hyponym": "hypernym",
        "instance hyponym": "instance hypernym",
        **{f"{k} meronym": f"{k} holonym" for k in ("member", "substance", "part")},
        **{f"member of domain {k}": f"domain {k}" for k in ("topic", "region", "usage")},
    }
    found = {
        (names[r], h, t)
        for h, r, t in zip(
            both.heads.tolist(), both.relations.tolist(), both.tails.tolist(), strict=True
        )
    }
    lost = [
        one for one in found if one[0] in inverse and (inverse[one[0]], one[2], one[1]) not in found
    ]
    assert not lost, lost[:5]


def test_attributes_of_senses_are_texts(graph):
    row = graph.row("00000200-n")
    listed = graph.attributes(row)["senses"]
    assert json.dumps(listed) == '["film%1:04:00:: 2 3", "motion_picture%1:04:00:: 1 1"]'
