"""From records in any order to the arrays of a snapshot in the one canonical order.

Entities and relations are sorted by key, triples by (head, relation, tail), aliases and types by
code point. So the same graph gives the same bytes, whatever it was read from.
"""

from __future__ import annotations

import itertools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, KeysView, Mapping, Sequence, Sized
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool, Int, Int64

from kgfm.graph.columns import Coded, EdgeColumn, Values, num_other_values, taken, tie_rank
from kgfm.graph.order import Arrays, boundaries, distinct_triples, kept_triples, triple_arrays
from kgfm.graph.records import EntityRecord, as_json, merged
from kgfm.graph.schema import local_name, readable_name
from kgfm.graph.strings import StringTable, has_surrogate

T = TypeVar("T")
# One attribute of all triples of a portion.
EdgeValues = Sequence[Any] | np.ndarray | Coded
_CHUNK = 1 << 16


def table_arrays(name: str, table: StringTable) -> Arrays:
    """Return a string table as two named arrays."""
    return {f"{name}.offsets": table.offsets, f"{name}.bytes": table.bytes}


class Codes(defaultdict[str, int]):
    """Numbers strings in the order in which they come; whole columns run in C."""

    def __init__(self) -> None:
        super().__init__(itertools.count().__next__)

    def encode(self, column: Iterable[str]) -> Int64[np.ndarray, "row"]:
        """Return the numbers of strings; new ones get the next numbers."""
        return np.fromiter(map(self.__getitem__, column), np.int64)

    def by_key(self) -> tuple[list[str], Int64[np.ndarray, "code"]]:
        """Return the strings in order, and the row of each code."""
        keys = sorted(self)
        rows = np.empty(len(keys), np.int64)
        rows[self.encode(keys)] = np.arange(len(keys))
        return keys, rows


class GraphBuilder:
    """Takes records and triples in any order and any portions; gives the arrays of a graph.

    Args:
        warns_of_lost: Whether to warn of :attr:`num_lost`; not for who says that in words of its
            own.

    Attributes:
        num_lost: Once built: how often a triple was given again with other attributes, of which
            the graph keeps one set.
    """

    def __init__(self, *, warns_of_lost: bool = True) -> None:
        self._warns_of_lost = warns_of_lost
        self._entities = Codes()
        self._relations = Codes()
        self._records: dict[int, EntityRecord] = {}
        self._relation_labels: dict[str, str] = {}
        self._triples: list[Int[np.ndarray, "3 triple"]] = []
        self._edge_columns: dict[str, EdgeColumn] = {}
        self._num_given = 0
        self.num_lost = 0

    @property
    def entity_keys(self) -> KeysView[str]:
        """Keys of the entities so far."""
        return self._entities.keys()

    @property
    def relation_keys(self) -> KeysView[str]:
        """Keys of the relations so far."""
        return self._relations.keys()

    @property
    def num_given(self) -> int:
        """Number of triples given so far, those given twice counted twice."""
        return self._num_given

    def add_entity(self, record: EntityRecord) -> None:
        """Add an entity; of two records with one key the later one only adds."""
        _check_key(record.key, "An entity")
        code = self._entities[record.key]
        old = self._records.get(code)
        self._records[code] = record if old is None else merged(old, record)

    def record(self, key: str) -> EntityRecord | None:
        """Return what is known about an entity so far."""
        return self._records.get(self._entities[key]) if key in self._entities else None

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
        edge_attributes: Mapping[str, EdgeValues] | None = None,
    ) -> None:
        """Add triples as three columns of keys, with columns of attributes of theirs."""
        _check_lengths(len(heads), {"relations": relations, "tails": tails})
        codes = np.empty((3, len(heads)), np.int32)
        encoders = self._entities.encode, self._relations.encode, self._entities.encode
        for place, column in enumerate((heads, relations, tails)):
            codes[place] = encoders[place](column)
        self._add(codes, edge_attributes or {})

    def add_coded_triples(
        self,
        entities: Iterable[str],
        relations: Iterable[str],
        triples: Int[np.ndarray, "3 triple"],
        edge_attributes: Mapping[str, EdgeValues] | None = None,
    ) -> None:
        """Add triples as numbers: the places of their keys in two lists.

        Args:
            entities: Keys of the heads and the tails; all of them come into the graph.
            relations: Keys of the relations; likewise.
            triples: Places of the heads, of the relations and of the tails.
            edge_attributes: By name, one value for each triple.
        """
        rows, names = self._entities.encode(entities), self._relations.encode(relations)
        codes = np.empty(triples.shape, np.int32)
        for place, known in enumerate((rows, names, rows)):
            codes[place] = known[triples[place]]
        self._add(codes, edge_attributes or {})

    def add_edge_attribute(self, name: str, column: EdgeColumn) -> None:
        """Add an attribute of all triples given so far, in the order in which they were given."""
        _check_lengths(self._num_given, {name: column})
        self._edge_columns[name] = column

    def _add(self, codes: Int[np.ndarray, "3 triple"], given: Mapping[str, EdgeValues]) -> None:
        count = codes.shape[1]
        _check_lengths(count, given)
        self._triples.append(codes)
        for name in {**self._edge_columns, **given}:
            if name not in self._edge_columns:
                self._edge_columns[name] = EdgeColumn(self._num_given)
            if name in given:
                self._edge_columns[name].add(given[name])
            else:
                self._edge_columns[name].skip(count)
        self._num_given += count

    def build(self) -> tuple[Arrays, list[str]]:
        """Return the arrays, and the names of the edge attributes in the order of their files."""
        _check_keys(self._entities, "An entity")
        _check_keys(self._relations, "A relation")
        keys, rows = self._entities.by_key()
        relations, relation_rows = self._relations.by_key()
        arrays = self._entity_arrays(keys, rows) | self._relation_arrays(relations)
        sizes = len(keys), len(relations)
        heads, tails = self._column(0, rows), self._column(2, rows)
        types = self._column(1, relation_rows)
        if not self._edge_columns:
            distinct = distinct_triples((heads, types, tails), *sizes)
            return arrays | triple_arrays(distinct, *sizes), []
        names = sorted(self._edge_columns)
        columns = [self._edge_values(name) for name in names]
        kept = kept_triples(
            heads, types, tails, lambda rows: [tie_rank(taken(c, rows)) for c in columns]
        )
        if len(kept) < self._num_given:
            self.num_lost = num_other_values((heads, types, tails), columns)
            if self._warns_of_lost:
                _warn_of_other_values(self.num_lost, names)
        for place, column in enumerate(columns):
            arrays |= edge_arrays(place, column, kept)
        return arrays | triple_arrays((heads[kept], types[kept], tails[kept]), *sizes), names

    def _column(self, place: int, rows: Int64[np.ndarray, "code"]) -> Int[np.ndarray, "given"]:
        """Return the heads, relations or tails of all triples as rows."""
        column = np.empty(self._num_given, np.int32)
        start = 0
        for part in self._triples:
            end = start + part.shape[1]
            column[start:end] = rows[part[place]]
            start = end
        return column

    def _edge_values(self, name: str) -> Values | StringTable:
        try:
            return self._edge_columns[name].finish()
        except ValueError as error:
            raise ValueError(f"The edge attribute {name!r}: {error}") from None

    def _entity_arrays(self, keys: list[str], rows: Int64[np.ndarray, "code"]) -> Arrays:
        places = rows[np.fromiter(self._records, np.int64, len(self._records))]
        records = [*self._records.values()]
        known = [(int(places[i]), records[i]) for i in np.argsort(places).tolist()]
        labels, descriptions, attributes = ([""] * len(keys) for _ in range(3))
        for row, record in known:
            labels[row] = record.label
            descriptions[row] = record.description
            if record.attributes:
                attributes[row] = as_json(record.attributes)
        labelled = np.fromiter(map(bool, labels), bool, len(labels))
        names = [label or readable_name(key) for label, key in zip(labels, keys, strict=True)]
        _warn_of_missing_labels(keys, names, labelled)
        aliases = {
            row: sorted({*filter(None, record.aliases)} - {names[row]})
            for row, record in known
            if record.aliases
        }
        arrays: Arrays = {"labelled": labelled, **_types(known, len(keys))}
        arrays |= _nested("aliases", aliases, keys)
        texts = {
            "keys": keys,
            "labels": names,
            "descriptions": descriptions,
            "attributes": attributes,
        }
        for name, strings in texts.items():
            arrays |= table_arrays(name, _table(strings, lambda row: f"entity {keys[row]!r}"))
        return arrays

    def _relation_arrays(self, keys: list[str]) -> Arrays:
        labels = [self._relation_labels.get(key) or local_name(key) for key in keys]
        labelled = np.array([key in self._relation_labels for key in keys], bool)
        arrays: Arrays = {"relation_labelled": labelled}
        for name, strings in (("relation_keys", keys), ("relation_labels", labels)):
            arrays |= table_arrays(name, _table(strings, lambda row: f"relation {keys[row]!r}"))
        return arrays


def edge_arrays(
    place: int, column: Values | StringTable, kept: Int[np.ndarray, "triple"]
) -> Arrays:
    """Return the arrays of an edge attribute for the triples that are kept."""
    values = taken(column, kept)
    name = f"edge{place}"
    return table_arrays(name, values) if isinstance(values, StringTable) else {name: values}


def _check_lengths(count: int, columns: Mapping[str, Sized]) -> None:
    for name, values in columns.items():
        if len(values) != count:
            raise ValueError(f"{count:,} heads, but {name!r} has {len(values):,} values.")


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


def _types(known: Sequence[tuple[int, EntityRecord]], num_entities: int) -> Arrays:
    """Return the types of the entities that have a record, in the order of their rows."""
    types = [(row, sorted({*filter(None, record.types)})) for row, record in known if record.types]
    names = sorted({*itertools.chain.from_iterable(row_types for _, row_types in types)})
    number = {name: place for place, name in enumerate(names)}
    counts = np.zeros(num_entities, np.int64)
    counts[[row for row, _ in types]] = [len(row_types) for _, row_types in types]
    return {
        **table_arrays("type_names", _table(names, lambda row: "a type")),
        "types.indptr": boundaries(counts),
        "types.ids": np.array([number[name] for _, found in types for name in found], np.int32),
    }


def _nested(name: str, lists: Mapping[int, Sequence[str]], keys: Sequence[str]) -> Arrays:
    """Return lists of strings by row; rows come in order, and those without a list are empty."""
    counts = np.zeros(len(keys), np.int64)
    for row, strings in lists.items():
        counts[row] = len(strings)
    indptr = boundaries(counts)

    def owner(row: int) -> str:
        return f"entity {keys[int(np.searchsorted(indptr, row, 'right')) - 1]!r}"

    table = _table([*itertools.chain.from_iterable(lists.values())], owner)
    return {f"{name}.indptr": indptr, **table_arrays(name, table)}


def _warn_of_missing_labels(
    keys: list[str], names: list[str], labelled: Bool[np.ndarray, "entity"]
) -> None:
    """Warn once where local names stand in, or where some have labels and others do not."""
    missing = [row for row in np.flatnonzero(~labelled).tolist() if not keys[row].startswith("_:")]
    if not missing or not (labelled.any() or any(names[row] != keys[row] for row in missing)):
        return
    warnings.warn(
        f"{len(missing):,} of {len(keys):,} entities have no label, such as {keys[missing[0]]!r}; "
        "their local names stand in. If the source has labels, name their predicate or column, and "
        "their language, in a GraphSchema.",
        UserWarning,
        stacklevel=5,
    )


def _warn_of_other_values(count: int, names: Sequence[str]) -> None:
    if count:
        warnings.warn(
            f"{count:,} triples were given again with other values of {', '.join(names[:5])}; a "
            "graph holds each once, so the lowest values are kept and the others dropped. To keep "
            "all, make such facts entities of their own, or name what differs in the relation.",
            UserWarning,
            stacklevel=5,
        )


def in_chunks(triples: Iterable[T]) -> Iterator[list[T]]:
    """Cut a stream into lists of a size that keeps memory low and the loops in C."""
    stream = iter(triples)
    while chunk := list(itertools.islice(stream, _CHUNK)):
        yield chunk
