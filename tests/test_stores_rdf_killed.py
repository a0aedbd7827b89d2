"""A build of a snapshot that is killed, or whose disk is full, leaves the old one whole."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kgfm.graph import KnowledgeGraph

BUILD = """
import sys
from kgfm.graph import KnowledgeGraph
print("ready", flush=True)
sys.stdin.readline()
KnowledgeGraph.from_rdf(sys.argv[1]).save(sys.argv[2])
print("saved", flush=True)
"""
FULL = """
import resource, signal, sys
from kgfm.graph import KnowledgeGraph
graph = KnowledgeGraph.from_rdf(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    graph.save(sys.argv[2])
except OSError as error:
    print("refused:", error.errno)
"""


def write_graph(path: Path, entities: int) -> Path:
    base = "http://example.org/"
    with path.open("w") as file:
        for i in range(entities):
            label = f'<{base}{i}> <http://www.w3.org/2000/01/rdf-schema#label> "Number {i}" .\n'
            file.write(label + f"<{base}{i}> <{base}next> <{base}{i * 7 % entities}> .\n")
    return path


def build(path: Path, out: Path) -> subprocess.Popen[str]:
    """Start a build that waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(path), str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_a_build_killed_at_any_moment_leaves_the_old_snapshot_and_a_new_run_completes(
    tmp_path: Path,
) -> None:
    out = tmp_path / "snapshot"
    old = KnowledgeGraph.from_rdf(write_graph(tmp_path / "old.nt", 100)).save(out).fingerprint
    path = write_graph(tmp_path / "new.nt", 20_000)
    new = KnowledgeGraph.from_rdf(path).fingerprint
    process = build(path, tmp_path / "timed")
    started = time.monotonic()
    process.communicate("\n")
    takes = time.monotonic() - started
    moments = random.Random(0)
    outcomes = []
    for turn in range(10):
        process = build(path, out)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        # Half of them late, when files are being written.
        time.sleep(takes * moments.uniform(0.7 if turn % 2 else 0.0, 1.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        outcomes.append(KnowledgeGraph.open(out, verify=True).fingerprint)
        assert outcomes[-1] in (old, new)
    assert outcomes == sorted(outcomes, key=[old, new].index), "a new one never turns old again"
    process = build(path, out)
    assert process.communicate("\n")[0] == "saved\n"
    assert KnowledgeGraph.open(out, verify=True).fingerprint == new


def test_a_full_disk_while_saving_is_an_error_and_the_old_snapshot_stays(tmp_path: Path) -> None:
    out = tmp_path / "snapshot"
    old = KnowledgeGraph.from_rdf(write_graph(tmp_path / "old.nt", 50)).save(out).fingerprint
    before = {path.name for path in out.iterdir()}
    path = write_graph(tmp_path / "new.nt", 2_000)
    command = [sys.executable, "-c", FULL, str(path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == f"refused: {errno.EFBIG}\n", done.stderr
    assert KnowledgeGraph.open(out, verify=True).fingerprint == old
    after = {path.name for path in out.iterdir()}
    assert before <= after
    assert not [name for name in after if name.startswith(".tmp")]


def test_a_disk_that_is_really_full_is_an_error_too(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own can be mounted by root only")
    try:
        out = folder / "snapshot"
        old = KnowledgeGraph.from_rdf(write_graph(tmp_path / "old.nt", 50)).save(out).fingerprint
        big = KnowledgeGraph.from_rdf(write_graph(tmp_path / "new.nt", 5_000))
        with pytest.raises(OSError, match="No space left"):
            big.save(out)
        with pytest.raises(OSError, match="No space left"):
            big.to_rdf(folder / "graph.nt")
        assert KnowledgeGraph.open(out, verify=True).fingerprint == old
        assert not list(folder.rglob(".tmp*"))
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)]
    if os.geteuid() != 0:
        folder.chmod(0o555)
    elif subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("root may write everywhere, and nothing can be mounted here")
    try:
        graph = KnowledgeGraph.from_rdf(write_graph(tmp_path / "g.nt", 5))
        with pytest.raises(OSError, match="locked"):
            graph.save(folder / "snapshot")
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(folder)], check=True)
