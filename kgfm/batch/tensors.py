"""Tensors that move together, and the batch that a model reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from kgfm.types import Found

# Not typing.Self, which beartype cannot check when it decorates methods one by one.
OwnTensors = TypeVar("OwnTensors", bound="Tensors")


class Tensors:
    """Base of a dataclass whose tensors move together; what is none stays as it is."""

    def _map(self: OwnTensors, method: str, *args: object, **kwargs: object) -> OwnTensors:
        tensors: dict[str, Any] = {
            name: getattr(value, method)(*args, **kwargs) if hasattr(value, method) else value
            for name, value in vars(self).items()
        }
        return type(self)(**tensors)

    def to(self: OwnTensors, *args: object, **kwargs: object) -> OwnTensors:
        """Move every tensor, as ``Tensor.to`` does; Lightning calls this."""
        return self._map("to", *args, **kwargs)

    def pin_memory(self: OwnTensors) -> OwnTensors:
        """Pin every tensor; ``DataLoader(pin_memory=True)`` calls this."""
        return self._map("pin_memory")


@dataclass
class Batch(Tensors):
    """Texts and their subgraphs as tensors; the nodes of all texts lie flat, one after another.

    ``feature`` counts distinct entities: one that occurs in several texts is encoded once.
    Edges stand in both directions: relation ``r`` from head to tail, ``r + R`` from tail to head.
    """

    input_ids: Int[Tensor, "batch token"]
    attention_mask: Int[Tensor, "batch token"]
    node_features: Float[Tensor, "feature feature_width"]
    node_feature: Int[Tensor, "node"]
    """Row of each node in ``node_features``."""
    node_entity: Int[Tensor, "node"]
    """Row of each node in the graph."""
    node_text: Int[Tensor, "node"]
    """The text that each node belongs to."""
    node_hops: Int[Tensor, "node"]
    """Distance from the nearest seed; 0 marks the seeds."""
    node_slot: Int[Tensor, "batch slot"]
    """Rows of each text's nodes, for the dense form; padding points to row 0."""
    node_mask: Bool[Tensor, "batch slot"]
    """True where a slot holds a node."""
    edge_index: Int[Tensor, "2 edge"]
    edge_type: Int[Tensor, "edge"]
    relation_features: Float[Tensor, "relation feature_width"]
    aligned: Int[Tensor, "3 pair"]
    """(text, token, slot) wherever a token is part of a mention, or a word, of the node there."""
    mention_span: Int[Tensor, "mention 3"]
    """(row, first token, one past its last token) of each mention, NIL too."""
    mention_node: Int[Tensor, "mention"]
    """The node that each mention names, among all nodes; -1 for NIL."""
    candidate_mention: Int[Tensor, "candidate"]
    """The mention that each candidate of the linker belongs to."""
    candidate_feature: Int[Tensor, "candidate"]
    """Row of each candidate in ``node_features``; it need not be a node."""
    candidate_prior: Float[Tensor, "candidate"]
    """How likely the linker thinks each candidate; what is left of one is NIL's."""
    example_of_row: Int[Tensor, "batch"]
    """The example that each row is read for."""
    first_row: Int[Tensor, "example"]
    """The first row of each example; its rows lie one after another."""
    node_prior: Float[Tensor, "node"] | None = None
    """The retriever's opinion, as a logit; ``None`` where it has none about any text."""
    node_found: Bool[Tensor, "node"] | None = None
    """Whether each node is in the set that the retriever found, if it looks for one."""
    nil_prior: Float[Tensor, "batch"] | None = None
    """The retriever's opinion, as a logit, that nothing in the graph answers."""
    found: tuple[Found | None, ...] = ()
    """What the retriever found for each text; empty where it looks for nothing."""
    twin: Int[Tensor, "batch"] | None = None
    """The first row that has the same tokens; ``None`` where all differ."""
    once: Once | None = None
    """The rows that differ, where several have the same tokens and one subgraph in common."""
    edge_weight: Float[Tensor, "edge"] | None = None
    """How much each edge says; ``None`` where all say 1."""
    lower_states: Float[Tensor, "batch token width"] | None = None
    """Cached states after the frozen layers."""
    asked: Tensors | None = None
    """What the task asks: targets, spans."""

    def __len__(self) -> int:
        """Number of texts that are read; an example has one or more."""
        return self.input_ids.shape[0]

    @property
    def num_examples(self) -> int:
        return self.first_row.shape[0]

    @property
    def num_nodes(self) -> int:
        return self.node_feature.shape[0]


@dataclass
class Once(Tensors):
    """The rows of a batch that differ in tokens or subgraph, for what is the same for the others.

    Args:
        batch: Those rows, of which nothing is asked.
        row: Number of each in the whole batch.
        node: For each node of the whole batch the same node in this one.
    """

    batch: Batch
    row: Int[Tensor, "distinct"]
    node: Int[Tensor, "all_nodes"]
