"""The values that flow through kgfm: what they refuse, and what they keep."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kgfm.types import LINKED, About, Example, check_labels

pytestmark = pytest.mark.usefixtures("unchecked")

# -- examples -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "instead"),
    [
        (1, "str(1)"),
        (np.int64(3), "str(np.int64(3))"),
        (np.float32(0.5), "str(np.float32(0.5))"),
        (True, "str(True)"),
        (np.bool_(True), "str(np.True_)"),
        (None, "str(None)"),
        (float("nan"), "str(nan)"),
        (pd.NA, "str(<NA>)"),
        (b"good", "str(b'good')"),
        (("good",), "str(('good',))"),
        (np.array(["good"]), "str(array("),
    ],
)
def test_a_target_that_is_no_string_is_refused_with_what_to_write(label: Any, instead: str) -> None:
    for target in ((label,), ("good", label), ["good", label]):
        with pytest.raises(TypeError, match=r"^target holds ") as error:
            check_labels(Example("a", target))  # type: ignore[arg-type]
        assert instead in str(error.value)
        assert type(label).__name__ in str(error.value)
        about = About(((0, 1),), None, target)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"^labels holds ") as error:
            check_labels(Example("a", about=(about,)))
        assert instead in str(error.value)


@pytest.mark.parametrize(
    ("target", "instead"),
    [
        ("good", "write ('good',)"),
        (np.str_("good"), "write ('good',)"),
        (3, "Write (str(3),)"),
        (float("nan"), "Write (str(nan),)"),
        (np.array(["good"]), "Write tuple(target)"),
        (pd.Series(["good"]), "Write tuple(target)"),
        ({"good"}, "Write tuple(target)"),
        ({"good": 1}, "Write tuple(target)"),
    ],
)
def test_a_target_that_is_no_tuple_is_refused(target: Any, instead: str) -> None:
    with pytest.raises(TypeError, match=r"^target is a tuple of strings") as error:
        Example("a", target)
    assert instead in str(error.value)


@pytest.mark.parametrize(
    "target", [("good", "bad"), ["good", "bad"], (*np.array(["good", "bad"]),)], ids=repr
)
def test_labels_are_held_as_a_tuple_of_plain_strings(target: Any) -> None:
    held = Example("a", target).target
    assert held == ("good", "bad")
    assert isinstance(held, tuple)
    assert {type(label) for label in held} == {str}
    assert About(((0, 1),), None, target).labels == held


@pytest.mark.parametrize("target", [None, ()])
def test_nothing_known_and_nothing_right_are_two_things(target: Any) -> None:
    assert Example("a", target).target == target


def test_where_an_example_was_read_stands_in_its_errors_and_nowhere_else() -> None:
    example = Example("a", ("x",), where="texts.jsonl, line 7")
    assert example == Example("a", ("x",))
    assert hash(example) == hash(Example("a", ("x",)))
    assert "line 7" not in repr(example)
    assert pickle.loads(pickle.dumps(example)).where == "texts.jsonl, line 7"
    for wrong in ({"target": (3,)}, {"target": 3}, {"target": "x"}, {"text": 3}):
        with pytest.raises(TypeError, match=r"^texts\.jsonl, line 7: "):
            check_labels(replace(example, **wrong))


def test_a_span_may_be_linked_or_outside_of_the_graph_or_an_entity_of_it() -> None:
    spans = ((0, 1), (2, 3))
    assert About(spans, ("key", LINKED)).entities == ("key", LINKED)
    assert About(spans, (None, LINKED)) != About(spans)
    assert About(spans, (LINKED, LINKED)) == About(spans)
    assert About(spans[:1], (LINKED,)) == About(spans[:1])
