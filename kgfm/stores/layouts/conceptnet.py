"""ConceptNet 5: the assertions as they are published, ``conceptnet-assertions-5.7.0.csv.gz``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from kgfm.graph import EntityRecord, GraphBuilder
from kgfm.graph.build import in_chunks
from kgfm.stores.layouts.files import Folder, LayoutFile

_PARTS_OF_SPEECH = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}


def conceptnet(
    folder: Folder,
    builder: GraphBuilder,
    *,
    language: Iterable[str] = ("en",),
    senses: bool = False,
    weight: float = 0.0,
) -> None:
    """ConceptNet 5: rows of ``assertion, relation, start, end, JSON`` with a tab between.

    A concept is ``/c/LANGUAGE/TERM``, with a part of speech and a sense behind it in some rows.
    Its label is the term with blanks for underscores. The assertion's weight becomes the edge
    attribute ``weight``. Links to web pages and other graphs are left out.

    Args:
        folder: The folder of the file, or the file.
        builder: What is filled.
        language: Codes of the languages; both ends must be of one of them.
        senses: Keep ``/c/en/cat/n`` apart from ``/c/en/cat``, with the part of speech as its type,
            instead of making them one.
        weight: Assertions of less weight are left out.
    """
    languages = {language} if isinstance(language, str) else {*language}
    file = folder.need("*assertions*.csv*", "*.csv.gz", "*.csv")
    for chunk in in_chunks(_edges(file, languages, senses, weight)):
        heads, relations, tails, weights = zip(*chunk, strict=True)
        builder.add_triples(heads, relations, tails, {"weight": weights})
    for key in [*builder.entity_keys]:
        _, _, _, term, *sense = key.split("/")
        kinds = [_PARTS_OF_SPEECH.get(sense[0], sense[0])] if sense else []
        builder.add_entity(EntityRecord(key, term.replace("_", " "), types=kinds))
    for key in [*builder.relation_keys]:
        builder.add_relation(key, key.rpartition("/")[2])


def _edges(
    file: LayoutFile, languages: set[str], senses: bool, least: float
) -> Iterator[tuple[str, str, str, float]]:
    for number, fields in file.rows("assertion relation start end metadata"):
        _, relation, *ends, metadata = fields
        concepts = [_concept(end, languages, senses) for end in ends]
        line = "\t".join(fields)
        if not all(concepts) or not file.has_keys(number, line, {"relation": relation}):
            continue
        try:
            weight = float(json.loads(metadata)["weight"])
        except (ValueError, KeyError, TypeError, RecursionError):
            file.reject(number, "no JSON with a weight at its end", line)
            continue
        if weight >= least:
            yield concepts[0], relation, concepts[1], weight


def _concept(uri: str, languages: set[str], senses: bool) -> str:
    """Return the key of a concept; ``""`` for one of another language, and for what is none."""
    parts = uri.split("/")
    if len(parts) < 4 or parts[1] != "c" or parts[2] not in languages or not parts[3]:
        return ""
    return uri.rstrip("/") if senses else "/".join(parts[:4])
