"""Trees of walks of a batch as flat tensors, level by level, and the loss over them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from kgfm.retrieval.walks.base import Tree
from kgfm.scorers.walker import Actions, Read, Walker

_NONE = -1e9
"""A logarithm of zero that subtracts without becoming NaN."""


def log_sum(
    values: Float[Tensor, "item"], group: Int[Tensor, "item"], num_groups: int
) -> Float[Tensor, "group"]:
    """Log of the sum of ``exp`` in each group; very low for an empty one."""
    top = values.new_full((num_groups,), _NONE)
    top = top.scatter_reduce(0, group, values.detach(), "amax")
    total = values.new_zeros(num_groups).index_add(0, group, (values - top[group]).exp())
    return total.clamp(min=1e-30).log() + top


class Forest:
    """The walks of several trees, one behind the other.

    Args:
        trees: All trees of some questions.
    """

    def __init__(self, trees: Sequence[Tree]) -> None:
        sizes = [len(tree.parent) for tree in trees]
        first = np.cumsum([0, *sizes])[:-1]
        parents = [tree.parent + at for tree, at in zip(trees, first, strict=True)]
        parent = np.concatenate(parents).astype(np.int64)
        parent[first] = -1
        depth = np.zeros(len(parent), np.int64)
        for walk in np.flatnonzero(parent >= 0).tolist():  # each stands behind its parent
            depth[walk] = depth[parent[walk]] + 1
        levels = [np.flatnonzero(depth == level) for level in range(int(depth.max()) + 1)]
        _, question = np.unique([tree.question for tree in trees], return_inverse=True)
        self.levels = [torch.from_numpy(level) for level in levels]
        self.parent = torch.from_numpy(parent)
        action = np.concatenate([tree.action for tree in trees]).astype(np.int64)
        self.action = torch.from_numpy(action)
        self.expands = torch.from_numpy(np.concatenate([tree.expands for tree in trees]))
        weight = np.concatenate([tree.weight for tree in trees]).astype(np.float32)
        self.weight = torch.from_numpy(weight)
        self.tree = torch.from_numpy(np.repeat(np.arange(len(trees)), sizes))
        self.question = torch.from_numpy(question.reshape(-1))
        self.num_questions = int(question.max()) + 1
        self.lacks = torch.tensor([tree.lacks for tree in trees])
        self.kind = torch.tensor([tree.kind for tree in trees])
        self.both = torch.tensor([tree.both for tree in trees])


def log_probabilities(
    walker: Walker,
    read: Read,
    mentions: Float[Tensor, "tree"],
    actions: Actions,
    forest: Forest,
) -> tuple[Float[Tensor, "walk"], Float[Tensor, "walk"]]:
    """Log-probability to end with each walk, and to find there that the graph lacks what is asked.

    Both hold the choice of the mention; what does not expand ends for certain.
    """
    num_walks = len(forest.parent)
    state = read.state.new_zeros(num_walks, walker.width)
    state = state.index_put((forest.levels[0],), read.state)
    for level in forest.levels[1:]:
        on = level[forest.expands[level]]
        if len(on):
            moved = walker.next(actions.key[forest.action[on]], state[forest.parent[on]])
            state = state.index_put((on,), moved)
    on = torch.nonzero(forest.expands).squeeze(1)
    place = torch.full((num_walks,), -1).index_put((on,), torch.arange(len(on)))
    logits = walker.logits(state[on], read, forest.tree[on], actions)
    behind = torch.nonzero(forest.parent >= 0).squeeze(1)
    inner = on[forest.parent[on] >= 0]
    choice = torch.cat(
        [
            logits[place[forest.parent[behind]], forest.action[behind]],
            logits[place[inner], -2],
            logits[:, -1],
        ]
    )
    chooser = torch.cat([place[forest.parent[behind]], place[inner], torch.arange(len(on))])
    choice = choice - log_sum(choice, chooser, len(on))[chooser]
    step, end, lack = choice.split([len(behind), len(inner), len(on)])
    of_question = forest.question
    total = log_sum(mentions, of_question, forest.num_questions)
    walk = mentions.new_zeros(num_walks)
    walk = walk.index_put((forest.levels[0],), mentions - total[of_question])
    steps = mentions.new_zeros(num_walks).index_put((behind,), step)
    for level in forest.levels[1:]:
        walk = walk.index_put((level,), steps[level] + walk[forest.parent[level]])
    ended = mentions.new_zeros(num_walks).index_put((inner,), end)
    ended = (walk + ended).index_fill(0, forest.levels[0], _NONE)
    lacked = torch.full_like(walk, _NONE).index_put((on,), walk[on] + lack)
    return ended, lacked


def loss(
    walker: Walker,
    read: Read,
    summary: Float[Tensor, "tree summary"],
    features: Float[Tensor, "tree feature"],
    actions: Actions,
    forest: Forest,
) -> Float[Tensor, ""]:
    """Mean over questions of ``-log sum p(walk) weight(walk)``, and what is said of the question.

    For a question whose answer the graph lacks the sum is the probability to find that, wherever.
    """
    mentions = walker.mentions(read, features)
    ended, lacked = log_probabilities(walker, read, mentions, actions, forest)
    lacks = forest.lacks[forest.tree]
    right = ended + torch.where(forest.weight > 0, forest.weight.clamp(min=1e-12).log(), _NONE)
    right = torch.where(lacks, lacked, right).clamp(min=_NONE)
    per_question = log_sum(right, forest.question[forest.tree], forest.num_questions)
    counted = per_question > _NONE / 2
    found = -per_question[counted].sum() / counted.sum().clamp(min=1)
    known = forest.kind >= 0
    if known.any():
        found = found + functional.cross_entropy(walker.kind(summary[known]), forest.kind[known])
    known = forest.both >= 0
    if known.any():
        logit, target = walker.both(summary[known]).squeeze(1), forest.both[known].float()
        found = found + functional.binary_cross_entropy_with_logits(logit, target)
    return found
