"""Statements as columns of numbers, and each of their terms once."""

from __future__ import annotations

import itertools
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import cast

import numpy as np
from jaxtyping import Bool, Int32, Int64

from kgfm.graph.schema import OWL
from kgfm.stores.blank_nodes import new_names
from kgfm.stores.literals import Literal, Triple
from kgfm.stores.rdf_terms import BLANK, Columns, Kind

SAME_AS = OWL + "sameAs"
_STEP = 1 << 16


class _Codes(defaultdict[object, int]):
    """Numbers what it is asked for, in the order in which it comes."""

    def __init__(self, first: int = 0) -> None:
        super().__init__(itertools.count(first).__next__)


class Statements:
    """The statements of a source: four or five numbers each, and each term once.

    Attributes:
        terms: Keys of entities and predicates, and texts of literals, by code.
        kinds: Datatype and language of literals, by number.
        subjects: Code of each statement's subject.
        predicates: Code of its predicate.
        objects: Code of its object.
        kind: Number of the object's kind, or -1 where it is no literal.
        graphs: Code of its graph; empty unless asked for.
        aliases: By the code of an entity: keys of others that are the same.
    """

    def __init__(self, with_graphs: bool = False) -> None:
        self._codes, self._kinds = _Codes(), _Codes(first=-1)
        self._kinds[None]  # takes -1
        self._columns = array("q"), array("q"), array("q"), array("i"), array("q")
        self._with_graphs = with_graphs
        self.aliases: dict[int, list[str]] = {}

    def extend(
        self, parts: Iterable[Columns], progress: Callable[[int], None] | None = None
    ) -> None:
        """Take in statements; ``progress`` is told now and then how many there are."""
        code, kind = self._codes.__getitem__, self._kinds.__getitem__
        told = 0
        for subjects, predicates, objects, kinds, graphs in parts:
            self._columns[0].extend(map(code, subjects))
            self._columns[1].extend(map(code, predicates))
            self._columns[2].extend(map(code, objects))
            self._columns[3].extend(map(kind, kinds))
            if self._with_graphs:
                self._columns[4].extend(map(code, graphs))
            if progress is not None and len(self._columns[0]) >= told + _STEP:
                told = len(self._columns[0])
                progress(told)
        if progress is not None and len(self._columns[0]) > told:
            progress(len(self._columns[0]))

    def close(self) -> int:
        """Turn to arrays and name the blank nodes; return how many have a twin."""
        self.terms = cast(list[str], list(self._codes))
        self.kinds = cast(list[Kind], list(self._kinds)[1:])
        self.subjects, self.predicates, self.objects, _, self.graphs = (
            np.array(column, np.int64) for column in self._columns
        )
        self.kind: Int32[np.ndarray, "row"] = np.array(self._columns[3], np.int32)
        self._columns = ()  # type: ignore[assignment]
        return self._name_blank_nodes()

    def code(self, term: str) -> int:
        """Return the code of a term, or -1."""
        return self._codes.get(term, -1)

    def _name_blank_nodes(self) -> int:
        blank = np.fromiter((t.startswith(BLANK) for t in self.terms), bool, len(self.terms))
        if not blank.any():
            return 0
        rows = np.flatnonzero(blank[self.subjects] | (blank[self.objects] & (self.kind < 0)))
        names, ties = new_names(map(self._triple, rows.tolist()))
        for code in np.flatnonzero(blank).tolist():
            self.terms[code] = names.get(self.terms[code], "")
        return ties

    def _triple(self, row: int) -> Triple:
        terms = self.terms
        text, kind = terms[self.objects[row]], int(self.kind[row])
        term = text if kind < 0 else Literal(text, *self.kinds[kind])
        return terms[self.subjects[row]], terms[self.predicates[row]], term

    def merge_same(self) -> None:
        """Make one entity of those that ``owl:sameAs`` links, however far; see :func:`merged`."""
        links = (self.predicates == self.code(SAME_AS)) & (self.kind < 0)
        if not links.any():
            return
        kept = merged(self.subjects[links], self.objects[links], self.terms)
        for code in np.flatnonzero(kept != np.arange(len(kept))).tolist():
            self.aliases.setdefault(int(kept[code]), []).append(self.terms[code])
        resource = self.kind < 0
        self.subjects = kept[self.subjects]
        self.objects = np.where(resource, kept[self.objects], self.objects)
        self.keep(~links)

    def new_code(self, term: str) -> int:
        """Return the code of a term, which need not be there yet."""
        code = self.code(term)
        if code < 0:
            code = self._codes[term] = len(self.terms)
            self.terms.append(term)
        return code

    def keep(
        self,
        mask: Bool[np.ndarray, "row"],
        copied: Sequence[tuple[int, int]] = (),
        predicates: Sequence[int] | None = None,
    ) -> None:
        """Drop the other statements.

        Args:
            mask: Which statements stay.
            copied: Pairs of a subject and a row: what that row says is said of the subject too.
            predicates: For each of these another predicate than that of the row.
        """
        rows = np.array([row for _, row in copied], np.int64)
        subjects = np.array([subject for subject, _ in copied], np.int64)
        chosen = self.predicates[rows] if predicates is None else np.array(predicates, np.int64)
        join = np.concatenate
        self.subjects = join([self.subjects[mask], subjects])
        self.predicates = join([self.predicates[mask], chosen])
        self.objects = join([self.objects[mask], self.objects[rows]])
        self.kind = join([self.kind[mask], self.kind[rows]])
        if len(self.graphs):
            self.graphs = join([self.graphs[mask], self.graphs[rows]])

    def add_links(self, links: Sequence[tuple[int, int, int]]) -> None:
        """Add statements without a literal, in the default graph."""
        columns = np.array(links, np.int64).reshape(-1, 3).T
        self.subjects = np.concatenate([self.subjects, columns[0]])
        self.predicates = np.concatenate([self.predicates, columns[1]])
        self.objects = np.concatenate([self.objects, columns[2]])
        self.kind = np.concatenate([self.kind, np.full(columns.shape[1], -1, np.int32)])
        if self._with_graphs:
            default = np.full(columns.shape[1], self.new_code(""), np.int64)
            self.graphs = np.concatenate([self.graphs, default])


def merged(
    ones: Int64[np.ndarray, "link"], others: Int64[np.ndarray, "link"], terms: list[str]
) -> Int64[np.ndarray, "term"]:
    """Return for each code the one that stands for all that links join it to.

    That is the one with the smallest key; a blank node's counts only among blank nodes.
    """
    kept = np.arange(len(terms))

    def root(code: int) -> int:
        while kept[code] != code:
            kept[code] = kept[kept[code]]
            code = int(kept[code])
        return code

    def rank(code: int) -> tuple[bool, str]:
        return terms[code].startswith("_:"), terms[code]

    for pair in zip(ones.tolist(), others.tolist(), strict=True):
        first, second = sorted(map(root, pair), key=rank)
        kept[second] = first
    for code in {*ones.tolist(), *others.tolist()}:
        kept[code] = root(code)
    return kept
