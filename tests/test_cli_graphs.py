"""``kgfm graph build`` and ``refresh`` by every road, as a user types them."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from neo4j_server import Neo4j
from sparql_server import Oxigraph, Virtuoso

from kgfm.cli import main
from kgfm.cli.sources import SECRET
from kgfm.graph import GraphSchema, KnowledgeGraph

pytestmark = pytest.mark.filterwarnings("ignore:.*have no label")
EX = "http://example.org/"
PREFIXES = """@prefix : <http://example.org/> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix r: <http://www.w3.org/2000/01/rdf-schema#> .
"""
NAMES = ':a r:label "Heat"@en, "Hitze"@de . :b r:label "Mann"@en .'


def build(*words: object) -> int:
    return main(["graph", "build", *map(str, words)])


def content(path: Path) -> Any:
    return json.loads((path / "manifest.json").read_text(encoding="utf-8"))["files"]


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert build(*words) == 2
    said = capsys.readouterr().err
    assert said.startswith("kgfm: ")
    assert said.count("\n") == 1
    return said


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.ttl").write_text(PREFIXES + NAMES, encoding="utf-8")
    quads = f"{PREFIXES} :g {{ :a :by :b . :a owl:sameAs :c }} :h {{ :a :by :c }}"
    (tmp_path / "links.trig.gz").write_bytes(gzip.compress(quads.encode()))
    return tmp_path


def test_several_files_of_rdf_packed_or_not_make_one_graph_with_every_option(here: Path) -> None:
    files = ["names.ttl", "links.trig.gz"]
    assert build(*files, "--out", "all") == 0
    assert content(here / "all") == content_of(KnowledgeGraph.from_rdf(files), here)
    options = ["--set", f"graphs=,{EX}g", "same_as=true", "graph_attribute=graph"]
    assert build(*files, "--out", "part", "--language", "de", "en", *options) == 0
    kg = KnowledgeGraph.open(here / "part")
    assert kg.label(EX + "a") == "Hitze"
    assert list(kg.keys) == [EX + "a", EX + "b"]
    assert list(kg.edge_attributes["graph"]) == [EX + "g"]
    expected = KnowledgeGraph.from_rdf(
        files,
        graphs=["", EX + "g"],
        same_as=True,
        graph_attribute="graph",
        schema=GraphSchema(language=("de", "en")),
    )
    assert kg.fingerprint == expected.fingerprint
    assert main(["graph", "refresh", "part", *files]) == 0
    assert KnowledgeGraph.open(here / "part").fingerprint == expected.fingerprint


def content_of(kg: KnowledgeGraph, folder: Path) -> Any:
    kg.save(folder / "expected")
    return content(folder / "expected")


def test_a_file_without_a_telling_name_is_read_as_what_it_is_said_to_be(here: Path) -> None:
    (here / "dump").write_text(PREFIXES + NAMES, encoding="utf-8")
    assert build("dump", "--store", "rdf", "--set", "format=ttl", "--out", "kg") == 0
    assert len(KnowledgeGraph.open(here / "kg")) == 2


@pytest.mark.filterwarnings("default:.*holds nothing")
@pytest.mark.parametrize("name", ["empty.ttl", "empty.tsv", "empty.nt.gz"])
def test_an_empty_source_is_an_empty_graph_with_a_warning(
    here: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (here / name).write_bytes(gzip.compress(b"") if name.endswith(".gz") else b"")
    assert build(name, "--out", "kg") == 0
    assert f"warning: {name} holds nothing: the graph is empty" in capsys.readouterr().err
    assert main(["graph", "check", "kg"]) == 1
    assert "no entities" in capsys.readouterr().out


def test_a_wrong_option_is_one_line_that_says_what_would_do(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "t.tsv").write_text("a\tr\tb\n")
    for words, message in (
        (["names.ttl", "--set", "sameas=true"], "no option 'sameas'. Did you mean 'same_as'"),
        (["names.ttl", "--set", "same_as=maybe"], "same_as is bool, got 'maybe'"),
        (["names.ttl", "--store", "rdg"], "'rdg' is none of rdf, .* Did you mean 'rdf'"),
        (["names.ttl", "--entities", "e.csv"], "--entities goes with a table of triples"),
        (["names.ttl", "--user", "me"], "--user goes with a server, and this is rdf"),
        (["t.tsv", "t.tsv"], "several sources make one graph of RDF only"),
        (["t.tsv", "--set", "columns=a,b,c"], "no option 'columns'"),
        (["none.ttl"], "No file none.ttl"),
        (["names.ttl", "none.ttl"], "No file none.ttl"),
        ([".", "--store", "layout"], "--layout says in which layout"),
        ([".", "--store", "rdf", "--layout", "kgat"], "leave out --store"),
        ([".", "--layout", "fb15k", "--language", "de"], "--language goes with RDF"),
        (["http://example.org/x.ttl"], "allow_remote"),
        (["http://127.0.0.1:1/sparql", "--set", "depth=x", "cls=http://e/C"], "depth is int"),
        (["http://127.0.0.1:1/sparql", "--user", "me"], SECRET),
        (["http://127.0.0.1:1/sparql", "--auth", "kerberos"], "basic or digest or bearer are"),
        (["http://127.0.0.1:1/sparql", "--set", "retry_for=0"], "127.0.0.1"),
        (["bolt://127.0.0.1:1", "--auth", "digest", "--user", "me"], "basic or bearer are"),
        (["bolt://127.0.0.1:1", "--set", "deadline=0.1"], "127.0.0.1"),
    ):
        assert re.search(message, refused(capsys, *words, "--out", "kg")), words


def test_the_help_names_the_options_of_every_road(capsys: pytest.CaptureFixture[str]) -> None:
    assert build("--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    for option in ("same_as", "allow_remote", "interactions", "cls", "where", "database"):
        assert option in said


# -- servers --------------------------------------------------------------------------------------


def test_an_endpoint_gives_what_was_written_as_rdf_with_attributes_of_triples(
    oxigraph: Oxigraph, here: Path
) -> None:
    triples = [(EX + "a", EX + "p", EX + "b"), (EX + "a", EX + "p", EX + "c"), ("x y", "r", "z")]
    attributes = {"since": [1995, None, 2001], "by": [None, 'x"\n', "<y>"], "none": [None] * 3}
    records = [{"key": EX + "a", "label": "A", "types": ["T"]}]
    kg = KnowledgeGraph.from_records(records, triples, edge_attributes=attributes)
    url = oxigraph.put(kg.to_rdf(here / "out.nt").read_bytes())
    assert build(url, "--set", "page=2", "folder=pages", "--out", "kg") == 0
    assert content(here / "kg") == content_of(kg, here)
    assert main(["graph", "refresh", "kg"]) == 0
    assert content(here / "kg") == content_of(kg, here)
    assert build(url, "--set", f"where=?s <{EX}p> ?o", "depth=0", "--out", "part") == 0
    assert len(KnowledgeGraph.open(here / "part")) == 3


@pytest.mark.slow
def test_digest_auth_on_the_command_line(
    virtuoso: Virtuoso, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    virtuoso.put(f"<{EX}a> <{EX}p> <{EX}b> .\n", EX + "digest")
    monkeypatch.setenv(SECRET, virtuoso.PASSWORD)
    words = ["--user", "dba", "--auth", "digest", "--set", f"graph={EX}digest"]
    assert build(virtuoso.auth_url, *words, "--out", "kg") == 0
    assert KnowledgeGraph.open(here / "kg").num_triples == 1


@pytest.mark.neo4j
def test_neo4j_is_read_and_refreshed_from_the_command_line(
    neo4j: Neo4j, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    neo4j.run("CREATE CONSTRAINT FOR (n:Film) REQUIRE n.id IS UNIQUE")
    neo4j.run("CREATE (:Film {id: 'a', name: 'Heat', at: 1})-[:NEXT {w: 2}]->(:Film {id: 'b'})")
    user, password = neo4j.auth
    monkeypatch.setenv(SECRET, password)
    words = [neo4j.uri, "--user", user, "--set", "key=id", "labels=Film", "changed=at"]
    words += [f"database={neo4j.database}"] if neo4j.database else []
    assert build(*words, "--out", "kg") == 0
    assert password not in "".join(capsys.readouterr())
    kg = KnowledgeGraph.open(here / "kg")
    assert (list(kg.keys), kg.label("a")) == (["a", "b"], "Heat")
    assert kg.edge_attributes["w"].tolist() == [2]
    neo4j.run("MATCH (n:Film {id: 'a'}) SET n.name = 'Hitze', n.at = 3")
    assert main(["graph", "refresh", "kg", "--user", user]) == 0
    assert KnowledgeGraph.open(here / "kg").label("a") == "Hitze"
