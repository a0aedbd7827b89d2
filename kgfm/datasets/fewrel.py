"""FewRel: which relation of Wikidata a sentence states between two things (Han et al., 2018).

The official layout (https://github.com/thunlp/FewRel, folder ``data``)::

    val_wiki.json    {"P177": [{"tokens": ["The", "bridge", ...],
                                "h": ["bridge", "Q5034838", [[1]]],
                                "t": ["mississippi river", "Q1497", [[4, 5]]]}, ...], ...}
    pid2name.json    {"P177": ["crosses", "obstacle which this bridge crosses ..."], ...}

``h`` and ``t`` are the relation's head and tail: a name, a key of Wikidata, and the positions of
each mention among the tokens, of which the first is taken. The text is the tokens, a blank between
each two. The file with the 64 relations to train on is read by ``file: train_wiki.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.datasets.base import (
    Dataset,
    needed_file,
    needed_folder,
    reads,
    same_text,
    split_by,
)
from kgfm.datasets.jsonl import open_graph
from kgfm.graph import KnowledgeGraph
from kgfm.types import LINKED, About, Example

TEST, VALIDATION = 0.2, 0.1
FILE, NAMES = "val_wiki.json", "pid2name.json"


@reads(folder="fewrel", task="spans")
def fewrel(
    data: str | Path | None,
    cache: str | Path,
    *,
    graph: str | None = None,
    file: str = FILE,
    left_out: int = 0,
    shots: int = 5,
    others: bool = True,
    seed: int = 0,
) -> Dataset:
    """Read FewRel: sentences, each asked about its head and tail, in this order.

    A label is the relation's name in Wikidata. FewRel is under the MIT licence.

    Args:
        data: The folder in its official layout.
        cache: Keeps the compiled graph.
        graph: A snapshot's folder, or a file of RDF or of triples, whose keys are those of Wikidata
            (``Q1497``); what it lacks is outside of the graph. Left out, there is none. A graph
            that holds the triple asked for gives the answer away.
        file: The sentences.
        left_out: How many of the relations are left out of the training but for a few sentences,
            drawn by ``seed``; the test is of these alone. 0: all are learned, and the test is a
            fifth of the sentences.
        shots: Of each relation left out, how many sentences are learned from. With ``others`` they
            all belong to the training, else a fifth of them, at least one, to the validation.
        others: Whether the other relations are learned too.
        seed: Deals the sentences; the same text is in one part. The validation is a tenth of the
            training.

    Raises:
        ValueError: A file is not as above, with what is wrong and where; or there are not so many
            relations or sentences.
    """
    folder = needed_folder(data, "fewrel")
    opened = None if graph is None else open_graph(graph, cache)
    examples = list(_sentences(folder / file, _names(folder / NAMES), opened))
    if not left_out:
        dealt = split_by(examples, same_text, seed=seed, test=TEST, validation=VALIDATION)
        return Dataset(opened, *dealt)
    relations = list(dict.fromkeys(map(_label, examples)))
    if not 0 < left_out < len(relations) + (not others):
        raise ValueError(
            f"left_out={left_out}: there are {len(relations)} relations, and others={others}."
        )
    order = np.random.default_rng(seed).permutation(len(relations)).tolist()
    unseen = {relations[place] for place in order[:left_out]}
    few, test = _shots([one for one in examples if _label(one) in unseen], shots, seed)
    if not others:
        held_out = max(1, round(shots / 5))
        train = tuple(one for own in few for one in own[held_out:])
        return Dataset(opened, train, tuple(one for own in few for one in own[:held_out]), test)
    drawn = tuple(one for own in few for one in own)
    texts = set(map(same_text, (*drawn, *test)))
    known = [one for one in examples if _label(one) not in unseen and same_text(one) not in texts]
    train, validation, _ = split_by(known, same_text, seed=seed, test=0.0, validation=VALIDATION)
    return Dataset(opened, train + drawn, validation, test)


def _label(example: Example) -> str:
    (about,) = example.about
    (label,) = about.labels or ("",)
    return label


def _shots(
    examples: Sequence[Example], shots: int, seed: int
) -> tuple[list[list[Example]], tuple[Example, ...]]:
    """Return so many sentences of each relation, and the others, without those of the same text."""
    order = np.random.default_rng([seed, 1]).permutation(len(examples)).tolist()
    by_label: dict[str, list[Example]] = {}
    for place in order:
        by_label.setdefault(_label(examples[place]), []).append(examples[place])
    for relation, own in by_label.items():
        if not 1 < shots < len(own):
            raise ValueError(
                f"shots={shots}: give 2 or more, and fewer than the {len(own)} sentences of "
                f"{relation!r}."
            )
    few = [own[:shots] for own in by_label.values()]
    learned = {same_text(one) for own in few for one in own}
    rest = [one for own in by_label.values() for one in own[shots:]]
    return few, tuple(one for one in rest if same_text(one) not in learned)


def _names(path: Path) -> dict[str, str]:
    """Return the relations' names by key."""
    given = _json(path)
    try:
        return {key: name for key, (name, *_) in given.items()}
    except (AttributeError, TypeError, ValueError):
        raise ValueError(f'{path} is not {{"P177": ["crosses", ...], ...}}.') from None


def _json(path: Path) -> Any:
    try:
        return json.loads(needed_file(path, "fewrel").read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: this is no JSON in UTF-8: {error}") from None


def _sentences(
    path: Path, names: dict[str, str], graph: KnowledgeGraph | None
) -> Iterator[Example]:
    given = _json(path)
    if not isinstance(given, dict):
        raise ValueError(f"{path}: an object by relation is needed, not {type(given).__name__}.")
    for relation, instances in given.items():
        if relation not in names:
            raise ValueError(f"{path}: {NAMES} has no name for the relation {relation!r}.")
        for place, instance in enumerate(instances):
            where = f"{path}, {relation} {place}"
            try:
                text, spans, keys = _instance(instance)
            except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{where}: an instance has tokens, h and t, each of these a name, a key and "
                    f"the positions of its tokens; {type(error).__name__}: {error}."
                ) from None
            inside = tuple(key if graph is not None and key in graph else None for key in keys)
            entities = tuple(LINKED for _ in keys) if graph is None else inside
            yield Example(text, about=(About(spans, entities, (names[relation],)),), where=where)


def _instance(
    given: dict[str, Any],
) -> tuple[str, tuple[tuple[int, int], ...], tuple[str, str]]:
    """Return the text, the characters of head and tail, and their keys."""
    tokens, starts, end = given["tokens"], [], 0
    for token in tokens:
        starts.append(end)
        end += len(token) + 1
    spans, keys = [], []
    for role in ("h", "t"):
        _, key, mentions = given[role]
        first, last = min(mentions[0]), max(mentions[0])
        if first < 0:
            raise ValueError(f"{role} begins at token {first}")
        spans.append((starts[first], starts[last] + len(tokens[last])))
        keys.append(str(key))
    return " ".join(tokens), tuple(spans), (keys[0], keys[1])
