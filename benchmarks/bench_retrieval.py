"""How many subgraphs a second, and how true: kgfm's kernels beside PyG, scikit-network, networkx.

python benchmarks/bench_retrieval.py --entities 1000000 --edges 10000000 --json retrieval.json

All by processor time on one thread, over a graph whose degrees follow a power law. A text has four
seeds (``paths``: two). networkx holds 10M edges in some 6 GB; ``--leave-out networkx`` spares them.
scikit-network is used where it is installed (``pip install "kgfm[bench]"``).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import scipy.sparse

from kgfm.graph import GraphBuilder, KnowledgeGraph
from kgfm.retrieval import HopRetriever, PathRetriever, PPRRetriever, Retriever
from kgfm.types import Asked

Figures = dict[str, Any]
ITERATIONS = 80  # .85 ** 80 = 2e-6 of the walkers are then still on their way


def power_law(num_entities: int, num_edges: int, num_relations: int, seed: int) -> KnowledgeGraph:
    """Draw a graph whose degrees follow a power law: the i-th entity has weight ``i ** -0.5``."""
    random = np.random.default_rng(seed)
    rows = (num_entities * random.random((2, num_edges)) ** 2).astype(np.int64)
    heads, tails = random.permutation(num_entities)[rows]
    builder = GraphBuilder()
    entities = (f"e{number}" for number in range(num_entities))
    relations = (f"r{number}" for number in range(num_relations))
    triples = np.stack([heads, random.integers(0, num_relations, num_edges), tails])
    builder.add_coded_triples(entities, relations, triples)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*have no label")
        return KnowledgeGraph.from_builder(builder, None)


def per_second(run: Callable[[Any], Any], batches: Sequence[Sequence[Any]], warm: int = 1) -> float:
    """Return the items per second of the median batch; the first ones only warm up."""
    seconds = []
    for batch in batches:
        start = time.process_time()
        run(batch)
        seconds.append(time.process_time() - start)
    return len(batches[0]) / statistics.median(seconds[warm:])


def own(retriever: Retriever, batches: Sequence[Sequence[Asked]]) -> Figures:
    """Time a retriever of kgfm."""
    found = [cut for batch in batches for cut in retriever.retrieve(batch)]
    return {
        "kgfm": round(per_second(retriever.retrieve, batches)),
        "nodes": round(statistics.mean(len(cut.nodes) for cut in found), 1),
        "edges": round(statistics.mean(len(cut.edge_type) for cut in found), 1),
        "paths": round(statistics.mean(len(cut.paths) for cut in found), 2),
    }


# -- PyG ------------------------------------------------------------------------------------------


def pyg_edges(graph: KnowledgeGraph) -> Any:
    """Return all edges in both directions, as PyG has them."""
    import torch

    torch.set_num_threads(1)
    heads, tails = (torch.from_numpy(np.array(a, np.int64)) for a in (graph.heads, graph.tails))
    return torch.stack([torch.cat([heads, tails]), torch.cat([tails, heads])])


def pyg_hops(graph: KnowledgeGraph, edges: Any, texts: Sequence[Asked], hops: int) -> float:
    """PyG's ``k_hop_subgraph``, which knows no budget."""
    import torch
    from torch_geometric.utils import k_hop_subgraph

    def cut(batch: Sequence[Asked]) -> None:
        for asked in batch:
            k_hop_subgraph(torch.from_numpy(asked.seeds), hops, edges, num_nodes=len(graph))

    return per_second(cut, [[asked] for asked in texts])


def pyg_ppr(graph: KnowledgeGraph, edges: Any, seeds: np.ndarray, epsilon: float) -> float:
    """PyG's ``get_ppr``, one seed at a time; sorting the edges, once a call, is left out."""
    import torch
    from torch_geometric.utils import get_ppr

    seconds = []
    for number in (1, 1, len(seeds)):
        start = time.process_time()
        target = torch.from_numpy(seeds[:number])
        get_ppr(edges, alpha=0.15, eps=epsilon, target=target, num_nodes=len(graph))
        seconds.append(time.process_time() - start)
    return (len(seeds) - 1) / max(1e-9, seconds[2] - seconds[1])


# -- whole-graph PageRank -------------------------------------------------------------------------


def adjacency(graph: KnowledgeGraph) -> Any:
    """Return how many entries of each row lead to each entity."""
    row = np.asarray(graph.neighbour_entity)
    shape = len(graph), len(graph)
    matrix = (np.ones(len(row)), row, np.asarray(graph.neighbour_indptr))
    return scipy.sparse.csr_matrix(matrix, shape=shape)


def power_iteration(matrix: Any, texts: Sequence[Asked], alpha: float) -> np.ndarray:
    """Return the exact values of each text's entities, as columns."""
    begin = np.zeros((matrix.shape[0], len(texts)))
    for column, asked in enumerate(texts):
        begin[np.unique(asked.seeds), column] = 1 / len(np.unique(asked.seeds))
    degree = np.asarray(matrix.sum(1))
    share = np.divide(1 - alpha, degree, out=np.zeros_like(degree), where=degree > 0)
    stuck = (1 - alpha) * (degree == 0)
    values = begin.copy()
    for _ in range(ITERATIONS):
        # The matrix is symmetric: each triple is in two rows.
        values = alpha * begin + matrix @ (share * values) + stuck * values
    return values


def overlap(retriever: PPRRetriever, matrix: Any, texts: Sequence[Asked]) -> float:
    """Return the share of a text's nodes that are among as many of most exact value."""
    exact = power_iteration(matrix, texts, retriever.alpha)
    shares = []
    for column, cut in enumerate(retriever.retrieve(texts)):
        best = np.argsort(-exact[:, column], kind="stable")[: len(cut.nodes)]
        shares.append(len(np.intersect1d(best, cut.nodes)) / len(best))
    return statistics.mean(shares)


def sknetwork_ppr(matrix: Any, texts: Sequence[Asked]) -> float | None:
    """scikit-network's PageRank by power iteration, over the whole graph."""
    try:
        from sknetwork.ranking import PageRank
    except ImportError:
        return None

    def cut(batch: Sequence[Asked]) -> None:
        for asked in batch:
            rank = PageRank(damping_factor=0.85, solver="piteration", n_iter=20)
            rank.fit(matrix, weights=dict.fromkeys(asked.seeds.tolist(), 1.0))

    return per_second(cut, [[asked] for asked in texts])


# -- networkx -------------------------------------------------------------------------------------


class Networkx:
    """The same written with networkx: neighbours in its own order, each pair joined once."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = networkx.Graph()
        self.graph.add_nodes_from(range(len(graph)))
        self.graph.add_edges_from(zip(graph.heads.tolist(), graph.tails.tolist(), strict=True))

    def hops(self, texts: Sequence[Asked], hops: int, fan_out: int, budget: int) -> float:
        def cut(batch: Sequence[Asked]) -> None:
            for asked in batch:
                nodes = frontier = dict.fromkeys(asked.seeds.tolist())
                for _ in range(hops):
                    reached: dict[int, None] = {}
                    for node in frontier:
                        row = islice(self.graph[node], fan_out)
                        reached.update((other, None) for other in row if other not in nodes)
                    frontier, nodes = reached, {**nodes, **reached}
                list(self.graph.subgraph(list(nodes)[:budget]).edges)

        return per_second(cut, [[asked] for asked in texts])

    def paths(self, texts: Sequence[Asked]) -> float:
        def cut(batch: Sequence[Asked]) -> None:
            for asked in batch:
                with suppress(networkx.NetworkXNoPath):
                    list(networkx.all_shortest_paths(self.graph, *asked.seeds.tolist()))

        return per_second(cut, [[asked] for asked in texts], warm=0)


def main() -> None:
    """Print the figures of all retrievers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--edges", type=int, default=10_000_000)
    parser.add_argument("--relations", type=int, default=20)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--epsilon", type=float, default=1e-4)
    parser.add_argument("--judged", type=int, default=16, help="texts whose overlap is taken")
    parser.add_argument(
        "--leave-out", nargs="*", default=[], help="pyg, sknetwork, networkx, exact"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()

    graph = power_law(given.entities, given.edges, given.relations, seed=0)
    random = np.random.default_rng(1)
    seeds = random.integers(0, len(graph), (given.rounds + 1, given.texts, 4))
    batches = [[Asked.at(rows) for rows in batch] for batch in seeds]
    pairs = [[Asked.at(rows[:2]) for rows in batch] for batch in seeds]
    hops, ppr = HopRetriever(graph), PPRRetriever(graph, epsilon=given.epsilon)
    figures: dict[str, Figures] = {
        "hops": own(hops, batches),
        "ppr": own(ppr, batches),
        "paths": own(PathRetriever(graph), pairs),
        "paths, 4 steps": own(PathRetriever(graph, length=4), pairs),
    }
    some = batches[0]
    if "exact" not in given.leave_out:
        matrix = adjacency(graph)
        start = time.process_time()
        figures["ppr"]["overlap"] = round(overlap(ppr, matrix, some[: given.judged]), 4)
        figures["ppr"]["scipy"] = round(given.judged / (time.process_time() - start), 3)
        if "sknetwork" not in given.leave_out:
            figures["ppr"]["scikit-network"] = sknetwork_ppr(matrix, some[:3])
        del matrix
    if "pyg" not in given.leave_out:
        edges = pyg_edges(graph)
        figures["hops"]["PyG k_hop_subgraph"] = pyg_hops(graph, edges, some[:3], 2)
        figures["ppr"]["PyG get_ppr, seeds"] = pyg_ppr(
            graph, edges, seeds[0].ravel(), given.epsilon
        )
        del edges
    if "networkx" not in given.leave_out:
        beside = Networkx(graph)
        figures["hops"]["networkx"] = beside.hops(some[:9], 2, 64, 200)
        figures["paths"]["networkx"] = beside.paths(pairs[0][:2])
    print(graph)
    for name, values in figures.items():
        print(name)
        for what, value in values.items():
            shown = (
                "not installed"
                if value is None
                else f"{value:,.4g}"
                if value < 1000
                else f"{value:,.0f}"
            )
            print(f"  {what:24} {shown}")
    if given.json:
        given.json.write_text(json.dumps({"graph": repr(graph), **figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
