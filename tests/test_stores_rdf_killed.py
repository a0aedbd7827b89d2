"""A build or a refresh that is killed, or whose disk is full, leaves the old snapshot whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import killed_at_moments

from kgfm.graph import KnowledgeGraph

WORK = """
import sys
from kgfm.graph import KnowledgeGraph
from kgfm.stores.refresh import refresh
road, source, out = sys.argv[1:]
read = KnowledgeGraph.from_rdf if source.endswith(".nt") else KnowledgeGraph.from_tables
graph = read(source) if road == "save" else None
print("ready", flush=True)
if road == "refresh":
    refresh(out, source)
else:
    (graph or read(source)).save(out)
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


def write_table(path: Path, entities: int) -> Path:
    rows = (f"e{i}\tnext\te{i * 7 % entities}\n" for i in range(entities))
    path.write_text("".join(rows))
    return path


def seconds_after_the_first_line(command: list[str]) -> float:
    """Run a command to its end; return how long it went on after its first line."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started = time.monotonic()
        assert process.stdout.readline() == "saved\n"
        return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize(
    ("road", "suffix"),
    [("build", "nt"), ("save", "nt"), ("refresh", "nt"), ("build", "tsv"), ("refresh", "tsv")],
)
def test_work_killed_at_ten_moments_leaves_the_old_snapshot_or_the_new_and_a_new_run_completes(
    tmp_path: Path, road: str, suffix: str
) -> None:
    write, read = {
        "nt": (write_graph, KnowledgeGraph.from_rdf),
        "tsv": (write_table, KnowledgeGraph.from_tables),
    }[suffix]
    out, timed = tmp_path / "snapshot", tmp_path / "timed"
    before = read(write(tmp_path / f"old.{suffix}", 100))
    dump = write(tmp_path / f"new.{suffix}", 20_000)
    old, new = before.fingerprint, read(dump).fingerprint
    before.save(out)
    before.save(timed)
    command = [sys.executable, "-c", WORK, road, str(dump), str(out)]
    takes = seconds_after_the_first_line([*command[:-1], str(timed)])
    killed = killed_at_moments(command, dict(os.environ), times=10, within=takes)
    for _ in killed:
        found = KnowledgeGraph.open(out, verify=True).fingerprint
        assert found in (old, new)
        if found == new:
            before.save(out)
    seconds_after_the_first_line(command)
    assert KnowledgeGraph.open(out, verify=True).fingerprint == new


SAVE_OFTEN = """
import sys
from kgfm.graph import KnowledgeGraph
graphs = [KnowledgeGraph.from_tables(path) for path in sys.argv[2:]]
for _ in range(8):
    for graph in graphs:
        graph.save(sys.argv[1])
"""


def test_several_processes_may_save_into_one_folder(tmp_path: Path) -> None:
    paths = [str(write_table(tmp_path / f"{size}.tsv", size)) for size in (3, 4, 5)]
    graphs = [KnowledgeGraph.from_tables(path) for path in paths]
    out = tmp_path / "snapshot"
    running = [
        subprocess.Popen([sys.executable, "-c", SAVE_OFTEN, str(out), *given])
        for given in (paths, paths[::-1], paths[:2])
    ]
    assert [process.wait() for process in running] == [0, 0, 0]
    found = KnowledgeGraph.open(out, verify=True)
    assert found.fingerprint in {graph.fingerprint for graph in graphs}
    assert (
        len(list(out.iterdir())) == len({e["file"] for e in found.manifest["files"].values()}) + 1
    )


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
        with pytest.raises(OSError, match=r"no space is left for .*what was saved before is whole"):
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
