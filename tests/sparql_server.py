"""Real SPARQL servers for tests: Oxigraph from the package index, Virtuoso where it is installed.

Each runs once for all tests, on a free port of this machine, as the child of a process that ends it
when this one ends, however that happens. A test that needs one which is not here is left out, and
the summary says how many and what to install; with CI=true a missing Oxigraph is a failure.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

INSTALL = {
    "Oxigraph": "python -m pip install oxigraph",
    "Virtuoso": "apt-get install virtuoso-opensource-7-bin",
}
_skipped: dict[str, int] = {}

# Its standard input closes when the tests end, even by SIGKILL.
_OWNER = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
sys.stdin.read()
child.terminate()
try:
    child.wait(10)
except subprocess.TimeoutExpired:
    child.kill()
    child.wait()
"""


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def running(command: Sequence[str], url: str, folder: Path, wait: float) -> Iterator[None]:
    """Run a server until the block ends; wait until ``url`` answers."""
    log = folder / "server.log"
    with log.open("wb") as output:
        owner = subprocess.Popen(
            [sys.executable, "-c", _OWNER, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        ends = time.monotonic() + wait
        while True:
            try:
                httpx.get(url, trust_env=False, timeout=5)
                break
            except httpx.HTTPError:
                if owner.poll() is not None or time.monotonic() > ends:
                    said = log.read_text(errors="replace")[-2000:]
                    pytest.fail(f"{command[0]} did not start within {wait:g} s:\n{said}")
                time.sleep(0.05)
        yield
    finally:
        if owner.stdin is not None:
            owner.stdin.close()
        owner.wait(30)


def missing(server: str) -> None:
    """Leave a test out, or fail where all servers should be."""
    if server == "Oxigraph" and os.environ.get("CI") == "true":
        pytest.fail(f"{server} is not installed: {INSTALL[server]}")
    _skipped[server] = _skipped.get(server, 0) + 1
    pytest.skip(f"{server} is not installed: {INSTALL[server]}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for server, count in _skipped.items():
        terminalreporter.write_sep(
            "!", f"{count} tests left out for want of {server}: {INSTALL[server]}", yellow=True
        )


def oxigraph_binary() -> str | None:
    beside = Path(sys.executable).with_name("oxigraph")
    return str(beside) if beside.exists() else shutil.which("oxigraph")


class Oxigraph:
    """A running Oxigraph with one default graph, which each test replaces by its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/query"

    def put(self, n_triples: str | bytes, graph: str | None = None) -> str:
        """Replace a graph; return the URL to query."""
        answer = httpx.put(
            f"http://127.0.0.1:{self.port}/store",
            params={"default": ""} if graph is None else {"graph": graph},
            content=n_triples,
            headers={"Content-Type": "application/n-triples"},
            trust_env=False,
            timeout=120,
        )
        answer.raise_for_status()
        return self.url


@contextmanager
def oxigraph_server(folder: Path, *options: str) -> Iterator[Oxigraph]:
    """Start an Oxigraph of one's own."""
    binary = oxigraph_binary()
    if binary is None:
        missing("Oxigraph")
    port = free_port()
    where = ["--location", str(folder / "store"), "--bind", f"127.0.0.1:{port}"]
    command = [str(binary), "serve", *where, *options]
    with running(command, f"http://127.0.0.1:{port}/", folder, 30):
        yield Oxigraph(port)


@pytest.fixture(scope="session")
def _oxigraph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oxigraph | None]:
    if oxigraph_binary() is None:
        yield None
    else:
        with oxigraph_server(tmp_path_factory.mktemp("oxigraph")) as server:
            yield server


@pytest.fixture
def oxigraph(_oxigraph: Oxigraph | None) -> Oxigraph:
    """The Oxigraph that tests share."""
    if _oxigraph is None:
        missing("Oxigraph")
    assert _oxigraph is not None
    return _oxigraph


_VIRTUOSO = """
[Database]
DatabaseFile = {folder}/virtuoso.db
ErrorLogFile = {folder}/virtuoso.log
LockFile = {folder}/virtuoso.lck
TransactionFile = {folder}/virtuoso.trx
xa_persistent_file = {folder}/virtuoso.pxa
FileExtend = 200
[TempDatabase]
DatabaseFile = {folder}/temp.db
TransactionFile = {folder}/temp.trx
[Parameters]
ServerPort = 127.0.0.1:{sql}
ServerThreads = 20
NumberOfBuffers = 10000
MaxDirtyBuffers = 6000
DirsAllowed = {folder}
[HTTPServer]
ServerPort = 127.0.0.1:{http}
ServerThreads = 10
[SPARQL]
ResultSetMaxRows = {rows}
MaxQueryCostEstimationTime = {seconds}
MaxQueryExecutionTime = 60
"""


class Virtuoso:
    """A running Virtuoso: ``/sparql`` is open, ``/sparql-auth`` wants digest auth."""

    USER, PASSWORD = "dba", "dba"

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}/sparql"
        self.auth_url = f"http://127.0.0.1:{port}/sparql-auth"

    def put(self, n_triples: str | bytes, graph: str) -> str:
        """Replace a named graph; return the URL to query."""
        answer = httpx.put(
            f"http://127.0.0.1:{self.port}/sparql-graph-crud-auth",
            params={"graph": graph},
            content=n_triples,
            headers={"Content-Type": "application/n-triples"},
            auth=httpx.DigestAuth(self.USER, self.PASSWORD),
            trust_env=False,
            timeout=120,
        )
        answer.raise_for_status()
        return self.url


@contextmanager
def virtuoso_server(
    folder: Path, *, rows: int = 1_000_000, seconds: int = 400
) -> Iterator[Virtuoso]:
    """Start a Virtuoso that gives ``rows`` rows at most, and refuses queries by their estimate."""
    http, sql = free_port(), free_port()
    ini = folder / "virtuoso.ini"
    ini.write_text(_VIRTUOSO.format(folder=folder, http=http, sql=sql, rows=rows, seconds=seconds))
    command = ["virtuoso-t", "-f", "-c", str(ini)]
    with running(command, f"http://127.0.0.1:{http}/sparql", folder, 240):
        yield Virtuoso(http)


@pytest.fixture(scope="session")
def _virtuoso(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Virtuoso | None]:
    if shutil.which("virtuoso-t") is None:
        yield None
    else:
        with virtuoso_server(tmp_path_factory.mktemp("virtuoso")) as server:
            yield server


@pytest.fixture
def virtuoso(_virtuoso: Virtuoso | None) -> Virtuoso:
    """The Virtuoso that tests share."""
    if _virtuoso is None:
        missing("Virtuoso")
    assert _virtuoso is not None
    return _virtuoso
