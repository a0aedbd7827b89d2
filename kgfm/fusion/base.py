"""What a fusion operator is."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kgfm.backbones import Extra
from kgfm.batch import Batch
from kgfm.registry import Registry

PLACES = ("enter", "forward", "read", "losses")


class Fusion(nn.Module):
    """Exchange information between tokens and nodes, in one or more of four places.

    A fusion overrides at least one of :meth:`enter` (before the first fused layer),
    :meth:`forward` (after each), :meth:`read` (after the last layer of all) and :meth:`losses`
    (in training). Two laws hold for every operator: untrained it changes nothing that the task
    reads, to the bit, and for a text without nodes it never does.

    One operator sits after each fused layer. What happens once in a pass - ``enter``, ``read``,
    ``losses`` - is asked of the lowest that has it, so an operator knows in ``losses`` what it did
    in ``enter``. One without ``forward`` is built once, for the lowest of its layers; one with it
    that takes ``leads`` is told whether it is the lowest, so that the others need no parameters for
    what nobody asks them.

    A constructor takes what it needs of ``width`` (of the tokens), ``node_width``,
    ``feature_width`` (of the text vectors of entities and relations), ``depth`` (the number of
    layers from its own to the last) and ``leads``.

    Raises:
        TypeError: A subclass overrides none of the four; said when the class is made.
    """

    places: ClassVar[frozenset[str]] = frozenset()
    """Which of the four this operator has."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.places = frozenset(p for p in PLACES if getattr(cls, p) is not getattr(Fusion, p))
        if not cls.places:
            raise TypeError(
                f"{cls.__name__} would change nothing: a fusion overrides at least one of "
                f"{', '.join(PLACES)}; a layer's operator, for one, is written as "
                "forward(tokens, nodes, batch) -> (tokens, nodes)."
            )

    def enter(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Tensor, Tensor, Extra | None]:
        """Return the tokens that enter the layer, the nodes, and extra tokens to go along."""
        return tokens, nodes, None

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Float[Tensor, "batch token width"], Float[Tensor, "node node_width"]]:
        """Return tokens and nodes to go on with, after the layer."""
        return tokens, nodes

    def read(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> Float[Tensor, "batch width"] | None:
        """Return what the task adds to its view of each text; zero for a text without nodes."""
        return None

    def losses(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> dict[str, Tensor]:
        """Return what training lowers besides the task's loss, by name, each with its weight."""
        return {}


FUSIONS: Registry[Fusion] = Registry(
    "fusion",
    Fusion,
    surroundings=("width", "node_width", "feature_width", "depth", "leads"),
)


def check_heads(heads: int, inner_width: int) -> None:
    """Refuse a number of attention heads that does not divide their width.

    Raises:
        ValueError: It does not.
    """
    if heads < 1 or inner_width % heads:
        raise ValueError(
            f"heads={heads} does not divide inner_width={inner_width}; 1, 2 or 4 heads may do."
        )


def dense_nodes(
    nodes: Float[Tensor, "node node_width"], batch: Batch
) -> Float[Tensor, "batch slot node_width"]:
    """Lay flat nodes out by text; slots without a node are zero."""
    # A row of zeros behind the nodes keeps the gather legal, and the graph part in the autograd
    # graph, when no text of the batch has a node (as DDP needs).
    padded = nodes.new_zeros(1, nodes.shape[1])
    rows = batch.node_slot.masked_fill(~batch.node_mask, nodes.shape[0])
    dense = torch.cat([nodes, padded]).index_select(0, rows.flatten())
    laid_out: Tensor = dense.unflatten(0, rows.shape)
    return laid_out


def has_nodes(batch: Batch) -> Bool[Tensor, "batch"]:
    """Return whether each text has a node at all."""
    return batch.node_mask.any(1)


def attention_pool(
    query: Float[Tensor, "batch query inner"],
    key: Float[Tensor, "node inner"],
    value: Float[Tensor, "node inner"],
    batch: Batch,
    *,
    heads: int,
) -> Float[Tensor, "batch query inner"]:
    """Average each text's own nodes, weighed by queries; zero for a text without nodes."""
    query, dense_key, dense_value = (
        x.unflatten(-1, (heads, -1)).transpose(1, 2)
        for x in (query, dense_nodes(key, batch), dense_nodes(value, batch))
    )
    # The lowest number and not minus infinity, which would make a text without nodes NaN.
    bias = torch.zeros_like(batch.node_mask, dtype=query.dtype)
    bias = bias.masked_fill(~batch.node_mask, torch.finfo(query.dtype).min)[:, None, None]
    read = nn.functional.scaled_dot_product_attention(query, dense_key, dense_value, attn_mask=bias)
    pooled: Tensor = read.transpose(1, 2).flatten(2) * has_nodes(batch)[:, None, None]
    return pooled
