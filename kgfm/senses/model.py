"""The bi-encoder of word senses: words in context on one side, glosses on the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from kgfm.backbones import Backbone
from kgfm.encoders.sums import weighted_sums
from kgfm.senses.batch import SenseBatch
from kgfm.senses.lesk import Lesk


@dataclass
class SenseOutput:
    """What the model says about a batch: a logit for each candidate, and the loss."""

    logits: Float[Tensor, "candidate"]
    loss: Float[Tensor, ""] | None = None


class PointerLayer(nn.Module):
    """What a synset reads from its neighbours: their glosses, and what training taught about them.

    ``sum_k (sum_r c_rk mean_{j in N_r(i)} g_j) V_k + sum_r a_r mean_{j in N_r(i)} e_j`` for glosses
    ``g`` and learned vectors ``e``: a relational graph convolution with basis decomposition
    (Schlichtkrull et al., 2018, eq. 2 and 3, https://arxiv.org/abs/1703.06103), and a number for
    each relation where the vectors are in the right space already (Bevilacqua and Navigli, 2020,
    sec. 3.2, https://aclanthology.org/2020.acl-main.255). ``V`` and ``a`` start at zero: an
    untrained layer reads nothing.

    Args:
        gloss_width: Of the glosses' vectors.
        width: Of the learned ones, and of the result.
        num_kinds: Kinds of edges, both directions counted.
        bases: Number of matrices ``V_k``.
    """

    def __init__(self, gloss_width: int, width: int, num_kinds: int, *, bases: int = 2) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.randn(num_kinds, bases) / bases**0.5)
        self.basis = nn.Parameter(torch.zeros(bases, gloss_width, width))
        self.spread = nn.Parameter(torch.zeros(num_kinds))

    def forward(
        self,
        glosses: Float[Tensor, "node gloss_width"],
        own: Float[Tensor, "node width"],
        batch: SenseBatch,
    ) -> Float[Tensor, "synset width"]:
        """Return what the first nodes, which are the batch's candidates, read."""
        count, kind, weight = len(batch.synsets), batch.edge_kind, batch.edge_weight[:, None]
        coefficients = self.coefficients[kind] * weight
        around = weighted_sums(glosses, batch.edge_index, coefficients, num_targets=count)
        spread = self.spread[kind][:, None] * weight
        taught = weighted_sums(own, batch.edge_index, spread, num_targets=count)
        out: Tensor = around.flatten(1) @ self.basis.flatten(0, 1) + taught.flatten(1)
        return out


class SenseTask(nn.Module):
    """What the training loop asks of a task: figures, and the one that chooses the epoch."""

    monitor = "f1"

    def collect(self, output: SenseOutput, batch: SenseBatch) -> dict[str, Tensor]:
        """Return for each word whether its best candidate is right, and whether it is unseen."""
        chosen = best(output.logits, batch)
        right = batch.right[chosen.clamp(min=0)] & (chosen >= 0)
        return {"right": right, "unseen": batch.unseen}

    def tune(self, rows: dict[str, np.ndarray]) -> None:
        """There is nothing to choose."""

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return F1 (each word is answered, so it is the accuracy), and that of unseen words."""
        right, unseen = rows["right"] > 0, rows["unseen"] > 0
        return {
            "f1": float(right.mean()) if len(right) else 0.0,
            "f1_unseen": float(right[unseen].mean()) if unseen.any() else 0.0,
        }


class SenseModel(nn.Module):
    """Score the synsets that a word may mean by its context.

    ``score(w, s) = <C h_w, v_s> / sqrt(d) - p log(order of s)``: ``h_w`` is the mean of
    the word's tokens in some layers of the backbone; ``v_s = G g_s + e_s`` is made of the frozen
    vector of the gloss and, for synsets seen in training, a vector of their own that starts at
    zero; with the graph, what it reads from its neighbours is added (:class:`PointerLayer`);
    after training, ``lesk`` compares glosses to the whole window. The loss is the cross-entropy
    among the candidates (Blevins and Zettlemoyer, 2020, sec. 3,
    https://aclanthology.org/2020.acl-main.95, who train the glosses' encoder too).

    Args:
        backbone: Reads the sentences.
        glosses: A vector for each synset, in the order of the graph's rows, standardised.
        trained: Rows of the synsets that training texts name.
        read_from: Rows of the synsets that others may read: those that a word of the training
            texts may mean.
        num_kinds: Kinds of edges between synsets; 0 leaves the graph out.
        layers: The backbone's layers that are read, from 0; by default the upper half and the one
            below it, as far as they are not frozen, and the last frozen one.
        width: Of the space in which words and synsets meet.
        prior: Use the order in which WordNet lists the senses of a word.
        lesk: How well the glosses suit the whole window; has no part in training.
        dropout: Of the words' states.
        own_dropout: Probability that a synset's own vector is left out of a training step, so that
            its gloss and its neighbours go on learning.

    Raises:
        ValueError: A layer below the frozen ones is asked for.
    """

    def __init__(
        self,
        backbone: Backbone,
        glosses: Float[Tensor, "row gloss_width"],
        trained: Int[Tensor, "trained"],
        read_from: Int[Tensor, "speaker"],
        *,
        num_kinds: int = 0,
        layers: Sequence[int] | None = None,
        width: int = 384,
        prior: bool = True,
        lesk: Lesk | None = None,
        dropout: float = 0.1,
        own_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        first = max(backbone.num_layers // 2 - 1, backbone.freeze - 1)
        self.read = tuple(layers or range(first, backbone.num_layers))
        if min(self.read) < backbone.freeze - 1:
            raise ValueError(
                f"layers={self.read}: with freeze={backbone.freeze}, those from "
                f"{backbone.freeze - 1} on can be read."
            )
        self.task = SenseTask()
        self.own_dropout = own_dropout
        self.dropout = nn.Dropout(dropout)
        self.norms = nn.ModuleList([nn.LayerNorm(backbone.width) for _ in self.read])
        self.context = nn.Linear(backbone.width * len(self.read), width)
        self.gloss = nn.Linear(glosses.shape[1], width)
        self.own = nn.Embedding(len(trained) + 1, width, padding_idx=0)
        nn.init.zeros_(self.own.weight)
        self.pointers = PointerLayer(glosses.shape[1], width, num_kinds) if num_kinds else None
        self.lesk = lesk
        self.prior = nn.Parameter(torch.tensor(0.5)) if prior else None
        place = torch.zeros(len(glosses), dtype=torch.int32)
        place[trained] = torch.arange(1, len(trained) + 1, dtype=torch.int32)
        self.glosses: Tensor
        self.place: Tensor
        self.read_from: Tensor
        self.register_buffer("glosses", glosses.half())
        self.register_buffer("place", place)
        self.register_buffer("read_from", read_from)

    def forward(self, batch: SenseBatch) -> SenseOutput:
        """Return a logit for each candidate, and the loss over the words whose sense is known."""
        states = batch.word_states if batch.word_states is not None else self.word_states(batch)
        words = self.context(self.dropout(self.normed(states)))
        synsets = self.synsets(batch)
        pairs = words[batch.candidate_word] * synsets[batch.candidate]
        logits = pairs.sum(1) / pairs.shape[1] ** 0.5
        if self.prior is not None:
            logits = logits - self.prior * torch.log(batch.order.to(logits.dtype))
        if self.lesk is not None and self.lesk.chosen and not self.training:
            glosses = self.glosses[batch.synsets].float()
            logits = self.lesk(logits, states[:, -1].float(), glosses, batch)
        return SenseOutput(logits, self._loss(logits, batch))

    def normed(self, states: Float[Tensor, "word layer width"]) -> Float[Tensor, "word states"]:
        """Return the states of words, layer beside layer, each layer normalised."""
        layers = [norm(part) for norm, part in zip(self.norms, states.unbind(1), strict=True)]
        return torch.cat(layers, dim=1)

    def word_states(self, batch: SenseBatch) -> Float[Tensor, "word layer width"]:
        """Return the mean of each word's tokens in each layer that is read."""
        kept: dict[int, Tensor] = {}
        if batch.lower_states is not None:  # the frozen layers do not run
            kept[self.backbone.freeze - 1] = batch.lower_states

        def keep(layer: int, tokens: Tensor) -> Tensor:
            if layer in self.read:
                kept[layer] = tokens
            return tokens

        self.backbone(batch.input_ids, batch.attention_mask, keep, batch.lower_states)
        tokens = torch.stack([kept[layer] for layer in self.read], dim=2).flatten(0, 1)
        pieces = tokens[batch.pieces]
        total = pieces.new_zeros(batch.num_words, *pieces.shape[1:])
        count = torch.bincount(batch.piece_word, minlength=batch.num_words).clamp(min=1)
        mean: Tensor = total.index_add(0, batch.piece_word, pieces) / count[:, None, None]
        return mean

    def synsets(self, batch: SenseBatch) -> Float[Tensor, "synset width"]:
        """Return the vectors of the batch's candidates."""
        rows, count = batch.nodes, len(batch.synsets)
        glosses = self.glosses[rows].float()
        own = self.own(self.place[rows])
        if self.training and self.own_dropout:
            own = own * (torch.rand(len(own), 1, device=own.device) >= self.own_dropout)
        vectors: Tensor = self.gloss(glosses[:count]) + own[:count]
        if self.pointers is not None:
            vectors = vectors + self.pointers(glosses, own, batch)
        return vectors

    @staticmethod
    def _loss(logits: Tensor, batch: SenseBatch) -> Tensor | None:
        known = torch.zeros(batch.num_words, dtype=torch.bool, device=logits.device)
        known[batch.candidate_word[batch.right]] = True
        if not known.any():
            return None
        everything = log_sum(logits, batch)
        right = log_sum(logits.masked_fill(~batch.right, -1e9), batch)
        return (everything - right)[known].mean()

    def graph_parameters(self) -> list[nn.Parameter]:
        """Parameters outside the backbone, which start untrained and have a rate of their own."""
        return [p for name, p in self.named_parameters() if not name.startswith("backbone.")]


def log_sum(logits: Tensor, batch: SenseBatch) -> Float[Tensor, "word"]:
    """Return the log of the sum of ``exp`` over each word's candidates."""
    word = batch.candidate_word
    with torch.no_grad():
        lowest = logits.new_full((batch.num_words,), -1e9)
        top = lowest.scatter_reduce(0, word, logits, "amax")
    total = torch.zeros_like(top).index_add(0, word, (logits - top[word]).exp())
    return total.clamp(min=1e-30).log() + top


def best(logits: Tensor, batch: SenseBatch) -> Int[Tensor, "word"]:
    """Return the place of each word's best candidate, the first one of equals; -1 for none."""
    top = logits.new_full((batch.num_words,), -torch.inf)
    top = top.scatter_reduce(0, batch.candidate_word, logits, "amax")
    places = torch.arange(len(logits), device=logits.device)
    places = places.masked_fill(logits < top[batch.candidate_word], len(logits))
    first = places.new_full((batch.num_words,), len(logits))
    first = first.scatter_reduce(0, batch.candidate_word, places, "amin")
    return first.masked_fill(first == len(logits), -1)
