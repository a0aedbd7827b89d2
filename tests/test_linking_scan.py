"""Scanning: numpy and compiled code find what a naive reference finds; hostile texts and names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.codes import BARRIER, code_points, token_arrays
from kgfm.linking.dictionary import WORTH_KEEPING, NameDictionary, build_arrays
from kgfm.linking.fold import tokens
from kgfm.linking.hashing import build_filter, build_table, look_up
from kgfm.linking.kept import beside
from kgfm.linking.vocabulary import INEXACT, build_vocabulary
from kgfm.linking.wholes import Wholes

characters = st.characters(exclude_categories=()) | st.sampled_from(
    "ab \n\u0301\u200d\0😀👩½東ु\u00ad\ud800İé-_'"
    "ßﬁＡ，のがバﾊﾞ\u3099ー한ᄒ\u1161\u11ab서เกุาำ្កម်ະ🏴\U000e0067\U000e007f🇩🇪"
)
texts_of_any_kind = st.text(characters, max_size=30)
few_words = st.lists(
    st.sampled_from(["a", "b", "ab", "A", "Á", "-", ".", "😀", "\u200d", "a\u0301", "İ"]),
    max_size=8,
)
few_tokens = few_words.map(" ".join)
PIECES = """
    a b A 1 12 30 a1 東 京 の か 서울 은 ก า 🇩 🇪 é ５ ， ’ “ . , : ' # + * & - / \\ @ " ( ) ? =
    http:// www. .com _ ~ %
"""
pieces = st.lists(
    st.sampled_from([*PIECES.split(), " ", "\u00a0", "\u00ad", "\u0301"]), max_size=14
).map("".join)
plain = st.integers(0, 140).map("ab, ".__mul__) | st.integers(0, 140).map("a".__mul__)
long_texts = st.lists(plain | few_tokens | texts_of_any_kind, max_size=6).map("".join)


def graph_of(names: Sequence[Sequence[str]]) -> KnowledgeGraph:
    records = [
        {"key": f"e{row:06}", "label": own[0], "aliases": own[1:]} for row, own in enumerate(names)
    ]
    return KnowledgeGraph.from_records(records, [])


def dictionary_of(names: Sequence[str], *, compiled: bool = False) -> NameDictionary:
    graph = graph_of([[name] for name in names])
    return NameDictionary(graph, build_arrays(graph), compiled=compiled)


def naive(names: Sequence[str], texts: Sequence[str], longest: bool) -> list[tuple[int, ...]]:
    """Try every stretch of tokens of every text: (text, start, end)."""
    keys = {tuple(tokens(name).keys) for name in names} - {()}
    keys = {key for key in keys if len(key) <= 64}
    most, found = max(map(len, keys), default=0), []
    for index, text in enumerate(texts):
        split, free = tokens(text), 0
        for first in range(len(split.keys)):
            if longest and first < free:
                continue
            stops = range(first + 1, min(first + most, len(split.keys)) + 1)
            hits = [stop for stop in stops if tuple(split.keys[first:stop]) in keys]
            whole, start = Wholes(texts[index]), split.starts[first]
            hits = [stop for stop in hits if not whole.is_part(start, split.ends[stop - 1])]
            for stop in hits[-1:] if longest else hits:
                found.append((index, split.starts[first], split.ends[stop - 1]))
                free = stop
    return found


NAMES = "a b 1 30 12 a1 ab 東 京 東京 の か 서울 서 ก กา 🇩 🇪 🇩🇪 é com a.com".split()  # noqa: SIM905
SCANNERS = [dictionary_of([*NAMES, "A b"], compiled=compiled) for compiled in (False, True)]


@given(st.lists(texts_of_any_kind, max_size=4))
@example(["a\u00ad\u0301b", "\u0301", "👩\u0301\u200d👩\u200d\u0301👩", "a\0\u200db\u0301\0"])
def test_tokens_of_arrays_are_the_tokens_of_the_rules(texts: list[str]) -> None:
    found = token_arrays(code_points(texts))
    keys = [
        found.keys[start:end].tobytes().decode("utf-32-le", "surrogatepass")
        if found.keys[start] != BARRIER
        else None
        for start, end in pairwise(found.firsts.tolist())
    ]
    expected: list[tuple[int, int, str | None]] = []
    shift = 0
    for text in texts:
        split = tokens(text)
        starts, ends = ([shift + place for place in p] for p in (split.starts, split.ends))
        expected += [*zip(starts, ends, split.keys, strict=True)]
        expected.append((shift + len(text), shift + len(text) + 1, None))
        shift += len(text) + 1
    assert [*zip(found.starts.tolist(), found.ends.tolist(), keys, strict=True)] == expected


@pytest.mark.parametrize("compiled", [False, True])
@given(
    st.lists(few_tokens | st.text(characters, max_size=6).filter(lambda n: "\ud800" not in n)),
    st.lists(few_tokens | texts_of_any_kind | long_texts, max_size=4),
)
@settings(max_examples=60)
def test_matches_are_those_of_a_naive_reference(
    compiled: bool, names: list[str], texts: list[str]
) -> None:
    names = [name for name in names if not any("\ud800" <= c <= "\udfff" for c in name)]
    scanner = dictionary_of([name or "-" for name in names], compiled=compiled)
    for longest in (False, True):
        found = scanner.scan(texts, longest=longest)
        spans = zip(found.texts.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)
        assert [*spans] == naive([name or "-" for name in names], texts, longest)


@pytest.mark.parametrize("compiled", [False, True])
@given(st.lists(pieces, min_size=1, max_size=4))
@settings(max_examples=400)
def test_matches_that_are_parts_of_something_more_are_left_out_by_either_code(
    compiled: bool, texts: list[str]
) -> None:
    scanner = SCANNERS[compiled]
    for longest in (False, True):
        found = scanner.scan(texts, longest=longest)
        spans = zip(found.texts.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)
        assert [*spans] == naive([*NAMES, "A b"], texts, longest)


@pytest.mark.parametrize("compiled", [False, True])
def test_each_character_of_one_byte_or_two_does_in_a_text_what_the_rules_say(
    compiled: bool,
) -> None:
    found_characters = [chr(code) for code in range(0x800)]
    names = ["ab", "ba", "abba", *(c for c in found_characters if tokens(c).keys)]
    texts = [f"{before}AB{c}ba{c} " for c in found_characters for before in ("", "x" * 61)]
    found = dictionary_of(names, compiled=compiled).scan(texts, longest=False)
    spans = zip(found.texts.tolist(), found.starts.tolist(), found.ends.tolist(), strict=True)
    assert [*spans] == naive(names, texts, longest=False)


def test_many_texts_in_portions_are_the_same_as_one_by_one() -> None:
    texts = [f"new york {'x ' * 300}YORK city {n}" for n in range(300)]
    for compiled in (False, True):
        dictionary = dictionary_of(["New York", "York", "York City"], compiled=compiled)
        found = dictionary.scan(texts, longest=False)
        alone = dictionary.scan(texts[:1], longest=False)
        assert len(found) == 300 * len(alone) == 1200
        assert found.texts.tolist() == sorted(found.texts.tolist())
        assert found.starts.tolist() == alone.starts.tolist() * 300


def test_compiled_code_is_loaded_once_there_is_enough_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kgfm.linking.scan._KERNELS", "kgfm.never_loaded")
    monkeypatch.setattr("kgfm.linking.scan._ENOUGH", 5_000)
    scanner = NameDictionary.load_or_build(graph_of([["Heat"]])).scanner
    assert [scanner._is_compiled(["Heat"]) for _ in range(4)] == [False, False, True, True]
    assert len(scanner.scan(["heat"])) == 1


@given(st.sets(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_a_table_gives_the_value_of_each_key_and_zero_for_others(
    known: set[int], other: list[int]
) -> None:
    keys = np.array(sorted(known), np.uint64)
    table = build_table(keys, np.arange(1, len(keys) + 1))
    asked = np.concatenate([keys, np.array(other, np.uint64)])
    value = {key: place for place, key in enumerate(sorted(known), 1)}
    found = look_up(table, asked, len(keys)).tolist()
    assert found == [value.get(key, 0) for key in asked.tolist()]
    assert build_filter(keys).any() == bool(known)


def test_tokens_with_one_hash_make_the_vocabulary_draw_other_factors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = []

    def weak(length: int, seed: int) -> np.ndarray:
        drawn.append(seed)
        return np.full(length, 1 + 2 * seed, np.uint64) ** np.arange(length, dtype=np.uint64)

    monkeypatch.setattr("kgfm.linking.vocabulary.multipliers", weak)
    found = token_arrays(code_points(["ab_345678 ba_345678 ac_345678"]))
    vocabulary, (numbers,) = build_vocabulary([found])
    assert drawn == [0, 1]
    assert len(set(numbers.tolist())) == 4
    keys = {vocabulary.key(number) for number in numbers[:3].tolist()}
    assert keys == {"ab_345678", "ba_345678", "ac_345678"}


@pytest.mark.parametrize("compiled", [False, True])
def test_a_text_whose_token_has_the_hash_of_another_is_not_fooled(compiled: bool) -> None:
    graph = graph_of([["ab_345678"], ["ab_345678 cd_345678"], ["cd_345678"]])
    arrays = build_arrays(graph)
    factors = arrays["vocabulary.factors"].copy()
    factors[:] = factors[0]  # so that "ba_345678" has the hash of "ab_345678"
    vocabulary = NameDictionary(graph, arrays).vocabulary
    keys = [vocabulary.key(number) for number in range(len(vocabulary))]
    sums = np.array([sum(map(ord, key)) for key in keys], np.uint64) * factors[0] | INEXACT
    arrays["vocabulary.factors"] = factors
    arrays["vocabulary.table"] = build_table(sums, np.arange(1, len(keys) + 1))
    dictionary = NameDictionary(graph, arrays, compiled=compiled)
    text = " ".join(f"{word}_345678" for word in ["ba", "ab", "dc", "cd", "ab", "cd", "ab", "dc"])
    found_spans = dictionary.scan([text], longest=True)
    assert found_spans.starts.tolist() == [10, 30, 40, 60]
    assert found_spans.ends.tolist() == [19, 39, 59, 69]


# -- kept beside the snapshot ---------------------------------------------------------------------


def test_a_kept_dictionary_is_the_one_that_was_built(tmp_path: Path) -> None:
    graph = graph_of([["New York", "NYC"], ["new york"], ["York"]])
    built = NameDictionary(graph, build_arrays(graph))
    kept = NameDictionary.load_or_build(graph, tmp_path)
    again = NameDictionary.load_or_build(graph, tmp_path)
    for name, array in built.arrays.items():
        np.testing.assert_array_equal(array, kept.arrays[name])
        np.testing.assert_array_equal(array, again.arrays[name])
    assert again.candidates(int(again.scan(["New York"]).names[0]), "New York")[0][0] == "e000000"


def test_a_dictionary_of_another_graph_or_a_damaged_one_is_built_again(tmp_path: Path) -> None:
    NameDictionary.load_or_build(graph_of([["Heat"]]), tmp_path)
    other = NameDictionary.load_or_build(graph_of([["Cold"]]), tmp_path)
    assert len(other.scan(["cold"])) == 1
    for file in tmp_path.glob("trie*"):
        file.write_bytes(b"")
    again = NameDictionary.load_or_build(graph_of([["Cold"]]), tmp_path)
    assert len(again.scan(["cold"])) == 1


def test_what_an_older_version_kept_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("kgfm.linking.kept.FORMAT", 1)
        NameDictionary.load_or_build(graph_of([["Heat"]]), tmp_path)
    np.save(tmp_path / "vocabulary.table.npy", np.zeros((8, 2), np.uint64))
    assert len(NameDictionary.load_or_build(graph_of([["Heat"]]), tmp_path).scan(["heat"])) == 1


def test_only_large_dictionaries_are_kept_beside_a_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graph_of([["Heat"]]).save(tmp_path / "films")
    NameDictionary.load_or_build(graph)
    assert WORTH_KEEPING > 1
    folder = beside(tmp_path / "films", "names")
    assert folder == tmp_path / "films.names"
    assert not folder.exists()
    monkeypatch.setattr("kgfm.linking.dictionary.WORTH_KEEPING", 1)
    assert NameDictionary.load_or_build(graph).graph is graph
    assert folder.is_dir()


# -- common words ---------------------------------------------------------------------------------

PLACES = graph_of(
    [["Over"], ["AND"], ["Time", "TIME"], ["police"], ["The Other"], ["M"], ["Reading"]]
    + [[f"Many people reading about the police and time number {n}"] for n in range(12)]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it is over, and done", []),
        ("Over the years he wrote. Over and out.", []),
        ("IT IS OVER AND OUT", []),
        ("he lives in Over, near Cambridge", ["Over"]),
        ("the ticker AND rose", ["AND"]),
        ("BREAD AND BUTTER", []),
        ("a matter of time", []),
        ("he writes for Time", ["Time"]),
        ("Time flies. TIME says no", ["TIME"]),
        ("the police came", ["police"]),
        ("Police came", []),
        ("on the other hand", []),
        ("who directed The Other?", ["The Other"]),
        ("M is a film; i'm not", ["M"]),
        ("he likes reading", []),
        ("he left Reading for London", ["Reading"]),
    ],
)
def test_a_common_word_is_a_name_only_where_the_text_says_so(
    text: str, expected: list[str]
) -> None:
    assert [mention.text for mention in Linker(PLACES)(text)] == expected


def test_descriptions_tell_which_words_are_common() -> None:
    records = [{"key": "heat", "label": "Heat", "description": "great heat, low heat"}] * 6
    plain = KnowledgeGraph.from_records([{"key": "heat", "label": "Heat"}], [])
    described = KnowledgeGraph.from_records(
        [{**record, "key": f"heat{n}"} for n, record in enumerate(records)], []
    )
    assert Linker(plain)("the heat")
    assert not Linker(described, min_score=0)("the heat")
    assert Linker(described, min_score=0)("I saw Heat")


# -- hostile texts and names ----------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        ".*", "(a+)+$", "[", "\\", "a|b", "{{x}}", "%s", "'; DROP TABLE x; --", "{ ?s ?p ?o }",
        "MATCH (n) DETACH DELETE n", "$ne", "<script>", "\\u0000", "a\0b", "👨‍👩‍👧", "ירושלים",
        "مُحَمَّد", "e\u0301", "\u202eabc", "x" * 10_000,
    ],
)  # fmt: skip
def test_a_name_is_text_and_nothing_else(name: str, compiled: bool) -> None:
    dictionary = dictionary_of([name], compiled=compiled)
    text = f"aaaa {name} \u200f {name}\n"
    found = dictionary.scan([text])
    assert len(found) == 2
    for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True):
        assert tokens(text[start:end]).keys == tokens(name).keys


@pytest.mark.parametrize("compiled", [False, True])
def test_a_string_is_a_name_as_a_whole_but_for_white_space(compiled: bool) -> None:
    dictionary = dictionary_of(["John", "John Smith"], compiled=compiled)
    strings = [" john\nSmith\t", "John", "John Smith John Smith", "John x", "", "\0John", ". John"]
    numbers = dictionary.whole_names(strings).tolist()
    assert [bool(number) for number in numbers] == [True, True] + [False] * 5
    assert numbers[0] != numbers[1]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_text_of_one_repeated_name_gives_at_most_64_matches_a_token(compiled: bool) -> None:
    names = [" ".join("a" * length) for length in range(1, 80)]
    dictionary = dictionary_of(names, compiled=compiled)
    assert len(dictionary) == 64
    assert len(dictionary.scan(["a " * 1000], longest=False)) == 64 * 1000 - 63 * 64 // 2
    assert len(dictionary.scan(["a " * 1000])) == 16


def test_ten_thousand_namesakes_cost_the_same_at_each_mention() -> None:
    linker = Linker(graph_of([["John Smith", "J. Smith"]] * 10_000), min_score=0)
    mentions = linker("John Smith met john  smith and J. Smith. " * 500)
    assert len(mentions) == 1500
    assert {len(mention.candidates) for mention in mentions} == {16}
    assert {mention.entity for mention in mentions} == {"e000000"}


@pytest.mark.slow
def test_ten_megabytes_are_linked_with_right_offsets() -> None:
    names = [["New York"], ["é\u0301t\u00e9"], ["👨‍👩‍👧"], ["John Smith"]]
    text = "İ NEW\0 York\u0301 \u200f👨‍👩‍👧, e\u0301té. john\tsmith \ud800 " * 200_000
    mentions = Linker(graph_of(names))(text)
    assert len(mentions) == 800_000
    assert all(text[m.start : m.end] == m.text for m in mentions)


def test_machine_code_is_made_anew_when_a_file_that_it_calls_changes():
    import kgfm.linking.kernels as scanning
    from kgfm.retrieval.kernels import _FILES

    called = {Path(file).name for file in _FILES[scanning.__file__]}
    assert {"kernels.py", "token_kernels.py", "whole_kernels.py"} <= called
