"""From named fields to an entity record: what the schema knows by name, and the rest."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kgfm.graph import EntityRecord, GraphSchema, KnowledgeGraph
from kgfm.graph.records import as_name, plain

ROLES = ("label", "alias", "description", "type")
_TAGGED = re.compile(r"(.*[^\s@])@([A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*)", re.DOTALL)


class RecordMaker:
    """Sorts the fields of rows and nodes into label, aliases, description, types and attributes.

    Names of fields count whatever their case. Several labels give the preferred one and aliases.

    Args:
        schema: Names of the fields, and the languages.
        tagged: Whether names end in the tag of their language, as in ``Paris@en``: it is no part of
            them, and those in languages that the schema does not want are left out.
    """

    def __init__(self, schema: GraphSchema, *, tagged: bool = False) -> None:
        self._schema, self._tagged = schema, tagged
        self._separator = schema.separator
        self._role = {
            name.casefold(): (role, rank)
            for role in ROLES
            for rank, name in reversed(list(enumerate(getattr(schema, role))))
        }

    @property
    def known(self) -> Collection[str]:
        """Names of labels, aliases, descriptions and types, in lower case."""
        return self._role

    def knows(self, name: str) -> bool:
        """Say whether a field is a label, an alias, a description or a type."""
        return name.casefold() in self._role

    def __call__(self, key: str, fields: Mapping[str, Any]) -> EntityRecord:
        """Return the record of the entity ``key``."""
        found: dict[str, list[tuple[int, int, str]]] = {role: [] for role in ROLES}
        attributes: dict[str, Any] = {}
        for name, value in fields.items():
            role, rank = self._role.get(str(name).casefold(), ("", 0))
            if role:
                for spoken, text in self._spoken(self._texts(value, role), role):
                    found[role].append((spoken, rank, text))
            else:
                attributes[str(name)] = value
        in_order = {role: [text for *_, text in sorted(found[role])] for role in ROLES}
        labels = in_order["label"] or [""]
        descriptions = in_order["description"] or [""]
        return EntityRecord(
            key,
            labels[0],
            (*labels[1:], *in_order["alias"]),
            descriptions[0],
            in_order["type"],
            attributes,
        )

    def _spoken(self, texts: Iterable[str], role: str) -> Iterator[tuple[int, str]]:
        """Yield texts without the tags of their languages, with the place of the language."""
        for text in texts:
            tag = language_of(text) if self._tagged and role != "type" else ""
            rank = self._schema.language_rank(tag) if self._tagged else 0
            if rank is not None or not tag:
                yield rank or 0, text.removesuffix(f"@{tag}") if tag else text

    def _texts(self, value: Any, role: str) -> Iterable[str]:
        several = isinstance(value, (list, tuple, set, frozenset))
        value = plain(value)
        if isinstance(value, str) and role in ("alias", "type") and not several:
            value = [part.strip() for part in value.split(self._separator)]
        values = value if isinstance(value, list) else [value]
        return [*filter(None, map(as_name, values))]


def language_of(text: str) -> str:
    """Return the tag of a language that a text ends in after an ``@``, or nothing.

    >>> language_of("Paris@en"), language_of("São Paulo@pt-BR"), language_of("info@example.org")
    ('en', 'pt-BR', '')
    """
    match = _TAGGED.fullmatch(text)
    return match[2] if match else ""


def record_of(graph: KnowledgeGraph, row: int) -> EntityRecord:
    """Return what a graph knows about an entity, as a store would give it."""
    label = graph.labels[row]
    names = graph.names(row)
    return EntityRecord(
        graph.keys[row],
        label if graph.labelled[row] else "",
        names[1:] if label else names,
        graph.descriptions[row],
        graph.types(row),
        graph.attributes(row),
    )


def edge_values(graph: KnowledgeGraph, rows: Sequence[int] | np.ndarray) -> dict[str, list[Any]]:
    """Return the edge attributes of some triples by name; ``None`` where there is no value.

    Whole numbers are whole again where only a gap in their column has made them floats.
    """
    return {
        name: [*map(_whole if _has_gaps(column) else plain, column[rows].tolist())]
        if isinstance(column, np.ndarray)
        else [column[int(row)] or None for row in rows]
        for name, column in graph.edge_attributes.items()
    }


def _has_gaps(column: np.ndarray) -> bool:
    return column.dtype.kind == "f" and bool(np.isnan(column).any())


def _whole(value: float) -> int | float | None:
    return int(value) if value.is_integer() else plain(value)


def relation_labels(graph: KnowledgeGraph) -> Iterator[tuple[str, str]]:
    """Yield key and label of each relation that the source gave a label."""
    labelled = graph.relation_labelled.tolist()
    for key, label, given in zip(graph.relation_keys, graph.relation_labels, labelled, strict=True):
        if given:
            yield key, label
