"""A graph server in memory: the contract of ``GraphServer`` in its plainest form."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.graph.records import as_json
from kgfm.retrieval import Around, GraphServer, Neighbour
from kgfm.retrieval.server import Triple
from kgfm.stores.server import ServerUnavailableError


class SnapshotServer(GraphServer):
    """Answers from a snapshot, counts its questions, and fails when told to."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.questions: list[str] = []
        self.down = False

    def _asked(self, question: str) -> None:
        self.questions.append(question)
        if self.down:
            raise ServerUnavailableError("The server is down.")

    def neighbours(
        self,
        entities: Sequence[str],
        *,
        limit: int | None,
        without: Collection[str],
        timeout: float,
    ) -> Mapping[str, Sequence[Neighbour]]:
        self._asked("neighbours")
        graph = self.graph
        rows = {}
        for entity in entities:
            if entity in graph:
                row = graph.row(entity)
                place = range(*graph.neighbour_indptr[row : row + 2].tolist())
                whole = [self._entry(number) for number in place]
                rows[entity] = [e for e in whole if e.relation not in without][:limit]
        return rows

    def _entry(self, place: int) -> Neighbour:
        graph = self.graph
        entity = int(graph.neighbour_entity[place])
        inward, relation = divmod(int(graph.neighbour_relation[place]), graph.num_relations)
        key, name = graph.keys[entity], graph.relation_keys[relation]
        return Neighbour(int(graph.degree[entity]), name, bool(inward), key)

    def triples_among(
        self, groups: Sequence[Sequence[str]], *, timeout: float
    ) -> Sequence[Sequence[Triple]]:
        self._asked("triples_among")
        graph = self.graph
        columns = (graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist())
        triples = [
            (graph.keys[head], graph.relation_keys[relation], graph.keys[tail])
            for head, relation, tail in zip(*columns, strict=True)
        ]
        sets = [{*group} for group in groups]
        return [[t for t in triples if t[0] in among and t[2] in among] for among in sets]

    def describe(
        self, entities: Sequence[str], relations: Sequence[str], *, timeout: float
    ) -> tuple[Mapping[str, EntityRecord], Mapping[str, str]]:
        self._asked("describe")
        graph = self.graph
        records = {}
        for key in entities:
            if key in graph:
                row = graph.row(key)
                label, *aliases = graph.names(row) or [""]
                records[key] = EntityRecord(
                    key, label, aliases, graph.descriptions[row], graph.types(row)
                )
        labels = {key: graph.relation_labels[graph.relation_row(key)] for key in relations}
        return records, labels

    def around(
        self, entities: Sequence[str], *, longest: int, timeout: float
    ) -> Mapping[str, Around]:
        self._asked("around")
        graph = self.graph
        found = {}
        for entity in entities:
            if entity in graph:
                row = graph.row(entity)
                place = range(*graph.neighbour_indptr[row : row + 2].tolist())
                links = [self._entry(number)[1:] for number in place]
                attributes = graph.attributes(row)
                found[entity] = Around(links if len(links) <= longest else None, attributes)
        return found


def around_of(server: GraphServer, keys: Sequence[str], longest: int = 1000) -> dict[str, object]:
    """What leads on from each entity, as plain values in order; nothing where nothing does."""
    found = server.around(keys, longest=longest, timeout=60)
    return {
        key: (one.links if one.links is None else sorted(one.links), as_json(one.attributes))
        for key in keys
        for one in [found.get(key, Around())]
    }
