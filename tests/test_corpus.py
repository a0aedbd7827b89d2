"""Files of texts: streamed, in order, by several processes, and on from where it stopped."""

from __future__ import annotations

import gzip
import json
import sys

import pytest

from kgfm.cli import main
from kgfm.datasets.jsonl import read_examples
from kgfm.graph import KnowledgeGraph
from kgfm.linking import BaseLinker, Linker, corpus

TEXTS = [f"Heat {n} is by Michael Mann \u2028 🎬" for n in range(40)]


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return KnowledgeGraph.from_records(
        [{"key": "film/Heat", "label": "Heat"}, {"key": "person/Mann", "label": "Michael Mann"}],
        [("film/Heat", "director", "person/Mann")],
    ).save(tmp_path_factory.mktemp("graph") / "films")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "texts.jsonl"
    lines = [json.dumps({"id": n, "text": text}) for n, text in enumerate(TEXTS)]
    path.write_text("\n".join(lines) + "\n\n")
    return path


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(corpus, "BATCH_TEXTS", 4)


class Stops(BaseLinker):
    """Links as another linker, and fails once it has linked some texts."""

    def __init__(self, linker, after):
        self.graph, self.linker, self.left = linker.graph, linker, after

    def link(self, texts):
        self.left -= len(texts)
        if self.left < 0:
            raise KeyboardInterrupt
        return self.linker.link(texts)

    def __repr__(self):
        return repr(self.linker)


def test_every_line_keeps_its_fields_and_its_place(graph, source, tmp_path):
    out, told = tmp_path / "new" / "out.jsonl", []
    done = corpus.link_file(Linker(graph), source, out, progress=lambda *a: told.append(a))
    assert done == 40
    lines = [json.loads(line) for line in out.read_text().split("\n")[:-1]]
    assert [(line["id"], line["text"]) for line in lines] == list(enumerate(TEXTS))
    assert lines[0]["mentions"][0] == {"start": 0, "end": 4, "entity": "film/Heat", "score": 1.0}
    assert [texts for texts, _, _ in told] == list(range(4, 41, 4))
    assert told[-1][1] <= told[-1][2] == source.stat().st_size
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.jsonl"]


def test_an_interrupted_run_goes_on_and_gives_the_same_file(graph, source, tmp_path):
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    corpus.link_file(Linker(graph), source, whole)
    with pytest.raises(KeyboardInterrupt):
        corpus.link_file(Stops(Linker(graph), 18), source, out)
    part = tmp_path / "out.jsonl.part"
    assert not out.exists()
    assert part.read_text().count("\n") == 16
    with part.open("ab") as file:
        file.write(b'{"torn": "li')
    told = []
    assert corpus.link_file(Linker(graph), source, out, progress=lambda *a: told.append(a[0])) == 40
    assert told[0] == 20
    assert out.read_bytes() == whole.read_bytes()
    assert not part.exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda source, graph: (Linker(graph, min_length=5), source),
        lambda source, graph: (Linker(KnowledgeGraph.from_records([{"key": "x"}], [])), source),
        lambda source, graph: (Linker(graph), source.write_text('{"text": "x"}') and source),
    ],
)
@pytest.mark.filterwarnings("ignore:.*no label")
def test_lines_of_another_run_are_not_mixed_in(graph, source, tmp_path, change):
    out = tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        corpus.link_file(Stops(Linker(graph), 18), source, out)
    before = (tmp_path / "out.jsonl.part").read_bytes()
    linker, other = change(source, graph)
    with pytest.raises(ValueError, match=r"begun with another (graph|linker|source)"):
        corpus.link_file(linker, other, out)
    assert (tmp_path / "out.jsonl.part").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="files are not locked there")
def test_a_second_process_does_not_write_between_the_lines(graph, source, tmp_path):
    with (tmp_path / "out.jsonl.part").open("ab") as file:
        corpus._lock(file, tmp_path / "out.jsonl.part")
        with pytest.raises(ValueError, match="Another process is writing"):
            corpus.link_file(Linker(graph), source, tmp_path / "out.jsonl")


@pytest.mark.slow
def test_several_processes_give_the_same_file(graph, source, tmp_path):
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    corpus.link_file(Linker(graph), source, one)
    corpus.link_file(Linker(graph), source, two, jobs=2)
    assert one.read_bytes() == two.read_bytes()


class Dies(BaseLinker):
    def __init__(self, graph):
        self.graph = graph

    def link(self, texts):
        import os

        os._exit(9)


@pytest.mark.slow
def test_the_death_of_a_process_is_told(graph, source, tmp_path):
    with pytest.raises(OSError, match=r"A process died.*goes on where"):
        corpus.link_file(Dies(graph), source, tmp_path / "out.jsonl", jobs=2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"text": "a"}\nnonsense\n', "line 2: Expecting value"),
        (b'{"text": "a"}\n\n{"txt": "a"}\n', "line 3: a line is a JSON object"),
        (b'["text"]\n', "line 1: a line is"),
        (b'{"text": 5}\n', "line 1: a line is"),
        (b'{"text": "\xff"}\n', "line 1: not UTF-8"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(graph, tmp_path, content, message):
    (tmp_path / "in.jsonl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        corpus.link_file(Linker(graph), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


def test_lines_of_plain_text_and_compressed_files_will_do(graph, tmp_path):
    (tmp_path / "in.txt").write_bytes("\ufeffHeat\r\n\n  \nby\rMichael Mann".encode())
    assert [line.text for line in corpus.read_lines(tmp_path / "in.txt")] == [
        "Heat",
        "by\rMichael Mann",
    ]
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(b'{"text": "Heat"}\n'))
    assert corpus.link_file(Linker(graph), tmp_path / "in.jsonl.gz", tmp_path / "out.jsonl") == 1
    (example,) = read_examples(tmp_path / "out.jsonl", graph)
    assert [m.entity for m in example.mentions] == ["film/Heat"]


def test_a_lone_surrogate_stays_what_it_was(graph, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "Heat \\ud800 é"}\n')
    corpus.link_file(Linker(graph), tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["text"] == "Heat \ud800 é"


def test_an_empty_file_gives_an_empty_file(graph, tmp_path):
    (tmp_path / "in.txt").write_text("")
    assert corpus.link_file(Linker(graph), tmp_path / "in.txt", tmp_path / "out.jsonl") == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_wrong_arguments_are_told(graph, source, tmp_path):
    out = tmp_path / "out.jsonl"
    with pytest.raises(ValueError, match="jobs is at least 1"):
        corpus.link_file(Linker(graph), source, out, jobs=0)
    with pytest.raises(ValueError, match="No engine 'spark'; there are processes, ray"):
        corpus.link_file(Linker(graph), source, out, engine="spark")
    with pytest.raises(FileNotFoundError, match="No file"):
        corpus.link_file(Linker(graph), tmp_path / "missing", out)


def test_without_ray_the_engine_says_how_to_get_it(graph, source, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ImportError, match=r'pip install "kgfm\[ray\]"'):
        corpus.link_file(Linker(graph), source, tmp_path / "out.jsonl", engine="ray")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_ray_links_as_processes_do(graph, source, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason='needs ray: pip install "kgfm[ray]"')
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    corpus.link_file(Linker(graph), source, one)
    corpus.link_file(Linker(graph), source, two, jobs=2, engine="ray")
    assert one.read_text() == two.read_text()


def test_the_command_links_a_file_and_tells_how_many(graph, source, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    command = ["link", str(graph.path), "--file", str(source)]
    assert main([*command, "--out", str(out)]) == 0
    assert f"40 texts in {out}" in capsys.readouterr().err
    assert main(command) == 0
    assert capsys.readouterr().out == out.read_text()
