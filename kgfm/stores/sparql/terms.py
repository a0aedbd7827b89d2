"""Terms as they stand in SPARQL and N-Triples; what cannot stand there is refused, never pasted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from kgfm.stores.literals import XSD, Literal

Term = str | Literal
"""An IRI, ``_:`` and the name of a blank node, or a literal."""

# SPARQL 1.1, production 139 (IRIREF): what ends an IRI, and what could begin anything else.
_NOT_IN_IRI = re.compile(r"[\x00-\x20<>\"{}|^`\\\ud800-\udfff]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_LANGUAGE = re.compile(r"[A-Za-z]+(-[A-Za-z0-9]+)*")
_BLANK = re.compile(r"[A-Za-z0-9]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TO_ESCAPE = re.compile(r"[\\\"\x00-\x1f\x7f\ud800-\udfff]")


def is_iri(key: str) -> bool:
    """Say whether a key is an absolute IRI that can stand between ``<`` and ``>``."""
    return _SCHEME.match(key) is not None and _NOT_IN_IRI.search(key) is None


def iri(key: str) -> str:
    """Return an IRI between ``<`` and ``>``.

    Raises:
        ValueError: It is none, or holds a character that would end it.
    """
    if not isinstance(key, str) or not is_iri(key):
        raise ValueError(f"{key!r} is no absolute IRI, such as 'http://example.org/x'.")
    return f"<{key}>"


def iris(keys: Iterable[str]) -> str:
    """Return IRIs with spaces between them, for ``VALUES`` and ``IN``."""
    return " ".join(map(iri, keys))


def string(text: str) -> str:
    """Return a text as a quoted string."""
    return '"' + _TO_ESCAPE.sub(_escape, text) + '"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if "\ud800" <= character <= "\udfff":
        raise ValueError("A lone surrogate cannot be sent: UTF-8 cannot hold it.")
    return _ESCAPES.get(character) or f"\\u{ord(character):04X}"


def n_triples(term: Term) -> str:
    """Return a term as N-Triples writes it."""
    if isinstance(term, Literal):
        if term.language:
            if not _LANGUAGE.fullmatch(term.language):
                raise ValueError(f"{term.language!r} is no language tag.")
            return f"{string(term.lexical)}@{term.language}"
        plain = term.datatype == XSD + "string"
        return string(term.lexical) + ("" if plain else f"^^{iri(term.datatype)}")
    return term if term.startswith("_:") else iri(term)


def from_json(binding: Mapping[str, Any], blanks: dict[str, str]) -> Term:
    """Return the term of a binding in SPARQL 1.1 JSON results.

    Args:
        binding: ``{"type": ..., "value": ...}``.
        blanks: Names of the answer's blank nodes so far; a server's own may hold any character.
    """
    kind, value = binding["type"], binding["value"]
    if kind == "uri":
        return str(value)
    if kind == "bnode":
        return "_:" + blanks.setdefault(value, f"b{len(blanks)}")
    if kind in ("literal", "typed-literal"):
        datatype = binding.get("datatype", XSD + "string")
        return Literal(str(value), datatype, binding.get("xml:lang", ""))
    raise ValueError(f"The answer holds a term of the kind {kind!r}, which is not read.")
