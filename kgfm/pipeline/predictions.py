"""From probabilities to predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from torch import Tensor

from kgfm.batch import Batch
from kgfm.retrieval import Graph
from kgfm.types import NIL, Evidence, Mention, Prediction

Explain = Callable[[int | None], tuple[Evidence, ...]]
BEST = 10


def answer_predictions(
    graph: Graph,
    texts: Sequence[str],
    mentions: Sequence[tuple[Mention, ...]],
    batch: Batch,
    probabilities: Tensor,
    explain: Sequence[Explain],
) -> list[Prediction]:
    """Rank each text's nodes and NIL."""
    entities = batch.node_entity.cpu().numpy()
    counts = batch.node_mask.sum(1).tolist()
    predictions = []
    start = 0
    for text, found, count, ask in zip(texts, mentions, counts, explain, strict=True):
        scores = probabilities[start : start + count].double().cpu().numpy()
        nodes = np.argsort(-scores, kind="stable")[:BEST]
        ranked = [(graph.keys[int(entities[start + n])], float(scores[n]), int(n)) for n in nodes]
        ranked.append((NIL, max(0.0, 1.0 - float(scores.sum())), -1))
        ranked.sort(key=lambda item: -item[1])
        answer, score, node = ranked[0]
        predictions.append(
            Prediction(
                text,
                answer,
                score,
                tuple((key, value) for key, value, _ in ranked),
                (answer,),
                found,
                count > 0,
                partial(ask, None if node < 0 else node),
            )
        )
        start += count
    return predictions


def label_predictions(
    labels: Sequence[str],
    texts: Sequence[str],
    mentions: Sequence[tuple[Mention, ...]],
    batch: Batch,
    probabilities: Tensor,
    threshold: float | None,
    explain: Sequence[Explain],
) -> list[Prediction]:
    """Take the best label, and with a threshold all labels over it."""
    predictions = []
    used = batch.node_mask.any(1).tolist()
    for row, (text, found, ask) in enumerate(zip(texts, mentions, explain, strict=True)):
        scores = probabilities[row].double().cpu().numpy()
        order = np.argsort(-scores, kind="stable").tolist()
        over = [n for n in order if threshold is not None and scores[n] >= threshold]
        predictions.append(
            Prediction(
                text,
                labels[order[0]],
                float(scores[order[0]]),
                tuple((labels[n], float(scores[n])) for n in order),
                tuple(labels[n] for n in over) if threshold is not None else (labels[order[0]],),
                found,
                used[row],
                partial(ask, order[0]),
            )
        )
    return predictions
