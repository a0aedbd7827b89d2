"""What a recipe holds, and the check of its parts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kgfm.datasets import DATASETS
from kgfm.linking import LINKERS
from kgfm.registry import Registry
from kgfm.retrieval import RETRIEVERS
from kgfm.training import TrainingConfig

Part = dict[str, Any]
PARTS = (
    "dataset",
    "task",
    "linker",
    "words",
    "retriever",
    "backbone",
    "encoder",
    "fusion",
    "text_encoder",
)
"""The fields that name a part of kgfm, with its arguments."""

PLACES = ("data", "cache", "out")
"""The fields that say where things are; they change nothing about a run."""


@dataclass(frozen=True)
class Recipe:
    """What is trained on what, from the raw text on.

    A part is written as ``{name: rgcn, width: 64}``, its arguments beside its name, or as the name
    alone.

    Args:
        dataset: A data set, such as {name: metaqa, hops: 1}; the names are those of
            kgfm.datasets.DATASETS.
        task: answer (rank the entities of the subgraph) or classify; by default what the data set
            asks.
        linker: What finds the entities that a text names; null finds none.
        words: What finds words that the text is not about, such as those of a lexicon, as {name:
            words, source: affect}; null finds none.
        retriever: What cuts a text's subgraph.
        backbone: The transformer, such as {name: minilm, freeze: 4}; a name, a folder or a name on
            the Hugging Face hub.
        encoder: What embeds the nodes; null leaves the graph out.
        fusion: What lets tokens read nodes; null leaves it out.
        text_encoder: The frozen backbone that gives nodes and relations their text vectors.
        training: How to train.
        graph: Graphs that are merged into one, each of them a source: [own, affect], or by name,
            {companies: own, affect: affect}; own is the data set's, others are files or ship with
            kgfm. By default the data set's alone.
        seed: Of all that is random in a run.
        data: The folder that holds public data sets (metaqa/, ...), or the data set's own; by
            default what KGFM_DATA says.
        cache: Keeps compiled graphs, text vectors and the states after frozen layers.
        out: The run's folder; by default runs/NAME-OF-THE-RECIPE.
    """

    dataset: Part
    task: Part | None = None
    linker: Part | None = field(default_factory=lambda: {"name": "names"})
    words: Part | None = None
    retriever: Part = field(default_factory=lambda: {"name": "hops"})
    backbone: Part = field(default_factory=lambda: {"name": "minilm"})
    encoder: Part | None = field(default_factory=lambda: {"name": "rgcn"})
    fusion: Part | None = field(default_factory=lambda: {"name": "cross-attention"})
    text_encoder: Part = field(default_factory=lambda: {"name": "minilm"})
    training: TrainingConfig = field(default_factory=TrainingConfig)
    graph: list[str] | dict[str, str] | None = None
    seed: int = 0
    data: str | None = None
    cache: str = "cache"
    out: str | None = None

    def __post_init__(self) -> None:
        for kind in PARTS:
            part = as_mapping(kind, getattr(self, kind))
            object.__setattr__(self, kind, part)
        if self.task is None:
            read = DATASETS.get(self.dataset["name"])
            object.__setattr__(self, "task", as_mapping("task", getattr(read, "task", "answer")))
        if self.fusion is not None and self.encoder is None:
            raise ValueError("fusion reads the encoder's nodes: without an encoder it is null too.")

    def folder(self) -> Path:
        """Return the run's folder."""
        return Path(self.out or f"runs/{self.dataset['name']}")


def as_mapping(kind: str, part: Any) -> Part | None:
    """Write a part as a mapping with its name.

    Raises:
        ValueError: It has no name.
    """
    if part is None and kind in ("encoder", "fusion", "linker", "task", "words"):
        return None
    if isinstance(part, str):
        return {"name": part}
    if not isinstance(part, Mapping) or not isinstance(part.get("name"), str):
        raise ValueError(f"{kind} is a name, or a mapping with a name such as {{name: x, ...}}.")
    return dict(part)


def check_parts(recipe: Recipe, *, deep: bool = True) -> None:
    """Refuse an unknown name or argument of a part, naming the nearest known one.

    Args:
        recipe: What to check.
        deep: Check the neural parts and their values too, which loads torch.

    Raises:
        KeyError: A part has no such name.
        ValueError: It has no such argument, or a value of it will not do.
    """
    registries: dict[str, Registry[Any]] = {
        "dataset": DATASETS,
        "linker": LINKERS,
        "words": LINKERS,
        "retriever": RETRIEVERS,
    }
    if deep:
        from kgfm.backbones import BACKBONES
        from kgfm.encoders import ENCODERS
        from kgfm.fusion import FUSIONS
        from kgfm.tasks import TASKS

        registries |= {
            "task": TASKS,
            "encoder": ENCODERS,
            "fusion": FUSIONS,
            "backbone": BACKBONES,
            "text_encoder": BACKBONES,
        }
    for name, registry in registries.items():
        part = getattr(recipe, name)
        # Any other name of a backbone is a folder or one on the hub.
        if part is None or (name in _OPEN and part["name"] not in registry):
            continue
        registry.check(part, apart_from=_OF_THE_MODEL.get(name, ()))
    if deep:
        _try_values(recipe)


_OPEN = ("backbone", "text_encoder")
_OF_THE_MODEL = {"fusion": ("layers",)}
"""Arguments in a part's mapping that the model takes."""
_TRIED = 384
"""Width of the parts that are built to see whether their values will do."""


def _try_values(recipe: Recipe) -> None:
    """Build small neural parts, so that a value that will not do is refused before all else."""
    import torch

    from kgfm.encoders import ENCODERS
    from kgfm.fusion import FUSIONS
    from kgfm.tasks import TASKS

    widths = {"width": _TRIED, "node_width": _TRIED if recipe.encoder is not None else 0}
    text = {"feature_width": _TRIED, "query_width": _TRIED}
    assert recipe.task is not None
    trial: dict[str, Any] = getattr(TASKS.find(recipe.task["name"]), "trial", dict)()
    parts: list[tuple[str, Registry[Any], Part | None, dict[str, Any]]] = [
        ("encoder", ENCODERS, recipe.encoder, text),
        ("fusion", FUSIONS, recipe.fusion, widths | text | {"depth": 1}),
        ("task", TASKS, recipe.task, widths | trial),
    ]
    with torch.random.fork_rng(devices=[]):
        for name, registry, part, context in parts:
            if part is None:
                continue
            taken = _OF_THE_MODEL.get(name, ())
            try:
                registry.build({k: v for k, v in part.items() if k not in taken}, **context)
            except (TypeError, ValueError, RuntimeError) as error:
                raise ValueError(f"{name}: {error}") from error


def digest(recipe: Recipe, *, apart_from: Collection[str] = ()) -> str:
    """Return a hash of all that a run depends on; where its files are does not count."""
    left_out = {*PLACES, *apart_from}
    settings = {key: value for key, value in asdict(recipe).items() if key not in left_out}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
