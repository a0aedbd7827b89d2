"""Tables at scale and in trouble: columnar files, portions, rejects."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgfm.cli import main
from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.stores.refresh import refresh

NAMES = ("head", "relation", "tail")
ROWS = [("Heat", "by", "Mann", 1995, 0.5, True, "é"), ("Ali", "by", "Mann", 2001, 1.5, False, "")]
COLUMNS = (*NAMES, "year", "weight", "sure", "note")


def columns() -> dict[str, list[Any]]:
    return dict(zip(COLUMNS, map(list, zip(*ROWS, strict=True)), strict=True))


def every_form(folder: Path) -> dict[str, Any]:
    """The same triples with edge attributes in every form that is read."""
    table = pyarrow.table(columns())
    forms: dict[str, Any] = {
        "mappings": [dict(zip(COLUMNS, row, strict=True)) for row in ROWS],
        "frame": pandas.DataFrame(columns()),
        "objects": pandas.DataFrame(columns()).astype(object),
        "arrow": table,
        "stream": pyarrow.RecordBatchReader.from_batches(table.schema, table.to_batches()),
        "views": table.set_column(0, "head", table["head"].cast(pyarrow.string_view())),
        "sliced": pyarrow.concat_tables([table, table]).slice(1, 2),
        "binary": table.set_column(0, "head", table["head"].cast(pyarrow.binary())),
        "coded": table.set_column(0, "head", table["head"].dictionary_encode()),
    }
    with (folder / "t.csv").open("w", encoding="utf-8", newline="") as file:
        lines = [[str(v).lower() if isinstance(v, bool) else v for v in row] for row in ROWS]
        csv.writer(file).writerows([COLUMNS, *lines])
    pyarrow.parquet.write_table(table, folder / "t.parquet", row_group_size=1)
    pyarrow.feather.write_feather(table, folder / "t.feather")
    with pyarrow.ipc.new_stream(folder / "t.arrow", table.schema) as writer:
        writer.write_table(table)
    text = (folder / "t.csv").read_text(encoding="utf-8")
    (folder / "t.tsv").write_text(text.replace(",", "\t"), encoding="utf-8")
    (folder / "ü ñ.tsv.gz").write_bytes(gzip.compress((folder / "t.tsv").read_bytes()))
    return forms | {path.name: path for path in folder.iterdir()}


def test_every_form_of_a_table_gives_the_same_graph(tmp_path: Path) -> None:
    prints = {
        name: KnowledgeGraph.from_tables(form).fingerprint
        for name, form in every_form(tmp_path).items()
    }
    assert prints == dict.fromkeys(prints, prints["mappings"])
    kg = KnowledgeGraph.from_tables(tmp_path / "t.parquet")
    assert kg.edge_attributes["year"].tolist() == [2001, 1995]
    assert kg.edge_attributes["sure"].dtype == bool
    assert list(kg.edge_attributes["note"]) == ["", "é"]


def test_missing_values_of_arrow_and_pandas_are_missing(tmp_path: Path) -> None:
    values = {"head": ["a", "b"], "relation": ["r", "r"], "tail": ["b", "c"]}
    more = {"n": [1, None], "t": ["x", None], "b": [True, None], "f": [0.5, None]}
    table = pyarrow.table(values | more)
    expected = KnowledgeGraph.from_tables(
        [dict(zip(row, v, strict=True)) for row, v in rows(table)]
    )
    for form in (table, table.to_pandas(), table.to_pandas(types_mapper=pandas.ArrowDtype)):
        assert KnowledgeGraph.from_tables(form).fingerprint == expected.fingerprint
    for name in values:
        empty = table.set_column(table.column_names.index(name), name, pyarrow.array(["a", None]))
        with pytest.raises(ValueError, match=f"row 1: an empty {name!r}"):
            KnowledgeGraph.from_tables(empty)


def rows(table: pyarrow.Table) -> list[tuple[list[str], list[Any]]]:
    return [(table.column_names, list(row.values())) for row in table.to_pylist()]


def test_numbers_as_keys_are_written_out_from_every_form(tmp_path: Path) -> None:
    table = pyarrow.table({"head": [1, 20], "relation": [0, 0], "tail": [20, 3]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    for form in (table, table.to_pandas(), tmp_path / "t.parquet"):
        assert list(KnowledgeGraph.from_tables(form).keys) == ["1", "20", "3"]


lines = st.lists(
    st.sampled_from(
        ["a\tr\tb", "é\tr\t", "a\tr", "", '"\tr\tx y', "b\tr\ta\tx", "a\rb\tr\tc", "\r"]
    ),
    max_size=12,
)


@given(lines, st.sampled_from(["\n", "\r\n"]), st.integers(1, 40), st.booleans())
def test_lines_are_cut_the_same_way_whatever_the_size_of_a_block(
    tmp_path_factory: pytest.TempPathFactory, lines, newline: str, block: int, last: bool
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "t.tsv").write_bytes((newline.join(lines) + newline * last).encode())
    sound = [line.split("\t") for line in lines if line.count("\t") == 2 and line[-1] != "\t"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgfm.stores.text_files._BLOCK", block)
        patch.setattr("kgfm.stores.batches._MANY", 1)
        with pytest.warns() if len(sound) < len([x for x in lines if x.strip("\r")]) else quiet():
            kg = KnowledgeGraph.from_tables(
                folder / "t.tsv", on_error="skip", rejects=folder / "out.csv"
            )
    assert kg.fingerprint == KnowledgeGraph.from_tables(sound).fingerprint
    bad = [
        number
        for number, line in enumerate(lines, 1)
        if line.strip("\r") and (line.count("\t") != 2 or line[-1] == "\t")
    ]
    assert sorted(int(row["row"]) for row in rejects(folder / "out.csv")) == bad


class quiet:
    def __enter__(self) -> None: ...
    def __exit__(self, *error: object) -> None: ...


def rejects(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_quotes_may_hold_delimiters_newlines_and_long_texts(tmp_path: Path) -> None:
    long = "x" * 200_000
    path = tmp_path / "t.csv"
    path.write_text(f'a,r,b\n"c, d",r,"e\nf"\n{long},r,"{long}"\n')
    limit = csv.field_size_limit()
    kg = KnowledgeGraph.from_tables(path)
    assert list(kg.keys) == ["a", "b", "c, d", "e\nf", long]
    assert csv.field_size_limit() == limit


def test_a_bad_quote_costs_only_its_own_line(tmp_path: Path) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "out.csv"
    path.write_text('a,r,b\nc,r,"open\nd,r,e\n"f" g,r,h\n"i\nj",r,k\n\nl,r\n')
    with pytest.warns(UserWarning, match=r"3 rows were skipped.*out\.csv"):
        kg = KnowledgeGraph.from_tables(path, on_error="skip", rejects=out)
    assert list(kg.keys) == ["a", "b", "d", "e", "i\nj", "k"]
    assert [(row["row"], json.loads(row["content"])) for row in rejects(out)] == [
        ("2", 'c,r,"open'),
        ("4", '"f" g,r,h'),
        ("8", ["l", "r"]),
    ]
    assert kg.manifest["source"]["skipped"] == 3
    with pytest.raises(ValueError, match=r"t\.csv, row 2: "):
        KnowledgeGraph.from_tables(path)


def test_rows_without_sound_keys_or_bytes_are_set_aside_with_their_reasons(tmp_path: Path) -> None:
    path, out = tmp_path / "ä" / "t.tsv", tmp_path / "ö" / "out.csv"
    path.parent.mkdir()
    path.write_bytes(b"a\tr\tb\n\tr\tb\na\tx\0\tb\na\tr\t\xff\n\na\tr\n" + "c\tr\té".encode())
    with pytest.warns(UserWarning, match="4 rows were skipped"):
        kg = KnowledgeGraph.from_tables(path, on_error="skip", rejects=out)
    assert list(kg.keys) == ["a", "b", "c", "é"]
    assert list(kg.relation_keys) == ["r"]
    found = {row["row"]: row["reason"] for row in rejects(out)}
    assert found.keys() == {"2", "3", "4", "6"}
    assert found["2"] == "an empty 'head'"
    assert found["3"] == "a NUL character in 'relation'"
    assert found["4"].startswith("not UTF-8")
    assert found["6"].startswith("2 fields, but there are 3 columns (head, relation, tail")
    path.write_text("a\tr\tb\n")
    assert KnowledgeGraph.from_tables(path, on_error="skip", rejects=out).num_triples == 1
    assert not out.exists()


def test_rows_in_memory_are_set_aside_too() -> None:
    given = [("a", "r", "b"), ("a", "r"), "arb", ("a", "r", "\ud800"), ("a", "r", None)]
    with pytest.warns(UserWarning, match="4 rows were skipped"):
        kg = KnowledgeGraph.from_tables(given, on_error="skip")
    assert kg.num_triples == 1
    with pytest.raises(ValueError, match="on_error is 'raise' or 'skip', not 'ignore'"):
        KnowledgeGraph.from_tables(given, on_error="ignore")


def test_several_tables_of_entities_add_to_each_other_and_may_not_contradict(
    tmp_path: Path,
) -> None:
    for name, text in {
        "labels.tsv": "key\tlabel\na\tA\nb\tB\n",
        "aliases.csv": "key,alias\na,x\na,y\n",
        "texts.tsv": "id\tdescription\tyear\nb\tA thing.\t1999\n",
    }.items():
        (tmp_path / name).write_text(text)
    files = [tmp_path / name for name in ("labels.tsv", "aliases.csv", "texts.tsv")]
    kg = KnowledgeGraph.from_tables([("a", "r", "b")], entities=files)
    assert (kg.names(0), kg.text(1), kg.attributes(1)) == (
        ("A", "x", "y"),
        "B. A thing.",
        {"year": 1999},
    )
    assert [entry["file"] for entry in kg.manifest["source"]["entities"]] == [f.name for f in files]
    files[0].write_text("key\tlabel\na\tA\nb\tB\na\tA\nb\tC\n")
    with pytest.raises(
        ValueError, match=r"labels\.tsv, row 5: another label for 'b' than in row 3"
    ):
        KnowledgeGraph.from_tables([("a", "r", "b")], entities=files)
    with pytest.warns(UserWarning, match="1 rows were skipped"):
        again = KnowledgeGraph.from_tables([("a", "r", "b")], entities=files, on_error="skip")
    assert again.fingerprint == kg.fingerprint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfea\x00\t\x00", "is not UTF-8 but UTF-16"),
        (b"head\trelation\thead\na\tr\tb\n", "2 columns 'head'"),
        (b"head,relation,tail\na\tr\tb\n", "1 field, but there are 3 columns"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "t.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        KnowledgeGraph.from_tables(tmp_path / "t.tsv", columns=("head", "relation", "tail"))


def test_damaged_files_are_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every_form(tmp_path)
    for name in ("t.parquet", "t.feather", "t.arrow", "ü ñ.tsv.gz"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(ValueError, match=f"{path.name} is damaged"):
            KnowledgeGraph.from_tables(path)
        with pytest.raises(FileNotFoundError):
            KnowledgeGraph.from_tables(tmp_path / f"no {name}")
    monkeypatch.setattr("kgfm.stores.rdf_sources.FREE_SIZE", 1 << 16)
    (tmp_path / "bomb.tsv.gz").write_bytes(gzip.compress(b"a\tr\tb\n" * (1 << 20)))
    with pytest.raises(ValueError, match=r"bomb\.tsv\.gz is refused: unpacked it has more than"):
        KnowledgeGraph.from_tables(tmp_path / "bomb.tsv.gz")
    monkeypatch.setattr("kgfm.stores.text_files._LONGEST", 100)
    monkeypatch.setattr("kgfm.stores.text_files._BLOCK", 64)
    (tmp_path / "long.tsv").write_text("x" * 1000)
    with pytest.raises(ValueError, match="has a line of more than"):
        KnowledgeGraph.from_tables(tmp_path / "long.tsv")
    with pytest.raises(ValueError, match="one character"):
        KnowledgeGraph.from_tables(tmp_path / "t.csv", delimiter="||")


def test_without_arrow_text_is_read_all_the_same_and_parquet_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_form(tmp_path)
    expected = KnowledgeGraph.from_tables(tmp_path / "t.parquet").fingerprint
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setattr("kgfm.stores.batches._MANY", 1)
    assert KnowledgeGraph.from_tables(tmp_path / "t.tsv").fingerprint == expected
    with pytest.raises(ImportError, match=r'pip install "kgfm\[tables\]"'):
        KnowledgeGraph.from_tables(tmp_path / "t.parquet")


@pytest.mark.filterwarnings("default:.*rows were skipped")
def test_the_command_builds_from_parquet_skips_rows_and_refreshes_the_same_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pyarrow.table({"s": ["a", ""], "p": ["r", "r"], "o": ["b", "c"]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    (tmp_path / "e.csv").write_text("key,nom\na,Å\nb,B\n")
    (tmp_path / "schema.json").write_text('{"label": ["nom"]}')
    out = tmp_path / "kg"
    command = ["graph", "build", str(tmp_path / "t.parquet"), "--out", str(out)]
    command += ["--columns", "s", "p", "o", "--entities", str(tmp_path / "e.csv")]
    command += ["--schema", str(tmp_path / "schema.json")]
    (tmp_path / "bad.json").write_text('{"lable": []}')
    assert main([*command[:-1], str(tmp_path / "bad.json")]) == 2
    assert "no field 'lable'. Did you mean 'label'" in capsys.readouterr().err
    assert main(command) == 2
    assert "row 1: an empty 's'" in capsys.readouterr().err
    assert main([*command, "--on-error", "skip"]) == 0
    assert "warning: 1 rows were skipped" in capsys.readouterr().err
    assert len(rejects(tmp_path / "kg.rejects.csv")) == 1
    kg = KnowledgeGraph.open(out)
    assert (kg.label("a"), kg.num_triples) == ("Å", 1)
    assert kg.manifest["source"]["options"] == {
        "columns": ["s", "p", "o"],
        "schema": {"label": ["nom"]},
    }
    pyarrow.parquet.write_table(table.slice(0, 1), tmp_path / "t.parquet")
    again = refresh(out, tmp_path / "t.parquet", entities=str(tmp_path / "e.csv"))
    assert set(again.counts().values()) == {0}
    schema = GraphSchema(label=("nom",))
    fresh = KnowledgeGraph.from_tables(
        tmp_path / "t.parquet",
        columns=("s", "p", "o"),
        entities=tmp_path / "e.csv",
        schema=schema,
    ).save(tmp_path / "fresh")
    assert fresh.manifest["files"] == again.graph.manifest["files"]


def test_many_distinct_texts_in_portions_keep_their_attributes(tmp_path: Path) -> None:
    count = 3_000
    order = np.random.default_rng(0).permutation(count)
    path = tmp_path / "t.tsv"
    path.write_text(
        "head\trelation\ttail\tn\n" + "".join(f"e{i}\tr\te{i + 1}\t{i}\n" for i in order)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgfm.stores.text_files._BLOCK", 1000)
        kg = KnowledgeGraph.from_tables(path)
    heads = [int(kg.keys[row][1:]) for row in kg.heads.tolist()]
    assert kg.edge_attributes["n"].tolist() == heads
