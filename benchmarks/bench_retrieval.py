"""How many subgraphs a second: kgfm's kernel, and the same cut written with networkx.

python benchmarks/bench_retrieval.py --entities 100000 --edges 1000000 --json retrieval.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import networkx
import numpy as np

from kgfm.graph import KnowledgeGraph
from kgfm.retrieval import HopRetriever
from kgfm.types import Asked


def power_law(num_entities: int, num_edges: int, num_relations: int, seed: int) -> KnowledgeGraph:
    """Draw a graph whose degrees follow a power law: the i-th entity has weight ``i ** -0.5``."""
    random = np.random.default_rng(seed)
    rows = (num_entities * random.random((2, num_edges)) ** 2).astype(np.int64)
    heads, tails = random.permutation(num_entities)[rows]
    relations = random.integers(0, num_relations, num_edges)
    triples = zip(heads.tolist(), relations.tolist(), tails.tolist(), strict=True)
    return KnowledgeGraph.from_records([], ((f"e{h}", f"r{r}", f"e{t}") for h, r, t in triples))


class NetworkxCut:
    """The same walk, with neighbours in the order that networkx has them, and induced edges."""

    def __init__(self, graph: KnowledgeGraph, hops: int, fan_out: int, budget: int) -> None:
        self.hops, self.fan_out, self.budget = hops, fan_out, budget
        self.graph = networkx.MultiDiGraph()
        columns = graph.heads.tolist(), graph.tails.tolist(), graph.relations.tolist()
        self.graph.add_edges_from(zip(*columns, strict=True))
        self.undirected = networkx.Graph(self.graph)

    def retrieve(self, batch: list[Asked]) -> list[Any]:
        nodes = [self._nodes(asked.seeds) for asked in batch]
        return [list(self.graph.subgraph(each).edges(keys=True)) for each in nodes]

    def _nodes(self, seeds: np.ndarray) -> list[int]:
        nodes = frontier = dict.fromkeys(seeds.tolist())
        for _ in range(self.hops):
            reached = {}
            for node in frontier:
                row = islice(self.undirected[node], self.fan_out)
                reached.update((other, None) for other in row if other not in nodes)
            frontier, nodes = reached, {**nodes, **reached}
        return list(nodes)[: self.budget]


def rate(retrieve: Callable[[list[Asked]], Any], batches: list[list[Asked]]) -> float:
    """Return the examples per second of the median batch; the first one only warms up."""
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        retrieve(batch)
        seconds.append(time.perf_counter() - start)
    return len(batches[0]) / statistics.median(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entities", type=int, default=15_000)
    parser.add_argument("--edges", type=int, default=310_000)
    parser.add_argument("--relations", type=int, default=20)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--hops", type=int, default=2)
    parser.add_argument("--fan-out", type=int, default=16)
    parser.add_argument("--budget", type=int, default=200)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()

    graph = power_law(given.entities, given.edges, given.relations, seed=0)
    random = np.random.default_rng(1)
    shape = given.rounds + 1, given.examples, given.seeds
    batches = [list(map(Asked.at, batch)) for batch in random.integers(0, len(graph), shape)]
    caps = {"hops": given.hops, "fan_out": given.fan_out, "budget": given.budget}
    retriever = HopRetriever(graph, **caps)
    subgraphs = [subgraph for batch in batches for subgraph in retriever.retrieve(batch)]
    kernel = rate(retriever.retrieve, batches)
    beside = rate(NetworkxCut(graph, **caps).retrieve, [batch[:8] for batch in batches[:4]])
    figures = {
        "graph": repr(graph),
        "nodes": statistics.mean(len(subgraph.nodes) for subgraph in subgraphs),
        "edges": statistics.mean(len(subgraph.edge_type) for subgraph in subgraphs),
        "kgfm_examples_per_second": round(kernel, 1),
        "networkx_examples_per_second": round(beside, 1),
        "ratio": round(kernel / beside, 1),
    }
    for name, value in figures.items():
        print(f"{name:30} {value}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
