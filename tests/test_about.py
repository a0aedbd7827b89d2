"""Spans that are asked about, as JSON lines give them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kgfm.cli.verbs import texts_of
from kgfm.datasets.jsonl import read_examples
from kgfm.graph import KnowledgeGraph
from kgfm.types import LINKED, About, Example

TEXT = "Kestrel beats Plover."
ONE = {"start": 0, "end": 7, "label": "positive"}
TWO = {"spans": [[0, 7], [14, 20]], "label": "beats"}


@pytest.fixture(scope="module")
def graph() -> KnowledgeGraph:
    return KnowledgeGraph.from_records([], [("KESTREL", "rival", "PLOVER")])


def written(folder: Path, *about: Any, text: str = TEXT) -> Path:
    lines = [{"text": "fine"}, {"text": text, "about": list(about)}]
    path = folder / "own.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def read(folder: Path, given: Mapping[str, Any], graph: KnowledgeGraph | None = None) -> About:
    (found,) = read_examples(written(folder, given), graph)[1].about
    return found


@pytest.mark.parametrize(
    ("given", "held"),
    [
        (ONE, About(((0, 7),), None, ("positive",))),
        (ONE | {"entity": "KESTREL"}, About(((0, 7),), ("KESTREL",), ("positive",))),
        (ONE | {"entity": None}, About(((0, 7),), (None,), ("positive",))),
        (ONE | {"label": ["firm", "bird"]}, About(((0, 7),), None, ("firm", "bird"))),
        (ONE | {"label": []}, About(((0, 7),), None, ())),
        (ONE | {"label": None}, About(((0, 7),))),
        ({"start": 0, "end": 7}, About(((0, 7),))),
        (ONE | {"text": "Kestrel"}, About(((0, 7),), None, ("positive",))),
        (ONE | {"label": "größer ≥ 3"}, About(((0, 7),), None, ("größer ≥ 3",))),
        (TWO, About(((0, 7), (14, 20)), None, ("beats",))),
        (
            TWO | {"entities": ["KESTREL", None]},
            About(((0, 7), (14, 20)), ("KESTREL", None), ("beats",)),
        ),
        (
            TWO | {"entities": [None, ""]},
            About(((0, 7), (14, 20)), (None, LINKED), ("beats",)),
        ),
        (TWO | {"spans": [[14, 20], [0, 7]]}, About(((14, 20), (0, 7)), None, ("beats",))),
        (TWO | {"spans": [[0, 7], [0, 20]]}, About(((0, 7), (0, 20)), None, ("beats",))),
        (
            TWO | {"text": ["Kestrel", "Plover"]},
            About(((0, 7), (14, 20)), None, ("beats",)),
        ),
        (
            {"spans": [[0, 7]], "entities": ["KESTREL"], "label": "positive"},
            About(((0, 7),), ("KESTREL",), ("positive",)),
        ),
    ],
)
def test_what_is_asked_about_is_read_as_it_is_written(
    tmp_path: Path, graph: KnowledgeGraph, given: Any, held: About
) -> None:
    assert read(tmp_path, given, graph) == held


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (3, "about 0 is an object with start, end and label"),
        ([0, 7], "about 0 is an object with start, end and label"),
        (ONE | {"lable": "x"}, "unknown 'lable'. Did you mean 'label'"),
        (ONE | {"entities": ["KESTREL"]}, "unknown 'entities'. Did you mean 'entity'"),
        (TWO | {"entity": "KESTREL"}, "unknown 'entity'. Did you mean 'entities'"),
        (TWO | {"start": 0}, "A question about spans has spans, entities, label, text"),
        ({"end": 7}, "about 0 has no 'start'; a span needs start and end"),
        ({"label": "x"}, "about 0 has no 'start' and no 'end'"),
        (ONE | {"end": 22}, "goes from 0 to 22; a span needs 0 <= start < end, and the text has"),
        (ONE | {"end": 0}, "goes from 0 to 0"),
        (ONE | {"start": 9}, "goes from 9 to 7"),
        (ONE | {"start": -1}, "goes from -1 to 7"),
        (ONE | {"start": False}, "goes from False to 7"),
        (ONE | {"start": 0.0}, "goes from 0.0 to 7"),
        (TWO | {"spans": [[0, 7], [14, 22]]}, "goes from 14 to 22"),
        (TWO | {"spans": []}, "the spans of about 0 are [[start, end], [start, end]]; got []"),
        (TWO | {"spans": [[0, 1]] * 3}, "are [[start, end], [start, end]]"),
        (TWO | {"spans": [0, 7]}, "a span of about 0 is [start, end]; got 0"),
        (TWO | {"spans": "0-7"}, "the spans of about 0 are"),
        (ONE | {"text": "Plover"}, "says 'Plover', but 'Kestrel' stands at 0 to 7"),
        (ONE | {"text": "Plover"}, "'Plover' begins at 14"),
        (ONE | {"text": 3}, "says 3, but 'Kestrel' stands at 0 to 7"),
        (TWO | {"text": ["Kestrel", "beats"]}, "says 'beats', but 'Plover' stands at 14 to 20"),
        (TWO | {"text": "Kestrel"}, "is a list with what stands at each of its 2 spans"),
        (ONE | {"entity": ""}, "leave it out where the linker decides. Got ''"),
        (ONE | {"entity": 3}, "the entity of about 0 is a key, or null"),
        (ONE | {"entity": "KESTRAL"}, "mean 'KESTREL'"),
        (TWO | {"entities": ["KESTREL", "PLOVR"]}, "mean 'PLOVER'"),
        (TWO | {"entities": ["KESTREL"]}, "the entities of about 0 are a list of 2"),
        (TWO | {"entities": None}, "the entities of about 0 are a list of 2"),
        (ONE | {"label": 3}, "the label of about 0 is a string or a list of strings; got 3"),
        (ONE | {"label": ["x", None]}, "a string or a list of strings; got ['x', None]"),
    ],
)
def test_what_is_wrong_with_it_is_named_with_file_and_line(
    tmp_path: Path, graph: KnowledgeGraph, given: Any, reason: str
) -> None:
    with pytest.raises(ValueError, match=r"own\.jsonl, line 2: .*" + re.escape(reason)):
        read_examples(written(tmp_path, given), graph)


def test_what_is_asked_about_is_a_list(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"text": TEXT, "about": ONE}), encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: 'about' is a list; got dict"):
        read_examples(path)


def test_which_question_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line 2: about 2 goes from 3 to 99"):
        read_examples(written(tmp_path, ONE, ONE, ONE | {"start": 3, "end": 99}))


def test_offsets_count_characters_and_not_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, {"start": 2, "end": 5, "text": "Öko"}, text="🦉 Öko ja")
    (example,) = read_examples(path)[1:]
    (about,) = example.about
    assert example.text[slice(*about.spans[0])] == "Öko"


def test_a_text_to_predict_keeps_its_spans_and_loses_their_labels(tmp_path: Path) -> None:
    path = written(tmp_path, ONE | {"entity": None}, TWO)
    assert texts_of([], str(path))[1] == Example(
        TEXT, about=(About(((0, 7),), (None,)), About(((0, 7), (14, 20))))
    )
