"""A label, or several, for each span that a text is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kgfm.batch import Batch, Layout, Prepared, PreparedRow
from kgfm.datasets.mentions import at
from kgfm.metrics import conflicting
from kgfm.retrieval import Graph
from kgfm.tasks.base import Output, pooled
from kgfm.tasks.label_task import LabelTask
from kgfm.tasks.span_rows import (
    CONDITIONS,
    Condition,
    Place,
    SpansAsked,
    packed,
    place_of,
    rows_of,
    text_hash,
)
from kgfm.types import About, Answer, Example, Row


class SpansTask(LabelTask):
    """Labels for spans: targeted sentiment, entity typing, or the relation of two spans.

    Any number of spans of a text are asked about at once (:attr:`kgfm.Example.about`), and each has
    an answer of its own. With ``t_k`` the mean of the tokens of span ``k``, ``s`` the mean of the
    text and ``n_k`` the encoder's state of the entity that the span stands for (zero for one that
    is not in the graph, and without an encoder)::

        logits = W [t_k; s] + b + G n_k                       one span
        logits = W [t_1; t_2; s] + b + G [n_1; n_2]           two: their order matters

    ``G`` starts at zero and has no bias: an untrained head reads the text alone. A span that has no
    token at all, such as one of characters that the tokenizer drops, is read as the text.

    ``condition`` says how the text model is told what it is asked about:

    * ``tag``: a row for each thing asked about, of the same tokens, so that frozen layers run once
      and cached states serve all; where the trained layers begin, ``h_i <- h_i + e`` for the tokens
      of the span, ``e`` zero at the start and different for the first and the second span.
    * ``pool``: one row for all, and nothing is told.
    * ``markers``: a row for each, with ``[ ]`` written around the first span and ``{ }`` around the
      second (Baldini Soares et al., 2019, https://arxiv.org/abs/1906.03158).
    * ``pair``: a row for each, with the words of the span as a second segment (BERT-SPC: Song et
      al., 2019, https://arxiv.org/abs/1902.09314).

    Of a text that is longer than the window, the part around the span is read; by ``pool`` as many
    parts as the spans need.

    Args:
        width: Width of the tokens.
        node_width: Width of the node states; 0 where there is no graph.
        labels: All labels; training texts show them.
        multi_label: Any number of labels may be right (binary cross-entropy), not just one. The
            training texts decide, unless it is given: a span with two labels, or with none, makes
            it several.
        spans: How many spans are asked about at once, 1 or 2; the training texts decide.
        condition: ``tag``, ``pool``, ``markers`` or ``pair``.
        dropout: Before the products.
        class_weights: Of the losses: ``balanced`` (``N / (K n_c)``), or a mapping of labels to
            weights, 1 for one that it leaves out.
        label_smoothing: Share of a target that is spread over all labels.
        thresholds: With several labels: ``one`` for all, or ``each`` its own; both are chosen on
            the validation part.
        reject_below: With one label: the probability below which there is no answer, or how to
            choose it on the validation part: ``{"risk": 0.05}`` or ``{"share": 0.1}``.

    Raises:
        ValueError: There is no label, or a value is none of the above.
    """

    def __init__(
        self,
        width: int,
        node_width: int,
        labels: Sequence[str] = (),
        *,
        multi_label: bool = False,
        spans: int = 1,
        condition: Condition = "tag",
        dropout: float = 0.1,
        class_weights: Mapping[str, float] | Literal["balanced"] | None = None,
        label_smoothing: float = 0.0,
        thresholds: Literal["one", "each"] = "one",
        reject_below: float | Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(
            "spans",
            labels,
            multi_label=multi_label,
            dropout=dropout,
            class_weights=class_weights,
            label_smoothing=label_smoothing,
            thresholds=thresholds,
            reject_below=reject_below,
        )
        if spans not in (1, 2):
            raise ValueError(f"spans={spans!r}: 1, or 2 for the relation between two.")
        if condition not in CONDITIONS:
            raise ValueError(f"condition={condition!r}: one of {', '.join(CONDITIONS)}.")
        self.condition, self.reads_spans = condition, spans
        self.label = nn.Linear((spans + 1) * width, len(self.labels))
        self.mark = nn.Parameter(torch.zeros(spans, width)) if condition == "tag" else None
        inputs = spans * node_width
        self.graph = nn.Linear(inputs, len(self.labels), bias=False) if node_width else None
        if self.graph is not None:
            nn.init.zeros_(self.graph.weight)

    # -- the data ----------------------------------------------------------------------------------

    @classmethod
    def learned(cls, examples: Sequence[Example], given: Mapping[str, Any]) -> dict[str, Any]:
        """Find labels and their weights, whether a span may have several, and how many spans.

        Raises:
            ValueError: Nothing is asked about, once one span is and once two; ``multi_label`` is
                false, and a span has several labels or none; a label is not among the given ones,
                or a weight is of none.
        """
        asked = [(example, one) for example in examples for one in example.about]
        if not asked:
            raise ValueError(
                f"None of {len(examples):,} texts asks about a span. Say what each is about: "
                "kgfm.Example(text, about=(kgfm.types.About(((0, 11),), labels=('good',)),))."
            )
        num_spans = given.get("spans") or len(asked[0][1].spans)
        for example, one in asked:
            if len(one.spans) != num_spans:
                raise ValueError(f"{at(example.where)}{_other_number(one, num_spans)}")
        odd = [pair for pair in asked if pair[1].labels is not None and len(pair[1].labels) != 1]
        several = given.get("multi_label")
        if several is False and odd:
            raise ValueError(_contradiction(*odd[0]))
        found = cls._found(((example, one.labels or ()) for example, one in asked), given)
        several = bool(odd) if several is None else bool(several)
        return {**found, "multi_label": several, "spans": num_spans}

    def rows(self, example: Example) -> Sequence[Row]:
        """Return a row for each thing asked about, or by ``pool`` one for all.

        Raises:
            ValueError: Something has another number of spans than the task reads.
        """
        for one in example.about:
            if len(one.spans) != self.reads_spans:
                raise ValueError(f"{at(example.where)}{_other_number(one, self.reads_spans)}")
        return rows_of(example, self.condition)

    def known(self, example: Example) -> bool:
        """Say whether it is known what is right about anything, or nothing is asked about."""
        return not example.about or any(one.labels is not None for one in example.about)

    def target(
        self, example: Example, rows: Sequence[PreparedRow], graph: Graph | None
    ) -> list[Place]:
        """Find what each thing asked about reads, and the numbers of its right labels, if any.

        Raises:
            ValueError: A label was not among those of training, or there must be one and there
                are several.
        """
        text = text_hash(example.text)
        found = []
        for number, one in enumerate(example.about):
            where = place_of(one, number, rows, graph, together=self.condition == "pool")
            found.append(Place(*where, self._right(example, one), text))
        return found

    def _right(self, example: Example, about: About) -> tuple[int, ...] | None:
        if about.labels is None:
            return None
        if not self.multi_label and len(about.labels) > 1:
            raise ValueError(_contradiction(example, about))
        return self._numbers(example, about.labels)

    def pack(self, prepared: Sequence[Prepared], layout: Layout) -> SpansAsked:
        """Lay all spans out, example by example."""
        return packed(prepared, layout, num_spans=self.reads_spans, num_labels=len(self.labels))

    # -- tensors -----------------------------------------------------------------------------------

    def enter(
        self, tokens: Float[Tensor, "batch token width"], batch: Batch
    ) -> Float[Tensor, "batch token width"]:
        """Tag the tokens of each row's own spans."""
        if self.mark is None:
            return tokens
        asked = _asked(batch)
        about, span, token = asked.inside
        tags = self.mark.to(tokens.dtype)[span]
        tagged: Tensor = tokens.index_put((asked.row[about], token), tags, accumulate=True)
        return tagged

    def forward(
        self,
        tokens: Float[Tensor, "batch token width"],
        nodes: Float[Tensor, "node node_width"] | None,
        batch: Batch,
        read: Float[Tensor, "batch width"] | None = None,
    ) -> Output:
        """Return one logit per thing asked about and label."""
        asked = _asked(batch)
        text = pooled(tokens, batch, read)[asked.row]
        seen = torch.cat([self._span_means(tokens, text, asked), text], dim=1)
        logits = self.label(self.dropout(seen))
        if self.graph is not None and nodes is not None:
            # A row of zeros behind the nodes is what -1 reads: it stands for NIL.
            states = torch.cat([nodes, nodes.new_zeros(1, nodes.shape[1])])[asked.node]
            logits = logits + self.graph(self.dropout(states.flatten(1)))
        output = Output(tokens, logits)
        if asked.is_known:
            known = self._taught(asked.known, asked.label)
            output.loss = self.rule.loss(logits, asked.label, known)
        return output

    def _span_means(
        self, tokens: Float[Tensor, "batch token width"], text: Tensor, asked: SpansAsked
    ) -> Float[Tensor, "about spans_width"]:
        """Average the tokens of each span; the text where a span has none."""
        about, span, token = asked.inside
        place = about * self.reads_spans + span
        size = len(text) * self.reads_spans
        total = tokens.new_zeros(size, tokens.shape[2])
        total = total.index_add(0, place, tokens[asked.row[about], token])
        count = tokens.new_zeros(size).index_add(0, place, tokens.new_ones(len(place)))[:, None]
        instead = text.to(tokens.dtype).repeat_interleave(self.reads_spans, 0)
        means = torch.where(count > 0, total / count.clamp(min=1.0), instead)
        by_thing: Tensor = means.unflatten(0, (len(text), self.reads_spans)).flatten(1)
        return by_thing

    # -- answers -----------------------------------------------------------------------------------

    def answers(
        self, output: Output, batch: Batch, examples: Sequence[Example], graph: Graph | None
    ) -> list[tuple[Answer, ...]]:
        """Take the best label of each thing asked about, all that hold, or none, in its order."""
        scores = iter(self.probabilities(output, batch).double().cpu().numpy())
        return [
            tuple(self.rule.answer(next(scores), one) for one in example.about)
            for example in examples
        ]

    def score(
        self, output: Output, batch: Batch, option: int, about: int = 0
    ) -> Float[Tensor, "example"]:
        """Probability of a label, or of a refusal, for one of the things asked about."""
        example = torch.arange(batch.num_examples, device=output.logits.device)
        first = torch.searchsorted(_asked(batch).example, example)
        return self.rule.score(output.logits[first + about], option)

    # -- figures -----------------------------------------------------------------------------------

    def collect(self, output: Output, batch: Batch) -> dict[str, Tensor]:
        """Return logits and targets, one row for each thing asked about whose labels are known."""
        asked = _asked(batch)
        found = {"logits": output.logits, "targets": asked.label, "text": asked.text}
        return {name: rows[asked.known] for name, rows in found.items()}

    def metrics(self, rows: dict[str, np.ndarray]) -> dict[str, float]:
        """Return the figures, each thing asked about counting once.

        Those of :meth:`kgfm.tasks.labels.Labelling.metrics`; and where texts hold things that
        differ in what is right, the headline of those alone, as ``accuracy_conflicting``.
        """
        figures = self.rule.metrics(rows)
        differ = conflicting(rows["text"], rows["targets"] > 0)
        if differ.any():
            own = self.rule.metrics({name: values[differ] for name, values in rows.items()})
            figures[f"{self.headline}_conflicting"] = own[self.headline]
        return figures


def _asked(batch: Batch) -> SpansAsked:
    assert isinstance(batch.asked, SpansAsked)
    return batch.asked


def _other_number(about: About, number: int) -> str:
    return (
        f"{len(about.spans)} spans, {about.spans}, are asked about, where the task reads "
        f"{number} at a time: {'a relation has two' if number == 2 else 'give one for each'}."
    )


def _contradiction(example: Example, about: About) -> str:
    labels = about.labels or ()
    given = f"{len(labels)} labels, {labels}," if labels else "no label"
    words = ", ".join(repr(example.text[start:end]) for start, end in about.spans)
    return (
        f"{at(example.where)}{given} for {words}, where each span has one. Set multi_label: true "
        "in the task if any number of labels may be right, or leave it out and the training texts "
        "decide."
    )
