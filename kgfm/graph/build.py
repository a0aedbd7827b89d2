"""From records in any order to the arrays of a snapshot in the one canonical order.

Entities and relations are sorted by key, triples by (head, relation, tail), aliases and types by
code point. So the same graph gives the same bytes, whatever it was read from.
"""

from __future__ import annotations

import itertools
import json
import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64, Shaped

from kgfm.graph.records import EntityRecord, as_json, merged, plain
from kgfm.graph.schema import local_name
from kgfm.graph.strings import StringTable, has_surrogate

Arrays = dict[str, np.ndarray]
T = TypeVar("T")
_CHUNK = 1 << 16


def order_of(*columns: Int[np.ndarray, "row"]) -> Int64[np.ndarray, "row"]:
    """Return the stable order of rows by ``columns``, the first of them counting most.

    Columns hold no negative numbers; they are packed into one integer where 63 bits are enough,
    since one sort is several times faster than one for each column.
    """
    sizes = [int(column.max(initial=0)) + 1 for column in columns]
    if math.prod(sizes) >= 2**63:
        return np.lexsort(columns[::-1])
    packed = columns[0].astype(np.int64)
    for column, size in zip(columns[1:], sizes[1:], strict=True):
        packed *= size
        packed += column
    return np.argsort(packed, kind="stable")


def repeats(*columns: Int[np.ndarray, "row"]) -> Bool[np.ndarray, "row"]:
    """Return where a row is the same as the one before it."""
    same = np.zeros(len(columns[0]), bool)
    same[1:] = np.logical_and.reduce([column[1:] == column[:-1] for column in columns])
    return same


def indptr_of(rows: Int[np.ndarray, "item"], size: int) -> Int64[np.ndarray, "boundary"]:
    """Return where each row begins among items that are sorted by row."""
    indptr = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=size), out=indptr[1:])
    return indptr


def adjacency(
    heads: Int32[np.ndarray, "triple"],
    relations: Int32[np.ndarray, "triple"],
    tails: Int32[np.ndarray, "triple"],
    num_entities: int,
    num_relations: int,
) -> Arrays:
    """Return both compressed adjacencies of triples that are in canonical order."""
    degree = np.bincount(heads, minlength=num_entities) + np.bincount(tails, minlength=num_entities)
    owner = np.concatenate([heads, tails])
    neighbour = np.concatenate([tails, heads])
    # Out before in, within a relation: twice its row, plus one for the inverse.
    step = np.concatenate([relations * np.int64(2), relations * np.int64(2) + 1])
    order = order_of(owner, degree[neighbour], step, neighbour)
    step = step[order]
    return {
        "out_indptr": indptr_of(heads, num_entities),
        "neighbour_indptr": indptr_of(owner, num_entities),
        "neighbour_entity": neighbour[order].astype(np.int32),
        "neighbour_relation": (step // 2 + step % 2 * num_relations).astype(np.int32),
        "degree": degree.astype(np.int32),
    }


def triple_arrays(
    heads: Int[np.ndarray, "given"],
    relations: Int[np.ndarray, "given"],
    tails: Int[np.ndarray, "given"],
    num_entities: int,
    num_relations: int,
    *ties: Int[np.ndarray, "given"],
) -> tuple[Arrays, Int64[np.ndarray, "triple"]]:
    """Return the arrays of triples in canonical order, and which of the given triples they are.

    Of equal triples the one with the lowest ``ties`` stays.
    """
    kept = order_of(heads, relations, tails, *ties)
    heads, relations, tails = heads[kept], relations[kept], tails[kept]
    new = ~repeats(heads, relations, tails)
    heads, relations, tails = (column[new].astype(np.int32) for column in (heads, relations, tails))
    arrays = {"heads": heads, "relations": relations, "tails": tails}
    return arrays | adjacency(heads, relations, tails, num_entities, num_relations), kept[new]


def table_arrays(name: str, table: StringTable) -> Arrays:
    """Return a string table as two named arrays."""
    return {f"{name}.offsets": table.offsets, f"{name}.bytes": table.bytes}


class _Codes(defaultdict[str, int]):
    """Numbers strings in the order in which they come; whole columns run in C."""

    def __init__(self) -> None:
        super().__init__(itertools.count().__next__)

    def encode(self, column: Sequence[str]) -> Int64[np.ndarray, "row"]:
        return np.fromiter(map(self.__getitem__, column), np.int64, len(column))

    def by_key(self) -> tuple[list[str], Int64[np.ndarray, "code"]]:
        """Return the strings in order, and the row of each code."""
        keys = sorted(self)
        rows = np.empty(len(keys), np.int64)
        rows[self.encode(keys)] = np.arange(len(keys))
        return keys, rows


class GraphBuilder:
    """Takes records and triples in any order and any portions; gives the arrays of a graph."""

    def __init__(self) -> None:
        self._entities = _Codes()
        self._relations = _Codes()
        self._records: dict[int, EntityRecord] = {}
        self._relation_labels: dict[str, str] = {}
        self._triples: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._edge_columns: dict[str, list[Any]] = {}
        self._num_given = 0

    @property
    def entity_keys(self) -> KeysView[str]:
        """Keys of the entities so far."""
        return self._entities.keys()

    @property
    def relation_keys(self) -> KeysView[str]:
        """Keys of the relations so far."""
        return self._relations.keys()

    def add_entity(self, record: EntityRecord) -> None:
        """Add an entity; of two records with one key the later one only adds."""
        _check_key(record.key, "An entity")
        code = self._entities[record.key]
        old = self._records.get(code)
        self._records[code] = record if old is None else merged(old, record)

    def add_relation(self, key: str, label: str = "") -> None:
        """Name a relation; one that no triple has does not come into the graph."""
        _check_key(key, "A relation")
        if label:
            self._relation_labels[key] = label

    def add_triples(
        self,
        heads: Sequence[str],
        relations: Sequence[str],
        tails: Sequence[str],
        edge_attributes: Mapping[str, Sequence[Any]] | None = None,
    ) -> None:
        """Add triples as three columns of keys, with columns of attributes of theirs."""
        given = edge_attributes or {}
        for name, values in {"relations": relations, "tails": tails, **given}.items():
            if len(values) != len(heads):
                raise ValueError(f"{len(heads):,} heads, but {name!r} has {len(values):,} values.")
        encode = self._entities.encode, self._relations.encode, self._entities.encode
        columns = (heads, relations, tails)
        coded = [code(column) for code, column in zip(encode, columns, strict=True)]
        self._triples.append((coded[0], coded[1], coded[2]))
        for name in {**self._edge_columns, **given}:
            column = self._edge_columns.setdefault(name, [None] * self._num_given)
            column.extend(map(plain, given[name]) if name in given else [None] * len(heads))
        self._num_given += len(heads)

    def build(self) -> tuple[Arrays, list[str]]:
        """Return the arrays, and the names of the edge attributes in the order of their files."""
        _check_keys(self._entities, "An entity")
        _check_keys(self._relations, "A relation")
        keys, rows = self._entities.by_key()
        relations, relation_rows = self._relations.by_key()
        arrays = self._entity_arrays(keys, rows) | self._relation_arrays(relations)
        heads, types, tails = (
            (
                np.concatenate([np.empty(0, np.int64), *parts])
                for parts in zip(*self._triples, strict=True)
            )
            if self._triples
            else (np.empty(0, np.int64),) * 3
        )
        columns = {name: _column(self._edge_columns[name]) for name in sorted(self._edge_columns)}
        triples, kept = triple_arrays(
            rows[heads],
            relation_rows[types],
            rows[tails],
            len(keys),
            len(relations),
            *(_tie_rank(column) for column in columns.values()),
        )
        for place, column in enumerate(columns.values()):
            arrays |= edge_arrays(place, column, kept)
        return arrays | triples, list(columns)

    def _entity_arrays(self, keys: list[str], rows: Int64[np.ndarray, "code"]) -> Arrays:
        records = [EntityRecord(key) for key in keys]
        for code, record in self._records.items():
            records[rows[code]] = record
        labels = [record.label for record in records]
        labelled = np.fromiter(map(bool, labels), bool, len(labels))
        _warn_of_missing_labels(keys, labelled)
        names = [label or local_name(key) for label, key in zip(labels, keys, strict=True)]
        types = [sorted({*filter(None, record.types)}) for record in records]
        type_names = sorted({*itertools.chain.from_iterable(types)})
        number = {name: place for place, name in enumerate(type_names)}
        aliases = [
            sorted({*filter(None, record.aliases)} - {name})
            for record, name in zip(records, names, strict=True)
        ]
        texts = {
            "keys": keys,
            "labels": names,
            "descriptions": [record.description for record in records],
            "attributes": [as_json(record.attributes) for record in records],
        }
        arrays: Arrays = {"labelled": labelled}
        for name, strings in texts.items():
            arrays |= table_arrays(name, _table(strings, lambda row: f"entity {keys[row]!r}"))
        arrays |= table_arrays("type_names", _table(type_names, lambda row: "a type"))
        arrays |= _nested("aliases", aliases, keys)
        arrays["types.indptr"] = _indptr(types)
        arrays["types.ids"] = np.array([number[t] for row in types for t in row], np.int32)
        return arrays

    def _relation_arrays(self, keys: list[str]) -> Arrays:
        labels = [self._relation_labels.get(key) or local_name(key) for key in keys]
        labelled = np.array([key in self._relation_labels for key in keys], bool)
        arrays: Arrays = {"relation_labelled": labelled}
        for name, strings in (("relation_keys", keys), ("relation_labels", labels)):
            arrays |= table_arrays(name, _table(strings, lambda row: f"relation {keys[row]!r}"))
        return arrays


def edge_arrays(
    place: int,
    column: Shaped[np.ndarray, "given"] | StringTable,
    kept: Int[np.ndarray, "triple"],
) -> Arrays:
    """Return the arrays of an edge attribute for the triples that are kept."""
    if isinstance(column, StringTable):
        return table_arrays(f"edge{place}", column.take(kept))
    return {f"edge{place}": column[kept]}


def _check_key(key: object, what: str) -> None:
    if not isinstance(key, str):
        raise TypeError(f"{what} has the key {key!r}; keys are strings, so write {str(key)!r}.")
    if not key:
        raise ValueError(f"{what} has an empty key; give every one a key of its own.")
    if has_surrogate(key):
        raise ValueError(
            f"{what} has the key {key!r} with a lone surrogate, which UTF-8 cannot hold; "
            "replace or remove it."
        )


def _check_keys(keys: Iterable[str], what: str) -> None:
    try:
        "".join(keys).encode()
        sound = "" not in keys
    except (TypeError, UnicodeEncodeError):
        sound = False
    for key in () if sound else keys:
        _check_key(key, what)


def _table(strings: list[str], owner: Callable[[int], str]) -> StringTable:
    """Make a table; a string that UTF-8 cannot hold is refused with the name of its owner."""
    try:
        return StringTable.from_strings(strings)
    except ValueError:
        row = next(row for row, string in enumerate(strings) if has_surrogate(string))
        raise ValueError(
            f"The text {strings[row][:80]!r} of {owner(row)} holds a lone surrogate, "
            "which UTF-8 cannot hold; replace or remove it."
        ) from None


def _indptr(lists: Sequence[Sequence[Any]]) -> Int64[np.ndarray, "boundary"]:
    indptr = np.zeros(len(lists) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, lists), np.int64, len(lists)), out=indptr[1:])
    return indptr


def _nested(name: str, lists: Sequence[Sequence[str]], keys: Sequence[str]) -> Arrays:
    indptr = _indptr(lists)

    def owner(row: int) -> str:
        return f"entity {keys[int(np.searchsorted(indptr, row, 'right')) - 1]!r}"

    table = _table([string for row in lists for string in row], owner)
    return {f"{name}.indptr": indptr, **table_arrays(name, table)}


def _column(values: list[Any]) -> Shaped[np.ndarray, "given"] | StringTable:
    """Return an edge attribute as narrow as it goes: bool, int64, float64 with NaN, or strings."""
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return np.array(values, bool)
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return np.array(values, np.int64)
    if kinds <= {int, float, type(None)} and kinds != {type(None)}:
        return np.array([math.nan if value is None else value for value in values], np.float64)
    texts = ["" if v is None else v if isinstance(v, str) else json.dumps(v) for v in values]
    return _table(texts, lambda row: f"the attributes of triple {row}")


def _tie_rank(column: Shaped[np.ndarray, "given"] | StringTable) -> Int64[np.ndarray, "given"]:
    """Rank values from low to high, missing ones last."""
    if isinstance(column, StringTable):
        texts = list(column)
        rank = {text: place for place, text in enumerate(sorted({*texts} - {""}))}
        return np.array([rank.get(text, len(rank)) for text in texts], np.int64)
    return np.unique(column, return_inverse=True)[1].astype(np.int64)


def _warn_of_missing_labels(keys: list[str], labelled: Shaped[np.ndarray, "entity"]) -> None:
    """Warn once where local names stand in, or where some have labels and others do not."""
    missing = [keys[row] for row in np.flatnonzero(~labelled) if not keys[row].startswith("_:")]
    if not missing or not (labelled.any() or any(local_name(key) != key for key in missing)):
        return
    warnings.warn(
        f"{len(missing):,} of {len(keys):,} entities have no label, such as {missing[0]!r}; their "
        "local names stand in. If the source has labels, name their predicate or column, and "
        "their language, in a GraphSchema.",
        UserWarning,
        stacklevel=5,
    )


def in_chunks(triples: Iterable[T]) -> Iterator[list[T]]:
    """Cut a stream into lists of a size that keeps memory low and the loops in C."""
    stream = iter(triples)
    while chunk := list(itertools.islice(stream, _CHUNK)):
        yield chunk
