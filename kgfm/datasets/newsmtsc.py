"""NewsMTSC: how sentences of political news speak of the people in them (Hamborg and Donnay, 2021).

The official layout (https://github.com/fhamborg/NewsMTSC), a JSON object in each line of
``train.jsonl``, ``devtest_mt.jsonl`` and ``devtest_rw.jsonl``::

    {"primary_gid": "...", "sentence_normalized": "But Ann Lee praised him.",
     "targets": [{"from": 4, "to": 11, "mention": "Ann Lee", "polarity": 6.0,
                  "further_mentions": [...]}]}

Polarities are 2 (negative), 4 (neutral) and 6 (positive). ``further_mentions``, which were found by
machine and are not what was judged, are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.datasets.about import check_text, span_in
from kgfm.datasets.base import (
    Dataset,
    needed_file,
    needed_folder,
    reads,
    same_text,
    split_by,
)
from kgfm.datasets.jsonl import open_graph
from kgfm.types import About, Example

FOLDS, VALIDATION = 5, 0.1
LABELS = {2: "negative", 4: "neutral", 6: "positive"}


@reads(folder="newsmtsc", task="spans")
def newsmtsc(
    data: str | Path | None,
    cache: str | Path,
    *,
    graph: str | None = None,
    fold: int = 0,
    folds: int = FOLDS,
    test: str | None = None,
    sentences: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Read NewsMTSC: sentences, each asked about the people and parties that were judged.

    The authors' files are under the MIT licence; their readme names none for the sentences.

    Args:
        data: The folder in its official layout.
        cache: Keeps the compiled graph.
        graph: A snapshot's folder, or a file of RDF or of triples; left out, there is none.
        fold: Which of ``folds`` parts of ``train.jsonl`` is the test, from 0. What differs in case
            and blanks alone is in one part.
        folds: In how many parts the sentences are dealt.
        test: A file of the folder that is the test in place of a fold, such as
            ``devtest_rw.jsonl``; the training is then of all of ``train.jsonl``.
        sentences: Learn from so many sentences of those that are left; from all if ``None``. The
            validation is a tenth of them.
        seed: Deals the sentences.

    Raises:
        ValueError: A line is not as above; the message names the file and the line.
    """
    folder = needed_folder(data, "newsmtsc")
    if not 0 <= fold < folds or folds < 2:
        raise ValueError(f"fold is one of 0 to folds - 1; got fold={fold} of folds={folds}.")
    opened = None if graph is None else open_graph(graph, cache)
    read = list(_sentences(folder / "train.jsonl"))
    if test is None:
        rest, held_out = _folded(read, fold, folds, seed)
    else:
        rest, held_out = read, tuple(_sentences(folder / test))
    if sentences is not None:
        if not 1 < sentences <= len(rest):
            raise ValueError(f"sentences is from 2 to {len(rest):,}; got {sentences}.")
        order = np.random.default_rng([seed, 1]).permutation(len(rest))[:sentences]
        rest = [rest[place] for place in order.tolist()]
    train, validation, _ = split_by(rest, same_text, seed=seed, test=0.0, validation=VALIDATION)
    return Dataset(opened, train, validation, held_out)


def _folded(
    examples: list[Example], fold: int, folds: int, seed: int
) -> tuple[list[Example], tuple[Example, ...]]:
    """Return the sentences of all other folds, and those of one."""
    texts = list(dict.fromkeys(map(same_text, examples)))
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    held = {texts[place] for place in order[fold::folds]}
    rest = [example for example in examples if same_text(example) not in held]
    return rest, tuple(example for example in examples if same_text(example) in held)


def _sentences(path: Path) -> Iterator[Example]:
    with needed_file(path, "newsmtsc").open("rb") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                fields = json.loads(line.decode())
                text = fields["sentence_normalized"]
                about = tuple(_target(text, one) for one in fields["targets"])
                yield Example(text, about=about, where=where)
            except (KeyError, TypeError) as error:
                raise ValueError(
                    f"{where}: a line is an object with sentence_normalized and targets, each "
                    f"with from, to, mention and polarity; {type(error).__name__}: {error}."
                ) from None
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None


def _target(text: str, given: Mapping[str, Any]) -> About:
    span = span_in(text, given["from"], given["to"], "the target")
    check_text(text, span, given["mention"], "the target")
    if given["polarity"] not in LABELS:
        raise ValueError(f"polarity is 2, 4 or 6; got {given['polarity']!r}.")
    return About((span,), None, (LABELS[given["polarity"]],))
