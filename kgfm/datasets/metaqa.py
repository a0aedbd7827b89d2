"""MetaQA: questions of one to three hops over a graph of films (Zhang et al., 2018).

The official layout (https://github.com/yuyuz/MetaQA; the graph with ids as in EmbedKGQA)::

    kb/entities.dict    id <TAB> label, and a label may hold anything but a line's end
    kb/relations.dict   id <TAB> name; odd ids are the inverses and are not used
    kb/train.txt        head relation tail, as ids: the whole graph
    1-hop/qa_dev.txt    question with its [topic] <TAB> answer|answer ...

An entity's key is its label: things that share a name are one entity there.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Literal

from kgfm.datasets.base import (
    Dataset,
    compiled,
    needed_file,
    needed_folder,
    one_of,
    reads,
    split_by,
)
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.storage import sha256
from kgfm.types import Example, Mention

SEED = 13
TEST, VALIDATION = 0.2, 0.1
_TOPIC = re.compile(r"\[(.*)\]")
_MOST_COMMAS = 8
_GRAPH_FILES = ("entities.dict", "relations.dict", "train.txt")


@reads(folder="metaqa", task="answer")
def metaqa(
    data: str | Path | None,
    cache: str | Path,
    *,
    hops: int | Literal["all"] = 1,
    topics: Literal["linked", "gold"] = "linked",
    questions: Literal["dev", "official"] = "dev",
    seed: int = SEED,
) -> Dataset:
    """Read MetaQA.

    Args:
        data: The folder in its official layout.
        cache: Keeps the compiled graph.
        hops: 1, 2 or 3, or ``all`` for the questions of all three, each dealt out as alone.
        topics: ``linked``: the brackets go, and the linker finds what is meant. ``gold``: they
            become the mention that is given.
        questions: ``dev``: the dev questions alone; 20 % of them are the test and a tenth of the
            others the validation, dealt out by ``seed``. ``official``: ``qa_train.txt``,
            ``qa_dev.txt`` as validation and ``qa_test.txt`` as test.
        seed: Deals out the dev questions; 13 unless told otherwise.
    """
    folder = needed_folder(data, "metaqa")
    one_of("hops", hops, (1, 2, 3, "all"))
    one_of("topics", topics, ("linked", "gold"))
    one_of("questions", questions, ("dev", "official"))
    graph = metaqa_graph(folder, cache)
    labels = set(graph.keys)
    read = partial(_questions, labels=labels, gold=topics == "gold")
    folders = [folder / f"{each}-hop" for each in ((1, 2, 3) if hops == "all" else (hops,))]
    if questions == "official":
        train, validation, test = (
            tuple(one for each in folders for one in read(each / f"qa_{part}.txt"))
            for part in ("train", "dev", "test")
        )
        return Dataset(graph, train, validation, test)
    parts = [
        split_by(  # some stand there twice
            read(each / "qa_dev.txt"),
            lambda example: example.text,
            seed=seed,
            test=TEST,
            validation=VALIDATION,
        )
        for each in folders
    ]
    train, validation, test = (
        tuple(chain.from_iterable(part)) for part in zip(*parts, strict=True)
    )
    return Dataset(graph, train, validation, test)


def metaqa_graph(folder: Path, cache: str | Path) -> KnowledgeGraph:
    """Return the graph of films, compiled into ``cache`` when first needed."""
    hashes = graph_hashes(folder)
    return compiled(cache, "metaqa", hashes, lambda: _build(folder, hashes))


def graph_hashes(folder: Path) -> dict[str, str]:
    """Return the hashes of the files that the graph is read from."""
    return {name: sha256(needed_file(folder / "kb" / name, "metaqa")) for name in _GRAPH_FILES}


def _build(folder: Path, hashes: dict[str, str]) -> KnowledgeGraph:
    labels, relations, triples = read_graph(folder)
    return KnowledgeGraph.from_records(
        [EntityRecord(label, label) for label in labels],
        triples,
        relations={name: name.replace("_", " ") for name in relations},
        source={"dataset": "metaqa", "files": hashes},
    )


def read_graph(folder: Path) -> tuple[list[str], list[str], list[tuple[str, str, str]]]:
    """Return entities, relations and triples, all by name."""
    entities = _names(folder / "kb" / "entities.dict")
    numbered = _names(folder / "kb" / "relations.dict")
    relations = {number: name for number, name in numbered.items() if int(number) % 2 == 0}
    path = needed_file(folder / "kb" / "train.txt", "metaqa")
    triples = []
    for number, line in _lines(path):
        try:
            head, relation, tail = line.split()
            if relation in relations:
                triples.append((entities[head], relations[relation], entities[tail]))
        except (ValueError, KeyError):
            raise ValueError(
                f"{path}, line {number}: {line[:80]!r} is not 'head relation tail' with ids "
                "from entities.dict and relations.dict."
            ) from None
    return list(entities.values()), list(relations.values()), triples


def _names(path: Path) -> dict[str, str]:
    names = {}
    for number, line in _lines(needed_file(path, "metaqa")):
        key, tab, name = line.partition("\t")
        if not tab or not key.isdecimal():
            raise ValueError(f"{path}, line {number}: {line[:80]!r} is not 'id<TAB>name'.")
        names[key] = name
    return names


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if line := line.rstrip("\r\n"):
                yield number, line


def _questions(path: Path, *, labels: Container[str], gold: bool) -> Iterator[Example]:
    for number, line in _lines(needed_file(path, "metaqa")):
        question, _, answers = line.partition("\t")
        topic = _TOPIC.search(question)
        if topic is None or not answers:
            raise ValueError(
                f"{path}, line {number}: {line[:80]!r} is not 'question with [topic]<TAB>answers'."
            )
        start, name = topic.start(), topic[1]
        text = question[:start] + name + question[topic.end() :]
        mention = Mention(start, start + len(name), name, name if name in labels else None)
        target = tuple(dict.fromkeys(answer_keys(answers, labels)))
        yield Example(text, target, (mention,) if gold else None)


def answer_keys(answers: str, labels: Container[str]) -> Iterator[str]:
    """Split answers at "|", and join again what was one label with a comma.

    ``Paris|Texas`` was "Paris, Texas" before it was written: of consecutive answers the longest
    run that is a label, joined by ", " or "|", is one.

    >>> list(answer_keys("Alien|Paris|Texas", {"Alien", "Paris", "Texas", "Paris, Texas"}))
    ['Alien', 'Paris, Texas']
    """
    parts = answers.split("|")
    place = 0
    while place < len(parts):
        for end in range(min(place + _MOST_COMMAS, len(parts)), place, -1):
            joined = (glue.join(parts[place:end]) for glue in (", ", "|"))
            found = next((label for label in joined if label in labels), None)
            if found is not None:
                break
        yield found if found is not None else parts[place]
        place = end
