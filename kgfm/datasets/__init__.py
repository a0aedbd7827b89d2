"""Public data sets in their official layouts, and a user's own, as graph and Examples."""

from __future__ import annotations

from kgfm.datasets.banking77 import banking77
from kgfm.datasets.base import DATASETS, Dataset, Source, reads, split
from kgfm.datasets.fewrel import fewrel
from kgfm.datasets.films import film_genres
from kgfm.datasets.jsonl import jsonl
from kgfm.datasets.metaqa import metaqa
from kgfm.datasets.newsmtsc import newsmtsc
from kgfm.datasets.newsroom import newsroom
from kgfm.datasets.pathquestion import pathquestion
from kgfm.datasets.phrasebank import phrasebank
from kgfm.datasets.semeval import semeval, semeval_categories
from kgfm.datasets.sentfin import sentfin
from kgfm.datasets.table import table
from kgfm.datasets.world import world

DATASETS.update(
    {
        "banking77": banking77,
        "fewrel": fewrel,
        "film-genres": film_genres,
        "jsonl": jsonl,
        "metaqa": metaqa,
        "newsmtsc": newsmtsc,
        "newsroom": newsroom,
        "pathquestion": pathquestion,
        "phrasebank": phrasebank,
        "semeval": semeval,
        "semeval-categories": semeval_categories,
        "sentfin": sentfin,
        "table": table,
        "world": world,
    }
)

__all__ = [
    "DATASETS",
    "Dataset",
    "Source",
    "banking77",
    "fewrel",
    "film_genres",
    "jsonl",
    "metaqa",
    "newsmtsc",
    "newsroom",
    "pathquestion",
    "phrasebank",
    "reads",
    "semeval",
    "semeval_categories",
    "sentfin",
    "split",
    "table",
    "world",
]
