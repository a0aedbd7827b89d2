"""Lexicons as graphs: which words evoke which affects, and how strongly."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from kgfm.graph import EntityRecord, GraphBuilder
from kgfm.stores.layouts.files import Folder, LayoutFile

EVOKES = "evokes"
POLARITY = ("positive", "negative")
"""What a score above and below 0 evokes."""
SUFFIXES = (".tsv", ".csv", ".txt", ".tab")
_COLUMNS = ("word", "affect", "weight")


class Said(NamedTuple):
    """What one row says: an affect, ``""`` where the sign of the weight decides."""

    word: str
    affect: str
    weight: float


Row = Callable[[Sequence[str]], Said]


def lexicon(
    folder: Folder,
    builder: GraphBuilder,
    *,
    affect: str | None = None,
    scale: float | None = None,
    least: float = 0.0,
) -> None:
    """A lexicon: words that evoke affects, such as ``positive``, ``joy`` or ``uncertainty``.

    A word is an entity ``word/good`` of the type ``word``, an affect one ``affect/positive`` of the
    type ``affect``, whose label is ``positive affect`` so that the word "positive" is another. The
    triple between them, ``evokes``, has the edge attribute ``weight``, from 0 to 1. The first row
    that is no comment says what the rows of a file are, and the others have to be such too:

    - a header with ``word`` in it, and ``affect`` or ``weight`` or both, in any order,
    - ``word, affect, weight``: as the emotion lexicons of NRC, where 0 means that it does not,
    - ``word, affect``,
    - ``word, score``: as AFINN; below 0 is ``negative``, above ``positive``,
    - ``token, mean, deviation, ratings``: as VADER; the mean is the score,
    - ``word``: a plain list, in which a line that begins with ``;`` or ``#`` is a comment. The
      affect is the file's name, ``positive`` of ``positive-words.txt``, unless it is given.

    Between the fields stands a tab, in ``.csv`` a comma. What several rows or files say of a word
    is averaged: scores with their signs, weights by affect. WordNet's lists of exceptions
    (``verb.exc``: ``fell fall``), where they lie beside, give the words of the lexicon their
    irregular forms as aliases.

    Args:
        folder: The file, or a folder of files; those called README or LICENSE are not read.
        builder: What is filled.
        affect: Of the words in plain lists.
        scale: What a weight of 1 is in the file, such as 4 for VADER; by default the largest of
            each file, if that is over 1.
        least: Weights below are left out.
    """
    if scale is not None and not scale > 0:
        raise ValueError(f"scale is above 0, such as 4 for ratings from -4 to 4; got {scale}.")
    scores: dict[str, list[float]] = defaultdict(list)
    weights: dict[tuple[str, str], list[float]] = defaultdict(list)
    words: dict[str, None] = {}
    for file in _files(folder):
        said = list(_read(file, affect))
        full = scale or max([1.0, *(abs(one.weight) for one in said)])
        for one in said:
            words[one.word] = None
            if one.affect:
                weights[one.word, one.affect].append(one.weight / full)
            else:
                scores[one.word].append(one.weight / full)
    for word, own in scores.items():
        mean = math.fsum(own) / len(own)
        weights[word, POLARITY[mean < 0]].append(abs(mean))
    _fill(builder, weights, _forms(folder, words), least)


def _files(folder: Folder) -> list[LayoutFile]:
    """The files of the lexicon."""
    if not folder.path.is_dir():
        return [folder.need(folder.path.name)]
    names = [
        path.name
        for path in sorted(folder.path.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.upper().startswith(("README", "LICEN"))
    ]
    return [folder.need(name) for name in names] or [folder.need(*(f"*{s}" for s in SUFFIXES))]


def _fill(
    builder: GraphBuilder,
    weights: dict[tuple[str, str], list[float]],
    forms: dict[str, list[str]],
    least: float,
) -> None:
    heads, tails, means = [], [], []
    for (word, affect), own in weights.items():
        mean = math.fsum(own) / len(own)
        if mean <= 0 or mean < least:
            continue
        heads.append(f"word/{word}")
        tails.append(f"affect/{affect}")
        means.append(round(mean, 6))
        builder.add_entity(EntityRecord(heads[-1], word, forms.get(word, ()), types=["word"]))
        builder.add_entity(EntityRecord(tails[-1], f"{affect} affect", types=["affect"]))
    builder.add_triples(heads, [EVOKES] * len(heads), tails, {"weight": means})
    builder.add_relation(EVOKES, EVOKES)


# -- rows -----------------------------------------------------------------------------------------


def _read(file: LayoutFile, affect: str | None) -> Iterator[Said]:
    """What the rows of a file say."""
    read: Row | None = None
    width = 0
    for number, line in file.lines():
        fields = _fields(file, line)
        if len(fields) == 1 and line.startswith((";", "#")):
            continue
        if read is None:
            width, read, is_header = _kind(file, number, fields, affect)
            if is_header:
                continue
        try:
            if len(fields) != width:
                raise ValueError(f"{len(fields)} fields, where rows above have {width}")
            said = read(fields)
            if not said.word:
                raise ValueError("an empty word")
            yield said
        except ValueError as error:
            file.reject(number, str(error), line)


def _fields(file: LayoutFile, line: str) -> list[str]:
    if Path(file.member or file.path.name).suffix.lower() == ".csv":
        return next(csv.reader([line]))
    return line.split("\t")


def _kind(
    file: LayoutFile, number: int, fields: Sequence[str], affect: str | None
) -> tuple[int, Row, bool]:
    """Return how many fields rows have, what reads them, and whether this one is a header."""
    width = len(fields)
    header = [field.strip().lower() for field in fields]
    if "word" in header and {*header} & {*_COLUMNS[1:]}:
        place = {name: header.index(name) for name in _COLUMNS if name in header}
        return width, lambda row: _by_header(row, place), True
    if width == 1:
        name = affect or _affect_of(file)
        return 1, lambda row: Said(_word(row[0]), name, 1.0), False
    numeric = [_is_number(field) for field in fields]
    if width == 2 and numeric[1]:
        return 2, lambda row: Said(_word(row[0]), "", _number(row[1])), False
    if width == 2:
        return 2, lambda row: Said(_word(row[0]), _affect(row[1]), 1.0), False
    if width == 3 and numeric[2] and not numeric[1]:
        return 3, lambda row: _weighed(row[0], row[1], row[2]), False
    if width in (3, 4) and numeric[1] and numeric[2]:
        return width, lambda row: Said(_word(row[0]), "", _number(row[1])), False
    raise file.error(
        number,
        f"no row of a lexicon: {'  '.join(fields)[:80]!r}. A row is word, affect, weight, or word, "
        "score, or a word alone, with a tab between (a comma in .csv); a header with 'word', "
        "'affect' and 'weight' says which column is which",
    )


def _by_header(row: Sequence[str], place: dict[str, int]) -> Said:
    word, affect, weight = (row[place[name]] if name in place else None for name in _COLUMNS)
    assert word is not None
    if affect is None:
        return Said(_word(word), "", _number(weight or ""))
    return _weighed(word, affect, "1" if weight is None else weight)


def _weighed(word: str, affect: str, weight: str) -> Said:
    number = _number(weight)
    if number < 0:
        raise ValueError(
            f"the weight {number:g} of an affect; weights begin at 0, and signed scores stand "
            "beside the word alone"
        )
    return Said(_word(word), _affect(affect), number)


def _word(text: str) -> str:
    return " ".join(text.lower().split())


def _affect(text: str) -> str:
    affect = _word(text)
    if not affect:
        raise ValueError("an empty affect")
    return affect


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _number(text: str) -> float:
    if not _is_number(text):
        raise ValueError(f"{text!r} is no number")
    return float(text)


def _affect_of(file: LayoutFile) -> str:
    """Return the affect that a plain list is called by: ``positive`` of ``positive-words.txt``."""
    stem = Path(file.member or file.path.name).name.partition(".")[0]
    return _affect(stem.lower().removesuffix("words").strip("-_ ").replace("_", " "))


def _forms(folder: Folder, words: dict[str, None]) -> dict[str, list[str]]:
    """Irregular forms of the words, from lists of exceptions; no form that is a word itself."""
    found: dict[str, list[str]] = defaultdict(list)
    if not folder.path.is_dir():
        return found
    for path in sorted(folder.path.glob("*.exc")):
        file = folder.need(path.name)
        for _, fields in file.rows("form word", None, most=16):
            form, *lemmas = (field.replace("_", " ") for field in fields)
            # Where a form has several words ("felt": feel, fell), the first of them counts.
            lemma = next((one for one in lemmas if one in words), None)
            if lemma is not None and form not in words and form not in found[lemma]:
                found[lemma].append(form)
    return found
