"""Which triples mattered, measured by taking each away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kgfm.batch import Batch, Collator, Prepared
from kgfm.model import KGModel
from kgfm.retrieval import Graph
from kgfm.types import Evidence, Subgraph


def explain(
    model: KGModel,
    collator: Collator,
    prepared: Prepared,
    target: int | None,
    graph: Graph,
    *,
    limit: int = 32,
) -> tuple[Evidence, ...]:
    """Return how much the score of an answer falls without each of its most likely triples.

    The ``limit`` triples of largest gradient times value (the value being the edge's weight of
    one) are left out one at a time, each with its inverse edge, in one batch; the fall of the
    probability is the evidence. The gradient only proposes; the measured change decides.

    Args:
        model: The model.
        collator: Packs batches.
        prepared: The text.
        target: Number of the label (``classify``) or of the node (``answer``); ``None`` for NIL.
        graph: Names the triples.
        limit: Number of triples to leave out.
    """
    subgraph = prepared.subgraph
    if not len(subgraph.edge_type):
        return ()
    model.eval()
    device = next(model.parameters()).device
    # Whoever asks may have switched gradients off, as one does to predict.
    with torch.inference_mode(False), torch.enable_grad():
        chosen = propose(model, collator.pack([prepared]).to(device), target, limit)
    scores = scores_without(model, collator, prepared, target, [[edge] for edge in chosen])
    evidence = [
        Evidence(*_names(graph, subgraph, edge), change=float(scores[0] - score))
        for edge, score in zip(chosen, scores[1:], strict=True)
    ]
    return tuple(sorted(evidence, key=lambda item: -item.change))


def propose(model: KGModel, batch: Batch, target: int | None, limit: int) -> list[int]:
    """Numbers of the edges of largest gradient times value in a batch of one text."""
    num_edges = len(batch.edge_type) // 2
    weight = torch.ones(2 * num_edges, device=batch.edge_type.device, requires_grad=True)
    score = target_scores(model, replace(batch, edge_weight=weight), target)[0]
    (gradient,) = torch.autograd.grad(score, weight, allow_unused=True)
    if gradient is None:  # an encoder that looks at no edge
        return []
    value = gradient[:num_edges] + gradient[num_edges:]
    return value.abs().argsort(descending=True, stable=True)[:limit].tolist()


@torch.no_grad()
def scores_without(
    model: KGModel,
    collator: Collator,
    prepared: Prepared,
    target: int | None,
    removals: Sequence[Sequence[int]],
) -> Float[np.ndarray, "score"]:
    """Score of the answer with all triples, then without each set of triples; in one batch."""
    variants = [prepared, *(_without(prepared, edges) for edges in removals)]
    batch = collator.pack(variants).to(next(model.parameters()).device)
    return target_scores(model, batch, target).cpu().numpy()


def target_scores(model: KGModel, batch: Batch, target: int | None) -> Float[Tensor, "batch"]:
    """Probability of one label, of the n-th node of each text, or of NIL."""
    probabilities = model.head.probabilities(model(batch), batch)
    if probabilities.ndim == 1:  # one per node
        if target is None:
            sums = probabilities.new_zeros(len(batch))
            return 1 - sums.index_add(0, batch.node_text, probabilities)
        return probabilities[batch.node_slot[:, target]]
    return probabilities[:, target]


def _without(prepared: Prepared, edges: Sequence[int]) -> Prepared:
    subgraph = prepared.subgraph
    kept = np.delete(np.arange(len(subgraph.edge_type)), list(edges))
    return replace(
        prepared,
        subgraph=replace(
            subgraph, edge_index=subgraph.edge_index[:, kept], edge_type=subgraph.edge_type[kept]
        ),
    )


def _names(graph: Graph, subgraph: Subgraph, edge: int) -> tuple[str, str, str]:
    head, tail = subgraph.nodes[subgraph.edge_index[:, edge]].tolist()
    return (
        graph.keys[head],
        graph.relation_keys[int(subgraph.edge_type[edge])],
        graph.keys[tail],
    )
