"""Rank the entities of the subgraph as answers to the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kgfm.batch import Batch, Layout, Prepared, PreparedRow, Tensors
from kgfm.metrics import hits_at_k, mrr
from kgfm.registry import check_probabilities
from kgfm.retrieval import Graph
from kgfm.tasks.base import Output, Report, Task, mean_of_known, pooled
from kgfm.types import NIL, Answer, Example

BEST = 10
"""Entities that an answer lists, before NIL."""
_NIL = -1


@dataclass
class RightNodes(Tensors):
    """What is right about the texts of a batch."""

    node: Bool[Tensor, "node"]
    """True for each right answer among the nodes."""
    answerable: Bool[Tensor, "batch"]
    """False where nothing in the graph answers: NIL is right."""
    known: Bool[Tensor, "batch"]
    """False for texts of which nothing is known."""


class AnswerTask(Task):
    """Score each node against the question: ``MLP[n; Wq; n * Wq]``, and NIL by the question alone.

    Where the retriever has an opinion about the nodes, its logit is added to theirs.

    The probabilities of a text's nodes and of NIL sum to one. The loss is the
    cross-entropy to the uniform distribution over the right answers among the nodes (as in ReaRev,
    Mavromatis and Karypis, 2022, sec. 3, up to a constant), or to NIL where there is none.

    Args:
        width: Width of the tokens.
        node_width: Width of the node states.
        hidden_width: Of the perceptron.
        dropout: Before the perceptron.

    Raises:
        ValueError: There are no nodes to rank (``node_width`` is 0), or ``dropout`` is no
            probability under 1.
    """

    monitor = "hits@1"
    ranks_nodes = True

    def __init__(
        self, width: int, node_width: int, *, hidden_width: int = 256, dropout: float = 0.1
    ) -> None:
        super().__init__()
        if not node_width:
            raise ValueError("answer ranks nodes, so it needs an encoder; take 'text' or 'rgcn'.")
        check_probabilities(dropout=dropout)
        self.question = nn.Linear(width, node_width)
        self.dropout = nn.Dropout(dropout)
        self.rank = nn.Sequential(
            nn.Linear(3 * node_width, hidden_width), nn.GELU(), nn.Linear(hidden_width, 1)
        )
        self.nil = nn.Linear(width, 1)

    def target(
        self, example: Example, rows: Sequence[PreparedRow], graph: Graph | None
    ) -> Int[np.ndarray, "answer"]:
        """Rows of the right answers in the graph.

        Raises:
            KeyError: One is not in the graph.
        """
        if not example.target or graph is None:
            return np.zeros(0, dtype=np.int64)
        return graph.rows(list(example.target))

    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> RightNodes | None:
        """Mark the right answers among the nodes."""
        known = np.array([one.known for one in prepared])
        if not known.any():
            return None
        right = np.zeros(len(layout.entities), dtype=bool)
        for text, one in enumerate(prepared):
            part = slice(layout.first_node[text], layout.first_node[text + 1])
            right[part] = np.isin(layout.entities[part], one.target)
        answerable = np.array([len(one.target) > 0 for one in prepared])
        return RightNodes(*map(torch.from_numpy, (right, answerable, known)))

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
        read: Float[Tensor, "batch width"] | None = None,
    ) -> Output:
        """Return one logit per node, and one per text for NIL."""
        if nodes is None:
            raise ValueError("answer ranks nodes, so the model needs an encoder.")
        text = pooled(tokens, batch, read)
        question = self.question(self.dropout(text))[batch.node_text]
        pairs = torch.cat([nodes, question, nodes * question], dim=1)
        logits = self.rank(self.dropout(pairs)).squeeze(1)
        if batch.node_prior is not None:
            logits = logits + batch.node_prior
        output = Output(tokens, logits, nil=self.nil(text).squeeze(1))
        output.loss = self._loss(output, batch)
        return output

    def _loss(self, output: Output, batch: Batch) -> Tensor | None:
        if not isinstance(batch.asked, RightNodes):
            return None
        assert output.nil is not None
        everything = self._log_sum(output.logits, output.nil, batch)
        target = batch.asked.node.to(output.logits.dtype)
        count = torch.zeros_like(output.nil).index_add(0, batch.node_text, target)
        total = torch.zeros_like(output.nil).index_add(0, batch.node_text, output.logits * target)
        right = torch.where(count > 0, total / count.clamp(min=1.0), output.nil)
        return mean_of_known(everything - right, batch.asked.known)

    @staticmethod
    def _log_sum(logits: Tensor, nil: Tensor, batch: Batch) -> Float[Tensor, "batch"]:
        """Log of the sum of ``exp`` over each text's nodes and its NIL."""
        with torch.no_grad():
            top = nil.scatter_reduce(0, batch.node_text, logits, "amax")
        total = (nil - top).exp()
        total = total.index_add(0, batch.node_text, (logits - top[batch.node_text]).exp())
        return total.log() + top

    def probabilities(self, output: Output, batch: Batch) -> Float[Tensor, "node"]:
        """Probability of each node; what is left of a text's one is the probability of NIL."""
        assert output.nil is not None
        total = self._log_sum(output.logits, output.nil, batch)
        return (output.logits - total[batch.node_text]).exp()

    def answers(
        self, output: Output, batch: Batch, examples: Sequence[Example], graph: Graph | None
    ) -> list[tuple[Answer, ...]]:
        """Rank each text's nodes and NIL."""
        assert graph is not None
        probabilities = self.probabilities(output, batch).double().cpu().numpy()
        entities = batch.node_entity.cpu().numpy()
        bounds = np.cumsum([0, *batch.node_mask.sum(1).tolist()])
        found: list[tuple[Answer, ...]] = []
        for start, end in pairwise(bounds.tolist()):
            scores = probabilities[start:end]
            best = np.argsort(-scores, kind="stable")[:BEST]
            ranked = [(graph.keys[int(entities[start + n])], float(scores[n])) for n in best]
            ranked.append((NIL, max(0.0, 1.0 - float(scores.sum()))))
            ranked.sort(key=lambda item: -item[1])
            answer, score = ranked[0]
            found.append((Answer(answer, score, tuple(ranked), (answer,)),))
        return found

    def option(self, answer: str, example: Example, graph: Graph | None) -> int:
        """Row of the entity in the graph; NIL has a number of its own."""
        if answer == NIL:
            return _NIL
        known = -1 if graph is None else int(graph.keys.find(answer))
        if known < 0:
            raise ValueError(f"No entity {answer!r} in the graph, so it cannot be the answer.")
        return known

    def score(
        self, output: Output, batch: Batch, option: int, about: int = 0
    ) -> Float[Tensor, "example"]:
        """Probability of an entity among each text's nodes, or of NIL."""
        probabilities = self.probabilities(output, batch)
        sums = probabilities.new_zeros(len(batch))
        if option == _NIL:
            return 1 - sums.index_add(0, batch.node_text, probabilities)
        of_it = (batch.node_entity == option).to(probabilities.dtype)
        return sums.index_add(0, batch.node_text, probabilities * of_it)

    def shown(self, answer: str, graph: Graph | None) -> str:
        """Return the entity's label."""
        if answer == NIL or graph is None:
            return "(nothing in the graph answers this)"
        return graph.label(answer)

    def report(self) -> Report:
        """Answers are entities, another set of them for each text."""
        return Report("entity", several=True)

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return, per text, the rank of the best right answer and whether the answer is right.

        The rank counts the nodes only; it is 0 where no right answer is among them, and -1 where
        the text has none (NIL is right).
        """
        assert output.nil is not None
        assert isinstance(batch.asked, RightNodes)
        asked = batch.asked
        best = self._best(output.logits.masked_fill(~asked.node, -torch.inf), batch)
        ahead = (output.logits > best[batch.node_text]).to(best.dtype)
        rank = 1 + torch.zeros_like(best).index_add(0, batch.node_text, ahead)
        rank = torch.where(best.isinf(), 0.0, rank)
        nil = output.nil > self._best(output.logits, batch)
        rank = torch.where(asked.answerable, rank, -1.0)
        right = torch.where(asked.answerable, (rank == 1) & ~nil, nil)
        return {"rank": rank[asked.known], "right": right[asked.known]}

    @staticmethod
    def _best(logits: Tensor, batch: Batch) -> Float[Tensor, "batch"]:
        lowest = logits.new_full((len(batch),), -torch.inf)
        return lowest.scatter_reduce(0, batch.node_text, logits, "amax")

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return Hits@1, Hits@10 and MRR of the questions that have an answer, and accuracy.

        The first three rank the entities alone; accuracy lets NIL compete, and counts the
        questions without an answer too.
        """
        ranks = rows["rank"][rows["rank"] >= 0].astype(np.int64)
        return {
            "hits@1": hits_at_k(ranks, 1),
            "hits@10": hits_at_k(ranks, 10),
            "mrr": mrr(ranks),
            "accuracy": float(rows["right"].mean()) if len(rows["right"]) else 0.0,
        }
