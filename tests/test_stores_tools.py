"""Graphs that go through other libraries' own tools, and what becomes of them on the way."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pandas
import pytest
import torch
import torch_geometric.data
import torch_geometric.transforms
from turtle_text import triples_of

from kgfm.graph import KnowledgeGraph

ENTITIES: list[dict[str, Any]] = [
    {
        "key": "a",
        "label": "A",
        "aliases": ["x", "y"],
        "types": ["Film", "Thing"],
        "attributes": {
            "year": 1995,
            "score": 0.5,
            "sure": True,
            "tags": ["p", "q|r"],
            "code": "07",
        },
    },
    {"key": "b", "label": 'B "&" <b>', "aliases": ["one|two"], "description": "A\nthing."},
    {"key": "c", "label": "C", "types": [" odd "], "attributes": {"year": 2**62 + 1, "tags": "p"}},
    {"key": "é", "label": "É"},
]
TRIPLES = [("a", "r", "b"), ("a", "q", "b"), ("b", "r", "c"), ("c", "q", "a")]
COLUMNS: dict[str, list[Any]] = {
    "weight": [1.5, 2.0, None, 4.0],
    "since": [1999, None, 2001, 2002],
    "large": [2**53 + 1, None, 3, 4],
    "note": ["x", None, "y", "x"],
    "sure": [True, False, True, True],
    "relation": ["p", "q", "r", "s"],
    "index": [1, 2, 3, 4],
    "type": ["t", "u", None, "t"],
}


def graph(triples: int = len(TRIPLES), without: tuple[str, ...] = ()) -> KnowledgeGraph:
    columns = {name: column[:triples] for name, column in COLUMNS.items() if name not in without}
    return KnowledgeGraph.from_records(
        ENTITIES, TRIPLES[:triples], relations={"r": "rel"}, edge_attributes=columns
    )


def values(kg: KnowledgeGraph) -> set[tuple[Any, ...]]:
    """The triples with their attributes."""
    columns = [list(column) for column in kg.edge_attributes.values()]
    return {
        (*triple, *map(str, row)) for triple, *row in zip(triples_of(kg), *columns, strict=True)
    }


# -- NetworkX -------------------------------------------------------------------------------------


@pytest.mark.parametrize("triples", [4, 1, 0])
def test_a_graph_comes_back_from_graphml(tmp_path: Path, triples: int) -> None:
    kg, path = graph(triples), tmp_path / "g.graphml"
    networkx.write_graphml(kg.to_networkx(), path)
    assert KnowledgeGraph.from_networkx(networkx.read_graphml(path)).fingerprint == kg.fingerprint
    as_json = networkx.node_link_data(kg.to_networkx(), edges="edges")
    made = networkx.node_link_graph(as_json, edges="edges")
    assert KnowledgeGraph.from_networkx(made).fingerprint == kg.fingerprint


def test_graphml_carries_an_edge_attribute_called_id_and_one_that_was_added(tmp_path: Path) -> None:
    kg = KnowledgeGraph.from_records([], TRIPLES, edge_attributes={"id": [*"wxyz"]})
    made = kg.to_networkx()
    networkx.write_graphml(made, tmp_path / "g.graphml")
    made = networkx.read_graphml(tmp_path / "g.graphml")
    assert KnowledgeGraph.from_networkx(made).fingerprint == kg.fingerprint
    networkx.set_edge_attributes(made, 1.5, "weight")
    again = KnowledgeGraph.from_networkx(made.subgraph(["a", "b"]))
    assert again.edge_attributes["weight"].tolist() == [1.5, 1.5]


def test_whole_numbers_with_gaps_are_whole_in_networkx_and_tables(tmp_path: Path) -> None:
    kg = graph()
    since = [data.get("since") for _, _, data in kg.to_networkx().edges(data=True)]
    assert sorted(map(repr, since)) == ["1999", "2001", "2002", "None"]
    kg.to_tables(tmp_path / "tables")
    table = pandas.read_csv(tmp_path / "tables" / "triples.tsv", sep="\t", dtype=str)
    assert {*table["since"].dropna()} == {"1999", "2001", "2002"}
    assert {*table["weight"].dropna()} == {"1.5", "2", "4"}
    assert KnowledgeGraph.from_layout("tables", tmp_path / "tables").fingerprint == kg.fingerprint


def test_a_missing_node_relation_or_attribute_of_networkx_is_none() -> None:
    made = networkx.DiGraph()
    for void in (math.nan, None, pandas.NA, pandas.NaT, np.datetime64("NaT")):
        made.clear()
        made.add_node(1.0, label=void, year=void)
        made.add_edge(1.0, 2, relation=void, since=void)
        with pytest.raises(ValueError, match="has no attribute 'relation'"):
            KnowledgeGraph.from_networkx(made)
        kg = KnowledgeGraph.from_networkx(made, default_relation="r")
        assert triples_of(kg) == [("1", "r", "2")]
        assert (list(kg.labels), kg.attributes(0)) == (["1", "2"], {})
        assert list(kg.edge_attributes["since"]) == [""]
    made.add_edge(1.0, math.nan, relation="r")
    with pytest.raises(ValueError, match="The node nan is a missing value"):
        KnowledgeGraph.from_networkx(made)


# -- PyTorch Geometric ----------------------------------------------------------------------------

TOOLS = {
    "clone": lambda data: data.clone().contiguous(),
    "sort": lambda data: data.sort(sort_by_row=False),
    "subgraph": lambda data: data.subgraph(torch.arange(data.num_nodes).flip(0)),
    "edge_subgraph": lambda data: data.edge_subgraph(torch.arange(data.num_edges).flip(0)),
    "batch": lambda data: torch_geometric.data.Batch.from_data_list([data])[0],
    "component": torch_geometric.transforms.LargestConnectedComponents(),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("triples", [4, 3])  # with as many nodes as edges, too
def test_what_is_known_of_nodes_and_edges_goes_through_tools_of_pyg(
    tool: str, triples: int
) -> None:
    kg = graph(triples)
    if tool == "component":
        kg = KnowledgeGraph.from_records(ENTITIES[:3], TRIPLES, edge_attributes=COLUMNS)
    again = KnowledgeGraph.from_pyg(TOOLS[tool](kg.to_pyg()))
    assert again.fingerprint == kg.fingerprint


def test_a_part_that_pyg_cuts_out_is_the_part_of_the_graph() -> None:
    kg = graph()
    for chosen in (torch.tensor([1, 0]), torch.tensor([True, True, False, False])):
        part = KnowledgeGraph.from_pyg(kg.to_pyg().subgraph(chosen))
        assert values(part) == {row for row in values(kg) if {row[0], row[2]} <= {"a", "b"}}
        assert list(part.labels) == ["A", 'B "&" <b>']
    lonely = torch_geometric.transforms.RemoveIsolatedNodes()(kg.to_pyg())
    assert list(KnowledgeGraph.from_pyg(lonely).keys) == ["a", "b", "c"]


def test_parts_of_a_graph_by_type_are_its_parts_too() -> None:
    kg = KnowledgeGraph.from_records(
        [{"key": key, "types": ["T"]} for key in "abc"], TRIPLES, edge_attributes=COLUMNS
    )
    made = kg.to_pyg(hetero=True)
    assert KnowledgeGraph.from_pyg(made).fingerprint == kg.fingerprint
    part = KnowledgeGraph.from_pyg(made.subgraph({"T": torch.tensor([0, 1])}))
    assert triples_of(part) == [("a", "q", "b"), ("a", "r", "b")]
    part = KnowledgeGraph.from_pyg(made.edge_type_subgraph([("T", "q", "T")]))
    assert {row[:3] for row in values(part)} == {("a", "q", "b"), ("c", "q", "a")}
    assert {row for row in values(kg) if row[1] == "q"} == values(part)


# -- what is given twice --------------------------------------------------------------------------

TWICE = [("a", "r", "b"), ("a", "r", "b"), ("a", "r", "b"), ("a", "r", "c"), ("a", "r", "c")]
DATES = ["2014-01-05", "2014-03-09", "2014-01-05", "2015-01-01", None]


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_triples_that_differ_in_their_attributes_are_counted_from_every_source() -> None:
    frame = pandas.DataFrame(TWICE, columns=["head", "relation", "tail"]).assign(date=DATES, n=1)
    many = networkx.MultiDiGraph()
    for (head, relation, tail), date in zip(TWICE, DATES, strict=True):
        many.add_edge(head, tail, relation=relation, date=date, n=1)
    turtle = "@prefix : <urn:> . :g1 { :a :r :b, :c } :g2 { :a :r :b . }"
    for read in (
        lambda: KnowledgeGraph.from_tables(frame),
        lambda: KnowledgeGraph.from_networkx(many),
        lambda: KnowledgeGraph.from_records(
            [], TWICE, edge_attributes={"date": DATES, "n": [1] * 5}
        ),
        lambda: KnowledgeGraph.from_rdf(
            io.BytesIO(turtle.encode()), format="trig", graph_attribute="date"
        ),
    ):
        with pytest.warns(UserWarning, match="1 triples were given again .* values of date"):
            kg = read()
        assert kg.manifest["source"]["dropped_edge_values"] == 1
        assert kg.num_triples == 2
        assert len([*kg.edge_attributes["date"]]) == 2


def test_triples_that_are_given_twice_with_nothing_else_are_only_noted() -> None:
    kg = KnowledgeGraph.from_records([], TWICE, edge_attributes={"n": [1, 1, 1, 2, None]})
    assert kg.manifest["source"] == {"repeated_triples": 3}
    assert kg.edge_attributes["n"].tolist() == [1, 2]
