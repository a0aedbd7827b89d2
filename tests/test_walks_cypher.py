"""Cypher that seeks what a question seeks, on a real Neo4j and as text."""

from __future__ import annotations

import doctest
from itertools import product
from random import Random
from typing import Any

import pytest
from drawn_walks import drawn_questions, share_found
from neo4j_server import Neo4j

import kgfm.walks.cypher
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.stores.neo4j import Neo4jMapping, Server, mapping_of
from kgfm.stores.neo4j.cypher import quoted
from kgfm.stores.neo4j.rows import plain_properties
from kgfm.walks import NO, YES, Sought, Step, Walk, answers
from kgfm.walks.cypher import as_cypher
from kgfm.walks.follow import as_value

HOSTILE = [
    "x`) DETACH DELETE n //",
    "r`]->() DETACH DELETE topic //",
    "\\u0060]-(m) DETACH DELETE m //",
    "a\nb'\"{}$topic0",
    "`",
    "\\",
]
KEYS = [*"abcdef", *HOSTILE]
RELATIONS = ["p", "key", *HOSTILE]
ATTRIBUTES = ["h", "label", HOSTILE[0]]


def asked(server: Server, sought: Sought, mapping: Neo4jMapping | None = None) -> set[str]:
    query = as_cypher(sought, mapping)
    found = [row[0] for row in server.rows(query.text, query.parameters)]
    if sought.kind == "yesno":
        assert len(found) == 1
        return {YES if found[0] else NO}
    return {as_value(plain_properties({"value": value})["value"]) for value in found}


def assert_same(
    server: Server, graph: KnowledgeGraph, sought: Sought, mapping: Neo4jMapping | None = None
) -> None:
    assert asked(server, sought, mapping) == {*answers(graph, sought)}, as_cypher(sought, mapping)


def test_the_examples_in_its_documentation_hold() -> None:
    found = doctest.testmod(kgfm.walks.cypher)
    assert found.failed == 0
    assert found.attempted > 3


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_key_is_never_part_of_the_text(hostile: str) -> None:
    walk = Walk(hostile, (Step("p"),))
    plain = Walk("a", (Step("p"),))
    for about in (None, hostile):
        kind = "yesno" if about else "entity"
        query = as_cypher(Sought((walk, walk), kind, about))  # type: ignore[arg-type]
        harmless = about and "b"
        other = as_cypher(Sought((plain, plain), kind, harmless))  # type: ignore[arg-type]
        assert query.text == other.text


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_name_stands_between_backticks_that_it_cannot_close(hostile: str) -> None:
    walk = Walk("a", (Step(hostile), Step(hostile, literal=True)))
    text = as_cypher(Sought((walk,), "literal")).text
    rest = text.replace(quoted(hostile), "")
    assert "DELETE" not in rest
    assert rest == as_cypher(
        Sought((Walk("a", (Step("p"), Step("p", literal=True))),), "literal")
    ).text.replace("`p`", "")


def test_what_the_mapping_does_not_read_is_refused() -> None:
    mapping = Neo4jMapping({"City": "id"}, relations=("ROAD",), label=("name",))
    with pytest.raises(KeyError, match=r"no relationship type 'RAOD'. Did you mean 'ROAD'"):
        as_cypher(Sought((Walk("a", (Step("RAOD"),)),)), mapping)
    for name in ("name", "id"):
        with pytest.raises(ValueError, match="no attribute"):
            as_cypher(Sought((Walk("a", (Step(name, literal=True),)),), "literal"), mapping)
    with pytest.raises(ValueError, match="no name in Neo4j"):
        as_cypher(Sought((Walk("a", (Step("x\0"),)),)), Neo4jMapping({"City": "id"}))


def drawn_value(random: Random) -> Any:
    plain = [random.randint(-9, 9), random.randint(-9, 9) / 4, True, random.choice(HOSTILE)]
    return random.choice([*plain, [random.randint(0, 3) for _ in range(random.randint(1, 3))]])


def drawn_graph(random: Random) -> KnowledgeGraph:
    records = [
        EntityRecord(
            key,
            f"the {key}",
            attributes={a: drawn_value(random) for a in ATTRIBUTES if random.random() < 0.6},
        )
        for key in KEYS
    ]
    triples = [
        (random.choice(KEYS), random.choice(RELATIONS), random.choice(KEYS)) for _ in range(70)
    ]
    return KnowledgeGraph.from_records(records, triples)


@pytest.mark.neo4j
@pytest.mark.parametrize("seed", range(4))
def test_a_graph_that_kgfm_wrote_gives_the_same_answers_there(neo4j: Neo4j, seed: int) -> None:
    random = Random(seed)
    graph = drawn_graph(random)
    graph.to_neo4j(neo4j.uri, **neo4j.login)
    questions = drawn_questions(random, graph, ATTRIBUTES, 30)
    assert share_found(graph, questions) > 0.4
    with Server(neo4j.uri, **neo4j.login) as server:
        for sought in questions:
            assert_same(server, graph, sought)
    assert neo4j.run("MATCH (n:KgfmEntity) RETURN count(n)") == [[len(graph)]]
    assert neo4j.run("MATCH (:KgfmEntity)-[r]->() RETURN count(r)") == [[graph.num_triples]]


@pytest.mark.neo4j
@pytest.mark.parametrize(("numbers", "qualified", "both"), [*product([True, False], repeat=3)])
def test_a_graph_of_the_users_own_gives_the_same_answers_there(
    neo4j: Neo4j, numbers: bool, qualified: bool, both: bool
) -> None:
    """Several labels, keys as numbers or text, relationships twice, and nodes that are not read."""
    random = Random(f"{numbers} {qualified} {both}")
    labels = ["A", HOSTILE[0]]
    ids: dict[str, list[Any]] = {"A": [*range(6)], HOSTILE[0]: [*range(6, 12)]}
    if not numbers:
        ids = {label: [f"{one}`" for one in some] for label, some in ids.items()}
    for label, some in ids.items():
        neo4j.run(f"CREATE CONSTRAINT FOR (n:{quoted(label)}) REQUIRE n.id IS UNIQUE")
        neo4j.run(
            f"UNWIND $rows AS row CREATE (n:{quoted(label)}) SET n = row "
            "SET n.day = date('2020-01-01') + duration({days: size(n.name)})",
            rows=[
                {"id": one, "h": place / 2, "name": "n" * (place + 1)}
                for place, one in enumerate(some)
            ],
        )
    everyone = [(label, one) for label, some in ids.items() for one in some]
    for number in range(60):
        (head, h), (tail, t) = random.choice(everyone), random.choice(everyone)
        name = quoted(["p", HOSTILE[0]][number % 2])
        neo4j.run(
            f"MATCH (h:{quoted(head)} {{id: $h}}), (t:{quoted(tail)} {{id: $t}}) "
            f"CREATE (h)-[:{name}]->(t), (h)-[:{name}]->(t), (h)-[:{name}]->(:Unread)",
            h=h,
            t=t,
        )
    graph = KnowledgeGraph.from_neo4j(
        neo4j.uri,
        labels=labels if both else labels[:1],
        key="id",
        qualified=qualified,
        say=None,
        **neo4j.login,
    )
    questions = drawn_questions(random, graph, ["h", "day", "none"], 15)
    assert share_found(graph, questions) > 0.3
    with Server(neo4j.uri, **neo4j.login) as server:
        for sought in questions:
            assert_same(server, graph, sought, mapping_of(graph))
    assert neo4j.run("MATCH (n:Unread) RETURN count(n)") == [[60]]


@pytest.mark.neo4j
@pytest.mark.filterwarnings("ignore:.*element id")
def test_nodes_without_a_key_are_known_by_their_element_id(neo4j: Neo4j) -> None:
    neo4j.run(
        "CREATE (a {name: 'a'})-[:R]->(b:B {name: 'b'}), (b)-[:R]->(a), (b)-[:R]->(:B {name: 'c'})"
    )
    graph = KnowledgeGraph.from_neo4j(neo4j.uri, say=None, **neo4j.login)
    with Server(neo4j.uri, **neo4j.login) as server:
        for sought in drawn_questions(Random(0), graph, ["name"], 15):
            if sought.kind != "literal":
                assert_same(server, graph, sought, mapping_of(graph))
