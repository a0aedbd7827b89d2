"""Figures, graphs and predictions as plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kgfm.graph import KnowledgeGraph
from kgfm.recipes import aligned
from kgfm.types import NIL, Evidence, Prediction

MOST_RELATIONS = 20


def figures(parts: Mapping[str, Mapping[str, float]]) -> str:
    """Return the figures of each part, a line each."""
    names = list(next(iter(parts.values())))
    rows = [["", *names]]
    for part, found in parts.items():
        rows.append([part, *(f"{found[name]:.4f}" for name in names)])
    return aligned(rows)


def counts(found: Mapping[str, int]) -> str:
    """Return counts by name as a line."""
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in found.items())


def graph_info(found: Mapping[str, Any]) -> str:
    """Return what a graph holds, in numbers."""
    counts = ("entities", "relations", "triples")
    shares = {"label": "with_label", "description": "with_description", "alias": "with_alias"}
    shares["type"] = "with_type"
    rows = [[name, f"{found[name]:,}"] for name in counts]
    rows += [[f"with {name}", f"{found[key]:.1%}"] for name, key in shares.items()]
    rows.append(["in no triple", f"{found['without_triple']:,}"])
    rows += [[f"degree {name}", f"{value:,.1f}"] for name, value in found["degree"].items()]
    relations = found["by_relation"]
    names = [
        entry["label"] if entry["label"] == entry["key"] else f"{entry['label']}  <{entry['key']}>"
        for entry in relations[:MOST_RELATIONS]
    ]
    width = max((len(f"{entry['triples']:,}") for entry in relations), default=0)
    lines = [
        f"{entry['triples']:>{width},}  {name}"
        for entry, name in zip(relations, names, strict=False)
    ]
    more = len(relations) - len(lines)
    lines += [f"... and {more:,} more relations"] if more > 0 else []
    return "\n".join([aligned(rows), "", "triples by relation", *lines])


def name_of(graph: KnowledgeGraph, key: str, task: str = "answer") -> str:
    """Return an answer for people: the entity's label, or the label itself."""
    if key == NIL:
        return "(nothing in the graph answers this)"
    return graph.label(key) if task == "answer" else key


def prediction(found: Prediction, graph: KnowledgeGraph, task: str) -> str:
    """Return one line: the answer, or all labels over the threshold, and the score."""
    if task == "answer":
        named = name_of(graph, found.answer, task)
    else:
        named = ", ".join(found.labels) or f"(none; nearest {found.answer})"
    return f"{named}  {found.score:.3f}"


def mentions(found: Prediction, graph: KnowledgeGraph) -> str:
    """Return what the linker found."""
    named = [
        f"{mention.text!r} → {graph.label(mention.entity)}"
        for mention in found.mentions
        if mention.entity is not None
    ]
    return ", ".join(named) or "no entity of the graph is named"


def evidence(found: Prediction, graph: KnowledgeGraph, limit: int = 5) -> Iterator[str]:
    """Yield the triples that mattered, a line each, by label."""
    for item in found.evidence[:limit]:
        yield f"{item.change:+.3f}  {triple(item, graph)}"


def triple(item: Evidence, graph: KnowledgeGraph) -> str:
    """Return a triple by its labels."""
    relation = graph.relation_text(graph.relation_row(item.relation))
    return f"{graph.label(item.head)} —{relation}→ {graph.label(item.tail)}"
