"""Write docs/linking.md from the figures that bench_linking.py kept with ``--json``.

python benchmarks/linking_page.py linking.json docs/linking.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
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

The weights that ship with kgfm were learned from invented reports about its sample graph
(`graphs/world/fit_linker.py`). On other graphs their probabilities are too high where the graph has
few of a text's names, as below. Weights that `linker.fit` learned from other news are much better
calibrated there, but link no better end to end. How the reports are made, and which features there
are, was chosen with these sets in view: their figures are those of development, not of withheld
texts, and single sets are small (71 to 354 mentions).

`linker.calibrate(texts)`, given the texts of each set without their mentions, brings the mean
calibration error of "full" from .376 to .312 end to end and from .171 to .130 with gold spans;
micro-F1 goes from .495 to .493 and from .713 to .709. Of 566 false links of "without coherence",
342 stand where no gold mention is, many of them names of the graph that annotators left out
("Canada", "U.S.", months), which no unlabelled text can tell.

Few errors are another candidate than the right one, which is all that context and coherence could
mend: of 490 gold mentions that "without coherence" misses end to end, 16 have a wrong candidate;
254 have the right one below the threshold, and 114 are no span that it looks at.

`fine_tune=True` trains MiniLM's upper two layers on marked mentions, some two CPU minutes for the
355 to 506 mentions of other sets. Of gold mentions with several candidates, the nearest description
is then the right one for 38 of 62 (25 before) in oke-2015, 132 of 216 (96) in oke-2016 and 143 of
164 (65) in reuters-128. The linker's micro-F1 with gold spans is .757, .734 and .762, beside .726,
.713 and .720 with weights from the same third of the texts and no fine-tuning. But weights from all
of the texts give .740, .739 and .764 without it: with so few mentions, keeping texts from the
weights costs what the encoder gains.
"""

TITLES = {
    "scan": "Scanning",
    "memory": "Five million names",
    "fuzzy": "Fuzzy candidates",
    "recall": "Candidates from names alone",
    "companies": "Company names in headlines",
    "latency": "One text of 200 tokens",
}
ABOUT = {
    "scan": "All names in 100 MB of news and plots, on one core; every system in the same run.",
    "memory": "The largest dictionary, in a process of its own.",
    "fuzzy": "Names with a typo, a plural, another order of words, an initial, or a word less.",
    "recall": "Gold mentions whose entity is among the candidates of the mention's own text.",
    "companies": "SEntFiN's gazetteer is the graph; its headlines are linked.",
    "latency": "At 100,000 entities, on one core, the text alone in its batch.",
}
SETS = "Mentions of entities in FB15k-237, with Wikidata's labels and descriptions."


def page(figures: dict[str, Any]) -> str:
    """Return the page."""
    parts = [HEAD]
    if "entities" in figures:
        parts.append(entities(figures["entities"]))
    for case, title in TITLES.items():
        if case in figures:
            rows = {k: v for k, v in figures[case].items() if k not in ("command", "machine")}
            lines = [f"| {name} | {shown(value)} |" for name, value in rows.items()]
            table = "\n".join(["| | |", "|---|---:|", *lines])
            parts.append(f"## {title}\n\n{ABOUT[case]}\n\n{table}\n\n{measured(figures[case])}\n")
    return "\n".join(parts)


def entities(found: dict[str, Any]) -> str:
    """Return the table of news entities: a row for each linker, a column for each set."""
    parts = [f"## News entities\n\n{SETS} Micro-F1, and the mean calibration error.\n"]
    for spans in ("end to end", "gold spans"):
        cells: dict[str, dict[str, float]] = {}
        for name, value in found.items():
            if name.startswith(f"{spans}: "):
                _, kind, column = name.split(": ")
                cells.setdefault(kind, {})[column] = value
        columns = list(next(iter(cells.values()), {}))
        lines = [f"| {spans} | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
        lines += [
            f"| {kind} | {' | '.join(f'{row[c]:.3f}' for c in columns)} |"
            for kind, row in cells.items()
        ]
        parts.append("\n".join(lines) + "\n")
    note = '"Fitted" rows learned from the other sets, those of the same make left out too.'
    return "\n".join([*parts, f"{note}\n\n{measured(found)}\n"])


def measured(found: dict[str, Any]) -> str:
    return f"Measured with `{found.get('command', '?')}` on {found.get('machine', '?')}."


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    figures = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(page(figures), encoding="utf-8")
