"""What of a property graph becomes what of a knowledge graph: guessed, shown, and overridable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from kgfm.graph import EntityRecord, GraphSchema
from kgfm.stores.neo4j.cypher import (
    ENTITY,
    JSON,
    Vocabulary,
    given_name,
    quoted,
)
from kgfm.stores.records import RecordMaker

_INTEGER = re.compile("-?[0-9]{1,19}")


@dataclass(frozen=True)
class Neo4jMapping:
    """How nodes and relationships become entities and triples.

    Args:
        nodes: By node label: the property that holds the key, or ``None`` for the element id. A
            node with several of these labels counts under the first. ``""`` stands for nodes
            without a label.
        types: Labels that become types.
        relations: Relationship types that become relations.
        label: Properties that name an entity, the preferred one first; the others are aliases.
        alias: Properties with other names, one or a list.
        description: Properties that say what it is.
        ignore: Properties to leave out, such as vectors.
        integer: Labels whose key property holds whole numbers.
        indexed: Labels whose key property has an index, so that they are read page by page.
        qualified: Whether keys are ``label/key``, for where labels share keys.
        edge_attributes: Names of relationship properties that are columns even where all values
            are missing.
        own: Whether kgfm wrote these nodes, so that everything has its fixed place.
        languages: Where names end in the tag of their language, as in ``Paris@en``, which
            neosemantics writes: those to keep, the preferred one first.
    """

    nodes: Mapping[str, str | None]
    types: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    alias: tuple[str, ...] = ()
    description: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    integer: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()
    qualified: bool = False
    edge_attributes: tuple[str, ...] = ()
    own: bool = field(default=False, kw_only=True)
    languages: tuple[str, ...] = field(default=(), kw_only=True)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Neo4jMapping:
        """Return the mapping that a snapshot's manifest remembers."""
        fields: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in value.items()
        }
        return cls(**fields)

    def as_json(self) -> dict[str, Any]:
        """Return the mapping as a manifest holds it."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def __str__(self) -> str:
        """Show who becomes what, a line each."""
        keys = ", ".join(
            f":{label or '(no label)'} by {name or 'element id'}"
            for label, name in self.nodes.items()
        )
        lines = {
            "entities": keys,
            "types": ", ".join(self.types),
            "relations": ", ".join(self.relations),
            "label": ", ".join(self.label),
            "aliases": ", ".join(self.alias),
            "description": ", ".join(self.description),
            "languages": ", ".join(one or "(none)" for one in self.languages),
            "left out": ", ".join(self.ignore),
            "attributes": "all other properties",
        }
        return "\n".join(f"{name:>12}: {_short(said)}" for name, said in lines.items() if said)

    # -- Cypher -----------------------------------------------------------------------------------

    def owner(self, node: str) -> str:
        """Return the expression for the label that a node counts under."""
        return f"head([l IN $labels WHERE l IN labels({node})])"

    def key(self, node: str) -> str:
        """Return the expression for the key of a node."""
        names = {*self.nodes.values()}
        if names == {None} or self.qualified:
            label = f"coalesce({self.owner(node)}, '')"
            return f"{label} + '/' + {self._raw_key(node, names)}"
        return self._raw_key(node, names)

    def _raw_key(self, node: str, names: set[str | None]) -> str:
        if len(names) == 1:
            name = next(iter(names))
            raw = f"elementId({node})" if name is None else f"{node}.{quoted(name)}"
        else:
            cases = " ".join(
                f"WHEN {node}:{quoted(label)} THEN "
                + (f"elementId({node})" if name is None else f"{node}.{quoted(name)}")
                for label, name in self.nodes.items()
                if label
            )
            raw = f"CASE {cases} END"
        return f"toString({raw})" if self.qualified and names != {None} else raw

    def text_key(self, node: str) -> str:
        """Return the expression for the key of a node as text."""
        return f"toString({self.key(node)})" if self.integer else self.key(node)

    def inside(self, node: str) -> str:
        """Return the condition that a node is an entity."""
        inside = f"{self.owner(node)} IS NOT NULL"
        return f"(size(labels({node})) = 0 OR {inside})" if "" in self.nodes else inside

    def _values(self, key: str) -> list[Any]:
        """Return what the key property of each label would hold in the node of this key."""
        qualified = self.qualified or {*self.nodes.values()} == {None}
        values: list[Any] = []
        for label, name in self.nodes.items():
            raw: str | None = key
            if qualified:
                raw = key[len(label) + 1 :] if key.startswith(f"{label}/") else None
            if raw is None or name is None or label not in self.integer:
                values.append(raw)
            else:
                values.append(int(raw) if _INTEGER.fullmatch(raw) else None)
        return values

    def find(self, node: str = "n", given: str = "$rows") -> str:
        """Return the clauses that find the node of each of ``$rows``, made by :meth:`rows`.

        An index serves them where there is one; what is in no row is not found. ``given`` is the
        parameter where it has another name.
        """
        arms = []
        for place, (label, name) in enumerate(self.nodes.items()):
            value = f"row.values[{place}]"
            if name is None:
                arms.append(f"MATCH ({node}) WHERE elementId({node}) = {value}")
            else:
                pattern = f":{quoted(label)}" if label else ""
                arms.append(f"MATCH ({node}{pattern}) WHERE {node}.{quoted(name)} = {value}")
        if len(arms) == 1:
            return f"UNWIND {given} AS row {arms[0]}"
        found = " UNION ".join(f"WITH row {arm} RETURN {node}" for arm in arms)
        return (
            f"UNWIND {given} AS row CALL {{ {found} }} "
            f"WITH row, {node} WHERE toString({self.key(node)}) = row.key"
        )

    def rows(self, keys: Iterable[str]) -> list[dict[str, Any]]:
        """Return the parameter ``$rows`` of :meth:`find`; keys that no node can have are left out.

        >>> Neo4jMapping({"Film": "id"}, integer=("Film",)).rows(["12", "x"])
        [{'key': '12', 'values': [12]}]
        """
        found = [{"key": key, "values": self._values(key)} for key in keys]
        return [row for row in found if any(value is not None for value in row["values"])]

    def relation_key(self, stored: str) -> str:
        """Return the key of the relation that a relationship type stands for."""
        return given_name(stored) if self.own else stored

    def check(self, known: Vocabulary) -> Neo4jMapping:
        """Return the mapping itself if the server knows every name that is pasted.

        Raises:
            KeyError: It does not; the message names near ones.
        """
        for label, name in self.nodes.items():
            if label:
                known.label(label)
            if name is not None:
                known.property(name)
        for relation in self.relations:
            known.relation(relation)
        return self


AS_WRITTEN = Neo4jMapping({ENTITY: "key"}, indexed=(ENTITY,), own=True)
"""How kgfm itself writes entities and triples."""


def _short(said: str, most: int = 400) -> str:
    return said if len(said) <= most else said[: most - 2].rsplit(",", 1)[0] + ", ..."


class NodeRecords:
    """Makes an entity record of a node's labels and properties."""

    def __init__(self, mapping: Neo4jMapping) -> None:
        self._mapping = mapping
        self._types = {*mapping.types}
        self._dropped = {*mapping.ignore}
        named = {*mapping.label, *mapping.alias, *mapping.description}
        self._dropped |= {n for n in mapping.nodes.values() if n is not None} - named
        self._make = RecordMaker(
            GraphSchema(
                label=mapping.label,
                alias=mapping.alias,
                description=mapping.description,
                type=(),
                language=mapping.languages,
            ),
            tagged=bool(mapping.languages),
        )

    def is_attribute(self, name: str) -> bool:
        """Say whether a property of this name becomes an attribute, not a key or a name."""
        return self._mapping.own or not (name in self._dropped or self._make.knows(name))

    def __call__(
        self, key: str, labels: Iterable[str], properties: Mapping[str, Any]
    ) -> EntityRecord:
        if self._mapping.own:
            return _own_record(key, labels, properties)
        fields = {name: v for name, v in properties.items() if name not in self._dropped}
        record = self._make(key, fields)
        record.types = self._types.intersection(labels)
        return record


def _own_record(key: str, labels: Iterable[str], properties: Mapping[str, Any]) -> EntityRecord:
    own = {"key", "label", "aliases", "description"}
    attributes = {
        given_name(name): value
        for name, value in properties.items()
        if name not in own and (given_name(name) != name or not name.startswith("kgfm:"))
    }
    attributes |= json.loads(properties.get(JSON, "{}"))
    return EntityRecord(
        key,
        properties.get("label", ""),
        properties.get("aliases", ()),
        properties.get("description", ""),
        [given_name(label) for label in labels if label != ENTITY],
        attributes,
    )
