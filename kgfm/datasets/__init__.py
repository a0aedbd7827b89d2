"""Public data sets in their official layouts, and a user's own, as graph and Examples."""

from __future__ import annotations

from collections.abc import Callable

from kgfm.datasets.base import Dataset, split
from kgfm.datasets.films import film_genres
from kgfm.datasets.jsonl import jsonl
from kgfm.datasets.metaqa import metaqa
from kgfm.datasets.world import world

DATASETS: dict[str, Callable[..., Dataset]] = {
    "film-genres": film_genres,
    "jsonl": jsonl,
    "metaqa": metaqa,
    "world": world,
}
"""Functions of (data: Path | None, cache: Path, **arguments) that return a :class:`Dataset`."""

__all__ = ["DATASETS", "Dataset", "film_genres", "jsonl", "metaqa", "split", "world"]
