"""The script that writes the affect graph, and what it says of its sources."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from kgfm.graph import KnowledgeGraph

FOLDER = Path(__file__).parents[1] / "graphs" / "affect"
VADER = (
    "good\t2.0\t0.9\t[2, 2]\nawful\t-3.0\t0.5\t[-3]\nfaint\t0.1\t0.3\t[0]\nlose\t-1.0\t1\t[-1]\n"
)
TEXTBLOB = """<?xml version="1.0" encoding="utf-8"?>
<sentiment language="en" license="PDDL">
<word form="good" pos="JJ" sense="one" polarity="1.0" subjectivity="0.6" />
<word form="good" pos="JJ" sense="other" polarity="0.4" subjectivity="0.8" />
<word form="lawful" pos="JJ" sense="by law" polarity="0.0" subjectivity="0.01" />
</sentiment>
"""


def build():
    spec = importlib.util.spec_from_file_location("affect_build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_averages_both_lexicons_and_keeps_irregular_forms(tmp_path, capsys):
    (tmp_path / "vader.txt").write_text(VADER)
    (tmp_path / "textblob.xml").write_text(TEXTBLOB)
    (tmp_path / "dict").mkdir()
    lists = {"verb": "lost lose\nwent go\ngood good\n", "noun": "", "adj": "better good\n"}
    for part in ("verb", "noun", "adj", "adv"):
        (tmp_path / "dict" / f"{part}.exc").write_text(lists.get(part, ""))
    out = tmp_path / "out"
    out.mkdir()
    files = {"vader": "vader.txt", "textblob": "textblob.xml", "wordnet": "dict", "out": "out"}
    build().main([part for k, v in files.items() for part in (f"--{k}", str(tmp_path / v))])
    assert (out / "affect.tsv").read_text().splitlines() == [
        "word\taffect\tweight",
        "awful\tnegative\t0.7500",
        "good\tpositive\t0.6000",  # (2 / 4 + (1 + .4) / 2) / 2
        "good\tsubjective\t0.7000",
        "lose\tnegative\t0.2500",
    ]
    assert (out / "irregular.exc").read_text().splitlines() == ["better good", "lost lose"]
    assert "3 words, 4 triples, 2 forms" in capsys.readouterr().out
    graph = KnowledgeGraph.from_layout("lexicon", out)
    assert graph.names(graph.row("word/lose")) == ("lose", "lost")


def test_the_readme_and_the_licence_say_what_is_there():
    graph = KnowledgeGraph.from_layout("lexicon", FOLDER)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    words = sum(key.startswith("word/") for key in graph.keys)
    forms = len((FOLDER / "irregular.exc").read_text().splitlines())
    counts = dict(zip(graph.keys, graph.degree.tolist(), strict=True))
    said = [words, graph.num_triples, forms]
    said += [counts[f"affect/{affect}"] for affect in ("positive", "negative", "subjective")]
    assert all(f"{number:,}" in readme for number in said)
    licence = (FOLDER / "LICENSE").read_text(encoding="utf-8")
    for holder in ("C.J. Hutto", "Tom De\n   Smedt", "Steven Loria", "Princeton University"):
        assert holder in licence
