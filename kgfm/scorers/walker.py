"""The network that walks: which relation a text asks for next, or that the walk is at its end."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from kgfm.backbones.text import mean_pool

ALIKE = 5.0
"""How much likeness of texts counts before anything was learned."""


@dataclass
class Read:
    """Texts as the walker reads them, one for each mention; its place is a mask there.

    Args:
        key: What attention compares.
        value: What it reads.
        states: The frozen states themselves.
        mask: False for padding.
        state: Where a walk from the mention begins.
    """

    key: Float[Tensor, "mention token width"]
    value: Float[Tensor, "mention token width"]
    states: Float[Tensor, "mention token text"]
    mask: Bool[Tensor, "mention token"]
    state: Float[Tensor, "mention width"]


@dataclass
class Actions:
    """What a walker chooses among.

    Args:
        key: What it compares what is asked for with.
        text: Text vectors of length one; zero for the ends, which have none.
    """

    key: Float[Tensor, "action width"]
    text: Float[Tensor, "action text"]


class Walker(nn.Module):
    """Scores actions by their text against a text that is read anew at each step.

    With ``H`` the frozen states of the text in which the mention is masked::

        z_0 = tanh(W_0 mean(H))
        c = softmax(s (W_q z)(W_K H)^T / sqrt(d)) W_V H        what the text asks for next
        logit(a) = s MLP[c; z] · k_a / sqrt(d) + g cos(softmax(...) H, v_a)
        z' = GRU(k_a, z)                                        after action a

    The key of a relation is linear in its text vector ``v``, one map for each direction and one for
    attributes, and the words that are looked at may also be like that text, which needs no
    learning; the key of the end of the walk, and of what the graph lacks, is learned. Attention
    over the question by hops follows Zhou et al., 2018 (IRN, https://aclanthology.org/C18-1171);
    the walk as a sequence of relations, Zhang et al., 2022 (SR, sec. 4.1,
    https://aclanthology.org/2022.acl-long.396).

    Args:
        text_width: Of the states of texts, and of the text vectors of relations.
        num_features: Numbers that are known of a mention beside its text.
        width: ``d``.
        dropout: Of the states of texts.
    """

    def __init__(
        self, text_width: int, num_features: int, *, width: int = 128, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.width = width
        self.key = nn.Linear(text_width, width)
        self.value = nn.Linear(text_width, width)
        self.start = nn.Linear(text_width, width)
        self.forward_key = nn.Linear(text_width, width)
        self.inverse_key = nn.Linear(text_width, width)
        self.attribute_key = nn.Linear(text_width, width)
        self.ends = nn.Parameter(torch.randn(2, width) / width**0.5)
        self.next = nn.GRUCell(width, width)
        self.query = nn.Linear(width, width)
        self.asks = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh(), nn.Linear(width, width))
        self.mention = nn.Sequential(
            nn.Linear(width + num_features, width // 2), nn.Tanh(), nn.Linear(width // 2, 1)
        )
        self.kind = nn.Linear(3 * text_width, 3)
        self.both = nn.Linear(3 * text_width, 1)
        self.alike = nn.Parameter(torch.tensor(ALIKE))
        self.scale = nn.Parameter(torch.tensor(4.0))
        self.dropout = nn.Dropout(dropout)

    def actions(
        self, relations: Float[Tensor, "relation text"], attributes: Float[Tensor, "attribute text"]
    ) -> Actions:
        """Keys of all actions, then of the end of a walk and of what the graph lacks."""
        both = [self.forward_key(relations), self.inverse_key(relations)]
        key = torch.cat([*both, self.attribute_key(attributes), self.ends])
        text = functional.normalize(torch.cat([relations, relations, attributes]), dim=1)
        return Actions(key, torch.cat([text, text.new_zeros(len(self.ends), text.shape[1])]))

    def read(
        self, states: Float[Tensor, "mention token text"], mask: Bool[Tensor, "mention token"]
    ) -> tuple[Read, Float[Tensor, "mention summary"]]:
        """Read texts; return with them their first two states and the mean of all."""
        summary = torch.cat([mean_pool(states, mask), states[:, 0], states[:, 1]], dim=1)
        states = self.dropout(states)
        start = torch.tanh(self.start(mean_pool(states, mask)))
        return Read(self.key(states), self.value(states), states, mask, start), summary

    def mentions(
        self, read: Read, features: Float[Tensor, "mention feature"]
    ) -> Float[Tensor, "mention"]:
        """How likely each mention is to be what the text is about, as a logit."""
        logit: Tensor = self.mention(torch.cat([read.state, features], dim=1))
        return logit.squeeze(1)

    def logits(
        self,
        state: Float[Tensor, "walk width"],
        read: Read,
        mention: Int[Tensor, "walk"],
        actions: Actions,
    ) -> Float[Tensor, "walk action"]:
        """Logit of every action after each walk."""
        key, value = read.key[mention], read.value[mention]
        looks = torch.bmm(key, self.query(state)[:, :, None]).squeeze(2)
        looks = (self.scale * looks / self.width**0.5).masked_fill(~read.mask[mention], -1e4)
        looks = looks.softmax(1)[:, None]
        seen = torch.bmm(looks, value).squeeze(1)
        asks = self.asks(torch.cat([seen, state], dim=1))
        said = functional.normalize(torch.bmm(looks, read.states[mention]).squeeze(1), dim=1)
        logits: Tensor = self.scale * (asks @ actions.key.T) / self.width**0.5
        return logits + self.alike * (said @ actions.text.T)
