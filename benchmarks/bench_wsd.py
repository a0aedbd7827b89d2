"""Word senses: WordNet's first sense, glosses, the untrained scorer, and trained taggers.

python benchmarks/bench_wsd.py --data FOLDER --untrained --run runs/senses --json wsd.json

FOLDER holds ``wsd/wordnet-3.0-dict.tar.gz`` (or ``wsd/dict``), ``wsd/semcor3.tsv.gz`` and
``wsd/eval`` of the WSD evaluation framework. Each row is measured on a set of the framework and on
the 20 documents of SemCor that ``kgfm senses train`` holds out, there also on the words (lemma and
part of speech) that the rest of SemCor does not have. ``first``: the sense that WordNet lists
first; its order comes from tagged texts, SemCor among them, so that on SemCor it has seen the
answers. ``semcor``: the most frequent one in the rest of SemCor. ``gloss``, ``untrained`` and
``untrained, no graph`` need ``--untrained`` (minutes); their weights are fitted on the part of
SemCor that is not held out. ``--run``: taggers that ``kgfm senses train`` has saved.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

from kgfm.graph import KnowledgeGraph
from kgfm.linking.formats import wsd
from kgfm.linking.senses import PARTS_OF_SPEECH, Sense, Senses
from kgfm.senses.corpus import document_of, split_semcor

Answers = Mapping[str, Sequence[str]]
FIT_DOCUMENTS = 20
"""Documents of SemCor, not among those held out, that the untrained weights are fitted on."""


def chosen(
    sentences: Sequence[wsd.Sentence], senses: Senses, choose: Callable[[Sequence[Sense]], Sense]
) -> dict[str, tuple[str]]:
    """Return the sense key that is chosen for each instance whose word is known."""
    return {
        one.id: (choose(known).key,)
        for sentence in sentences
        for one in sentence.instances
        if (known := senses.of(one.lemma, one.pos))
    }


def counts(sentences: Sequence[wsd.Sentence], senses: Senses) -> Counter[str]:
    """Count the sense keys of tagged sentences."""
    return Counter(
        found.key
        for sentence in sentences
        for one in sentence.instances
        if (found := senses.sense(one.keys[0])) is not None
    )


def gold_of(sentences: Sequence[wsd.Sentence], senses: Senses) -> dict[str, tuple[str, ...]]:
    """Return the right keys, written as WordNet's index has them."""
    return {
        one.id: tuple(found.key if (found := senses.sense(key)) else key for key in one.keys)
        for sentence in sentences
        for one in sentence.instances
    }


class Table:
    """The scores of answers on several sets, and on the unseen words of each."""

    def __init__(self, sets: Mapping[str, Sequence[wsd.Sentence]], seen: set[tuple[str, str]]):
        self.sets = sets
        self.seen = seen
        self.rows: dict[str, dict[str, float]] = {}

    def add(self, name: str, answers: Answers, senses: Senses) -> None:
        row: dict[str, float] = {}
        for part, sentences in self.sets.items():
            gold = gold_of(sentences, senses)
            unseen = {
                one.id
                for sentence in sentences
                for one in sentence.instances
                if word_of(one) not in self.seen and len(senses.of(one.lemma, one.pos)) > 1
            }
            row[part] = wsd.score(gold, answers).f1
            some = {id: keys for id, keys in gold.items() if id in unseen}
            row[f"{part}, unseen"] = wsd.score(some, answers).f1
            row[f"{part}, unseen instances"] = len(some)
        self.rows[name] = row
        print(line(name, row, list(self.sets)), flush=True)


def word_of(one: wsd.Instance) -> tuple[str, str]:
    return one.lemma.lower(), PARTS_OF_SPEECH.get(one.pos, "")


def line(name: str, row: Mapping[str, float], sets: Sequence[str]) -> str:
    cells = [f"{100 * row[key]:10.2f}" for part in sets for key in (part, f"{part}, unseen")]
    return f"{name:32}" + "".join(cells)


def untrained(
    table: Table, graph: KnowledgeGraph, learnt: Sequence[wsd.Sentence]
) -> dict[str, Any]:
    """Add the rows of the scorer that nothing but a few weights was fitted for."""
    from kgfm.backbones.load import load_backbone
    from kgfm.senses.glosses import gloss_vectors
    from kgfm.senses.inventory import Inventory
    from kgfm.senses.untrained import UntrainedScorer, Weights, choose, fit_weights

    inventory = Inventory(graph)
    scorer = UntrainedScorer(inventory, load_backbone("minilm"), gloss_vectors(inventory))
    documents = dict.fromkeys(map(document_of, learnt))
    every = max(1, len(documents) // FIT_DOCUMENTS)
    fitted_on = set(islice(documents, 0, None, every))
    known = scorer.parts([one for one in learnt if document_of(one) in fitted_on])
    weights = fit_weights(known)
    parts = [one for sentences in table.sets.values() for one in scorer.parts(sentences)]
    rows = {
        "gloss": Weights(context=1.0),
        "untrained, no graph": replace(weights, neighbours=0.0, pagerank=0.0),
        "untrained": weights,
    }
    for name, given in rows.items():
        table.add(name, choose(parts, given), inventory.senses)
    print("weights: " + "  ".join(f"{name} {value:.3g}" for name, value in asdict(weights).items()))
    return {"weights": asdict(weights)}


def trained(table: Table, run: Path, sizes: Sequence[int]) -> None:
    """Add a row of a saved tagger for each number of tokens that it reads together."""
    from kgfm.senses import SenseTagger

    tagger = SenseTagger.load(run)
    for size in sizes or [None]:
        answers: dict[str, tuple[str, ...]] = {}
        for sentences in table.sets.values():
            answers |= tagger(sentences, max_tokens=size)
        named = str(run) if size is None else f"{run}, {size} tokens"
        table.add(named, answers, tagger.inventory.senses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("KGFM_DATA"))
    parser.add_argument("--set", default="semeval2007", help="such as semeval2007, ALL")
    parser.add_argument("--graph", type=Path, help="a snapshot of WordNet, to spare building it")
    parser.add_argument("--untrained", action="store_true", help="also glosses and graph (minutes)")
    parser.add_argument("--run", type=Path, nargs="*", default=[], help="saved taggers")
    parser.add_argument("--max-tokens", type=int, nargs="*", default=[], help="read together")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    if given.data is None:
        print("needs the WSD evaluation framework and WordNet: --data FOLDER, or KGFM_DATA")
        return
    folder = Path(given.data) / "wsd"
    start = time.perf_counter()
    packed = folder / "wordnet-3.0-dict.tar.gz"
    graph = (
        KnowledgeGraph.open(given.graph)
        if given.graph
        else KnowledgeGraph.from_layout("wordnet", packed if packed.is_file() else folder / "dict")
    )
    senses = Senses(graph)
    print(f"{graph!r}, {len(senses):,} senses, {time.perf_counter() - start:.1f} s")
    learnt, held = split_semcor(wsd.read_semcor(folder / "semcor3.tsv.gz"))
    sets = {given.set: wsd.read(folder / "eval" / f"{given.set}.data.xml"), "held out": held}
    seen = {word_of(one) for sentence in learnt for one in sentence.instances}
    table = Table(sets, seen)
    print(" " * 32 + "".join(f"{part:>12}    unseen" for part in sets))
    table.add("first", answers_of(sets, senses, lambda known: known[0]), senses)
    tagged = counts(learnt, senses)
    frequent = answers_of(sets, senses, lambda known: max(known, key=lambda s: tagged[s.key]))
    table.add("semcor", frequent, senses)
    figures: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    if given.untrained:
        figures |= untrained(table, graph, learnt)
    for run in given.run:
        trained(table, run, given.max_tokens)
    figures |= {"graph": repr(graph), "rows": table.rows}
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


def answers_of(
    sets: Mapping[str, Sequence[wsd.Sentence]],
    senses: Senses,
    choose: Callable[[Sequence[Sense]], Sense],
) -> dict[str, tuple[str]]:
    return {
        id: keys
        for sentences in sets.values()
        for id, keys in chosen(sentences, senses, choose).items()
    }


if __name__ == "__main__":
    main()
