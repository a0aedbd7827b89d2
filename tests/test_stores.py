from __future__ import annotations

import csv
import gzip
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path

import networkx
import numpy as np
import pandas
import pytest
import rdflib
from hypothesis import given
from hypothesis import strategies as st

from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.stores import STORES, store_for
from kgfm.stores.blank_nodes import name_blank_nodes
from kgfm.stores.literals import XSD, Literal, value_of

PREFIXES = """
@prefix ex: <http://example.org/> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix schema: <https://schema.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
EX = "http://example.org/"
LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
TYPE = "http://www.w3.org/1999/02/22-rdf-syntax-ns#type"


def turtle(folder: Path, text: str, name: str = "graph.ttl") -> Path:
    path = folder / name
    path.write_text(PREFIXES + text, encoding="utf-8")
    return path


def triples_of(kg: KnowledgeGraph) -> list[tuple[str, str, str]]:
    columns = (kg.heads, kg.relations, kg.tails)
    return [
        (kg.keys[h], kg.relation_keys[r], kg.keys[t])
        for h, r, t in zip(*(column.tolist() for column in columns), strict=True)
    ]


# -- the same graph from every store -------------------------------------------------------------

safe = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="|\u0085"),
    min_size=1,
    max_size=8,
).filter(lambda text: text == text.strip())
entity = st.fixed_dictionaries(
    {
        "label": safe,
        "alias": st.lists(safe, max_size=2),
        "description": safe | st.just(""),
        "type": st.lists(st.sampled_from(["Film", "Person"]), max_size=2),
        EX + "year": st.none() | st.integers(-9999, 9999),
        # Short numbers: rdflib's Turtle writer keeps seven digits.
        EX + "rating": st.none()
        | st.integers(1, 9999).filter(lambda x: x % 1000).map(lambda x: x / 1000),
    }
)
graph = st.tuples(
    st.lists(entity, min_size=1, max_size=5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 4)), max_size=12),
)


def as_rdf(entities: Sequence[dict], triples: Sequence[tuple[str, str, str]]) -> rdflib.Graph:
    made = rdflib.Graph()
    places = {
        "label": rdflib.URIRef(LABEL),
        "alias": rdflib.SKOS.altLabel,
        "description": rdflib.RDFS.comment,
        "type": rdflib.RDF.type,
    }
    for fields in entities:
        subject = rdflib.URIRef(fields["key"])
        for name, value in fields.items():
            for one in value if isinstance(value, list) else [value]:
                if name != "key" and one is not None and one != "":
                    term = rdflib.URIRef(EX + one) if name == "type" else rdflib.Literal(one)
                    made.add((subject, places.get(name, rdflib.URIRef(name)), term))
    for triple in triples:
        made.add(tuple(map(rdflib.URIRef, triple)))
    return made


def as_networkx(entities: Sequence[dict], triples: Sequence[tuple[str, str, str]]):
    made = networkx.MultiDiGraph()
    for fields in entities:
        made.add_node(fields["key"], **{n: v for n, v in fields.items() if n != "key"})
    for number, (head, relation, tail) in enumerate(triples):
        made.add_edge(head, tail, key=number, relation=relation)
    return made


@given(graph)
def test_the_same_graph_from_every_store_is_the_same_snapshot(
    tmp_path_factory: pytest.TempPathFactory, given: tuple[list, list]
) -> None:
    entities, numbers = given
    entities = [{"key": f"{EX}e{i}", **fields} for i, fields in enumerate(entities)]
    count = len(entities)
    triples = [(f"{EX}e{h % count}", f"{EX}r{r}", f"{EX}e{t % count}") for h, r, t in numbers]
    folder = tmp_path_factory.mktemp("stores")
    rdf = as_rdf(entities, triples)
    rdf.serialize(folder / "graph.ttl", format="turtle", encoding="utf-8")
    rdf.serialize(folder / "graph.nt", format="nt", encoding="utf-8")
    table = [{**e, "alias": "|".join(e["alias"]), "type": "|".join(e["type"])} for e in entities]
    for name, rows in {
        "entities.csv": [
            list(table[0]),
            *([fields[name] for name in table[0]] for fields in table),
        ],
        "triples.csv": [("head", "relation", "tail"), *triples],
    }.items():
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    graphs = {
        "turtle": KnowledgeGraph.from_rdf(folder / "graph.ttl"),
        "ntriples": KnowledgeGraph.from_rdf(str(folder / "graph.nt")),
        "rdflib": KnowledgeGraph.from_rdf(rdf),
        "files": KnowledgeGraph.from_tables(
            folder / "triples.csv", entities=folder / "entities.csv"
        ),
        "rows": KnowledgeGraph.from_tables(triples[::-1], entities=entities[::-1]),
        "networkx": KnowledgeGraph.from_networkx(as_networkx(entities, triples)),
    }
    # A fingerprint is made of the hashes of what the files would hold.
    expected = graphs["rows"].fingerprint
    assert {name: kg.fingerprint for name, kg in graphs.items()} == dict.fromkeys(graphs, expected)


# -- RDF ------------------------------------------------------------------------------------------


def test_rdf_is_sorted_into_names_types_attributes_and_triples(tmp_path: Path) -> None:
    path = turtle(
        tmp_path,
        """
        ex:Film a owl:Class ; rdfs:label "film"@en, "Kinofilm"@de .
        ex:director a owl:ObjectProperty ; rdfs:label "directed by"@en ; rdfs:domain ex:Film .
        ex:unused a owl:DatatypeProperty ; rdfs:label "unused" .
        ex:Heat a ex:Film, ex:CrimeFilm, owl:NamedIndividual ;
            rdfs:label "Heat"@en, "Hitze"@de ; schema:name "Heat (1995)" ;
            skos:altLabel "HEAT" ; rdfs:comment "A heist."@en, "Ein Raub."@de ;
            ex:director ex:Mann ; ex:year 1995 ; ex:rating 8.3 ; ex:seen true ;
            ex:length "170"^^xsd:short ; ex:bad "abc"^^xsd:integer ; ex:score "INF"^^xsd:double ;
            ex:date "1995-12-15"^^xsd:date ; ex:tag "b", "a" .
        ex:Mann rdfs:label "Michael Mann" .
        """,
    )
    kg = KnowledgeGraph.from_rdf(path)
    assert list(kg.keys) == [EX + "Heat", EX + "Mann"]
    assert triples_of(kg) == [(EX + "Heat", EX + "director", EX + "Mann")]
    assert kg.names(0) == ("Heat", "HEAT", "Heat (1995)")
    assert kg.types(0) == ("CrimeFilm", "film")
    assert kg.text(0) == "Heat (CrimeFilm, film). A heist."
    assert kg.relation_text(0) == "directed by"
    assert {name.removeprefix(EX): value for name, value in kg.attributes(0).items()} == {
        "bad": "abc",
        "date": "1995-12-15",
        "length": 170,
        "rating": 8.3,
        "score": "INF",
        "seen": True,
        "tag": ["a", "b"],
        "year": 1995,
    }


def test_a_schema_chooses_languages_and_predicates(tmp_path: Path) -> None:
    path = turtle(
        tmp_path,
        """
        ex:Heat rdfs:label "Heat"@en, "Hitze"@de ; ex:called "Die Hitze"@de ; ex:kind "film" .
        """,
    )
    german = KnowledgeGraph.from_rdf(path, schema=GraphSchema(language=("de", "en")))
    assert german.names(0) == ("Hitze", "Heat")
    schema = GraphSchema(label=(EX + "called",), type=(EX + "kind",), language=("*",))
    other = KnowledgeGraph.from_rdf(path, schema=schema)
    assert other.names(0) == ("Die Hitze",)
    assert other.types(0) == ("film",)
    assert other.attributes(0) == {LABEL: ["Heat", "Hitze"]}


def test_a_class_that_stands_in_a_triple_is_an_entity_too(tmp_path: Path) -> None:
    path = turtle(
        tmp_path,
        """
        ex:Heat a ex:Film ; rdfs:label "Heat" . ex:Film rdfs:label "film" ; ex:partOf ex:Art .
        ex:Art rdfs:label "art" .
        """,
    )
    kg = KnowledgeGraph.from_rdf(path)
    assert list(kg.labels) == ["art", "film", "Heat"]
    assert kg.types(2) == ("film",)


def test_rdf_without_labels_warns_once_with_the_count(tmp_path: Path) -> None:
    path = turtle(tmp_path, "ex:Heat ex:by ex:Mann . ex:Ali ex:by ex:Mann .")
    with pytest.warns(UserWarning, match="3 of 3 entities have no label") as caught:
        kg = KnowledgeGraph.from_rdf(path)
    assert len(caught) == 1
    assert list(kg.labels) == ["Ali", "Heat", "Mann"]


def test_malformed_rdf_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.ttl"
    path.write_text("@prefix ex: <http://e.org/> .\nex:a ex:b ex:c .\nex:a ex:b .\n")
    with pytest.raises(ValueError, match=r"bad\.ttl, line 3: "):
        KnowledgeGraph.from_rdf(path)
    path.write_text("<a> <b> <c> .")
    with pytest.raises(ValueError, match=r"bad\.ttl, line 1: "):
        KnowledgeGraph.from_rdf(path)
    assert len(KnowledgeGraph.from_rdf(turtle(tmp_path, ""))) == 0
    with pytest.raises(FileNotFoundError):
        KnowledgeGraph.from_rdf(tmp_path / "none.ttl")
    with pytest.raises(ValueError, match="no known format 'doc'"):
        KnowledgeGraph.from_rdf(tmp_path / "a.doc")


def test_relative_iris_start_from_the_given_base(tmp_path: Path) -> None:
    path = tmp_path / "graph.txt"
    path.write_text('<a> <b> <c> . <a> <name> "x" .')
    schema = GraphSchema(label=(EX + "name",))
    with pytest.warns(UserWarning, match="1 of 2"):
        kg = KnowledgeGraph.from_rdf(path, format="ttl", base=EX, schema=schema)
    assert list(kg.keys) == [EX + "a", EX + "c"]


def test_several_files_make_one_graph_and_keep_their_blank_nodes_apart(tmp_path: Path) -> None:
    one = turtle(tmp_path, 'ex:a rdfs:label "a" ; ex:p _:x . _:x ex:n 1 .', "one.ttl")
    two = turtle(tmp_path, "ex:a ex:p _:x . _:x ex:n 2 .", "two.ttl")
    kg = KnowledgeGraph.from_rdf([one, two])
    assert kg.num_triples == 2
    assert sorted(str(kg.attributes(row)) for row in (0, 1)) == [
        f"{{'{EX}n': 1}}",
        f"{{'{EX}n': 2}}",
    ]
    assert kg.fingerprint == KnowledgeGraph.from_rdf([two, one]).fingerprint
    assert [file["file"] for file in kg.manifest["source"]["files"]] == ["one.ttl", "two.ttl"]


def test_blank_nodes_are_named_by_content(tmp_path: Path) -> None:
    one = turtle(
        tmp_path,
        'ex:a rdfs:label "a" ; ex:at [ ex:city ex:b ; ex:near [ ex:n 1 ] ], [ ex:city ex:b ] .'
        'ex:b rdfs:label "b" .',
        "one.ttl",
    )
    two = turtle(
        tmp_path,
        '_:q ex:n 1 . _:p ex:near _:q . ex:b rdfs:label "b" . _:p ex:city ex:b .'
        'ex:a ex:at _:o, _:p ; rdfs:label "a" . _:o ex:city ex:b .',
        "two.ttl",
    )
    graphs = [KnowledgeGraph.from_rdf(path) for path in (one, two)]
    assert graphs[0].fingerprint == graphs[1].fingerprint
    assert [kg.manifest["source"]["blank_node_ties"] for kg in graphs] == [0, 0]
    blank = [key for key in graphs[0].keys if key.startswith("_:")]
    assert len(blank) == 3
    assert graphs[0].names(graphs[0].row(blank[0])) == ()


def test_blank_nodes_that_nothing_tells_apart_are_numbered_and_counted(tmp_path: Path) -> None:
    path = turtle(
        tmp_path,
        'ex:a rdfs:label "a" ; ex:at [ ex:n 1 ], [ ex:n 1 ], [ ex:n 2 ] .',
    )
    kg = KnowledgeGraph.from_rdf(path)
    assert kg.num_triples == 3
    assert kg.manifest["source"]["blank_node_ties"] == 2
    assert sum(key.endswith("-2") for key in kg.keys) == 1


blank_graphs = st.lists(
    st.tuples(
        st.sampled_from(["_:a", "_:b", "_:c", "_:d", "_:e", "x"]),
        st.sampled_from(["p", "q"]),
        st.sampled_from(["_:a", "_:b", "_:c", "_:d", "_:e", "x", Literal("1")]),
    ),
    max_size=10,
)


@given(blank_graphs, st.permutations("abcde"), st.randoms(use_true_random=False))
def test_names_of_blank_nodes_depend_neither_on_their_labels_nor_on_the_order(
    triples, other, random
) -> None:
    rename = {f"_:{old}": f"_:{new}" for old, new in zip("abcde", other, strict=True)}
    renamed = [(rename.get(s, s), p, rename.get(o, o)) for s, p, o in triples]
    random.shuffle(renamed)
    one, ties = name_blank_nodes(triples)
    two, other_ties = name_blank_nodes(renamed)
    assert sorted(map(repr, one)) == sorted(map(repr, two))
    assert ties == other_ties
    assert len(set(one)) == len(set(triples))


@pytest.mark.parametrize("size", [4, 6])
def test_symmetric_blank_nodes_are_told_apart_the_same_way_each_time(size: int) -> None:
    # Two rings, and nothing else to hold on to: every node looks like every other.
    ring = [(f"_:{r}{i}", "p", f"_:{r}{(i + 1) % size}") for r in "xy" for i in range(size)]
    found = {
        tuple(sorted(map(repr, name_blank_nodes(order)[0])))
        for order in (ring, ring[::-1], ring[3:] + ring[:3])
    }
    assert len(found) == 1
    assert name_blank_nodes(ring)[1] == 2 * size


def test_thousands_of_equal_blank_nodes_are_no_burden() -> None:
    started = time.process_time()
    triples = [("x", "p", f"_:{i}") for i in range(5_000)]
    named, ties = name_blank_nodes(triples)
    assert len(set(named)) == ties == 5_000
    chain = [(f"_:{i}", "rest", f"_:{i + 1}") for i in range(3_000)]
    assert len({s for s, _, _ in name_blank_nodes(chain)[0]}) == 3_000
    assert time.process_time() - started < 120  # quadratic work on each of them would not end


@pytest.mark.parametrize(
    ("lexical", "datatype", "value"),
    [
        ("007", "integer", 7),
        (" 5 ", "int", 5),
        ("1e3", "double", 1000.0),
        ("1.50", "decimal", 1.5),
        ("NaN", "double", "NaN"),
        ("1", "boolean", True),
        ("maybe", "boolean", "maybe"),
        ("1_000", "integer", "1_000"),
        ("٣", "integer", "٣"),
        ("9" * 5000, "integer", "9" * 5000),
        ("12", "string", "12"),
        ("2020-01-01", "date", "2020-01-01"),
    ],
)
def test_literals_become_values_where_their_text_allows(lexical, datatype, value) -> None:
    found = value_of(Literal(lexical, XSD + datatype))
    assert found == value
    assert type(found) is type(value)


def test_other_formats_of_rdf_are_read(tmp_path: Path) -> None:
    made = rdflib.Graph().parse(data=PREFIXES + 'ex:a ex:p ex:b ; rdfs:label "a", "A" .')
    made.add((rdflib.URIRef(EX + "b"), rdflib.RDFS.label, rdflib.Literal("b", lang="en")))
    expected = KnowledgeGraph.from_rdf(made).fingerprint
    for suffix, kind in (("rdf", "xml"), ("owl", "xml"), ("jsonld", "json-ld"), ("nt", "nt")):
        made.serialize(tmp_path / f"g.{suffix}", format=kind, encoding="utf-8")
        assert KnowledgeGraph.from_rdf(tmp_path / f"g.{suffix}").fingerprint == expected, suffix
    packed = tmp_path / "g.nt.gz"
    packed.write_bytes(gzip.compress((tmp_path / "g.nt").read_bytes()))
    assert KnowledgeGraph.from_rdf(packed).fingerprint == expected


@pytest.mark.parametrize(
    "entity",
    ['a "&b;&b;"><!ENTITY b "xx"', 'a SYSTEM "file:///etc/passwd"', '% a "x"', "a '%b;'"],
)
def test_xml_entities_that_could_explode_or_read_files_are_refused(
    tmp_path: Path, entity: str
) -> None:
    path = tmp_path / "bomb.rdf"
    path.write_text(f'<?xml version="1.0"?>\n<!DOCTYPE rdf [<!ENTITY {entity}>]>\n<rdf>&a;</rdf>')
    with pytest.raises(ValueError, match="XML entity"):
        KnowledgeGraph.from_rdf(path)


def test_xml_entities_for_namespaces_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "onto.owl"
    path.write_text(
        '<?xml version="1.0"?>\n<!DOCTYPE rdf:RDF [\n'
        f'  <!ENTITY ex "{EX}" >\n]>\n'
        f'<rdf:RDF xmlns:rdf="{TYPE.removesuffix("type")}" xmlns:ex="{EX}">'
        '<rdf:Description rdf:about="&ex;a"><ex:p rdf:resource="&ex;b"/></rdf:Description>'
        "</rdf:RDF>"
    )
    with pytest.warns(UserWarning, match="2 of 2"):
        assert triples_of(KnowledgeGraph.from_rdf(path)) == [(EX + "a", EX + "p", EX + "b")]


# -- tables ---------------------------------------------------------------------------------------


def test_tables_are_read_with_and_without_header_and_with_any_delimiter(tmp_path: Path) -> None:
    rows = [("Heat", "by", "Mann"), ("Ali", "by", "Mann")]
    expected = KnowledgeGraph.from_tables(rows).fingerprint
    for (suffix, delimiter), header in itertools.product(
        [("tsv", "\t"), ("csv", ","), ("csv", ";"), ("txt", "\t"), ("txt", " ")], [False, True]
    ):
        path = tmp_path / f"t.{suffix}"
        lines = [("head", "relation", "tail")] * header + rows
        path.write_text("\ufeff" + "".join(delimiter.join(line) + "\r\n" for line in lines))
        assert KnowledgeGraph.from_tables(path).fingerprint == expected, (delimiter, header)
        kg = KnowledgeGraph.from_tables(path, delimiter=delimiter, header=header)
        assert kg.fingerprint == expected
    packed = tmp_path / "t.tsv.gz"
    packed.write_bytes(gzip.compress(b"Heat\tby\tMann\nAli\tby\tMann\n"))
    assert KnowledgeGraph.from_tables(packed).fingerprint == expected
    frame = pandas.DataFrame(rows, columns=["head", "relation", "tail"])
    assert KnowledgeGraph.from_tables(frame).fingerprint == expected
    mappings = [dict(zip(("s", "p", "o"), row, strict=True)) for row in rows]
    assert KnowledgeGraph.from_tables(mappings, columns=("s", "p", "o")).fingerprint == expected


def test_a_csv_may_quote_and_a_tsv_takes_quotes_as_they_are(tmp_path: Path) -> None:
    quoted, plain = tmp_path / "t.csv", tmp_path / "t.tsv"
    quoted.write_text('"Heat, the film","by","M ""Mike"" Mann"\n')
    plain.write_text('\'71\tby\t"Crocodile" Dundee\n')
    assert triples_of(KnowledgeGraph.from_tables(quoted)) == [
        ("Heat, the film", "by", 'M "Mike" Mann')
    ]
    assert triples_of(KnowledgeGraph.from_tables(plain)) == [("'71", "by", '"Crocodile" Dundee')]


def test_entities_and_relations_come_from_tables_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("1\t0\t2\n3\t0\t2\n")
    (tmp_path / "e.csv").write_text(
        "id,Label,aliases,description,type,year,zip,score,seen\n"
        "1,Heat,HEAT|Heat (1995),A heist.,film|crime,1995,00123,8.30,true\n"
        "2,Michael Mann,,,person,,,,\n"
        "3,1.50,,,film,2001,90210,7,false\n"
    )
    (tmp_path / "r.dict").write_text("0\tdirected_by\n1\tunused\n")
    kg = KnowledgeGraph.from_tables(
        tmp_path / "t.tsv", entities=tmp_path / "e.csv", relations=tmp_path / "r.dict"
    )
    assert kg.names(0) == ("Heat", "HEAT", "Heat (1995)")
    assert kg.text(0) == "Heat (crime, film). A heist."
    assert kg.attributes(0) == {"score": 8.3, "seen": True, "year": 1995, "zip": "00123"}
    assert kg.attributes(1) == {}
    assert kg.labels[2] == "1.50"
    assert list(kg.relation_labels) == ["directed_by"]
    assert set(kg.manifest["source"]) == {"store", "triples", "entities", "relations"}


def test_entities_may_be_a_mapping_and_a_label_may_hold_a_tab(tmp_path: Path) -> None:
    (tmp_path / "e.dict").write_text("a\tAn\tA\nb\tB\n")
    one = KnowledgeGraph.from_tables([("a", "r", "b")], entities=tmp_path / "e.dict")
    two = KnowledgeGraph.from_tables([("a", "r", "b")], entities={"a": "An\tA", "b": {"name": "B"}})
    assert list(one.labels) == list(two.labels) == ["An\tA", "B"]
    assert one.fingerprint == two.fingerprint


def test_numbers_as_keys_are_written_out() -> None:
    frame = pandas.DataFrame({"head": [1, 2], "relation": ["r", "r"], "tail": [2, 3]})
    assert list(KnowledgeGraph.from_tables(frame).keys) == ["1", "2", "3"]
    frame.loc[0, "tail"] = None
    with pytest.raises(ValueError, match="empty 'tail'"):
        KnowledgeGraph.from_tables(frame)


def test_further_columns_are_edge_attributes(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("tail,head,relation,since,source\nb,a,r,1999,x\nc,a,r,2001,\n")
    kg = KnowledgeGraph.from_tables(path)
    assert kg.edge_attributes["since"].tolist() == [1999, 2001]
    assert list(kg.edge_attributes["source"]) == ["x", ""]
    rows = [("a", "r", "b", 1999, "x"), ("a", "r", "c", 2001, None)]
    mappings = [
        dict(zip(("head", "relation", "tail", "since", "source"), row, strict=True)) for row in rows
    ]
    assert KnowledgeGraph.from_tables(mappings).fingerprint == kg.fingerprint


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a\tr\tb\na\tr\n", {}, r"t\.tsv, row 2: 2 fields, but there are 3 columns"),
        ("a\tr\tb\n\na\tr\tb\tc\n", {}, r"t\.tsv, row 3: 4 fields"),
        (
            "subject\tpredicate\tobject\na\tr\tb\n",
            {},
            r"no column 'head' for the head; it has 'subject', 'predicate', 'object'",
        ),
        ("x\ty\tz\n", {"columns": ("x", "r", "z")}, "no column 'r' for the relation; it has 'x'"),
        ("a\t\tb\n", {}, "has an empty 'relation'"),
        ("a\tr\tb\n", {"entities": [{"name": "A"}]}, "no column for the key: it has 'name'"),
        ("a\tr\tb\n", {"entities": [{"key": "", "name": "A"}]}, "empty key"),
    ],
)
def test_bad_tables_are_refused_with_the_place(tmp_path: Path, text, options, message) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        KnowledgeGraph.from_tables(path, **options)


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("Amélie,by,Jeunet\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"t\.csv is not UTF-8"):
        KnowledgeGraph.from_tables(path)


def test_rows_of_the_wrong_width_are_refused() -> None:
    with pytest.raises(ValueError, match="row 1: 2 fields"):
        KnowledgeGraph.from_tables([("a", "r", "b"), ("a", "r")])
    with pytest.raises(ValueError, match=r"row 0: .*arb"):
        KnowledgeGraph.from_tables(["arb"])


def test_an_empty_table_is_an_empty_graph(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("")
    assert len(KnowledgeGraph.from_tables(tmp_path / "t.csv")) == 0
    assert len(KnowledgeGraph.from_tables([])) == 0
    (tmp_path / "t.csv").write_text("head,relation,tail,since\n")
    assert KnowledgeGraph.from_tables(tmp_path / "t.csv", entities={"a": "A"}).num_entities == 1


# -- NetworkX -------------------------------------------------------------------------------------


def test_networkx_nodes_and_edges_carry_their_attributes() -> None:
    graph = networkx.DiGraph()
    graph.add_node("heat", label="Heat", alias=["HEAT"], type="film|crime", year=1995, id=7)
    graph.add_node("mann", label="Michael Mann", description="A director.")
    graph.add_edge("heat", "mann", relation="by", weight=np.float64(0.5))
    kg = KnowledgeGraph.from_networkx(graph, relations={"by": "directed by"})
    assert kg.names(0) == ("Heat", "HEAT")
    assert kg.types(0) == ("crime", "film")
    assert kg.attributes(0) == {"id": 7, "year": 1995}
    assert list(kg.relation_labels) == ["directed by"]
    assert kg.edge_attributes["weight"].tolist() == [0.5]


def test_an_undirected_graph_gives_each_edge_once_from_the_smaller_key() -> None:
    graph = networkx.Graph()
    graph.add_edge("b", "a", relation="next")
    graph.add_edge("b", "c", relation="next")
    assert triples_of(KnowledgeGraph.from_networkx(graph)) == [
        ("a", "next", "b"),
        ("b", "next", "c"),
    ]


def test_the_key_of_a_multigraph_names_the_relation() -> None:
    graph = networkx.MultiDiGraph()
    graph.add_edge("a", "b", key="r")
    graph.add_edge("a", "b", key="s")
    graph.add_edge("a", "b", relation="t")
    assert [t[1] for t in triples_of(KnowledgeGraph.from_networkx(graph))] == ["r", "s", "t"]


def test_networkx_edges_without_relation_are_refused_unless_one_is_given() -> None:
    graph = networkx.karate_club_graph()
    with pytest.raises(ValueError, match=r"edge 0 -> 1 has no attribute 'relation'.*'weight'"):
        KnowledgeGraph.from_networkx(graph)
    kg = KnowledgeGraph.from_networkx(graph, default_relation="knows")
    assert (len(kg), kg.num_triples) == (34, 78)
    graph.add_node("0")
    with pytest.raises(ValueError, match="0 and '0' are the same as text"):
        KnowledgeGraph.from_networkx(graph)


# -- all ------------------------------------------------------------------------------------------


def test_a_store_is_found_by_suffix() -> None:
    assert store_for("films.ttl") == "rdf"
    assert store_for(Path("films.nt.gz")) == "rdf"
    assert store_for("films.CSV") == "tables"
    with pytest.raises(ValueError, match=r"No store reads 'films.doc'.*\.ttl"):
        store_for("films.doc")
    assert {store_for("a.ttl"), store_for("a.tsv")} <= set(STORES)


def test_where_a_graph_comes_from_is_remembered(tmp_path: Path) -> None:
    path = turtle(tmp_path, 'ex:a rdfs:label "a" .')
    source = KnowledgeGraph.from_rdf(path).save(tmp_path / "kg").manifest["source"]
    assert source["store"] == "rdf"
    assert source["files"][0]["file"] == "graph.ttl"
    assert str(tmp_path) not in json.dumps(source)
    for kg in (
        KnowledgeGraph.from_rdf(path, source={"version": 3}),
        KnowledgeGraph.from_tables([], source={"version": 3}),
        KnowledgeGraph.from_networkx(networkx.Graph(), source={"version": 3}),
    ):
        assert kg.manifest["source"] == {"version": 3}
