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

    def value(self, key: str) -> dict[str, Any]:
        """Return the values of the key property, by label, that a node with this key may have."""
        values: dict[str, Any] = {}
        for label, name in self.nodes.items():
            raw = key
            if self.qualified or {*self.nodes.values()} == {None}:
                if not key.startswith(f"{label}/"):
                    continue
                raw = key[len(label) + 1 :]
            if name is not None and label in self.integer:
                if _INTEGER.fullmatch(raw):
                    values[label] = int(raw)
            else:
                values[label] = raw
        return values

    def seek(self, label: str, node: str, value: str) -> str:
        """Return the clause that finds the node of a label by its key, and an index serves."""
        name = self.nodes[label]
        if name is None:
            return f"MATCH ({node}) WHERE elementId({node}) = {value}"
        pattern = f":{quoted(label)}" if label else ""
        return f"MATCH ({node}{pattern} {{{quoted(name)}: {value}}})"

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
                label=mapping.label, alias=mapping.alias, description=mapping.description, type=()
            )
        )

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
