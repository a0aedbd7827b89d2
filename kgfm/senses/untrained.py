"""Word senses without training: glosses, the graph around them, and the order of senses as a prior.

``score(s) = sum_k w_k x_k(s)`` over these parts, for a synset that a word may mean:

- ``context``: cosine of its gloss to the words of the sentence and its neighbours;
- ``neighbours``: the same of the mean gloss of the synsets around it (extended Lesk: Banerjee and
  Pedersen, 2003), which reads the graph;
- ``word``: cosine of its gloss to the word itself in its context;
- ``pagerank``: log of personalised PageRank from the candidates of all words of the context, which
  walks the graph (Agirre, Lopez de Lacalle and Soroa, 2014, sec. 3,
  https://aclanthology.org/J14-1003);
- ``order``: log of WordNet's sense number, a prior that comes from tagged texts.

Vectors are centred: what all glosses, or all words, have in common says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float

from kgfm.backbones import Backbone
from kgfm.linking.formats.wsd import Sentence
from kgfm.senses.batch import PreparedWindow, SenseBatch, SenseCollator
from kgfm.senses.inventory import Inventory
from kgfm.senses.lesk import unit

STEPS, DAMPING = 12, 0.85


@dataclass(frozen=True)
class Weights:
    """What each part of a score counts."""

    context: float = 0.0
    neighbours: float = 0.0
    word: float = 0.0
    pagerank: float = 0.0
    order: float = 0.0


class Parts:
    """The parts of the scores of an instance's candidates, and which of these are right."""

    def __init__(self, id: str, keys: Sequence[str], values: np.ndarray, right: np.ndarray) -> None:
        self.id = id
        self.keys = keys
        self.values: Float[np.ndarray, "candidate part"] = values
        self.right: Bool[np.ndarray, "candidate"] = right


class UntrainedScorer:
    """Score the candidates of words by glosses, graph and prior.

    Args:
        inventory: The senses of words.
        backbone: Reads the sentences; the one that read the glosses.
        glosses: A vector for each synset.
        max_tokens: Of neighbouring sentences that are read together.
    """

    def __init__(
        self,
        inventory: Inventory,
        backbone: Backbone,
        glosses: Float[np.ndarray, "synset width"],
        *,
        max_tokens: int = 100,
    ) -> None:
        self.inventory = inventory
        self.backbone = backbone
        self.glosses = unit(glosses.astype(np.float32) - glosses.mean(0, dtype=np.float32))
        self.collator = SenseCollator(backbone.tokenizer, inventory, max_tokens=max_tokens)
        pointers = inventory.pointers
        self._target = np.repeat(np.arange(len(glosses)), np.diff(pointers.starts))
        self._degree = np.bincount(pointers.source, minlength=len(glosses)).clip(min=1)

    def parts(
        self, sentences: Sequence[Sentence], progress: Callable[[int, int], None] | None = None
    ) -> list[Parts]:
        """Return the parts of the scores of each instance whose word is known.

        Args:
            sentences: In the order of their documents.
            progress: Told of (done, total) windows.
        """
        by_id = {one.id: one for sentence in sentences for one in sentence.instances}
        windows = [window for window in self.collator.prepare(sentences) if window.ids]
        states = list(self._states(windows))
        if not states:
            return []
        centre = np.concatenate(states).mean(0)
        found = []
        for number, (window, words) in enumerate(zip(windows, states, strict=True), 1):
            values = self._window(window, unit(words - centre))
            for place, id in enumerate(window.ids):
                mine = window.candidate_word == place
                if mine.any():
                    keys = self.inventory.candidates(by_id[id].lemma, by_id[id].pos).keys
                    found.append(Parts(id, keys, values[mine], window.right[mine]))
            if progress is not None:
                progress(number, len(windows))
        return found

    def _states(self, windows: Sequence[PreparedWindow]) -> Iterator[np.ndarray]:
        """Yield the mean state of each word's tokens in the last layer, window by window."""
        for start in range(0, len(windows), 32):
            part = windows[start : start + 32]
            words = self._words(self.collator.pack(part))
            yield from np.split(words, np.cumsum([len(window.ids) for window in part])[:-1])

    @torch.inference_mode()
    def _words(self, batch: SenseBatch) -> Float[np.ndarray, "word width"]:
        tokens = self.backbone(batch.input_ids, batch.attention_mask).flatten(0, 1)
        total = tokens.new_zeros(batch.num_words, tokens.shape[1])
        total = total.index_add(0, batch.piece_word, tokens[batch.pieces])
        count = torch.bincount(batch.piece_word, minlength=batch.num_words)
        mean: np.ndarray = (total / count.clamp(min=1)[:, None]).numpy()
        return mean

    def _window(self, window: PreparedWindow, words: np.ndarray) -> np.ndarray:
        rows, word = window.candidates, window.candidate_word
        glosses = self.glosses[rows]
        context = unit(words.mean(0))
        prior = 1.0 / window.order
        prior = prior / np.bincount(word, prior, len(words)).clip(min=1e-9)[word]
        seeds = np.bincount(rows, prior, len(self.glosses)) / max(1, len(words))
        return np.stack(
            [
                glosses @ context,
                self._around(rows) @ context,
                np.einsum("ij,ij->i", glosses, words[word]),
                np.log(self._pagerank(seeds)[rows] + 1e-12),
                np.log(window.order),
            ],
            axis=1,
        )

    def _around(self, rows: np.ndarray) -> Float[np.ndarray, "candidate width"]:
        """Return the mean gloss of the synsets around each row; zero where there are none."""
        edges, target = self.inventory.pointers.into(rows)
        total = np.zeros((len(rows), self.glosses.shape[1]), dtype=np.float32)
        np.add.at(total, target, self.glosses[self.inventory.pointers.source[edges]])
        return unit(total)

    def _pagerank(self, seeds: np.ndarray) -> Float[np.ndarray, "synset"]:
        source, mass = self.inventory.pointers.source, seeds
        for _ in range(STEPS):
            sent = (mass / self._degree)[source]
            mass = DAMPING * np.bincount(self._target, sent, len(seeds)) + (1 - DAMPING) * seeds
        return mass


def choose(parts: Sequence[Parts], weights: Weights) -> dict[str, tuple[str, ...]]:
    """Return the sense key with the best score for each instance; the first of equals."""
    vector = np.array(astuple(weights))
    return {one.id: (one.keys[int(np.argmax(one.values @ vector))],) for one in parts}


def fit_weights(parts: Sequence[Parts], *, penalty: float = 1e-3, steps: int = 60) -> Weights:
    """Choose the weights that make the right candidates of some instances most probable.

    Minimises the mean cross-entropy of the softmax of the scores, plus ``penalty`` times the
    squared weights of the standardised parts.

    Args:
        parts: Of instances whose sense is known.
        penalty: On large weights.
        steps: Of L-BFGS, at most.

    Raises:
        ValueError: No instance has a choice and a known sense.
    """
    values = [one.values for one in parts]
    return Weights(*weigh(values, [one.right for one in parts], penalty=penalty, steps=steps))


def weigh(
    values: Sequence[Float[np.ndarray, "candidate part"]],
    right: Sequence[Bool[np.ndarray, "candidate"]],
    *,
    penalty: float = 1e-3,
    steps: int = 60,
) -> list[float]:
    """Return a weight for each part; see :func:`fit_weights`.

    Args:
        values: The parts of each instance's candidates.
        right: Which of them are right.
        penalty: On large weights.
        steps: Of L-BFGS, at most.

    Raises:
        ValueError: No instance has a choice and a known sense.
    """
    known = [pair for pair in zip(values, right, strict=True) if pair[1].any() and len(pair[1]) > 1]
    if not known:
        raise ValueError("No instance has several senses and a known one; give tagged sentences.")
    every = np.concatenate([parts for parts, _ in known])
    spread = every.std(0).clip(min=1e-9)
    scaled = torch.tensor(every / spread, dtype=torch.float64)
    named = torch.tensor(np.concatenate([mine for _, mine in known]))
    owner = torch.tensor(np.repeat(np.arange(len(known)), [len(mine) for _, mine in known]))
    weights = torch.zeros(scaled.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=steps)

    def log_sum(logits: torch.Tensor) -> torch.Tensor:
        top = torch.full((len(known),), -1e9, dtype=torch.float64)
        top = top.scatter_reduce(0, owner, logits.detach(), "amax")
        total = torch.zeros_like(top).index_add(0, owner, (logits - top[owner]).exp())
        return total.log() + top

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = scaled @ weights
        lost = log_sum(logits) - log_sum(logits.masked_fill(~named, -1e9))
        value = lost.mean() + penalty * weights.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    found: list[float] = (weights.detach().numpy() / spread).tolist()
    return found
