"""What the README shows does run, and what it points to does exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == "python"]
(RECIPE,) = [code for language, code in BLOCKS if language == "yaml"]
(LINES,) = [code for language, code in BLOCKS if language == "json"]
SHELL = "".join(code for language, code in BLOCKS if language == "bash")
INLINE = [code for code in re.findall(r"`([^`\n]+)`", README) if code.startswith("kgfm ")]
COMMANDS = [line for line in [*SHELL.splitlines(), *INLINE] if line.startswith("kgfm ")]


@pytest.mark.slow
def test_the_ten_lines_run_and_say_what_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(PYTHON[0], "README.md", "exec"), names)
    for comment in re.findall(r"# (KnowledgeGraph\(.*\))$", PYTHON[0], flags=re.MULTILINE):
        assert repr(names["kg"]) == comment
    assert [mention.text for mention in names["linker"]("What is the capital of Peru?")] == ["Peru"]
    found = names["found"]
    assert "Lima, and" in PYTHON[0]
    assert names["kg"].label(found.answer) == "Lima"
    evidence = names["pipe"].explain(found)[0]
    ((_, relation, tail),) = evidence.triples
    assert relation.endswith("/capital")
    assert tail == found.answer
    assert evidence.change > 0.3
    again = names["pipe"]("What is the capital of Peru?")
    assert (again.answer, again.scores) == (found.answer, found.scores)
    assert "Lima" in capsys.readouterr().out


def test_no_training_question_of_the_readme_is_about_its_topic(tmp_path: Path) -> None:
    from kgfm.datasets.world import world_graph, world_questions

    graph = world_graph(tmp_path)
    sizes = {"train": 1200, "validation": 400}
    assert "train=1200" in PYTHON[0]
    questions = world_questions(graph, sizes)
    topics = {question.topic for part in questions.values() for question in part}
    assert "Peru" not in {graph.label(topic) for topic in topics}


def test_graphs_open_as_the_readme_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    networkx = pytest.importorskip("networkx")
    monkeypatch.chdir(tmp_path)
    Path("films.ttl").write_text(FILMS, encoding="utf-8")
    Path("triples.tsv").write_text("heat\tdirected_by\tmann\n", encoding="utf-8")
    Path("entities.csv").write_text("key,label\nheat,Heat\nmann,Mann\n", encoding="utf-8")
    names: dict[str, Any] = {"graph": networkx.DiGraph()}
    names["graph"].add_edge("heat", "mann", relation="directed_by")
    for code in PYTHON[1:]:
        exec(compile(code, "README.md", "exec"), names)
    assert names["kg"].label("http://example.org/Heat") == "Hitze"


def test_the_recipe_and_the_lines_of_the_readme_are_read(tmp_path: Path) -> None:
    from kgfm.datasets import DATASETS
    from kgfm.recipes import read_recipe

    (tmp_path / "films.yaml").write_text(RECIPE, encoding="utf-8")
    (tmp_path / "films.ttl").write_text(FILMS, encoding="utf-8")
    for part in ("train", "validation"):
        (tmp_path / f"{part}.jsonl").write_text(LINES, encoding="utf-8")
    recipe = read_recipe(tmp_path / "films.yaml")
    arguments = {key: value for key, value in recipe.dataset.items() if key != "name"}
    dataset = DATASETS["jsonl"](tmp_path, tmp_path / "cache", **arguments)
    assert [len(example.target or ()) for example in dataset.train] == [1, 2]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_line_of_the_readme_is_one(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    from kgfm.cli.app import COMMANDS as KNOWN
    from kgfm.cli.app import main

    words = shlex.split(line, comments=True)[1:]
    name = " ".join(words[:2]) if " ".join(words[:2]) in KNOWN else words[0]
    assert name in KNOWN
    assert main([*name.split(), "--help"]) == 0
    options = set(re.findall(r"--[\w.]+", capsys.readouterr().out))
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= options


@pytest.mark.parametrize("line", [line for line in COMMANDS if "films.yaml" not in line])
def test_a_recipe_that_the_readme_names_ships_with_kgfm(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    if words[0] in ("train", "controls") and len(words) > 1:
        from kgfm.recipes import read_recipe

        overrides = [word for word in words[2:] if word.startswith("--training.")]
        read_recipe(words[1], overrides)


def test_what_the_readme_links_to_is_there() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", README)
    assert "docs/kgfm.svg" in targets
    for target in targets:
        path, _, heading = target.partition("#")
        if path.startswith("https://"):
            continue
        assert (ROOT / path).exists(), target
        if heading:
            text = (ROOT / path).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
            assert heading in {line.lower().replace(" ", "-") for line in headings}


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"\bmake (\w+)`", README)) | set(
        re.findall(r"^make (\w+)", SHELL, flags=re.MULTILINE)
    )
    assert targets >= {"demo", "test", "bench"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


def test_the_picture_is_well_formed_and_says_what_it_shows() -> None:
    root = ElementTree.parse(ROOT / "docs" / "kgfm.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title") is not None
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for text in root.iter(f"{space}text"):
        assert 0 <= float(text.attrib["x"]) <= width
        assert 0 <= float(text.attrib["y"]) <= height


FILMS = """
@prefix : <http://example.org/> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
:Heat :title "Hitze"@de ; rdfs:label "Heat" ; :directedBy :Mann ; :starred :Pacino, :DeNiro .
:Mann rdfs:label "Michael Mann" ; :title "Michael Mann" .
:Pacino rdfs:label "Al Pacino" ; :title "Al Pacino" .
:DeNiro rdfs:label "Robert De Niro" ; :title "Robert De Niro" .
"""
