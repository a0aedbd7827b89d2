"""Questions by walks: how many are right, from how many examples, and how long one takes.

    python benchmarks/bench_questions.py world --seeds 0 1 2
    python benchmarks/bench_questions.py metaqa --data DIR --seeds 0 1 2
    python benchmarks/bench_questions.py few --data DIR --seeds 0 1 2
    python benchmarks/bench_questions.py deeper --data DIR --seeds 0 1 2
    python benchmarks/bench_questions.py evidence --data DIR --seeds 0 1 2
    python benchmarks/bench_questions.py half --data DIR --seeds 0 1 2
    python benchmarks/bench_questions.py pathquestion --data DIR --seeds 0 1 2
    python benchmarks/bench_questions.py scale --entities 1000000 --edges 10000000

DIR holds ``metaqa/`` or ``pathquestion/``. MetaQA's dev questions are dealt out anew for each seed;
the figures are of the test part, from raw text, the number of hops unknown. A set is right if it
is the whole set; Hits@1 is that of a pick at random from the set that was found, without encoder
and fusion, which rank inside of it (``kgfm train metaqa``).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import itertools
import json
import random
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kgfm.backbones import TextEncoder
from kgfm.datasets import Dataset, metaqa, pathquestion, world
from kgfm.datasets.world import world_operators
from kgfm.graph import KnowledgeGraph
from kgfm.linking import LINKERS
from kgfm.metrics import mean_ci
from kgfm.retrieval import Answered, Retriever, ask
from kgfm.retrieval.walks import WalkRetriever
from kgfm.scorers import WalkScorer
from kgfm.types import Asked, Example, Mention, Subgraph

HOPS = (1, 2, 3)
QUESTIONS = 2000
"""Of each number of hops, in the test."""
WORLD_MADE, FEW_MADE = 3600, 1000
"""Questions made beside the real ones."""
CUT = 300
"""Of which steps of the paths are cut."""


def answered(examples: Sequence[Example], graph: KnowledgeGraph, linker: Any) -> list[Answered]:
    """Link questions, and look up their answers; what is not in the graph is left out."""
    found = linker.link([e.text for e in examples if e.mentions is None])
    linked = iter(found)
    made: list[Answered] = []
    for example in examples:
        mentions = example.mentions if example.mentions is not None else tuple(next(linked))
        rows = [graph.keys.find(key) for key in example.target or ()]
        known = np.unique([row for row in rows if row >= 0]).astype(np.int64)
        kind, values = example.kind, example.target or ()
        if kind == "entity":
            made.append(Answered(ask(example.text, mentions, graph), known))
        else:
            none = np.empty(0, np.int64)
            made.append(Answered(ask(example.text, mentions, graph), none, kind, values))
    return made


def figures(retriever: Retriever, asked: Sequence[Answered]) -> dict[str, float]:
    """Hits@1 of a uniform pick, exact sets and F1, and how many are refused.

    Hits@1 is that of the likeliest set, whether it is answered with or refused; a set that is
    refused is neither exact nor has it an F1.
    """
    hits, exact, f1, refused = [], [], [], []
    for one, cut in zip(asked, retriever.retrieve([a.asked for a in asked]), strict=True):
        assert cut.found is not None
        said = cut.found.rows
        hits.append(len(np.intersect1d(said, one.rows)) / max(1, len(said)))
        said = said if cut.found.refused is None else np.empty(0, np.int64)
        shared = len(np.intersect1d(said, one.rows))
        exact.append(shared == len(said) == len(one.rows))
        f1.append(2 * shared / max(1, len(said) + len(one.rows)))
        refused.append(cut.found.refused is not None)
    return {
        "hits@1": float(np.mean(hits)),
        "exact": float(np.mean(exact)),
        "f1": float(np.mean(f1)),
        "refused": float(np.mean(refused)),
    }


def taught(
    graph: KnowledgeGraph,
    train: Sequence[Answered],
    validation: Sequence[Answered],
    encode: TextEncoder,
    seed: int,
    **given: Any,
) -> tuple[WalkRetriever, float]:
    """Return walks that have learned, and the CPU seconds that took."""
    start = time.process_time()
    retriever = WalkRetriever(graph, scorer=WalkScorer(encode), **given)
    retriever.learn(train, validation, seed=seed)
    return retriever, time.process_time() - start


def oracle(dataset: Dataset, kinds: Mapping[str, str]) -> float:
    """Hits@1 of a uniform pick from what the true relation of one hop leads to."""
    graph, hits = dataset.graph, []
    assert graph is not None
    for example in dataset.test:
        path = kinds.get(example.text)
        assert example.mentions
        key = example.mentions[0].entity
        if path is None or key is None:
            continue
        rows = walked(graph, graph.row(key), path)
        right = {graph.keys.find(answer) for answer in example.target or ()}
        hits.append(len(right & set(rows)) / max(1, len(rows)))
    return float(np.mean(hits))


RELATION = {
    "director": "directed_by",
    "writer": "written_by",
    "actor": "starred_actors",
    "year": "release_year",
    "language": "in_language",
    "tags": "has_tags",
    "tag": "has_tags",
    "genre": "has_genre",
    "imdbrating": "has_imdb_rating",
    "imdbvotes": "has_imdb_votes",
}
"""What a step of MetaQA's question types is called in its graph."""


def walked(graph: KnowledgeGraph, topic: int, path: str) -> list[int]:
    """Follow ``movie_to_director_to_movie``, the topic left out."""
    parts = path.split("_to_")
    rows = {topic}
    for one, other in itertools.pairwise(parts):
        forward = one == "movie"
        relation = graph.relation_row(RELATION[other if forward else one])
        ends = (graph.heads, graph.tails) if forward else (graph.tails, graph.heads)
        inside = np.isin(ends[0], list(rows)) & (graph.relations == relation)
        rows = set(ends[1][inside].tolist()) - {topic}
    return sorted(rows)


def kinds_of(folder: Path, hops: int) -> dict[str, str]:
    """The type of each dev question, by its text without brackets."""
    questions = (folder / f"{hops}-hop" / "qa_dev.txt").read_text(encoding="utf-8").splitlines()
    kinds = (folder / f"{hops}-hop" / "qa_dev_qtype.txt").read_text(encoding="utf-8").splitlines()
    texts = [q.partition("\t")[0].replace("[", "").replace("]", "") for q in questions]
    return dict(zip(texts, kinds, strict=True))


def dealt(folder: Path, cache: Path, hops: int, seed: int, topics: Any = "linked") -> Dataset:
    """MetaQA's dev questions of so many hops."""
    return metaqa(folder, cache, hops=hops, seed=seed, topics=topics)


def all_hops(
    given: argparse.Namespace, seed: int
) -> tuple[dict[int, Dataset], KnowledgeGraph, Any]:
    """MetaQA's questions by their number of hops, their graph, and a linker of it."""
    parts = {hops: dealt(given.data / "metaqa", given.cache, hops, seed) for hops in HOPS}
    graph = parts[1].needed_graph()
    return parts, graph, LINKERS.build("names", graph=graph)


def by_hops(retriever: Retriever, parts: Mapping[int, Dataset], linker: Any) -> dict[str, float]:
    """Figures of the test questions of each number of hops."""
    found = {}
    for hops, part in parts.items():
        asked = answered(part.test[:QUESTIONS], part.needed_graph(), linker)
        found |= {f"{hops} hops: {k}": v for k, v in figures(retriever, asked).items()}
    return found


def run_metaqa(given: argparse.Namespace, seed: int, encode: TextEncoder) -> dict[str, float]:
    """All hops, one model; beside it the true relation with a uniform pick, at one hop."""
    folder, cache = given.data / "metaqa", given.cache
    parts, graph, linker = all_hops(given, seed)
    train = [a for part in parts.values() for a in answered(part.train, graph, linker)]
    check = [a for p in parts.values() for a in answered(p.validation[:300], graph, linker)]
    retriever, seconds = taught(graph, train, check, encode, seed)
    found = {"learning, CPU s": seconds, "questions": float(len(train))}
    gold = dealt(folder, cache, 1, seed, "gold")
    found["1 hop: true relation, uniform pick"] = oracle(gold, kinds_of(folder, 1))
    found |= by_hops(retriever, parts, linker)
    paraphrases = list(_paraphrases(folder / "1-hop" / "ntm_qa_dev.txt"))
    found |= {
        f"paraphrases: {name}": value
        for name, value in figures(retriever, answered(paraphrases, graph, linker)).items()
    }
    return found


def _paraphrases(path: Path) -> Iterable[Example]:
    for line in path.read_text(encoding="utf-8").splitlines():
        question, _, answers = line.partition("\t")
        yield Example(question.replace("[", "").replace("]", ""), tuple(answers.split("|")))


def run_world(given: argparse.Namespace, seed: int, encode: TextEncoder) -> dict[str, float]:
    """Sets, conjunctions, counts, yes or no, numbers, and what the graph lacks."""
    sizes: dict[str, Any] = {"train": 3600, "validation": 480, "test": 800, "operators": 0.4}
    dataset: Dataset = world(None, given.cache, seed=seed, **sizes)
    graph = dataset.needed_graph()
    linker = LINKERS.build("names", graph=graph)
    train, check = (answered(part, graph, linker) for part in (dataset.train, dataset.validation))
    retriever, seconds = taught(graph, train, check, encode, seed, made=WORLD_MADE)
    operated = world_operators(graph, {"train": 1440, "validation": 192, "test": 320}, seed=seed)
    pairs = {one.text for one in operated["test"] if one.sought and len(one.sought.walks) > 1}
    tests = answered(dataset.test, graph, linker)
    sorts: dict[str, list[float]] = {}
    for example, one, cut in zip(
        dataset.test, tests, retriever.retrieve([a.asked for a in tests]), strict=True
    ):
        found = cut.found
        assert found is not None
        refused = found.refused is not None
        sorts.setdefault(f"refused, {'has' if example.target else 'no'} answer", []).append(refused)
        if not example.target:
            continue
        sort = "conjunction" if example.text in pairs else example.kind
        right = found.values == one.values if one.values else np.array_equal(found.rows, one.rows)
        sorts.setdefault(f"{sort}: right", []).append(right and not refused)
    found_ = {"learning, CPU s": seconds}
    return found_ | {name: float(np.mean(values)) for name, values in sorted(sorts.items())}


def run_few(given: argparse.Namespace, seed: int, encode: TextEncoder) -> dict[str, float]:
    """100 real questions of each hop, alone and with questions made from the graph beside them."""
    parts, graph, linker = all_hops(given, seed)
    draw = random.Random(seed)
    train = [a for p in parts.values() for a in answered(draw.sample(p.train, 100), graph, linker)]
    check = [a for p in parts.values() for a in answered(p.validation[:100], graph, linker)]
    found = {}
    for name, made in (("", 0), ("and made ones: ", FEW_MADE)):
        retriever, seconds = taught(graph, train, check, encode, seed, made=made)
        found[f"{name}learning, CPU s"] = seconds
        found |= {f"{name}{k}": v for k, v in by_hops(retriever, parts, linker).items()}
    return found


def run_deeper(given: argparse.Namespace, seed: int, encode: TextEncoder) -> dict[str, float]:
    """Trained on one and two hops, asked three."""
    parts, graph, linker = all_hops(given, seed)
    train = [a for h in (1, 2) for a in answered(parts[h].train, graph, linker)]
    check = [a for h in (1, 2) for a in answered(parts[h].validation[:300], graph, linker)]
    retriever, seconds = taught(graph, train, check, encode, seed)
    found = {"learning, CPU s": seconds}
    found |= by_hops(retriever, parts, linker)
    return found


def run_evidence(given: argparse.Namespace, seed: int, encode: TextEncoder) -> dict[str, float]:
    """Whether the first path is of the gold relations, and what cutting its steps does."""
    folder = given.data / "metaqa"
    parts, graph, linker = all_hops(given, seed)
    draw = random.Random(seed)
    train = [a for p in parts.values() for a in answered(draw.sample(p.train, 2000), graph, linker)]
    check = [a for p in parts.values() for a in answered(p.validation[:100], graph, linker)]
    retriever, _ = taught(graph, train, check, encode, seed)
    found = {}
    for hops, part in parts.items():
        tests, kinds = part.test[:CUT], kinds_of(folder, hops)
        asked = answered(tests, graph, linker)
        cuts = retriever.retrieve([one.asked for one in asked])
        gold, told = [], []
        for example, one, cut in zip(tests, asked, cuts, strict=True):
            said = cut.found
            assert said is not None
            if not cut.paths or not len(np.intersect1d(said.rows, one.rows)):
                continue
            path = cut.paths[0]
            gold.append(_relations(graph, cut, path) == _gold(graph, kinds[example.text]))
            triples = _triples(cut)[np.array(path.edges)]
            without = [replace(one.asked, without=triple[None]) for triple in triples]
            end, changes = cut.nodes[path.nodes[-1]], []
            for again in retriever.retrieve(without):
                assert again.found is not None
                same = np.array_equal(again.found.rows, said.rows)
                instead = [p for p in again.paths if again.nodes[p.nodes[-1]] == end]
                changes.append(not same or bool(instead))
            told.append(all(changes))
        found[f"{hops} hops: first path is gold"] = float(np.mean(gold))
        found[f"{hops} hops: a cut changes the set or brings a path forward"] = float(np.mean(told))
    return found


def _triples(cut: Subgraph) -> Any:
    heads, tails = cut.nodes[cut.edge_index]
    return np.stack([heads, cut.edge_type, tails], axis=1)


def _relations(graph: KnowledgeGraph, cut: Subgraph, path: Any) -> list[tuple[str, bool]]:
    """Relations of a path, each with whether it is walked from head to tail."""
    at, steps = path.nodes[0], []
    for edge, to in zip(path.edges, path.nodes[1:], strict=True):
        forward = int(cut.edge_index[0, edge]) == at
        steps.append((graph.relation_keys[int(cut.edge_type[edge])], forward))
        at = to
    return steps


def _gold(graph: KnowledgeGraph, kind: str) -> list[tuple[str, bool]]:
    pairs = itertools.pairwise(kind.split("_to_"))
    return [(RELATION[b if a == "movie" else a], a == "movie") for a, b in pairs]


def run_half(given: argparse.Namespace, seed: int, encode: TextEncoder) -> dict[str, float]:
    """Half of the triples removed: beside walking the gold path."""
    folder, cache = given.data / "metaqa", given.cache
    parts = {hops: dealt(folder, cache, hops, seed) for hops in HOPS}
    whole = parts[1].needed_graph()
    keep = np.random.default_rng(seed).random(whole.num_triples) < 0.5
    graph = KnowledgeGraph.from_records(
        (),
        [
            (whole.keys[h], whole.relation_keys[r], whole.keys[t])
            for h, r, t in zip(
                whole.heads[keep].tolist(),
                whole.relations[keep].tolist(),
                whole.tails[keep].tolist(),
                strict=True,
            )
        ],
        relations={key: key.replace("_", " ") for key in whole.relation_keys},
    )
    linker = LINKERS.build("names", graph=graph)
    train = [a for part in parts.values() for a in answered(part.train, graph, linker)]
    check = [a for p in parts.values() for a in answered(p.validation[:300], graph, linker)]
    retriever, seconds = taught(graph, train, check, encode, seed)
    found = {"learning, CPU s": seconds}
    for hops, part in parts.items():
        tests = part.test[:QUESTIONS]
        kinds = kinds_of(folder, hops)
        gold = {e.text: e for e in dealt(folder, cache, hops, seed, "gold").test}
        hits = []
        for example in tests:
            mentions = gold[example.text].mentions
            assert mentions
            topic = graph.keys.find(mentions[0].entity or "")
            rows = walked(graph, topic, kinds[example.text]) if topic >= 0 else []
            right = {graph.keys.find(answer) for answer in example.target or ()} - {-1}
            hits.append(len(right & set(rows)) / max(1, len(rows)))
        found[f"{hops} hops: gold path walked"] = float(np.mean(hits))
        said = figures(retriever, answered(tests, graph, linker))
        found |= {f"{hops} hops: {name}": value for name, value in said.items()}
    return found


def run_pathquestion(given: argparse.Namespace, seed: int, encode: TextEncoder) -> dict[str, float]:
    """Random splits, splits by path, and from each set of questions to the others' graphs."""
    found: dict[str, float] = {}
    tests: dict[str, tuple[KnowledgeGraph, list[Answered]]] = {}
    learned: dict[str, WalkRetriever] = {}
    for part in ("PQ-2H", "PQ-3H", "PQL-2H"):
        for deal in ("random", "path"):
            read: Any = pathquestion
            dataset: Dataset = read(
                given.data / "pathquestion", given.cache, part=part, deal=deal, seed=seed
            )
            graph = dataset.needed_graph()
            train, check, test = (
                answered(examples, graph, LINKERS.build("names", graph=graph))
                for examples in (dataset.train, dataset.validation, dataset.test)
            )
            retriever, _ = taught(graph, train, check, encode, seed, come_back=True)
            found |= {f"{part} {deal}: {k}": v for k, v in figures(retriever, test).items()}
            if deal == "random":
                tests[part], learned[part] = (graph, test), retriever
    for part, retriever in learned.items():
        for other, (graph, test) in tests.items():
            if other != part:
                moved = WalkRetriever(graph, scorer=WalkScorer(encode), come_back=True)
                moved.restore(retriever.learned())
                found[f"{part} to {other}: hits@1"] = figures(moved, test)["hits@1"]
    return found


def scale(given: argparse.Namespace, encode: TextEncoder) -> dict[str, float]:
    """A question over a large graph, beside a dense propagation over all of it."""
    from bench_retrieval import power_law

    torch.set_num_threads(1)
    graph = power_law(given.entities, given.edges, given.relations, 0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    retriever = WalkRetriever(graph, scorer=WalkScorer(encode))
    retriever.learn([], [])
    found = {"triples": float(graph.num_triples)}
    found["steps, CPU s"] = time.process_time() - start
    found["steps, MiB"] = retriever.explorer.steps.nbytes / 2**20
    found["more memory at most, MiB"] = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    ) / 1024
    draw = np.random.default_rng(0)
    questions = []
    # Where edges end, and not entities drawn evenly: what people ask about has many.
    for row in graph.heads[draw.integers(graph.num_triples, size=given.questions)].tolist():
        name = graph.keys[row]
        text = f"what is the r{draw.integers(given.relations)} of {name}?"
        at = text.index(name)
        mention = Mention(at, at + len(name), name, name)
        questions.append(Asked(text, (mention,), np.array([row], np.int64)))
    times = [1000 * took(lambda one=one: retriever.retrieve([one])) for one in questions]
    found["a question, ms p50"] = statistics.median(times[5:])
    found["a question, ms p95"] = float(np.quantile(times[5:], 0.95))
    heads, relations, tails = (
        torch.from_numpy(np.array(a, np.int64)) for a in (graph.heads, graph.relations, graph.tails)
    )
    weights = torch.rand(3, 2 * given.relations)

    def dense() -> None:
        state = torch.zeros(len(graph))
        state[0] = 1.0
        for step in weights:
            out = torch.zeros_like(state).index_add(0, tails, state[heads] * step[relations])
            back = state[tails] * step[relations + given.relations]
            state = out.index_add(0, heads, back).clamp(max=1.0)

    found["dense propagation, ms p50"] = statistics.median(1000 * took(dense) for _ in range(5))
    return found


def took(run: Callable[[], Any]) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    runs = {
        "world": run_world,
        "metaqa": run_metaqa,
        "few": run_few,
        "deeper": run_deeper,
        "evidence": run_evidence,
        "half": run_half,
        "pathquestion": run_pathquestion,
    }
    parser.add_argument("what", nargs="?", default="scale", choices=[*runs, "scale"])
    parser.add_argument("--data", type=Path, default=os.environ.get("KGFM_DATA"))
    parser.add_argument("--cache", type=Path, default=Path("cache/graphs"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--relations", type=int, default=500)
    parser.add_argument("--questions", type=int, default=205)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    encode = TextEncoder("minilm")
    if given.what == "scale":
        found: dict[str, Any] = scale(given, encode)
        for name, value in found.items():
            print(f"{name:40} {value:12.2f}")
    else:
        if given.data is None and given.what != "world":
            parser.error("--data DIR says where the questions are")
        given.data = Path(given.data or ".")
        each = [runs[given.what](given, seed, encode) for seed in given.seeds]
        found = {name: [one[name] for one in each] for name in each[0]}
        for name, values in found.items():
            print(f"{name:40} {mean_ci(values)!s:>18}  {' '.join(f'{v:.4f}' for v in values)}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
