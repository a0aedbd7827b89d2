"""What the linker's benchmarks read, and how they time."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from kgfm.graph import KnowledgeGraph

Figures = dict[str, Any]
SEED = 0


def news(data: Path) -> Iterator[dict[str, Any]]:
    """Documents of the entity-linking sets: text, and labels with span, entity_id and name."""
    for path in sorted((data / "el-wikidata").glob("*.benchmark.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield {"set": path.name.removesuffix(".benchmark.jsonl"), **json.loads(line)}


def plots(data: Path) -> list[str]:
    lines = (data / "metaqa/text/wikimovies_plots.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("|", 2)[2] for line in lines if line.count("|") >= 2]


def film_names(data: Path) -> list[str]:
    lines = (data / "metaqa/kb/entities.dict").read_text(encoding="utf-8").splitlines()
    return [line.split("\t", 1)[1] for line in lines if "\t" in line]


def is_entity(label: dict[str, Any]) -> bool:
    return re.fullmatch(r"Q\d+", label["entity_id"]) is not None


def wikidata_names(data: Path, *, aliases: bool) -> dict[str, list[str]]:
    """Names by Wikidata id: fb15k-237, then FewRel, then the gold entities of the linking sets."""
    names: dict[str, list[str]] = {}
    known = json.loads((data / "fb15k-237/entity2wikidata.json").read_text(encoding="utf-8"))
    for entry in known.values():
        if entry.get("wikidata_id"):
            more = entry.get("alternatives") or [] if aliases else []
            names.setdefault(entry["wikidata_id"], [entry["label"], *more])
    relations = json.loads((data / "fewrel/val_wiki.json").read_text(encoding="utf-8"))
    for example in (example for examples in relations.values() for example in examples):
        for name, key, _ in (example["h"], example["t"]):
            names.setdefault(key, [name])
    for document in news(data):
        for label in filter(is_entity, document["labels"]):
            names.setdefault(label["entity_id"], [label["name"]])
    return names


def graph_of(names: dict[str, list[str]]) -> KnowledgeGraph:
    records = [{"key": key, "label": n[0], "aliases": n[1:]} for key, n in names.items() if n[0]]
    return KnowledgeGraph.from_records(records, [])


def drawn_names(own: Sequence[str], texts: Sequence[str], count: int) -> list[str]:
    """Own names, then 1 to 4 tokens of the texts' vocabulary, one in 500 of them a single token.

    With equal shares every word of the texts would be a name, 180 hits a kB.
    """
    chance = random.Random(SEED)
    words = sorted({word for text in texts for word in re.findall(r"\w+", text)})
    names = dict.fromkeys(sorted({*own} - {""})[:count])
    while len(names) < count:
        size = 1 if chance.random() < 0.002 else chance.randint(2, 4)
        names.setdefault(" ".join(chance.choices(words, k=size)))
    return list(names)


def grouped_graph(names: Sequence[str], size: int = 10) -> KnowledgeGraph:
    """Put ``size`` names on each entity: one label, the rest aliases."""
    records = (
        {"key": f"e{row:08}", "label": names[row], "aliases": names[row + 1 : row + size]}
        for row in range(0, len(names), size)
    )
    return KnowledgeGraph.from_records(records, [])


def seconds(work: Callable[[], Any], rounds: int = 3) -> float:
    """CPU seconds of the fastest round."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def megabytes(texts: Sequence[str]) -> float:
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) / 1e6


def portion(texts: Sequence[str], size: float) -> list[str]:
    """Texts, from the first on and over again, until they have so many megabytes."""
    part: list[str] = []
    total = 0.0
    while total < size:
        for text in texts:
            part.append(text)
            total += len(text.encode("utf-8")) / 1e6
            if total >= size:
                break
    return part
