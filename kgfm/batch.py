"""From texts and subgraphs to tensors: tokenise, align mentions, pack without padding nodes.

``numpy`` ends here and ``torch`` begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from kgfm.registry import nearest
from kgfm.types import Example, Mention, Subgraph

# Not typing.Self, which beartype cannot check when it decorates methods one by one.
OwnTensors = TypeVar("OwnTensors", bound="Tensors")


class Tensors:
    """Base of a dataclass whose fields are tensors or ``None``, which move together."""

    def _map(self: OwnTensors, method: str, *args: object, **kwargs: object) -> OwnTensors:
        tensors: dict[str, Any] = {
            name: None if value is None else getattr(value, method)(*args, **kwargs)
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
    """(text, token, slot) wherever a token is part of a mention of the node in that slot."""
    edge_weight: Float[Tensor, "edge"] | None = None
    lower_states: Float[Tensor, "batch token width"] | None = None
    """Cached states after the frozen layers."""
    label_target: Float[Tensor, "batch label"] | None = None
    """1 for each right label."""
    node_target: Bool[Tensor, "node"] | None = None
    """True for each right answer among the nodes."""
    answerable: Bool[Tensor, "batch"] | None = None
    """False where nothing in the graph answers: NIL is right."""
    has_target: Bool[Tensor, "batch"] | None = None
    """False for texts of which nothing is known."""

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def num_nodes(self) -> int:
        return len(self.node_feature)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One text made ready: all that does not depend on its neighbours in the batch."""

    input_ids: Int[np.ndarray, "token"]
    subgraph: Subgraph
    aligned: Int[np.ndarray, "2 pair"]
    """(token, node) pairs."""
    target: tuple[str, ...] | None
    answers: Int[np.ndarray, "answer"]
    """Rows of the right answers in the graph (``answer`` only)."""


@runtime_checkable
class Vectors(Protocol):
    """Text vectors of a graph's entities and relations; see :class:`kgfm.encoders.NodeVectors`."""

    @property
    def relations(self) -> np.ndarray: ...

    def entities(self, rows: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class States(Protocol):
    """Cached states of texts; see :class:`kgfm.frozen.FrozenStates`."""

    def get(self, input_ids: np.ndarray) -> np.ndarray | None: ...


class Collator:
    """Turn examples with their mentions and subgraphs into a :class:`Batch`.

    Args:
        tokenizer: Of the backbone; it must be a fast one, which knows character offsets.
        vectors: Text vectors of entities and relations.
        max_tokens: Longer texts are cut.
        labels: The labels of ``classify``, in order; empty for ``answer``.
        states: Cached states after the frozen layers, if any.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        vectors: Vectors,
        *,
        max_tokens: int = 128,
        labels: Sequence[str] = (),
        states: States | None = None,
    ) -> None:
        if not tokenizer.is_fast:
            raise ValueError("kgfm needs a fast tokenizer: one that knows character offsets.")
        self.tokenizer = tokenizer
        self.vectors = vectors
        self.max_tokens = max_tokens
        self.label_row = {label: row for row, label in enumerate(labels)}
        self.states = states

    def prepare(
        self,
        examples: Sequence[Example],
        mentions: Sequence[Sequence[Mention]],
        subgraphs: Sequence[Subgraph],
        seeds: Sequence[Sequence[int]],
        answers: Sequence[np.ndarray],
    ) -> list[Prepared]:
        """Tokenise texts and align their mentions.

        Args:
            examples: The texts.
            mentions: Of each text.
            subgraphs: Of each text.
            seeds: Row in the graph of each mention's entity.
            answers: Rows in the graph of each text's right answers.
        """
        # A lone surrogate cannot be encoded; its stand-in has the same length, so offsets hold.
        texts = [_without_surrogates(example.text) for example in examples]
        encoded = self.tokenizer(
            texts,
            truncation=True,
            max_length=self.max_tokens,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return [
            Prepared(
                np.asarray(ids, dtype=np.int64),
                subgraph,
                _align(np.asarray(offsets, dtype=np.int64).reshape(-1, 2), found, rows, subgraph),
                example.target,
                right,
            )
            for ids, offsets, example, found, subgraph, rows, right in zip(
                encoded["input_ids"],
                encoded["offset_mapping"],
                examples,
                mentions,
                subgraphs,
                seeds,
                answers,
                strict=True,
            )
        ]

    def pack(self, prepared: Sequence[Prepared]) -> Batch:
        """Put prepared texts into one batch."""
        if not prepared:
            raise ValueError("A batch needs at least one text.")
        tokens = [item.input_ids for item in prepared]
        input_ids, attention_mask = padded_ids(tokens, self.tokenizer.pad_token_id or 0)
        counts = np.array([len(item.subgraph.nodes) for item in prepared])
        starts = np.concatenate([[0], np.cumsum(counts)])
        entities = np.concatenate([item.subgraph.nodes for item in prepared]).astype(np.int64)
        distinct, feature = np.unique(entities, return_inverse=True)
        slot = np.arange(max(1, counts.max()))
        node_mask = slot < counts[:, None]
        relations = np.array(self.vectors.relations, dtype=np.float32)
        num_relations = len(relations)
        edges = np.concatenate(
            [
                item.subgraph.edge_index + start
                for item, start in zip(prepared, starts, strict=False)
            ],
            axis=1,
        ).astype(np.int64)
        types = np.concatenate([item.subgraph.edge_type for item in prepared]).astype(np.int64)
        aligned = [
            np.vstack([np.full(item.aligned.shape[1], text), item.aligned])
            for text, item in enumerate(prepared)
        ]
        arrays = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "node_features": self.vectors.entities(distinct).astype(np.float32),
            "node_feature": feature.reshape(-1),
            "node_entity": entities,
            "node_text": np.repeat(np.arange(len(prepared)), counts),
            "node_hops": np.concatenate([item.subgraph.hops for item in prepared]).astype(np.int64),
            "node_slot": np.where(node_mask, starts[:-1, None] + slot, 0),
            "node_mask": node_mask,
            "edge_index": np.concatenate([edges, edges[::-1]], axis=1),
            "edge_type": np.concatenate([types, types + num_relations]),
            "relation_features": relations,
            "aligned": np.concatenate(aligned, axis=1),
            **self._targets(prepared, entities, starts),
        }
        states = padded_states(self.states, tokens)
        if states is not None:
            arrays["lower_states"] = states
        return Batch(**{name: torch.from_numpy(array) for name, array in arrays.items()})

    def _targets(
        self,
        prepared: Sequence[Prepared],
        entities: np.ndarray,
        starts: np.ndarray,
    ) -> dict[str, np.ndarray]:
        known = np.array([item.target is not None for item in prepared])
        if not known.any():
            return {}
        if not self.label_row:
            right = np.zeros(len(entities), dtype=bool)
            for text, item in enumerate(prepared):
                part = slice(starts[text], starts[text + 1])
                right[part] = np.isin(entities[part], item.answers)
            answerable = np.array([bool(item.target) for item in prepared])
            return {"has_target": known, "node_target": right, "answerable": answerable}
        target = np.zeros((len(prepared), len(self.label_row)), dtype=np.float32)
        for text, item in enumerate(prepared):
            for label in item.target or ():
                target[text, self._label(label)] = 1.0
        return {"has_target": known, "label_target": target}

    def _label(self, label: str) -> int:
        if label not in self.label_row:
            raise ValueError(
                f"The label {label!r} was not among those of training: "
                f"{', '.join(map(repr, self.label_row))}.{nearest(label, self.label_row)}"
            )
        return self.label_row[label]


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-16", "replace").decode("utf-16", "replace")


def _align(
    offsets: np.ndarray, mentions: Sequence[Mention], rows: Sequence[int], subgraph: Subgraph
) -> np.ndarray:
    """Return (token, node) for each token that overlaps a mention of a seed."""
    pairs: list[tuple[int, int]] = []
    place = {int(row): node for node, row in enumerate(subgraph.nodes[: subgraph.num_seeds])}
    for mention, row in zip(mentions, rows, strict=True):
        if row not in place:
            continue
        inside = (offsets[:, 0] < mention.end) & (offsets[:, 1] > mention.start)
        pairs += [(int(token), place[row]) for token in np.flatnonzero(inside)]
    return np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2).T


def padded_ids(rows: Sequence[np.ndarray], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Return token ids as one array, each row filled up to the longest, and the attention mask."""
    lengths = np.array([len(row) for row in rows])
    mask = np.arange(max(1, lengths.max())) < lengths[:, None]
    padded = np.full(mask.shape, pad, dtype=np.int64)
    padded[mask] = np.concatenate(rows)
    return padded, mask.astype(np.int64)


def padded_states(states: States | None, rows: Sequence[np.ndarray]) -> np.ndarray | None:
    """Return cached states of token ids, zeros up to the longest; ``None`` if one is missing."""
    found = None if states is None else all_known([states.get(row) for row in rows])
    if found is None:
        return None
    padded = np.zeros((len(found), max(1, *map(len, found)), found[0].shape[1]), np.float32)
    for row, known in zip(padded, found, strict=True):
        row[: len(known)] = known
    return padded


def all_known(found: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """Return all, or ``None`` if one is missing."""
    there = [states for states in found if states is not None]
    return there if len(there) == len(found) else None
