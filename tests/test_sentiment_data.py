"""Data sets that ask about spans: SEntFiN, NewsMTSC, SemEval-2014, FewRel, in small."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kgfm.datasets import DATASETS, Dataset, fewrel, newsmtsc, semeval, semeval_categories, sentfin
from kgfm.datasets.base import same_text, split_by
from kgfm.datasets.said import places, places_within
from kgfm.graph import KnowledgeGraph
from kgfm.types import About, Example


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def every(dataset: Dataset) -> tuple[Example, ...]:
    return dataset.train + dataset.validation + dataset.test


def parts_of(dataset: Dataset) -> tuple[tuple[Example, ...], ...]:
    return dataset.train, dataset.validation, dataset.test


def said(example: Example) -> list[str]:
    return [example.text[slice(*span)] for one in example.about for span in one.spans]


def labels_of(example: Example) -> list[str]:
    return [label for one in example.about for label in one.labels or ()]


def assert_parts_share_no_text(dataset: Dataset) -> None:
    texts = [{same_text(example) for example in part} for part in parts_of(dataset)]
    assert sum(map(len, texts)) == len(set().union(*texts))


@pytest.mark.parametrize("name", ["fewrel", "newsmtsc", "semeval", "sentfin"])
def test_data_sets_of_spans_say_what_they_ask_and_where_their_files_are(name: str) -> None:
    source: Any = DATASETS[name]
    assert (source.folder, source.task) == (name, "spans")
    with pytest.raises(ValueError, match="--data FOLDER"):
        source(None, "cache")


def test_items_of_one_key_are_dealt_into_one_part() -> None:
    parts = split_by(range(100), lambda n: n % 10, seed=1, test=0.2, validation=0.25)
    assert [len(part) for part in parts] == [60, 20, 20]
    assert sorted(n for part in parts for n in part) == list(range(100))
    keys = [{n % 10 for n in part} for part in parts]
    assert sum(map(len, keys)) == 10


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("Kestrels beat Kestrel, says Kestrel's chief", "Kestrel", ["Kestrel", "Kestrel"]),
        ("kestrel", "Kestrel", []),
        ("A & B (India) Ltd. gains", "A & B (India)", ["A & B (India)"]),
        ("Dr.  Reddy's up", "Dr. Reddy's ", ["Dr.  Reddy's"]),
        ("x", " ", []),
        ("Öl-Öl", "Öl", ["Öl", "Öl"]),
        ("$5 up, US$5 too", "$5", ["$5", "$5"]),
    ],
)
def test_words_are_found_as_words_of_their_own(text: str, words: str, found: list[str]) -> None:
    assert [text[slice(*span)] for span in places(text, words)] == found


def test_words_are_found_within_others_in_any_case() -> None:
    assert places_within("KESTRELs", "kestrel") == [(0, 7)]
    assert places_within("KESTRELs", "") == []


# -- SEntFiN --------------------------------------------------------------------------------------

DECIDED = [
    ("Kestrel Motors gains, Plover slips", "{'Kestrel Motors': 'positive', 'Plover': 'negative'}"),
    ("O'Hara's Grill and Kestrel steady", "{'O'Hara's Grill': 'neutral', 'Kestrel': 'neutral'}"),
    ("Bank Wren up, Wren down", "{'Wren': 'negative', 'Bank Wren': 'positive'}"),
    ("Teal Holdings surges", "{'Teal neutralings': 'positive'}"),
    ("KESTRELs profit doubles", "{'kestrel': 'positive'}"),
    ("Plover in talks", "{'Plover ': 'neutral'}"),
]


@pytest.fixture
def headlines(tmp_path: Path) -> Path:
    folder = tmp_path / "sentfin"
    rows = [f'{n},"{text}","{decided}",5' for n, (text, decided) in enumerate(DECIDED)]
    rows += [f"{n},Rook {n} rises,{{'Rook {n}': 'positive'}},3" for n in range(10, 40)]
    rows += [f"{n},rook  {n - 40} rises,{{'rook  {n - 40}': 'positive'}},3" for n in range(50, 60)]
    write(folder / "SEntFiN.csv", "S No.,Title,Decisions,Words", *rows)
    names = ['0,KESTREL,"Kestrel Motors Ltd., Kestrel Motors, Kestrel"', "1,PLOVER,Plover"]
    names += ['2,TEAL,"Teal Holdings, Wren"', '3,WREN,"Wren Energy, Wren"']
    write(folder / "entity_list_comprehensive.csv", ",Symbol,Entity", *names)
    listed = ["Kestrel Ltd.,Transport,KESTREL,EQ,X1", "Owl Ltd.,Energy,OWL,EQ,X2"]
    listed += ["Dummy Owl Ltd.,Energy,DUMMYOWL,EQ,X3"]
    header = "Company Name,Industry,Symbol,Series,ISIN Code"
    write(folder / "ind_nifty500list.csv", header, *listed)
    return folder


def by_text(dataset: Dataset) -> dict[str, Example]:
    return {example.text: example for example in every(dataset)}


def test_sentfin_finds_each_name_in_its_headline_and_what_it_means(
    headlines: Path, tmp_path: Path
) -> None:
    found = by_text(sentfin(headlines, tmp_path / "cache"))
    assert len(found) == len(DECIDED) + 40
    first = found["Kestrel Motors gains, Plover slips"]
    assert first.about == (
        About(((0, 14),), ("KESTREL",), ("positive",)),
        About(((22, 28),), ("PLOVER",), ("negative",)),
    )
    assert said(found["O'Hara's Grill and Kestrel steady"]) == ["O'Hara's Grill", "Kestrel"]
    assert found["O'Hara's Grill and Kestrel steady"].about[0].entities == (None,)


def test_sentfin_gives_each_character_to_one_name_the_longest_first(
    headlines: Path, tmp_path: Path
) -> None:
    example = by_text(sentfin(headlines, tmp_path / "cache"))["Bank Wren up, Wren down"]
    assert [one.spans for one in example.about] == [((0, 9),), ((14, 18),)]
    assert labels_of(example) == ["positive", "negative"]


def test_sentfin_leaves_a_name_of_several_companies_to_the_linker(
    headlines: Path, tmp_path: Path
) -> None:
    example = by_text(sentfin(headlines, tmp_path / "cache"))["Bank Wren up, Wren down"]
    assert [one.entities for one in example.about] == [(None,), None]


def test_sentfin_reads_what_its_file_garbles(headlines: Path, tmp_path: Path) -> None:
    found = by_text(sentfin(headlines, tmp_path / "cache"))
    assert said(found["Teal Holdings surges"]) == ["Teal Holdings"]
    assert found["Teal Holdings surges"].about[0].entities == ("TEAL",)
    assert said(found["KESTRELs profit doubles"]) == ["KESTREL"]
    assert said(found["Plover in talks"]) == ["Plover"]
    assert found["Plover in talks"].about[0].entities == ("PLOVER",)


def test_sentfin_lets_the_linker_decide_when_told_so(headlines: Path, tmp_path: Path) -> None:
    dataset = sentfin(headlines, tmp_path / "cache", entities="linked")
    assert {one.entities for example in every(dataset) for one in example.about} == {None}


def test_sentfins_graph_has_names_and_industries(headlines: Path, tmp_path: Path) -> None:
    graph = sentfin(headlines, tmp_path / "cache").needed_graph()
    assert sorted(graph.keys) == [
        *("KESTREL", "OWL", "PLOVER", "TEAL", "WREN"),
        *("industry:Energy", "industry:Transport"),
    ]
    names = set(graph.names(graph.row("KESTREL")))
    assert {"Kestrel Ltd.", "Kestrel", "Kestrel Motors", "Kestrel Motors Ltd."} == names
    assert graph.num_triples == 2


def test_sentfin_keeps_a_headline_that_stands_twice_in_one_part(
    headlines: Path, tmp_path: Path
) -> None:
    for seed in range(4):
        dataset = sentfin(headlines, tmp_path / "cache", seed=seed)
        assert_parts_share_no_text(dataset)
        assert every(dataset) == every(sentfin(headlines, tmp_path / "cache", seed=seed))
        assert [len(part) > 0 for part in parts_of(dataset)] == [True] * 3
    other = sentfin(headlines, tmp_path / "cache", seed=9)
    assert {example.text for example in other.test} != {example.text for example in dataset.test}


def test_sentfin_by_entity_asks_about_no_company_in_two_parts(
    headlines: Path, tmp_path: Path
) -> None:
    for seed in range(4):
        dataset = sentfin(headlines, tmp_path / "cache", split="entity", seed=seed)
        asked = [
            {
                one.entities or example.text[slice(*one.spans[0])].casefold()
                for example in part
                for one in example.about
                if one.entities != (None,)
            }
            for part in parts_of(dataset)
        ]
        assert sum(map(len, asked)) == len(set().union(*asked))
        assert len(every(dataset)) == len(DECIDED) + 40
        assert all(example.about for example in every(dataset))
        texts = {same_text(example) for example in every(dataset)}
        assert len({same_text(example) for example in dataset.test}) >= round(0.2 * len(texts))
        assert_parts_share_no_text(dataset)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,Heron up,{'Heron': 'good'},2", "each of them positive, neutral, negative; got"),
        ("1,Heron up,Heron: positive,2", "Decisions is"),
        ("1,Heron up,{'Stork': 'positive'},2", "'Heron up' does not say 'Stork'"),
        ("1,,{'Heron': 'positive'},2", "Decisions is"),
    ],
)
def test_sentfin_says_what_is_wrong_and_where(
    headlines: Path, tmp_path: Path, row: str, reason: str
) -> None:
    write(headlines / "SEntFiN.csv", "S No.,Title,Decisions,Words", row)
    with pytest.raises(ValueError, match=rf"SEntFiN\.csv, line 2: .*{reason}"):
        sentfin(headlines, tmp_path / "cache")


def test_sentfin_names_a_column_that_is_missing(headlines: Path, tmp_path: Path) -> None:
    write(headlines / "SEntFiN.csv", "S No.,Headline,Decisions", "1,x,{}")
    with pytest.raises(ValueError, match=r"SEntFiN\.csv has no column 'Title'"):
        sentfin(headlines, tmp_path / "cache")


@pytest.mark.data
def test_the_real_sentfin_is_read_whole(public_data: Path, tmp_path: Path) -> None:
    if not (public_data / "sentfin").is_dir():
        pytest.skip(f"no sentfin in {public_data}")
    dataset = sentfin(public_data / "sentfin", tmp_path)
    assert repr(dataset.graph) == "KnowledgeGraph(1,222 entities, 1 relations, 500 triples)"
    assert len(every(dataset)) == 8_535
    assert_parts_share_no_text(dataset)
    counts = Counter(label for example in every(dataset) for label in labels_of(example))
    assert counts == {"neutral": 4_387, "positive": 4_036, "negative": 3_026}
    disagree = [example for example in every(dataset) if len({*labels_of(example)}) > 1]
    assert len(disagree) == 979
    abouts = [one for example in every(dataset) for one in example.about]
    assert sum(one.entities == (None,) for one in abouts) / len(abouts) == pytest.approx(
        0.423, abs=0.001
    )


# -- NewsMTSC -------------------------------------------------------------------------------------


def sentence(text: str, *targets: tuple[str, float]) -> str:
    found = [
        {"Input.gid": "x", "from": text.index(name), "to": text.index(name) + len(name)}
        | {"mention": name, "polarity": polarity}
        for name, polarity in targets
    ]
    return json.dumps({"primary_gid": "x", "sentence_normalized": text, "targets": found})


@pytest.fixture
def news(tmp_path: Path) -> Path:
    folder = tmp_path / "newsmtsc"
    lines = [sentence(f"Ann {n} praised Bob.", (f"Ann {n}", 4.0), ("Bob", 6.0)) for n in range(38)]
    lines += [sentence("Eve lied.", ("Eve", 2.0)), sentence("eve  lied.", ("eve", 2.0))]
    write(folder / "train.jsonl", *lines, "")
    write(folder / "devtest_rw.jsonl", sentence("Dan won.", ("Dan", 6.0)))
    return folder


def test_newsmtsc_asks_about_each_target(news: Path, tmp_path: Path) -> None:
    dataset = newsmtsc(news, tmp_path / "cache")
    assert dataset.graph is None
    assert len(every(dataset)) == 40
    example = by_text(dataset)["Ann 3 praised Bob."]
    assert said(example) == ["Ann 3", "Bob"]
    assert labels_of(example) == ["neutral", "positive"]
    assert example.where.endswith("train.jsonl, line 4")


def test_newsmtscs_folds_hold_every_sentence_once_and_equal_ones_together(
    news: Path, tmp_path: Path
) -> None:
    held = []
    for fold in range(5):
        dataset = newsmtsc(news, tmp_path / "cache", fold=fold)
        assert len(every(dataset)) == 40
        assert len(dataset.validation) in (3, 4)
        assert_parts_share_no_text(dataset)
        held += [example.text for example in dataset.test]
    assert len(held) == len(set(held)) == 40


def test_newsmtsc_may_learn_from_fewer_sentences_of_the_same_fold(
    news: Path, tmp_path: Path
) -> None:
    dataset = newsmtsc(news, tmp_path / "cache", sentences=10)
    assert [len(part) for part in parts_of(dataset)][:2] == [9, 1]
    assert dataset.test == newsmtsc(news, tmp_path / "cache").test
    with pytest.raises(ValueError, match=r"sentences is from 2 to \d\d; got 100"):
        newsmtsc(news, tmp_path / "cache", sentences=100)


def test_newsmtsc_may_be_tested_on_another_of_its_files(news: Path, tmp_path: Path) -> None:
    dataset = newsmtsc(news, tmp_path / "cache", test="devtest_rw.jsonl")
    assert [example.text for example in dataset.test] == ["Dan won."]
    assert len(every(dataset)) == 41


def test_newsmtscs_targets_may_be_linked_to_a_graph_that_is_named(
    news: Path, tmp_path: Path
) -> None:
    graph = write(tmp_path / "own.tsv", "Bob\tmember of\tParty")
    dataset = newsmtsc(news, tmp_path / "cache", graph=str(graph))
    assert dataset.needed_graph().num_triples == 1
    assert {one.entities for example in every(dataset) for one in example.about} == {None}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("[]", "a line is an object with sentence_normalized and targets"),
        ('{"targets": []}', "KeyError: 'sentence_normalized'"),
        (sentence("Eve lied.", ("Eve", 3.0)), "polarity is 2, 4 or 6; got 3.0"),
        (
            sentence("Eve lied.", ("Eve", 2.0)).replace('"to": 3', '"to": 4'),
            "says 'Eve', but 'Eve '",
        ),
        (sentence("Eve lied.", ("Eve", 2.0)).replace('"to": 3', '"to": 99'), "goes from 0 to 99"),
    ],
)
def test_newsmtsc_says_what_is_wrong_and_where(
    news: Path, tmp_path: Path, line: str, reason: str
) -> None:
    write(news / "train.jsonl", sentence("Eve lied.", ("Eve", 2.0)), line)
    with pytest.raises(ValueError, match=rf"train\.jsonl, line 2: .*{reason}"):
        newsmtsc(news, tmp_path / "cache")


@pytest.mark.parametrize(("fold", "folds"), [(5, 5), (-1, 5), (0, 1)])
def test_newsmtsc_refuses_a_fold_that_there_is_not(
    news: Path, tmp_path: Path, fold: int, folds: int
) -> None:
    with pytest.raises(ValueError, match="fold is one of 0 to folds - 1"):
        newsmtsc(news, tmp_path / "cache", fold=fold, folds=folds)


@pytest.mark.data
def test_the_real_newsmtsc_is_read_whole(public_data: Path, tmp_path: Path) -> None:
    if not (public_data / "newsmtsc").is_dir():
        pytest.skip(f"no newsmtsc in {public_data}")
    folds = [newsmtsc(public_data / "newsmtsc", tmp_path, fold=fold) for fold in range(5)]
    assert len(every(folds[0])) == sum(len(dataset.test) for dataset in folds) == 7_758
    counts = Counter(label for example in every(folds[0]) for label in labels_of(example))
    assert counts == {"negative": 3_316, "neutral": 3_028, "positive": 2_395}
    assert_parts_share_no_text(folds[0])


# -- SemEval-2014 ---------------------------------------------------------------------------------

REVIEWS = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<sentences>
  <sentence id="1">
    <text>The soup &amp; salad were great, the waiters rude.</text>
    <aspectTerms>
      <aspectTerm term="soup &amp; salad" polarity="positive" from="4" to="16"/>
      <aspectTerm term="waiters" polarity="negative" from="33" to="40"/>
    </aspectTerms>
    <aspectCategories>
      <aspectCategory category="food" polarity="positive"/>
      <aspectCategory category="service" polarity="negative"/>
    </aspectCategories>
  </sentence>
  <sentence id="2">
    <text>Crème brûlée: so-so.</text>
    <aspectTerms>
      <aspectTerm term="Crème brûlée" polarity="conflict" from="0" to="12"/>
    </aspectTerms>
    <aspectCategories><aspectCategory category="food" polarity="conflict"/></aspectCategories>
  </sentence>
  <sentence id="3"><text>We were there.</text></sentence>
</sentences>
"""
BOMB = """<?xml version="1.0"?>
<!DOCTYPE sentences [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<sentences><sentence><text>&b;</text></sentence></sentences>
"""


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    folder = tmp_path / "semeval"
    write(folder / "Restaurants_Train.xml", REVIEWS)
    write(folder / "Restaurants_Test_Gold.xml", REVIEWS)
    return folder


def test_semevals_terms_are_spans_of_their_sentence(reviews: Path, tmp_path: Path) -> None:
    (example,) = semeval(reviews, tmp_path / "cache").test
    assert example.text == "The soup & salad were great, the waiters rude."
    assert said(example) == ["soup & salad", "waiters"]
    assert labels_of(example) == ["positive", "negative"]
    assert example.where.endswith("Restaurants_Test_Gold.xml, line 3")


def test_semevals_terms_may_be_judged_good_and_bad_at_once(reviews: Path, tmp_path: Path) -> None:
    dataset = semeval(reviews, tmp_path / "cache", conflict=True)
    assert [labels_of(example) for example in dataset.test] == [
        ["positive", "negative"],
        ["conflict"],
    ]
    assert said(dataset.test[1]) == ["Crème brûlée"]


def test_semevals_categories_are_labels_of_their_sentence(reviews: Path, tmp_path: Path) -> None:
    dataset = semeval_categories(reviews, tmp_path / "cache")
    assert [example.target for example in dataset.test] == [
        ("food: positive", "service: negative"),
        (),
        (),
    ]
    both = semeval_categories(reviews, tmp_path / "cache", conflict=True)
    assert both.test[1].target == ("food: conflict",)


def test_semevals_validation_is_cut_from_its_training(reviews: Path, tmp_path: Path) -> None:
    texts = "".join(f"<sentence><text>Text {n}</text></sentence>" for n in range(40))
    write(reviews / "Restaurants_Train.xml", f"<sentences>{texts}</sentences>")
    dataset = semeval_categories(reviews, tmp_path / "cache", test=None)
    assert [len(part) for part in parts_of(dataset)] == [36, 4, 0]
    assert_parts_share_no_text(dataset)


def test_semeval_reads_a_file_in_pieces_as_it_does_in_one(reviews: Path, tmp_path: Path) -> None:
    texts = "".join(f"<sentence><text>{'x' * 997} {n}</text></sentence>" for n in range(300))
    write(reviews / "Restaurants_Train.xml", f"<sentences>{texts}</sentences>")
    dataset = semeval_categories(reviews, tmp_path / "cache", test=None)
    assert sorted(int(example.text.split()[1]) for example in every(dataset)) == list(range(300))


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        (BOMB, "line 2: the file declares a document type"),
        (BOMB.replace("<!ENTITY a", '<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY a'), "line 2"),
        ("<sentences>&b;</sentences>", "this is no XML: undefined entity"),
        ("<sentences><sentence></sentences>", "this is no XML: mismatched tag"),
        ("", "this is no XML: no element found"),
        ("<sentences><sentence/></sentences>", "line 1: a sentence has no text"),
        (
            REVIEWS.replace('to="40"', 'to="41"'),
            "line 7: the aspectTerm says 'waiters', but 'waiters '",
        ),
        (REVIEWS.replace('to="40"', 'to="99"'), "line 7: the aspectTerm goes from 33 to 99"),
        (REVIEWS.replace('to="40"', 'to="x"'), "line 7: invalid literal"),
        (REVIEWS.replace(' to="40"', ""), "line 7: an aspectTerm has no 'to'"),
        (
            REVIEWS.replace('"negative" from', '"bad" from'),
            "line 7: a polarity is one of .*got 'bad'",
        ),
    ],
)
def test_semeval_says_what_is_wrong_and_where(
    reviews: Path, tmp_path: Path, xml: str, reason: str
) -> None:
    (reviews / "Restaurants_Train.xml").write_text(xml, encoding="utf-8")
    with pytest.raises(ValueError, match=rf"Restaurants_Train\.xml.*{reason}"):
        semeval(reviews, tmp_path / "cache")


# -- FewRel ---------------------------------------------------------------------------------------


def instance(words: str, head: list[int], tail: list[int], keys: tuple[str, str]) -> dict[str, Any]:
    return {
        "tokens": words.split(),
        "h": ["head", keys[0], [head, [0]]],
        "t": ["tail", keys[1], [tail]],
    }


@pytest.fixture
def relations(tmp_path: Path) -> Path:
    folder = tmp_path / "fewrel"
    names = {f"P{n}": [f"relation {n}", "what it means"] for n in range(6)}
    found = {
        f"P{n}": [
            instance(f"In {n} . {k} Tern Bridge crosses it", [4, 5], [1], (f"Q{n}", f"Q{k}"))
            for k in range(20)
        ]
        for n in range(6)
    }
    write(folder / "pid2name.json", json.dumps(names))
    write(folder / "val_wiki.json", json.dumps(found))
    return folder


def test_fewrel_asks_about_head_and_tail_in_this_order(relations: Path, tmp_path: Path) -> None:
    dataset = fewrel(relations, tmp_path / "cache")
    assert [len(part) for part in parts_of(dataset)] == [86, 10, 24]
    example = by_text(dataset)["In 2 . 7 Tern Bridge crosses it"]
    assert example.about == (About(((9, 20), (3, 4)), None, ("relation 2",)),)
    assert said(example) == ["Tern Bridge", "2"]
    assert example.where.endswith("val_wiki.json, P2 7")


def test_fewrel_tests_on_relations_of_which_it_shows_a_few_sentences(
    relations: Path, tmp_path: Path
) -> None:
    dataset = fewrel(relations, tmp_path / "cache", left_out=2, shots=5)
    train, validation, test = (
        Counter(label for example in part for label in labels_of(example))
        for part in parts_of(dataset)
    )
    assert len(test) == 2
    assert set(test.values()) == {15}
    assert {train[label] for label in test} == {5}
    assert not set(test) & set(validation)
    assert sum(train.values()) + sum(validation.values()) == 2 * 5 + 4 * 20
    assert_parts_share_no_text(dataset)
    seeds = [fewrel(relations, tmp_path / "cache", left_out=2, seed=seed) for seed in range(5)]
    assert len({frozenset(labels_of(e)[0] for e in one.test) for one in seeds}) > 1


def test_fewrel_may_learn_from_these_few_sentences_alone(relations: Path, tmp_path: Path) -> None:
    dataset = fewrel(relations, tmp_path / "cache", left_out=6, shots=5, others=False)
    assert [len(part) for part in parts_of(dataset)] == [24, 6, 90]
    labels = [{*map(str, labels_of(example))} for example in dataset.validation]
    assert len(set().union(*labels)) == 6


def test_fewrels_keys_are_looked_up_in_a_graph_that_is_named(
    relations: Path, tmp_path: Path
) -> None:
    graph = write(tmp_path / "own.tsv", "Q2\tcrosses\tQ900")
    dataset = fewrel(relations, tmp_path / "cache", graph=str(graph))
    found = Counter(one.entities for example in every(dataset) for one in example.about)
    assert found == {("Q2", None): 19, (None, "Q2"): 5, (None, None): 95, ("Q2", "Q2"): 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tokens": None}, "P0 0: an instance has tokens, h and t"),
        ({"h": ["x", "Q1", []]}, "IndexError"),
        ({"h": ["x", "Q1", [[99]]]}, "IndexError"),
        ({"h": ["x", "Q1", [[-1]]]}, "h begins at token -1"),
        ({"t": ["x"]}, "ValueError: not enough values"),
    ],
)
def test_fewrel_says_what_is_wrong_and_where(
    relations: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    found = {"P0": [instance("Tern Bridge crosses it", [0, 1], [3], ("Q1", "Q2")) | changes]}
    write(relations / "val_wiki.json", json.dumps(found))
    with pytest.raises(ValueError, match=rf"val_wiki\.json.*{reason}"):
        fewrel(relations, tmp_path / "cache")


def test_fewrel_refuses_more_than_there_is(relations: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="left_out=6: there are 6 relations"):
        fewrel(relations, tmp_path / "cache", left_out=6)
    with pytest.raises(ValueError, match="shots=20: give 2 or more, and fewer than the 20"):
        fewrel(relations, tmp_path / "cache", left_out=2, shots=20)
    write(relations / "val_wiki.json", '{"P99": []}')
    with pytest.raises(ValueError, match=r"pid2name\.json has no name for the relation 'P99'"):
        fewrel(relations, tmp_path / "cache")
    write(relations / "val_wiki.json", "{")
    with pytest.raises(ValueError, match=r"val_wiki\.json: this is no JSON"):
        fewrel(relations, tmp_path / "cache")


@pytest.mark.data
def test_the_real_fewrel_is_read_whole(public_data: Path, tmp_path: Path) -> None:
    if not (public_data / "fewrel").is_dir():
        pytest.skip(f"no fewrel in {public_data}")
    dataset = fewrel(public_data / "fewrel", tmp_path)
    counts = Counter(label for example in every(dataset) for label in labels_of(example))
    assert set(counts.values()) == {700}
    assert len(counts) == 16
    assert "spouse" in counts
    assert_parts_share_no_text(dataset)


def test_a_graph_may_be_a_snapshot_of_its_own(relations: Path, tmp_path: Path) -> None:
    made = KnowledgeGraph.from_records([], [("Q2", "crosses", "Q3")]).save(tmp_path / "kept")
    dataset = fewrel(relations, tmp_path / "cache", graph=str(made.path))
    assert dataset.needed_graph().fingerprint == made.fingerprint
