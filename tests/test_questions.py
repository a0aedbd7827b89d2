"""Questions made from a graph: how they read, what is right, what is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kgfm.cli import main
from kgfm.datasets import jsonl
from kgfm.datasets.jsonl import read_examples
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.questions import PARTS, Made, make, make_parts, write
from kgfm.questions.index import Index
from kgfm.questions.labels import is_code, reading_of, time_of
from kgfm.questions.own import own_patterns
from kgfm.questions.text import said
from kgfm.questions.wording import Speaker
from kgfm.walks import answers, follow

HOSTILE = (
    'The "Lion"',
    "{topic}",
    "{about} {x}",
    "O'Neil",
    "What?",
    "naïve İstanbul",
    "\U0001f600",
)


def museum(hostile: bool = False) -> KnowledgeGraph:
    """Painters, paintings, rooms and a few cities; years and prices."""
    random = np.random.default_rng(0)
    records, triples = [], []
    for number in range(40):
        name = f"{HOSTILE[number % 7]} {number}" if hostile else f"Painting {number}x"
        values: dict[str, Any] = {"painted in": 1600 + 5 * number} if number % 4 else {}
        values |= {"insured value": 10.5 + number, "wiki": "w" * 200}
        aliases, types = (f"Alias {number}",), ("painting",)
        records.append(EntityRecord(f"w{number}", name, aliases, types=types, attributes=values))
        triples.append((f"w{number}", "painted by", f"p{random.integers(12)}"))
        triples.append((f"w{number}", "hangs in", f"r{random.integers(5)}"))
        if number % 2:
            triples.append((f"w{number}", "style", f"s{random.integers(3)}"))
    records += [EntityRecord(f"p{n}", f"Painter {n}x", types=("painter",)) for n in range(12)]
    records += [EntityRecord(f"r{n}", f"Room {n}x", types=("room",)) for n in range(5)]
    records += [EntityRecord(f"s{n}", f"Style {n}x", types=("style",)) for n in range(3)]
    triples += [(f"p{n}", "student of", f"p{n + 1}") for n in range(11)]
    return KnowledgeGraph.from_records(records, triples)


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return museum()


@pytest.fixture(scope="module")
def made(graph: KnowledgeGraph) -> list[Made]:
    return make(graph, number=300)


def wordings(
    triples: list[tuple[str, str, str]], topic: str, *walk: str, kind: Any = "entity", type_: str
) -> set[str]:
    """How a walk is asked for; a relation with a minus before it is walked back."""
    keys = sorted({key for head, _, tail in triples for key in (head, tail)})
    types = (type_,) if type_ else ()
    graph = KnowledgeGraph.from_records(
        [EntityRecord(key, key, types=types) for key in keys], triples
    )
    index, row = Index(graph), graph.row(topic)
    steps = [graph.relation_row(name.lstrip("-")) for name in walk]
    steps = [
        index.inverse(step) if name.startswith("-") else step
        for step, name in zip(steps, walk, strict=True)
    ]
    speaker = Speaker(index, own_patterns(index, None), np.random.default_rng(0))
    asked = [speaker.question(kind, row, steps, [2] * len(steps)) for _ in range(60)]
    return {said(pieces)[0] for pieces in asked}


# -- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "shape", "words"),
    [
        ("capital", "noun", "capital"),
        ("hasGenre", "noun", "genre"),
        ("http://example.org/v#placeOfBirth", "noun", "place of birth"),
        ("/people/person/spouse", "noun", "spouse"),
        ("is the author of", "role", "author"),
        ("member_of", "role", "member"),
        ("isa", "role", "kind"),
        ("directed by", "passive", "directed by"),
        ("located in country", "passive", "located in"),
        ("capable of", "passive", "capable of"),
        ("bordersWith", "verb", "borders with"),
        ("causes desire", "verb", "causes"),
        ("", "noun", "relation"),
    ],
)
def test_a_label_is_read_as_what_it_says(label: str, shape: str, words: str) -> None:
    assert (reading_of(label).shape, reading_of(label).label) == (shape, words)


@pytest.mark.parametrize("label", ["P19", "RO_0002202", "http://a.org/p/Q7", "7f3a91c0", "42", "_"])
def test_a_code_says_nothing(label: str) -> None:
    assert is_code(label)


@pytest.mark.parametrize("label", ["capital", "part of", "isa", "父", "ISBN", "top 10 songs"])
def test_a_word_is_no_code(label: str) -> None:
    assert not is_code(label)


def test_an_attribute_can_say_when() -> None:
    assert time_of(reading_of("population")) is None
    assert time_of(reading_of("located in"))  # the values decide whether it is a time


DIRECTED = [("Heat", "directed by", "Mann"), ("Ali", "directed by", "Mann")]
LAND = [("Peru", "borders", "Chile"), ("Lima", "capital of", "Peru")]
LIVES = [
    ("Ann", "born in", "Rome"),
    ("Ann", "works for", "Acme"),
    ("Ann", "spouse", "Bob"),
    ("Ann", "language spoken", "Latin"),
]


@pytest.mark.parametrize(
    ("triples", "topic", "walk", "kind", "type_", "expected"),
    [
        (DIRECTED, "Heat", ["directed by"], "entity", "", "By whom was Heat directed?"),
        (DIRECTED, "Mann", ["-directed by"], "entity", "", "What did Mann direct?"),
        (
            DIRECTED,
            "Mann",
            ["-directed by"],
            "entity",
            "film",
            "Which films were directed by Mann?",
        ),
        (
            DIRECTED,
            "Heat",
            ["directed by", "-directed by"],
            "entity",
            "",
            "What was directed by the people who directed Heat?",
        ),
        (LAND, "Peru", ["borders"], "entity", "", "What does Peru border?"),
        (LAND, "Chile", ["-borders"], "entity", "country", "Which countries border Chile?"),
        (LAND, "Peru", ["borders"], "entity", "", "What is bordered by Peru?"),
        (LAND, "Chile", ["-borders"], "count", "", "How many things border Chile?"),
        (
            LAND,
            "Peru",
            ["-capital of"],
            "entity",
            "",
            "Name everything that is the capital of Peru.",
        ),
        (LIVES, "Ann", ["born in"], "entity", "", "Where was Ann born?"),
        (LIVES, "Acme", ["-works for"], "entity", "", "Who works for Acme?"),
        (LIVES, "Bob", ["-spouse"], "entity", "", "Name everyone whose spouse is Bob."),
        (
            LIVES,
            "Ann",
            ["language spoken"],
            "count",
            "",
            "How many languages spoken does Ann have?",
        ),
    ],
)
def test_a_question_reads_as_english(
    triples: list[tuple[str, str, str]],
    topic: str,
    walk: list[str],
    kind: str,
    type_: str,
    expected: str,
) -> None:
    assert expected in wordings(triples, topic, *walk, kind=kind, type_=type_)


def test_what_one_step_leads_to_from_two_is_asked_in_one_clause() -> None:
    triples = [("Peru", "borders", "Chile"), ("Bolivia", "borders", "Chile")]
    graph = KnowledgeGraph.from_records([], triples)
    index, topics = Index(graph), [graph.row("Peru"), graph.row("Bolivia")]
    speaker = Speaker(index, own_patterns(index, None), np.random.default_rng(0))
    asked = {said(speaker.both("entity", topics, [0, 0], 1))[0] for _ in range(40)}
    assert "What is bordered by both Peru and Bolivia?" in asked
    assert "What is bordered by Peru and is bordered by Bolivia?" in asked


# -- what is made ---------------------------------------------------------------------------------


def test_answers_are_what_the_walks_lead_to(graph: KnowledgeGraph, made: list[Made]) -> None:
    assert len(made) == 300
    for one in made:
        expected = () if one.sought is None else answers(graph, one.sought)
        assert one.example.target == expected
    kinds = Counter(one.example.kind for one in made)
    assert set(kinds) == {"entity", "count", "yesno", "literal"}
    yes = Counter(one.example.target for one in made if one.example.kind == "yesno")
    assert abs(yes["yes",] - yes["no",]) <= 1


def test_two_walks_are_both_needed(graph: KnowledgeGraph, made: list[Made]) -> None:
    both = [one.sought for one in made if one.sought and len(one.sought.walks) == 2]
    assert both
    for sought in both:
        one, other = (set(follow(graph, walk).tolist()) for walk in sought.walks)
        assert one & other
        assert one & other < one
        assert one & other < other


def test_some_questions_have_no_answer(made: list[Made]) -> None:
    without = [one for one in made if not one.example.target]
    assert 0.1 < len(without) / len(made) < 0.2
    assert {one.sought is None for one in without} == {True, False}
    assert all(not one.example.gold for one in without)


def test_gold_triples_are_in_the_graph_and_lie_on_the_walks(
    graph: KnowledgeGraph, made: list[Made]
) -> None:
    relations = graph.relation_keys
    triples = {
        (graph.keys[head], relations[relation], graph.keys[tail])
        for head, relation, tail in zip(
            *(part.tolist() for part in (graph.heads, graph.relations, graph.tails)), strict=True
        )
    }
    for one in made:
        for head, relation, tail in one.example.gold:
            if relation in relations:
                assert (head, relation, tail) in triples
            else:
                assert str(graph.attributes(graph.row(head))[relation]) == tail
            assert one.sought is not None
            assert relation in {s.relation for walk in one.sought.walks for s in walk.steps}
        if one.example.target and one.example.target != ("no",):
            assert one.example.gold


@pytest.mark.parametrize("hostile", [False, True])
def test_mentions_stand_where_the_text_says(hostile: bool) -> None:
    graph = museum(hostile)
    for one in make(graph, number=120):
        text, mentions = one.example.text, one.example.mentions or ()
        assert mentions
        for mention in mentions:
            assert text[mention.start : mention.end] == mention.text
            names = {name.lower() for name in graph.names(graph.row(mention.entity or ""))}
            assert mention.text.lower() in names
        assert one.sought is None or {walk.topic for walk in one.sought.walks} <= {
            mention.entity for mention in mentions
        }


def test_each_text_is_made_once_and_is_whole(made: list[Made]) -> None:
    texts = [one.example.text.lower().rstrip("?.") for one in made]
    assert len(set(texts)) == len(texts)
    assert not any(re.search(r"[{}]|  | [?.,]", text) for text in texts)


def test_long_values_are_not_asked_for(made: list[Made]) -> None:
    assert not any("wiki" in one.example.text for one in made)


def test_a_seed_makes_the_same_questions(graph: KnowledgeGraph) -> None:
    assert make(graph, number=60, seed=3) == make(graph, number=60, seed=3)
    assert make(graph, number=60, seed=3) != make(graph, number=60, seed=4)
    assert make_parts(graph, number=60) == make_parts(graph, number=60)


def test_parts_are_about_other_entities_in_other_words(graph: KnowledgeGraph) -> None:
    parts = make_parts(graph, number=200)
    assert list(parts) == list(PARTS)
    topics, absent = [], []
    for made in parts.values():
        assert made
        topics.append({walk.topic for one in made if one.sought for walk in one.sought.walks})
        absent.append([one.example.text for one in made if one.sought is None])
    assert all(absent)
    assert not topics[0] & topics[1] | topics[0] & topics[2] | topics[1] & topics[2]


def test_no_more_steps_are_taken_than_allowed(graph: KnowledgeGraph) -> None:
    def steps(hops: int) -> set[int]:
        made = make(graph, number=60, hops=hops)
        return {len(walk.steps) for one in made if one.sought for walk in one.sought.walks}

    assert steps(1) == {1}
    assert steps(3) == {1, 2, 3}


@pytest.mark.parametrize(
    ("records", "triples"),
    [
        ([], []),
        ([EntityRecord("a", "A")], []),
        ([EntityRecord("a", "A")], [("a", "knows", "a")]),
        ([EntityRecord("a", "A"), EntityRecord("b", "B")], []),
    ],
)
def test_where_nothing_can_be_asked_nothing_is(
    records: list[EntityRecord], triples: list[tuple[str, str, str]]
) -> None:
    graph = KnowledgeGraph.from_records(records, triples)
    assert make(graph) == []
    assert make_parts(graph) == {part: [] for part in PARTS}


@pytest.mark.parametrize("attributes", [{}, {"age": 7}])
def test_a_small_graph_gives_what_it_can(attributes: dict[str, int]) -> None:
    graph = KnowledgeGraph.from_records(
        [EntityRecord("a", "Ann", attributes=attributes), EntityRecord("b", "Bob")],
        [("a", "knows", "b")] if not attributes else [],
    )
    made = make(graph, number=400)
    assert 0 < len(made) < 400
    without = sum(not one.example.target for one in made)
    assert without < 0.25 * len(made)


@pytest.mark.parametrize("given", [{"number": 0}, {"hops": 0}])
def test_a_number_below_one_is_refused(graph: KnowledgeGraph, given: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))} is at least 1"):
        make(graph, **given)


def test_a_relation_whose_label_says_nothing_is_named_and_left_out() -> None:
    triples = [("a", "P19", "b"), ("a", "knows", "b"), ("b", "knows", "c")]
    graph = KnowledgeGraph.from_records([EntityRecord(key, key) for key in "abc"], triples)
    with pytest.warns(UserWarning, match=r"1 of 2 relations and attributes .* 'P19'"):
        made = make(graph, number=40)
    assert made
    assert not any("p19" in one.example.text.lower() for one in made)
    own = [{"relation": "P19", "patterns": ["Where was {topic} born?"]}]
    texts = {one.example.text for one in make(graph, number=40, patterns=own)}
    assert "Where was a born?" in texts


# -- patterns of one's own ------------------------------------------------------------------------


OWN = {
    "relation": "painted by",
    "direction": "inverse",
    "patterns": ["What hung from {topic}'s brush?"],
}


@pytest.mark.parametrize("join", [False, True])
def test_own_patterns_stand_in_place_of_others_or_beside_them(
    graph: KnowledgeGraph, join: bool
) -> None:
    made = make(graph, number=400, hops=1, patterns=[OWN | {"join": join}])
    texts = [
        one.example.text
        for one in made
        if one.example.kind == "entity"
        and one.sought
        and len(one.sought.walks) == 1
        and one.sought.walks[0].steps[0].relation == "painted by"
        and not one.sought.walks[0].steps[0].forward
    ]
    own = ["brush" in text for text in texts]
    assert any(own)
    assert all(own) != join


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.jsonl", json.dumps(OWN)),
        ("p.json", json.dumps([OWN], indent=1)),
        (
            "p.yaml",
            "- relation: painted by\n  direction: inverse\n  patterns:\n"
            "  - What hung from {topic}'s brush?\n",
        ),
    ],
)
def test_patterns_come_from_a_file(
    graph: KnowledgeGraph, tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    made = make(graph, number=100, hops=1, patterns=tmp_path / name)
    assert any("brush" in one.example.text for one in made)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"relaton": "painted by"}, "unknown 'relaton'. Did you mean 'relation'"),
        ({"relation": "painted bye"}, "no relation 'painted bye'. Did you mean 'painted by'"),
        ({"relation": 3}, "'relation' is the key"),
        ({"direction": "back"}, "'direction' of 'painted by' is forward or inverse"),
        ({"kind": "literal"}, "'kind' of 'painted by' is entity"),
        ({"patterns": []}, "'patterns' is a list"),
        ({"patterns": ["Who?"]}, r"with \{topic\} and no other; got 'Who\?'"),
        ({"patterns": ["{topic} {x}"]}, r"with \{topic\} and no other"),
        ({"kind": "yesno", "patterns": ["{topic}?"]}, r"with \{topic\} and \{about\}"),
        ({"join": "yes"}, "'join' is true or false"),
    ],
)
def test_a_bad_pattern_is_refused_with_file_and_line(
    graph: KnowledgeGraph, tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    path = tmp_path / "own.jsonl"
    good = {"relation": "painted by", "patterns": ["Who made {topic}?"]}
    path.write_text(json.dumps(good) + "\n\n" + json.dumps(good | given) + "\n")
    with pytest.raises(ValueError, match=f"own.jsonl, line 3: .*{message}"):
        make(graph, patterns=path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a: [", "neither JSON lines nor YAML"), (b"a: 1", "no list"), (b"\xff", "not UTF-8")],
)
def test_a_file_that_holds_no_patterns_is_refused(
    graph: KnowledgeGraph, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "own.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        make(graph, patterns=tmp_path / "own.yaml")


# -- files and the command ------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    museum().save(tmp_path / "museum")
    return tmp_path


def test_what_is_written_reads_back(graph: KnowledgeGraph, made: list[Made], here: Path) -> None:
    write(made, here / "q.jsonl")
    read = jsonl(here, here / "cache", graph="museum", train="q.jsonl", validation="q.jsonl").train
    assert read == tuple(one.example for one in made)


def test_texts_that_are_no_proper_ones_are_written_too(tmp_path: Path) -> None:
    records = [EntityRecord("a", 'A "x" \\'), EntityRecord("b", "B\u2028b")]
    graph = KnowledgeGraph.from_records(records, [("a", "knows", "b")])
    own = [{"relation": "knows", "patterns": ["Whom\ud800 does {topic} know?"]}]
    made = make(graph, number=5, patterns=own)
    write(made, tmp_path / "q.jsonl")
    read = read_examples(tmp_path / "q.jsonl", graph)
    assert [one.text for one in read] == [one.example.text for one in made]


def test_the_command_writes_a_file_and_counts(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["questions", "museum", "--out", "new/q.jsonl", "--number", "100", "--json", "c.json"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "100 questions" in said
    assert "new/q.jsonl" in said
    lines = [json.loads(line) for line in (here / "new/q.jsonl").read_text().splitlines()]
    counts = json.loads((here / "c.json").read_text())
    assert counts["questions"] == len(lines) == 100
    kinds = {kind: counts[kind] for kind in ("entity", "count", "yesno", "literal")}
    assert kinds == Counter(line["kind"] for line in lines if line["target"])
    assert [path.name for path in (here / "new").iterdir()] == ["q.jsonl"]


def test_the_command_splits_into_the_files_of_a_data_set(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["questions", "museum", "--out", "q", "--split", "--number", "200"]) == 0
    said = capsys.readouterr().out
    files = {part: f"q/{part}.jsonl" for part in PARTS}
    assert all(file in said for file in files.values())
    read = jsonl(None, here / "cache", graph="museum", **files)
    assert (len(read.train), len(read.validation), len(read.test)) == (160, 20, 20)


@pytest.mark.filterwarnings("ignore:.*have no label", "ignore:.*labels that say")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.ttl", "--out", "q.jsonl"], "none.ttl"),
        (["museum"], "required: --out"),
        (["museum", "--out", "."], "is a folder; name a file"),
        (["museum", "--out", "q.jsonl", "--split"], "so --out is a folder"),
        (["museum", "--out", "q", "--split", "--number", "3"], "leave out --split"),
        (["museum", "--out", "q.jsonl", "--number", "0"], "number is at least 1"),
        (["museum", "--out", "q.jsonl", "--patterns", "no.jsonl"], "No file of patterns"),
        (["codes.csv", "--out", "q.jsonl"], "gives no question"),
        (["museum", "--out", "q.jsonl", "--hop", "1"], "Did you mean '--hops'"),
    ],
)
def test_the_command_refuses_what_it_cannot_do_and_leaves_no_file(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    (here / "codes.csv").write_text("a,P1,b\n")
    before = {path for path in here.iterdir() if path.name != "cache"}
    assert main(["questions", *words]) == 2
    assert message in capsys.readouterr().err
    assert {path for path in here.iterdir() if path.name != "cache"} == before
