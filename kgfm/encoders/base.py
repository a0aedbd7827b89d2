"""What a graph encoder is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from kgfm.batch import Batch
from kgfm.registry import Registry


class GraphEncoder(nn.Module, ABC):
    """Embed the nodes of all subgraphs of a batch; ``out_width`` is the width of a node's state.

    An edge whose ``batch.edge_weight`` is 0 is to the encoder as if it were not there.
    """

    out_width: int
    reads_edges: ClassVar[bool] = True
    """False for an encoder to which edges say nothing."""
    reads_text: ClassVar[bool] = True
    """False for an encoder to which the texts of nodes say nothing."""

    @abstractmethod
    def forward(
        self, batch: Batch, query: Float[Tensor, "batch query_width"]
    ) -> Float[Tensor, "node node_width"]:
        """Return the state of each node.

        Args:
            batch: The subgraphs.
            query: What each text says so far, in the backbone's width.
        """


ENCODERS: Registry[GraphEncoder] = Registry(
    "encoder", GraphEncoder, surroundings=("feature_width", "query_width")
)
