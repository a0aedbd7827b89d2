"""The cases of ``bench_stores.py`` that need servers, which they start.

Neo4j is the one at ``KGFM_TEST_NEO4J_URI`` (empty; it is emptied again) or what
``KGFM_TEST_NEO4J_START`` starts, as in the tests; Oxigraph and Virtuoso are started where they are
installed. What is missing is said and left out. Ratios count the clock here, since the servers do
most of the work. The bare loops do what must be done at least: rows are taken from the driver one
by one and dropped; relationships are created, not merged, in batches of the same size.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyoxigraph

from kgfm.datasets.world import world_path
from kgfm.graph import KnowledgeGraph
from kgfm.retrieval import LiveGraph, LiveRetriever
from kgfm.retrieval.live_neo4j import Neo4jServer
from kgfm.retrieval.live_sparql import SparqlServer
from kgfm.stores.neo4j import Server, inspect
from kgfm.stores.neo4j.cypher import Vocabulary
from kgfm.stores.neo4j.parts import Parts
from kgfm.stores.neo4j.read import PAGE, Export
from kgfm.stores.neo4j.write import BATCH
from kgfm.stores.sparql import Endpoint
from kgfm.types import Asked

if TYPE_CHECKING:
    from bench_stores import Bench

Login = dict[str, Any]
TEXTS, SEEDS = 64, 4
_WITHOUT_NEO4J = "No Neo4j: set KGFM_TEST_NEO4J_URI or KGFM_TEST_NEO4J_START."


def made(nodes: int, edges: int) -> KnowledgeGraph:
    """Return a graph of so many nodes and relationships, drawn at random."""
    random = np.random.default_rng(0)
    ends = random.integers(0, nodes, (2, edges)).tolist()
    relations = random.integers(0, 8, edges).tolist()
    return KnowledgeGraph.from_records(
        (
            {"key": f"http://example.org/e{i}", "label": f"Entity {i}", "types": [f"T{i % 5}"]}
            for i in range(nodes)
        ),
        (
            (f"http://example.org/e{h}", f"r{r}", f"http://example.org/e{t}")
            for h, r, t in zip(ends[0], relations, ends[1], strict=True)
        ),
    )


@contextmanager
def neo4j_server() -> Iterator[tuple[str, Login] | None]:
    """The address and login of a Neo4j, or ``None``."""
    start = os.environ.get("KGFM_TEST_NEO4J_START")
    if uri := os.environ.get("KGFM_TEST_NEO4J_URI"):
        user = os.environ.get("KGFM_TEST_NEO4J_USER", "neo4j")
        yield uri, {"auth": (user, os.environ.get("KGFM_TEST_NEO4J_PASSWORD", "neo4j"))}
    elif start:
        with tempfile.TemporaryDirectory() as home, _sparql_tests() as tests:
            command = [start, "--port", str(tests.free_port()), "--home", home]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
                address = process.stdout.readline().decode().split()[1]
                yield address, {"auth": ("neo4j", "kgfm-test-pw")}
                process.stdin.close()
    else:
        print(_WITHOUT_NEO4J)
        yield None


@contextmanager
def _sparql_tests() -> Iterator[Any]:
    """The module of the tests that starts SPARQL servers."""
    folder = str(Path(__file__).parents[1] / "tests")
    sys.path.insert(0, folder)
    try:
        import sparql_server

        yield sparql_server
    finally:
        sys.path.remove(folder)


# -- Neo4j ----------------------------------------------------------------------------------------


def empty(uri: str, login: Login) -> None:
    """Delete all nodes."""
    with Server(uri, **login) as server:
        while server.write("MATCH (n) WITH n LIMIT 20000 DETACH DELETE n RETURN count(n)")[0][0]:
            pass


def bare_export(uri: str, login: Login) -> None:
    """Take all rows from the driver and drop them."""
    with Server(uri, **login) as server:
        for query in (
            "MATCH (n:KgfmEntity) RETURN n.key, labels(n), properties(n)",
            "MATCH (n:KgfmEntity)-[r]->(m) RETURN n.key, type(r), m.key, properties(r)",
        ):
            server.stream(query, None, lambda result: sum(1 for _ in result))


def bare_import(uri: str, login: Login, snapshot: Path) -> None:
    """Create what kgfm merges, with the same index and in batches of the same size."""
    graph = KnowledgeGraph.open(snapshot)
    keys = list(graph.keys)
    with Server(uri, **login) as server:
        server.write("CREATE CONSTRAINT bare IF NOT EXISTS FOR (n:Bare) REQUIRE n.key IS UNIQUE")
        for start in range(0, len(keys), BATCH):
            rows = [
                {"key": keys[i], "label": graph.labels[i]}
                for i in range(start, min(start + BATCH, len(keys)))
            ]
            server.write("UNWIND $rows AS row CREATE (n:Bare) SET n = row", {"rows": rows})
        for number, relation in enumerate(graph.relation_keys):
            places = np.flatnonzero(graph.relations == number).tolist()
            for start in range(0, len(places), BATCH):
                rows = [
                    [keys[graph.heads[i]], keys[graph.tails[i]]]
                    for i in places[start : start + BATCH]
                ]
                server.write(
                    "UNWIND $rows AS row MATCH (h:Bare {key: row[0]}) "
                    f"MATCH (t:Bare {{key: row[1]}}) CREATE (h)-[:{relation}]->(t)",
                    {"rows": rows},
                )


def kgfm_import(uri: str, login: Login, snapshot: Path) -> None:
    """Merge a snapshot into the server."""
    KnowledgeGraph.open(snapshot).to_neo4j(uri, **login)


def kgfm_export(uri: str, login: Login) -> str:
    """Read the graph of the server."""
    return KnowledgeGraph.from_neo4j(uri, say=None, **login).fingerprint


def streamed(uri: str, login: Login) -> None:
    """Read everything into parts on disk, and put nothing together."""
    with Server(uri, **login) as server:
        mapping = inspect(server)
        parts = Parts(None, {})
        Export(server, mapping, Vocabulary.of(server), parts, PAGE, None).run(2)
        parts.remove()


def neo4j(bench: Bench) -> None:
    """Bring 20,000 nodes and 100,000 relationships into Neo4j and out of it."""
    with neo4j_server() as found:
        if found is None:
            return
        nodes, edges = int(20_000 * bench.scale), int(100_000 * bench.scale)
        graph = made(nodes, edges).save(bench.folder / "whole")
        made(nodes // 4, edges // 4).save(bench.folder / "quarter")
        empty(*found)
        bare_import(*found, bench.folder / "quarter")  # warms the server up
        empty(*found)
        kgfm_import(*found, bench.folder / "quarter")
        kgfm_export(*found)
        bench.measure("neo4j", "a quarter out to disk", streamed, *found)
        flat = bench.rows[-1].peak_mib + 16
        empty(*found)
        bench.measure("neo4j", "bare loop in", bare_import, *found, bench.folder / "whole")
        empty(*found)
        bench.measure(
            "neo4j", "kgfm in", kgfm_import, *found, bench.folder / "whole", bare_loop_in=1 / 0.5
        )
        bench.measure("neo4j", "bare loop out", bare_export, *found)
        back = bench.measure("neo4j", "kgfm out", kgfm_export, *found, bare_loop_out=1 / 0.7)
        bench.measure("neo4j", "all of it out to disk", streamed, *found)
        bench.rows[-1].limits = {"peak_mib": flat}
        empty(*found)
    for row in bench.rows:
        row.by = "clock" if row.case == "neo4j" else row.by
    if back != graph.fingerprint:
        raise RuntimeError("The graph that was written and read again is another one.")


# -- live retrieval -------------------------------------------------------------------------------


def retrieved(kind: str, address: str, options: Login, snapshot: Path) -> int:
    """Cut the subgraphs of texts by a server; return how many questions that was."""
    server: Any = (
        Neo4jServer(address, **options)
        if kind == "Neo4j"
        else SparqlServer(Endpoint(address, timeout=600, **options))
    )
    keys = KnowledgeGraph.open(snapshot).keys
    live = LiveRetriever(LiveGraph(server), hops=2, fan_out=16, deadline=600)
    random = np.random.default_rng(0)
    live.retrieve(
        [
            Asked.at(live.graph.rows([keys[int(row)] for row in random.choice(len(keys), SEEDS)]))
            for _ in range(TEXTS)
        ]
    )
    return int(server.questions if kind == "Neo4j" else server.endpoint.questions)


def _servers(
    folder: Path, graph: KnowledgeGraph, statements: bytes
) -> Iterator[tuple[str, str, Login]]:
    """Yield kind, address and options of each server, with the graph in it."""
    with _sparql_tests() as tests:
        if tests.oxigraph_binary() is None:
            print(f"No Oxigraph: {tests.INSTALL['Oxigraph']}")
        else:
            (folder / "oxigraph").mkdir()
            with tests.oxigraph_server(folder / "oxigraph") as server:
                yield "Oxigraph", server.put(statements), {}
        if shutil.which("virtuoso-t") is None:
            print(f"No Virtuoso: {tests.INSTALL['Virtuoso']}")
        else:
            (folder / "virtuoso").mkdir()
            with tests.virtuoso_server(folder / "virtuoso") as server:
                name = "http://example.org/world"
                yield "Virtuoso", server.put(statements, name), {"graph": name}
    with neo4j_server() as found:
        if found is not None:
            empty(*found)
            graph.to_neo4j(found[0], **found[1])
            yield "Neo4j", *found
            empty(*found)


def live(bench: Bench) -> None:
    """Retrieve two hops for 64 texts with 4 seeds each from the world graph on its server."""
    graph = KnowledgeGraph.from_rdf(world_path()).save(bench.folder / "world")
    parsed = (quad.triple for quad in pyoxigraph.parse(path=world_path()))
    statements = pyoxigraph.serialize(parsed, format=pyoxigraph.RdfFormat.N_TRIPLES) or b""
    for kind, address, options in _servers(bench.folder, graph, statements):
        asked = bench.measure(
            "live", kind, retrieved, kind, address, options, bench.folder / "world"
        )
        bench.rows[-1].questions, bench.rows[-1].limits = asked, {"questions": 5}
