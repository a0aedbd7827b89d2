"""Snapshots that follow a Neo4j database, and findings that are written back to it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from killing import killed_at_moments
from neo4j_server import Neo4j
from test_neo4j_faults import environment

from kgfm import KnowledgeGraph
from kgfm.stores.neo4j import write_links, write_predictions, write_vectors
from kgfm.stores.refresh import refresh
from kgfm.types import Mention, Prediction

pytestmark = pytest.mark.neo4j


def films(neo4j: Neo4j) -> None:
    neo4j.run("CREATE CONSTRAINT FOR (n:Thing) REQUIRE n.id IS UNIQUE")
    neo4j.run(
        "UNWIND range(0, 30) AS i CREATE (:Thing:Film {id: 'f' + i, title: 'Film ' + i, "
        "  updated: datetime('2026-01-01T00:00:00Z')}) "
        "CREATE (:Thing:Person {id: 'p' + i, name: 'Person ' + i, "
        "  updated: datetime('2026-01-01T00:00:00Z')})"
    )
    neo4j.run(
        "UNWIND range(0, 30) AS i MATCH (f:Thing {id: 'f' + i}), (p:Thing {id: 'p' + (i % 7)}) "
        "CREATE (f)-[:DIRECTED_BY {year: 1990 + i, note: 'n' + i}]->(p)"
    )


def change(neo4j: Neo4j) -> None:
    """Change a text, add and delete nodes and relationships, and move the moments on."""
    later = "datetime('2026-02-01T00:00:00Z')"
    neo4j.run(f"MATCH (n:Thing {{id: 'f3'}}) SET n.title = 'Heat', n.updated = {later}")
    neo4j.run("MATCH (n:Thing {id: 'p5'}) DETACH DELETE n")
    neo4j.run("MATCH (n:Thing {id: 'p20'}) DETACH DELETE n")
    neo4j.run(
        f"MATCH (f:Thing {{id: 'f4'}})-[r]->() SET f.updated = {later} DELETE r "
        f"CREATE (f)-[:DIRECTED_BY {{year: 1995}}]->(:Thing {{id: 'new', name: 'Mann'}})"
    )


def fresh(neo4j: Neo4j, **options: Any) -> KnowledgeGraph:
    return KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **options, **neo4j.login)


def test_a_refresh_by_a_property_equals_a_fresh_build(neo4j: Neo4j, tmp_path: Path) -> None:
    films(neo4j)
    fresh(neo4j, changed="updated").save(tmp_path)
    change(neo4j)
    done = refresh(tmp_path, **neo4j.login)
    assert done.graph.fingerprint == fresh(neo4j).fingerprint
    assert KnowledgeGraph.open(tmp_path).fingerprint == done.graph.fingerprint
    counts = done.counts()
    assert (counts["entities_added"], counts["entities_removed"]) == (1, 2)
    assert counts["texts_changed"] == 1
    neo4j.run("MATCH (n:Thing {id: 'f9'}) SET n.title = 'X', n.updated = datetime()")
    again = refresh(tmp_path, **neo4j.login)
    assert again.graph.fingerprint == fresh(neo4j).fingerprint
    assert again.counts()["texts_changed"] == 1


@pytest.mark.parametrize(
    "how",
    [
        {"changed": "updated", "since": datetime(2026, 1, 15, tzinfo=UTC)},
        {
            "query": "MATCH (n:Thing) WHERE n.updated > $since RETURN n.id",
            "since": datetime(2026, 1, 15, tzinfo=UTC),
        },
        {"query": "MATCH (n:Film) RETURN n.id"},
    ],
)
def test_a_refresh_by_a_moment_or_a_query_equals_a_fresh_build(
    neo4j: Neo4j, tmp_path: Path, how: dict[str, Any]
) -> None:
    films(neo4j)
    fresh(neo4j).save(tmp_path)
    change(neo4j)
    done = refresh(tmp_path, neo4j.uri, **how, **neo4j.login)
    assert done.graph.fingerprint == fresh(neo4j).fingerprint


def test_a_refresh_without_a_question_is_refused(neo4j: Neo4j, tmp_path: Path) -> None:
    films(neo4j)
    fresh(neo4j).save(tmp_path)
    with pytest.raises(ValueError, match="Say what changed"):
        refresh(tmp_path, **neo4j.login)
    with pytest.raises(ValueError, match="since= is missing"):
        refresh(tmp_path, changed="updated", **neo4j.login)
    with pytest.raises(ValueError, match="refused a query"):
        refresh(tmp_path, query="MATCH (n) DETACH DELETE n RETURN 1", **neo4j.login)
    assert neo4j.run("MATCH (n) RETURN count(n)") == [[62]]


@pytest.mark.parametrize("own", [True, False])
def test_links_predictions_and_vectors_are_written_beside_the_graph(
    neo4j: Neo4j, own: bool
) -> None:
    films(neo4j)
    graph = fresh(neo4j)
    if own:
        neo4j.empty()
        graph = KnowledgeGraph.from_records(
            [{"key": key, "label": graph.label(key)} for key in graph.keys],
            [("f1", "DIRECTED_BY", "p1")],
        )
        graph.to_neo4j(neo4j.uri, **neo4j.login)
    before = fresh(neo4j).fingerprint
    mentions = (Mention(0, 4, "Heat", "f1", 0.9), Mention(5, 6, "x", "x`) DETACH DELETE n //"))
    said = [
        Prediction("Heat x", "p1", 0.75, (("p1", 0.75), ("p2", 0.25)), mentions=mentions),
        Prediction("nothing", "NIL", 0.5),
    ]
    arguments = (neo4j.uri,)
    for _ in range(2):  # the second time replaces
        assert write_links(graph, [("Heat", mentions)], *arguments, **neo4j.login) == 1
        assert write_predictions(graph, said, *arguments, **neo4j.login) == 1
    names = (None, "Film 1") if own else ("Film 1", None)
    assert neo4j.run(
        "MATCH (t:KgfmText)-[m:KGFM_MENTIONS]->(n) RETURN t.text, m.start, m.end, n.title, n.label "
        "ORDER BY t.text"
    ) == [[text, 0, 4, *names] for text in ("Heat", "Heat x")]
    assert neo4j.run(
        "MATCH (t:KgfmText {text: 'Heat x'})-[m:KGFM_ANSWERS]->(n) RETURN t.answer, m.score"
    ) == [["p1", 0.75]]
    vectors = np.random.default_rng(0).normal(size=(len(graph), 8)).astype(np.float32)
    name = "kgfm:embedding" if own else "x`) DETACH DELETE n //"
    assert write_vectors(graph, vectors, *arguments, name=name, **neo4j.login) == len(graph)
    (index,) = neo4j.run("SHOW VECTOR INDEXES YIELD name RETURN name")[0]
    found = neo4j.run(
        "CALL db.index.vector.queryNodes($index, 1, $vector) YIELD node RETURN properties(node)",
        index=index,
        vector=vectors[3].tolist(),
    )[0][0]
    assert found["key" if own else "id"] == graph.keys[3]
    if own:
        assert fresh(neo4j).fingerprint == before, "what is written beside is no part of the graph"
    with pytest.raises(ValueError, match="one row for each of"):
        write_vectors(graph, vectors[1:], *arguments, **neo4j.login)


REFRESH = """
import sys
from kgfm.stores.refresh import refresh
path, uri, user, password = sys.argv[1:5]
print("begun", flush=True)
refresh(path, uri, auth=(user, password), database=sys.argv[5] or None)
"""


@pytest.mark.slow
def test_a_refresh_killed_at_ten_moments_leaves_the_old_snapshot_or_the_new_one(
    neo4j: Neo4j, tmp_path: Path
) -> None:
    films(neo4j)
    old = fresh(neo4j, changed="updated").save(tmp_path / "graph").fingerprint
    change(neo4j)
    new = fresh(neo4j).fingerprint
    command = [sys.executable, "-c", REFRESH, str(tmp_path / "graph"), neo4j.uri, *neo4j.auth]
    command.append(neo4j.database or "")
    for _ in killed_at_moments(command, environment(), times=10, within=1.5):
        found = KnowledgeGraph.open(tmp_path / "graph", verify=True).fingerprint
        assert found in (old, new)
    subprocess.run(command, check=True, env=environment())
    assert KnowledgeGraph.open(tmp_path / "graph", verify=True).fingerprint == new
