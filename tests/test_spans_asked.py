"""Asking about spans: how it is written, what spans stand for, evidence, and hostile spans."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from span_worlds import CONDITIONS, LABELS, TINY, scores_of, spans_pipeline, spans_world

from kgfm import NIL, Example, KnowledgeGraph, Mention, Pipeline
from kgfm.cli import main
from kgfm.graph import EntityRecord
from kgfm.pipeline.about import settled
from kgfm.synthetic import label_world
from kgfm.types import LINKED, About

EACH = pytest.mark.parametrize("condition", CONDITIONS)
TEXT = "Jet Airways soars; Jet rivals IndiGo and ONGC, says Jet Airways."


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    names = {"x/jet": "Jet Airways", "x/indigo": "IndiGo", "x/ongc": "ONGC", "x/air": "aviation"}
    records = [EntityRecord(key, name) for key, name in names.items()]
    triples = [("x/jet", "sector", "x/air"), ("x/indigo", "sector", "x/air")]
    return KnowledgeGraph.from_records(records, triples)


@pytest.fixture(scope="module")
def asking(graph: KnowledgeGraph) -> Pipeline:
    return spans_pipeline(graph)


@pytest.fixture(scope="module")
def relating(graph: KnowledgeGraph) -> Pipeline:
    return spans_pipeline(graph, task={"spans": 2})


def spans_of(prediction: Any) -> list[Any]:
    return [one.about.spans for one in prediction.about]


def keys_of(prediction: Any) -> list[Any]:
    return [one.about.entities for one in prediction.about]


# -- how it is written ----------------------------------------------------------------------------


def test_spans_strings_mentions_and_abouts_are_asked_about_in_their_order(asking: Pipeline) -> None:
    mention = Mention(41, 45, "ONGC", "x/ongc")
    found = asking(TEXT, about=[(30, 36), "Jet Airways", mention, About(((0, 3),)), [41, 45]])
    assert spans_of(found) == [
        ((30, 36),),
        ((0, 11),),
        ((52, 63),),
        ((41, 45),),
        ((0, 3),),
        ((41, 45),),
    ]
    assert all({*scores} == {*LABELS} for scores in scores_of(found.about))
    first = found.about[0]
    assert (found.answer, found.score, found.labels) == (first.answer, first.score, first.labels)


def test_numbers_of_numpy_are_numbers(asking: Pipeline) -> None:
    spans = np.array([[0, 11], [41, 45]])
    assert spans_of(asking(TEXT, about=[*map(tuple, spans)])) == [((0, 11),), ((41, 45),)]


def test_by_default_all_that_is_linked_is_asked_about(asking: Pipeline) -> None:
    expected = [((0, 11),), ((30, 36),), ((41, 45),), ((52, 63),)]
    for given in (None, "linked"):
        assert spans_of(asking(TEXT, about=given)) == expected
    own = Example(TEXT, about=(About(((0, 3),)),))
    assert spans_of(asking(own)) == [((0, 3),)]
    assert spans_of(asking(own, about="linked")) == expected


def test_of_several_texts_each_has_a_list(asking: Pipeline) -> None:
    texts = [TEXT, "ONGC falls.", "Nothing."]
    found = asking(texts, about=[["IndiGo"], "linked", []])
    assert [spans_of(one) for one in found] == [[((30, 36),)], [((0, 4),)], []]
    stream = asking.pipe(iter(texts), about=iter([[(0, 3)]] * 3), batch_size=2)
    assert [spans_of(one) for one in stream] == [[((0, 3),)]] * 3
    assert [len(one.about) for one in asking(texts, about="linked")] == [4, 1, 0]


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ([[(0, 3)]], "about has 1 lists, and there are more texts"),
        ([[(0, 3)]] * 3, "about has more lists than the 2 texts"),
        ([[(0, 3)], [(0, 30)]], r"span \(0, 30\) ends behind the text, which has 11"),
        ([[(0, 3)], ["IndiGo"]], "text 1: the text does not say 'IndiGo'"),
    ],
)
def test_lists_that_do_not_fit_their_texts_are_refused(
    asking: Pipeline, about: Any, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        asking([TEXT, "ONGC falls."], about=about)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ("ONGC", r"about is a list.*Write \['ONGC'\]"),
        ((0, 11), "0 is nothing to ask about: give a span"),
        ([0.5], "0.5 is nothing to ask about"),
        ([(0.0, 3.0)], r"\(0.0, 3.0\) is nothing to ask about"),
        ([(True, False)], "nothing to ask about"),
        ([("ONGC", "IndiGo")], "nothing to ask about"),
        ([((0, 1), (1, 2), (2, 3))], "nothing to ask about"),
        ([None], "None is nothing to ask about"),
        (5, "about is a list"),
    ],
)
def test_what_can_stand_for_no_span_is_refused(asking: Pipeline, about: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        asking(TEXT, about=about)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ([(5, 3)], r"needs 0 <= start < end, got \(5, 3\)"),
        ([(3, 3)], r"needs 0 <= start < end, got \(3, 3\)"),
        ([(-4, -1)], "needs 0 <= start < end"),
        ([(60, 65)], r"\(60, 65\) ends behind the text, which has 64 characters"),
        ([(3, 4)], r"\(3, 4\) holds only blanks, ' '"),
        (["Ongc"], "does not say 'Ongc'. Did you mean 'ONGC'?"),
        (["Jet Airwais"], "Did you mean 'Jet Airways'"),
        (["IndiG"], r"only within other words.*give the span \(30, 35\)"),
        ([" "], "' ' is blank"),
        ([""], "'' is blank"),
        ([Mention(0, 4, "ONGC", "x/ongc")], "where the text says 'Jet '; is it a mention of"),
        ([About(((0, 3),), ("x/ogc",))], "No entity 'x/ogc'.*Did you mean 'x/ongc'"),
        ([((0, 3), (30, 36))], "2 spans.*the task reads 1 at a time"),
    ],
)
def test_spans_that_are_not_in_the_text_are_refused_with_what_would_do(
    asking: Pipeline, about: Any, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        asking(TEXT, about=about)


def test_words_end_where_the_script_says_so(asking: Pipeline) -> None:
    assert spans_of(asking("東京電力が上昇", about=["東京電力"])) == [((0, 4),)]
    assert spans_of(asking("naïve (Zoë) x.", about=["Zoë"])) == [((7, 10),)]


def test_a_task_that_reads_no_spans_refuses_them() -> None:
    world = label_world(topics=12)
    task = {"name": "classify", "labels": ("a", "b")}
    pipeline = Pipeline(world.graph, task=task, backbone=TINY, text_encoder=TINY, max_tokens=32)
    assert pipeline("A text.").about == ()
    for texts in ("A text.", ["A text."]):
        with pytest.raises(ValueError, match="ClassifyTask is asked about texts"):
            pipeline(texts, about=[(0, 1)])
    with pytest.raises(ValueError, match="ClassifyTask is asked about texts"):
        pipeline.pipe(["A text."], about="linked")  # said when called, not when the first is due


# -- nothing to ask about -------------------------------------------------------------------------


def test_a_text_that_is_asked_about_nothing_answers_nothing(asking: Pipeline) -> None:
    for found in (asking("Nobody is named."), asking(TEXT, about=[]), asking("", about=[])):
        assert (found.answer, found.score, found.about, found.labels) == (NIL, 0.0, (), ())
        assert "Nothing was asked about" in found.why
        assert asking.explain(found) == ()
        assert asking(found.example) == found
    assert asking(["", TEXT, ""])[1].about


@EACH
def test_texts_with_none_one_and_many_are_answered_in_one_batch(
    graph: KnowledgeGraph, condition: str
) -> None:
    pipeline = spans_pipeline(graph, task={"condition": condition})
    texts = ["Nothing.", "ONGC falls.", TEXT, "", "IndiGo and ONGC."]
    together, alone = pipeline(texts), [pipeline(text) for text in texts]
    assert [len(one.about) for one in together] == [0, 1, 4, 0, 2]
    for one, other in zip(together, alone, strict=True):
        assert spans_of(one) == spans_of(other)
        for mine, theirs in zip(scores_of(one.about), scores_of(other.about), strict=True):
            assert mine == pytest.approx(theirs, abs=1e-5)


# -- what a span stands for -----------------------------------------------------------------------


def test_the_linker_decides_by_the_very_span_then_by_what_overlaps_most(asking: Pipeline) -> None:
    found = asking(TEXT, about=[(0, 11), (0, 3), (2, 41), (34, 44), "says", "rivals"])
    assert keys_of(found) == [
        ("x/jet",), ("x/jet",), ("x/jet",), ("x/ongc",), (None,), (None,),
    ]  # fmt: skip
    left = About(((0, 3),), (LINKED,))
    assert keys_of(asking(TEXT, about=[left])) == [("x/jet",)]


def test_a_given_entity_is_a_seed_beside_what_the_linker_found(asking: Pipeline) -> None:
    about = [About(((20, 25),), ("x/ongc",)), About(((0, 11),), ("x/indigo",))]
    found = asking("Jet Airways soars; Jets rival others and IndiGo.", about=about)
    assert keys_of(found) == [("x/ongc",), ("x/indigo",)]
    assert [(one.start, one.entity) for one in found.mentions] == [
        (0, "x/indigo"),  # in place of what the linker knows
        (20, "x/ongc"),
        (41, "x/indigo"),
    ]
    (prepared,) = asking.prepare([found.example])
    for row, place in zip(prepared.rows, prepared.target, strict=True):
        seeds = row.subgraph.nodes[: row.subgraph.num_seeds].tolist()
        assert {asking.graph.keys[seed] for seed in seeds} == {"x/ongc", "x/indigo"}
        assert place.nodes[0] >= 0


def test_null_is_outside_of_the_graph_whatever_the_linker_knows(asking: Pipeline) -> None:
    text = "Jet Airways soars."
    nil = asking(text, about=[About(((0, 11),), (None,))])
    assert keys_of(nil) == [(None,)]
    assert nil.mentions == ()
    assert not nil.graph_used
    known = asking(text, about=["Jet Airways"])
    assert known.graph_used
    assert scores_of(nil.about)[0] != pytest.approx(scores_of(known.about)[0], abs=1e-4)


def test_a_key_that_the_graph_lacks_is_named_with_its_line(asking: Pipeline) -> None:
    example = Example(TEXT, about=(About(((0, 3),), ("x/jte",)),), where="texts.jsonl, line 7")
    for ask in (asking, lambda one: asking.prepare([one]), lambda one: asking.evaluate([one])):
        with pytest.raises(ValueError, match=r"texts.jsonl, line 7: No entity 'x/jte'.*'x/jet'"):
            ask(example)


def test_what_is_settled_once_stays_as_it_is(graph: KnowledgeGraph, asking: Pipeline) -> None:
    about = (
        About(((0, 11),), ("x/ongc",)),
        About(((0, 3),)),
        About(((9, 18),)),
        About(((30, 36),), (None,)),
    )
    found = tuple(asking.linker(TEXT))
    once = settled(Example(TEXT, about=about), found, graph)
    assert settled(once, once.mentions or (), graph) == once
    entities = [mention.entity for mention in once.mentions or ()]
    assert all(key in entities for one in once.about for key in one.entities or () if key)


def test_more_targets_than_a_subgraph_has_room_for_are_all_seeds() -> None:
    world = label_world(topics=48)
    pipeline = spans_pipeline(world.graph, retriever={"name": "hops", "budget": 20}, max_tokens=512)
    names = [label for key, label in zip(world.graph.keys, world.graph.labels, strict=True)][:40]
    text = ", ".join(names)
    found = pipeline(Example(text), about=names)
    assert len(found.about) == 40
    for prepared in pipeline.prepare([found.example]):
        assert all(place.nodes[0] >= 0 for place in prepared.target)


# -- relations ------------------------------------------------------------------------------------


def test_a_relation_has_a_direction_and_is_answered_in_the_order_asked(relating: Pipeline) -> None:
    there, back = ((0, 11), (41, 45)), ((41, 45), (0, 11))
    found = relating(TEXT, about=[there, back])
    assert spans_of(found) == [there, back]
    assert keys_of(found) == [("x/jet", "x/ongc"), ("x/ongc", "x/jet")]
    first, second = scores_of(found.about)
    assert first != pytest.approx(second, abs=1e-4)
    with pytest.raises(ValueError, match=r"1 spans.*reads 2 at a time: a relation has two"):
        relating(TEXT, about=["ONGC"])


def test_all_that_is_linked_is_related_in_either_direction(relating: Pipeline) -> None:
    found = relating("ONGC buys IndiGo.")
    assert spans_of(found) == [((0, 4), (10, 16)), ((10, 16), (0, 4))]
    assert relating("ONGC buys nobody.").about == ()


@EACH
def test_two_spans_may_overlap_or_be_the_same(graph: KnowledgeGraph, condition: str) -> None:
    pipeline = spans_pipeline(graph, task={"spans": 2, "condition": condition})
    pairs = [((0, 11), (0, 3)), ((0, 3), (0, 11)), ((0, 3), (0, 3)), ((0, 3), (3, 11))]
    assert spans_of(pipeline(TEXT, about=pairs)) == pairs


# -- evidence, and asking again -------------------------------------------------------------------


def test_each_answer_has_evidence_of_its_own(asking: Pipeline) -> None:
    found = asking(TEXT, about=["Jet Airways", "IndiGo", "says"])
    for place, one in enumerate(found.about):
        evidence = asking.explain(found, about=place)
        assert {item.items for item in evidence} == {
            (("x/jet", "sector", "x/air"),),
            (("x/indigo", "sector", "x/air"),),
        }
        assert asking.explain(found, one.answer, about=place) == evidence
    own = [asking.explain(found, "farm", about=place) for place in (0, 2)]
    assert own[0] != own[1]
    with pytest.raises(IndexError, match="about=9, but 4 spans were asked about"):
        asking.explain(found, about=9)
    with pytest.raises(ValueError, match=r"'fram'.*Did you mean 'farm'"):
        asking.explain(found, "fram")


def test_evidence_is_how_far_the_score_falls_without_a_triple(asking: Pipeline) -> None:
    found = asking(TEXT, about=["ONGC", "Jet Airways"])
    evidence = asking.explain(found, about=1)
    without = KnowledgeGraph.from_records(
        [
            EntityRecord(key, label)
            for key, label in zip(asking.graph.keys, asking.graph.labels, strict=True)
        ],
        [("x/indigo", "sector", "x/air")],
    )
    (fall,) = [one.change for one in evidence if one.items[0][0] == "x/jet"]
    other = Pipeline(without, **asking.parts, max_tokens=32)
    other.model.load_state_dict(asking.model.state_dict())
    answer = found.about[1]
    score = scores_of(other(found.example).about)[1][answer.answer]
    assert answer.score - score == pytest.approx(fall, abs=1e-4)


def test_a_prediction_asks_the_same_again(asking: Pipeline) -> None:
    given = [
        (0, 3), "ONGC", About(((30, 36),), (None,), ("farm",)), About(((52, 55),), ("x/indigo",)),
    ]  # fmt: skip
    found = asking(TEXT, about=given)
    assert all(one.labels is None for one in found.example.about)
    assert asking(found.example) == found
    assert json.loads(json.dumps(found.to_dict()))["about"][1]["about"]["spans"] == [[41, 45]]


# -- targets behind the window, and many of them --------------------------------------------------


@EACH
def test_the_window_moves_to_targets_behind_it_with_one_warning(
    graph: KnowledgeGraph, condition: str
) -> None:
    pipeline = spans_pipeline(graph, task={"condition": condition})
    filler = "and so on " * 40
    text = f"ONGC falls. {filler}IndiGo climbs. {filler}Jet Airways waits."
    with pytest.warns(UserWarning, match="longer than max_tokens=32") as said:
        found = pipeline(text, about=["ONGC", "IndiGo", "Jet Airways"])
    (warning,) = said
    assert str(warning.message).startswith("1 of 1 texts are longer")
    assert "0 mentions in it included" in str(warning.message)
    assert "asked about stands there 2 times" in str(warning.message)
    with pytest.warns(UserWarning, match="longer than max_tokens"):
        (prepared,) = pipeline.prepare([found.example])
    for place in prepared.target:
        (tokens,) = place.tokens
        row = prepared.rows[place.row]
        assert tokens[0] < tokens[1]
        assert len(row.input_ids) <= 32
        assert place.nodes[0] >= 0
    short = pipeline("and so on and so on IndiGo climbs. and so on", about=["IndiGo"])
    assert short.about[0].answer  # and the same label as in its own few words
    middle = scores_of(found.about)[1]
    assert middle == pytest.approx(scores_of(short.about)[0], abs=0.5)


def test_two_spans_that_lie_far_apart_are_both_read(graph: KnowledgeGraph) -> None:
    pipeline = spans_pipeline(graph, task={"spans": 2})
    text = f"ONGC falls. {'and so on ' * 60}IndiGo climbs."
    pair = ((0, 4), (text.index("IndiGo"), text.index("IndiGo") + 6))
    with pytest.warns(UserWarning, match="stands there 1 times"):
        (prepared,) = pipeline.prepare([Example(text, about=(About(pair),))])
    (place,) = prepared.target
    words = [prepared.rows[0].input_ids[first:end] for first, end in place.tokens]
    tokenizer = pipeline.collator.tokenizer
    assert [tokenizer.decode(ids) for ids in words] == ["ongc", "indigo"]


@EACH
def test_five_hundred_targets_in_a_text_are_answered(graph: KnowledgeGraph, condition: str) -> None:
    pipeline = spans_pipeline(graph, task={"condition": condition})
    text = " ".join(f"ONGC fell {number} times." for number in range(500))
    with pytest.warns(UserWarning, match="longer than max_tokens") as said:
        found = pipeline([text, "IndiGo."], about=[["ONGC"], ["IndiGo"]])
    assert len(said) == 1
    assert [len(one.about) for one in found] == [500, 1]
    assert all(text[slice(*one.about.spans[0])] == "ONGC" for one in found[0].about)
    last = found[0].about[499]
    assert last.about.entities == ("x/ongc",)
    with pytest.warns(UserWarning, match="longer than max_tokens"):
        assert pipeline.explain(found[0], about=499) == ()


def test_a_span_within_a_token_reads_that_token(asking: Pipeline) -> None:
    text = "Jet falls."
    found = asking(text, about=[(0, 3), (1, 2)])
    first, second = (
        asking.prepare([Example(text, about=(About((s,)),))])[0].target[0] for s in [(0, 3), (1, 2)]
    )
    assert first.tokens == second.tokens
    assert found.about[0].scores == found.about[1].scores


def test_a_span_of_what_the_tokenizer_drops_is_read_as_the_text(asking: Pipeline) -> None:
    found = asking("Jet\u200b falls.", about=[(3, 4), (0, 3)])
    assert len(found.about) == 2
    assert np.isfinite(found.about[0].score)


@pytest.mark.parametrize("text", ["\ud800 ONGC \udfff", "👨‍👩‍👧 ONGC é́", "ONGC" * 2000, "\0ONGC\0"])
@EACH
def test_strange_texts_are_answered(
    graph: KnowledgeGraph, condition: str, text: str, recwarn: Any
) -> None:
    pipeline = spans_pipeline(graph, task={"condition": condition})
    start = text.rindex("ONGC")
    found = pipeline(text, about=[(start, start + 4), (0, len(text))])
    assert all(np.isfinite(one.score) for one in found.about)


def test_a_graph_that_knows_none_of_the_targets_is_no_harm(graph: KnowledgeGraph) -> None:
    found = spans_pipeline(graph)("Acme and Globex.", about=["Acme", "Globex"])
    assert keys_of(found) == [(None,), (None,)]
    assert not found.graph_used


def test_given_mentions_are_used_when_asking_as_in_training(asking: Pipeline) -> None:
    mention = Mention(0, 3, "Jet", "x/indigo")
    found = asking(Example(TEXT, mentions=(mention,)), about=[(0, 3), "ONGC"])
    assert keys_of(found) == [("x/indigo",), (None,)]
    assert found.mentions == (mention,)
    null = asking(Example(TEXT, mentions=(replace(mention, entity=None),)))
    assert spans_of(null) == [((0, 3),)]
    assert keys_of(null) == [(None,)]


# -- the commands ---------------------------------------------------------------------------------


@pytest.fixture
def run(asking: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    asking.save(tmp_path / "run")
    return tmp_path / "run"


def write(file: Path, *lines: dict[str, Any]) -> None:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_a_key_of_a_file_that_the_graph_lacks_is_named_with_its_line(
    run: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    about = [{"start": 0, "end": 3, "entity": "x/jte"}]
    write(run.parent / "texts.jsonl", {"text": TEXT}, {"text": TEXT, "about": about})
    assert main([command, str(run), "--file", "texts.jsonl"]) == 2
    assert "texts.jsonl, line 2: No entity 'x/jte'" in capsys.readouterr().err


def test_the_commands_say_something_of_each_span(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    about = [
        {"start": 41, "end": 45, "label": "of no kind"},
        {"start": 0, "end": 11, "entity": "x/jet"},
    ]
    write(run.parent / "texts.jsonl", {"text": TEXT, "about": about}, {"text": "Nothing."})
    assert main(["predict", str(run), "--file", "texts.jsonl", "--json", "said.json"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("'ONGC': ")
    assert "; 'Jet Airways': " in first
    assert "Nothing was asked about" in second
    said, none = json.loads((run.parent / "said.json").read_text(encoding="utf-8"))
    assert [one["about"]["spans"] for one in said["about"]] == [[[41, 45]], [[0, 11]]]
    assert none["about"] == []
    assert main(["explain", str(run), "--file", "texts.jsonl", "--json", "why.json"]) == 0
    out = capsys.readouterr().out
    assert out.count("the score falls without:") == 2
    why, _ = json.loads((run.parent / "why.json").read_text(encoding="utf-8"))
    assert all(one["evidence"] for one in why["about"])


def test_a_text_of_the_command_line_is_asked_about_all_that_is_linked(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(run), "ONGC beats IndiGo."]) == 0
    assert "'ONGC': " in capsys.readouterr().out


def test_pipelines_without_a_graph_have_commands_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans_pipeline(None, encoder=None).save(tmp_path / "run")
    file = tmp_path / "texts.jsonl"
    write(file, {"text": TEXT, "about": [{"start": 0, "end": 3, "entity": "x/jet"}]})
    for command in ("predict", "explain"):
        assert main([command, str(tmp_path / "run"), "--file", str(file)]) == 0
        assert "'Jet': " in capsys.readouterr().out


def test_a_world_of_texts_is_read_by_every_condition() -> None:
    world = spans_world(topics=12)
    for condition in CONDITIONS:
        pipeline = spans_pipeline(world.graph, task={"condition": condition})
        assert 0 <= pipeline.evaluate(world.test)["accuracy"] <= 1


def test_a_notebook_shows_what_is_said_of_each_span(asking: Pipeline) -> None:
    shown = asking("ONGC beats <IndiGo>.")._repr_html_()
    assert "ONGC: <b>" in shown
    assert "IndiGo: <b>" in shown
    assert "&lt;" in shown
