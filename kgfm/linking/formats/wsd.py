"""Word senses: the XML and key files of the WSD evaluation framework, and SemCor as a table.

The framework (Raganato, Camacho-Collados and Navigli, 2017, http://lcl.uniroma1.it/wsdeval) has
sentences of ``<wf>`` and ``<instance id= lemma= pos=>`` in an XML file, and in a key file a line
``id key key ...`` for each instance. SemCor is a table with the columns ``token lemma pos sense_key
n_tokens``, tabs between, under a line ``# document sentence`` for each sentence.
"""

from __future__ import annotations

import gzip
import xml.parsers.expat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kgfm.linking.formats.document import Document
from kgfm.linking.senses import Senses
from kgfm.storage import replace_file
from kgfm.types import Mention

TAGS = {"N": "n", "V": "v", "J": "a", "R": "r"}
"""The first letter of a Penn Treebank tag, and WordNet's part of speech."""


@dataclass(frozen=True)
class Instance:
    """A word of a sentence whose sense is asked for.

    Args:
        id: How the key file calls it.
        start: First character in the sentence's text.
        end: One past the last.
        lemma: What WordNet lists it under.
        pos: Part of speech, as :meth:`kgfm.linking.senses.Senses.of` takes it.
        keys: The right sense keys; empty where they are not known.
    """

    id: str
    start: int
    end: int
    lemma: str
    pos: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sentence:
    """A sentence, its tokens with one blank between, and the words whose senses are asked for."""

    id: str
    text: str
    instances: tuple[Instance, ...]

    def document(self, senses: Senses) -> Document:
        """Return the sentence with a mention for each instance whose sense the graph has.

        ``entity`` is the synset of the first right key, and ``candidates`` are the synsets of all
        of them.
        """
        mentions = []
        for one in self.instances:
            found = [sense.synset for sense in map(senses.sense, one.keys) if sense is not None]
            if found:
                right = tuple((synset, 1.0) for synset in dict.fromkeys(found))
                text = self.text[one.start : one.end]
                mentions.append(Mention(one.start, one.end, text, found[0], 1.0, right))
        return Document(self.text, tuple(mentions), self.id)


class SenseScores(NamedTuple):
    """Precision, recall and F1 of sense keys; the numbers of instances asked and answered."""

    precision: float
    recall: float
    f1: float
    asked: int
    answered: int


def read(path: str | Path, keys: str | Path | None = None) -> tuple[Sentence, ...]:
    """Read the framework's XML, and its key file if there is one.

    Args:
        path: The ``.data.xml``.
        keys: The ``.gold.key.txt``; ``None`` takes the one beside ``path`` if it is there.

    Raises:
        ValueError: A file is malformed; the message names it and the line.
    """
    path = Path(path)
    if keys is None:
        beside = path.with_name(path.name.removesuffix(".data.xml") + ".gold.key.txt")
        keys = beside if beside != path and beside.is_file() else None
    gold = read_keys(keys) if keys is not None else {}
    return tuple(_Reader(path, gold).sentences())


def read_keys(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Read a key file: the sense keys of each instance."""
    path, found = Path(path), {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 2 or not all("%" in key for key in fields[1:]):
            raise ValueError(f"{path}, line {number}: {line[:80]!r} is not 'id sense_key ...'.")
        if fields[0] in found:
            raise ValueError(f"{path}, line {number}: {fields[0]!r} has keys already.")
        found[fields[0]] = tuple(fields[1:])
    return found


def write_keys(path: str | Path, answers: Mapping[str, Sequence[str]]) -> None:
    """Write a key file, atomically; an instance without an answer is left out."""
    for id, keys in answers.items():
        bad = [text for text in (id, *keys) if not text or text.split() != [text]]
        if bad:
            raise ValueError(f"The id or key {bad[0]!r} of {id!r} has blanks or is empty.")
    lines = [" ".join([id, *keys]) for id, keys in answers.items() if keys]
    replace_file(Path(path), "".join(f"{line}\n" for line in lines).encode())


def keys_of(
    sentences: Iterable[Sentence], linked: Iterable[Sequence[Mention]], senses: Senses
) -> dict[str, tuple[str, ...]]:
    """Return the sense keys that linked mentions stand for: what :func:`write_keys` writes.

    Args:
        sentences: The instances.
        linked: For each sentence its mentions; one counts for the instance with its very span.
        senses: Of the graph that was linked to.
    """
    found: dict[str, tuple[str, ...]] = {}
    for sentence, mentions in zip(sentences, linked, strict=True):
        by_span = {(mention.start, mention.end): mention.entity for mention in mentions}
        for one in sentence.instances:
            synset = by_span.get((one.start, one.end))
            key = senses.key_of(synset, one.lemma, one.pos) if synset is not None else None
            if key is not None:
                found[one.id] = (key,)
    return found


def score(gold: Mapping[str, Sequence[str]], answers: Mapping[str, Sequence[str]]) -> SenseScores:
    """Score answers as the framework's own scorer does.

    An instance is worth the share of its answered keys that are right; precision divides the sum
    by the instances answered, recall by those asked.
    """
    given = [id for id in answers if id in gold and answers[id]]
    worth = sum(len(set(answers[id]) & set(gold[id])) / len(set(answers[id])) for id in given)
    precision = worth / len(given) if given else 0.0
    recall = worth / len(gold) if gold else 0.0
    total = precision + recall
    f1 = 2 * precision * recall / total if total else 0.0
    return SenseScores(precision, recall, f1, len(gold), len(given))


def read_semcor(path: str | Path) -> Iterator[Sentence]:
    """Stream the sentences of SemCor's table, ``.gz`` or not; ids are ``document.sentence``."""
    path = Path(path)
    opened = gzip.open if path.suffix == ".gz" else open
    id, rows = "", list[list[str]]()
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\r\n")
            if line.startswith("# ") and "\t" not in line:
                if rows:
                    yield _semcor_sentence(id, rows)
                id, rows = ".".join(line[2:].split()), []
            elif line:
                fields = line.split("\t")
                if len(fields) != 5 or not fields[0] or not id:
                    raise ValueError(
                        f"{path}, line {number}: {line[:80]!r} is not 'token lemma pos sense_key "
                        "n_tokens' under a line '# document sentence'."
                    )
                rows.append(fields)
    if rows:
        yield _semcor_sentence(id, rows)


def _semcor_sentence(id: str, rows: list[list[str]]) -> Sentence:
    instances: list[Instance] = []
    words: list[str] = []
    place = 0
    for token, lemma, tag, key, _ in rows:
        word = token.replace("_", " ") if len(token) > 1 else token
        if key:
            pos = TAGS.get(tag[:1], "")
            name = f"{id}.t{len(instances):03d}"
            end = place + len(word)
            instances.append(Instance(name, place, end, lemma, pos, (key,)))
        words.append(word)
        place += len(word) + 1
    return Sentence(id, " ".join(words), tuple(instances))


class _Reader:
    """Reads the framework's XML as it comes, with the number of the line for errors."""

    def __init__(self, path: Path, gold: Mapping[str, Sequence[str]]) -> None:
        self.path, self.gold = path, gold
        self._found: list[Sentence] = []
        self._sentence: str | None = None
        self._words: list[str] = []
        self._instances: list[Instance] = []
        self._open: dict[str, str] | None = None
        self._text = ""
        self._parser = xml.parsers.expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.EntityDeclHandler = self._refuse

    def sentences(self) -> list[Sentence]:
        """Parse the file."""
        with self.path.open("rb") as file:
            try:
                self._parser.ParseFile(file)
            except xml.parsers.expat.ExpatError as error:
                raise ValueError(f"{self.path}, line {error.lineno}: {error}.") from None
        return self._found

    def _error(self, what: str) -> ValueError:
        return ValueError(f"{self.path}, line {self._parser.CurrentLineNumber}: {what}.")

    def _refuse(self, *declared: object) -> None:
        raise self._error("it defines an XML entity, which can grow without bound; write the text")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "sentence":
            if "id" not in attributes:
                raise self._error("<sentence> has no id")
            self._sentence, self._words, self._instances = attributes["id"], [], []
        elif name in ("wf", "instance"):
            needed = ("id", "lemma", "pos") if name == "instance" else ()
            missing = [field for field in needed if field not in attributes]
            if missing or self._sentence is None:
                what = f"has no {' and no '.join(missing)}" if missing else "is in no <sentence>"
                raise self._error(f"<{name}> {what}")
            self._open = {**attributes, "element": name}
            self._text = ""

    def _characters(self, text: str) -> None:
        if self._open is not None:
            self._text += text

    def _end(self, name: str) -> None:
        if name == "sentence" and self._sentence is not None:
            text = " ".join(self._words)
            self._found.append(Sentence(self._sentence, text, tuple(self._instances)))
            self._sentence = None
        elif name in ("wf", "instance") and self._open is not None:
            self._word(self._open, " ".join(self._text.split()))
            self._open = None

    def _word(self, element: Mapping[str, str], word: str) -> None:
        if not word:
            raise self._error(f"<{element['element']}> is empty")
        if element["element"] == "instance":
            start = sum(map(len, self._words)) + len(self._words)
            id, lemma, pos = element["id"], element["lemma"], element["pos"]
            keys = tuple(self.gold.get(id, ()))
            self._instances.append(Instance(id, start, start + len(word), lemma, pos, keys))
        self._words.append(word)
