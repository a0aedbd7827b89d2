"""The model: backbone + graph encoder + fusion + task, a pure ``nn.Module``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from kgfm.backbones import Backbone, load_backbone
from kgfm.backbones.text import mean_pool
from kgfm.batch import Batch
from kgfm.encoders import ENCODERS, GraphEncoder
from kgfm.fusion import FUSIONS, Fusion
from kgfm.tasks import TASKS, Output, Task

_NO_ENCODER = "A fusion needs a graph encoder; give one, or fusion=None."


class KGModel(nn.Module):
    """A transformer that reads a subgraph beside its text.

    The graph encoder runs when the first fused layer is reached, so that it knows what the text
    says so far; each fused layer then exchanges tokens and nodes. Without a fusion the encoder
    runs after the last layer, for the task alone; without an encoder the model is a plain
    text model.

    Args:
        backbone: The transformer.
        encoder: The graph encoder, or ``None``.
        fusions: One operator for each fused layer, by the layer's number.
        task: What answers.

    Raises:
        ValueError: A fusion sits below the frozen layers or beyond the last, or has no encoder.
    """

    def __init__(
        self,
        backbone: Backbone,
        encoder: GraphEncoder | None,
        fusions: Mapping[int, Fusion],
        task: Task,
    ) -> None:
        super().__init__()
        for layer in fusions:
            if not backbone.freeze <= layer < backbone.num_layers:
                raise ValueError(
                    f"Fusion after layer {layer} cannot be: layers {backbone.freeze} to "
                    f"{backbone.num_layers - 1} of {backbone.name!r} are trained, and states of "
                    "frozen layers must not depend on the graph."
                )
        if fusions and encoder is None:
            raise ValueError(_NO_ENCODER)
        self.backbone = backbone
        self.encoder = encoder
        self.fusions = nn.ModuleDict({str(layer): fusions[layer] for layer in sorted(fusions)})
        self.task = task

    @classmethod
    def build(
        cls,
        *,
        backbone: str | dict[str, Any] | Backbone,
        encoder: str | dict[str, Any] | GraphEncoder | None,
        fusion: str | dict[str, Any] | None,
        task: str | dict[str, Any] | Task,
        feature_width: int,
    ) -> KGModel:
        """Build a model from the names of its parts.

        Args:
            backbone: Name, mapping or object.
            encoder: Name, mapping or object; ``None`` for a plain text model.
            fusion: Name or mapping; ``layers`` lists the layers after which it sits, by default
                the last two that are trained. ``None`` leaves it out.
            task: Name, mapping or object.
            feature_width: Width of the text vectors of nodes and relations.
        """
        backbone = load_backbone(backbone)
        graph = (
            None
            if encoder is None
            else ENCODERS.build(encoder, feature_width=feature_width, query_width=backbone.width)
        )
        if fusion and graph is None:
            raise ValueError(_NO_ENCODER)
        node_width = 0 if graph is None else graph.out_width
        given: dict[str, Any] = {"name": fusion} if isinstance(fusion, str) else dict(fusion or {})
        top = range(max(backbone.freeze, backbone.num_layers - 2), backbone.num_layers)
        layers: Sequence[int] = given.pop("layers", None) or top
        fusions = {
            layer: FUSIONS.build(given, width=backbone.width, node_width=node_width)
            for layer in (layers if fusion else ())
        }
        answers = TASKS.build(task, width=backbone.width, node_width=node_width)
        return cls(backbone, graph, fusions, answers)

    def forward(self, batch: Batch) -> Output:
        """Return logits, and a loss where the batch has targets."""
        nodes: Tensor | None = None

        def inject(layer: int, tokens: Tensor) -> Tensor:
            nonlocal nodes
            if str(layer) not in self.fusions:
                return tokens
            if nodes is None:
                nodes = self._encode(tokens, batch)
            tokens, nodes = self.fusions[str(layer)](tokens, nodes, batch)
            return tokens

        tokens = self.backbone(batch.input_ids, batch.attention_mask, inject, batch.lower_states)
        if nodes is None and self.encoder is not None:
            nodes = self._encode(tokens, batch)
        output: Output = self.task(tokens, nodes, batch)
        return output

    def _encode(self, tokens: Tensor, batch: Batch) -> Tensor:
        assert self.encoder is not None
        nodes: Tensor = self.encoder(batch, mean_pool(tokens, batch.attention_mask))
        return nodes

    @torch.no_grad()
    def predict(self, batch: Batch) -> Output:
        """Return the output, in evaluation mode."""
        self.eval()
        output: Output = self(batch)
        return output

    def graph_parameters(self) -> list[nn.Parameter]:
        """Parameters outside the backbone, which start untrained and have a rate of their own."""
        parts = [self.encoder, self.fusions, self.task]
        return [p for part in parts if part is not None for p in part.parameters()]
