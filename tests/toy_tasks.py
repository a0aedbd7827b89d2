"""Three small tasks of other kinds than kgfm's own: to rank, to choose, to label spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kgfm.batch import Batch, Layout, Prepared, PreparedRow, Tensors
from kgfm.tasks import AnswerTask, Output, Report, Task
from kgfm.tasks.base import mean_of_known, pooled, seed_mean
from kgfm.types import Answer, Example, Row


class RankTask(AnswerTask):
    """kgfm's own way to answer, under a name that nothing in kgfm can know."""


@dataclass
class RightChoice(Tensors):
    """The right row of each example."""

    row: Tensor
    known: Tensor


class ChooseTask(Task):
    """Choose one of several texts: each is read with the question, and scored."""

    monitor = "accuracy"

    def __init__(self, width: int, node_width: int) -> None:
        super().__init__()
        self.text = nn.Linear(width, 1)
        self.graph = nn.Linear(node_width, 1) if node_width else None

    def rows(self, example: Example) -> Sequence[Row]:
        return tuple(Row(example.text, choice) for choice in example.choices)

    def target(self, example: Example, rows: Sequence[PreparedRow], graph: Any) -> int:
        return example.choices.index(example.target[0]) if example.target else -1

    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> RightChoice | None:
        known = torch.tensor([one.known for one in prepared])
        right = torch.tensor([one.target for one in prepared])
        return RightChoice(torch.from_numpy(layout.first_row[:-1]) + right, known)

    def forward(
        self, tokens: Tensor, nodes: Tensor | None, batch: Batch, read: Tensor | None = None
    ) -> Output:
        logits = self.text(pooled(tokens, batch, read))
        if self.graph is not None and nodes is not None:
            logits = logits + self.graph(seed_mean(nodes, batch))
        output = Output(tokens, logits.squeeze(1))
        asked = batch.asked
        if isinstance(asked, RightChoice) and bool(asked.known.any()):
            log = self.probabilities(output, batch).clamp(min=1e-9).log()
            output.loss = mean_of_known(-log[asked.row.clamp(min=0)], asked.known)
        return output

    def probabilities(self, output: Output, batch: Batch) -> Tensor:
        powers = (output.logits - output.logits.max()).exp()
        sums = powers.new_zeros(batch.num_examples).index_add(0, batch.example_of_row, powers)
        return powers / sums[batch.example_of_row]

    def answers(
        self, output: Output, batch: Batch, examples: Sequence[Example], graph: Any
    ) -> list[tuple[Answer, ...]]:
        found, scores = [], self.probabilities(output, batch).tolist()
        for start, example in zip(batch.first_row.tolist(), examples, strict=True):
            mine = scores[start : start + len(example.choices)]
            ranked = sorted(zip(example.choices, mine, strict=True), key=lambda one: -one[1])
            found.append((Answer(*ranked[0], tuple(ranked), (ranked[0][0],)),))
        return found

    def option(self, answer: str, example: Example, graph: Any) -> int:
        return example.choices.index(answer)

    def score(self, output: Output, batch: Batch, option: int, about: int = 0) -> Tensor:
        return self.probabilities(output, batch)[batch.first_row + option]

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        asked = batch.asked
        assert isinstance(asked, RightChoice)
        best = output.logits.new_full((batch.num_examples,), -torch.inf)
        best = best.scatter_reduce(0, batch.example_of_row, output.logits, "amax")
        right = output.logits[asked.row] == best
        return {"right": right[asked.known].float()}

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        return {"accuracy": float(rows["right"].mean())}

    def report(self) -> Report:
        return Report("choice")


@dataclass
class Spans(Tensors):
    """Every span asked about: its row, first token, one past its last, and its label or -1."""

    place: Tensor
    label: Tensor


class SpanTask(Task):
    """A label for each span that an example asks about."""

    monitor = "accuracy"
    reads_spans = 1

    def __init__(self, width: int, node_width: int, labels: Sequence[str] = ()) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.mark = nn.Parameter(torch.zeros(width))
        self.label = nn.Linear(width, len(self.labels))

    @classmethod
    def learned(cls, examples: Sequence[Example], given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "labels": sorted({x for e in examples for one in e.about for x in one.labels or ()})
        }

    @classmethod
    def trial(cls) -> dict[str, Any]:
        return {"labels": ("a", "b")}

    def known(self, example: Example) -> bool:
        return all(one.labels is not None for one in example.about)

    def target(
        self, example: Example, rows: Sequence[PreparedRow], graph: Any
    ) -> list[tuple[int, int, int]]:
        found = []
        for one in example.about:
            tokens = rows[0].tokens_of(*one.spans[0]) or (0, 1)
            found.append((*tokens, self.labels.index(one.labels[0]) if one.labels else -1))
        return found

    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> Spans:
        flat = [(row, *one) for row, item in enumerate(prepared) for one in item.target]
        array = torch.tensor(flat).reshape(-1, 4)
        return Spans(array[:, :3], array[:, 3])

    def _weights(self, batch: Batch) -> Tensor:
        assert isinstance(batch.asked, Spans)
        token = torch.arange(batch.input_ids.shape[1])
        first, end = batch.asked.place[:, 1:2], batch.asked.place[:, 2:3]
        return ((token >= first) & (token < end)).float()

    def enter(self, tokens: Tensor, batch: Batch) -> Tensor:
        assert isinstance(batch.asked, Spans)
        inside = torch.zeros(tokens.shape[:2]).index_add(
            0, batch.asked.place[:, 0], self._weights(batch)
        )
        return tokens + inside.clamp(max=1.0)[..., None] * self.mark

    def forward(
        self, tokens: Tensor, nodes: Tensor | None, batch: Batch, read: Tensor | None = None
    ) -> Output:
        assert isinstance(batch.asked, Spans)
        weights = self._weights(batch)
        mean = (tokens[batch.asked.place[:, 0]] * weights[..., None]).sum(1)
        logits = self.label(mean / weights.sum(1, keepdim=True))
        right = batch.asked.label
        loss = functional.cross_entropy(logits, right) if bool((right >= 0).all()) else None
        return Output(tokens, logits, loss=loss)

    def probabilities(self, output: Output, batch: Batch) -> Tensor:
        return output.logits.softmax(-1)

    def answers(
        self, output: Output, batch: Batch, examples: Sequence[Example], graph: Any
    ) -> list[tuple[Answer, ...]]:
        found, scores = [], iter(self.probabilities(output, batch).tolist())
        for example in examples:
            said = []
            for one in example.about:
                ranked = sorted(zip(self.labels, next(scores), strict=True), key=lambda x: -x[1])
                said.append(Answer(*ranked[0], tuple(ranked), (ranked[0][0],), one))
            found.append(tuple(said))
        return found

    def option(self, answer: str, example: Example, graph: Any) -> int:
        return self.labels.index(answer)

    def score(self, output: Output, batch: Batch, option: int, about: int = 0) -> Tensor:
        assert isinstance(batch.asked, Spans)
        rows = batch.asked.place[:, 0].contiguous()
        first = torch.searchsorted(rows, torch.arange(len(batch)))
        return self.probabilities(output, batch)[first + about, option]

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(batch.asked, Spans)
        return {"right": (output.logits.argmax(1) == batch.asked.label).float()}

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        return {"accuracy": float(rows["right"].mean())}

    def report(self) -> Report:
        return Report("label", self.labels)
