"""What a store knows about one entity, in plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

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


def is_missing(value: Any) -> bool:
    """Say whether a value stands for none: ``None``, NaN, and pandas' ``NaT`` and ``NA``.

    Texts are never missing: an entity may be called NA, Null or None.
    """
    if value is None or isinstance(value, str):
        return value is None
    if type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return bool(isinstance(value, (float, np.generic)) and value != value)


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: str, int, finite float, bool, or a sorted list of these.

    Lists in lists become one; mappings become their JSON text, and bytes their text. What
    :func:`is_missing` gives ``None``.
    """
    if type(value) in (str, int, bool):
        return value
    if is_missing(value):
        return None
    if isinstance(value, (np.datetime64, np.ndarray)) and value.dtype.kind == "M":
        value = value.astype("datetime64[us]")  # finer ones are counts of nanoseconds to Python
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.tolist() if getattr(value, "ndim", 0) else value.item()
    if isinstance(value, (list, tuple, set, frozenset)):
        values = {json.dumps(v): v for v in _flat(map(plain, value))}
        ordered = [values[key] for key in sorted(values)]
        return ordered[0] if len(ordered) == 1 else ordered or None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value if math.isfinite(value) else str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    """Yield plain values, those of a list one by one, and none that is missing."""
    for value in values:
        if isinstance(value, list):
            yield from value
        elif value is not None:
            yield value


def as_name(value: Any) -> str:
    """Return a key or a name as text, empty where it is missing.

    A whole number is the same whether a gap in its column has made it a float or not: ``1917.0``
    is ``"1917"``.
    """
    if isinstance(value, str):
        return value
    value = plain(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return "" if value is None else str(value)


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
