"""The linker: offsets, folding, ambiguity, NIL and hostile texts."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import spacy
from hypothesis import example, given
from hypothesis import strategies as st

from kgfm.graph import KnowledgeGraph
from kgfm.linking import LINKERS, Linker
from kgfm.linking.fold import fold, tokens
from kgfm.linking.spans import SpacySpans, capitals
from kgfm.types import Mention

NAMES = {
    "film/heat": ["Heat"],
    "film/heat-1986": ["Heat"],
    "film/it": ["It"],
    "film/money": ["$"],
    "film/8": ["8½"],
    "film/dots": ["..."],
    "film/amelie": ["Amélie", "Le Fabuleux Destin d'Amélie Poulain"],
    "city/istanbul": ["İstanbul", "Istanbul"],
    "city/ny": ["New York", "NYC"],
    "city/nyc": ["New York City"],
    "city/tokyo": ["東京"],
    "city/jerusalem": ["ירושלים"],
    "person/mann": ["Michael Mann"],
    "emoji/family": ["👨‍👩‍👧"],
    "tag/aria": ["aria"],
    "film/aria": ["Aria"],
}
TRIPLES = [
    ("film/heat", "directed_by", "person/mann"),
    ("film/heat", "set_in", "city/ny"),
    ("tag/aria", "related_to", "film/it"),
]


def graph_of(names: dict[str, list[str]], triples: list[tuple[str, str, str]]) -> KnowledgeGraph:
    records = [{"key": key, "label": n[0], "aliases": n[1:]} for key, n in names.items()]
    return KnowledgeGraph.from_records(records, triples)


GRAPH = graph_of(NAMES, TRIPLES)


@pytest.fixture
def graph() -> KnowledgeGraph:
    return GRAPH


@pytest.fixture(scope="module")
def linker() -> Linker:
    return Linker(GRAPH)


def found(mentions: list[Mention]) -> list[tuple[str, str | None]]:
    return [(mention.text, mention.entity) for mention in mentions]


EAGER = Linker(GRAPH, guard=False, min_score=0, keep_nil=True)
anything = st.text(st.characters(exclude_categories=())) | st.lists(
    st.sampled_from([name for names in NAMES.values() for name in names])
    | st.sampled_from(
        [" ", "\n", "\u0301", "\u200d", "\0", "\ud800", "İ", "😀", "\u200f", "'", "-"]
    )
).map("".join)


@given(anything)
@example("Ame\u0301lie\u0301 in İSTANBUL\0, \u200fירושלים\u200f \ud800東京 👨‍👩‍👧")
def test_mentions_say_where_they_stand_in_the_text_and_do_not_overlap(text: str) -> None:
    mentions = EAGER(text)
    end = 0
    for mention in mentions:
        assert text[mention.start : mention.end] == mention.text
        assert mention.start >= end
        end = mention.end


@given(anything)
def test_folding_is_done_after_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    split = tokens(text)
    assert all(split.keys)
    assert split.starts == sorted(split.starts)


@pytest.mark.parametrize("name", LINKERS)
@given(st.lists(anything, max_size=5))
def test_one_by_one_is_all_together(name: str, texts: list[str]) -> None:
    linker = LINKERS[name](GRAPH)
    alone = [tuple(linker(text)) for text in texts]
    assert linker.link(texts) == alone
    assert list(linker.pipe(iter(texts), batch_size=2)) == alone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("who directed heat?", [("heat", "film/heat")]),
        ("HEAT’s director", [("HEAT", "film/heat")]),
        ("Heater and preheat", []),
        ("amelie, AMÉLIE, Ame\u0301lie", [("amelie", "film/amelie"), ("AMÉLIE", "film/amelie"),
                                          ("Ame\u0301lie", "film/amelie")]),
        ("le fabuleux destin d’amelie poulain", [("le fabuleux destin d’amelie poulain",
                                                  "film/amelie")]),
        ("İstanbul istanbul ISTANBUL", [("İstanbul", "city/istanbul"),
                                        ("istanbul", "city/istanbul"),
                                        ("ISTANBUL", "city/istanbul")]),
        ("new \n\t york", [("new \n\t york", "city/ny")]),
        ("New York City, New York", [("New York City", "city/nyc"), ("New York", "city/ny")]),
        ("New York Ci", [("New York", "city/ny")]),
        ("it cost $5 in 8½", [("$", "film/money"), ("8½", "film/8")]),
        ("東京, ירושלים\u200f", [("東京", "city/tokyo"), ("ירושלים", "city/jerusalem")]),
        ("Mich\u00adael Ma\0nn", [("Mich\u00adael Ma\0nn", "person/mann")]),
        ("x👨‍👩‍👧x", [("👨‍👩‍👧", "emoji/family")]),
        ("", []),
        (" \t\u200b", []),
    ],
)  # fmt: skip
def test_names_are_found_whatever_their_case_accents_and_spaces(
    linker: Linker, text: str, expected: list[tuple[str, str]]
) -> None:
    assert found(linker(text)) == expected


def test_common_words_and_punctuation_are_linked_only_as_they_are_named(
    graph: KnowledgeGraph, linker: Linker
) -> None:
    assert found(linker("who directed it and why ...")) == []
    assert found(linker("who directed It")) == [("It", "film/it")]
    loose = Linker(graph, guard=False)
    assert found(loose("it ...")) == [("it", "film/it"), ("...", "film/dots")]


def test_the_exact_spelling_comes_before_the_number_of_triples(linker: Linker) -> None:
    lower, upper, other = (linker(text)[0] for text in ("aria", "Aria", "ARIA"))
    assert lower.entity == "tag/aria"
    assert upper.entity == "film/aria"
    assert other.entity == "tag/aria"
    assert [key for key, _ in upper.candidates] == ["film/aria", "tag/aria"]


def test_of_equal_names_the_entity_with_more_triples_is_likelier(linker: Linker) -> None:
    mention = linker("Heat")[0]
    assert mention.candidates == (("film/heat", 0.75), ("film/heat-1986", 0.25))
    assert mention.score == 0.75


def test_too_unsure_mentions_are_nil(graph: KnowledgeGraph) -> None:
    assert Linker(graph, min_score=0.8)("Heat") == []
    mention = Linker(graph, min_score=0.8, keep_nil=True)("Heat")[0]
    assert mention.entity is None
    assert [key for key, _ in mention.candidates] == ["film/heat", "film/heat-1986"]


def test_short_mentions_can_be_left_out(graph: KnowledgeGraph) -> None:
    assert found(Linker(graph, min_length=3)("8½ Heat $")) == [("Heat", "film/heat")]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("wrong", [None, 3, b"Heat"])
def test_what_is_no_text_is_refused_by_its_index(linker: Linker, wrong: object) -> None:
    with pytest.raises(TypeError, match="Text 1 is"):
        linker.link(["Heat", wrong])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="Text 3 is"):
        list(linker.pipe(["Heat", "Heat", "Heat", wrong], batch_size=2))  # type: ignore[list-item]
    with pytest.raises(TypeError, match="A text is a str"):
        linker(wrong)  # type: ignore[arg-type]


def test_one_text_instead_of_a_list_is_refused(linker: Linker) -> None:
    with pytest.raises(TypeError, match=r"write linker\.link\(\[text\]\)"):
        linker.link("Heat")


@pytest.mark.parametrize("wrong", [{"min_score": 1.5}, {"min_length": 0}, {"min_likeness": -1}])
def test_arguments_out_of_range_are_refused(graph: KnowledgeGraph, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Linker(graph, **wrong)  # type: ignore[arg-type]


def test_a_megabyte_of_text_is_linked(linker: Linker) -> None:
    assert len(linker("who directed Heat in New York? " * 32_000)) == 64_000


def test_names_that_begin_alike_cost_no_more_than_their_length() -> None:
    graph = graph_of({"a": ["a " * 60 + "b"], "long": ["b " * 5000 + "c"]}, [])
    linker = Linker(graph)
    assert linker("a " * 20_000 + "b " * 20_000)[0].entity == "a"
    assert len(linker.names) == 1  # a name of thousands of tokens is left out


def test_ten_thousand_entities_with_one_name_are_ranked_and_capped() -> None:
    graph = graph_of({f"person/{i}": ["John Smith"] for i in range(10_000)}, [])
    mentions = Linker(graph, keep_nil=True)("john smith " * 1000)
    assert len(mentions) == 1000
    assert {mention.entity for mention in mentions} == {None}
    assert len(mentions[0].candidates) == 16
    assert Linker(graph, min_score=0)("John Smith")[0].entity == "person/0"


def test_an_empty_graph_links_nothing() -> None:
    assert Linker(graph_of({}, []))("Heat") == []


def test_the_dictionary_is_made_when_first_used_and_not_pickled(graph: KnowledgeGraph) -> None:
    linker = Linker(graph, min_score=0.2)
    assert "names" not in vars(linker)
    before = linker("Heat in NYC")
    copy = pickle.loads(pickle.dumps(linker))
    assert "names" not in vars(copy)
    assert copy("Heat in NYC") == before


def test_the_configuration_builds_an_equal_linker(graph: KnowledgeGraph) -> None:
    linker = Linker(graph, min_score=0.8, keep_nil=True)
    assert Linker(graph, **linker.config())("Heat") == linker("Heat")
    assert repr(linker).startswith("Linker(min_score=0.8, min_length=1, guard=True, keep_nil=True,")
    with pytest.raises(TypeError, match="cannot be saved"):
        Linker(graph, spans=lambda texts: [[] for _ in texts]).config()


def test_names_within_and_across_longer_ones_are_given_on_request(graph: KnowledgeGraph) -> None:
    mentions = Linker(graph, overlapping=True)("New York City")
    assert found(mentions) == [("New York", "city/ny"), ("New York City", "city/nyc")]


def test_spans_of_another_source_are_linked_by_what_they_are_like(graph: KnowledgeGraph) -> None:
    text = "Mann made Heat with Micheal Mann, Zzyzx Qwrt and Michael Mann."
    assert ("Mann", "person/mann") not in found(Linker(graph)(text))
    fuzzy = Linker(graph, fuzzy=True, min_score=0)
    assert found(fuzzy(text)) == [
        ("Mann", "person/mann"),
        ("Heat", "film/heat"),
        ("Micheal Mann", "person/mann"),
        ("Michael Mann", "person/mann"),
    ]
    nil = Linker(graph, fuzzy=True, keep_nil=True)(text)
    assert ("Zzyzx Qwrt", None) in found(nil)
    copy = pickle.loads(pickle.dumps(fuzzy))
    assert copy(text) == fuzzy(text)


def test_a_span_that_holds_more_than_a_name_wins_only_if_it_is_like_a_name() -> None:
    graph = graph_of({"bank": ["Deutsche Bank AG"], "de": ["Deutsche"], "x": ["Heat"]}, [])
    assert found(Linker(graph, fuzzy=True)("Deutsche Bank fell")) == [("Deutsche Bank", "bank")]
    assert found(Linker(graph, fuzzy=True)("Heat Qwrtzu Yxcvb")) == [("Heat", "x")]


def test_spans_come_from_spacy_or_from_any_function(graph: KnowledgeGraph, tmp_path: Path) -> None:
    language = spacy.blank("en")
    ruler = language.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "michael man"}])
    text = "who is michael man?"
    for spans in (SpacySpans(language), lambda texts: [[(7, 18)] for _ in texts]):
        linker = Linker(graph, fuzzy=True, spans=spans)
        assert found(linker(text)) == [("michael man", "person/mann")]
    language.to_disk(tmp_path / "ner")
    named = Linker(graph, fuzzy=True, spans=f"spacy:{tmp_path / 'ner'}")
    assert found(named(text)) == [("michael man", "person/mann")]
    assert named.config()["spans"].startswith("spacy:")
    assert found(Linker(graph, spans="capitals", keep_nil=True)("Qwrt ran")) == [("Qwrt", None)]


def test_an_unknown_source_of_spans_is_refused(graph: KnowledgeGraph) -> None:
    with pytest.raises(ValueError, match="capitals"):
        Linker(graph, spans="capital")
    with pytest.raises(OSError, match="spacy download"):
        Linker(graph, spans="spacy:no_such_model")("Heat")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Bank of the West met J. P. Morgan.", ["Bank of the West", "J. P. Morgan"]),
        ("He met Smith. Jones left the room.", ["Smith", "Jones"]),
        ("Ludwig van Beethoven and Élodie O'Brien", ["Ludwig van Beethoven", "Élodie O'Brien"]),
        ("nothing here", []),
        ("New\nYork", ["New", "York"]),
        (f"in {'Word ' * 64}here", ["Word " * 63 + "Word"]),
        (f"in {'Word ' * 65}here, Ada", ["Ada"]),
        (f"Ada, {'Word' * 250} and {'Word' * 250}s", ["Ada", "Word" * 250]),
        ("", []),
    ],
)
def test_runs_of_capitals_are_spans(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in capitals([text])[0]] == expected
