"""Text vectors of a graph's entities and relations, computed once and memory-mapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt64

from kgfm.graph import KnowledgeGraph
from kgfm.storage import DamagedFileError, file_path, read_manifest, write_folder

KIND, FORMAT = "vectors", 1
Progress = Callable[[int, int], None]


@runtime_checkable
class Encode(Protocol):
    """A text encoder with a name that says which one it is."""

    @property
    def name(self) -> str: ...

    def __call__(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray: ...


class NodeVectors:
    """One vector per entity and per relation of a graph, in the order of the graph's rows.

    A vector belongs to a key and the hash of its text, not to a row: a graph that gained a few
    entities finds all other vectors again (:meth:`load_or_compute`).

    Args:
        vectors: Of the entities, half precision.
        relations: Of the relations.
        digests: Hash of key and text of each entity.
        relation_digests: The same of each relation.
        encoder: Name of the text encoder.
    """

    def __init__(
        self,
        vectors: Float[np.ndarray, "entity width"],
        relations: Float[np.ndarray, "relation width"],
        digests: UInt64[np.ndarray, "entity"],
        relation_digests: UInt64[np.ndarray, "relation"],
        encoder: str,
    ) -> None:
        self.vectors = vectors
        self.relations = relations
        self.digests = digests
        self.relation_digests = relation_digests
        self.encoder = encoder

    @property
    def width(self) -> int:
        return int(self.vectors.shape[1])

    def entities(self, rows: np.ndarray) -> Float[np.ndarray, "row width"]:
        """Vectors of the entities in these rows."""
        return np.take(self.vectors, rows, axis=0)

    @classmethod
    def load_or_compute(
        cls,
        graph: KnowledgeGraph,
        encode: Encode,
        *,
        folder: str | Path | None = None,
        progress: Progress | None = None,
    ) -> NodeVectors:
        """Return the graph's vectors; only texts that no earlier run has seen are encoded.

        Args:
            graph: The graph.
            encode: The text encoder.
            folder: Where they are kept; by default beside the snapshot, or nowhere for a graph
                that is only in memory. Vectors kept beside neighbouring snapshots are used too.
            progress: Told of (done, total) texts.
        """
        if folder is None and graph.path is not None:
            folder = vectors_folder(graph.path, encode.name)
        wanted = text_digests(graph.keys, map(graph.text, range(graph.num_entities)))
        relations = [graph.relation_text(row) for row in range(graph.num_relations)]
        wanted_relations = text_digests(graph.relation_keys, relations)
        known = [] if folder is None else _kept(Path(folder), encode.name)
        for old in known:
            same = np.array_equal(old.relation_digests, wanted_relations)
            if same and np.array_equal(old.digests, wanted):
                return old
        vectors = _reuse(graph, encode, wanted, known, progress)
        encoded = encode(relations)
        made = cls(vectors, encoded, wanted, wanted_relations, encode.name)
        return made if folder is None else made.save(folder)

    def save(self, folder: str | Path) -> NodeVectors:
        """Write the vectors to a folder, atomically, and return them memory-mapped."""
        manifest = {"kind": KIND, "format": FORMAT, "encoder": self.encoder, "width": self.width}
        write_folder(folder, self.files(), manifest)
        return NodeVectors.open(folder)

    def files(self) -> dict[str, Callable[[Path], None]]:
        """Return what writes each array, by the name of its file."""
        return {
            f"{name}.npy": lambda path, name=name: np.save(path, getattr(self, name))  # type: ignore[misc]
            for name in _ARRAYS
        }

    @classmethod
    def open(cls, folder: str | Path) -> NodeVectors:
        """Open saved vectors, memory-mapped."""
        return cls.read(folder, read_manifest(folder, KIND, FORMAT))

    @classmethod
    def read(
        cls, folder: str | Path, manifest: Mapping[str, Any], *, verify: bool = False
    ) -> NodeVectors:
        """Open the arrays in any folder whose manifest names them; ``verify`` compares hashes."""
        paths = {name: file_path(folder, manifest, f"{name}.npy", verify) for name in _ARRAYS}
        arrays = {name: np.load(path, mmap_mode="r") for name, path in paths.items()}
        return cls(**arrays, encoder=str(manifest["encoder"]))

    def __repr__(self) -> str:
        return f"NodeVectors({len(self.vectors):,} entities, width {self.width}, {self.encoder!r})"


_ARRAYS = ("vectors", "relations", "digests", "relation_digests")


def vectors_folder(snapshot: Path, encoder: str) -> Path:
    """Folder of an encoder's vectors beside a snapshot."""
    return snapshot.with_name(f"{snapshot.name}.vectors") / encoder


def text_digests(keys: Iterable[str], texts: Iterable[str]) -> UInt64[np.ndarray, "row"]:
    """Return a 64-bit hash of each key and its text."""
    digests = [
        blake2b(f"{key}\0{text}".encode(), digest_size=8).digest()
        for key, text in zip(keys, texts, strict=True)
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8")


def _reuse(
    graph: KnowledgeGraph,
    encode: Encode,
    wanted: np.ndarray,
    known: Sequence[NodeVectors],
    progress: Progress | None,
) -> Float[np.ndarray, "entity width"]:
    """Vectors of all entities: those known already, the rest encoded."""
    vectors: np.ndarray | None = None
    missing = np.ones(len(wanted), dtype=bool)
    for old in known:
        order = np.argsort(old.digests)
        place = np.searchsorted(old.digests, wanted, sorter=order) % max(1, len(order))
        if not len(order):
            continue
        found = missing & (old.digests[order[place]] == wanted)
        if vectors is None:
            vectors = np.zeros((len(wanted), old.width), dtype=np.float16)
        vectors[found] = old.vectors[order[place[found]]]
        missing &= ~found
    rows = np.flatnonzero(missing)
    encoded = encode([graph.text(int(row)) for row in rows], progress)
    if vectors is None:
        vectors = np.zeros((len(wanted), encoded.shape[1]), dtype=np.float16)
    vectors[rows] = encoded
    return vectors


def _kept(folder: Path, encoder: str) -> list[NodeVectors]:
    """Vectors by this encoder in ``folder`` and beside the neighbouring snapshots."""
    beside = sorted(folder.parent.parent.glob(f"*.vectors/{folder.name}"))
    kept = []
    for path in dict.fromkeys([folder, *beside]):
        try:
            kept.append(NodeVectors.open(path))
        except (DamagedFileError, FileNotFoundError):
            continue  # they can always be computed again
    return [vectors for vectors in kept if vectors.encoder == encoder]
