"""Fuzzy candidates: partial names, typos, acronyms; numpy and compiled code agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgfm.graph import KnowledgeGraph
from kgfm.linking.candidates import FEATURES, CandidateIndex, Candidates, Limits
from kgfm.linking.dictionary import NameDictionary, build_arrays
from kgfm.linking.overlap import build_overlap, parts_of_queries, top_names
from kgfm.linking.overlap_kernels import top_names as compiled_top_names
from kgfm.linking.search import Search, _arrays, _asked

NAMES = {
    "merkel": ["Angela Merkel"],
    "merkur": ["Merkur"],
    "eec": ["European Economic Community"],
    "un": ["UN"],
    "us": ["United States of America", "U.S."],
    "usb": ["Universal Serial Bus"],
    "smith-a": ["John Smith"],
    "smith-b": ["John Smith"],
    "bank": ["Deutsche Bank AG"],
    "tokyo": ["東京"],
    "film": ["The Lord of the Rings: The Return of the King"],
    "dots": ["..."],
    "heat": ["Heat", "HEAT"],
}
TRIPLES = [("smith-b", "knows", "merkel"), ("smith-b", "works_for", "bank")]


def index_of(
    names: dict[str, list[str]],
    triples: Sequence[tuple[str, str, str]] = (),
    *,
    limits: Limits | None = None,
    compiled: bool = False,
) -> CandidateIndex:
    records = [{"key": key, "label": n[0], "aliases": n[1:]} for key, n in names.items()]
    graph = KnowledgeGraph.from_records(records, triples)
    dictionary = NameDictionary(graph, build_arrays(graph), compiled=compiled)
    return CandidateIndex(dictionary, limits=limits or Limits(), compiled=compiled)


INDEX = index_of(NAMES, TRIPLES)


def keys(found: Candidates, mention: int = 0, index: CandidateIndex = INDEX) -> list[str]:
    rows = found.rows[found.indptr[mention] : found.indptr[mention + 1]]
    return [index.dictionary.graph.keys[row] for row in rows.tolist()]


@pytest.mark.parametrize(
    ("mention", "entity"),
    [
        ("Merkel", "merkel"),
        ("merkel's", "merkel"),
        ("Chancellor Merkel", "merkel"),
        ("Merkel Angela", "merkel"),
        ("Angela Merkle", "merkel"),
        ("A. Merkel", "merkel"),
        ("EEC", "eec"),
        ("E.E.C.", "eec"),
        ("European Economic Communities", "eec"),
        ("United Nations Organisation", "us"),
        ("USA", "us"),
        ("U.S.", "us"),
        ("USB", "usb"),
        ("Deutsche Bank", "bank"),
        ("Return of the King", "film"),
        ("東京", "tokyo"),
        ("Smith", "smith-b"),
    ],
)
def test_a_name_is_found_by_a_part_a_typo_or_its_acronym(mention: str, entity: str) -> None:
    assert entity in keys(INDEX([mention]))[:3]


def test_the_long_form_of_a_name_that_is_an_acronym_finds_it() -> None:
    index = index_of({"eec": ["EEC"], "other": ["Economic Union"]})
    found = index(["European Economic Community"])
    assert "eec" in keys(found, index=index)
    assert found.features[keys(found, index=index).index("eec"), FEATURES.index("acronym")] == 1


def test_features_say_how_a_mention_and_a_name_are_alike() -> None:
    found = INDEX(["Heat", "heat", "Angela", "nothing like it"])
    first = dict(zip(FEATURES, found.features[0].tolist(), strict=True))
    assert first["same_name"] == first["same_spelling"] == first["length_ratio"] == 1
    assert first["trigrams"] == pytest.approx(1, abs=1e-3)
    assert first["name_covered"] == pytest.approx(1, abs=1e-3)
    assert found.scores[0] == 1
    second = dict(zip(FEATURES, found.features[found.indptr[1]].tolist(), strict=True))
    assert second["same_name"] == 1
    assert second["same_spelling"] == 0
    third = dict(zip(FEATURES, found.features[found.indptr[2]].tolist(), strict=True))
    assert third["mention_covered"] == pytest.approx(1, abs=1e-3)
    assert 0.3 < third["name_covered"] < 0.7
    assert found.features.min() >= 0
    assert found.features.max() <= 1


def test_the_same_spelling_goes_to_those_who_bear_it() -> None:
    index = index_of({"lower": ["aria"], "upper": ["Aria"]})
    for mention, first in (("aria", "lower"), ("Aria", "upper")):
        assert keys(index([mention]), index=index)[0] == first


def test_of_namesakes_the_one_with_more_triples_comes_first() -> None:
    assert keys(INDEX(["John Smith"]))[:2] == ["smith-b", "smith-a"]


@pytest.mark.parametrize("compiled", [False, True])
def test_namesakes_and_all_candidates_are_capped(compiled: bool) -> None:
    names = {f"s{n:05}": ["John Smith"] for n in range(10_000)}
    names |= {f"t{n}": [f"John Smith {n}"] for n in range(100)}
    index = index_of(names, limits=Limits(bearers=5, total=12), compiled=compiled)
    found = index(["John Smith"] * 3)
    assert np.diff(found.indptr).tolist() == [12, 12, 12]
    own = keys(found, index=index)
    assert sum(key.startswith("s") for key in own) == 5
    assert len(set(own)) == 12


@pytest.mark.parametrize("mention", ["", "...", " ", "\0", "\ud800", "(.*)", "😀", "x" * 20_000])
def test_a_mention_of_anything_gives_an_answer(mention: str) -> None:
    found = INDEX([mention, "Heat"])
    assert len(found) == 2
    assert keys(found, 1)[0] == "heat"


def test_no_mentions_and_an_empty_graph_give_nothing() -> None:
    assert len(INDEX([])) == 0
    assert len(index_of({})(["Heat"]).rows) == 0


words = st.lists(
    st.sampled_from(["ab", "abc", "bcd", "xyz", "İx", "é", "東京", ".", "the", "a", "b"]),
    min_size=1,
    max_size=4,
)


@settings(max_examples=25)
@given(
    st.lists(words.map(" ".join), max_size=12),
    st.lists(words.map(" ".join) | st.text(max_size=6), max_size=4),
)
def test_compiled_and_numpy_candidates_are_the_same(names: list[str], mentions: list[str]) -> None:
    given_names = {f"e{row}": [name] for row, name in enumerate(names)}
    limits = Limits(trigrams=3, tokens=2, total=6)
    plain, fast = (
        index_of(given_names, limits=limits, compiled=c)(mentions) for c in (False, True)
    )
    for name in ("indptr", "rows", "names", "features", "scores"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(fast, name))


PEOPLE = {
    "kiss": ["KISS"],
    "the-kiss": ["The Kiss"],
    "judas": ["Judas Kiss"],
    "first-kiss": ["First Kiss"],
    "jones": ["Jane Jones"],
    "k-kiss": ["Karl Kiss"],
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("mention", "first"),
    [("J. Kiss", "judas"), ("Kiss, J", "judas"), ("K. Kiss", "k-kiss"), ("a kiss", "kiss")],
)
def test_an_initial_stands_for_another_token_that_begins_with_it(
    mention: str, first: str, compiled: bool
) -> None:
    limits = Limits(tokens=1, trigrams=0)
    index = index_of(PEOPLE, limits=limits, compiled=compiled)
    assert keys(index([mention]), index=index) == [first]


def test_an_initial_counts_as_covered_and_once() -> None:
    index = index_of({**PEOPLE, "jj": ["Joe Jim Kiss"]})
    found = index(["J. Kiss", "X. Kiss"])
    covered = found.features[:, FEATURES.index("mention_covered")].tolist()
    of_judas = dict(zip(keys(found, index=index), covered[: found.indptr[1]], strict=True))
    assert of_judas["judas"] == of_judas["jj"] == 1
    assert of_judas["kiss"] < 1
    assert max(covered[found.indptr[1] :]) < 1


@pytest.mark.parametrize("compiled", [False, True])
def test_of_names_with_a_token_the_shortest_and_best_known_are_found(compiled: bool) -> None:
    names = {f"s{n:04}": [f"Aaron Surname{n}"] for n in range(2000)}
    names |= {"long": ["Aaron of the North"], "alone": ["Aaron"]}
    triples = [("s1999", "knows", "s1234"), ("s1999", "knows", "s0007"), ("long", "in", "s1999")]
    index = index_of(names, triples, limits=Limits(trigrams=0, tokens=4), compiled=compiled)
    found = keys(index(["Aaron"]), index=index)
    assert found[0] == "alone"
    assert set(found[1:]) == {"s1999", "s0007", "s1234"}


@pytest.mark.parametrize("compiled", [False, True])
def test_function_words_and_frequent_ones_count_for_names_with_a_rare_token(compiled: bool) -> None:
    names = {f"s{n:04}": [f"The {n} Union"] for n in range(1500)}
    names |= {"big": ["Big"], "the-big": ["The Big Easy"], "union": ["Big Sky Union"]}
    limits = Limits(trigrams=0, tokens=1)
    index = index_of(names, limits=limits, compiled=compiled)
    assert keys(index(["The Big"]), index=index) == ["the-big"]
    assert keys(index(["Big Union"]), index=index) == ["union"]


@pytest.mark.parametrize("seed", range(3))
def test_lists_that_are_not_read_change_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    num_names, num_parts = 4000, 300
    count = random.integers(1, 20, num_names)
    parts = (num_parts * random.random(int(count.sum())) ** 3).astype(np.int64)
    index = build_overlap(
        np.repeat(np.arange(num_names), count), parts, num_names, num_parts, power=2
    )
    asked = np.repeat(np.arange(50), 8)
    wanted = (num_parts * random.random(400) ** 2).astype(np.int64)
    queries = parts_of_queries((asked, wanted), 50, index)
    searched = np.ones(len(queries.parts), bool)
    factors = np.zeros(50), np.maximum(queries.totals, 1) ** -0.5
    owners, names = top_names(queries, index, factors, 16)
    for prunes in (False, True):
        found = compiled_top_names(_asked(queries), searched, _arrays(index), prunes, factors, 16)
        np.testing.assert_array_equal(found[0], owners)
        np.testing.assert_array_equal(found[1], names)


def test_the_index_is_kept_beside_the_snapshot_if_there_are_many_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = INDEX.dictionary.graph.save(tmp_path / "people")
    dictionary = NameDictionary(graph, INDEX.dictionary.arrays)
    assert isinstance(CandidateIndex.load_or_build(dictionary).arrays, dict)
    assert not (tmp_path / "people.candidates").exists()
    monkeypatch.setattr("kgfm.linking.candidates.WORTH_KEEPING", 1)
    first = CandidateIndex.load_or_build(dictionary)
    assert (tmp_path / "people.candidates").is_dir()
    monkeypatch.setattr("kgfm.linking.candidates.candidate_arrays", None)  # not made again
    for index in (first, CandidateIndex.load_or_build(dictionary)):
        for name, array in INDEX.arrays.items():
            np.testing.assert_array_equal(array, index.arrays[name])
        assert keys(index(["Merkle"])) == keys(INDEX(["Merkle"]))


def test_compiled_code_is_loaded_once_there_were_many_queries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kgfm.linking.search._KERNELS", "kgfm.never_loaded")
    monkeypatch.setattr("kgfm.linking.search._ENOUGH", 3)
    search = Search(None)
    queries = INDEX._reader(["Heat"]).tokens
    assert [search._is_compiled(queries) for _ in range(5)] == [False, False, False, True, True]
