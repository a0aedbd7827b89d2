"""BLINK, ELEVANT, NIF: what is written is read back; what is wrong is told with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.linking import formats
from kgfm.linking.formats import FORMATS, Document
from kgfm.types import Example, Mention

SUFFIX = {"blink": "jsonl", "elevant": "jsonl", "nif": "ttl"}
KEYS = st.one_of(
    st.sampled_from(["film/Heat", "Q42", "https://kgfm.example/a", "/m/01", "a b", "x:y z", "%41"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)
NOT_A_KEY = {"<NIL>", "<NO_MAPPING>", "NIL", "DATETIME", "QUANTITY", "-1", "unknown"}
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("  ab🎬é\n"), max_size=20
)


@st.composite
def raw_documents(draw, with_mention=False):
    """Text and (start, end, key): values of kgfm are made outside, as their checks draw lots."""
    text = draw(TEXTS.filter(bool) if with_mention else TEXTS)
    spans: dict[tuple[int, int], str | None] = {}
    for _ in range(draw(st.integers(int(with_mention), 3)) if text else 0):
        start = draw(st.integers(0, len(text) - 1))
        key = draw(st.none() | KEYS)
        if key not in NOT_A_KEY and not (key or "").startswith("Unknown"):
            spans[start, draw(st.integers(start + 1, len(text)))] = key
    return text, [(*span, spans[span]) for span in sorted(spans)]


def document(text, spans):
    return Document(text, tuple(Mention(s, e, text[s:e], key) for s, e, key in spans))


def numbered(given):
    return [
        Document(d.text, d.mentions, str(n), d.title, d.evaluated, d.ignored)
        for n, d in enumerate(given)
    ]


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_read_back(name, tmp_path_factory):
    path = tmp_path_factory.mktemp("formats") / f"gold.{SUFFIX[name]}"

    @given(st.lists(raw_documents(with_mention=name == "blink"), max_size=3))
    def round_trip(raw):
        given_documents = [document(*one) for one in raw]
        expected = [d for d in numbered(given_documents) if d.mentions or name != "blink"]
        formats.write(path, [d.example() for d in given_documents], name)
        found = formats.read(path, name)
        assert sorted(found, key=lambda d: int(d.id)) == expected

    round_trip()


@pytest.mark.parametrize("name", FORMATS)
def test_an_example_comes_back_with_its_mentions(name, tmp_path):
    text = "Heat 🎬 by Michael Mann"
    mentions = (Mention(0, 4, "Heat", "film/Heat"), Mention(10, 22, "Michael Mann", None))
    path = tmp_path / f"gold.{SUFFIX[name]}"
    formats.write(path, [Example(text, None, mentions)], name)
    assert [d.example() for d in formats.read(path, name)] == [Example(text, None, mentions)]


def test_blink_of_others_gets_its_blanks_back(tmp_path):
    lines = [
        ("Who directed", "Heat", "?", 7),
        ("Who directed Heat, or", "Ronin", ", then?", -1),
        ("", "Paris", "is large", "Q90"),
    ]
    names = ("context_left", "mention", "context_right", "label_id")
    path = tmp_path / "blink.jsonl"
    path.write_text(
        "".join(json.dumps(dict(zip(names, line, strict=True))) + "\n" for line in lines)
    )
    found = formats.read(path, "blink")
    assert [d.text for d in found] == [
        "Who directed Heat?",
        "Who directed Heat, or Ronin, then?",
        "Paris is large",
    ]
    assert [[(m.text, m.entity) for m in d.mentions] for d in found] == [
        [("Heat", "7")],
        [("Ronin", None)],
        [("Paris", "Q90")],
    ]


ELEVANT = {
    "id": 5,
    "title": "A title",
    "text": "On 3 May 2010 Champions Tour met Heat in Rome.",
    "evaluation_span": [0, 40],
    "labels": [
        {"id": 0, "span": [3, 13], "entity_id": "DATETIME", "name": "", "type": "DATETIME"},
        {"id": 1, "span": [9, 28], "entity_id": "Q1", "name": "", "type": "X", "children": [2]},
        {"id": 2, "span": [14, 28], "entity_id": "Q2", "name": "", "type": "X", "parent": 1},
        {"id": 3, "span": [33, 37], "entity_id": "<NIL>", "name": "", "type": "X"},
        {"id": 4, "span": [41, 45], "entity_id": "Q220", "name": "", "type": "X", "optional": True},
    ],
}


def test_elevant_leaves_out_what_does_not_count(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps(ELEVANT) + "\n\n")
    (document,) = formats.read(path, "elevant")
    assert [(m.text, m.entity) for m in document.mentions] == [
        ("2010 Champions Tour", "Q1"),
        ("Heat", None),
    ]
    assert [m.text for m in document.ignored] == ["3 May 2010", "Champions Tour", "Rome"]
    assert (document.evaluated, document.title, document.id) == ((0, 40), "A title", "5")
    formats.write(path, [document], "elevant")
    assert formats.read(path, "elevant") == (document,)


def test_a_reading_within_a_nil_counts(tmp_path):
    label = {**ELEVANT["labels"][1], "entity_id": "<NIL>"}
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps({**ELEVANT, "labels": [label, ELEVANT["labels"][2]]}))
    (document,) = formats.read(path, "elevant")
    assert [m.entity for m in document.mentions] == [None, "Q2"]


NIF = """@prefix nif: <http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#> .
@prefix itsrdf: <http://www.w3.org/2005/11/its/rdf#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<http://a.example/1#char=0,18> a nif:Context, nif:RFC5147String ;
  nif:isString "Who directed Heat?" ;
  nif:beginIndex "0"^^xsd:nonNegativeInteger ; nif:endIndex "18"^^xsd:nonNegativeInteger .
<http://a.example/1#char=13,17> nif:referenceContext <http://a.example/1#char=0,18> ;
  nif:anchorOf "Heat" ; nif:beginIndex "13"^^xsd:int ; nif:endIndex "17"^^xsd:int ;
  itsrdf:taIdentRef <http://dbpedia.org/resource/Heat> .
"""


def test_nif_of_others_is_read(tmp_path):
    path = tmp_path / "gold.ttl"
    path.write_text(NIF)
    (document,) = formats.read(path, "nif")
    assert document.mentions == (Mention(13, 17, "Heat", "http://dbpedia.org/resource/Heat"),)
    assert document.id == "http://a.example/1#char=0,18"


@pytest.mark.parametrize("suffix", ["nt", "rdf"])
def test_nif_is_written_in_the_syntax_of_the_suffix(tmp_path, suffix):
    given = Document("Heat", (Mention(0, 4, "Heat", "film/Heat"),), "0", "Title")
    formats.write(tmp_path / f"gold.{suffix}", [given], "nif")
    assert formats.read(tmp_path / f"gold.{suffix}", "nif") == (given,)


def test_nif_wants_an_id_for_each_document(tmp_path):
    with pytest.raises(ValueError, match="Two documents have the id '0'"):
        formats.write(tmp_path / "x.ttl", [Document("a", (), "0"), Document("b", (), "0")], "nif")
    assert not (tmp_path / "x.ttl").exists()


BLINK = {"context_left": "", "mention": "Heat", "context_right": "", "label_id": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("blink", '{"mention": "a"}\n', "line 1: 'context_left' is a string"),
        ("blink", json.dumps(BLINK) + "\nnonsense\n", "line 2: no JSON"),
        ("blink", json.dumps({**BLINK, "mention": ""}), "line 1: 'mention' is empty"),
        ("blink", json.dumps({**BLINK, "label_id": [1]}), "line 1: 'label_id' is a string"),
        (
            "blink",
            json.dumps({k: BLINK[k] for k in [*BLINK][:3]}),
            "line 1: there is no 'label_id'",
        ),
        ("elevant", "[]\n", "line 1: a line is a JSON object"),
        ("elevant", '\n{"text": "a"}\n', "line 2: 'labels' is a list"),
        ("elevant", '{"text": "a", "labels": [1]}', "line 1: label 0 is a mapping"),
        (
            "elevant",
            '{"text": "a", "labels": [{"span": [0, 2], "entity_id": "Q"}]}',
            "line 1: a mention goes from 0 to 2; the text has 1",
        ),
        (
            "elevant",
            '{"text": "a", "labels": [{"span": [0], "entity_id": "Q"}]}',
            "line 1: 'span' is",
        ),
        ("nif", NIF.replace("<http://dbp", "http://dbp"), "line 9"),
        ("nif", NIF.replace('"17"^^', '"16"^^'), "#char=13,17>: nif:anchorOf is 'Heat', but"),
        ("nif", NIF.replace('"17"^^', '"99"^^'), "#char=13,17>: a mention goes from 13 to 99"),
        ("nif", NIF.replace('"17"^^', '"x"^^'), "two whole numbers"),
        ("nif", NIF.replace("nif:isString", "nif:isText"), "has no nif:isString"),
        ("blink", b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_wrong_file_is_told_with_the_place(tmp_path, name, content, message):
    path = tmp_path / f"gold.{SUFFIX[name]}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        formats.read(path, name)


def test_an_unknown_format_is_told_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"No format 'elevent'.*'elevant'"):
        formats.read(tmp_path / "x", "elevent")
    with pytest.raises(FileNotFoundError, match="No file"):
        formats.read(tmp_path / "x", "elevant")


@pytest.mark.data
def test_the_files_of_elevant_are_read_and_come_back_in_every_format(public_data, tmp_path):
    for path in sorted((public_data / "el-wikidata").glob("*.benchmark.jsonl")):
        given = formats.read(path, "elevant")
        assert sum(len(document.mentions) for document in given) > 100
        for name in FORMATS:
            copy = tmp_path / f"{path.stem}.{SUFFIX[name]}"
            formats.write(copy, given, name)
            kept = given if name != "blink" else [d for d in given if d.mentions]
            found = {(d.id, d.text, d.mentions) for d in formats.read(copy, name)}
            assert found == {(d.id, d.text, d.mentions) for d in kept}
