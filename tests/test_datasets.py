"""Public data sets in their official layouts, and a user's own."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest

from kgfm.datasets import DATASETS, Dataset, film_genres, jsonl, metaqa, split
from kgfm.datasets.base import compiled
from kgfm.datasets.films import GENRES, HAS_GENRE, HAS_TAGS
from kgfm.datasets.jsonl import read_examples
from kgfm.datasets.metaqa import answer_keys
from kgfm.graph import KnowledgeGraph
from kgfm.storage import MANIFEST
from kgfm.types import Mention, check_labels

ENTITIES = ["Heat", "Mann", "9.99", "Drama", "Alien", "Paris", "Texas", "Paris, Texas", "drama"]
ENTITIES += ["Stanton", "dark\ttower", "Wings", "Crime", "1984"]
RELATIONS = ["directed_by", HAS_GENRE, HAS_TAGS, "starred_actors", "release_year"]
TRIPLES = [
    ("Heat", "directed_by", "Mann"),
    ("Heat", HAS_GENRE, "Drama"),
    ("Heat", HAS_GENRE, "Crime"),
    ("Heat", HAS_TAGS, "drama"),
    ("Heat", HAS_TAGS, "dark\ttower"),
    ("Alien", "starred_actors", "Stanton"),
    ("Alien", HAS_GENRE, "Drama"),
    ("Alien", "release_year", "1984"),
    ("Alien", "release_year", "9.99"),
    ("Paris, Texas", "starred_actors", "Stanton"),
    ("Paris, Texas", HAS_GENRE, "Drama"),
    ("Wings", "directed_by", "Mann"),
    ("Wings", HAS_GENRE, "Drama"),
]
NAMED = '<x:{0}> <http://www.w3.org/2000/01/rdf-schema#label> "{0}" .'
PLOTS = ["heat|has_plot|a thief | a cop.", "alien|has_plot|in space.", "wings|has_plot|one."]
PLOTS += ["wings|has_plot|two.", "paris, texas|has_plot|a man walks.", "unknown|has_plot|none."]


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


@pytest.fixture
def films(tmp_path):
    """A little MetaQA in the official layout."""
    folder = tmp_path / "metaqa"
    write(folder / "kb/entities.dict", [f"{i}\t{name}" for i, name in enumerate(ENTITIES)])
    numbered = [n for name in RELATIONS for n in (name, name + "_reverse")]
    write(folder / "kb/relations.dict", [f"{i}\t{name}" for i, name in enumerate(numbered)])
    rows = [
        f"{ENTITIES.index(h)} {2 * RELATIONS.index(r)} {ENTITIES.index(t)}" for h, r, t in TRIPLES
    ]
    inverse = f"{ENTITIES.index('Mann')} 1 {ENTITIES.index('Heat')}"
    write(folder / "kb/train.txt", [*rows, rows[0], inverse])
    dev = [f"who directed [Heat] number {i}\tMann" for i in range(40)]
    dev += ["what does [Stanton] act in\tAlien|Paris|Texas"] * 2
    write(folder / "1-hop/qa_dev.txt", dev)
    write(folder / "text/wikimovies_plots.txt", PLOTS)
    return folder


def every(dataset):
    return dataset.train + dataset.validation + dataset.test


def test_every_data_set_can_be_asked_for_by_its_name():
    assert set(DATASETS) == {
        *("banking77", "fewrel", "film-genres", "jsonl", "metaqa", "newsmtsc", "newsroom"),
        *("pathquestion", "phrasebank", "semeval", "semeval-categories", "sentfin", "table"),
        "world",
    }


def test_a_split_deals_all_out_once_and_by_the_seed_alone():
    parts = split(range(100), seed=1, test=0.2, validation=0.1)
    assert [len(part) for part in parts] == [72, 8, 20]
    assert sorted(item for part in parts for item in part) == list(range(100))
    assert parts == split(range(100), seed=1, test=0.2, validation=0.1)
    assert parts != split(range(100), seed=2, test=0.2, validation=0.1)
    with pytest.raises(ValueError, match="test is a share, 0 to 1; got 20"):
        split(range(100), seed=1, test=20, validation=0.1)


def test_a_graph_is_compiled_once_and_again_when_its_source_changes_or_is_damaged(tmp_path):
    built = []

    def build():
        built.append(1)
        return KnowledgeGraph.from_records([], [("a", "r", "b")])

    first = compiled(tmp_path, "small", {"sha256": "1"}, build)
    assert compiled(tmp_path, "small", {"sha256": "1"}, build).path == first.path
    assert len(built) == 1
    assert compiled(tmp_path, "small", {"sha256": "2"}, build).path != first.path
    assert len(built) == 2
    (first.path / MANIFEST).write_text("{")
    assert compiled(tmp_path, "small", {"sha256": "1"}, build).num_triples == 1
    assert len(built) == 3


# -- MetaQA ---------------------------------------------------------------------------------------


def test_metaqa_reads_labels_with_tabs_and_only_even_relations(films, tmp_path):
    graph = metaqa(films, tmp_path / "cache").graph
    assert len(graph) == len(ENTITIES)
    assert "dark\ttower" in graph
    assert "9.99" in graph
    assert graph.num_triples == len(TRIPLES)
    assert list(graph.relation_keys) == sorted(RELATIONS)
    assert graph.relation_text(graph.relation_row("directed_by")) == "directed by"


def test_metaqa_takes_the_brackets_out_and_leaves_the_topic_to_the_linker(films, tmp_path):
    dataset = metaqa(films, tmp_path / "cache")
    assert len(every(dataset)) == 42
    assert all("[" not in example.text and example.mentions is None for example in every(dataset))


def test_metaqa_gives_the_topic_with_its_offsets_when_told_so(films, tmp_path):
    for example in every(metaqa(films, tmp_path / "cache", topics="gold")):
        (mention,) = example.mentions
        assert example.text[mention.start : mention.end] == mention.text == mention.entity


def test_metaqa_joins_a_label_that_was_split_at_its_comma(films, tmp_path):
    (target,) = {e.target for e in every(metaqa(films, tmp_path / "cache")) if "act" in e.text}
    assert target == ("Alien", "Paris, Texas")
    labels = {"a", "b|c", "d, e, f", "d, e"}
    assert list(answer_keys("a|b|c|d|e|f|x", labels)) == ["a", "b|c", "d, e, f", "x"]


def test_a_question_that_stands_twice_is_in_one_part_only(films, tmp_path):
    for seed in range(5):
        dataset = metaqa(films, tmp_path / "cache", seed=seed)
        parts = [{example.text for example in part} for part in every_part(dataset)]
        assert sum(map(len, parts)) == len(set().union(*parts)) == 41


def every_part(dataset):
    return dataset.train, dataset.validation, dataset.test


def test_metaqa_reads_the_official_parts_when_told_so(films, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"qa_train\.txt"):
        metaqa(films, tmp_path / "cache", questions="official")
    for part in ("train", "test"):
        write(films / f"1-hop/qa_{part}.txt", [f"who directed [Heat] {part}\tMann"])
    dataset = metaqa(films, tmp_path / "cache", questions="official")
    assert [len(part) for part in every_part(dataset)] == [1, 42, 1]
    assert dataset.test[0].text == "who directed Heat test"


def test_metaqa_says_what_is_wrong_and_where(films, tmp_path):
    with pytest.raises(ValueError, match=r"hops is one of 1, 2, 3, .all.; got 4"):
        metaqa(films, tmp_path / "cache", hops=4)
    with pytest.raises(ValueError, match="--data"):
        metaqa(None, tmp_path / "cache")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        metaqa(tmp_path / "nowhere", tmp_path / "cache")
    write(films / "1-hop/qa_dev.txt", ["who directed [Heat]\tMann", "who directed Heat\tMann"])
    with pytest.raises(ValueError, match=r"qa_dev\.txt, line 2"):
        metaqa(films, tmp_path / "cache")
    write(films / "kb/train.txt", ["0 0 1", "0 0 99"])
    with pytest.raises(ValueError, match=r"train\.txt, line 2"):
        metaqa(films, tmp_path / "cache")


# -- film genres ----------------------------------------------------------------------------------


def test_only_films_with_one_plot_one_head_at_most_one_year_and_a_genre_count(films, tmp_path):
    examples = every(film_genres(films, tmp_path / "cache"))
    assert {e.text: e.target for e in examples} == {
        "Heat. a thief | a cop.": ("Drama", "Crime"),
        "Paris, Texas. a man walks.": ("Drama",),
    }
    assert {e.mentions for e in examples} == {
        (Mention(0, len(title), title, title),) for title in ("Heat", "Paris, Texas")
    }


def test_genres_and_tags_named_like_one_leave_the_graph(films, tmp_path):
    dataset = film_genres(films, tmp_path / "cache")
    assert HAS_GENRE not in list(dataset.graph.relation_keys)
    assert not {"drama", "Drama", "Crime"} & set(dataset.graph.keys)
    assert "dark\ttower" in dataset.graph


def test_only_training_films_show_their_genres_and_only_when_told_so(films, tmp_path):
    dataset = film_genres(films, tmp_path / "cache", genre_edges="train")
    graph = dataset.graph
    genre = graph.relations == graph.relation_row(HAS_GENRE)
    heads = {graph.keys[int(row)] for row in graph.heads[genre]}
    assert heads == {example.mentions[0].entity for example in dataset.train}
    assert "drama" not in graph


def test_plots_become_descriptions_when_told_so(films, tmp_path):
    plain, told = (film_genres(films, tmp_path / "cache", plots=plots) for plots in (False, True))
    assert not any(plain.graph.descriptions)
    described = {told.graph.keys[i]: text for i, text in enumerate(told.graph.descriptions) if text}
    assert set(described) == {"Heat", "Alien", "Paris, Texas"}
    assert plain.graph.path != told.graph.path


def test_film_genres_refuses_another_way_with_the_edges(films, tmp_path):
    with pytest.raises(Exception, match=r"'none'.*'train'"):  # the annotation may be checked first
        film_genres(films, tmp_path / "cache", genre_edges="all")


@pytest.mark.data
def test_the_real_films_are_as_many_as_they_should_be(public_data, tmp_path):
    if not (public_data / "metaqa" / "text").is_dir():
        pytest.skip(f"no metaqa with plots in {public_data}")
    dataset = film_genres(public_data / "metaqa", tmp_path, genre_edges="train")
    assert len(every(dataset)) == 9_865
    assert {genre for example in dataset.train for genre in example.target} == set(GENRES)
    shown = int(np.sum(dataset.graph.relations == dataset.graph.relation_row(HAS_GENRE)))
    assert shown >= len(dataset.train)


@pytest.mark.data
@pytest.mark.parametrize(("hops", "questions"), [(1, 9_992), (2, 14_872), (3, 14_274)])
def test_the_real_metaqa_is_read_whole(public_data, tmp_path, hops, questions):
    if not (public_data / "metaqa").is_dir():
        pytest.skip(f"no metaqa in {public_data}")
    dataset = metaqa(public_data / "metaqa", tmp_path, hops=hops, topics="gold")
    assert repr(dataset.graph) == "KnowledgeGraph(43,234 entities, 9 relations, 133,582 triples)"
    assert len(every(dataset)) == questions
    keys = set(dataset.graph.keys)
    assert all(set(e.target) <= keys and e.mentions[0].entity in keys for e in every(dataset))


# -- a user's own ---------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path):
    write(tmp_path / "graph.tsv", ["Heat\tdirector\tMann", "Alien\tdirector\tScott"])
    lines = [
        {"text": "Who directed Heat?", "target": "Mann"},
        {"text": "And Alien?", "target": ["Scott"], "mentions": [mention(4, 9, "Alien")]},
        {"text": "Who wrote it?", "target": [], "mentions": []},
        {"text": "Unknown."},
    ]
    write(tmp_path / "train.jsonl", [*map(json.dumps, lines), ""])
    return tmp_path


def mention(start, end, entity):
    return {"start": start, "end": end, "entity": entity}


def read(folder, **arguments):
    given = {"graph": "graph.tsv", "train": "train.jsonl", "validation": "train.jsonl"}
    return jsonl(folder, folder / "cache", **given | arguments)


def test_own_texts_are_read_with_targets_and_mentions(own):
    dataset = read(own)
    assert isinstance(dataset, Dataset)
    assert [example.target for example in dataset.train] == [("Mann",), ("Scott",), (), None]
    assert [example.mentions for example in dataset.train] == [
        None,
        (Mention(4, 9, "Alien", "Alien"),),
        (),
        None,
    ]
    assert dataset.test == ()
    assert read(own, test="train.jsonl").test == dataset.train


def test_own_graph_may_be_a_file_or_a_snapshot(own):
    from_file = read(own).graph
    write(
        own / "same.ttl", ["<x:Heat> <x:director> <x:Mann> .", *map(NAMED.format, ("Heat", "Mann"))]
    )
    assert read(own, graph="same.ttl", train="", validation="").graph.num_triples == 1
    snapshot = from_file.path.relative_to(own)
    assert read(own, graph=str(snapshot)).graph.fingerprint == from_file.fingerprint


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("[1]", "JSON object"),
        ('{"text": 1}', "'text' is a string"),
        ('{"target": "x"}', "'text' is a string; got None"),
        ('{"text": "x", "label": "y"}', "unknown 'label'"),
        ('{"text": "x", "target": 3}', "'target' is a string or a list"),
        ('{"text": "x", "mentions": {}}', "'mentions' is a list"),
        ('{"text": "x", "target": ["a", 1]}', "'target' is a string or a list"),
        ('{"text": "x", "target": [null]}', "'target' is a string or a list"),
        ('{"text": "x", "target": NaN}', "'target' is a string or a list"),
        ("[" * 20_000, "recursion"),
    ],
)
def test_a_bad_line_is_named_with_its_file_and_number(own, line, reason):
    write(own / "bad.jsonl", ['{"text": "fine"}', line])
    with pytest.raises(ValueError, match=r"bad\.jsonl, line 2: .*" + reason):
        read(own, train="bad.jsonl")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"end": 9}, "mention 1 goes from 0 to 9; the text has 4 characters"),
        ({"start": -1}, "goes from -1 to 4"),
        ({"start": 4}, "goes from 4 to 4"),
        ({"start": True}, "goes from True to 4"),
        ({"end": 4.0}, "goes from 0 to 4.0"),
        ({"entity": "Haet"}, "mean 'Heat'"),
        ({"entity": 3}, "the entity of mention 1 is a key, or null for NIL; got 3"),
        ({"entity": ""}, "a key, or null for NIL; got ''"),
        ({"entity": ["Heat"]}, "a key, or null for NIL"),
        ({"entity": None, "start": None}, "goes from None to 4"),
        ({"enttiy": "Heat"}, "mention 1 has an unknown 'enttiy'. Did you mean 'entity'"),
        ({"key": "Heat"}, "unknown 'key'. A mention has start, end, entity, text, score, candid"),
        ({"text": "Heal"}, "says 'Heal', but 'Heat' stands at 0 to 4"),
        ({"score": 2}, "the score of mention 1 is a number from 0 to 1; got 2"),
        ({"score": "high"}, "a number from 0 to 1; got 'high'"),
        ({"score": None}, "a number from 0 to 1; got None"),
        ({"candidates": {"Heat": 1}}, "the candidates of mention 1 are [[key, prior], ...]"),
        ({"candidates": None}, "the candidates of mention 1 are [[key, prior], ...]"),
        ({"candidates": ["Heat"]}, "a candidate of mention 1 is [key, prior]; got 'Heat'"),
        ({"candidates": [["Heat"]]}, "is [key, prior]; got ['Heat']"),
        ({"candidates": [[1, 0.5]]}, "is [key, prior]; got [1, 0.5]"),
        ({"candidates": [["Heat", True]]}, "the prior of 'Heat' in mention 1 is a number"),
        ({"candidates": [["Heat", float("nan")]]}, "is a number from 0 to 1; got nan"),
        ({"candidates": [["Heat", 0.9], ["Haet", 0.1]]}, "mean 'Heat'"),
        ({"candidates": [["Heat", 0.9], ["Heat", 0.1]]}, "the candidate 'Heat' twice"),
    ],
)
def test_what_is_wrong_within_a_mention_is_named_with_file_and_line(own, changes, reason):
    good = mention(0, 4, "Heat")
    line = {"text": "Heat", "mentions": [good, good | changes]}
    write(own / "bad.jsonl", ['{"text": "fine"}', json.dumps(line)])
    with pytest.raises(ValueError, match=r"bad\.jsonl, line 2: .*" + re.escape(reason)):
        read(own, train="bad.jsonl")


@pytest.mark.parametrize("missing", ["start", "end", "entity"])
def test_a_mention_says_where_it_is_and_what_it_names(own, missing):
    fields = mention(0, 4, "Heat")
    del fields[missing]
    write(own / "bad.jsonl", [json.dumps({"text": "Heat", "mentions": [fields]})])
    reason = f"line 1: mention 0 has no '{missing}'; it needs start, end and entity, which is a key"
    with pytest.raises(ValueError, match=reason):
        read(own, train="bad.jsonl")


@pytest.mark.parametrize("given", ["Heat", 3, None, [0, 4, "Heat"]])
def test_a_mention_is_an_object(own, given):
    write(own / "bad.jsonl", [json.dumps({"text": "Heat", "mentions": [given]})])
    with pytest.raises(ValueError, match="line 1: mention 0 is an object with start, end and ent"):
        read(own, train="bad.jsonl")


def test_a_mention_may_be_nil_and_bring_its_candidates_and_score(own):
    candidates = [["Heat", 0.7], ["Alien", 0]]
    lines = [
        {"text": "Heat", "mentions": [mention(0, 4, None)]},
        {"text": "Heat", "mentions": [mention(0, 4, None) | {"candidates": candidates}]},
        {"text": "Heat", "mentions": [mention(0, 4, "Heat") | {"score": 1, "text": "Heat"}]},
        {"text": "Heat", "mentions": [mention(0, 4, "Heat") | {"candidates": []}]},
    ]
    write(own / "nil.jsonl", [*map(json.dumps, lines)])
    known = (("Heat", 0.7), ("Alien", 0.0))
    assert [example.mentions for example in read(own, train="nil.jsonl").train] == [
        (Mention(0, 4, "Heat", None),),
        (Mention(0, 4, "Heat", None, candidates=known),),
        (Mention(0, 4, "Heat", "Heat"),),
        (Mention(0, 4, "Heat", "Heat"),),
    ]


def test_a_mention_written_as_json_is_read_as_it_was(own):
    given = (Mention(5, 9, "Heat", "Heat", 0.5, (("Heat", 0.5), ("Alien", 0.25))),)
    line = {"text": "See: Heat", "mentions": [asdict(one) for one in given]}
    write(own / "own.jsonl", [json.dumps(line)])
    (example,) = read(own, train="own.jsonl").train
    assert example.mentions == given


@pytest.mark.usefixtures("unchecked")
def test_an_example_says_where_it_was_read(own):
    where = [example.where for example in read_examples(own / "train.jsonl")]
    assert where == [f"{own / 'train.jsonl'}, line {number}" for number in range(1, 5)]
    with pytest.raises(TypeError, match=r"train\.jsonl, line 3: target holds 1, a int"):
        check_labels(replace(read_examples(own / "train.jsonl")[2], target=(1,)))


def test_a_byte_order_mark_belongs_to_no_text(own):
    lines = (own / "train.jsonl").read_text(encoding="utf-8")
    (own / "marked.jsonl").write_text(lines, encoding="utf-8-sig")
    assert read_examples(own / "marked.jsonl") == read_examples(own / "train.jsonl")
    (own / "marked.jsonl").write_text("\n" + lines, encoding="utf-8")
    assert len(read_examples(own / "marked.jsonl")) == 4
    (own / "marked.jsonl").write_text("", encoding="utf-8-sig")
    assert read_examples(own / "marked.jsonl") == ()


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_line_that_is_not_utf8_is_named(own, encoding):
    (own / "other.jsonl").write_bytes('{"text": "Müller"}\n'.encode(encoding))
    with pytest.raises(ValueError, match=r"other\.jsonl, line 1: .*utf-8"):
        read_examples(own / "other.jsonl")


def test_a_missing_file_is_named(own):
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        read(own, train="none.jsonl")
    with pytest.raises(FileNotFoundError, match=r"none\.ttl"):
        read(own, graph="none.ttl")
