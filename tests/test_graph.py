from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.graph import EntityRecord, GraphSchema, KnowledgeGraph, StringTable, describe, local_name
from kgfm.graph.schema import as_words
from kgfm.storage import DamagedFileError

TRIPLES = [
    ("film/Heat", "directed_by", "person/Mann"),
    ("film/Heat", "starring", "person/De Niro"),
    ("film/Ronin", "starring", "person/De Niro"),
    ("film/Ali", "directed_by", "person/Mann"),
]
ENTITIES = [
    {
        "key": "film/Heat",
        "label": "Heat",
        "aliases": ["Heat (1995)", "Hitze", "Heat"],
        "description": "A heist film.",
        "types": ["film", "crime film"],
        "attributes": {"year": 1995, "tags": {"b", "a"}, "rating": 8.3, "seen": True},
    },
    {"key": "film/Ronin", "label": "Ronin", "types": ["film"]},
    {"key": "film/Ali", "label": "Ali"},
    {"key": "person/Mann", "label": "Michael Mann", "description": "A director."},
    {"key": "person/De Niro", "label": "Robert De Niro"},
]


@pytest.fixture
def kg() -> KnowledgeGraph:
    return KnowledgeGraph.from_records(ENTITIES, TRIPLES, source={"store": "test"})


def triples_of(kg: KnowledgeGraph) -> list[tuple[str, str, str]]:
    columns = (kg.heads, kg.relations, kg.tails)
    return [
        (kg.keys[h], kg.relation_keys[r], kg.keys[t])
        for h, r, t in zip(*(column.tolist() for column in columns), strict=True)
    ]


keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
random_triples = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz"), st.sampled_from("abcdef")),
    max_size=40,
)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_string_table_holds_what_was_put_in(strings: list[str]) -> None:
    table = StringTable.from_strings(strings)
    assert list(table) == strings
    assert [table[row] for row in range(len(table))] == strings
    order = np.arange(len(strings))[::-1]
    assert list(table.take(order)) == strings[::-1]


@given(st.sets(keys), keys)
def test_a_sorted_table_finds_exactly_its_strings(strings: set[str], other: str) -> None:
    table = StringTable.from_strings(sorted(strings))
    assert [table.find(string) for string in sorted(strings)] == list(range(len(strings)))
    assert (table.find(other) >= 0) == (other in strings)


def test_a_string_table_knows_its_bounds() -> None:
    table = StringTable.from_strings(["a", "b"])
    assert table[-1] == "b"
    with pytest.raises(IndexError, match="Row 2"):
        table[2]
    assert repr(table) == "StringTable(2 strings: 'a', 'b')"


def test_a_graph_is_in_canonical_order(kg: KnowledgeGraph) -> None:
    assert list(kg.keys) == sorted(entity["key"] for entity in ENTITIES)
    assert list(kg.relation_keys) == ["directed_by", "starring"]
    assert triples_of(kg) == sorted(TRIPLES)
    assert len(kg) == kg.num_entities == 5
    assert (kg.num_relations, kg.num_triples) == (2, 4)
    assert repr(kg) == "KnowledgeGraph(5 entities, 2 relations, 4 triples)"


@given(random_triples, st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(triples, random) -> None:
    other = triples * 2
    random.shuffle(other)
    one = KnowledgeGraph.from_records([{"key": "z"}, {"key": "a", "label": "A"}], triples)
    two = KnowledgeGraph.from_records([{"key": "a", "label": "A"}, {"key": "z"}], other)
    assert one.fingerprint == two.fingerprint


# The label of "a" above makes the others worth a warning.
test_the_order_of_what_is_given_does_not_matter = pytest.mark.filterwarnings(
    "ignore:.* entities have no label"
)(test_the_order_of_what_is_given_does_not_matter)


@given(random_triples)
def test_adjacency_holds_every_triple_from_both_ends_in_fan_out_order(triples) -> None:
    kg = KnowledgeGraph.from_records([], triples)
    degree: Counter[str] = Counter()
    for head, _, tail in set(triples):
        degree[head] += 1
        degree[tail] += 1
    assert kg.degree.tolist() == [degree[key] for key in kg.keys]
    for row, key in enumerate(kg.keys):
        out = [(degree[t], r, 0, t) for h, r, t in set(triples) if h == key]
        into = [(degree[h], r, 1, h) for h, r, t in set(triples) if t == key]
        found = []
        for place in range(*kg.neighbour_indptr[row : row + 2].tolist()):
            neighbour = kg.keys[int(kg.neighbour_entity[place])]
            inverse, relation = divmod(int(kg.neighbour_relation[place]), kg.num_relations)
            found.append((degree[neighbour], kg.relation_keys[relation], inverse, neighbour))
        assert found == sorted(out + into)
        first, last = kg.out_indptr[row : row + 2].tolist()
        assert triples_of(kg)[first:last] == sorted(t for t in set(triples) if t[0] == key)


def test_what_is_known_of_an_entity_comes_back(kg: KnowledgeGraph) -> None:
    row = kg.row("film/Heat")
    assert kg.label("film/Heat") == "Heat"
    assert kg.names(row) == ("Heat", "Heat (1995)", "Hitze")
    assert kg.types(row) == ("crime film", "film")
    assert kg.attributes(row) == {"rating": 8.3, "seen": True, "tags": ["a", "b"], "year": 1995}
    assert kg.text(row) == "Heat (crime film, film). A heist film."
    assert kg.text(kg.row("film/Ali")) == "Ali"
    assert kg.text(kg.row("person/Mann")) == "Michael Mann. A director."
    assert kg.attributes(kg.row("film/Ali")) == {}
    assert kg.relation_text(kg.relation_row("directed_by")) == "directed by"


def test_two_records_of_one_entity_are_joined() -> None:
    kg = KnowledgeGraph.from_records(
        [
            EntityRecord("a", "A", types=["x"], attributes={"n": 1}),
            EntityRecord("a", "Alpha", description="First.", attributes={"n": 2}),
        ],
        [],
    )
    assert kg.names(0) == ("A", "Alpha")
    assert kg.attributes(0) == {"n": [1, 2]}
    assert kg.text(0) == "A (x). First."


def test_rows_are_found_by_key_and_a_missing_key_names_near_ones(kg: KnowledgeGraph) -> None:
    assert kg.rows(["person/Mann", "film/Ali"]).tolist() == [4, 0]
    assert kg.rows([]).tolist() == []
    assert "film/Ali" in kg
    assert "film/Alien" not in kg
    assert 7 not in kg
    with pytest.raises(KeyError, match=r"No entity 'film/Heta'.*Did you mean 'film/Heat'"):
        kg.row("film/Heta")
    with pytest.raises(KeyError, match="film/Heta"):
        kg.rows(["film/Ali", "film/Heta"])
    with pytest.raises(KeyError, match="Did you mean 'starring'"):
        kg.relation_row("staring")


def test_a_graph_of_iris_without_labels_falls_back_on_local_names_with_a_count() -> None:
    with pytest.warns(UserWarning, match="2 of 2 entities have no label") as caught:
        kg = KnowledgeGraph.from_records([], [("http://a.org/Heat", "p", "http://a.org/b#Mann")])
    assert len(caught) == 1
    assert list(kg.labels) == ["Heat", "Mann"]
    assert kg.labelled.tolist() == [False, False]


def test_names_as_keys_need_no_labels() -> None:
    kg = KnowledgeGraph.from_records([], [("AC/DC", "plays", "Hard rock")])
    assert list(kg.labels) == ["AC/DC", "Hard rock"]


@pytest.mark.filterwarnings("ignore:.* have no label")
def test_the_empty_graph_is_a_graph(tmp_path: Path) -> None:
    empty = KnowledgeGraph.from_records([], [])
    assert (len(empty), empty.num_relations, empty.num_triples) == (0, 0, 0)
    opened = empty.save(tmp_path)
    assert list(opened.keys) == []
    assert opened.heads.tolist() == []
    assert opened.fingerprint == empty.fingerprint
    assert opened.shuffled(0).num_triples == 0
    assert describe(opened)["entities"] == 0
    assert opened.rows([]).tolist() == []
    assert "0 entities" in opened._repr_html_()
    with pytest.raises(KeyError, match="graph of 0 entities"):
        opened.row("a")


@pytest.mark.parametrize(
    ("entity", "message"),
    [
        ({"key": "a\ud800"}, "An entity has the key 'a.ud800' with a lone surrogate"),
        ({"key": "a", "label": "\udfff"}, "of entity 'a' holds a lone surrogate"),
        (
            {"key": "a", "label": "A", "aliases": ["x", "\udfff"]},
            "of entity 'a' holds a lone surrogate",
        ),
        (
            {"key": "a", "label": "A", "attributes": {"n": "\udfff"}},
            "of entity 'a' holds a lone surrogate",
        ),
        ({"key": ""}, "An entity has an empty key"),
    ],
)
def test_what_utf8_cannot_hold_is_refused_by_name(entity, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KnowledgeGraph.from_records([{"key": "0", "label": "fine"}, entity], [])


def test_bad_triples_are_refused(unchecked: None) -> None:
    with pytest.raises(ValueError, match=r"Triple 1 is \('a', 'b'\)"):
        KnowledgeGraph.from_records([], [("a", "b", "c"), ("a", "b")])
    with pytest.raises(TypeError, match="write '7'"):
        KnowledgeGraph.from_records([], [("a", "b", 7)])
    with pytest.raises(ValueError, match="empty key"):
        KnowledgeGraph.from_records([], [("a", "", "c")])
    with pytest.raises(ValueError, match="lone surrogate"):
        KnowledgeGraph.from_records([], [("a", "b", "\ud800")])
    with pytest.raises(ValueError, match="'since' has 1 values"):
        KnowledgeGraph.from_records([], TRIPLES, edge_attributes={"since": [1]})


def test_save_and_open_give_the_same_graph(kg: KnowledgeGraph, tmp_path: Path) -> None:
    saved = kg.save(tmp_path / "kg")
    assert saved.path == tmp_path / "kg"
    assert saved.fingerprint == kg.fingerprint
    assert saved.manifest["source"] == {"store": "test"}
    assert saved.manifest["counts"] == {"entities": 5, "relations": 2, "triples": 4}
    assert triples_of(saved) == triples_of(kg)
    assert saved.names(1) == kg.names(1)
    assert repr(KnowledgeGraph.open(tmp_path / "kg", verify=True)) == repr(kg)
    again = saved.save(tmp_path / "again")
    assert again.manifest == saved.manifest


def test_a_graph_can_be_saved_over_itself(kg: KnowledgeGraph, tmp_path: Path) -> None:
    saved = kg.save(tmp_path)
    saved.save(tmp_path)
    assert triples_of(saved) == triples_of(KnowledgeGraph.open(tmp_path, verify=True))


def test_opening_reads_no_array(kg: KnowledgeGraph, tmp_path: Path) -> None:
    opened = kg.save(tmp_path)
    assert not opened._arrays
    opened.row("film/Ali")
    assert set(opened._arrays) == {"keys.offsets", "keys.bytes"}


def test_arrays_cannot_be_changed(kg: KnowledgeGraph, tmp_path: Path) -> None:
    for graph in (kg, kg.save(tmp_path), kg.shuffled(0)):
        with pytest.raises(ValueError, match="read-only"):
            graph.tails[0] = 0


def test_a_damaged_snapshot_is_refused(kg: KnowledgeGraph, tmp_path: Path) -> None:
    saved = kg.save(tmp_path)
    file = tmp_path / saved.manifest["files"]["tails.npy"]["file"]
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(DamagedFileError, match="truncated or was changed"):
        KnowledgeGraph.open(tmp_path)
    file.write_bytes(whole[:-1] + b"\x01")
    with pytest.raises(DamagedFileError, match="was changed: its hash"):
        KnowledgeGraph.open(tmp_path, verify=True)
    file.write_bytes(b"\x00" * len(whole))
    with pytest.raises(DamagedFileError, match="build the graph anew"):
        _ = KnowledgeGraph.open(tmp_path).tails
    file.unlink()
    with pytest.raises(DamagedFileError, match="lacks tails"):
        KnowledgeGraph.open(tmp_path)
    with pytest.raises(FileNotFoundError, match="There is no graph at"):
        KnowledgeGraph.open(tmp_path / "none")


def test_an_interrupted_save_leaves_the_old_graph_whole(
    kg: KnowledgeGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kg.save(tmp_path)
    other = kg.shuffled(3)
    monkeypatch.setattr("kgfm.storage.replace_file", lambda *_: (_ for _ in ()).throw(OSError))
    with pytest.raises(OSError):  # noqa: PT011
        other.save(tmp_path)
    assert KnowledgeGraph.open(tmp_path, verify=True).fingerprint == kg.fingerprint


def test_a_graph_pickles_as_its_path(kg: KnowledgeGraph, tmp_path: Path) -> None:
    saved = kg.save(tmp_path)
    pickled = pickle.dumps(saved)
    assert len(pickled) < 500
    assert pickle.loads(pickled).path == tmp_path
    kg.select(kg.heads > 0).save(tmp_path)
    with pytest.raises(DamagedFileError, match="rebuilt meanwhile"):
        pickle.loads(pickled)


def _last_key(kg: KnowledgeGraph) -> str:
    return kg.keys[-1]


def test_a_graph_in_memory_reaches_other_processes_and_leaves_nothing(tmp_path: Path) -> None:
    kg = KnowledgeGraph.from_records([], TRIPLES)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(_last_key, [kg, kg]) == ["person/Mann"] * 2
    assert pickle.loads(pickle.dumps(kg)).fingerprint == kg.fingerprint
    script = (
        "import pickle; from kgfm.graph import KnowledgeGraph as K;"
        "kg = K.from_records([], [('a', 'b', 'c')]); pickle.dumps(kg); print(kg._temporary)"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip()
    assert not Path(run.stdout.strip()).exists()


def test_shuffling_keeps_every_relations_heads_and_tails() -> None:
    random = np.random.default_rng(0)
    triples = [(f"h{i}", f"r{i % 3}", f"t{random.integers(100)}") for i in range(500)]
    kg = KnowledgeGraph.from_records([], triples)
    shuffled = kg.shuffled(7)
    assert shuffled.fingerprint == kg.shuffled(7).fingerprint
    assert shuffled.fingerprint != kg.shuffled(8).fingerprint
    assert shuffled.num_triples == kg.num_triples
    for end in (0, 2):
        pairs = [Counter((t[1], t[end]) for t in triples_of(g)) for g in (kg, shuffled)]
        assert pairs[0] == pairs[1]
    kept = len(set(triples_of(kg)) & set(triples_of(shuffled)))
    assert kept < 0.1 * len(triples)
    assert list(shuffled.labels) == list(kg.labels)
    assert shuffled.manifest["source"] == {"shuffled": 7, "of": {}}


def test_rewiring_keeps_degrees_and_neither_ends_nor_relations() -> None:
    random = np.random.default_rng(0)
    triples = [(f"h{i % 200}", f"r{i % 3}", f"t{random.integers(100)}") for i in range(500)]
    triples = sorted(set(triples))
    years = list(range(len(triples)))
    kg = KnowledgeGraph.from_records([], triples, edge_attributes={"year": years})
    other = kg.rewired(7)
    assert other.fingerprint == kg.rewired(7).fingerprint
    assert other.fingerprint != kg.rewired(8).fingerprint
    assert other.num_triples == kg.num_triples
    for column in range(3):
        counts = [Counter(t[column] for t in triples_of(g)) for g in (kg, other)]
        assert counts[0] == counts[1]
    assert len(set(triples_of(kg)) & set(triples_of(other))) < 0.1 * len(triples)
    for end in (0, 2):
        pairs = [Counter((t[1], t[end]) for t in triples_of(g)) for g in (kg, other)]
        assert pairs[0] != pairs[1]
    relations = [
        dict(zip(g.edge_attributes["year"], (t[1] for t in triples_of(g)), strict=True))
        for g in (kg, other)
    ]
    assert relations[0] == relations[1]
    assert list(other.labels) == list(kg.labels)
    assert other.manifest["source"] == {"rewired": 7, "of": {}}
    assert KnowledgeGraph.from_records([], []).rewired(0).num_triples == 0


def test_selecting_keeps_the_entities_and_the_chosen_triples(
    kg: KnowledgeGraph, tmp_path: Path, unchecked: None
) -> None:
    for graph in (kg, kg.save(tmp_path)):
        chosen = graph.select(np.array([True, False, False, True]))
        assert triples_of(chosen) == [sorted(TRIPLES)[0], sorted(TRIPLES)[3]]
        assert list(chosen.keys) == list(kg.keys)
        assert chosen.names(1) == kg.names(1)
        assert chosen.path is None
    with pytest.raises(ValueError, match=r"bool of shape \(4,\)"):
        kg.select(np.array([True]))
    with pytest.raises(ValueError, match="bool of shape"):
        kg.select(np.array([0, 1, 2, 3]))


def test_edge_attributes_follow_their_triples(tmp_path: Path) -> None:
    columns = {
        "since": [1, 2, 3, 4],
        "weight": [0.5, None, 1, 2.5],
        "who": ["a", None, "", "d"],
        "sure": [True, False, True, True],
    }
    kg = KnowledgeGraph.from_records([], TRIPLES, edge_attributes=columns).save(tmp_path)
    order = sorted(range(4), key=TRIPLES.__getitem__)
    assert kg.edge_attributes["since"].tolist() == [columns["since"][i] for i in order]
    assert kg.edge_attributes["since"].dtype == np.int64
    assert kg.edge_attributes["sure"].dtype == bool
    np.testing.assert_array_equal(kg.edge_attributes["weight"], [2.5, 0.5, np.nan, 1])
    assert list(kg.edge_attributes["who"]) == ["d", "a", "", ""]
    chosen = kg.select(kg.relations == kg.relation_row("starring"))
    assert list(chosen.edge_attributes["who"]) == ["", ""]
    assert chosen.edge_attributes["since"].tolist() == [2, 3]
    shuffled = kg.shuffled(0)
    assert sorted(shuffled.edge_attributes["since"].tolist()) == [1, 2, 3, 4]


@pytest.mark.filterwarnings("ignore:.*given again with other values")
def test_of_equal_triples_with_other_attributes_one_stays_whatever_the_order() -> None:
    triple = TRIPLES[:1]
    graphs = [
        KnowledgeGraph.from_records([], triple * 3, edge_attributes={"n": n, "s": s})
        for n, s in (([3, 1, None], ["a", "b", "c"]), ([None, 3, 1], ["c", "a", "b"]))
    ]
    assert graphs[0].fingerprint == graphs[1].fingerprint
    assert graphs[0].edge_attributes["n"].tolist() == [1]


def test_the_fingerprint_tells_every_part_of_the_content_but_not_the_source() -> None:
    def graph(label="A", source=None, **fields) -> str:
        entity = {"key": "a", "label": label, **fields}
        other = {"key": "b", "label": "B"}
        kg = KnowledgeGraph.from_records([entity, other], [("a", "r", "b")], source=source)
        return kg.fingerprint

    assert graph() == graph(source={"file": "x"})
    changes = [{"label": "AA"}, {"aliases": ["x"]}, {"description": "x"}, {"types": ["x"]}]
    prints = {graph(**change) for change in [*changes, {"attributes": {"x": 1}}, {}]}
    assert len(prints) == 6


def test_html_is_escaped() -> None:
    kg = KnowledgeGraph.from_records([], [("<script>", "r&d", "<b>")])
    shown = kg._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "r&amp;d" in shown


def test_describe_counts(kg: KnowledgeGraph) -> None:
    said = describe(kg)
    assert (said["entities"], said["relations"], said["triples"]) == (5, 2, 4)
    assert said["with_label"] == 1.0
    assert said["with_description"] == 0.4
    assert said["with_alias"] == 0.2
    assert said["degree"] == {"mean": 1.6, "min": 1, "median": 2, "p90": 2, "p99": 2, "max": 2}
    assert [entry["triples"] for entry in said["by_relation"]] == [2, 2]


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("http://example.org/film#Heat", "Heat"),
        ("http://example.org/film/Heat/", "Heat"),
        ("http://example.org/Caf%C3%A9", "Café"),
        ("ex:Heat", "Heat"),
        ("urn:isbn:123", "123"),
        ("film/Heat", "film/Heat"),
        ("Alien: Covenant", "Alien: Covenant"),
        ("Re:Zero", "Re:Zero"),
        ("_:b0", ""),
        ("http://", "http://"),
        ("#", "#"),
    ],
)
def test_local_names(key: str, name: str) -> None:
    assert local_name(key) == name


def test_relation_names_as_words() -> None:
    assert as_words("directed_by") == "directed by"
    assert as_words("hasIMDBRating") == "has IMDB rating"
    assert as_words("place of birth") == "place of birth"
    assert as_words("Director") == "Director"
    assert as_words("") == ""


def test_a_schema_ranks_languages_and_refuses_a_bare_string(unchecked: None) -> None:
    schema = GraphSchema(language=("de", "en", ""))
    tags = ["de", "de-AT", "EN", "", "fr"]
    *ranks, unwanted = (schema.language_rank(tag) for tag in tags)
    assert unwanted is None
    assert ranks == sorted(ranks)
    assert len({*ranks}) == 4
    assert GraphSchema(language=("*",)).language_rank("fr") == 0
    with pytest.raises(TypeError, match=r"write \('name',\)"):
        GraphSchema(label="name")  # type: ignore[arg-type]


def test_graphs_load_neither_torch_nor_numba() -> None:
    heavy = [
        "torch",
        "transformers",
        "numba",
        "pandas",
        "networkx",
        "rdflib",
        "pyoxigraph",
        "scipy",
    ]
    script = (
        "import sys, kgfm.graph, kgfm.stores;"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_only_labels_that_fail_are_warned_of() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KnowledgeGraph.from_records(ENTITIES, TRIPLES)
    with pytest.warns(UserWarning, match="1 of 6 entities have no label, such as 'x'"):
        KnowledgeGraph.from_records([*ENTITIES, {"key": "x"}], TRIPLES)
