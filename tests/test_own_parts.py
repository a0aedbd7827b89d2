"""Parts of one's own: each file of the page runs, and the page shows the files as they are."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from live_servers import SnapshotServer
from neural import make_batch

import kgfm
from kgfm.encoders import ENCODERS
from kgfm.explain import triples_of
from kgfm.fusion import FUSIONS
from kgfm.registry import Registry
from kgfm.retrieval import RETRIEVERS, LiveGraph, ask
from kgfm.synthetic import question_world
from kgfm.tasks import TASKS
from kgfm.types import Asked, Subgraph

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGE = (DOCS / "add-your-own.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"^```python file=(\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
FILES = {path.stem: path for path in sorted((DOCS / "own").glob("*.py"))}
REGISTRIES: dict[str, Registry[Any]] = {
    "task": TASKS,
    "encoder": ENCODERS,
    "fusion": FUSIONS,
    "retriever": RETRIEVERS,
}
NAMES = {"task": "importance", "encoder": "hub-mean", "fusion": "at-mentions", "retriever": "named"}
every_kind = pytest.mark.parametrize("kind", FILES)


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """Other tests do not meet what the files register."""
    before = {kind: dict(registry) for kind, registry in REGISTRIES.items()}
    yield
    for kind, registry in REGISTRIES.items():
        registry.clear()
        registry.update(before[kind])


def loaded(kind: str) -> Any:
    """The part that a file defines, by the name that it registers."""
    runpy.run_path(str(FILES[kind]), run_name=kind)
    return REGISTRIES[kind][NAMES[kind]]


@every_kind
def test_the_page_shows_the_file_as_it_is(kind: str) -> None:
    said = f"docs/add-your-own.md does not show docs/own/{kind}.py as it is: copy it there."
    assert SHOWN[f"own/{kind}.py"] == FILES[kind].read_text(encoding="utf-8"), said
    assert set(SHOWN) == {f"own/{name}.py" for name in FILES}


@every_kind
def test_the_file_runs_and_its_part_does_all_that_the_page_says(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = runpy.run_path(str(FILES[kind]), run_name="__main__")
    assert list(tmp_path.iterdir()) == []
    assert "Evidence(kind='triple'" in capsys.readouterr().out
    pipe, found = names["pipe"], names["found"]
    assert NAMES[kind] in (part if isinstance(part := pipe.parts[kind], str) else part["name"])
    figures = pipe.training["validation"]
    assert figures[pipe.task.headline] > 0.5
    evidence = pipe.explain(found)
    ((head, _, _),) = evidence[0].triples
    assert head == found.mentions[0].entity
    assert evidence[0].change > 0.01
    if kind != "retriever":
        pipe.save(tmp_path / "saved")
        live = LiveGraph(SnapshotServer(pipe.graph))
        again = kgfm.Pipeline.load(tmp_path / "saved", graph=live)(found.example)
        assert again.graph_used
        assert (again.answer, again.score) == (found.answer, pytest.approx(found.score, abs=1e-5))


def test_the_task_of_the_page_refuses_what_is_no_number_from_0_to_1() -> None:
    task = loaded("task")(width=4, node_width=0)
    assert task.target(kgfm.Example("a", ("0.3",)), (), None) == pytest.approx(0.3)
    with pytest.raises(ValueError, match="'a': give a number from 0 to 1, not 3"):
        task.target(kgfm.Example("a", ("3",)), (), None)


def test_the_fusion_of_the_page_runs_in_half_precision() -> None:
    fusion = loaded("fusion")(width=12, node_width=10)
    batch = make_batch((4, 0))
    tokens = torch.randn(*batch.input_ids.shape, 12)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = fusion(tokens, torch.randn(batch.num_nodes, 10), batch)
    assert torch.equal(found, tokens)


def test_the_retriever_of_the_page_keeps_what_the_text_names_and_hides_what_it_is_told_to() -> None:
    world = question_world(topics=24)  # each topic has a mentor, a rival and a tailor
    graph, mentions = world.graph, world.test[0].mentions
    retriever = loaded("retriever")(graph)

    def cut(text: str, **more: Any) -> Subgraph:
        asked = ask(text, mentions, graph)
        return retriever.retrieve([Asked(text, asked.mentions, asked.rows, **more)])[0]

    named, every = cut("The mentor?"), cut("Who?")
    assert graph.relation_text(int(named.edge_type[0])) == "mentor"
    assert (len(named.edge_type), named.prior.tolist()) == (1, [0.0, 2.0])
    assert (len(every.edge_type), every.prior.tolist()) == (3, [0.0] * len(every.nodes))
    hidden = triples_of(named)
    assert cut("The mentor?", without=hidden).nodes.tolist() == every.nodes[:1].tolist()
    assert not len(set(map(tuple, triples_of(cut("Who?", without=hidden)))) & {tuple(hidden[0])})
    retriever.budget = 2
    assert (len(cut("Who?").nodes), len(cut("Who?").edge_type)) == (2, 1)
    nothing = retriever.retrieve([ask("The mentor?", (), graph)])[0]
    assert nothing.nodes.shape == (0,)
    assert nothing.edge_index.shape == (2, 0)


def test_a_package_registers_a_part_by_an_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = SHOWN["own/task.py"].replace('TASKS["importance"] = Importance', "")
    tmp_path.joinpath("my_package").mkdir()
    tmp_path.joinpath("my_package", "importance.py").write_text(code, encoding="utf-8")
    (group, line) = re.findall(r'^\[project.entry-points."(kgfm.tasks)"\]\n(.*)$', PAGE, re.M)[0]
    installed = tmp_path / "my_package-1.dist-info"
    installed.mkdir()
    installed.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: my-package\nVersion: 1\n"
    )
    installed.joinpath("entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "importance" not in TASKS
    assert "importance" in TASKS.names()
    TASKS.check("importance")
    found = TASKS.find("importance")
    assert found.__module__ == "my_package.importance"
    assert TASKS.name_of(found) == "importance"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["encoder", "fusion"])
def test_the_page_s_command_holds_a_part_of_one_s_own_to_the_laws(kind: str) -> None:
    (command,) = re.findall(r"^PYTHONPATH=\S+ pytest (.*)$", PAGE, re.MULTILINE)
    if kind == "fusion":
        for one, other in (
            ("encoders", "fusion"),
            ("encoder", "fusion"),
            ("hub-mean", NAMES[kind]),
        ):
            command = command.replace(one, other)
    environment = {"PYTHONPATH": f"{DOCS / 'own'}:{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *command.split()],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
