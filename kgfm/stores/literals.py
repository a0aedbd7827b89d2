"""RDF literals as plain Python values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any, NamedTuple

from kgfm.graph.schema import RDF

XSD = "http://www.w3.org/2001/XMLSchema#"
_INTEGERS = {
    XSD + name
    for name in (
        *("integer", "int", "long", "short", "byte", "nonNegativeInteger", "positiveInteger"),
        *("nonPositiveInteger", "negativeInteger"),
        *("unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte", "gYear"),
    )
}
_FLOATS = {XSD + name for name in ("decimal", "double", "float")}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,4000}")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
# Python keeps microseconds; a finer time stays as it is written.
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[-+][0-9]{2}:[0-9]{2})?"
_TIMES: dict[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    XSD + "date": (re.compile(_DAY), date.fromisoformat),
    XSD + "dateTime": (re.compile(f"{_DAY}T{_CLOCK}"), datetime.fromisoformat),
    XSD + "time": (re.compile(_CLOCK), time.fromisoformat),
}


class Literal(NamedTuple):
    """A literal as it is written: its text, the IRI of its datatype, and its language."""

    lexical: str
    datatype: str = XSD + "string"
    language: str = ""


Triple = tuple[str, str, "str | Literal"]
"""Subject, predicate and object; a blank node's key begins with ``_:``."""


def value_of(literal: Literal) -> Any:
    """Return the value that a literal has as an attribute.

    * integers of all widths and ``xsd:gYear``: an ``int``;
    * decimals, doubles and floats: a ``float``, but NaN and infinity their text;
    * truth values: a ``bool``;
    * dates, times and both together: their ISO 8601 text as Python's ``isoformat`` writes it
      (``1995-12-15``, ``1995-12-15T20:00:00+00:00``), so that texts of one datatype and zone sort
      as their values do, and a graph with ``datetime`` objects gives the same snapshot;
      :func:`time_type` knows them again;
    * a JSON array (``rdf:JSON``): a ``list``.

    All else is its text, also where it is not what its datatype allows.
    """
    text = literal.lexical.strip()
    if literal.datatype in _INTEGERS and _INTEGER.fullmatch(text):
        return int(text)
    if literal.datatype in _FLOATS and _FLOAT.fullmatch(text):
        return float(text)
    if literal.datatype == XSD + "boolean" and text in _TRUTH:
        return _TRUTH[text]
    if literal.datatype in _TIMES:
        return _iso(text, literal.datatype) or literal.lexical
    if literal.datatype == RDF + "JSON" and text.startswith("["):
        return _array(text) or literal.lexical
    return literal.lexical


def time_type(text: str) -> str:
    """Return the datatype whose value :func:`value_of` writes as ``text``, or ``""``."""
    return next((datatype for datatype in _TIMES if _iso(text, datatype) == text), "")


def _iso(text: str, datatype: str) -> str:
    pattern, parse = _TIMES[datatype]
    try:
        return str(parse(text).isoformat()) if pattern.fullmatch(text) else ""
    except ValueError:
        return ""


def _array(text: str) -> list[Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None
