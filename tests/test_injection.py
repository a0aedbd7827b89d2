"""What users and graphs say never becomes a query: every road to a real server, watched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from neo4j_server import Neo4j
from sparql_server import Oxigraph, Virtuoso

from kgfm.graph import EntityRecord, GraphSchema, KnowledgeGraph
from kgfm.retrieval import LiveGraph, LiveRetriever
from kgfm.retrieval.live_neo4j import Neo4jServer
from kgfm.retrieval.live_sparql import SparqlServer
from kgfm.stores.neo4j import write_links, write_predictions, write_vectors
from kgfm.stores.refresh import refresh
from kgfm.stores.sparql import Endpoint
from kgfm.stores.sparql.hosts import check_services
from kgfm.types import Asked, Mention, Prediction

EVIL = ["x`) DETACH DELETE n //", "> } ; DROP ALL #", "\\u0060) DETACH DELETE n //", "' OR 1=1 //"]
VALUES = [f"value {text}" for text in EVIL]
NAMES = [f"name {text}" for text in EVIL]
EX = "http://example.org/"
unlabelled = pytest.mark.filterwarnings("ignore:.*have no label:UserWarning")


@pytest.fixture
def cypher(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every query text that goes to the driver."""
    import neo4j

    texts: list[str] = []
    run = neo4j.Transaction.run  # of managed transactions too

    def watched(self: Any, query: str, *arguments: Any, **named: Any) -> Any:
        texts.append(str(query))
        return run(self, query, *arguments, **named)

    monkeypatch.setattr(neo4j.ManagedTransaction, "run", watched)
    yield texts
    assert texts
    for text in texts:
        assert "value " not in text, "values are parameters"
        bare = re.sub(r"`(?:[^`]|``)*`", "", text)
        assert not re.search(r"name |DETACH|DROP|1=1|//", bare), "names are quoted"


def evil_graph() -> KnowledgeGraph:
    """A graph with hostile keys, labels, types, relations, names of attributes, and values."""
    entities = [
        EntityRecord(
            value, f"value label {value}", [value + "2"], value, [name], {name: value, "since": 1}
        )
        for value, name in zip(VALUES, NAMES, strict=True)
    ]
    triples = [
        (VALUES[i], NAMES[j], VALUES[(i + j) % 4]) for i in range(4) for j in range(len(NAMES))
    ]
    attributes = {NAMES[0]: [VALUES[0]] * len(triples)}
    return KnowledgeGraph.from_records(
        entities, triples, relations=dict(zip(NAMES, VALUES, strict=True)),
        edge_attributes=attributes,
    )  # fmt: skip


@pytest.mark.neo4j
def test_nothing_hostile_becomes_cypher_on_any_road(
    neo4j: Neo4j, cypher: list[str], tmp_path: Path
) -> None:
    graph = evil_graph()
    for _ in range(2):
        graph.to_neo4j(neo4j.uri, **neo4j.login)
    back = KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **neo4j.login)
    assert back.fingerprint == graph.fingerprint
    back.save(tmp_path)
    done = refresh(tmp_path, query="MATCH (n:KgfmEntity) RETURN n.key", **neo4j.login)
    assert done.graph.fingerprint == graph.fingerprint
    stored = f"kgfm:name:{NAMES[0]}"
    for name in (stored, *EVIL):
        with pytest.raises(KeyError, match="The server has no property"):
            refresh(tmp_path, changed=name, since=VALUES[0], **neo4j.login)
    refresh(tmp_path, changed=NAMES[0], since=VALUES[0], **neo4j.login)

    mentions = [Mention(0, 5, value, value) for value in VALUES]
    said = [
        Prediction(text, text, 0.5, ((text, 0.5),), mentions=tuple(mentions[:2])) for text in VALUES
    ]
    assert write_links(graph, [(text, mentions) for text in VALUES], neo4j.uri, **neo4j.login) == 16
    assert write_predictions(graph, said, neo4j.uri, **neo4j.login) == 4
    vectors = np.ones((len(graph), 4), np.float32)
    assert write_vectors(graph, vectors, neo4j.uri, name=NAMES[1], **neo4j.login) == 4

    server = Neo4jServer(neo4j.uri, **neo4j.login)
    live = LiveRetriever(LiveGraph(server), deadline=120, hide_from_seed=[NAMES[3], *EVIL])
    (cut,) = live.retrieve([Asked.at(live.graph.rows([*VALUES, *EVIL]))])
    assert len(cut.nodes) == 8
    assert neo4j.run("MATCH (n:KgfmEntity) RETURN count(n)") == [[4]]
    server.close()


@pytest.fixture
def sparql(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every query text that goes to an endpoint."""
    texts: list[str] = []
    once = Endpoint._once

    def watched(self: Endpoint, query: str, timeout: float) -> Any:
        texts.append(query)
        return once(self, query, timeout)

    monkeypatch.setattr(Endpoint, "_once", watched)
    yield texts
    assert texts
    for text in texts:
        bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
        assert not re.search(r"DROP|DETACH|1=1|value |name ", bare), "all text is in strings"


def evil_statements() -> str:
    from kgfm.stores.sparql.terms import string

    lines = [
        f"<{EX}{n}> <{EX}{name}> {string(value)} .\n"
        for n, value in enumerate(VALUES)
        for name in ("says", "label")
    ]
    return "".join(lines) + f"<{EX}0> <{EX}p> <{EX}1> .\n"


def assert_nothing_becomes_sparql(url: str, graph: str, tmp_path: Path) -> None:
    evil = tuple(EVIL)
    label = (EX + "label", *evil)
    schema = GraphSchema(label=label, alias=evil, type=evil, subclass=evil, ignore=evil)
    options: dict[str, Any] = {"graph": graph or (), "schema": schema}
    read = KnowledgeGraph.from_sparql(url, modified=EX + "says", folder=tmp_path / "p", **options)
    assert {read.label(f"{EX}{n}") for n in range(4)} == {*VALUES}
    read.save(tmp_path / "graph")
    done = refresh(tmp_path / "graph", url, graph=graph or ())
    assert done.graph.fingerprint == read.fingerprint
    part = KnowledgeGraph.from_sparql(url, where=f"?s <{EX}says> ?o", depth=1, **options)
    assert part.fingerprint == read.fingerprint
    live = LiveRetriever(
        LiveGraph(SparqlServer(Endpoint(url, graph=graph or ()), schema=schema)),
        deadline=120,
        hide_from_seed=[*EVIL, *(EX + text for text in EVIL)],
    )
    seeds = [EX + "0", *EVIL, *(EX + text for text in EVIL)]
    (cut,) = live.retrieve([Asked.at(live.graph.rows(seeds))])
    assert len(cut.nodes) == len(seeds) + 1


@unlabelled
@pytest.mark.sparql
def test_nothing_hostile_becomes_sparql_on_oxigraph(
    oxigraph: Oxigraph, sparql: list[str], tmp_path: Path
) -> None:
    assert_nothing_becomes_sparql(oxigraph.put(evil_statements()), "", tmp_path)


@unlabelled
@pytest.mark.slow
@pytest.mark.sparql
def test_nothing_hostile_becomes_sparql_on_virtuoso(
    virtuoso: Virtuoso, sparql: list[str], tmp_path: Path
) -> None:
    virtuoso.put(evil_statements(), EX + "evil")
    assert_nothing_becomes_sparql(virtuoso.url, EX + "evil", tmp_path)


def test_an_endpoint_is_made_to_ask_others_only_where_they_were_named() -> None:
    inner = "SERVICE {} <http://other.example/sparql> {{ ?s ?p ?o }}"
    for pattern in (
        inner.format(""),
        inner.format("silent").replace("SERVICE", "Service"),
        "SERVICE ?where { ?s ?p ?o }",
        f'?s <{EX}p> "x" # SERVICE\n {inner.format("")}',
        "SERVICE",
    ):
        with pytest.raises(PermissionError, match="allow_remote"):
            KnowledgeGraph.from_sparql("http://127.0.0.1:1/", where=pattern)
        with pytest.raises(PermissionError, match="allow_remote"):
            KnowledgeGraph.from_sparql("http://127.0.0.1:1/", changed=pattern)
    for pattern in (
        '?s ?p "SERVICE <http://other.example/>" # SERVICE <http://other.example/>',
        f'?service <{EX}SERVICE> ?s . ?s ex:service \'it\'\'s\' , """SERVICE "x" """',
    ):
        check_services(pattern, ())
    check_services(inner.format("SILENT"), ["other.example"])
