"""What a question seeks, as Cypher that gives the same answers on a Neo4j server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kgfm.registry import nearest
from kgfm.stores.neo4j.cypher import given_name, quoted, stored_name
from kgfm.stores.neo4j.mapping import AS_WRITTEN, Neo4jMapping, NodeRecords
from kgfm.walks.walk import Sought, Walk


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and the values that travel beside it.

    Args:
        text: Cypher, a clause a line.
        parameters: What its ``$names`` stand for.
    """

    text: str
    parameters: Mapping[str, Any]


def as_cypher(sought: Sought, mapping: Neo4jMapping | None = None) -> Query:
    r"""Return a query whose rows are what :func:`kgfm.walks.answers` gives.

    Its one column is ``key`` (entities), ``value`` (literals; a list counts as its members),
    ``number`` (one row), or ``answer`` (one row: true or false). Rows come in no order. Each set is
    made distinct before the next step, as a walk goes over sets and not over paths. Keys travel as
    parameters; labels, relationship types and property names stand between backticks.

    An entity that the server lacks leads nowhere. Values that no property holds, which kgfm writes
    as JSON (see :func:`kgfm.stores.neo4j.write`), are not found.

    >>> from kgfm.walks import Sought, Step, Walk
    >>> around = (Step("borders"), Step("city of", forward=False))
    >>> query = as_cypher(Sought((Walk("Peru", around),), "count"))
    >>> print(query.text)
    MATCH (topic:`KgfmEntity`) WHERE topic.`key` = $topic0
    MATCH (topic)-[:`borders`]->(a1:`KgfmEntity`) WHERE a1 <> topic
    WITH DISTINCT topic, a1
    MATCH (a1)<-[:`city of`]-(found:`KgfmEntity`) WHERE found <> topic
    RETURN count(DISTINCT found) AS number
    >>> query.parameters
    {'topic0': 'Peru'}

    Args:
        sought: What is sought.
        mapping: How the server's nodes and relationships are read, such as
            ``kgfm.stores.neo4j.mapping_of(graph)`` gives for a snapshot; as kgfm writes them if
            ``None``.

    Raises:
        KeyError: The mapping reads no such relationship type.
        ValueError: A property is no attribute by this mapping, or a name is none in Neo4j.
    """
    return _Writer(AS_WRITTEN if mapping is None else mapping).query(sought)


class _Writer:
    def __init__(self, mapping: Neo4jMapping) -> None:
        self._mapping = mapping
        self._parameters: dict[str, Any] = {}
        labels = [*mapping.nodes]
        # One label with a key property: a plain pattern says all.
        self._plain = len(labels) == 1 and labels[0] != "" and not mapping.qualified
        self._plain = self._plain and mapping.nodes[labels[0]] is not None
        if not self._plain:
            self._parameters["labels"] = labels

    def query(self, sought: Sought) -> Query:
        walks = [self._walk(walk, number) for number, walk in enumerate(sought.walks)]
        if len(walks) == 1:
            lines = walks[0]
        else:
            arms = [
                "\n".join(f"  {line}" for line in (*walk, "RETURN DISTINCT found"))
                for walk in walks
            ]
            union = "\n  UNION ALL\n".join(arms)
            lines = [f"CALL {{\n{union}\n}}", "WITH found, count(*) AS walks"]
            lines[-1] += f" WHERE walks = {len(walks)}"
        return Query("\n".join([*lines, self._result(sought)]), self._parameters)

    def _walk(self, walk: Walk, number: int) -> list[str]:
        """Return the clauses that bind ``found`` to each entity at the end, before any values."""
        lines = [self._topic(walk.topic, f"topic{number}")]
        steps = walk.steps[:-1] if walk.is_literal else walk.steps
        if not steps:
            return [*lines, "WITH topic AS found"]
        here = "topic"
        for place, step in enumerate(steps, start=1):
            there = "found" if place == len(steps) else f"a{place}"
            arrow = f"-[:{self._relation(step.relation)}]-"
            arrow = f"{arrow}>" if step.forward else f"<{arrow}"
            conditions = [] if self._plain else [self._mapping.inside(there)]
            conditions += [] if walk.come_back else [f"{there} <> topic"]
            node = f"{there}{self._label}"
            line = f"MATCH ({here}){arrow}({node})"
            lines.append(f"{line} WHERE {' AND '.join(conditions)}" if conditions else line)
            if there != "found":
                lines.append(f"WITH DISTINCT topic, {there}")
            here = there
        return lines

    @property
    def _label(self) -> str:
        return f":{quoted(next(iter(self._mapping.nodes)))}" if self._plain else ""

    def _topic(self, key: str, name: str) -> str:
        rows = self._mapping.rows([key])
        if not self._plain:
            self._parameters[name] = rows
            return f"{self._mapping.find('topic', f'${name}')} WITH topic"
        self._parameters[name] = rows[0]["values"][0] if rows else None
        property_name = quoted(str(next(iter(self._mapping.nodes.values()))))
        return f"MATCH (topic{self._label}) WHERE topic.{property_name} = ${name}"

    def _relation(self, relation: str) -> str:
        stored = stored_name(relation) if self._mapping.own else relation
        known = self._mapping.relations
        if known and stored not in known:
            names = [*map(given_name, known)] if self._mapping.own else known
            raise KeyError(
                f"The mapping reads no relationship type {relation!r}.{nearest(relation, names)}"
            )
        return quoted(stored)

    def _result(self, sought: Sought) -> str:
        if sought.kind == "count":
            return "RETURN count(DISTINCT found) AS number"
        if sought.kind == "yesno":
            self._parameters["about"] = sought.about
            same = f"{self._mapping.text_key('found')} = $about"
            return f"RETURN count(CASE WHEN {same} THEN 1 END) > 0 AS answer"
        if sought.kind == "literal":
            name = self._attribute(sought.walks[0].steps[-1].relation)
            return f"UNWIND found.{name} AS value\nRETURN DISTINCT value"
        return f"RETURN DISTINCT {self._mapping.text_key('found')} AS key"

    def _attribute(self, name: str) -> str:
        if not NodeRecords(self._mapping).is_attribute(name):
            raise ValueError(
                f"The property {name!r} is a key, a name or left out by this mapping, and no "
                "attribute; a mapping that reads it as one has it in neither of these."
            )
        return quoted(stored_name(name) if self._mapping.own else name)
