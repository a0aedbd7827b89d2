"""PathQuestion: questions that follow a path of two or three relations (Zhou et al., 2018).

The official layout (https://github.com/zmtkeke/IRN), four sets of questions over a graph each::

    2H-kb.txt     head <TAB> relation <TAB> tail
    PQ-2H.txt     question <TAB> answer(answer/answer/...) <TAB> topic#relation#entity#...#answer

The questions are templates over paths, so that a random split asks the same paths in training and
test; ``deal: path`` keeps all questions of a path of relations in one part.
"""

from __future__ import annotations

from collections.abc import Iterator
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
PARTS = {
    "PQ-2H": "2H-kb.txt",
    "PQ-3H": "3H-kb.txt",
    "PQL-2H": "PQL2-KB.txt",
    "PQL-3H": "PQL3-KB.txt",
}
"""Each set of questions, and the file of its graph."""
_END = "<end>"


@reads(folder="pathquestion", task="answer")
def pathquestion(
    data: str | Path | None,
    cache: str | Path,
    *,
    part: Literal["PQ-2H", "PQ-3H", "PQL-2H", "PQL-3H"] = "PQ-2H",
    topics: Literal["gold", "linked"] = "gold",
    deal: Literal["random", "path"] = "random",
    seed: int = SEED,
) -> Dataset:
    """Read PathQuestion.

    Args:
        data: The folder in its official layout.
        cache: Keeps the compiled graph.
        part: Which set of questions.
        topics: ``gold``: the topic of the path is the mention that is given. ``linked``: the linker
            finds what is meant.
        deal: ``random``: 20 % of the questions are the test and a tenth of the others the
            validation. ``path``: so many of the paths of relations, with all their questions.
        seed: Of both.

    Raises:
        ValueError: A line is not as above; the message names the file and the line.
    """
    folder = needed_folder(data, "pathquestion")
    one_of("part", part, tuple(PARTS))
    one_of("topics", topics, ("gold", "linked"))
    one_of("deal", deal, ("random", "path"))
    graph = pathquestion_graph(folder, cache, part)
    asked = list(_questions(needed_file(folder / f"{part}.txt", "pathquestion"), topics == "gold"))
    numbered = list(enumerate(asked))
    dealt = split_by(
        numbered,
        lambda one: one[1][1] if deal == "path" else one[0],
        seed=seed,
        test=TEST,
        validation=VALIDATION,
    )
    train, validation, test = (tuple(one for _, (one, _) in part) for part in dealt)
    return Dataset(graph, train, validation, test)


def pathquestion_graph(folder: Path, cache: str | Path, part: str) -> KnowledgeGraph:
    """Return the graph of a set of questions, compiled into ``cache`` when first needed."""
    path = needed_file(folder / PARTS[part], "pathquestion")
    source = {"file": path.name, "sha256": sha256(path)}
    return compiled(cache, f"pathquestion-{part}", source, lambda: _build(path))


def _build(path: Path) -> KnowledgeGraph:
    triples = []
    for number, line in _lines(path):
        parts = [part.strip() for part in line.split("\t") if part.strip()]
        if len(parts) != 3:
            raise ValueError(f"{path}, line {number}: {line[:80]!r} is not head, relation, tail.")
        triples.append((parts[0], parts[1], parts[2]))
    entities = dict.fromkeys(end for head, _, tail in triples for end in (head, tail))
    relations = dict.fromkeys(relation for _, relation, _ in triples)
    return KnowledgeGraph.from_records(
        [EntityRecord(key, _words(key), aliases=(key,)) for key in entities],
        triples,
        relations={key: _words(key.rpartition("__")[2]) for key in relations},
        source={"dataset": "pathquestion", "file": path.name},
    )


def _words(key: str) -> str:
    return " ".join(key.replace("_", " ").split())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open(encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if line := line.rstrip("\r\n"):
                yield number, line


def _questions(path: Path, gold: bool) -> Iterator[tuple[Example, tuple[str, ...]]]:
    """Each question, with the relations of its path."""
    for number, line in _lines(path):
        try:
            question, answers, way = line.split("\t")
            steps = [step for step in way.strip().split("#") if step]
            steps = steps[: steps.index(_END)] if _END in steps else steps
            first = answers.strip()
            several = first[first.index("(") + 1 : first.rindex(")")] if "(" in first else first
            target = tuple(dict.fromkeys(one for one in _split(first, several) if one))
            text, topic = " ".join(question.split()), steps[0]
            start = text.index(topic)
        except ValueError:
            raise ValueError(
                f"{path}, line {number}: {line[:80]!r} is not 'question<TAB>answer(answer/...)"
                "<TAB>topic#relation#...', with the topic in the question."
            ) from None
        mention = Mention(start, start + len(topic), topic, topic)
        yield Example(text, target, (mention,) if gold else None), tuple(steps[1::2])


def _split(whole: str, several: str) -> list[str]:
    """Answers of ``first(first/second/)``; a name may hold brackets and slashes itself."""
    for place, letter in enumerate(whole):
        if letter == "(" and whole.endswith(")"):
            inside = whole[place + 1 : -1]
            if whole[:place] in (inside, *_parts(inside)):
                return _parts(inside)
    return _parts(several)


def _parts(several: str) -> list[str]:
    return [part.strip() for part in several.split("/") if part.strip()]
