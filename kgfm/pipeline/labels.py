"""Labels that are added to a pipeline by their descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from kgfm.backbones import TextEncoder
from kgfm.tasks import TASKS

if TYPE_CHECKING:
    from kgfm.pipeline.pipeline import Pipeline


def add_labels(pipeline: Pipeline, descriptions: Mapping[str, str]) -> None:
    """Let a pipeline know further labels; see :meth:`kgfm.Pipeline.add_labels`."""
    part = pipeline.parts["task"]
    known = part.get("labels") if isinstance(part, Mapping) else None
    if not isinstance(known, Mapping):
        raise ValueError(
            "Labels can be added where those that are known have descriptions: give them as "
            "task={'name': 'classify', 'labels': {'card_arrival': 'where is my card', ...}}."
        )
    for label in descriptions:
        if label in known:
            raise ValueError(f"There is a label {label!r} already; give new ones another name.")
    model, old = pipeline.model, pipeline.model.task
    widths = {
        "width": model.backbone.width,
        "node_width": 0 if model.encoder is None else model.encoder.out_width,
    }
    task = {**part, "labels": {**known, **descriptions}}
    new = TASKS.build(task, **widths).eval()
    vectors = TextEncoder(model.backbone)(new.descriptions)
    new.describe(torch.from_numpy(vectors))
    new.extend(old)  # type: ignore[operator]
    pipeline.parts["task"] = task
    model.task = new.to(next(model.parameters()).device)
    pipeline.__dict__.pop("collator", None)
