"""What ``kgfm link`` does: to the terminal, into a file, against gold mentions or to learn."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.datasets.jsonl import open_graph, read_examples
from kgfm.linking import Linker, corpus, formats
from kgfm.linking.evaluate import Evaluation, keys_by_attribute
from kgfm.linking.evaluate import evaluate as evaluate_linker
from kgfm.linking.formats.document import Document
from kgfm.linking.saved import read_linker
from kgfm.types import Example

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph
    from kgfm.training import TrainingConfig

Options = Mapping[str, Any]
GOLD = ", ".join(["jsonl", *formats.FORMATS])
"""The formats that gold mentions are read from."""
PAUSE = 5.0
"""Seconds between two lines of progress where there is no terminal."""

Report = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Made:
    """How a linker is made.

    Args:
        graph: A snapshot's folder, or a file.
        options: The linker's arguments.
        folder: Of a saved linker, whose arguments count where ``options`` has none.
        cache: Keeps what is compiled.
    """

    graph: str | Path
    options: Options = field(default_factory=dict)
    folder: str | None = None
    cache: str = "cache"

    def open(self) -> KnowledgeGraph:
        return open_graph(self.graph, Path(self.cache) / "graphs")

    def linker(self, graph: KnowledgeGraph | None = None, **more: Any) -> Linker:
        """Make it; with ``context`` the vectors of all entities are computed, or found kept."""
        kept = {} if self.folder is None else read_linker(Path(self.folder))
        options = {**kept, **self.options, **more}
        if options.get("context") and "encode" not in options:
            from kgfm.backbones import TextEncoder

            options["encode"] = TextEncoder()
        linker = Linker(graph or self.open(), **options)
        if linker.ranking.vectors is not None:
            with _progress("entities") as report:
                linker.ranking.vectors.compute_all(lambda done, total: report(done, done, total))
        return linker


@dataclass(frozen=True)
class Gold:
    """Texts with gold mentions.

    Args:
        file: Their file.
        format: One of :data:`GOLD`.
        ids: The attribute that holds what the gold calls an entity; ``None``: its key.
    """

    file: str
    format: str = "jsonl"
    ids: str | None = None

    def read(self) -> Sequence[Document | Example]:
        """Read the texts."""
        if self.format == "jsonl":
            return read_examples(self.file)
        return formats.read(self.file, self.format)

    def key_of(self, graph: KnowledgeGraph) -> Callable[[str], str | None] | None:
        """Return what finds the graph's keys, if the gold names entities in another way."""
        return None if self.ids is None else keys_by_attribute(graph, self.ids)


def print_mentions(made: Made, texts: Sequence[str], file: str | None) -> None:
    """Print a line of JSON for each text, as soon as it is linked."""
    if file is None and not texts:
        raise ValueError('give a text in quotes, such as "Who directed Heat?", or --file FILE.')
    if file is not None and texts:
        raise ValueError("give texts or --file, not both.")
    linker = made.linker()
    if file is None:
        for text, mentions in zip(texts, linker.link(list(texts)), strict=True):
            _print_json(corpus.as_line({"text": text}, mentions))
        return
    for batch in corpus.batches(corpus.read_lines(Path(file))):
        for line in corpus.link_batch(linker, [line.fields for line in batch]):
            _print_json(line)
        sys.stdout.flush()


def _print_json(line: str) -> None:
    """Print a line of JSON; where the output is not UTF-8, in the escapes that JSON has."""
    if (sys.stdout.encoding or "").casefold().replace("-", "") != "utf8":
        line = json.dumps(json.loads(line)) + "\n"
    print(line, end="")


def link_file(made: Made, file: str, out: str, *, jobs: int = 1, engine: str = "processes") -> None:
    """Link a file of texts into another one, and tell how far it is."""
    linker = made.linker()
    with _progress() as report:
        count = corpus.link_file(linker, file, out, jobs=jobs, engine=engine, progress=report)
    print(f"{count:,} texts in {out}", file=sys.stderr)


def evaluate(made: Made, gold: Gold, *, gold_spans: bool = False) -> Evaluation:
    """Compare what a linker finds with gold mentions; ``gold_spans`` gives it their spans."""
    if gold.format != "jsonl":
        formats.format_of(gold.format)  # before the graph is read
    graph = made.open()
    given, key_of = gold.read(), gold.key_of(graph)
    with _progress() as report:
        return evaluate_linker(
            made.linker(graph, keep_nil=True),
            given,
            key_of=key_of,
            gold_spans=gold_spans,
            progress=lambda done: report(done, done, len(given)),
        )


def fit(
    made: Made,
    gold: Gold,
    out: str,
    *,
    fine_tune: bool | TrainingConfig = False,
    folds: int = 2,
    resume: bool = False,
    seed: int = 0,
    say: Callable[[str], None],
) -> None:
    """Learn a linker's weights from gold mentions, and perhaps its encoder; save it."""
    if gold.format != "jsonl":
        formats.format_of(gold.format)
    graph = made.open()
    given, key_of = gold.read(), gold.key_of(graph)
    linker = made.linker(graph)
    folder = Path(out) / "training" if fine_tune else None
    how: Options = {"fine_tune": fine_tune, "folds": folds, "folder": folder, "resume": resume}
    linker.fit(given, key_of=key_of, seed=seed, say=say, **how)
    linker.save(out)
    say(f"learned from {len(given):,} texts; the linker is in {out}")


def calibrate(made: Made, file: str, out: str, *, say: Callable[[str], None]) -> None:
    """Fit a linker's probabilities to texts without gold mentions, and save it."""
    texts = [line.text for line in corpus.read_lines(Path(file))]
    made.linker().calibrate(texts).save(out)
    say(f"calibrated on {len(texts):,} texts; the linker is in {out}")


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
