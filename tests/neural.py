"""Small inputs for the tests of the neural half; all of it is made in code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from kgfm.backbones.load import minilm_folder, tiny
from kgfm.batch import Batch, Collator, Prepared, PreparedRow
from kgfm.model import KGModel
from kgfm.tasks import TASKS, Task
from kgfm.tasks.answer import Right
from kgfm.tasks.span_rows import Place
from kgfm.types import Subgraph

FEATURE_WIDTH, NUM_RELATIONS, NUM_ENTITIES = 8, 3, 30
LABELS = ("drama", "comedy", "horror")


class OfSpans(tuple[str, ...]):
    """Labels of spans, where others are of whole texts."""


@lru_cache
def tokenizer() -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(str(minilm_folder()))


class RandomVectors:
    """Text vectors of a graph that is not there; notes which entities were asked for."""

    def __init__(self, num_relations: int = NUM_RELATIONS, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self.relations = random.standard_normal((num_relations, FEATURE_WIDTH)).astype(np.float32)
        self._entities = random.standard_normal((NUM_ENTITIES, FEATURE_WIDTH)).astype(np.float32)
        self.asked: list[np.ndarray] = []

    def entities(self, rows: np.ndarray) -> np.ndarray:
        self.asked.append(rows)
        return self._entities[rows]


def make_task(labels: Sequence[str] = (), **settings: object) -> Task:
    """The task that such labels are for: to classify texts or spans, or without any to answer."""
    name = "spans" if isinstance(labels, OfSpans) else "classify" if labels else "answer"
    given = {"labels": labels} if labels else {}
    return TASKS.build({"name": name, **given, **settings}, width=12, node_width=10)


def collator(labels: Sequence[str] = (), **settings: object) -> Collator:
    return Collator(tokenizer(), RandomVectors(), make_task(labels), **settings)


def prepared_row(ids: np.ndarray, cut: Subgraph, aligned: np.ndarray | None = None) -> PreparedRow:
    """A text of given tokens over a given subgraph; its first seed is its one mention."""
    seed = cut.nodes[:1].astype(np.int64)
    none = np.zeros(0, dtype=np.int64)
    return PreparedRow(
        ids,
        np.stack([np.arange(len(ids)), np.arange(len(ids)) + 1], axis=1),
        cut,
        np.zeros((2, 0), dtype=np.int64) if aligned is None else aligned,
        np.full((len(seed), 2), (1, 3), dtype=np.int64),
        np.zeros(len(seed), dtype=np.int64),
        np.zeros(len(seed), dtype=np.int64),
        seed,
        np.full(len(none) + len(seed), 0.9, dtype=np.float32),
    )


def make_prepared(
    counts: Sequence[int], *, seed: int = 0, labels: Sequence[str] = (), edges_per_node: int = 3
) -> list[Prepared]:
    """One text for each count, with as many nodes; random edges, the first node the seed."""
    random = np.random.default_rng(seed)
    made = []
    for number, count in enumerate(counts):
        nodes = random.choice(NUM_ENTITIES, size=count, replace=False)
        edges = random.integers(max(count, 1), size=(2, edges_per_node * count if count > 1 else 0))
        types = random.integers(NUM_RELATIONS, size=edges.shape[1])
        triples = np.unique(np.vstack([edges, types]), axis=1)
        length = 4 + number
        answers = nodes[count // 2 : count // 2 + 1]
        row = prepared_row(
            random.integers(1000, 2000, size=length),
            Subgraph(nodes, triples[:2], triples[2], np.minimum(np.arange(count), 2)),
            np.array([[1, 2], [0, 0]]) if count else None,
        )
        target: Any = np.array([number % len(labels)]) if labels else Right(answers)
        if isinstance(labels, OfSpans):
            node = 0 if count else -1
            target = [Place(0, ((1, 3),), (node,), (number % len(labels),), (number, 0, 0))]
        made.append(Prepared((row,), target, known=True))
    return made


def with_row(prepared: Prepared, **changes: object) -> Prepared:
    """The same example, its one row changed, such as its ``subgraph``."""
    (row,) = prepared.rows
    return replace(prepared, rows=(replace(row, **changes),))


def make_batch(
    counts: Sequence[int] = (4, 0, 6), *, seed: int = 0, labels: Sequence[str] = ()
) -> Batch:
    return collator(labels).pack(make_prepared(counts, seed=seed, labels=labels))


def make_model(
    task: str = "answer",
    *,
    encoder: object = "rgcn",
    fusion: object = "cross-attention",
    family: str = "bert",
    freeze: int = 0,
    seed: int = 0,
) -> KGModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return KGModel.build(
            backbone=tiny(family, freeze=freeze),
            encoder={"name": encoder, "width": 16} if isinstance(encoder, str) else encoder,
            fusion=fusion,
            task={"name": task, "labels": LABELS} if labels_of(task) else task,
            feature_width=FEATURE_WIDTH,
        ).eval()


def opened(module: nn.Module, seed: int = 0) -> nn.Module:
    """Move all weights that start at zero, as training would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return module


def labels_of(task: str) -> tuple[str, ...]:
    """What a batch for this task needs to be given."""
    return {"classify": LABELS, "spans": OfSpans(LABELS)}.get(task, ())
