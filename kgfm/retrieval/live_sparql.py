"""What a live retriever asks, as SPARQL."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from kgfm.graph import EntityRecord, GraphSchema
from kgfm.retrieval.recent import RecentCache
from kgfm.retrieval.server import GraphServer, Neighbour, Triple
from kgfm.stores import rdf
from kgfm.stores.literals import Literal
from kgfm.stores.sparql import AnswerTooLargeError, Endpoint
from kgfm.stores.sparql.terms import Term, iri, iris, is_iri

_LONG = 1_000  # entries of a row from which on the server orders and cuts it


class SparqlServer(GraphServer):
    """A SPARQL 1.1 endpoint as the server of a :class:`kgfm.retrieval.LiveGraph`.

    The row of a hub is ordered and cut inside the server where it knows ``LATERAL`` (Oxigraph,
    Jena; https://github.com/w3c/sparql-dev/blob/main/SEP/SEP-0006/sep-0006.md). Other servers send
    rows whole and then count the degrees in them, so a hop costs two questions, and rows are cut
    here; at a hub that may pass the deadline or the endpoint's ``max_bytes``.

    Blank nodes have no names that outlive an answer, so they are no neighbours here, though they
    count in the degrees; a graph whose blank nodes matter needs a snapshot. Keys that are no IRIs
    are unknown to the server and are not sent.

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
        self._no_links = tuple(filter(is_iri, (*self.schema.type, *self.schema.ignore)))

    def neighbours(
        self,
        entities: Sequence[str],
        *,
        limit: int | None,
        without: Collection[str],
        timeout: float,
    ) -> Mapping[str, Sequence[Neighbour]]:
        known = [key for key in entities if is_iri(key)]
        if not known:
            return {}
        rows = None
        if self.lateral:
            try:
                rows = self._capped_rows(known, limit, without, timeout)
            except AnswerTooLargeError:
                raise
            except ValueError:  # it cannot read the query
                self.lateral = False
        if rows is None:
            rows = self._whole_rows(known, without, timeout)
        for row in rows.values():
            for entry in row:
                self._degrees.put(entry.key, entry.degree)
        return {entity: row[:limit] for entity, row in rows.items()}

    def _capped_rows(
        self, entities: Sequence[str], limit: int | None, without: Collection[str], timeout: float
    ) -> dict[str, list[Neighbour]]:
        """Ask for rows that the server orders and cuts where they are long.

        A row of up to ``_LONG`` entries comes whole, and the degree of each distinct neighbour is
        counted once. To order a hub's row inside, the server counts each entry's degree anew, so
        that is for the rows that need it: the known hubs, and those whose row turns out longer.
        """
        ends = time.monotonic() + timeout
        if limit is None:
            return self._rows(self._short_rows(entities, without, None)[0], timeout)[0]
        long = max(_LONG, limit)
        hubs = [key for key in entities if (self._degrees.get(key) or 0) > long]
        others = sorted({*entities}.difference(hubs))
        parts = [*self._short_rows(others, without, long + 1)] if others else []
        parts += [self._long_rows(hubs, limit, without)] if hubs else []
        whole = " UNION ".join(f"{{ {part} }}" for part in parts)
        rows, lengths = self._rows(f"SELECT ?e ?d ?r ?i ?n WHERE {{ {whole} }}", timeout)
        cut = [key for key in others if lengths.get(key, 0) > long]
        if cut:
            for key in cut:
                self._degrees.put(key, long + 1)
            left = max(0.001, ends - time.monotonic())
            rows |= self._rows(self._long_rows(cut, limit, without), left)[0]
        return rows

    def _rows(
        self, query: str, timeout: float
    ) -> tuple[dict[str, list[Neighbour]], dict[str, int]]:
        """Return rows in order, and the lengths that the answer also tells of some."""
        rows: dict[str, list[Neighbour]] = defaultdict(list)
        lengths: dict[str, int] = {}
        for row in self._ask(query, timeout):
            entity, number = _text(row[0]), int(_text(row[1]))
            if row[4] is None:
                lengths[entity] = number
            else:
                relation, inward, key = map(_text, row[2:])
                rows[entity].append(Neighbour(number, relation, inward == "1", key))
        return {entity: sorted(row) for entity, row in rows.items()}, lengths

    def _whole_rows(
        self, entities: Sequence[str], without: Collection[str], timeout: float
    ) -> dict[str, list[Neighbour]]:
        """Ask for rows, then for the degrees in them.

        Both in one question is valid SPARQL, but Virtuoso 7 answers the join of two unions wrongly.
        """
        ends = time.monotonic() + timeout
        values = f"VALUES ?e {{ {iris(entities)} }}"
        query = f"SELECT ?e ?r ?i ?n WHERE {{ {values} {{ {self._row(without)} }} }}"
        found = {tuple(map(_text, row)) for row in self._ask(query, timeout)}
        neighbours = sorted({key for *_, key in found if is_iri(key)})
        if not neighbours:
            return {}
        values = f"VALUES ?n {{ {iris(neighbours)} }}"
        query = (
            f"SELECT ?n (COUNT(*) AS ?d) WHERE {{ {values} {{ {self._all_links()} }} }} GROUP BY ?n"
        )
        left = max(0.001, ends - time.monotonic())
        degree = {_text(key): int(_text(count)) for key, count in self._ask(query, left)}
        rows: dict[str, list[Neighbour]] = defaultdict(list)
        for entity, relation, inward, key in found:
            if key in degree:
                rows[entity].append(Neighbour(degree[key], relation, inward == "1", key))
        return {entity: sorted(row) for entity, row in rows.items()}

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
        links = self._not_in("?q", self._no_links)
        return (
            f"{{ ?n ?q ?x FILTER(!isLiteral(?x) {links}) }} UNION "
            f"{{ ?y ?q ?n FILTER(!isLiteral(?n) {links}) }}"
        )

    def _not_in(self, variable: str, predicates: Iterable[str]) -> str:
        listed = ", ".join(iri(key) for key in predicates if is_iri(key))
        return f"&& {variable} NOT IN ({listed})" if listed else ""

    def triples_among(
        self, groups: Sequence[Sequence[str]], *, timeout: float
    ) -> Sequence[Iterable[Triple]]:
        known = sorted({key for group in groups for key in group if is_iri(key)})
        if not known:
            return [[] for _ in groups]
        links = f"FILTER(isIRI(?t) {self._not_in('?r', self._no_links)})"
        values = iris(known)
        query = (
            f"SELECT ?h ?r ?t WHERE {{ {{ SELECT ?h ?r ?t WHERE {{ VALUES ?h {{ {values} }} "
            f"?h ?r ?t {links} }} }} VALUES ?t {{ {values} }} }}"
        )
        by_head: dict[str, set[Triple]] = defaultdict(set)
        for row in self._ask(query, timeout):
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
        schema = self.schema
        known = [key for key in (*entities, *relations) if is_iri(key)]
        if not known:
            return {}, {}
        names = [*filter(is_iri, (*schema.label, *schema.alias, *schema.description))]
        types = [*filter(is_iri, schema.type)]
        # FILTER, not VALUES: the server has to go from the subjects to what is said about them.
        named = ", ".join(map(iri, names))
        listed = ", ".join(map(iri, [*names, *types]))
        values = iris(known)
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
        query = f"SELECT ?s ?p ?o WHERE {{ {' UNION '.join(parts)} }}"
        said = {(str(s), str(p), o) for s, p, o in self._ask(query, timeout) if o is not None}
        records = rdf.describe(said, schema)
        labels = {key: records[key].label for key in relations if key in records}
        return {key: records[key] for key in entities if key in records}, labels

    def _ask(self, query: str, timeout: float) -> list[tuple[Term | None, ...]]:
        return self.endpoint.select(query, timeout=timeout, within=timeout)

    def close(self) -> None:
        """Give the connections back."""
        self.endpoint.close()

    def __repr__(self) -> str:
        return f"SparqlServer({self.endpoint.url!r})"


def _text(term: Term | None) -> str:
    """Return the IRI, or the text of a literal."""
    return term.lexical if isinstance(term, Literal) else str(term)
