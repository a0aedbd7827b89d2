from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from kgfm.cli import main
from kgfm.graph import KnowledgeGraph
from kgfm.stores import layouts
from kgfm.stores.refresh import refresh

ALL = ("train", "valid", "test")
SPLITS = {"train": "a\tr\tb\nb\ts\tc\n", "valid": "a\ts\tc\n", "test": "c\tr\td\n"}


def write(folder: Path, **files: str) -> Path:
    """Write files whose names have ``_`` for the dot before the suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_text(text, encoding="utf-8", newline="")
    return folder


def splits(folder: Path) -> Path:
    return write(folder, **{f"{name}_txt": text for name, text in SPLITS.items()})


def triples_of(kg: KnowledgeGraph) -> list[tuple[str, str, str]]:
    columns = (kg.heads, kg.relations, kg.tails)
    return [
        (kg.keys[h], kg.relation_keys[r], kg.keys[t])
        for h, r, t in zip(*(column.tolist() for column in columns), strict=True)
    ]


# -- triples in parts -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_only_the_training_part_is_read_unless_told_otherwise(tmp_path: Path) -> None:
    folder = splits(tmp_path)
    assert triples_of(KnowledgeGraph.from_layout("fb15k", folder)) == [
        ("a", "r", "b"),
        ("b", "s", "c"),
    ]
    whole = KnowledgeGraph.from_layout("fb15k", folder, parts=ALL)
    assert (len(whole), whole.num_triples) == (4, 4)
    assert whole.manifest["source"]["layout"] == "fb15k"
    assert [f["file"] for f in whole.manifest["source"]["files"]] == [f"{p}.txt" for p in ALL]
    with pytest.raises(ValueError, match="No part 'dev'; parts are 'train', 'valid', 'test'"):
        KnowledgeGraph.from_layout("fb15k", folder, parts=["dev"])
    with pytest.raises(ValueError, match="at least one part"):
        KnowledgeGraph.from_layout("fb15k", folder, parts=())


def test_side_files_name_what_stands_in_a_triple(tmp_path: Path) -> None:
    folder = write(
        splits(tmp_path),
        entity2text_txt="a\tAnna, the first\nb\tBert\nz\tnowhere\n",
        entity2textlong_txt="a\tAnna is\tthe first.\n",
        relation2text_txt="r\tknows\nq\tunused\n",
    )
    wikidata = {"c": {"label": "Cleo", "alternatives": ["C"], "wikidata_id": "Q1"}, "z": {}}
    (folder / "entity2wikidata.json").write_text(json.dumps(wikidata))
    kg = KnowledgeGraph.from_layout("fb15k-237", folder)
    assert list(kg.keys) == ["a", "b", "c"]
    assert [kg.names(row) for row in range(3)] == [("Anna, the first",), ("Bert",), ("Cleo", "C")]
    assert kg.descriptions[0] == "Anna is the first."
    assert kg.attributes(2) == {"wikidata_id": "Q1"}
    assert kg.relation_text(0) == "knows"


def test_a_gloss_of_wordnet_is_a_description(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        train_txt="00000001\t_hypernym\t00000002\r\n",
        entity2text_txt="00000001\tdog, a pet; it barks, often\n00000002\tanimal, a beast\n",
    )
    kg = KnowledgeGraph.from_layout("wn18rr", folder)
    assert kg.names(0) == ("dog",)
    assert kg.text(0) == "dog. a pet; it barks, often"


def test_parts_may_lie_in_an_archive_which_is_never_unpacked(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as archive:
        for name in ("../train.txt", "FB/valid.txt"):
            content = SPLITS[Path(name).stem].encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo("test.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    kg = KnowledgeGraph.from_layout("fb15k", tmp_path, parts=("train", "valid"))
    assert kg.num_triples == 3
    assert not (tmp_path.parent / "train.txt").exists()
    with pytest.raises(FileNotFoundError, match=r"no test\.txt or test\.tsv"):
        KnowledgeGraph.from_layout("fb15k", tmp_path, parts="test")
    (tmp_path / "bad.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match="no sound archive"):
        KnowledgeGraph.from_layout("fb15k", tmp_path)


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_codex_takes_its_size_language_and_types(tmp_path: Path) -> None:
    write(tmp_path / "triples" / "codex-m", train_txt="Q1\tP1\tQ2\nQ3\tP1\tQ2\n")
    write(
        tmp_path / "types",
        entity2types_json=json.dumps({"Q1": ["Q9", "Q8"], "Q7": ["Q9"]}),
    )
    write(tmp_path / "types" / "de", types_json=json.dumps({"Q9": {"label": "Film"}}))
    labels = {"Q1": {"label": "Heat", "description": "ein Film", "wiki": "w"}, "Q3": {"label": ""}}
    write(tmp_path / "entities" / "de", entities_json=json.dumps(labels))
    write(tmp_path / "relations" / "de", relations_json=json.dumps({"P1": {"label": "von"}}))
    kg = KnowledgeGraph.from_layout("codex", tmp_path, size="m", language="de")
    assert list(kg.keys) == ["Q1", "Q2", "Q3"]
    assert kg.text(0) == "Heat (Film, Q8). ein Film"
    assert kg.attributes(0) == {"wiki": "w"}
    assert kg.relation_text(0) == "von"


def test_openke_counts_its_rows_and_puts_the_relation_last(tmp_path: Path) -> None:
    files = {
        "entity2id_txt": "3\r\n/m/a\t0\r\n/m/b\t1\r\n/m/c\t2\r\n",
        "relation2id_txt": "2\nr\t0\ns\t1\n",
        "train2id_txt": "2\n0 1 1\n1 0 0 \n",
    }
    kg = KnowledgeGraph.from_layout("openke", write(tmp_path, **files))
    assert triples_of(kg) == [("/m/a", "s", "/m/b"), ("/m/b", "r", "/m/a")]
    assert len(kg) == 3
    for name, text, message in (
        ("train2id_txt", "3\n0 1 1\n1 0 0\n", "row 1: the count is 3, but 2 rows follow"),
        ("train2id_txt", "2\n0 1 1\n1 9 0\n", r"train2id\.txt, row 3: not 'head tail.*: 1 9 0"),
        ("train2id_txt", "0 1 1\n", "row 1: '0 1 1' is no count"),
        ("entity2id_txt", "3\na\t0\nb\t1\na\t2\n", "row 4: the name or its number stands there"),
        ("entity2id_txt", "1\na b\n", "row 2: not 'name<TAB>number': a b"),
        ("relation2id_txt", "", "row 1: '' is no count"),
    ):
        write(tmp_path, **{**files, name: text})
        with pytest.raises(ValueError, match=message):
            KnowledgeGraph.from_layout("openke", tmp_path)


def test_metaqa_reads_what_lies_between_bars(tmp_path: Path) -> None:
    write(tmp_path, kb_txt="Heat|directed_by|Michael Mann\nHeat|release_year|1995\n")
    for given in (tmp_path, tmp_path / "kb.txt"):
        kg = KnowledgeGraph.from_layout("metaqa", given)
        assert list(kg.labels) == ["1995", "Heat", "Michael Mann"]
        assert kg.labelled.all()
        assert kg.relation_text(0) == "directed by"
    write(tmp_path, kb_txt="Heat|directed_by|Michael Mann\nHeat|1995\n")
    with pytest.raises(ValueError, match=r"kb\.txt, row 2: 2 fields; expected .*Heat\|1995"):
        KnowledgeGraph.from_layout("metaqa", tmp_path)


# -- ConceptNet -----------------------------------------------------------------------------------


def test_cn100k_puts_the_relation_first_and_may_have_a_score(tmp_path: Path) -> None:
    write(tmp_path, train100k_txt="IsA\tcat\tan animal\t2.5\n", dev1_txt="AtLocation\tcat\tsofa\n")
    kg = KnowledgeGraph.from_layout("cn-100k", tmp_path, parts=("train", "valid"))
    assert triples_of(kg) == [("cat", "AtLocation", "sofa"), ("cat", "IsA", "an animal")]
    assert kg.labelled.all()
    assert kg.edge_attributes["score"].tolist()[1] == 2.5
    write(tmp_path, train100k_txt="IsA\tcat\tan animal\tmuch\n")
    with pytest.raises(ValueError, match=r"row 1: the score is no number: .*'much'"):
        KnowledgeGraph.from_layout("cn-82k", tmp_path)


def assertions(*rows: tuple[str, str, str, float]) -> str:
    return "".join(
        f"/a/[{r}/,{h}/,{t}/]\t{r}\t{h}\t{t}\t{json.dumps({'dataset': '/d/x', 'weight': weight})}\n"
        for r, h, t, weight in rows
    )


@pytest.mark.filterwarnings("ignore:.*were given again with other values of weight")
def test_conceptnet_merges_senses_and_keeps_one_language(tmp_path: Path) -> None:
    text = assertions(
        ("/r/IsA", "/c/en/domestic_cat/n/wn/animal", "/c/en/pet", 2.0),
        ("/r/IsA", "/c/en/domestic_cat", "/c/en/pet/n", 1.0),
        ("/r/Synonym", "/c/en/pet", "/c/de/haustier/n", 1.0),
        ("/r/ExternalURL", "/c/en/pet", "http://dbpedia.org/resource/Pet", 1.0),
        ("/r/dbpedia/genre", "/c/en/pet", "/c/en/play", 0.5),
    )
    path = tmp_path / "conceptnet-assertions-5.7.0.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    kg = KnowledgeGraph.from_layout("conceptnet", tmp_path)
    assert list(kg.keys) == ["/c/en/domestic_cat", "/c/en/pet", "/c/en/play"]
    assert list(kg.labels) == ["domestic cat", "pet", "play"]
    assert list(kg.relation_labels) == ["IsA", "genre"]
    assert kg.edge_attributes["weight"].tolist() == [1.0, 0.5]
    apart = KnowledgeGraph.from_layout(
        "conceptnet", path, language=("en", "de"), senses=True, weight=1.0
    )
    assert "/c/en/domestic_cat/n/wn/animal" in apart
    assert apart.types(apart.row("/c/de/haustier/n")) == ("noun",)
    assert apart.num_triples == 3
    path.write_bytes(gzip.compress(text.encode())[:-12])
    with pytest.raises(ValueError, match="is damaged"):
        KnowledgeGraph.from_layout("conceptnet", path)
    (tmp_path / "assertions.csv").write_text("/a\t/r/IsA\t/c/en/a\t/c/en/b\t{}\n")
    with pytest.raises(ValueError, match=r"row 1: no JSON with a weight at its end: .*\{\}"):
        KnowledgeGraph.from_layout("conceptnet", tmp_path / "assertions.csv")


# -- recommendation -------------------------------------------------------------------------------

KGAT = {
    "kg_final_txt": "0 0 2\n1 1 2",
    "entity_list_txt": "org_id remap_id\nm.01 0\nm.02 1\nOne Piece 2\nm.03 3\n",
    "relation_list_txt": "org_id remap_id\nhttp://e.org/genre 0\nhttp://e.org/by 1\n",
    "item_list_txt": "org_id remap_id freebase_id\nB00 0 m.01\nB01 1 m.02\n",
    "train_txt": "0 0 1\n1 1\n2 \n",
}


@pytest.mark.filterwarnings("ignore:.*have no label")
@pytest.mark.parametrize("name", ["kgat", "kgin"])
def test_kgat_numbers_become_keys_and_users_come_on_request(tmp_path: Path, name: str) -> None:
    kg = KnowledgeGraph.from_layout(name, write(tmp_path, **KGAT))
    assert triples_of(kg) == [
        ("m.01", "http://e.org/genre", "One Piece"),
        ("m.02", "http://e.org/by", "One Piece"),
    ]
    assert list(kg.keys) == ["One Piece", "m.01", "m.02", "m.03"]
    assert (kg.types(1), kg.types(3), kg.attributes(1)) == (("item",), (), {"org_id": "B00"})
    users = KnowledgeGraph.from_layout(name, tmp_path, interactions="train")
    assert triples_of(users)[2:] == [
        ("user/0", "interacts", "m.01"),
        ("user/0", "interacts", "m.02"),
        ("user/1", "interacts", "m.02"),
    ]
    assert users.types(users.row("user/0")) == ("user",)
    for file in tmp_path.glob("*_list.txt"):
        file.unlink()
    assert list(KnowledgeGraph.from_layout(name, tmp_path).keys) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("kg_final_txt", "0 0 2\n0 0 9", r"kg_final\.txt, row 2: a number that is in no list.*'9'"),
        ("kg_final_txt", "0 0", "row 1: 2 fields"),
        (
            "entity_list_txt",
            "org_id remap_id\na 0\nb 0\n",
            "row 3: the number stands there twice: b 0",
        ),
        ("entity_list_txt", "org_id remap_id\na 0\na 1\n", "row 3: the id has two numbers.*: a 1"),
        ("relation_list_txt", "x\n", "row 1: not 'org_id remap_id': x"),
        ("item_list_txt", "B00 7 m.01\n", r"item_list\.txt, row 1: a number that is not in.*'7'"),
        ("train_txt", "0 0\n1 8\n", r"train\.txt, row 2: an item that is not in.*'8'"),
    ],
)
def test_a_wrong_row_of_kgat_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    write(tmp_path, **{**KGAT, name: text})
    with pytest.raises(ValueError, match=message):
        KnowledgeGraph.from_layout("kgat", tmp_path, interactions="train")


RECBOLE = {
    "ml_kg": "head_id:token\trelation_id:token\ttail_id:token\nm.1\tfilm.genre\tm.9\n",
    "ml_link": "item_id:token\tentity_id:token\n1\tm.1\n",
    "ml_item": "item_id:token\tmovie_title:token_seq\tyear:token\tclass:token_seq\tprice:float\n"
    "1\tToy Story\t1995\tAnimation Comedy\t2.5\n2\tGoldenEye\t\tAction\t\n",
    "ml_user": "user_id:token\tage:token\n7\t24\n",
    "ml_inter": "user_id:token\titem_id:token\trating:float\n7\t1\t3\n7\t2\t4.5\n",
}


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_recbole_links_items_to_entities_and_keeps_what_its_headers_say(tmp_path: Path) -> None:
    kg = KnowledgeGraph.from_layout("recbole", write(tmp_path, **RECBOLE))
    assert list(kg.keys) == ["item/2", "m.1", "m.9"]
    assert list(kg.labels)[:2] == ["GoldenEye", "Toy Story"]
    assert kg.types(1) == ("item",)
    assert kg.attributes(1) == {"class": ["Animation", "Comedy"], "price": 2.5, "year": "1995"}
    assert kg.attributes(0) == {"class": "Action"}
    users = KnowledgeGraph.from_layout("recbole", tmp_path, interactions=True)
    assert triples_of(users)[1:] == [
        ("user/7", "interacts", "item/2"),
        ("user/7", "interacts", "m.1"),
    ]
    assert users.edge_attributes["rating"].tolist()[1:] == [4.5, 3.0]
    assert users.attributes(users.row("user/7")) == {"age": "24"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ml_kg", "head\trelation\ttail\n", r"ml\.kg, row 1: 'head.*is no header"),
        ("ml_kg", "head_id:token\ttail_id:token\n", "no field 'relation_id'; it has head_id"),
        ("ml_kg", RECBOLE["ml_kg"] + "m.1\t\tm.2\n", "row 3: an empty 'relation_id'"),
        ("ml_link", RECBOLE["ml_link"] + "2\n", r"ml\.link, row 3: 1 field; expected"),
        ("ml_item", RECBOLE["ml_item"].replace("2.5", "cheap"), "row 2: price is a float, but"),
    ],
)
def test_a_wrong_row_of_recbole_is_named(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    write(tmp_path, **{**RECBOLE, name: text})
    with pytest.raises(ValueError, match=message):
        KnowledgeGraph.from_layout("recbole", tmp_path)


# -- bad rows -------------------------------------------------------------------------------------

BAD: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, list[int]]]] = {
    "kgat": (
        {
            **KGAT,
            "kg_final_txt": "0 0 2\n0 0\n0 0 9\n0 0 1\n",
            "item_list_txt": KGAT["item_list_txt"] + "B 99 m.99\n",
            "train_txt": "0 0 8\n1 1\n",
        },
        {"interactions": "train"},
        {"kg_final.txt": [2, 3], "item_list.txt": [4], "train.txt": [1]},
    ),
    "recbole": (
        {
            **RECBOLE,
            "ml_kg": RECBOLE["ml_kg"] + "m.1\t\tm.2\nm.1\tr\n",
            "ml_link": RECBOLE["ml_link"] + "2\t\n",
            "ml_item": RECBOLE["ml_item"] + "3\tX\t\t\tcheap\n",
            "ml_inter": RECBOLE["ml_inter"] + "\t1\t1\n7\t1\tx\n",
        },
        {"interactions": True},
        {"ml.kg": [3, 4], "ml.link": [3], "ml.item": [4], "ml.inter": [4, 5]},
    ),
    "openke": (
        {
            "entity2id_txt": "3\na\t0\nb\t1\nb c\n",
            "relation2id_txt": "1\nr\t0\n",
            "train2id_txt": "3\n0 1 0\n0 7 0\n",
        },
        {},
        {"entity2id.txt": [4], "train2id.txt": [1, 3]},
    ),
    "fb15k": (
        {"train_txt": "a\tr\tb\na\t\tb\na\tr\na\0\tr\tb\n", "entity2text_txt": "a\tA\nb\n"},
        {},
        {"train.txt": [2, 3, 4], "entity2text.txt": [2]},
    ),
    "conceptnet": (
        {"assertions_csv": assertions(("/r/IsA", "/c/en/a", "/c/en/b", 1.0)) + "/a\t/r/IsA\n"
         "/a\t/r/IsA\t/c/en/a\t/c/en/c\t{}\n"},
        {},
        {"assertions.csv": [2, 3]},
    ),
    "cn-100k": (
        {"train_txt": "IsA\ta\tb\t1\nIsA\ta\tc\tmuch\nIsA\t\tb\n"},
        {},
        {"train.txt": [2, 3]},
    ),
    "metaqa": ({"kb_txt": "a|r|b\na|b\n||\n"}, {}, {"kb.txt": [2, 3]}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*have no label")
@pytest.mark.parametrize("layout", BAD)
def test_bad_rows_of_a_layout_are_skipped_into_a_file_on_request(
    tmp_path: Path, layout: str
) -> None:
    content, options, expected = BAD[layout]
    write(tmp_path, **content)
    with pytest.raises(ValueError, match=r", row \d+: "):
        KnowledgeGraph.from_layout(layout, tmp_path, **options)
    rejects = tmp_path / "rejects.csv"
    with pytest.warns(UserWarning, match=r"rows were skipped: .*They are in .*rejects\.csv"):
        kg = KnowledgeGraph.from_layout(
            layout, tmp_path, on_error="skip", rejects=rejects, **options
        )
    with rejects.open(newline="") as file:
        rows = [*csv.DictReader(file)]
    found: dict[str, list[int]] = {}
    for row in rows:
        found.setdefault(Path(row["table"]).name, []).append(int(row["row"]))
    assert {name: sorted(numbers) for name, numbers in found.items()} == expected
    assert all(row["reason"] and row["content"] for row in rows)
    assert kg.num_triples
    assert kg.manifest["source"]["skipped"] == sum(map(len, expected.values()))


@pytest.mark.filterwarnings("ignore:.*have no label")
def test_bad_entries_of_json_are_skipped_with_the_number_of_their_key(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\tr\tb\n")
    (tmp_path / "entity2wikidata.json").write_text('{"a": {"label": "A"}, "b": "B"}')
    with pytest.raises(ValueError, match=r"wikidata\.json, row 2: key 'b' has no mapping"):
        KnowledgeGraph.from_layout("fb15k", tmp_path)
    with pytest.warns(UserWarning, match="1 rows were skipped"):
        kg = KnowledgeGraph.from_layout("fb15k", tmp_path, on_error="skip")
    assert list(kg.labels) == ["A", "b"]


def test_a_packed_file_that_grows_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kgfm.stores.rdf_sources.FREE_SIZE", 1 << 16)
    (tmp_path / "assertions.csv.gz").write_bytes(gzip.compress(b"a" * (1 << 24)))
    with pytest.raises(ValueError, match="refused: unpacked it has more than"):
        KnowledgeGraph.from_layout("conceptnet", tmp_path)
    monkeypatch.setattr("kgfm.stores.layouts.files._LONGEST", 1 << 10)
    (tmp_path / "train.txt").write_bytes(b"a" * (1 << 12))
    with pytest.raises(ValueError, match="has a line of more than"):
        KnowledgeGraph.from_layout("fb15k", tmp_path)


def test_links_in_an_archive_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "outside.txt").write_text("a\tr\tb\n")
    folder = tmp_path / "set"
    folder.mkdir()
    with tarfile.open(folder / "set.tar.gz", "w:gz") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            link = tarfile.TarInfo("train.txt")
            link.type, link.linkname = kind, "../outside.txt"
            archive.addfile(link)
    with pytest.raises((FileNotFoundError, ValueError), match=r"train\.txt"):
        KnowledgeGraph.from_layout("fb15k", folder)
    with tarfile.open(folder / "set.tar.gz", "w:gz") as archive:
        packed = tarfile.TarInfo("../../train.txt")
        packed.size = 6
        archive.addfile(packed, io.BytesIO(b"a\tr\tb\n"))
    assert KnowledgeGraph.from_layout("fb15k", folder).num_triples == 1
    assert not (tmp_path.parent / "train.txt").exists()


# -- the door -------------------------------------------------------------------------------------


def test_what_is_no_layout_option_or_folder_is_refused_with_the_nearest(tmp_path: Path) -> None:
    splits(tmp_path)
    with pytest.raises(ValueError, match=r"No layout 'kgad'\. Did you mean 'kgat'"):
        KnowledgeGraph.from_layout("kgad", tmp_path)
    with pytest.raises(TypeError, match=r"no option 'part'.*'parts'"):
        KnowledgeGraph.from_layout("fb15k", tmp_path, part="train")
    with pytest.raises(FileNotFoundError, match="No folder"):
        KnowledgeGraph.from_layout("fb15k", tmp_path / "none")
    with pytest.raises(FileNotFoundError, match=r"has no \*\.kg, .*it holds test\.txt, train\.txt"):
        KnowledgeGraph.from_layout("recbole", tmp_path)
    for name in ("a.kg", "b.kg"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"several files for '\*\.kg'"):
        KnowledgeGraph.from_layout("recbole", tmp_path)
    (tmp_path / "train.txt").write_bytes(b"a\tr\t\xff\n")
    with pytest.raises(ValueError, match=r"train\.txt, row 1: not UTF-8"):
        KnowledgeGraph.from_layout("fb15k", tmp_path)


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_each_layout_says_what_it_reads(name: str) -> None:
    assert layouts.LAYOUTS[name].__doc__


# -- the real ones --------------------------------------------------------------------------------

COUNTS = {
    ("fb15k-237", "fb15k-237"): (14_541, 237, 310_116),
    ("wn18rr", "wn18rr"): (40_943, 11, 93_003),
    ("codex", "codex"): (2_034, 42, 36_543),
    ("cn-100k", "conceptnet/CN-100K"): (78_339, 34, 102_400),
    ("cn-82k", "conceptnet/CN-82K"): (78_339, 34, 102_400),
    ("fb15k", "tiny-kgs/umls"): (135, 46, 6_529),
    ("fb15k", "tiny-kgs/nations"): (14, 55, 1_992),
    ("fb15k", "tiny-kgs/kinships"): (104, 25, 10_686),
}


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:.*have no label")
@pytest.mark.parametrize(("layout", "folder"), COUNTS)
def test_public_graphs_have_the_counts_that_are_published(
    public_data: Path, layout: str, folder: str
) -> None:
    kg = KnowledgeGraph.from_layout(layout, public_data / folder, parts=ALL)
    assert tuple(kg.manifest["counts"].values()) == COUNTS[layout, folder]


@pytest.mark.data
def test_the_two_splits_of_conceptnet_are_one_graph(public_data: Path) -> None:
    folder = public_data / "conceptnet"
    one, two = (
        KnowledgeGraph.from_layout(name, folder / name.upper(), parts=ALL)
        for name in ("cn-100k", "cn-82k")
    )
    assert one.fingerprint == two.fingerprint


@pytest.mark.data
def test_metaqa_in_its_two_layouts_is_one_graph(public_data: Path, tmp_path: Path) -> None:
    from kgfm.datasets.metaqa import metaqa_graph, read_graph

    _, _, triples = read_graph(public_data / "metaqa")
    write(tmp_path, kb_txt="".join("|".join(triple) + "\n" for triple in triples))
    kg = KnowledgeGraph.from_layout("metaqa", tmp_path)
    assert tuple(kg.manifest["counts"].values()) == (43_234, 9, 133_582)
    assert kg.fingerprint == metaqa_graph(public_data / "metaqa", tmp_path / "cache").fingerprint


@pytest.mark.data
def test_every_entity_of_fb15k_and_wordnet_has_its_name(public_data: Path) -> None:
    freebase = KnowledgeGraph.from_layout("fb15k", public_data / "fb15k-237", parts=ALL)
    assert freebase.labelled.all()
    row = freebase.row("/m/010016")
    assert freebase.names(row) == ("Denton", "Denton, Texas")
    assert freebase.descriptions[row] == "city in Texas, United States"
    wordnet = KnowledgeGraph.from_layout("wn18rr", public_data / "wn18rr")
    row = wordnet.row("14854262")
    assert wordnet.text(row) == "stool. solid excretory product evacuated from the bowels"
    assert wordnet.relation_text(0) == "also see"


def test_a_snapshot_of_a_layout_is_refreshed_the_way_it_was_read(tmp_path: Path) -> None:
    folder = write(
        splits(tmp_path / "set"), entity2text_txt="".join(f"{key}\t{key}!\n" for key in "abcd")
    )
    KnowledgeGraph.from_layout("fb15k", folder, parts=ALL).save(tmp_path / "snapshot")
    write(folder, test_txt="c\tr\ta\n")
    with pytest.raises(ValueError, match="does not remember where that was"):
        refresh(tmp_path / "snapshot")
    found = refresh(tmp_path / "snapshot", folder)
    assert (found.triples_added, found.triples_removed) == (1, 1)
    fresh = KnowledgeGraph.from_layout("fb15k", folder, parts=ALL)
    assert found.graph.fingerprint == fresh.fingerprint


def test_the_command_builds_a_layout_with_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(splits(tmp_path / "set"), entity2text_txt="a\tA\nb\tB\nc\tC\nd\tD\n")
    out = str(tmp_path / "out")
    build = ["graph", "build", str(folder), "--out", out]
    assert main([*build, "--layout", "fb15k", "--set", "parts=train,valid"]) == 0
    assert KnowledgeGraph.open(out).num_triples == 3
    for words, message in (
        ([], "A folder needs --layout"),
        (["--layout", "fb15k", "--set", "parts"], "--set takes name=value"),
        (["--layout", "fb15k", "--set", "part=train"], "no option 'part'"),
        (["--layout", "fb15k", "--entities", "x.csv"], "goes with a table"),
        (["--layout", "fb16k"], "Did you mean 'fb15k'"),
    ):
        capsys.readouterr()
        assert main([*build, *words]) == 2
        assert message in capsys.readouterr().err
