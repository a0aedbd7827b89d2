"""What stands in a table comes back: codes, large numbers, gaps and missing values."""

from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pandas
import pytest
import torch

from kgfm import KnowledgeGraph
from kgfm.graph.records import plain
from kgfm.stores.rows import typed_values

BIG = 2**53 + 1
pytestmark = pytest.mark.filterwarnings("ignore:.*have no label")


def edges_of(kg: KnowledgeGraph) -> list[tuple[str, str, str]]:
    ends = zip(kg.heads.tolist(), kg.relations.tolist(), kg.tails.tolist(), strict=True)
    return [(kg.keys[h], kg.relation_keys[r], kg.keys[t]) for h, r, t in ends]


@pytest.mark.parametrize(
    "texts",
    [
        ["+33123", "+33124"],
        ["3E7", "1"],
        ["2.10", "2.9"],
        ["1e999", "1"],
        ["007", "8"],
        ["-0", "1"],
        ["1e5", "2"],
        ["5.", ".5"],
        ["1_000", "1"],
        ["٣", "٤"],
        ["0.10000000000000000001", "1"],
        ["True", "False"],
        ["nan", "cmn"],
    ],
)
def test_codes_that_look_like_numbers_stay_as_they_are_written(texts: list[str]) -> None:
    assert typed_values(texts) == texts


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1995", "", "-3"], [1995, None, -3]),
        (["0.5", "7", "1e-05"], [0.5, 7, 1e-05]),
        (["1.5", "nan", "NaN"], [1.5, None, None]),
        (["4", "<NA>"], [4, None]),
        (["2020-01-02", "NaT"], ["2020-01-02", None]),
        (["true", "", "false"], [True, None, False]),
        ([str(BIG), "0.5"], [BIG, 0.5]),
    ],
)
def test_a_column_that_is_numeric_throughout_is_numbers(texts: list[str], values: list) -> None:
    assert typed_values(texts) == values


@pytest.mark.parametrize("neighbours", [[""], ["0.5"], ["-7"], ["", "0.25"]])
def test_whole_numbers_keep_their_digits_whatever_stands_beside_them(
    tmp_path: Path, neighbours: list[str]
) -> None:
    values = [str(BIG), *neighbours]
    rows = "".join(f"a,r,b{place},{value}\n" for place, value in enumerate(values))
    (tmp_path / "t.csv").write_text(f"head,relation,tail,tweet\n{rows}")
    kg = KnowledgeGraph.from_tables(tmp_path / "t.csv")
    assert next(str(value) for value in kg.edge_attributes["tweet"]) == str(BIG)
    again = KnowledgeGraph.from_networkx(kg.to_networkx())
    assert again.fingerprint == kg.fingerprint


def test_a_gap_makes_no_fraction_of_a_whole_number_that_is_written_out() -> None:
    rows = [
        {"head": "a", "relation": "r", "tail": t, "year": y} for t, y in (("b", 1999), ("c", None))
    ]
    edges = KnowledgeGraph.from_tables(rows).to_networkx().edges(data=True)
    assert [json.dumps(fields.get("year")) for _, _, fields in edges] == ["1999", "null"]


@pytest.mark.parametrize(
    "missing",
    [
        None,
        float("nan"),
        np.float32("nan"),
        pandas.NA,
        pandas.NaT,
        np.datetime64("NaT"),
        decimal.Decimal("nan"),
    ],
    ids=repr,
)
def test_what_is_missing_is_no_value_in_any_place(missing: Any) -> None:
    assert plain(missing) is None
    assert plain(["a", missing]) == "a"
    kg = KnowledgeGraph.from_tables(
        [{"head": "a", "relation": "r", "tail": "b", "w": missing}],
        entities=[{"id": "a", "label": missing, "alias": ["A.", missing], "when": missing}],
    )
    assert (kg.label("a"), kg.names(0), kg.attributes(0)) == ("a", ("a", "A."), {})
    for place in ("head", "relation", "tail"):
        row = {"head": "a", "relation": "r", "tail": "b"} | {place: missing}
        with pytest.raises(ValueError, match=f"row 0: an empty '{place}'"):
            KnowledgeGraph.from_tables([row])


@pytest.mark.parametrize("name", ["NA", "Null", "None", "null", "N/A", "nil"])
def test_entities_may_be_called_what_elsewhere_means_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.csv").write_text(f"head,relation,tail\n{name},in,{name} county\n")
    (tmp_path / "e.csv").write_text(f"id,label,code\n{name},{name},{name}\n")
    kg = KnowledgeGraph.from_tables(tmp_path / "t.csv", entities=tmp_path / "e.csv")
    assert kg.label(name) == name
    assert kg.attributes(kg.row(name)) == {"code": name}
    frame = pandas.DataFrame({"head": [name], "relation": ["in"], "tail": ["x"]})
    assert name in KnowledgeGraph.from_tables(frame)


def test_keys_of_a_frame_are_whole_though_a_gap_has_made_them_floats() -> None:
    frame = pandas.DataFrame({"head": [7, 8], "relation": [1.0, np.nan], "tail": [9.0, np.nan]})
    with pytest.warns(UserWarning, match="skipped"):
        kg = KnowledgeGraph.from_tables(frame, on_error="skip")
    assert edges_of(kg) == [("7", "1", "9")]


def test_a_frames_whole_numbers_are_whole_beside_a_gap() -> None:
    frame = pandas.DataFrame({"id": ["a", "b"], "label": [1984.0, np.nan], "year": [1949, np.nan]})
    kg = KnowledgeGraph.from_tables([("a", "r", "b")], entities=frame)
    assert kg.label("a") == "1984"
    assert json.dumps(kg.attributes(0)) == '{"year": 1949}'


def test_float_keys_too_large_to_be_exact_are_refused() -> None:
    frame = pandas.DataFrame({"head": [float(BIG)], "relation": ["r"], "tail": ["b"]})
    with pytest.raises(ValueError, match=r"row 0: a float that cannot hold .* integers"):
        KnowledgeGraph.from_tables(frame)


def test_a_networkx_graph_with_a_missing_node_is_refused_with_what_to_do() -> None:
    graph = networkx.DiGraph()
    graph.add_edge("a", float("nan"), relation="r")
    with pytest.raises(ValueError, match=r"node nan is a missing value.*dropna"):
        KnowledgeGraph.from_networkx(graph)


def test_a_missing_relation_is_the_default_one() -> None:
    graph = networkx.DiGraph()
    graph.add_edge("a", "b", relation=pandas.NA)
    with pytest.raises(ValueError, match="default_relation"):
        KnowledgeGraph.from_networkx(graph)
    assert edges_of(KnowledgeGraph.from_networkx(graph, default_relation="r")) == [("a", "r", "b")]


def test_values_that_json_has_no_word_for_keep_what_they_say() -> None:
    assert plain({"b": 1, "a": "é"}) == '{"a": "é", "b": 1}'
    assert plain("é".encode()) == "é"
    assert plain(datetime.date(2001, 2, 3)) == "2001-02-03"
    assert plain([["b", "a"], "c"]) == ["a", "b", "c"]


@pytest.fixture
def rich() -> KnowledgeGraph:
    a = {"label": "[A]", "aliases": ["one", "two"], "types": ["p", "q"]}
    records = [
        {"key": "a", **a, "attributes": {"years": [1, 2]}},
        {"key": "b", "attributes": {"years": "[sic]"}},
        {"key": "c"},
    ]
    triples = [("a", "r", "b"), ("b", "r", "c"), ("c", "q", "a")]
    columns = {"w": [1.0, None, 2.5], "when": ["2001", "", "2002"], "index": [1, 2, 3]}
    return KnowledgeGraph.from_records(records, triples, edge_attributes=columns)


def test_a_graph_survives_networkx_own_files(rich: KnowledgeGraph, tmp_path: Path) -> None:
    networkx.write_graphml(rich.to_networkx(), tmp_path / "g.graphml")
    networkx.write_gexf(rich.to_networkx(), tmp_path / "g.gexf")
    read = networkx.read_graphml(tmp_path / "g.graphml", force_multigraph=True)
    assert KnowledgeGraph.from_networkx(read).fingerprint == rich.fingerprint


def test_pygs_subgraph_takes_edge_attributes_along(rich: KnowledgeGraph) -> None:
    part = KnowledgeGraph.from_pyg(rich.to_pyg().subgraph(torch.tensor([0, 1])))
    assert edges_of(part) == [("a", "r", "b")]
    assert {name: list(column) for name, column in part.edge_attributes.items()} == {
        "index": [1],
        "w": [1.0],
        "when": ["2001"],
    }
    assert KnowledgeGraph.from_pyg(rich.to_pyg(hetero=True)).fingerprint == rich.fingerprint
