"""Write docs/linking.md from the figures that bench_linking.py kept with ``--json``.

python benchmarks/linking_page.py linking.json docs/linking.md

Sections of cases that are not among the figures stay as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

HEAD = """# Linking

This page is written by `benchmarks/linking_page.py` from the figures of
`benchmarks/bench_linking.py`.

```python
from kgfm.backbones import TextEncoder

linker = kgfm.Linker(graph)  # exact names, the best known bearer first
linker = kgfm.Linker(graph, fuzzy=True, ranked=True)  # parts, typos, acronyms; probabilities, NIL
linker = kgfm.Linker(graph, fuzzy=True, context=True, encode=TextEncoder())
linker.fit(examples)  # learn from texts with mentions of your own
linker.fit(examples, fine_tune=True)  # the text encoder too, on mentions in their context
linker.calibrate(texts)  # probabilities for your own texts, without gold mentions
linker.save("runs/linker")  # kgfm.Linker.load("runs/linker", graph)
linker.link_spans(text, [(0, 12)])  # spans that are known already
```

From the command line: `kgfm link GRAPH --file texts.jsonl --out linked.jsonl --fuzzy --ranked`, and
`kgfm link GRAPH --evaluate gold.jsonl --format elevant --fuzzy --ranked` for precision, recall,
candidate recall, calibration and the causes of errors. `--fit gold.jsonl --out runs/linker` learns
(`--fine-tune --context` trains the encoder too), and `--linker runs/linker` links with what was
learned. In a recipe: `linker: {name: names, context: true}`.

## Scripts

Words that no space parts, as in Chinese, Japanese, Thai, Lao, Khmer and Burmese, are
read letter by letter, so that names are found among them: the longest first, but no
dictionary says where other words end, and a name that happens to stand across two
words is found too. A name of one letter counts only where no other letter of its
script touches it, katakana goes by whole runs, and a Korean name begins a word and
ends it, but for particles that may follow it ("서울에서는"; of two readings, such as 고양 +
이 and 고양이, the name is taken). One letter may stand for several: ß for ss, œ for oe,
the ligature ﬁ for fi; full-width letters and Korean written out letter by letter are
the same as others.

No name is found inside of a number (300 in 1,300), of what a sign belongs to (C in C#, T in
T-shirt), of an address or a path, or of a row of flags. `kgfm graph check` says which scripts a
graph's names are in.

The weights that ship with kgfm were learned from invented reports about its sample graph
(`graphs/world/fit_linker.py`). How the reports are made, and which features there are, was chosen
with the sets of [News entities](#news-entities) in view: their figures are those of development,
not of withheld texts, and single sets are small (the first row of [Causes of
errors](#causes-of-errors)).

On other graphs the probabilities of these weights are too high where the graph has few of a text's
names. `linker.calibrate(texts)` mends a part of that without gold mentions, and `linker.fit` more:
the calibration errors of "full", "full, calibrated" and "full, fitted" in [News
entities](#news-entities).

Types speak for a candidate in three ways: that it has any, that a word of one stands near the
mention, and how like their names are to the sentence around it, as the encoder reads both. With the
types that CoDEx gives half of the entities, a linker that has learned links better end to end, and
alike with gold spans; the weights that ship with kgfm gain next to nothing from them ("full, with
types").

Most gold mentions that are missed end to end are said to be NIL or have other boundaries, and few
get a wrong candidate, which is all that context and coherence could mend ([Causes of
errors](#causes-of-errors)). Most false links overlap a gold mention of another span, or stand where
there is none.

`fine_tune=True` trains MiniLM's upper two layers on marked mentions: one encoder for each of two
folds, so that the weights are learned on similarities of texts that an encoder has not seen, and
one of all texts, which is kept. On the mean of the sets, though not on each, it links better than
the shipped weights and than learned weights alone, end to end and with gold spans
([Fine-tuning](#fine-tuning)). It costs the minutes of training, and some 60 tokens to read for each
mention.
"""

TITLES = {
    "entities": "News entities",
    "causes": "Causes of errors",
    "fine_tune": "Fine-tuning",
    "scan": "Scanning",
    "memory": "Five million names",
    "fuzzy": "Fuzzy candidates",
    "recall": "Candidates from names alone",
    "companies": "Company names in headlines",
    "latency": "One text of 200 tokens",
    "hostile": "Hostile texts",
}
ABOUT = {
    "entities": "Mentions of entities in FB15k-237, with Wikidata's labels and descriptions. "
    "Micro-F1, and the mean calibration error.",
    "causes": 'The linker "full" of the table above, with the weights that ship with kgfm: what '
    "became of the gold mentions, and why links are false. `kgfm link --evaluate` counts the same.",
    "fine_tune": 'The linker "full" on each set, after learning from the sets of other makes. '
    '"Nearest" is the share of the gold mentions with several candidates, the right one among '
    "them, whose right one has the description nearest to the context.",
    "scan": "All names in 100 MB of news and plots, on one core; every system in the same run.",
    "memory": "The largest dictionary, in a process of its own.",
    "fuzzy": "Names with a typo, a plural, another order of words, an initial, or a word less.",
    "recall": "Gold mentions whose entity is among the candidates of the mention's own text.",
    "companies": "SEntFiN's gazetteer is the graph; its headlines are linked.",
    "latency": "At 100,000 entities, on one core, the text alone in its batch.",
    "hostile": "One text each, for the linker with `ranked=True, fuzzy=True` over 100,000 entities "
    "(10,000 in the last row): CPU seconds for a megabyte where the text has a tenth of its size, "
    "and the whole of it; memory of the process, the graphs and the text included.",
}
NOTES = {
    "entities": '"Fitted" rows learned from the other sets, those of the same make left out too; '
    'the "calibrated" one from the texts of the very set, without their mentions. "With types" is '
    "the same graph with CoDEx's types of Wikidata's entities, of which the others have none.",
    "hostile": "Texts of more than 250,000 characters are ranked in passages, so that memory does "
    "not grow with the text but for what is returned; mentions of different passages do not speak "
    "for each other. Where a run of capitals has an end, its words are compared to names that are "
    "alike, which costs the most. A name over and over is NIL, as "
    "each stands among capitals, and so is one that 10,000 bear.",
}
IN_TABLES = ("entities", "causes", "fine_tune", "hostile")
"""Cases with several columns; their figures are called ``table: row: column``."""
WITH_MEANS = ("fine_tune",)
"""Cases that are measured in parts, one column after the other."""


def page(figures: dict[str, Any], before: str = "") -> str:
    """Return the page; sections without figures are those of the page before."""
    kept = {part.partition("\n")[0]: part for part in before.split("\n## ")[1:]}
    parts = [HEAD]
    for case, title in TITLES.items():
        if case in figures:
            parts.append(section(case, figures[case]))
        elif title in kept:
            parts.append(f"## {kept[title].rstrip()}\n")
    return "\n".join(parts)


def section(case: str, found: dict[str, Any]) -> str:
    """Return what the page says of a case."""
    if case in WITH_MEANS:
        found = with_means(found)
    parts = tables(found) if case in IN_TABLES else [rows(found)]
    notes = [NOTES[case]] if case in NOTES else []
    return "\n\n".join([f"## {TITLES[case]}", ABOUT[case], *parts, *notes, measured(found)]) + "\n"


def rows(found: dict[str, Any]) -> str:
    """Return a table with a row for each figure."""
    figures = {name: value for name, value in found.items() if name not in ("command", "machine")}
    lines = [f"| {name} | {shown(value)} |" for name, value in figures.items()]
    return "\n".join(["| | |", "|---|---:|", *lines])


def with_means(found: dict[str, Any]) -> dict[str, Any]:
    """Add a column with the mean of each row of numbers that are no counts."""
    cells: dict[str, list[float]] = {}
    for name, value in found.items():
        if name.count(": ") == 2 and isinstance(value, float):
            cells.setdefault(name.rpartition(": ")[0], []).append(value)
    return {**found, **{f"{row}: mean": fmean(values) for row, values in cells.items()}}


def tables(found: dict[str, Any]) -> list[str]:
    """Return tables with several columns, of rows that are not zero throughout."""
    cells: dict[str, dict[str, dict[str, Any]]] = {}
    for name, value in found.items():
        if name.count(": ") == 2:
            table, row, column = name.split(": ")
            cells.setdefault(table, {}).setdefault(row, {})[column] = value
    parts = []
    for table, of_table in cells.items():
        columns = list(next(iter(of_table.values())))
        lines = [f"| {table} | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
        lines += [
            f"| {row} | {' | '.join(shown(of_row[c]) for c in columns)} |"
            for row, of_row in of_table.items()
            if any(of_row.values())
        ]
        parts.append("\n".join(lines))
    return parts


def measured(found: dict[str, Any]) -> str:
    return f"Measured with `{found.get('command', '?')}` on {found.get('machine', '?')}."


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    figures, file = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2])
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(page(figures, before), encoding="utf-8")
