"""What goes wrong between kgfm and a real Neo4j, and how it is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import killed_at_moments
from neo4j_server import Neo4j, Proxy, free_port

from kgfm import KnowledgeGraph
from kgfm.datasets.world import world_path
from kgfm.stores.neo4j import Server
from kgfm.stores.neo4j.parts import Parts
from kgfm.stores.server import ServerUnavailableError

RANGE = "UNWIND range(1, $n) AS i RETURN i"
ENDLESS = "UNWIND range(1, $n) AS i UNWIND range(1, $n) AS j RETURN sum(i * j)"


def environment() -> dict[str, str]:
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def test_no_server_is_told_after_the_deadline() -> None:
    address = f"bolt://127.0.0.1:{free_port()}"
    began = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=rf"No Neo4j answers at {address}.*for 1 s"):
        KnowledgeGraph.from_neo4j(address, auth=("neo4j", "hunter2"), deadline=1.0)
    assert time.monotonic() - began < 30


@pytest.fixture
def server(neo4j: Neo4j) -> Iterator[Server]:
    with Server(neo4j.uri, **neo4j.login) as opened:
        yield opened


@pytest.mark.neo4j
def test_a_wrong_password_fails_at_once_and_is_not_shown(neo4j: Neo4j) -> None:
    login = {"auth": (neo4j.auth[0], "hunter2"), "database": neo4j.database}
    began = time.monotonic()
    with pytest.raises(PermissionError, match="refused the login") as caught:
        KnowledgeGraph.from_neo4j(neo4j.uri, deadline=60.0, **login)
    assert time.monotonic() - began < 30
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.neo4j
def test_a_connection_lost_in_mid_stream_is_made_anew_without_doubles(
    proxy: Proxy, neo4j: Neo4j, tmp_path: Path
) -> None:
    graph = KnowledgeGraph.from_rdf(world_path())
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    proxy.cut_after = [100_000, 20_000, 50_000]
    back = KnowledgeGraph.from_neo4j(
        proxy.uri, page=500, workers=1, say=None, deadline=60.0, parts=tmp_path, **neo4j.login
    )
    assert back.fingerprint == graph.fingerprint
    assert proxy.cuts == 3
    assert not tmp_path.exists()


@pytest.mark.neo4j
def test_an_import_survives_lost_connections(proxy: Proxy, neo4j: Neo4j) -> None:
    graph = KnowledgeGraph.from_rdf(world_path())
    proxy.cut_after = [1_500, 2_000]
    graph.to_neo4j(proxy.uri, batch=200, deadline=60.0, **neo4j.login)
    assert proxy.cuts == 2
    back = KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **neo4j.login)
    assert back.fingerprint == graph.fingerprint


@pytest.mark.neo4j
def test_a_broken_off_export_goes_on_where_it_stopped(
    proxy: Proxy, neo4j: Neo4j, tmp_path: Path
) -> None:
    graph = KnowledgeGraph.from_rdf(world_path())
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    read: list[int] = []
    options = {"page": 200, "workers": 1, "say": None, "parts": tmp_path, **neo4j.login}

    def stop(number: int) -> None:
        read.append(number)
        if len(read) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        KnowledgeGraph.from_neo4j(neo4j.uri, progress=stop, **options)
    assert read[-1] == 1000
    again: list[int] = []
    back = KnowledgeGraph.from_neo4j(neo4j.uri, progress=again.append, **options)
    assert back.fingerprint == graph.fingerprint
    assert again[-1] == len(graph) + graph.num_triples - 1000


@pytest.mark.neo4j
def test_other_files_are_not_taken_for_parts(neo4j: Neo4j, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        KnowledgeGraph.from_neo4j(neo4j.uri, parts=tmp_path, **neo4j.login)
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.neo4j
def test_a_slow_query_is_stopped_by_the_server(server: Server) -> None:
    with pytest.raises(TimeoutError, match=r"after 0\.3 s|within 0\.3 s"):
        server.rows(
            f"{RANGE[:-9]} UNWIND range(1, $n) AS j RETURN sum(i * j)", {"n": 10**6}, timeout=0.3
        )
    assert server.rows("RETURN 1") == [[1]]


@pytest.mark.neo4j
def test_a_server_that_runs_out_of_memory_says_so_and_lives(neo4j: Neo4j) -> None:
    much = "UNWIND range(1, $n) AS i WITH collect(i + 'x') AS found RETURN size(found)"
    with Server(neo4j.uri, deadline=1.0, **neo4j.login) as server:
        with pytest.raises(MemoryError, match="ran out of memory"):
            server.rows(much, {"n": 10**8})
        assert server.rows("RETURN 1") == [[1]]


@pytest.mark.neo4j
def test_a_server_that_says_nothing_is_left(proxy: Proxy, neo4j: Neo4j) -> None:
    server = Server(proxy.uri, deadline=0.5, timeout=0.5, **neo4j.login)
    assert server.rows("RETURN 1") == [[1]]
    proxy.stalled.set()
    began = time.monotonic()
    with pytest.raises((TimeoutError, ServerUnavailableError)):
        server.rows("RETURN 1")
    assert time.monotonic() - began < 60
    proxy.close()
    server.close()


@pytest.mark.neo4j
def test_a_read_cannot_write_and_what_is_no_cypher_is_told(server: Server) -> None:
    with pytest.raises(ValueError, match="refused a query"):
        server.rows("CREATE (n) RETURN n")
    with pytest.raises(ValueError, match=r"refused a query.*line 1"):
        server.rows("MATCH (n RETURN n")
    assert server.rows("MATCH (n) RETURN count(n)") == [[0]]


@pytest.mark.neo4j
def test_an_unknown_database_is_told(neo4j: Neo4j) -> None:
    with pytest.raises(LookupError, match="No database 'films'"):
        KnowledgeGraph.from_neo4j(neo4j.uri, auth=neo4j.auth, database="films")


@pytest.mark.neo4j
def test_parameters_stay_out_of_messages(server: Server) -> None:
    server.write("CREATE CONSTRAINT FOR (n:A) REQUIRE n.id IS UNIQUE")
    server.write("CREATE (:A {id: $id})", {"id": "secret"})
    with pytest.raises(RuntimeError) as caught:
        server.write("CREATE (:A {id: $id})", {"id": "secret"})
    assert "secret" not in str(caught.value)
    assert "ConstraintValidationFailed" in str(caught.value)


@pytest.mark.neo4j
def test_memory_stays_flat_while_rows_stream(server: Server) -> None:
    import tracemalloc

    def peak(n: int) -> int:
        tracemalloc.start()
        server.stream(RANGE, {"n": n}, lambda result: sum(1 for _ in result))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(1_000)
    assert peak(40_000) < 1.5 * peak(5_000)


IMPORT = """
import sys
from kgfm.graph import KnowledgeGraph
path, uri, user, password = sys.argv[1:5]
database = sys.argv[5] or None
print("begun", flush=True)
KnowledgeGraph.open(path).to_neo4j(uri, auth=(user, password), database=database, batch=100)
"""


@pytest.mark.neo4j
@pytest.mark.slow
def test_an_import_killed_at_ten_moments_is_completed_by_another(
    neo4j: Neo4j, tmp_path: Path
) -> None:
    graph = KnowledgeGraph.from_rdf(world_path()).save(tmp_path / "graph")
    command = [sys.executable, "-c", IMPORT, str(tmp_path / "graph"), neo4j.uri, *neo4j.auth]
    command.append(neo4j.database or "")
    for _ in killed_at_moments(command, environment(), times=10):
        pass
    subprocess.run(command, check=True, env=environment())
    back = KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **neo4j.login)
    assert back.fingerprint == graph.fingerprint


EXPORT = """
import sys
from kgfm.graph import KnowledgeGraph
parts, out, uri, user, password = sys.argv[1:6]
print("begun", flush=True)
login = {"auth": (user, password), "database": sys.argv[6] or None}
KnowledgeGraph.from_neo4j(uri, parts=parts, page=50, say=None, **login).save(out)
"""


@pytest.mark.neo4j
@pytest.mark.slow
def test_an_export_killed_at_ten_moments_goes_on(neo4j: Neo4j, tmp_path: Path) -> None:
    graph = KnowledgeGraph.from_rdf(world_path())
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    parts, out = tmp_path / "parts", tmp_path / "graph"
    command = [sys.executable, "-c", EXPORT, str(parts), str(out), neo4j.uri, *neo4j.auth]
    command.append(neo4j.database or "")
    for _ in killed_at_moments(command, environment(), times=10):
        if (out / "manifest.json").exists():
            assert KnowledgeGraph.open(out, verify=True).fingerprint == graph.fingerprint
    subprocess.run(command, check=True, env=environment())
    assert KnowledgeGraph.open(out, verify=True).fingerprint == graph.fingerprint
    assert not parts.exists()


@pytest.mark.parametrize("moment", range(5))
def test_an_export_that_is_cut_while_it_tidies_up_can_begin_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    folder, about = tmp_path / "parts", {"uri": "bolt://server"}
    parts = Parts(folder, about)
    for name in ("a", "b"):
        parts.write(name, lambda file: file.add([1]))
    (folder / ".tmp-cut").touch()
    unlink, left = Path.unlink, [moment]

    def cut(path: Path, missing_ok: bool = False) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", cut)
        try:
            parts.remove()
        except KeyboardInterrupt:
            assert moment < 4
    assert folder.exists() == (moment < 4)
    Parts(folder, about).remove()
    assert not folder.exists()


def test_an_export_that_is_cut_as_it_begins_can_begin_again(tmp_path: Path) -> None:
    (tmp_path / ".tmp-cut").touch()
    Parts(tmp_path, {}).remove()
    assert not tmp_path.exists()


def test_an_export_leaves_a_folder_of_other_files_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ValueError, match="holds other files"):
        Parts(tmp_path, {})
