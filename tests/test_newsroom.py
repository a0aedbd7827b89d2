"""The newsroom: a made-up graph that ships, and headlines about it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from kgfm.datasets import newsroom
from kgfm.datasets.newsroom import newsroom_graph, newsroom_headlines
from kgfm.datasets.newsroom_wordings import AFFECT_UNSEEN, EVENTS_UNSEEN, KINDS, Kind
from kgfm.datasets.newsroom_writer import BASE, DAYS, FIRST_DAY, SLIPS, VOCABULARY, Headline
from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker

FOLDER = Path(__file__).parents[1] / "graphs" / "newsroom"
SIZES = {"train": 1400, "validation": 200, "test": 400}
Made = dict[str, list[Headline]]


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeGraph:
    return newsroom_graph(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def made(graph: KnowledgeGraph) -> Made:
    return newsroom_headlines(graph, SIZES)


@pytest.fixture(scope="module")
def tails(graph: KnowledgeGraph) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    keys, relations = list(graph.keys), list(graph.relation_keys)
    columns = (graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist())
    for head, relation, tail in zip(*columns, strict=True):
        name = relations[relation].removeprefix(VOCABULARY)
        found[keys[head].removeprefix(BASE), name].add(keys[tail].removeprefix(BASE))
    return found


def companies(headlines: list[Headline]) -> set[str]:
    keys = {key for one in headlines for about in one.about for key in about.entities or ()}
    return {key for key in keys if key is not None and "/company/" in key}


def test_the_script_that_ships_gives_the_files_that_ship(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("build_newsroom", FOLDER / "build.py")
    assert spec is not None and spec.loader is not None  # noqa: PT018
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, text in zip(("newsroom.ttl", "outside.txt"), script.build(), strict=True):
        assert (FOLDER / name).read_text(encoding="utf-8") == text


def test_the_graph_is_as_large_as_its_readme_says(graph: KnowledgeGraph) -> None:
    said = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"{len(graph)} entities and {graph.num_triples} triples" in said
    kinds = Counter(graph.types(row)[0] for row in range(len(graph)))
    assert kinds == {"company": 240, "person": 124, "sector": 20, "commodity": 10, "country": 8}


def test_no_name_is_borne_twice_and_none_by_a_company_outside(graph: KnowledgeGraph) -> None:
    names = Counter(name.casefold() for row in range(len(graph)) for name in graph.names(row))
    assert set(names.values()) == {1}
    linker = Linker(graph)
    outside = (FOLDER / "outside.txt").read_text(encoding="utf-8").splitlines()
    assert not [name for name in outside if any(m.end - m.start == len(name) for m in linker(name))]


def test_headlines_are_as_many_as_asked_for_and_none_twice(made: Made) -> None:
    assert {part: len(own) for part, own in made.items()} == SIZES
    texts = [one.text.casefold() for own in made.values() for one in own]
    assert len(set(texts)) == len(texts)


def test_spans_are_what_names_them(graph: KnowledgeGraph, made: Made) -> None:
    for own in made.values():
        for one in own:
            assert one.about
            ends = 0
            for about in one.about:
                ((start, end),), (key,) = about.spans, about.entities or ()
                assert ends <= start
                ends = end
                said = one.text[start:end].casefold()
                if key is not None:
                    assert said in {name.casefold() for name in graph.names(graph.row(key))}


def test_what_no_word_says_follows_from_sector_and_country(
    made: Made, tails: dict[tuple[str, str], set[str]]
) -> None:
    ups = r"\b(rise|climb|jump|dearer|more expensive|soar|surge|costlier)\b"
    bad = r"strike in|raises company|power cuts|floods|riots|shut their"
    checked: Counter[str] = Counter()
    for one in (one for own in made.values() for one in own if one.kind in ("trade", "home")):
        text = one.text
        for about in one.about:  # names may say the names of commodities
            text = text.replace(one.text[slice(*about.spans[0])], "")
        for about, right in zip(one.about, one.right, strict=True):
            key = str((about.entities or ("",))[0]).removeprefix(BASE)
            (sector,), (country,) = tails[key, "sector"], tails[key, "country"]
            if one.kind == "home":
                sign = -1 if re.search(bad, text.casefold()) else 1
                there = country.rpartition("/")[2].casefold() in text.casefold()
                expected = sign * there
            else:
                sign = 1 if re.search(ups, text.casefold()) else -1
                words = text.casefold().replace("crude", "oil")
                sold, bought = (
                    any(name.rpartition("/")[2] in words for name in tails[sector, relation])
                    for relation in ("sells", "buys")
                )
                expected = sign * (sold - bought)
            checked[one.kind] += 1
            assert ["negative", "neutral", "positive"][expected + 1] == right, one
    assert min(checked.values()) > 200


def test_three_in_ten_companies_stand_in_the_test_alone(graph: KnowledgeGraph, made: Made) -> None:
    learned = companies(made["train"]) | companies(made["validation"])
    assert len(learned) == pytest.approx(0.7 * 240, abs=2)
    new = [
        key not in learned
        for one in made["test"]
        for about in one.about
        for key in about.entities or ()
        if key is not None and "/company/" in key
    ]
    assert sum(new) / len(new) == pytest.approx(0.5, abs=0.06)


def test_half_of_the_test_wordings_stand_nowhere_else(made: Made) -> None:
    unseen = {wording for kind in KINDS for wording in kind.unseen}
    shares = {
        part: sum(one.wording in unseen for one in own) / len(own) for part, own in made.items()
    }
    assert shares["train"] == shares["validation"] == 0
    assert shares["test"] == pytest.approx(0.5, abs=0.06)
    words = [word for own in AFFECT_UNSEEN.values() for word in own]
    words += [event.replace("{K}", "").strip() for own in EVENTS_UNSEEN.values() for event in own]
    learned = "\n".join(one.text.casefold() for one in made["train"])
    assert not [word for word in words if word.casefold() in learned]


def test_labels_slip_in_training_and_validation_as_often_as_stated(made: Made) -> None:
    shares = {}
    for part, own in made.items():
        pairs = [pair for one in own for pair in zip(one.about, one.right, strict=True)]
        shares[part] = sum(about.labels != (right,) for about, right in pairs) / len(pairs)
    assert shares["test"] == 0
    assert shares["train"] == pytest.approx(SLIPS, abs=0.01)
    assert shares["validation"] == pytest.approx(SLIPS, abs=0.03)


def test_targets_disagree_and_stand_outside_of_the_graph_and_no_label_rules(made: Made) -> None:
    test = made["test"]
    assert sum(len({*one.right}) > 1 for one in test) > 100
    assert sum(about.entities == (None,) for one in test for about in one.about) > 60
    counts = Counter(label for one in test for label in one.right)
    assert max(counts.values()) / counts.total() < 0.42


def test_headlines_are_spread_over_the_months_of_a_year(made: Made) -> None:
    months = Counter(one.date.month for own in made.values() for one in own)
    assert len(months) == 12
    assert min(months.values()) > 100
    days = {(one.date - FIRST_DAY).days for own in made.values() for one in own}
    assert 0 <= min(days) <= max(days) < DAYS


def test_a_seed_gives_its_headlines_and_no_others(graph: KnowledgeGraph, made: Made) -> None:
    assert newsroom_headlines(graph, SIZES) == made
    assert newsroom_headlines(graph, SIZES, seed=1) != made


def test_the_headlines_are_those_that_figures_were_taken_on(made: Made) -> None:
    plain = [
        (one.text, one.date.isoformat(), [about.labels for about in one.about], one.right)
        for part in SIZES
        for one in made[part]
    ]
    found = hashlib.sha256(json.dumps(plain).encode()).hexdigest()
    assert found[:16] == "59b7e62b0bb14686", (
        "The headlines changed: so do all figures taken on them."
    )


def test_the_data_set_asks_about_the_entities_or_leaves_them_to_the_linker(tmp_path: Path) -> None:
    given, linked = (
        newsroom(None, tmp_path, entities=entities, train=60, validation=10, test=20)
        for entities in ("given", "linked")
    )
    assert [len(part) for part in (given.train, given.validation, given.test)] == [60, 10, 20]
    assert {one.entities for example in linked.train for one in example.about} == {None}
    assert all(one.entities for example in given.train for one in example.about)
    for one, other in zip(given.test, linked.test, strict=True):
        assert one.text == other.text
        assert [a.labels for a in one.about] == [a.labels for a in other.about]


def test_more_headlines_than_there_are_is_refused(
    graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = (Kind("plain", 1.0, ("{P0} speaks",), ("{P0} spoke",)),)
    monkeypatch.setattr("kgfm.datasets.newsroom_writer.KINDS", few)
    assert len(newsroom_headlines(graph, {"train": 60})["train"]) == 60
    with pytest.raises(ValueError, match="There are no 200 different plain headlines"):
        newsroom_headlines(graph, {"train": 200})
