"""What the graph is worth for words that training has never seen.

python benchmarks/bench_wsd_graph.py --data FOLDER --graph wordnet --json worth.json

A share of SemCor's rarer words (with several senses, tagged 20 times at most) is drawn by the seed,
and their tags are taken out of the training part; taggers that are alike but for their pointers
learn from the rest, the head alone, and are measured on the words that were taken out. Without
WordNet's sense order, which was made from the same tags.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

import numpy as np

from kgfm.graph import KnowledgeGraph
from kgfm.linking.formats import wsd
from kgfm.linking.senses import PARTS_OF_SPEECH, Senses
from kgfm.senses import SenseTagger
from kgfm.senses.corpus import document_of, split_semcor
from kgfm.training import TrainingConfig

RARE = 20
"""Words that are tagged more often are not taken out: what nobody has tagged is rare."""
CRITICAL = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78}
"""Student's t for 95 % of both sides, by the number of seeds."""
Word = tuple[str, str]


def word_of(one: wsd.Instance) -> Word:
    return one.lemma.lower(), PARTS_OF_SPEECH.get(one.pos, "")


def drawn(learnt: Sequence[wsd.Sentence], senses: Senses, share: float, seed: int) -> set[Word]:
    """Return a share of the rarer words that have several senses."""
    tagged = Counter(word_of(one) for sentence in learnt for one in sentence.instances)
    rare = sorted(
        word for word, count in tagged.items() if count <= RARE and len(senses.of(*word)) > 1
    )
    kept = np.random.default_rng(seed).random(len(rare)) < share
    return {word for word, out in zip(rare, kept, strict=True) if out}


def without(sentences: Sequence[wsd.Sentence], words: Set[Word]) -> list[wsd.Sentence]:
    """Return the sentences with the tags of some words taken out."""
    return [
        replace(
            sentence,
            instances=tuple(
                replace(one, keys=()) if word_of(one) in words else one
                for one in sentence.instances
            ),
        )
        for sentence in sentences
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("KGFM_DATA"))
    parser.add_argument("--graph", type=Path, required=True, help="a snapshot of WordNet")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    parser.add_argument("--share", type=float, default=0.2, help="of the rarer words")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--documents", type=int, default=60, help="to measure on")
    parser.add_argument("--lesk", action="store_true", help="also compare glosses to the window")
    parser.add_argument("--own_dropout", type=float, default=0.3)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--out", type=Path, default=Path("runs/worth"), help="checkpoints")
    parser.add_argument("--verbose", action="store_true", help="say what is being done")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    given = parser.parse_args()
    if len(given.seeds) < 2:
        parser.error("give two seeds at least: an interval comes from how much they differ")
    if given.data is None:
        print("needs SemCor: --data FOLDER, or KGFM_DATA")
        return
    graph = KnowledgeGraph.open(given.graph)
    learnt, _ = split_semcor(wsd.read_semcor(Path(given.data) / "wsd" / "semcor3.tsv.gz"))
    documents = sorted({document_of(s) for s in learnt if s.id.startswith(("brown1/", "brown2/"))})
    measured = set(documents[:: max(1, len(documents) // given.documents)][: given.documents])
    held = [sentence for sentence in learnt if document_of(sentence) in measured]
    rows: list[dict[str, float]] = []
    for seed in given.seeds:
        out = drawn(learnt, Senses(graph), given.share, seed)
        asked = sum(word_of(one) in out for sentence in held for one in sentence.instances)
        row: dict[str, float] = {"seed": seed, "words": len(out), "instances": asked}
        for pointers in (False, True):
            tagger = SenseTagger(
                graph,
                {"name": "minilm", "freeze": 3},
                pointers=pointers,
                prior=False,
                lesk=given.lesk,
                own_dropout=given.own_dropout,
                max_tokens=102,
                seed=seed,
            )
            figures = tagger.fit(
                without(learnt, out),
                held,
                TrainingConfig(batch_size=64, tensorboard=False, accelerator="cpu"),
                folder=given.out / f"{seed}-{pointers}",
                head_epochs=given.epochs,
                tune=False,
                cache=given.cache,
                resume=True,
                say=print if given.verbose else lambda _: None,
            )
            row["with" if pointers else "without"] = figures["f1_unseen"]
        rows.append(row)
        print(row, flush=True)
    summary = summed(rows)
    print(json.dumps(summary))
    if given.json:
        given.json.write_text(json.dumps({"rows": rows, **summary}, indent=1) + "\n")


def summed(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means, and half the width of the difference's confidence interval."""
    gain = np.array([row["with"] - row["without"] for row in rows])
    half = CRITICAL.get(len(rows), 1.96) * gain.std(ddof=1) / len(rows) ** 0.5
    return {
        "without": float(np.mean([row["without"] for row in rows])),
        "with": float(np.mean([row["with"] for row in rows])),
        "gain": float(gain.mean()),
        "half_width_95": float(half),
    }


if __name__ == "__main__":
    main()
