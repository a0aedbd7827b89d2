"""A user's own texts as tables, to classify them or what they name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from kgfm.datasets import table
from kgfm.datasets.table import Columns
from kgfm.types import LINKED, About, Example

NAMED = [
    "text,target,entity,label",
    '"Kestrel beats Plover, says Plover.",Kestrel,KESTREL,positive',
    "All quiet.,quiet,,neutral",
    '"Kestrel beats Plover, says Plover.",Plover,NIL,negative',
]
PLACED = [
    "headline;from;to;says;mood",
    "Öl beats Gas;0;2;Öl;positive",
    "Öl beats Gas;9;12;Gas;",
]
PLACES = {"text": "headline", "start": "from", "end": "to", "target": "says", "label": "mood"}


def write(path: Path, lines: list[str]) -> str:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path.name


def test_a_row_is_a_text_and_its_label(tmp_path: Path) -> None:
    write(
        tmp_path / "own.csv", ["text,label", '"Good phone, bad battery.",mixed', "Fine.,", "No.,3"]
    )
    found = table(tmp_path, tmp_path, train="own.csv", validation="own.csv")
    assert found.graph is None
    assert found.train == found.validation
    assert [(example.text, example.target) for example in found.train] == [
        ("Good phone, bad battery.", ("mixed",)),
        ("Fine.", None),
        ("No.", ("3",)),
    ]
    assert found.train[0].where == f"{tmp_path / 'own.csv'}, line 2"


def test_a_field_may_hold_several_labels(tmp_path: Path) -> None:
    write(tmp_path / "own.csv", ["text,label", "Good; bad.,a; b;a"])
    (example,) = table(tmp_path, tmp_path, train="own.csv", validation="own.csv", several=";").train
    assert example == Example("Good; bad.", ("a", "b"))


def test_the_rows_of_a_text_become_one_example_with_all_its_targets(tmp_path: Path) -> None:
    write(tmp_path / "own.csv", NAMED)
    columns = {"target": "target", "entity": "entity"}
    first, second = table(
        tmp_path, tmp_path, train="own.csv", validation="own.csv", **columns
    ).train
    assert first.about == (
        About(((0, 7),), ("KESTREL",), ("positive",)),
        About(((14, 20),), (None,), ("negative",)),
        About(((27, 33),), (None,), ("negative",)),
    )
    assert second.about == (About(((4, 9),), (LINKED,), ("neutral",)),)
    assert first.target is None
    assert first.where.endswith("line 2")


def test_a_target_may_be_given_by_its_place_and_checked_by_its_words(tmp_path: Path) -> None:
    write(tmp_path / "own.csv", PLACED)
    (example,) = table(tmp_path, tmp_path, train="own.csv", validation="own.csv", **PLACES).train
    assert example.about == (About(((0, 2),), None, ("positive",)), About(((9, 12),)))


def test_other_kinds_of_table_are_read_alike(tmp_path: Path) -> None:
    write(tmp_path / "own.csv", PLACED)
    frame = pd.read_csv(tmp_path / "own.csv", sep=";")
    frame.to_parquet(tmp_path / "own.parquet")
    frame.to_csv(tmp_path / "own.tsv", sep="\t", index=False)
    read = [
        table(tmp_path, tmp_path, train=name, validation=name, **PLACES).train
        for name in ("own.csv", "own.parquet", "own.tsv")
    ]
    assert read[0] == read[1] == read[2]


def test_the_validation_may_be_cut_off_with_equal_texts_together(tmp_path: Path) -> None:
    rows = [f"Text {n % 20},{n % 3}" for n in range(40)]
    write(tmp_path / "own.csv", ["text,label", *rows])
    found = table(tmp_path, tmp_path, train="own.csv", validation=0.25, test="own.csv")
    assert [len(part) for part in (found.train, found.validation, found.test)] == [30, 10, 40]
    assert not {e.text for e in found.train} & {e.text for e in found.validation}
    assert found.train == table(tmp_path, tmp_path, train="own.csv", validation=0.25).train


def test_entities_must_be_those_of_the_graph_that_is_named(tmp_path: Path) -> None:
    write(tmp_path / "own.csv", NAMED)
    columns = {"target": "target", "entity": "entity", "validation": "own.csv"}
    write(tmp_path / "good.tsv", ["KESTREL\trival\tPLOVER"])
    write(tmp_path / "bad.tsv", ["KESTRELS\trival\tPLOVER"])
    assert table(tmp_path, tmp_path, train="own.csv", graph="good.tsv", **columns).graph is not None
    with pytest.raises(ValueError, match=r"own\.csv, line 2: .*Did you mean 'KESTRELS'"):
        table(tmp_path, tmp_path, train="own.csv", graph="bad.tsv", **columns)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Öl beats Gas;0;2;Gas;x", "line 3: the target says 'Gas', but 'Öl' stands at 0 to 2"),
        ("Öl beats Gas;0;2;Gas;x", "'Gas' begins at 9"),
        ("Öl beats Gas;9;13;Gas;x", "line 3: the target goes from 9 to 13"),
        ("Öl beats Gas;2;0;Gas;x", "line 3: the target goes from 2 to 0"),
        ("Öl beats Gas;9.0;12;Gas;x", "line 3: start and end are whole numbers; got"),
        ("Öl beats Gas;;;Gas;x", "line 3: start and end are whole numbers"),
        (" ;0;2;Öl;x", "line 3: the text is empty"),
        ("Öl beats Gas;0;2", "row 3: 3 fields, but there are 5 columns"),
    ],
)
def test_what_is_wrong_with_a_row_is_named_with_file_and_line(
    tmp_path: Path, row: str, reason: str
) -> None:
    write(tmp_path / "own.csv", [*PLACED[:2], row])
    with pytest.raises(ValueError, match=rf"own\.csv, .*{reason}"):
        table(tmp_path, tmp_path, train="own.csv", validation="own.csv", **PLACES)


def test_a_row_of_a_table_without_lines_is_counted_from_0(tmp_path: Path) -> None:
    pd.DataFrame({"text": ["Fine.", ""], "label": ["a", "b"]}).to_parquet(tmp_path / "own.parquet")
    with pytest.raises(ValueError, match=r"own\.parquet, row 1: the text is empty"):
        table(tmp_path, tmp_path, train="own.parquet", validation="own.parquet")


def test_a_field_may_go_over_several_lines_and_a_mark_begin_the_file(tmp_path: Path) -> None:
    text = '\ufefftext,label\n"Two\nlines, ""quoted"".",a\n,b\n'
    (tmp_path / "own.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"own\.csv, line 4: the text is empty"):
        table(tmp_path, tmp_path, train="own.csv", validation="own.csv")
    (tmp_path / "own.csv").write_text(text.replace(",b\n", ""), encoding="utf-8")
    (example,) = table(tmp_path, tmp_path, train="own.csv", validation="own.csv").train
    assert example.text == 'Two\nlines, "quoted".'


def test_a_target_that_its_text_does_not_say_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "own.csv", ["text,target,label", "Kestrels gain.,Kestrel,good"])
    with pytest.raises(
        ValueError, match=r"own\.csv, line 2: 'Kestrels gain.' does not say 'Kestrel'"
    ):
        table(tmp_path, tmp_path, train="own.csv", validation="own.csv", target="target")


def test_a_column_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    write(tmp_path / "own.csv", ["text,sentiment", "Fine.,good"])
    with pytest.raises(ValueError, match=r"no column 'label'.*it has 'text', 'sentiment'"):
        table(tmp_path, tmp_path, train="own.csv", validation="own.csv")
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        table(tmp_path, tmp_path, train="none.csv", validation="own.csv")
    with pytest.raises(ValueError, match=r"a share between 0 and 1; got 1\.5"):
        table(tmp_path, tmp_path, train="own.csv", label="sentiment", validation=1.5)


def test_columns_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(ValueError, match="start and end are two columns"):
        Columns(start="from")
    with pytest.raises(ValueError, match="entity is that of a target"):
        Columns(entity="key")
