"""Graphs in the layouts that people have: folders of public data sets, each read by its name.

``KnowledgeGraph.from_layout("kgat", folder)`` is the one door; :data:`LAYOUTS` names the readers,
and what each of them says of its options holds there too. A plain table needs none of these: it is
read by :func:`kgfm.stores.tables.read`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kgfm.graph import GraphBuilder, KnowledgeGraph
from kgfm.registry import nearest
from kgfm.stores.layouts.conceptnet import conceptnet
from kgfm.stores.layouts.files import Folder
from kgfm.stores.layouts.lexicon import lexicon
from kgfm.stores.layouts.recommendation import kgat, recbole
from kgfm.stores.layouts.tables import tables
from kgfm.stores.layouts.triples import cn100k, codex, fb15k, metaqa, openke
from kgfm.stores.layouts.wordnet import wordnet
from kgfm.stores.rejects import Rejects

LAYOUTS: dict[str, Callable[..., None]] = {
    "cn-100k": cn100k,
    "codex": codex,
    "conceptnet": conceptnet,
    "fb15k": fb15k,
    "kgat": kgat,
    "lexicon": lexicon,
    "metaqa": metaqa,
    "openke": openke,
    "recbole": recbole,
    "tables": tables,
    "wordnet": wordnet,
}
"""Readers by name; each fills a builder from a folder."""

_ALSO = {"kgin": "kgat", "fb15k-237": "fb15k", "wn18rr": "fb15k", "cn-82k": "cn-100k"}


def read(
    layout: str,
    folder: str | Path,
    *,
    on_error: str = "raise",
    rejects: str | Path | None = None,
    **options: Any,
) -> KnowledgeGraph:
    """Build a graph from a folder in a named layout.

    Args:
        layout: A name of :data:`LAYOUTS`; ``kgin``, ``fb15k-237``, ``wn18rr`` and ``cn-82k`` are
            second names of the same layouts.
        folder: Where the files are: a folder, or for some layouts an archive or the one file.
        on_error: ``"raise"`` at the first row that cannot be read, or ``"skip"`` such rows and
            warn of their number. Rows count from 1, the header line too.
        rejects: With ``"skip"``: a CSV file for the rows that were skipped, with the reasons.
        **options: What the reader takes besides, such as ``parts=("train", "valid")``.

    Raises:
        ValueError: There is no such layout, or a row is malformed; the message names file and row.
        TypeError: The layout has no such option.
        FileNotFoundError: A file that the layout needs is missing.
    """
    fill = reader_of(layout)
    known = options_of(layout)
    for option in options:
        if option not in known:
            raise TypeError(
                f"The layout {layout!r} has no option {option!r}.{nearest(option, known)} It has "
                f"{', '.join(known) or 'none'}."
            )
    builder = GraphBuilder()
    with Rejects(on_error, rejects) as rejected:
        found = Folder(folder, layout, rejected)
        fill(found, builder, **options)
    return KnowledgeGraph.from_builder(builder, found.origin(options))


def reader_of(layout: str) -> Callable[..., None]:
    """Return the reader of a layout, by any of its names.

    Raises:
        ValueError: There is no such layout.
    """
    name = _ALSO.get(layout, layout)
    if name not in LAYOUTS:
        raise ValueError(
            f"No layout {layout!r}.{nearest(layout, [*LAYOUTS, *_ALSO])} "
            f"There are {', '.join(sorted([*LAYOUTS, *_ALSO]))}."
        )
    return LAYOUTS[name]


def options_of(layout: str) -> list[str]:
    """Return the names of the options that a layout takes."""
    parameters = inspect.signature(reader_of(layout)).parameters.values()
    return [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
