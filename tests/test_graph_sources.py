"""Graphs that are merged into one, in which all keep where they come from."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgfm.graph import KnowledgeGraph
from kgfm.graph.sources import triple_places
from kgfm.linking import LINKERS, Linker
from kgfm.retrieval import RETRIEVERS, HopRetriever, WalkRetriever
from kgfm.retrieval.altered import RandomEdges, ShuffledEdges
from kgfm.types import Asked

FIRMS = [
    {"key": "apex", "label": "Apex", "aliases": ["Apex Ltd"], "types": ["company"]},
    {"key": "bolt", "label": "Bolt", "types": ["company"]},
    {"key": "coal", "label": "Coal", "types": ["sector"]},
    {"key": "rail", "label": "Rail", "types": ["sector"]},
]
PLACES = [
    {"key": "apex", "label": "Apex", "types": ["employer"], "attributes": {"staff": 9}},
    {"key": "oslo", "label": "Oslo", "description": "A city."},
    {"key": "bern", "label": "Bern"},
]
SECTORS = [("apex", "sector", "coal"), ("bolt", "sector", "rail")]
SEATS = [("apex", "seat", "oslo"), ("oslo", "twin", "bern"), ("bern", "twin", "oslo")]


def firms():
    return KnowledgeGraph.from_records(FIRMS, SECTORS, edge_attributes={"since": [1999, 2001]})


def places():
    return KnowledgeGraph.from_records(PLACES, SEATS)


@pytest.fixture
def graph():
    return KnowledgeGraph.merged({"firms": firms(), "places": places()})


def triples(graph):
    columns = (graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist())
    return [
        (graph.keys[h], graph.relation_keys[r], graph.keys[t])
        for h, r, t in zip(*columns, strict=True)
    ]


def test_equal_keys_are_one_entity_that_joins_what_both_know(graph):
    assert list(graph.keys) == ["apex", "bern", "bolt", "coal", "oslo", "rail"]
    assert sorted(triples(graph)) == sorted([*SECTORS, *SEATS])
    row = graph.row("apex")
    assert graph.names(row) == ("Apex", "Apex Ltd")
    assert graph.types(row) == ("company", "employer")
    assert graph.attributes(row) == {"staff": 9}
    assert graph.descriptions[graph.row("oslo")] == "A city."


def test_each_entity_and_triple_says_where_it_comes_from(graph):
    assert graph.sources == ["firms", "places"]
    found = {key: graph.sources_of(row) for row, key in enumerate(graph.keys)}
    assert found["apex"] == ("firms", "places")
    assert found["bolt"] == ("firms",)
    assert found["bern"] == ("places",)
    assert graph.in_source("firms").sum() == 4
    kept = np.flatnonzero(graph.triples_in("firms"))
    assert [triples(graph)[place] for place in kept] == SECTORS
    assert firms().sources == []
    assert firms().sources_of(0) == ()


def test_an_unknown_source_is_refused_with_the_nearest(graph):
    with pytest.raises(ValueError, match=r"No source 'firm' .* Did you mean 'firms'\?"):
        graph.in_source("firm")
    with pytest.raises(ValueError, match="is of one source and cannot be limited to 'firms'"):
        firms().only("firms")


def test_one_source_alone_is_the_graph_that_it_was(graph):
    towns = KnowledgeGraph.from_records(PLACES[1:], SEATS[1:])
    assert KnowledgeGraph.merged({"a": firms(), "b": towns}).only("b").fingerprint == (
        towns.fingerprint
    )
    part = graph.only("firms")
    assert list(part.keys) == list(firms().keys)
    assert triples(part) == SECTORS
    assert part.edge_attributes["since"].tolist() == [1999, 2001]
    assert part.types(part.row("apex")) == ("company", "employer")


def test_sources_are_saved_opened_pickled_and_part_of_the_content(graph, tmp_path):
    opened = graph.save(tmp_path / "merged")
    assert opened.sources == graph.sources
    assert opened.fingerprint == graph.fingerprint == pickle.loads(pickle.dumps(graph)).fingerprint
    assert KnowledgeGraph.open(tmp_path / "merged", verify=True).sources_of(0) == (
        "firms",
        "places",
    )
    other = KnowledgeGraph.merged({"firms": firms(), "towns": places()})
    assert other.fingerprint != graph.fingerprint


def test_the_order_of_the_graphs_changes_names_of_sources_alone(graph):
    turned = KnowledgeGraph.merged({"places": places(), "firms": firms()})
    assert list(turned.keys) == list(graph.keys)
    assert triples(turned) == triples(graph)
    assert {*turned.sources_of(0)} == {*graph.sources_of(0)}


def test_a_merged_graph_keeps_its_sources_when_it_is_merged_again(graph):
    more = KnowledgeGraph.from_records([{"key": "oslo", "label": "Oslo"}], [])
    again = KnowledgeGraph.merged({"both": graph, "cities": more})
    assert again.sources == ["firms", "places", "cities"]
    assert again.sources_of(again.row("oslo")) == ("places", "cities")
    assert again.sources_of(again.row("apex")) == ("firms", "places")


def test_what_graphs_say_differently_is_counted_in_one_warning():
    one = KnowledgeGraph.from_records(
        [{"key": "a", "label": "A", "description": "first", "attributes": {"n": 1}}],
        [("a", "r", "a")],
        relations={"r": "rules"},
        edge_attributes={"weight": [0.5]},
    )
    other = KnowledgeGraph.from_records(
        [{"key": "a", "label": "B", "description": "second", "attributes": {"n": 2}}],
        [("a", "r", "a")],
        relations={"r": "reigns"},
        edge_attributes={"weight": [0.7]},
    )
    with pytest.warns(UserWarning, match="say different things") as caught:
        both = KnowledgeGraph.merged({"one": one, "other": other})
    said = str(caught[0].message)
    for part in ("1 labels", "1 descriptions", "1 attributes", "1 relation labels", "1 edge attr"):
        assert part in said
    assert both.names(0) == ("A", "B")
    assert both.descriptions[0] == "first"
    assert both.attributes(0) == {"n": [1, 2]}
    assert both.relation_labels[0] == "rules"
    assert both.sources_of(0) == ("one", "other")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KnowledgeGraph.merged({"one": one, "same": one})


def test_one_graph_alone_is_a_source_too_and_none_is_refused():
    assert KnowledgeGraph.merged({"firms": firms()}).only("firms").num_triples == 2
    with pytest.raises(ValueError, match="takes graphs by name"):
        KnowledgeGraph.merged({})
    many = {f"s{number}": places() for number in range(33)}
    with pytest.raises(ValueError, match="32 sources at most; got 33"):
        KnowledgeGraph.merged(many)


def test_one_source_can_be_shuffled_or_rewired_alone(graph):
    for altered in (graph.shuffled(1, "firms"), graph.rewired(1, "firms")):
        kept = {triple for triple in triples(altered) if triple[1] != "sector"}
        assert kept == set(SEATS)
        assert altered.sources == graph.sources
        assert altered.triples_in("firms").sum() == 2
    changed = [triples(graph.shuffled(seed, "firms")) != triples(graph) for seed in range(8)]
    assert any(changed)
    assert not all(triples(graph.shuffled(s, "places")) != triples(graph) for s in range(8))
    assert graph.select(graph.triples_in("places")).triples_in("firms").sum() == 0


# -- parts limited to one source ------------------------------------------------------------------


@pytest.mark.parametrize("name", LINKERS)
def test_a_linker_can_be_limited_to_a_source(graph, name):
    text = "Apex moves from Oslo to Bern."
    every = {mention.entity for mention in LINKERS.build(name, graph=graph)(text)}
    assert every == {"apex", "oslo", "bern"}
    linker = LINKERS.build({"name": name, "source": "firms"}, graph=graph)
    assert [mention.entity for mention in linker(text)] == ["apex"]
    again = LINKERS.build(LINKERS.written(linker), graph=graph)
    assert again(text) == linker(text)
    with pytest.raises(ValueError, match="No source 'firm'"):
        LINKERS.build({"name": name, "source": "firm"}, graph=graph)


def test_a_linker_over_a_part_says_which_part(graph):
    assert Linker(graph.only("firms")).config()["source"] == "firms"
    assert Linker(graph).config()["source"] is None


@pytest.mark.parametrize("name", ["hops", "ppr", "paths"])
def test_a_retriever_can_be_limited_to_the_triples_of_a_source(graph, name):
    asked = [Asked.at(graph.rows(["apex", "bern"]))]
    whole = RETRIEVERS.build(name, graph=graph).retrieve(asked)[0]
    retriever = RETRIEVERS.build({"name": name, "source": "firms"}, graph=graph)
    part = retriever.retrieve(asked)[0]
    assert {graph.relation_keys[r] for r in part.edge_type.tolist()} <= {"sector"}
    assert {graph.relation_keys[r] for r in whole.edge_type.tolist()} >= {"seat", "twin"}
    # What is named stays a node, wherever it comes from.
    assert {*graph.rows(["apex", "bern"]).tolist()} <= {*part.nodes.tolist()}
    assert retriever.config()["source"] == "firms"
    assert RETRIEVERS.written({"name": name})["source"] is None


def test_walks_can_be_limited_too(graph):
    walks = WalkRetriever(graph, source="places")
    assert walks.graph.num_triples == len(SEATS)
    assert walks.config()["source"] == "places"


def test_edges_of_one_source_can_be_wrong_after_the_cut(graph):
    asked = [Asked.at(graph.rows(["apex", "bolt"]))]
    hops = HopRetriever(graph)
    true = hops.retrieve(asked)[0]
    sector = graph.relation_row("sector")

    def edges(cut):
        heads, tails = cut.nodes[cut.edge_index]
        return {*zip(heads.tolist(), cut.edge_type.tolist(), tails.tolist(), strict=True)}

    for kind in (ShuffledEdges, RandomEdges):
        found = [kind(hops, seed=s, source="firms").retrieve(asked)[0] for s in range(9)]
        for cut in found:
            others = {edge for edge in edges(cut) if edge[1] != sector}
            assert others == {edge for edge in edges(true) if edge[1] != sector}
        assert any(edges(cut) != edges(true) for cut in found)
        with pytest.raises(ValueError, match="No source 'x'"):
            kind(hops, source="x")


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.tuples(*[st.integers(0, 6)] * 3), max_size=40, unique=True), st.data())
def test_the_place_of_a_triple_is_found_or_there_is_none(given_triples, data):
    named = [(f"e{h}", f"r{r}", f"e{t}") for h, r, t in given_triples]
    every = [{"key": f"e{n}"} for n in range(7)]
    graph = KnowledgeGraph.from_records(every, named)
    size = max(1, graph.num_relations)
    wanted = data.draw(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, size - 1), st.integers(0, 6)))
    )
    columns = np.array(wanted, np.int64).reshape(-1, 3).T
    there = [*zip(*(c.tolist() for c in (graph.heads, graph.relations, graph.tails)), strict=True)]
    expected = [there.index(one) if one in there else -1 for one in wanted]
    assert triple_places(graph, *columns).tolist() == expected
