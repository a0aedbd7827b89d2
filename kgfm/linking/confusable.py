"""Gold mentions beside the entities that they are most easily taken for, to train an encoder on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kgfm.linking.candidates import CandidateIndex
from kgfm.linking.dictionary import NameDictionary
from kgfm.linking.formats.document import Document
from kgfm.linking.ranked import given_places
from kgfm.linking.ranking import Ranking
from kgfm.linking.spans import Span
from kgfm.linking.weights import LinkerWeights


@dataclass(frozen=True, slots=True)
class Confusable:
    """A gold mention and what it may be taken for.

    Args:
        text: The whole text.
        span: Of the mention.
        right: Row of its entity in the graph.
        others: Rows of its other candidates, the likeliest by their names first.
    """

    text: str
    span: Span
    right: int
    others: tuple[int, ...]


def confusable(
    names: NameDictionary,
    index: CandidateIndex | None,
    documents: Sequence[Document],
    weights: LinkerWeights,
    *,
    most: int,
) -> list[Confusable]:
    """Return the gold mentions of the graph's entities, each with its hardest other candidates.

    Args:
        names: The names of the graph.
        index: Finds candidates that are alike.
        documents: Their gold entities are keys of the graph, or ``None``.
        weights: Say which candidates are likely, by their names alone.
        most: So many other candidates at most.
    """
    graph = names.graph
    texts = [document.text for document in documents]
    gold = [
        {(m.start, m.end): graph.row(m.entity) for m in document.mentions if m.entity is not None}
        for document in documents
    ]
    ranking = Ranking(names, index, coherence=False)
    places = given_places(texts, [sorted(own) for own in gold], names)
    ranked = ranking.rank(texts, places, weights, given=True)
    found = []
    for span, (text, start, end, _) in enumerate(places.rows()):
        part = slice(*ranked.indptr[span : span + 2].tolist())
        right = gold[text][start, end]
        order = ranked.rows[part][np.argsort(-ranked.probabilities[part], kind="stable")]
        others = tuple(row for row in order.tolist() if row != right)[:most]
        found.append(Confusable(texts[text], (start, end), right, others))
    return found
