"""SPARQL that seeks what a question seeks, in Oxigraph and as text."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyoxigraph as ox
import pytest
from drawn_walks import drawn_questions, share_found
from sparql_server import Oxigraph

import kgfm.walks.sparql
from kgfm.graph import EntityRecord, GraphSchema, KnowledgeGraph
from kgfm.graph.schema import RDF, RDFS
from kgfm.stores.literals import XSD, Literal, value_of
from kgfm.stores.rdf_meaning import plain_key
from kgfm.stores.sparql import Endpoint
from kgfm.stores.sparql.terms import string
from kgfm.walks import NO, YES, Sought, Step, Walk, answers
from kgfm.walks.follow import as_value
from kgfm.walks.sparql import as_sparql

EX = "http://example.org/"
ARRAY = "[1, 2]"
HOSTILE = [
    "> } ; DROP ALL #",
    "x`) DETACH DELETE n //",
    '" } UNION { ?s ?p ?o } #',
    "\\u003E }",
    "a\nb'${}",
    "_:b0",
]
# What an IRI may hold, however it looks.
ODD = [EX + "a'b", EX + "a;b.c,(d)", EX + "x?y=$z&*", EX + "ä%20#~!@", "urn:a:b');DROP"]

Rows = Callable[[str], list[Any]]


def in_process(store: ox.Store) -> Rows:
    """Ask a store, and give its terms as an endpoint's are read."""

    def rows(query: str) -> list[Any]:
        found = store.query(query)
        if isinstance(found, ox.QueryBoolean):
            return [bool(found)]
        assert isinstance(found, ox.QuerySolutions)
        return [_term(solution[0]) for solution in found]

    return rows


def _term(term: Any) -> str | Literal:
    if isinstance(term, ox.Literal):
        return Literal(term.value, term.datatype.value, term.language or "")
    return str(term) if isinstance(term, ox.BlankNode) else str(term.value)


def found_by(rows: Rows, sought: Sought, **options: Any) -> list[str]:
    terms = rows(as_sparql(sought, **options))
    if sought.kind == "yesno":
        return [YES if terms[0] else NO]
    if sought.kind == "entity":
        return [plain_key(str(term)) for term in terms]
    values = [value_of(term) for term in terms]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return [as_value(one) for one in flat]


def assert_same(rows: Rows, graph: KnowledgeGraph, sought: Sought, **options: Any) -> None:
    """Blank nodes have other names there, and as many."""
    expected, found = answers(graph, sought), found_by(rows, sought, **options)
    if sought.kind == "entity":
        assert len(found) == len({*found}) == len(expected), as_sparql(sought, **options)
        blank = "" if options.get("exported") else "_:"  # an export names them
        named = [
            {key for key in keys if not (blank and key.startswith(blank))}
            for keys in (expected, found)
        ]
        assert named[0] == named[1], as_sparql(sought, **options)
    else:
        # A snapshot has a JSON array that is one of several values as one value.
        members = [one for text in expected for one in (["1", "2"] if text == ARRAY else [text])]
        assert {*found} == {*members}, as_sparql(sought, **options)


def begins_at_a_blank_node(sought: Sought) -> bool:
    named = [walk.topic for walk in sought.walks] + [sought.about or ""]
    return any(key.startswith("_:") for key in named)


ATTRIBUTES = [EX + "h", EX + "p", ODD[2]]


def drawn_statements(random: Random) -> str:
    """Links, literals of many kinds and languages, types, blank nodes; one predicate has both."""
    nodes = [f"<{EX}{name}>" for name in "abcdef"] + [f"<{odd}>" for odd in ODD]
    ends = [*nodes, "_:x", "_:y"]
    predicates = [f"<{EX}p>", f"<{EX}q>", *(f"<{odd}>" for odd in ODD[:2])]
    literals = [
        *[f'"{n}"^^<{XSD}integer>' for n in (-1, 7)],
        *(f'"7.0"^^<{XSD}double>', f'"true"^^<{XSD}boolean>', f'"2020-01-02"^^<{XSD}date>'),
        *('"x"@en', '"y"@de', '"z"@en-GB', f'"{ARRAY}"^^<{RDF}JSON>'),
        *map(string, HOSTILE),
    ]
    lines = [f"{node} <{RDFS}label> {string(node)} ." for node in nodes]
    lines += [f"{node} <{RDF}type> <{EX}Thing> ." for node in nodes]
    lines += [f'_:x <{EX}own> "1" .', f'_:y <{EX}own> "2" .']
    choose = random.choice
    lines += [f"{choose(ends)} {choose(predicates)} {choose(ends)} ." for _ in range(60)]
    lines += [f"{choose(ends)} <{choose(ATTRIBUTES)}> {choose(literals)} ." for _ in range(50)]
    return "\n".join(lines)


@pytest.mark.filterwarnings("ignore:.*have no label")
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("language", [("en", ""), ("de",), ("*",)])
def test_a_graph_from_rdf_gives_the_same_answers_there(
    seed: int, language: tuple[str, ...]
) -> None:
    random, store = Random(seed), ox.Store()
    store.load(drawn_statements(random).encode(), format=ox.RdfFormat.N_TRIPLES)
    schema = GraphSchema(language=language)
    graph = KnowledgeGraph.from_rdf(store, schema=schema)
    questions = drawn_questions(random, graph, ATTRIBUTES, 30)
    questions = [sought for sought in questions if not begins_at_a_blank_node(sought)]
    assert share_found(graph, questions) > 0.3
    for sought in questions:
        assert_same(in_process(store), graph, sought, schema=schema)


def drawn_graph(random: Random) -> KnowledgeGraph:
    """Keys, relations and attributes that are no IRIs, or that mean something else."""
    keys = [*"abc", *HOSTILE, *ODD, RDF + "Property", EX + "p", "urn:kgfm:key:x"]
    relations = ["p", "a", EX + "p", RDF + "type", RDFS + "label", *HOSTILE, *ODD[:2]]
    names = ["h", "", EX + "h", RDFS + "label", *HOSTILE[:3]]
    values = [7, 2.5, True, "x", "2020-01-02", [1, 2, 3], [1, "x"], *HOSTILE]
    records = [
        EntityRecord(key, f"the {key}", attributes={
            name: random.choice(values) for name in names if random.random() < 0.5
        })
        for key in keys
    ]  # fmt: skip
    triples = [
        (random.choice(keys), random.choice(relations), random.choice(keys)) for _ in range(150)
    ]
    return KnowledgeGraph.from_records(records, triples)


NAMES = ["h", "", EX + "h", RDFS + "label", *HOSTILE[:3]]


@pytest.mark.parametrize("seed", range(8))
def test_whatever_graph_kgfm_wrote_gives_the_same_answers_there(seed: int, tmp_path: Path) -> None:
    random, store = Random(seed), ox.Store()
    graph = drawn_graph(random)
    store.load(path=graph.to_rdf(tmp_path / "graph.nt"))
    questions = drawn_questions(random, graph, NAMES, 30)
    assert share_found(graph, questions) > 0.4
    for sought in questions:
        assert_same(in_process(store), graph, sought, exported=True)


@pytest.mark.sparql
@pytest.mark.parametrize("seed", range(2))
def test_a_real_endpoint_gives_the_same_answers(
    oxigraph: Oxigraph, seed: int, tmp_path: Path
) -> None:
    random = Random(seed)
    graph = drawn_graph(random)
    url = oxigraph.put(graph.to_rdf(tmp_path / "graph.nt").read_bytes())
    endpoint = Endpoint(url)

    def rows(query: str) -> list[Any]:
        if query.startswith("ASK"):
            query = f"SELECT (EXISTS {query.removeprefix('ASK')} AS ?answer) WHERE {{}}"
            return [value_of(row[0]) for row in endpoint.select(query)]  # type: ignore[arg-type]
        return [row[0] for row in endpoint.select(query)]

    for sought in drawn_questions(random, graph, NAMES, 15):
        assert_same(rows, graph, sought, exported=True)


def test_the_examples_in_its_documentation_hold() -> None:
    found = doctest.testmod(kgfm.walks.sparql)
    assert found.failed == 0
    assert found.attempted > 3


BREAKS_OUT = [*HOSTILE, EX + "a> } ; DROP ALL #", EX + "a b", EX + "\\u003E"]


@pytest.mark.parametrize("hostile", [*BREAKS_OUT, "Peru", ""])
def test_what_is_no_iri_is_refused_wherever_it_stands(hostile: str) -> None:
    step = Step(EX + "p")
    walk = Walk(EX + "a", (step,))
    for sought in (
        Sought((Walk(hostile, (step,)),)),
        Sought((walk, Walk(EX + "a", (Step(hostile),)))),
        Sought((Walk(EX + "a", (Step(hostile, literal=True),)),), "literal"),
        Sought((walk,), "yesno", hostile),
    ):
        with pytest.raises(ValueError, match=r"exported=True|blank node"):
            as_sparql(sought)


def test_what_the_schema_reads_as_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not as a relation"):
        as_sparql(Sought((Walk(EX + "a", (Step(RDF + "type"),)),)))
    name = Step(RDFS + "label", literal=True)
    with pytest.raises(ValueError, match="not as an attribute"):
        as_sparql(Sought((Walk(EX + "a", (name,)),), "literal"))
    as_sparql(Sought((Walk(EX + "a", (name,)),), "literal"), schema=GraphSchema(label=()))


def test_a_language_is_a_string_in_the_query() -> None:
    schema = GraphSchema(language=('en") } #',))
    walk = Walk(EX + "a", (Step(EX + "h", literal=True),))
    query = as_sparql(Sought((walk,), "literal"), schema=schema)
    assert not [*ox.Store().query(query)]  # type: ignore[misc]
