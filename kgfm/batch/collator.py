"""From texts and subgraphs to tensors: tokenise, align mentions, pack without padding nodes.

``numpy`` ends here and ``torch`` begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from kgfm.batch.padding import padded_ids, padded_states
from kgfm.batch.prepared import Asks, Layout, Prepared, PreparedRow, States, Vectors, prepared_row
from kgfm.batch.reading import read_rows, warn_of_cuts
from kgfm.batch.tensors import Batch, Once
from kgfm.types import Asked, Example, Row, Subgraph

LEAST = 1e-4
"""The least probability that a prior gives."""


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
        # Evidence asks one text over and over, each time of another graph: it is read once.
        distinct = list(dict.fromkeys(flat))
        read = dict(
            zip(distinct, read_rows(self.tokenizer, distinct, self.max_tokens), strict=True)
        )
        made: dict[tuple[int, ...], PreparedRow] = {}  # rows that differ in nothing are one
        prepared, aligned = [], []
        for example, own, questions, cuts in zip(examples, rows, asked, subgraphs, strict=True):
            mine = []
            for row, question, cut in zip(own, questions, cuts, strict=True):
                for one in read[row]:
                    same = id(one.input_ids), id(one.offsets), id(question), id(cut)
                    if same not in made:
                        made[same] = prepared_row(one.input_ids, one.offsets, question, cut, graph)
                    mine.append(made[same])
                    aligned.append((row.source, one, made[same]))
            target = self.task.target(example, tuple(mine), graph)
            prepared.append(Prepared(tuple(mine), target, self.task.known(example)))
        warn_of_cuts(aligned, self.max_tokens)
        return prepared

    def pack(self, prepared: Sequence[Prepared]) -> Batch:
        """Put prepared texts into one batch."""
        if not prepared:
            raise ValueError("A batch needs at least one text.")
        rows = [row for one in prepared for row in one.rows]
        given, layout = self._packed(rows, [len(one.rows) for one in prepared])
        states = padded_states(self.states, [row.input_ids for row in rows])
        if states is not None:
            given["lower_states"] = torch.from_numpy(states)
        asked = self.task.pack(prepared, layout)
        return Batch(**given, **self._alike(rows, layout), asked=asked)

    def _alike(self, rows: Sequence[PreparedRow], layout: Layout) -> dict[str, Any]:
        """What need not be computed for each row, where there are rows of the same tokens."""
        first: dict[bytes, int] = {}
        twin = [first.setdefault(row.input_ids.tobytes(), n) for n, row in enumerate(rows)]
        if len(first) == len(rows):
            return {}
        known: dict[tuple[int, int], int] = {}
        pairs = [(n, id(row.subgraph)) for n, row in zip(twin, rows, strict=True)]
        place = [known.setdefault(pair, len(known)) for pair in pairs]
        once = None
        if self.vectors is not None and len(known) < len(rows) and len(layout.entities):
            own = np.unique(place, return_index=True)[1]
            given, inner = self._packed([rows[n] for n in own], [1] * len(own))
            nodes = [
                np.arange(inner.first_node[n], inner.first_node[n + 1], dtype=np.int64)
                for n in place
            ]
            numbers = torch.from_numpy(own), torch.from_numpy(np.concatenate(nodes))
            once = Once(Batch(**given), *numbers)
        return {"twin": torch.tensor(twin), "once": once}

    def _packed(
        self, rows: Sequence[PreparedRow], sizes: Sequence[int]
    ) -> tuple[dict[str, Any], Layout]:
        """The tensors of rows, so many for each example, and where they lie."""
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
            "example_of_row": np.repeat(np.arange(len(sizes)), sizes),
            "first_row": first_row[:-1],
        }
        if any(cut.prior is not None for cut in cuts):
            arrays["node_prior"] = np.concatenate(
                [np.zeros(len(cut.nodes)) if cut.prior is None else cut.prior for cut in cuts]
            ).astype(np.float32)
        if any(cut.edge_weight is not None for cut in cuts):
            weights = np.concatenate([_weights(cut) for cut in cuts])
            arrays["edge_weight"] = np.concatenate([weights, weights])
        found = tuple(cut.found for cut in cuts)
        if any(one is not None for one in found):
            arrays |= _of_sets(cuts)
        else:
            found = ()
        made = {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}
        return made | {"found": found}, Layout(first_row, starts, entities)

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


def _weights(cut: Subgraph) -> np.ndarray:
    weight = cut.edge_weight
    ones = np.ones(len(cut.edge_type), np.float32)
    return ones if weight is None else weight.astype(np.float32)


def _of_sets(cuts: Sequence[Subgraph]) -> dict[str, np.ndarray]:
    """Which nodes are in the set that was found, and how likely there is nothing to find."""
    none = np.empty(0, np.int64)
    inside = [np.isin(c.nodes, none if c.found is None else c.found.rows) for c in cuts]
    lacking = np.array([0.0 if c.found is None else c.found.lacking for c in cuts])
    return {
        "node_found": np.concatenate(inside),
        "nil_prior": np.log(np.clip(lacking, LEAST, 1.0)).astype(np.float32),
    }


def _numbered(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Join arrays of columns, the number of its array before each column."""
    numbers = np.repeat(np.arange(len(columns)), [part.shape[1] for part in columns])
    return np.vstack([numbers, np.concatenate(columns, axis=1)]).astype(np.int64)
