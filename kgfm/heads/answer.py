"""Rank the entities of the subgraph as answers to the text."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.backbones.text import mean_pool
from kgfm.batch import Batch
from kgfm.heads.base import Head, Output, mean_of_known
from kgfm.metrics import hits_at_k, mrr
from kgfm.registry import check_probabilities


class AnswerHead(Head):
    """Score each node against the question: ``MLP[n; Wq; n * Wq]``, and NIL by the question alone.

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

    def __init__(
        self, width: int, node_width: int, *, hidden_width: int = 256, dropout: float = 0.1
    ) -> None:
        super().__init__()
        if not node_width:
            raise ValueError("answer ranks nodes, so it needs an encoder; take 'text' or 'rgcn'.")
        check_probabilities(dropout=dropout)
        self.question = nn.Linear(width, node_width)
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Sequential(
            nn.Linear(3 * node_width, hidden_width), nn.GELU(), nn.Linear(hidden_width, 1)
        )
        self.nil = nn.Linear(width, 1)

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
    ) -> Output:
        """Return one logit per node, and one per text for NIL."""
        if nodes is None:
            raise ValueError("answer ranks nodes, so the model needs an encoder.")
        pooled = mean_pool(tokens, batch.attention_mask)
        question = self.question(self.dropout(pooled))[batch.node_text]
        pairs = torch.cat([nodes, question, nodes * question], dim=1)
        logits = self.score(self.dropout(pairs)).squeeze(1)
        output = Output(tokens, logits, nil=self.nil(pooled).squeeze(1))
        output.loss = self._loss(output, batch)
        return output

    def _loss(self, output: Output, batch: Batch) -> Tensor | None:
        if batch.node_target is None or batch.has_target is None:
            return None
        assert output.nil is not None
        everything = self._log_sum(output.logits, output.nil, batch)
        target = batch.node_target.to(output.logits.dtype)
        count = torch.zeros_like(output.nil).index_add(0, batch.node_text, target)
        total = torch.zeros_like(output.nil).index_add(0, batch.node_text, output.logits * target)
        right = torch.where(count > 0, total / count.clamp(min=1.0), output.nil)
        return mean_of_known(everything - right, batch.has_target)

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

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return, per text, the rank of the best right answer and whether the answer is right.

        The rank counts the nodes only; it is 0 where no right answer is among them, and -1 where
        the text has none (NIL is right).
        """
        assert output.nil is not None
        assert batch.node_target is not None
        assert batch.has_target is not None
        best = self._best(output.logits.masked_fill(~batch.node_target, -torch.inf), batch)
        ahead = (output.logits > best[batch.node_text]).to(best.dtype)
        rank = 1 + torch.zeros_like(best).index_add(0, batch.node_text, ahead)
        rank = torch.where(best.isinf(), 0.0, rank)
        nil = output.nil > self._best(output.logits, batch)
        assert batch.answerable is not None
        rank = torch.where(batch.answerable, rank, -1.0)
        right = torch.where(batch.answerable, (rank == 1) & ~nil, nil)
        return {"rank": rank[batch.has_target], "right": right[batch.has_target]}

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
