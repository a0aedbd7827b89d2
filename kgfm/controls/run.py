"""Run the rows of a table, each over the same seeds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kgfm.backbones import TextEncoder
from kgfm.controls.base import CONTROLS, TRIAL, Control, Shared, case_of, control_of
from kgfm.controls.table import as_markdown, measured, table_of
from kgfm.datasets import Dataset
from kgfm.linking import LINKERS, BaseLinker
from kgfm.recipes import (
    Recipe,
    Say,
    check_parts,
    digest,
    load_dataset,
    read_recipe,
    text_vectors,
    write_json,
)
from kgfm.recipes.run import RECIPE, RESULT, dataset_digest, fit_and_measure, silent
from kgfm.storage import replace_file

if TYPE_CHECKING:
    from kgfm.pipeline import Pipeline

ROWS = ("with", "without", "shuffled")
"""The rows of every table, unless others are chosen."""
OTHERS = ("probe",)
"""Those of a table that they suit."""
Keep = Callable[["Pipeline", Recipe, dict[str, Any]], None]
_OF_THE_GRAPH = (
    *("dataset", "graph", "linker", "words", "retriever", "encoder", "fusion", "text_encoder"),
)


def controls(
    recipe: Recipe,
    seeds: Sequence[int] = (0, 1, 2),
    out: str | Path | None = None,
    *,
    rows: Sequence[str] | None = None,
    dataset: Dataset | None = None,
    keep: Keep | None = None,
    say: Say = silent,
) -> dict[str, Any]:
    """Train a recipe with its graph and with something else in its place, and compare.

    Each run's figures go to ``out/<row>-seed<k>/result.json``. A run that is there already, of the
    same recipe on the same data, is not run again; one that was interrupted goes on from its last
    finished epoch. A row that reads texts alone is the same for every graph, so such runs may be
    copied from the table of another. Nothing in ``out`` is touched before all is checked and read.

    Args:
        recipe: What is on trial.
        seeds: One run of each row for each; differences are paired by them.
        out: The table's folder; by default ``controls`` in the recipe's.
        rows: Names of :data:`kgfm.controls.CONTROLS`, ``with`` among them; by default ``with``,
            ``without``, ``shuffled``, and ``probe`` for a task with labels. One that alters the
            graph can be limited to one source of a merged graph: ``shuffled:affect``.
        dataset: The recipe's, if it is loaded already.
        keep: Called with pipeline, recipe and result of each run with the graph that was trained.
        say: Told what is being done.

    Returns:
        The table, as it is written to ``out/controls.json``; beside it stands ``controls.md``.

    Raises:
        KeyError: A row, or a part of the recipe, is unknown.
        ValueError: A seed or a row is given twice or none is, or there is no graph to put on trial.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds={list(seeds)}: give at least one, and none twice.")
    chosen = _chosen(rows or [*ROWS, *OTHERS])
    if recipe.encoder is None:
        raise ValueError("The recipe has no encoder, so there is no graph to put on trial.")
    check_parts(recipe)
    out = Path(out) if out is not None else recipe.folder() / "controls"
    dataset = dataset or load_dataset(recipe)
    say(repr(dataset))
    graph = dataset.needed_graph()
    case = case_of(recipe, graph)
    for row, control in [*chosen.items()]:
        if not control.suits(case):
            if rows is not None:
                raise ValueError(f"The row {row!r} is not for such a task; leave it out of rows.")
            del chosen[row]
            continue
        control.check(graph)
    linker: BaseLinker | None = None
    if recipe.linker is not None:
        linker = LINKERS.build(recipe.linker, graph=graph, encode=TextEncoder(recipe.text_encoder))
    shared = Shared(dataset, linker, text_vectors(recipe, graph, say))
    results: dict[str, list[dict[str, Any]]] = {row: [] for row in chosen}
    for seed in seeds:
        for row in chosen:
            folder = f"{row.replace(':', '-')}-seed{seed}"
            own = replace(recipe, seed=seed, out=str(out / folder))
            own = chosen[row].recipe(own)
            results[row].append(_one_run(row, own, shared, keep, say))
    table = table_of(recipe, chosen, case, seeds, results)
    write_json(out / "controls.json", table)
    replace_file(out / "controls.md", as_markdown(table).encode())
    return table


def _chosen(rows: Sequence[str]) -> dict[str, Control]:
    """Return the control of each row.

    Raises:
        KeyError: There is no such control.
        ValueError: The one on trial is missing, stands alone, or a row is given twice.
    """
    names = [rows] if isinstance(rows, str) else list(rows)
    found = {row: control_of(row) for row in names}
    if TRIAL not in found or not 1 < len(found) == len(names):
        raise ValueError(
            f"rows={names}: give {TRIAL!r}, which is on trial, and at least one other of "
            f"{', '.join(CONTROLS.names())}, none twice."
        )
    return found


def _one_run(
    row: str, recipe: Recipe, shared: Shared, keep: Keep | None, say: Say
) -> dict[str, Any]:
    """Return the result of one run: the one that is there, or a new one."""
    folder = recipe.folder()
    title = f"{control_of(row).title}, seed {recipe.seed}"
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
    if keep is not None and row == TRIAL:
        keep(pipeline, recipe, result)
    write_json(folder / RESULT, result)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # some 50 MB, of use to no one now
    part, figures = measured(result)
    say(f"{title}: {part} " + "  ".join(f"{k} {v:.4f}" for k, v in figures.items()))
    return result


def row_pipeline(row: str, recipe: Recipe, shared: Shared) -> Pipeline:
    """Build the untrained pipeline of one row."""
    case, control = case_of(recipe, shared.dataset.graph), control_of(row)
    return control.pipeline(control.recipe(recipe), shared, case)


def row_digest(row: str, recipe: Recipe, dataset: Dataset) -> str:
    """Return a hash of all that a row's figures depend on."""
    control = control_of(row)
    recipe = control.recipe(recipe)
    if control.reads_graph(case_of(recipe, dataset.graph)):
        return f"{digest(recipe)}-{dataset_digest(dataset)}"
    texts = dataset_digest(dataset, graph=False)
    return f"{digest(recipe, apart_from=_OF_THE_GRAPH)}-{texts}"


def _is_begun(folder: Path, recipe: Recipe) -> bool:
    """Say whether a run of the same recipe was interrupted here."""
    try:
        return digest(read_recipe(folder / RECIPE)) == digest(recipe)
    except (OSError, ValueError):
        return False
