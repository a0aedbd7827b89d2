"""SEntFiN: what headlines of Indian finance news mean for what they name (Sinha et al., 2022).

The official layout (https://github.com/pyRis/SEntFiN), beside it NSE's list of 500 companies::

    SEntFiN.csv                      S No., Title, Decisions, Words
    entity_list_comprehensive.csv    Symbol, Entity: the names of a company, comma after comma
    ind_nifty500list.csv             Company Name, Industry, Symbol, Series, ISIN Code

``Decisions`` is written as a dictionary from what the headline names to its sentiment; some names
hold an apostrophe that is not escaped, and in some ``Hold`` has become ``neutral``
(``L&T Finance neutralings``). Both are read as they were meant.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from kgfm.datasets.base import (
    Dataset,
    compiled,
    needed_file,
    needed_folder,
    one_of,
    reads,
    same_text,
    split_by,
)
from kgfm.datasets.rows import rows_of
from kgfm.datasets.said import Span, is_free, places, places_within
from kgfm.graph import EntityRecord, KnowledgeGraph
from kgfm.storage import sha256
from kgfm.types import LINKED, About, Example

TEST, VALIDATION = 0.2, 0.1
LABELS = ("positive", "neutral", "negative")
_HEADLINES, _NAMES = "SEntFiN.csv", "entity_list_comprehensive.csv"
_INDUSTRIES = "ind_nifty500list.csv"
_INDUSTRY, _IN = "industry:", "industry"
_ENTRY = re.compile(
    rf"""(?:^|, )(?P<quote>['"])(?P<name>.*?)(?P=quote): '(?P<label>{"|".join(LABELS)})'"""
    r"""(?=, ['"]|$)"""
)


@reads(folder="sentfin", task="spans")
def sentfin(
    data: str | Path | None,
    cache: str | Path,
    *,
    split: Literal["text", "entity"] = "text",
    entities: Literal["named", "linked"] = "named",
    test: float = TEST,
    seed: int = 0,
) -> Dataset:
    """Read SEntFiN: headlines, each asked about all that it names, over a graph of companies.

    The graph holds the companies of the two lists, their names, and the industry of those in the
    second. SEntFiN is under the MIT licence; the list of 500 companies is a public file of the
    National Stock Exchange of India (ftp.nseindia.com), without a licence that is named.

    Args:
        data: The folder in its official layout.
        cache: Keeps the compiled graph.
        split: ``text``: ``test`` of the headlines are the test; what differs in case and blanks
            alone is in one part. ``entity``: headlines are the test that name one of some
            companies, drawn until these are as many; they are asked about those alone, which
            nothing in the training is asked about. The validation is a tenth of the others, cut
            off in the same way.
        entities: ``named``: what has exactly the name of one company of the lists is that company,
            and what has none of their names is outside of the graph. ``linked``: the linker
            decides.
        test: Share of the headlines for the test.
        seed: Of the split.

    Raises:
        ValueError: A line is not as above; the message names the file and the line.
    """
    folder = needed_folder(data, "sentfin")
    one_of("split", split, ("text", "entity"))
    one_of("entities", entities, ("named", "linked"))
    graph = sentfin_graph(folder, cache)
    examples = list(headlines(folder / _HEADLINES, _Bearers(graph)))
    if split == "text":
        dealt = split_by(examples, same_text, seed=seed, test=test, validation=VALIDATION)
    else:
        dealt = by_entity(examples, seed=seed, test=test, validation=VALIDATION)
    if entities == "named":
        return Dataset(graph, *dealt)
    train, validation, held_out = (tuple(map(_linked, part)) for part in dealt)
    return Dataset(graph, train, validation, held_out)


def _linked(example: Example) -> Example:
    return replace(example, about=tuple(replace(one, entities=None) for one in example.about))


# -- the graph ------------------------------------------------------------------------------------


def sentfin_graph(folder: Path, cache: str | Path) -> KnowledgeGraph:
    """Return the graph of companies and industries, compiled into ``cache`` when first needed."""
    files = (_NAMES, _INDUSTRIES)
    hashes = {name: sha256(needed_file(folder / name, "sentfin")) for name in files}
    return compiled(cache, "sentfin", hashes, lambda: _build(folder, hashes))


def _build(folder: Path, hashes: Mapping[str, str]) -> KnowledgeGraph:
    names: dict[str, list[str]] = {}
    for where, row in rows_of(folder / _NAMES, ("Symbol", "Entity"), "sentfin"):
        given = [name for part in row["Entity"].split(",") if (name := " ".join(part.split()))]
        if not (row["Symbol"] and given):
            raise ValueError(f"{where}: a company needs a Symbol, and its names as Entity.")
        names.setdefault(row["Symbol"], []).extend(given)
    industries: dict[str, str] = {}
    columns = ("Company Name", "Industry", "Symbol")
    for where, row in rows_of(folder / _INDUSTRIES, columns, "sentfin"):
        if not all(row.values()):
            raise ValueError(f"{where}: a company needs {', '.join(columns)}; got {row}.")
        if row["Symbol"].startswith("DUMMY"):  # stands in while a company is split
            continue
        full = row["Company Name"]
        short = full.removesuffix(" Ltd.")
        names[row["Symbol"]] = [full, short, *names.get(row["Symbol"], [row["Symbol"]])]
        industries[row["Symbol"]] = row["Industry"]
    companies = [
        EntityRecord(key, own[0], aliases=tuple(dict.fromkeys(own[1:])), types=("company",))
        for key, own in names.items()
    ]
    kinds = [
        EntityRecord(_INDUSTRY + name, name, types=("industry",))
        for name in dict.fromkeys(industries.values())
    ]
    return KnowledgeGraph.from_records(
        [*companies, *kinds],
        [(key, _IN, _INDUSTRY + name) for key, name in industries.items()],
        relations={_IN: "industry"},
        source={"dataset": "sentfin", "files": dict(hashes)},
    )


class _Bearers:
    """Who bears a name."""

    def __init__(self, graph: KnowledgeGraph) -> None:
        self._keys: dict[str, set[str]] = defaultdict(set)
        for row, key in enumerate(graph.keys):
            if not key.startswith(_INDUSTRY):
                for name in graph.names(row):
                    self._keys[_folded(name)].add(key)

    def of(self, name: str) -> str | None:
        """Return a company's key, ``None`` where there is none, ``LINKED`` where several are."""
        keys = self._keys.get(_folded(name), set())
        return None if not keys else next(iter(keys)) if len(keys) == 1 else LINKED


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())


# -- the headlines --------------------------------------------------------------------------------


def headlines(path: Path, bearers: _Bearers) -> Iterator[Example]:
    """Read the headlines, each with what it names, in the order of the text."""
    for where, row in rows_of(path, ("Title", "Decisions"), "sentfin"):
        text, decided = row["Title"].strip(), _decisions(row["Decisions"])
        if not (text and decided):
            raise ValueError(
                f"{where}: Decisions is {{'name': 'positive', ...}}, each of them "
                f"{', '.join(LABELS)}; got {row['Decisions']!r:.80}."
            )
        about = []
        for name, span in _found(text, list(decided), where).items():
            meant = text[slice(*span)] if "neutral" in name else name
            about.append(About((span,), (bearers.of(meant),), (decided[name],)))
        about.sort(key=lambda one: one.spans)
        yield Example(text, about=tuple(about), where=where)


def _decisions(written: str) -> dict[str, str]:
    """Read a dictionary whose keys may hold apostrophes; nothing where it is none."""
    inner = written.strip()[1:-1]
    found = list(_ENTRY.finditer(inner))
    whole = "".join(one[0] for one in found) == inner and written.strip()[:1] == "{"
    return {one["name"]: one["label"] for one in found} if whole else {}


def _found(text: str, names: Sequence[str], where: str) -> dict[str, Span]:
    """Return where the text says each name: the longest first, each character for one name."""
    found: dict[str, Span] = {}
    taken: set[int] = set()
    for name in sorted(names, key=len, reverse=True):
        said = name.replace("neutraling", "Holding")
        options = [*places(text, said), *places(text, said, cased=False)]
        options += places_within(text, said)
        free = [span for span in options if is_free(span, taken)]
        if not options:
            raise ValueError(f"{where}: {text!r} does not say {name!r}.")
        found[name] = (free or options)[0]
        taken.update(range(*found[name]))
    return found


# -- a split by entity ----------------------------------------------------------------------------


def by_entity(
    examples: Sequence[Example], *, seed: int, test: float, validation: float
) -> tuple[tuple[Example, ...], tuple[Example, ...], tuple[Example, ...]]:
    """Deal texts out so that no part is asked about what another is asked about.

    Entities are drawn by ``seed`` until the texts that ask about one of them are the share
    ``test``; such a text asks about those alone. The validation is cut off the rest likewise. Where
    a text stands twice and is not asked about the same, one that is left with nothing goes.
    """
    dealt: list[tuple[Example, ...]] = []
    rest, chosen = list(examples), np.random.default_rng(seed)
    for share in (test, validation):
        asking: dict[str, set[str]] = defaultdict(set)
        for example in rest:
            for one in example.about:
                asking[_meant(example, one)].add(same_text(example))
        most = round(share * len({same_text(example) for example in rest}))
        held: set[str] = set()
        drawn: set[str] = set()
        for name in chosen.permutation(sorted(asking)).tolist():
            if len(held) >= most:
                break
            held |= asking[name]
            drawn.add(name)
        asked = [_asked_of(example, drawn) for example in rest if same_text(example) in held]
        dealt.append(tuple(example for example in asked if example.about))
        rest = [example for example in rest if same_text(example) not in held]
    held_out, validated = dealt
    return tuple(rest), validated, held_out


def _meant(example: Example, about: About) -> str:
    """Return the entity, or the words where it is outside of the graph."""
    key = about.entities[0] if about.entities else LINKED
    return key or _folded(example.text[slice(*about.spans[0])])


def _asked_of(example: Example, drawn: set[str]) -> Example:
    about = tuple(one for one in example.about if _meant(example, one) in drawn)
    return replace(example, about=about)
