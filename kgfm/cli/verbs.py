"""What the commands do, one function each; what they print is :mod:`kgfm.cli.show`'s affair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.datasets.base import needed_file
from kgfm.datasets.jsonl import open_graph, read_examples
from kgfm.datasets.mentions import check_entities
from kgfm.graph import KnowledgeGraph
from kgfm.graph.describe import describe
from kgfm.linking.corpus import read_lines
from kgfm.types import Evidence, Example, Prediction

if TYPE_CHECKING:
    from kgfm.linking.findings import Finding
    from kgfm.pipeline import Pipeline


def info(
    graph: str | Path, *, cache: str = "cache", plot: str | Path | None = None
) -> dict[str, Any]:
    """Count what a graph holds: a snapshot's folder, or a file; ``plot``: a PNG of its degrees."""
    opened = open_graph(graph, Path(cache) / "graphs")
    found = describe(opened)
    if plot is not None:
        from kgfm.draw.degrees import save_degrees

        save_degrees(opened, plot)
    return found


def check(graph: str | Path, *, cache: str = "cache") -> list[Finding]:
    """Return what will hurt linking or training: :func:`kgfm.linking.check.check`.

    A snapshot's files are compared with the hashes in its manifest first.
    """
    from kgfm.linking.check import check as look

    opened = open_graph(graph, Path(cache) / "graphs")
    return look(KnowledgeGraph.open(opened.path, verify=True) if opened.path else opened)


def scripts(graph: str | Path, *, cache: str = "cache") -> str:
    """Return the scripts that the names of a graph are in, in words."""
    from kgfm.linking.check_scripts import scripts_of, shown

    return shown(scripts_of(open_graph(graph, Path(cache) / "graphs"))) or "no letters"


def load(run: str | Path) -> Pipeline:
    """Load a saved pipeline."""
    from transformers.utils import logging

    from kgfm.pipeline import Pipeline

    logging.disable_progress_bar()
    return Pipeline.load(run)


def predict(pipeline: Pipeline, texts: Sequence[str | Example]) -> list[Prediction]:
    """Ask a pipeline."""
    return pipeline(list(texts))


def explain(
    pipeline: Pipeline, text: str | Example
) -> tuple[Prediction, list[tuple[Evidence, ...]]]:
    """Ask a pipeline, and measure what its answer rests on, or each of its answers about spans."""
    prediction = pipeline(text)
    count = len(prediction.about) or 1
    return prediction, [pipeline.explain(prediction, about=place) for place in range(count)]


def texts_of(given: Sequence[str], file: str | None) -> list[str | Example]:
    """Return the texts of the command line, or of a file: one a line, or JSON lines.

    Those of JSON lines keep the mentions and the spans to ask about that are given there;
    :func:`check_mentions` compares them with a graph.
    """
    if file is None:
        if not given:
            raise ValueError('give a text in quotes, such as "Who directed Heat?", or --file FILE.')
        return list(given)
    if given:
        raise ValueError("give texts or --file, not both.")
    if file.endswith((".jsonl", ".ndjson")):
        return [_unanswered(example) for example in read_examples(file)]
    return [line.fields["text"] for line in read_lines(needed_file(Path(file), "--file"))]


def _unanswered(example: Example) -> Example:
    """Return an example without what is right about it."""
    about = tuple(replace(one, labels=None) for one in example.about)
    return replace(example, target=None, about=about)


def check_mentions(texts: Sequence[str | Example], graph: object) -> None:
    """See that a snapshot has the entities that texts mention; a live graph is not asked."""
    if isinstance(graph, KnowledgeGraph):
        check_entities([text for text in texts if isinstance(text, Example)], graph)


def as_record(
    prediction: Prediction, evidence: Sequence[Sequence[Evidence]] | None = None
) -> dict[str, Any]:
    """Return a prediction as JSON, with its evidence if that was asked for.

    The evidence of answers about spans stands with each of them.
    """
    record = prediction.to_dict()
    if evidence is not None:
        for one, found in zip(record["about"] or [record], evidence, strict=True):
            one["evidence"] = [asdict(item) for item in found]
    return record
