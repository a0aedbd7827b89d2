"""Text vectors of a graph: each text is read once, whichever part asks, and found again on disk."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_servers import SnapshotServer

from kgfm.backbones import TextEncoder
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.linking import Linker
from kgfm.pipeline import Pipeline
from kgfm.retrieval import LiveGraph
from kgfm.vectors import KeptVectors, LiveVectors, NodeVectors, type_vectors, vectors_folder
from kgfm.vectors.encode import unit

TINY = {"name": "tiny-bert"}


class Counting:
    """A text encoder that tells what it was given; its vectors have any length."""

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.given: list[str] = []

    def __call__(self, texts: list[str]) -> np.ndarray:
        self.given += texts
        rows = [np.frombuffer(text.encode().ljust(4)[:4], np.uint8) for text in texts]
        return np.array(rows, np.float32).reshape(-1, 4)


def graph_of(*names: str, relation: str = "likes", description: str = "") -> KnowledgeGraph:
    records = [EntityRecord(f"x/{name}", name, description=description) for name in names]
    triples = [(f"x/{names[0]}", relation, f"x/{name}") for name in names[1:]]
    return KnowledgeGraph.from_records(records, triples)


def expected(graph: KnowledgeGraph) -> np.ndarray:
    plain = Counting()([graph.text(row) for row in range(len(graph))])
    return unit(plain).astype(np.float16)


# -- computed once, and kept ----------------------------------------------------------------------


def test_vectors_are_computed_once_and_found_again_beside_the_snapshot(tmp_path: Path) -> None:
    first, again = Counting(), Counting()
    made = NodeVectors.load_or_compute(graph_of("Ann", "Bob", "Cid").save(tmp_path / "g"), first)
    assert sorted(first.given) == ["Ann", "Bob", "Cid", "likes"]
    graph = KnowledgeGraph.open(tmp_path / "g")
    found = NodeVectors.load_or_compute(graph, again)
    assert again.given == []
    assert np.array_equal(made.vectors, found.vectors)
    assert np.array_equal(found.vectors, expected(graph))
    assert np.array_equal(found.relations, unit(Counting()(["likes"])).astype(np.float16))
    assert isinstance(found.vectors, np.memmap)
    assert vectors_folder(tmp_path / "g", "counting").is_dir()


def test_vectors_of_a_graph_in_memory_are_kept_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    NodeVectors.load_or_compute(graph_of("Ann", "Bob"), Counting())
    assert list(tmp_path.iterdir()) == []


def test_vectors_of_an_encoder_without_a_name_are_neither_kept_nor_shared(tmp_path: Path) -> None:
    graph = graph_of("Ann", "Bob").save(tmp_path / "g")
    encode = Counting("")
    one, other = (NodeVectors.load_or_compute(graph, encode) for _ in range(2))
    assert len(encode.given) == 2 * 3
    assert np.array_equal(one.vectors, other.vectors)
    assert [path.name for path in tmp_path.iterdir()] == ["g"]


def test_only_changed_and_new_texts_are_encoded_again_and_rows_may_move(tmp_path: Path) -> None:
    folder = tmp_path / "vectors" / "counting"
    NodeVectors.load_or_compute(graph_of("Bob", "Cid", "Dan"), Counting(), folder=folder)
    changed, encode = graph_of("Abe", "Bob", "Dan", relation="knows"), Counting()
    found = NodeVectors.load_or_compute(changed, encode, folder=folder)
    assert sorted(encode.given) == ["Abe", "knows"]
    assert np.array_equal(found.vectors, expected(changed))
    renamed, encode = graph_of("Abe", "Bob", "Dan", relation="knows", description="x"), Counting()
    found = NodeVectors.load_or_compute(renamed, encode, folder=folder)
    assert sorted(encode.given) == ["Abe. x", "Bob. x", "Dan. x"]
    assert np.array_equal(found.vectors, expected(renamed))


def test_vectors_beside_a_neighbouring_snapshot_are_used(tmp_path: Path) -> None:
    old = graph_of("Ann", "Bob").save(tmp_path / "old")
    none = KnowledgeGraph.from_records([], []).save(tmp_path / "pnone")
    new = graph_of("Ann", "Bob", "Cid").save(tmp_path / "znew")
    for graph in (old, none):
        NodeVectors.load_or_compute(graph, Counting())
    encode = Counting()
    lazy = NodeVectors.of(new, encode)
    lazy.entities(np.array([0, 1]))
    assert encode.given == []  # also where they are asked for one by one
    found = NodeVectors.load_or_compute(new, encode)
    assert encode.given == ["Cid"]
    assert np.array_equal(found.vectors, expected(new))


def test_a_graph_with_other_triples_and_the_same_texts_has_the_same_vectors(tmp_path: Path) -> None:
    texts = graph_of("Ann", "Bob", "Cid").save(tmp_path / "a")
    other = KnowledgeGraph.from_records(
        [EntityRecord(f"x/{name}", name) for name in ("Ann", "Bob", "Cid")],
        [("x/Cid", "likes", "x/Bob")],
    ).save(tmp_path / "b")
    made = NodeVectors.load_or_compute(texts, Counting())
    encode = Counting()
    found = NodeVectors.load_or_compute(other, encode)
    assert encode.given == []
    assert np.array_equal(found.vectors, made.vectors)


@pytest.mark.parametrize("cut", [1, 100])
def test_damaged_vectors_and_those_of_another_encoder_are_computed_again(
    tmp_path: Path, cut: int
) -> None:
    graph = graph_of("Ann", "Bob").save(tmp_path / "g")
    NodeVectors.load_or_compute(graph, Counting())
    (file,) = vectors_folder(tmp_path / "g", "counting").glob("vectors-*.npy")
    file.write_bytes(file.read_bytes()[:-cut])
    encode = Counting()
    again = NodeVectors.load_or_compute(graph, encode)
    assert len(encode.given) == 3
    assert np.array_equal(again.vectors, expected(graph))
    other = Counting("other")
    NodeVectors.load_or_compute(graph, other)
    assert len(other.given) == 3


def test_an_entity_that_is_now_written_in_other_words_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = graph_of("Ann", "Bob").save(tmp_path / "g")
    NodeVectors.load_or_compute(graph, Counting())
    monkeypatch.setattr(KnowledgeGraph, "text", lambda self, row: f"entity {self.labels[row]}")
    encode = Counting()
    NodeVectors.load_or_compute(KnowledgeGraph.open(tmp_path / "g"), encode)
    assert sorted(encode.given) == ["entity Ann", "entity Bob"]


def test_vectors_are_computed_though_they_cannot_be_kept(tmp_path: Path) -> None:
    graph = graph_of("Ann", "Bob").save(tmp_path / "g")
    vectors_folder(tmp_path / "g", "counting").parent.write_text("in the way", encoding="utf-8")
    found = NodeVectors.load_or_compute(graph, Counting())
    assert np.array_equal(found.vectors, expected(graph))


@pytest.mark.parametrize("name", ["org/model", "../up", "..", r"a\b", "two words"])
def test_the_folder_of_any_encoder_stands_beside_the_snapshot(tmp_path: Path, name: str) -> None:
    graph = graph_of("Ann").save(tmp_path / "g")
    NodeVectors.load_or_compute(graph, Counting(name))
    assert {path.name for path in tmp_path.iterdir()} == {"g", "g.vectors"}
    assert len([*(tmp_path / "g.vectors").iterdir()]) == 1
    again = Counting(name)
    NodeVectors.load_or_compute(KnowledgeGraph.open(tmp_path / "g"), again)
    assert again.given == []


# -- one by one, or all ---------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=6), max_size=6), st.booleans())
@settings(max_examples=50, deadline=None)
def test_one_by_one_they_are_those_that_are_computed_together(
    asked: list[list[int]], ends_with_all: bool
) -> None:
    graph = graph_of(*"abcdefgh")
    encode = Counting()
    vectors, wanted = NodeVectors.of(graph, encode), expected(graph)
    for rows in asked:
        found = vectors.entities(np.array(rows, np.int64))
        assert np.array_equal(found, wanted[rows])
    assert sorted(encode.given) == sorted({graph.text(row) for rows in asked for row in rows})
    if ends_with_all:
        assert np.array_equal(vectors.vectors, wanted)
        assert Counter(encode.given) == dict.fromkeys([*"abcdefgh", "likes"], 1)


def test_the_width_is_known_before_anything_was_asked_for_and_costs_no_second_reading() -> None:
    encode = Counting()
    vectors = NodeVectors.of(graph_of("Ann", "Bob"), encode)
    assert vectors.width == 4
    _ = vectors.vectors, vectors.relations
    assert sorted(encode.given) == ["Ann", "Bob", "likes"]


def test_relations_alone_are_read_without_entities() -> None:
    encode = Counting()
    assert NodeVectors.of(graph_of("Ann", "Bob"), encode).relations.shape == (1, 4)
    assert encode.given == ["likes"]


@pytest.mark.parametrize("triples", [[], [("a", "is", "a")]])
@pytest.mark.parametrize("records", [[], [{"key": "a", "label": "A"}]])
def test_a_graph_without_entities_or_relations_has_vectors_of_the_same_width(
    records: list[dict[str, Any]], triples: list[tuple[str, str, str]]
) -> None:
    graph = KnowledgeGraph.from_records(records, triples if records else [])
    vectors = NodeVectors.load_or_compute(graph, Counting())
    assert vectors.vectors.shape == (graph.num_entities, 4)
    assert vectors.relations.shape == (graph.num_relations, 4)
    assert vectors.entities(np.zeros(0, np.int64)).shape == (0, 4)


def test_progress_is_told_up_to_the_last_entity() -> None:
    told: list[tuple[int, int]] = []
    NodeVectors.load_or_compute(
        graph_of("Ann", "Bob"), Counting(), progress=lambda *done: told.append(done)
    )
    assert told[-1] == (2, 2)


def test_vectors_have_length_one_whatever_the_encoder_gives() -> None:
    def encode(texts: list[str]) -> np.ndarray:
        return 1e6 * Counting()(texts)  # half precision ends at 65,504

    vectors = NodeVectors.load_or_compute(graph_of("Ann", "Bob"), encode)
    np.testing.assert_allclose(np.linalg.norm(vectors.vectors.astype(float), axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("given", [np.ones(4), np.ones((1, 4)), np.ones((3, 2, 2))])
def test_an_encoder_that_gives_no_row_for_each_text_is_refused(given: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a row of numbers for each"):
        NodeVectors.load_or_compute(graph_of("Ann", "Bob", "Cid"), lambda texts: given)


def test_threads_that_ask_at_once_read_each_text_once() -> None:
    names = [f"n{number:04d}" for number in range(500)]
    graph, encode = graph_of(*names), Counting()
    vectors, wanted = NodeVectors.of(graph, encode), expected(graph)
    parts = [np.random.default_rng(seed).integers(500, size=60) for seed in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(vectors.entities, parts)
        completed = pool.submit(vectors.compute_all)  # while others ask
        found = [*found]
        completed.result()
    for rows, some in zip(parts, found, strict=True):
        assert np.array_equal(some, wanted[rows])
    assert np.array_equal(vectors.vectors, wanted)
    assert max(Counter(encode.given).values()) == 1


@pytest.mark.parametrize("is_complete", [False, True])
def test_vectors_are_pickled_and_all_of_them_without_their_encoder(is_complete: bool) -> None:
    graph, encode = graph_of("Ann", "Bob"), Counting()
    vectors = NodeVectors.of(graph, encode)
    vectors.entities(np.array([1]))
    if is_complete:
        vectors.compute_all()
    again = pickle.loads(pickle.dumps(vectors))
    assert (b"Counting" in pickle.dumps(vectors)) != is_complete
    assert np.array_equal(again.vectors, expected(graph))


def test_saved_vectors_are_opened_as_they_were(tmp_path: Path) -> None:
    graph = graph_of("Ann", "Bob")
    made = NodeVectors.load_or_compute(graph, Counting())
    for found in (made.save(tmp_path / "v"), NodeVectors.open(tmp_path / "v")):
        assert np.array_equal(found.vectors, made.vectors)
        assert np.array_equal(found.relations, made.relations)
        assert np.array_equal(found.digests, made.digests)
        assert found.encoder == "counting"


# -- shared ---------------------------------------------------------------------------------------


def test_whoever_asks_is_given_the_vectors_that_somebody_holds() -> None:
    graph, first, second = graph_of("Ann", "Bob"), Counting(), Counting()
    vectors = NodeVectors.of(graph, first)
    vectors.entities(np.array([0]))
    assert NodeVectors.load_or_compute(graph, second) is vectors
    assert sorted(first.given) == ["Ann", "Bob", "likes"]
    assert second.given == []
    assert NodeVectors.of(graph, Counting("other")) is not vectors
    assert NodeVectors.of(graph_of("Ann", "Bob"), Counting()) is not vectors


def test_vectors_that_nobody_holds_are_forgotten() -> None:
    graph, encode = graph_of("Ann", "Bob"), Counting()
    for _ in range(2):
        NodeVectors.load_or_compute(graph, encode)
    assert len(encode.given) == 2 * 3


def test_loaded_vectors_can_be_shared_with_all_who_ask(tmp_path: Path) -> None:
    NodeVectors.load_or_compute(graph_of("Ann", "Bob"), Counting()).save(tmp_path / "v")
    graph, encode = graph_of("Ann", "Bob"), Counting()
    loaded = NodeVectors.open(tmp_path / "v").share(graph)
    assert NodeVectors.of(graph, encode) is loaded
    with pytest.raises(ValueError, match="are not the vectors of"):
        loaded.share(graph_of("Ann", "Bob", "Cid"))


def test_types_have_vectors_of_their_own(tmp_path: Path) -> None:
    records = [{"key": f"e{n}", "label": f"e{n}", "types": [f"t{n % 3}"]} for n in range(9)]
    graph = KnowledgeGraph.from_records(records, []).save(tmp_path / "g")
    encode = Counting()
    vectors: KeptVectors = type_vectors(graph, encode)
    vectors.take(np.array([1, 1]))
    assert encode.given == ["t1"]
    vectors.compute_all()
    again = type_vectors(graph, encode)
    assert again.is_complete
    assert sorted(encode.given) == ["t0", "t1", "t2"]
    assert np.array_equal(again.take(np.arange(3)), vectors.take(np.arange(3)))


# -- the linker and the model ---------------------------------------------------------------------

NAMESAKES = [
    {"key": f"{kind}{n}", "label": f"Lor{n}a", "description": f"{kind} number {n}"}
    for n in range(4)
    for kind in ("river", "bank")
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each text was given to any text encoder."""
    seen: Counter[str] = Counter()
    plain = TextEncoder.__call__

    def counting(self: TextEncoder, texts: Sequence[str], *more: Any) -> np.ndarray:
        seen.update(texts)
        return plain(self, texts, *more)

    monkeypatch.setattr(TextEncoder, "__call__", counting)
    return seen


def contextual(graph: KnowledgeGraph) -> Pipeline:
    """A pipeline whose linker compares contexts with entities, and whose encoder reads them."""
    return Pipeline(
        graph,
        {"name": "names", "context": True},
        task="answer",
        backbone=TINY,
        text_encoder=TINY,
        encoder={"name": "rgcn", "width": 16},
    )


def ask_linker(pipeline: Pipeline) -> None:
    pipeline.linker.link(["A boat on the water at Lor1a."])


def ask_model(pipeline: Pipeline) -> None:
    _ = pipeline.vectors.relations, pipeline.model


def ask_both(pipeline: Pipeline) -> None:
    pipeline("A boat on the water at Lor1a.")


@pytest.mark.parametrize("is_on_disk", [False, True])
@pytest.mark.parametrize("order", [(ask_linker, ask_model), (ask_model, ask_linker), (ask_both,)])
def test_a_pipeline_whose_linker_and_encoder_read_entities_reads_each_of_them_once(
    asked: Counter[str],
    order: tuple[Callable[[Pipeline], None], ...],
    is_on_disk: bool,
    tmp_path: Path,
) -> None:
    graph = KnowledgeGraph.from_records(NAMESAKES, [("river0", "feeds", "river1")])
    graph = graph.save(tmp_path / "g") if is_on_disk else graph
    pipeline = contextual(graph)
    for ask in order:
        ask(pipeline)
    texts = [graph.text(row) for row in range(len(graph))]
    assert {text: asked[text] for text in texts} == dict.fromkeys(texts, 1)
    linker = pipeline.linker
    assert isinstance(linker, Linker)
    assert linker.ranking.vectors is pipeline.vectors
    if is_on_disk:
        assert [path.name for path in tmp_path.glob("g.*/*")] == ["tiny-bert-128"]


def test_a_loaded_pipeline_reads_no_entity_again(asked: Counter[str], tmp_path: Path) -> None:
    graph = KnowledgeGraph.from_records(NAMESAKES, [("river0", "feeds", "river1")])
    contextual(graph).save(tmp_path / "run")
    asked.clear()
    ask_both(Pipeline.load(tmp_path / "run"))
    assert asked
    assert not {graph.text(row) for row in range(len(graph))} & asked.keys()


def test_the_live_graph_has_the_same_vectors_for_the_same_texts() -> None:
    graph, encode = graph_of("Ann", "Bob", "Cid"), Counting()
    live = LiveGraph(SnapshotServer(graph))
    met = {f"x/{name}": EntityRecord(f"x/{name}", name) for name in ("Cid", "Ann", "Bob")}
    live.learn(met, {"likes": "likes"})
    vectors = LiveVectors(live, encode)
    for _ in range(2):
        found = vectors.entities(np.arange(3))
        assert np.array_equal(found, expected(graph)[graph.rows([*live.keys])])
    assert np.array_equal(vectors.relations, unit(Counting()(["likes"])).astype(np.float16))
    assert sorted(encode.given) == ["Ann", "Bob", "Cid", "likes", "width"]
