"""The first five minutes: a real graph, a trained model, the graph on trial, and questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.datasets import Dataset
from kgfm.graph import KnowledgeGraph
from kgfm.recipes import Recipe, Say, load_dataset, read_recipe, write_json, write_recipe
from kgfm.types import NIL, Example, Prediction
from kgfm.walks import in_words

if TYPE_CHECKING:
    from kgfm.pipeline import Pipeline

SAMPLES, SHOWN, LOOKED_AT = 4, 5, 100


def demo(
    out: str | Path = "runs/demo",
    *,
    seeds: Sequence[int] = (0,),
    recipe: Recipe | None = None,
    say: Say = print,
) -> dict[str, Any]:
    """Train on the world graph, compare with no graph and a shuffled one, and ask questions.

    Args:
        out: The trained pipeline is saved here; the runs of the comparison lie below it.
        seeds: One run of each row for each; the pipeline of the first is saved.
        recipe: By default the recipe ``world`` that ships with kgfm.
        say: Told everything.

    Returns:
        The table of :func:`kgfm.controls.controls`.
    """
    from kgfm.controls import as_text, controls
    from kgfm.pipeline import Pipeline

    out = Path(out)
    recipe = replace(recipe or read_recipe("world"), out=str(out), seed=seeds[0])
    say("1. The graph: countries, cities, languages, currencies; compiled once, then mapped.")
    dataset = load_dataset(recipe)
    say(f"   {dataset.graph!r}")
    say("\n2. Linking raw text: names and aliases of the graph, with exact offsets.")
    _show_linking(dataset, say)
    say(
        "\n3. Training, three times on the same questions: with the graph, without it, with it "
        "shuffled.\n   The test asks about other entities than the training, half of it in other "
        "words."
    )

    def keep(pipeline: Pipeline, trained: Recipe, result: dict[str, Any]) -> None:
        if trained.seed == seeds[0]:
            pipeline.save(out)
            write_recipe(recipe, out / "recipe.yaml")
            write_json(out / "result.json", result)

    table = controls(recipe, seeds, out / "controls", dataset=dataset, keep=keep, say=say)
    say(f"\n4. Did the graph help? {as_text(table)}")
    say(f"\n5. Questions from the test, answered by the pipeline saved in {out}: one of each sort.")
    pipeline = Pipeline.load(out)
    for example, found in _one_of_each_sort(pipeline, dataset.test):
        _tell(pipeline, example, found, say)
    say(
        f'\nAsk your own:  kgfm predict {out} "What is the capital of Peru?"\n'
        f'Ask for why:   kgfm explain {out} "What is the capital of Peru?"'
    )
    return table


def _show_linking(dataset: Dataset, say: Say) -> None:
    from kgfm.linking import Linker

    graph = dataset.needed_graph()
    linker = Linker(graph)
    for example in _samples(dataset.train, 3):
        found = [
            f"{m.text!r} [{m.start}:{m.end}] → {_label(graph, m.entity)}"
            for m in linker(example.text)
        ]
        say(f"   {example.text}\n      {', '.join(found) or 'no entity'}")


def _samples(examples: Sequence[Example], count: int = SAMPLES) -> list[Example]:
    """Take some answerable examples, spread evenly."""
    answerable = [example for example in examples if example.target]
    step = max(1, len(answerable) // count)
    return answerable[::step][:count]


def _one_of_each_sort(
    pipeline: Pipeline, examples: Sequence[Example]
) -> list[tuple[Example, Prediction]]:
    """Take the first question of each kind, of two walks that meet, and without an answer."""
    some = list(examples[:LOOKED_AT])
    first: dict[tuple[str, int], tuple[Example, Prediction]] = {}
    for example, found in zip(some, pipeline(some), strict=True):
        walks = 0 if found.sought is None else len(found.sought.walks)
        sort = (example.kind, walks) if example.target else ("", 0)
        first.setdefault(sort, (example, found))
    return [first[sort] for sort in sorted(first, reverse=True)]


def _tell(pipeline: Pipeline, example: Example, found: Prediction, say: Say) -> None:
    graph, wanted = pipeline.graph, example.target or ()
    right = set(found.answers) == set(wanted) if found.sought else found.answer in wanted
    say(f"   {example.text}")
    said = ", ".join(_label(graph, key) for key in found.answers[:SHOWN])
    more = f" and {len(found.answers) - SHOWN} more" if len(found.answers) > SHOWN else ""
    instead = ", ".join(_label(graph, key) for key in wanted[:SHOWN]) or "no answer"
    verdict = "right" if right else f"wrong: {instead}"
    say(f"      {said or f'no answer ({found.refused})'}{more}  {found.score:.2f}  ({verdict})")
    if found.refused:
        say(f"      {found.why}")
        return
    if found.sought is not None:
        say(f"      by {in_words(found.sought, graph)}")
    for item in pipeline.explain(found)[:2]:
        for head, key, tail in item.triples:
            relation = graph.relation_text(graph.relation_row(key))
            triple = f"{_label(graph, head)} —{relation}→ {_label(graph, tail)}"
            say(f"      {item.change:+.2f} without: {triple}")


def _label(graph: KnowledgeGraph, key: str | None) -> str:
    if key is None or key == NIL:
        return NIL
    return graph.label(key) if key in graph else key
