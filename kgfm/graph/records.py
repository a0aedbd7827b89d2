"""What a store knows about one entity, in plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(slots=True)
class EntityRecord:
    """What a store knows about one entity; everything but the key may be missing."""

    key: str
    label: str = ""
    aliases: Iterable[str] = ()
    description: str = ""
    types: Iterable[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


def as_text(label: str, types: Iterable[str], description: str) -> str:
    """Return what a text encoder reads of an entity: ``label (type, type). description``."""
    listed = ", ".join(types)
    named = " ".join(filter(None, [label, f"({listed})" if listed else ""]))
    return ". ".join(filter(None, [named, description]))


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: str, int, finite float, bool, or a sorted list of these.

    ``None`` and NaN mean that there is no value, and give ``None``.
    """
    if type(value) in (str, int, bool):
        return value
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.tolist() if getattr(value, "ndim", 0) else value.item()
    if isinstance(value, (list, tuple, set, frozenset)):
        values = {json.dumps(v): v for v in map(plain, value) if v is not None}
        ordered = [values[key] for key in sorted(values)]
        return ordered[0] if len(ordered) == 1 else ordered or None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def merged(old: EntityRecord, new: EntityRecord) -> EntityRecord:
    """Return the older record with what the newer one adds."""
    attributes = dict(old.attributes)
    for name, value in new.attributes.items():
        attributes[name] = [attributes[name], value] if name in attributes else value
    return EntityRecord(
        old.key,
        old.label or new.label,
        {*old.aliases, *new.aliases, new.label},
        old.description or new.description,
        {*old.types, *new.types},
        attributes,
    )


def as_json(attributes: Mapping[str, Any]) -> str:
    """Return attributes as the one JSON text that stands for them; none as the empty text."""
    if not attributes:
        return ""
    values = {str(name): plain(value) for name, value in attributes.items()}
    values = {name: values[name] for name in sorted(values) if values[name] is not None}
    return _encode(values) if values else ""
