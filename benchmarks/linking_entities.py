"""How good links are: news entities in a graph, and what each part of the linker is worth."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from linking_sources import Figures

from kgfm.backbones import TextEncoder
from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker, formats
from kgfm.linking.evaluate import evaluate, keys_by_attribute
from kgfm.linking.formats.document import Document
from kgfm.vectors import NodeVectors

NEWS = (
    "news-fair-no-coref",
    "wiki-fair-no-coref",
    "reuters-128",
    "oke-2015-train",
    "oke-2016-train",
)
PARTS: dict[str, dict[str, Any]] = {
    "without context and coherence": {"coherence": False},
    "without context": {},
    "without coherence": {"coherence": False, "context": True},
    "full": {"context": True},
}


def news_entities(
    data: Path, folder: Path
) -> tuple[KnowledgeGraph, Callable[[str], str | None], dict[str, list[Document]]]:
    """Return FB15k-237 as a graph kept in a folder, its keys by Wikidata's, and the news sets."""
    if not (folder / "fb15k-237" / "manifest.json").exists():
        KnowledgeGraph.from_layout("fb15k-237", data / "fb15k-237").save(folder / "fb15k-237")
    graph = KnowledgeGraph.open(folder / "fb15k-237")
    documents = {
        name: formats.read(data / f"el-wikidata/{name}.benchmark.jsonl", "elevant") for name in NEWS
    }
    return graph, keys_by_attribute(graph, "wikidata_id"), documents


def with_types(graph: KnowledgeGraph, data: Path, folder: Path) -> KnowledgeGraph:
    """Return FB15k-237, kept in a folder, with the types that CoDEx gives Wikidata's entities."""
    if not (folder / "fb15k-237-types" / "manifest.json").exists():
        types_of = json.loads((data / "codex/types/entity2types.json").read_text(encoding="utf-8"))
        known = json.loads((data / "codex/types/types.en.json").read_text(encoding="utf-8"))
        records = []
        for row, key in enumerate(graph.keys):
            label, *aliases = graph.names(row)
            attributes = graph.attributes(row)
            types = types_of.get(attributes.get("wikidata_id"), ())
            records.append(
                {
                    "key": key,
                    "label": label,
                    "aliases": aliases,
                    "description": graph.descriptions[row],
                    "types": [known[one]["label"] for one in types if known[one]["label"]],
                    "attributes": attributes,
                }
            )
        columns = graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist()
        triples = [
            (graph.keys[head], graph.relation_keys[relation], graph.keys[tail])
            for head, relation, tail in zip(*columns, strict=True)
        ]
        KnowledgeGraph.from_records(records, triples).save(folder / "fb15k-237-types")
    return KnowledgeGraph.open(folder / "fb15k-237-types")


def entities(given: argparse.Namespace) -> Figures:
    """News entities in the graph FB15k-237, end to end and with gold spans.

    Micro-F1 of mentions whose entity is in the graph. "fitted" has learned its weights from the
    other sets, those of the same make left out too; else they are the ones that ship with kgfm,
    "calibrated" on the texts of the very set, without their mentions. "with types" has a graph with
    the types of CoDEx.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = given.cache or Path(made)
        graph, key_of, documents = news_entities(given.data, folder)
        encode = Remembering(TextEncoder())
        typed = with_types(graph, given.data, folder)
        figures: Figures = {
            "entities": len(graph),
            "entities with types": int(np.count_nonzero(np.diff(typed.type_indptr))),
            "types": len(typed.type_names),
        }
        plain = Linker(graph, keep_nil=True)
        figures |= by_set(dict.fromkeys(NEWS, plain), documents, key_of, "exact name + degree")
        rows = [(graph, part, options) for part, options in PARTS.items()]
        for own, part, options in [*rows, (typed, "full, with types", PARTS["full"])]:
            NodeVectors.load_or_compute(own, encode)
            for fitted in (False, True):
                linkers = {
                    name: linker_of(
                        own, name, documents, key_of, fitted, {"encode": encode, **options}
                    )
                    for name in NEWS
                }
                kind = f"{part}, fitted" if fitted else part
                figures |= by_set(linkers, documents, key_of, kind)
                if part == "full" and not fitted:
                    for name, linker in linkers.items():
                        linker.calibrate([document.text for document in documents[name]])
                    figures |= by_set(linkers, documents, key_of, "full, calibrated")
    return figures


def linker_of(
    graph: KnowledgeGraph,
    name: str,
    documents: dict[str, list[Document]],
    key_of: Callable[[str], str | None],
    fitted: bool,
    options: dict[str, Any],
) -> Linker:
    """Return a linker for a set, which has learned from sets of other makes if it is fitted."""
    linker = Linker(graph, fuzzy=True, ranked=True, keep_nil=True, **options)
    if fitted:
        others = [n for n in NEWS if n.split("-")[0] != name.split("-")[0]]
        linker.fit([d for n in others for d in documents[n]], key_of=key_of)
    return linker


class Remembering:
    """An encoder that reads no text twice: all linkers of the table see the same ones."""

    def __init__(self, encode: Any) -> None:
        self.encode, self.name = encode, encode.name
        self.known: dict[str, np.ndarray] = {}

    def __call__(self, texts: list[str]) -> np.ndarray:
        new = [text for text in dict.fromkeys(texts) if text not in self.known]
        if new:
            self.known |= dict(zip(new, self.encode(new), strict=True))
        return np.stack([self.known[text] for text in texts])


def by_set(
    linkers: dict[str, Linker],
    documents: dict[str, list[Document]],
    key_of: Callable[[str], str | None],
    kind: str,
) -> Figures:
    """Return the figures of a linker on each set, and their means."""
    figures: Figures = {}
    for spans in ("end to end", "gold spans"):
        found = {
            name: evaluate(linker, documents[name], key_of=key_of, gold_spans=spans == "gold spans")
            for name, linker in linkers.items()
        }
        shown = {name: one.micro.f1 for name, one in found.items()}
        shown["mean"] = float(np.mean(list(shown.values())))
        shown["calibration error"] = float(
            np.mean([one.calibration_error for one in found.values()])
        )
        figures |= {f"{spans}: {kind}: {name}": value for name, value in shown.items()}
        print(f"{spans:10} {kind:40} " + " ".join(f"{v:.3f}" for v in shown.values()), flush=True)
    return figures
