"""Which triples mattered, measured by taking each away and asking anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int

from kgfm.batch import Batch, Collator, Prepared
from kgfm.model import KGModel
from kgfm.retrieval import Graph, drop_triples
from kgfm.types import Evidence, Path, Subgraph

Triples = Int[np.ndarray, "_ 3"]
Variants = Callable[[Sequence[np.ndarray]], list[Prepared]]
"""Makes a question ready as if the graph did not hold some triples, once for each set of them."""
BATCH = 32
MOST_PATHS = 4


def explain(
    model: KGModel,
    collator: Collator,
    variants: Variants,
    option: int,
    graph: Graph,
    *,
    about: int = 0,
    limit: int = 32,
) -> tuple[Evidence, ...]:
    """Return how much the score of an answer falls without each of its most likely triples.

    The ``limit`` triples of largest gradient times value (the value being the edge's weight, one
    where it has none) are taken out of the graph one at a time, both ways, and the text is asked
    anew, so that what the retriever cuts, thinks and shows changes too; the fall of the probability
    is the evidence. The gradient only proposes; the measured change decides. Where the retriever
    shows paths to the answer, the best of them are taken out whole, and each of their steps. Where
    it finds a whole set, the evidence says what the set is then, and which path leads to the answer
    instead.

    Args:
        model: The model.
        collator: Packs batches.
        variants: Makes the question ready without some triples of the graph.
        option: Number of the answer, from the task.
        graph: Names the triples.
        about: Which of the things asked about.
        limit: Number of triples to leave out.
    """
    (whole,) = variants([np.empty((0, 3), dtype=np.int64)])
    model.eval()
    # Whoever asks may have switched gradients off, as one does to predict.
    with torch.inference_mode(False), torch.enable_grad():
        chosen = propose(model, collator, whole, option, about=about, limit=limit)
    paths = [
        triples_of(row.subgraph)[np.array(path.edges, dtype=np.int64)]
        for row in whole.rows
        for path in paths_to(row.subgraph, option)[:MOST_PATHS]
    ]
    steps = [triple for path in paths for triple in path]
    removed = [triple[None] for triple in _distinct([*steps, *chosen])[:limit]]
    removed += [path for path in paths if len(path) > 1]
    if not removed:
        return ()
    asked, scores = scores_without(model, collator, variants, removed, option, about=about)
    changes = (scores[0] - scores[1:]).tolist()
    evidence = [
        Evidence(
            "triple" if len(triples) == 1 else "path",
            _keys(graph, triples),
            change,
            *_then(one, option, graph),
        )
        for triples, change, one in zip(removed, changes, asked[1:], strict=True)
    ]
    return tuple(sorted(evidence, key=lambda item: -item.change))


def paths_to(subgraph: Subgraph, entity: int) -> list[Path]:
    """The paths that end at an entity, by its row in the graph; all where none does."""
    ending = [path for path in subgraph.paths if subgraph.nodes[path.nodes[-1]] == entity]
    return ending or list(subgraph.paths)


def _distinct(triples: Sequence[Int[np.ndarray, "3"]]) -> list[Int[np.ndarray, "3"]]:
    found: dict[tuple[int, ...], Int[np.ndarray, "3"]] = {}
    for triple in triples:
        found.setdefault(tuple(triple.tolist()), triple)
    return list(found.values())


def _then(
    prepared: Prepared, option: int, graph: Graph
) -> tuple[tuple[str, ...] | None, tuple[tuple[str, str, str], ...]]:
    """What the whole set is in a variant, and the triples of the first path to the answer."""
    subgraph = prepared.rows[0].subgraph
    if subgraph.found is None:
        return None, ()
    found = subgraph.found
    answers = (
        ()
        if found.refused
        else found.values or tuple(graph.keys[row] for row in found.rows.tolist())
    )
    ending = [path for path in subgraph.paths if subgraph.nodes[path.nodes[-1]] == option]
    if not ending:
        return answers, ()
    edges = np.array(ending[0].edges, dtype=np.int64)
    return answers, _keys(graph, triples_of(subgraph)[edges])


def propose(
    model: KGModel, collator: Collator, whole: Prepared, option: int, *, about: int, limit: int
) -> list[Int[np.ndarray, "3"]]:
    """Triples of largest gradient times value, as rows of the graph, each once."""
    batch = collator.pack([whole]).to(next(model.parameters()).device)
    num_edges = batch.edge_type.shape[0] // 2
    if not num_edges:
        return []
    ones = torch.ones(2 * num_edges, device=batch.edge_type.device)
    weight = (ones if batch.edge_weight is None else batch.edge_weight.clone()).requires_grad_()
    score = _scores(model, replace(batch, edge_weight=weight), option, about)[0]
    if not score.requires_grad:  # the answer is no candidate, so nothing speaks for it
        return []
    (gradient,) = torch.autograd.grad(score, weight, allow_unused=True)
    if gradient is None:  # an encoder that looks at no edge
        return []
    each = gradient * weight.detach()
    value = (each[:num_edges] + each[num_edges:]).cpu().numpy()
    triples = np.concatenate([triples_of(row.subgraph) for row in whole.rows])
    # A triple may stand in several rows of an example; its parts add up.
    distinct, place = np.unique(triples, axis=0, return_inverse=True)
    total = np.zeros(len(distinct))
    np.add.at(total, place.reshape(-1), value)
    first = np.full(len(distinct), len(triples))
    np.minimum.at(first, place.reshape(-1), np.arange(len(triples)))
    order = np.lexsort([first, -np.abs(total)])[:limit]
    return list(distinct[order])


def scores_without(
    model: KGModel,
    collator: Collator,
    variants: Variants,
    removed: Sequence[Triples],
    option: int,
    *,
    about: int = 0,
) -> tuple[list[Prepared], Float[np.ndarray, "score"]]:
    """The question with all triples, then without each set of them, and the answer's scores."""
    sets = [np.empty((0, 3), dtype=np.int64), *removed]
    asked = [_really(one, triples) for one, triples in zip(variants(sets), sets, strict=True)]
    device = next(model.parameters()).device
    scores = []
    with torch.no_grad():
        for start in range(0, len(asked), BATCH + 1):
            batch = collator.pack(asked[start : start + BATCH + 1]).to(device)
            scores.append(_scores(model, batch, option, about).cpu().numpy())
    return asked, np.concatenate(scores)


def _scores(model: KGModel, batch: Batch, option: int, about: int) -> torch.Tensor:
    return model.task.score(model(batch), batch, option, about)


def _really(prepared: Prepared, triples: Triples) -> Prepared:
    """Take out what a retriever that does not know ``Asked.without`` has left in."""
    if not len(triples):
        return prepared
    rows = tuple(
        replace(row, subgraph=drop_triples(row.subgraph, triples)) for row in prepared.rows
    )
    return replace(prepared, rows=rows)


def triples_of(subgraph: Subgraph) -> Triples:
    """The edges of a subgraph as rows (head, relation, tail) of the graph."""
    heads, tails = subgraph.nodes[subgraph.edge_index]
    return np.stack([heads, subgraph.edge_type, tails], axis=1).astype(np.int64)


def _keys(graph: Graph, triples: Triples) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (graph.keys[head], graph.relation_keys[relation], graph.keys[tail])
        for head, relation, tail in triples.tolist()
    )
