"""RDF literals as plain Python values."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

XSD = "http://www.w3.org/2001/XMLSchema#"
_INTEGERS = {
    XSD + name
    for name in (
        *("integer", "int", "long", "short", "byte", "nonNegativeInteger", "positiveInteger"),
        *("nonPositiveInteger", "negativeInteger"),
        *("unsignedInt", "unsignedLong", "unsignedShort", "unsignedByte"),
    )
}
_FLOATS = {XSD + name for name in ("decimal", "double", "float")}
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")


class Literal(NamedTuple):
    """A literal as it is written: its text, the IRI of its datatype, and its language."""

    lexical: str
    datatype: str = XSD + "string"
    language: str = ""


def value_of(literal: Literal) -> Any:
    """Return a number or truth value for a literal of such a datatype, else its text.

    A text that its datatype does not allow stays text, as do dates.
    """
    text = literal.lexical.strip()
    if literal.datatype in _INTEGERS and _INTEGER.fullmatch(text):
        return int(text)
    if literal.datatype in _FLOATS and _FLOAT.fullmatch(text):
        return float(text)
    if literal.datatype == XSD + "boolean" and text in _TRUTH:
        return _TRUTH[text]
    return literal.lexical
