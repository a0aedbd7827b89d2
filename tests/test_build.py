"""The builder against a slow reference that says the order of a snapshot in plain Python."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.graph import EntityRecord, GraphBuilder, StringTable, order
from kgfm.graph.columns import Coded, EdgeColumn
from kgfm.graph.order import triple_arrays

Triple = tuple[str, str, str]


def table(name: str, strings: list[str]) -> dict[str, np.ndarray]:
    encoded = [string.encode() for string in strings]
    offsets = [sum(map(len, encoded[:i])) for i in range(len(encoded) + 1)]
    joined = np.frombuffer(b"".join(encoded), np.uint8)
    return {f"{name}.offsets": np.array(offsets, np.int64), f"{name}.bytes": joined}


def reference(
    records: list[EntityRecord], triples: list[Triple], edges: dict[str, list[Any]]
) -> dict[str, np.ndarray]:
    """Return the arrays of a graph as their definitions say."""
    known = {record.key: record for record in records}
    keys = sorted({*known, *(end for head, _, tail in triples for end in (head, tail))})
    relations = sorted({relation for _, relation, _ in triples})
    every = [known.get(key, EntityRecord(key)) for key in keys]
    names = [record.label or record.key for record in every]
    aliases = [sorted({*record.aliases} - {n, ""}) for record, n in zip(every, names, strict=True)]
    types = [sorted({*record.types} - {""}) for record in every]
    type_names = sorted({name for row in types for name in row})
    columns = sorted(edges)

    def rank(name: str, value: Any) -> tuple[bool, Any]:
        return (value is None, 0 if value is None else value)

    best: dict[Triple, int] = {}
    for place, triple in enumerate(triples):
        ranked = [rank(name, edges[name][place]) for name in columns]
        old = best.get(triple)
        if old is None or ranked < [rank(name, edges[name][old]) for name in columns]:
            best[triple] = place
    kept = sorted(best)
    rows = [(keys.index(h), relations.index(r), keys.index(t)) for h, r, t in kept]
    degree = [sum((h == e) + (t == e) for h, _, t in rows) for e in range(len(keys))]
    around = [
        sorted(
            [(degree[t], 2 * r, t) for h, r, t in rows if h == e]
            + [(degree[h], 2 * r + 1, h) for h, r, t in rows if t == e]
        )
        for e in range(len(keys))
    ]
    flat = [step for steps in around for step in steps]

    def ends(counts: list[int]) -> np.ndarray:
        return np.cumsum([0, *counts], dtype=np.int64)

    made = {
        "labelled": np.array([bool(record.label) for record in every], bool),
        "relation_labelled": np.zeros(len(relations), bool),
        "aliases.indptr": ends([*map(len, aliases)]),
        "types.indptr": ends([*map(len, types)]),
        "types.ids": np.array([type_names.index(n) for row in types for n in row], np.int32),
        "out_indptr": ends([sum(h == e for h, _, _ in rows) for e in range(len(keys))]),
        "neighbour_indptr": ends([*map(len, around)]),
        "neighbour_entity": np.array([step[2] for step in flat], np.int32),
        "neighbour_relation": np.array(
            [step[1] // 2 + step[1] % 2 * len(relations) for step in flat], np.int32
        ),
        "degree": np.array(degree, np.int32),
        **table("keys", keys),
        **table("labels", names),
        **table("aliases", [name for row in aliases for name in row]),
        **table("type_names", type_names),
        **table("descriptions", [record.description for record in every]),
        **table("relation_keys", relations),
        **table("relation_labels", relations),
        **table(
            "attributes",
            [
                json.dumps(dict(sorted(r.attributes.items())), separators=(",", ":"))
                if r.attributes
                else ""
                for r in every
            ],
        ),
    }
    for place, name in enumerate(("heads", "relations", "tails")):
        made[name] = np.array([row[place] for row in rows], np.int32)
    for place, name in enumerate(columns):
        values = [edges[name][best[triple]] for triple in kept]
        if name == "text" or (edges[name] and {*edges[name]} == {None}):
            made |= table(f"edge{place}", [value or "" for value in values])
        else:
            filled = [math.nan if value is None else value for value in values]
            # One missing value anywhere, even in a triple that goes, makes floats of integers.
            dtype = np.float64 if None in edges[name] or not edges[name] else np.int64
            made[f"edge{place}"] = np.array(filled, dtype)
    return made


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3)
graphs = st.tuples(
    st.lists(text, min_size=1, max_size=6, unique=True),
    st.lists(
        st.tuples(*[st.integers(0, 5)] * 3, st.none() | st.integers(0, 2), st.sampled_from("ab")),
        max_size=30,
    ),
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["", "é", "B"]),
            st.lists(st.sampled_from(["x", "B", ""]), max_size=3),
            st.sampled_from(["", "d"]),
            st.lists(st.sampled_from("tu"), max_size=2),
            st.dictionaries(st.sampled_from("nm"), st.integers(0, 2), max_size=2),
        ),
        max_size=4,
        unique_by=lambda fields: fields[0],
    ),
    st.sampled_from([(), ("number",), ("number", "text")]),
    st.integers(1, 31),
)


@pytest.mark.filterwarnings("ignore:.*have no label:UserWarning")
@given(graphs)
@pytest.mark.filterwarnings("ignore:.*were given again")
def test_every_road_into_the_builder_gives_what_the_definitions_say(given) -> None:
    keys, numbers, fields, columns, portion = given
    keys = [key.replace(":", ".") for key in keys]  # an IRI's local name is another matter
    key_of = [keys[i % len(keys)] for i in range(6)]
    records = {key_of[place]: EntityRecord(key_of[place], *rest) for place, *rest in fields}
    triples = [(key_of[h], "rst"[r % 3], key_of[t]) for h, r, t, _, _ in numbers]
    edges = {
        name: [row[place] for row in numbers]
        for place, name in ((3, "number"), (4, "text"))
        if name in columns
    }
    expected = reference([*records.values()], triples, edges)
    for coded in (False, True):
        builder = GraphBuilder()
        for record in records.values():
            builder.add_entity(record)
        for start in range(0, len(triples), portion):
            part = slice(start, start + portion)
            some = {name: values[part] for name, values in edges.items()}
            heads, relations, tails = zip(*triples[part], strict=True)
            if not coded:
                builder.add_triples(heads, relations, tails, some)
                continue
            entities, names = [*{*heads, *tails}], [*{*relations}]
            codes = [[*map(entities.index, heads)], [*map(names.index, relations)]]
            codes.append([*map(entities.index, tails)])
            builder.add_coded_triples(
                entities, names, np.array(codes), {n: as_array(v) for n, v in some.items()}
            )
        if not triples:
            expected = {name: v for name, v in expected.items() if not name.startswith("edge")}
        found, _ = builder.build()
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            assert found[name].dtype == array.dtype, name
            np.testing.assert_array_equal(found[name], array, err_msg=name)


def as_array(values: list[Any]) -> Any:
    """The same values as an array, or coded, as a store of columns gives them."""
    if all(value is not None for value in values):
        return np.array(values) if isinstance(values[0], int) else coded(values)
    return coded(values)


def coded(values: list[Any]) -> Coded:
    distinct = list(dict.fromkeys(value for value in values if value is not None))
    return Coded(distinct, np.array([distinct.index(v) if v in distinct else -1 for v in values]))


@given(
    st.lists(st.tuples(*[st.integers(0, 6), st.integers(0, 3), st.integers(0, 6)]), max_size=60),
    st.sampled_from([(63, 1 << 21), (63, 1), (14, 3), (6, 3), (0, 2)]),
)
def test_wide_numbers_and_small_portions_give_the_same_order(triples, limits) -> None:
    columns = tuple(np.array(triples, np.int32).reshape(-1, 3).T)
    expected = triple_arrays(order.distinct_triples(columns, 7, 4), 7, 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "_BITS", limits[0])
        patch.setattr(order, "_AT_ONCE", limits[1])
        found = triple_arrays(order.distinct_triples(columns, 7, 4), 7, 4)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([np.array([1, 2], np.uint8), [3]], np.array([1, 2, 3])),
        ([np.array([1.5, np.nan]), [2, None]], np.array([1.5, np.nan, 2, np.nan])),
        ([np.array([True]), [False]], np.array([True, False])),
        ([np.array([True]), [None]], ["true", ""]),
        ([np.array([1]), ["1"], [1]], ["1", "1", "1"]),
        ([np.array([np.nan])], [""]),
        ([[None], [None]], ["", ""]),
        ([np.array([0.5, np.inf]), [[2, 1]]], ["0.5", "inf", "[1, 2]"]),
        ([[-0.0], np.array([-0.0])], np.array([0.0, 0.0])),
        ([np.array([2**63], np.uint64)], np.array([2.0**63])),
        ([[10**400]], ["1" + "0" * 400]),
        ([np.array(["2020-01-02"], "M8[D]")], ["2020-01-02"]),
    ],
)
def test_a_column_is_as_narrow_as_its_values_allow(parts, expected) -> None:
    column = EdgeColumn(0)
    for part in parts:
        column.add(part)
    found = column.finish()
    if isinstance(expected, list):
        assert isinstance(found, StringTable)
        assert list(found) == expected
    else:
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        assert not np.signbit(found).any() if expected.dtype == np.float64 else True


def test_an_edge_attribute_names_itself_where_it_cannot_be_written() -> None:
    builder = GraphBuilder()
    builder.add_triples(["a"], ["r"], ["b"], {"who": ["\ud800"]})
    with pytest.raises(ValueError, match=r"edge attribute 'who'.*lone surrogate"):
        builder.build()


def test_codes_beyond_their_keys_are_refused() -> None:
    with pytest.raises(IndexError):
        GraphBuilder().add_coded_triples(["a"], ["r"], np.array([[0], [0], [1]]))


def test_strings_are_taken_in_portions_that_bound_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kgfm.graph.strings._BYTES", 5)
    monkeypatch.setattr("kgfm.graph.strings._CHUNK", 2)
    strings = ["", "é", "a longer one", "b", "", "cc"]
    made = StringTable.from_strings(strings)
    rows = np.array([2, 0, 2, 5, 1, 4, 3, 3])
    assert list(made.take(rows)) == [strings[row] for row in rows]
    with pytest.raises(ValueError, match="String 3"):
        StringTable.from_strings(["a", "b", "c", "\ud800"])
