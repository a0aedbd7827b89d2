"""Graphs in and out of Neo4j, on a real server."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neo4j_server import Neo4j

from kgfm import KnowledgeGraph
from kgfm.datasets.metaqa import metaqa_graph
from kgfm.datasets.world import world_path
from kgfm.graph import EntityRecord
from kgfm.stores.neo4j import Neo4jMapping, Server, inspect
from kgfm.stores.neo4j.cypher import Vocabulary, given_name, quoted, stored_name

EVIL = (
    "x`) DETACH DELETE n //",
    "> } ; DROP ALL #",
    "\\u0060) DETACH DELETE n //",
    "`",
    "\\",
    "'; MATCH (n) DETACH DELETE n; //",
    "$rows",
    "a\nb",
)

# -- without a server -----------------------------------------------------------------------------


def test_a_quoted_name_has_no_backtick_that_ends_it_and_no_escape() -> None:
    for name in EVIL:
        inside = quoted(name)[1:-1]
        assert "`" not in inside.replace("``", "")
        assert "\\" not in inside.replace("\\u005C", "")
    for name in ("", "a\0b"):
        with pytest.raises(ValueError, match="is no name"):
            quoted(name)


@given(st.text())
def test_every_name_can_be_stored_and_comes_back(name: str) -> None:
    stored = stored_name(name)
    quoted(stored)
    assert given_name(stored) == name
    assert stored not in ("key", "label", "aliases", "description", "kgfm:json", "KgfmEntity")


@given(st.text(), st.text())
def test_two_names_are_never_stored_as_one(one: str, other: str) -> None:
    assert (stored_name(one) == stored_name(other)) == (one == other)


def test_only_names_that_the_server_knows_are_pasted() -> None:
    known = Vocabulary(frozenset({"Film"}), frozenset({"DIRECTED"}), frozenset({"title"}))
    assert known.label("Film") == "`Film`"
    for ask, name in ((known.label, "Flim"), (known.relation, EVIL[0]), (known.property, "titel")):
        with pytest.raises(KeyError, match="The server has no"):
            ask(name)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("bolt://neo4j:hunter2@localhost", "holds a user or password"),
        ("http://localhost:7474", "begins with one of bolt, "),
        ("localhost:7687", "begins with one of bolt, "),
        ("bolt://", "names a host"),
        ("bolt://localhost:port", "names a host"),
    ],
)
def test_an_address_that_is_none_is_refused_without_being_shown(uri: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Server(uri)
    assert "hunter2" not in str(caught.value)


def test_a_password_alone_is_no_login_and_is_not_shown() -> None:
    with pytest.raises(TypeError, match="auth is \\(user, password\\)") as caught:
        Server("bolt://localhost", auth="hunter2")
    assert "hunter2" not in str(caught.value)


def test_a_server_object_shows_no_password_and_travels_to_other_processes() -> None:
    import neo4j

    server = Server("bolt://localhost", auth=("neo4j", "hunter2"), database="films")
    assert repr(server) == "Server('bolt://localhost:7687', database='films')"
    assert repr(pickle.loads(pickle.dumps(server))) == repr(server)
    for token in (neo4j.bearer_auth("hunter2"), neo4j.kerberos_auth("hunter2")):
        assert "hunter2" not in repr(Server("neo4j+s://db.example.org", auth=token))


def test_a_mapping_survives_json() -> None:
    mapping = Neo4jMapping({"Film": "id", "": None}, ("Film",), integer=("Film",), qualified=True)
    assert Neo4jMapping.from_json(json.loads(json.dumps(mapping.as_json()))) == mapping
    assert mapping.rows(["Film/12", "Film/x", "/4:x:1", "other"]) == [
        {"key": "Film/12", "values": [12, None]},
        {"key": "/4:x:1", "values": [None, "4:x:1"]},
    ]


# -- the law: the same bytes come back ------------------------------------------------------------


def round_trip(graph: KnowledgeGraph, neo4j: Neo4j, **options: Any) -> KnowledgeGraph:
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    return KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **neo4j.login, **options)


def tricky() -> KnowledgeGraph:
    """A graph with everything that Neo4j has no place for by itself."""
    keys = [*EVIL, "plain", "no label", "\U0001f600", "\uffff"]
    entities = [
        EntityRecord(
            key,
            "" if key == "no label" else f"label of {key}",
            [key + "1", "one|two"],
            f"It is {key}",
            [key, "key", "KgfmEntity", "kgfm:x", "Type"],
            {
                key: key,
                "key": 1,
                "label": [1, "a", 2.5],
                "aliases": True,
                "": "nothing",
                "a\0b": [2.5, 1.5],
                "large": 2**70,
                "numbers": [3, 1, 2],
                "truth": [True, False],
                "kgfm:json": "{}",
                "Name": "no label",
                "type": "no type",
            },
        )
        for key in keys
    ]
    triples = [(head, EVIL[i % 8], keys[i * 5 % len(keys)]) for i, head in enumerate(keys)]
    triples += [("plain", "key", "plain"), ("plain", "a\0b", "new"), ("new", "KGFM_X", "plain")]
    count = len(triples)
    return KnowledgeGraph.from_records(
        entities,
        triples,
        relations={EVIL[0]: EVIL[1], "key": "Schlüssel"},
        edge_attributes={
            "since": list(range(count)),
            "weight": [None if i % 3 else i / 7 for i in range(count)],
            "sure": [i % 2 == 0 for i in range(count)],
            "note": [EVIL[i % 8] if i % 2 else None for i in range(count)],
            "key": ["k"] * count,
            "never": [None] * count,
        },
    )


@pytest.mark.neo4j
@pytest.mark.filterwarnings("ignore:.*have no label")
def test_a_graph_of_awkward_names_comes_back_as_it_was(neo4j: Neo4j) -> None:
    graph = tricky()
    back = round_trip(graph, neo4j)
    assert back.fingerprint == graph.fingerprint
    assert neo4j.run("MATCH (n:KgfmEntity) RETURN count(n)") == [[len(graph)]]


@pytest.mark.neo4j
def test_the_world_comes_back_as_it_was(neo4j: Neo4j) -> None:
    graph = KnowledgeGraph.from_rdf(world_path())
    assert round_trip(graph, neo4j, page=300, workers=4).fingerprint == graph.fingerprint
    labels = {name for (name,) in neo4j.run("CALL db.labels()")}
    assert {"country", "city", "language"} <= labels


@pytest.mark.neo4j
@pytest.mark.data
@pytest.mark.slow
def test_metaqa_comes_back_as_it_was(neo4j: Neo4j, public_data: Path, tmp_path: Path) -> None:
    graph = metaqa_graph(public_data / "metaqa", tmp_path)
    assert round_trip(graph, neo4j).fingerprint == graph.fingerprint


names = st.text(min_size=1, max_size=5)
values = st.one_of(
    st.integers(-(2**66), 2**66), st.floats(allow_nan=False), st.booleans(), st.text(max_size=5)
)
records = st.builds(
    EntityRecord,
    key=names,
    label=st.text(max_size=5),
    aliases=st.lists(st.text(max_size=5), max_size=3),
    description=st.text(max_size=5),
    types=st.lists(st.text(max_size=3), max_size=3),
    attributes=st.dictionaries(
        st.text(max_size=4), st.one_of(values, st.lists(values)), max_size=3
    ),
)


@pytest.mark.neo4j
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*have no label")
# The driver's threads draw random numbers while an example is made.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module")
@settings(max_examples=40)
@given(
    st.lists(records, max_size=5),
    st.lists(st.tuples(names, names, names, values), max_size=8),
)
def test_any_graph_comes_back_as_it_was(
    neo4j_server: Neo4j,
    entities: list[EntityRecord],
    edges: list[tuple[str, str, str, Any]],
) -> None:
    graph = KnowledgeGraph.from_records(
        entities,
        [edge[:3] for edge in edges],
        edge_attributes={"value": [edge[3] for edge in edges]} if edges else None,
    )
    neo4j_server.run("MATCH (n) DETACH DELETE n")
    assert round_trip(graph, neo4j_server).fingerprint == graph.fingerprint


@pytest.mark.neo4j
def test_writing_twice_changes_nothing_and_keeps_what_others_wrote(neo4j: Neo4j) -> None:
    graph = KnowledgeGraph.from_rdf(world_path())
    neo4j.run("CREATE (:Person {name: 'Ann'})-[:KNOWS]->(:Person {name: 'Bob'})")
    assert round_trip(graph, neo4j).fingerprint == graph.fingerprint
    count = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n), count(r)"
    before = neo4j.run(count)
    neo4j.run("MATCH (n:country {label: 'Peru'}) SET n.mine = 1")
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    assert neo4j.run(count) == before
    assert neo4j.run("MATCH (n:country {label: 'Peru'}) RETURN n.mine") == [[1]]


@pytest.mark.neo4j
def test_the_written_graph_can_be_searched_by_name(neo4j: Neo4j) -> None:
    KnowledgeGraph.from_rdf(world_path()).to_neo4j(neo4j.uri, **neo4j.login)
    found = neo4j.run(
        "CALL db.index.fulltext.queryNodes('kgfm_entity_names', 'Abiyán') YIELD node "
        "RETURN node.label LIMIT 1"
    )
    assert found == [["Abidjan"]]
    constraints = neo4j.run("SHOW CONSTRAINTS YIELD name RETURN name ORDER BY name")
    assert constraints == [["kgfm_entity_key"], ["kgfm_relation_key"]]


# -- a database of the user's ---------------------------------------------------------------------


def films(neo4j: Neo4j) -> None:
    neo4j.run(
        "CREATE (h:Work:Film {id: 1, title: 'Heat', tagline: 'A Los Angeles crime saga', "
        "  summary: 'A heist', released: date('1995-12-15'), place: point({x: 1.5, y: 2.0}), "
        "  length: duration('PT2H50M'), ratings: [8, 9], vector: [i IN range(1, 64) | i * 0.5]}), "
        "(m:Person {id: 2, name: 'Michael Mann', synonyms: ['Mann', 'M. Mann']}), "
        "(p:Person {id: 3, name: 'Al Pacino'}), "
        "(m)-[:DIRECTED]->(h), (p)-[:ACTED_IN {role: 'Hanna', billing: 1}]->(h), (p)-[:KNOWS]->(p)"
    )


@pytest.mark.neo4j
def test_a_database_of_films_is_understood(
    neo4j: Neo4j, capsys: pytest.CaptureFixture[str]
) -> None:
    films(neo4j)
    for label in ("Work", "Person"):
        neo4j.run(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    graph = KnowledgeGraph.from_neo4j(neo4j.uri, **neo4j.login)
    assert repr(graph) == "KnowledgeGraph(3 entities, 3 relations, 3 triples)"
    assert graph.names(graph.row("1")) == ("Heat",)
    assert graph.types(graph.row("1")) == ("Film", "Work")
    assert graph.text(graph.row("1")) == "Heat (Film, Work). A heist"
    assert graph.names(graph.row("2")) == ("Michael Mann", "M. Mann", "Mann")
    assert graph.attributes(graph.row("1")) == {
        "length": "PT2H50M",
        "place": "POINT(1.5 2.0)",
        "ratings": [8, 9],
        "released": "1995-12-15",
        "tagline": "A Los Angeles crime saga",
    }
    assert list(graph.edge_attributes["role"]) == ["", "Hanna", ""]
    shown = capsys.readouterr().err
    assert ":Person by id, :Work by id" in shown
    assert "label: name, title" in shown
    assert "left out: vector" in shown
    mapping = Neo4jMapping.from_json(graph.manifest["source"]["mapping"])
    again = KnowledgeGraph.from_neo4j(neo4j.uri, mapping=mapping, say=None, **neo4j.login)
    assert again.fingerprint == graph.fingerprint
    assert "kgfm-test-pw" not in json.dumps(graph.manifest)


@pytest.mark.neo4j
def test_guesses_can_be_overridden(neo4j: Neo4j) -> None:
    from kgfm import GraphSchema

    films(neo4j)
    graph = KnowledgeGraph.from_neo4j(
        neo4j.uri,
        key="id",
        labels=["Person", "Work"],
        relations=["DIRECTED"],
        schema=GraphSchema(label=("tagline", "name"), description=("title",)),
        qualified=True,
        say=None,
        **neo4j.login,
    )
    assert list(graph.keys) == ["Person/2", "Person/3", "Work/1"]
    assert graph.text(2) == "A Los Angeles crime saga (Work). Heat"
    assert list(graph.relation_keys) == ["DIRECTED"]


@pytest.mark.neo4j
@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("page", [1, 2, 7, 1000])
def test_pages_and_streams_of_whole_types_give_the_same_graph(
    neo4j: Neo4j, page: int, index: bool
) -> None:
    neo4j.run(
        "UNWIND range(1, 20) AS i CREATE (n:A {id: i}) WITH collect(n) AS nodes "
        "UNWIND range(0, 19) AS i UNWIND range(0, 19, 3) AS j "
        "WITH nodes[i] AS a, nodes[j] AS b, i, j "
        "FOREACH (_ IN CASE WHEN i % 4 = 0 THEN [1] ELSE [] END | SET a:B) "
        "CREATE (a)-[:R {w: i * j}]->(b)"
    )
    if index:
        neo4j.run("CREATE CONSTRAINT FOR (n:A) REQUIRE n.id IS UNIQUE")
        neo4j.run("CREATE CONSTRAINT FOR (n:B) REQUIRE n.id IS UNIQUE")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*have no label")
        graph = KnowledgeGraph.from_neo4j(
            neo4j.uri, key={"B": "id", "A": "id"}, page=page, say=None, **neo4j.login
        )
        triples = [(str(i + 1), "R", str(j + 1)) for i in range(20) for j in range(0, 20, 3)]
        expected = KnowledgeGraph.from_records(
            [{"key": str(i + 1), "types": ["B"] if i % 4 == 0 else []} for i in range(20)],
            triples,
            edge_attributes={"w": [(int(a) - 1) * (int(b) - 1) for a, _, b in triples]},
        )
    assert graph.fingerprint == expected.fingerprint


@pytest.mark.neo4j
def test_without_a_unique_property_keys_are_element_ids_with_a_warning(neo4j: Neo4j) -> None:
    neo4j.run("CREATE (:A {name: 'a'})-[:R]->({name: 'b'})")
    with pytest.warns(UserWarning, match="die with the server.*CREATE CONSTRAINT FOR"):
        graph = KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **neo4j.login)
    assert sorted(graph.labels) == ["a", "b"]
    assert sorted(key.partition("/")[0] for key in graph.keys) == ["", "A"]
    assert graph.num_triples == 1


@pytest.mark.neo4j
def test_nodes_without_the_key_are_refused_with_the_statement_to_run(neo4j: Neo4j) -> None:
    neo4j.run("CREATE (:`A``b` {id: 1}), (:`A``b` {other: 2})")
    with pytest.raises(ValueError, match="1 of 2 nodes labelled 'A`b' have no 'id'") as caught:
        KnowledgeGraph.from_neo4j(neo4j.uri, key="id", **neo4j.login)
    assert "CREATE CONSTRAINT FOR (n:`A``b`) REQUIRE n.`id` IS UNIQUE" in str(caught.value)
    neo4j.run("MATCH (n {other: 2}) SET n.id = 'two'")
    with pytest.raises(ValueError, match="neither text everywhere nor whole numbers"):
        KnowledgeGraph.from_neo4j(neo4j.uri, key="id", **neo4j.login)
    neo4j.run("MATCH (n {other: 2}) SET n.id = 1")
    with pytest.raises(ValueError, match="Two nodes have the key '1'"):
        KnowledgeGraph.from_neo4j(neo4j.uri, key="id", say=None, **neo4j.login)


@pytest.mark.neo4j
def test_unknown_names_are_refused_before_anything_is_pasted(neo4j: Neo4j) -> None:
    films(neo4j)
    options: list[dict[str, Any]] = [
        {"labels": ["Flim"]},
        {"relations": ["DIRECTD"]},
        {"key": "idd"},
        *({"labels": [name]} for name in EVIL),
        *({"relations": [name]} for name in EVIL),
        *({"key": name} for name in EVIL),
        {"mapping": Neo4jMapping({EVIL[0]: "id"})},
        {"mapping": Neo4jMapping({"Film": EVIL[0]})},
        {"mapping": Neo4jMapping({"Film": "id"}, relations=(EVIL[0],))},
    ]
    for option in options:  # a server remembers names of properties that nothing has any more
        with pytest.raises((KeyError, ValueError), match=r"The server has no|is no key"):
            KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **option, **neo4j.login)
    assert neo4j.run("MATCH (n) RETURN count(n)") == [[3]]


@pytest.mark.neo4j
@pytest.mark.filterwarnings("ignore:.*have no label")
def test_awkward_names_of_the_users_own_are_read(neo4j: Neo4j) -> None:
    for name in EVIL:
        label, evil = quoted(name), {"key": name}
        neo4j.run(f"CREATE (a:{label}:All {{{label}: $key}})-[:{label}]->(a)", **evil)
    for name in EVIL:
        graph = KnowledgeGraph.from_neo4j(
            neo4j.uri, key=name, labels=[name], say=None, **neo4j.login
        )
        assert list(graph.keys) == [name]
        assert list(graph.relation_keys) == [name]


@pytest.mark.neo4j
def test_an_empty_database_is_an_empty_graph(neo4j: Neo4j) -> None:
    assert len(KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **neo4j.login)) == 0
    with Server(neo4j.uri, **neo4j.login) as server:
        assert inspect(server).nodes == {}
