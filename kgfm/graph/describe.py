"""What a graph holds, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Int, Int64

from kgfm.graph.knowledge_graph import KnowledgeGraph

_QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
_LEAST_TAIL = 50
"""A tail of fewer entities tells nothing."""
_CANDIDATES = 60
_SHOWN = 10


def describe(graph: KnowledgeGraph) -> dict[str, Any]:
    """Return counts, coverage of names, degrees, components, what is by type, relation, source.

    The result is JSON. ``degree_tail`` is the fit of :func:`power_law_tail`, ``None`` where the
    graph is too small for one.
    """
    entities = max(1, graph.num_entities)
    degree = graph.degree if graph.num_entities else np.zeros(1, np.int32)
    sizes = component_sizes(graph)
    return {
        "entities": graph.num_entities,
        "relations": graph.num_relations,
        "triples": graph.num_triples,
        "with_label": int(graph.labelled.sum()) / entities,
        "with_description": int(np.count_nonzero(np.diff(graph.descriptions.offsets))) / entities,
        "with_alias": int(np.count_nonzero(np.diff(graph.alias_indptr))) / entities,
        "with_type": int(np.count_nonzero(np.diff(graph.type_indptr))) / entities,
        "without_triple": int(np.count_nonzero(graph.degree == 0)),
        "only_tails": len(dangling(graph)),
        "self_loops": int(np.count_nonzero(graph.heads == graph.tails)),
        "repeated_triples": int(graph.manifest["source"].get("repeated_triples", 0)),
        "relations_with_label": int(graph.relation_labelled.sum()),
        "degree": {
            "mean": float(degree.mean()),
            **{n: float(np.quantile(degree, q, method="lower")) for n, q in _QUANTILES.items()},
        },
        "degree_tail": power_law_tail(graph.degree),
        "components": {"count": len(sizes), "largest": int(sizes.max(initial=0))},
        "shared_labels": _shared(graph),
        "by_type": _by_type(graph),
        "by_relation": _by_relation(graph),
        "by_source": [
            {
                "source": name,
                "entities": int(graph.in_source(name).sum()),
                "triples": int(graph.triples_in(name).sum()),
            }
            for name in graph.sources
        ],
        "edge_attributes": list(graph.edge_attributes),
        "source": graph.manifest["source"],
    }


def _by_relation(graph: KnowledgeGraph) -> list[dict[str, Any]]:
    counts = np.bincount(graph.relations, minlength=graph.num_relations).tolist()
    found = sorted(
        zip(graph.relation_keys, graph.relation_labels, counts, strict=True),
        key=lambda entry: (-entry[2], entry[0]),
    )
    return [{"key": key, "label": label, "triples": count} for key, label, count in found]


def _by_type(graph: KnowledgeGraph) -> list[dict[str, Any]]:
    """Count entities by type; one of two types counts with both."""
    counts = np.bincount(graph.type_ids, minlength=len(graph.type_names)).tolist()
    counted = zip(graph.type_names, counts, strict=True)
    found = sorted(counted, key=lambda entry: (-entry[1], entry[0]))
    return [{"type": name, "entities": count} for name, count in found]


def shared_names(labels: Iterable[str]) -> dict[str, int]:
    """Return the labels that several entities have, whatever their case, and how many have them."""
    counts = Counter(" ".join(label.casefold().split()) for label in labels)
    del counts[""]
    return {label: count for label, count in counts.most_common() if count > 1}


def _shared(graph: KnowledgeGraph) -> dict[str, Any]:
    shared = shared_names(graph.labels)
    most = [{"label": label, "entities": n} for label, n in list(shared.items())[:_SHOWN]]
    return {"labels": len(shared), "entities": sum(shared.values()), "most": most}


def dangling(graph: KnowledgeGraph) -> Int64[np.ndarray, "found"]:
    """Return the rows of entities that are only ever named as a tail: nothing else is known."""
    known = (
        (np.diff(graph.out_indptr) > 0)
        | graph.labelled
        | (np.diff(graph.descriptions.offsets) > 0)
        | (np.diff(graph.alias_indptr) > 0)
        | (np.diff(graph.type_indptr) > 0)
        | (np.diff(graph.attribute_texts.offsets) > 0)
    )
    return np.flatnonzero(~known & (graph.degree > 0))


def component_sizes(graph: KnowledgeGraph) -> Int64[np.ndarray, "component"]:
    """Return how many entities each connected component has; an entity alone is one too."""
    roots = components(graph.heads, graph.tails, graph.num_entities)
    sizes = np.bincount(roots, minlength=0)
    return sizes[sizes > 0].astype(np.int64)


def components(
    heads: Int[np.ndarray, "edge"], tails: Int[np.ndarray, "edge"], size: int
) -> Int64[np.ndarray, "node"]:
    """Return the lowest row of each node's connected component, the direction of edges aside.

    In each round the root of an edge's one end is hooked onto the lower root of the other, and all
    paths to roots are halved until they are one step long (Shiloach and Vishkin, 1982), so that
    there are some log(n) rounds over arrays.
    """
    root = np.arange(size, dtype=np.int64)
    while len(heads):
        low, high = np.minimum(root[heads], root[tails]), np.maximum(root[heads], root[tails])
        apart = low != high
        heads, tails = heads[apart], tails[apart]
        np.minimum.at(root, high[apart], low[apart])
        while not np.array_equal(further := root[root], root):
            root = further
    return root


def power_law_tail(degree: Int[np.ndarray, "entity"]) -> dict[str, float] | None:
    """Fit a power law to the upper tail of degrees.

    From ``least`` on, the exponent is ``1 + n / sum(ln(d / (least - 1/2)))``, and ``least`` is the
    degree from which on the fit is nearest to the data, by the Kolmogorov-Smirnov distance
    (Clauset, Shalizi and Newman, 2009, https://arxiv.org/abs/0706.1062, eq. 3.7 and sec. 3.3).

    Returns:
        ``exponent``, ``least``, ``entities`` in the tail and ``distance``; below 0.05 or so the
        tail looks like a power law. ``None`` if no tail has enough entities.
    """
    ordered = np.sort(degree[degree > 0]).astype(np.float64)
    if len(ordered) < _LEAST_TAIL:
        return None
    candidates = np.unique(ordered[: len(ordered) - _LEAST_TAIL + 1])
    if len(candidates) > _CANDIDATES:
        chosen = np.linspace(0, len(candidates) - 1, _CANDIDATES).astype(np.int64)
        candidates = candidates[chosen]
    fits = [fit for least in candidates if (fit := _fit(ordered, float(least))) is not None]
    return min(fits, key=lambda fit: fit["distance"], default=None)


def _fit(ordered: np.ndarray, least: float) -> dict[str, float] | None:
    tail = ordered[np.searchsorted(ordered, least) :]
    spread = float(np.log(tail / (least - 0.5)).sum())
    if tail[0] == tail[-1] or spread <= 0:
        return None
    exponent = 1 + len(tail) / spread
    values, counts = np.unique(tail, return_counts=True)
    share = 1 - (np.cumsum(counts) - counts) / len(tail)  # of those that have this degree or more
    expected = ((values - 0.5) / (least - 0.5)) ** (1 - exponent)
    return {
        "exponent": exponent,
        "least": least,
        "entities": float(len(tail)),
        "distance": float(np.abs(share - expected).max()),
    }
