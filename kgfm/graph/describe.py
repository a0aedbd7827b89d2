"""What a graph holds, in numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgfm.graph.knowledge_graph import KnowledgeGraph

_QUANTILES = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def describe(graph: KnowledgeGraph) -> dict[str, Any]:
    """Return counts, coverage of names, the spread of degrees and triples by relation, as JSON."""
    entities = max(1, graph.num_entities)
    degree = graph.degree if graph.num_entities else np.zeros(1, np.int32)
    counts = np.bincount(graph.relations, minlength=graph.num_relations)
    by_relation = sorted(
        zip(graph.relation_keys, graph.relation_labels, counts.tolist(), strict=True),
        key=lambda entry: (-entry[2], entry[0]),
    )
    return {
        "entities": graph.num_entities,
        "relations": graph.num_relations,
        "triples": graph.num_triples,
        "with_label": int(graph.labelled.sum()) / entities,
        "with_description": int(np.count_nonzero(np.diff(graph.descriptions.offsets))) / entities,
        "with_alias": int(np.count_nonzero(np.diff(graph.alias_indptr))) / entities,
        "with_type": int(np.count_nonzero(np.diff(graph.type_indptr))) / entities,
        "without_triple": int(np.count_nonzero(graph.degree == 0)),
        "degree": {
            "mean": float(degree.mean()),
            **{n: float(np.quantile(degree, q, method="lower")) for n, q in _QUANTILES.items()},
        },
        "by_relation": [
            {"key": key, "label": label, "triples": count} for key, label, count in by_relation
        ],
        "edge_attributes": list(graph.edge_attributes),
        "source": graph.manifest["source"],
    }
