"""Weighted sums over neighbours that read rows in place, forward and backward."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional


class Bags:
    """In which order to read rows, for several weighted sums over each node's neighbours.

    An entry is an edge in one of the sums, ``columns`` in number. Forward, the entries of a target
    and a column stand together; backward, those of a source. Both orders are made here once, for
    all layers of a network.

    Args:
        source: Of each edge; edges stand in the order of their targets.
        target: Of each edge, never falling.
        num_sources: Number of rows to read from.
        num_targets: Number of rows to write.
        columns: Number of sums over the same edges.
    """

    def __init__(
        self,
        source: Int[Tensor, "edge"],
        target: Int[Tensor, "edge"],
        num_sources: int,
        num_targets: int,
        columns: int,
    ) -> None:
        edge = torch.arange(source.shape[0], device=source.device)
        column = torch.arange(columns, device=source.device)
        starts, counts = runs(target, num_targets)
        first, count = starts.index_select(0, target), counts.index_select(0, target)
        place = (first * (columns - 1) + edge)[:, None] + count[:, None] * column
        place = place.flatten()
        self.entry = torch.empty_like(place)
        self.entry[place] = torch.arange(place.shape[0], device=source.device)
        self.row = source.repeat_interleave(columns).index_select(0, self.entry)
        bag = (target[:, None] * columns + column).flatten()
        self.bag = bag.index_select(0, self.entry)
        self.starts = (starts[:, None] * columns + counts[:, None] * column).flatten()

        back = torch.argsort(source, stable=True)
        self.back_entry = (back[:, None] * columns + column).flatten()
        self.back_bag = bag.index_select(0, self.back_entry)
        self.back_starts = runs(source.index_select(0, back), num_sources)[0] * columns
        self.num_targets, self.columns = num_targets, columns

    def sum(
        self, x: Float[Tensor, "source width"], weights: Float[Tensor, "edge column"]
    ) -> Float[Tensor, "target column width"]:
        """Return for each target and column the sum of its neighbours' rows, times the weights."""
        sums = _Sum.apply(x, weights.flatten(), self)  # type: ignore[no-untyped-call]
        by_target: Tensor = sums.unflatten(0, (self.num_targets, self.columns))
        return by_target


class _Sum(torch.autograd.Function):
    """``embedding_bag``, whose own backward sorts the rows anew in each layer.

    No array of edges by width is ever made, which halves the time of gathering, weighing and
    ``index_add``; and the gradient of the rows is such a sum too, over the edges the other way.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, bags: Bags) -> Tensor:
        ctx.save_for_backward(x, weights)
        ctx.bags = bags
        return _bag_sums(x, bags.row, bags.starts, weights.index_select(0, bags.entry))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weights = ctx.saved_tensors
        bags, grad = ctx.bags, grad.contiguous()
        to_x = to_weights = None
        if ctx.needs_input_grad[0]:
            back = weights.index_select(0, bags.back_entry)
            to_x = _bag_sums(grad, bags.back_bag, bags.back_starts, back)
        if ctx.needs_input_grad[1]:
            read = torch.ops.aten._embedding_bag_per_sample_weights_backward
            to_weights = torch.empty_like(weights)
            to_weights[bags.entry] = read(grad, x, bags.row, bags.starts, bags.bag, 0)
        return to_x, to_weights, None


def _bag_sums(x: Tensor, rows: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    return functional.embedding_bag(rows, x, starts, mode="sum", per_sample_weights=weights)


def runs(
    ordered: Int[Tensor, "entry"], num_values: int
) -> tuple[Int[Tensor, "value"], Int[Tensor, "value"]]:
    """Return for each value from 0 on where its entries start, and how many there are."""
    ends = torch.searchsorted(ordered, torch.arange(num_values + 1, device=ordered.device))
    return ends[:-1], ends.diff()


def weighted_sums(
    x: Float[Tensor, "node width"],
    edge_index: Int[Tensor, "2 edge"],
    weights: Float[Tensor, "edge base"],
    num_targets: int | None = None,
) -> Float[Tensor, "target base width"]:
    """Sum each node's incoming neighbours, once for each column of weights.

    With ``num_targets``, only of the first so many nodes, to which all edges then lead.
    """
    order = torch.argsort(edge_index[1], stable=True)
    source, target = edge_index.index_select(1, order)
    num_targets = x.shape[0] if num_targets is None else num_targets
    bags = Bags(source, target, x.shape[0], num_targets, weights.shape[1])
    return bags.sum(x, weights.index_select(0, order))
