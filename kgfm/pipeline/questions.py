"""From examples to what the model reads: the task's rows, mentions, subgraphs, tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from kgfm.batch import Collator, Prepared
from kgfm.linking import BaseLinker
from kgfm.pipeline.about import linked, settled
from kgfm.pipeline.words import with_own_words, with_words
from kgfm.retrieval import Answered, Retriever, ask
from kgfm.retrieval.altered import nothing
from kgfm.types import Asked, Example, Mention, Row, Subgraph

Cut = Callable[[Retriever, Sequence[Asked]], list[Subgraph]]


def _retrieve(retriever: Retriever, asked: Sequence[Asked]) -> list[Subgraph]:
    return retriever.retrieve(asked)


@dataclass(frozen=True)
class Questions:
    """Make examples ready for the model.

    Args:
        linker: Finds mentions; ``None`` finds none.
        retriever: Cuts subgraphs; ``None`` where nothing reads them.
        collator: Knows tokens, and the task.
        graph: The graph, if there is one.
        words: Finds words that are entities too; ``None`` finds none.
    """

    linker: BaseLinker | None
    retriever: Retriever | None
    collator: Collator
    graph: Any
    words: BaseLinker | None = None

    def link(self, examples: Sequence[Example]) -> list[tuple[Mention, ...]]:
        """Return the given mentions of each example's text, or what the linker finds."""
        found = self._linked([e.text for e in examples if e.mentions is None])
        return [found[e.text] if e.mentions is None else e.mentions for e in examples]

    def settled(self, examples: Sequence[Example], *, asking: bool = False) -> list[Example]:
        """Say for each span that is asked about what it stands for; see :func:`about.settled`.

        Examples of a task that reads no spans stay as they are.

        Args:
            examples: What is asked.
            asking: Whether answers are wanted: then an example that asks about nothing asks about
                all that its text names, and what is right is left out.
        """
        num_spans = self.collator.task.reads_spans
        if not num_spans:
            return list(examples)
        found = []
        for example, mentions in zip(examples, self.link(examples), strict=True):
            about = example.about
            if asking:
                about = about or linked(mentions, num_spans)
                about = tuple(replace(one, labels=None) for one in about)
            found.append(settled(replace(example, about=about), mentions, self.graph))
        return with_own_words(self.words, found)

    def _linked(self, texts: Sequence[str]) -> dict[str, tuple[Mention, ...]]:
        """Mentions of each distinct text."""
        distinct = list(dict.fromkeys(texts))
        if self.linker is None or not distinct:
            return dict.fromkeys(distinct, ())
        found = self.linker.link(distinct)
        return {text: tuple(mentions) for text, mentions in zip(distinct, found, strict=True)}

    def prepare(
        self,
        examples: Sequence[Example],
        mentions: Sequence[tuple[Mention, ...]] | None = None,
        cut: Cut = _retrieve,
    ) -> list[Prepared]:
        """Make examples ready.

        Args:
            examples: What is asked.
            mentions: Of each example's own text; by default those given, or what the linker finds.
            cut: Asks the retriever.
        """
        if not examples:
            return []
        if mentions is None:
            examples = self.settled(examples)
            mentions = self.link(examples)
        rows, asked = self._asked(examples, mentions)
        return self._cut(examples, rows, asked, cut)

    def with_answers(self, *parts: Sequence[Example]) -> list[list[Answered]]:
        """What a retriever that learns is given of each part; without what is unknown.

        Where a task ranks no nodes, no entity is an answer.
        """
        found = []
        for examples in parts:
            known = self.settled([one for one in examples if self.collator.task.known(one)])
            _, asked = self._asked(known, self.link(known))
            found.append(
                [
                    Answered.of(self._ranked(example), questions[0], self.graph)
                    for example, questions in zip(known, asked, strict=True)
                ]
            )
        return found

    def _ranked(self, example: Example) -> Example:
        """Return an example without targets that are labels and no entities."""
        is_label = example.kind == "entity" and not self.collator.task.ranks_nodes
        return replace(example, target=()) if is_label else example

    def variants(
        self, example: Example, without: Sequence[Int[np.ndarray, "_ 3"]]
    ) -> list[Prepared]:
        """Ask an example anew, each time as if the graph did not hold some triples."""
        rows, asked = self._asked([example], self.link([example]))
        hidden = [[replace(one, without=triples) for one in asked[0]] for triples in without]
        return self._cut([example] * len(without), rows * len(without), hidden, _retrieve)

    def _asked(
        self, examples: Sequence[Example], mentions: Sequence[tuple[Mention, ...]]
    ) -> tuple[list[Sequence[Row]], list[list[Asked]]]:
        """The rows of each example, and what each of them names."""
        rows = [self.collator.task.rows(example) for example in examples]
        own = [
            {text for row in found for text in _named_in(row)} - {example.text}
            for example, found in zip(examples, rows, strict=True)
        ]
        others = self._linked([text for texts in own for text in sorted(texts)])
        asked = []
        for example, found, named in zip(examples, rows, mentions, strict=True):
            known = {**others, example.text: named}
            # Rows of the same words ask the same, and share a subgraph.
            distinct = {_named_in(row): row for row in reversed(found)}
            ask = {words: self._ask(row, known) for words, row in distinct.items()}
            asked.append([ask[_named_in(row)] for row in found])
        return rows, with_words(self.words, examples, asked, self.graph)

    def _ask(self, row: Row, known: dict[str, tuple[Mention, ...]]) -> Asked:
        named = list(known[row.text])
        if row.pair is not None and not row.quotes:
            behind = len(row.text) + 1
            named += [
                replace(mention, start=mention.start + behind, end=mention.end + behind)
                for mention in known[row.pair]
            ]
        if self.graph is None:
            return Asked(row.source, tuple(named), np.full(len(named), -1, dtype=np.int64))
        return ask(row.source, named, self.graph)

    def _cut(
        self,
        examples: Sequence[Example],
        rows: Sequence[Sequence[Row]],
        asked: Sequence[Sequence[Asked]],
        cut: Cut,
    ) -> list[Prepared]:
        flat = list({id(one): one for questions in asked for one in questions}.values())
        found = [nothing() for _ in flat] if self.retriever is None else cut(self.retriever, flat)
        of = {id(one): subgraph for one, subgraph in zip(flat, found, strict=True)}
        of |= self._with_own_seeds(examples, asked, of, cut)
        subgraphs = [[of[id(one)] for one in questions] for questions in asked]
        return self.collator.prepare(examples, rows, asked, subgraphs, self.graph)

    def _with_own_seeds(
        self,
        examples: Sequence[Example],
        asked: Sequence[Sequence[Asked]],
        found: Mapping[int, Subgraph],
        cut: Cut,
    ) -> dict[int, Subgraph]:
        """Cut anew where more is named than a subgraph has room for.

        What is asked about then comes first. Cuts are found by the ``id`` of what was asked.
        """
        places, others = [], []
        for example, questions in zip(examples, asked, strict=True):
            keys = {key for one in example.about for key in one.entities or () if key}
            for one in {id(one): one for one in questions}.values() if keys else ():
                own = np.array([mention.entity in keys for mention in one.mentions], dtype=bool)
                subgraph = found[id(one)]
                seeds = subgraph.nodes[: subgraph.num_seeds]
                if len(seeds) and not np.isin(one.rows[own], seeds).all():
                    order = np.argsort(~own, kind="stable")
                    named = tuple(one.mentions[place] for place in order)
                    places.append(id(one))
                    others.append(replace(one, mentions=named, rows=one.rows[order]))
        if self.retriever is None or not others:
            return {}
        return dict(zip(places, cut(self.retriever, others), strict=True))


def _named_in(row: Row) -> tuple[str, ...]:
    """The texts of a row in which something may be named."""
    return (row.text,) if row.pair is None or row.quotes else (row.text, row.pair)
