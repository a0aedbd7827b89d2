from __future__ import annotations

import csv
import gzip
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import networkx
import numpy as np
import pandas
import pytest
import rdflib
from hypothesis import given
from hypothesis import strategies as st
from turtle_text import EX, LABEL, triples_of, turtle

from kgfm.graph import KnowledgeGraph
from kgfm.stores import STORES, store_for

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
        "1,Heat,HEAT|Heat (1995),A heist.,film|crime,1995,00123,8.3,true\n"
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
            "subject\tpredicate\twhat\na\tr\tb\n",
            {},
            r"no column 'tail' for the tail; it has 'subject', 'predicate', 'what'",
        ),
        ("x\ty\tz\n", {"columns": ("x", "r", "z")}, "no column 'r' for the relation; it has 'x'"),
        ("a\t\tb\n", {}, r"t\.tsv, row 1: an empty 'relation'"),
        ("a\tr\tb\n", {"entities": [{"name": "A"}]}, "no column for the key: it has 'name'"),
        ("a\tr\tb\n", {"entities": [{"key": "", "name": "A"}]}, "row 0: an empty 'key'"),
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
    with pytest.raises(ValueError, match=r"t\.csv, row 1: not UTF-8"):
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
