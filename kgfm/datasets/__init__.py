"""Public data sets in their official layouts, and a user's own, as graph and Examples."""

from __future__ import annotations

from kgfm.datasets.base import DATASETS, Dataset, Source, reads, split
from kgfm.datasets.films import film_genres
from kgfm.datasets.jsonl import jsonl
from kgfm.datasets.metaqa import metaqa
from kgfm.datasets.pathquestion import pathquestion
from kgfm.datasets.world import world

DATASETS.update(
    {
        "film-genres": film_genres,
        "jsonl": jsonl,
        "metaqa": metaqa,
        "pathquestion": pathquestion,
        "world": world,
    }
)

__all__ = [
    "DATASETS",
    "Dataset",
    "Source",
    "film_genres",
    "jsonl",
    "metaqa",
    "pathquestion",
    "reads",
    "split",
    "world",
]
