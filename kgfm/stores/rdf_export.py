"""Graphs as RDF, such that :mod:`kgfm.stores.rdf` reads the same snapshot back."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote

import numpy as np

from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.graph.schema import RDF, RDFS, SKOS
from kgfm.storage import replacing
from kgfm.stores.literals import XSD, time_type
from kgfm.stores.rdf_meaning import META, OWN, SAYS_NOTHING
from kgfm.stores.rdf_reified import EDGE_ATTRIBUTE, PARTS, STATEMENT
from kgfm.stores.records import edge_values

if TYPE_CHECKING:
    from pyoxigraph import Literal, NamedNode, Triple

FORMATS = ("nt", "ttl")
_PREFIXES = {"rdf": RDF, "rdfs": RDFS, "skos": SKOS, "xsd": XSD}
# What stays as it is; anything else is written under urn:kgfm:.
_IRI = re.compile(r"[a-z][a-z0-9+.-]*:[^\x00-\x20<>\"{}|^`\\]+")


def write(graph: KnowledgeGraph, path: str | Path) -> Path:
    """Write a graph as N-Triples (``.nt``) or Turtle (``.ttl``), packed if ``.gz`` follows.

    ``KnowledgeGraph.from_rdf(path)``, without a schema, gives the same snapshot to the byte.
    Labels, aliases and descriptions become ``rdfs:label``, ``skos:altLabel`` and ``rdfs:comment``;
    a type becomes a class of that label. A key that is no IRI, and a predicate that would be taken
    for another thing, are written as IRIs that begin with ``urn:kgfm:`` and read back as they were,
    and so are blank nodes. Beside a triple with attributes stands a reified statement that has
    them, ``urn:kgfm:triple:...``; their predicates are ``urn:kgfm:vocabulary:EdgeAttribute``.
    The file is the old one or the new one, whatever happens.

    Returns:
        The path.

    Raises:
        ValueError: The suffix is another.
    """
    import pyoxigraph as ox

    path = Path(path)
    name = path.with_suffix("") if path.suffix == ".gz" else path
    suffix = name.suffix.lstrip(".").lower()
    if suffix not in FORMATS:
        raise ValueError(f"{path} ends in {name.suffix!r}; RDF is written as .nt or .ttl, or .gz.")
    prefixes = _PREFIXES if suffix == "ttl" else None
    with replacing(path) as file, ExitStack() as stack:
        target: Any = file
        if path.suffix == ".gz":
            target = gzip.GzipFile("", "wb", fileobj=file, mtime=0)
            stack.enter_context(target)
        format = ox.RdfFormat.from_extension(suffix)
        ox.serialize(_Writer(graph).triples(), cast(IO[bytes], target), format, prefixes=prefixes)
    return path


def iri_of(key: str, kind: str) -> str:
    """Return the IRI that a key is written as: itself if it is one and means nothing else.

    >>> iri_of("http://example.org/Heat", "key"), iri_of("AC/DC", "key")
    ('http://example.org/Heat', 'urn:kgfm:key:AC%2FDC')
    """
    from pyoxigraph import NamedNode

    if _IRI.fullmatch(key) and not key.startswith(OWN) and key not in META | SAYS_NOTHING:
        try:
            return str(NamedNode(key).value)
        except ValueError:
            pass
    return own_iri(key, kind)


def own_iri(key: str, kind: str) -> str:
    """Return the IRI under ``urn:kgfm:`` that reads back as a key."""
    return f"{OWN}{kind}:{quote(key, safe='')}"


def taken_names() -> frozenset[str]:
    """Return the names that mean something else as predicates, and are written otherwise."""
    schema = GraphSchema()
    roles = schema.label, schema.alias, schema.description, schema.type, schema.ignore
    return frozenset(name for role in (*roles, schema.subclass) for name in role)


class _Writer:
    """Makes the triples of a graph, those of a subject together."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        from pyoxigraph import Literal, NamedNode, Triple

        self._graph = graph
        self._node, self._text, self._triple = NamedNode, Literal, Triple
        self._taken = taken_names()
        self._label, self._alias = NamedNode(RDFS + "label"), NamedNode(SKOS + "altLabel")
        self._description, self._type = NamedNode(RDFS + "comment"), NamedNode(RDF + "type")
        self._thing = NamedNode(RDFS + "Resource")
        keys = list(graph.keys)
        known = {*keys}
        self._entities = [self._named(key, "key") for key in keys]
        taken = known | self._taken
        self._relations = [
            self._own(key, "relation") if key in taken else self._named(key, "key")
            for key in graph.relation_keys
        ]
        self._edge_names = {
            name: self._own(name, "attribute")
            if name in taken or not name
            else self._named(name, "attribute")
            for name in graph.edge_attributes
        }
        self._parts = [NamedNode(part) for part in PARTS]
        self._statement = NamedNode(STATEMENT)

    def _named(self, key: str, kind: str) -> NamedNode:
        return self._node(iri_of(key, kind))

    def _own(self, key: str, kind: str) -> NamedNode:
        return self._node(own_iri(key, kind))

    def triples(self) -> Iterator[Triple]:
        """Yield all triples."""
        graph = self._graph
        for name in sorted({name for row in range(len(graph)) for name in graph.types(row)}):
            yield self._triple(self._own(name, "type"), self._label, self._text(name))
        for row in np.flatnonzero(graph.relation_labelled).tolist():
            label = self._text(graph.relation_labels[row])
            yield self._triple(self._relations[row], self._label, label)
        for predicate in self._edge_names.values():
            yield self._triple(predicate, self._type, self._node(EDGE_ATTRIBUTE))
        starts = graph.out_indptr.tolist()
        for row, entity in enumerate(self._entities):
            for predicate, value in self._about(row):
                yield self._triple(entity, predicate, value)
            places = range(starts[row], starts[row + 1])
            for place in places:
                relation, tail = int(graph.relations[place]), int(graph.tails[place])
                yield self._triple(entity, self._relations[relation], self._entities[tail])
            yield from self._reified(places)

    def _reified(self, places: range) -> Iterator[Triple]:
        """Yield what is known about triples: each as a statement with its attributes."""
        graph = self._graph
        columns = edge_values(graph, places)
        for number, place in enumerate(places):
            values = {name: column[number] for name, column in columns.items()}
            if all(value is None for value in values.values()):
                continue
            rows = int(graph.heads[place]), int(graph.relations[place]), int(graph.tails[place])
            terms = [
                kind[row]
                for kind, row in zip(
                    (self._entities, self._relations, self._entities), rows, strict=True
                )
            ]
            line = " ".join(map(str, terms)).encode()
            node = self._node(f"{OWN}triple:{hashlib.sha256(line).hexdigest()[:32]}")
            yield self._triple(node, self._type, self._statement)
            for part, term in zip(self._parts, terms, strict=True):
                yield self._triple(node, part, term)
            for name, value in values.items():
                if value is not None:
                    yield self._triple(node, self._edge_names[name], self._literal(value))

    def _about(self, row: int) -> Iterable[tuple[NamedNode, NamedNode | Literal]]:
        """Return what is known about an entity; that it is a thing, if nothing else is."""
        graph = self._graph
        names = graph.names(row)
        said: list[tuple[NamedNode, NamedNode | Literal]] = []
        if graph.labelled[row]:
            said.append((self._label, self._text(graph.labels[row])))
        aliases = names[1:] if graph.labels[row] else names
        said += [(self._alias, self._text(alias)) for alias in aliases]
        if graph.descriptions[row]:
            said.append((self._description, self._text(graph.descriptions[row])))
        said += [(self._type, self._own(name, "type")) for name in graph.types(row)]
        said += self._attributes(graph.attributes(row))
        return said or ([] if graph.degree[row] else [(self._type, self._thing)])

    def _attributes(self, found: Mapping[str, Any]) -> Iterator[tuple[NamedNode, Literal]]:
        for name, value in found.items():
            own = name in self._taken or not name
            predicate = self._own(name, "attribute") if own else self._named(name, "attribute")
            for one in value if isinstance(value, list) else [value]:
                yield predicate, self._literal(one)

    def _literal(self, value: Any) -> Literal:
        if isinstance(value, list):
            return self._text(json.dumps(value), datatype=self._node(RDF + "JSON"))
        if isinstance(value, str):
            datatype = time_type(value)
            return self._text(value, datatype=self._node(datatype) if datatype else None)
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        kinds = {bool: "boolean", int: "integer", float: "double"}
        return self._text(text, datatype=self._node(XSD + kinds[type(value)]))
