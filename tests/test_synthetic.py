"""Worlds with known answers."""

from __future__ import annotations

import pytest

from kgfm.linking import Linker
from kgfm.synthetic import RELATIONS, label_world, question_world

BOTH = pytest.mark.parametrize("make", [question_world, label_world])


def walk(graph, key, relation):
    row, kind = graph.row(key), graph.relation_row(relation)
    mine = (graph.heads == row) & (graph.relations == kind)
    return tuple(sorted(graph.keys[int(tail)] for tail in graph.tails[mine]))


def every(world):
    return world.train + world.validation + world.test


@BOTH
def test_mentions_have_exact_offsets_and_are_what_the_linker_finds(make):
    world = make()
    linker = Linker(world.graph)
    for example in every(world):
        (mention,) = example.mentions
        assert example.text[mention.start : mention.end] == mention.text
        assert [m.entity for m in linker(example.text)] == [mention.entity]


@BOTH
def test_no_topic_stands_in_two_parts(make):
    world = make()
    parts = [{e.mentions[0].entity for e in part} for part in world[1:4]]
    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts))


@BOTH
def test_the_seed_makes_the_world(make):
    first, same, other = make(seed=3), make(seed=3), make(seed=4)
    assert first[1:] == same[1:]
    assert first.graph.fingerprint == same.graph.fingerprint
    assert first.train != other.train


@BOTH
def test_mentions_can_be_left_to_the_linker(make):
    assert all(example.mentions is None for example in every(make(given_mentions=False)))


def test_the_graph_answers_every_question():
    world = question_world(answers=2, relations=4)
    for example in every(world):
        asked = next(relation for relation in RELATIONS if relation in example.text)
        assert walk(world.graph, example.mentions[0].entity, asked) == example.target
        assert len(example.target) == 2


def test_some_questions_have_no_answer_if_told_so():
    world = question_world(unanswerable=0.3)
    without = [example for example in every(world) if not example.target]
    assert 0.2 < len(without) / len(every(world)) < 0.4
    relations = {relation for e in without for relation in RELATIONS[:3] if relation in e.text}
    assert all(e.mentions[0].entity in world.graph for e in without)
    assert relations == set(RELATIONS[:3])


@pytest.mark.parametrize("hops", [1, 2])
def test_the_graph_tells_every_label(hops):
    world = label_world(hops=hops)
    for example in every(world):
        key = example.mentions[0].entity
        if hops == 2:
            (key,) = walk(world.graph, key, "friend")
        (town,) = walk(world.graph, key, "lives_in")
        assert world.graph.types(world.graph.row(town)) == example.target


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="relations is from 1 to 6, got 7"):
        question_world(relations=7)
    with pytest.raises(ValueError, match="hops is 1 or 2"):
        label_world(hops=3)
    with pytest.raises(ValueError, match="names for"):
        question_world(topics=1_000_000)
