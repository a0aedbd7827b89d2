"""The commands: what they print, what they write, and how they refuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from worlds import tiny_recipe

import kgfm
from kgfm.cli.app import COMMANDS, main
from kgfm.cli.commands import RUN
from kgfm.linking import Linker
from kgfm.pipeline import Pipeline

FILMS = """@prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:Heat rdfs:label "Heat" ; :directed_by :Mann .
:Mann rdfs:label "Michael Mann" .
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a small graph."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films.ttl").write_text(FILMS, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small trained recipe."""
    folder = tmp_path_factory.mktemp("trained")
    assert main(["train", str(tiny_recipe(folder))]) == 0
    return folder / "run"


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must fail as a user's mistake; return its one line."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("kgfm: ")
    assert said.count("\n") == 1
    return said


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


# -- the commands as a whole ----------------------------------------------------------------------


def test_every_command_that_is_listed_has_a_function_and_a_help(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert set(RUN) == set(COMMANDS)
    for name in COMMANDS:
        assert main([*name.split(), "--help"]) == 0
        assert f"kgfm {name}" in capsys.readouterr().out


def test_the_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)
    assert main(["graph"]) == 0
    assert "graph build" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert kgfm.__version__ in capsys.readouterr().out


def test_python_m_kgfm_is_kgfm() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kgfm", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"kgfm {kgfm.__version__}\n"


# -- the graph ------------------------------------------------------------------------------------


def test_a_graph_is_built_counted_and_linked_to(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", "build", "films.ttl", "--out", "films", "--json", "built.json"]) == 0
    assert "2 entities, 1 relation" in capsys.readouterr().out
    assert read(here / "built.json")["triples"] == 1
    assert main(["graph", "info", "films", "--json", "info.json"]) == 0
    assert "directed_by" in capsys.readouterr().out
    assert read(here / "info.json")["entities"] == 2
    assert main(["link", "films", "Who directed Heat?", "Nobody."]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    (mention,) = first["mentions"]
    assert (mention["start"], mention["end"]) == (13, 17)
    assert mention["entity"] == "http://example.org/Heat"
    assert second["mentions"] == []


def test_what_link_prints_link_and_the_data_set_read_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["link", "films.ttl", "Who directed Heat?"]) == 0
    (here / "linked.jsonl").write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["link", "films.ttl", "--file", "linked.jsonl"]) == 0
    assert capsys.readouterr().out == (here / "linked.jsonl").read_text(encoding="utf-8")


# -- recipes and what was trained -----------------------------------------------------------------


def test_a_trained_recipe_lies_in_its_folder_with_all_that_made_it(run: Path) -> None:
    there = {path.name for path in run.iterdir()}
    assert {"manifest.json", "recipe.yaml", "result.json", "README.md", "logs"} <= there
    result = read(run / "result.json")
    assert result["seed"] == 0
    assert {"kgfm", "torch", "python"} <= set(result["versions"])


def test_figures_and_predictions_are_also_written_as_json(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run), "--json", "figures.json"]) == 0
    figures = read(here / "figures.json")
    assert figures["hits@1"] == pytest.approx(
        read(run / "result.json")["figures"]["test"]["hits@1"]
    )
    text = json.loads((run.parent / "test.jsonl").read_text(encoding="utf-8").splitlines()[0])[
        "text"
    ]
    capsys.readouterr()
    assert main(["predict", str(run), text, "--json", "said.json"]) == 0
    (said,) = read(here / "said.json")
    assert said["graph_used"]
    assert f"{said['score']:.3f}" in capsys.readouterr().out
    assert main(["explain", str(run), text, "--json", "why.json"]) == 0
    assert read(here / "why.json")["evidence"]
    assert "named: " in capsys.readouterr().out


def test_texts_may_come_from_a_file(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "texts.txt").write_text("One.\n\nTwo.\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["predict", str(run), "--file", "texts.txt"]) == 0
    assert [line.split("  ")[-1] for line in capsys.readouterr().out.splitlines()] == [
        "One.",
        "Two.",
    ]


def with_mentions(run: Path, file: Path, **changes: Any) -> list[dict[str, Any]]:
    """Write three lines of one text: as the linker reads it, NIL, and naming another entity."""
    graph = Pipeline.load(run).graph
    first = json.loads((run.parent / "test.jsonl").read_text(encoding="utf-8").splitlines()[0])
    text = first["text"]
    (found,) = Linker(graph)(text)
    other = next(key for key in graph.keys if key != found.entity and graph.degree[graph.row(key)])
    lines: list[dict[str, Any]] = [{"text": text, "target": "of no entity"}]
    for entity in (None, other):
        mention = {"start": found.start, "end": found.end, "entity": entity, **changes}
        lines.append({"text": text, "mentions": [mention]})
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8-sig")
    return lines


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_mentions_of_a_file_are_used_as_in_training(run: Path, here: Path, command: str) -> None:
    lines = with_mentions(run, here / "texts.jsonl")
    assert main([command, str(run), "--file", "texts.jsonl", "--json", "said.json"]) == 0
    plain, nil, other = read(here / "said.json")
    assert plain["graph_used"]
    assert plain["text"] == lines[0]["text"]
    assert not nil["graph_used"]
    assert [mention["entity"] for mention in other["mentions"]] == [
        lines[2]["mentions"][0]["entity"]
    ]
    assert other["scores"] != plain["scores"]


@pytest.mark.parametrize("command", ["predict", "explain"])
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"entity": "nobody"}, "texts.jsonl, line 2: No entity 'nobody'"),
        ({"candidates": [["nobody", 0.5]]}, "texts.jsonl, line 2: No entity 'nobody'"),
        ({"enttiy": "x"}, "texts.jsonl, line 2: mention 0 has an unknown 'enttiy'"),
    ],
)
def test_a_mention_that_the_graph_does_not_have_is_named(
    run: Path,
    here: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    changes: dict[str, Any],
    reason: str,
) -> None:
    with_mentions(run, here / "texts.jsonl", **changes)
    assert main([command, str(run), "--file", "texts.jsonl"]) == 2
    assert reason in capsys.readouterr().err


def test_a_byte_order_mark_is_no_part_of_the_first_text(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "texts.txt").write_text("One.\nTwo.\n", encoding="utf-8-sig")
    assert main(["predict", str(run), "--file", "texts.txt", "--json", "said.json"]) == 0
    assert [said["text"] for said in read(here / "said.json")] == ["One.", "Two."]


def test_controls_print_and_write_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tiny_recipe(tmp_path)
    table = tmp_path / "table.json"
    assert main(["controls", str(recipe), "--seeds", "0", "--json", str(table)]) == 0
    said = capsys.readouterr().out
    assert "with the graph" in said
    assert "with − without" in said
    assert set(read(table)["rows"]) == {"with", "without", "shuffled"}


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["trian"], "Did you mean 'train'?"),
        (["graph", "biuld"], "Did you mean 'graph build'"),
        (["train", "world", "--trainin.epochs=2"], "'--training.epochs'"),
        (["predict", "run", "x", "--jsn", "f"], "Did you mean '--json'"),
        (["train"], "the recipe comes first"),
        (["train", "wrld"], "No recipe wrld"),
        (["predict", "nowhere", "x"], "no pipeline at 'nowhere'"),
        (["predict", "nowhere"], "give a text"),
        (["graph", "info", "nowhere.ttl"], "no graph at 'nowhere.ttl'"),
        (["graph", "build", "films.ttl", "--out", "o", "--entities", "e.csv"], "this is rdf"),
        (["graph", "build", "films.doc", "--out", "o"], "films.doc"),
        (["evaluate", "nowhere"], "no pipeline at 'nowhere'"),
        (["controls", "world", "--seeds", "1", "1"], "none twice"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], named: str
) -> None:
    assert named in refused(capsys, *words)


def test_a_malformed_file_is_named_with_its_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "bad.ttl").write_text(FILMS + ":Heat :directed_by .\n", encoding="utf-8")
    said = refused(capsys, "graph", "build", "bad.ttl", "--out", "bad")
    assert "bad.ttl" in said
    assert "line 5" in said
    assert not (here / "bad").exists()


def test_a_table_without_a_column_names_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "triples.csv").write_text("head,tail\nheat,mann\n", encoding="utf-8")
    assert "relation" in refused(capsys, "graph", "build", "triples.csv", "--out", "o")


def test_an_error_with_debug_shows_where_it_comes_from(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "nowhere", "x", "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_half_a_surrogate_pair_is_printed_and_written_as_its_escape(
    run: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\ud800 Who directed Heat?"
    assert main(["link", "films.ttl", text]) == 0
    assert json.loads(capsys.readouterr().out)["text"] == text
    assert main(["predict", str(run), text, "Other.", "--json", "said.json"]) == 0
    assert read(here / "said.json")[0]["text"] == text


@pytest.mark.parametrize("stop", [KeyboardInterrupt, None])
def test_ctrl_c_is_one_line_and_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stop: Any
) -> None:
    def interrupted(_: object) -> None:
        if stop is not None:
            raise stop
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            sys.exit(1)  # as Lightning does

    monkeypatch.setitem(RUN, "train", interrupted)
    assert main(["train", "world"]) == 130
    said = capsys.readouterr().err
    assert said == (
        "\nkgfm: interrupted. The same command with --resume goes on from the last finished epoch."
        "\n"
    )


def test_a_device_that_is_not_there_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has Apple's GPU")
    recipe = tiny_recipe(tmp_path)
    assert "accelerator='mps'" in refused(capsys, "train", recipe, "--training.accelerator=mps")


@pytest.mark.slow
def test_a_closed_pipe_is_no_error(run: Path) -> None:
    texts = [f"Text {number}." for number in range(50)]
    command = subprocess.Popen(
        [sys.executable, "-m", "kgfm", "predict", str(run), *texts],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.close()
    assert b"Traceback" not in command.stderr.read()
    command.stderr.close()
    command.wait()


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_resuming_does(tmp_path: Path) -> None:
    recipe = tiny_recipe(tmp_path)
    command = [sys.executable, "-m", "kgfm", "train", str(recipe), "--training.epochs=200"]
    first = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in its background deaf to Ctrl-C, and children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    until = time.monotonic() + 120
    while not last.exists() and time.monotonic() < until:
        time.sleep(0.1)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "--resume" in said
    assert "Traceback" not in said
    more = [*command, "--resume", "--training.epochs=200"]
    second = subprocess.Popen(more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert second.stdout is not None
    lines = (line for line in second.stdout if line.startswith("epoch "))
    assert int(next(lines).split()[1].split("/")[0]) > 1
    second.kill()
    second.communicate()
