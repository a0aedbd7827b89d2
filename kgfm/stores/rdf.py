"""Graphs from RDF: Turtle, N-Triples, RDF/XML, JSON-LD and others, or an rdflib graph."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kgfm.graph import EntityRecord, GraphBuilder, GraphSchema, KnowledgeGraph, local_name
from kgfm.graph.build import in_chunks
from kgfm.graph.schema import OWL, RDF, RDFS
from kgfm.storage import sha256
from kgfm.stores.blank_nodes import name_blank_nodes
from kgfm.stores.literals import Literal, value_of
from kgfm.stores.rdf_terms import SUFFIXES, Triple, read_file, read_rdflib, suffix_of

__all__ = ["SUFFIXES", "read"]

# What is of one of these types belongs to the vocabulary, not to what the graph is about.
_META = {
    *(RDFS + name for name in ("Class", "Datatype")),
    *[RDF + "Property"],
    *(
        OWL + name
        for name in (
            "Class",
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
_SAYS_NOTHING = {OWL + "Thing", OWL + "NamedIndividual", RDFS + "Resource"}
_NOTHING: frozenset[str] = frozenset()


def read(
    given: Any,
    /,
    *,
    schema: GraphSchema | None = None,
    format: str | None = None,
    base: str | None = None,
    source: Mapping[str, Any] | None = None,
) -> KnowledgeGraph:
    """Build a graph from RDF.

    A link from one IRI or blank node to another is a triple. A literal is a label, alias or
    description if the schema says so, else an attribute. Types name a kind of thing and are no
    entities, nor are predicates, unless they also stand in a triple. Blank nodes get keys from
    what is said about them; the manifest's ``source`` counts those that nothing tells apart.

    Args:
        given: A file, several files, or an ``rdflib.Graph``.
        schema: Names of the predicates, and the languages; see
            :class:`~kgfm.graph.GraphSchema`.
        format: A suffix such as ``"ttl"``, where that of the file does not tell.
        base: The IRI that relative IRIs in the files start from.
        source: What to remember of where the graph comes from; by default the files' hashes.

    Raises:
        ValueError: A file is malformed; the message names it and the line.
    """
    schema = schema or GraphSchema()
    origin: dict[str, Any] = {"store": "rdf"}
    if hasattr(given, "triples"):
        triples: Iterable[Triple] = read_rdflib(given)
    else:
        paths = [Path(given)] if isinstance(given, (str, Path)) else [Path(p) for p in given]
        suffixes = [suffix_of(path, format) for path in paths]
        origin["files"] = [{"file": path.name, "sha256": sha256(path)} for path in paths]
        triples = itertools.chain.from_iterable(
            read_file(path, suffix, base=base, scope=f"{number}.")
            for number, (path, suffix) in enumerate(zip(paths, suffixes, strict=True))
        )
    reader = _Reader(schema)
    origin["blank_node_ties"] = reader.read(triples)
    return KnowledgeGraph.from_builder(reader.finish(), origin if source is None else source)


class _Reader:
    """Sorts the triples of a source by what they do; links go to the builder as they come."""

    def __init__(self, schema: GraphSchema) -> None:
        self._schema = schema
        self._builder = GraphBuilder()
        self._types: dict[str, set[str]] = defaultdict(set)
        self._literals: dict[str, list[tuple[str, Literal]]] = defaultdict(list)

    def read(self, triples: Iterable[Triple]) -> int:
        """Take in triples; return how many blank nodes have a twin."""
        blank: list[Triple] = []
        self._link(self._others(_set_aside(triples, blank)))
        named, ties = name_blank_nodes(blank)
        self._link(self._others(named))
        return ties

    def _link(self, links: Iterable[tuple[str, str, str]]) -> None:
        for chunk in in_chunks(links):
            heads, relations, tails = zip(*chunk, strict=True)
            self._builder.add_triples(heads, relations, tails)

    def _others(self, triples: Iterable[Triple]) -> Iterator[tuple[str, str, str]]:
        """Keep types and literals, and let links pass."""
        types, ignored = {*self._schema.type}, {*self._schema.ignore}
        for subject, predicate, term in triples:
            if predicate in types:
                self._types[subject].add(term if isinstance(term, str) else term.lexical)
            elif isinstance(term, Literal):
                self._literals[subject].append((predicate, term))
            elif predicate not in ignored:
                yield subject, predicate, term

    def finish(self) -> GraphBuilder:
        """Add what is known about entities and relations, and return the builder."""
        make = _RecordMaker(self._schema)
        linked, predicates = self._builder.entity_keys, self._builder.relation_keys
        classes = {name for names in self._types.values() for name in names}
        meta = {key for key, names in self._types.items() if not names.isdisjoint(_META)}
        described = {*self._literals, *self._types}
        vocabulary = (classes | meta | {*predicates}) - {*linked}
        names = {key: make(key, self._literals.get(key, ())).label for key in classes}
        for predicate in predicates:
            label = make(predicate, self._literals.get(predicate, ())).label
            self._builder.add_relation(predicate, label)
        for key in described - vocabulary:
            record = make(key, self._literals.get(key, ()))
            types = self._types.get(key, _NOTHING) - _SAYS_NOTHING
            record.types = [names[name] or local_name(name) for name in types]
            self._builder.add_entity(record)
        return self._builder


def _set_aside(triples: Iterable[Triple], blank: list[Triple]) -> Iterator[Triple]:
    """Let triples pass; those with a blank node wait in ``blank``, since they need names."""
    for triple in triples:
        subject, _, term = triple
        if subject.startswith("_:") or (isinstance(term, str) and term.startswith("_:")):
            blank.append(triple)
        else:
            yield triple


class _RecordMaker:
    """Makes a record of the literals of one subject."""

    def __init__(self, schema: GraphSchema) -> None:
        self._schema = schema
        self._rank = {
            predicate: (role, rank)
            for role in ("label", "alias", "description")
            for rank, predicate in enumerate(getattr(schema, role))
        }

    def __call__(self, key: str, literals: Iterable[tuple[str, Literal]]) -> EntityRecord:
        named: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        attributes: dict[str, list[Any]] = defaultdict(list)
        for predicate, literal in literals:
            language = self._schema.language_rank(literal.language)
            if language is None:
                continue
            role, rank = self._rank.get(predicate, ("", 0))
            if not role:
                attributes[predicate].append(value_of(literal))
            elif literal.lexical:
                named[role].append((language, rank, literal.lexical))
        labels = [text for *_, text in sorted(named["label"])] or [""]
        descriptions = [text for *_, text in sorted(named["description"])] or [""]
        aliases = [*labels[1:], *(text for *_, text in named["alias"])]
        return EntityRecord(key, labels[0], aliases, descriptions[0], (), attributes)


def describe(triples: Iterable[Triple], schema: GraphSchema) -> dict[str, EntityRecord]:
    """Return what triples say about each of their subjects, as a snapshot would name it."""
    reader = _Reader(schema)
    for _ in reader._others(triples):
        pass
    make, known = _RecordMaker(schema), reader._literals
    records = {key: make(key, known.get(key, ())) for key in {*known, *reader._types}}
    for key, types in reader._types.items():
        named = {name: make(name, known.get(name, ())).label for name in types - _SAYS_NOTHING}
        records[key].types = [label or local_name(name) for name, label in named.items()]
    return records
