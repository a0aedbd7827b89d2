"""Live retrieval over real SPARQL servers: the same subgraphs as from the snapshot of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_servers import SnapshotServer, around_of
from sparql_server import Oxigraph, Virtuoso, oxigraph_server
from test_live import both
from test_sparql import EX, HOSTILE, WORLD, as_n_triples, metaqa_n_triples, unlabelled
from test_walks_sparql import drawn_statements

from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.retrieval import LiveGraph, LiveRetriever
from kgfm.retrieval.live_sparql import SparqlServer
from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql import Endpoint
from kgfm.types import Asked

pytestmark = pytest.mark.sparql


def live_on(url: str, graph: str | tuple[str, ...] = (), **arguments: Any) -> LiveRetriever:
    server = SparqlServer(Endpoint(url, graph=graph))
    return LiveRetriever(LiveGraph(server), deadline=120, **arguments)


def questions(live: LiveRetriever) -> int:
    server = live.graph.server
    assert isinstance(server, SparqlServer)
    return server.endpoint.questions


def drawn_seeds(graph: KnowledgeGraph, texts: int, seeds: int) -> list[list[str]]:
    random = np.random.default_rng(0)
    return [
        [graph.keys[int(row)] for row in random.choice(len(graph), seeds, replace=False)]
        for _ in range(texts)
    ]


def assert_same_texts(graph: KnowledgeGraph, live: LiveGraph) -> None:
    for row, key in enumerate(live.keys):
        assert live.text(row) == graph.text(graph.row(key))
    for row, key in enumerate(live.relation_keys):
        assert live.relation_text(row) == graph.relation_text(graph.relation_row(key))


@pytest.mark.slow
def test_64_texts_of_four_seeds_cost_four_questions_over_the_world(oxigraph: Oxigraph) -> None:
    graph = KnowledgeGraph.from_rdf(WORLD)
    live = live_on(oxigraph.put(as_n_triples(WORLD)))
    batch = drawn_seeds(graph, 64, 4)
    expected, found = both(graph, live, batch)
    assert found == expected
    assert questions(live) == 4
    assert both(graph, live, batch[:5])[1] == expected[:5]
    assert questions(live) == 4, "what was asked before is remembered"
    assert_same_texts(graph, live.graph)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["capital", "language"])
def test_hidden_relations_and_caps_over_the_world(oxigraph: Oxigraph, name: str) -> None:
    graph = KnowledgeGraph.from_rdf(WORLD)
    hidden = f"https://kgfm.example/world/vocabulary/{name}"
    live = live_on(
        oxigraph.put(as_n_triples(WORLD)),
        hide_from_seed=[hidden],
        fan_out=[5, 3],
        budget=[15, 40],
    )
    expected, found = both(graph, live, drawn_seeds(graph, 8, 3))
    assert found == expected


@pytest.mark.slow
def test_virtuoso_which_does_not_order_inside_gives_the_same_in_five_questions(
    virtuoso: Virtuoso,
) -> None:
    graph = KnowledgeGraph.from_rdf(WORLD)
    virtuoso.put(as_n_triples(WORLD), EX + "live")
    live = live_on(virtuoso.url, EX + "live")
    expected, found = both(graph, live, drawn_seeds(graph, 64, 4))
    assert found == expected
    assert_same_texts(graph, live.graph)
    assert questions(live) == 5, "the first finds that it does not know LATERAL"
    both(graph, live, drawn_seeds(graph, 64, 4))
    assert questions(live) == 5, "what was asked before is remembered"


@pytest.mark.data
@pytest.mark.slow
def test_metaqa_live_is_metaqa_from_its_file(
    oxigraph: Oxigraph, tmp_path: Path, public_data: Path
) -> None:
    path = tmp_path / "metaqa.nt"
    path.write_bytes(metaqa_n_triples(public_data))
    graph = KnowledgeGraph.from_rdf(path)
    live = live_on(oxigraph.put(path.read_bytes()))
    expected, found = both(graph, live, drawn_seeds(graph, 64, 4))
    assert found == expected
    assert questions(live) == 4


names = st.sampled_from([*"abcdefgh"])
links = st.lists(st.tuples(names, st.sampled_from("pq"), names), min_size=1, max_size=30)


@unlabelled
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    links,
    st.lists(st.lists(names, max_size=3), max_size=3),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([1, 3, 1_000]),
)
def test_any_graph_live_is_the_graph_from_its_file(
    oxigraph: Oxigraph,
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[str, str, str]],
    batch: Sequence[Sequence[str]],
    fan_out: int,
    lateral: bool,
    long: int,
) -> None:
    text = "".join(f"<{EX}{h}> <{EX}{r}> <{EX}{t}> .\n" for h, r, t in drawn)
    # A blank node counts in the degree of z, but is no neighbour and makes no row longer here.
    text += f'<{EX}a> <{EX}p> "a literal" .\n<{EX}b> <{EX}q> <{EX}z> .\n<{EX}z> <{EX}q> _:blank .\n'
    text += f"<{EX}a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <{EX}b> .\n"
    path = tmp_path_factory.mktemp("live") / "graph.nt"
    path.write_text(text)
    graph = KnowledgeGraph.from_rdf(path)
    known = [[EX + n for n in seeds if EX + n in graph] for seeds in batch]
    server = SparqlServer(Endpoint(oxigraph.put(text)))
    server.lateral = lateral
    live = LiveRetriever(LiveGraph(server), deadline=60, fan_out=fan_out, budget=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgfm.retrieval.live_sparql._LONG", long)
        expected, found = both(graph, live, known)
    blank = [key for key in graph.keys if key.startswith("_:")]
    for (nodes, hops, edges), (live_nodes, live_hops, live_edges) in zip(
        expected, found, strict=True
    ):
        if not {*blank} & {*nodes}:
            assert (live_nodes, live_hops) == (nodes, hops)
            assert live_edges == edges


@unlabelled
def test_types_from_classes_above_are_those_of_the_snapshot(
    oxigraph: Oxigraph, tmp_path: Path
) -> None:
    rdfs = "http://www.w3.org/2000/01/rdf-schema#"
    links = [("Film", "Work"), ("Work", "Thing"), ("Thing", "Film"), ("Film", "Other")]
    text = "".join(f"<{EX}{a}> <{rdfs}subClassOf> <{EX}{b}> .\n" for a, b in links)
    text += f'<{EX}Work> <{rdfs}label> "creative work" .\n<{EX}a> <{EX}p> <{EX}b> .\n'
    text += f"<{EX}a> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <{EX}Film> .\n"
    (tmp_path / "graph.nt").write_text(text)
    graph = KnowledgeGraph.from_rdf(tmp_path / "graph.nt")
    live = live_on(oxigraph.put(text))
    both(graph, live, [[EX + "a"]])
    assert_same_texts(graph, live.graph)
    assert graph.text(graph.row(EX + "a")) == "a (Film, Other, Thing, creative work)"


@unlabelled
@pytest.mark.parametrize("lateral", [True, False])
@pytest.mark.parametrize("language", [("en", ""), ("*",)])
def test_all_that_leads_on_is_what_a_snapshot_holds(
    oxigraph: Oxigraph, tmp_path: Path, lateral: bool, language: tuple[str, ...]
) -> None:
    lines = drawn_statements(Random(0)).splitlines()
    text = "\n".join(line for line in lines if "_:" not in line)  # a server names no blank node
    (tmp_path / "graph.nt").write_text(text)
    schema = GraphSchema(language=language)
    graph = KnowledgeGraph.from_rdf(tmp_path / "graph.nt", schema=schema)
    endpoint = Endpoint(oxigraph.put(text))
    server = SparqlServer(endpoint, schema=schema)
    server.lateral = lateral
    keys = [*graph.keys, EX + "nobody", "no IRI"]
    for longest in (1000, 12, 2):
        expected = around_of(SnapshotServer(graph), keys, longest)
        assert around_of(server, keys, longest) == expected
    assert endpoint.questions == 3


@unlabelled
def test_an_entity_with_more_links_than_one_answer_holds_is_said_to_have_too_many(
    oxigraph: Oxigraph,
) -> None:
    text = "".join(f"<{EX}hub> <{EX}q> <{EX}m{i}> .\n" for i in range(200))
    text += f'<{EX}m1> <{EX}size> "3" .\n'
    server = SparqlServer(Endpoint(oxigraph.put(text), max_bytes=10_000))
    found = around_of(server, [EX + "hub", EX + "m1", EX + "m2"])
    assert found[EX + "hub"] == (None, "")
    assert found[EX + "m1"] == ([(EX + "q", True, EX + "hub")], f'{{"{EX}size":"3"}}')


@unlabelled
def test_hostile_keys_are_never_sent(oxigraph: Oxigraph) -> None:
    url = oxigraph.put(f"<{EX}a> <{EX}p> <{EX}b> .\n")
    live = live_on(url, hide_from_seed=HOSTILE, hops=1)
    keys = [*HOSTILE, *(EX + text for text in HOSTILE), EX + "a", "_:b0"]
    (cut,) = live.retrieve([Asked.at(live.graph.rows(keys))])
    nodes = [live.graph.keys[int(row)] for row in cut.nodes]
    assert nodes == [*keys, EX + "b"]
    assert cut.edge_index.tolist() == [[nodes.index(EX + "a")], [nodes.index(EX + "b")]]
    assert len(Endpoint(url).select("SELECT * { ?s ?p ?o }")) == 1


def test_a_server_that_dies_is_unavailable_within_the_deadline(tmp_path: Path) -> None:
    with oxigraph_server(tmp_path) as server:
        server.put(f"<{EX}a> <{EX}p> <{EX}b> .\n<{EX}b> <{EX}p> <{EX}c> .\n")
        live = LiveRetriever(LiveGraph(SparqlServer(server.url)), deadline=1.0)
        seeds = [Asked.at(live.graph.rows([EX + "a"]))]
        assert len(live.retrieve(seeds)[0].nodes) == 3
    assert len(live.retrieve(seeds)[0].nodes) == 3, "what was asked before is remembered"
    other = [Asked.at(live.graph.rows([EX + "c"]))]
    for _ in range(3):
        with pytest.raises(ServerUnavailableError):
            live.retrieve(other)
    asked = questions(live)
    with pytest.raises(ServerUnavailableError, match="asked again in"):
        live.retrieve(other)
    assert questions(live) == asked


# -- hubs and limits -------------------------------------------------------------------------------

HUB = 20_000


@pytest.fixture(scope="module")
def hub() -> str:
    """A hub with many neighbours."""
    return "".join(
        f"<{EX}hub> <{EX}p> <{EX}n{i}> .\n<{EX}n{i}> <{EX}q> <{EX}m{i % 100}> .\n"
        for i in range(HUB)
    )


def assert_left_at_the_deadline(url: str, graph: str | tuple[str, ...] = ()) -> None:
    live = live_on(url, graph, hops=1)
    live.deadline = 0.05
    with pytest.raises(ServerUnavailableError):
        live.retrieve([Asked.at(live.graph.rows([EX + "hub"]))])
    live.deadline = 120.0  # the server is well: another node is served, with the hub beside it
    (cut,) = live.retrieve([Asked.at(live.graph.rows([EX + "n7"]))])
    assert [live.graph.keys[int(row)] for row in cut.nodes] == [EX + "n7", EX + "m7", EX + "hub"]


@pytest.mark.slow
def test_a_hub_on_oxigraph_is_left_at_the_deadline(oxigraph: Oxigraph, hub: str) -> None:
    assert_left_at_the_deadline(oxigraph.put(hub))


@pytest.mark.slow
def test_a_hub_on_virtuoso_is_left_at_the_deadline_there_too(virtuoso: Virtuoso, hub: str) -> None:
    virtuoso.put(hub, EX + "hub")
    assert_left_at_the_deadline(virtuoso.url, EX + "hub")
    # Told a part of the time that it has, the server stops first, and says so.
    limits = {"timeout": 30, "retry_for": 0, "server_timeout": ("timeout", 40.0)}
    endpoint = Endpoint(virtuoso.url, graph=EX + "hub", **limits)
    paths = "?a ?p ?b . ?c ?q ?b . ?c ?r ?d . ?e ?s ?d"
    with pytest.raises(ServerUnavailableError, match="answered in part"):
        endpoint.select(f"SELECT (COUNT(*) AS ?n) WHERE {{ {paths} }}")


@unlabelled
@pytest.mark.parametrize("lateral", [True, False])
def test_what_is_too_large_for_one_answer_is_asked_for_in_halves(
    oxigraph: Oxigraph, tmp_path: Path, lateral: bool
) -> None:
    text = "".join(
        f"<{EX}n{i}> <{EX}p> <{EX}n{(7 * i + j) % 40}> .\n" for i in range(40) for j in range(4)
    )
    text += "".join(f"<{EX}hub> <{EX}q> <{EX}m{i}> .\n" for i in range(60))
    (tmp_path / "graph.nt").write_text(text)
    graph = KnowledgeGraph.from_rdf(tmp_path / "graph.nt")
    endpoint = Endpoint(oxigraph.put(text), max_bytes=10_000)
    server = SparqlServer(endpoint)
    server.lateral = lateral
    live = LiveRetriever(LiveGraph(server), deadline=120, fan_out=100)
    expected, found = both(graph, live, [[f"{EX}n{i}" for i in range(20)]])
    assert found == expected
    assert endpoint.questions > 8
    with pytest.raises(ServerUnavailableError, match="max_bytes"):
        live.retrieve([Asked.at(live.graph.rows([EX + "hub"]))])
