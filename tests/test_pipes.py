"""Graphs that come through pipes, as ``<(zcat graph.tsv.gz)`` gives them."""

from __future__ import annotations

import gzip
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kgfm.cli import main
from kgfm.graph import KnowledgeGraph

TURTLE = b"<urn:a> <urn:r> <urn:b> .\n"


@pytest.fixture
def pipe(tmp_path: Path) -> Callable[[bytes], Path]:
    """Make a named pipe that a thread writes into, once."""

    def make(content: bytes) -> Path:
        path = tmp_path / f"pipe{len([*tmp_path.iterdir()])}"
        os.mkfifo(path)
        threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
        return path

    return make


@pytest.mark.filterwarnings("ignore:.*have no label")
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_tables_and_rdf_are_read_from_pipes(
    pipe: Callable[[bytes], Path], pack: Callable[[bytes], bytes]
) -> None:
    names = pipe(pack(b"key\tlabel\na\tA\nb\tB\n"))
    kg = KnowledgeGraph.from_tables(pipe(pack(b"a\tr\tb\n")), entities=names)
    assert list(kg.labels) == ["A", "B"]
    assert "sha256" not in kg.manifest["source"]["triples"]
    assert KnowledgeGraph.from_rdf(pipe(pack(TURTLE)), format="nt").num_triples == 1


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_the_command_builds_from_a_pipe_if_told_what_it_is(
    pipe: Callable[[bytes], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "kg")
    command = ["graph", "build", str(pipe(b"a\tr\tb\n")), "--store", "tables", "--out", out]
    assert main(command) == 0
    assert KnowledgeGraph.open(out).num_triples == 1
    command = ["graph", "build", str(pipe(TURTLE)), "--store", "rdf", "--set", "format=nt"]
    assert main([*command, "--out", out]) == 0
    os.mkfifo(tmp_path / "waiting")
    assert main(["graph", "info", str(tmp_path / "waiting")]) == 2
    assert "make a snapshot of it first" in capsys.readouterr().err
