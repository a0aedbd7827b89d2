"""A text encoder learns to bring a mention in its context near its entity's description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kgfm.backbones import Backbone, TextEncoder, load_backbone
from kgfm.backbones.text import mean_pool
from kgfm.batch import States, Tensors, padded_ids, padded_states
from kgfm.frozen import FrozenStates
from kgfm.graph import KnowledgeGraph
from kgfm.linking.confusable import Confusable
from kgfm.linking.contexts import marked
from kgfm.training.config import FINE_TUNING, TrainingConfig
from kgfm.training.run import evaluate, fit

MARKS = ("[", "]")
"""Around a mention; both are single tokens that every encoder knows."""
Ids = Int[np.ndarray, "token"]


@dataclass(frozen=True, slots=True)
class PreparedMention:
    """A mention made ready: its marked context, and the rows of its candidates, its own first."""

    input_ids: Ids
    candidates: tuple[int, ...]
    target: tuple[str, ...]
    """The key of its entity."""

    known = True

    @property
    def num_tokens(self) -> int:
        return len(self.input_ids)


@dataclass
class MentionBatch(Tensors):
    """Contexts, and the distinct candidates of all of them; each side is padded to its longest."""

    contexts: Int[Tensor, "mention context_token"]
    context_mask: Int[Tensor, "mention context_token"]
    entities: Int[Tensor, "entity entity_token"]
    entity_mask: Int[Tensor, "entity entity_token"]
    right: Int[Tensor, "mention"]
    """The place of each mention's entity."""
    own: Bool[Tensor, "mention entity"]
    """Which entities are the mention's own candidates."""
    context_states: Float[Tensor, "mention context_token width"] | None = None
    entity_states: Float[Tensor, "entity entity_token width"] | None = None
    """Cached states after the frozen layers."""

    def __len__(self) -> int:
        return len(self.contexts)


class MentionCollator:
    """Turn mentions with their candidates into a :class:`MentionBatch`.

    Args:
        backbone: Its tokenizer is used.
        graph: What is read of an entity is ``graph.text(row)``.
        max_tokens: Longer texts are cut.
    """

    def __init__(self, backbone: Backbone, graph: KnowledgeGraph, *, max_tokens: int) -> None:
        self.tokenizer = backbone.tokenizer
        self.graph = graph
        self.max_tokens = min(max_tokens, backbone.max_tokens)
        self.states: States | None = None
        self._entities: dict[int, Ids] = {}

    def prepare(self, mentions: Sequence[Confusable]) -> list[PreparedMention]:
        """Tokenise mentions in their contexts, and their candidates."""
        contexts = self._ids([marked(one.text, one.span, MARKS) for one in mentions])
        rows = sorted({row for one in mentions for row in (one.right, *one.others)})
        new = [row for row in rows if row not in self._entities]
        texts = self._ids([self.graph.text(row) for row in new])
        self._entities |= dict(zip(new, texts, strict=True))
        return [
            PreparedMention(ids, (one.right, *one.others), (self.graph.keys[one.right],))
            for ids, one in zip(contexts, mentions, strict=True)
        ]

    def texts(self) -> list[Ids]:
        """Return the tokens of all entities that were prepared."""
        return list(self._entities.values())

    def pack(self, prepared: Sequence[PreparedMention]) -> MentionBatch:
        """Return a batch; an entity that several mentions have is in it once."""
        rows = sorted({row for one in prepared for row in one.candidates})
        place = {row: number for number, row in enumerate(rows)}
        own = torch.zeros(len(prepared), len(rows), dtype=torch.bool)
        for mention, one in enumerate(prepared):
            own[mention, [place[row] for row in one.candidates]] = True
        contexts, entities = (
            [one.input_ids for one in prepared],
            [self._entities[row] for row in rows],
        )
        return MentionBatch(
            *self._padded(contexts),
            *self._padded(entities),
            torch.tensor([place[one.candidates[0]] for one in prepared]),
            own,
            self._states(contexts),
            self._states(entities),
        )

    def _ids(self, texts: Sequence[str]) -> list[Ids]:
        if not texts:
            return []
        found = self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens)
        return [np.array(ids, np.int64) for ids in found["input_ids"]]

    def _padded(self, texts: Sequence[Ids]) -> tuple[Tensor, Tensor]:
        ids, mask = padded_ids(texts, self.tokenizer.pad_token_id or 0)
        return torch.from_numpy(ids), torch.from_numpy(mask)

    def _states(self, texts: Sequence[Ids]) -> Tensor | None:
        states = padded_states(self.states, texts)
        return None if states is None else torch.from_numpy(states)


@dataclass
class MentionOutput:
    """A logit for each mention and entity of a batch, and the loss."""

    logits: Float[Tensor, "mention entity"]
    loss: Float[Tensor, ""]


class MentionTask(nn.Module):
    """What the training loop asks of a task: figures, and the one that chooses the epoch."""

    monitor = "likelihood"

    def collect(self, output: MentionOutput, batch: MentionBatch) -> dict[str, Tensor]:
        """Return for each mention what it says among its own candidates."""
        logits = output.logits.masked_fill(~batch.own, -torch.inf)
        rows = torch.arange(len(logits), device=logits.device)
        return {
            "likelihood": logits.log_softmax(1)[rows, batch.right],
            "right": logits.argmax(1) == batch.right,
            "alone": batch.own.sum(1) == 1,
        }

    def tune(self, rows: dict[str, np.ndarray]) -> None:
        """There is nothing to choose."""

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return the mean log likelihood and the accuracy where there is a choice."""
        choice = rows["alone"] == 0
        if not choice.any():
            return {"likelihood": 0.0, "accuracy": 1.0}
        return {
            "likelihood": float(rows["likelihood"][choice].mean()),
            "accuracy": float(rows["right"][choice].mean()),
        }


class BiEncoder(nn.Module):
    """Score entities by how near their descriptions lie to a mention in its context.

    ``score(m, e) = scale * cos(f(context of m), f(text of e))`` with the same mean-pooled encoder
    ``f`` on both sides. The loss is the cross-entropy of the right entity among the mention's own
    candidates and those of the other mentions of the batch (Gillick et al., 2019, sec. 3.3,
    https://aclanthology.org/K19-1049; Wu et al., 2020, sec. 4.1,
    https://aclanthology.org/2020.emnlp-main.519, who have an encoder for each side).

    Args:
        backbone: Its layers above the frozen ones learn.
        scale: What cosines are multiplied by, as in the training of MiniLM.
    """

    def __init__(self, backbone: Backbone, *, scale: float = 20.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.scale = scale
        self.task = MentionTask()

    def forward(self, batch: MentionBatch) -> MentionOutput:
        """Return the logits of all entities of the batch for each mention."""
        contexts = self._encode(batch.contexts, batch.context_mask, batch.context_states)
        entities = self._encode(batch.entities, batch.entity_mask, batch.entity_states)
        logits = self.scale * contexts @ entities.T
        return MentionOutput(logits, nn.functional.cross_entropy(logits, batch.right))

    def _encode(
        self, ids: Tensor, mask: Tensor, states: Tensor | None
    ) -> Float[Tensor, "text width"]:
        tokens = self.backbone(ids, mask, lower_states=states)
        return nn.functional.normalize(mean_pool(tokens, mask), dim=-1)

    def graph_parameters(self) -> list[nn.Parameter]:
        """Nothing starts untrained."""
        return []


def fit_text_encoder(
    graph: KnowledgeGraph,
    train: Sequence[Confusable],
    validation: Sequence[Confusable] | None,
    config: TrainingConfig = FINE_TUNING,
    *,
    folder: str | Path,
    states: str | Path | None = None,
    backbone: str | Mapping[str, Any] | Backbone | None = None,
    seed: int = 0,
    resume: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> TextEncoder:
    """Train a text encoder on mentions; the best epoch on the validation part is kept.

    Args:
        graph: The mentions' entities are its rows.
        train: Mentions with candidates; of :func:`kgfm.linking.confusable.confusable`.
        validation: The same, of other texts; without them the last epoch is kept.
        config: How to train.
        folder: For checkpoints and logs.
        states: For the states after frozen layers, which trainings of like backbones may share; by
            default within ``folder``.
        backbone: Where to start from; by default the packaged MiniLM, its lower four layers
            frozen. A ready one is trained in place.
        seed: Of the order of the mentions and of dropout.
        resume: Go on from the last checkpoint.
        say: Told what is being done.

    Returns:
        An encoder that has marks: a linker gives it marked mentions.

    Raises:
        ValueError: There is no mention to train on, or none to choose by.
    """
    if not train or (validation is not None and not validation):
        raise ValueError(
            f"{len(train):,} mentions to train on and {len(validation or ()):,} to choose by: give "
            "both, of entities in the graph."
        )
    made = load_backbone(backbone or {"name": "minilm", "freeze": 4})
    collator = MentionCollator(made, graph, max_tokens=config.max_tokens)
    learned = collator.prepare(train)
    others = None if validation is None else collator.prepare(validation)
    chosen_by = f"{len(others):,} to choose by" if others is not None else "none to choose by"
    say(f"{len(learned):,} mentions to train on, {chosen_by}")
    if config.cache_states and made.freeze:
        collator.states = FrozenStates(
            made,
            states or Path(folder) / "states",
            limit_bytes=int(config.cache_limit_gb * 2**30),
            dtype="float16",
        )
        contexts = [one.input_ids for one in (*learned, *(others or ()))]
        collator.states.fill([*contexts, *collator.texts()], progress=_told(say, "texts"))
    model = BiEncoder(made)
    if others is not None:
        say(f"untrained: {_shown(evaluate(model, collator, others, config))}")
    figures = fit(model, collator, learned, others, config, folder=folder, seed=seed, resume=resume)
    if others is not None:
        say(f"trained: {_shown(figures)}")
    return TextEncoder(made, max_tokens=config.max_tokens, marks=MARKS)


def _shown(figures: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in figures.items())


def _told(say: Callable[[str], None], what: str) -> Callable[[int, int], None]:
    return lambda done, total: say(f"{done:,} of {total:,} {what}")
