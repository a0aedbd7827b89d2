"""Names in Cypher: checked against what the server knows, then quoted.

Values always travel as parameters. Labels, relationship types and property names cannot, where an
index is to be used; they stand between backticks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from kgfm.registry import nearest
from kgfm.stores.neo4j.server import Server

ENTITY, RELATION, GRAPH, TEXT = "KgfmEntity", "KgfmRelation", "KgfmGraph", "KgfmText"
MENTIONS, ANSWERS = "KGFM_MENTIONS", "KGFM_ANSWERS"
JSON = "kgfm:json"
_ESCAPE = "kgfm:name:"
_RESERVED = {"key", "label", "aliases", "description"}


def quoted(name: str) -> str:
    r"""Return a name between backticks, so that no character of it is read as Cypher.

    Cypher reads ``\u0060`` as a backtick even there, so backslashes are written as such escapes.

    >>> quoted("x`) DETACH DELETE n //")
    '`x``) DETACH DELETE n //`'

    Raises:
        ValueError: The name is empty or holds a null character, which Neo4j does not allow.
    """
    if not name or "\0" in name:
        raise ValueError(f"{name!r} is no name in Neo4j: empty, or with a null character.")
    return "`" + name.replace("\\", "\\u005C").replace("`", "``") + "`"


def stored_name(name: str) -> str:
    """Return the name under which a type, relation or attribute of a snapshot is stored.

    The same but for names that Neo4j does not allow or that kgfm uses itself.

    >>> stored_name("director"), stored_name("label"), stored_name("")
    ('director', 'kgfm:name:label', 'kgfm:name:')
    """
    plain = name and "\0" not in name and name not in _RESERVED
    if plain and not name.startswith(("kgfm:", "Kgfm", "KGFM_")):
        return name
    return _ESCAPE + name.replace("%", "%25").replace("\0", "%00")


def given_name(stored: str) -> str:
    """Undo :func:`stored_name`."""
    return unquote(stored.removeprefix(_ESCAPE)) if stored.startswith(_ESCAPE) else stored


@dataclass(frozen=True)
class Vocabulary:
    """The names that a server knows; only these are ever pasted into a query that reads.

    Args:
        labels: Of nodes.
        relations: Types of relationships.
        properties: Of either.
    """

    labels: frozenset[str]
    relations: frozenset[str]
    properties: frozenset[str]

    @classmethod
    def of(cls, server: Server) -> Vocabulary:
        """Ask a server; one that keeps no list of property names is asked for those in use."""
        labels, relations, properties = (
            frozenset(str(name) for (name,) in server.rows(f"CALL {procedure}()"))
            for procedure in ("db.labels", "db.relationshipTypes", "db.propertyKeys")
        )
        if labels and not properties:
            used = server.rows("MATCH (n) UNWIND keys(n) AS name RETURN DISTINCT name")
            properties = frozenset(str(name) for (name,) in used)
        return cls(labels, relations, properties)

    def label(self, name: str) -> str:
        """Return a node label, quoted; a KeyError names near ones."""
        return _known(name, self.labels, "label")

    def relation(self, name: str) -> str:
        """Return a relationship type, quoted; a KeyError names near ones."""
        return _known(name, self.relations, "relationship type")

    def property(self, name: str) -> str:
        """Return a property name, quoted; a KeyError names near ones."""
        return _known(name, self.properties, "property")

    def any_relation(self, names: Iterable[str]) -> str:
        """Return ``:`A`|`B``` for a pattern, or nothing where all types are meant."""
        names = sorted(names)
        if self.relations <= {*names}:
            return ""
        return ":" + "|".join(map(self.relation, names))


def _known(name: str, known: frozenset[str], what: str) -> str:
    if name not in known:
        raise KeyError(f"The server has no {what} {name!r}.{nearest(name, known)}")
    return quoted(name)
