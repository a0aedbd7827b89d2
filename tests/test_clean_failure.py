"""What goes wrong outside of kgfm leaves no rubbish and says what it is."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from pathlib import Path

import pytest

from kgfm import KnowledgeGraph
from kgfm.cli import main
from kgfm.linking.corpus import read_lines
from kgfm.storage import write_folder


def write(text: str):
    return lambda path: path.write_text(text)


def test_what_a_killed_process_left_is_swept_by_the_next_save(tmp_path: Path) -> None:
    (tmp_path / ".tmp-abc.npy").write_bytes(b"x" * 1000)
    (tmp_path / "own.txt").write_text("stays")
    write_folder(tmp_path, {"a.txt": write("a")}, {"kind": "k", "format": 1})
    assert not list(tmp_path.glob(".tmp-*"))
    assert (tmp_path / "own.txt").exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("4096 requested and 128 written"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_said_in_a_line_and_keeps_the_old_version(
    tmp_path: Path, error: Exception
) -> None:
    def full(path: Path) -> None:
        raise error

    write_folder(tmp_path, {"a.txt": write("a")}, {"kind": "k", "format": 1})
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"no space is left for .*b\.txt") as raised:
        write_folder(tmp_path, {"b.txt": full}, {"kind": "k", "format": 1})
    assert raised.value.errno == errno.ENOSPC
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("text", ["Oslo\nBergen\n", '{"text": "Oslo"}\n{"text": "Bergen"}\n'])
def test_a_pipe_is_read_as_a_file_is(tmp_path: Path, text: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=[text])
    writer.start()
    assert [line.fields["text"] for line in read_lines(pipe)] == ["Oslo", "Bergen"]
    writer.join()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_lines_of_json_are_json_whatever_the_terminal_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    import json

    (tmp_path / "g.tsv").write_text("Oslo\tin\tNorway\n")
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding=encoding))
    text = "Oslo 🗼 Tromsø"
    assert main(["link", str(tmp_path / "g.tsv"), text, "--cache", str(tmp_path / "c")]) == 0
    sys.stdout.flush()
    assert json.loads(out.getvalue().decode("utf-8"))["text"] == text


def test_where_there_is_no_graph_is_said(tmp_path: Path, capsys) -> None:
    for given, said in (
        (tmp_path, "holds no graph: no manifest.json"),
        ("gone", "There is no graph at 'gone'"),
    ):
        assert main(["graph", "info", str(given)]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match="holds no graph"):
        KnowledgeGraph.open(tmp_path)


def test_a_file_that_is_not_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes("eins\nzwölf\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"l\.txt, line 2: not UTF-8 .* iconv"):
        list(read_lines(tmp_path / "l.txt"))


def test_what_a_command_still_needs_is_named_as_it_is_typed(tmp_path: Path, capsys) -> None:
    assert main(["graph", "build", "x.tsv"]) == 2
    assert "required: --out" in capsys.readouterr().err
    assert main(["link", "x.tsv", "--file", "F", "hello"]) == 2
    assert "give texts or --file, not both" in capsys.readouterr().err
