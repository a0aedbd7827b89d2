r"""A user's own texts and graph.

One JSON object in each line::

    {"text": "Who directed Heat?", "target": "person/Mann"}
    {"text": "Great phone, poor battery.", "target": ["phone:good", "battery:bad"],
     "mentions": [{"start": 6, "end": 11, "entity": "product/phone"}]}
    {"text": "How many films did Mann direct?", "target": "12", "kind": "count"}
    {"text": "Heat beats Alien.", "about": [
     {"start": 0, "end": 4, "entity": "film/Heat", "label": "positive"},
     {"start": 11, "end": 16, "label": "negative"}]}

``target`` is a label or several, or for ``answer`` the right entities, each by its key or by a name
that it alone bears (``[]``: unanswerable). Where a question's ``kind`` is ``count``, ``yesno`` or
``literal``, the target are strings: ``"12"``, ``"yes"``, ``"1995"``. ``gold`` lists the triples
that the answer rests on, if known: ``[["film/Heat", "directed by", "person/Mann"]]``.

``about`` lists the spans that a text is asked about, each with its label or several; two of them,
in the order that counts, are ``{"spans": [[0, 4], [11, 16]], "entities": ["film/Heat", null],
"label": "beats"}``. Without an entity the linker decides; ``null`` is one outside of the graph.

Offsets count characters; without ``mentions`` the linker finds them. An entity that is not in the
graph is ``null``, and a mention may bring the entities that were weighed, as
``"candidates": [["product/phone", 0.9], ["product/call", 0.1]]``. So what ``kgfm link --file``
writes can be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kgfm.datasets.about import about_in
from kgfm.datasets.base import Dataset, as_file_name, compiled, needed_file, reads
from kgfm.datasets.mentions import check_entities, mentions_in
from kgfm.datasets.targets import check_gold
from kgfm.graph import KnowledgeGraph
from kgfm.registry import nearest
from kgfm.storage import MANIFEST, sha256
from kgfm.stores import store_for
from kgfm.types import KINDS, Example, as_triples

_FIELDS = ("text", "target", "mentions", "about", "kind", "gold")


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
    if train and not parts[0]:
        raise ValueError(f"{folder / train} holds no texts.")
    held_out = read_examples(folder / test, opened) if test else ()
    return Dataset(opened, parts[0], parts[1], held_out)


def open_graph(path: str | Path, cache: str | Path) -> KnowledgeGraph:
    """Open a snapshot, or compile a file into ``cache`` and open that."""
    path = Path(path)
    if (path / MANIFEST).exists():
        return KnowledgeGraph.open(path)
    if path.is_dir():
        raise FileNotFoundError(f"{path} holds no graph: no {MANIFEST}.")
    if not path.exists():
        raise FileNotFoundError(f"There is no graph at {str(path)!r}.")
    if not path.is_file():
        raise ValueError(
            f"{path} is a pipe, whose name does not say what it holds: make a snapshot of it "
            "first, kgfm graph build PIPE --store tables --out FOLDER."
        )
    store = store_for(path)
    source = {"store": store, "sha256": sha256(path)}
    read: Callable[[Path], KnowledgeGraph] = getattr(KnowledgeGraph, f"from_{store}")
    return compiled(cache, as_file_name(path.stem), source, lambda: read(path))


def read_examples(path: str | Path, graph: KnowledgeGraph | None = None) -> tuple[Example, ...]:
    """Read the examples of one file; with a graph, its entities must be those that are mentioned.

    Those of gold triples too. Targets are as they are written there;
    a pipeline turns names into keys.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not as above, or not UTF-8; the message names the file and the line.
    """
    path = needed_file(Path(path), "The data set")
    examples = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}, line {number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    examples.append(replace(_example(json.loads(text)), where=where))
            except (ValueError, TypeError, RecursionError) as error:
                raise ValueError(f"{where}: {error}") from None
    if graph is not None:
        check_entities(examples, graph)
        if isinstance(graph, KnowledgeGraph):  # a live one does not know what it holds
            check_gold(examples, graph)
    return tuple(examples)


def _example(fields: Any) -> Example:
    if not isinstance(fields, Mapping):
        raise TypeError(f"a line is a JSON object with 'text', not {type(fields).__name__}.")
    for name in fields:
        if name not in _FIELDS:
            raise ValueError(
                f"unknown {name!r}.{nearest(name, _FIELDS)} A line has {', '.join(_FIELDS)}."
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
    kind = fields.get("kind", KINDS[0])
    if kind not in KINDS:
        raise ValueError(f"'kind' is one of {', '.join(KINDS)}; got {kind!r}.")
    mentions = fields.get("mentions")
    return Example(
        fields["text"],
        None if target is None else tuple(target),
        None if mentions is None else mentions_in(fields["text"], mentions),
        about=about_in(fields["text"], fields.get("about", [])),
        kind=kind,
        gold=as_triples(fields.get("gold", ()), "'gold'"),
    )
