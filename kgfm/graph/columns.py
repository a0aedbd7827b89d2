"""Attributes of triples as columns that stay small while they are collected."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int64, Shaped

from kgfm.graph.order import Given, order_of, repeats
from kgfm.graph.records import plain
from kgfm.graph.strings import StringTable

_MOST = 2**1000  # what a float holds
Values = Shaped[np.ndarray, "given"]


class Coded(NamedTuple):
    """A column as its distinct values and, for each row, the place of its value; -1 for none."""

    values: list[Any]
    codes: Int[np.ndarray, "row"]

    def __len__(self) -> int:
        return len(self.codes)


class EdgeColumn:
    """One attribute of all triples; portions come in any form and take little room.

    Args:
        missing: How many triples came before the first that has it.
    """

    def __init__(self, missing: int = 0) -> None:
        self._values: list[Any] = []
        self._place: dict[Hashable, int] = {}
        self._parts: list[np.ndarray] = []
        self._is_coded: list[bool] = []
        self.skip(missing)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def skip(self, count: int) -> None:
        """Add rows without a value."""
        self._append(np.full(count, -1, np.int32), True)

    def add(self, values: Sequence[Any] | np.ndarray | Coded) -> None:
        """Add a portion: an array of numbers or truth values, a coded column, or values."""
        if isinstance(values, np.ndarray):
            numbers = _numbers(values)
            if numbers is not None:
                self._append(numbers, False)
                return
            values = values.tolist()
        if isinstance(values, Coded):
            places = np.array([*map(self._code, map(plain, values.values)), -1], np.int32)
            self._append(places[values.codes], True)
        else:
            coded = map(self._code, map(plain, values))
            self._append(np.fromiter(coded, np.int32, len(values)), True)

    def finish(self) -> Values | StringTable:
        """Return the column as narrow as it goes: bool, int64, float64 with NaN, or strings.

        Whole numbers that a float would change, where some rows have none or a fraction, are
        strings.

        Raises:
            ValueError: A text holds a lone surrogate.
        """
        kinds = {kind for part, coded in self._all() for kind in self._kinds(part, coded)}
        if kinds == {bool}:
            return self._as(np.bool_)
        if kinds == {int} and all(-(2**63) <= value < 2**63 for value in self._values):
            return self._as(np.int64)
        numeric = kinds <= {int, float, type(None)} and kinds != {type(None)}
        if numeric and self._keeps_digits():
            return self._as(np.float64)
        return self._texts()

    def _append(self, part: np.ndarray, coded: bool) -> None:
        if len(part):
            self._parts.append(part)
            self._is_coded.append(coded)

    def _all(self) -> Sequence[tuple[np.ndarray, bool]]:
        return list(zip(self._parts, self._is_coded, strict=True))

    def _code(self, value: Any) -> int:
        if value is None:
            return -1
        if isinstance(value, float):
            value += 0.0  # minus zero is zero
        elif isinstance(value, int) and abs(value) > _MOST:
            value = str(value)
        key = (type(value), json.dumps(value) if isinstance(value, list) else value)
        place = self._place.setdefault(key, len(self._values))
        if place == len(self._values):
            self._values.append(value)
        return place

    def _kinds(self, part: np.ndarray, coded: bool) -> set[type]:
        if coded:
            used = np.unique(part).tolist()
            return {type(None) if place < 0 else type(self._values[place]) for place in used}
        if part.dtype != np.float64:
            return {bool} if part.dtype == np.bool_ else {int}
        missing = int(np.isnan(part).sum())
        return {float if missing < len(part) else type(None), type(None) if missing else float}

    def _keeps_digits(self) -> bool:
        """Say whether all whole numbers come back from floats as they were."""
        arrays = [part for part, coded in self._all() if not coded and part.dtype == np.int64]
        known = all(type(value) is float or int(float(value)) == value for value in self._values)
        return known and all(np.array_equal(part, _through_floats(part)) for part in arrays)

    def _as(self, dtype: type) -> Values:
        known: Values = np.array([*self._values, math.nan if dtype is np.float64 else 0], dtype)
        parts = [known[part] if coded else part.astype(dtype) for part, coded in self._all()]
        return np.concatenate([np.empty(0, dtype), *parts])

    def _texts(self) -> StringTable:
        for place, (part, coded) in enumerate(self._all()):
            if not coded:
                values, inverse = np.unique(part, return_inverse=True)
                known = [self._code(plain(value)) for value in values.tolist()]
                self._parts[place] = np.array(known, np.int32)[inverse]
        codes = np.concatenate([np.empty(0, np.int32), *self._parts])
        self._is_coded = [True] * len(self._parts)
        texts = [value if isinstance(value, str) else json.dumps(value) for value in self._values]
        return StringTable.from_strings([*texts, ""]).take(codes)


def _numbers(values: np.ndarray) -> Values | None:
    """Return an array that can stay as it is: bool, int64, or float64 without infinity."""
    if values.dtype == np.bool_:
        return values
    if values.dtype.kind in "iu" and (values.dtype.kind == "i" or values.max(initial=0) < 2**63):
        return values.astype(np.int64)
    if values.dtype.kind == "f" and not np.isinf(values).any():
        return values.astype(np.float64) + 0.0  # minus zero is zero
    return None


def _through_floats(numbers: Values) -> Values:
    """Return integers as floats hold them; the largest, which would overflow, as -1."""
    floats = numbers.astype(np.float64)
    return np.where(floats < 2.0**63, floats, -1).astype(np.int64)


def tie_rank(column: Values | StringTable) -> Int64[np.ndarray, "given"]:
    """Rank values from low to high, missing ones last."""
    if isinstance(column, StringTable):
        texts = list(column)
        rank = {text: place for place, text in enumerate(sorted({*texts} - {""}))}
        return np.array([rank.get(text, len(rank)) for text in texts], np.int64)
    return np.unique(column, return_inverse=True)[1].astype(np.int64)


def taken(
    column: Values | StringTable, rows: Int[np.ndarray, "row"]
) -> Shaped[np.ndarray, "row"] | StringTable:
    """Return a column at some rows."""
    return column.take(rows) if isinstance(column, StringTable) else column[rows]


def num_other_values(triples: Given, columns: Sequence[Values | StringTable]) -> int:
    """Count how often a triple comes again with a value that the one with the lowest has not.

    A value that is missing there adds nothing, and the same values again count once.
    """
    order = order_of(*triples)
    again = repeats(*(column[order] for column in triples))
    shared = again.copy()
    shared[:-1] |= again[1:]
    rows, group = order[shared], np.cumsum(~again)[shared]
    parts = [taken(column, rows) for column in columns]
    ranks = [*map(tie_rank, parts)]
    order = order_of(group, *ranks)
    given = [rank[order] for rank in (group, *ranks)]
    kept = np.maximum.accumulate(np.where(repeats(given[0]), 0, np.arange(len(order))))
    others = [
        (rank != rank[kept]) & _has_value(part)[order]
        for rank, part in zip(given[1:], parts, strict=True)
    ]
    return int((np.logical_or.reduce(others) & ~repeats(*given)).sum())


def _has_value(column: Values | StringTable) -> Bool[np.ndarray, "given"]:
    if isinstance(column, StringTable):
        return np.diff(column.offsets) > 0
    return ~np.isnan(column) if column.dtype.kind == "f" else np.ones(len(column), bool)
