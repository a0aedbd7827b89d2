"""From texts and subgraphs to tensors: tokenise, align mentions, pack without padding nodes.

``numpy`` ends here and ``torch`` begins.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from kgfm.types import Asked, Example, Row, Subgraph

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
    edge_weight: Float[Tensor, "edge"] | None = None
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


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """One text made ready, with the subgraph that was cut for it."""

    input_ids: Int[np.ndarray, "token"]
    offsets: Int[np.ndarray, "token 2"]
    """Characters of ``Row.source`` that each token stands for; (0, 0) for a special token."""
    subgraph: Subgraph
    aligned: Int[np.ndarray, "2 pair"]
    """(token, node) pairs."""
    mention_span: Int[np.ndarray, "mention 2"]
    mention_node: Int[np.ndarray, "mention"]
    candidate_mention: Int[np.ndarray, "candidate"]
    candidate_entity: Int[np.ndarray, "candidate"]
    candidate_prior: Float[np.ndarray, "candidate"]

    def tokens_of(self, start: int, end: int) -> tuple[int, int] | None:
        """Return (first, one past the last) token that overlaps characters; ``None`` if none."""
        inside = np.flatnonzero((self.offsets[:, 0] < end) & (self.offsets[:, 1] > start))
        return (int(inside[0]), int(inside[-1]) + 1) if len(inside) else None


@dataclass(frozen=True, slots=True)
class Prepared:
    """One example made ready: all that does not depend on its neighbours in the batch."""

    rows: tuple[PreparedRow, ...]
    target: Any
    """What the task made of it: arrays, as its ``pack`` reads them."""
    known: bool
    """Whether what is right is known."""

    @property
    def num_tokens(self) -> int:
        """Number of tokens of all its texts."""
        return sum(len(row.input_ids) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the rows and nodes of each example lie in a batch."""

    first_row: Int[np.ndarray, "example_bound"]
    """First row of each example, and the end."""
    first_node: Int[np.ndarray, "row_bound"]
    """First node of each row, and the end."""
    entities: Int[np.ndarray, "node"]
    """Row of each node in the graph."""


@runtime_checkable
class Asks(Protocol):
    """What a task does before tensors begin; see :class:`kgfm.tasks.Task`."""

    ranks_nodes: ClassVar[bool]

    def rows(self, example: Example, /) -> Sequence[Row]: ...

    def known(self, example: Example, /) -> bool: ...

    def target(self, example: Example, rows: Sequence[PreparedRow], graph: Any, /) -> Any: ...

    def pack(self, prepared: Sequence[Prepared], layout: Layout, /) -> Tensors | None: ...


@runtime_checkable
class Vectors(Protocol):
    """Text vectors of a graph's entities and relations; see :class:`kgfm.vectors.NodeVectors`."""

    @property
    def relations(self) -> np.ndarray: ...

    def entities(self, rows: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class States(Protocol):
    """Cached states of texts; see :class:`kgfm.frozen.FrozenStates`."""

    def get(self, input_ids: np.ndarray) -> np.ndarray | None: ...


MOST_CANDIDATES = 16
"""Of a mention, in a batch."""


class Collator:
    """Turn examples with their mentions and subgraphs into a :class:`Batch`.

    Args:
        tokenizer: Of the backbone; it must be a fast one, which knows character offsets.
        vectors: Text vectors of entities and relations; ``None`` where no part reads them.
        task: Makes and packs what is asked.
        max_tokens: Longer texts are cut.
        states: Cached states after the frozen layers, if any.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        vectors: Vectors | None,
        task: Asks,
        *,
        max_tokens: int = 128,
        states: States | None = None,
    ) -> None:
        if not tokenizer.is_fast:
            raise ValueError("kgfm needs a fast tokenizer: one that knows character offsets.")
        self.tokenizer = tokenizer
        self.vectors = vectors
        self.task = task
        self.max_tokens = max_tokens
        self.states = states

    def prepare(
        self,
        examples: Sequence[Example],
        rows: Sequence[Sequence[Row]],
        asked: Sequence[Sequence[Asked]],
        subgraphs: Sequence[Sequence[Subgraph]],
        graph: Any = None,
    ) -> list[Prepared]:
        """Tokenise texts, align their mentions and make what the task asks.

        Warns:
            UserWarning: Texts are cut at ``max_tokens``.

        Args:
            examples: What is asked.
            rows: The texts to read of each example, from the task.
            asked: What each of them names.
            subgraphs: Of each of them.
            graph: Knows the rows of entities by key.
        """
        flat = [row for of_example in rows for row in of_example]
        read = iter(self._read(flat))
        prepared = []
        for example, questions, cuts in zip(examples, asked, subgraphs, strict=True):
            made = tuple(
                _row(*next(read), question, cut, graph)
                for question, cut in zip(questions, cuts, strict=True)
            )
            target = self.task.target(example, made, graph)
            prepared.append(Prepared(made, target, self.task.known(example)))
        self._warn_of_cuts(flat, [row for one in prepared for row in one.rows])
        return prepared

    def _read(self, rows: Sequence[Row]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Token ids and offsets in ``Row.source`` of each text or pair."""
        # A lone surrogate cannot be encoded; its stand-in has the same length, so offsets hold.
        found: list[Any] = [None] * len(rows)
        for paired in (False, True):
            places = [n for n, row in enumerate(rows) if (row.pair is not None) == paired]
            if not places:
                continue
            texts = [_without_surrogates(rows[n].text) for n in places]
            pairs = [_without_surrogates(rows[n].pair or "") for n in places] if paired else None
            encoded = self.tokenizer(
                texts,
                pairs,
                truncation=True,
                max_length=self.max_tokens,
                return_offsets_mapping=True,
                return_attention_mask=False,
                return_token_type_ids=False,
            )
            for place, n in enumerate(places):
                ids = np.asarray(encoded["input_ids"][place], dtype=np.int64)
                spans = np.asarray(encoded["offset_mapping"][place], dtype=np.int64).reshape(-1, 2)
                if paired:
                    second = np.array([number == 1 for number in encoded.sequence_ids(place)])
                    spans = spans + (second * (len(rows[n].text) + 1))[:, None]
                found[n] = (ids, spans)
        return found

    def _warn_of_cuts(self, rows: Sequence[Row], made: Sequence[PreparedRow]) -> None:
        """Say how many texts, and mentions in them, stand behind the last token that is read."""
        cut = unread = 0
        for row, one in zip(rows, made, strict=True):
            if len(one.input_ids) < self.max_tokens:
                continue
            if one.offsets[:, 1].max(initial=0) < len(row.source.rstrip()):
                cut += 1
                unread += int((one.mention_span[:, 0] < 0).sum())
        if cut:
            warnings.warn(
                f"{cut:,} of {len(rows):,} texts are longer than max_tokens={self.max_tokens}: "
                f"what stands behind is not read, {unread:,} mentions in it included.",
                UserWarning,
                stacklevel=3,
            )

    def pack(self, prepared: Sequence[Prepared]) -> Batch:
        """Put prepared texts into one batch."""
        if not prepared:
            raise ValueError("A batch needs at least one text.")
        rows = [row for one in prepared for row in one.rows]
        cuts = [row.subgraph for row in rows]
        tokens = [row.input_ids for row in rows]
        input_ids, attention_mask = padded_ids(tokens, self.tokenizer.pad_token_id or 0)
        counts = np.array([len(cut.nodes) for cut in cuts])
        starts = np.concatenate([[0], np.cumsum(counts)])
        entities = _joined([cut.nodes for cut in cuts])
        candidates = _joined([row.candidate_entity for row in rows])
        features, relations, place = self._features(np.concatenate([entities, candidates]))
        slot = np.arange(max(1, counts.max()))
        node_mask = slot < counts[:, None]
        edges = np.concatenate(
            [cut.edge_index + start for cut, start in zip(cuts, starts, strict=False)], axis=1
        ).astype(np.int64)
        types = _joined([cut.edge_type for cut in cuts])
        sizes = [len(one.rows) for one in prepared]
        first_row = np.concatenate([[0], np.cumsum(sizes)])
        mentions = np.array([len(row.mention_node) for row in rows])
        arrays = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "node_features": features,
            "node_feature": place[: len(entities)],
            "node_entity": entities,
            "node_text": np.repeat(np.arange(len(rows)), counts),
            "node_hops": _joined([cut.hops for cut in cuts]),
            "node_slot": np.where(node_mask, starts[:-1, None] + slot, 0),
            "node_mask": node_mask,
            "edge_index": np.concatenate([edges, edges[::-1]], axis=1),
            "edge_type": np.concatenate([types, types + len(relations)]),
            "relation_features": relations,
            "aligned": _numbered([row.aligned for row in rows]),
            "mention_span": _numbered([row.mention_span.T for row in rows]).T,
            "mention_node": np.concatenate(
                [
                    np.where(row.mention_node < 0, -1, row.mention_node + start)
                    for row, start in zip(rows, starts, strict=False)
                ]
            ),
            "candidate_mention": np.concatenate(
                [
                    row.candidate_mention + start
                    for row, start in zip(rows, np.cumsum(mentions) - mentions, strict=True)
                ]
            ),
            "candidate_feature": place[len(entities) :],
            "candidate_prior": np.concatenate([row.candidate_prior for row in rows]),
            "example_of_row": np.repeat(np.arange(len(prepared)), sizes),
            "first_row": first_row[:-1],
        }
        if any(cut.prior is not None for cut in cuts):
            arrays["node_prior"] = np.concatenate(
                [np.zeros(len(cut.nodes)) if cut.prior is None else cut.prior for cut in cuts]
            ).astype(np.float32)
        states = padded_states(self.states, tokens)
        if states is not None:
            arrays["lower_states"] = states
        return Batch(
            **{name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()},
            asked=self.task.pack(prepared, Layout(first_row, starts, entities)),
        )

    def _features(self, entities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Text vectors of the distinct entities and of the relations, and each one's row."""
        distinct, place = np.unique(entities, return_inverse=True)
        if self.vectors is None:
            return np.zeros((len(distinct), 0), np.float32), np.zeros((0, 0), np.float32), place
        vectors = self.vectors.entities(distinct).astype(np.float32)
        relations = np.array(self.vectors.relations, dtype=np.float32)
        return vectors, relations, place.reshape(-1)


def _joined(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(arrays).astype(np.int64)


def _numbered(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Join arrays of columns, the number of its array before each column."""
    numbers = np.repeat(np.arange(len(columns)), [part.shape[1] for part in columns])
    return np.vstack([numbers, np.concatenate(columns, axis=1)]).astype(np.int64)


def _row(
    ids: np.ndarray, offsets: np.ndarray, asked: Asked, subgraph: Subgraph, graph: Any
) -> PreparedRow:
    """Align a text's mentions with its tokens and its subgraph."""
    place = {int(row): node for node, row in enumerate(subgraph.nodes[: subgraph.num_seeds])}
    spans = np.full((len(asked.mentions), 2), -1, dtype=np.int64)
    nodes = np.array([place.get(int(row), -1) for row in asked.rows], dtype=np.int64)
    pairs: list[tuple[int, int]] = []
    for number, mention in enumerate(asked.mentions):
        inside = np.flatnonzero((offsets[:, 0] < mention.end) & (offsets[:, 1] > mention.start))
        if len(inside):
            spans[number] = inside[0], inside[-1] + 1
        if nodes[number] >= 0:
            pairs += [(int(token), int(nodes[number])) for token in inside]
    aligned = np.array(sorted(set(pairs)), dtype=np.int64).reshape(-1, 2).T
    return PreparedRow(ids, offsets, subgraph, aligned, spans, nodes, *_candidates(asked, graph))


def _candidates(asked: Asked, graph: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mention, row in the graph and prior of the linker's best candidates."""
    found: list[tuple[int, int, float]] = []
    for number, (mention, row) in enumerate(zip(asked.mentions, asked.rows, strict=True)):
        weighed = mention.candidates[:MOST_CANDIDATES]
        if not weighed and row >= 0:
            found.append((number, int(row), mention.score))
        for key, prior in weighed if graph is not None else ():
            known = int(graph.keys.find(key))
            if known >= 0:
                found.append((number, known, prior))
    mentions, rows = (np.array([one[n] for one in found], np.int64) for n in (0, 1))
    return mentions, rows, np.array([one[2] for one in found], np.float32)


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-16", "replace").decode("utf-16", "replace")


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
