"""How many texts a second a live retriever serves from a SPARQL server, and in how many questions.

Without --url an Oxigraph is started with the world graph, or with --file.

python benchmarks/bench_live.py --file metaqa.nt --rounds 5 --json live.json
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from kgfm.retrieval import LiveGraph, LiveRetriever
from kgfm.retrieval.live_sparql import SparqlServer
from kgfm.stores.sparql import Endpoint

WORLD = Path(__file__).parents[1] / "graphs" / "world" / "world.ttl"
TYPES = {".ttl": "text/turtle", ".nt": "application/n-triples"}


@contextmanager
def oxigraph(file: Path) -> Iterator[str]:
    """Run an Oxigraph with a file until the block ends."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
    binary = Path(sys.executable).with_name("oxigraph")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(binary), "serve", "--location", folder, "--bind", address]
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            for _ in range(200):
                try:
                    httpx.get(f"http://{address}/", trust_env=False)
                    break
                except httpx.HTTPError:
                    time.sleep(0.05)
            answer = httpx.post(
                f"http://{address}/store?default",
                content=file.read_bytes(),
                headers={"Content-Type": TYPES[file.suffix]},
                timeout=600,
                trust_env=False,
            )
            answer.raise_for_status()
            yield f"http://{address}/query"
        finally:
            server.terminate()
            server.wait()


def measure(url: str, given: argparse.Namespace) -> dict[str, float]:
    """Time batches of new seeds, then the same again."""
    endpoint = Endpoint(url, timeout=300)
    subjects = "SELECT DISTINCT ?s { ?s ?p ?o FILTER(isIRI(?s) && isIRI(?o)) }"
    keys = sorted(str(key) for (key,) in endpoint.select(subjects))
    live = LiveRetriever(LiveGraph(SparqlServer(endpoint)), hops=given.hops, deadline=300)
    chosen = np.random.default_rng(0).choice(len(keys), (given.rounds, given.texts, given.seeds))
    batches = [[live.graph.rows([keys[row] for row in text]) for text in batch] for batch in chosen]
    figures: dict[str, float] = {}
    for name in ("new", "again"):
        seconds, asked = [], endpoint.questions
        for batch in batches:
            start = time.perf_counter()
            live.retrieve(batch)
            seconds.append(time.perf_counter() - start)
        figures[f"{name}_questions_per_batch"] = (endpoint.questions - asked) / len(batches)
        figures[f"{name}_seconds_per_batch"] = round(statistics.median(seconds), 3)
        figures[f"{name}_texts_per_second"] = round(given.texts / statistics.median(seconds), 1)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="a SPARQL endpoint")
    parser.add_argument("--file", type=Path, default=WORLD)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hops", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    if given.url:
        figures = measure(given.url, given)
    else:
        with oxigraph(given.file) as url:
            figures = measure(url, given)
    for name, value in figures.items():
        print(f"{name:30} {value}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
