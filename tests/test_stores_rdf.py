from __future__ import annotations

import bz2
import datetime
import gzip
import io
import json
import lzma
import tarfile
import time
import zipfile
from pathlib import Path

import networkx
import pyarrow
import pyoxigraph
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from turtle_text import EX, LABEL, PREFIXES, TYPE, triples_of, turtle

from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.stores.blank_nodes import new_names
from kgfm.stores.literals import XSD, Literal, value_of

RDF_SUBJECT = "http://www.w3.org/1999/02/22-rdf-syntax-ns#subject"
OWL_THING = "http://www.w3.org/2002/07/owl#Thing"
RDFS_CLASS = "http://www.w3.org/2000/01/rdf-schema#Class"


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


def name_blank_nodes(triples):
    names, ties = new_names(triples)
    named = {
        (names.get(s, s), p, names.get(o, o) if isinstance(o, str) else o) for s, p, o in triples
    }
    return list(named), ties


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
    triples = [("x", "p", f"_:{i}") for i in range(2_500)]
    named, ties = name_blank_nodes(triples)
    assert len(set(named)) == ties == 2_500
    chain = [(f"_:{i}", "rest", f"_:{i + 1}") for i in range(1_500)]
    assert len({s for s, _, _ in name_blank_nodes(chain)[0]}) == 1_500
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
        ("2020-02-30", "date", "2020-02-30"),
        ("2020-01-01T10:00:00Z", "dateTime", "2020-01-01T10:00:00+00:00"),
        ("2020-01-01T10:00:00.500", "dateTime", "2020-01-01T10:00:00.500000"),
        ("2020-01-01T10:00:00.1234567", "dateTime", "2020-01-01T10:00:00.1234567"),
        ("10:00:00", "time", "10:00:00"),
        ("-0044", "gYear", -44),
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
    with pytest.raises(ValueError, match=r"XML entity|parameter entity"):
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


@pytest.mark.parametrize("block", [1, 7, 1 << 18])
def test_an_empty_language_in_xml_means_none(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kgfm.stores.rdf_guards._BLOCK", block)
    text = (
        f'<rdf:RDF xmlns:rdf="{TYPE.removesuffix("type")}" xmlns:e="{EX}" xml:lang="de" '
        'xmlns:s="http://www.w3.org/2000/01/rdf-schema#">'
        f"<rdf:Description rdf:about=\"{EX}a\"><s:label xml:lang=''>None</s:label>"
        '<s:label >Deutsch</s:label><s:comment xml:lang = "">say xml:lang="" '
        f"{'x' * 50}</s:comment>"
        "<!-- xml:lang='' -->"
        f'<e:r rdf:resource="{EX}b"/></rdf:Description></rdf:RDF>'
    )
    with pytest.warns(UserWarning, match="1 of 2"):
        graph = KnowledgeGraph.from_rdf(io.BytesIO(text.encode()), format="rdf")
    row = graph.row(EX + "a")
    assert graph.names(row) == ("None",)
    assert graph.descriptions[row].startswith('say xml:lang="" ')


@pytest.mark.parametrize("container", ["@type", "@id", "@index"])
def test_a_map_on_another_name_of_a_keyword_is_refused_in_json_ld(container: str) -> None:
    terms = {"by": {"@container": container, "@id": "@graph"}, "n": f"{EX}n"}
    text = json.dumps({"@context": terms, "by": {"T": [{"@id": f"{EX}a", "n": "A"}]}})
    with pytest.raises(ValueError, match="line 1: a term stands for @graph and has a @container"):
        KnowledgeGraph.from_rdf(io.BytesIO(text.encode()), format="jsonld")
    ordinary = text.replace('"@graph"', f'"{EX}by"').replace('"T"', f'"{EX}T"')
    if container == "@type":
        with pytest.raises(ValueError, match="Write @type into the objects"):
            KnowledgeGraph.from_rdf(io.BytesIO(ordinary.encode()), format="jsonld")


# -- where RDF may be ------------------------------------------------------------------------------

FACTS = PREFIXES + 'ex:a ex:p ex:b ; rdfs:label "a" . ex:b rdfs:label "b" .'


def packed(path: Path, text: bytes) -> None:
    name = path.name
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README.txt", "no RDF")
            archive.writestr("in/graph.ttl", text)
    elif ".tar" in name or name.endswith(".tgz"):
        with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as archive:
            for member, content in {
                "README.txt": b"no RDF",
                "in/g.ttl.gz": gzip.compress(text),
            }.items():
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    else:
        pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
        pack[".zst"] = lambda given: pyarrow.compress(given, codec="zstd", asbytes=True)
        path.write_bytes(pack[path.suffix](text))


def test_packed_files_and_archives_are_read(tmp_path: Path) -> None:
    expected = KnowledgeGraph.from_rdf(io.StringIO(FACTS), format="ttl").fingerprint
    for ending in ("ttl.gz", "ttl.bz2", "ttl.xz", "ttl.zst", "zip", "tar", "tar.gz", "tgz"):
        path = tmp_path / f"g.{ending}"
        packed(path, FACTS.encode())
        kg = KnowledgeGraph.from_rdf(path)
        assert kg.fingerprint == expected, ending
        assert [file["file"] for file in kg.manifest["source"]["files"]] == [path.name]


def test_streams_are_read_packed_or_not_and_whether_they_can_seek_or_not(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self._inner = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer) -> int:
            return self._inner.readinto(buffer)

    expected = KnowledgeGraph.from_rdf(io.StringIO(FACTS), format="ttl").fingerprint
    path = tmp_path / "g.ttl"
    path.write_text(FACTS)
    with path.open("rb") as file:
        streams = [io.BytesIO(gzip.compress(FACTS.encode())), Pipe(FACTS.encode()), file]
        for stream in streams:
            assert KnowledgeGraph.from_rdf(stream, format="turtle").fingerprint == expected
        file.seek(0)
        assert KnowledgeGraph.from_rdf([file]).fingerprint == expected
    with pytest.raises(ValueError, match="the stream is in no known format ''"):
        KnowledgeGraph.from_rdf(io.BytesIO(b""))


def test_a_damaged_or_empty_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "g.ttl.gz"
    path.write_bytes(gzip.compress(FACTS.encode() * 50)[:-30])
    with pytest.raises(ValueError, match=r"g\.ttl\.gz is damaged or cut off"):
        KnowledgeGraph.from_rdf(path)
    with zipfile.ZipFile(tmp_path / "g.zip", "w") as archive:
        archive.writestr("a.txt", "")
    with pytest.raises(ValueError, match="holds no RDF"):
        KnowledgeGraph.from_rdf(tmp_path / "g.zip")


def test_paths_lines_and_marks_of_other_systems_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "Grüße 図"
    folder.mkdir()
    path = folder / "gräph.ttl"
    path.write_bytes(b"\xef\xbb\xbf" + FACTS.replace("\n", "\r\n").encode())
    kg = KnowledgeGraph.from_rdf(path)
    expected = KnowledgeGraph.from_rdf(io.StringIO(FACTS), format="ttl")
    assert kg.save(folder / "сн").fingerprint == expected.fingerprint


# -- graphs, sameness, classes ---------------------------------------------------------------------

QUADS = PREFIXES + (
    'ex:a ex:p ex:b . ex:one { ex:a ex:p ex:b, ex:c . ex:a rdfs:label "a" } '
    "ex:two { ex:c ex:p ex:d }"
)


@pytest.mark.filterwarnings("ignore:.* have no label")
def test_all_named_graphs_are_read_or_those_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "g.trig"
    path.write_text(QUADS)
    store, dataset = pyoxigraph.Store(), rdflib.Dataset()
    store.load(QUADS.encode(), format=pyoxigraph.RdfFormat.TRIG)
    for quad in store:
        name = getattr(quad.graph_name, "value", None)
        part = dataset.graph(rdflib.URIRef(name)) if name else dataset.default_graph
        part.parse(data=f"{quad.triple} .", format="nt")
    for holder in (path, dataset, store):
        assert KnowledgeGraph.from_rdf(holder).num_triples == 3
        one = KnowledgeGraph.from_rdf(holder, graphs=[EX + "one"])
        assert [t[2] for t in triples_of(one)] == [EX + "b", EX + "c"]
        assert KnowledgeGraph.from_rdf(holder, graphs=[""]).num_triples == 1
        kept = KnowledgeGraph.from_rdf(holder, graph_attribute="graph")
        assert list(kept.edge_attributes["graph"]) == [EX + "one", EX + "one", EX + "two"]
    assert kept.manifest["source"]["options"] == {"graph_attribute": "graph"}


def test_what_is_quoted_in_n3_is_not_said() -> None:
    text = (
        PREFIXES
        + 'ex:a ex:p ex:b ; rdfs:label "a" . ex:b rdfs:label "b" . { ex:c ex:p ex:d } a ex:Q .'
    )
    kg = KnowledgeGraph.from_rdf(io.StringIO(text), format="n3")
    assert triples_of(kg) == [(EX + "a", EX + "p", EX + "b")]


def test_entities_that_are_the_same_become_one_on_request(tmp_path: Path) -> None:
    text = """
    ex:b owl:sameAs ex:c . ex:a owl:sameAs ex:c . ex:x owl:sameAs [ ex:size 3 ] .
    ex:c rdfs:label "C" ; ex:year 1 . ex:a ex:year 2 . ex:b ex:p ex:x ; skos:altLabel "B" .
    ex:x rdfs:label "X" .
    """
    path = turtle(tmp_path, text)
    with pytest.warns(UserWarning, match="have no label"):
        assert KnowledgeGraph.from_rdf(path).num_triples == 4
    kg = KnowledgeGraph.from_rdf(path, same_as=True)
    assert triples_of(kg) == [(EX + "a", EX + "p", EX + "x")]
    assert kg.names(0) == ("C", "B")
    same = "http://www.w3.org/2002/07/owl#sameAs"
    assert kg.attributes(0) == {EX + "year": [1, 2], same: [EX + "b", EX + "c"]}
    other = kg.attributes(1)
    assert other[EX + "size"] == 3
    assert other[same].startswith("_:")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=8))
def test_sameness_is_that_of_connected_components(pairs) -> None:
    graph = rdflib.Graph()
    for number in range(7):
        graph.add((rdflib.URIRef(f"{EX}{number}"), rdflib.RDFS.label, rdflib.Literal(str(number))))
    for one, other in pairs:
        graph.add((rdflib.URIRef(f"{EX}{one}"), rdflib.OWL.sameAs, rdflib.URIRef(f"{EX}{other}")))
    together = networkx.Graph(pairs)
    together.add_nodes_from(range(7))
    expected = sorted(f"{EX}{min(part)}" for part in networkx.connected_components(together))
    assert list(KnowledgeGraph.from_rdf(graph, same_as=True).keys) == expected


def test_types_reach_up_to_the_classes_above_even_in_a_circle(tmp_path: Path) -> None:
    text = """
    ex:Heat a ex:Film ; rdfs:label "Heat" . ex:Film rdfs:subClassOf ex:Work, [ a owl:Restriction ] .
    ex:Work rdfs:subClassOf owl:Thing, ex:Film ; rdfs:label "work" . ex:Film rdfs:label "film" .
    """
    path = turtle(tmp_path, text)
    schema = GraphSchema(ignore=("http://www.w3.org/2000/01/rdf-schema#subClassOf",))
    kg = KnowledgeGraph.from_rdf(path, schema=schema)
    assert kg.types(kg.row(EX + "Heat")) == ("film", "work")
    alone = GraphSchema(ignore=schema.ignore, subclass=())
    kg = KnowledgeGraph.from_rdf(path, schema=alone)
    assert kg.types(kg.row(EX + "Heat")) == ("film",)


def test_dates_are_the_same_from_rdf_and_from_objects() -> None:
    day, moment = datetime.date(1995, 12, 15), datetime.datetime(1995, 12, 15, 20, 0, 0, 5)
    moment = moment.replace(tzinfo=datetime.UTC)
    graph = rdflib.Graph()
    for name, value in (("day", day), ("moment", moment)):
        graph.add((rdflib.URIRef(EX + "a"), rdflib.URIRef(EX + name), rdflib.Literal(value)))
    graph.add((rdflib.URIRef(EX + "a"), rdflib.RDFS.label, rdflib.Literal("a")))
    fields = {"key": EX + "a", "label": "a", "attributes": {EX + "day": day, EX + "moment": moment}}
    one, two = KnowledgeGraph.from_rdf(graph), KnowledgeGraph.from_records([fields], [])
    assert one.fingerprint == two.fingerprint


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []
    KnowledgeGraph.from_rdf(turtle(tmp_path, 'ex:a rdfs:label "a", "b" .'), progress=told.append)
    assert told == [2]


# -- out and in again ------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
keys = (
    texts.filter(bool)
    | st.sampled_from(
        [LABEL, TYPE, "label", "type", "_:c14n0", "urn:kgfm:key:a", "http://e.org/a b", EX + "a"]
    )
    | st.sampled_from(["é://x", "http://é/ü", "a:b", "http://e.org/a/../b", OWL_THING, RDFS_CLASS])
)
dates = st.sampled_from(["2020-01-01", "2020-01-01T10:00:00", "10:00:00", "2020-1-1", "2020"])
scalars = (
    texts | dates | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
values = scalars | st.lists(scalars | st.lists(scalars, max_size=2), max_size=3)
record = st.fixed_dictionaries(
    {},
    optional={
        "label": texts,
        "aliases": st.lists(texts, max_size=2),
        "description": texts,
        "types": st.lists(texts | keys, max_size=2),
        "attributes": st.dictionaries(keys, values, max_size=3),
    },
)
records = st.dictionaries(keys, record, max_size=4)
relations = st.dictionaries(keys, texts, max_size=3)
places = st.tuples(*[st.integers(0, 9)] * 3)


@pytest.mark.filterwarnings("ignore:.* have no label")
@pytest.mark.parametrize("suffix", ["nt", "ttl.gz"])
@given(records, relations, st.lists(places, max_size=6))
def test_a_graph_that_is_written_reads_back_to_the_same_snapshot(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, known, named, drawn
) -> None:
    entities, names = [*known, "x"], [*named, "r", LABEL]
    triples = [
        (entities[h % len(entities)], names[r % len(names)], entities[t % len(entities)])
        for h, r, t in drawn
    ]
    given_records = [{"key": key, **fields} for key, fields in known.items()]
    graph = KnowledgeGraph.from_records(given_records, triples, relations=named)
    path = graph.to_rdf(tmp_path_factory.mktemp("out") / f"graph.{suffix}")
    again = KnowledgeGraph.from_rdf(path)
    assert list(again.keys) == list(graph.keys)
    assert again.fingerprint == graph.fingerprint


edge_values = st.none() | texts | dates | st.floats(allow_nan=False, allow_infinity=False)
edge_columns = st.sampled_from([edge_values, st.none(), st.integers(), st.booleans()])


@pytest.mark.filterwarnings("ignore:.* have no label")
@settings(max_examples=40)
@given(records, st.lists(places, max_size=6), st.data())
def test_attributes_of_triples_read_back_to_the_same_snapshot(
    tmp_path_factory: pytest.TempPathFactory, known, drawn, data
) -> None:
    entities, names = [*known, "x", EX + "since", "since"], ["r", LABEL, EX + "since", RDF_SUBJECT]
    triples = [
        (entities[h % len(entities)], names[r % len(names)], entities[t % len(entities)])
        for h, r, t in drawn
    ]
    attributes = {
        name: data.draw(st.lists(data.draw(edge_columns), min_size=len(drawn), max_size=len(drawn)))
        for name in data.draw(st.sets(keys | st.sampled_from(["", "since", "r", EX + "since"])))
    }
    given_records = [{"key": key, **fields} for key, fields in known.items()]
    graph = KnowledgeGraph.from_records(given_records, triples, edge_attributes=attributes)
    path = graph.to_rdf(tmp_path_factory.mktemp("out") / "graph.nt")
    again = KnowledgeGraph.from_rdf(path)
    assert {*again.edge_attributes} == {*graph.edge_attributes}
    assert list(again.keys) == list(graph.keys)
    assert again.fingerprint == graph.fingerprint


@pytest.mark.filterwarnings("ignore:.* have no label")
def test_rdflib_reads_what_is_written_of_triples(tmp_path: Path) -> None:
    triples = [(EX + "a", EX + "p", EX + "b"), (EX + "a", EX + "p", EX + "c")]
    attributes = {EX + "since": [1995, 2001], "by": ["x", None], "none": [None, None]}
    graph = KnowledgeGraph.from_records([], triples, edge_attributes=attributes)
    found = rdflib.Graph().parse(graph.to_rdf(tmp_path / "graph.ttl"))
    (node,) = found.subjects(rdflib.RDF.object, rdflib.URIRef(EX + "c"))
    assert found.value(node, rdflib.URIRef(EX + "since")).toPython() == 2001
    assert KnowledgeGraph.from_rdf(found).fingerprint == graph.fingerprint


ANNOTATED = {
    "annotation of RDF 1.2": ":a :p :b {| :since 1995 ; :by 'x' , 'y' |} .",
    "reifier of RDF 1.2": ":a :p :b . << :a :p :b ~ :one >> :since 1995 ; :by 'x', 'y' .",
    "two reifiers": ":a :p :b {| :since 1995 ; :by 'x' |} {| :by 'y' |} .",
    "reified statement of RDF 1.1": """:a :p :b . [] a rdf:Statement ; rdf:subject :a ;
        rdf:predicate :p ; rdf:object :b ; :since 1995 ; :by 'x', 'y' .""",
}


@pytest.mark.filterwarnings("ignore:.* have no label")
@pytest.mark.parametrize("said", ANNOTATED.values(), ids=ANNOTATED)
def test_what_is_said_of_a_triple_becomes_its_attribute(said: str) -> None:
    kg = KnowledgeGraph.from_rdf(io.BytesIO(f"{PREFIXES} {said} :a :p :c .".encode()), format="ttl")
    assert list(kg.keys) == [EX + name for name in "abc"]
    assert kg.num_triples == 2
    assert list(kg.edge_attributes[EX + "by"]) == ['["x", "y"]', ""]
    assert kg.edge_attributes[EX + "since"].tolist()[0] == 1995
    assert not kg.types(0)


@pytest.mark.filterwarnings("ignore:.* have no label")
def test_a_reified_statement_that_is_not_stated_or_has_links_stays_an_entity() -> None:
    reified = "a rdf:Statement ; rdf:subject :a ; rdf:predicate :p ; rdf:object"
    linked = f"{PREFIXES} :a :p :b . :one {reified} :b ; :since 1995 ; :by :c ."
    kg = KnowledgeGraph.from_rdf(io.BytesIO(linked.encode()), format="ttl")
    assert kg.attributes(kg.row(EX + "one")) == {EX + "since": 1995}
    assert kg.num_triples == 2
    assert not kg.edge_attributes
    unstated = f"{PREFIXES} :a :p :b . :one {reified} :c ; :since 1995 ."
    with pytest.warns(UserWarning, match="1 reified statements speak of triples that the source"):
        kg = KnowledgeGraph.from_rdf(io.BytesIO(unstated.encode()), format="ttl")
    assert kg.types(kg.row(EX + "one")) == ("Statement",)
    schema = GraphSchema(ignore=())
    kg = KnowledgeGraph.from_rdf(io.BytesIO(unstated.encode()), format="ttl", schema=schema)
    assert kg.num_triples == 4


def test_a_file_that_rdf_is_not_written_as_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in '\.doc'"):
        KnowledgeGraph.from_records([], []).to_rdf(tmp_path / "graph.doc")
