"""Windows of sentences as tensors: tokens, the words asked for, and their candidate synsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from kgfm.batch import States, Tensors, all_known, padded_ids, padded_states
from kgfm.linking.formats.wsd import Instance, Sentence
from kgfm.senses.corpus import windows
from kgfm.senses.inventory import Inventory, Pointers


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """Neighbouring sentences made ready: all that does not depend on the rest of the batch."""

    input_ids: Int[np.ndarray, "token"]
    ids: tuple[str, ...]
    """Of the instances."""
    pieces: Int[np.ndarray, "piece"]
    """Tokens that the instances are made of."""
    piece_word: Int[np.ndarray, "piece"]
    """The instance of each of them."""
    candidates: Int[np.ndarray, "candidate"]
    """Rows of the instances' synsets in the graph."""
    candidate_word: Int[np.ndarray, "candidate"]
    order: Int[np.ndarray, "candidate"]
    """WordNet's sense number."""
    right: Bool[np.ndarray, "candidate"]
    unseen: Bool[np.ndarray, "word"]
    """True for instances whose word is not among those of training."""

    @property
    def num_tokens(self) -> int:
        return len(self.input_ids)

    @property
    def known(self) -> bool:
        """Whether there are instances."""
        return bool(self.ids)


@dataclass
class SenseBatch(Tensors):
    """Windows as tensors; the instances of all of them lie flat, and so do their candidates."""

    input_ids: Int[Tensor, "batch token"]
    attention_mask: Int[Tensor, "batch token"]
    pieces: Int[Tensor, "piece"]
    """Places in the flattened tokens."""
    piece_word: Int[Tensor, "piece"]
    synsets: Int[Tensor, "synset"]
    """Rows in the graph of the distinct candidates."""
    candidate: Int[Tensor, "candidate"]
    """The place of each candidate in ``synsets``."""
    candidate_word: Int[Tensor, "candidate"]
    order: Int[Tensor, "candidate"]
    right: Bool[Tensor, "candidate"]
    unseen: Bool[Tensor, "word"]
    nodes: Int[Tensor, "node"]
    """Rows in the graph: the candidates, then the other synsets that point to them."""
    edge_index: Int[Tensor, "2 edge"]
    """From a node to a candidate, places in ``nodes``."""
    edge_kind: Int[Tensor, "edge"]
    edge_weight: Float[Tensor, "edge"]
    lower_states: Float[Tensor, "batch token width"] | None = None
    """Cached states after the frozen layers."""
    word_states: Float[Tensor, "word layer width"] | None = None
    """Cached states of the words, of a backbone that is not trained at all."""

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def num_words(self) -> int:
        return len(self.unseen)

    def word_windows(self) -> Int[Tensor, "word"]:
        """Return the number of each word's window in the batch."""
        of_piece = self.pieces // self.input_ids.shape[1]
        return of_piece.new_zeros(self.num_words).scatter(0, self.piece_word, of_piece)


@runtime_checkable
class Words(Protocol):
    """Cached states of words; see :class:`kgfm.senses.word_states.WordStates`."""

    def get(self, window: PreparedWindow, /) -> np.ndarray | None: ...


class SenseCollator:
    """Turn tagged sentences into windows, and windows into a :class:`SenseBatch`.

    Args:
        tokenizer: Of the backbone; a fast one.
        inventory: The senses of words.
        max_tokens: Of a window, unless one sentence is longer; the tokenizer's limit cuts it.
        pointers: The edges between synsets that a batch has; ``None`` gives none.
        states: Cached states after the frozen layers, if any.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        inventory: Inventory,
        *,
        max_tokens: int = 100,
        pointers: Pointers | None = None,
        states: States | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.inventory = inventory
        self.max_tokens = max_tokens
        self.pointers = pointers
        self.states = states
        self.word_states: Words | None = None

    def prepare(
        self,
        sentences: Sequence[Sentence],
        *,
        join: bool = True,
        known: set[tuple[str, str]] | None = None,
        max_tokens: int | None = None,
    ) -> list[PreparedWindow]:
        """Tokenise sentences, a window of neighbours at a time.

        Args:
            sentences: In the order of their documents.
            join: ``False`` packs sentences that have nothing to do with each other, with a
                separator between them.
            known: The words of training, for a figure of their own for all others.
            max_tokens: Of a window, if not those of the collator.
        """
        if not sentences:
            return []
        encoded = self.tokenizer(
            [sentence.text for sentence in sentences],
            add_special_tokens=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        size = self.max_tokens if max_tokens is None else max_tokens
        room = min(self.tokenizer.model_max_length, 512) - 2
        tokens = [np.asarray(ids[:room], dtype=np.int64) for ids in encoded["input_ids"]]
        offsets = [
            np.asarray(pairs[:room], dtype=np.int64).reshape(-1, 2)
            for pairs in encoded["offset_mapping"]
        ]
        lengths = [len(ids) + (not join) for ids in tokens]
        return [
            self._window(
                [sentences[place] for place in places],
                [tokens[place] for place in places],
                [offsets[place] for place in places],
                join=join,
                known=known,
            )
            for places in windows(sentences, lengths, size - 2, join=join)
        ]

    def _window(
        self,
        sentences: Sequence[Sentence],
        tokens: Sequence[np.ndarray],
        offsets: Sequence[np.ndarray],
        *,
        join: bool,
        known: set[tuple[str, str]] | None,
    ) -> PreparedWindow:
        begin, end = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        parts: list[np.ndarray] = [np.array([begin], dtype=np.int64)]
        words: list[tuple[Instance, np.ndarray]] = []
        start = 1
        for sentence, ids, pairs in zip(sentences, tokens, offsets, strict=True):
            words += [(one, start + found) for one, found in _pieces(sentence, pairs)]
            parts += [ids] if join else [ids, np.array([end], dtype=np.int64)]
            start += len(ids) + (not join)
        parts += [np.array([end], dtype=np.int64)] if join else []
        given = [self.inventory.candidates(one.lemma, one.pos) for one, _ in words]
        return PreparedWindow(
            np.concatenate(parts),
            tuple(one.id for one, _ in words),
            *_flat([found for _, found in words]),
            *_flat([found.rows for found in given]),
            _flat([found.order for found in given])[0],
            _flat([self.inventory.right(one) for one, _ in words])[0].astype(bool),
            np.array(
                [
                    known is not None and not self.inventory.words([one]) <= known
                    for one, _ in words
                ],
                dtype=bool,
            ),
        )

    def pack(self, windows: Sequence[PreparedWindow]) -> SenseBatch:
        """Put windows into one batch."""
        tokens = [item.input_ids for item in windows]
        input_ids, attention_mask = padded_ids(tokens, self.tokenizer.pad_token_id or 0)
        first = np.concatenate([[0], np.cumsum([len(item.ids) for item in windows])])[:-1]
        rows = np.concatenate([item.candidates for item in windows])
        synsets, candidate = np.unique(rows, return_inverse=True)
        arrays = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "pieces": np.concatenate(
                [item.pieces + row * input_ids.shape[1] for row, item in enumerate(windows)]
            ),
            "piece_word": np.concatenate(
                [item.piece_word + start for item, start in zip(windows, first, strict=True)]
            ),
            "synsets": synsets,
            "candidate": candidate.reshape(-1),
            "candidate_word": np.concatenate(
                [item.candidate_word + start for item, start in zip(windows, first, strict=True)]
            ),
            "order": np.concatenate([item.order for item in windows]),
            "right": np.concatenate([item.right for item in windows]),
            "unseen": np.concatenate([item.unseen for item in windows]),
            **self._edges(synsets),
        }
        states = None if self.word_states is not None else padded_states(self.states, tokens)
        if states is not None:
            arrays["lower_states"] = states
        words = self._words(windows)
        if words is not None:
            arrays["word_states"] = words
        return SenseBatch(**{name: torch.from_numpy(array) for name, array in arrays.items()})

    def _edges(self, synsets: np.ndarray) -> dict[str, np.ndarray]:
        pointers = self.pointers or self.inventory.pointers
        rows = synsets if self.pointers else synsets[:0]
        edges, target = pointers.into(rows)
        source = pointers.source[edges]
        nodes = np.concatenate([synsets, np.setdiff1d(source, synsets)])
        order = np.argsort(nodes, kind="stable")
        place = order[np.searchsorted(nodes, source, sorter=order)] if len(source) else source
        return {
            "nodes": nodes,
            "edge_index": np.stack([place, target]),
            "edge_kind": pointers.kind[edges],
            "edge_weight": pointers.weight[edges],
        }

    def _words(self, windows: Sequence[PreparedWindow]) -> np.ndarray | None:
        if self.word_states is None:
            return None
        found = all_known([self.word_states.get(item) for item in windows])
        return None if found is None else np.concatenate(found).astype(np.float32)


def _pieces(sentence: Sentence, offsets: np.ndarray) -> Iterator[tuple[Instance, np.ndarray]]:
    """Return each instance with the tokens that overlap it; one that was cut off is left out."""
    for one in sentence.instances:
        inside = (offsets[:, 0] < one.end) & (offsets[:, 1] > one.start)
        if inside.any():
            yield one, np.flatnonzero(inside)


def _flat(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return all parts in one array, and the number of the part that each value comes from."""
    counts = [len(part) for part in parts]
    values = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    if parts and parts[0].dtype == bool:
        values = values.astype(bool)
    return values, np.repeat(np.arange(len(parts)), counts)
