"""How fast names are found: the cases of scanning, memory and latency."""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from linking_sources import (
    Figures,
    drawn_names,
    film_names,
    graph_of,
    grouped_graph,
    is_entity,
    megabytes,
    news,
    plots,
    portion,
    seconds,
)

from kgfm.linking import Linker
from kgfm.linking.candidates import CandidateIndex
from kgfm.linking.dictionary import NameDictionary, build_arrays
from kgfm.linking.fold import fold


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
