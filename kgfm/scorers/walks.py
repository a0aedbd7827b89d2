"""The scorer of walks: reads masked texts, learns, and follows a beam step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from kgfm.backbones import Backbone, TextEncoder
from kgfm.graph import local_name
from kgfm.graph.schema import as_words
from kgfm.retrieval.walks.base import MASK, Tree
from kgfm.scorers.forest import Forest, loss
from kgfm.scorers.walker import Actions, Read, Walker
from kgfm.vectors import NodeVectors

BATCH, RATE, TEXT_RATE, DECAY, CLIP = 64, 2e-3, 2e-4, 0.01, 1.0
STEPS, LEAST_EPOCHS, MOST_EPOCHS = 450, 1, 60
"""Without a number of epochs: about so many steps, within so many epochs."""
AVERAGE = 0.98
"""How much of the average of the weights so far stays at each step."""
LAYERS = 2
FEATURES = 3
_READ = 64
_TEXT = "text."
Tensors = tuple[Tensor, ...] | list[Tensor]


class WalkScorer:
    """Scores walks by the upper layers of a text encoder, which learn, and a small network.

    Args:
        encode: Reads texts and the names of relations. It is not changed: a copy learns.
        width: Of the network.
        layers: How many of the encoder's layers learn; one at least stays as it is.
    """

    def __init__(self, encode: TextEncoder, *, width: int = 128, layers: int = LAYERS) -> None:
        self.encode = encode
        self.width, self.layers = width, layers
        self.walker: Walker | None = None
        self._reader: Backbone | None = None
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
        """Learn from questions and the walks that are right (AdamW, one cycle).

        What stays is a moving average of the weights (Polyak and Juditsky, 1992), which knew more
        wordings that were not among those of training.
        """
        by_question: dict[int, list[Tree]] = {}
        for tree in trees:
            by_question.setdefault(tree.question, []).append(tree)
        questions = list(by_question.values())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._begin()
            if questions:
                self._train(questions, epochs, np.random.default_rng(seed))
        self._finish()

    def _begin(self) -> tuple[Walker, Backbone]:
        backbone = self.encode.backbone
        freeze = max(backbone.num_layers - self.layers, min(1, backbone.num_layers - 1))
        self.walker = Walker(backbone.width, FEATURES, width=self.width)
        self._reader = backbone.copy(freeze=freeze)
        return self.walker, self._reader

    def _finish(self) -> None:
        assert self.walker is not None
        assert self._reader is not None
        self.walker.eval()
        self._reader.eval()
        self._actions = None

    def _train(
        self, questions: Sequence[list[Tree]], epochs: int | None, random: np.random.Generator
    ) -> None:
        assert self.walker is not None
        assert self._reader is not None
        assert self._named is not None
        walker, reader = self.walker, self._reader
        per_epoch = -(-len(questions) // BATCH)
        epochs = epochs or int(np.clip(STEPS // per_epoch, LEAST_EPOCHS, MOST_EPOCHS))
        texts = sorted({tree.text for own in questions for tree in own})
        # All are kept until the end: in half precision, for they are some 10 KiB each.
        lower = {text: own.half() for text, own in self._states(texts, lower=True).items()}
        text = [weight for weight in reader.parameters() if weight.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": walker.parameters()},
            {"params": text, "lr": TEXT_RATE},
        ]
        optimizer = torch.optim.AdamW(groups, lr=RATE, weight_decay=DECAY)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, [RATE, TEXT_RATE], total_steps=epochs * per_epoch + 1, pct_start=0.1
        )
        walker.train()
        reader.train()
        learning = nn.ParameterList([*walker.parameters(), *text])
        average = AveragedModel(learning, multi_avg_fn=_average)
        for _ in range(epochs):
            order = random.permutation(len(questions))
            for start in range(0, len(order), BATCH):
                trees = [t for n in order[start : start + BATCH].tolist() for t in questions[n]]
                tokens, mask = self._above(lower, [tree.text for tree in trees])
                read, summary = walker.read(tokens, mask)
                features = torch.tensor([tree.features for tree in trees])
                actions = walker.actions(*self._named)
                found = loss(walker, read, summary, features, actions, Forest(trees))
                optimizer.zero_grad()
                found.backward()
                for weights in (walker.parameters(), text):
                    torch.nn.utils.clip_grad_norm_(weights, CLIP)
                optimizer.step()
                cycle.step()
                average.update_parameters(learning)
        learning.load_state_dict(average.module.state_dict())

    def _above(
        self, lower: Mapping[str, Tensor], texts: Sequence[str]
    ) -> tuple[Float[Tensor, "text token width"], Bool[Tensor, "text token"]]:
        """States of texts after the layers that learn; each text is read once."""
        assert self._reader is not None
        place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        states, mask = _padded([lower[text] for text in place])
        if self._reader.freeze:
            ids = torch.zeros(mask.shape, dtype=torch.long)
            states = self._reader(ids, mask.long(), lower_states=states)
        row = torch.tensor([place[text] for text in texts])
        return states[row], mask[row]

    @torch.no_grad()
    def read(
        self, texts: Sequence[str], features: Float[np.ndarray, "mention feature"]
    ) -> _Reading:
        """Read masked texts."""
        if self.walker is None or self._named is None:
            raise RuntimeError("These walks have learned nothing yet; fit the pipeline first.")
        if self._actions is None:
            self._actions = self.walker.actions(*self._named)
        # In one go and not in two as in training: threads may ask at the same time.
        states = self._states(list(dict.fromkeys(texts)))
        tokens, mask = _padded([states[text] for text in texts])
        read, summary = self.walker.read(tokens, mask)
        return _Reading(self.walker, self._actions, read, summary, torch.from_numpy(features))

    @torch.no_grad()
    def _states(self, texts: Sequence[str], *, lower: bool = False) -> dict[str, Tensor]:
        """The states of each text, or those below the layers that learn.

        Its mask is the tokenizer's own.
        """
        assert self._reader is not None
        tokenizer, reader = self._reader.tokenizer, self._reader
        mask = tokenizer.mask_token or tokenizer.unk_token or "_"
        device = next(reader.parameters()).device
        found: dict[str, Tensor] = {}
        for rows in _by_length(texts):
            batch = tokenizer(
                [text.replace(MASK, mask) for text in rows],
                truncation=True,
                max_length=min(self.encode.max_tokens, reader.max_tokens),
                padding=True,
                return_tensors="pt",
            ).to(device)
            run = reader.lower if lower and reader.freeze else reader
            states = run(batch["input_ids"], batch["attention_mask"]).cpu()
            lengths = batch["attention_mask"].sum(1).tolist()
            for text, own, length in zip(rows, states, lengths, strict=True):
                found[text] = own[:length].clone()
        return found

    def weights(self) -> dict[str, np.ndarray]:
        """Return what was learned, as plain arrays."""
        if self.walker is None or self._reader is None:
            return {}
        own = {name: value.numpy() for name, value in self.walker.state_dict().items()}
        text = self._reader.named_parameters()
        return own | {
            _TEXT + name: weight.detach().cpu().numpy()
            for name, weight in text
            if weight.requires_grad
        }

    def restore(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take what was learned before.

        Raises:
            ValueError: It is of another network.
        """
        walker, reader = self._begin()
        given = {name: torch.from_numpy(value) for name, value in weights.items()}
        text = {name.removeprefix(_TEXT): given.pop(name) for name in weights if _is_text(name)}
        learned = {name for name, weight in reader.named_parameters() if weight.requires_grad}
        try:
            walker.load_state_dict(given)
            if text.keys() != learned:
                raise RuntimeError(f"{len(text)} weights of layers for {len(learned)}")
            reader.load_state_dict(text, strict=False)
        except RuntimeError as error:
            raise ValueError(f"What was learned does not fit this scorer: {error}") from None
        self._finish()


@torch.no_grad()
def _average(average: Tensors, weights: Tensors, steps: Tensor | int) -> None:
    """Move the average towards the weights; in the first steps by more, so that it forgets them."""
    keep = min(AVERAGE, (1 + int(steps)) / (10 + int(steps)))
    for mean, weight in zip(average, weights, strict=True):
        mean.lerp_(weight, 1 - keep)


def _is_text(name: str) -> bool:
    return name.startswith(_TEXT)


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
