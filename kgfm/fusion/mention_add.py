"""Each token of a mention or a word is told about the node that it stands for, and no other."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, cat, nn

from kgfm.batch import Batch
from kgfm.fusion.base import Fusion


class MentionAddFusion(Fusion):
    """Add to aligned tokens what their node says, by itself and in their context.

    Computes ``h_i + O [n_i ; n_i * Q norm(h_i)]`` for a token ``i`` of state ``h_i`` that is
    aligned with a node of state ``n_i``; where several are, their parts add up. The second half
    lets the context decide what of the node counts. ``O`` starts at zero and has no bias, so an
    untrained fusion changes nothing, and tokens that stand for no node are never changed.

    It aligns as ERNIE does (Zhang et al., 2019, sec. 3.3, https://arxiv.org/abs/1905.07129), whose
    aggregator is ``gelu(W_t h + W_e n + b)``, projected back; here nodes stay as they are, and no
    pre-training is needed for the text to be read as before.

    Args:
        width: Width of the tokens, the backbone's ``hidden_size``.
        node_width: Width of the node states, the graph encoder's ``out_width``.
    """

    def __init__(self, width: int, node_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, node_width, bias=False)
        self.output = nn.Linear(2 * node_width, width, bias=False)
        nn.init.zeros_(self.output.weight)

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"],
        batch: Batch,
    ) -> tuple[Float[Tensor, "batch token width"], Float[Tensor, "node node_width"]]:
        """Return the tokens with what their nodes say added, and the nodes as they were."""
        text, token, slot = batch.aligned
        node = nodes[batch.node_slot[text, slot]]
        asked = self.query(self.norm(tokens[text, token]))
        said = self.output(cat([node, node * asked], dim=1)).to(tokens.dtype)
        return tokens.index_put((text, token), said, accumulate=True), nodes
