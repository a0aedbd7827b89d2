"""What a live retriever asks, as SPARQL."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar

from kgfm.graph import EntityRecord, GraphSchema
from kgfm.retrieval.recent import RecentCache
from kgfm.retrieval.server import Around, GraphServer, Link, Neighbour, Triple
from kgfm.stores import rdf
from kgfm.stores.literals import Literal
from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql import AnswerTooLargeError, Endpoint
from kgfm.stores.sparql.endpoint import Row
from kgfm.stores.sparql.terms import Term, iri, iris, is_iri

T = TypeVar("T")

_NO_PREDICATE = "urn:kgfm:no-predicate"
_LONG = 1_000  # entries of a row from which on the server orders and cuts it


class SparqlServer(GraphServer):
    """A SPARQL 1.1 endpoint as the server of a :class:`kgfm.retrieval.LiveGraph`.

    The row of a hub is ordered and cut inside the server where it knows ``LATERAL`` (Oxigraph,
    Jena; https://github.com/w3c/sparql-dev/blob/main/SEP/SEP-0006/sep-0006.md). Other servers send
    rows whole, and they are cut here; a hub may then pass the deadline, the endpoint's
    ``max_bytes`` or the server's own limit. What is too large for one answer is asked for in
    halves, and for a single entity is :class:`~kgfm.stores.server.ServerUnavailableError`. Two hops
    cost four questions, and the first of all another where the server does not know ``LATERAL``.

    The deadline is kept here. So that the server stops working too, tell it: Virtuoso takes
    ``server_timeout=("timeout", 1000.0)``, Oxigraph is started with ``--timeout-s``.

    Blank nodes have no names that outlive an answer, so they are no neighbours here, though they
    count in the degrees (not in those of walks); a graph whose blank nodes matter needs a snapshot.
    Keys that are no IRIs are unknown to the server and are not sent.

    Args:
        endpoint: The address, or an endpoint made ready.
        schema: What predicates mean, as for a snapshot.
        options: Of :class:`kgfm.stores.sparql.Endpoint`, such as ``auth`` and ``graph``.
    """

    def __init__(
        self, endpoint: str | Endpoint, *, schema: GraphSchema | None = None, **options: Any
    ) -> None:
        if not isinstance(endpoint, Endpoint):
            endpoint = Endpoint(endpoint, **options)
        self.endpoint = endpoint
        self.schema = schema or GraphSchema()
        self.lateral = True
        """Whether the server is thought to know ``LATERAL``; it is asked once."""
        self._degrees: RecentCache[str, int] = RecentCache(100_000, 600.0)
        no_links = filter(is_iri, (*self.schema.type, *self.schema.ignore))
        # Virtuoso 7 fails at a filter of isIRI alone in what is counted.
        self._no_links = tuple(no_links) or (_NO_PREDICATE,)

    def neighbours(
        self,
        entities: Sequence[str],
        *,
        limit: int | None,
        without: Collection[str],
        timeout: float,
    ) -> Mapping[str, Sequence[Neighbour]]:
        ends = time.monotonic() + timeout
        known = [key for key in entities if is_iri(key)]
        rows: dict[str, list[Neighbour]] = {}
        for found in _in_halves(known, lambda some: self._rows_of(some, limit, without, ends)):
            rows |= found
        for row in rows.values():
            for entry in row:
                self._degrees.put(entry.key, entry.degree)
        return {entity: row[:limit] for entity, row in rows.items()}

    def _rows_of(
        self, entities: Sequence[str], limit: int | None, without: Collection[str], ends: float
    ) -> dict[str, list[Neighbour]]:
        if self.lateral:
            try:
                return self._capped_rows(entities, limit, without, ends)
            except AnswerTooLargeError:
                raise
            except ValueError:  # it cannot read the query
                self.lateral = False
        return self._whole_rows(entities, without, ends)

    def _capped_rows(
        self, entities: Sequence[str], limit: int | None, without: Collection[str], ends: float
    ) -> dict[str, list[Neighbour]]:
        """Ask for rows that the server orders and cuts where they are long.

        A row of up to ``_LONG`` entries comes whole, and the degree of each distinct neighbour is
        counted once. To order a hub's row inside, the server counts each entry's degree anew, so
        that is for the rows that need it: the known hubs, and those whose row turns out longer.
        """
        if limit is None:
            return self._rows(self._short_rows(entities, without, None)[0], ends)[0]
        long = max(_LONG, limit)
        hubs = [key for key in entities if (self._degrees.get(key) or 0) > long]
        others = sorted({*entities}.difference(hubs))
        parts = [*self._short_rows(others, without, long + 1)] if others else []
        parts += [self._long_rows(hubs, limit, without)] if hubs else []
        whole = " UNION ".join(f"{{ {part} }}" for part in parts)
        rows, lengths = self._rows(f"SELECT ?e ?d ?r ?i ?n WHERE {{ {whole} }}", ends)
        cut = [key for key in others if lengths.get(key, 0) > long]
        if cut:
            for key in cut:
                self._degrees.put(key, long + 1)
            rows |= self._rows(self._long_rows(cut, limit, without), ends)[0]
        return rows

    def _rows(self, query: str, ends: float) -> tuple[dict[str, list[Neighbour]], dict[str, int]]:
        """Return rows in order, and the lengths that the answer also tells of some."""
        rows: dict[str, list[Neighbour]] = defaultdict(list)
        lengths: dict[str, int] = {}
        for row in self._ask(query, ends):
            entity, number = _text(row[0]), int(_text(row[1]))
            if row[4] is None:
                lengths[entity] = number
            else:
                relation, inward, key = map(_text, row[2:])
                rows[entity].append(Neighbour(number, relation, inward == "1", key))
        return {entity: sorted(row) for entity, row in rows.items()}, lengths

    def _whole_rows(
        self, entities: Sequence[str], without: Collection[str], ends: float
    ) -> dict[str, list[Neighbour]]:
        """Ask for rows and the degrees in them, all of them.

        The degrees stand in the union beside the rows and are put to them here: their join is valid
        SPARQL, but Virtuoso 7 answers the join of two unions wrongly.
        """
        row = f"VALUES ?e {{ {iris(entities)} }} {{ {self._row(without)} }}"
        near = f"SELECT DISTINCT ?n WHERE {{ {row} }}"
        counts = " UNION ".join(
            f"{{ SELECT ?n (COUNT(*) AS ?d) WHERE {{ {{ {near} }} {links} }} GROUP BY ?n }}"
            for links in self._links_of_both_ways()
        )
        query = f"SELECT ?e ?r ?i ?n ?d WHERE {{ {{ {row} }} UNION {counts} }}"
        degree: dict[str, int] = defaultdict(int)
        found = set()
        for entity, relation, inward, key, count in self._ask(query, ends):
            if entity is None:
                degree[_text(key)] += int(_text(count))
            else:
                found.add((_text(entity), _text(relation), _text(inward) == "1", _text(key)))
        rows: dict[str, list[Neighbour]] = defaultdict(list)
        for name, link, back, other in found:
            rows[name].append(Neighbour(degree[other], link, back, other))
        return {name: sorted(row) for name, row in rows.items()}

    def _short_rows(
        self, entities: Sequence[str], without: Collection[str], longest: int | None
    ) -> tuple[str, str]:
        """Queries for rows with the degrees, and for their lengths; ``longest`` entries of each.

        The lengths say which rows are longer. Of those the first query has any entries, perhaps
        not even ``longest``, since the server may choose others where it counts degrees.
        """
        values = f"VALUES ?e {{ {iris(entities)} }}"
        most = "" if longest is None else f"LIMIT {int(longest)}"
        row = f"SELECT ?e ?r ?i ?n WHERE {{ {self._row(without)} }} {most}"
        rows = f"SELECT ?e ?r ?i ?n WHERE {{ {values} LATERAL {{ {row} }} }}"
        distinct = f"SELECT DISTINCT ?n WHERE {{ {{ {rows} }} }}"
        degrees = (
            f"SELECT ?n (COUNT(*) AS ?d) WHERE {{ {{ {distinct} }} "
            f"LATERAL {{ {self._all_links()} }} }} GROUP BY ?n"
        )
        return (
            f"SELECT ?e ?d ?r ?i ?n WHERE {{ {{ {rows} }} {{ {degrees} }} }}",
            f"SELECT ?e (COUNT(*) AS ?d) WHERE {{ {{ {rows} }} }} GROUP BY ?e",
        )

    def _long_rows(self, entities: Sequence[str], limit: int, without: Collection[str]) -> str:
        """Query for rows that are ordered and cut inside."""
        return (
            f"SELECT ?e ?d ?r ?i ?n WHERE {{ VALUES ?e {{ {iris(entities)} }} LATERAL {{ "
            f"SELECT ?e ?d ?r ?i ?n WHERE {{ {self._row(without)} LATERAL {{ "
            f"SELECT ?n (COUNT(*) AS ?d) WHERE {{ {self._all_links()} }} GROUP BY ?n }} }} "
            f"ORDER BY ?d STR(?r) ?i STR(?n) LIMIT {int(limit)} }} }}"
        )

    def _row(self, without: Collection[str]) -> str:
        """Pattern of the links of ``?e`` to ``?n`` and from it."""
        shown = f"FILTER(isIRI(?n) {self._not_in('?r', (*self._no_links, *without))})"
        return f"{{ ?e ?r ?n BIND(0 AS ?i) {shown} }} UNION {{ ?n ?r ?e BIND(1 AS ?i) {shown} }}"

    def _all_links(self) -> str:
        """Pattern with one solution for each link of ``?n`` and to it."""
        return " UNION ".join(f"{{ {links} }}" for links in self._links_of_both_ways())

    def _links_of_both_ways(self) -> tuple[str, str]:
        links = self._not_in("?q", self._no_links)
        return (
            f"?n ?q ?x FILTER(!isLiteral(?x) {links})",
            f"?y ?q ?n FILTER(!isLiteral(?n) {links})",
        )

    def _not_in(self, variable: str, predicates: Iterable[str]) -> str:
        listed = ", ".join(iri(key) for key in predicates if is_iri(key))
        return f"&& {variable} NOT IN ({listed})" if listed else ""

    def around(
        self, entities: Sequence[str], *, longest: int, timeout: float
    ) -> Mapping[str, Around]:
        ends = time.monotonic() + timeout

        def ask(some: Sequence[str]) -> dict[str, Around]:
            try:
                return self._around(some, longest, ends)
            except AnswerTooLargeError:
                if len(some) > 1:
                    raise
                return {some[0]: Around(None)}

        known = [key for key in entities if is_iri(key)]
        return {key: one for found in _in_halves(known, ask) for key, one in found.items()}

    def _around(self, entities: Sequence[str], longest: int, ends: float) -> dict[str, Around]:
        try:
            rows = self._ask(self._links_and_values(entities, longest), ends)
        except AnswerTooLargeError:
            raise
        except ValueError:  # it cannot read the query
            if not self.lateral:
                raise
            self.lateral = False
            rows = self._ask(self._links_and_values(entities, longest), ends)
        links: dict[str, set[Link]] = {key: set() for key in entities}
        said = []
        for entity, relation, inward, other in rows:
            if inward is None:
                said.append((_text(entity), _text(relation), other or ""))
            else:
                links[_text(entity)].add((_text(relation), _text(inward) == "1", _text(other)))
        records = rdf.describe(said, self.schema)
        return {
            key: Around(
                None if len(own) > longest else [*own],
                records[key].attributes if key in records else {},
            )
            for key, own in links.items()
        }

    def _links_and_values(self, entities: Sequence[str], longest: int) -> str:
        """Query for links, to one more than ``longest`` of each, and literals that are no names."""
        values, row = f"VALUES ?e {{ {iris(entities)} }}", self._row(())
        if self.lateral:
            row = f"LATERAL {{ SELECT ?e ?r ?i ?n WHERE {{ {row} }} LIMIT {int(longest) + 1} }}"
        names = self.schema.label + self.schema.alias + self.schema.description
        literals = f"?e ?r ?n FILTER(isLiteral(?n) {self._not_in('?r', names)})"
        return (
            f"SELECT ?e ?r ?i ?n WHERE {{ {{ {values} {row} }} UNION {{ {values} {literals} }} }}"
        )

    def triples_among(
        self, groups: Sequence[Sequence[str]], *, timeout: float
    ) -> Sequence[Iterable[Triple]]:
        ends = time.monotonic() + timeout
        known = sorted({key for group in groups for key in group if is_iri(key)})
        links = f"FILTER(isIRI(?t) {self._not_in('?r', self._no_links)})"
        tails = iris(known)

        def ask(heads: Sequence[str]) -> list[Row]:
            values = f"VALUES ?h {{ {iris(heads)} }}"
            inner = f"SELECT ?h ?r ?t WHERE {{ {values} ?h ?r ?t {links} }}"
            query = f"SELECT ?h ?r ?t WHERE {{ {{ {inner} }} VALUES ?t {{ {tails} }} }}"
            return self._ask(query, ends)

        by_head: dict[str, set[Triple]] = defaultdict(set)
        for row in chain.from_iterable(_in_halves(known, ask)):
            head, relation, tail = map(_text, row)
            by_head[head].add((head, relation, tail))
        sets = [{*group} for group in groups]
        return [
            [t for head in group if head in by_head for t in by_head[head] if t[2] in group]
            for group in sets
        ]

    def describe(
        self, entities: Sequence[str], relations: Sequence[str], *, timeout: float
    ) -> tuple[Mapping[str, EntityRecord], Mapping[str, str]]:
        ends = time.monotonic() + timeout
        known = [*dict.fromkeys(filter(is_iri, (*entities, *relations)))]
        answers = _in_halves(known, lambda some: self._ask(self._names_of(some), ends))
        rows = chain.from_iterable(answers)
        said = {(str(s), str(p), o) for s, p, o in rows if o is not None}
        records = rdf.describe(said, self.schema)
        labels = {key: records[key].label for key in relations if key in records}
        return {key: records[key] for key in entities if key in records}, labels

    def _names_of(self, keys: Sequence[str]) -> str:
        """Query for names and types of entities and relations, and for the names of the types."""
        schema = self.schema
        names = [*filter(is_iri, (*schema.label, *schema.alias, *schema.description))]
        types = [*filter(is_iri, schema.type)]
        # FILTER, not VALUES: the server has to go from the subjects to what is said about them.
        named = ", ".join(map(iri, names))
        listed = ", ".join(map(iri, [*names, *types]))
        values = iris(keys)
        parts = [f"{{ VALUES ?s {{ {values} }} ?s ?p ?o FILTER(?p IN ({listed})) }}"]
        if types:  # and what the types are called, and those above them
            above = [*map(iri, filter(is_iri, schema.subclass))]
            climb = f"?t ({'|'.join(above)})* ?s" if above else "BIND(?t AS ?s)"
            kinds = (
                f"SELECT DISTINCT ?s WHERE {{ VALUES ?k {{ {values} }} ?k ?a ?t "
                f"FILTER(isIRI(?t) && ?a IN ({', '.join(map(iri, types))})) {climb} }}"
            )
            wanted = ", ".join([named, *above])
            parts.append(f"{{ {{ {kinds} }} ?s ?p ?o FILTER(?p IN ({wanted})) }}")
        return f"SELECT ?s ?p ?o WHERE {{ {' UNION '.join(parts)} }}"

    def _ask(self, query: str, ends: float) -> list[Row]:
        left = max(0.001, ends - time.monotonic())
        return self.endpoint.select(query, timeout=left, within=left)

    def close(self) -> None:
        """Give the connections back."""
        self.endpoint.close()

    def __repr__(self) -> str:
        return f"SparqlServer({self.endpoint.url!r})"


def _in_halves(keys: Sequence[str], ask: Callable[[Sequence[str]], T]) -> Iterator[T]:
    """Yield the answer for keys, or those for halves of them where it would be too large.

    Raises:
        ServerUnavailableError: The server does not give the answer for a single key.
    """
    if not keys:
        return
    try:
        answer = ask(keys)
    except AnswerTooLargeError as error:
        if len(keys) == 1:
            raise ServerUnavailableError(str(error)) from None
        middle = len(keys) // 2
        yield from _in_halves(keys[:middle], ask)
        yield from _in_halves(keys[middle:], ask)
    else:
        yield answer


def _text(term: Term | None) -> str:
    """Return the IRI, or the text of a literal."""
    return term.lexical if isinstance(term, Literal) else str(term)
