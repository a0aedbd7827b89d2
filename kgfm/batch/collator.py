"""From texts and subgraphs to tensors: tokenise, align mentions, pack without padding nodes.

``numpy`` ends here and ``torch`` begins.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from kgfm.batch.padding import padded_ids, padded_states
from kgfm.batch.prepared import Asks, Layout, Prepared, PreparedRow, States, Vectors, prepared_row
from kgfm.batch.tensors import Batch
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
        read = dict(zip(distinct, self._read(distinct), strict=True))
        prepared = []
        for example, own, questions, cuts in zip(examples, rows, asked, subgraphs, strict=True):
            made = tuple(
                prepared_row(*read[row], question, cut, graph)
                for row, question, cut in zip(own, questions, cuts, strict=True)
            )
            target = self.task.target(example, made, graph)
            prepared.append(Prepared(made, target, self.task.known(example)))
        made_of = dict(zip(flat, (row for one in prepared for row in one.rows), strict=True))
        self._warn_of_cuts(made_of)
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

    def _warn_of_cuts(self, made: Mapping[Row, PreparedRow]) -> None:
        """Say how many texts, and mentions in them, stand behind the last token that is read."""
        cut = unread = 0
        for row, one in made.items():
            if len(one.input_ids) < self.max_tokens:
                continue
            if one.offsets[:, 1].max(initial=0) < len(row.source.rstrip()):
                cut += 1
                unread += int((one.mention_span[:, 0] < 0).sum())
        if cut:
            warnings.warn(
                f"{cut:,} of {len(made):,} texts are longer than max_tokens={self.max_tokens}: "
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
        found = tuple(cut.found for cut in cuts)
        if any(one is not None for one in found):
            arrays |= _of_sets(cuts)
        else:
            found = ()
        states = padded_states(self.states, tokens)
        if states is not None:
            arrays["lower_states"] = states
        return Batch(
            **{name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()},
            found=found,
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


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-16", "replace").decode("utf-16", "replace")
