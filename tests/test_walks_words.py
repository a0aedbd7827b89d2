"""What a question seeks, as people read it."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kgfm.walks.words
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.walks import Sought, Step, Walk, in_words


def test_the_examples_in_its_documentation_hold() -> None:
    found = doctest.testmod(kgfm.walks.words)
    assert found.failed == 0
    assert found.attempted > 8


def one_walk(name: str, relation: str = "r") -> str:
    graph = KnowledgeGraph.from_records(
        [EntityRecord("a", name), EntityRecord("b", "end")], [("a", relation, "b")]
    )
    return in_words(Sought((Walk("a", (Step(relation),)),)), graph)


def test_three_steps_read_from_left_to_right() -> None:
    graph = KnowledgeGraph.from_records([], [("Heat", "directedBy", "Mann"), ("Ali", "by", "Mann")])
    steps = (Step("directedBy"), Step("by", forward=False), Step("by"))
    assert in_words(Sought((Walk("Heat", steps),)), graph) == ("Heat –directed by→ · ←by– · –by→ ?")


def test_a_long_name_is_cut_in_the_middle() -> None:
    said = one_walk("The Assassination of Jesse James by the Coward Robert Ford")
    assert said == "The Assassination of…Coward Robert Ford –r→ ?"


def test_a_name_written_to_the_left_stands_in_an_isolate() -> None:
    assert one_walk("القاهرة") == "\u2068القاهرة\u2069 –r→ ?"


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.text("a \n\u202e", min_size=1)
)
def test_whatever_a_name_holds_it_is_one_line_and_turns_nothing(name: str, relation: str) -> None:
    said = one_walk(name, relation)
    assert len(said.splitlines()) == 1
    assert "\u202e" not in said
    assert said.count("\u2068") == said.count("\u2069")
    assert len(said) < 100


def test_what_the_graph_lacks_is_named() -> None:
    graph = KnowledgeGraph.from_records([], [("a", "borders", "b")])
    with pytest.raises(KeyError, match="border"):
        in_words(Sought((Walk("a", (Step("border"),)),)), graph)
