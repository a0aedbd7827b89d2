"""SemEval-2014, task 4: aspects of restaurants and laptops in reviews (Pontiki et al., 2014).

The official layout (https://aclanthology.org/S14-2004), XML such as ``Restaurants_Train.xml``::

    <sentences>
      <sentence id="813">
        <text>The soup was great, but the waiters were rude.</text>
        <aspectTerms>
          <aspectTerm term="soup" polarity="positive" from="4" to="8"/>
        </aspectTerms>
        <aspectCategories>
          <aspectCategory category="food" polarity="positive"/>
        </aspectCategories>
      </sentence>
    </sentences>

A term is a span of its sentence, and ``semeval`` asks about each. A category has no span: for
``semeval-categories`` a sentence has labels such as ``food: positive``, several or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from kgfm.datasets.about import check_text, span_in
from kgfm.datasets.base import Dataset, needed_file, needed_folder, reads, same_text, split_by
from kgfm.datasets.jsonl import open_graph
from kgfm.types import About, Example

VALIDATION = 0.1
LABELS = ("positive", "neutral", "negative", "conflict")
TRAIN, TEST = "Restaurants_Train.xml", "Restaurants_Test_Gold.xml"
_MANY = 1 << 16  # bytes that are parsed at once


@reads(folder="semeval", task="spans")
def semeval(
    data: str | Path | None,
    cache: str | Path,
    *,
    graph: str | None = None,
    train: str = TRAIN,
    test: str | None = TEST,
    conflict: bool = False,
    seed: int = 0,
) -> Dataset:
    """Read SemEval-2014's aspect terms: sentences, each asked about the terms in it.

    META-SHARE hands the reviews out under a licence of its own, for research
    (http://metashare.ilsp.gr:8080). Sentences without a term are left out.

    Args:
        data: The folder with the files.
        cache: Keeps the compiled graph.
        graph: A snapshot's folder, or a file of RDF or of triples; left out, there is none.
        train: File of the training sentences. A tenth of them, cut off by ``seed``, is the
            validation.
        test: File of the test sentences; none if ``None``.
        conflict: Whether to ask about terms that are judged good and bad at once; most published
            figures leave them out.
        seed: Cuts the validation off.

    Raises:
        ValueError: A file is not as above; the message names the file and the line.
    """
    return _read(data, cache, graph, (train, test), seed, _Terms(conflict))


@reads(folder="semeval", task="classify")
def semeval_categories(
    data: str | Path | None,
    cache: str | Path,
    *,
    graph: str | None = None,
    train: str = TRAIN,
    test: str | None = TEST,
    conflict: bool = False,
    seed: int = 0,
) -> Dataset:
    """Read SemEval-2014's aspect categories: sentences with labels such as ``food: positive``.

    The arguments are those of ``semeval``. All sentences count: one without a category has no
    label.
    """
    return _read(data, cache, graph, (train, test), seed, _Categories(conflict))


def _read(
    data: str | Path | None,
    cache: str | Path,
    graph: str | None,
    files: tuple[str, str | None],
    seed: int,
    make: _Terms | _Categories,
) -> Dataset:
    folder = needed_folder(data, "semeval")
    opened = None if graph is None else open_graph(graph, cache)
    known, held_out = (
        [found for one in _sentences(folder / file) if (found := make(one))] if file else []
        for file in files
    )
    train, validation, _ = split_by(known, same_text, seed=seed, test=0.0, validation=VALIDATION)
    return Dataset(opened, train, validation, tuple(held_out))


@dataclass
class _Sentence:
    """A sentence as it stands in the file, its aspects each with where it stands."""

    where: str
    text: str = ""
    terms: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    categories: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)


@dataclass(frozen=True)
class _Terms:
    conflict: bool

    def __call__(self, given: _Sentence) -> Example | None:
        about = [
            self._about(given.text, where, fields)
            for where, fields in given.terms
            if self.conflict or fields.get("polarity") != "conflict"
        ]
        return Example(given.text, about=tuple(about), where=given.where) if about else None

    @staticmethod
    def _about(text: str, where: str, fields: Mapping[str, str]) -> About:
        try:
            start, end = int(fields["from"]), int(fields["to"])
            span = span_in(text, start, end, "the aspectTerm")
            check_text(text, span, fields["term"], "the aspectTerm")
        except KeyError as error:
            raise ValueError(f"{where}: an aspectTerm has no {error.args[0]!r}.") from None
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        return About((span,), None, (_polarity(where, fields),))


@dataclass(frozen=True)
class _Categories:
    conflict: bool

    def __call__(self, given: _Sentence) -> Example:
        labels = []
        for where, fields in given.categories:
            if not fields.get("category"):
                raise ValueError(f"{where}: an aspectCategory has no 'category'.")
            polarity = _polarity(where, fields)
            if self.conflict or polarity != "conflict":
                labels.append(f"{fields['category']}: {polarity}")
        return Example(given.text, tuple(dict.fromkeys(labels)), where=given.where)


def _polarity(where: str, fields: Mapping[str, str]) -> str:
    if fields.get("polarity") not in LABELS:
        raise ValueError(
            f"{where}: a polarity is one of {', '.join(LABELS)}; got {fields.get('polarity')!r}."
        )
    return fields["polarity"]


def _sentences(path: Path) -> Iterator[_Sentence]:
    """Read a file.

    It may declare no types and no entities of its own: those could grow without end, or name other
    files (https://owasp.org/www-community/vulnerabilities/XML_External_Entity_(XXE)_Processing).
    """
    reader = _Reader(str(needed_file(path, "semeval")))
    with path.open("rb") as file:
        while part := file.read(_MANY):
            reader.feed(part)
            yield from reader.take()
    reader.feed(b"", last=True)
    yield from reader.take()


class _Reader:
    """Makes sentences of what the parser meets."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done: list[_Sentence] = []
        self._now: _Sentence | None = None
        self._words: list[str] | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def feed(self, part: bytes, last: bool = False) -> None:
        """Parse some bytes."""
        try:
            self._parser.Parse(part, last)
        except expat.ExpatError as error:
            raise ValueError(f"{self._name}: this is no XML: {error}.") from None

    def take(self) -> list[_Sentence]:
        """Return the sentences that are whole by now."""
        done, self._done = self._done, []
        return done

    def _where(self) -> str:
        return f"{self._name}, line {self._parser.CurrentLineNumber}"

    def _refuse(self, *_: object) -> NoReturn:
        raise ValueError(
            f"{self._where()}: the file declares a document type, which SemEval's do not and "
            "which may hide entities without end; take the line out if you trust the file."
        )

    def _start(self, name: str, fields: dict[str, str]) -> None:
        if name == "sentence":
            self._now = _Sentence(self._where())
        elif self._now is not None and name == "text":
            self._words = []
        elif self._now is not None and name == "aspectTerm":
            self._now.terms.append((self._where(), fields))
        elif self._now is not None and name == "aspectCategory":
            self._now.categories.append((self._where(), fields))

    def _text(self, words: str) -> None:
        if self._words is not None:
            self._words.append(words)

    def _end(self, name: str) -> None:
        if self._now is not None and name == "text":
            self._now.text, self._words = "".join(self._words or []), None
        elif self._now is not None and name == "sentence":
            if not self._now.text:
                raise ValueError(f"{self._now.where}: a sentence has no text.")
            self._done.append(self._now)
            self._now = None
