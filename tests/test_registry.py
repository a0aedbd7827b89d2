"""A registry: names, mappings and objects to parts, plug-ins, and what is refused."""

from __future__ import annotations

import inspect
import json
from importlib.metadata import EntryPoint
from typing import Any

import pytest

import kgfm.registry as module
from kgfm.registry import Registry


class Part:
    """What all parts of the tests are."""


class Small(Part):
    def __init__(self, width: int = 3, *, depth: int = 1) -> None:
        self.width, self.depth = width, depth

    def config(self) -> dict[str, Any]:
        return {"width": self.width, "depth": self.depth}


@pytest.fixture
def parts() -> Registry[Part]:
    made: Registry[Part] = Registry("part", Part, formerly="piece")
    made["small"] = Small
    return made


def with_points(monkeypatch: pytest.MonkeyPatch, **groups: tuple[str, str]) -> None:
    """Let packages be installed that register a part in each group."""

    def found(group: str) -> list[EntryPoint]:
        return [
            EntryPoint(name, value, group)
            for key, (name, value) in groups.items()
            if f"kgfm.{key}" == group
        ]

    monkeypatch.setattr(module, "entry_points", found)


def test_a_name_a_mapping_and_an_object_make_the_same_part(parts: Registry[Part]) -> None:
    ready = Small()
    assert parts.build(ready) is ready
    for given in ("small", {"name": "small"}, {"name": "small", "width": 3}):
        assert parts.build(given).config() == ready.config()


def test_the_surroundings_give_what_a_part_knows_and_the_user_has_the_last_word(
    parts: Registry[Part],
) -> None:
    assert parts.build("small", width=7, unknown=1).config()["width"] == 7
    assert parts.build({"name": "small", "width": 5}, width=7).config()["width"] == 5


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ("smal", KeyError, "No part 'smal'. Did you mean 'small'?"),
        ({"name": "small", "with": 3}, ValueError, "takes no 'with'. Did you mean 'width'"),
        ({"width": 3}, TypeError, "as a mapping with 'name', or as a Part; got dict"),
        (7, TypeError, "got int. The known ones are small"),
        (None, TypeError, "got NoneType"),
    ],
)
def test_what_is_no_part_is_refused_with_what_would_do(
    parts: Registry[Part], given: Any, error: type[Exception], said: str
) -> None:
    for refuse in (parts.check, parts.build):
        with pytest.raises(error) as raised:
            refuse(given)
        assert said in str(raised.value)


def test_a_part_is_written_as_its_name_and_arguments_and_read_again(parts: Registry[Part]) -> None:
    made = Small(4, depth=2)
    assert parts.name_of(made) == parts.name_of(Small) == "small"
    written = parts.written(made)
    assert written == {"name": "small", "width": 4, "depth": 2}
    assert parts.build(written).config() == made.config()
    assert parts.written(None) is None
    with pytest.raises(TypeError, match="ready Part, which cannot be written down"):
        parts.written(Part())


def test_what_was_not_given_is_written_as_its_default_is_now(
    parts: Registry[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    written = parts.written({"name": "small", "width": 5})
    assert written == {"name": "small", "width": 5, "depth": 1}
    monkeypatch.setitem(Small.__init__.__kwdefaults__, "depth", 9)
    assert parts.build(written).config() == {"width": 5, "depth": 1}
    assert parts.written("small")["depth"] == 9


def test_what_the_surroundings_give_and_what_json_cannot_hold_is_not_written() -> None:
    class Odd(Part):
        def __init__(self, graph: Any = None, activation: Any = abs, *, depth: int = 1) -> None:
            self.graph = graph

    odd: Registry[Part] = Registry("part", Part, surroundings=("graph",))
    odd["odd"] = Odd
    assert odd.written("odd") == {"name": "odd", "depth": 1}
    assert odd.build(odd.written("odd"), graph="a graph").graph == "a graph"


def registered() -> list[Any]:
    from kgfm.encoders import ENCODERS
    from kgfm.fusion import FUSIONS
    from kgfm.linking import LINKERS
    from kgfm.retrieval import RETRIEVERS
    from kgfm.tasks import TASKS

    registries = (LINKERS, RETRIEVERS, ENCODERS, FUSIONS, TASKS)
    return [pytest.param(r, name, id=f"{r.kind}-{name}") for r in registries for name in r]


@pytest.mark.parametrize(("registry", "name"), registered())
def test_what_is_written_of_a_part_names_every_argument_with_a_default(
    registry: Registry[Any], name: str
) -> None:
    parameters = inspect.signature(registry[name]).parameters.values()
    usual = {p.name: p.default for p in parameters if p.default is not p.empty}
    written = json.loads(json.dumps(registry.written(name)))
    assert {*written} == {"name", *usual} - registry.surroundings
    for argument, value in written.items():
        expected = name if argument == "name" else usual[argument]
        assert value == (list(expected) if isinstance(expected, tuple) else expected)


def test_the_value_that_an_argument_will_have_is_known_before_the_part_is_made(
    parts: Registry[Part],
) -> None:
    assert parts.default("small", "width") == 3
    assert parts.default({"name": "small", "width": 8}, "width") == 8
    assert parts.default("small", "height") is None


def test_a_part_of_an_installed_package_is_found_by_name(
    parts: Registry[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_points(monkeypatch, parts=("theirs", f"{__name__}:Small"))
    assert parts.names() == ["small", "theirs"]
    assert isinstance(parts.build("theirs"), Small)


def test_a_package_that_registers_under_the_former_name_is_told_what_to_do(
    parts: Registry[Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_points(monkeypatch, pieces=("theirs", "their_package.parts:Theirs"))
    with pytest.raises(KeyError) as raised:
        parts.build("theirs")
    said = str(raised.value)
    assert "kgfm.pieces, which kgfm.parts has replaced" in said
    assert "their_package.parts:Theirs" in said
    assert "derive it from Part" in said


def test_a_head_of_the_former_group_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from kgfm.tasks import TASKS

    with_points(monkeypatch, heads=("rank", "their_package:RankHead"))
    with pytest.raises(KeyError, match="derive it from Task"):
        TASKS.check("rank")
