"""What a live retriever asks, as Cypher."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from kgfm.graph import EntityRecord
from kgfm.retrieval.server import Around, GraphServer, Link, Neighbour, Triple
from kgfm.stores.neo4j import Neo4jMapping, Server, inspect
from kgfm.stores.neo4j.cypher import RELATION, Vocabulary, stored_name
from kgfm.stores.neo4j.inspection import create_constraint
from kgfm.stores.neo4j.mapping import NodeRecords
from kgfm.stores.neo4j.rows import plain_properties
from kgfm.stores.neo4j.server import list_of
from kgfm.stores.server import ServerUnavailableError

_ALL = 2**62


class Neo4jServer(GraphServer):
    """A Neo4j database as the server of a :class:`kgfm.retrieval.LiveGraph`.

    Rows of neighbours are ordered and cut inside the server. The schema is asked for once, when
    this object is made; after that two hops cost four questions, all of them read transactions.

    Args:
        server: The address, or a connection made ready.
        mapping: What becomes what, as for a snapshot (its manifest remembers it); guessed if
            ``None``.
        unique: Whether the server holds no relationship twice (same ends, same type). Degrees then
            come from its own counts; otherwise it has to look at each neighbour's relationships.
            ``None`` takes that as given where kgfm wrote the graph.
        options: Of :class:`kgfm.stores.neo4j.Server`, such as ``auth`` and ``database``; the
            deadline is two seconds unless it says otherwise.

    Raises:
        ValueError: The key of a label has no index; the message says which to create.
        ServerUnavailableError: No server answers.
        PermissionError: It refuses the login.
    """

    def __init__(
        self,
        server: str | Server,
        *,
        mapping: Neo4jMapping | None = None,
        unique: bool | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(server, Server):
            server = Server(server, **{"deadline": 2.0, **options})
        self.server = server
        self.questions = 0
        """Number of questions so far, those about the schema excepted."""
        self._mapping = mapping or inspect(server)
        known = Vocabulary.of(server)
        self._mapping.check(known)
        self._check_indexes()
        self._labels = list(self._mapping.nodes)
        relations = self._mapping.relations
        self._types = known.any_relation(relations) if relations else None
        unique = self._mapping.own if unique is None else unique
        self._counts = unique and self._is_closed()

    def __repr__(self) -> str:
        return f"Neo4jServer({self.server.place!r})"

    def close(self) -> None:
        """Close the connections; the next question opens new ones."""
        self.server.close()

    def _check_indexes(self) -> None:
        for label, name in self._mapping.nodes.items():
            if name is not None and label not in self._mapping.indexed:
                raise ValueError(
                    f"The server would read all nodes labelled {label!r} to find one by {name!r}. "
                    f"Run {create_constraint(label or 'Label', name)}"
                )

    def _is_closed(self) -> bool:
        """Say whether no relationship leads to a node that is no entity."""
        if self._types is None:
            return True
        found = self.server.rows(
            f"MATCH (n) WHERE NOT {self._mapping.inside('n')} "
            f"AND EXISTS {{ (n)-[{self._types}]-() }} RETURN 1 LIMIT 1",
            {"labels": self._labels},
        )
        return not found

    def _ask(self, query: str, parameters: Mapping[str, Any], timeout: float) -> list[list[Any]]:
        self.questions += 1
        try:
            return self.server.stream(
                query,
                {"labels": self._labels, **parameters},
                list_of,
                timeout=timeout,
                strict=True,
            )
        except (TimeoutError, MemoryError) as error:
            raise ServerUnavailableError(str(error)) from None

    def neighbours(
        self,
        entities: Sequence[str],
        *,
        limit: int | None,
        without: Collection[str],
        timeout: float,
    ) -> Mapping[str, Sequence[Neighbour]]:
        rows = self._mapping.rows(entities)
        if not rows or self._types is None:
            return {}
        shown = f"{self._mapping.inside('m')} AND NOT type(r) IN $without"
        query = (
            f"{self._mapping.find()} CALL {{ WITH n {self._both_ways(shown)} "
            f"WITH relation, inward, {self._mapping.text_key('m')} AS key, "
            f"{self._degree} AS degree ORDER BY degree, relation, inward, key LIMIT $limit "
            f"RETURN collect([degree, relation, inward, key]) AS entries }} RETURN row.key, entries"
        )
        parameters = {
            "rows": rows,
            "limit": _ALL if limit is None else limit,
            "without": [self._stored(name) for name in without],
        }
        return {
            key: sorted(
                Neighbour(degree, self._mapping.relation_key(relation), inward, other)
                for degree, relation, inward, other in entries
            )
            for key, entries in self._ask(query, parameters, timeout)
        }

    def _both_ways(self, shown: str) -> str:
        """Return the clauses that bind ``relation``, ``inward`` and ``m`` to each link of ``n``."""
        return (
            f"CALL {{ "
            f"WITH n MATCH (n)-[r{self._types}]->(m) WHERE {shown} RETURN r, m, false AS inward "
            f"UNION ALL "
            f"WITH n MATCH (n)<-[r{self._types}]-(m) WHERE {shown} RETURN r, m, true AS inward "
            f"}} WITH DISTINCT type(r) AS relation, inward, m"
        )

    @property
    def _degree(self) -> str:
        """The expression for the number of triples that begin or end at ``m``."""
        if self._counts:
            return f"COUNT {{ (m)-[{self._types}]->() }} + COUNT {{ (m)<-[{self._types}]-() }}"
        shown = f"WHERE {self._mapping.inside('x')} RETURN DISTINCT type(q), x"
        return (
            f"COUNT {{ MATCH (m)-[q{self._types}]->(x) {shown} }} "
            f"+ COUNT {{ MATCH (m)<-[q{self._types}]-(x) {shown} }}"
        )

    def _stored(self, relation: str) -> str:
        return stored_name(relation) if self._mapping.own else relation

    def around(
        self, entities: Sequence[str], *, longest: int, timeout: float
    ) -> Mapping[str, Around]:
        rows = self._mapping.rows(entities)
        if not rows:
            return {}
        links = "WITH row, n, [] AS links"
        if self._types is not None:
            links = (
                f"CALL {{ WITH n {self._both_ways(self._mapping.inside('m'))} LIMIT $limit "
                f"RETURN collect([relation, inward, {self._mapping.text_key('m')}]) AS links }}"
            )
        query = (
            f"{self._mapping.find()} {links} RETURN row.key, labels(n), properties(n), "
            "CASE WHEN size(links) > $longest THEN null ELSE links END"
        )
        make, found = NodeRecords(self._mapping), {}
        parameters = {"rows": rows, "longest": longest, "limit": longest + 1}
        for key, labels, properties, entries in self._ask(query, parameters, timeout):
            record = make(key, labels, plain_properties(properties))
            found[key] = Around(self._links(entries), record.attributes)
        return found

    def _links(self, entries: Sequence[Sequence[Any]] | None) -> list[Link] | None:
        if entries is None:
            return None
        relation_key = self._mapping.relation_key
        return [(relation_key(relation), inward, key) for relation, inward, key in entries]

    def triples_among(
        self, groups: Sequence[Sequence[str]], *, timeout: float
    ) -> Sequence[Iterable[Triple]]:
        rows = self._mapping.rows(sorted({key for group in groups for key in group}))
        if not rows or self._types is None:
            return [[] for _ in groups]
        key = self._mapping.text_key("m")
        query = (
            f"{self._mapping.find()} MATCH (n)-[r{self._types}]->(m) "
            f"WHERE {self._mapping.inside('m')} AND {key} IN $keys "
            f"RETURN row.key, collect(DISTINCT [type(r), {key}])"
        )
        keys = [row["key"] for row in rows]
        by_head: dict[str, list[Triple]] = defaultdict(list)
        for head, ends in self._ask(query, {"rows": rows, "keys": keys}, timeout):
            by_head[head] = [
                (head, self._mapping.relation_key(relation), tail) for relation, tail in ends
            ]
        sets = [{*group} for group in groups]
        return [
            [
                triple
                for head in group
                if head in by_head
                for triple in by_head[head]
                if triple[2] in group
            ]
            for group in sets
        ]

    def describe(
        self, entities: Sequence[str], relations: Sequence[str], *, timeout: float
    ) -> tuple[Mapping[str, EntityRecord], Mapping[str, str]]:
        query = (
            f"{self._mapping.find()} RETURN row.key AS key, labels(n) AS labels, "
            "properties(n) AS properties"
        )
        if self._mapping.own:
            query += (
                f" UNION ALL MATCH (r:{RELATION}) WHERE r.key IN $relations "
                "AND r.label IS NOT NULL "
                "RETURN r.key AS key, null AS labels, {label: r.label} AS properties"
            )
        parameters = {"rows": self._mapping.rows(entities), "relations": list(relations)}
        make = NodeRecords(self._mapping)
        records, names = {}, {}
        for key, labels, properties in self._ask(query, parameters, timeout):
            if labels is None:
                names[key] = properties["label"]
            else:
                records[key] = make(key, labels, properties)
        return records, names
