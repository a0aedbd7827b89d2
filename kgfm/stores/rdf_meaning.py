"""What statements mean for a graph: names, types, attributes and triples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import Bool, Int64

from kgfm.graph import EntityRecord, GraphBuilder, GraphSchema, readable_name
from kgfm.graph.schema import OWL, RDF, RDFS
from kgfm.stores.literals import Literal, value_of
from kgfm.stores.rdf_reified import EDGE_ATTRIBUTE, Reified
from kgfm.stores.rdf_statements import SAME_AS, Statements

# What is of one of these types belongs to the vocabulary, not to what the graph is about.
CLASSES = {RDFS + "Class", OWL + "Class"}
META = {
    *CLASSES,
    *(RDFS + name for name in ("Datatype",)),
    *[RDF + "Property", "http://wikiba.se/ontology#Property"],
    *(
        OWL + name
        for name in (
            "Ontology",
            "ObjectProperty",
            "DatatypeProperty",
            "AnnotationProperty",
            "FunctionalProperty",
            "TransitiveProperty",
            "SymmetricProperty",
        )
    ),
}
# Types that everything has, or may have.
SAYS_NOTHING = {OWL + "Thing", OWL + "NamedIndividual", RDFS + "Resource"}
# In place of keys that are no IRIs, or that would be taken for something else.
OWN = "urn:kgfm:"
_LABEL, _ALIAS, _DESCRIPTION, _TYPE, _IGNORED, _ATTRIBUTE = range(6)

Codes = Int64[np.ndarray, "_"]


def plain_key(term: str) -> str:
    """Return the key that an IRI stands for: itself, but what an export wrote under ``urn:kgfm:``.

    >>> plain_key("urn:kgfm:key:AC%2FDC"), plain_key("http://example.org/Heat")
    ('AC/DC', 'http://example.org/Heat')
    """
    if not term.startswith(OWN):
        return term
    kind, _, name = term.removeprefix(OWN).partition(":")
    return unquote(name) if name or kind == "attribute" else term


class Meaning:
    """Sorts statements by what their predicates do.

    Args:
        statements: Closed, and merged if that is wanted.
        schema: What the predicates do, and which languages count.
    """

    def __init__(self, statements: Statements, schema: GraphSchema) -> None:
        self._given, self._schema = statements, schema
        self.terms = statements.terms
        self._role, self._rank = self._roles()
        role = self._role[statements.predicates]
        literal = statements.kind >= 0
        typing = role == _TYPE
        self._links = np.flatnonzero(~literal & ~typing & (role != _IGNORED))
        self._reified = Reified(statements, self._links)
        of_entity = ~self._reified.mask[statements.subjects]
        declares = typing & (statements.objects == statements.code(EDGE_ATTRIBUTE))
        self._edge_names = [*{*statements.subjects[declares].tolist()}]
        self._typings = self._typed(np.flatnonzero(typing & of_entity & ~declares))
        ranks = [schema.language_rank(language) for _, language in statements.kinds]
        self._language = np.array([-1 if rank is None else rank for rank in (*ranks, None)])
        wanted = literal & ~typing & (self._language[statements.kind] >= 0)
        self._edge_literals = np.flatnonzero(wanted & ~of_entity)
        self._literals = np.flatnonzero(wanted & of_entity)
        self._labels, self._names, self._descriptions = self._named()

    def _roles(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what each predicate does, and its place among others that do the same."""
        role = np.full(len(self.terms) + 1, _ATTRIBUTE, np.int8)
        rank = np.zeros(len(self.terms) + 1, np.int64)
        schema = self._schema
        places = {_IGNORED: schema.ignore, _LABEL: schema.label, _ALIAS: schema.alias}
        places |= {_DESCRIPTION: schema.description, _TYPE: schema.type}
        for kind, predicates in places.items():
            for place, predicate in reversed([*enumerate(predicates)]):
                code = self._given.code(predicate)
                role[code], rank[code] = kind, place
        return role[:-1], rank[:-1]

    def _typed(self, rows: Codes) -> tuple[Codes, Codes]:
        """Return pairs of an entity and a class, those of classes above its own too."""
        given = self._given
        subjects, classes = given.subjects[rows], given.objects[rows]
        above = self._classes_above({*classes.tolist()})
        if not above:
            return subjects, classes
        counts = np.array([len(above.get(code, ())) for code in classes.tolist()], np.int64)
        inherited = [one for code in classes.tolist() for one in above.get(code, ())]
        return (
            np.concatenate([subjects, np.repeat(subjects, counts)]),
            np.concatenate([classes, np.array(inherited, np.int64)]),
        )

    def _classes_above(self, classes: set[int]) -> dict[int, set[int]]:
        """Return the classes that others are subclasses of, however far; blank ones left out."""
        given, parents = self._given, defaultdict(list)
        for predicate in self._schema.subclass:
            rows = (given.predicates == given.code(predicate)) & (given.kind < 0)
            pairs = zip(given.subjects[rows].tolist(), given.objects[rows].tolist(), strict=True)
            for below, parent in pairs:
                if not self.terms[parent].startswith("_:"):
                    parents[below].append(parent)
        above = {}
        for start in classes & parents.keys():
            reached = {*parents[start]}
            waiting = [*reached]
            while waiting:
                new = {*parents.get(waiting.pop(), ())} - reached
                reached |= new
                waiting += new
            above[start] = reached - {start}
        return above

    def _named(self) -> tuple[dict[int, int], dict[int, list[str]], dict[int, int]]:
        """Return label, other names and description of each entity, class and predicate.

        Those in the first language come first, then those of the first predicate, then by text.
        """
        given = self._given
        role = self._role[given.predicates[self._literals]]
        named = self._literals[role <= _DESCRIPTION]
        self._attributes = self._literals[role > _DESCRIPTION]
        named = named[np.array([bool(self.terms[c]) for c in given.objects[named].tolist()], bool)]
        texts = sorted({*given.objects[named].tolist()}, key=self.terms.__getitem__)
        by_text = np.zeros(len(self.terms), np.int64)
        by_text[texts] = np.arange(len(texts))
        rank, spoken = self._rank[given.predicates[named]], self._language[given.kind[named]]
        order = np.lexsort((by_text[given.objects[named]], rank, spoken, given.subjects[named]))
        named = named[order]
        role = self._role[given.predicates[named]]
        labels, descriptions = (self._first(named[role == r]) for r in (_LABEL, _DESCRIPTION))
        names: dict[int, list[str]] = defaultdict(list)
        others = named[role != _DESCRIPTION]
        columns = given.subjects[others].tolist(), given.objects[others].tolist()
        for subject, text in zip(*columns, strict=True):
            if labels.get(subject) != text:
                names[subject].append(self.terms[text])
        return labels, names, descriptions

    def _first(self, rows: Codes) -> dict[int, int]:
        """Return the text in the first of each subject's rows."""
        subjects = self._given.subjects[rows]
        first = rows[np.flatnonzero(np.diff(subjects, prepend=-1))]
        columns = self._given.subjects[first].tolist(), self._given.objects[first].tolist()
        return dict(zip(*columns, strict=True))

    def label(self, code: int) -> str:
        """Return the label of an entity, class or predicate, or nothing."""
        text = self._labels.get(code)
        return "" if text is None else self.terms[text]

    def records(self, codes: Codes) -> Iterator[EntityRecord]:
        """Yield what is known about entities."""
        types, attributes = self._types(), self._values()
        for code in codes.tolist():
            text = self._descriptions.get(code)
            yield EntityRecord(
                plain_key(self.terms[code]),
                self.label(code),
                self._names.get(code, ()),
                "" if text is None else self.terms[text],
                types.get(code, ()),
                attributes.get(code, {}),
            )

    def _types(self) -> Mapping[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        subjects, classes = self._typings
        known = {*classes.tolist()}
        nothing = {code for code in known if self.terms[code] in SAYS_NOTHING}
        names = {
            code: self.label(code) or readable_name(self.terms[code]) for code in known - nothing
        }
        for subject, one in zip(subjects.tolist(), classes.tolist(), strict=True):
            if one in names:
                found[subject].append(names[one])
        return found

    def _values(self) -> Mapping[int, dict[str, object]]:
        given, rows = self._given, self._attributes
        found: dict[int, dict[str, object]] = defaultdict(dict)
        columns = (given.subjects[rows], given.predicates[rows], given.objects[rows])
        read: dict[tuple[int, int], object] = {}
        names = {code: plain_key(self.terms[code]) for code in {*columns[1].tolist()}}
        lists = (column.tolist() for column in (*columns, given.kind[rows]))
        for subject, predicate, text, kind in zip(*lists, strict=True):
            if (text, kind) not in read:
                read[text, kind] = value_of(Literal(self.terms[text], *given.kinds[kind]))
            known, name = found[subject], names[predicate]
            value = read[text, kind]
            known[name] = _Several([*_values_of(known[name]), value]) if name in known else value
        for subject, aliases in given.aliases.items():
            known = found[subject]
            known[SAME_AS] = _Several([*_values_of(known.get(SAME_AS, _Several())), *aliases])
        return found

    def known(self) -> Codes:
        """Return everything that has a type, a name or an attribute."""
        given = self._given
        literals, aliases = given.subjects[given.kind >= 0], np.array([*given.aliases], np.int64)
        known = self._mask(self._typings[0], literals, aliases) & ~self._reified.mask
        return np.flatnonzero(known)

    def described(self) -> Codes:
        """Return the entities about which something is known, without the vocabulary.

        Of the vocabulary those classes count that have a name, and that neither an entity is of
        nor a predicate is: the terms of an ontology are what it is about, linked or not.
        """
        given, known = self._given, self.known()
        subjects, classes = self._typings
        linked, vocabulary = self._mask(), self._mask(classes, given.predicates[self._links])
        linked[given.subjects[self._links]] = linked[given.objects[self._links]] = True
        vocabulary[subjects[np.isin(classes, self._codes(META))]] = True
        classes_named = self._mask(subjects[np.isin(classes, self._codes(CLASSES))])
        named = self._mask(np.fromiter(self._labels, np.int64, len(self._labels)))
        used = self._mask(classes, given.predicates)
        terms = classes_named & named & ~used
        kept: Codes = known[(linked | ~vocabulary | terms)[known]]
        return kept

    def _codes(self, terms: Iterable[str]) -> list[int]:
        return [code for code in map(self._given.code, terms) if code >= 0]

    def _mask(self, *codes: Codes) -> Bool[np.ndarray, "term"]:
        mask = np.zeros(len(self.terms), bool)
        for some in codes:
            mask[some] = True
        return mask

    def _keys(self, mask: Bool[np.ndarray, "term"]) -> list[str]:
        return [plain_key(self.terms[code]) for code in np.flatnonzero(mask).tolist()]

    def fill(self, builder: GraphBuilder, graph_attribute: str | None = None) -> GraphBuilder:
        """Give all of it to a builder; the graph's name as an edge attribute if that has a name."""
        given = self._given
        for record in self.records(self.described()):
            builder.add_entity(record)
        columns = (given.subjects, given.predicates, given.objects)
        heads, relations, tails = (column[self._links] for column in columns)
        linked, linking = self._mask(heads, tails), self._mask(relations)
        triples = np.empty((3, len(heads)), np.int32)
        for place, (mask, column) in enumerate(
            ((linked, heads), (linking, relations), (linked, tails))
        ):
            triples[place] = (np.cumsum(mask) - 1)[column]
        for code in np.flatnonzero(linking).tolist():
            builder.add_relation(plain_key(self.terms[code]), self.label(code))
        attributes = self._edge_attributes()
        if graph_attribute is not None:
            graphs = given.graphs[self._links].tolist()
            attributes[graph_attribute] = [self.terms[graph] or None for graph in graphs]
        builder.add_coded_triples(self._keys(linked), self._keys(linking), triples, attributes)
        return builder

    def _edge_attributes(self) -> dict[str, list[Any]]:
        declared = [plain_key(self.terms[code]) for code in self._edge_names]
        missing: list[Any] = [None] * len(self._links)
        return dict.fromkeys(declared, missing) | self._reified.columns(
            self._edge_literals, plain_key
        )


class _Several(list[object]):
    """Values of one attribute, to tell them from a value that is a list."""


def _values_of(value: object) -> list[object]:
    return value if isinstance(value, _Several) else [value]
