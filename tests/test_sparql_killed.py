"""A build from an endpoint that is killed at any moment loses nothing and goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from killing import killed_at_moments
from sparql_server import Oxigraph
from test_sparql import WORLD, as_n_triples

from kgfm.graph import KnowledgeGraph

pytestmark = [pytest.mark.sparql, pytest.mark.slow]

BUILD = """
import sys
from kgfm.graph import KnowledgeGraph
url, pages, out = sys.argv[1:]
print("begun", flush=True)
KnowledgeGraph.from_sparql(url, folder=pages, page=300).save(out)
"""


def test_a_build_killed_at_ten_moments_goes_on_to_the_same_snapshot(
    oxigraph: Oxigraph, tmp_path: Path
) -> None:
    expected = KnowledgeGraph.from_rdf(WORLD).fingerprint
    url = oxigraph.put(as_n_triples(WORLD))
    out, pages = tmp_path / "graph", tmp_path / "pages"
    command = [sys.executable, "-c", BUILD, url, str(pages), str(out)]
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment, kept = {**os.environ, "PYTHONPATH": path}, 0
    for _ in killed_at_moments(command, environment, times=10, within=1.5):
        if (out / "manifest.json").exists():
            assert KnowledgeGraph.open(out, verify=True).fingerprint == expected
        elif pages.exists():
            now = len(list(pages.rglob("pages/page-*.nt")))
            # They go all at once, when the graph stands in memory and is about to be saved.
            assert now >= kept or now == 0, "a page that was whole stays"
            kept = now
    subprocess.run(command, check=True, env=environment)
    assert KnowledgeGraph.open(out, verify=True).fingerprint == expected
    assert list(pages.iterdir()) == []
