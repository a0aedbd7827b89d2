"""Nothing is dropped without a word."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from kgfm import KnowledgeGraph


def test_a_triple_given_again_with_other_attributes_is_counted() -> None:
    triples = [("a", "r", "b")] * 4 + [("a", "r", "c")]
    columns = {"on": ["2001", "2002", "2001", None, "2001"], "n": [1.0, 1.0, 1.0, None, 2.0]}
    with pytest.warns(UserWarning, match=r"1 triples .* other values of n, on"):
        kg = KnowledgeGraph.from_records([], triples, edge_attributes=columns)
    assert kg.manifest["source"]["dropped_edge_values"] == 1
    assert list(kg.edge_attributes["on"]) == ["2001", "2001"]


def test_a_triple_given_again_with_nothing_else_is_no_loss() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kg = KnowledgeGraph.from_records(
            [], [("a", "r", "b")] * 3, edge_attributes={"on": ["2001", None, "2001"]}
        )
    assert "dropped_edge_values" not in kg.manifest["source"]


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_terms_of_a_vocabulary_are_entities_though_nothing_links_them(tmp_path: Path) -> None:
    (tmp_path / "v.ttl").write_text(
        "@prefix : <http://e/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
        "@prefix owl: <http://www.w3.org/2002/07/owl#> .\n"
        ':Bone a owl:Class ; rdfs:label "bone" . :Skin a rdfs:Class ; rdfs:label "skin" .\n'
        ':Film a owl:Class ; rdfs:label "film" . :Heat a :Film ; rdfs:label "Heat" .\n'
        ':by a owl:ObjectProperty ; rdfs:label "by" .\n'
    )
    kg = KnowledgeGraph.from_rdf(tmp_path / "v.ttl")
    assert sorted(kg.labels) == ["Heat", "bone", "skin"]
