"""The linker's figures: scanning, candidates, company names, latency; each a named case.

KGFM_DATA=folder python benchmarks/bench_linking.py --json linking.json
python benchmarks/bench_linking.py --only scan --aliases 100000 --megabytes 10

Seconds are those of one core's work (CPU time), the best of several rounds, so that what else runs
on the machine counts little; all systems of a table are timed in the same run.
"""

from __future__ import annotations

import argparse
import ast
import csv
import json
import os
import platform
import random
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker, formats
from kgfm.linking.candidates import CandidateIndex
from kgfm.linking.contexts import EntityVectors
from kgfm.linking.dictionary import NameDictionary, build_arrays
from kgfm.linking.evaluate import evaluate, keys_by_attribute
from kgfm.linking.fold import fold, tokens
from kgfm.linking.formats.document import Document

Figures = dict[str, Any]
SEED = 0


# -- what is read ---------------------------------------------------------------------------------


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


# -- timing ---------------------------------------------------------------------------------------


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


# -- the cases ------------------------------------------------------------------------------------


def scan(given: argparse.Namespace) -> Figures:
    """Scanning: all matches counted, against ahocorasick-rs and spaCy's PhraseMatcher."""
    documents = list(news(given.data))
    base = [document["text"] for document in documents] + plots(given.data)
    own = {label["name"] for d in documents for label in d["labels"] if is_entity(label)}
    names = drawn_names([*own, *film_names(given.data)], base, given.aliases)
    texts = portion(base, given.megabytes)
    graph = grouped_graph(names)
    start = time.process_time()
    arrays = build_arrays(graph)
    built = time.process_time() - start
    dictionary = NameDictionary(graph, arrays, compiled=True)
    hits = len(dictionary.scan(texts, longest=False))
    size = megabytes(texts)
    figures: Figures = {
        "aliases": len(names),
        "megabytes": round(size, 1),
        "hits a kB": round(hits / size / 1e3, 1),
        "build s": round(built, 2),
        "dictionary MB": round(dictionary.num_bytes / 1e6),
        "kgfm MB/s": size / seconds(lambda: dictionary.scan(texts, longest=False)),
        "kgfm longest MB/s": size / seconds(lambda: dictionary.scan(texts)),
    }
    vectorised = NameDictionary(graph, arrays, compiled=False)
    part = portion(base, min(size, 2))
    figures["kgfm numpy MB/s"] = megabytes(part) / seconds(
        lambda: vectorised.scan(part, longest=False), 1
    )
    figures |= automaton(names, portion(base, min(size, given.rival_megabytes)))
    figures |= phrase_matcher(names[: given.phrases], portion(base, min(size, 1)))
    for rival in ("ahocorasick-rs", "PhraseMatcher"):
        if f"{rival} MB/s" in figures:
            ratio = figures["kgfm MB/s"] / figures[f"{rival} MB/s"]
            figures[f"kgfm / {rival}"] = ratio
    return figures


def automaton(names: Sequence[str], texts: Sequence[str]) -> Figures:
    try:
        import ahocorasick_rs
    except ImportError:
        return {"ahocorasick-rs": 'left out: pip install "kgfm[bench]"'}
    start = time.process_time()
    found = ahocorasick_rs.AhoCorasick(list({fold(name) for name in names}))
    built = time.process_time() - start
    folded = [fold(text) for text in texts]  # not timed: it is given the folded text

    def count() -> int:
        return sum(len(found.find_matches_as_indexes(text, overlapping=True)) for text in folded)

    size = megabytes(texts)
    return {
        "ahocorasick-rs build s": built,
        "ahocorasick-rs hits a kB": count() / size / 1e3,
        "ahocorasick-rs MB/s": size / seconds(count),
    }


def phrase_matcher(names: Sequence[str], texts: Sequence[str]) -> Figures:
    import spacy
    from spacy.matcher import PhraseMatcher

    language = spacy.blank("en")
    matcher = PhraseMatcher(language.vocab, attr="LOWER")
    start = time.process_time()
    for first in range(0, len(names), 10_000):
        matcher.add("name", list(language.tokenizer.pipe(names[first : first + 10_000])))
    built = time.process_time() - start

    def count() -> int:
        return sum(len(matcher(document)) for document in language.tokenizer.pipe(texts))

    return {
        "PhraseMatcher aliases": len(names),
        "PhraseMatcher build s": built,
        "PhraseMatcher MB/s": megabytes(texts) / seconds(count, 1),
    }


def memory(given: argparse.Namespace) -> Figures:
    """Five million aliases: build, and peak memory of the whole process (run it alone)."""
    texts = plots(given.data)
    names = drawn_names(film_names(given.data), texts, 5 * given.aliases)
    count = len(names)
    graph = grouped_graph(names)
    del names
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    start = time.process_time()
    arrays = build_arrays(graph)
    built = time.process_time() - start
    dictionary = NameDictionary(graph, arrays, compiled=True)
    part = portion(texts, min(given.megabytes, 10))
    speed = megabytes(part) / seconds(lambda: dictionary.scan(part, longest=False))
    return {
        "aliases": count,
        "build s": built,
        "dictionary GB": dictionary.num_bytes / 1e9,
        "peak GB with the making of the graph": before,
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "MB/s": speed,
    }


PERTURBATIONS = ("typo", "plural", "order", "initial", "drop", "drop one of two")


def perturbed(name: str, kind: str, chance: random.Random) -> str | None:
    """Return a name with one thing changed, or ``None`` where it has not enough words for that.

    ``typo``: a character replaced, lost or put in. ``plural``: with s, es or 's. ``order``: the
    first word last. ``initial``: of the first word only the initial. ``drop``: a word less of three
    or more; of two, what is left is a name of many, and is counted apart.
    """
    words = name.split()
    if kind == "typo":
        at = chance.randrange(len(name))
        letter = chance.choice("abcdefghijklmnopqrstuvwxyz")
        edits = [name[:at] + letter + name[at + 1 :], name[:at] + name[at + 1 :]]
        return chance.choice([*edits, name[:at] + letter + name[at:]])
    if kind == "plural":
        return name + chance.choice(["s", "'s", "es"])
    if len(words) < 2:
        return None
    if kind == "order":
        return " ".join(words[1:] + words[:1])
    if kind == "initial":
        return " ".join([words[0][0] + ".", *words[1:]])
    if (len(words) == 2) != (kind == "drop one of two"):
        return None
    at = chance.randrange(len(words))
    return " ".join(words[:at] + words[at + 1 :])


def fuzzy(given: argparse.Namespace) -> Figures:
    """Fuzzy candidates of perturbed names: recall at 16 and queries a second."""
    documents = list(news(given.data))
    base = [document["text"] for document in documents] + plots(given.data)
    wikidata = [name for n in wikidata_names(given.data, aliases=True).values() for name in n]
    own = sorted({*film_names(given.data), *wikidata} - {""})
    random.Random(SEED).shuffle(own)
    figures: Figures = {}
    for count in given.fuzzy_aliases:
        names = drawn_names(own, base, count)
        graph = graph_of({f"e{row:08}": [name] for row, name in enumerate(names)})
        start = time.process_time()
        dictionary = NameDictionary(graph, build_arrays(graph), compiled=True)
        index = CandidateIndex(dictionary, compiled=True)
        figures[f"{count:,} build s"] = time.process_time() - start
        figures |= {
            f"{count:,} {name}": value for name, value in fuzzy_recall(index, names).items()
        }
    return figures


def fuzzy_recall(index: CandidateIndex, names: Sequence[str]) -> Figures:
    chance = random.Random(SEED)
    queries: list[str] = []
    rows: list[int] = []
    kinds: list[str] = []
    while len(queries) < 2048:
        row, kind = chance.randrange(len(names)), chance.choice(PERTURBATIONS)
        query = perturbed(names[row], kind, chance)
        if query is not None:
            queries.append(query)
            rows.append(row)
            kinds.append(kind)
    index(queries[:64])
    found = index(queries)
    by_kind: dict[str, list[bool]] = {kind: [] for kind in PERTURBATIONS}
    for query, (row, kind) in enumerate(zip(rows, kinds, strict=True)):
        first = found.rows[found.indptr[query] : found.indptr[query + 1]][:16]
        by_kind[kind].append(bool((first == row).any()))
    apart = by_kind["drop one of two"]
    counted = [hit for kind, hits in by_kind.items() if hits is not apart for hit in hits]
    return {
        "R@16 but for drop one of two": float(np.mean(counted)),
        "R@16 of all": float(np.mean(counted + apart)),
        **{f"R@16 {kind}": float(np.mean(hits)) for kind, hits in by_kind.items()},
        "candidates": len(found.rows) / len(queries),
        "queries/s": len(queries) / seconds(lambda: index(queries), 2),
        "queries/s trigrams alone": len(queries) / seconds(lambda: index.by_trigrams(queries), 2),
    }


def recall(given: argparse.Namespace) -> Figures:
    """Candidate recall of gold mentions, from names alone."""
    figures: Figures = {}
    for aliases in (False, True):
        graph = graph_of(wikidata_names(given.data, aliases=aliases))
        index = CandidateIndex(NameDictionary.load_or_build(graph), compiled=True)
        kind = "labels and aliases" if aliases else "labels"
        figures[f"{kind}: entities"] = len(graph)
        figures[f"{kind}: names"] = len(index.dictionary)
        for family in ("reuters-128", "news-fair", "wiki-fair", "oke-2015-train", "spotlight"):
            gold = [
                (document["text"][slice(*label["span"])], label["entity_id"])
                for document in news(given.data)
                if document["set"] == family
                for label in document["labels"]
                if is_entity(label) and label["entity_id"] in graph
            ]
            found = index([text for text, _ in gold])
            hits = exact = 0
            for mention, (_, key) in enumerate(gold):
                part = slice(found.indptr[mention], found.indptr[mention + 1])
                at = np.flatnonzero(found.rows[part] == graph.row(key))
                hits += len(at) > 0
                exact += len(at) > 0 and bool(found.features[part][at[0], 0] > 0)
            figures |= {
                f"{kind}: {family} mentions": len(gold),
                f"{kind}: {family} exact": exact / len(gold),
                f"{kind}: {family} recall": hits / len(gold),
                f"{kind}: {family} mean candidates": len(found.rows) / len(gold),
            }
    return figures


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


def entities(given: argparse.Namespace) -> Figures:
    """News entities in the graph FB15k-237, end to end and with gold spans.

    Micro-F1 of mentions whose entity is in the graph. "fitted" has learned its weights from the
    other sets, those of the same make left out too; else they are the ones that ship with kgfm.
    """
    import tempfile

    from kgfm.backbones import TextEncoder

    with tempfile.TemporaryDirectory() as made:
        folder = given.cache or Path(made)
        if not (folder / "fb15k-237" / "manifest.json").exists():
            layout = KnowledgeGraph.from_layout("fb15k-237", given.data / "fb15k-237")
            layout.save(folder / "fb15k-237")
        graph = KnowledgeGraph.open(folder / "fb15k-237")
        key_of = keys_by_attribute(graph, "wikidata_id")
        documents = {
            name: formats.read(given.data / f"el-wikidata/{name}.benchmark.jsonl", "elevant")
            for name in NEWS
        }
        encode = Remembering(TextEncoder())
        EntityVectors(graph, encode).compute_all()
        figures: Figures = {"entities": len(graph)}
        plain = Linker(graph, keep_nil=True)
        figures |= by_set(dict.fromkeys(NEWS, plain), documents, key_of, "exact name + degree")
        for fitted in (False, True):
            for part, options in PARTS.items():
                linkers = {}
                for name in NEWS:
                    linker = Linker(
                        graph, fuzzy=True, ranked=True, keep_nil=True, encode=encode, **options
                    )
                    if fitted:
                        family = name.split("-")[0]
                        others = [n for n in NEWS if n.split("-")[0] != family]
                        linker.fit([d for n in others for d in documents[n]], key_of=key_of)
                    linkers[name] = linker
                kind = f"{part}, fitted" if fitted else part
                figures |= by_set(linkers, documents, key_of, kind)
    return figures


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


def headlines(data: Path) -> Iterator[tuple[str, str]]:
    """(headline, entity) of SEntFiN; a few of its rows are no valid literals and are matched."""
    with (data / "sentfin/SEntFiN.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                entities = list(ast.literal_eval(row["Decisions"]))
            except (SyntaxError, ValueError):
                found = re.findall(r"[{,]\s*['\"](.+?)['\"]\s*:\s*['\"]\w+['\"]", row["Decisions"])
                entities = list(found)
            for entity in entities:
                yield row["Title"], entity


def companies(given: argparse.Namespace) -> Figures:
    """Company names in the headlines of SEntFiN: its gazetteer is the graph."""
    names: dict[str, list[str]] = {}
    path = given.data / "sentfin/entity_list_comprehensive.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            names.setdefault(row["Symbol"], []).extend(map(str.strip, row["Entity"].split(",")))
    graph = graph_of(names)
    bearers: dict[tuple[str, ...], set[str]] = {}
    for key, own in names.items():
        for name in own:
            bearers.setdefault(tuple(tokens(name).keys), set()).add(key)
    linker, index = Linker(graph, min_score=0), CandidateIndex(NameDictionary.load_or_build(graph))
    pairs = list(headlines(given.data))
    known = [tuple(tokens(entity).keys) in bearers for _, entity in pairs]
    exact = [pair for pair, is_known in zip(pairs, known, strict=True) if is_known]
    rest = [pair for pair, is_known in zip(pairs, known, strict=True) if not is_known]
    found = linked = 0
    for title, entity in exact:
        wanted = tuple(tokens(entity).keys)
        spans = index.dictionary.scan([title], longest=False)
        stretches = zip(spans.starts.tolist(), spans.ends.tolist(), strict=True)
        found += wanted in {tuple(tokens(title[start:end]).keys) for start, end in stretches}
        linked += any(
            {key for key, _ in mention.candidates} & bearers[wanted] for mention in linker(title)
        )
    touched = sum(
        any(mention.text in entity or entity in mention.text for mention in linker(title))
        for title, entity in rest
    )
    candidates = index([entity for _, entity in rest])
    first = candidates.indptr[:-1][np.diff(candidates.indptr) > 0]
    return {
        "companies": len(graph),
        "aliases": len(bearers),
        "mentions": len(pairs),
        "exact aliases": len(exact),
        "exact aliases: the name is found": found / len(exact),
        "exact aliases: the linker gives the company": linked / len(exact),
        "the rest": len(rest),
        "the rest: a part of it is linked": touched / len(rest),
        "the rest: a fuzzy candidate of .8 or more": (candidates.scores[first] >= 0.8).sum()
        / len(rest),
    }


def latency(given: argparse.Namespace) -> Figures:
    """Milliseconds for one text of 200 tokens at 100k entities, and the memory that it takes."""
    import torch

    from kgfm.backbones import TextEncoder

    torch.set_num_threads(1)
    base = plots(given.data)
    names = drawn_names(film_names(given.data), base, 100_000)
    graph = graph_of({f"e{row:08}": [name] for row, name in enumerate(names)})
    words = " ".join(base[:100]).split()
    texts = [" ".join(words[at : at + 200]) for at in range(0, 2000, 200)]
    arrays = build_arrays(graph)
    encode = TextEncoder(max_tokens=512)
    kinds: dict[str, dict[str, Any]] = {
        "names": {},
        "ranked": {"ranked": True, "coherence": False},
        "ranked, coherence": {"ranked": True},
        "ranked, coherence, fuzzy": {"ranked": True, "fuzzy": True},
        "ranked, coherence, context": {"context": True, "encode": encode},
    }
    figures: Figures = {}
    for kind, options in kinds.items():
        for compiled in (False, True) if kind == "names" else (True,):
            linker = Linker(graph, **options)
            linker.names = NameDictionary(graph, arrays, compiled=compiled)
            if "fuzzy" in options:
                linker.candidates = CandidateIndex(linker.names, compiled=True)
            for text in texts:
                linker(text)
            best = [seconds(partial(linker, text), 5) for text in texts]
            named = kind if compiled else f"{kind}, numpy"
            figures[f"{named} ms"] = 1e3 * float(np.median(best))
    spans = linker.ranking.choices([texts[0]], linker._places([texts[0]]))[0]
    figures["mentions weighed in a text"] = len(spans)
    passes = [seconds(partial(encode, [text]), 5) for text in texts]
    figures["encoder's forward pass of the text ms"] = 1e3 * float(np.median(passes))
    figures["ranked, coherence, context / forward pass"] = (
        figures["ranked, coherence, context ms"] / figures["encoder's forward pass of the text ms"]
    )
    figures["dictionary MB"] = linker.names.num_bytes / 1e6
    figures["ranking MB"] = sum(one.nbytes for one in linker.ranking.arrays.values()) / 1e6
    figures["entity vectors MB"] = 2 * len(graph) * encode(["a"]).shape[1] / 1e6
    figures["candidate index MB"] = (
        sum(one.nbytes for one in CandidateIndex(linker.names).arrays.values()) / 1e6
    )
    return figures


CASES: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "scan": scan,
    "memory": memory,
    "fuzzy": fuzzy,
    "recall": recall,
    "entities": entities,
    "companies": companies,
    "latency": latency,
}
ALONE = {"memory"}
"""Cases that count the memory of the process, and so run only when they are named."""


def without_places(options: Sequence[str]) -> list[str]:
    """Return the options but for those that say where files are."""
    places = ("--json", "--cache", "--data")
    return [
        option
        for before, option in zip(["", *options], options, strict=False)
        if option not in places and before not in places
    ]


def machine() -> str:
    """Say what the figures were measured on, and how busy it was."""
    model = platform.processor() or platform.machine()
    with suppress(OSError):
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        model = names[0] if names else model
    load = f", load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}{load}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("KGFM_DATA"))
    parser.add_argument("--only", action="append", choices=CASES, help="a case; may be repeated")
    parser.add_argument("--aliases", type=int, default=1_000_000)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rival-megabytes", type=float, default=10)
    parser.add_argument("--phrases", type=int, help="names for PhraseMatcher, if not all")
    parser.add_argument("--fuzzy-aliases", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--cache", type=Path, help="keeps compiled graphs and vectors")
    parser.add_argument(
        "--json", type=Path, help="write the figures to this file too, beside those of other cases"
    )
    given = parser.parse_args()
    if given.data is None:
        raise SystemExit("Name the folder of the data sets: --data FOLDER, or KGFM_DATA=FOLDER.")
    given.data = Path(given.data)
    kept = given.json and given.json.is_file()
    figures = json.loads(given.json.read_text(encoding="utf-8")) if kept else {}
    for case in given.only or [name for name in CASES if name not in ALONE]:
        print(f"== {case}: {CASES[case].__doc__}")
        figures[case] = CASES[case](given)
        options = [o for o in sys.argv[1:] if o not in ("--only", *CASES)]
        figures[case]["command"] = " ".join(
            ["python benchmarks/bench_linking.py --only", case, *without_places(options)]
        )
        figures[case]["machine"] = machine()
        for name, value in figures[case].items():
            print(f"{name:45} {value:,.3f}" if isinstance(value, float) else f"{name:45} {value}")
        if given.json:
            given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
