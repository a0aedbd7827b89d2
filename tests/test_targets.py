"""What is right about a question: its kind, its gold triples, and names that become keys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kgfm import Pipeline
from kgfm.datasets.jsonl import read_examples
from kgfm.datasets.targets import resolved
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.synthetic import World, question_world
from kgfm.types import KINDS, Example


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return KnowledgeGraph.from_records(
        [
            EntityRecord("film/1", "Heat", ["Heat (1995)"], attributes={"year": 1995}),
            EntityRecord("film/2", "Alien"),
            EntityRecord("song/1", "Alien"),
            EntityRecord("person/1", "Mann", ["Michael Mann"]),
            EntityRecord("Heat", "Thing"),
        ],
        [("film/1", "directed by", "person/1")],
    )


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_a_line_may_say_its_kind_and_gold(tmp_path: Path, graph: KnowledgeGraph) -> None:
    gold = [["film/1", "directed by", "person/1"], ["film/1", "year", "1995"]]
    line = {"text": "How many?", "target": "3", "kind": "count", "gold": gold}
    (example,) = read_examples(write(tmp_path / "q.jsonl", line), graph)
    assert (example.kind, example.target) == ("count", ("3",))
    assert example.gold == (("film/1", "directed by", "person/1"), ("film/1", "year", "1995"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "counts"}, "'kind' is one of entity, count, yesno, literal; got 'counts'"),
        ({"kind": 3}, "'kind' is one of entity, count"),
        ({"kinds": "count"}, "unknown 'kinds'. Did you mean 'kind'"),
        ({"gold": "film/1"}, "'gold' is a list of triples"),
        ({"gold": [["film/1", "directed by"]]}, "'gold' is a list of triples"),
        ({"gold": [["film/1", "directed by", 3]]}, "'gold' is a list of triples"),
        ({"gold": [["film/9", "directed by", "person/1"]]}, "gold: No entity 'film/9'"),
        ({"gold": [["film/1", "directed", "person/1"]]}, "gold: No relation 'directed'"),
        ({"gold": [["film/1", "directed by", "1995"]]}, "gold: No entity '1995'"),
        ({"gold": [["film/2", "year", "1995"]]}, "gold: No relation 'year'"),
    ],
)
def test_what_is_wrong_with_kind_or_gold_is_named_with_file_and_line(
    tmp_path: Path, graph: KnowledgeGraph, fields: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / "q.jsonl", {"text": "fine"}, {"text": "Who?"} | fields)
    with pytest.raises(ValueError, match=r"q\.jsonl, line 2: ") as raised:
        read_examples(path, graph)
    assert reason in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_takes_every_kind(kind: str) -> None:
    assert Example("What?", ("3",), kind=kind).kind == kind


def test_a_name_that_one_entity_bears_becomes_its_key(graph: KnowledgeGraph) -> None:
    asked = [Example("?", ("Michael Mann", "film/2", "Mann")), Example("?", ()), Example("?")]
    assert [one.target for one in resolved(asked, graph)] == [("person/1", "film/2"), (), None]


def test_a_key_goes_before_a_name(graph: KnowledgeGraph) -> None:
    assert resolved([Example("?", ("Heat", "Mann"))], graph)[0].target == ("Heat", "person/1")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "entity"])
def test_strings_are_no_names(graph: KnowledgeGraph, kind: str) -> None:
    asked = (Example("?", ("Mann", "3"), kind=kind),)
    assert resolved(asked, graph) == asked


def test_all_that_is_not_sure_is_counted_and_the_first_ten_are_listed(
    tmp_path: Path, graph: KnowledgeGraph
) -> None:
    lines = [{"text": "?", "target": ["Alien", "person/1"]}, {"text": "?", "target": "Mann"}]
    lines += [{"text": "?", "target": f"nobody {number}"} for number in range(12)]
    examples = read_examples(write(tmp_path / "q.jsonl", *lines), graph)
    with pytest.raises(KeyError, match="13 right answers are not sure") as raised:
        resolved(examples, graph)
    said = str(raised.value)
    assert "q.jsonl, line 1: 'Alien' is borne by 'film/2', 'song/1'" in said
    assert "line 3: 'nobody 0' is neither a key nor a name" in said
    assert "nobody 8" in said
    assert "nobody 9" not in said
    assert "and 3 more" in said


@pytest.fixture(scope="module")
def world() -> World:
    return question_world(topics=16)


@pytest.fixture(scope="module")
def pipe(world: World) -> Pipeline:
    return Pipeline(world.graph, backbone="tiny-bert", text_encoder="tiny-bert")


def by_name(world: World, examples: Sequence[Example]) -> list[Example]:
    def names(example: Example) -> tuple[str, ...]:
        return tuple(world.graph.label(key) for key in example.target or ())

    return [replace(example, target=names(example)) for example in examples]


def test_a_pipeline_takes_names_for_keys(world: World, pipe: Pipeline) -> None:
    asked = world.test[:20]
    assert by_name(world, asked) != list(asked)
    assert pipe.evaluate(by_name(world, asked)) == pipe.evaluate(asked)


def test_a_pipeline_refuses_names_that_are_not_sure(
    tmp_path: Path, world: World, pipe: Pipeline
) -> None:
    wrong = [replace(world.test[0], target=("nobody",))]
    with pytest.raises(KeyError, match="1 right answers are not sure"):
        pipe.evaluate(wrong)
    with pytest.raises(KeyError, match="1 right answers are not sure"):
        pipe.fit(wrong, world.validation, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
