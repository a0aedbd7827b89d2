"""Neo4j: export and import beside a bare loop over the driver, and one question of live retrieval.

    python benchmarks/bench_neo4j.py --uri bolt://localhost:7687 --password ... [--json FILE]

The database must be empty; it is emptied again. Without ``--uri`` the server that
``KGFM_TEST_NEO4J_START`` starts is used, as in the tests. The bare loops do what must be done at
least: rows are taken from the driver one by one and dropped; relationships are created, not merged,
in batches of the same size.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kgfm import KnowledgeGraph
from kgfm.retrieval import LiveGraph, LiveRetriever
from kgfm.retrieval.live_neo4j import Neo4jServer
from kgfm.stores.neo4j import Server, inspect
from kgfm.stores.neo4j.cypher import Vocabulary
from kgfm.stores.neo4j.parts import Parts
from kgfm.stores.neo4j.read import PAGE, Export
from kgfm.stores.neo4j.write import BATCH


def made(nodes: int, edges: int) -> KnowledgeGraph:
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
def server_of(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """The address and login of a server, started if none is named."""
    if options.uri:
        yield options.uri, {"auth": (options.user, options.password)}
        return
    start = os.environ.get("KGFM_TEST_NEO4J_START")
    if not start:
        print("Not measured: name an empty server with --uri, or set KGFM_TEST_NEO4J_START.")
        raise SystemExit
    with tempfile.TemporaryDirectory() as home:
        command = [start, "--port", str(options.port), "--home", home]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as process:  # type: ignore[call-overload]
            print(process.stdout.readline().decode().strip())
            yield (
                f"bolt://127.0.0.1:{options.port}",
                {"auth": ("neo4j", "kgfm-test-pw")},
            )
            process.stdin.close()


def seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def empty(server: Server) -> None:
    while server.write("MATCH (n) WITH n LIMIT 20000 DETACH DELETE n RETURN count(n)")[0][0]:
        pass


def bare_export(server: Server) -> None:
    for query in (
        "MATCH (n:KgfmEntity) RETURN n.key, labels(n), properties(n)",
        "MATCH (n:KgfmEntity)-[r]->(m) RETURN n.key, type(r), m.key, properties(r)",
    ):
        server.stream(query, None, lambda result: sum(1 for _ in result))


def bare_import(server: Server, graph: KnowledgeGraph) -> None:
    """Create what kgfm merges, with the same index and in batches of the same size."""
    server.write("CREATE CONSTRAINT bare IF NOT EXISTS FOR (n:Bare) REQUIRE n.key IS UNIQUE")
    keys = list(graph.keys)
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
                [keys[graph.heads[i]], keys[graph.tails[i]]] for i in places[start : start + BATCH]
            ]
            server.write(
                "UNWIND $rows AS row MATCH (h:Bare {key: row[0]}) MATCH (t:Bare {key: row[1]}) "
                f"CREATE (h)-[:{relation}]->(t)",
                {"rows": rows},
            )


def growth(work: Callable[[], Any]) -> float:
    """Return by how many MiB the process grew at most while it worked."""
    page = os.sysconf("SC_PAGE_SIZE")
    statm = Path("/proc/self/statm")
    done, peak = threading.Event(), [0]

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], int(statm.read_text().split()[1]))

    begun = int(statm.read_text().split()[1])
    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(0, peak[0] - begun) * page / 2**20


def streamed(server: Server) -> None:
    """Read everything into parts on disk, and put nothing together."""
    mapping = inspect(server)
    parts = Parts(None, {})
    Export(server, mapping, Vocabulary.of(server), parts, PAGE, None).run(2)
    parts.remove()


def live_question(uri: str, login: dict[str, Any], graph: KnowledgeGraph) -> dict[str, float]:
    server = Neo4jServer(uri, **login)
    live = LiveRetriever(LiveGraph(server), deadline=120)
    random = np.random.default_rng(0)
    batch = [
        live.graph.rows([graph.keys[int(i)] for i in random.integers(0, len(graph), 4)])
        for _ in range(64)
    ]
    took = seconds(lambda: live.retrieve(batch))
    server.close()
    return {"live_questions": server.questions, "live_seconds": took}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uri")
    parser.add_argument("--user", default="neo4j")
    parser.add_argument("--password", default="")
    parser.add_argument("--port", type=int, default=17688)
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--edges", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, float] = {}
    with server_of(options) as (uri, login), Server(uri, **login) as server:
        graph = made(options.nodes, options.edges)
        rows = len(graph) + graph.num_triples
        small = made(options.nodes // 4, options.edges // 4)
        empty(server)
        small.to_neo4j(uri, **login)  # warms the server up too
        bare_import(server, small)
        empty(server)
        small.to_neo4j(uri, **login)
        streamed(server)
        found["export_MiB_quarter"] = growth(lambda: streamed(server))
        empty(server)
        took = {"import": seconds(lambda: bare_import(server, graph))}
        empty(server)
        found["import_MiB"] = growth(
            lambda: found.update(import_seconds=seconds(lambda: graph.to_neo4j(uri, **login)))
        )
        took["export"] = min(seconds(lambda: bare_export(server)) for _ in range(2))
        ours = min(
            seconds(lambda: KnowledgeGraph.from_neo4j(uri, say=None, **login)) for _ in range(2)
        )
        found["export_MiB"] = growth(lambda: streamed(server))
        found |= live_question(uri, login, graph)
        back = KnowledgeGraph.from_neo4j(uri, say=None, **login)
        found["same_bytes"] = back.fingerprint == graph.fingerprint
        empty(server)
    found |= {
        "rows": rows,
        "bare_export_rows_per_s": rows / took["export"],
        "export_rows_per_s": rows / ours,
        "export_of_bare": took["export"] / ours,
        "bare_import_rows_per_s": rows / took["import"],
        "import_rows_per_s": rows / found.pop("import_seconds"),
    }
    found["import_of_bare"] = found["import_rows_per_s"] / found["bare_import_rows_per_s"]
    for name, value in found.items():
        print(f"{name:>24} {value:12,.2f}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
