"""WordNet's own database files: synsets, lemmas, glosses, pointers, and the order of senses."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from kgfm.graph import EntityRecord, GraphBuilder
from kgfm.stores.layouts.files import Folder, LayoutFile

PARTS_OF_SPEECH = {"n": "noun", "v": "verb", "a": "adjective", "r": "adverb"}
FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
SENSE_TYPES = {"1": "n", "2": "v", "3": "a", "4": "r", "5": "a"}
"""The digit in a sense key, and the file that it points to; 5 marks a satellite adjective."""

# The order of lexicographer files is part of the format: lexnames(5WN).
_BY_PART_OF_SPEECH = (
    ("adj", "all pert"),
    ("adv", "all"),
    (
        "noun",
        "Tops act animal artifact attribute body cognition communication event feeling food group "
        "location motive object person phenomenon plant possession process quantity relation "
        "shape state substance time",
    ),
    (
        "verb",
        "body change cognition communication competition consumption contact creation emotion "
        "motion perception possession social stative weather",
    ),
    ("adj", "ppl"),
)
LEXICOGRAPHER_FILES = [
    f"{part}.{name}" for part, names in _BY_PART_OF_SPEECH for name in names.split()
]

RELATIONS = {
    "!": "antonym",
    "@": "hypernym",
    "@i": "instance hypernym",
    "#m": "member holonym",
    "#s": "substance holonym",
    "#p": "part holonym",
    "=": "attribute",
    "+": "derivationally related form",
    ";c": "domain topic",
    ";r": "domain region",
    ";u": "domain usage",
    "*": "entailment",
    ">": "cause",
    "^": "also see",
    "$": "verb group",
    "&": "similar to",
    "<": "participle of verb",
    "\\": "pertainym",
}
"""What a pointer is called, by its symbol: wninput(5WN)."""

ADVERB_RELATIONS = {"\\": "derived from adjective"}

INVERSES = {
    "~": "hyponym",
    "~i": "instance hyponym",
    "%m": "member meronym",
    "%s": "substance meronym",
    "%p": "part meronym",
    "-c": "member of domain topic",
    "-r": "member of domain region",
    "-u": "member of domain usage",
}
"""Pointers that only say the other way round what :data:`RELATIONS` says."""

_MARKER = re.compile(r"\((?:p|a|ip)\)$")  # where an adjective may stand; no part of the word


def wordnet(folder: Folder, builder: GraphBuilder, *, inverses: bool = False) -> None:
    """WordNet: ``data.noun`` and its three sisters, and ``index.sense``, as in its folder ``dict``.

    A synset is an entity with the key ``offset-part of speech``, such as ``00001740-n``. Its first
    lemma is the label, the others are aliases, its gloss with the examples is the description;
    part of speech and lexicographer file are its types. Pointers are the triples; one between two
    words joins their synsets. The attribute ``senses`` keeps, for each of its words, ``sense key,
    sense number, tag count`` as one text, from which :class:`kgfm.linking.senses.Senses` gives the
    senses of a word in WordNet's order.

    Args:
        folder: Where.
        builder: What is filled.
        inverses: Also keep pointers such as ``hyponym`` whose inverse is there anyway.
    """
    names = RELATIONS | (INVERSES if inverses else {})
    senses = _senses(folder.need("index.sense"))
    for letter, name in FILES.items():
        relations = names | (ADVERB_RELATIONS if letter == "r" else {})
        heads, kinds, tails = [], [], []
        file = folder.need(f"data.{name}")
        for number, line in file.lines():
            if line.startswith("  "):  # the licence, above the first synset
                continue
            try:
                record, pointers = _synset(line, letter, senses)
            except (ValueError, IndexError):
                file.reject(number, "no synset of WordNet", line)
                continue
            builder.add_entity(record)
            for symbol, tail in pointers:
                if symbol in relations:
                    heads.append(record.key)
                    kinds.append(relations[symbol])
                    tails.append(tail)
                elif symbol not in INVERSES:
                    file.reject(number, f"unknown pointer {symbol!r}", line)
        builder.add_triples(heads, kinds, tails)
    for relation in builder.relation_keys:
        builder.add_relation(relation, relation)


def _senses(file: LayoutFile) -> dict[str, list[str]]:
    """Return ``sense key, sense number, tag count`` of the words of each synset."""
    found: dict[str, list[str]] = defaultdict(list)
    for number, fields in file.rows("sense_key synset_offset sense_number tag_cnt", None):
        key, offset, order, count = fields
        kind = SENSE_TYPES.get(key.partition("%")[2][:1])
        if kind is None or not (offset.isdecimal() and order.isdecimal() and count.isdecimal()):
            file.reject(number, "no sense of WordNet", fields)
            continue
        found[f"{offset}-{kind}"].append(f"{key} {order} {count}")
    return found


def _synset(
    line: str, letter: str, senses: dict[str, list[str]]
) -> tuple[EntityRecord, Iterator[tuple[str, str]]]:
    """Read a line of a data file: wndb(5WN).

    ``offset file type words (word id)... pointers (symbol offset part source/target)... | gloss``,
    the number of words in hexadecimal.
    """
    codes, bar, gloss = line.partition(" | ")
    fields = codes.split()
    key, lexicographer, num_words = f"{fields[0]}-{letter}", int(fields[1]), int(fields[3], 16)
    words = [_MARKER.sub("", word).replace("_", " ") for word in fields[4 : 4 + 2 * num_words : 2]]
    first = 4 + 2 * num_words
    num_pointers = int(fields[first])
    pointers = fields[first + 1 : first + 1 + 4 * num_pointers]
    if not bar or not num_words or len(pointers) != 4 * num_pointers:
        raise ValueError(line)
    record = EntityRecord(
        key,
        words[0],
        words[1:],
        gloss.strip(),
        [PARTS_OF_SPEECH[letter], LEXICOGRAPHER_FILES[lexicographer]],
        {"senses": senses.get(key, ())},
    )
    tails = (
        f"{offset}-{kind}" for offset, kind in zip(pointers[1::4], pointers[2::4], strict=True)
    )
    return record, zip(pointers[::4], tails, strict=True)
