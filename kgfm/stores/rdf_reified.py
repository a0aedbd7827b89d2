"""What RDF says about triples: RDF 1.1's reified statements, and RDF 1.2's reifiers.

``rdf:subject``, ``rdf:predicate`` and ``rdf:object`` of a node name the triple that it speaks of
(RDF Schema 1.1, sec. 5.3); its literals are that triple's attributes. ``rdf:reifies`` with a triple
term (RDF 1.2 Concepts, sec. 1.5) is read as these three.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from kgfm.graph.schema import RDF
from kgfm.stores.literals import Literal, value_of
from kgfm.stores.rdf_statements import Statements

PARTS = (RDF + "subject", RDF + "predicate", RDF + "object")
STATEMENT = RDF + "Statement"
EDGE_ATTRIBUTE = "urn:kgfm:vocabulary:EdgeAttribute"
"""Class of the predicates that are edge attributes, also where no triple has a value."""

Codes = Int64[np.ndarray, "_"]


class Reified:
    """The nodes that speak of triples and do nothing else.

    Such a node has one subject, predicate and object, the source states that triple too, and no
    link begins or ends at it.

    Args:
        statements: Closed, and merged if that is wanted.
        links: Rows of the statements that are triples.

    Attributes:
        mask: By the code of a term, whether it is such a node.
    """

    def __init__(self, statements: Statements, links: Codes) -> None:
        self._given = statements
        self.mask: Bool[np.ndarray, "term"] = np.zeros(len(statements.terms), bool)
        self._of_link: Codes = np.zeros(0, np.int64)
        if min(map(statements.code, PARTS)) < 0:
            return
        parts = [self._ends(predicate) for predicate in PARTS]
        columns = (
            statements.subjects[links],
            statements.predicates[links],
            statements.objects[links],
        )
        linked = np.zeros(len(self.mask), bool)
        linked[columns[0]] = linked[columns[2]] = True
        nodes = np.flatnonzero(np.all([part >= 0 for part in parts], axis=0) & ~linked)
        triples = np.stack([
            np.concatenate([column, part[nodes]])
            for column, part in zip(columns, parts, strict=True)
        ])  # fmt: skip
        numbers = _numbered(triples, len(self.mask))
        self._of_link, of_node = np.split(numbers, [len(links)])
        stated = np.isin(of_node, self._of_link)
        _warn_of_unstated(int((~stated).sum()))
        self.mask[nodes[stated]] = True
        self._of_node = np.full(len(self.mask), -1, np.int64)
        self._of_node[nodes] = of_node

    def _ends(self, predicate: str) -> Codes:
        """Return by the code of a node what the predicate leads to; -1 for nothing or several."""
        given = self._given
        rows = np.flatnonzero((given.predicates == given.code(predicate)) & (given.kind < 0))
        size = len(given.terms)
        subjects, ends = np.divmod(
            np.unique(given.subjects[rows] * size + given.objects[rows]), size
        )
        nodes, first, count = np.unique(subjects, return_index=True, return_counts=True)
        found = np.full(size, -1, np.int64)
        found[nodes] = np.where(count == 1, ends[first], -1)
        return found

    def columns(self, literals: Codes, name: Callable[[str], str]) -> dict[str, list[Any]]:
        """Return the attributes of the links by name, ``None`` where there is none.

        Args:
            literals: Rows of the statements with the values.
            name: Gives an attribute's name for the IRI of its predicate.
        """
        given = self._given
        numbers = self._of_node[given.subjects[literals]] if len(literals) else literals
        rows = (given.predicates[literals], given.objects[literals], given.kind[literals])
        names = {code: name(given.terms[code]) for code in {*rows[0].tolist()}}
        found: dict[str, dict[int, list[Any]]] = {one: defaultdict(list) for one in names.values()}
        read: dict[tuple[int, int], Any] = {}
        lists = (column.tolist() for column in (numbers, *rows))
        for number, predicate, text, kind in zip(*lists, strict=True):
            if (text, kind) not in read:
                read[text, kind] = value_of(Literal(given.terms[text], *given.kinds[kind]))
            found[names[predicate]][number].append(read[text, kind])
        links = self._of_link.tolist()
        return {
            one: [_one(values.get(number)) for number in links] for one, values in found.items()
        }


def _one(values: list[Any] | None) -> Any:
    return values[0] if values and len(values) == 1 else values


def _numbered(triples: Int64[np.ndarray, "3 row"], size: int) -> Codes:
    """Number triples of codes below ``size``, equal ones equally."""
    heads, relations, tails = triples
    pairs = np.unique(heads * size + relations, return_inverse=True)[1]
    numbers: Codes = np.unique(pairs * size + tails, return_inverse=True)[1].astype(np.int64)
    return numbers


def _warn_of_unstated(count: int) -> None:
    if count:
        warnings.warn(
            f"{count:,} reified statements speak of triples that the source does not state. They "
            "stay entities, without links to what they speak of; GraphSchema(ignore=()) makes "
            "these links triples.",
            UserWarning,
            stacklevel=6,
        )
