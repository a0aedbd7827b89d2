"""Small inputs for the tests of the neural half; all of it is made in code."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from kgfm.backbones.load import minilm_folder, tiny
from kgfm.batch import Batch, Collator, Prepared
from kgfm.model import KGModel
from kgfm.types import Subgraph

FEATURE_WIDTH, NUM_RELATIONS, NUM_ENTITIES = 8, 3, 30
LABELS = ("drama", "comedy", "horror")


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


def collator(labels: Sequence[str] = (), **settings: object) -> Collator:
    return Collator(tokenizer(), RandomVectors(), labels=labels, **settings)


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
        target: tuple[str, ...] = (labels[number % len(labels)],) if labels else ()
        answers = nodes[count // 2 : count // 2 + 1]
        made.append(
            Prepared(
                random.integers(1000, 2000, size=length),
                Subgraph(nodes, triples[:2], triples[2], np.minimum(np.arange(count), 2)),
                np.array([[1, 2], [0, 0]]) if count else np.zeros((2, 0), dtype=np.int64),
                target or tuple(f"e{row}" for row in answers),
                answers if not labels else np.zeros(0, dtype=np.int64),
            )
        )
    return made


def make_batch(
    counts: Sequence[int] = (4, 0, 6), *, seed: int = 0, labels: Sequence[str] = ()
) -> Batch:
    return collator(labels).pack(make_prepared(counts, seed=seed, labels=labels))


def make_model(
    head: str = "answer",
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
            head=head,
            feature_width=FEATURE_WIDTH,
            num_labels=len(LABELS) if head == "classify" else 0,
        ).eval()


def opened(module: nn.Module, seed: int = 0) -> nn.Module:
    """Move all weights that start at zero, as training would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 4)
    return module


def labels_of(head: str) -> tuple[str, ...]:
    """What a batch for this head needs to be given."""
    return LABELS if head == "classify" else ()
