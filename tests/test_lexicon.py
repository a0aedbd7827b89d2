"""Lexicons as graphs: the layouts that they come in, and what is wrong with a row."""

from __future__ import annotations

import pytest

from kgfm.graph import KnowledgeGraph

VADER = "good\t1.9\t0.9434\t[2, 1, 1, 3]\nawful\t-2.0\t0.5\t[-2, -2]\n:)\t2.0\t1.1\t[1, 3]\n"
NRC = "glad\tjoy\t1\nglad\tfear\t0\nghost\tfear\t1\n"
AFINN = "awesome\t4\nbad\t-3\ncan't stand\t-2\n"
TABLE = 'affect,note,word,weight\njoy,x,Glad,0.9\nfear,"a, b",ghost,0.5\n'


def read(path, text, **options):
    path.write_text(text, encoding="utf-8")
    return KnowledgeGraph.from_layout("lexicon", path, **options)


def said(graph):
    columns = (graph.heads.tolist(), graph.tails.tolist(), graph.edge_attributes["weight"].tolist())
    assert list(graph.relation_keys) in ([], ["evokes"])
    return {
        (graph.labels[h], graph.keys[t].removeprefix("affect/")): round(weight, 4)
        for h, t, weight in zip(*columns, strict=True)
    }


def test_words_evoke_affects(tmp_path):
    graph = read(tmp_path / "own.tsv", "word\taffect\tweight\nGlad\tjoy\t0.5\n")
    assert list(graph.keys) == ["affect/joy", "word/glad"]
    assert list(graph.labels) == ["joy affect", "glad"]
    assert [graph.types(row) for row in range(2)] == [("affect",), ("word",)]
    assert said(graph) == {("glad", "joy"): 0.5}


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "vader.txt",
            VADER,
            {("good", "positive"): 0.95, ("awful", "negative"): 1.0, (":)", "positive"): 1.0},
        ),
        ("nrc.txt", NRC, {("glad", "joy"): 1.0, ("ghost", "fear"): 1.0}),
        (
            "afinn.txt",
            AFINN,
            {
                ("awesome", "positive"): 1.0,
                ("bad", "negative"): 0.75,
                ("can't stand", "negative"): 0.5,
            },
        ),
        ("table.csv", TABLE, {("glad", "joy"): 0.9, ("ghost", "fear"): 0.5}),
        (
            "scored.csv",
            "word,weight\nglad,0.5\nsad,-1\n",
            {("glad", "positive"): 0.5, ("sad", "negative"): 1},
        ),
        (
            "pairs.tsv",
            "perhaps\tuncertainty\nmay\tuncertainty\n",
            {("perhaps", "uncertainty"): 1, ("may", "uncertainty"): 1},
        ),
        (
            "positive-words.txt",
            "; a comment\n; more\nGood\nfine\n",
            {("good", "positive"): 1, ("fine", "positive"): 1},
        ),
    ],
)
def test_each_form_of_a_lexicon_is_known_by_its_first_row(tmp_path, name, text, expected):
    assert said(read(tmp_path / name, text)) == expected


def test_a_folder_is_one_lexicon_whose_files_are_averaged(tmp_path):
    folder = tmp_path / "lexicons"
    folder.mkdir()
    (folder / "vader.txt").write_text(VADER)
    (folder / "afinn.tsv").write_text("good\t3\nawful\t2\nbad\t-4\n")
    (folder / "uncertainty.txt").write_text("perhaps\n")
    (folder / "README.txt").write_text("no lexicon, and no row of one\n")
    (folder / "LICENSE").write_text("nor this")
    graph = KnowledgeGraph.from_layout("lexicon", folder)
    assert said(graph) == {
        ("good", "positive"): 0.85,  # (1.9 / 2 + 3 / 4) / 2
        ("awful", "negative"): 0.25,  # (-1 + 2 / 4) / 2
        ("bad", "negative"): 1.0,
        (":)", "positive"): 1.0,
        ("perhaps", "uncertainty"): 1.0,
    }
    assert [f["file"] for f in graph.manifest["source"]["files"]] == [
        "afinn.tsv",
        "uncertainty.txt",
        "vader.txt",
    ]


def test_the_scale_the_least_weight_and_the_affect_of_lists_can_be_given(tmp_path):
    assert said(read(tmp_path / "a.tsv", AFINN, scale=5))["awesome", "positive"] == 0.8
    assert said(read(tmp_path / "a.tsv", AFINN, least=0.6)) == {
        ("awesome", "positive"): 1.0,
        ("bad", "negative"): 0.75,
    }
    assert said(read(tmp_path / "list.txt", "may\n", affect="doubt")) == {("may", "doubt"): 1.0}
    with pytest.raises(ValueError, match="scale is above 0"):
        read(tmp_path / "a.tsv", AFINN, scale=0)


def test_lists_of_exceptions_beside_give_words_their_irregular_forms(tmp_path):
    folder = tmp_path / "lexicon"
    folder.mkdir()
    (folder / "own.tsv").write_text("fall\t-1\nfeel\t1\nlost\t-1\nlose\t-1\nman eating\t-1\n")
    (folder / "verb.exc").write_text(
        "fell fall\nfallen fall\nlost lose\nwent go\nfelt felt_up feel\nmen_eating man_eating\n"
    )
    graph = KnowledgeGraph.from_layout("lexicon", folder)
    names = {graph.labels[row]: graph.names(row)[1:] for row in range(len(graph))}
    assert names["fall"] == ("fallen", "fell")
    assert names["feel"] == ("felt",)
    assert names["lose"] == ()  # "lost" is a word of its own
    assert names["man eating"] == ("men eating",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("glad\tjoy\t1\nsad\tfear\n", r"row 2: 2 fields, where rows above have 3: sad"),
        ("glad\tjoy\t1\nsad\tfear\tmuch\n", r"row 2: 'much' is no number"),
        ("glad\tjoy\t1\nsad\tfear\t-1\n", r"row 2: the weight -1 of an affect; weights begin at 0"),
        ("glad\tjoy\t1\n \tfear\t1\n", r"row 2: an empty word"),
        ("glad\tjoy\t1\nsad\t \t1\n", r"row 2: an empty affect"),
        ("glad\t1\nsad\tnan\n", r"row 2: 'nan' is no number"),
        ("glad\t1\nsad\tinf\n", r"row 2: 'inf' is no number"),
        ("a\tb\tc\td\te\n", r"row 1: no row of a lexicon: .* A row is word, affect, weight"),
        ("word\taffect\nglad\tjoy\tmore\n", r"row 2: 3 fields, where rows above have 2"),
    ],
)
def test_a_row_that_is_wrong_is_named_with_its_file(tmp_path, text, fault):
    with pytest.raises(ValueError, match=rf"own\.tsv, {fault}"):
        read(tmp_path / "own.tsv", text)


def test_wrong_rows_can_be_skipped_and_an_empty_lexicon_is_an_empty_graph(tmp_path):
    with pytest.warns(UserWarning, match="1 row"):
        graph = read(tmp_path / "own.tsv", "glad\t1\nsad\n", on_error="skip")
    assert said(graph) == {("glad", "positive"): 1.0}
    assert len(read(tmp_path / "own.tsv", "")) == 0
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="which the layout 'lexicon' needs"):
        KnowledgeGraph.from_layout("lexicon", tmp_path / "empty")


def test_a_word_of_several_alphabets_cases_and_blanks_is_one_word(tmp_path):
    graph = read(tmp_path / "own.tsv", "FRÖHLICH\t1\nfröhlich\t0.5\nglad  of\t1\n")
    assert said(graph) == {("fröhlich", "positive"): 0.75, ("glad of", "positive"): 1.0}
