"""Several texts as they are given: nothing is read letter by letter or key by key."""

from __future__ import annotations

from collections import OrderedDict, UserDict
from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kgfm.backbones import TextEncoder
from kgfm.graph import KnowledgeGraph
from kgfm.inputs import text_in, texts_in
from kgfm.linking import Linker
from kgfm.pipeline import Pipeline
from kgfm.types import Example

TEXTS = ["Heat is good.", "Alien", ""]
FRAME = pd.DataFrame({"id": [7, 8, 9], "text": TEXTS})


class Indexed:
    """A data set that knows a text by its number, and nothing else."""

    def __getitem__(self, row: int) -> str:
        return TEXTS[row]


GOOD: dict[str, Callable[[], Any]] = {
    "list": lambda: TEXTS,
    "tuple": lambda: tuple(TEXTS),
    "generator": lambda: (text for text in TEXTS),
    "iterator": lambda: iter(TEXTS),
    "dict values": lambda: dict(enumerate(TEXTS)).values(),
    "column": lambda: FRAME["text"],
    "column of strings": lambda: FRAME["text"].astype("string"),
    "column in another order": lambda: FRAME.set_index("id")["text"].iloc[[0, 1, 2]],
    "array": lambda: np.array(TEXTS),
    "array of objects": lambda: np.array(TEXTS, object),
    "numbered": Indexed,
}

REFUSED: dict[str, tuple[Any, str]] = {
    "text": ("Heat", "ask([text])"),
    "numpy text": (np.str_("Heat"), "ask([text])"),
    "bytes": (b"Heat", "ask([bytes(given).decode()])"),
    "bytearray": (bytearray(b"Heat"), "ask([bytes(given).decode()])"),
    "row": ({"text": "Heat", "label": 1}, "ask([given['text']])"),
    "row of another name": ({"body": "Heat"}, "ask([given['body']])"),
    "columns": ({"label": [1], "text": ["Heat"]}, "ask(given['text'])"),
    "user's mapping": (UserDict(text="Heat"), "ask([given['text']])"),
    "mapping proxy": (MappingProxyType({"text": "Heat"}), "ask([given['text']])"),
    "ordered": (OrderedDict(a="x"), "ask(given.values())"),
    "empty mapping": ({}, "given['text']"),
    "frame": (FRAME, "ask(frame['text'])"),
    "frame of another name": (pd.DataFrame({"body": TEXTS}), "ask(frame['body'])"),
    "empty frame": (pd.DataFrame(), "ask(frame['text'])"),
    "numbered columns": (pd.DataFrame([TEXTS]), "ask(frame[0])"),
    "table": (pa.table({"text": TEXTS}), "ask(frame['text'])"),
    "nothing": (None, "not None: write ask([text, ...])"),
    "number": (3, "not int: write ask([text, ...])"),
    "number of numpy": (np.float32(3), "not float32"),
    "an array of one": (np.array("Heat"), "not ndarray"),
    "example": (Example("Heat"), "ask([example])"),
    "class": (str, "not type"),
}
SEVERAL = pytest.mark.parametrize(("given", "instead"), REFUSED.values(), ids=REFUSED)


@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_texts_come_in_their_order_as_plain_strings(make: Callable[[], Any]) -> None:
    found = [*texts_in(make(), "ask")]
    assert found == TEXTS
    assert {type(text) for text in found} == {str}


@SEVERAL
def test_what_is_no_series_of_texts_is_refused_before_any_is_read(given: Any, instead: str) -> None:
    with pytest.raises(TypeError, match=r"^ask\(\) takes several texts, not ") as error:
        texts_in(given, "ask")
    assert instead in str(error.value)


def test_a_stream_is_read_as_it_is_asked_for() -> None:
    def stream() -> Iterator[str]:
        yield "first"
        raise AssertionError("read too far")

    assert next(texts_in(stream(), "ask")) == "first"


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (None, "NoneType; give a str. Where a text is missing"),
        (float("nan"), "float; give a str. Where a text is missing"),
        (pd.NA, "NAType; give a str. Where a text is missing"),
        (3, "int; give a str."),
        (b"Heat", "bytes; give a str."),
        (["Heat"], "list; give a str."),
        ({"text": "Heat"}, "dict; give a str. Of a row, give row['text']."),
        (np.array(["a", "b"]), "ndarray; give a str."),
        (Example("Heat"), "Example; give a str. Write example.text."),
    ],
)
def test_an_item_of_another_kind_is_named_by_its_index(item: Any, said: str) -> None:
    for number in (0, 2):
        texts = texts_in(["Heat"] * number + [item], "ask")
        with pytest.raises(TypeError) as error:
            list(texts)
        assert str(error.value).startswith(f"Text {number} is {said}")


def test_an_array_of_two_axes_is_no_series_of_texts() -> None:
    with pytest.raises(TypeError, match="Text 0 is ndarray"):
        list(texts_in(np.array([TEXTS]), "ask"))


def test_examples_are_texts_where_they_are_asked_for() -> None:
    given = [Example("a"), "b"]
    assert [*texts_in(given, "pipe", (str, Example))] == given
    with pytest.raises(TypeError, match=r"^Text 1 is int; give a str or a kgfm\.Example\.$"):
        list(texts_in(["a", 1], "pipe", (str, Example)))
    with pytest.raises(TypeError, match=r"Text 0 is str; .* Write kgfm\.Example\('a', \(label,\)"):
        list(texts_in(["a"], "fit", (Example,)))
    with pytest.raises(TypeError, match=r"several examples, not DataFrame: .*frame\['label'\]"):
        texts_in(FRAME, "fit", (Example,))
    with pytest.raises(TypeError, match=r"write fit\(\[example\]\)"):
        texts_in(Example("a"), "fit", (Example,))


@pytest.mark.parametrize(
    ("given", "instead"),
    [
        ({"text": "Heat"}, "linker(given['text'])"),
        (FRAME, "linker(given['text'])"),
        (b"Heat", "linker(given.decode())"),
        (Example("Heat"), "linker(example.text)"),
        (["Heat"], "linker.link(texts) for several"),
        (FRAME["text"], "linker.link(texts) for several"),
        (None, "not None: write linker(text)"),
        (3, "not int: write linker(text)"),
    ],
)
def test_what_is_no_single_text_is_refused_with_what_to_write(given: Any, instead: str) -> None:
    with pytest.raises(TypeError, match=r"^A text is a str, not ") as error:
        text_in(given, "linker", "linker.link")
    assert instead in str(error.value)


# -- where texts enter ----------------------------------------------------------------------------

LINKER = Linker(KnowledgeGraph.from_records([{"key": "h", "label": "Heat"}], []))
ENTRANCES: dict[str, Callable[[Any], Any]] = {
    "linker.link": LINKER.link,
    "linker.pipe": LINKER.pipe,  # refused as it is called, and not when the first is asked for
    "linker.calibrate": LINKER.calibrate,
    "encode": TextEncoder("tiny-bert"),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("entrance", ENTRANCES)
@SEVERAL
def test_no_entrance_reads_anything_else_as_texts(entrance: str, given: Any, instead: str) -> None:
    with pytest.raises(TypeError, match="takes several texts") as error:
        ENTRANCES[entrance](given)
    assert instead.replace("ask(", f"{entrance}(") in str(error.value)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_every_series_of_texts_is_linked_as_a_list_is(make: Callable[[], Any]) -> None:
    wanted = LINKER.link(TEXTS)
    assert len(wanted[0]) == 1
    assert LINKER.link(make()) == wanted
    assert [*LINKER.pipe(make(), batch_size=2)] == wanted


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("given", ["Heat", {"text": "Heat"}, FRAME, None], ids=repr)
def test_a_linker_learns_from_examples_and_from_nothing_else(given: Any) -> None:
    with pytest.raises(TypeError, match=r"^linker\.fit\(\) takes several examples"):
        LINKER.fit(given)
    with pytest.raises(TypeError, match=r"^Text 0 is str; give a kgfm.Example or a Document\."):
        LINKER.fit(["Heat"])  # type: ignore[list-item]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    task = {"name": "classify", "labels": ["good", "bad"]}
    return Pipeline(LINKER.graph, LINKER, task=task, backbone="tiny-bert", text_encoder="tiny-bert")


@pytest.mark.usefixtures("unchecked")
@SEVERAL
def test_no_entrance_of_a_pipeline_reads_anything_else_as_texts(
    pipeline: Pipeline, given: Any, instead: str
) -> None:
    with pytest.raises(TypeError, match=r"^pipe\(\) takes several texts") as error:
        pipeline.pipe(given)
    assert instead.replace("ask(", "pipe(") in str(error.value)
    if not isinstance(given, str | Example):  # which are one text
        with pytest.raises(TypeError, match=r"^pipe\(\) takes several texts"):
            pipeline(given)
    good = [Example("Heat", ("good",))]
    for train, validation in ((given, good), (good, given)):
        with pytest.raises(TypeError, match=r"^fit\(\) takes several examples"):
            pipeline.fit(train, validation)
    with pytest.raises(TypeError, match=r"^evaluate\(\) takes several examples"):
        pipeline.evaluate(given)


@pytest.mark.usefixtures("unchecked")
def test_a_pipeline_learns_from_examples_and_not_from_texts(pipeline: Pipeline) -> None:
    with pytest.raises(TypeError, match=r"Text 0 is str; .*kgfm\.Example\('Heat', \(label,\)\)"):
        pipeline.fit(["Heat"], ["Heat"])  # type: ignore[list-item]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("make", GOOD.values(), ids=GOOD)
def test_every_series_of_texts_is_answered_as_a_list_is(
    pipeline: Pipeline, make: Callable[[], Any]
) -> None:
    assert pipeline(make()) == pipeline(TEXTS)
