"""Learn from what is hidden: which entity a mention names, and which triples hold."""

from __future__ import annotations

from contextvars import ContextVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgfm.backbones import Extra
from kgfm.batch import Batch
from kgfm.fusion.base import Fusion
from kgfm.fusion.cross_attention import CrossAttentionFusion
from kgfm.registry import check_probabilities

# From ``enter`` to ``losses`` of one pass; not an attribute, so that no model is saved with it.
_HIDDEN: ContextVar[Tensor | None] = ContextVar("kgfm_hidden", default=None)


class MaskedEntitiesFusion(Fusion):
    """Cross-attention that is also trained to tell hidden entities and wrong triples.

    In training a part of the entities that a text names is hidden: a learned vector stands in the
    place of their node's state, for the tokens and for the task. Two losses are added:

    - *entity*: with ``m`` the mean of the tokens of a hidden entity's mentions,
      ``-log softmax_e(<norm(W m), U v_e> / sqrt(d))`` over the text vectors ``v_e`` of the distinct
      entities of the batch (the denoising objective of ERNIE, Zhang et al., 2019, sec. 3.5,
      https://arxiv.org/abs/1905.07129).
    - *link*: ``-log sigmoid(s(h, r, t)) - mean log sigmoid(-s(h, r, t'))`` with DistMult's
      ``s = <n_h, R v_r, n_t> / sqrt(d)`` over final node states, and ``t'`` other nodes of the same
      text (as in DRAGON, Yasunaga et al., 2022, sec. 2.3, https://arxiv.org/abs/2210.09338).
      Triples of hidden entities and corrupted ones that hold are left out. Unlike DRAGON's, the
      encoder has seen the triples asked about; its ``edge_dropout`` hides a part of them.

    In evaluation it is :class:`CrossAttentionFusion` and nothing else. ERNIE's and DRAGON's masked
    words are not part of it.

    Args:
        width: Width of the tokens, the backbone's ``hidden_size``.
        node_width: Width of the node states, the graph encoder's ``out_width``.
        feature_width: Width of the text vectors.
        leads: Whether this is the lowest operator, which hides and has the losses.
        rate: Part of the named entities that a training step hides; at least one of a batch is.
        entity_weight: Of the first loss beside the task's.
        link_weight: Of the second loss.
        negatives: Corrupted tails of a triple.
        triples: At most so many triples of a batch are asked about in a step.
        heads: As of :class:`CrossAttentionFusion`.
        inner_width: As of :class:`CrossAttentionFusion`.

    Raises:
        ValueError: ``rate`` is no probability under 1, or ``heads`` does not divide
            ``inner_width``.
    """

    def __init__(
        self,
        width: int,
        node_width: int,
        feature_width: int,
        *,
        leads: bool = True,
        rate: float = 0.15,
        entity_weight: float = 0.2,
        link_weight: float = 0.1,
        negatives: int = 4,
        triples: int = 512,
        heads: int = 4,
        inner_width: int = 128,
    ) -> None:
        super().__init__()
        check_probabilities(rate=rate)
        self.rate = rate
        self.weights = {"entity": entity_weight, "link": link_weight}
        self.negatives = negatives
        self.triples = triples
        self.attention = CrossAttentionFusion(
            width, node_width, heads=heads, inner_width=inner_width
        )
        if not leads:
            return
        self.unknown = nn.Parameter(torch.randn(node_width) / node_width**0.5)
        self.guess = nn.Sequential(nn.Linear(width, node_width), nn.LayerNorm(node_width))
        self.entity = nn.Linear(feature_width, node_width, bias=False)
        self.relation = nn.Linear(feature_width, node_width, bias=False)
        for layer in (self.entity, self.relation):
            # Text vectors have length 1: so each entry is as large as one of a normed state.
            nn.init.normal_(layer.weight)

    def enter(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Tensor, Tensor, Extra | None]:
        """Return the tokens as they are, and in training the nodes with some of them hidden."""
        if not self.training:
            return tokens, nodes, None
        hidden = self._choose(batch)
        _HIDDEN.set(hidden)
        return tokens, torch.where(hidden[:, None], self.unknown.to(nodes.dtype), nodes), None

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Float[Tensor, "batch token width"], Float[Tensor, "node node_width"]]:
        """Return the tokens with what they read added, and the nodes as they were."""
        read: tuple[Tensor, Tensor] = self.attention(tokens, nodes, batch)
        return read

    def losses(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> dict[str, Tensor]:
        """Return ``entity`` and ``link``, each with its weight."""
        hidden = _HIDDEN.get()
        _HIDDEN.set(None)
        if hidden is None:
            return {}
        return {
            "entity": self.weights["entity"] * self._entity_loss(tokens, hidden, batch),
            "link": self.weights["link"] * self._link_loss(nodes, hidden, batch),
        }

    def _choose(self, batch: Batch) -> Bool[Tensor, "node"]:
        """Return which nodes are hidden in this step, among those that a text names."""
        named = _named(batch).unique()
        chance = torch.rand(named.shape, device=named.device)
        # The second bound, so that a small batch, too, hides something.
        chosen = (chance < self.rate) | (chance == chance.sort().values[:1])
        hidden = torch.zeros_like(batch.node_text, dtype=torch.bool)
        hidden[named[chosen]] = True
        return hidden

    def _entity_loss(
        self, tokens: Tensor, hidden: Bool[Tensor, "node"], batch: Batch
    ) -> Float[Tensor, ""]:
        text, token, _ = batch.aligned
        named, states = _named(batch), tokens[text, token]
        total = states.new_zeros(len(hidden), states.shape[1]).index_add(0, named, states)
        count = states.new_zeros(len(hidden)).index_add(0, named, torch.ones_like(states[:, 0]))
        mean = total[hidden] / count[hidden].clamp(min=1.0)[:, None]
        entities = self.entity(batch.node_features)
        logits = self.guess(mean) @ entities.T / entities.shape[1] ** 0.5
        target = batch.node_feature[hidden]
        return _mean(functional.cross_entropy(logits, target, reduction="none"))

    def _link_loss(
        self, nodes: Tensor, hidden: Bool[Tensor, "node"], batch: Batch
    ) -> Float[Tensor, ""]:
        head, relation, tail = _triples(batch)
        seen = (~(hidden[head] | hidden[tail])).nonzero()[:, 0]
        seen = seen[torch.randperm(len(seen), device=seen.device)[: self.triples]]
        vector = self.relation(batch.relation_features)[relation[seen]]
        asked = nodes[head[seen]] * vector / nodes.shape[1] ** 0.5
        right = functional.logsigmoid((asked * nodes[tail[seen]]).sum(1))
        other = _others(batch.node_text[head[seen]], self.negatives, batch)
        wrong = functional.logsigmoid(-(asked[:, None] * nodes[other]).sum(2))
        names = _names(head, relation, tail, batch)
        given = _names(head[seen][:, None], relation[seen][:, None], other, batch)
        false = ~torch.isin(given, names) & ~hidden[other]
        return -_mean(right) - _mean(wrong[false])


def _named(batch: Batch) -> Int[Tensor, "pair"]:
    """Return the node that each aligned token names."""
    return batch.node_slot[batch.aligned[0], batch.aligned[2]]


def _triples(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return head, relation and tail of each triple; edges stand in both directions."""
    there = batch.edge_type < batch.relation_features.shape[0]
    return batch.edge_index[0, there], batch.edge_type[there], batch.edge_index[1, there]


def _names(head: Tensor, relation: Tensor, tail: Tensor, batch: Batch) -> Tensor:
    """Return one number for each triple."""
    return (head * batch.relation_features.shape[0] + relation) * batch.num_nodes + tail


def _others(
    text: Int[Tensor, "triple"], count: int, batch: Batch
) -> Int[Tensor, "triple negative"]:
    """Draw nodes of the given texts."""
    size = batch.node_mask.sum(1)[text][:, None]
    drawn = torch.rand(text.shape[0], count, device=text.device) * size
    slot = torch.minimum(drawn.long(), size - 1)
    return batch.node_slot[text[:, None], slot]


def _mean(x: Float[Tensor, "row"]) -> Float[Tensor, ""]:
    """Average; zero, not NaN, where there is nothing."""
    return torch.sum(x) / max(1, x.shape[0])
