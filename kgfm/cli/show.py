"""Figures, graphs and predictions as plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kgfm.graph import KnowledgeGraph
from kgfm.linking.evaluate import Evaluation
from kgfm.linking.findings import Finding
from kgfm.recipes import aligned
from kgfm.types import Answer, Evidence, Mention, Prediction

if TYPE_CHECKING:
    from kgfm.pipeline import Pipeline

MOST_LINES = 20


def figures(parts: Mapping[str, Mapping[str, float]]) -> str:
    """Return the figures of each part, a line each."""
    names = list(dict.fromkeys(name for found in parts.values() for name in found))
    rows = [["", *names]]
    for part, found in parts.items():
        rows.append([part, *(f"{found[name]:.4f}" if name in found else "" for name in names)])
    return aligned(rows)


def counts(found: Mapping[str, int]) -> str:
    """Return counts by name as a line."""
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in found.items())


def conventions(source: Mapping[str, Any], *, guessed: bool) -> Iterator[str]:
    """Yield by which conventions a graph was read, and what was left out for them."""
    from kgfm.stores.conventions import CONVENTIONS

    for name in source.get("conventions", ()):
        other = " (by its predicates; --convention plain reads without)" if guessed else ""
        yield f"convention {name}: {CONVENTIONS[name].what}{other}"
    if left_out := source.get("left_out"):
        yield f"left out: {counts(left_out)}"


def graph_info(found: Mapping[str, Any]) -> str:
    """Return what a graph holds, in numbers."""
    shares = {"label": "with_label", "description": "with_description", "alias": "with_alias"}
    shares["type"] = "with_type"
    rows = [[name, f"{found[name]:,}"] for name in ("entities", "relations", "triples")]
    rows += [[f"with {name}", f"{found[key]:.1%}"] for name, key in shares.items()]
    shared, parts = found["shared_labels"], found["components"]
    for name, count in (
        ("in no triple", found["without_triple"]),
        ("only named as a tail", found["only_tails"]),
        ("labels of several", shared["labels"]),
        ("entities that share one", shared["entities"]),
        ("relations with a label", found["relations_with_label"]),
        ("self loops", found["self_loops"]),
        ("repeated triples", found["repeated_triples"]),
        ("connected parts", parts["count"]),
        ("largest part", parts["largest"]),
    ):
        rows.append([name, f"{count:,}"])
    rows += [[f"degree {name}", f"{value:,.1f}"] for name, value in found["degree"].items()]
    lines = [aligned(rows), *_tail(found["degree_tail"])]
    lines += conventions(
        found["source"], guessed="convention" not in found["source"].get("options", {})
    )
    for title, entries, count in (
        ("entities by type", [(e["type"], "", e["entities"]) for e in found["by_type"]], "types"),
        (
            "triples by relation",
            [(e["label"], e["key"], e["triples"]) for e in found["by_relation"]],
            "relations",
        ),
        (
            "triples by source",
            [
                (e["source"], f"{e['entities']:,} entities", e["triples"])
                for e in found["by_source"]
            ],
            "sources",
        ),
    ):
        lines += ["", title, *_counted(entries, count)] if entries else []
    return "\n".join(lines)


def _tail(fit: Mapping[str, float] | None) -> list[str]:
    if fit is None:
        return []
    near = "near to one" if fit["distance"] < 0.05 else "not near to one"
    return [
        f"from degree {fit['least']:,.0f} on a power law of exponent {fit['exponent']:.2f} fits "
        f"best ({near}: distance {fit['distance']:.3f})"
    ]


def _counted(entries: Sequence[tuple[str, str, int]], what: str) -> list[str]:
    """Return a line for each of the first entries: count, label and key."""
    width = max(len(f"{count:,}") for *_, count in entries)
    lines = [
        f"{count:>{width},}  {label}" + (f"  <{key}>" if key and key != label else "")
        for label, key, count in entries[:MOST_LINES]
    ]
    more = len(entries) - len(lines)
    return lines + ([f"... and {more:,} more {what}"] if more > 0 else [])


def findings(found: Sequence[Finding]) -> str:
    """Return what a check found: what is so, examples, and what to do."""
    if not found:
        return "nothing found that would hurt linking or training"
    blocks = []
    for finding in found:
        lines = [f"{finding.level}: {finding.says}"]
        if finding.examples:
            shown = (" ".join(example.split())[:60] for example in finding.examples)
            lines.append(f"  such as: {'; '.join(shown)}")
        blocks.append("\n".join([*lines, f"  mend: {finding.mend}"]))
    counts = {level: sum(f.level == level for f in found) for level in ("fault", "warning", "note")}
    said = [f"{n} {level}{'s' * (n != 1)}" for level, n in counts.items()]
    return "\n\n".join([*blocks, ", ".join(said)])


def evaluation(found: Evaluation) -> str:
    """Return how good a linker is and where it goes wrong, as tables."""
    prf = {"links, micro": found.micro, "spans": found.spans, "NIL": found.nil}
    rows = [["", "precision", "recall", "F1"]]
    rows += [[name, *(f"{value:.4f}" for value in figures)] for name, figures in prf.items()]
    rows.insert(2, ["links, macro", "", "", f"{found.macro_f1:.4f}"])
    ks = [*found.candidate_recall]
    recall = [["candidate recall", *(f"@{k}" for k in ks)]]
    for name, shares in (
        ("of all gold mentions", found.candidate_recall),
        ("where the span was found", found.candidate_recall_given_span),
    ):
        recall.append([name, *(f"{shares[k]:.4f}" for k in ks)])
    single = [
        ["candidates of a mention", f"{found.mean_candidates:.1f}"],
        ["accuracy given the candidate", f"{found.accuracy_given_candidate:.4f}"],
        ["not in the graph, and not linked", f"{found.nil_not_linked:.4f}  of {found.nil_gold:,}"],
        ["expected calibration error", f"{found.calibration_error:.4f}"],
    ]
    causes = [["gold mentions not linked right", f"{sum(found.missed.values()):,}"]]
    causes += [[f"  {cause}", f"{count:,}"] for cause, count in found.missed.items()]
    causes.append(["links that are wrong", f"{sum(found.false.values()):,}"])
    causes += [[f"  {cause}", f"{count:,}"] for cause, count in found.false.items()]
    head = (
        f"{found.texts:,} texts, {found.gold:,} gold mentions of entities in the graph, "
        f"{found.links:,} links"
    )
    return "\n\n".join([head, *map(aligned, (rows, recall, single, causes))])


def prediction(found: Prediction, pipeline: Pipeline) -> str:
    """Return one line: the answer, or all labels over the threshold, and the score.

    Where spans were asked about, this for each of them.
    """
    if found.about:
        return "; ".join(answer(one, found.text, pipeline) for one in found.about)
    if pipeline.task.reads_spans:
        return f"({found.why})"
    return _said(found, pipeline)


def answer(one: Answer, text: str, pipeline: Pipeline) -> str:
    """Return the words of what was asked about, and what is said of it."""
    spans = one.about.spans if one.about is not None else ()
    words = " → ".join(repr(" ".join(text[start:end].split())) for start, end in spans)
    return f"{words}: {_said(one, pipeline)}"


def _said(one: Prediction | Answer, pipeline: Pipeline) -> str:
    labels = [pipeline.task.shown(label, pipeline.graph) for label in one.labels]
    named = (
        ", ".join(labels) or f"(none; nearest {pipeline.task.shown(one.answer, pipeline.graph)})"
    )
    return f"{named}  {one.score:.3f}"


def mentions(found: Prediction, graph: KnowledgeGraph | None) -> str:
    """Return what the linkers found, the words that are no names behind."""
    named, words = _linked(found.mentions, graph), _linked(found.words, graph)
    said = named or "no entity of the graph is named"
    return f"{said}; words: {words}" if words else said


def _linked(mentions: Sequence[Mention], graph: KnowledgeGraph | None) -> str:
    return ", ".join(
        f"{mention.text!r} → {mention.entity if graph is None else graph.label(mention.entity)}"
        for mention in mentions
        if mention.entity is not None
    )


def evidence(found: Sequence[Evidence], graph: KnowledgeGraph, limit: int = 5) -> Iterator[str]:
    """Yield what mattered, a line each, by label."""
    for item in found[:limit]:
        yield f"{item.change:+.3f}  {item_of(item, graph)}"


def item_of(item: Evidence, graph: KnowledgeGraph) -> str:
    """Return a triple, the triples of a path, a node or words by label."""
    triples = [
        f"{graph.label(head)} —{graph.relation_text(graph.relation_row(relation))}→ "
        f"{graph.label(tail)}"
        for head, relation, tail in item.triples
    ]
    if triples:
        return ", ".join(triples)
    words = [word for items in item.items for word in items]
    return ", ".join(graph.label(word) if item.kind == "node" else repr(word) for word in words)
