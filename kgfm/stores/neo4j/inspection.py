"""Read the schema of a server, and guess what its labels and properties stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kgfm.graph import GraphSchema
from kgfm.registry import nearest
from kgfm.stores.neo4j.cypher import (
    ENTITY,
    GRAPH,
    RELATION,
    Vocabulary,
    given_name,
    quoted,
    stored_name,
)
from kgfm.stores.neo4j.mapping import Neo4jMapping
from kgfm.stores.neo4j.server import Server
from kgfm.stores.records import language_of

# Beyond what GraphSchema knows: what people call these properties in Neo4j, and what neosemantics
# makes of RDF.
_GUESSES = {
    "label": (
        *("title", "prefLabel", "displayName", "fullName"),
        *("skos__prefLabel", "rdfs__label", "sch__name", "foaf__name", "dct__title"),
    ),
    "alias": (
        *("altLabel", "altNames", "synonyms", "alternateName"),
        *("skos__altLabel", "skos__hiddenLabel", "sch__alternateName"),
    ),
    "description": (
        *("summary", "abstract", "definition", "comment"),
        *("skos__definition", "rdfs__comment", "sch__description", "dct__description"),
    ),
}
NEOSEMANTICS, PLAIN = "neosemantics", "plain"
CONVENTIONS = (NEOSEMANTICS, PLAIN)
_RESOURCE = "Resource"
_SAMPLE = 200
_VECTOR = 32


def inspect(
    server: Server,
    *,
    key: str | Mapping[str, str | None] | None = None,
    labels: Sequence[str] | None = None,
    relations: Sequence[str] | None = None,
    schema: GraphSchema | None = None,
    qualified: bool = False,
    convention: str | None = None,
) -> Neo4jMapping:
    """Guess how a server's nodes and relationships become a graph.

    Args:
        server: Is asked for its schema and a sample of properties.
        key: The property that tells nodes apart, or one by label (``None`` for the element id).
            Where it is not given it is one with a uniqueness constraint, else the element id.
        labels: The node labels to read; all if ``None``.
        relations: The relationship types to read; all if ``None``.
        schema: Names of the properties for label, alias and description; kgfm's guesses if
            ``None``.
        qualified: Make keys ``label/key``.
        convention: ``"neosemantics"`` where names end in the tag of their language; ``"plain"``
            where an ``@`` is just that; guessed from a sample if ``None``.

    Raises:
        KeyError: The server knows no such label, relationship type or property.
        ValueError: There is no such convention. Some nodes lack the key property, or its values are
            of mixed kinds; the message says what to run on the server.
    """
    if convention not in (None, *CONVENTIONS):
        raise ValueError(
            f"Neo4j has no convention {convention!r}.{nearest(convention or '', CONVENTIONS)} "
            f"There are {', '.join(CONVENTIONS)}; without one, kgfm looks at a sample of names."
        )
    known = Vocabulary.of(server)
    if {ENTITY, GRAPH} <= known.labels and key is None and labels is None:
        return _own(server, known, relations)
    chosen = [label for label in known.labels if not label.startswith("Kgfm")]
    if labels is not None:
        chosen = [label for label in labels if known.label(label)]
    counts = _counts(server, known, chosen)
    chosen = sorted((name for name in chosen if counts[name]), key=lambda n: (-counts[n], n))
    unique, indexed = _indexed(server)
    without = _without_label(server) if labels is None else 0
    nodes = _keys(server, known, key, chosen, unique, without)
    total = _total(server, chosen) + without
    sample = _sample(server, known, chosen)
    types = [name for name in chosen if counts[name] < total or len(chosen) == 1]
    mapping = Neo4jMapping(
        nodes,
        types=tuple(sorted(types)),
        relations=tuple(_relations(known, relations)),
        ignore=tuple(sorted({n for n, values in sample.items() if any(map(_is_vector, values))})),
        qualified=qualified,
        label=_role("label", schema, sample),
        alias=_role("alias", schema, sample),
        description=_role("description", schema, sample),
    )
    mapping = replace(
        mapping, indexed=tuple(label for label, name in nodes.items() if (label, name) in indexed)
    )
    if convention == NEOSEMANTICS or (convention is None and _is_tagged(mapping, chosen, sample)):
        mapping = replace(mapping, languages=(schema or GraphSchema()).language)
    return check_keys(server, known, mapping)


def _is_tagged(
    mapping: Neo4jMapping, labels: Iterable[str], sample: Mapping[str, Sequence[Any]]
) -> bool:
    """Say whether names end in the tags of languages, as neosemantics keeps them.

    Its nodes are labelled Resource and have a ``uri``; not all texts have a language.
    """
    if _RESOURCE not in labels or "uri" not in mapping.nodes.values():
        return False
    values = [value for name in (*mapping.label, *mapping.alias) for value in sample[name]]
    texts = [one for value in values for one in (value if isinstance(value, list) else [value])]
    tagged = [isinstance(one, str) and bool(language_of(one)) for one in texts]
    return any(tagged) and 2 * sum(tagged) >= len(tagged)


def _own(server: Server, known: Vocabulary, relations: Sequence[str] | None) -> Neo4jMapping:
    """Return the mapping of a graph that kgfm wrote."""
    (row,) = server.rows(f"MATCH (g:{known.label(GRAPH)}) RETURN g.edge_attributes LIMIT 1")
    written = [key for (key,) in server.rows(f"MATCH (r:{RELATION}) RETURN r.key ORDER BY r.key")]
    kept = set(written if relations is None else relations)
    stored = [stored_name(key) for key in written if key in kept]
    return Neo4jMapping(
        {ENTITY: "key"},
        relations=tuple(name for name in stored if name in known.relations),
        indexed=(ENTITY,),
        edge_attributes=tuple(given_name(name) for name in row[0] or ()),
        own=True,
    )


def relation_labels(server: Server, mapping: Neo4jMapping) -> dict[str, str]:
    """Return the labels of relations that kgfm wrote; in Neo4j itself they have none."""
    if not mapping.own:
        return {}
    rows = server.rows(f"MATCH (r:{RELATION}) WHERE r.label IS NOT NULL RETURN r.key, r.label")
    return {str(key): str(label) for key, label in rows}


def _relations(known: Vocabulary, relations: Sequence[str] | None) -> list[str]:
    if relations is not None:
        return sorted(name for name in relations if known.relation(name))
    return sorted(name for name in known.relations if not name.startswith("KGFM_"))


def _counts(server: Server, known: Vocabulary, labels: Iterable[str]) -> dict[str, int]:
    """Count the nodes of each label; the server keeps these numbers."""
    return {
        label: server.rows(f"MATCH (n:{known.label(label)}) RETURN count(n)")[0][0]
        for label in labels
    }


def _total(server: Server, labels: Sequence[str]) -> int:
    query = "MATCH (n) WHERE any(l IN labels(n) WHERE l IN $labels) RETURN count(n)"
    return int(server.rows(query, {"labels": list(labels)})[0][0])


def _without_label(server: Server) -> int:
    return int(server.rows("MATCH (n) WHERE size(labels(n)) = 0 RETURN count(n)")[0][0])


def _indexed(server: Server) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return (label, property) with a uniqueness constraint, and with an index.

    A server that has no such statements has none that we can see.
    """
    found: list[set[tuple[str, str]]] = [set(), set()]
    for place, (what, kinds) in enumerate(
        {
            "CONSTRAINTS": {"UNIQUENESS", "NODE_KEY", "NODE_PROPERTY_UNIQUENESS"},
            "INDEXES": {"RANGE", "BTREE"},
        }.items()
    ):
        try:
            rows = server.rows(
                f"SHOW {what} YIELD type, entityType, labelsOrTypes, properties "
                "RETURN type, entityType, labelsOrTypes, properties"
            )
        except (ValueError, RuntimeError):
            continue
        found[place] = {
            (names[0], properties[0])
            for kind, of, names, properties in rows
            if kind in kinds and of == "NODE" and len(names) == len(properties) == 1
        }
    return found[0], found[0] | found[1]


def _keys(
    server: Server,
    known: Vocabulary,
    key: str | Mapping[str, str | None] | None,
    labels: Sequence[str],
    unique: set[tuple[str, str]],
    without: int,
) -> dict[str, str | None]:
    """Return the key property of each label that nodes count under."""
    if isinstance(key, Mapping):
        return {label: name for label, name in key.items() if not label or known.label(label)}
    if key is not None:
        known.property(key)
        bearing = [label for label in labels if (label, key) in unique]
        rest = [] if _covered(server, bearing, labels, without) else labels
        nodes: dict[str, str | None] = dict.fromkeys([*bearing, *rest], key)
        return {**nodes, "": key} if without and rest else nodes
    by_property = Counter(name for label, name in unique if label in labels)
    preferred = {name.casefold(): rank for rank, name in enumerate(GraphSchema().key)}
    order = sorted(by_property, key=lambda n: (preferred.get(n.casefold(), 99), -by_property[n], n))
    for name in order:
        bearing = [label for label in labels if (label, name) in unique]
        if _covered(server, bearing, labels, without):
            return dict.fromkeys(bearing, name)
    return {**dict.fromkeys(labels, None), **({"": None} if without else {})}


def _covered(server: Server, bearing: Sequence[str], labels: Sequence[str], without: int) -> bool:
    """Say whether every node has one of the labels that bear a key."""
    if without or not bearing:
        return False
    if {*bearing} == {*labels}:
        return True
    return _total(server, bearing) == _total(server, labels)


def _sample(server: Server, known: Vocabulary, labels: Sequence[str]) -> dict[str, list[Any]]:
    """Return some values of each property that nodes of these labels have."""
    values: dict[str, list[Any]] = {}
    for label in labels:
        query = f"MATCH (n:{known.label(label)}) RETURN properties(n) LIMIT $sample"
        for (properties,) in server.rows(query, {"sample": _SAMPLE}):
            for name, value in properties.items():
                values.setdefault(name, []).append(value)
    return values


def _role(role: str, schema: GraphSchema | None, sample: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the properties on the server that play a role, the preferred ones first."""
    if schema is not None:
        wanted: tuple[str, ...] = getattr(schema, role)
    else:
        wanted = (*getattr(GraphSchema(), role), *_GUESSES[role])
    folded = {name.casefold(): name for name in sorted(sample, reverse=True)}
    found = [folded.get(name.casefold()) for name in wanted]
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _is_vector(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= _VECTOR and isinstance(value[0], float)


def check_keys(server: Server, known: Vocabulary, mapping: Neo4jMapping) -> Neo4jMapping:
    """Refuse nodes without a key, and say which labels' keys are whole numbers.

    Raises:
        ValueError: Nodes lack the key property, or its values are of mixed kinds.
    """
    integer = []
    for label, name in mapping.nodes.items():
        if name is None:
            continue
        pattern = f":{known.label(label)}" if label else ""
        value = f"n.{known.property(name)}"
        where = "" if label else " WHERE size(labels(n)) = 0"
        ((nodes, with_key, texts, numbers),) = server.rows(
            f"MATCH (n{pattern}){where} RETURN count(n), count({value}), "
            f"count(CASE WHEN {value} >= '' THEN 1 END), "
            f"count(CASE WHEN {value} >= $least AND {value} = toInteger({value}) THEN 1 END)",
            {"least": -(2**63)},
        )
        if with_key < nodes:
            raise ValueError(_missing(known, label, name, nodes, with_key))
        if nodes not in (texts, numbers):
            raise ValueError(
                f"The property {name!r} of nodes labelled {label!r} is neither text everywhere "
                "nor whole numbers everywhere; choose another with key=."
            )
        if nodes == numbers and nodes:
            integer.append(label)
    return replace(mapping, integer=tuple(integer))


def _missing(known: Vocabulary, label: str, name: str, nodes: int, with_key: int) -> str:
    hint = nearest(name, known.properties - {name}) if not with_key else ""
    pattern = f"n:{known.label(label)}" if label else "n"
    return (
        f"{nodes - with_key:,} of {nodes:,} nodes labelled {label!r} have no {name!r}, so it is no "
        f"key.{hint} Choose another property with key=, leave the label out with labels=, or give "
        f"every node one and run: {create_constraint(label, name) if label else pattern}"
    )


def create_constraint(label: str, name: str) -> str:
    """Return the statement that makes a property a key."""
    return f"CREATE CONSTRAINT FOR (n:{quoted(label)}) REQUIRE n.{quoted(name)} IS UNIQUE"
