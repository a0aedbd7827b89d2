"""How many words of texts the affect graph knows, how fast they are found, and what they tell.

    python benchmarks/bench_words.py [newsmtsc|sentfin|newsroom] [--data DIR] [--sizes 250 1000]

Coverage is the share of a text's tokens with letters that are linked, as they stand and by their
base forms too. What they tell is seen by the plainest model that could be told: a logistic
regression on the bag of words around a target, without the graph, with the sums of what the words
evoke by affect, and with these sums of the shuffled graph. It learns in seconds from the training
part and is measured on the data set's own test; nothing is chosen by that.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch.nn.functional import cross_entropy

from kgfm.datasets import DATASETS, Dataset
from kgfm.datasets.graphs import affect_graph
from kgfm.graph import KnowledgeGraph
from kgfm.linking import WordLinker
from kgfm.linking.fold import tokens
from kgfm.metrics import mean_ci, paired_difference
from kgfm.recipes import aligned
from kgfm.types import Example

WINDOW = 10
"""Tokens on either side of a target that are read."""
MOST_WORDS = 3000
DECAY = 1e-3
Asked = tuple[str, int, int, str]
"""A text, a span of it, and its label."""


def asked_of(examples: Sequence[Example]) -> list[Asked]:
    """Return each labelled span."""
    return [
        (example.text, *about.spans[0], about.labels[0])
        for example in examples
        for about in example.about
        if about.labels
    ]


def windows(asked: Sequence[Asked]) -> list[tuple[int, int, list[str]]]:
    """Return where the words around each target begin and end, and the words."""
    found = []
    for text, start, end, _ in asked:
        own = tokens(text)
        before = [n for n, stop in enumerate(own.ends) if stop <= start][-WINDOW:]
        behind = [n for n, begin in enumerate(own.starts) if begin >= end][:WINDOW]
        places = [*before, *behind]
        first = min([start, *(own.starts[n] for n in places)])
        last = max([end, *(own.ends[n] for n in places)])
        found.append((first, last, [own.keys[n] for n in places]))
    return found


def evoked(
    asked: Sequence[Asked], linker: WordLinker, graph: KnowledgeGraph
) -> Float[np.ndarray, "target affect"]:
    """Return what the words around each target evoke in a graph, summed by affect."""
    weights = graph.edge_attributes["weight"]
    affects = {row: n for n, row in enumerate(np.unique(graph.tails).tolist())}
    sums = np.zeros((len(asked), len(affects)))
    linked = linker.link([text for text, *_ in asked])
    spans = zip(asked, windows(asked), linked, strict=True)
    for place, ((_, start, end, _), (first, last, _), words) in enumerate(spans):
        for word in words:
            if word.start < first or word.end > last or (word.start < end and word.end > start):
                continue
            row = graph.row(str(word.entity))
            for triple in range(*graph.out_indptr[row : row + 2].tolist()):
                sums[place, affects[int(graph.tails[triple])]] += weights[triple]
    return sums


def bags(
    train: Sequence[Asked], test: Sequence[Asked]
) -> tuple[Float[np.ndarray, "train word"], Float[np.ndarray, "test word"]]:
    """Return which words stand around each target, of those that are frequent in the training."""
    around = [[words for *_, words in windows(part)] for part in (train, test)]
    counts = Counter(word for words in around[0] for word in {*words})
    known = {word: n for n, (word, _) in enumerate(counts.most_common(MOST_WORDS))}
    found = []
    for part in around:
        bag = np.zeros((len(part), len(known)))
        for place, words in enumerate(part):
            bag[place, [known[word] for word in words if word in known]] = 1
        found.append(bag)
    return found[0], found[1]


def macro_f1(said: Int[np.ndarray, "target"], right: Int[np.ndarray, "target"]) -> float:
    """Return the mean of the F1 of the labels that occur."""
    found = []
    for label in np.unique(right):
        hits = ((said == label) & (right == label)).sum()
        found.append(2 * hits / max(1, (said == label).sum() + (right == label).sum()))
    return float(np.mean(found))


def regression(
    train: Float[np.ndarray, "train feature"],
    labels: Int[np.ndarray, "train"],
    test: Float[np.ndarray, "test feature"],
) -> Int[np.ndarray, "test"]:
    """Fit a logistic regression with weight decay, and return what it says."""
    given, right = torch.tensor(train, dtype=torch.float32), torch.tensor(labels)
    weight = torch.zeros(train.shape[1] + 1, int(right.max()) + 1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = cross_entropy(given @ weight[1:] + weight[0], right)
        value = value + DECAY * weight[1:].square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    with torch.no_grad():
        logits = torch.tensor(test, dtype=torch.float32) @ weight[1:] + weight[0]
    return logits.argmax(1).numpy()


def told(
    dataset: Dataset, graph: KnowledgeGraph, sizes: Sequence[int], seeds: Sequence[int]
) -> list[list[str]]:
    """Return a row for each number of training texts: macro-F1 without, with, and shuffled."""
    linker = WordLinker(graph)
    test = asked_of(dataset.test)
    labels = {label: n for n, label in enumerate(sorted({one[3] for one in test}))}
    right = np.array([labels[one[3]] for one in test])
    rows = [["texts", "words alone", "with", "shuffled", "with - alone", "with - shuffled"]]
    for size in [*sizes, len(dataset.train)]:
        found: dict[str, list[float]] = {"alone": [], "with": [], "shuffled": []}
        for seed in seeds if size < len(dataset.train) else seeds[:1]:
            order = np.random.default_rng(seed).permutation(len(dataset.train))[:size]
            own = asked_of([dataset.train[place] for place in order.tolist()])
            train = [one for one in own if one[3] in labels]
            learned = np.array([labels[one[3]] for one in train])
            bag, held = bags(train, test)
            altered = {"with": graph, "shuffled": graph.shuffled(seed)}
            for name in found:
                given, asked = bag, held
                if name in altered:
                    given, asked = (
                        np.hstack([part, evoked(targets, linker, altered[name])])
                        for part, targets in ((bag, train), (held, test))
                    )
                found[name].append(macro_f1(regression(given, learned, asked), right))
        means = [f"{mean_ci(values).mean:.3f}" for values in found.values()]
        gains = [paired_difference(found["with"], found[other]) for other in ("alone", "shuffled")]
        shown = [
            f"{gain.mean:+.3f}" + ("" if len(found["with"]) < 2 else f" ± {gain.half_width:.3f}")
            for gain in gains
        ]
        rows.append([f"{size:,}", *means, *shown])
    return rows


def coverage(dataset: Dataset, graph: KnowledgeGraph) -> list[list[str]]:
    """Return a row for each way to look words up: share of tokens that are known, and speed."""
    texts = [example.text for example in dataset.train]
    total = sum(key.isalpha() for text in texts for key in tokens(text).keys)
    rows = [["", "tokens known", "texts/s"]]
    for name, lemmas in (("as they stand", False), ("base forms too", True)):
        linker = WordLinker(graph, lemmas=lemmas)
        linker.link(texts[:64])
        start = time.perf_counter()
        found = linker.link(texts)
        seconds = time.perf_counter() - start
        share = sum(map(len, found)) / total
        rows.append([name, f"{share:.1%}", f"{len(texts) / seconds:,.0f}"])
    return rows


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", nargs="?", default="newsroom", help="one with spans")
    parser.add_argument("--data", type=Path, help="its folder")
    parser.add_argument("--sizes", type=int, nargs="*", default=[250, 1000])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        dataset = DATASETS.find(options.dataset)(options.data, cache)
        graph = affect_graph(cache)
        print(repr(dataset), repr(graph), sep="\n")
        print("\n" + aligned(coverage(dataset, graph)))
        print("\n" + aligned(told(dataset, graph, options.sizes, options.seeds)))


if __name__ == "__main__":
    main()
