"""Tables as Excel, pandas and R export them."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas
import pytest

from kgfm import KnowledgeGraph

pytestmark = pytest.mark.filterwarnings("ignore:.*have no label")


def edges_of(kg: KnowledgeGraph) -> list[tuple[str, str, str]]:
    ends = zip(kg.heads.tolist(), kg.relations.tolist(), kg.tails.tolist(), strict=True)
    return [(kg.keys[h], kg.relation_keys[r], kg.keys[t]) for h, r, t in ends]


def read(folder: Path, text: str, name: str = "t.csv", **options) -> KnowledgeGraph:
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return KnowledgeGraph.from_tables(folder / name, **options)


@pytest.mark.parametrize(
    "header",
    [
        "head_id,rel,tail_id",
        "Subject Label,Predicate Label,Object Label",
        ":START_ID,:TYPE,:END_ID",
        "from,type,to",
        "sourceNode,edgeType,targetNode",
        "s,p,o",
        "entity1,relationship,entity2",
        "\ufeffh,r,t",
        "subject , predicate , object",
    ],
)
def test_headers_in_other_words_are_headers(tmp_path: Path, header: str) -> None:
    assert edges_of(read(tmp_path, f"{header}\nOslo,in,Norway\n")) == [("Oslo", "in", "Norway")]


def test_columns_may_stand_in_another_order(tmp_path: Path) -> None:
    kg = read(tmp_path, "weight,tail,head,relation\n0.5,Norway,Oslo,in\n")
    assert edges_of(kg) == [("Oslo", "in", "Norway")]
    assert list(kg.edge_attributes) == ["weight"]


@pytest.mark.parametrize(
    "text",
    ["gene,effect,disease\nx,causes,y\nz,causes,y\nx,cures,z\n", "drug_id,acts,on\nx,r,y\n"],
)
def test_a_first_line_that_may_be_a_header_is_named(tmp_path: Path, text: str) -> None:
    with pytest.warns(UserWarning, match="looks like a header"):
        read(tmp_path, text)
    assert len(read(tmp_path, text, header=False)) > 0


@pytest.mark.parametrize("header", ["node_id,name", "QID,name,born", "concept_uri;label"])
def test_headers_of_entities_in_other_words_are_headers(tmp_path: Path, header: str) -> None:
    row = "q,Rome" + ",1900" * (header.count(",") > 1)
    (tmp_path / "e.csv").write_text(
        f"{header}\n{row.replace(',', ';') if ';' in header else row}\n"
    )
    kg = KnowledgeGraph.from_tables([("q", "r", "p")], entities=tmp_path / "e.csv")
    assert (kg.label("q"), len(kg)) == ("Rome", 2)


@pytest.mark.parametrize(
    ("text", "tail"),
    [
        ("Bonn, old;in;Germany, EU\n", "Germany, EU"),
        ("sep=;\nBonn;in;a,b,c,d\n", "a,b,c,d"),
        ("Bonn|in|a, b, c\n", "a, b, c"),
        ("x;in;y\nBonn, a, b;in;Germany\nz;in;w, v, u\n", "w, v, u"),
        ("Bonn,in,Germany; the new one; as before\n", "Germany; the new one; as before"),
        ('x,in,y\n"Bonn; a; b",in,"c;d"\n', "c;d"),
        ("Bonn, in, Germany\n", "Germany"),
        ('Bonn, in, "Germany, EU"\n', "Germany, EU"),
        ("Bonn\tin\ta, b, c\n", "a, b, c"),
    ],
)
def test_the_whole_file_says_what_stands_between_fields(
    tmp_path: Path, text: str, tail: str
) -> None:
    assert tail in read(tmp_path, text)


FRAME = pandas.DataFrame(
    {"head": ['The "Big" One', "b\tc", "d\ne"], "relation": ["r"] * 3, "tail": ["x", "y, z", "w"]}
)


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(("name", "sep"), [("t.tsv", "\t"), ("t.csv", ","), ("t.csv", ";")])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_what_pandas_writes_comes_back(
    tmp_path: Path, quoting: int, index: bool, name: str, sep: str, newline: str
) -> None:
    path = tmp_path / name
    FRAME.to_csv(
        path, sep=sep, index=index, quoting=quoting, lineterminator=newline, encoding="utf-8-sig"
    )
    kg = KnowledgeGraph.from_tables(path)
    assert kg.fingerprint == KnowledgeGraph.from_tables(FRAME).fingerprint


@pytest.mark.parametrize(
    "cell", ['12" single', '"Heroes"', 'say "x"', '"', '""', '"a" and "b"', "'t Hooft"]
)
def test_quotes_between_tabs_that_no_writer_of_csv_has_put_there_stay(
    tmp_path: Path, cell: str
) -> None:
    assert cell in read(tmp_path, f"x\tr\ty\n{cell}\tr\ty\n", "t.tsv")


def test_row_numbers_of_pandas_and_r_are_no_attributes(tmp_path: Path) -> None:
    for text in (
        ",head,relation,tail,w\n3,a,r,b,1\n1,c,r,b,1\n",
        "Unnamed: 0,head,relation,tail,w\n0,a,r,b,1\n1,c,r,b,1\n",
        '"head","relation","tail","w"\n"1","a","r","b",1\n"2","c","r","b",1\n',
    ):
        assert list(read(tmp_path, text).edge_attributes) == ["w"]
    (tmp_path / "e.csv").write_text(",id,label\n0,a,A\n1,b,B\n")
    kg = KnowledgeGraph.from_tables([("a", "r", "b")], entities=tmp_path / "e.csv")
    assert kg.attributes(0) == {}
    assert kg.label("b") == "B"


def test_an_unnamed_column_that_is_no_count_of_rows_is_kept(tmp_path: Path) -> None:
    kg = read(tmp_path, ",head,relation,tail\nx,a,r,b\ny,c,r,b\n")
    assert list(kg.edge_attributes["index"]) == ["x", "y"]
    (tmp_path / "e.csv").write_text(",label\na,A\nb,B\n")
    kg = KnowledgeGraph.from_tables([("a", "r", "b")], entities=tmp_path / "e.csv")
    assert kg.label("b") == "B"


def test_a_table_of_too_few_columns_says_which_are_meant(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"2 fields, .* \(head, relation, tail; --columns"):
        read(tmp_path, "a,b\n")
