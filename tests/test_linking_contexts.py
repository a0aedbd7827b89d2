"""What an encoder says of contexts: windows of a text, agreement of types."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker, type_vectors
from kgfm.linking.candidate_features import FEATURES
from kgfm.linking.contexts import LEAST, MOST, windows
from kgfm.linking.span_features import Places
from kgfm.linking.type_vectors import TypeVectors
from kgfm.vectors.encode import unit

TYPES = ["river", "rock band", "city", "big city"]
GRAPH = KnowledgeGraph.from_records(
    [
        {"key": "a", "label": "Doors", "types": ["rock band"]},
        {"key": "b", "label": "Doors", "types": ["city", "river"]},
        {"key": "c", "label": "Doors"},
        {"key": "d", "label": "Boston", "types": ["city", "big city", "rock band"]},
    ],
    [],
)


class Letters:
    """Counts letters: enough of an encoder for arithmetic. It has a name, and counts its texts."""

    name = "letters"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.asked += texts
        vectors = np.zeros((len(texts), 26), np.float32)
        for row, text in enumerate(texts):
            for letter in re.findall("[a-z]", text.lower()):
                vectors[row, ord(letter) - 97] += 1
        return vectors


# -- windows --------------------------------------------------------------------------------------


@given(st.text(alphabet=st.sampled_from("ab. \n!?"), max_size=3000))
def test_windows_cover_a_text_without_overlap(text: str) -> None:
    begins = windows(text * 3)
    assert begins[0] == 0
    assert begins == sorted(set(begins))
    assert max(np.diff([*begins, len(text * 3)]), default=0) <= MOST


def test_a_window_is_a_sentence_unless_that_is_short_or_long() -> None:
    short, usual, long = "It rained. ", f"A {'word ' * 20}. ", f"One {'word ' * 60}more. "
    assert len(short) < LEAST < len(usual) < MOST < len(long)
    assert windows(usual * 3) == [0, len(usual), 2 * len(usual)]
    assert windows(short + usual + usual) == [0, len(short + usual)]
    first, second, third = windows(long + usual)
    assert (first, third) == (0, len(long))
    assert long[second - 1] == " "  # a long one is cut between words


# -- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [1, 2, 3, 1 << 16])
def test_agreement_is_the_best_cosine_of_context_and_type(
    pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type_vectors, "_PAIRS", pairs)  # how many are compared at once
    encode = Letters()
    contexts = unit(encode(["the band played rock", "a river runs through the city"]))
    owners, rows = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 2, 3, 2, 1, 0])
    found = TypeVectors(GRAPH, encode).agreement(contexts, owners, rows)
    names = list(GRAPH.type_names)
    plain = unit(encode(names))
    apart = dict(zip(names, unit(plain - plain.mean(axis=0)), strict=True))
    for place, (owner, row) in enumerate(zip(owners, rows, strict=True)):
        cosines = [float(contexts[owner] @ apart[name]) for name in GRAPH.types(int(row))]
        assert found[place] == pytest.approx(max(cosines, default=0.0), abs=2e-3)  # kept as float16


def test_agreement_tells_namesakes_of_different_types_apart() -> None:
    encode = Letters()
    contexts = unit(encode(["the rock band", "the river of the city"]))
    both = np.array([0, 1])
    band = TypeVectors(GRAPH, encode).agreement(contexts, np.array([0, 0]), both)
    river = TypeVectors(GRAPH, encode).agreement(contexts, np.array([1, 1]), both)
    assert band[0] > band[1]
    assert river[1] > river[0]


@given(st.lists(st.lists(st.sampled_from(TYPES), unique=True), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_a_candidate_without_types_neither_agrees_nor_disagrees(types: list[list[str]]) -> None:
    records = [{"key": f"e{n}", "label": "x", "types": own} for n, own in enumerate(types)]
    graph, encode = KnowledgeGraph.from_records(records, []), Letters()
    rows = np.arange(len(types))
    found = TypeVectors(graph, encode).agreement(unit(encode(["a river"])), 0 * rows, rows)
    assert np.all(np.abs(found) <= 1.001)
    assert not found[[not graph.types(int(row)) for row in rows]].any()


def test_vectors_of_many_types_are_kept_beside_the_snapshot(tmp_path: Path) -> None:
    count = type_vectors.WORTH_KEEPING + 1
    records = [{"key": f"e{n}", "label": "x", "types": [f"type {n}"]} for n in range(count)]
    graph = KnowledgeGraph.from_records(records, []).save(tmp_path / "graph")
    encode = Letters()
    first, again = encode(["a type"]), np.array([0, 7])
    before = TypeVectors(graph, encode).agreement(unit(first), np.array([0, 0]), again)
    assert len(encode.asked) == 1 + count
    after = TypeVectors(graph, encode).agreement(unit(first), np.array([0, 0]), again)
    assert len(encode.asked) == 1 + count
    np.testing.assert_array_equal(after, before)


def test_types_are_compared_where_context_is() -> None:
    text = "The band Doors played rock."
    places = Places(*(np.array([n], np.int64) for n in (0, 9, 14, 1)))
    columns = [FEATURES.index("typed"), FEATURES.index("type_context")]
    for context in (False, True):
        linker = Linker(GRAPH, ranked=True, context=context, encode=Letters() if context else None)
        found, choices = linker.ranking.choices([text], places)
        typed, agree = choices.candidates[:, columns].T
        assert list(found.rows) == [0, 1, 2]
        assert list(typed) == [1, 1, 0]
        assert bool(agree[:2].all()) == context
        assert agree[2] == 0
