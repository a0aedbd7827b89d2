"""Text vectors of a graph's entities, relations and types, kept beside the snapshot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from jaxtyping import Float, Int, UInt64

from kgfm.graph import KnowledgeGraph
from kgfm.storage import read_manifest, write_folder
from kgfm.vectors.encode import Encode, Progress, name_of
from kgfm.vectors.kept import (
    FORMAT,
    KIND,
    Known,
    Shelf,
    read_lists,
    text_digests,
    vectors_folder,
    writers,
)
from kgfm.vectors.texts import Source, TextVectors

Texts = tuple[Sequence[str], Callable[[int], str]]
"""A key for each text, and the text of a number."""
_LOOKED_AT = 64


class KeptVectors:
    """The vectors of one list of texts or two, kept together in a folder.

    Args:
        lists: The texts with their vectors.
        encoder: Name of the text encoder; empty for one that has none.
        shelf: Where all vectors are kept when they are computed; ``None``: nowhere.
        others: What the shelf and its neighbours hold for other graphs.
    """

    def __init__(
        self,
        lists: Sequence[TextVectors],
        encoder: str,
        shelf: Shelf | None = None,
        others: Sequence[Sequence[Known]] = (),
    ) -> None:
        self.lists = tuple(lists)
        self.encoder = encoder
        self._shelf = shelf
        self._others = tuple(others)

    @property
    def width(self) -> int:
        """Numbers in a vector; reads a text where none was read yet."""
        return self.lists[0].width

    @property
    def is_complete(self) -> bool:
        """Whether all vectors are there."""
        return all(one.known is not None for one in self.lists)

    def take(self, rows: Int[np.ndarray, "row"]) -> Float[np.ndarray, "row width"]:
        """Return vectors of the first list; those that are not there yet are computed."""
        return self.lists[0].take(rows)

    def compute_all(self, progress: Progress | None = None) -> None:
        """Compute what is missing, and keep all of it beside a snapshot if that is possible.

        Args:
            progress: Told of (done, total) texts of the first list.
        """
        if self.is_complete:
            return
        found = self._same()
        if found is None:
            found = [self.lists[0].compute_all(progress)]
            found += [one.compute_all() for one in self.lists[1:]]
            empty = np.zeros((0, self.width), np.float16)
            found = [one if len(one.digests) else Known(empty, one.digests) for one in found]
            found = found if self._shelf is None else self._shelf.put(found)
        for one, known in zip(self.lists, found, strict=True):
            one.complete(known)
        self._others = ()

    def _same(self) -> list[Known] | None:
        """Return what is kept for a graph with the very same texts."""
        if not self._others:
            return None
        wanted = [one.digests() for one in self.lists]
        for other in self._others:
            pairs = zip(other, wanted, strict=True)
            if all(np.array_equal(known.digests, digests) for known, digests in pairs):
                return [*other]
        return None

    def known(self) -> list[Known]:
        """Return all vectors with their hashes."""
        self.compute_all()
        return [one.compute_all() for one in self.lists]

    def files(self) -> dict[str, Callable[[Path], None]]:
        """Return what writes each array, by the name of its file."""
        return writers(self.known())


class NodeVectors(KeptVectors):
    """One vector per entity and per relation of a graph, in the order of the graph's rows.

    All have length 1, in half precision. A vector belongs to a key and the hash of its text, not to
    a row: a graph that gained a few entities finds all other vectors again. There are two ways in:
    :meth:`of` computes each vector when it is first asked for, :meth:`load_or_compute` all of them.
    """

    @classmethod
    def of(
        cls, graph: KnowledgeGraph, encode: Encode, *, folder: str | Path | None = None
    ) -> NodeVectors:
        """Return the graph's vectors; each that is not known yet is computed when it is asked for.

        As long as somebody holds the vectors of a graph by an encoder of that name, all who ask for
        them are given the very same ones.

        Args:
            graph: The graph.
            encode: The text encoder; the vectors of one without a name are neither kept nor shared.
            folder: Where all are kept; by default beside the snapshot, or nowhere for a graph that
                is only in memory. Vectors kept beside neighbouring snapshots are used too.
        """
        name, folder = name_of(encode), None if folder is None else Path(folder)
        shared = _SHARED.setdefault(graph, WeakValueDictionary())
        found = shared.get((name, folder)) if name else None
        if found is None:
            entities = (graph.keys, graph.text)
            relations = (graph.relation_keys, graph.relation_text)
            parts = _opened(graph, encode, [entities, relations], folder)
            made = cls(*parts)
            found = shared.setdefault((name, folder), made) if name else made
        return found

    @classmethod
    def load_or_compute(
        cls,
        graph: KnowledgeGraph,
        encode: Encode,
        *,
        folder: str | Path | None = None,
        progress: Progress | None = None,
    ) -> NodeVectors:
        """Return the graph's vectors, all of them; only texts that are not known are encoded.

        Args:
            graph: The graph.
            encode: The text encoder.
            folder: As in :meth:`of`.
            progress: Told of (done, total) texts of entities.
        """
        found = cls.of(graph, encode, folder=folder)
        found.compute_all(progress)
        return found

    def share(self, graph: KnowledgeGraph) -> NodeVectors:
        """Give these vectors to all who will ask for those of this graph by this encoder.

        So the vectors that a pipeline was saved with are not computed anew for its linker.

        Raises:
            ValueError: They are those of another graph.
        """
        sizes = (graph.num_entities, graph.num_relations)
        if sizes != tuple(map(len, self.lists)):
            raise ValueError(f"{self!r} are not the vectors of {graph!r}.")
        if self.encoder:
            _SHARED.setdefault(graph, WeakValueDictionary())[self.encoder, None] = self
        return self

    @property
    def vectors(self) -> Float[np.ndarray, "entity width"]:
        """Of all entities."""
        return self.known()[0].vectors

    @property
    def relations(self) -> Float[np.ndarray, "relation width"]:
        """Of all relations."""
        if self.is_complete:
            return self.known()[1].vectors
        return self.lists[1].take(np.arange(len(self.lists[1])))

    @property
    def digests(self) -> UInt64[np.ndarray, "entity"]:
        """Hash of key and text of each entity."""
        return self.lists[0].digests()

    @property
    def relation_digests(self) -> UInt64[np.ndarray, "relation"]:
        """Hash of key and text of each relation."""
        return self.lists[1].digests()

    def entities(self, rows: Int[np.ndarray, "row"]) -> Float[np.ndarray, "row width"]:
        """Vectors of the entities in these rows; those that are not there yet are computed."""
        return self.take(rows)

    def save(self, folder: str | Path) -> NodeVectors:
        """Write the vectors to a folder, atomically, and return them memory-mapped."""
        manifest = {"kind": KIND, "format": FORMAT, "encoder": self.encoder, "width": self.width}
        return NodeVectors.read(folder, write_folder(folder, self.files(), manifest))

    @classmethod
    def open(cls, folder: str | Path) -> NodeVectors:
        """Open saved vectors, memory-mapped."""
        return cls.read(folder, read_manifest(folder, KIND, FORMAT))

    @classmethod
    def read(
        cls, folder: str | Path, manifest: Mapping[str, Any], *, verify: bool = False
    ) -> NodeVectors:
        """Open the arrays in any folder whose manifest names them; ``verify`` compares hashes."""
        lists = read_lists(folder, manifest, 2, verify=verify)
        return cls([TextVectors(one) for one in lists], str(manifest["encoder"]))

    def __repr__(self) -> str:
        encoder = repr(self.encoder) if self.encoder else "an encoder without a name"
        width = f"width {self.width}, " if self.is_complete else ""
        return f"NodeVectors({len(self.lists[0]):,} entities, {width}{encoder})"


_Vectors = WeakValueDictionary[tuple[str, Path | None], NodeVectors]
_SHARED: WeakKeyDictionary[KnowledgeGraph, _Vectors] = WeakKeyDictionary()
"""What somebody holds of a graph by an encoder; so a linker and a model that were made one without
the other read each text once, also where there is no disk to meet on. It keeps nothing alive."""


def type_vectors(graph: KnowledgeGraph, encode: Encode) -> KeptVectors:
    """Return the vectors of the names of a graph's types, in the order of ``type_names``."""
    names = graph.type_names
    folder = None
    if graph.path is not None and name_of(encode):
        folder = vectors_folder(graph.path, f"{name_of(encode)}.types")
    return KeptVectors(*_opened(graph, encode, [(names, names.__getitem__)], folder))


def _opened(
    graph: KnowledgeGraph, encode: Encode, texts: Sequence[Texts], folder: str | Path | None
) -> tuple[list[TextVectors], str, Shelf | None, list[list[Known]]]:
    """Return what :class:`KeptVectors` is made of: all vectors if they are kept, or their texts."""
    name = name_of(encode)
    if folder is None and graph.path is not None:
        folder = vectors_folder(graph.path, name)
    if folder is None or not name:
        return [TextVectors(Source(*one, encode)) for one in texts], name, None, []
    shelf = Shelf(Path(folder), name, graph.fingerprint, len(texts))
    own = shelf.own()
    if own is not None and all(_fits(*pair) for pair in zip(own, texts, strict=True)):
        return [TextVectors(one) for one in own], name, None, []
    others = shelf.others()
    lists = [
        TextVectors(Source(*one, encode, [other[number] for other in others]))
        for number, one in enumerate(texts)
    ]
    return lists, name, shelf, others


def _fits(known: Known, texts: Texts) -> bool:
    """Look at some of the texts: another kgfm may write the same entity in other words."""
    keys, text = texts
    if len(known.digests) != len(keys):
        return False
    rows = np.unique(np.linspace(0, len(keys) - 1, _LOOKED_AT).astype(np.int64))[: len(keys)]
    wanted = text_digests((keys[row] for row in rows.tolist()), map(text, rows.tolist()))
    return np.array_equal(known.digests[rows], wanted)
