"""The part of a server's graph that was met so far, numbered as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock

import numpy as np
from jaxtyping import Int64

from kgfm.graph import EntityRecord, KnowledgeGraph, local_name, readable_name
from kgfm.graph.records import as_text
from kgfm.graph.schema import as_words
from kgfm.retrieval.server import GraphServer


class Numbered(Sequence[str]):
    """Strings numbered in the order in which they come; a number never changes."""

    def __init__(self) -> None:
        self._strings: list[str] = []
        self._rows: dict[str, int] = {}
        self._lock = Lock()

    def number(self, strings: Iterable[str]) -> list[int]:
        """Return the number of each string; a new one gets the next."""
        with self._lock:
            return [self._number(string) for string in strings]

    def _number(self, string: str) -> int:
        row = self._rows.setdefault(string, len(self._strings))
        if row == len(self._strings):
            self._strings.append(string)
        return row

    def find(self, string: str) -> int:
        """Return the number of a string, or -1."""
        return self._rows.get(string, -1)

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        return self._strings[row]

    def __len__(self) -> int:
        return len(self._strings)

    def __iter__(self) -> Iterator[str]:
        return iter(self._strings)


class LiveGraph:
    """A graph that stays on its server; it takes the place of a KnowledgeGraph in a pipeline.

    An entity or relation gets a row when it is first met, by a mention or in a neighbourhood, and
    keeps it as long as this object lives. Rows are therefore in no order, and mean nothing outside
    of this object. Names and texts come with the neighbourhoods (:class:`LiveRetriever` asks for
    them) and are kept: memory grows with the number of different entities met, by some 500 bytes
    each. What needs the whole graph (training statistics, shuffled controls, the dictionary of
    names) needs a snapshot.

    Args:
        server: Where the graph is.
    """

    def __init__(self, server: GraphServer) -> None:
        self.server = server
        self.path = None
        self.keys = Numbered()
        """Keys of the entities met."""
        self.relation_keys = Numbered()
        """Keys of the relations met."""
        self._records: dict[int, EntityRecord] = {}
        self._relation_labels: dict[int, str] = {}

    @property
    def num_entities(self) -> int:
        """Number of entities met so far."""
        return len(self.keys)

    @property
    def num_relations(self) -> int:
        """Number of relations met so far."""
        return len(self.relation_keys)

    def row(self, key: str) -> int:
        """Return the row of an entity; one that was not met yet gets the next."""
        return int(self.rows([key])[0])

    def rows(self, keys: Iterable[str]) -> Int64[np.ndarray, "key"]:
        """Return the rows of many entities; the server is not asked whether it has them.

        Raises:
            TypeError: A key is no string.
        """
        keys = list(keys)
        for key in keys:
            if not isinstance(key, str):
                raise TypeError(f"Keys are strings, not {type(key).__name__}.")
        return np.array(self.keys.number(keys), np.int64)

    def relation_row(self, key: str) -> int:
        """Return the row of a relation; one that was not met yet gets the next."""
        return self.relation_keys.number([key])[0]

    def learn(self, records: Mapping[str, EntityRecord], labels: Mapping[str, str]) -> None:
        """Take in what the server says about entities and relations."""
        for row, record in zip(self.keys.number(records), records.values(), strict=True):
            self._records[row] = record
        for row, label in zip(self.relation_keys.number(labels), labels.values(), strict=True):
            self._relation_labels[row] = label

    def label(self, key: str) -> str:
        """Return the label of an entity given by its key."""
        return self.labels[self.row(key)]

    @property
    def labels(self) -> _Labels:
        """Label of each entity met, or the local name of its key."""
        return _Labels(self.keys, self._records)

    def names(self, row: int) -> tuple[str, ...]:
        """Return the label and then the aliases, none twice and none empty."""
        label, record = self.labels[row], self._record(row)
        aliases = sorted({*filter(None, record.aliases)} - {label})
        return (label,) * bool(label) + tuple(aliases)

    def types(self, row: int) -> tuple[str, ...]:
        """Return the names of an entity's types."""
        return tuple(sorted({*filter(None, self._record(row).types)}))

    def text(self, row: int) -> str:
        """Return what a text encoder reads: ``label (type, type). description``."""
        return as_text(self.labels[row], self.types(row), self._record(row).description)

    def is_named(self, relation: str) -> bool:
        """Whether it was learned what a relation is called."""
        return self.relation_keys.find(relation) in self._relation_labels

    def relation_label(self, key: str) -> str:
        """Return the label of a relation given by its key, or the local name of the key."""
        return self._relation_labels.get(self.relation_row(key)) or local_name(key)

    def relation_text(self, row: int) -> str:
        """Return a relation's label with underscores and camelCase as spaces."""
        return as_words(self.relation_label(self.relation_keys[row]))

    def _record(self, row: int) -> EntityRecord:
        return self._records.get(row) or EntityRecord(self.keys[row])

    def __len__(self) -> int:
        return self.num_entities

    def __repr__(self) -> str:
        return (
            f"LiveGraph({self.server!r}; {self.num_entities:,} entities and "
            f"{self.num_relations:,} relations met)"
        )


class _Labels(Sequence[str]):
    def __init__(self, keys: Numbered, records: Mapping[int, EntityRecord]) -> None:
        self._keys, self._records = keys, records

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        key, record = self._keys[row], self._records.get(row)
        return (record.label if record else "") or readable_name(key)

    def __len__(self) -> int:
        return len(self._keys)


Graph = KnowledgeGraph | LiveGraph
"""Where a retriever cuts: a snapshot, or a graph on its server."""
