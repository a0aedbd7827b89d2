"""Layouts of recommendation: KGAT and KGIN by number, RecBole's atomic files by typed header."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kgfm.graph import EntityRecord, GraphBuilder, GraphSchema
from kgfm.graph.build import in_chunks
from kgfm.stores.layouts.files import Folder, LayoutFile, parts_of
from kgfm.stores.layouts.triples import Triple, add
from kgfm.stores.records import RecordMaker

INTERACTS = "interacts"
"""The relation between a user and an item."""

_KGAT_PARTS = {name: (f"{name}.txt",) for name in ("train", "test")}


def kgat(folder: Folder, builder: GraphBuilder, *, interactions: Iterable[str] = ()) -> None:
    """KGAT and KGIN: ``kg_final.txt`` with ``head relation tail`` by number.

    ``entity_list.txt`` and ``relation_list.txt`` (``org_id remap_id``) say what the numbers mean;
    without them a key is the number. ``item_list.txt`` marks the entities that are items. These
    sets have no labels: Freebase's ids and hashes are all that they know.

    Args:
        folder: Where.
        builder: What is filled.
        interactions: ``train`` and ``test``: users (``user/0``) become entities, and each line
            ``user item item ...`` of ``train.txt`` or ``test.txt`` triples of the relation
            ``interacts``.
    """
    triples = folder.need("kg_final.txt")
    entities = _remapped(folder.find("entity_list.txt"))
    relations = _remapped(folder.find("relation_list.txt"))
    for key in (entities or {}).values():
        builder.add_entity(EntityRecord(key))
    _add_items(folder, builder, entities)
    add(builder, _numbered(triples, entities, relations))
    wanted = parts_of(interactions, _KGAT_PARTS) if interactions else []
    for part in wanted:
        add(builder, _interactions(folder.need(*_KGAT_PARTS[part]), entities))
    if wanted:
        _name_users(builder)


def _remapped(file: LayoutFile | None) -> dict[str, str] | None:
    """Return keys by number; an original id may hold blanks."""
    if file is None:
        return None
    found: dict[str, str] = {}
    keys: set[str] = set()
    for number, line in file.lines():
        key, _, place = line.rstrip().rpartition(" ")
        key = key.strip()
        if number == 1 and place == "remap_id":
            continue
        if not key or not place.isdecimal():
            raise file.error(number, f"{line[:80]!r} is not 'org_id remap_id'")
        if place in found:
            raise file.error(number, f"the number {place} stands there twice")
        if key in keys:
            raise file.error(
                number, f"{key!r} has two numbers, so that two entities would become one"
            )
        found[place] = key
        keys.add(key)
    return found


def _key(numbers: dict[str, str] | None, given: str) -> str:
    return given if numbers is None else numbers[given]


def _numbered(
    file: LayoutFile, entities: dict[str, str] | None, relations: dict[str, str] | None
) -> Iterator[Triple]:
    for number, (head, relation, tail) in file.rows("head relation tail", None):
        try:
            yield _key(entities, head), _key(relations, relation), _key(entities, tail)
        except KeyError as error:
            raise file.error(number, f"the number {error} is in no list") from None


def _add_items(folder: Folder, builder: GraphBuilder, entities: dict[str, str] | None) -> None:
    """Give items their type, and the shop's own id where that is another than the key."""
    file = folder.find("item_list.txt")
    if file is None:
        return
    for number, (own, place, *_) in file.rows("org_id remap_id", None, most=3):
        if place == "remap_id":
            continue
        try:
            key = _key(entities, place)
        except KeyError:
            raise file.error(number, f"the number {place!r} is not in entity_list.txt") from None
        other = {"org_id": own} if own != key else {}
        builder.add_entity(EntityRecord(key, types=["item"], attributes=other))


def _interactions(file: LayoutFile, entities: dict[str, str] | None) -> Iterator[Triple]:
    for number, (user, *items) in file.rows("user", None, most=1 << 30):
        for item in items:
            try:
                yield f"user/{user}", INTERACTS, _key(entities, item)
            except KeyError:
                raise file.error(number, f"the item {item!r} is not in entity_list.txt") from None


def _name_users(builder: GraphBuilder) -> None:
    for key in [*builder.entity_keys]:
        if key.startswith("user/"):
            builder.add_entity(EntityRecord(key, types=["user"]))
    builder.add_relation(INTERACTS, "interacts with")


# -- RecBole --------------------------------------------------------------------------------------

_KINDS = ("token", "token_seq", "float", "float_seq")
_LABELS = ("title", "item_name", "movie_title", "book_title", "track_name", "artist_name")


@dataclass(frozen=True)
class _Atomic:
    """An atomic file: names and types of its fields stand in its first line."""

    file: LayoutFile
    names: list[str]
    kinds: list[str]

    @classmethod
    def of(cls, file: LayoutFile, *needed: str) -> _Atomic:
        number, header = next(file.lines(), (1, ""))
        pairs = [field.rpartition(":")[::2] for field in header.split("\t")]
        wrong = [kind for name, kind in pairs if not name or kind not in _KINDS]
        if wrong:
            raise file.error(
                number,
                f"{header[:80]!r} is no header of an atomic file; fields are written name:type, "
                f"and types are {', '.join(_KINDS)}",
            )
        names, kinds = ([pair[place] for pair in pairs] for place in (0, 1))
        missing = [name for name in needed if name not in names]
        if missing:
            raise file.error(number, f"no field {missing[0]!r}; it has {', '.join(names)}")
        return cls(file, names, kinds)

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        rows = self.file.rows(" ".join(["field"] * len(self.names)))
        next(rows, None)
        for number, fields in rows:
            yield number, dict(zip(self.names, fields, strict=True))

    def value(self, number: int, name: str, text: str) -> Any:
        """Return a field as its type says; an empty one is ``None``."""
        kind = self.kinds[self.names.index(name)]
        if not text:
            return None
        try:
            if kind == "float":
                return _number(text)
            if kind == "float_seq":
                return [_number(part) for part in text.split(" ") if part]
        except ValueError:
            raise self.file.error(number, f"{name} is a {kind}, but holds {text[:40]!r}") from None
        return text.split(" ") if kind == "token_seq" else text


def _number(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def recbole(
    folder: Folder,
    builder: GraphBuilder,
    *,
    interactions: bool = False,
    schema: GraphSchema | None = None,
) -> None:
    """RecBole: ``NAME.kg`` and, where there are such, ``.link``, ``.item``, ``.inter``, ``.user``.

    An item that ``.link`` leads to an entity is that entity; another is ``item/ID``. Of the fields
    of ``.item`` a title is the label and a ``token_seq`` a list; the others are attributes.

    Args:
        folder: Where; with one ``.kg``.
        builder: What is filled.
        interactions: Whether users (``user/ID``) and their interactions come into the graph too;
            rating and time stamp become edge attributes.
        schema: Names of the fields for label, alias, description and type.
    """
    known = GraphSchema()
    schema = schema or GraphSchema(label=(*_LABELS, *known.label))
    graph = _Atomic.of(folder.need("*.kg"), "head_id", "relation_id", "tail_id")
    linked = _links(folder.find("*.link"))
    add(builder, _atomic_triples(graph))
    make = RecordMaker(schema)
    for key in linked.values():
        builder.add_entity(EntityRecord(key, types=["item"]))
    if file := folder.find("*.item"):
        items = _Atomic.of(file, "item_id")
        for number, fields in items.rows():
            own = fields.pop("item_id")
            key = linked.get(own, f"item/{own}")
            builder.add_entity(_record(make, items, number, key, fields, "item"))
    if not interactions:
        return
    if file := folder.find("*.user"):
        users = _Atomic.of(file, "user_id")
        for number, fields in users.rows():
            key = f"user/{fields.pop('user_id')}"
            builder.add_entity(_record(make, users, number, key, fields, "user"))
    _add_interactions(_Atomic.of(folder.need("*.inter"), "user_id", "item_id"), builder, linked)
    _name_users(builder)


def _links(file: LayoutFile | None) -> dict[str, str]:
    if file is None:
        return {}
    links = _Atomic.of(file, "item_id", "entity_id")
    return {fields["item_id"]: fields["entity_id"] for _, fields in links.rows()}


def _atomic_triples(graph: _Atomic) -> Iterator[Triple]:
    for number, fields in graph.rows():
        triple = fields["head_id"], fields["relation_id"], fields["tail_id"]
        if not all(triple):
            raise graph.file.error(number, "an empty head_id, relation_id or tail_id")
        yield triple


def _record(
    make: RecordMaker, file: _Atomic, number: int, key: str, fields: dict[str, str], kind: str
) -> EntityRecord:
    """Return a record; what names something stays one text, though it be a sequence of tokens."""
    values = {
        name: text if make.knows(name) else file.value(number, name, text)
        for name, text in fields.items()
    }
    record = make(key, values)
    record.types = [kind, *record.types]
    return record


def _add_interactions(file: _Atomic, builder: GraphBuilder, linked: dict[str, str]) -> None:
    others = [name for name in file.names if name not in ("user_id", "item_id")]
    for chunk in in_chunks(file.rows()):
        heads = [f"user/{fields['user_id']}" for _, fields in chunk]
        items = [fields["item_id"] for _, fields in chunk]
        tails = [linked.get(item, f"item/{item}") for item in items]
        columns = {
            name: [file.value(number, name, fields[name]) for number, fields in chunk]
            for name in others
        }
        builder.add_triples(heads, [INTERACTS] * len(heads), tails, columns)
