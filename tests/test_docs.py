"""The pages under docs do what they say: their code runs, their commands exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import rdflib
import yaml

from kgfm.cli.app import COMMANDS, main
from kgfm.datasets import DATASETS
from kgfm.recipes import check_parts, read_recipe

if TYPE_CHECKING:
    from neo4j_server import Neo4j
    from sparql_server import Oxigraph

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "bring-your-graph.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)(?: server=(\w+))?\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LINES = [
    line
    for page in sorted(DOCS.glob("*.md"))
    for line in re.findall(r"kgfm (?:graph )?\w+[^`\n]*", page.read_text(encoding="utf-8"))
    if " ".join(line.split()[1:3]) in COMMANDS or line.split()[1] in COMMANDS
]
IMPORTS = "from pathlib import Path\nimport kgfm\n"


def code(server: str = "") -> str:
    return "\n".join(text for language, of, text in BLOCKS if language == "python" and of == server)


def run(source: str, **names: Any) -> dict[str, Any]:
    exec(compile(IMPORTS + source, "bring-your-graph.md", "exec"), names)
    return names


def films() -> rdflib.Graph:
    """The RDF of the page."""
    turtle = re.search(r'write_text\("""(.*?)"""\)', PAGE, re.DOTALL)
    assert turtle is not None
    return rdflib.Graph().parse(data=turtle[1])


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_what_needs_no_server_runs_and_prints_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("networkx")
    monkeypatch.chdir(tmp_path)
    names = run(code())
    said = capsys.readouterr().out
    for expected in re.findall(r"^ *print\(.*\)  # (.*)$", code(), re.MULTILINE):
        assert expected in said
    assert "False" not in said
    assert "fault: all 2 entities have no label" in said
    assert repr(names["data"]).startswith("Data(")


def test_the_page_about_questions_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "questions.md").read_text(encoding="utf-8")
    source = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    exec(compile(source, "questions.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    expected = re.findall(r"^print\(.*\)  # (.*)$", source, re.MULTILINE)
    assert len(said) == len(expected) > 10
    for line, part in zip(said, expected, strict=True):
        assert part in line


SENTIMENT = (DOCS / "sentiment.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_the_page_about_sentiment_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for source in blocks(SENTIMENT, "python"):
        exec(compile(source, "sentiment.md", "exec"), names)
    assert len(names["example"].about) == 4
    ((sector, month),) = [ast.literal_eval(capsys.readouterr().out)]
    assert f"'{sector}'" in repr(names["sums"])
    assert 1 <= month <= 12


def test_the_files_of_the_page_about_sentiment_are_read(tmp_path: Path) -> None:
    (tmp_path / "companies.tsv").write_text("KESTREL\trival\tOWL\n", encoding="utf-8")
    (lines,) = blocks(SENTIMENT, "json")
    (tmp_path / "own.jsonl").write_text(lines, encoding="utf-8")
    graph = {"graph": "companies.tsv"}
    both = {"train": "own.jsonl", "validation": "own.jsonl"}
    read = DATASETS["jsonl"](tmp_path, tmp_path / "cache", **both, **graph)
    assert [len(example.about) for example in read.train] == [2, 1, 1]
    given = [yaml.safe_load(text)["dataset"] for text in blocks(SENTIMENT, "yaml")]
    assert [one["name"] for one in given] == ["jsonl", "table", "table"]
    for text, dataset in zip(blocks(SENTIMENT, "csv"), given[1:], strict=True):
        (tmp_path / dataset["train"]).write_text(text, encoding="utf-8")
        own = graph if "graph" in dataset else {}
        arguments = dataset | own | {"validation": dataset["train"]}
        read = DATASETS[arguments.pop("name")](tmp_path, tmp_path / "cache", **arguments)
        assert all(example.about or example.target for example in read.train)


def test_the_page_about_words_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "words.md").read_text(encoding="utf-8")
    source = "\n".join(blocks(page, "python"))
    exec(compile(source, "words.md", "exec"), {})
    expected = re.findall(r"^print\(.*?\)  # (.*)$", source, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == expected
    assert len(expected) == 6
    (recipe,) = blocks(page, "yaml")
    path = tmp_path / "own.yaml"
    path.write_text(f"dataset: world\n{recipe}", encoding="utf-8")
    check_parts(read_recipe(path))


@pytest.mark.sparql
def test_the_blocks_about_sparql_run_on_a_real_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oxigraph: Oxigraph
) -> None:
    monkeypatch.chdir(tmp_path)
    url = oxigraph.put(films().serialize(format="nt").encode())
    names = run(code("sparql").replace("http://localhost:7878/query", url))
    assert names["kg"].num_triples == 1
    assert names["kg"].fingerprint == names["films"].fingerprint
    assert len(names["retriever"]([names["heat"]]).nodes) == 2


@pytest.mark.neo4j
def test_the_blocks_about_neo4j_run_on_a_real_server(
    neo4j: Neo4j, capsys: pytest.CaptureFixture[str]
) -> None:
    import kgfm

    source = code("neo4j").replace('"bolt://localhost:7687"', repr(neo4j.uri))
    source = source.replace('("neo4j", "password")', repr(neo4j.auth))
    names = run(source, kg=kgfm.KnowledgeGraph.from_rdf(films()))
    assert "True" in capsys.readouterr().out
    assert len(names["retriever"]([names["heat"]]).nodes) == 2
    names["server"].close()


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_docs_is_one(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line, comments=True)[1:]
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    assert main([*name.split(), "--help"]) == 0
    options = set(re.findall(r"--[\w.]+", capsys.readouterr().out))
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options


def test_every_layout_has_its_line() -> None:
    from kgfm.stores.layouts import LAYOUTS

    assert set(LAYOUTS) <= set(re.findall(r"`([\w-]+)`", PAGE))
