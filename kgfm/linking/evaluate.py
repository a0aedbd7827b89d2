"""How good a linker is on texts with gold mentions, and where it goes wrong.

Only entities of the graph count ("in KB"), and a link is right if start, end and entity are (strong
matching). What each figure is:

=====================  ============================================================================
micro, macro           precision, recall and F1 of links over all texts; F1 as the mean over texts
spans                  the same of spans alone
candidate recall @k    share of the gold mentions whose entity is among the first k candidates of
                       a mention with the same span: end to end, and where the span was found
accuracy               share of right links where the span was found and the entity a candidate
nil                    gold mentions without an entity in the graph, and the share not linked;
                       precision and recall of mentions that are said to be NIL
calibration error      :func:`kgfm.metrics.calibration_error` of the scores of all links
=====================  ============================================================================
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from kgfm.linking.base import BaseLinker
from kgfm.linking.formats.document import Document, documents_of, in_graph
from kgfm.metrics import calibration_error, counts_f1
from kgfm.types import Example, Mention

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph

KS = (1, 5, 16, 64)
"""Of how many candidates the recall is given."""

MISSED = {
    "span missed": "nothing was found where the gold mention is",
    "other boundaries": "a mention was found that overlaps it",
    "said to be NIL": "its span was found, and no entity was given",
    "candidate missing": "its span was found, but its entity was no candidate",
    "wrong candidate": "its entity was a candidate, and another was chosen",
}
"""Why a gold mention was not linked right, in the order of the steps."""

FALSE = {
    "wrong entity": "the span is right, the entity is not",
    "should be NIL": "the gold mention there has no entity in the graph",
    "false span: overlaps": "it overlaps a gold mention of another span",
    "false span": "no gold mention is there",
}
"""Why a link is wrong."""


class Prf(NamedTuple):
    """Precision, recall and F1."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate` measured; the module says what each figure is."""

    texts: int
    gold: int
    links: int
    micro: Prf
    macro_f1: float
    spans: Prf
    candidate_recall: Mapping[int, float]
    candidate_recall_given_span: Mapping[int, float]
    mean_candidates: float
    accuracy_given_candidate: float
    nil_gold: int
    nil_not_linked: float
    nil: Prf
    calibration_error: float
    missed: Mapping[str, int] = field(default_factory=dict)
    false: Mapping[str, int] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON; what cannot be told is ``null``."""

        def plain(value: Any) -> Any:
            if isinstance(value, Mapping):
                return {str(name): plain(one) for name, one in value.items()}
            if isinstance(value, Prf):
                return plain(value._asdict())
            return None if isinstance(value, float) and math.isnan(value) else value

        found: dict[str, Any] = plain(
            {name: getattr(self, name) for name in self.__dataclass_fields__}
        )
        return found


def evaluate(
    linker: BaseLinker,
    gold: Iterable[Document | Example],
    *,
    key_of: Callable[[str], str | None] | None = None,
    gold_spans: bool = False,
    batch_size: int = 64,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Link texts and compare with their gold mentions.

    Args:
        linker: Give it ``keep_nil=True``, if it has that, so that NIL is seen.
        gold: Documents, or examples with mentions.
        key_of: From what the gold calls an entity to the graph's key, or ``None`` for one that is
            not in the graph (:func:`keys_by_attribute`); without it gold entities are keys.
        gold_spans: Give the linker the spans of the gold mentions, so that it only has to choose.
        batch_size: Texts at a time.
        progress: Called with the number of texts done.

    Raises:
        ValueError: There is no text, or no gold mention at all.
    """
    graph = linker.graph
    documents = [in_graph(one, graph, key_of) for one in documents_of(gold, "evaluate")]
    if not any(document.mentions for document in documents):
        raise ValueError(
            f"None of the {len(documents):,} texts has a gold mention; is the format right?"
        )
    tally = _Tally()
    found = (
        _given(linker, documents)
        if gold_spans
        else linker.pipe((document.text for document in documents), batch_size)
    )
    for done, (document, mentions) in enumerate(zip(documents, found, strict=True), 1):
        tally.add(document, mentions)
        if progress is not None:
            progress(done)
    return tally.evaluation()


def keys_by_attribute(graph: KnowledgeGraph, attribute: str) -> Callable[[str], str | None]:
    """Return what finds an entity's key by the value of one of its attributes.

    Where several entities have a value, the first in the order of keys is found.

    Raises:
        ValueError: No entity has that attribute.
    """
    found: dict[str, str] = {}
    names: set[str] = set()
    for row, key in enumerate(graph.keys):
        attributes = graph.attributes(row)
        names |= attributes.keys()
        value = attributes.get(attribute)
        for one in value if isinstance(value, list) else [] if value is None else [value]:
            found.setdefault(str(one), key)
    if not found:
        raise ValueError(
            f"No entity of {graph!r} has the attribute {attribute!r}; there are "
            f"{', '.join(sorted(names)) or 'none'}."
        )
    return found.get


def _given(linker: BaseLinker, documents: Iterable[Document]) -> Iterator[Sequence[Mention]]:
    for document in documents:
        yield linker.link_spans(
            document.text, sorted({(m.start, m.end) for m in document.mentions})
        )


class _Tally:
    """Counts text by text."""

    def __init__(self) -> None:
        self.shared: list[int] = []  # right links of each text, and so on
        self.linked: list[int] = []
        self.gold: list[int] = []
        self.right_spans = 0
        self.found_spans = 0
        self.candidates: list[int] = []
        self.within = Counter[int]()
        self.with_candidate = 0
        self.right_with_candidate = 0
        self.nil_gold = self.nil_not_linked = self.nil_said = self.nil_right = 0
        self.scores: list[float] = []
        self.is_right: list[bool] = []
        self.missed, self.false = Counter[str](), Counter[str]()

    def add(self, document: Document, mentions: Sequence[Mention]) -> None:
        gold = {(m.start, m.end): m.entity for m in document.mentions}
        counted = [m for m in mentions if _counts(m, document, gold)]
        linked = {(m.start, m.end): m for m in counted if m.entity is not None}
        said_nil = {(m.start, m.end): m for m in counted if m.entity is None}
        in_graph = {span: entity for span, entity in gold.items() if entity is not None}
        right = {s for s, entity in in_graph.items() if s in linked and linked[s].entity == entity}
        self.shared.append(len(right))
        self.linked.append(len(linked))
        self.gold.append(len(in_graph))
        self.right_spans += len(in_graph.keys() & linked.keys())
        for span, entity in in_graph.items():
            self._add_gold(span, entity, linked.get(span) or said_nil.get(span), counted)
        for span, mention in linked.items():
            self._add_link(span, mention, gold, right)
        nil = {span for span, entity in gold.items() if entity is None}
        self.nil_gold += len(nil)
        self.nil_not_linked += len(nil - linked.keys())
        self.nil_said += len(said_nil)
        self.nil_right += len(nil & said_nil.keys())

    def _add_gold(
        self, span: Span, entity: str, found: Mention | None, mentions: Sequence[Mention]
    ) -> None:
        if found is None:
            overlaps = any(_overlap(span, (m.start, m.end)) for m in mentions)
            self.missed["other boundaries" if overlaps else "span missed"] += 1
            return
        self.found_spans += 1
        keys = [key for key, _ in found.candidates] or [str(found.entity)]
        self.candidates.append(len(found.candidates))
        if entity in keys:
            self.with_candidate += 1
            self.within.update(k for k in KS if keys.index(entity) < k)
            self.right_with_candidate += found.entity == entity
        if found.entity is None:
            self.missed["said to be NIL" if entity in keys else "candidate missing"] += 1
        elif found.entity != entity:
            self.missed["wrong candidate" if entity in keys else "candidate missing"] += 1

    def _add_link(
        self, span: Span, mention: Mention, gold: Mapping[Span, str | None], right: set[Span]
    ) -> None:
        self.scores.append(min(max(float(mention.score), 0.0), 1.0))
        self.is_right.append(span in right)
        if span in right:
            return
        if span in gold:
            self.false["should be NIL" if gold[span] is None else "wrong entity"] += 1
        else:
            overlaps = any(_overlap(span, other) for other in gold)
            self.false["false span: overlaps" if overlaps else "false span"] += 1

    def evaluation(self) -> Evaluation:
        shared, linked, gold = (np.array(c, int) for c in (self.shared, self.linked, self.gold))
        total = int(gold.sum())
        return Evaluation(
            texts=len(gold),
            gold=total,
            links=int(linked.sum()),
            micro=_prf(int(shared.sum()), int(linked.sum()), total),
            macro_f1=float(counts_f1(shared, linked, gold).mean()),
            spans=_prf(self.right_spans, int(linked.sum()), total),
            candidate_recall={k: _share(self.within[k], total) for k in KS},
            candidate_recall_given_span={k: _share(self.within[k], self.found_spans) for k in KS},
            mean_candidates=float(np.mean(self.candidates)) if self.candidates else math.nan,
            accuracy_given_candidate=_share(self.right_with_candidate, self.with_candidate),
            nil_gold=self.nil_gold,
            nil_not_linked=_share(self.nil_not_linked, self.nil_gold),
            nil=_prf(self.nil_right, self.nil_said, self.nil_gold),
            calibration_error=calibration_error(
                np.array(self.scores, float), np.array(self.is_right, bool)
            ),
            missed={cause: self.missed[cause] for cause in MISSED},
            false={cause: self.false[cause] for cause in FALSE},
        )


Span = tuple[int, int]


def _counts(mention: Mention, document: Document, gold: Mapping[Span, str | None]) -> bool:
    """Say whether a mention lies in the evaluated part and not where nothing counts."""
    start, end = document.evaluated or (0, len(document.text))
    span = mention.start, mention.end
    inside = start <= mention.start and mention.end <= end
    left_out = any(_overlap(span, (m.start, m.end)) for m in document.ignored)
    return inside and (span in gold or not left_out)


def _overlap(first: Span, second: Span) -> bool:
    return first[0] < second[1] and second[0] < first[1]


def _prf(shared: int, predicted: int, right: int) -> Prf:
    total = predicted + right
    return Prf(_share(shared, predicted), _share(shared, right), _share(2 * shared, total))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
