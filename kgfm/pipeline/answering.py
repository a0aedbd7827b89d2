"""From what was made ready to predictions, so many rows at a time as memory holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from kgfm.batch import Collator, Prepared
from kgfm.model import KGModel
from kgfm.pipeline.words import words_of
from kgfm.types import NIL, Answer, Example, Mention, Prediction

MOST_ROWS = 128
"""Rows that are read at once; an example has one, or one for each of the things it asks about."""
NOTHING = Answer(
    NIL,
    0.0,
    why="Nothing was asked about: no span was given, and the linker found nothing in the text.",
)
"""Stands in a prediction where there is no answer, since nothing was asked."""


def predictions(
    parts: Sequence[Sequence[Example]],
    prepared: Sequence[Prepared],
    model: KGModel,
    collator: Collator,
    graph: Any,
    *,
    why: Callable[[str, Answer], str],
) -> Iterator[Prediction]:
    """Answer examples that were made ready.

    Args:
        parts: Each example, or the parts in which it is read; with its mentions.
        prepared: Each part, made ready.
        model: Reads them.
        collator: Packs them.
        graph: Names the answers.
        why: Says of a text why an answer is refused.
    """
    device = next(model.parameters()).device
    flat = [part for of_one in parts for part in of_one]

    def answers() -> Iterator[tuple[tuple[Answer, ...], Prepared]]:
        for start, end in batches([len(one.rows) for one in prepared]):
            batch = collator.pack(prepared[start:end]).to(device)
            output = model.predict(batch)
            said = model.task.answers(output, batch, flat[start:end], graph)
            yield from zip(said, prepared[start:end], strict=True)

    found = answers()
    for of_one in parts:
        own = list(islice(found, len(of_one)))
        yield _prediction(of_one[0], of_one[0].mentions or (), own, why)


def _prediction(
    example: Example,
    mentions: tuple[Mention, ...],
    said: Sequence[tuple[tuple[Answer, ...], Prepared]],
    why: Callable[[str, Answer], str],
) -> Prediction:
    answers = tuple(answer for found, _ in said for answer in found)
    first = answers[0] if answers else NOTHING
    return Prediction(
        example.text,
        first.answer,
        first.score,
        first.scores,
        first.labels,
        mentions,
        any(len(row.subgraph.nodes) for _, one in said for row in one.rows),
        answers if first.about is not None else (),
        example.choices,
        first.answers,
        first.refused,
        why(example.text, first),
        first.near,
        first.sought,
        words_of(said[0][1], example.text) if said else (),
    )


def batches(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut examples of so many rows into batches of at most 128, but for one that has more alone."""
    start = total = 0
    for place, size in enumerate(sizes):
        if place > start and total + size > MOST_ROWS:
            yield start, place
            start, total = place, 0
        total += size
    if len(sizes) > start:
        yield start, len(sizes)
