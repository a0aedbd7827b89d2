"""A graph out of Neo4j: streamed into parts on disk, then put together."""

from __future__ import annotations

import itertools
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.graph import GraphBuilder, GraphSchema, KnowledgeGraph
from kgfm.stores.neo4j.cypher import Vocabulary
from kgfm.stores.neo4j.inspection import check_keys, create_constraint, inspect, relation_labels
from kgfm.stores.neo4j.mapping import Neo4jMapping, NodeRecords
from kgfm.stores.neo4j.moments import moment_of
from kgfm.stores.neo4j.parts import PartFile, Parts
from kgfm.stores.neo4j.rows import edge_columns, rows_of
from kgfm.stores.neo4j.server import Server

if TYPE_CHECKING:
    import neo4j

PAGE = 20_000
_CHUNK, _SLICE = 2_000, 100
_Range = tuple[int, Any, Any]


def to_stderr(text: str) -> None:
    """Show a line to whoever runs this."""
    print(text, file=sys.stderr)


def read(
    uri: str,
    *,
    auth: Any = None,
    database: str | None = None,
    mapping: Neo4jMapping | None = None,
    key: str | Mapping[str, str | None] | None = None,
    labels: Sequence[str] | None = None,
    relations: Sequence[str] | None = None,
    schema: GraphSchema | None = None,
    qualified: bool = False,
    convention: str | None = None,
    changed: str | None = None,
    parts: str | Path | None = None,
    page: int = PAGE,
    workers: int = 2,
    say: Callable[[str], None] | None = to_stderr,
    progress: Callable[[int], None] | None = None,
    source: Mapping[str, Any] | None = None,
    **connection: Any,
) -> KnowledgeGraph:
    """Build a graph from a Neo4j database, which is only read.

    What becomes what is guessed from the server's schema and said once
    (:func:`~kgfm.stores.neo4j.inspection.inspect`); the manifest's ``source`` remembers it. A graph
    that :func:`~kgfm.stores.neo4j.write.write` put there comes back as it was. Nodes go to disk
    page by page in the order of their keys, relationships by the same pages; where a key has no
    index, label by label and type by type. A page that a lost connection breaks off is read again
    from its beginning, so nothing comes twice.

    Args:
        uri: ``bolt://...``, ``neo4j+s://...``; see :class:`~kgfm.stores.neo4j.server.Server`, which
            also takes ``deadline``, ``timeout`` and ``driver``.
        auth: ``(user, password)``, or the driver's bearer or Kerberos token.
        database: Its name.
        mapping: What becomes what, in place of guesses.
        key: The property that tells nodes apart, or one by label.
        labels: The node labels to read; all if ``None``.
        relations: The relationship types to read; all if ``None``.
        schema: Names of the properties for label, alias and description.
        qualified: Make keys ``label/key``.
        convention: ``"neosemantics"`` or ``"plain"``; guessed from the names if not given
            (:func:`~kgfm.stores.neo4j.inspection.inspect`).
        changed: A property of nodes with the moment of their last change, for a later
            :func:`~kgfm.stores.neo4j.update.update`.
        parts: A folder for what has been read; the same call goes on from there after a crash.
            It is removed in the end. ``None`` keeps it in a temporary one.
        page: Number of nodes in a page.
        workers: Number of pages read at once.
        say: Is told the guesses; ``None`` for silence.
        progress: Is told the number of nodes and relationships read so far.
        source: What to remember of where the graph comes from.

    Raises:
        ConnectionError: No server answers within the deadline.
        PermissionError: It refuses the login.
        KeyError: It knows no such label, relationship type or property.
        ValueError: Nodes lack the key, or two have the same one.
    """
    with Server(uri, auth=auth, database=database, **connection) as server:
        if mapping is None:
            mapping = inspect(
                server,
                key=key,
                labels=labels,
                relations=relations,
                schema=schema,
                qualified=qualified,
                convention=convention,
            )
            if say is not None and not mapping.own:
                say(f"read from {server.place}:\n{mapping}")
            known = Vocabulary.of(server)
        else:
            known = Vocabulary.of(server)
            mapping = check_keys(server, known, mapping.check(known))
        _warn_of_keys(mapping)
        about = {"server": server.place, "database": database, "mapping": mapping.as_json()}
        saved = Parts(parts, about | {"page": page})
        options = {} if changed is None else {"changed": changed}
        try:
            if saved.missing("moment"):  # a call that goes on keeps the moment of its first one
                found = moment_of(server, mapping, known, changed)
                saved.write("moment", lambda file: file.add([found]))
            (moment,) = saved.last("moment")
            Export(server, mapping, known, saved, page, progress).run(workers)
            builder = _put_together(saved, mapping)
            labels_of = relation_labels(server, mapping)
        except BaseException:
            if parts is None:
                saved.remove()
            raise
    for name, label in labels_of.items():
        builder.add_relation(name, label)
    origin = {"store": "neo4j", **about, "options": options, "moment": moment}
    graph = KnowledgeGraph.from_builder(builder, source or origin)
    saved.remove()
    return graph


def _warn_of_keys(mapping: Neo4jMapping) -> None:
    without = [label for label, name in mapping.nodes.items() if name is None]
    if without:
        warnings.warn(
            f"Nodes labelled {', '.join(map(repr, without))} have no unique property, so their "
            "keys are made of the element ids of this server. Such keys die with the server: a "
            "dump that is loaded elsewhere has others. Name a property with key=, best one with a "
            f"constraint: {create_constraint(without[0] or 'Label', 'id')}",
            UserWarning,
            stacklevel=4,
        )


class Export:
    """Reads what is not yet among the parts."""

    def __init__(
        self,
        server: Server,
        mapping: Neo4jMapping,
        known: Vocabulary,
        parts: Parts,
        page: int,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._server, self._mapping, self._known = server, mapping, known
        self._parts, self._page, self._progress = parts, page, progress
        self._lock, self._done = threading.Lock(), 0
        self._labels = list(mapping.nodes)
        self._paged = set(self._labels) <= set(mapping.indexed)

    def run(self, workers: int) -> None:
        with ThreadPoolExecutor(max(1, workers)) as pool:
            try:
                ranges = list(pool.map(self._nodes, range(len(self._labels))))
                list(pool.map(self._edges, self._edge_parts(ranges)))
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    # -- nodes ------------------------------------------------------------------------------------

    def _nodes(self, place: int) -> list[_Range]:
        """Read the nodes of one label; return the ranges of keys that the pages span."""
        if self._labels[place] not in self._mapping.indexed:
            name = f"nodes-{place:04}-00000"
            if self._parts.missing(name):
                self._read(name, self._node_query(place, paged=False), {"place": place})
            return []
        after: Any = -(2**63) if self._labels[place] in self._mapping.integer else ""
        ranges: list[_Range] = []
        number = 0
        while True:
            name = f"nodes-{place:04}-{number:05}"
            if self._parts.missing(name):
                query = self._node_query(place, paged=True, first=number == 0)
                self._read(name, query, {"place": place, "after": after, "page": self._page})
            size, last = self._parts.last(name)
            if size:
                ranges.append((place, after, last))
            if size < self._page:
                return ranges
            after, number = last, number + 1

    def _node_query(self, place: int, *, paged: bool, first: bool = False) -> str:
        label, mapping = self._labels[place], self._mapping
        name = mapping.nodes[label]
        raw = "null" if name is None else f"n.{self._known.property(name)}"
        match = f"MATCH (n:{self._known.label(label)})" if label else "MATCH (n)"
        conditions = []
        if not label:
            conditions.append("size(labels(n)) = 0")
        elif place:
            conditions.append(f"{mapping.owner('n')} = $labels[$place]")
        if paged:
            conditions.append(f"{raw} {'>=' if first else '>'} $after")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        row = f"[{mapping.key('n')}, labels(n), properties(n), {raw}]"
        if not paged:
            return f"{match}{where} RETURN [{row}]"
        return (
            f"{match}{where} WITH n ORDER BY {raw} LIMIT $page WITH collect({row}) AS rows "
            "UNWIND range(0, size(rows) - 1, $slice) AS i RETURN rows[i..i + $slice]"
        )

    # -- relationships ----------------------------------------------------------------------------

    def _edge_parts(self, ranges: Sequence[Sequence[_Range]]) -> Iterator[tuple[str, str, Any]]:
        """Yield name, query and parameters of the parts with relationships."""
        if not self._mapping.relations:
            return
        if self._paged:
            pattern = self._known.any_relation(self._mapping.relations)
            for number, (place, after, last) in enumerate(itertools.chain.from_iterable(ranges)):
                query = self._edges_of_page(place, pattern, first=after in ("", -(2**63)))
                yield f"edges-{number:05}", query, {"place": place, "after": after, "last": last}
            return
        for number, relation in enumerate(self._mapping.relations):
            ends = f"{self._mapping.inside('n')} AND {self._mapping.inside('m')}"
            query = (
                f"MATCH (n)-[r:{self._known.relation(relation)}]->(m) WHERE {ends} "
                f"RETURN {self._mapping.key('n')}, [{self._edge}]"
            )
            yield f"edges-{number:05}", query, {}

    def _edges_of_page(self, place: int, pattern: str, *, first: bool) -> str:
        """Return the query for the relationships that leave the nodes of a page.

        Those of one node come together, some at a time: a message costs more than what is in it.
        """
        label = self._labels[place]
        raw = f"n.{self._known.property(str(self._mapping.nodes[label]))}"
        owner = f" AND {self._mapping.owner('n')} = $labels[$place]" if place else ""
        return (
            f"MATCH (n:{self._known.label(label)}) "
            f"WHERE {raw} {'>=' if first else '>'} $after AND {raw} <= $last{owner} "
            f"WITH n, [(n)-[r{pattern}]->(m) WHERE {self._mapping.inside('m')} "
            f"| {self._edge}] AS rows "
            "UNWIND range(0, size(rows) - 1, $slice) AS i "
            f"RETURN {self._mapping.key('n')}, rows[i..i + $slice]"
        )

    @property
    def _edge(self) -> str:
        """The expression for what is read of a relationship, but for its head."""
        return f"[type(r), {self._mapping.key('m')}, properties(r)]"

    def _edges(self, part: tuple[str, str, Mapping[str, Any]]) -> None:
        name, query, parameters = part
        if self._parts.missing(name):
            self._read(name, query, parameters)

    # -- both -------------------------------------------------------------------------------------

    def _read(self, name: str, query: str, parameters: Mapping[str, Any]) -> None:
        """Stream the rows of a query into a part; its last line is their number and the last key.

        Rows go to disk in columns, some thousand to a line.
        """
        given = {"labels": self._labels, "slice": _SLICE, **parameters}

        def fill(file: PartFile) -> int:
            def consume(result: neo4j.Result) -> int:
                file.restart()
                size, last = 0, None
                rows = itertools.chain.from_iterable(map(rows_of, result))
                while chunk := list(itertools.islice(rows, _CHUNK)):
                    size += len(chunk)
                    last = chunk[-1][3]
                    file.add(list(zip(*chunk, strict=True)))
                file.add([size, last])
                return size

            return self._server.stream(query, given, consume)

        size = self._parts.write(name, fill)
        with self._lock:
            self._done += size
            if self._progress is not None:
                self._progress(self._done)


def _put_together(parts: Parts, mapping: Neo4jMapping) -> GraphBuilder:
    builder = GraphBuilder()
    make = NodeRecords(mapping)
    for name in parts.names("nodes-"):
        for keys, labels, properties, _ in _chunks(parts, name):
            for key, its_labels, fields in zip(keys, labels, properties, strict=True):
                key = str(key)
                if key in builder.entity_keys:
                    raise ValueError(_twice(key, mapping))
                builder.add_entity(make(key, its_labels, fields))
    for name in parts.names("edges-"):
        for heads, types, tails, fields in _chunks(parts, name):
            relations = [mapping.relation_key(name) for name in types]
            ends = list(map(str, heads)), relations, list(map(str, tails))
            builder.add_triples(*ends, edge_columns(mapping, fields))
    return builder


def _chunks(parts: Parts, name: str) -> Iterator[list[list[Any]]]:
    return (line for line in parts.lines(name) if len(line) == 4)


def _twice(key: str, mapping: Neo4jMapping) -> str:
    if len(mapping.nodes) > 1 and not mapping.qualified:
        return (
            f"Two nodes have the key {key!r}, perhaps with different labels. Make keys of label "
            "and property with qualified=True, or choose another property with key=."
        )
    label, name = next(iter(mapping.nodes.items()))
    return (
        f"Two nodes have the key {key!r}; choose another property with key=, or make them "
        f"different and run: {create_constraint(label or 'Label', name or 'id')}"
    )
