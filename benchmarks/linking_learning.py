"""What a linker gets wrong, and what learning mends: the cases of causes and fine-tuning."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from linking_entities import NEWS, Remembering, news_entities
from linking_sources import Figures

from kgfm.backbones import TextEncoder
from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.evaluate import Evaluation, evaluate
from kgfm.linking.formats.document import Document, in_graph
from kgfm.linking.ranked import given_places
from kgfm.linking.ranking import CANDIDATE
from kgfm.vectors import NodeVectors

SPANS = ("end to end", "gold spans")
MAKES = tuple(dict.fromkeys(name.split("-")[0] for name in NEWS))


def causes(given: argparse.Namespace) -> Figures:
    """Why gold mentions of news entities are missed and links false, with the shipped weights."""
    with tempfile.TemporaryDirectory() as made:
        graph, key_of, documents = news_entities(given.data, given.cache or Path(made))
        linker = _linker(graph, Remembering(TextEncoder()))
        figures: Figures = {}
        for spans in SPANS:
            found = {
                name: _counts(
                    evaluate(linker, own, key_of=key_of, gold_spans=spans == "gold spans")
                )
                for name, own in documents.items()
            }
            for cause in found[NEWS[0]]:
                counts = {name: one[cause] for name, one in found.items()}
                counts["all"] = sum(counts.values())
                figures |= {f"{spans}: {cause}: {name}": n for name, n in counts.items()}
        return figures


def _counts(found: Evaluation) -> dict[str, int]:
    missed = {f"missed, {cause}": count for cause, count in found.missed.items()}
    false = {f"false link, {c.replace(': ', ', ')}": count for c, count in found.false.items()}
    return {
        "gold mentions": found.gold,
        **missed,
        "linked right": found.gold - sum(missed.values()),
        **false,
    }


def fine_tune(given: argparse.Namespace) -> Figures:
    """What a linker gains from the texts of other makes: by its weights, and by its encoder.

    Each set is linked by linkers that learned from the sets of other makes. "Nearest" counts the
    gold mentions with several candidates, the right one among them, whose right one has the
    description that is nearest to the context.
    """
    with tempfile.TemporaryDirectory() as made:
        graph, key_of, documents = news_entities(given.data, given.cache or Path(made))
        known = {
            name: [in_graph(one, graph, key_of) for one in own] for name, own in documents.items()
        }
        encode = Remembering(TextEncoder())
        NodeVectors.load_or_compute(graph, encode)
        figures: Figures = {}
        for make in given.makes:
            others = [one for name in NEWS if name.split("-")[0] != make for one in known[name]]
            mine = {name: known[name] for name in NEWS if name.split("-")[0] == make}
            learned_from = sum(m.entity is not None for one in others for m in one.mentions)
            for kind, learn in LEARNERS.items():
                linker, start = _linker(graph, encode), time.process_time()
                learn(linker, others)
                minutes = (time.process_time() - start) / 60
                for name, own in mine.items():
                    figures |= {
                        f"mentions: learned from: {name}": learned_from,
                        f"CPU minutes to learn: {kind}: {name}": minutes,
                        **_measured(linker, own, kind, name),
                    }
                    print(name, {key: figures[key] for key in figures if key.endswith(name)})
        return figures


LEARNERS: dict[str, Callable[[Linker, Sequence[Document]], object]] = {
    "as shipped": lambda linker, documents: None,
    "weights": lambda linker, documents: linker.fit(documents),
    "weights and encoder": lambda linker, documents: linker.fit(
        documents, fine_tune=True, say=print
    ),
}


def _measured(linker: Linker, documents: list[Document], kind: str, name: str) -> Figures:
    figures: Figures = {}
    for spans in SPANS:
        found = evaluate(linker, documents, gold_spans=spans == "gold spans")
        figures[f"F1, {spans}: {kind}: {name}"] = found.micro.f1
        figures[f"calibration error, {spans}: {kind}: {name}"] = found.calibration_error
    right, total = nearest(linker, documents)
    figures[f"nearest: {kind}: {name}"] = right / total
    figures[f"mentions: with several candidates: {name}"] = total
    return figures


def nearest(linker: Linker, documents: Sequence[Document]) -> tuple[int, int]:
    """Count gold mentions with several candidates, and those nearest to the right one's text."""
    texts = [document.text for document in documents]
    gold = [
        {(m.start, m.end): linker.graph.row(m.entity) for m in one.mentions if m.entity is not None}
        for one in documents
    ]
    places = given_places(texts, [sorted(own) for own in gold], linker.names)
    found, choices = linker.ranking.choices(texts, places, given=True)
    near, bounds = choices.candidates[:, CANDIDATE.index("context")], found.indptr.tolist()
    right = total = 0
    for span, (text, start, end, _) in enumerate(places.rows()):
        part = slice(bounds[span], bounds[span + 1])
        rows, target = found.rows[part], gold[text][start, end]
        if len(rows) > 1 and target in rows:
            total += 1
            right += int(rows[int(near[part].argmax())]) == target
    return right, total


def _linker(graph: KnowledgeGraph, encode: Remembering) -> Linker:
    return Linker(graph, fuzzy=True, context=True, keep_nil=True, encode=encode)
