"""Headlines of a made-up world that ships with kgfm, each asked about all that it names.

Some say what they mean for a company, some leave that to who knows its sector and its country:
dearer oil is good for who sells it and bad for who buys it. Which companies are named, which
labels are wrong and how often is fixed in :mod:`kgfm.datasets.newsroom_writer` and by ``seed``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from kgfm.datasets.base import Dataset, compiled, needed_file, one_of, reads, shipped_file
from kgfm.datasets.newsroom_writer import Headline, World, Writer
from kgfm.graph import KnowledgeGraph
from kgfm.storage import sha256
from kgfm.types import About, Example

PARTS = ("train", "validation", "test")


@reads(task="spans")
def newsroom(
    data: str | Path | None,
    cache: str | Path,
    *,
    seed: int = 0,
    graph: str | None = None,
    entities: Literal["given", "linked"] = "given",
    train: int = 1400,
    validation: int = 200,
    test: int = 400,
) -> Dataset:
    """Read the headlines of the newsroom; they and their graph are under kgfm's own licence.

    Args:
        data: Not needed.
        cache: Keeps the compiled graph.
        seed: Makes the headlines.
        graph: A Turtle file of the same make; the one that ships with kgfm if ``None``.
        entities: ``given``: each target comes with the entity that it is, or with none where the
            graph lacks it. ``linked``: the linker decides.
        train: Number of training headlines.
        validation: Number of validation headlines.
        test: Number of test headlines.

    Raises:
        ValueError: There are not as many headlines.
    """
    one_of("entities", entities, ("given", "linked"))
    opened = newsroom_graph(cache, graph)
    sizes = dict(zip(PARTS, (train, validation, test), strict=True))
    made = newsroom_headlines(opened, sizes, seed=seed)

    def example(one: Headline) -> Example:
        linked = tuple(About(about.spans, None, about.labels) for about in one.about)
        return Example(one.text, about=one.about if entities == "given" else linked)

    parts = [tuple(map(example, made[part])) for part in PARTS]
    return Dataset(opened, *parts)


def newsroom_graph(cache: str | Path, graph: str | Path | None = None) -> KnowledgeGraph:
    """Return the newsroom's graph, compiled into ``cache`` when first needed."""
    path = (
        needed_file(Path(graph), "newsroom") if graph else shipped_file("newsroom", "newsroom.ttl")
    )
    return compiled(
        cache, "newsroom", {"sha256": sha256(path)}, partial(KnowledgeGraph.from_rdf, path)
    )


def newsroom_headlines(
    graph: KnowledgeGraph, sizes: Mapping[str, int], *, seed: int = 0
) -> dict[str, list[Headline]]:
    """Make headlines: ``sizes`` of each of ``train``, ``validation`` and ``test``, none twice.

    Three in ten companies stand in test headlines only, where they are half of those named; half of
    the test's wordings, affect words, moves and events stand nowhere else.
    """
    outside = shipped_file("newsroom", "outside.txt").read_text(encoding="utf-8").splitlines()
    world = World(graph, outside, seed)
    said: set[str] = set()
    made = {}
    for place, part in enumerate(PARTS):
        writer = Writer(world, part == "test", np.random.default_rng([seed, place]))
        made[part] = writer.write(sizes.get(part, 0), said)
    return made
