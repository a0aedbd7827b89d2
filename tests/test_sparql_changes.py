"""Snapshots that follow a SPARQL endpoint by what changed there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from killing import killed_at_moments
from sparql_server import Oxigraph, Virtuoso
from test_sparql import EX, HOSTILE

from kgfm.graph import KnowledgeGraph
from kgfm.stores.refresh import refresh
from kgfm.stores.sparql import Endpoint

pytestmark = [
    pytest.mark.sparql,
    pytest.mark.filterwarnings("ignore:.*have no label:UserWarning"),
]
MODIFIED = "http://purl.org/dc/terms/modified"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"
BY_PATTERN = f"?s <{EX}seen> ?d FILTER(?d >= ?since) # a comment"


def named(name: str, label: str, day: int = 1) -> str:
    """Return a label, and when that was said."""
    year = 2026 if day < 99 else 2999  # later than the clock of any server
    when = f'"{year}-01-{min(day, 28):02}T00:00:00Z"'
    when += "^^<http://www.w3.org/2001/XMLSchema#dateTime>"
    return (
        f'<{EX}{name}> <{LABEL}> "{label}" .\n'
        f"<{EX}{name}> <{MODIFIED}> {when} .\n<{EX}{name}> <{EX}seen> {when} .\n"
    )


def film(number: int, *, day: int = 1, label: str = "", to: int | None = None) -> str:
    links = f"<{EX}{number}> <{TYPE}> <{EX}Film> .\n"
    links += f"<{EX}{number}> <{EX}after> <{EX}{number + 1 if to is None else to}> .\n"
    return links + named(str(number), label or f"Film {number}", day)


def before() -> list[str]:
    """A hundred films, the names of a class and a relation, and a blank node."""
    films = [film(number) for number in range(100)]
    films[50] = film(50, day=2)
    names = named("Film", "film") + named("after", "comes after")
    return [*films, names, f'<{EX}7> <{EX}note> _:n .\n_:n <{EX}says> "x" .\n']


def after() -> list[str]:
    """Some changed, some gone, some new; the name of the class, the blank node."""
    films = before()
    films[3] = film(3, day=99, label="Heat", to=60)
    films[11] = films[12] = ""
    films[20] += f'<{EX}20> <{EX}tag> "one more without a new date" .\n'
    films[100] = named("Film", "motion picture", 99) + named("after", "follows", 99)
    films[101] = f'<{EX}7> <{EX}note> _:n .\n_:n <{EX}says> "y" .\n'
    return [*films, film(200, day=99, to=3)]


class Watched(Endpoint):
    """Counts the statements that it is asked for."""

    statements = 0

    def select(self, query: str, **options: Any) -> Any:
        rows = super().select(query, **options)
        if query.startswith("SELECT ?s ?p ?o"):
            self.statements += len(rows)
        return rows


def assert_follows(
    put: Callable[[str], Any], url: str, graph: str, tmp_path: Path, how: dict[str, Any]
) -> None:
    put("".join(before()))
    options = {"graph": graph or (), "folder": tmp_path / "pages", **how}
    whole = Watched(url, graph=graph or ())
    first = KnowledgeGraph.from_sparql(whole, folder=tmp_path / "pages", **how)
    assert whole.statements > 450
    first.save(tmp_path / "graph")
    put("".join(after()))
    fresh = KnowledgeGraph.from_sparql(url, **{**options, "folder": None})
    asked = Watched(url, graph=graph or ())
    done = refresh(tmp_path / "graph", asked)
    assert done.graph.fingerprint == fresh.fingerprint != first.fingerprint
    assert asked.statements < 60, "only what changed is read"
    assert KnowledgeGraph.open(tmp_path / "graph").fingerprint == fresh.fingerprint
    put("".join([*after(), film(201, day=99), film(202, day=99)]))
    again = refresh(tmp_path / "graph", url, graph=graph or ())
    assert again.entities_added == 3  # and the one that the last of them comes before


@pytest.mark.parametrize("how", [{"modified": MODIFIED}, {"changed": BY_PATTERN}])
@pytest.mark.parametrize("part", [{}, {"cls": EX + "Film", "depth": 1}])
def test_a_refresh_from_oxigraph_reads_what_changed_and_equals_a_fresh_build(
    oxigraph: Oxigraph, tmp_path: Path, how: dict[str, Any], part: dict[str, Any]
) -> None:
    assert_follows(oxigraph.put, oxigraph.url, "", tmp_path, how | part)


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"modified": MODIFIED}, {"changed": BY_PATTERN}])
def test_a_refresh_from_virtuoso_reads_what_changed_and_equals_a_fresh_build(
    virtuoso: Virtuoso, tmp_path: Path, how: dict[str, Any]
) -> None:
    name = EX + "follows"
    assert_follows(lambda text: virtuoso.put(text, name), virtuoso.url, name, tmp_path, how)


def test_a_rule_is_one_and_hostile_values_are_none(oxigraph: Oxigraph, tmp_path: Path) -> None:
    url = oxigraph.put("".join(before()))
    with pytest.raises(ValueError, match="not both"):
        KnowledgeGraph.from_sparql(url, modified=MODIFIED, changed=BY_PATTERN)
    for text in HOSTILE:
        with pytest.raises(ValueError, match="no absolute IRI"):
            KnowledgeGraph.from_sparql(url, modified=EX + text)
    KnowledgeGraph.from_sparql(url, modified=MODIFIED, folder=tmp_path)
    index = tmp_path / "kept" / "kept.json"
    for text in HOSTILE:  # whoever can write there is no one who may ask
        said = index.read_text().replace("2026-01-02T00:00:00Z", text.replace('"', r"\""))
        (tmp_path / "kept" / "kept.json").write_text(said)
        graph = KnowledgeGraph.from_sparql(url, modified=MODIFIED, folder=tmp_path)
        assert graph.fingerprint == KnowledgeGraph.from_sparql(url).fingerprint


REFRESH = """
import sys
from kgfm.stores.refresh import refresh
print("begun", flush=True)
refresh(sys.argv[1], page=20)
"""


@pytest.mark.slow
def test_a_refresh_killed_at_ten_moments_leaves_the_old_snapshot_or_the_new_one(
    oxigraph: Oxigraph, tmp_path: Path
) -> None:
    url = oxigraph.put("".join(before()))
    how = {"modified": MODIFIED, "folder": tmp_path / "pages"}
    old = KnowledgeGraph.from_sparql(url, page=20, **how).save(tmp_path / "graph").fingerprint
    oxigraph.put("".join(after()))
    new = KnowledgeGraph.from_sparql(url).fingerprint
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-c", REFRESH, str(tmp_path / "graph")]
    for _ in killed_at_moments(command, environment, times=10, within=1.5):
        found = KnowledgeGraph.open(tmp_path / "graph", verify=True).fingerprint
        assert found in (old, new)
    subprocess.run(command, check=True, env=environment)
    assert KnowledgeGraph.open(tmp_path / "graph", verify=True).fingerprint == new
