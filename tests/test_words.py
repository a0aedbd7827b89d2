"""Words of a graph found in texts, by themselves and by their base forms."""

from __future__ import annotations

import pickle

import pytest

from kgfm.graph import KnowledgeGraph
from kgfm.linking import LINKERS, WordLinker
from kgfm.linking.morphy import DETACHMENTS, base_forms

WORDS = ("loss", "soar", "hope", "hop", "good", "not", "care", "box", "policeman", "happy", ":)")


def graph_of(*words, aliases=None):
    records = [
        {"key": f"word/{word}", "label": word, "aliases": (aliases or {}).get(word, ())}
        for word in words
    ]
    return KnowledgeGraph.from_records(records, [])


def found(linker, text):
    mentions = linker(text)
    assert all(text[m.start : m.end] == m.text for m in mentions)
    return [(m.text, m.entity.removeprefix("word/")) for m in mentions]


@pytest.fixture(scope="module")
def linker():
    return WordLinker(graph_of(*WORDS))


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("losses", "loss"),
        ("boxes", "box"),
        ("churches", "church"),
        ("wishes", "wish"),
        ("quizzes", "quizz"),
        ("policemen", "policeman"),
        ("worries", "worry"),
        ("boxesful", "boxful"),
        ("soared", "soar"),
        ("hoped", "hope"),
        ("soaring", "soar"),
        ("caring", "care"),
        ("plunges", "plunge"),
        ("greater", "great"),
        ("nicest", "nice"),
    ],
)
def test_endings_are_detached_as_morphy_does(form, base):
    assert base in base_forms(form)


def test_what_has_no_ending_has_no_base_form():
    assert base_forms("") == base_forms("s") == base_forms("tree") == ()
    assert base_forms("hoped")[0] == "hope"  # ed -> e comes before ed -> nothing
    assert set(DETACHMENTS) == {"noun", "verb", "adjective"}


def test_words_are_found_in_whatever_form_they_stand(linker):
    text = "Shares SOARED on hopes; losses of policemen, not boxes."
    assert found(linker, text) == [
        ("SOARED", "soar"),
        ("hopes", "hope"),
        ("losses", "loss"),
        ("policemen", "policeman"),
        ("not", "not"),
        ("boxes", "box"),
    ]
    assert found(linker, "hoping, hopping, hop, hoped") == [
        ("hoping", "hope"),
        ("hop", "hop"),
        ("hoped", "hope"),
    ]


def test_base_forms_can_be_left_alone_and_words_left_out():
    exact = WordLinker(graph_of(*WORDS), lemmas=False)
    assert found(exact, "good losses") == [("good", "good")]
    without = WordLinker(graph_of(*WORDS), without=["Good", "loss"])
    assert found(without, "good losses, a loss, hopes") == [("hopes", "hope")]
    with pytest.raises(TypeError, match=r"write \['good'\]"):
        WordLinker(graph_of(*WORDS), without="good")


def test_a_name_that_is_there_is_no_form_of_another_and_the_longest_wins():
    linker = WordLinker(graph_of("good", "goods", "good will", "will"))
    assert found(linker, "goods of good will") == [("goods", "goods"), ("good will", "good will")]


def test_irregular_forms_are_aliases():
    linker = WordLinker(graph_of("fall", aliases={"fall": ["fell", "fallen"]}))
    assert found(linker, "It fell, has fallen and falls.") == [
        ("fell", "fall"),
        ("fallen", "fall"),
        ("falls", "fall"),
    ]


@pytest.mark.parametrize("text", ["(up 8:)", "x:)", ":):", "see :)."])
def test_what_ends_in_a_symbol_needs_white_space_around(linker, text):
    assert found(linker, text) == []
    assert found(linker, "fine :) and :)") == [(":)", ":)"), (":)", ":)")]


@pytest.mark.parametrize("text", ["", " ", "\n", "...", "\ud800 loss", "naïve 損失 \u0301"])
def test_texts_of_any_kind_have_words_or_none(linker, text):
    assert [word for _, word in found(linker, text)] == ["loss"] * ("loss" in text)


def test_one_by_one_is_all_together_and_what_was_learned_is_not_needed(linker):
    texts = ["good losses", "hopes", "", "a policeman soars"]
    together = linker.link(texts)
    assert [tuple(WordLinker(linker.graph)(text)) for text in texts] == together
    assert pickle.loads(pickle.dumps(linker)).link(texts) == together
    assert list(linker.pipe(iter(texts), batch_size=3)) == together
    assert linker.link([]) == []
    with pytest.raises(TypeError, match="linker"):
        linker.link("good")


def test_it_is_known_by_name_and_written_down():
    graph = graph_of(*WORDS)
    linker = LINKERS.build({"name": "words", "without": ["good"]}, graph=graph)
    written = LINKERS.written(linker)
    assert written == {"name": "words", "source": None, "lemmas": True, "without": ["good"]}
    assert LINKERS.build(written, graph=graph)("hopes good") == linker("hopes good")
