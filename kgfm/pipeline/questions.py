"""From examples to what the model reads: the task's rows, mentions, subgraphs, tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from kgfm.batch import Collator, Prepared
from kgfm.linking import BaseLinker
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
    """

    linker: BaseLinker | None
    retriever: Retriever | None
    collator: Collator
    graph: Any

    def link(self, examples: Sequence[Example]) -> list[tuple[Mention, ...]]:
        """Return the given mentions of each example's text, or what the linker finds."""
        found = self._linked([e.text for e in examples if e.mentions is None])
        return [found[e.text] if e.mentions is None else e.mentions for e in examples]

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
        rows, asked = self._asked(examples, self.link(examples) if mentions is None else mentions)
        return self._cut(examples, rows, asked, cut)

    def with_answers(self, *parts: Sequence[Example]) -> list[list[Answered]]:
        """What a retriever that learns is given of each part; without what is unknown.

        Where a task ranks no nodes, no entity is an answer.
        """
        found = []
        for examples in parts:
            known = [one for one in examples if self.collator.task.known(one)]
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
            {text for row in found for text in (row.text, row.pair) if text is not None}
            - {example.text}
            for example, found in zip(examples, rows, strict=True)
        ]
        others = self._linked([text for texts in own for text in sorted(texts)])
        asked = []
        for example, found, named in zip(examples, rows, mentions, strict=True):
            known = {**others, example.text: named}
            asked.append([self._ask(row, known) for row in found])
        return rows, asked

    def _ask(self, row: Row, known: dict[str, tuple[Mention, ...]]) -> Asked:
        named = list(known[row.text])
        if row.pair is not None:
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
        flat = [one for questions in asked for one in questions]
        if self.retriever is None:
            found = iter([nothing() for _ in flat])
        else:
            found = iter(cut(self.retriever, flat))
        subgraphs = [[next(found) for _ in questions] for questions in asked]
        return self.collator.prepare(examples, rows, asked, subgraphs, self.graph)
