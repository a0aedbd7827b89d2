"""Banking77: what customers of a bank want, 77 intents (Casanueva et al., 2020).

The official layout (https://github.com/PolyAI-LDN/task-specific-datasets), comma-separated::

    train.csv, test.csv     text,category
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Literal

import numpy as np

from kgfm.datasets.base import Dataset, needed_folder, one_of, reads, split
from kgfm.datasets.rows import rows_of
from kgfm.types import Example

SEED = 13
TEST, VALIDATION = 0.2, 0.1


@reads(folder="banking77", task="classify")
def banking77(
    data: str | Path | None,
    cache: str | Path,
    *,
    test: Literal["own", "official"] = "own",
    per_class: int | None = None,
    unknown: int = 0,
    seed: int = SEED,
) -> Dataset:
    """Read Banking77, without a graph.

    A text that stands there twice counts once, so that none is in two parts.

    Args:
        data: The folder in its official layout.
        cache: Not used: there is no graph to compile.
        test: ``own``: 20 % of train.csv are the test and a tenth of the others the validation.
            ``official``: test.csv is the test.
        per_class: How many texts of each intent training and validation have at most; by default
            all.
        unknown: Number of intents that are drawn by ``seed`` and left out of training and
            validation. Their texts in the test have no label: right is to refuse.
        seed: Of all that is dealt out.

    Raises:
        ValueError: A line is not as above, and the message names it; or an argument will not do.
    """
    folder = needed_folder(data, "banking77")
    one_of("test", test, ("own", "official"))
    if per_class is not None and per_class < 1:
        raise ValueError(f"per_class={per_class}: at least 1, or leave it out for all texts.")
    known = _read(folder / "train.csv")
    intents = sorted({example.target[0] for example in known if example.target})
    if not 0 <= unknown < len(intents):
        raise ValueError(f"unknown={unknown}: from 0 to {len(intents) - 1} of the intents.")
    share = TEST if test == "own" else 0.0
    train, validation, held_out = split(known, seed=seed, test=share, validation=VALIDATION)
    if test == "official":
        held_out = _read(folder / "test.csv")
    random = np.random.default_rng((seed, 1))
    places = random.choice(len(intents), unknown, replace=False).tolist()
    outside = {intents[place] for place in places}
    return Dataset(
        None,
        tuple(few(_inside(train, outside), per_class)),
        tuple(few(_inside(validation, outside), per_class)),
        tuple(_as_unknown(held_out, outside)),
    )


def few(examples: Iterable[Example], per_class: int | None) -> list[Example]:
    """Return the first examples of each label, in order; all if ``per_class`` is ``None``."""
    count: Counter[str] = Counter()
    kept = []
    for example in examples:
        (label,) = example.target or ("",)
        count[label] += 1
        if per_class is None or count[label] <= per_class:
            kept.append(example)
    return kept


def _inside(examples: Iterable[Example], outside: Set[str]) -> list[Example]:
    return [example for example in examples if not outside & {*(example.target or ())}]


def _as_unknown(examples: Iterable[Example], outside: Set[str]) -> list[Example]:
    return [
        Example(e.text, (), where=e.where) if outside & {*(e.target or ())} else e for e in examples
    ]


def _read(path: Path) -> list[Example]:
    found: dict[str, Example] = {}
    for where, fields in rows_of(path, ("text", "category"), "banking77", delimiter=","):
        text, intent = (" ".join(fields[name].split()) for name in ("text", "category"))
        if not (text and intent):
            raise ValueError(f"{where}: a line has a text and its category; one is empty.")
        found.setdefault(text, Example(text, (intent,), where=where))
    return list(found.values())
