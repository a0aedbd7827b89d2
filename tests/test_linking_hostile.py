"""The linker with all its parts on texts that nobody wrote to be read: offsets, order, bounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.bearers import Limits
from kgfm.linking.fold import tokens
from kgfm.linking.passages import PASSAGE, link_in_passages, passages
from kgfm.linking.spans import capitals
from kgfm.linking.trie import MAX_TOKENS
from kgfm.types import Mention

NAMES = {
    "he": ["ירושלים"],
    "ar": ["القُدس"],
    "family": ["👨‍👩‍👧"],
    "regex": ["a.*b(c", "[x]", "(a+)+$"],
    "query": ["'; DROP TABLE x", "?s ?p ?o", "MATCH (n) DETACH DELETE n"],
    "amelie": ["Amélie"],
    "nul": ["NUL\0name"],
    "rlo": ["\u202eeman"],
    "smith": ["John Smith", "Smith"],
    "casablanca": ["Casablanca"],
}
TEXTS = {
    "right to left": "ראה את ירושלים \u202eabc\u202c القُدس، وَالقُدس",
    "marks alone": "\u0301\u0302 \u0301Amélie Ame\u0301lie A\u0301\u0302\u0303melie\u20dd",
    "many marks": "Casablanca" + "\u0301" * 5000 + " Smith",
    "emoji": "👨‍👩‍👧👨‍👩‍👧 👨👩👧 👍🏽 🇮🇱🇫🇷 \ufe0f1\ufe0f\u20e3 Smith😀Smith",
    "joiners": "\u200d\u200dJohn\u200d Smith\u200d \u200bJohn\u200bSmith Jo\u200dhn Smi\u200cth",
    "nul": "\0\0John\0 Smith\0 NUL\0name NULname \0",
    "surrogates": "\ud800John Smith\udfff \ud83d half \udc00\ud800 Casa\ud800blanca",
    "regex": "a.*b(c [x] (a+)+$ .* \\ \\1 (?P<x> [^ " + "a" * 3000,
    "query": "'; DROP TABLE x; -- ?s ?p ?o MATCH (n) DETACH DELETE n ${x} {{x}} %s <b>Smith</b>",
    "one name": "Casablanca " * 500,
    "one name, no space": "Casablanca" * 2000,
    "overlapping names": "Smith John Smith Smith, " * 500,
    "capitals": "JOHN SMITH MET AMÉLIE IN CASABLANCA " * 500,
    "single capitals": "A B C D E. F. G. H & " * 500,
    "white space": " \t\n\u2028\u3000" * 1000 + "Smith" + "\n" * 1000,
    "odd case": "İSTANBUL ǅ ſmith ﬁ ß ẞ ΣΑΣ K",
    "nothing": "",
}


def graph_of(names: dict[str, list[str]]) -> KnowledgeGraph:
    records = [{"key": key, "label": n[0], "aliases": n[1:]} for key, n in names.items()]
    keys = list(names)
    return KnowledgeGraph.from_records(records, [(a, "near", b) for a, b in pairwise(keys)])


@pytest.fixture(scope="module")
def linkers() -> dict[str, Linker]:
    """The linker as it is by default, and those that leave as little out as they can."""
    graph = graph_of(NAMES)
    everything = {"keep_nil": True, "min_score": 0, "guard": False}
    return {
        "default": Linker(graph, ranked=True, fuzzy=True),
        "all": Linker(graph, ranked=True, fuzzy=True, **everything),
        "overlapping": Linker(graph, ranked=True, fuzzy=True, overlapping=True, **everything),
    }


def assert_right(mentions: Sequence[Mention], text: str, *, apart: bool = True) -> None:
    for mention in mentions:
        assert 0 <= mention.start < mention.end <= len(text)
        assert text[mention.start : mention.end] == mention.text
        assert 0 <= mention.score <= 1
        assert len(mention.candidates) <= Limits().total
    places = [(mention.start, mention.end) for mention in mentions]
    assert places == sorted(set(places))
    assert not apart or all(one[1] <= other[0] for one, other in pairwise(places))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("kind", ["default", "all", "overlapping"])
def test_mentions_are_apart_in_order_and_where_they_say(
    linkers: dict[str, Linker], kind: str, text: str
) -> None:
    assert_right(linkers[kind](text), text, apart=kind != "overlapping")


@pytest.mark.parametrize("kind", ["default", "overlapping"])
def test_a_text_has_the_same_mentions_alone_and_among_others(
    linkers: dict[str, Linker], kind: str
) -> None:
    texts = [*TEXTS.values()]
    alone_of = [*map(linkers[kind], texts)]
    for size in (3, len(texts)):
        for alone, piped in zip(alone_of, linkers[kind].pipe(texts, size), strict=True):
            assert [(m.start, m.end, m.entity) for m in alone] == [
                (m.start, m.end, m.entity) for m in piped
            ]
            assert [m.score for m in alone] == pytest.approx([m.score for m in piped], abs=1e-6)


@pytest.mark.parametrize(
    ("key", "name"), [(key, name) for key, own in NAMES.items() for name in own]
)
def test_a_name_is_text_and_nothing_else(linkers: dict[str, Linker], key: str, name: str) -> None:
    text = f"saw {name} there"
    found = [m for m in linkers["overlapping"](text) if tokens(m.text).keys == tokens(name).keys]
    assert key in [entity for mention in found for entity, _ in mention.candidates]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.text(max_size=80), st.sampled_from(sorted(chain(*NAMES.values()))), st.text(max_size=80))
def test_any_text_is_linked_with_right_offsets(
    linkers: dict[str, Linker], before: str, name: str, after: str
) -> None:
    text = f"{before} {name} {after}"
    assert_right(linkers["overlapping"](text), text, apart=False)
    assert_right(linkers["all"](text), text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (10_000, "John Smith met john smith. " * 300),
        (1, "John Smith " * 20_000),
        (1, "John Smith" * 20_000),
        (1, "A B C D E F G H " * 3_000),
        (1, "John\u200dSmith\0 \u0301\u0301 " * 2_000),
    ],
    ids=["namesakes", "one name", "no space", "capitals", "joiners"],
)
def test_large_and_odd_texts_are_linked(count: int, text: str) -> None:
    graph = graph_of({f"p{n}": ["John Smith"] for n in range(count)})
    assert_right(Linker(graph, ranked=True, fuzzy=True, keep_nil=True)(text), text)


# -- bounds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_no_span_of_capitals_is_longer_than_a_name_may_be(text: str) -> None:
    for start, end in capitals([text])[0]:
        assert len(tokens(text[start:end]).keys) <= MAX_TOKENS
        assert end - start <= 1000


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_span_has_so_many_candidates_whoever_bears_its_name(text: str) -> None:
    names = {f"p{n}": ["John Smith", "Casablanca"] for n in range(300)}
    linker = Linker(graph_of(NAMES | names), ranked=True, fuzzy=True)
    found, _ = linker.ranking.choices([text], linker._places([text]))
    assert max((found.indptr[1:] - found.indptr[:-1]).tolist(), default=0) <= Limits().total


def test_a_long_text_is_ranked_in_passages(
    linkers: dict[str, Linker], monkeypatch: pytest.MonkeyPatch
) -> None:
    linker, sizes = linkers["default"], []
    link = linker._by_probability

    def counted(texts: Sequence[str]) -> list[list[Mention]]:
        sizes.append(sum(map(len, texts)))
        return link(texts)

    monkeypatch.setattr(linker, "_by_probability", counted)
    line = f"he saw Casablanca with Amélie {'and then some more of it ' * 40}\n"
    text = line * (2 * PASSAGE // len(line))
    short = "John Smith saw it" + " and it saw him" * 60
    long, first, *others = linker.link([text, *[short] * 600])
    assert max(sizes) <= PASSAGE
    assert sum(sizes) == len(text) + 600 * len(short)
    assert_right(long, text)
    assert {(m.start % len(line), m.entity) for m in long} == {(7, "casablanca"), (23, "amelie")}
    assert len(long) == 2 * text.count("\n")
    assert [m.entity for m in first] == ["smith"]
    assert all(other == first for other in others)


PIECES = [
    "John Smith",
    "Smith",
    "smith",
    "met",
    "New\nYork",
    "Amélie",
    "👨‍👩‍👧",
    ". ",
    ",",
    " ",
    "\n",
]


@pytest.fixture(scope="module")
def exact() -> Linker:
    return Linker(graph_of(NAMES | {"york": ["New York"]}), guard=False)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=60).map(" ".join),
    st.integers(24, 60),
)
def test_passages_are_all_of_a_text_and_cut_no_name(exact: Linker, text: str, size: int) -> None:
    bounds = [*passages(text, exact.names, size=size)]
    assert "".join(text[start:end] for start, end in bounds) == text
    for start, end in bounds:
        assert end - start <= size or len(tokens(text[start:end]).keys) <= 1
    given: list[int] = []

    def link(texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        given.append(len(texts))
        return exact.link(texts)

    found = link_in_passages([text, text], exact.names, link, size=size)
    assert found == [[*own] for own in exact.link([text, text])]
    assert sum(given) == 2 * len(bounds)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two three\nfour five six", ["one two three\n", "four five six"]),
        ("one two. Three four five", ["one two. ", "Three four five"]),
        ("one two three four five", ["one two three ", "four five"]),
        ("one two,three,four,five", ["one two,three,", "four,five"]),
        ("x John Smith John Smith x", ["x John Smith ", "John Smith x"]),
        ("x" * 40 + " one two", ["x" * 40, " one two"]),
        ("x" * 40, ["x" * 40]),
        ("", []),
    ],
)
def test_a_text_is_cut_where_it_pauses(exact: Linker, text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in passages(text, exact.names, size=16)] == expected


def test_names_that_overlap_without_end_are_cut() -> None:
    names = Linker(graph_of({"aa": ["a a"]})).names
    assert all(end - start <= 16 for start, end in passages("a " * 100, names, size=16))
