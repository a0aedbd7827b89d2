"""Layouts of plain triples in parts: FB15k-237 and its like, CoDEx, OpenKE, MetaQA, CN-100K."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kgfm.graph import EntityRecord, GraphBuilder
from kgfm.graph.build import in_chunks
from kgfm.stores.layouts.files import PARTS, Folder, LayoutFile, parts_of, text_of
from kgfm.stores.layouts.names import add_names

Triple = tuple[str, str, str]


def add(builder: GraphBuilder, triples: Iterable[Triple]) -> None:
    """Add a stream of triples."""
    for chunk in in_chunks(triples):
        heads, relations, tails = zip(*chunk, strict=True)
        builder.add_triples(heads, relations, tails)


def _plain(file: LayoutFile) -> Iterator[Triple]:
    for _, (head, relation, tail) in file.rows("head relation tail", keys=True):
        yield head, relation, tail


def fb15k(folder: Folder, builder: GraphBuilder, *, parts: Iterable[str] = ("train",)) -> None:
    """FB15k-237, WN18RR, YAGO3-10, UMLS ...: ``train.txt``, ``valid.txt``, ``test.txt``.

    Each row is ``head<TAB>relation<TAB>tail``. The files may lie in the folder or packed in a
    ``.tar.gz`` there. Names come from side files, as :mod:`kgfm.stores.layouts.names` says.

    Args:
        folder: Where.
        builder: What is filled.
        parts: Which of ``train``, ``valid`` and ``test``. Only ``train`` unless told otherwise: a
            graph that holds what a test asks for makes its figures meaningless.
    """
    for part in parts_of(parts, PARTS):
        add(builder, _plain(folder.need(*PARTS[part])))
    add_names(folder, builder)


def codex(
    folder: Folder,
    builder: GraphBuilder,
    *,
    size: str = "s",
    parts: Iterable[str] = ("train",),
    language: str = "en",
) -> None:
    """CoDEx: the folder ``data`` of its repository, with triples, relations, types and entities.

    Args:
        folder: Where.
        builder: What is filled.
        size: ``s``, ``m`` or ``l``.
        parts: Which of ``train``, ``valid`` and ``test``.
        language: Of labels and descriptions.
    """
    for part in parts_of(parts, PARTS):
        place = f"triples/codex-{size}/{part}.txt"
        add(builder, _plain(folder.need(place, f"data/{place}")))
    names, kinds = (dict(_texts(folder, what, language)) for what in ("entities", "types"))
    found = folder.find("types/entity2types.json", "data/types/entity2types.json")
    types: dict[str, Any] = found.json() if found else {}
    for key in [*builder.entity_keys]:
        # A type's own names stand only with the types, though it may be an entity too.
        text = names.get(key) or kinds.get(key) or {}
        given = types.get(key)
        called = [
            text_of(kinds.get(kind, {}).get("label")) or kind
            for kind in (given if isinstance(given, list) else ())
            if isinstance(kind, str)
        ]
        builder.add_entity(
            EntityRecord(
                key,
                text_of(text.get("label")),
                description=text_of(text.get("description")),
                types=called,
                attributes={"wiki": text["wiki"]} if text.get("wiki") else {},
            )
        )
    for key, text in _texts(folder, "relations", language):
        if key in builder.relation_keys:
            builder.add_relation(key, text_of(text.get("label")))


def _texts(folder: Folder, what: str, language: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield label and description by key: as the repository has them, or a file for a language."""
    found = folder.find(
        f"{what}/{language}/{what}.json",
        f"data/{what}/{language}/{what}.json",
        f"{what}.{language}.json",
        f"{what}/{what}.{language}.json",
    )
    return found.mappings() if found else iter(())


def openke(folder: Folder, builder: GraphBuilder, *, parts: Iterable[str] = ("train",)) -> None:
    """OpenKE: ``entity2id.txt``, ``relation2id.txt`` and ``train2id.txt``, each with a count first.

    A triple is ``head tail relation`` there, by number. All entities and relations that have a
    number are in the graph; names come from side files as in ``fb15k``.

    Args:
        folder: Where.
        builder: What is filled.
        parts: Which of ``train``, ``valid`` and ``test``.
    """
    entities = _numbered(folder.need("entity2id.txt"))
    relations = _numbered(folder.need("relation2id.txt"))
    for key in entities.values():
        builder.add_entity(EntityRecord(key))
    for part in parts_of(parts, PARTS):
        file = folder.need(f"{part}2id.txt")
        add(builder, _by_number(file, entities, relations))
    add_names(folder, builder)


def _numbered(file: LayoutFile) -> dict[str, str]:
    """Return the keys by number, in the order of the file."""
    found: dict[str, str] = {}
    keys: set[str] = set()
    for number, line in _counted(file):
        key, tab, place = line.rstrip().rpartition("\t")
        if not tab:
            key, _, place = line.rstrip().rpartition(" ")
        key = key.strip()
        if not key or not place.isdecimal() or "\0" in key:
            file.reject(number, "not 'name<TAB>number'", line)
            continue
        if place in found or key in keys:
            file.reject(number, "the name or its number stands there twice", line)
            continue
        found[place] = key
        keys.add(key)
    return found


def _counted(file: LayoutFile) -> Iterator[tuple[int, str]]:
    """Yield the lines after the first, which says how many there are."""
    lines = file.lines()
    first, count = next(lines, (1, ""))
    if not count.strip().isdecimal():
        raise file.error(first, f"{count[:80]!r} is no count; OpenKE's files begin with one")
    seen = 0
    for number, line in lines:
        seen += 1
        yield number, line
    if seen != int(count):
        reason = (
            f"the count is {int(count):,}, but {seen:,} rows follow: the file is cut off, or "
            "joined from several; download it anew, or set the count right"
        )
        file.reject(first, reason, count)


def _by_number(
    file: LayoutFile, entities: dict[str, str], relations: dict[str, str]
) -> Iterator[Triple]:
    for number, line in _counted(file):
        try:
            head, tail, relation = line.split()
            triple = entities[head], relations[relation], entities[tail]
        except (ValueError, KeyError):
            file.reject(
                number,
                "not 'head tail relation' with numbers of entity2id.txt and relation2id.txt",
                line,
            )
        else:
            yield triple


def metaqa(folder: Folder, builder: GraphBuilder) -> None:
    """MetaQA: ``kb.txt`` with ``head|relation|tail``; an entity's key is its name."""

    def triples() -> Iterator[Triple]:
        for _, (head, relation, tail) in file.rows("head relation tail", "|", keys=True):
            yield head, relation, tail

    file = folder.need("kb.txt", "kb/kb.txt")
    add(builder, triples())
    for key in [*builder.entity_keys]:
        builder.add_entity(EntityRecord(key, key))
    for key in [*builder.relation_keys]:
        builder.add_relation(key, key.replace("_", " "))


_CN_PARTS = {
    "train": ("train.txt", "train100k.txt"),
    "valid": ("valid.txt", "dev1.txt"),
    "test": ("test.txt",),
}


def cn100k(folder: Folder, builder: GraphBuilder, *, parts: Iterable[str] = ("train",)) -> None:
    """CN-100K and CN-82K: ``relation<TAB>head<TAB>tail``, where head and tail are phrases.

    A fourth field, as in the first release, is a score; it becomes the edge attribute ``score``.

    Args:
        folder: Where.
        builder: What is filled.
        parts: Which of ``train``, ``valid`` and ``test``.
    """
    for part in parts_of(parts, _CN_PARTS):
        file = folder.need(*_CN_PARTS[part])
        for chunk in in_chunks(_scored(file)):
            relations, heads, tails, scores = zip(*chunk, strict=True)
            given = {"score": scores} if any(score is not None for score in scores) else None
            builder.add_triples(heads, relations, tails, given)
    for key in [*builder.entity_keys]:
        builder.add_entity(EntityRecord(key, key))


def _scored(file: LayoutFile) -> Iterator[tuple[str, str, str, float | None]]:
    rows = file.rows("relation head tail", most=4, keys=True)
    for number, (relation, head, tail, *scores) in rows:
        try:
            score = float(scores[0]) if scores else None
        except ValueError:
            file.reject(number, "the score is no number", [relation, head, tail, *scores])
        else:
            yield relation, head, tail, score
