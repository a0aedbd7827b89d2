"""What texts cost that nobody wrote to be read: seconds a megabyte, and memory."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from linking_sources import (
    Figures,
    drawn_names,
    film_names,
    graph_of,
    megabytes,
    news,
    plots,
    portion,
)

from kgfm.graph import KnowledgeGraph
from kgfm.linking import Linker
from kgfm.linking.candidates import CandidateIndex
from kgfm.linking.dictionary import NameDictionary, build_arrays

ODD = {
    "hebrew": ["ירושלים"],
    "arabic": ["القُدس"],
    "family": ["👨‍👩‍👧"],
    "regex": ["a.*b(c"],
    "query": ["'; DROP TABLE x"],
}
ODD_TEXT = (
    "x\0y ירושלים \u202eאבג\u202c القُدس 👨‍👩‍👧👨‍👩‍👧 "
    "Z\u0301\u0302\u0303oe a.*b(c '; DROP TABLE x \u200d\ufeff"
)
NAMESAKES = 10_000


def hostile(given: argparse.Namespace) -> Figures:
    """Hostile texts at a tenth of their size and at the whole: does the work grow with them?"""
    base = plots(given.data)
    reports = [document["text"] for document in news(given.data)]
    words = " ".join(base[:5000])
    names = drawn_names(film_names(given.data), base, 100_000)
    films = _full(graph_of({**{f"e{row:08}": [name] for row, name in enumerate(names)}, **ODD}))
    smiths = _full(graph_of({f"p{row:05}": ["John Smith"] for row in range(NAMESAKES)}))
    capitals = " ".join(re.findall(r"\w+", words.title()))
    texts: dict[str, tuple[Linker, float, Callable[[float], str]]] = {
        "plots, in lower case": (films, 10, lambda size: "\n".join(portion(base, size))),
        "news": (films, 10, lambda size: "\n".join(portion(reports, size))),
        "one name": (films, 10, lambda size: _filled("Casablanca ", size)),
        "one name, no space": (films, 10, lambda size: _filled("Casablanca", size)),
        "symbols, no space": (films, 10, lambda size: _filled("Casablanca,Heat.", size)),
        "capitals": (films, 1, lambda size: _filled(words.title(), size)),
        "capitals, no end": (films, 10, lambda size: _filled(capitals + " ", size)),
        "odd scripts": (films, 1, lambda size: _filled(ODD_TEXT, size)),
        "10,000 John Smiths": (smiths, 1, lambda size: _filled("John Smith met Smith. ", size)),
    }
    figures: Figures = {}
    for row, (linker, size, text_of) in texts.items():
        small, *_ = _cost(linker, text_of(size / 10))
        whole, held, peak, links = _cost(linker, text_of(size))
        figures[f"text: {row}: MB"] = size
        figures[f"text: {row}: s/MB of a tenth"] = small
        figures[f"text: {row}: s/MB"] = whole
        figures[f"text: {row}: memory MB before"] = held
        figures[f"text: {row}: at most"] = peak
        figures[f"text: {row}: links"] = links
    return figures


def _full(graph: KnowledgeGraph) -> Linker:
    """Return the linker with all but context, compiled and warm."""
    linker = Linker(graph, ranked=True, fuzzy=True)
    linker.names = NameDictionary(graph, build_arrays(graph), compiled=True)
    linker.candidates = CandidateIndex(linker.names, compiled=True)
    linker("John Smith and Jon Smyth saw Casablanca. " + ODD_TEXT)
    return linker


def _filled(text: str, size: float) -> str:
    """Return a text over and over, up to so many megabytes."""
    times = int(size / megabytes([text])) + 1
    return (text * times).encode()[: int(size * 1e6)].decode(errors="ignore")


def _cost(linker: Linker, text: str) -> tuple[float, int, int, int]:
    """Return CPU seconds a megabyte, megabytes held before and at most, and how many links."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    held, start = _resident("VmRSS"), time.process_time()
    mentions = linker(text)
    taken = time.process_time() - start
    peak = _resident("VmHWM")
    if any(text[mention.start : mention.end] != mention.text for mention in mentions):
        raise SystemExit("A mention's offsets are wrong.")
    return taken / megabytes([text]), held, peak, len(mentions)


def _resident(kind: str) -> int:
    """Return megabytes of memory as Linux counts them, 0 elsewhere."""
    with suppress(OSError):
        found = re.search(rf"{kind}:\s+(\d+)", Path("/proc/self/status").read_text())
        return int(found[1]) // 1000 if found else 0
    return 0
