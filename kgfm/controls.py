"""Does the graph help at all? A recipe with the graph, without it, and with it shuffled.

==========  =====================================  ================================================
row         ``classify``                           ``answer``
==========  =====================================  ================================================
with        the recipe                             the recipe
without     the text alone: no nodes, no encoder,  the same candidates ranked by their text alone:
            no fusion                              edges, encoder and fusion removed
shuffled    the tails of each relation permuted    relations and tails permuted after the cut, so
            over the whole graph                   that the right answer stays a candidate
==========  =====================================  ================================================

Every row reads the same texts with the same mentions, and nodes have the same text vectors.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kgfm.backbones import TextEncoder
from kgfm.datasets import Dataset
from kgfm.linking import LINKERS, BaseLinker
from kgfm.metrics import Interval, mean_ci, paired_difference
from kgfm.recipes import (
    Recipe,
    Say,
    aligned,
    build_pipeline,
    check_parts,
    digest,
    load_dataset,
    read_recipe,
    text_vectors,
    write_json,
)
from kgfm.recipes.run import RECIPE, RESULT, dataset_digest, fit_and_measure, silent
from kgfm.retrieval import RETRIEVERS
from kgfm.retrieval.altered import ShuffledEdges, WithoutEdges, WithoutNodes
from kgfm.storage import replace_file

if TYPE_CHECKING:
    from kgfm.pipeline import Pipeline
    from kgfm.vectors import NodeVectors

ROWS = {"with": "with the graph", "without": "without", "shuffled": "shuffled"}
DIFFERENCES = (("with", "without"), ("with", "shuffled"), ("shuffled", "without"))
MEANING = {
    True: (
        "'without' ranks the same candidates by their text alone, edges and graph encoder removed; "
        "'shuffled' permutes relations and tails within each text's subgraph, so that the right "
        "answer stays a candidate."
    ),
    False: (
        "'without' reads the text alone; 'shuffled' permutes the tails of each relation over the "
        "whole graph."
    ),
}
Keep = Callable[["Pipeline", Recipe, dict[str, Any]], None]


class Shared(NamedTuple):
    """What all rows have in common, made once."""

    dataset: Dataset
    linker: BaseLinker
    vectors: NodeVectors | None


def controls(
    recipe: Recipe,
    seeds: Sequence[int] = (0, 1, 2),
    out: str | Path | None = None,
    *,
    dataset: Dataset | None = None,
    keep: Keep | None = None,
    say: Say = silent,
) -> dict[str, Any]:
    """Train a recipe with, without and with a shuffled graph, and compare.

    Each run's figures go to ``out/<row>-seed<k>/result.json``. A run that is there already, of the
    same recipe on the same data, is not run again; one that was interrupted goes on from its last
    finished epoch. A row that reads texts alone is the same for every graph, so such runs may be
    copied from the table of another.

    Args:
        recipe: What is on trial.
        seeds: One run of each row for each; differences are paired by them.
        out: The table's folder; by default ``controls`` in the recipe's.
        dataset: The recipe's, if it is loaded already.
        keep: Called with pipeline, recipe and result of each run with the graph that was trained.
        say: Told what is being done.

    Returns:
        The table, as it is written to ``out/controls.json``; beside it stands ``controls.md``.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={list(seeds)}: give at least one, and none twice.")
    check_parts(recipe)
    out = Path(out) if out is not None else recipe.folder() / "controls"
    dataset = dataset or load_dataset(recipe)
    say(repr(dataset))
    encode = TextEncoder(recipe.text_encoder)
    if recipe.encoder is None:
        raise ValueError("The recipe has no encoder, so there is no graph to put on trial.")
    graph = dataset.needed_graph()
    linker = LINKERS.build(recipe.linker, graph=graph, encode=encode)
    shared = Shared(
        dataset,
        linker,
        text_vectors(recipe, dataset.graph, say),
    )
    results: dict[str, list[dict[str, Any]]] = {row: [] for row in ROWS}
    for seed in seeds:
        for row in ROWS:
            own = replace(recipe, seed=seed, out=str(out / f"{row}-seed{seed}"))
            results[row].append(_one_run(row, own, shared, keep, say))
    table = _table(recipe, seeds, results)
    write_json(out / "controls.json", table)
    replace_file(out / "controls.md", _markdown(table).encode())
    return table


def _one_run(
    row: str, recipe: Recipe, shared: Shared, keep: Keep | None, say: Say
) -> dict[str, Any]:
    """Return the result of one run: the one that is there, or a new one."""
    folder = recipe.folder()
    title = f"{ROWS[row]}, seed {recipe.seed}"
    if (folder / RESULT).exists():
        there: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        if there.get("row_digest") == row_digest(row, recipe, shared.dataset):
            say(f"{title}: there already, {folder}")
            return there
    resume = _is_begun(folder, recipe)
    say(f"{title}{': goes on' if resume else ''}")
    pipeline = row_pipeline(row, recipe, shared)
    result = {
        "row": row,
        "row_digest": row_digest(row, recipe, shared.dataset),
        **fit_and_measure(recipe, shared.dataset, pipeline, folder, resume=resume, say=say),
    }
    if keep is not None and row == "with":
        keep(pipeline, recipe, result)
    write_json(folder / RESULT, result)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # some 50 MB, of use to no one now
    part, figures = _measured(result)
    say(f"{title}: {part} " + "  ".join(f"{k} {v:.4f}" for k, v in figures.items()))
    return result


def row_digest(row: str, recipe: Recipe, dataset: Dataset) -> str:
    """Return a hash of all that a row's figures depend on."""
    if row != "without" or ranks_nodes(recipe):
        return f"{digest(recipe)}-{dataset_digest(dataset)}"
    texts = dataset_digest(dataset, graph=False)
    return f"{digest(recipe, apart_from=_OF_THE_GRAPH)}-{texts}"


_OF_THE_GRAPH = ("dataset", "linker", "retriever", "encoder", "fusion", "text_encoder")


def _is_begun(folder: Path, recipe: Recipe) -> bool:
    """Say whether a run of the same recipe was interrupted here."""
    try:
        return digest(read_recipe(folder / RECIPE)) == digest(recipe)
    except (OSError, ValueError):
        return False


def row_pipeline(row: str, recipe: Recipe, shared: Shared) -> Pipeline:
    """Build the untrained pipeline of one row."""
    dataset, seed = shared.dataset, recipe.seed
    ready: dict[str, Any] = {"linker": shared.linker, "vectors": shared.vectors}
    if row == "with":
        return build_pipeline(recipe, dataset, **ready | {"linker": recipe.linker})
    answers = ranks_nodes(recipe)
    if row == "shuffled" and not answers:
        dataset = replace(dataset, graph=dataset.needed_graph().shuffled(seed))
    retriever = RETRIEVERS.build(recipe.retriever, graph=dataset.graph)
    if row == "shuffled":
        ready["retriever"] = ShuffledEdges(retriever, seed=seed) if answers else retriever
    elif answers:
        encoder = {"name": "text", "width": _width(recipe)}
        ready |= {"retriever": WithoutEdges(retriever), "encoder": encoder, "fusion": None}
    else:
        ready |= {"retriever": WithoutNodes(retriever), "encoder": None, "fusion": None}
    return build_pipeline(recipe, dataset, **ready)


def ranks_nodes(recipe: Recipe) -> bool:
    """Say whether the recipe's answers are nodes, so that controls must keep the candidates."""
    from kgfm.tasks import TASKS

    assert recipe.task is not None
    return bool(getattr(TASKS.find(recipe.task["name"]), "ranks_nodes", False))


def _width(recipe: Recipe) -> int:
    """Return the width of the nodes' states, so that the row without edges has the same."""
    from kgfm.encoders import ENCODERS

    return int(ENCODERS.default(recipe.encoder, "width") or 128)


def _measured(result: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """Return the part that counts, and its figures."""
    part = "test" if "test" in result["figures"] else "validation"
    return part, result["figures"][part]


def _table(
    recipe: Recipe, seeds: Sequence[int], results: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Put the figures of all runs together."""
    first = results["with"][0]
    part, metrics = _measured(first)
    metric = first["metric"]
    values = {
        row: {name: [float(_measured(run)[1][name]) for run in runs] for name in metrics}
        for row, runs in results.items()
    }
    means = {row: {k: mean_ci(v) for k, v in found.items()} for row, found in values.items()}
    differences = {
        f"{one} - {other}": {
            name: paired_difference(values[one][name], values[other][name]) for name in metrics
        }
        for one, other in DIFFERENCES
    }
    verdict = _verdict(metric, differences, len(seeds))
    return {
        "meaning": MEANING[ranks_nodes(recipe)] + " " + verdict,
        "part": part,
        "metric": metric,
        "seeds": list(seeds),
        "rows": {row: _plain(found, values[row]) for row, found in means.items()},
        "differences": {name: _plain(found, {}) for name, found in differences.items()},
        "seconds": {row: sum(run["seconds"] for run in runs) for row, runs in results.items()},
        "digest": digest(recipe),
        "versions": first["versions"],
    }


def _plain(
    intervals: Mapping[str, Interval], values: Mapping[str, list[float]]
) -> dict[str, dict[str, Any]]:
    return {
        name: found._asdict() | ({"values": values[name]} if name in values else {})
        for name, found in intervals.items()
    }


def _verdict(metric: str, differences: Mapping[str, Mapping[str, Interval]], seeds: int) -> str:
    """Say in a sentence whether the graph helped; what the interval does not hold is not said."""
    without = differences["with - without"][metric]
    shuffled = differences["with - shuffled"][metric]
    if seeds == 1:
        return (
            f"From one seed, {metric} with the graph is {without.mean:+.3f} from the row without "
            f"and {shuffled.mean:+.3f} from the shuffled one; the intervals need more seeds."
        )
    gain = f"{metric} {without.mean:+.3f} ± {without.half_width:.3f} over the row without"
    rest = f"{shuffled.mean:+.3f} ± {shuffled.half_width:.3f} over the shuffled one"
    if without.mean + without.half_width < 0:
        return f"The graph did harm: {gain}."
    if not without.mean - without.half_width > 0:
        return f"No measurable help from the graph: {gain}, an interval that includes 0."
    if not shuffled.mean - shuffled.half_width > 0:
        return f"Better with a graph ({gain}), but what the graph says does not matter: {rest}."
    return f"The graph helped: {gain}, {rest}."


def _cells(table: Mapping[str, Any]) -> list[list[str]]:
    """Lay the table out: a row for each row and each difference, a column for each metric."""
    metrics = list(table["rows"]["with"])
    rows = [["", *metrics]]
    for row, found in table["rows"].items():
        rows.append([ROWS[row], *(_cell(found[name], "") for name in metrics)])
    for name, found in table["differences"].items():
        rows.append([name.replace("-", "−"), *(_cell(found[one], "+") for one in metrics)])
    return rows


def _cell(found: Mapping[str, Any], sign: str) -> str:
    mean = f"{found['mean']:{sign}.3f}"
    half = found["half_width"]
    return mean if half is None or half != half else f"{mean} ± {half:.3f}"


def as_text(table: Mapping[str, Any]) -> str:
    """Return the table as aligned lines, with what it means above."""
    seeds = ", ".join(map(str, table["seeds"]))
    head = f"{table['part']} part, mean ± 95 % interval, seeds {seeds}, differences paired by seed"
    return f"{table['meaning']}\n\n{head}\n{aligned(_cells(table))}"


def _markdown(table: Mapping[str, Any]) -> str:
    head, *rows = _cells(table)
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    seeds = ", ".join(map(str, table["seeds"]))
    return (
        f"{table['meaning']}\n\nFigures of the {table['part']} part: mean ± 95 % interval, seeds "
        f"{seeds}, differences paired by seed.\n\n" + "\n".join(lines) + "\n"
    )
