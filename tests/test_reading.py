"""Reading texts as tokens: marks, pairs, and the part of a long text that is asked about."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neural import tokenizer

from kgfm.batch.reading import Reading, read_rows
from kgfm.tasks.span_rows import rows_of
from kgfm.types import About, Example, Row

LONG = " ".join(f"word{number} x" for number in range(200))


def read(row: Row, max_tokens: int = 32) -> tuple[Reading, ...]:
    (found,) = read_rows(tokenizer(), [row], max_tokens)
    return found


def said(row: Row, reading: Reading) -> str:
    """What a reading's tokens stand for, a gap where something is left out."""
    parts, done = [], None
    for start, end in reading.offsets[reading.offsets.any(1)].tolist():
        parts += ["…"] if done is not None and row.source[done:start].strip() else []
        parts.append(row.source[start:end])
        done = end
    return " ".join(parts)


def tokens_of(reading: Reading, start: int, end: int) -> str:
    inside = (reading.offsets[:, 0] < end) & (reading.offsets[:, 1] > start)
    return tokenizer().decode(reading.input_ids[inside])


def test_a_short_text_is_read_alike_with_a_focus_and_without():
    text = "Jet Airways soars."
    plain, focused = read(Row(text)), read(Row(text, focus=(((0, 3),),)))
    assert plain[0].input_ids.tolist() == focused[0].input_ids.tolist()
    assert plain[0].offsets.tolist() == focused[0].offsets.tolist()
    assert not focused[0].is_cut


def test_rows_of_one_text_share_their_tokens():
    rows = [Row("Jet Airways soars.", focus=((span,),)) for span in ((0, 3), (4, 11))]
    first, second = read_rows(tokenizer(), rows, 32)
    assert first[0].input_ids is second[0].input_ids


def test_without_a_focus_the_beginning_is_read():
    (found,) = read(Row(LONG))
    assert said(Row(LONG), found).startswith("word")
    assert found.is_cut
    assert len(found.input_ids) == 32


@given(start=st.integers(0, len(LONG) - 2), length=st.integers(1, 60))
def test_a_focus_is_read_wherever_it_stands_and_in_the_order_of_the_text(start, length):
    span = (start, min(len(LONG), start + length))
    (found,) = read(Row(LONG, focus=((span,),)))
    assert len(found.input_ids) == 32
    assert found.input_ids[0] == tokenizer().cls_token_id
    assert found.input_ids[-1] == tokenizer().sep_token_id
    inner = found.offsets[1:-1]
    assert (np.diff(inner[:, 0]) > 0).all()
    expected = LONG[slice(*span)].replace(" ", "")
    read_of_it = "".join(
        LONG[max(first, span[0]) : min(end, span[1])]
        for first, end in inner.tolist()
        if first < span[1] and end > span[0]
    )
    assert expected.startswith(read_of_it)
    assert read_of_it or not expected
    assert found.is_cut


def test_what_is_around_a_focus_is_read_too():
    place = LONG.index("word100 ")
    row = Row(LONG, focus=(((place, place + 7),),))
    (found,) = read(row)
    words = said(row, found).replace(" ", "")
    assert "word99" in words
    assert "word101" in words
    assert found.moved == 1


def test_two_spans_that_are_far_apart_are_read_with_a_gap():
    first, second = LONG.index("word3 "), LONG.index("word190 ")
    row = Row(LONG, focus=(((first, first + 5), (second, second + 7)),))
    (found,) = read(row)
    assert "…" in said(row, found)
    assert tokens_of(found, first, first + 5) == "word3"
    assert tokens_of(found, second, second + 7) == "word190"


def test_a_span_longer_than_the_window_gives_its_beginning():
    row = Row(LONG, focus=(((100, 1500),),))
    (found,) = read(row)
    assert found.offsets[1, 0] <= 100 < found.offsets[1, 1] + 1


def test_groups_that_lie_apart_are_read_in_several_parts_and_neighbours_together():
    places = [LONG.index(f"word{number} ") for number in (2, 4, 100, 102, 190)]
    row = Row(LONG, focus=tuple(((place, place + 5),) for place in places))
    found = read(row)
    assert len(found) == 3
    for place in places:
        assert any(tokens_of(one, place, place + 5) for one in found)
    assert [one.moved for one in found] == [0, 2, 1]


def test_marks_are_read_and_offsets_stay_those_of_the_text():
    text = "Jet Airways rivals IndiGo."
    example = Example(text, about=(About(((0, 11), (19, 25))),))
    (row,) = rows_of(example, "markers")
    (found,) = read(row)
    assert tokenizer().decode(found.input_ids[1:-1]) == "[ jet airways ] rivals { indigo }."
    assert tokens_of(found, 0, 11) == "jet airways"
    assert tokens_of(found, 19, 25) == "indigo"
    assert row.source == text


def test_marks_of_nested_spans_and_within_words_close_in_their_order():
    text = "Jet Airways"
    for spans, expected in (
        (((0, 11), (4, 11)), "[ jet { airways } ]"),
        (((4, 11), (0, 11)), "{ jet [ airways ] }"),
        (((0, 3), (3, 11)), "[ jet ] { airways }"),
        (((1, 2), (5, 6)), "j [ e ] t a { i } rways"),
    ):
        (row,) = rows_of(Example(text, about=(About(spans),)), "markers")
        (found,) = read(row)
        words = tokenizer().decode(found.input_ids[1:-1]).replace(" ##", "")
        assert words.replace("##", "").replace(" ", "") == expected.replace(" ", "")
        for start, end in spans:
            assert text[start:end].strip().lower() in tokens_of(found, start, end).replace("##", "")


def test_marks_right_beside_a_focus_are_read_with_it():
    place = LONG.index("word100 ")
    (row,) = rows_of(Example(LONG, about=(About(((place, place + 7),)),)), "markers")
    (found,) = read(row)
    words = tokenizer().decode(found.input_ids)
    assert "[ word100 ]" in words


def test_a_quoted_pair_stands_for_no_characters_of_the_text():
    text = "Jet Airways rivals IndiGo."
    example = Example(text, about=(About(((0, 11),)), About(((19, 25),))))
    for row, words in zip(rows_of(example, "pair"), ("jet airways", "indigo"), strict=True):
        (found,) = read(row)
        assert tokenizer().decode(found.input_ids).endswith(f"[SEP] {words} [SEP]")
        assert row.source == text
        assert found.offsets.max() == len(text)


@pytest.mark.parametrize("condition", ["tag", "markers", "pair", "pool"])
@pytest.mark.parametrize("max_tokens", [5, 9, 32])
def test_no_reading_is_longer_than_the_window(condition, max_tokens):
    about = tuple(About(((start, start + 500),)) for start in range(0, 1000, 100))
    for row in rows_of(Example(LONG, about=about), condition):
        for found in read(row, max_tokens):
            assert len(found.input_ids) <= max_tokens
            assert len(found.offsets) == len(found.input_ids)
            assert found.offsets.any()
