"""The scorer of walks: reads masked texts, learns, and follows a beam step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from kgfm.backbones import TextEncoder
from kgfm.graph import local_name
from kgfm.graph.schema import as_words
from kgfm.retrieval.walks.base import MASK, Tree
from kgfm.scorers.forest import Forest, loss
from kgfm.scorers.walker import Actions, Read, Walker
from kgfm.vectors import NodeVectors

BATCH, RATE, DECAY, CLIP = 64, 2e-3, 0.01, 1.0
STEPS, LEAST_EPOCHS, MOST_EPOCHS = 2000, 4, 120
"""Without a number of epochs: about so many steps, within so many epochs."""
FEATURES = 3
_READ, _AT_ONCE = 64, 4096


class WalkScorer:
    """Scores walks by a frozen text encoder and a small network over it.

    Args:
        encode: Reads texts and the names of relations.
        width: Of the network.
    """

    def __init__(self, encode: TextEncoder, *, width: int = 128) -> None:
        self.encode = encode
        self.width = width
        self.walker: Walker | None = None
        self._actions: Actions | None = None
        self._named: tuple[Tensor, Tensor] | None = None

    def bind(self, graph: Any, attributes: Sequence[str]) -> None:
        """Take the relations of a graph, and these attributes, as actions."""
        relations = np.array(NodeVectors.of(graph, self.encode).relations, dtype=np.float32)
        width = self.encode.backbone.width
        named = np.zeros((0, width), np.float32)
        if attributes:
            named = self.encode([as_words(local_name(name)) or name for name in attributes])
        self._named = torch.from_numpy(relations.reshape(-1, width)), torch.from_numpy(named)
        self._actions = None

    def learn(self, trees: Sequence[Tree], *, epochs: int | None, seed: int) -> None:
        """Learn from questions and the walks that are right (AdamW, one cycle)."""
        by_question: dict[int, list[Tree]] = {}
        for tree in trees:
            by_question.setdefault(tree.question, []).append(tree)
        questions = list(by_question.values())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.walker = self._new()
            if questions:
                self._train(questions, epochs, np.random.default_rng(seed))
        self.walker.eval()
        self._actions = None

    def _new(self) -> Walker:
        return Walker(self.encode.backbone.width, FEATURES, width=self.width)

    def _train(
        self, questions: Sequence[list[Tree]], epochs: int | None, random: np.random.Generator
    ) -> None:
        assert self.walker is not None
        assert self._named is not None
        per_epoch = -(-len(questions) // BATCH)
        epochs = epochs or int(np.clip(STEPS // per_epoch, LEAST_EPOCHS, MOST_EPOCHS))
        texts = sorted({tree.text for own in questions for tree in own})
        # All are kept until the end: in half precision, for they are some 10 KiB each.
        states: dict[str, Tensor] = {}
        for at in range(0, len(texts), _AT_ONCE):
            some = self._states(texts[at : at + _AT_ONCE])
            states |= {text: own.half() for text, own in some.items()}
        optimizer = torch.optim.AdamW(self.walker.parameters(), lr=RATE, weight_decay=DECAY)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, RATE, total_steps=epochs * per_epoch + 1, pct_start=0.1
        )
        self.walker.train()
        for _ in range(epochs):
            order = random.permutation(len(questions))
            for start in range(0, len(order), BATCH):
                trees = [t for n in order[start : start + BATCH].tolist() for t in questions[n]]
                tokens, mask = _padded([states[tree.text] for tree in trees])
                read, summary = self.walker.read(tokens, mask)
                features = torch.tensor([tree.features for tree in trees])
                actions = self.walker.actions(*self._named)
                found = loss(self.walker, read, summary, features, actions, Forest(trees))
                optimizer.zero_grad()
                found.backward()
                torch.nn.utils.clip_grad_norm_(self.walker.parameters(), CLIP)
                optimizer.step()
                cycle.step()

    @torch.no_grad()
    def read(
        self, texts: Sequence[str], features: Float[np.ndarray, "mention feature"]
    ) -> _Reading:
        """Read masked texts."""
        if self.walker is None or self._named is None:
            raise RuntimeError("These walks have learned nothing yet; fit the pipeline first.")
        if self._actions is None:
            self._actions = self.walker.actions(*self._named)
        states = self._states(list(dict.fromkeys(texts)))
        tokens, mask = _padded([states[text] for text in texts])
        read, summary = self.walker.read(tokens, mask)
        return _Reading(self.walker, self._actions, read, summary, torch.from_numpy(features))

    @torch.no_grad()
    def _states(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The frozen states of each text; its mask is the tokenizer's own."""
        tokenizer, backbone = self.encode.backbone.tokenizer, self.encode.backbone
        mask = tokenizer.mask_token or tokenizer.unk_token or "_"
        device = next(backbone.parameters()).device
        found: dict[str, Tensor] = {}
        for rows in _by_length(texts):
            batch = tokenizer(
                [text.replace(MASK, mask) for text in rows],
                truncation=True,
                max_length=min(self.encode.max_tokens, backbone.max_tokens),
                padding=True,
                return_tensors="pt",
            ).to(device)
            states = backbone(batch["input_ids"], batch["attention_mask"]).cpu()
            lengths = batch["attention_mask"].sum(1).tolist()
            for text, own, length in zip(rows, states, lengths, strict=True):
                found[text] = own[:length].clone()
        return found

    def weights(self) -> dict[str, np.ndarray]:
        """Return what was learned, as plain arrays."""
        if self.walker is None:
            return {}
        return {name: value.numpy() for name, value in self.walker.state_dict().items()}

    def restore(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take what was learned before.

        Raises:
            ValueError: It is of another network.
        """
        self.walker = self._new()
        try:
            self.walker.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        except RuntimeError as error:
            raise ValueError(f"What was learned does not fit this scorer: {error}") from None
        self.walker.eval()
        self._actions = None


class _Reading:
    """Texts that were read, and the states of the walks from them."""

    def __init__(
        self, walker: Walker, actions: Actions, read: Read, summary: Tensor, features: Tensor
    ) -> None:
        self._walker, self._actions, self._read = walker, actions, read
        self._states = [read.state]
        self._mentions = [torch.arange(len(read.state))]
        self.mention = walker.mentions(read, features).numpy()
        self.kind = walker.kind(summary).softmax(1).numpy()
        self.both = walker.both(summary).squeeze(1).sigmoid().numpy()
        self.walks = np.arange(len(read.state))

    def _all(self) -> tuple[Tensor, Tensor]:
        if len(self._states) > 1:
            self._states = [torch.cat(self._states)]
            self._mentions = [torch.cat(self._mentions)]
        return self._states[0], self._mentions[0]

    @torch.no_grad()
    def logits(self, walks: Int[np.ndarray, "walk"]) -> Float[np.ndarray, "walk action_and_ends"]:
        """Logits of all actions, and of the two ends, after some walks."""
        state, mention = self._all()
        place = torch.from_numpy(walks)
        found = self._walker.logits(state[place], self._read, mention[place], self._actions)
        return found.numpy()

    @torch.no_grad()
    def extend(
        self, walks: Int[np.ndarray, "walk"], actions: Int[np.ndarray, "walk"]
    ) -> Int[np.ndarray, "walk"]:
        """Return the numbers of walks that are one action longer."""
        state, mention = self._all()
        place = torch.from_numpy(walks)
        moved = self._walker.next(self._actions.key[torch.from_numpy(actions)], state[place])
        self._states.append(moved)
        self._mentions.append(mention[place])
        return np.arange(len(state), len(state) + len(moved))


def _padded(states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    tokens = torch.nn.utils.rnn.pad_sequence([*states], batch_first=True).float()
    lengths = torch.tensor([len(one) for one in states])
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


def _by_length(texts: Sequence[str]) -> Iterator[list[str]]:
    ordered = sorted(texts, key=lambda text: (len(text), text))
    for start in range(0, len(ordered), _READ):
        yield ordered[start : start + _READ]
