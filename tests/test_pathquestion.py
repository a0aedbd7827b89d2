"""PathQuestion in its official layout, in small."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from kgfm.datasets import pathquestion

KB = "ann\tspouse\tbob\nbob\tnation\tperu\neve\tspouse\tdan_(x/y)\ndan_(x/y)\tnation\tchile\n"
LINES = [
    "what nation is ann 's spouse ?\tperu(peru/)\tann#spouse#bob#nation#peru#<end>#peru",
    "the nation of eve 's couple ?\tchile(chile/peru/)\teve#spouse#dan_(x/y)#nation#chile",
    "who is eve married to ?\tdan_(x/y)(dan_(x/y)/)\teve#spouse#dan_(x/y)#<end>#dan_(x/y)",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "2H-kb.txt").write_text(KB)
    (tmp_path / "PQ-2H.txt").write_text("\n".join(LINES * 10) + "\n")
    return tmp_path


def every(dataset):
    return [*dataset.train, *dataset.validation, *dataset.test]


def test_questions_have_their_topic_and_all_answers(folder: Path) -> None:
    dataset = pathquestion(folder, folder / "cache")
    assert len(every(dataset)) == 30
    by_text = {one.text: one for one in every(dataset)}
    found = by_text["the nation of eve 's couple ?"]
    assert found.target == ("chile", "peru")
    assert [(m.text, m.entity) for m in found.mentions] == [("eve", "eve")]
    assert dataset.graph.relation_text(dataset.graph.relation_row("nation")) == "nation"


def test_a_path_is_in_one_part_when_dealt_by_paths(folder: Path) -> None:
    lines = [
        f"way {n} of ann, {again} ?\tbob(bob/)\tann#r{n}#bob" for n in range(20) for again in "abc"
    ]
    (folder / "PQ-2H.txt").write_text("\n".join(lines) + "\n")
    dataset = pathquestion(folder, folder / "cache", deal="path")
    parts = [
        {one.text.partition(",")[0] for one in part}
        for part in (dataset.train, dataset.validation, dataset.test)
    ]
    assert [len(part) for part in parts] == [14, 2, 4]
    assert len(set.union(*parts)) == 20


def test_linked_topics_are_left_to_the_linker(folder: Path) -> None:
    assert all(one.mentions is None for one in every(pathquestion(folder, folder, topics="linked")))


def test_what_is_wrong_is_said_with_its_line(folder: Path) -> None:
    with (folder / "PQ-2H.txt").open("a") as file:
        file.write("who is that ?\tperu(peru/)\tann#spouse#bob\n")
    with pytest.raises(ValueError, match=r"PQ-2H\.txt, line 31: .*topic in the question"):
        pathquestion(folder, folder / "cache")
    unchecked = inspect.unwrap(pathquestion.read)  # past the type checker of the tests
    with pytest.raises(ValueError, match="part is one of"):
        unchecked(folder, folder, part="PQ-9H")


@pytest.mark.data
@pytest.mark.parametrize("part", ["PQ-2H", "PQ-3H", "PQL-2H", "PQL-3H"])
def test_all_answers_of_the_published_questions_are_in_their_graph(
    public_data: Path, part: str, tmp_path: Path
) -> None:
    if not (public_data / "pathquestion").is_dir():
        pytest.skip(f"no pathquestion in {public_data}")
    dataset = pathquestion(public_data / "pathquestion", tmp_path, part=part)
    known = [key in dataset.graph for one in every(dataset) for key in one.target]
    assert sum(known) / len(known) > 0.99
