"""Conventions of big public graphs, where names and edges are written in a way of their own.

Each is known by predicates that nobody else uses, and rewrites statements as the plain ones that
they stand for, before anything is made of them. What it takes away without a trace is counted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from kgfm.graph import GraphSchema
from kgfm.graph.schema import OBO_IN_OWL, OWL, RDF, RDFS, SKOS
from kgfm.registry import nearest
from kgfm.stores.rdf_statements import Statements

PLAIN = "plain"
"""The name that stands for no convention at all."""

XL = "http://www.w3.org/2008/05/skos-xl#"
ONTOLEX = "http://www.w3.org/ns/lemon/ontolex#"
WIKIBASE = "http://wikiba.se/ontology#"
_WIKIBASE_LINKS = tuple(
    WIKIBASE + name
    for name in [
        "directClaim",
        "directClaimNormalized",
        "claim",
        "statementProperty",
        "statementValue",
        "statementValueNormalized",
        "qualifier",
        "qualifierValue",
        "qualifierValueNormalized",
        "reference",
        "referenceValue",
        "referenceValueNormalized",
        "novalue",
    ]
)
_WIKIDATA_PROPERTY = re.compile(r"(https?://[^/]+/)prop/(?:[a-z-]+/)*([PL]\d+)")
_NAMING = {
    XL + "prefLabel": SKOS + "prefLabel",
    XL + "altLabel": SKOS + "altLabel",
    XL + "hiddenLabel": SKOS + "hiddenLabel",
    ONTOLEX + "canonicalForm": SKOS + "prefLabel",
    ONTOLEX + "otherForm": SKOS + "altLabel",
}
_FORMS = (XL + "literalForm", ONTOLEX + "writtenRep", RDF + "value")
_ANNOTATED = {
    OWL + "annotatedSource": RDF + "subject",
    OWL + "annotatedProperty": RDF + "predicate",
    OWL + "annotatedTarget": RDF + "object",
}

Codes = Int64[np.ndarray, "row"]
Mask = Bool[np.ndarray, "row"]


class Convention(NamedTuple):
    """A way to write names and edges.

    Args:
        what: What is read how, in words.
        marks: Predicates by which it is known.
        rewrite: Changes the statements, and returns what it took away without a trace, by name.
    """

    what: str
    marks: tuple[str, ...]
    rewrite: Callable[[Statements, GraphSchema], dict[str, int]]


def known_by(statements: Statements) -> list[str]:
    """Return the names of the conventions that statements follow."""
    used = np.zeros(len(statements.terms) + 1, bool)
    used[statements.predicates] = True
    found = [
        name
        for name, convention in CONVENTIONS.items()
        if any(used[statements.code(mark)] for mark in convention.marks)
    ]
    if "wikidata" not in found and any(_wikidata_predicates(statements, np.flatnonzero(used[:-1]))):
        found.append("wikidata")
    return sorted(found)


def named(given: str | Iterable[str]) -> list[str]:
    """Return the names of conventions, in order; ``plain`` stays.

    Raises:
        ValueError: There is no such convention, or one beside ``plain``.
    """
    known, names = [*CONVENTIONS, PLAIN], [given] if isinstance(given, str) else [*given]
    for name in names:
        if name not in known:
            raise ValueError(
                f"There is no convention {name!r}.{nearest(name, known)} There are "
                f"{', '.join(known)}; without one, kgfm looks at the predicates."
            )
    if PLAIN in names and len(names) > 1:
        raise ValueError("plain means to follow no convention; give it alone.")
    return sorted({*names})


def follow(names: Sequence[str], statements: Statements, schema: GraphSchema) -> dict[str, int]:
    """Rewrite statements by conventions; return what they took away without a trace."""
    taken: dict[str, int] = {}
    for name in [*names]:
        taken |= CONVENTIONS[name].rewrite(statements, schema)
    return {what: count for what, count in taken.items() if count}


def described(names: Iterable[str]) -> str:
    """Return the conventions in words."""
    return "; ".join(f"{name}: {CONVENTIONS[name].what}" for name in names)


# -- Wikidata -------------------------------------------------------------------------------------


def _wikidata_predicates(
    statements: Statements, predicates: Int64[np.ndarray, "predicate"]
) -> Iterable[tuple[int, int]]:
    """Yield predicates by their place in Wikidata, and the property that each is made of."""
    for code in predicates.tolist():
        match = _WIKIDATA_PROPERTY.fullmatch(statements.terms[code])
        own = -1 if match is None else statements.code(f"{match[1]}entity/{match[2]}")
        if own >= 0:
            yield code, own


def _wikidata(statements: Statements, schema: GraphSchema) -> dict[str, int]:
    """Give the names of properties to the predicates that are made of them."""
    predicates = np.unique(statements.predicates)
    links = np.isin(statements.predicates, _codes(statements, _WIKIBASE_LINKS))
    pairs = {
        (relation, own)
        for own, relation in zip(
            statements.subjects[links].tolist(), statements.objects[links].tolist(), strict=True
        )
    } | {*_wikidata_predicates(statements, predicates)}
    said = _codes(statements, (*schema.label, *schema.alias, *schema.description))
    names = np.flatnonzero(np.isin(statements.predicates, said) & (statements.kind >= 0))
    owners = {own for _, own in pairs}
    of: dict[int, list[int]] = defaultdict(list)
    for row in names[np.isin(statements.subjects[names], [*owners])].tolist():
        of[int(statements.subjects[row])].append(row)
    rows = [(relation, row) for relation, own in sorted(pairs) for row in of.get(own, ())]
    about = np.isin(statements.subjects, statements.subjects[links])
    vocabulary = [c for c in predicates.tolist() if statements.terms[c].startswith(WIKIBASE)]
    statements.keep(~links & ~(about & np.isin(statements.predicates, vocabulary)), rows)
    return {}


# -- names that are nodes -------------------------------------------------------------------------


def _label_nodes(statements: Statements, schema: GraphSchema) -> dict[str, int]:
    """Put what a node says in the place of the node, where a name or a description is one."""
    given = statements
    forms: dict[int, list[int]] = defaultdict(list)
    for row in _rows(given, _FORMS, literal=True):
        forms[int(given.subjects[row])].append(row)
    roles = {term: term for term in (*schema.label, *schema.alias, *schema.description)} | _NAMING
    to = {given.code(term): given.new_code(plain) for term, plain in roles.items()}
    to.pop(-1, None)
    naming = np.isin(given.predicates, [*to]) & (given.kind < 0)
    naming &= np.isin(given.objects, [*forms])
    new = [
        (int(given.subjects[row]), to[int(given.predicates[row])], form)
        for row in np.flatnonzero(naming).tolist()
        for form in forms[int(given.objects[row])]
    ]
    nodes = np.unique(given.objects[naming])
    others = ~naming & (given.kind < 0) & ~np.isin(given.subjects, nodes)
    nodes = np.setdiff1d(nodes, given.objects[others])
    about = np.isin(given.subjects, nodes) & ~naming
    silent = about & ~np.isin(given.predicates, _codes(given, (*_FORMS, RDF + "type")))
    given.keep(
        ~naming & ~about, [(subject, form) for subject, _, form in new], [p for _, p, _ in new]
    )
    return {"statements about labels": int(silent.sum())}


# -- OWL, as the OBO ontologies write it ----------------------------------------------------------


def _obo(statements: Statements, schema: GraphSchema) -> dict[str, int]:
    """Make edges of restrictions: ``A subClassOf (r some B)`` is a triple ``A r B``."""
    classes = _Classes(statements)
    stated = (*schema.subclass, *schema.type, OWL + "equivalentClass")
    edges = [
        (int(statements.subjects[row]), *edge)
        for row in _rows(statements, stated, literal=False)
        for edge in classes.read(int(statements.objects[row]))
    ]
    classes.turn_annotations()
    axioms = _axioms_of_literals(statements)
    gone = [*classes.gone]
    drop = np.isin(statements.subjects, gone) | np.isin(statements.subjects, axioms)
    drop |= np.isin(statements.objects, gone) & (statements.kind < 0)
    statements.keep(~drop)
    statements.add_links(edges)
    for owl, rdf in _ANNOTATED.items():
        if (code := statements.code(owl)) >= 0:
            statements.predicates[statements.predicates == code] = statements.new_code(rdf)
    return {"annotations of literals": len(axioms)}


class _Classes:
    """What classes without a name say, where it is edges: restrictions, and what is all of several.

    One that only says what is allowed, how many, or what is not so, states no edge. It stays as it
    is, and so does all that it is a part of.

    Attributes:
        gone: The nodes of those that were read.
    """

    def __init__(self, given: Statements) -> None:
        self._given = given
        self._on = _ends(given, (OWL + "onProperty",))
        self._fillers = _ends(given, (OWL + "someValuesFrom", OWL + "hasValue"))
        self._whole = _ends(given, (OWL + "intersectionOf",))
        self._firsts, self._rests = (_ends(given, (RDF + name,)) for name in ("first", "rest"))
        self._above = given.new_code(RDFS + "subClassOf")
        self.gone: set[int] = set()

    def read(self, node: int) -> list[tuple[int, int]]:
        """Return the edges, as predicate and tail, that being of such a class states."""
        edges, nodes = self._edges(node, set())
        if edges:
            self.gone |= nodes
        return edges

    def _edges(self, node: int, met: set[int]) -> tuple[list[tuple[int, int]], set[int]]:
        """Return the edges and the nodes that say so; nothing where one of them is no edge."""
        if node in met:
            return [], set()
        if node in self._on and node in self._fillers:
            edge = self._on[node], self._fillers[node]
            return ([edge], {node}) if not any(map(self._is_blank, edge)) else ([], set())
        if node not in self._whole:
            return [], set()
        members, nodes = self._members(self._whole[node])
        edges: list[tuple[int, int]] = []
        for member in members:
            if not self._is_blank(member):
                edges.append((self._above, member))
                continue
            inner, more = self._edges(member, met | {node})
            if not inner:
                return [], set()
            edges, nodes = [*edges, *inner], nodes | more
        return edges, nodes | {node}

    def _members(self, cell: int) -> tuple[list[int], set[int]]:
        """Return the members of a list, and its cells."""
        members, cells = [], set()
        while cell in self._firsts and cell not in cells:
            cells.add(cell)
            members.append(self._firsts[cell])
            cell = self._rests.get(cell, -1)
        return members, cells

    def _is_blank(self, code: int) -> bool:
        return self._given.terms[code].startswith("_:")

    def turn_annotations(self) -> None:
        """Let what is annotated about a restriction be about its edge."""
        given = self._given
        target, about = given.code(OWL + "annotatedTarget"), given.code(OWL + "annotatedProperty")
        rows = _rows(given, (OWL + "annotatedTarget",), literal=False)
        turned: dict[int, int] = {}
        for row in rows:
            node = int(given.objects[row])
            if node in self.gone and node in self._on:
                turned[int(given.subjects[row])] = self._on[node]
                given.objects[row] = self._fillers[node]
        if target >= 0 and about >= 0 and turned:
            for row in _rows(given, (OWL + "annotatedProperty",), literal=False):
                relation = turned.get(int(given.subjects[row]))
                given.objects[row] = given.objects[row] if relation is None else relation


def _axioms_of_literals(given: Statements) -> Codes:
    """Return the nodes that say something about a name or another literal: its source, its kind."""
    return np.unique(given.subjects[_rows(given, (OWL + "annotatedTarget",), literal=True)])


# -- what they share ------------------------------------------------------------------------------


def _codes(given: Statements, terms: Iterable[str]) -> list[int]:
    return [code for code in map(given.code, terms) if code >= 0]


def _rows(given: Statements, predicates: Iterable[str], literal: bool | None = None) -> list[int]:
    """Return the rows of statements with some predicates; only literals, or only links, or all."""
    mask = np.isin(given.predicates, _codes(given, predicates))
    if literal is not None:
        mask &= (given.kind >= 0) == literal
    rows: list[int] = np.flatnonzero(mask).tolist()
    return rows


def _ends(given: Statements, predicates: Iterable[str]) -> dict[int, int]:
    """Return by subject what some predicates lead to."""
    rows = _rows(given, predicates, literal=False)
    return dict(zip(given.subjects[rows].tolist(), given.objects[rows].tolist(), strict=True))


CONVENTIONS = {
    "obo": Convention(
        "restrictions of OWL are edges, the synonyms of OBO are names",
        (OWL + "onProperty", OWL + "annotatedSource", OBO_IN_OWL + "hasExactSynonym"),
        _obo,
    ),
    "skos-xl": Convention(
        "labels that are nodes name what they label",
        (*_NAMING, XL + "literalForm", ONTOLEX + "writtenRep"),
        _label_nodes,
    ),
    "wikidata": Convention(
        "the labels of properties name the relations that are made of them",
        _WIKIBASE_LINKS,
        _wikidata,
    ),
}
