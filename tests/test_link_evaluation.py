"""A linker against gold mentions: each figure on texts where it can be counted by hand."""

from __future__ import annotations

import json
import math

import pytest

from kgfm.cli import main
from kgfm.graph import KnowledgeGraph
from kgfm.linking import BaseLinker, Linker
from kgfm.linking.evaluate import FALSE, MISSED, evaluate, keys_by_attribute
from kgfm.linking.formats import Document
from kgfm.types import Example, Mention

ENTITIES = [
    {"key": key, "label": key.upper(), "attributes": {"wikidata": f"Q{place}"}}
    for place, key in enumerate("abcdef")
]


@pytest.fixture(scope="module")
def graph():
    return KnowledgeGraph.from_records(ENTITIES, [])


TEXT = "0123456789" * 4


def mention(start, end, entity, score=1.0, candidates=()):
    return Mention(start, end, TEXT[start:end], entity, score, candidates)


class Given(BaseLinker):
    def __init__(self, graph, *found):
        self.graph, self.found = graph, iter(found)

    def link(self, texts):
        return [next(self.found) for _ in texts]


def measured(graph, gold, found, **more):
    return evaluate(Given(graph, tuple(found)), [Document(TEXT, tuple(gold), **more)])


def test_everything_right_is_one(graph):
    gold = [mention(0, 2, "a"), mention(4, 6, "b")]
    found = measured(graph, gold, gold)
    assert found.micro == found.spans == (1, 1, 1)
    assert found.macro_f1 == 1
    assert found.candidate_recall[1] == found.accuracy_given_candidate == 1
    assert found.calibration_error == 0
    assert not any(found.missed.values())
    assert not any(found.false.values())


def test_each_cause_is_told_from_the_others(graph):
    among = (("b", 0.6), ("a", 0.4))
    gold = [
        mention(0, 2, "a"),  # span missed
        mention(4, 6, "a"),  # other boundaries
        mention(8, 10, "a"),  # said to be NIL
        mention(12, 14, "a"),  # candidate missing
        mention(16, 18, "a"),  # wrong candidate
        mention(20, 22, "a"),  # right
        mention(24, 26, None),  # should be NIL
        mention(32, 34, "not in the graph"),  # not linked, as it should be
    ]
    found = measured(
        graph,
        gold,
        [
            mention(4, 7, "a", 0.5),
            mention(8, 10, None, 0.5, among),
            mention(12, 14, "c", 0.5, (("c", 1.0),)),
            mention(16, 18, "b", 0.5, among),
            mention(20, 22, "a", 0.5, (("a", 1.0),)),
            mention(24, 26, "a", 0.5),
            mention(28, 30, "a", 0.5),
        ],
    )
    assert found.missed == dict.fromkeys(MISSED, 1)
    assert found.false == dict.fromkeys(FALSE, 1) | {"wrong entity": 2}
    assert (found.gold, found.links) == (6, 6)
    assert found.micro == (1 / 6, 1 / 6, 1 / 6)
    assert found.spans == (3 / 6, 3 / 6, 3 / 6)
    assert found.candidate_recall == {1: 1 / 6, 5: 3 / 6, 16: 3 / 6, 64: 3 / 6}
    assert found.candidate_recall_given_span[5] == 3 / 4
    assert found.accuracy_given_candidate == 1 / 3
    assert (found.nil_gold, found.nil_not_linked) == (2, 1 / 2)
    assert found.nil[:2] == (0, 0)
    assert found.calibration_error == pytest.approx(0.5 - 1 / 6)


def test_a_text_without_anything_counts_for_the_macro_figure_only(graph):
    gold = [Document(TEXT, (mention(0, 2, "a"),)), Document(TEXT), Document(TEXT)]
    found = evaluate(Given(graph, (), (), (mention(0, 2, "a"),)), gold)
    assert found.macro_f1 == pytest.approx(1 / 3)
    assert found.micro.f1 == 0
    assert math.isnan(found.accuracy_given_candidate)


def test_what_lies_outside_or_is_ignored_does_not_count(graph):
    gold = [mention(10, 12, "a"), mention(30, 32, "b")]
    links = [mention(0, 2, "a"), mention(10, 12, "a"), mention(15, 17, "c"), mention(30, 32, "b")]
    found = measured(graph, gold, links, evaluated=(10, 20), ignored=(mention(14, 16, "DATETIME"),))
    assert (found.gold, found.links) == (1, 1)
    assert found.micro == (1, 1, 1)


def test_gold_may_name_entities_by_an_attribute(graph):
    gold = [Document(TEXT, (mention(0, 2, "Q0"), mention(4, 6, "Q99")))]
    links = (mention(0, 2, "a"), mention(4, 6, "b"))
    found = evaluate(Given(graph, links), gold, key_of=keys_by_attribute(graph, "wikidata"))
    assert (found.gold, found.nil_gold, found.micro.recall) == (1, 1, 1)
    with pytest.raises(ValueError, match="has the attribute 'qid'; there are wikidata"):
        keys_by_attribute(graph, "qid")


def test_examples_will_do_and_progress_is_told(graph):
    done = []
    example = Example("A and B", None, (Mention(0, 1, "A", "a"), Mention(6, 7, "B", "b")))
    found = evaluate(Linker(graph, guard=False), [example, example], progress=done.append)
    assert found.micro.f1 == 1
    assert done == [1, 2]


def test_given_gold_spans_leave_only_the_choice(graph):
    gold = [Document("A and B", (mention(0, 1, "a"), mention(2, 5, None), mention(6, 7, "b")))]
    found = evaluate(Linker(graph, guard=False), gold, gold_spans=True)
    assert found.micro.f1 == found.spans.f1 == 1
    assert found.nil.f1 == 1
    with pytest.raises(TypeError, match="finds its spans itself"):
        evaluate(Given(graph, ()), gold, gold_spans=True)


def test_gold_without_mentions_is_refused(graph):
    with pytest.raises(ValueError, match="None of the 1 texts has a gold mention"):
        evaluate(Linker(graph), [Document(TEXT)])


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    KnowledgeGraph.from_records(
        [
            {"key": "film/Heat", "label": "Heat", "attributes": {"id": "Q1"}},
            {"key": "person/Mann", "label": "Michael Mann", "attributes": {"id": "Q2"}},
        ],
        [("film/Heat", "director", "person/Mann")],
    ).save(folder / "graph")
    return folder


def test_the_command_prints_tables_and_writes_json(films, tmp_path, capsys):
    gold = {
        "text": "Heat is by Michael Mann.",
        "labels": [
            {"span": [0, 4], "entity_id": "Q1"},
            {"span": [11, 23], "entity_id": "Q9"},
        ],
    }
    (tmp_path / "gold.jsonl").write_text(json.dumps(gold))
    command = ["link", str(films / "graph"), "--evaluate", str(tmp_path / "gold.jsonl")]
    options = ["--format", "elevant", "--ids", "id", "--json", str(tmp_path / "figures.json")]
    assert main([*command, *options]) == 0
    printed = capsys.readouterr().out
    assert "1 texts, 1 gold mentions of entities in the graph, 2 links" in printed
    for line in (*MISSED, *FALSE, "expected calibration error", "candidate recall"):
        assert line in printed
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["micro"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3)}
    assert figures["false"]["should be NIL"] == 1
    assert figures["nil"]["precision"] is None


def test_the_command_takes_a_ranked_linker_and_gold_spans(films, tmp_path, capsys):
    (tmp_path / "gold.jsonl").write_text(
        '{"text": "He saw Heat by Mann.", "mentions": ['
        '{"start": 7, "end": 11, "entity": "film/Heat"}, '
        '{"start": 15, "end": 19, "entity": "person/Mann"}]}\n'
    )
    command = ["link", str(films / "graph"), "--evaluate", str(tmp_path / "gold.jsonl")]
    assert main([*command, "--fuzzy", "--ranked", "--gold-spans"]) == 0
    assert "links, micro 1.0000 1.0000 1.0000" in " ".join(capsys.readouterr().out.split())
    assert main(["link", str(films / "graph"), "Heat", "--gold-spans"]) == 2
    assert "--evaluate" in capsys.readouterr().err


def test_the_command_reads_its_own_output_as_gold(films, tmp_path, capsys):
    assert main(["link", str(films / "graph"), "Heat is by Michael Mann."]) == 0
    (tmp_path / "gold.jsonl").write_text(capsys.readouterr().out)
    command = ["link", str(films / "graph"), "--evaluate", str(tmp_path / "gold.jsonl")]
    assert main(command) == 0
    assert "links, micro 1.0000 1.0000 1.0000" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--evaluate", "x", "--format", "elevent"], "'elevant'"),
        (["--evaluate", "missing", "--format", "nif"], "No file missing"),
        (["a text", "--evaluate", "x"], "leave out"),
        (["a text", "--json", "x"], "--evaluate"),
        (["a text", "--out", "x"], "--file"),
        ([], "give a text"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(films, capsys, options, message):
    assert main(["link", str(films / "graph"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
