"""Conventions of big public graphs: read as they are meant, guessed by predicates, and said."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import pytest

from kgfm.cli import main
from kgfm.graph import GraphSchema, KnowledgeGraph, readable_name
from kgfm.stores.neo4j.inspection import _is_tagged
from kgfm.stores.neo4j.mapping import Neo4jMapping, NodeRecords

PREFIXES = """
@prefix : <http://example.org/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xl: <http://www.w3.org/2008/05/skos-xl#> .
@prefix ontolex: <http://www.w3.org/ns/lemon/ontolex#> .
@prefix oio: <http://www.geneontology.org/formats/oboInOwl#> .
@prefix obo: <http://purl.obolibrary.org/obo/> . @prefix wikibase: <http://wikiba.se/ontology#> .
@prefix wd: <http://www.wikidata.org/entity/> .
@prefix wdt: <http://www.wikidata.org/prop/direct/> .
@prefix ps: <http://www.wikidata.org/prop/statement/> . @prefix p: <http://www.wikidata.org/prop/> .
"""


def read(turtle: str, **options: Any) -> KnowledgeGraph:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        stream = io.BytesIO((PREFIXES + turtle).encode())
        return KnowledgeGraph.from_rdf(stream, format="ttl", **options)


def triples(graph: KnowledgeGraph) -> set[tuple[str, str, str]]:
    def short(key: str) -> str:
        return key.removeprefix("http://example.org/").rpartition("/")[2].rpartition("#")[2]

    rows = zip(graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist(), strict=True)
    keys, relations = graph.keys, graph.relation_keys
    return {(short(keys[h]), short(relations[r]), short(keys[t])) for h, r, t in rows}


def names(graph: KnowledgeGraph, key: str) -> tuple[str, ...]:
    return graph.names(graph.row(f"http://example.org/{key}"))


# -- languages ------------------------------------------------------------------------------------


def test_a_language_comes_before_its_regions_and_both_before_no_language() -> None:
    turtle = ':a rdfs:label "colour"@en-GB, "color"@en, "plain" ; :r :b . :b rdfs:label "b"@en-AU .'
    assert names(read(turtle), "a") == ("color", "colour", "plain")
    assert names(read(turtle), "b") == ("b",)
    german = GraphSchema(language=("en-gb", "en"))
    assert names(read(turtle, schema=german), "a") == ("colour", "color")


def test_a_name_of_many_languages_counts_whatever_is_wanted_but_comes_last() -> None:
    turtle = ':a rdfs:label "Miro"@mul ; :r :b . :b rdfs:label "Bee"@en, "Apis"@mul .'
    assert names(read(turtle), "a") == ("Miro",)
    assert names(read(turtle), "b") == ("Bee", "Apis")
    assert names(read(turtle, schema=GraphSchema(language=("sv",))), "b") == ("Apis",)


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("http://dbpedia.org/resource/Rio_de_Janeiro", "Rio de Janeiro"),
        ("http://dbpedia.org/resource/Bras%C3%ADlia_(city)", "Brasília (city)"),
        ("http://yago-knowledge.org/resource/Ada__Lovelace_", "Ada Lovelace"),
        ("http://example.org/_", "_"),
        ("snake_case", "snake_case"),
    ],
)
def test_local_names_that_stand_in_for_labels_are_readable(key: str, name: str) -> None:
    assert readable_name(key) == name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert KnowledgeGraph.from_records([], [(key, "r", "x")]).label(key) == name


def test_labels_that_are_nodes_name_what_they_label_and_are_no_entities() -> None:
    graph = read(
        """
        :a xl:prefLabel :la ; xl:altLabel [ xl:literalForm "Corn"@en ] ; skos:broader :b ;
           xl:hiddenLabel :lc ; skos:definition [ rdf:value "A plant."@en ] .
        :la a xl:Label ; xl:literalForm "Maize"@en, "Mais"@de ; :created "2001" .
        :lc xl:literalForm "Maiz"@en . :la xl:labelRelation :lc .
        :b xl:prefLabel [ xl:literalForm "Cereal"@en ] .
        """
    )
    assert names(graph, "a") == ("Maize", "Corn", "Maiz")
    assert graph.descriptions[graph.row("http://example.org/a")] == "A plant."
    assert triples(graph) == {("a", "broader", "b")}
    assert len(graph) == 2
    assert graph.manifest["source"]["conventions"] == ["skos-xl"]
    assert graph.manifest["source"]["left_out"] == {"statements about labels": 2}


def test_a_label_that_something_else_links_to_stays_an_entity() -> None:
    graph = read(':a xl:prefLabel :l . :l xl:literalForm "Rye"@en . :c :cites :l .')
    assert names(graph, "a") == ("Rye",)
    assert triples(graph) == {("c", "cites", "l")}


def test_forms_of_words_name_them() -> None:
    graph = read(
        ':w ontolex:canonicalForm [ ontolex:writtenRep "mouse"@en ] ; '
        'ontolex:otherForm [ ontolex:writtenRep "mice"@en ] ; :r :x .'
    )
    assert names(graph, "w") == ("mouse", "mice")
    assert triples(graph) == {("w", "r", "x")}


# -- Wikidata -------------------------------------------------------------------------------------


def test_labels_of_properties_name_the_relations_that_are_made_of_them() -> None:
    graph = read(
        """
        wd:Q1 rdfs:label "Ada"@en ; wdt:P19 wd:Q2 ; p:P19 wd:statement1 . wd:Q2 rdfs:label "Ur"@en .
        wd:statement1 ps:P19 wd:Q2 .
        wd:P19 a wikibase:Property ; rdfs:label "place of birth"@en, "Geburtsort"@de ;
            wikibase:propertyType wikibase:WikibaseItem ; wikibase:directClaim wdt:P19 ;
            wikibase:claim p:P19 ; wikibase:statementProperty ps:P19 .
        """
    )
    assert [*graph.relation_labels] == ["place of birth"] * 3
    assert not any("P19" in key or "ontology" in key for key in graph.keys)
    assert graph.manifest["source"]["conventions"] == ["wikidata"]
    german = read(
        'wd:Q1 wdt:P19 wd:Q2 . wd:P19 rdfs:label "Geburtsort"@de .',
        schema=GraphSchema(language=("de",)),
    )
    assert [*german.relation_labels] == ["Geburtsort"]


def test_a_property_that_facts_are_about_stays_an_entity() -> None:
    graph = read(
        'wd:P19 a wikibase:Property ; rdfs:label "born in"@en ; wikibase:directClaim wdt:P19 ; '
        "wdt:P1629 wd:Q3 . wd:Q1 wdt:P19 wd:Q2 ."
    )
    assert ("P19", "P1629", "Q3") in triples(graph)


def test_another_wikibase_names_its_relations_by_what_it_says_of_them() -> None:
    graph = read(':P1 wikibase:directClaim :d1 ; rdfs:label "made by"@en . :Q1 :d1 :Q2 .')
    assert [*graph.relation_labels] == ["made by"]
    assert triples(graph) == {("Q1", "d1", "Q2")}


# -- OBO ------------------------------------------------------------------------------------------

ANATOMY = """
:liver a owl:Class ; rdfs:label "liver" ; oio:hasExactSynonym "hepar" ;
  oio:hasRelatedSynonym "iecur" ; obo:IAO_0000115 "A gland." ; rdfs:comment "A note." ;
  rdfs:subClassOf :organ,
    [ a owl:Restriction ; owl:onProperty :part_of ; owl:someValuesFrom :body ] ;
  owl:equivalentClass [ a owl:Class ; owl:intersectionOf ( :gland
    [ a owl:Restriction ; owl:onProperty :makes ; owl:someValuesFrom :bile ] ) ] .
:part_of rdfs:label "part of" . :organ a owl:Class . :bile a owl:Class .
"""


def test_restrictions_are_edges_and_synonyms_are_names() -> None:
    graph = read(ANATOMY)
    assert names(graph, "liver") == ("liver", "hepar", "iecur")
    assert graph.descriptions[graph.row("http://example.org/liver")] == "A gland."
    assert triples(graph) == {
        ("liver", "subClassOf", "organ"),
        ("liver", "part_of", "body"),
        ("liver", "subClassOf", "gland"),
        ("liver", "makes", "bile"),
    }
    assert not any(key.startswith("_:") for key in graph.keys)
    assert "part of" in graph.relation_labels


@pytest.mark.parametrize(
    "restriction",
    [
        "owl:allValuesFrom :b",
        "owl:maxCardinality 2",
        "owl:someValuesFrom [ owl:unionOf ( :b :c ) ]",
    ],
)
def test_a_restriction_that_states_no_edge_stays_as_it_is(restriction: str) -> None:
    turtle = f":a rdfs:subClassOf [ a owl:Restriction ; owl:onProperty :r ; {restriction} ] ."
    graph = read(turtle)
    assert triples(graph) == triples(read(turtle, convention="plain"))
    assert not any(relation == "r" for _, relation, _ in triples(graph))


def test_an_annotation_belongs_to_its_edge_and_those_of_names_are_counted() -> None:
    graph = read(
        """
        :a rdfs:subClassOf :b, _:r . _:r owl:onProperty :part_of ; owl:someValuesFrom :c .
        :a oio:hasExactSynonym "alpha" .
        [] a owl:Axiom ; owl:annotatedSource :a ; owl:annotatedProperty rdfs:subClassOf ;
           owl:annotatedTarget _:r ; :source "a book" .
        [] a owl:Axiom ; owl:annotatedSource :a ; owl:annotatedProperty oio:hasExactSynonym ;
           owl:annotatedTarget "alpha" ; oio:hasDbXref "X:1" .
        """
    )
    assert triples(graph) == {("a", "subClassOf", "b"), ("a", "part_of", "c")}
    values = {
        relation: value
        for (_, relation, _), value in zip(
            sorted(triples(graph)), graph.edge_attributes["http://example.org/source"], strict=True
        )
    }
    assert len([value for value in values.values() if value]) == 1
    assert graph.manifest["source"]["left_out"] == {"annotations of literals": 1}


# -- guessed, and said ----------------------------------------------------------------------------


def test_a_convention_may_be_named_or_refused() -> None:
    turtle = ':a xl:prefLabel :l ; :r :b . :l xl:literalForm "Oats"@en .'
    assert names(read(turtle, convention="skos-xl"), "a") == ("Oats",)
    plain = read(turtle, convention="plain")
    assert names(plain, "a") == ("a",)
    assert "conventions" not in plain.manifest["source"]
    with pytest.raises(ValueError, match=r"no convention 'skosxl'.*Did you mean"):
        read(turtle, convention="skosxl")
    with pytest.raises(ValueError, match="plain means to follow no convention"):
        read(turtle, convention=["plain", "obo"])


def test_building_says_which_conventions_were_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.ttl").write_text(PREFIXES + ANATOMY, encoding="utf-8")
    given = ["graph", "build", str(tmp_path / "a.ttl"), "--out", str(tmp_path / "kg")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert main(given) == 0
        assert "convention obo: " in (out := capsys.readouterr().out)
        assert "--convention plain" in out
        assert main([*given, "--convention", "plain"]) == 0
        assert "convention" not in capsys.readouterr().out
        assert main([*given, "--convention", "wikidate"]) == 2
    assert "Did you mean 'wikidata'" in capsys.readouterr().err


# -- neosemantics ---------------------------------------------------------------------------------


def test_tags_of_languages_are_no_part_of_names_in_neo4j() -> None:
    mapping = Neo4jMapping({"Resource": "uri"}, label=("rdfs__label",), languages=("en", ""))
    record = NodeRecords(mapping)
    properties = {"uri": "u:1", "rdfs__label": ["Lisboa@pt", "Lisbon@en", "Lisbon City@en-GB"]}
    found = record("u:1", ["Resource"], properties)
    assert (found.label, tuple(found.aliases)) == ("Lisbon", ("Lisbon City",))
    mails = Neo4jMapping({"Person": "id"}, label=("name",))
    assert NodeRecords(mails)("1", ["Person"], {"name": "me@home"}).label == "me@home"


def test_tagged_names_are_guessed_where_neosemantics_wrote_them() -> None:
    mapping = Neo4jMapping({"Resource": "uri"}, label=("rdfs__label",))
    tagged = {"rdfs__label": [["Lisbon@en", "Lisboa@pt"], "Porto@pt"]}
    assert _is_tagged(mapping, ["Resource"], tagged)
    assert not _is_tagged(mapping, ["Resource"], {"rdfs__label": ["Lisbon", "Porto"]})
    assert not _is_tagged(mapping, ["City"], tagged)
