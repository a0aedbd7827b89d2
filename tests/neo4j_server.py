"""A real Neo4j for the tests marked ``neo4j``: one for the whole run, empty for each test.

``KGFM_TEST_NEO4J_URI`` names a running server (with ``KGFM_TEST_NEO4J_USER``, ``..._PASSWORD`` and
``..._DATABASE``), which must be empty, for the tests delete all that is in it.
``KGFM_TEST_NEO4J_START`` names a program that starts one: ``PROGRAM --port P --home DIR`` prints
``READY bolt://...`` and ends when its standard input closes; user neo4j, password kgfm-test-pw.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

URI, START = "KGFM_TEST_NEO4J_URI", "KGFM_TEST_NEO4J_START"
_MISSING = f"no Neo4j: set {URI} or {START}"
_skipped = pytest.StashKey[int]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a server where there is none; in CI that is a failure."""
    served = os.environ.get(URI) or os.environ.get(START)
    if item.get_closest_marker("neo4j") is not None and not served:
        if os.environ.get("CI", "").casefold() in ("1", "true"):
            pytest.fail(f"{_MISSING}; CI must have one.", pytrace=False)
        item.config.stash[_skipped] = item.config.stash.get(_skipped, 0) + 1
        pytest.skip(_MISSING)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how many tests a missing server cost."""
    if skipped := config.stash.get(_skipped, 0):
        terminalreporter.write_line(
            f"{skipped} tests on a real Neo4j were skipped. Set {START} to a program that starts "
            f"one, or {URI} to an empty server.",
            yellow=True,
            bold=True,
        )


class Neo4j:
    """A server, and a user who may do anything on it."""

    def __init__(self, uri: str, auth: tuple[str, str], database: str | None) -> None:
        import neo4j

        self.uri, self.auth, self.database = uri, auth, database
        self._driver = neo4j.GraphDatabase.driver(uri, auth=auth, notifications_min_severity="OFF")

    def close(self) -> None:
        self._driver.close()

    @property
    def login(self) -> dict[str, Any]:
        """The arguments that every function of kgfm takes after the address."""
        return {"auth": self.auth, "database": self.database}

    def run(self, query: str, **parameters: Any) -> list[list[Any]]:
        """Run one statement past kgfm."""
        with self._driver.session(database=self.database) as session:
            return session.run(query, parameters).values()  # type: ignore[arg-type]

    def empty(self) -> None:
        """Delete nodes, constraints and indexes."""
        self.run("MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 5000 ROWS")
        for (name,) in self.run("SHOW CONSTRAINTS YIELD name RETURN name"):
            self.run(f"DROP CONSTRAINT `{name}`")
        for name, kind in self.run("SHOW INDEXES YIELD name, type RETURN name, type"):
            if kind != "LOOKUP":
                self.run(f"DROP INDEX `{name}`")


def free_port() -> int:
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture(scope="session")
def neo4j_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4j]:
    """The server, whatever is in it."""
    if uri := os.environ.get(URI):
        user = os.environ.get("KGFM_TEST_NEO4J_USER", "neo4j")
        password = os.environ.get("KGFM_TEST_NEO4J_PASSWORD", "neo4j")
        server = Neo4j(uri, (user, password), os.environ.get("KGFM_TEST_NEO4J_DATABASE"))
        if server.run("MATCH (n) RETURN count(n)") != [[0]]:
            server.close()
            pytest.exit(f"The database at {uri} is not empty; the tests would delete what it has.")
        yield server
        server.empty()
        server.close()
        return
    home = tmp_path_factory.mktemp("neo4j")
    command = [os.environ[START], "--port", str(free_port()), "--home", str(home)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
        try:
            server = Neo4j(_ready(process, home / "log"), ("neo4j", "kgfm-test-pw"), None)
            yield server
            server.close()
        finally:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(OSError):
                process.stdin.close()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()


def _ready(process: subprocess.Popen[bytes], log: Path, seconds: float = 180) -> str:
    """Return the address that the program prints when the server answers."""
    assert process.stdout is not None
    if select.select([process.stdout], [], [], seconds)[0]:
        line = process.stdout.readline().decode().split()
        if line[:1] == ["READY"]:
            return line[1]
    pytest.fail(f"Neo4j did not start: {log.read_text(errors='replace')[-2000:]}", pytrace=False)


@pytest.fixture
def neo4j(neo4j_server: Neo4j) -> Neo4j:
    """The server with nothing in it."""
    neo4j_server.empty()
    return neo4j_server


class Proxy:
    """Stands between a client and a server, and loses connections or stalls when told to.

    Args:
        uri: The server.

    Attributes:
        cut_after: Bytes from the server after which the next connections are lost, one number for
            each loss; the others live.
        stalled: Whether nothing comes through any more.
    """

    def __init__(self, uri: str) -> None:
        scheme, _, place = uri.partition("://")
        host, _, port = place.partition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cut_after: list[int] = []
        self.cuts = 0
        self.stalled = threading.Event()
        self._closed = threading.Event()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            self._sockets += [client, server]
            for source, target, counts in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pump, args=(source, target, counts), daemon=True
                ).start()

    def _pump(self, source: socket.socket, target: socket.socket, counts: bool) -> None:
        passed = 0
        with suppress(OSError):
            while block := source.recv(4096):
                while self.stalled.is_set() and not self._closed.wait(0.05):
                    pass
                passed += len(block)
                if counts and self.cut_after and passed > self.cut_after[0]:
                    self.cut_after.pop(0)
                    self.cuts += 1
                    break
                target.sendall(block)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close everything."""
        self._closed.set()
        for held in (self._listener, *self._sockets):
            with suppress(OSError):
                held.shutdown(socket.SHUT_RDWR)
            held.close()


@pytest.fixture
def proxy(neo4j: Neo4j) -> Iterator[Proxy]:
    """A proxy in front of the server, which is empty."""
    between = Proxy(neo4j.uri)
    yield between
    between.close()
