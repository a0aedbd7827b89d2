"""The model: backbone + graph encoder + fusion + task, a pure ``nn.Module``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kgfm.backbones import Backbone, Extra, TextEncoder, load_backbone
from kgfm.backbones.text import mean_pool
from kgfm.batch import Batch
from kgfm.encoders import ENCODERS, GraphEncoder
from kgfm.fusion import FUSIONS, Fusion
from kgfm.tasks import TASKS, Output, Task

_NO_ENCODER = "A fusion needs a graph encoder; give one, or fusion=None."


class KGModel(nn.Module):
    """A transformer that reads a subgraph beside its text.

    The task may change the tokens where the trained layers begin. The graph encoder runs when the
    first fused layer is reached, so that it knows what the text says so far: before that layer
    where a fusion has an ``enter``, after it otherwise. Each fused layer then exchanges tokens and
    nodes. Where the task marks tokens, the encoder knows what the text says before that, so that
    rows which differ by their marks alone share its states. After the last layer a fusion's
    ``read`` is handed to the task, and in training its ``losses`` are added to the task's. Without
    a fusion the encoder runs after the last layer, for the task alone; without an encoder the model
    is a plain text model.

    Args:
        backbone: The transformer.
        encoder: The graph encoder, or ``None``.
        fusions: One operator for each fused layer, by the layer's number. Of those that have
            ``enter``, ``read`` or ``losses``, the lowest alone is asked.
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
        _check_layers(fusions, backbone)
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
        learned_prior: bool = False,
    ) -> KGModel:
        """Build a model from the names of its parts.

        Args:
            backbone: Name, mapping or object.
            encoder: Name, mapping or object; ``None`` for a plain text model.
            fusion: Name or mapping; ``layers`` lists the layers after which it sits, by default
                the last two that are trained. ``None`` leaves it out.
            task: Name, mapping or object.
            feature_width: Width of the text vectors of nodes and relations.
            learned_prior: Whether the retriever gives the nodes a prior that it has learned.
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
        fusions = _operators(fusion, backbone, node_width=node_width, feature_width=feature_width)
        widths = {"width": backbone.width, "node_width": node_width}
        answers = TASKS.build(task, **widths, learned_prior=learned_prior)
        if answers.descriptions:
            answers.describe(torch.from_numpy(TextEncoder(backbone)(answers.descriptions)))
        return cls(backbone, graph, fusions, answers)

    def forward(self, batch: Batch) -> Output:
        """Return logits, and a loss where the batch has targets."""
        run = _Run(self, batch)
        tokens = self.backbone(
            batch.input_ids,
            batch.attention_mask,
            run.after,
            self._lower_states(batch),
            before=run.before if run.enters or run.marks else None,
        )
        nodes = None if self.encoder is None else run.encoded(tokens)
        return self._answer(tokens, nodes, batch)

    def _lower_states(self, batch: Batch) -> Tensor | None:
        """States after the frozen layers: cached ones, or computed once for rows that are alike."""
        if batch.lower_states is not None or batch.twin is None or not self.backbone.skips_lower:
            return batch.lower_states
        first, place = batch.twin.unique(return_inverse=True)
        lower = self.backbone.lower(batch.input_ids[first], batch.attention_mask[first])
        return lower[place]

    def _answer(self, tokens: Tensor, nodes: Tensor | None, batch: Batch) -> Output:
        read: Tensor | None = None
        losses: dict[str, Tensor] = {}
        if nodes is not None:
            for fusion in self._first_with("read").values():
                read = fusion.read(tokens, nodes, batch)
            for fusion in self._first_with("losses").values() if self.training else ():
                losses = fusion.losses(tokens, nodes, batch)
        output: Output = self.task(tokens, nodes, batch, read)
        for name, loss in losses.items():
            output.losses[name] = loss
            # Without targets they are all there is to learn.
            output.loss = loss if output.loss is None else output.loss + loss
        return output

    def _first_with(self, place: str) -> dict[int, Fusion]:
        """Return the lowest fusion that has a place, by its layer; nothing where none has."""
        for layer, fusion in self.fusions.items():
            assert isinstance(fusion, Fusion)
            if place in fusion.places:
                return {int(layer): fusion}
        return {}

    def _encode(self, query: Tensor, batch: Batch, *, is_shared: bool) -> Tensor:
        """Return the states of all nodes, encoded once where rows share a query and a subgraph."""
        assert self.encoder is not None
        once = batch.once
        if once is None or not is_shared or batch.edge_weight is not None:
            nodes: Tensor = self.encoder(batch, query)
            return nodes
        states: Tensor = self.encoder(once.batch, query[once.row])
        return states.index_select(0, once.node)

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


class _Run:
    """One forward pass: what happens before and after each layer of the backbone."""

    def __init__(self, model: KGModel, batch: Batch) -> None:
        self.model = model
        self.batch = batch
        self.nodes: Tensor | None = None
        self.enters = model._first_with("enter")
        self.marks = type(model.task).enter is not Task.enter
        self.unmarked: Tensor | None = None
        """What each text says where the trained layers begin, for a task that marks tokens."""

    def before(self, layer: int, tokens: Tensor) -> tuple[Tensor, Extra | None]:
        extra = None
        if layer == self.model.backbone.freeze and self.marks:
            self.unmarked = mean_pool(tokens, self.batch.attention_mask)
            tokens = self.model.task.enter(tokens, self.batch)
        if layer in self.enters:
            nodes = self.encoded(tokens)
            tokens, self.nodes, extra = self.enters[layer].enter(tokens, nodes, self.batch)
        return tokens, extra

    def after(self, layer: int, tokens: Tensor) -> Tensor:
        if str(layer) not in self.model.fusions:
            return tokens
        fusion = self.model.fusions[str(layer)]
        tokens, self.nodes = fusion(tokens, self.encoded(tokens), self.batch)
        return tokens

    def encoded(self, tokens: Tensor) -> Tensor:
        """Return the nodes as they are now; the encoder runs when they are first asked for."""
        if self.nodes is None:
            query = self.unmarked
            if query is None:
                query = mean_pool(tokens, self.batch.attention_mask)
            is_shared = self.unmarked is not None
            self.nodes = self.model._encode(query, self.batch, is_shared=is_shared)
        return self.nodes


def _check_layers(layers: Iterable[int], backbone: Backbone) -> None:
    for layer in layers:
        if not backbone.freeze <= layer < backbone.num_layers:
            raise ValueError(
                f"Fusion after layer {layer} cannot be: layers {backbone.freeze} to "
                f"{backbone.num_layers - 1} of {backbone.name!r} are trained, and states of "
                "frozen layers must not depend on the graph."
            )


def _operators(
    fusion: str | Mapping[str, Any] | None, backbone: Backbone, **widths: int
) -> dict[int, Fusion]:
    """Build the operator of each fused layer; one without ``forward`` is built once."""
    if not fusion:
        return {}
    given: dict[str, Any] = {"name": fusion} if isinstance(fusion, str) else dict(fusion)
    top = range(max(backbone.freeze, backbone.num_layers - 2), backbone.num_layers)
    layers = sorted(given.pop("layers", None) or top)
    _check_layers(layers, backbone)
    built: dict[int, Fusion] = {}
    for layer in layers:
        built[layer] = FUSIONS.build(
            given,
            width=backbone.width,
            depth=backbone.num_layers - layer,
            leads=not built,
            **widths,
        )
        if "forward" not in built[layer].places:
            break
    return built
