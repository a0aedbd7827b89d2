"""Run a recipe: load, train, measure, save."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kgfm
from kgfm.datasets import DATASETS, Dataset
from kgfm.datasets.graphs import merged_graph
from kgfm.datasets.jsonl import read_examples
from kgfm.graph import KnowledgeGraph
from kgfm.recipes.read import read_recipe, write_recipe
from kgfm.recipes.recipe import Recipe, check_parts, digest
from kgfm.recipes.report import write_json
from kgfm.types import Example

if TYPE_CHECKING:
    from kgfm.pipeline import Pipeline
    from kgfm.vectors import NodeVectors

Say = Callable[[str], None]
"""Told, in plain lines, what is being done."""

RECIPE, RESULT = "recipe.yaml", "result.json"


def silent(_: str) -> None:
    """Say nothing."""


def load_dataset(recipe: Recipe) -> Dataset:
    """Load a recipe's data set; its graph is compiled into the cache when first needed."""
    arguments = {key: value for key, value in recipe.dataset.items() if key != "name"}
    read: Callable[..., Dataset] = DATASETS.find(recipe.dataset["name"])
    folder, cache = _data_folder(recipe), Path(recipe.cache) / "graphs"
    dataset = read(folder, cache, **arguments)
    if recipe.graph is None:
        return dataset
    return replace(dataset, graph=merged_graph(recipe.graph, dataset.graph, folder, cache))


def _data_folder(recipe: Recipe) -> Path | None:
    inside: str | None = getattr(DATASETS.find(recipe.dataset["name"]), "folder", None)
    data = recipe.data or (os.environ.get("KGFM_DATA") if inside else None)
    if data is None:
        return None
    if inside is not None and (Path(data) / inside).is_dir():
        return Path(data) / inside
    return Path(data)


def text_vectors(
    recipe: Recipe, graph: KnowledgeGraph | None, say: Say = silent
) -> NodeVectors | None:
    """Return the text vectors of a graph, computed when first needed; none if no part reads them.

    Raises:
        ValueError: The recipe has an encoder, and the data set no graph.
    """
    if recipe.encoder is None:
        return None
    if graph is None:
        raise ValueError(
            "The encoder reads a graph, and the data set has none: give its graph, or set encoder "
            "and fusion to null."
        )
    from kgfm.backbones import TextEncoder
    from kgfm.vectors import NodeVectors

    last = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 10:
            last = time.monotonic()
            say(f"text vectors of the graph: {done:,} of {total:,}")

    return NodeVectors.load_or_compute(graph, TextEncoder(recipe.text_encoder), progress=progress)


def build_pipeline(recipe: Recipe, dataset: Dataset, **ready: Any) -> Pipeline:
    """Build the untrained pipeline of a recipe.

    Args:
        recipe: Names the parts.
        dataset: Its graph.
        ready: Arguments of :class:`kgfm.Pipeline` that take the place of the recipe's.
    """
    from kgfm.pipeline import Pipeline

    arguments: dict[str, Any] = {
        "graph": dataset.graph,
        "linker": recipe.linker,
        "words": recipe.words,
        "task": recipe.task,
        "retriever": recipe.retriever,
        "backbone": recipe.backbone,
        "encoder": recipe.encoder,
        "fusion": recipe.fusion,
        "text_encoder": recipe.text_encoder,
        "max_tokens": recipe.training.max_tokens,
        "seed": recipe.seed,
    }
    return Pipeline(**{**arguments, **ready})


def train(
    recipe: Recipe, *, resume: bool = False, say: Say = silent
) -> dict[str, dict[str, float]]:
    """Train a recipe, measure it, and save the pipeline with recipe and figures in its folder.

    Args:
        recipe: What to train.
        resume: Go on from the last finished epoch of an interrupted run in the same folder.
        say: Told what is being done.

    Returns:
        The figures of the validation part and, if there is one, of the test part.
    """
    check_parts(recipe)
    folder = recipe.folder()
    check_resume(recipe, folder, resume)
    dataset = load_dataset(recipe)
    say(repr(dataset))
    pipeline = build_pipeline(recipe, dataset, vectors=text_vectors(recipe, dataset.graph, say))
    result = fit_and_measure(recipe, dataset, pipeline, folder, resume=resume, say=say)
    if is_first_process():
        pipeline.save(folder)
        write_json(folder / RESULT, result)
    figures: dict[str, dict[str, float]] = result["figures"]
    return figures


def fit_and_measure(
    recipe: Recipe,
    dataset: Dataset,
    pipeline: Pipeline,
    folder: Path,
    *,
    resume: bool = False,
    say: Say = silent,
) -> dict[str, Any]:
    """Fit and measure a pipeline; return what ``result.json`` holds.

    What stands in the folder is touched only when all texts were read and made ready.
    """
    start = time.monotonic()
    states = Path(recipe.cache) / "states"
    say(f"training on {len(dataset.train):,} texts, {recipe.training.epochs} epochs; {folder}")
    figures = {
        "validation": pipeline.fit(
            dataset.train,
            dataset.validation,
            recipe.training,
            folder=folder,
            cache=states,
            resume=resume,
            begin=lambda: start_folder(recipe, folder, resume),
        )
    }
    if "start" in pipeline.training:
        figures = {"start": pipeline.training["start"], **figures}
    if dataset.test:
        figures["test"] = pipeline.evaluate(dataset.test, recipe.training, cache=states)
    seconds = time.monotonic() - start
    return result_of(recipe, dataset, figures, pipeline.task.headline, seconds)


def result_of(
    recipe: Recipe,
    dataset: Dataset,
    figures: dict[str, dict[str, float]],
    metric: str,
    seconds: float,
) -> dict[str, Any]:
    """Return all that is worth knowing of a finished run."""
    return {
        "figures": figures,
        "metric": metric,
        "texts": {
            "train": len(dataset.train),
            "validation": len(dataset.validation),
            "test": len(dataset.test),
        },
        "seed": recipe.seed,
        "seconds": round(seconds, 1),
        "recipe": asdict(recipe),
        "digest": digest(recipe),
        "dataset_digest": dataset_digest(dataset),
        "versions": versions(),
    }


def dataset_digest(dataset: Dataset, *, graph: bool = True) -> str:
    """Return a hash of a data set's texts and, unless told otherwise, of its graph."""
    known = dataset.graph.fingerprint.encode() if graph and dataset.graph is not None else b""
    content = blake2b(known, digest_size=8)
    for part in (dataset.train, dataset.validation, dataset.test):
        content.update(b"\0part")
        for example in part:
            content.update(repr(example).encode("utf-8", "surrogatepass"))
    return content.hexdigest()


def start_folder(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Make a run's folder ready; what another run left there must not be taken for this one's."""
    if not is_first_process():
        return
    if not (resume and (folder / RECIPE).exists()):
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    (folder / RESULT).unlink(missing_ok=True)
    write_recipe(recipe, folder / RECIPE)


def check_resume(recipe: Recipe, folder: Path, resume: bool) -> None:
    """Refuse to go on with another recipe than the one that a run was begun with.

    Raises:
        ValueError: ``resume`` is asked for, and the run there has another recipe.
    """
    if not (resume and (folder / RECIPE).exists()):
        return
    before = read_recipe(folder / RECIPE)
    if digest(before) != digest(recipe):
        raise ValueError(
            f"{folder} was begun with another recipe ({_difference(before, recipe)}), so it "
            "cannot be resumed with this one; train anew, or in another folder: --out DIR."
        )


def _difference(before: Recipe, now: Recipe) -> str:
    """Name the first setting that differs."""
    old, new = _flat(asdict(before)), _flat(asdict(now))
    for key in [*new, *old]:
        if old.get(key) != new.get(key) and key not in ("data", "cache", "out"):
            return f"{key}: {old.get(key)!r} then, {new.get(key)!r} now"
    return "the same settings"


def _flat(settings: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = f"{above}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return flat


def is_first_process() -> bool:
    """Say whether this is the process that writes, of those that train together."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def versions() -> dict[str, str]:
    """Return the versions that a run's figures depend on."""
    packages = ("torch", "transformers", "lightning", "numpy")
    return {
        "kgfm": kgfm.__version__,
        "python": sys.version.split()[0],
        **{name: version(name) for name in packages},
    }


def evaluate(
    folder: str | Path,
    *,
    recipe: Recipe | None = None,
    data: str | None = None,
    part: str = "test",
    file: str | Path | None = None,
    say: Say = silent,
) -> dict[str, float]:
    """Measure a saved pipeline.

    Args:
        folder: The run.
        recipe: Names the data set; by default the recipe of the run.
        data: Where the data set is, if not where it was.
        part: ``test`` (``validation`` where there is no test part), ``validation`` or ``train``.
        file: Examples as JSON lines, in place of a data set.
        say: Told what is being done.
    """
    from kgfm.pipeline import Pipeline

    if file is None and part not in ("train", "validation", "test"):
        raise ValueError(f"part is train, validation or test; got {part!r}.")
    folder = Path(folder)
    pipeline = Pipeline.load(folder)
    written = folder / RECIPE
    recipe = recipe or (read_recipe(written) if written.exists() else None)
    if file is not None:
        examples: Sequence[Example] = read_examples(file, pipeline.graph)
        if not examples:
            raise ValueError(f"{file} holds no texts.")
        part = str(file)
    elif recipe is None:
        raise FileNotFoundError(
            f"{folder} has no {RECIPE} that names a data set; give --recipe or --file."
        )
    else:
        dataset = load_dataset(replace(recipe, data=data) if data else recipe)
        part = part if getattr(dataset, part) else "validation"
        examples = getattr(dataset, part)
    say(f"{pipeline!r} on {len(examples):,} texts of {part}")
    return pipeline.evaluate(examples, recipe.training if recipe else None)
