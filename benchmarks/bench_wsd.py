"""Word senses without training: WordNet's first sense, the most alike gloss, and both.

python benchmarks/bench_wsd.py --data FOLDER --set semeval2007 --gloss --json wsd.json

FOLDER holds ``wsd/wordnet-3.0-dict.tar.gz`` (or ``wsd/dict``) and ``wsd/eval`` of the WSD
evaluation framework. ``first``: the sense that WordNet lists first. ``semcor``: the one that is
most frequent in ``wsd/semcor3.tsv.gz``, if that is there. ``gloss``: the sense whose text
(lemmas, types, gloss and examples) has the greatest cosine to the sentence, by the packaged MiniLM.
``gloss + order``: that cosine and the weighted prior ``-log(sense number)``; the weight is an
argument, chosen by nobody on these data.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.graph import KnowledgeGraph
from kgfm.linking.formats import wsd
from kgfm.linking.senses import Sense, Senses

Chooser = Callable[[wsd.Sentence, wsd.Instance, Sequence[Sense]], Sense]


def answered(sentences: Sequence[wsd.Sentence], senses: Senses, choose: Chooser) -> dict[str, Any]:
    """Return the sense key that a chooser gives each instance whose word is known."""
    return {
        one.id: (choose(sentence, one, known).key,)
        for sentence in sentences
        for one in sentence.instances
        if (known := senses.of(one.lemma, one.pos))
    }


class Glosses:
    """Vectors of the sentences and of every sense that one of their words may have."""

    def __init__(
        self, graph: KnowledgeGraph, sentences: Sequence[wsd.Sentence], senses: Senses
    ) -> None:
        from kgfm.backbones import TextEncoder

        words = {(one.lemma, one.pos) for sentence in sentences for one in sentence.instances}
        synsets = sorted({sense.synset for word in words for sense in senses.of(*word)})
        rows = [graph.row(synset) for synset in synsets]
        texts = [f"{', '.join(graph.names(row))}. {graph.text(row)}" for row in rows]
        encode = TextEncoder()  # its vectors have the length 1
        self.place = {synset: place for place, synset in enumerate(synsets)}
        self.glosses = encode(texts)
        self.sentences = encode([sentence.text for sentence in sentences])
        self.of = {sentence.id: place for place, sentence in enumerate(sentences)}

    def chooser(self, weight: float) -> Chooser:
        """Return the chooser of ``cosine - weight * log(sense number)``."""

        def choose(sentence: wsd.Sentence, one: wsd.Instance, known: Sequence[Sense]) -> Sense:
            context = self.sentences[self.of[sentence.id]]
            cosines = self.glosses[[self.place[sense.synset] for sense in known]] @ context
            prior = np.array([math.log(sense.order) for sense in known])
            return known[int(np.argmax(cosines - weight * prior))]

        return choose


def most_frequent(path: Path, senses: Senses) -> Chooser:
    """Return the chooser of the sense that SemCor has most often; ties as WordNet orders them."""
    counts = Counter(
        found.key
        for sentence in wsd.read_semcor(path)
        for one in sentence.instances
        if (found := senses.sense(one.keys[0])) is not None
    )
    return lambda sentence, one, known: max(known, key=lambda sense: counts[sense.key])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("KGFM_DATA"))
    parser.add_argument("--set", default="semeval2007", help="such as semeval2007, ALL")
    parser.add_argument("--graph", type=Path, help="a snapshot of WordNet, to spare building it")
    parser.add_argument("--gloss", action="store_true", help="also compare glosses (minutes)")
    parser.add_argument("--weight", type=float, default=0.1, help="of the order of senses")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    if given.data is None:
        print("needs the WSD evaluation framework and WordNet: --data FOLDER, or KGFM_DATA")
        return
    folder = Path(given.data) / "wsd"
    start = time.perf_counter()
    if given.graph is None:
        packed = folder / "wordnet-3.0-dict.tar.gz"
        graph = KnowledgeGraph.from_layout(
            "wordnet", packed if packed.is_file() else folder / "dict"
        )
    else:
        graph = KnowledgeGraph.open(given.graph)
    seconds = time.perf_counter() - start
    senses = Senses(graph)
    sentences = wsd.read(folder / "eval" / f"{given.set}.data.xml")
    gold = {one.id: one.keys for sentence in sentences for one in sentence.instances}
    choosers: dict[str, Chooser] = {"first": lambda sentence, one, known: known[0]}
    if (folder / "semcor3.tsv.gz").is_file():
        choosers["semcor"] = most_frequent(folder / "semcor3.tsv.gz", senses)
    if given.gloss:
        glosses = Glosses(graph, sentences, senses)
        choosers |= {"gloss": glosses.chooser(0), "gloss + order": glosses.chooser(given.weight)}
    figures: dict[str, Any] = {"graph": repr(graph), "graph_seconds": round(seconds, 2)}
    print(
        f"{graph!r}, {len(senses):,} senses, {seconds:.1f} s; {given.set}: {len(gold):,} instances"
    )
    print(f"{'':15} precision  recall      F1")
    for name, choose in choosers.items():
        found = wsd.score(gold, answered(sentences, senses, choose))
        figures[name] = found._asdict()
        print(f"{name:15} {found.precision:9.4f} {found.recall:7.4f} {found.f1:7.4f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
