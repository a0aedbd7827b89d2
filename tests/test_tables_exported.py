"""Tables as other programs export them: values, headers, delimiters and quotes."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from turtle_text import triples_of

from kgfm.graph import KnowledgeGraph
from kgfm.graph.records import is_missing
from kgfm.stores.rows import typed_values

AB = [("a", "r", "b")]


def read(path: Path, text: str, **options: Any) -> KnowledgeGraph:
    path.write_text(text, encoding="utf-8", newline="")
    return KnowledgeGraph.from_tables(path, **options)


def entities(path: Path, text: str, **options: Any) -> KnowledgeGraph:
    path.write_text(text, encoding="utf-8", newline="")
    return KnowledgeGraph.from_tables(AB, entities=path, **options)


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "codes",
    [
        ["007", "1"],
        ["+44", "12"],
        ["1E5", "2E7"],
        ["1e5", "3"],
        ["2.50", "1.5"],
        ["1.", "2"],
        [".5", "2"],
        ["1e999", "1"],
        ["-0", "1"],
        ["1_000", "1"],
        ["٣", "1"],
        ["0.1000000000000000055", "1"],
        ["True", "False"],
        ["inf", "1"],
        [" 1", "2"],
    ],
)
def test_codes_that_look_like_numbers_stay_as_they_are_written(
    tmp_path: Path, codes: list[str]
) -> None:
    kg = entities(tmp_path / "e.csv", f"id,code\na,{codes[0]}\nb,{codes[1]}\n")
    assert [kg.attributes(row)["code"] for row in (0, 1)] == codes
    rows = "".join(f"a,r,{tail},{code}\n" for tail, code in zip("bc", codes, strict=True))
    kg = read(tmp_path / "t.csv", "head,relation,tail,code\n" + rows)
    assert list(kg.edge_attributes["code"]) == codes


@given(st.lists(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))))
def test_numbers_as_python_writes_them_are_numbers(numbers: list[float]) -> None:
    texts = [repr(number) for number in numbers if repr(number) != "-0.0"]
    assert [repr(value) for value in typed_values(texts)] == texts


def test_a_column_of_numbers_may_have_gaps_and_words_for_gaps(tmp_path: Path) -> None:
    kg = entities(tmp_path / "e.csv", "id,n,x,b\na,1,nan,true\nb,,0.5,NaT\nc,3,1,\n")
    assert [kg.attributes(row) for row in range(3)] == [
        {"n": 1, "b": True},
        {"x": 0.5},
        {"n": 3, "x": 1},
    ]
    kg = entities(tmp_path / "e.csv", "id,code\na,nan\nb,fr\n")
    assert kg.attributes(0) == {"code": "nan"}  # a language's code, beside others


BIG = 2**53 + 1


@pytest.mark.parametrize("neighbour", [None, 0.5, math.nan, 2**63, -BIG, "x"])
def test_whole_numbers_keep_every_digit_beside_gaps_and_fractions(
    tmp_path: Path, neighbour: Any
) -> None:
    rows = [("a", "r", "b"), ("a", "r", "c")]
    given = [BIG, neighbour]
    kg = KnowledgeGraph.from_records([], rows, edge_attributes={"n": given})
    value = kg.edge_attributes["n"][0]
    assert int(value) == BIG
    frame = pandas.DataFrame(rows, columns=["head", "relation", "tail"])
    frame["n"] = pandas.Series(given, dtype=object)
    assert int(KnowledgeGraph.from_tables(frame).edge_attributes["n"][0]) == BIG
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    assert int(KnowledgeGraph.from_tables(path).edge_attributes["n"][0]) == BIG


def test_keys_and_names_that_a_gap_made_floats_are_whole_numbers(tmp_path: Path) -> None:
    triples = pandas.DataFrame({"head": [10, 11], "relation": [5, 5], "tail": [11, math.nan]})
    names = pandas.DataFrame(
        {"id": [10.0, 11.0, math.nan], "label": [1984, math.nan, 1.5], "n": [3, math.nan, 4]}
    )
    names["half"] = [0.5, math.nan, 2.0]
    triples.to_parquet(tmp_path / "t.parquet")
    forms = [
        (triples, names),
        (tmp_path / "t.parquet", names.to_dict("records")),
        (pyarrow.table(triples), pyarrow.Table.from_pandas(names)),
        (triples.convert_dtypes(), names.convert_dtypes()),
        (triples.astype(object), names.astype(object)),
    ]
    for table, rows in forms:
        with pytest.warns(UserWarning, match="2 rows were skipped|have no label"):
            kg = KnowledgeGraph.from_tables(table, entities=rows, on_error="skip")
        assert triples_of(kg) == [("10", "5", "11")]
        assert (list(kg.labels), kg.attributes(0)) == (["1984", "11"], {"half": 0.5, "n": 3})
        assert type(kg.attributes(0)["n"]) is int


def test_keys_whose_last_digits_a_float_has_lost_are_refused() -> None:
    frame = pandas.DataFrame({"head": [2.0**53, 1], "relation": "r", "tail": ["b", "c"]})
    with pytest.raises(ValueError, match=r"row 0: a float that cannot hold .* 'head'"):
        KnowledgeGraph.from_tables(frame)
    with pytest.raises(ValueError, match="row 0: a float that cannot hold"):
        KnowledgeGraph.from_tables([(1e17, "r", "b")])


VOID = [math.nan, None, pandas.NA, pandas.NaT, np.datetime64("NaT"), np.float32("nan"), ""]


@pytest.mark.parametrize("void", VOID, ids=repr)
def test_a_missing_value_is_no_entity_and_no_name(void: Any) -> None:
    with pytest.raises(ValueError, match=r"row 1: .* 'tail'"):
        KnowledgeGraph.from_tables([("a", "r", "b"), ("a", "r", void)])
    frame = pandas.DataFrame([("a", "r", "b"), ("a", void, "c")])
    frame.columns = pandas.Index(["head", "relation", "tail"])
    with pytest.raises(ValueError, match=r"row 1: .* 'relation'"):
        KnowledgeGraph.from_tables(frame)
    given = {"a": {"label": void, "alias": void, "type": void, "description": void, "n": 1}}
    rows = [{"id": key, **fields} for key, fields in given.items()]
    for form in (given, rows, pandas.DataFrame(rows)):
        kg = KnowledgeGraph.from_tables(AB, entities=form)
        assert (kg.labels[0], kg.names(0), kg.types(0)) == ("a", ("a",), ())
        assert (kg.descriptions[0], kg.attributes(0)) == ("", {"n": 1})


def test_entities_may_be_called_as_other_programs_call_a_missing_value(tmp_path: Path) -> None:
    names = ["NA", "N/A", "None", "Null", "null", "NULL", "none", "Nan", "NaN", "true", "-"]
    text = "".join(f"{name}\tr\t{name}\n" for name in names)
    assert sorted(read(tmp_path / "t.tsv", text).keys) == sorted(names)
    (tmp_path / "e.csv").write_text("key,label\n" + "".join(f"{n},{n}\n" for n in names))
    kg = KnowledgeGraph.from_tables(tmp_path / "t.tsv", entities=tmp_path / "e.csv")
    assert kg.labelled.all()
    assert {name: kg.label(name) for name in names} == {name: name for name in names}


def test_what_is_missing_is_known_without_pandas() -> None:
    assert all(map(is_missing, [*VOID[:-1], Decimal("nan"), Decimal("snan")]))
    assert not any(map(is_missing, ["", 0, "nan", [], [math.nan, 1], np.array([1.0, math.nan])]))


def test_moments_of_numpy_are_dates_and_not_counts() -> None:
    moments = np.array(["2014-01-05T10:00:00", "NaT"], "datetime64[ns]")
    for column in (list(moments), pandas.Series(moments)):
        frame = pandas.DataFrame({"head": ["a", "a"], "relation": "r", "tail": ["b", "c"]})
        frame["when"] = column
        kg = KnowledgeGraph.from_tables(frame)
        assert list(kg.edge_attributes["when"]) == ["2014-01-05T10:00:00", ""]
    kg = KnowledgeGraph.from_records([{"key": "a", "attributes": {"when": moments[0]}}], [])
    assert kg.attributes(0) == {"when": "2014-01-05T10:00:00"}


# -- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        ("Subject ID", "Predicate ID", "Object ID"),
        ("subjectLabel", "predicateLabel", "objectLabel"),
        ("entity_1", "rel_type", "entity_2"),
        ("e1", "rel", "e2"),
        (":START_ID(Film)", ":TYPE", ":END_ID(Person)"),
        ("head:token", "relation:token", "tail:token"),
        ("s", "p", "o"),
        ("H", "R", "T"),
        ("from_node", "edge_label", "to_node"),
        ("src", "property", "dst"),
        ("arg1", "r", "arg2"),
        ("parent", "type", "child"),
    ],
)
def test_a_header_in_the_words_of_others_is_known(tmp_path: Path, header: Sequence[str]) -> None:
    rows = [("a", "r", "b"), ("b", "q", "c")]
    path = tmp_path / "t.csv"
    for order in ([0, 1, 2], [0, 2, 1], [2, 1, 0]):
        with path.open("w", newline="") as file:
            lines = [[row[place] for place in order] for row in (header, *rows)]
            csv.writer(file).writerows(lines)
        assert triples_of(KnowledgeGraph.from_tables(path)) == rows
    frame = pandas.DataFrame(rows, columns=[*header])
    assert triples_of(KnowledgeGraph.from_tables(frame)) == rows


def test_words_of_a_header_are_a_triple_where_other_rows_have_them_too(tmp_path: Path) -> None:
    text = "node_1,edge,node_2\nnode_2,edge,node_3\n"
    assert read(tmp_path / "t.csv", text).num_triples == 2
    text = "start\tAntonym\tend\nup\tAntonym\tdown\n"
    assert read(tmp_path / "t.tsv", text).num_triples == 2


def test_a_header_in_unknown_words_is_warned_of_and_can_be_named(tmp_path: Path) -> None:
    text = "Film,Rolle,Mensch\nHeat,by,Mann\nAli,by,Mann\n"
    path = tmp_path / "t.csv"
    with pytest.warns(UserWarning, match=r"t\.csv, Film, Rolle, Mensch, .*header=True"):
        assert read(path, text).num_triples == 3
    assert read(path, text, header=False).num_triples == 3
    assert read(path, text, columns=("Film", "Rolle", "Mensch")).num_triples == 2
    with pytest.raises(ValueError, match="it has 'Film', 'Rolle', 'Mensch'"):
        read(path, text, header=True)


def test_a_header_of_entities_in_the_words_of_others_is_no_entity(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no column for the key: it has 'qid', 'english'"):
        entities(tmp_path / "e.csv", "qid,english\na,A\nb,B\n")
    kg = entities(tmp_path / "e.csv", "node_id,name\na,A\nb,B\n")
    assert list(kg.labels) == ["A", "B"]
    kg = entities(tmp_path / "e.csv", "a,title\nb,name\n")
    assert list(kg.labels) == ["title", "name"]


def test_rows_of_another_width_name_the_columns_and_the_option(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 fields.*3 columns \(head, relation, tail; --columns"):
        read(tmp_path / "t.csv", "a,b\nc,d\n")


# -- delimiters and quotes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("t.csv", "A, B;r;C, D\nE;r;F\n", [("A, B", "r", "C, D"), ("E", "r", "F")]),
        ("t.csv", "E;r;F\nA,B;r;C,D\nx,y,z;r;G\n", None),
        ("t.txt", "A, B;r;C, D\n", [("A, B", "r", "C, D")]),
        ("t.csv", "a\tr\tb, c, d\n", [("a", "r", "b, c, d")]),
        ("t.txt", "a|r|b c\nd|r|e f\n", [("a", "r", "b c"), ("d", "r", "e f")]),
        ("t.csv", "a|r|b, c\nd|r|e\n", [("a", "r", "b, c"), ("d", "r", "e")]),
        ("t.tsv", "a;r;b\nc;r;d\n", [("a", "r", "b"), ("c", "r", "d")]),
        ("t.csv", "a, r, b\nc, r,  d\n", [("a", "r", "b"), ("c", "r", "d")]),
        ("t.csv", 'a, "r, s", b\n', [("a", "r, s", "b")]),
        ("t.csv", "a,r,b\nc, r,d\n", [("a", "r", "b"), ("c", " r", "d")]),
        ("t.csv", '"a;b";r;"c, d, e"\n', [("a;b", "r", "c, d, e")]),
        ("t.txt", "a r b\nc r d\n", [("a", "r", "b"), ("c", "r", "d")]),
        ("t.csv", '"x;y;z",r,b\n"x;z;y",r,b\n', [("x;y;z", "r", "b"), ("x;z;y", "r", "b")]),
    ],
)
def test_all_of_a_file_says_what_its_delimiter_is(
    tmp_path: Path, name: str, text: str, rows: list[tuple[str, ...]] | None
) -> None:
    expected = rows or [("A,B", "r", "C,D"), ("E", "r", "F"), ("x,y,z", "r", "G")]
    assert triples_of(read(tmp_path / name, text)) == expected
    assert triples_of(read(tmp_path / name, "\ufeff" + text.replace("\n", "\r\n"))) == expected


def test_numbers_with_a_comma_in_them_do_not_part_fields(tmp_path: Path) -> None:
    text = "head;relation;tail;share;cost\na;r;b;0,5;1,5\nc;r;d;0,25;7,5\n"
    kg = read(tmp_path / "t.csv", text)
    assert {name: list(column) for name, column in kg.edge_attributes.items()} == {
        "cost": ["1,5", "7,5"],
        "share": ["0,5", "0,25"],
    }


NAMES = ['The "Great" One', "a\tb", "two\nlines", "plain", "Paris, France", '"', "5' 10\""]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize(("suffix", "between"), [("tsv", "\t"), ("csv", ";"), ("txt", "|")])
def test_what_pandas_has_quoted_is_read_as_it_was(
    tmp_path: Path, quoting: int, suffix: str, between: str
) -> None:
    frame = pandas.DataFrame({"key": range(len(NAMES)), "label": NAMES, "n": 1.5})
    for names in (NAMES, ["two\nlines", "plain"], ["a\tb", "c"]):
        part = frame.iloc[: len(names)].assign(label=names)
        path = tmp_path / f"e.{suffix}"
        part.to_csv(path, sep=between, index=False, quoting=quoting)
        kg = KnowledgeGraph.from_tables([(0, "r", 1)], entities=path)
        assert [kg.label(str(row)) for row in range(len(names))] == names
        part.rename(columns={"key": "head", "label": "tail"}).assign(relation="r").to_csv(
            path, sep=between, index=False, quoting=quoting
        )
        assert {tail for _, _, tail in triples_of(KnowledgeGraph.from_tables(path))} == {*names}


@pytest.mark.parametrize(
    "names",
    [['"Heroes"', "Low"], ['"Crocodile" Dundee', '"Heroes"'], ['5" disk', 'a "b""c"'], ['"x', "y"]],
)
def test_quotes_between_tabs_that_were_written_by_no_quoting_stand_for_themselves(
    tmp_path: Path, names: list[str]
) -> None:
    text = "".join(f"{name}\tby\tBowie\n" for name in names)
    assert {head for head, _, _ in triples_of(read(tmp_path / "t.tsv", text))} == {*names}


def test_quotes_that_come_late_in_a_file_are_read_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kgfm.stores.text_files._BLOCK", 64)
    text = "".join(f"e{number}\tr\tb\n" for number in range(50)) + '"the ""last"" one"\tr\tb\n'
    kg = read(tmp_path / "t.tsv", text)
    assert 'the "last" one' in kg
    assert kg.num_triples == 51


# -- the index of a data frame --------------------------------------------------------------------


def test_the_index_of_a_data_frame_is_no_attribute(tmp_path: Path) -> None:
    triples = pandas.DataFrame({"head": [*"abc"], "relation": "r", "tail": [*"bca"]})
    names = pandas.DataFrame({"id": [*"abc"], "label": [*"ABC"]})
    expected = KnowledgeGraph.from_tables(triples, entities=names)
    part = KnowledgeGraph.from_tables(triples[1:], entities=names)
    path, other = tmp_path / "t.csv", tmp_path / "e.tsv"
    names.to_csv(other, sep="\t")
    for table, graph in ((triples, expected), (triples[1:], part)):
        table.to_csv(path)
        assert KnowledgeGraph.from_tables(path, entities=other).fingerprint == graph.fingerprint
        again = pandas.read_csv(path)
        assert "Unnamed: 0" in again
        kg = KnowledgeGraph.from_tables(again, entities=pandas.read_csv(other, sep="\t"))
        assert kg.fingerprint == graph.fingerprint
        table.to_parquet(tmp_path / "t.parquet", index=True)
        kg = KnowledgeGraph.from_tables(tmp_path / "t.parquet", entities=names)
        assert kg.fingerprint == graph.fingerprint


def test_an_index_that_names_something_is_kept(tmp_path: Path) -> None:
    names = pandas.DataFrame({"label": ["A", "B"]}, index=["a", "b"])
    names.to_csv(tmp_path / "e.csv")
    kg = KnowledgeGraph.from_tables(AB, entities=tmp_path / "e.csv")
    assert list(kg.labels) == ["A", "B"]
    kg = read(tmp_path / "t.csv", ",head,relation,tail\nx,a,r,b\ny,b,r,a\n")
    assert list(kg.edge_attributes["index"]) == ["x", "y"]
