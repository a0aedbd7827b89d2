"""Graphs by name: those that ship with kgfm, files of one's own, and several of them as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from kgfm.datasets.base import compiled, shipped_file
from kgfm.datasets.jsonl import open_graph
from kgfm.datasets.newsroom import newsroom_graph
from kgfm.datasets.world import world_graph
from kgfm.graph import KnowledgeGraph
from kgfm.registry import nearest
from kgfm.storage import sha256

OWN = "own"
"""The data set's own graph."""
_AFFECT = ("affect.tsv", "irregular.exc")


def affect_graph(cache: str | Path) -> KnowledgeGraph:
    """Return the lexicon that ships with kgfm, compiled into ``cache`` when first needed."""
    files = {name: sha256(shipped_file("affect", name)) for name in _AFFECT}
    folder = shipped_file("affect", _AFFECT[0]).parent
    return compiled(cache, "affect", files, partial(KnowledgeGraph.from_layout, "lexicon", folder))


SHIPPED: dict[str, Callable[[str | Path], KnowledgeGraph]] = {
    "affect": affect_graph,
    "newsroom": newsroom_graph,
    "world": world_graph,
}
"""Graphs that ship with kgfm, by name."""


def merged_graph(
    given: Sequence[str] | Mapping[str, str],
    own: KnowledgeGraph | None,
    folder: str | Path | None,
    cache: str | Path,
) -> KnowledgeGraph:
    """Return several graphs as one, compiled into ``cache`` when first needed.

    Args:
        given: What the graphs are, by the names of the sources that they become; a list names each
            by what it is. Each is ``own``, the data set's, the path of a snapshot or of a file of
            RDF, of triples, or one that ships with kgfm, such as ``affect``.
        own: The data set's own graph.
        folder: That paths start from; the current one if ``None``.
        cache: Keeps compiled graphs.

    Raises:
        ValueError: ``own`` is asked for, and the data set has none; one is given twice, or none is.
        FileNotFoundError: There is no such graph.
    """
    if isinstance(given, str):
        raise TypeError(f"graph is a list of graphs, or a mapping by name; write [{given}].")
    named = dict(given) if isinstance(given, Mapping) else {Path(g).stem: g for g in given}
    if len(named) < len(given) or not named:
        raise ValueError(
            f"graph={list(given)}: give at least one graph, and each a name of its own: "
            "{companies: own, affect: affect}."
        )
    opened = {name: _open(which, own, folder, cache) for name, which in named.items()}
    content = {"merged": [[name, graph.fingerprint] for name, graph in opened.items()]}
    return compiled(cache, "merged", content, lambda: KnowledgeGraph.merged(opened))


def _open(
    which: str, own: KnowledgeGraph | None, folder: str | Path | None, cache: str | Path
) -> KnowledgeGraph:
    if which == OWN:
        if own is None:
            raise ValueError("The data set has no graph of its own; leave 'own' out of graph.")
        return own
    path = Path(folder or ".") / which
    if path.exists():
        return open_graph(path, cache)
    if which in SHIPPED:
        return SHIPPED[which](cache)
    raise FileNotFoundError(
        f"No graph {which}: there is no {path}, and none of that name ships with kgfm."
        f"{nearest(which, [OWN, *SHIPPED])} Those that do are {', '.join(SHIPPED)}."
    )
