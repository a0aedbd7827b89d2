"""Names of columns: which first lines are headers, and which column is which."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

ROLES = ("head", "relation", "tail")
_WORDS = {
    "head": "head h subject subj s sub source src from start node1 entity1 e1 arg1 left lhs parent",
    "relation": "relation rel r predicate pred p property prop edge type relationship reltype link "
    "edgetype edgelabel relationtype relationshiptype interaction association",
    "tail": "tail t object obj o target dst dest destination to end node2 entity2 e2 arg2 right "
    "rhs child",
}
_ROLE = {word: role for role, words in _WORDS.items() for word in words.split()}
# Two of these in the first line, and it is no triple.
_PLAIN = {"head", "relation", "tail", "subject", "predicate", "object", "source", "target"}
_ASIDE = ("id", "ids", "key", "name", "label", "uri", "iri", "curie", "node", "entity", "term")
_KEYS = {"id", "ids", "key", "uri", "iri", "curie", "qid", "identifier"}
_TOLD = ("title", "term", "definition", "text", "pref_label", "synonyms", "category")
_INDEX = re.compile(r"|__index_level_0__|Unnamed: 0(\.[0-9]+)?|Unnamed: 0_level_[0-9]+")


def is_index(name: str) -> bool:
    """Say whether a column is called as pandas calls an index without a name."""
    return _INDEX.fullmatch(name) is not None


def is_triple_header(fields: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> bool:
    """Say whether a line names the columns of triples, whatever words it has for them.

    Args:
        fields: Those of the line.
        rows: Those of some lines after it. Less plain words than ``head`` and ``tail`` are a
            triple where another row has its head or tail too, as ``node_1 edge node_2``.
    """
    words = {field.casefold() for field in fields}
    if len(words & _PLAIN) > 1:
        return True
    head, relation, tail = columns_by_role(fields)
    if head is None or relation is None or tail is None:
        return False
    return not any(head in row or tail in row for row in rows)


def columns_by_role(fields: Sequence[str]) -> list[str | None]:
    """Return the names of the head's, relation's and tail's column as far as one alone fits."""
    roles = [_role(field) for field in fields]
    return [fields[roles.index(role)] if roles.count(role) == 1 else None for role in ROLES]


def _role(name: str) -> str:
    """Return the role that a column's name says, without what is often put beside (``_id``)."""
    words = _words(name)
    while len(words) > 1 and words[-1] in _ASIDE:
        words = words[:-1]
    return _ROLE.get("".join(words), "")


def _words(name: str) -> list[str]:
    """Return the words of a name such as ``node_1``, ``subjectId`` or ``:START_ID(Film)``."""
    own, _, kind = re.sub(r"\(.*", "", name).partition(":")  # with a type: head_id:token
    name = kind if kind in ("START_ID", "END_ID", "TYPE") else own or kind
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[^\W_]+", apart.casefold())


def key_by_name(fields: Sequence[str], known: Collection[str]) -> str | None:
    """Return the one column that is called as keys are, of an entity table with a header.

    Args:
        fields: The names of the columns.
        known: Names for what else is told of entities, in lower case; one of these or
            of the usual ones must be there.
    """
    known = {*known, *_TOLD}
    if not any(field.casefold() in known or "_".join(_words(field)) in known for field in fields):
        return None
    keys = [field for field in fields if (words := _words(field)) and words[-1] in _KEYS]
    index = [field for field in fields[:1] if is_index(field)]
    return next((found[0] for found in (keys, index) if len(found) == 1), None)


def begins_with_key(fields: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Say whether a line of several fields begins with the name of a key, which no row has."""
    words = _words(fields[0]) if len(fields) > 1 else []
    return words[-1:] != [] and words[-1] in _KEYS and not any(fields[0] in row for row in rows)


def looks_like_names(fields: Sequence[str]) -> bool:
    """Say whether fields could name columns, as ``gene_id`` or ``relation`` do."""
    return any(
        _role(field) in ROLES or (len(words := _words(field)) > 1 and words[-1] in _ASIDE)
        for field in fields
        if len(field) > 1
    )
