"""What the commands do, one function each; what they print is :mod:`kgfm.cli.show`'s affair."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.datasets.jsonl import open_graph, read_examples
from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.graph.describe import describe
from kgfm.types import Prediction

if TYPE_CHECKING:
    from kgfm.linking.findings import Finding
    from kgfm.pipeline import Pipeline
    from kgfm.stores.refresh import Refreshed


def build(
    source: str | Path,
    out: str | Path,
    *,
    tables: Mapping[str, Any] | None = None,
    columns: Sequence[str] | None = None,
    schema: str | None = None,
    layout: str | None = None,
    settings: Sequence[str] = (),
) -> KnowledgeGraph:
    """Compile a file or a folder into a snapshot; a file's suffix says what it is.

    Args:
        source: RDF (``.ttl``, ``.nt``, ...) or a table of triples (``.tsv``, ``.csv``,
            ``.parquet``, ...); with ``layout`` a folder.
        out: The snapshot's folder.
        tables: With a table of triples: files of ``entities`` and of ``relations``, and what to do
            ``on_error``, as :func:`kgfm.stores.tables.read` takes them.
        columns: Names of the head's, the relation's and the tail's column.
        schema: A JSON file with fields of :class:`kgfm.graph.GraphSchema`.
        layout: A name of :data:`kgfm.stores.layouts.LAYOUTS`.
        settings: Options of the layout as ``name=value``; a value is JSON, else a text, or several
            with commas between.
    """
    from kgfm.stores import STORES, store_for

    source, given = Path(source), dict(tables or {})
    given |= {"columns": columns} if columns else {}
    if layout is not None:
        if given or schema:
            raise ValueError(
                f"--{_option({**given, 'schema': schema})} goes with a table; "
                "a layout has tables and names of its own."
            )
        options = dict(map(_setting, settings))
        return KnowledgeGraph.from_layout(layout, source, **options).save(out)
    if settings:
        raise ValueError(f"--set {settings[0]} goes with --layout.")
    if not source.is_file():
        hint = " A folder needs --layout, which says how to read it." * source.is_dir()
        raise FileNotFoundError(f"No file {source}.{hint}")
    store = store_for(source)
    if given and store != "tables":
        raise ValueError(f"--{_option(given)} goes with a table of triples; {source} is RDF.")
    if schema is not None:
        given["schema"] = _schema(Path(schema))
    if given.get("on_error") == "skip":
        given["rejects"] = f"{out}.rejects.csv"
    read: Any = STORES[store]
    built: KnowledgeGraph = read(source, **given)
    return built.save(out)


def _option(given: Mapping[str, Any]) -> str:
    return next(name for name, value in given.items() if value).replace("_", "-")


def _schema(path: Path) -> GraphSchema:
    """Read a schema; an unknown field is refused with the nearest known one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not the fields of a schema.")
    try:
        return GraphSchema.from_json(content)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ValueError(f"--set takes name=value, got {text!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value.split(",") if "," in value else value


def refresh(snapshot: str | Path, source: str | None = None, **options: Any) -> Refreshed:
    """Bring a snapshot up to date; see :func:`kgfm.stores.refresh.refresh`."""
    from kgfm.stores.refresh import refresh

    if source is not None and "://" not in source and not Path(source).exists():
        raise FileNotFoundError(f"No file {source}.")
    if options.get("on_error") == "skip":
        options["rejects"] = f"{snapshot}.rejects.csv"
    return refresh(snapshot, source, **options)


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


def load(run: str | Path) -> Pipeline:
    """Load a saved pipeline."""
    from transformers.utils import logging

    from kgfm.pipeline import Pipeline

    logging.disable_progress_bar()
    return Pipeline.load(run)


def predict(pipeline: Pipeline, texts: Sequence[str]) -> list[Prediction]:
    """Ask a pipeline."""
    return pipeline(list(texts))


def explain(pipeline: Pipeline, text: str) -> Prediction:
    """Ask a pipeline and measure the evidence, which the prediction then holds."""
    prediction = pipeline(text)
    _ = prediction.evidence
    return prediction


def texts_of(given: Sequence[str], file: str | None) -> list[str]:
    """Return the texts of the command line, or of a file: one a line, or JSON lines."""
    if file is None:
        if not given:
            raise ValueError('give a text in quotes, such as "Who directed Heat?", or --file FILE.')
        return list(given)
    if given:
        raise ValueError("give texts or --file, not both.")
    if file.endswith((".jsonl", ".ndjson")):
        return [example.text for example in read_examples(file)]
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip()]


def as_record(prediction: Prediction, evidence: bool = False) -> dict[str, Any]:
    """Return a prediction as JSON."""
    record: dict[str, Any] = {
        "text": prediction.text,
        "answer": prediction.answer,
        "score": prediction.score,
        "scores": [list(pair) for pair in prediction.scores],
        "labels": list(prediction.labels),
        "mentions": [asdict(mention) for mention in prediction.mentions],
        "graph_used": prediction.graph_used,
    }
    return record | (
        {"evidence": [asdict(found) for found in prediction.evidence]} if evidence else {}
    )
