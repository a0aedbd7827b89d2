from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.cli import main
from kgfm.graph import EntityRecord, KnowledgeGraph, describe
from kgfm.graph.describe import components, power_law_tail
from kgfm.linking.check import check
from kgfm.linking.findings import is_opaque


def graph(records: list[Any], triples: list[tuple[str, str, str]], **more: Any) -> KnowledgeGraph:
    entities = [EntityRecord(key, *rest) for key, *rest in records]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return KnowledgeGraph.from_records(entities, triples, **more)


def sound() -> KnowledgeGraph:
    records = [(f"e{i}", f"Entity number {'abcdefgh'[i]}", (), "What it is.") for i in range(8)]
    triples = [(f"e{i}", "next_to", f"e{(i + 1) % 8}") for i in range(8)]
    return graph(records, triples)


def names(kg: KnowledgeGraph) -> dict[str, str]:
    return {finding.name: finding.level for finding in check(kg)}


# -- describe -------------------------------------------------------------------------------------


def test_describe_counts_types_shared_labels_parts_and_what_dangles() -> None:
    kg = graph(
        [
            ("a", "Heat", (), "A film.", ["Film", "Work"]),
            ("b", " heat", (), "", ["Film"]),
            ("c", "", (), "", (), {"year": 1}),
            ("d",),
        ],
        [("a", "r", "a"), ("a", "r", "x"), ("b", "s", "c")],
        relations={"r": "relates to"},
    )
    said = describe(kg)
    assert said["by_type"] == [{"type": "Film", "entities": 2}, {"type": "Work", "entities": 1}]
    shared = {"labels": 1, "entities": 2, "most": [{"label": "heat", "entities": 2}]}
    assert said["shared_labels"] == shared
    assert said["components"] == {"count": 3, "largest": 2}
    assert (said["only_tails"], said["self_loops"], said["without_triple"]) == (1, 1, 1)
    assert said["relations_with_label"] == 1
    assert said["degree_tail"] is None
    json.dumps(said)


edges = st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=25)


@given(edges)
def test_components_are_those_of_networkx(pairs: list[tuple[int, int]]) -> None:
    other = networkx.Graph()
    other.add_nodes_from(range(20))
    other.add_edges_from(pairs)
    heads, tails = np.array(pairs, np.int32).reshape(-1, 2).T
    root = components(heads, tails, 20)
    for part in networkx.connected_components(other):
        assert {int(root[node]) for node in part} == {min(part)}


def test_a_long_chain_is_one_component_in_a_few_rounds() -> None:
    order = np.random.default_rng(0).permutation(50_000)
    assert not components(order[:-1], order[1:], 50_000).any()


def test_the_exponent_of_a_power_law_is_found_again() -> None:
    random = np.random.default_rng(0)
    share = random.random(20_000)
    degree = np.floor(4.5 * share ** (-1 / 1.5) + 0.5).astype(np.int64)  # exponent 2.5 from 5 on
    fit = power_law_tail(degree)
    assert fit is not None
    assert fit["exponent"] == pytest.approx(2.5, abs=0.1)
    assert fit["distance"] < 0.03
    assert power_law_tail(np.full(500, 3)) is None
    assert power_law_tail(np.zeros(0, np.int64)) is None


# -- check ----------------------------------------------------------------------------------------


def test_the_scripts_of_names_are_said_and_what_that_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kg = graph(
        [("a", "東京タワー", ("Tokyo Tower",)), ("b", "Киев"), ("c", "부산")], [("a", "r", "b")]
    )
    (found,) = (finding for finding in check(kg) if finding.name == "scripts")
    assert found.level == "note"
    assert "Han (1), Katakana (1)" in found.says
    assert "Han, Hangul, Katakana: names are found among letters without spaces" in found.says
    kg.save(tmp_path / "kg")
    main(["graph", "check", str(tmp_path / "kg")])
    assert capsys.readouterr().out.startswith("names in Han (1), ")
    sound().save(tmp_path / "latin")
    main(["graph", "check", str(tmp_path / "latin")])
    assert capsys.readouterr().out.startswith("names in Latin (8)\n")


def test_a_sound_graph_has_nothing_to_mend() -> None:
    assert check(sound()) == []


@pytest.mark.parametrize(
    ("name", "opaque"),
    [
        *[(name, True) for name in ("Q42", "m.02_x1", "g.11b71tsxrv", "0553092626", "")],
        ("9bd7c670d99951fae042e72d1b978563", True),
        *[(name, False) for name in ("Heat", "AC/DC", "Up", "Heat (1995)", "birthPlace2", "北京")],
    ],
)
def test_a_key_that_is_no_name_is_told_from_one_that_is(name: str, opaque: bool) -> None:
    assert is_opaque(name) == opaque


ring = [(f"e{i}", "next_to", f"e{(i + 1) % 40}") for i in range(40)]
named = [(f"e{i}", "Name " + "abcdefghij"[i % 10] * (i // 10 + 1), (), "Text.") for i in range(40)]


rare = [(f"e{i}", f"rare{i}", "e1") for i in range(5)]


def one_more(label: str, *rest: Any) -> KnowledgeGraph:
    """A sound graph but for one entity."""
    return graph([*named, ("y", label, *(rest or ((), "x")))], [*ring, ("e0", "r", "y")])


@pytest.mark.parametrize(
    ("kg", "name", "level"),
    [
        (graph([], []), "empty", "fault"),
        (graph(named, []), "no-triples", "fault"),
        (graph([], [("Q1", "r", "Q2"), ("Q2", "r", "Q3")]), "no-names", "fault"),
        (graph(named, [*ring, ("Q7", "r", "e1")]), "no-names", "warning"),
        (graph(named, [*ring, ("http://e.org/Heat", "r", "e1")]), "no-labels", "warning"),
        (graph([(key, label) for key, label, *_ in named], ring), "no-descriptions", "warning"),
        (graph([*named, ("x", "Alone", (), "Text.")], ring), "isolated", "warning"),
        (graph(named, [*ring, ("e1", "r", "http://e.org/x")]), "dangling", "warning"),
        (graph([(e[0], "John Smith") for e in named], ring), "crowded-labels", "warning"),
        (graph([*named, ("y", "name a"), ("z", "NAME A")], ring), "shared-labels", "note"),
        (one_more("it"), "stop-words", "note"),
        (one_more("1995"), "numbers", "note"),
        (one_more("Z"), "single-characters", "note"),
        (one_more("+"), "unlinkable-labels", "note"),
        (one_more("CafÃ©"), "damaged-labels", "warning"),
        (one_more("<b>x</b>"), "damaged-labels", "warning"),
        (one_more("http://e.org/y"), "web-addresses", "warning"),
        (one_more("a " * 70), "endless-labels", "warning"),
        (one_more("Long", (), "x" * 3000), "long-texts", "warning"),
        (one_more("Big", (), "x", (), {"a": "x" * 200_000}), "giant-literals", "note"),
        (graph(named, [(h, "P31", t) for h, _, t in ring]), "relations-without-names", "warning"),
        (graph(named, [*ring, ("e0", "nextTo", "e2")]), "relations-alike", "note"),
        (graph(named, [*ring, *rare]), "rare-relations", "note"),
        (graph(named, [*ring, ("e0", "next_to", "e0")]), "self-loops", "note"),
        (graph(named, [*ring, ring[0]]), "repeated-triples", "note"),
        (
            graph(named, [(f"e{i}", "by", f"e{i + 1}") for i in range(0, 40, 2)]),
            "islands",
            "note",
        ),
        (
            graph(
                [(f"n{i}", f"Node {i}", (), "x") for i in range(1200)],
                [(f"n{i}", "in", "n0") for i in range(1, 1200)],
            ),
            "hubs",
            "note",
        ),
    ],
)
def test_what_hurts_is_found_and_graded(kg: KnowledgeGraph, name: str, level: str) -> None:
    assert names(kg).get(name) == level


def test_a_finding_says_how_many_and_names_some_the_worst_first() -> None:
    kg = graph([], [("Q1", "P31", "Q2"), ("Q2", "P31", "Q3")])
    found = check(kg)
    assert [finding.level for finding in found] == sorted(
        (finding.level for finding in found), key=["fault", "warning", "note"].index
    )
    assert (found[0].name, found[0].count, found[0].examples) == ("no-names", 3, ("Q1", "Q2", "Q3"))
    assert "all 3 entities have no label" in found[0].says
    assert all(finding.says and finding.mend for finding in found)


# -- the commands ---------------------------------------------------------------------------------


def test_check_leaves_one_on_a_fault_and_nought_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = str(tmp_path / "good"), str(tmp_path / "bad")
    sound().save(good)
    assert main(["graph", "check", good]) == 0
    assert "nothing found" in capsys.readouterr().out
    graph([], [("Q1", "P31", "Q2")]).save(bad)
    assert main(["graph", "check", bad, "--json", str(tmp_path / "found.json")]) == 1
    said = capsys.readouterr().out
    assert "fault: all 2 entities have no label" in said
    assert "mend: " in said
    assert "1 fault, " in said
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found[0]["level"] == "fault"
    assert found[0]["examples"] == ["Q1", "Q2"]


def test_check_notices_a_snapshot_that_was_tampered_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound().save(tmp_path)
    (labels,) = tmp_path.glob("labels.bytes-*.npy")
    labels.write_bytes(labels.read_bytes().replace(b"Entity", b"Nobody"))
    assert main(["graph", "check", str(tmp_path)]) == 2
    assert "was changed" in capsys.readouterr().err


def test_info_prints_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    folder, picture = tmp_path / "graph", tmp_path / "degrees.png"
    sound().save(folder)
    assert main(["graph", "info", str(folder), "--plot", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "connected parts" in said
    assert "triples by relation" in said
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("kg", [graph([], []), graph(named, []), sound()], ids=repr)
def test_degrees_of_any_graph_can_be_drawn(kg: KnowledgeGraph, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from kgfm.draw.degrees import save_degrees

    save_degrees(kg, tmp_path / "degrees.png")
    assert (tmp_path / "degrees.png").stat().st_size > 1000
