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
from kgfm.metrics import calibration_error, exact_sets, hits_at_k, mrr, refusals, set_f1
from kgfm.registry import check_probabilities
from kgfm.retrieval import Graph
from kgfm.tasks.base import Output, Report, Task, mean_of_known, pooled
from kgfm.types import NIL, Answer, Example, Found, Refused

BEST = 10
"""Entities that an answer lists, before NIL."""
_NIL = -1
_OUTSIDE = 1e4
"""What a node outside of the set that was found is behind by."""
_WHY: dict[Refused, str] = {
    "unnamed": "The text names nothing that the graph knows: name an entity, or give the linker "
    "the names that people use.",
    "lacking": "The graph does not seem to hold what is asked for: ask for one of its relations, "
    "or add the triples.",
    "unsure": "No answer is likely enough: ask in other words, or train on questions like this.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Right:
    """What is right about a question.

    Args:
        rows: Of the entities that answer, in the graph.
        values: What answers and is no entity.
        is_entity: Whether entities answer.
    """

    rows: Int[np.ndarray, "answer"]
    values: tuple[str, ...] = ()
    is_entity: bool = True

    def counts(self, found: Found | None) -> tuple[int, int, int]:
        """How many answers are found and right, found, and right."""
        if found is None or found.refused is not None:
            return 0, 0, len(self.rows) if self.is_entity else len(self.values)
        if not self.is_entity:
            said = set(found.values)
            return len(said & set(self.values)), len(said), len(self.values)
        if found.values:
            return 0, len(found.values), len(self.rows)
        return len(np.intersect1d(found.rows, self.rows)), len(found.rows), len(self.rows)


@dataclass
class RightNodes(Tensors):
    """What is right about the texts of a batch."""

    node: Bool[Tensor, "node"]
    """True for each right answer among the nodes."""
    answerable: Bool[Tensor, "batch"]
    """False where nothing in the graph answers: NIL is right."""
    known: Bool[Tensor, "batch"]
    """False for texts of which nothing is known."""
    ranked: Bool[Tensor, "batch"]
    """True where entities answer, so that the nodes can be ranked."""
    counts: Int[Tensor, "batch 3"]
    """How many answers are found and right, found, and right."""


class AnswerTask(Task):
    """Score each node against the question: ``MLP[n; Wq; n * Wq]``, and NIL by the question alone.

    Where the retriever has an opinion about the nodes, its logit is added to theirs. One that it
    has learned leads: what is added to it, for nodes and for NIL, is multiplied by a number that
    starts at zero. Where it finds a whole set (:class:`kgfm.types.Found`), that set is the answer,
    and the nodes in it are ranked; what it finds may be a number, yes or no, or values too.

    The probabilities of a text's nodes and of NIL sum to one. The loss is the
    cross-entropy to the uniform distribution over the right answers among the nodes (as in ReaRev,
    Mavromatis and Karypis, 2022, sec. 3, up to a constant), or to NIL where there is none.

    Args:
        width: Width of the tokens.
        node_width: Width of the node states.
        hidden_width: Of the perceptron.
        dropout: Before the perceptron.
        learned_prior: Whether the retriever gives the nodes a prior that it has learned.

    Raises:
        ValueError: There are no nodes to rank (``node_width`` is 0), or ``dropout`` is no
            probability under 1.
    """

    monitor = "hits@1"
    ranks_nodes = True

    def __init__(
        self,
        width: int,
        node_width: int,
        *,
        hidden_width: int = 256,
        dropout: float = 0.1,
        learned_prior: bool = False,
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
        self.delta = nn.Parameter(torch.zeros(())) if learned_prior else None
        self._values: dict[str, int] = {}

    def target(self, example: Example, rows: Sequence[PreparedRow], graph: Graph | None) -> Right:
        """Rows of the right answers in the graph, or the values that are right.

        Raises:
            KeyError: One is not in the graph.
        """
        none = np.zeros(0, dtype=np.int64)
        if example.kind != "entity":
            return Right(none, tuple(dict.fromkeys(example.target or ())), False)
        if not example.target or graph is None:
            return Right(none)
        return Right(graph.rows(list(dict.fromkeys(example.target))))

    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> RightNodes | None:
        """Mark the right answers among the nodes."""
        known = np.array([one.known for one in prepared])
        if not known.any():
            return None
        right = np.zeros(len(layout.entities), dtype=bool)
        for text, one in enumerate(prepared):
            part = slice(layout.first_node[text], layout.first_node[text + 1])
            right[part] = np.isin(layout.entities[part], one.target.rows)
        targets: list[Right] = [one.target for one in prepared]
        counts = [
            t.counts(one.rows[0].subgraph.found) for t, one in zip(targets, prepared, strict=True)
        ]
        arrays = (
            right,
            np.array([bool(len(t.rows) or t.values) for t in targets]),
            known,
            np.array([t.is_entity for t in targets]),
            np.array(counts),
        )
        return RightNodes(*map(torch.from_numpy, arrays))

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
        nil = self.nil(text).squeeze(1)
        if self.delta is not None:
            logits, nil = self.delta * logits, self.delta * nil
        if batch.node_prior is not None:
            logits = logits + batch.node_prior
        if batch.nil_prior is not None:
            nil = nil + batch.nil_prior
        output = Output(tokens, logits, nil=nil)
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
        return mean_of_known(everything - right, batch.asked.known & batch.asked.ranked)

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
            said = batch.found[len(found)] if batch.found else None
            scores = probabilities[start:end]
            if said is not None:
                found.append((self._of_set(said, entities[start:end], scores, graph),))
                continue
            best = np.argsort(-scores, kind="stable")[:BEST]
            ranked = [(graph.keys[int(entities[start + n])], float(scores[n])) for n in best]
            ranked.append((NIL, max(0.0, 1.0 - float(scores.sum()))))
            ranked.sort(key=lambda item: -item[1])
            answer, score = ranked[0]
            answers = () if answer == NIL else (answer,)
            near = tuple(one for one in ranked if one[0] not in (answer, NIL))
            found.append(
                (Answer(answer, score, tuple(ranked), (answer,), answers=answers, near=near),)
            )
        return found

    @staticmethod
    def _of_set(said: Found, entities: np.ndarray, scores: np.ndarray, graph: Graph) -> Answer:
        """Answer with the set that was found, its entities in the order of the nodes' scores."""
        of_node = dict(zip(entities.tolist(), scores.tolist(), strict=True))
        ranked = sorted(of_node, key=lambda row: -of_node[row])
        inside = set(said.rows.tolist())
        order = [row for row in ranked if row in inside]
        order += [row for row in said.rows.tolist() if row not in of_node]
        near = [(graph.keys[row], of_node[row]) for row in ranked if row not in inside][:BEST]
        listed = [(graph.keys[row], of_node.get(row, 0.0)) for row in order[:BEST]]
        nil = (NIL, max(0.0, 1.0 - float(scores.sum())))
        if said.refused is not None:
            # What would have been answered is the nearest.
            held = tuple((key, min(score, said.score)) for key, score in [*listed, *near][:BEST])
            score = 1.0 - said.score if said.refused == "unsure" else max(said.lacking, 0.0)
            score = 1.0 if said.refused == "unnamed" else score
            return Answer(
                NIL,
                score,
                (nil, *held),
                (NIL,),
                refused=said.refused,
                why=_WHY[said.refused],
                near=held,
                sought=said.sought,
            )
        answers = said.values or tuple(graph.keys[row] for row in order)
        scored = ((answers[0], said.score), *listed[1:]) if not said.values else ()
        scored = scored or tuple((value, said.score) for value in said.values[:BEST])
        return Answer(
            answers[0],
            said.score,
            (*scored, nil),
            (answers[0],),
            answers=answers,
            near=tuple(near),
            sought=said.sought,
        )

    def option(self, answer: str, example: Example, graph: Graph | None) -> int:
        """Row of the entity in the graph; NIL and values have numbers of their own, below 0."""
        if answer == NIL:
            return _NIL
        known = -1 if graph is None else int(graph.keys.find(answer))
        if known >= 0:
            return known
        if self.delta is None:  # only a retriever that has learned finds values
            raise ValueError(f"No entity {answer!r} in the graph, so it cannot be the answer.")
        return _NIL - 1 - self._values.setdefault(answer, len(self._values))

    def score(
        self, output: Output, batch: Batch, option: int, about: int = 0
    ) -> Float[Tensor, "example"]:
        """Probability of an entity among each text's nodes, or of NIL; the score of a value."""
        if option < _NIL:
            value = list(self._values)[_NIL - 1 - option]
            scores = [
                0.0 if one is None or one.refused or value not in one.values else one.score
                for one in batch.found
            ]
            return torch.tensor(scores, dtype=output.logits.dtype)
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
        return graph.label(answer) if graph.keys.find(answer) >= 0 else answer

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
        logits = output.logits
        if batch.node_found is not None:
            logits = logits - _OUTSIDE * (~batch.node_found).to(logits.dtype)
        best = self._best(logits.masked_fill(~asked.node, -torch.inf), batch)
        ahead = (logits > best[batch.node_text]).to(best.dtype)
        rank = 1 + torch.zeros_like(best).index_add(0, batch.node_text, ahead)
        rank = torch.where(best.isinf(), 0.0, rank)
        nil = output.nil > self._best(output.logits, batch)
        rank = torch.where(asked.answerable, rank, -1.0)
        right = torch.where(asked.answerable, (rank == 1) & ~nil, nil)
        rows = {"rank": rank, "right": right}
        if batch.found:
            rows = self._of_sets(rows, asked, batch)
        return {name: values[asked.known] for name, values in rows.items()}

    @staticmethod
    def _of_sets(rows: dict[str, Tensor], asked: RightNodes, batch: Batch) -> dict[str, Tensor]:
        """What the metrics need where whole sets are found: they decide, and nodes rank in them."""
        device = rows["rank"].device
        refused = torch.tensor(
            [one is not None and one.refused is not None for one in batch.found], device=device
        )
        score = torch.tensor([0.0 if f is None else f.score for f in batch.found], device=device)
        shared, predicted, wanted = asked.counts.unbind(1)
        exact = (shared == predicted) & (shared == wanted)
        rank = torch.where(asked.ranked, rows["rank"], exact.to(rows["rank"].dtype))
        right = torch.where(asked.ranked & asked.answerable, (rank == 1) & ~refused, exact)
        return {
            "rank": rank,
            "right": right,
            "answerable": asked.answerable,
            "refused": refused,
            "score": score,
            "shared": shared,
            "predicted": predicted,
            "wanted": wanted,
        }

    @staticmethod
    def _best(logits: Tensor, batch: Batch) -> Float[Tensor, "batch"]:
        lowest = logits.new_full((len(batch),), -torch.inf)
        return lowest.scatter_reduce(0, batch.node_text, logits, "amax")

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return Hits@1, Hits@10 and MRR of the questions that have an answer, and accuracy.

        The first three rank the entities alone; accuracy lets NIL compete, and counts the
        questions without an answer too. Where whole sets are found, also their mean F1, the share
        of exact ones, how far their scores are from what they promise, and how many questions
        with and without an answer are refused.
        """
        ranks = rows["rank"][rows["rank"] >= 0].astype(np.int64)
        figures = {
            "hits@1": hits_at_k(ranks, 1),
            "hits@10": hits_at_k(ranks, 10),
            "mrr": mrr(ranks),
            "accuracy": float(rows["right"].mean()) if len(rows["right"]) else 0.0,
        }
        if "shared" not in rows:
            return figures
        counts = [rows[name].astype(np.int64) for name in ("shared", "predicted", "wanted")]
        answered = rows["answerable"].astype(bool) & ~rows["refused"].astype(bool)
        exact = (counts[0] == counts[1]) & (counts[0] == counts[2])
        share = refusals(rows["refused"].astype(bool), rows["answerable"].astype(bool))
        return figures | {
            "set_f1": set_f1(*counts),
            "exact_sets": exact_sets(*counts),
            "calibration_error": calibration_error(
                rows["score"][answered].astype(np.float64), exact[answered]
            ),
            "refused_unanswerable": share.unanswerable,
            "refused_answerable": share.answerable,
        }
