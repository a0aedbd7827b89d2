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
from kgfm.registry import check_arguments, lookup, resolve
from kgfm.retrieval import RETRIEVERS
from kgfm.training import TrainingConfig

Part = dict[str, Any]
PARTS = (
    "dataset",
    "task",
    "linker",
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
        dataset: A data set, such as {name: metaqa, hops: 1}; film-genres, jsonl, metaqa, world.
        task: answer (rank the entities of the subgraph) or classify.
        linker: What finds the entities that a text names.
        retriever: What cuts a text's subgraph.
        backbone: The transformer, such as {name: minilm, freeze: 4}; a name, a folder or a name on
            the Hugging Face hub.
        encoder: What embeds the nodes; null leaves the graph out.
        fusion: What lets tokens read nodes; null leaves it out.
        text_encoder: The frozen backbone that gives nodes and relations their text vectors.
        training: How to train.
        seed: Of all that is random in a run.
        data: The folder that holds public data sets (metaqa/, ...), or the data set's own; by
            default what KGFM_DATA says.
        cache: Keeps compiled graphs, text vectors and the states after frozen layers.
        out: The run's folder; by default runs/NAME-OF-THE-RECIPE.
    """

    dataset: Part
    task: Part = field(default_factory=lambda: {"name": "answer"})
    linker: Part = field(default_factory=lambda: {"name": "names"})
    retriever: Part = field(default_factory=lambda: {"name": "hops"})
    backbone: Part = field(default_factory=lambda: {"name": "minilm"})
    encoder: Part | None = field(default_factory=lambda: {"name": "rgcn"})
    fusion: Part | None = field(default_factory=lambda: {"name": "cross-attention"})
    text_encoder: Part = field(default_factory=lambda: {"name": "minilm"})
    training: TrainingConfig = field(default_factory=TrainingConfig)
    seed: int = 0
    data: str | None = None
    cache: str = "cache"
    out: str | None = None

    def __post_init__(self) -> None:
        for kind in PARTS:
            part = as_mapping(kind, getattr(self, kind))
            object.__setattr__(self, kind, part)
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
    if part is None and kind in ("encoder", "fusion"):
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
    tables: dict[str, tuple[str, Mapping[str, Any]]] = {
        "dataset": ("dataset", DATASETS),
        "linker": ("linker", LINKERS),
        "retriever": ("retriever", RETRIEVERS),
    }
    if deep:
        from kgfm.backbones import BACKBONES
        from kgfm.encoders import ENCODERS
        from kgfm.fusion import FUSIONS
        from kgfm.heads import HEADS

        tables |= {
            "task": ("head", HEADS),
            "encoder": ("encoder", ENCODERS),
            "fusion": ("fusion", FUSIONS),
            "backbone": ("backbone", BACKBONES),
            "text_encoder": ("backbone", BACKBONES),
        }
    for field_name, (kind, table) in tables.items():
        part = getattr(recipe, field_name)
        # Any other name of a backbone is a folder or one on the hub.
        if part is None or (kind == "backbone" and part["name"] not in table):
            continue
        arguments = [key for key in part if key != "name" and (kind, key) != ("fusion", "layers")]
        build = lookup(kind, part["name"], table)
        check_arguments(f"The {kind} {part['name']!r}", build, arguments)
    if deep:
        _try_values(recipe)


_TRIED = 384
"""Width of the parts that are built to see whether their values will do."""
_OF_ENCODER = {"feature_width": _TRIED, "query_width": _TRIED}


def _try_values(recipe: Recipe) -> None:
    """Build small neural parts, so that a value that will not do is refused before all else."""
    import torch

    from kgfm.encoders import ENCODERS, GraphEncoder
    from kgfm.fusion import FUSIONS, Fusion
    from kgfm.heads import HEADS, Head

    fusion = {k: v for k, v in (recipe.fusion or {}).items() if k != "layers"}
    has_graph = recipe.encoder is not None
    widths = {"width": _TRIED, "node_width": _TRIED if has_graph else 0}
    parts: list[tuple[str, str, Any, Any, Any, dict[str, Any]]] = [
        ("encoder", "encoder", recipe.encoder, ENCODERS, GraphEncoder, _OF_ENCODER),
        ("fusion", "fusion", fusion or None, FUSIONS, Fusion, widths),
        ("task", "head", recipe.task, HEADS, Head, {**widths, "num_labels": 2}),
    ]
    with torch.random.fork_rng(devices=[]):
        for field_name, kind, part, table, base, context in parts:
            try:
                if part is not None:
                    resolve(kind, part, table, base, **context)
            except (TypeError, ValueError, RuntimeError) as error:
                raise ValueError(f"{field_name}: {error}") from error


def digest(recipe: Recipe, *, apart_from: Collection[str] = ()) -> str:
    """Return a hash of all that a run depends on; where its files are does not count."""
    left_out = {*PLACES, *apart_from}
    settings = {key: value for key, value in asdict(recipe).items() if key not in left_out}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
