"""Side files with names: ``entity2text.txt`` and others that stand beside public graphs."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from kgfm.graph import EntityRecord, GraphBuilder
from kgfm.stores.layouts.files import Folder, LayoutFile, text_of

_SYNSET = re.compile(r"\d{8}")


def add_names(folder: Folder, builder: GraphBuilder) -> None:
    """Name the entities and relations of the triples by the side files that there are.

    ``entity2text.txt`` (key, name), ``entity2textlong.txt`` (key, description),
    ``entity2wikidata.json`` (label, alternatives, description by key) and ``relation2text.txt``
    (key, name). Where keys are WordNet's synset offsets, a text is ``name, gloss``. An entity that
    stands in no triple that was read is left out.
    """
    wanted = {*builder.entity_keys}
    for name, record in (
        ("entity2text.txt", _named),
        ("entity2textlong.txt", lambda key, text: EntityRecord(key, description=text)),
    ):
        if found := folder.find(name):
            _add(builder, wanted, found, record)
    if found := folder.find("entity2wikidata.json"):
        for key, fields in found.mappings():
            if key in wanted:
                builder.add_entity(_from_wikidata(key, fields))
    if found := folder.find("relation2text.txt"):
        for key, text in _pairs(found):
            if key in builder.relation_keys:
                builder.add_relation(key, text)


def _add(
    builder: GraphBuilder,
    wanted: Collection[str],
    file: LayoutFile,
    record: Callable[[str, str], EntityRecord],
) -> None:
    for key, text in _pairs(file):
        if key in wanted:
            builder.add_entity(record(key, text))


def _pairs(file: LayoutFile) -> Iterator[tuple[str, str]]:
    """Yield key and text; what else a tab cuts off belongs to the text."""
    for number, line in file.lines():
        key, tab, text = line.partition("\t")
        if not tab or not key:
            file.reject(number, "not 'key<TAB>text'", line)
        else:
            yield key, " ".join(text.split())


def _named(key: str, text: str) -> EntityRecord:
    if not _SYNSET.fullmatch(key):
        return EntityRecord(key, text)
    name, _, gloss = text.partition(", ")
    return EntityRecord(key, name, description=gloss)


def _from_wikidata(key: str, fields: Mapping[str, Any]) -> EntityRecord:
    attributes = {
        name: fields[name] for name in ("wikidata_id", "wikipedia") if fields.get(name) is not None
    }
    return EntityRecord(
        key,
        text_of(fields.get("label")),
        [name for name in fields.get("alternatives") or () if isinstance(name, str)],
        text_of(fields.get("description")),
        attributes=attributes,
    )
