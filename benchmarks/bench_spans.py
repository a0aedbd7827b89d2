"""Labels for spans: what it costs to ask about several at once.

    python benchmarks/bench_spans.py cost [--freeze 4] [--graph] [--rounds 9]

``cost``: 64 made headlines that name three companies each, asked about all three and about one of
them, by each way of telling the text model what it is asked about; both sides in one run, by turns,
on one thread, in processor time, which a busy machine changes little. The ratio is that of the
medians, with the range of the rounds' own ratios. Asking is all that a user waits for: linking,
cutting, tokenising, the model, answers; ``model`` is the model alone. Beside them the text model
reads the same headlines by itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

import kgfm
from kgfm.graph import EntityRecord
from kgfm.synthetic import invented_names
from kgfm.tasks.span_rows import CONDITIONS
from kgfm.types import About, Example

HEADLINES = (
    "{} beats forecasts while {} cuts its outlook and {} holds steady after a volatile week",
    "Shares of {} slide 4% as {} wins the contract that {} had counted on for next year",
    "{} to buy a stake in {}, analysts warn that {} may be left behind in the home market",
    "Court clears {} in dispute with {}; {} faces a probe over the same tender, sources say",
)
SECTORS = 24
LABELS = ("negative", "neutral", "positive")


def made_headlines(
    count: int, *, companies: int = 1200, seed: int = 0
) -> tuple[kgfm.KnowledgeGraph, list[Example]]:
    """Companies with sectors and owners, and headlines that are asked about three of them."""
    random = np.random.default_rng(seed)
    names = invented_names(companies + SECTORS, random)
    firms, sectors = names[:companies], names[companies:]
    records = [EntityRecord(f"x/{name}", name) for name in names]
    triples = [
        (f"x/{firm}", "in sector", f"x/{sectors[n % SECTORS]}") for n, firm in enumerate(firms)
    ]
    triples += [
        (f"x/{firm}", "owned by", f"x/{firms[int(random.integers(companies))]}") for firm in firms
    ]
    found = []
    for number in range(count):
        named = [firms[int(place)] for place in random.choice(companies, 3, replace=False)]
        text = HEADLINES[number % len(HEADLINES)].format(*named)
        about = tuple(About(((text.index(name), text.index(name) + len(name)),)) for name in named)
        found.append(Example(text, about=about))
    return kgfm.KnowledgeGraph.from_records(records, triples), found


def asked_about_one(examples: Sequence[Example]) -> list[Example]:
    """The same headlines, each asked about one of its companies: the first, second, third, ..."""
    return [
        Example(one.text, about=(one.about[number % len(one.about)],))
        for number, one in enumerate(examples)
    ]


def processor_seconds(
    cases: dict[str, Callable[[], object]], rounds: int
) -> list[dict[str, float]]:
    """For each round, the seconds of each case; the first round warms up."""
    found = []
    for _ in range(rounds + 1):
        seconds = {}
        for name, run in cases.items():
            start = time.process_time()
            run()
            seconds[name] = time.process_time() - start
        found.append(seconds)
    return found[1:]


def cases_of(
    pipeline: kgfm.Pipeline, three: Sequence[Example], one: Sequence[Example]
) -> dict[str, Callable[[], object]]:
    """What is timed of one way to tell the model what it is asked about."""
    sides = {"three": three, "one": one}
    packed = {name: pipeline.collator.pack(pipeline.prepare(own)) for name, own in sides.items()}
    cases: dict[str, Callable[[], object]] = {}
    for name, own in sides.items():
        asking = partial(pipeline.pipe, own, batch_size=len(own))
        cases[f"asking {name}"] = lambda asking=asking: list(asking())
        cases[f"model {name}"] = partial(pipeline.model.predict, packed[name])
    alone = packed["one"]
    cases["backbone"] = partial(_read, pipeline, alone.input_ids, alone.attention_mask)
    return cases


def cost(given: argparse.Namespace) -> dict[str, float]:
    """Measure three targets beside one."""
    torch.set_num_threads(1)
    graph, three = made_headlines(given.texts)
    one = asked_about_one(three)
    figures: dict[str, float] = {}
    for condition in given.conditions:
        pipeline = kgfm.Pipeline(
            graph,
            task={"name": "spans", "labels": LABELS, "condition": condition},
            backbone={"name": "minilm", "freeze": given.freeze},
            **({} if given.graph else {"encoder": None, "fusion": None}),
        )
        rounds = processor_seconds(cases_of(pipeline, three, one), given.rounds)
        middle = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
        rate = {name: given.texts / seconds for name, seconds in middle.items()}
        for side in ("asking", "model"):
            each = [one[f"{side} three"] / one[f"{side} one"] for one in rounds]
            ratio = middle[f"{side} three"] / middle[f"{side} one"]
            figures[f"{condition}, {side}: three / one"] = ratio
            print(
                f"{condition:8} {side:7} three / one {ratio:6.3f} ({min(each):.3f} to "
                f"{max(each):.3f})  {rate[f'{side} three']:5.0f} and {rate[f'{side} one']:5.0f} "
                "headlines/s"
            )
        figures[f"{condition}, asking one: headlines/s"] = rate["asking one"]
        figures[f"{condition}: the text model alone, sentences/s"] = rate["backbone"]
        print(f"{condition:8} the text model alone {rate['backbone']:27.0f} sentences/s")
    return figures


@torch.no_grad()
def _read(pipeline: kgfm.Pipeline, input_ids: torch.Tensor, mask: torch.Tensor) -> object:
    return pipeline.model.backbone(input_ids, mask)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    # Without a command, as `make bench` runs it, the cost is measured.
    commands = parser.add_subparsers(dest="command")
    parser.set_defaults(run=cost, texts=64, freeze=4, graph=False, rounds=9, json=None)
    parser.set_defaults(conditions=list(CONDITIONS))
    own = commands.add_parser("cost", help="three targets in a headline beside one")
    own.add_argument("--texts", type=int, default=64)
    own.add_argument("--freeze", type=int, default=4, help="layers that every target shares")
    own.add_argument("--graph", action="store_true", help="with an encoder and fusion")
    own.add_argument("--rounds", type=int, default=9)
    own.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    own.add_argument("--json")
    own.set_defaults(run=cost)
    given = parser.parse_args()
    figures = given.run(given)
    if given.json:
        Path(given.json).write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
