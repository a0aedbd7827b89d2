"""Genres of films from their plots, over the graph of MetaQA with the genres taken out.

The plots are those of WikiMovies (Miller et al., 2016), beside MetaQA's files as
``text/wikimovies_plots.txt``: ``title|has_plot|plot``, in lower case. A film counts if its title
stands once among the plots and is, case-folded, exactly one head of the graph, if it has at most
one year, and at least one of the twelve genres.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kgfm.datasets.base import Dataset, compiled, needed_file, needed_folder, reads, split
from kgfm.datasets.metaqa import graph_hashes, read_graph
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.storage import sha256
from kgfm.types import Example, Mention

GENRES = (
    "Drama",
    "Comedy",
    "Horror",
    "Action",
    "Thriller",
    "Crime",
    "War",
    "Adventure",
    "Documentary",
    "Western",
    "Musical",
    "Fantasy",
)
SEED = 13
TEST, VALIDATION = 0.2, 0.1
HAS_GENRE, HAS_TAGS, RELEASE_YEAR = "has_genre", "has_tags", "release_year"

Triple = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Film:
    """A film of the data set."""

    title: str
    plot: str
    genres: tuple[str, ...]

    def example(self) -> Example:
        """Return ``title. plot`` with the film itself as the given mention."""
        mention = Mention(0, len(self.title), self.title, self.title)
        return Example(f"{self.title}. {self.plot}", self.genres, (mention,))


@reads(folder="metaqa", task={"name": "classify", "multi_label": True})
def film_genres(
    data: str | Path | None,
    cache: str | Path,
    *,
    genre_edges: Literal["none", "train"] = "none",
    plots: bool = False,
    seed: int = SEED,
) -> Dataset:
    """Read the films: multi-label, each with its title as the given mention.

    Of the films 20 % are the test and a tenth of the others the validation, dealt out by ``seed``.

    Args:
        data: The folder of MetaQA, with ``kb/`` and ``text/wikimovies_plots.txt``.
        cache: Keeps the compiled graph.
        genre_edges: ``none``: the graph knows no genre. ``train``: it knows those of the films in
            the training part; then a retriever must hide a film's own (``hide_from_seed``).
        plots: Whether a film's plot is its entity's description, for every film of which it is
            known, so that the plots of neighbouring films can be read.
        seed: Deals out the films; 13 unless told otherwise.
    """
    if genre_edges not in ("none", "train"):
        raise ValueError(f"genre_edges is 'none' or 'train'; got {genre_edges!r}.")
    folder = needed_folder(data, "film-genres")
    labels, relations, triples = read_graph(folder)
    known_plots = _plots(folder, triples)
    films = _films(triples, known_plots)
    parts = split(films, seed=seed, test=TEST, validation=VALIDATION)
    shown = {film.title for film in parts[0]} if genre_edges == "train" else set()
    source = {
        **graph_hashes(folder),
        "plots": sha256(_plots_path(folder)) if plots or shown else "",
        "genre_edges": genre_edges,
        "descriptions": plots,
        "seed": seed if shown else None,
    }

    def build() -> KnowledgeGraph:
        kept = _without_genres(triples, shown)
        return _graph(labels, relations, kept, known_plots if plots else {}, source)

    name = f"film-genres-{genre_edges}{'-plots' if plots else ''}"
    graph = compiled(cache, name, source, build)
    train, validation, test = (tuple(film.example() for film in part) for part in parts)
    return Dataset(graph, train, validation, test)


def _plots_path(folder: Path) -> Path:
    return needed_file(folder / "text" / "wikimovies_plots.txt", "film-genres")


def _plots(folder: Path, triples: Iterable[Triple]) -> dict[str, str]:
    """Return the plot of each film whose title tells it among the plots and in the graph."""
    path = _plots_path(folder)
    count: Counter[str] = Counter()
    plot_of: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            fields = line.rstrip("\r\n").split("|has_plot|", 1)
            if len(fields) != 2:
                raise ValueError(f"{path}, line {number}: {line[:80]!r} is no title|has_plot|plot.")
            title = fields[0].casefold()
            count[title] += 1
            plot_of[title] = fields[1]
    heads = defaultdict(set)
    for head, _, _ in triples:
        heads[head.casefold()].add(head)
    return {
        next(iter(same)): plot_of[title]
        for title, same in heads.items()
        if len(same) == 1 and count[title] == 1
    }


def _films(triples: Iterable[Triple], plots: Mapping[str, str]) -> list[Film]:
    """Return the films that count, by title."""
    genres, years = defaultdict(set), defaultdict(set)
    for head, relation, tail in triples:
        if relation == HAS_GENRE:
            genres[head].add(tail)
        elif relation == RELEASE_YEAR:
            years[head].add(tail)
    films = []
    for title in sorted(plots):
        own = tuple(genre for genre in GENRES if genre in genres[title])
        if own and len(years[title]) <= 1:
            films.append(Film(title, plots[title], own))
    return films


def _without_genres(triples: Iterable[Triple], shown: Set[str]) -> list[Triple]:
    """Return the triples without tags named like a genre, and with the genres only of ``shown``."""
    triples = list(triples)
    named = {tail.casefold() for _, relation, tail in triples if relation == HAS_GENRE}
    return [
        (head, relation, tail)
        for head, relation, tail in triples
        if (relation != HAS_GENRE or head in shown)
        and (relation != HAS_TAGS or tail.casefold() not in named)
    ]


def _graph(
    labels: Iterable[str],
    relations: Iterable[str],
    triples: list[Triple],
    plots: Mapping[str, str],
    source: Mapping[str, object],
) -> KnowledgeGraph:
    """Build the graph; what no triple speaks of any more leaves it, unless it is a film."""
    spoken_of = {name for head, _, tail in triples for name in (head, tail)}
    used = {relation for _, relation, _ in triples}
    return KnowledgeGraph.from_records(
        [
            EntityRecord(label, label, description=plots.get(label, ""))
            for label in labels
            if label in spoken_of or label in plots
        ],
        triples,
        relations={name: name.replace("_", " ") for name in relations if name in used},
        source={"dataset": "film-genres", **source},
    )
