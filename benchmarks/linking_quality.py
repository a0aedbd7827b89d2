"""How good candidates are: the cases of candidates and company names."""

from __future__ import annotations

import argparse
import ast
import csv
import random
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from linking_sources import (
    SEED,
    Figures,
    drawn_names,
    film_names,
    graph_of,
    is_entity,
    news,
    plots,
    seconds,
    wikidata_names,
)

from kgfm.linking import Linker
from kgfm.linking.candidates import CandidateIndex
from kgfm.linking.dictionary import NameDictionary, build_arrays
from kgfm.linking.fold import tokens

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
