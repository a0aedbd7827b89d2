"""Walks are followed exactly."""

from __future__ import annotations

import pytest

from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.walks import Sought, Step, Walk, answers

TRIPLES = [
    ("lima", "capital of", "peru"),
    ("cusco", "city of", "peru"),
    ("lima", "city of", "peru"),
    ("peru", "borders", "chile"),
    ("peru", "borders", "brazil"),
    ("chile", "borders", "peru"),
    ("brazil", "borders", "bolivia"),
    ("chile", "borders", "bolivia"),
]


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return KnowledgeGraph.from_records([], TRIPLES)


def walk(topic: str, *steps: str, come_back: bool = False) -> Walk:
    """``-borders`` is walked from tail to head."""
    taken = [Step(one.removeprefix("-"), not one.startswith("-")) for one in steps]
    return Walk(topic, tuple(taken), come_back)


def test_a_walk_leads_to_all_that_its_relations_join(graph: KnowledgeGraph) -> None:
    assert answers(graph, Sought((walk("peru", "-city of"),))) == ("cusco", "lima")
    assert answers(graph, Sought((walk("peru", "borders", "borders"),))) == ("bolivia",)


def test_a_walk_comes_back_to_its_topic_only_where_it_may(graph: KnowledgeGraph) -> None:
    back = walk("peru", "borders", "borders", come_back=True)
    assert answers(graph, Sought((back,))) == ("bolivia", "peru")


def test_several_walks_lead_to_what_they_share(graph: KnowledgeGraph) -> None:
    both = (walk("brazil", "borders"), walk("chile", "borders"))
    assert answers(graph, Sought(both)) == ("bolivia",)


def test_a_set_is_counted_and_asked_for_a_member(graph: KnowledgeGraph) -> None:
    cities = (walk("peru", "-city of"),)
    assert answers(graph, Sought(cities, "count")) == ("2",)
    assert answers(graph, Sought(cities, "yesno", "lima")) == ("yes",)
    assert answers(graph, Sought(cities, "yesno", "chile")) == ("no",)


def test_a_walk_may_end_in_values_each_once_in_the_order_of_the_rows() -> None:
    records = [
        EntityRecord("a", attributes={"height": 3776.0, "open": True}),
        EntityRecord("b", attributes={"height": [12, 3776]}),
    ]
    graph = KnowledgeGraph.from_records(records, [("r", "has", "a"), ("r", "has", "b")])
    for name, expected in (("height", ("3776", "12")), ("open", ("true",)), ("depth", ())):
        ends = Walk("r", (Step("has"), Step(name, literal=True)))
        assert answers(graph, Sought((ends,), "literal")) == expected


def test_a_question_that_makes_no_sense_is_refused(graph: KnowledgeGraph) -> None:
    with pytest.raises(ValueError, match="at least one walk"):
        Sought(())
    with pytest.raises(ValueError, match="about an entity"):
        Sought((walk("peru", "borders"),), "yesno")
    with pytest.raises(ValueError, match="last step"):
        Walk("peru", (Step("height", literal=True), Step("borders")))
    with pytest.raises(ValueError, match="values"):
        Sought((Walk("peru", (Step("height", literal=True),)),))
