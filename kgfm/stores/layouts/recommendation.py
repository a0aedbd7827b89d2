"""Layouts of recommendation: KGAT and KGIN by number, RecBole's atomic files by typed header."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
        if fault := _fault(key, place, found, keys):
            file.reject(number, fault, line)
            continue
        found[place] = key
        keys.add(key)
    return found


def _fault(key: str, place: str, found: Mapping[str, str], keys: Collection[str]) -> str:
    """Say what keeps a row from giving a number its key; nothing if it may."""
    if not key or not place.isdecimal() or "\0" in key:
        return "not 'org_id remap_id'"
    if place in found:
        return "the number stands there twice"
    return "the id has two numbers, so that two entities would become one" if key in keys else ""


def _key(numbers: dict[str, str] | None, given: str) -> str:
    return given if numbers is None else numbers[given]


def _numbered(
    file: LayoutFile, entities: dict[str, str] | None, relations: dict[str, str] | None
) -> Iterator[Triple]:
    rows = file.rows("head relation tail", None, keys=True)
    for number, (head, relation, tail) in rows:
        try:
            triple = _key(entities, head), _key(relations, relation), _key(entities, tail)
        except KeyError:
            file.reject(number, "a number that is in no list", [head, relation, tail])
        else:
            yield triple


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
            file.reject(number, "a number that is not in entity_list.txt", [own, place])
            continue
        other = {"org_id": own} if own != key else {}
        builder.add_entity(EntityRecord(key, types=["item"], attributes=other))


def _interactions(file: LayoutFile, entities: dict[str, str] | None) -> Iterator[Triple]:
    for number, (user, *items) in file.rows("user", None, most=1 << 30):
        for item in items:
            try:
                triple = f"user/{user}", INTERACTS, _key(entities, item)
            except KeyError:
                file.reject(number, "an item that is not in entity_list.txt", [user, item])
            else:
                yield triple


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

    def rows(self, *keys: str) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the rows whose fields ``keys`` may be keys."""
        rows = self.file.rows(" ".join(self.names))
        next(rows, None)
        for number, fields in rows:
            row = dict(zip(self.names, fields, strict=True))
            if self.file.has_keys(number, "\t".join(fields), {key: row[key] for key in keys}):
                yield number, row

    def value(self, name: str, text: str) -> Any:
        """Return a field as its type says; an empty one is ``None``.

        Raises:
            ValueError: It is not of that type.
        """
        kind = self.kinds[self.names.index(name)]
        if not text:
            return None
        try:
            if kind == "float":
                return _number(text)
            if kind == "float_seq":
                return [_number(part) for part in text.split(" ") if part]
        except ValueError:
            raise ValueError(f"{name} is a {kind}, but holds another thing") from None
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
        for record in _records(_Atomic.of(file, "item_id"), make, "item", linked):
            builder.add_entity(record)
    if not interactions:
        return
    if file := folder.find("*.user"):
        for record in _records(_Atomic.of(file, "user_id"), make, "user", {}):
            builder.add_entity(record)
    _add_interactions(_Atomic.of(folder.need("*.inter"), "user_id", "item_id"), builder, linked)
    _name_users(builder)


def _links(file: LayoutFile | None) -> dict[str, str]:
    if file is None:
        return {}
    links = _Atomic.of(file, "item_id", "entity_id")
    rows = links.rows("item_id", "entity_id")
    return {fields["item_id"]: fields["entity_id"] for _, fields in rows}


def _atomic_triples(graph: _Atomic) -> Iterator[Triple]:
    for _, fields in graph.rows("head_id", "relation_id", "tail_id"):
        yield fields["head_id"], fields["relation_id"], fields["tail_id"]


def _records(
    file: _Atomic, make: RecordMaker, kind: str, linked: Mapping[str, str]
) -> Iterator[EntityRecord]:
    """Yield records of items or users.

    What names something stays one text, though it be a sequence of tokens.
    """
    for number, fields in file.rows(f"{kind}_id"):
        try:
            values = {
                name: text if make.knows(name) else file.value(name, text)
                for name, text in fields.items()
                if name != f"{kind}_id"
            }
        except ValueError as error:
            file.file.reject(number, str(error), [*fields.values()])
            continue
        own = fields[f"{kind}_id"]
        record = make(linked.get(own, f"{kind}/{own}"), values)
        record.types = [kind, *record.types]
        yield record


def _add_interactions(file: _Atomic, builder: GraphBuilder, linked: Mapping[str, str]) -> None:
    others = [name for name in file.names if name not in ("user_id", "item_id")]
    for chunk in in_chunks(_with_values(file, others)):
        rows, values = zip(*chunk, strict=True)
        heads = [f"user/{row['user_id']}" for row in rows]
        items = [row["item_id"] for row in rows]
        tails = [linked.get(item, f"item/{item}") for item in items]
        columns = dict(zip(others, zip(*values, strict=True), strict=True)) if others else {}
        builder.add_triples(heads, [INTERACTS] * len(heads), tails, columns)


def _with_values(
    file: _Atomic, names: Sequence[str]
) -> Iterator[tuple[dict[str, str], tuple[Any, ...]]]:
    """Yield the rows, and the values of some of their fields."""
    for number, fields in file.rows("user_id", "item_id"):
        try:
            values = tuple(file.value(name, fields[name]) for name in names)
        except ValueError as error:
            file.file.reject(number, str(error), [*fields.values()])
        else:
            yield fields, values
