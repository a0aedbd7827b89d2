r"""A user's own texts and graph.

One JSON object in each line::

    {"text": "Who directed Heat?", "target": "person/Mann"}
    {"text": "Great phone, poor battery.", "target": ["phone:good", "battery:bad"],
     "mentions": [{"start": 6, "end": 11, "entity": "product/phone"}]}

``target`` is a label or several, or for ``answer`` the keys of the right entities (``[]``:
unanswerable). Offsets count characters; without ``mentions`` the linker finds them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kgfm.datasets.base import Dataset, as_file_name, compiled, needed_file, reads
from kgfm.graph import KnowledgeGraph
from kgfm.registry import nearest
from kgfm.storage import MANIFEST, sha256
from kgfm.stores import store_for
from kgfm.types import Example, Mention

_FIELDS = ("text", "target", "mentions")


@reads()
def jsonl(
    data: str | Path | None,
    cache: str | Path,
    *,
    graph: str | None = None,
    train: str,
    validation: str,
    test: str | None = None,
) -> Dataset:
    """Read texts from JSON lines, and a graph from a snapshot or a file.

    Args:
        data: The folder that the other paths start from; the current one if ``None``.
        cache: Keeps the compiled graph.
        graph: A snapshot's folder, or a file of RDF or of triples (``.ttl``, ``.tsv``, ...); left
            out, there is none, and the recipe has no encoder.
        train: File of the training texts.
        validation: File of the validation texts.
        test: File of the test texts.

    Raises:
        ValueError: A line is not as above; the message names the file and the line.
    """
    folder = Path(data) if data is not None else Path()
    opened = None if graph is None else open_graph(folder / graph, cache)
    parts = [read_examples(folder / part, opened) if part else () for part in (train, validation)]
    held_out = read_examples(folder / test, opened) if test else ()
    return Dataset(opened, parts[0], parts[1], held_out)


def open_graph(path: str | Path, cache: str | Path) -> KnowledgeGraph:
    """Open a snapshot, or compile a file into ``cache`` and open that."""
    path = Path(path)
    if (path / MANIFEST).exists():
        return KnowledgeGraph.open(path)
    needed_file(path, "The graph")
    store = store_for(path)
    source = {"store": store, "sha256": sha256(path)}
    read: Callable[[Path], KnowledgeGraph] = getattr(KnowledgeGraph, f"from_{store}")
    return compiled(cache, as_file_name(path.stem), source, lambda: read(path))


def read_examples(path: str | Path, graph: KnowledgeGraph | None = None) -> tuple[Example, ...]:
    """Read the examples of one file; with a graph, its entities must be those of the mentions."""
    path = needed_file(Path(path), "The data set")
    examples = []
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                examples.append(_example(json.loads(line), graph))
            except (ValueError, TypeError, KeyError) as error:
                reason = error.args[0] if isinstance(error, KeyError) else error
                raise ValueError(f"{path}, line {number}: {reason}") from None
    return tuple(examples)


def _example(fields: Any, graph: KnowledgeGraph | None) -> Example:
    if not isinstance(fields, Mapping):
        raise TypeError(f"a line is a JSON object with 'text', not {type(fields).__name__}.")
    for name in fields:
        if name not in _FIELDS:
            raise ValueError(
                f"unknown {name!r}.{nearest(name, _FIELDS)} A line has text, target, mentions."
            )
    if not isinstance(fields.get("text"), str):
        raise TypeError(f"'text' is a string; got {fields.get('text')!r}.")
    target = fields.get("target")
    if isinstance(target, str):
        target = [target]
    if target is not None and not (
        isinstance(target, list) and all(isinstance(label, str) for label in target)
    ):
        raise TypeError(f"'target' is a string or a list of strings; got {target!r}.")
    mentions = fields.get("mentions")
    return Example(
        fields["text"],
        None if target is None else tuple(target),
        None if mentions is None else _mentions(fields["text"], mentions, graph),
    )


def _mentions(text: str, given: Any, graph: KnowledgeGraph | None) -> tuple[Mention, ...]:
    if not isinstance(given, list):
        raise TypeError(f"'mentions' is a list; got {type(given).__name__}.")
    mentions = []
    for place, one in enumerate(given):
        try:
            start, end, entity = one["start"], one["end"], one["entity"]
        except (TypeError, KeyError):
            raise ValueError(f"mention {place} needs start, end and entity; got {one!r}.") from None
        if not (type(start) is type(end) is int and 0 <= start < end <= len(text)):
            raise ValueError(
                f"mention {place} goes from {start!r} to {end!r}; "
                f"the text has {len(text)} characters."
            )
        if entity is not None and graph is not None:
            graph.row(entity)
        mentions.append(Mention(start, end, text[start:end], entity))
    return tuple(mentions)
