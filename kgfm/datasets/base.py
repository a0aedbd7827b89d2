"""What a data set is, how it is split, and how its graph is compiled once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kgfm import __version__
from kgfm.graph import KnowledgeGraph
from kgfm.registry import Registry
from kgfm.storage import MANIFEST, DamagedFileError
from kgfm.types import Example

Item = TypeVar("Item")


@dataclass(frozen=True, repr=False)
class Dataset:
    """A graph and texts about it.

    Args:
        graph: The graph that the texts are linked to; ``None`` where there is none.
        train: What a model learns from.
        validation: What stops the training and chooses thresholds.
        test: What the figures are taken on; may be empty.
    """

    graph: KnowledgeGraph | None
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...] = ()

    def needed_graph(self) -> KnowledgeGraph:
        """Return the graph.

        Raises:
            ValueError: There is none.
        """
        if self.graph is None:
            raise ValueError("This data set has no graph; give its graph in the recipe's dataset.")
        return self.graph

    def __repr__(self) -> str:
        return (
            f"Dataset({len(self.train):,} train, {len(self.validation):,} validation, "
            f"{len(self.test):,} test, {self.graph!r})"
        )


class Source:
    """A function that reads a data set, with what it says of itself.

    Args:
        read: A function of (data: Path | None, cache: Path, **arguments).
        folder: The name of its folder among public data sets, if it reads one.
        task: What is asked of its texts: a task's name, or a mapping with it.
    """

    def __init__(
        self,
        read: Callable[..., Dataset],
        folder: str | None = None,
        task: str | Mapping[str, Any] = "answer",
    ) -> None:
        self.read, self.folder, self.task = read, folder, task
        update_wrapper(self, read)

    def __call__(self, data: str | Path | None, cache: str | Path, **arguments: Any) -> Dataset:
        """Read it."""
        return self.read(data, cache, **arguments)


def reads(
    folder: str | None = None, task: str | Mapping[str, Any] = "answer"
) -> Callable[[Callable[..., Dataset]], Source]:
    """Let a function say which folder it reads and what is asked; see :class:`Source`."""
    return partial(Source, folder=folder, task=task)


DATASETS: Registry[Dataset] = Registry("dataset", Dataset)
"""Functions of (data: Path | None, cache: Path, **arguments), most of them a :class:`Source`."""


def compiled(
    cache: str | Path, name: str, source: Mapping[str, Any], build: Callable[[], KnowledgeGraph]
) -> KnowledgeGraph:
    """Open the snapshot that was built from ``source``, or build it.

    Args:
        cache: The folder that snapshots are kept in.
        name: Begins the name of the snapshot's folder; a hash of ``source`` ends it.
        source: All that the graph depends on: hashes of files, arguments.
        build: Makes the graph.
    """
    content = json.dumps({"kgfm": __version__, **source}, sort_keys=True)
    folder = Path(cache) / f"{name}-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    if (folder / MANIFEST).exists():
        try:
            return KnowledgeGraph.open(folder)
        except DamagedFileError:
            (folder / MANIFEST).unlink()  # it names nothing worth keeping
    return build().save(folder)


def split(
    items: Sequence[Item], *, seed: int, test: float, validation: float
) -> tuple[list[Item], list[Item], list[Item]]:
    """Deal items into training, validation and test, by chance and by ``seed`` alone.

    Args:
        items: In an order that is always the same.
        seed: Of the random generator.
        test: Share of the items for the test.
        validation: Share of what is left for the validation.

    Raises:
        ValueError: One of them is no share.
    """
    for name, share in (("test", test), ("validation", validation)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} is a share, 0 to 1; got {share}.")
    order = np.random.default_rng(seed).permutation(len(items)).tolist()
    num_test = round(len(items) * test)
    num_validation = round((len(items) - num_test) * validation)
    dealt = [items[place] for place in order]
    held_out = num_test + num_validation
    return dealt[held_out:], dealt[num_test:held_out], dealt[:num_test]


def split_by(
    items: Iterable[Item],
    key: Callable[[Item], Hashable],
    *,
    seed: int,
    test: float,
    validation: float,
) -> tuple[tuple[Item, ...], tuple[Item, ...], tuple[Item, ...]]:
    """Deal items out as :func:`split` does, those of one ``key`` into the same part."""
    groups: dict[Hashable, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    dealt = split(list(groups), seed=seed, test=test, validation=validation)
    train, held_out, last = (tuple(one for k in keys for one in groups[k]) for keys in dealt)
    return train, held_out, last


def same_text(example: Example) -> str:
    """Return what texts share that differ in case and blanks alone."""
    return " ".join(example.text.casefold().split())


def one_of(name: str, given: object, known: Collection[object]) -> None:
    """Refuse the value of an argument that is none of those known."""
    if given not in known:
        raise ValueError(f"{name} is one of {', '.join(map(repr, known))}; got {given!r}.")


def shipped_file(folder: str, name: str) -> Path:
    """Return a file of ``graphs/``: in the package, or in a checkout beside it."""
    package = Path(__file__).parents[1]
    roots = [package / "_graphs", package.parent / "graphs"]
    for root in roots:
        if (root / folder / name).is_file():
            return root / folder / name
    raise FileNotFoundError(
        f"No {name} in {roots[0] / folder} or {roots[1] / folder}; name it with graph=FILE."
    )


def needed_folder(data: str | Path | None, what: str) -> Path:
    """Return the folder that holds a data set, or say how to name it."""
    if data is None:
        raise ValueError(f"{what} reads files of its own; say where they are: --data FOLDER.")
    folder = Path(data)
    if not folder.is_dir():
        raise FileNotFoundError(f"No folder {folder} for {what}; --data names the right one.")
    return folder


def needed_file(path: Path, what: str) -> Path:
    """Return a file of a data set, or say that it is missing."""
    if path.is_dir():
        raise FileNotFoundError(f"{what} needs a file, but {path} is a folder.")
    if not path.exists():  # a pipe will do
        raise FileNotFoundError(f"{what} needs {path}, which is missing.")
    return path


def as_file_name(text: str) -> str:
    """Return a text with only what a file name holds everywhere."""
    return re.sub(r"[^0-9A-Za-z._-]+", "-", text).strip("-") or "graph"
