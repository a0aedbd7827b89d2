"""What a question seeks, as SPARQL that gives the same answers at an endpoint."""

from __future__ import annotations

from kgfm.graph import GraphSchema
from kgfm.stores.rdf_export import iri_of, own_iri, taken_names
from kgfm.stores.sparql.terms import iri, is_iri, string
from kgfm.walks.walk import Sought, Walk

_FOUND = "?found"


def as_sparql(sought: Sought, *, schema: GraphSchema | None = None, exported: bool = False) -> str:
    """Return a query that finds what :func:`kgfm.walks.answers` gives.

    It is a ``SELECT`` of ``?found`` (the entities' IRIs), ``?value`` (literals; read them with
    :func:`kgfm.stores.literals.value_of`) or ``?number``, each row once and in no order, or an
    ``ASK``. An entity that the server lacks leads nowhere. Blank nodes may lie on the way and are
    counted, but an answer cannot name them. What a snapshot merged by ``same_as`` is apart there.

    Keys, relations and attributes have to be IRIs, as they are in a graph read from RDF; they are
    checked, and nothing of them is read as SPARQL.

    >>> from kgfm.walks import Sought, Step, Walk
    >>> base = "http://example.org/"
    >>> steps = (Step(base + "borders"), Step(base + "cityOf", forward=False))
    >>> print(as_sparql(Sought((Walk(base + "Peru", steps),), "count")))
    SELECT (COUNT(DISTINCT ?found) AS ?number) WHERE {
      <http://example.org/Peru> <http://example.org/borders> ?a1 .
      FILTER(!isLiteral(?a1) && ?a1 != <http://example.org/Peru>)
      ?found <http://example.org/cityOf> ?a1 .
      FILTER(?found != <http://example.org/Peru>)
    }

    Args:
        sought: What is sought.
        schema: What predicates mean, as the graph was read with.
        exported: The endpoint holds what ``KnowledgeGraph.to_rdf`` wrote, where a key that is no
            IRI stands as ``urn:kgfm:key:...``. Such IRIs among the answers become keys by
            :func:`kgfm.stores.rdf_meaning.plain_key`.

    Raises:
        ValueError: A key is no IRI, or the schema reads a predicate as something else.
    """
    return _Writer(schema or GraphSchema(), exported).query(sought)


class _Writer:
    def __init__(self, schema: GraphSchema, exported: bool) -> None:
        self._schema, self._exported = schema, exported

    def query(self, sought: Sought) -> str:
        lines: list[str] = []
        if sought.about is not None:
            lines.append(f"VALUES {_FOUND} {{ {self._key(sought.about)} }}")
        for number, walk in enumerate(sought.walks):
            lines += self._walk(
                walk, "abcdefghijklmnopqrstuvwxyz"[number % 26] * (number // 26 + 1)
            )
        head = {
            "entity": f"SELECT DISTINCT {_FOUND} WHERE",
            "count": f"SELECT (COUNT(DISTINCT {_FOUND}) AS ?number) WHERE",
            "yesno": "ASK",
            "literal": "SELECT DISTINCT ?value WHERE",
        }[sought.kind]
        return "\n".join([f"{head} {{", *(f"  {line}" for line in lines), "}"])

    def _walk(self, walk: Walk, letter: str) -> list[str]:
        """Return the patterns that bind ``?found`` to all at the end, and ``?value``."""
        topic = self._key(walk.topic)
        steps = walk.steps[:-1] if walk.is_literal else walk.steps
        lines, here = [], topic
        for place, step in enumerate(steps, start=1):
            there = _FOUND if place == len(steps) else f"?{letter}{place}"
            relation = self._relation(step.relation)
            ends = (here, there) if step.forward else (there, here)
            lines.append(f"{ends[0]} {relation} {ends[1]} .")
            conditions = [f"!isLiteral({there})"] if step.forward else []
            conditions += [] if walk.come_back else [f"{there} != {topic}"]
            if conditions:
                lines.append(f"FILTER({' && '.join(conditions)})")
            here = there
        if walk.is_literal:
            return [*lines, *self._value(here, walk.steps[-1].relation)]
        return lines or [f"VALUES {_FOUND} {{ {topic} }}"]

    def _value(self, subject: str, name: str) -> list[str]:
        lines = [f"{subject} {self._attribute(name)} ?value ."]
        conditions = ["isLiteral(?value)"]
        spoken = self._schema.language
        if "*" not in spoken:
            tags = [
                f"LANGMATCHES(LANG(?value), {string(tag)})" if tag else 'LANG(?value) = ""'
                for tag in spoken
            ]
            conditions.append(f"({' || '.join(tags) or 'false'})")
        return [*lines, f"FILTER({' && '.join(conditions)})"]

    def _key(self, key: str) -> str:
        if self._exported:
            return iri(iri_of(key, "key"))
        return iri(self._checked(key, "key"))

    def _relation(self, relation: str) -> str:
        if self._exported:
            # An export writes it in the second way where an entity has the same key.
            written = {own_iri(relation, "relation"): None}
            if relation not in taken_names():
                written = {iri_of(relation, "key"): None} | written
            return self._either([*written])
        known = (*self._schema.type, *self._schema.ignore)
        return iri(self._checked(relation, "relation", known))

    def _attribute(self, name: str) -> str:
        if self._exported:
            own = not name or name in taken_names()
            return iri(own_iri(name, "attribute") if own else iri_of(name, "attribute"))
        schema = self._schema
        known = (*schema.label, *schema.alias, *schema.description, *schema.type)
        return iri(self._checked(name, "attribute", known))

    def _either(self, written: list[str]) -> str:
        """Return a path along any of some predicates."""
        return iri(written[0]) if len(written) == 1 else f"({'|'.join(map(iri, written))})"

    def _checked(self, name: str, what: str, known: tuple[str, ...] = ()) -> str:
        """Return a name that the endpoint can know, or say what to do."""
        if name in known:
            raise ValueError(
                f"The schema reads {name!r} as a name, a type or of the vocabulary, not as "
                f"{'an' if what == 'attribute' else 'a'} {what}; give the schema= that the graph "
                "was read with."
            )
        if name.startswith("_:"):
            raise ValueError(
                f"{name!r} is a blank node; no query can name it. Start from an entity with an IRI."
            )
        if not is_iri(name):
            raise ValueError(
                f"The {what} {name!r} is no absolute IRI, so no endpoint knows it. Write the graph "
                "with KnowledgeGraph.to_rdf, load that into the endpoint, and pass exported=True."
            )
        return name
