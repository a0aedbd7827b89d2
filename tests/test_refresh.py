from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.cli import main
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.storage import DamagedFileError
from kgfm.stores.refresh import Changes, refresh

OLD = "@prefix : <http://e.org/> . @prefix r: <http://www.w3.org/2000/01/rdf-schema#> .\n"
OLD += ':heat r:label "Heat" ; :by :mann . :mann r:label "Mann" . :ali r:label "Ali" ; :by :mann .'
NEW = OLD.replace('"Heat"', '"Heat (1995)"').replace(':ali r:label "Ali"', ':jfk r:label "JFK"')


def files(path: Path) -> object:
    return json.loads((path / "manifest.json").read_text(encoding="utf-8"))["files"]


def test_a_refreshed_snapshot_of_rdf_is_a_fresh_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old.ttl", tmp_path / "new.ttl"
    old.write_text(OLD)
    new.write_text(NEW)
    KnowledgeGraph.from_rdf(old).save(tmp_path / "kg")
    found = refresh(tmp_path / "kg", new)
    KnowledgeGraph.from_rdf(new).save(tmp_path / "fresh")
    assert files(tmp_path / "kg") == files(tmp_path / "fresh")
    assert found.counts() == {
        "entities_added": 1,
        "entities_removed": 1,
        "texts_changed": 1,
        "triples_added": 1,
        "triples_removed": 1,
    }


def test_a_snapshot_that_was_open_before_a_refresh_says_to_open_it_again(tmp_path: Path) -> None:
    old, new = tmp_path / "old.ttl", tmp_path / "new.ttl"
    old.write_text(OLD)
    new.write_text(NEW)
    KnowledgeGraph.from_rdf(old).save(tmp_path / "kg")
    before, read = (KnowledgeGraph.open(tmp_path / "kg") for _ in range(2))
    labels = list(read.labels)
    refresh(tmp_path / "kg", new)
    assert list(read.labels) == labels
    with pytest.raises(DamagedFileError, match=r"replaced or removed meanwhile\. Open it again"):
        list(before.labels)
    assert "JFK" in list(KnowledgeGraph.open(tmp_path / "kg").labels)


def test_the_command_refreshes_tables_and_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    triples, entities = tmp_path / "t.tsv", tmp_path / "e.tsv"
    triples.write_text("a\tr\tb\n")
    entities.write_text("a\tA\nb\tB\n")
    snapshot = str(tmp_path / "kg")
    assert (
        main(["graph", "build", str(triples), "--entities", str(entities), "--out", snapshot]) == 0
    )
    assert main(["graph", "refresh", snapshot]) == 2
    assert "built from 't.tsv'" in capsys.readouterr().err
    assert main(["graph", "refresh", snapshot, str(triples)]) == 2
    assert "name the new one with --entities" in capsys.readouterr().err
    triples.write_text("a\tr\tb\nb\tr\ta\n")
    command = ["graph", "refresh", snapshot, str(triples), "--entities", str(entities)]
    assert main([*command, "--json", str(tmp_path / "out.json")]) == 0
    assert "1 triples added" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text())["triples_added"] == 1
    KnowledgeGraph.from_tables(triples, entities=entities).save(tmp_path / "fresh")
    assert files(tmp_path / "kg") == files(tmp_path / "fresh")
    (tmp_path / "x.ttl").write_text(OLD)
    assert main(["graph", "refresh", snapshot, str(tmp_path / "x.ttl")]) == 2
    assert "for the store 'rdf'" in capsys.readouterr().err


def test_a_snapshot_of_records_cannot_be_refreshed(tmp_path: Path) -> None:
    KnowledgeGraph.from_records([], [("a", "r", "b")]).save(tmp_path / "kg")
    with pytest.raises(ValueError, match="cannot be refreshed"):
        refresh(tmp_path / "kg", "t.tsv")


record = st.tuples(
    st.sampled_from("abcde"),
    st.sampled_from(["", "A", "B"]),
    st.lists(st.sampled_from(["A", "x", "y"]), max_size=2),
    st.sampled_from(["", "d"]),
    st.lists(st.sampled_from(["t", "u"]), max_size=2),
    st.dictionaries(st.sampled_from("nm"), st.integers(0, 2), max_size=2),
)
world = st.tuples(
    st.lists(record, max_size=5, unique_by=lambda record: record[0]),
    st.sets(st.tuples(st.sampled_from("abcde"), st.sampled_from("rs"), st.sampled_from("abcde"))),
)


@pytest.mark.filterwarnings("ignore:.*have no label:UserWarning")
@given(world, world, st.booleans())
def test_applied_changes_give_the_graph_that_a_fresh_build_gives(before, after, bare: bool) -> None:
    def known(side):
        """In a property graph every entity has a record; in RDF an empty one is none."""
        records, triples = side
        given = {record[0]: EntityRecord(*record) for record in records}
        if bare:
            for key in {end for h, _, t in triples for end in (h, t)} - {*given}:
                given[key] = EntityRecord(key)
            return given
        empty = ("", [], "", [], {})
        return {
            k: r
            for k, r in given.items()
            if (r.label, r.aliases, r.description, r.types, r.attributes) != empty
        }

    def graph(side) -> KnowledgeGraph:
        labels = {"r": "R"} if any(r == "s" for _, r, _ in side[1]) else {}
        return KnowledgeGraph.from_records(known(side).values(), sorted(side[1]), relations=labels)

    old, new = known(before), known(after)
    heads = {key for key in "abcde" if {t for t in before[1] ^ after[1] if t[0] == key}}
    ends = {end for h, _, t in after[1] for end in (h, t)}
    there = {end for h, _, t in before[1] for end in (h, t)} | {*old}
    changes = Changes(
        entities=[r for key, r in new.items() if old.get(key) != r]
        + [EntityRecord(key) for key in old if key not in new and key in ends],
        heads=heads,
        triples=[t for t in sorted(after[1]) if t[0] in heads],
        removed=there - {*new} - ends,
        relations={"r": "R"},
        keep_bare=bare,
    )
    expected = KnowledgeGraph.from_records(new.values(), sorted(after[1]), relations={"r": "R"})
    assert changes.applied_to(graph(before), {}).fingerprint == expected.fingerprint


def test_changes_that_contradict_themselves_are_refused() -> None:
    old = KnowledgeGraph.from_records([], [("a", "r", "b")])
    with pytest.raises(ValueError, match="begins at none of the heads"):
        Changes(triples=[("a", "r", "c")]).applied_to(old, {})
    with pytest.raises(ValueError, match="said to be removed"):
        Changes(heads=["a"], triples=[("a", "r", "b")], removed=["b"]).applied_to(old, {})
