"""What ``kgfm link`` does: to the terminal, into a file, or against gold mentions."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.datasets.jsonl import open_graph, read_examples
from kgfm.linking import Linker, corpus, formats
from kgfm.linking.evaluate import Evaluation, keys_by_attribute
from kgfm.linking.evaluate import evaluate as evaluate_linker

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

Options = Mapping[str, Any]
GOLD = ", ".join(["jsonl", *formats.FORMATS])
"""The formats that gold mentions are read from."""
PAUSE = 5.0
"""Seconds between two lines of progress where there is no terminal."""

Report = Callable[[int, int, int], None]


def print_mentions(
    graph: str | Path,
    texts: Sequence[str],
    file: str | None,
    *,
    linker: Options | None = None,
    cache: str = "cache",
) -> None:
    """Print a line of JSON for each text, as soon as it is linked."""
    if file is None and not texts:
        raise ValueError('give a text in quotes, such as "Who directed Heat?", or --file FILE.')
    if file is not None and texts:
        raise ValueError("give texts or --file, not both.")
    made = make_linker(open_graph(graph, Path(cache) / "graphs"), linker or {})
    if file is None:
        for text, mentions in zip(texts, made.link(list(texts)), strict=True):
            print(corpus.as_line({"text": text}, mentions), end="")
        return
    for batch in corpus.batches(corpus.read_lines(Path(file))):
        for line in corpus.link_batch(made, [line.fields for line in batch]):
            print(line, end="")
        sys.stdout.flush()


def link_file(
    graph: str | Path,
    file: str,
    out: str,
    *,
    jobs: int = 1,
    engine: str = "processes",
    linker: Options | None = None,
    cache: str = "cache",
) -> None:
    """Link a file of texts into another one, and tell how far it is."""
    made = make_linker(open_graph(graph, Path(cache) / "graphs"), linker or {})
    with _progress() as report:
        count = corpus.link_file(made, file, out, jobs=jobs, engine=engine, progress=report)
    print(f"{count:,} texts in {out}", file=sys.stderr)


def evaluate(
    graph: str | Path,
    gold: str,
    format: str,
    *,
    ids: str | None = None,
    gold_spans: bool = False,
    linker: Options | None = None,
    cache: str = "cache",
) -> Evaluation:
    """Compare what the linker finds with gold mentions.

    Args:
        graph: A snapshot's folder, or a file.
        gold: A file of texts with mentions.
        format: One of :data:`GOLD`.
        ids: The attribute that holds what the gold calls an entity; ``None``: its key.
        gold_spans: Give the linker the spans.
        linker: Its arguments.
        cache: Keeps what is compiled.
    """
    if format != "jsonl":
        formats.format_of(format)  # before the graph is read
    opened = open_graph(graph, Path(cache) / "graphs")
    given = read_examples(gold) if format == "jsonl" else formats.read(gold, format)
    key_of = None if ids is None else keys_by_attribute(opened, ids)
    with _progress() as report:
        return evaluate_linker(
            make_linker(opened, {**(linker or {}), "keep_nil": True}),
            given,
            key_of=key_of,
            gold_spans=gold_spans,
            progress=lambda done: report(done, done, len(given)),
        )


def make_linker(graph: KnowledgeGraph, options: Options) -> Linker:
    """Make a linker; with ``context`` the vectors of all entities are computed, or found kept."""
    if not options.get("context"):
        return Linker(graph, **options)
    from kgfm.backbones import TextEncoder

    linker = Linker(graph, encode=TextEncoder(), **options)
    assert linker.ranking.vectors is not None
    with _progress("entities") as report:
        linker.ranking.vectors.compute_all(lambda done, total: report(done, done, total))
    return linker


@contextmanager
def _progress(what: str = "texts") -> Iterator[Report]:
    """Show a bar on a terminal, and a line from time to time elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(what)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn(f"{{task.fields[texts]:,}} {what}"), BarColumn(), TaskProgressColumn()
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("", total=None, texts=0)
        yield lambda texts, done, total: bar.update(task, completed=done, total=total, texts=texts)


def _lines(what: str) -> Report:
    last = begun = time.monotonic()
    before: int | None = None

    def report(texts: int, done: int, total: int) -> None:
        nonlocal last, before
        before = texts if before is None else before
        now = time.monotonic()
        if now - last >= PAUSE:
            speed = (texts - before) / (now - begun)
            share = done / total if total else 1.0
            print(f"{texts:,} {what}, {share:.0%}, {speed:,.0f} a second", file=sys.stderr)
            last = now

    return report
