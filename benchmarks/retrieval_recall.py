"""Which share of MetaQA's questions has all its answers in the cut of ``hops``, by fan-out.

python benchmarks/retrieval_recall.py DATA [--linked] [--budget 200]        (DATA holds metaqa/)

A question of so many hops is cut with as many, and with the default two; the topic is given, or
linked. The number in brackets is the mean number of nodes. This is where the defaults come from.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kgfm import Linker
from kgfm.datasets.metaqa import metaqa
from kgfm.retrieval import HopRetriever
from kgfm.types import Asked

FAN_OUTS = (8, 16, 32, 64, 100, 200, 1_000, None)
AT_ONCE = 512


def recall(
    retriever: HopRetriever, asked: Sequence[Asked], answers: Sequence[set[int]]
) -> tuple[float, float]:
    """Return the share of texts whose answers are all in their cut, and the mean nodes of a cut."""
    found = nodes = 0
    for first in range(0, len(asked), AT_ONCE):
        cuts = retriever.retrieve(asked[first : first + AT_ONCE])
        for wanted, cut in zip(answers[first : first + AT_ONCE], cuts, strict=True):
            found += wanted <= {*cut.nodes.tolist()}
            nodes += len(cut.nodes)
    return found / len(asked), nodes / len(asked)


def main() -> None:
    """Print a row for each kind of question and number of hops."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--linked", action="store_true", help="link the topics, as for raw text")
    parser.add_argument("--budget", type=int, default=200)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        for hops in (1, 2, 3):
            data = metaqa(Path(given.data) / "metaqa", cache, hops=hops, topics="gold")
            graph, examples = data.graph, [*data.train, *data.validation, *data.test]
            mentions = [example.mentions or () for example in examples]
            if given.linked:
                mentions = [
                    tuple(found) for found in map(Linker(graph), (e.text for e in examples))
                ]
            asked = [
                Asked.at(graph.rows([m.entity for m in each if m.entity])) for each in mentions
            ]
            answers = [{graph.row(key) for key in e.target or () if key in graph} for e in examples]
            for walk in sorted({hops, 2}):
                shown = []
                for fan_out in FAN_OUTS:
                    retriever = HopRetriever(graph, hops=walk, budget=given.budget, fan_out=fan_out)
                    share, nodes = recall(retriever, asked, answers)
                    shown.append(f"{fan_out}: {share:.4f} ({nodes:.0f})")
                print(f"{hops}-hop questions, cut by {walk}:", "  ".join(shown), flush=True)


if __name__ == "__main__":
    main()
