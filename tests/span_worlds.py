"""A small world for the tests of spans: people in towns, and texts that name several."""

from __future__ import annotations

from typing import Any

import torch

from kgfm import Pipeline
from kgfm.synthetic import World, label_world
from kgfm.types import About, Example

TINY = {"name": "tiny-bert"}
LABELS = ("farm", "harbour", "mine")
CONDITIONS = ("tag", "pool", "markers", "pair")


def spans_world(topics: int = 48) -> World:
    """Texts that name two people, each asked about: in what kind of town does that one live?"""
    world = label_world(topics=topics)

    def joined(examples: tuple[Example, ...]) -> tuple[Example, ...]:
        found = []
        for first, second in zip(examples, examples[1:] + examples[:1], strict=True):
            text = f"{first.text} {second.text}"
            behind = len(first.text) + 1
            about = []
            for one, start in ((first, 0), (second, behind)):
                assert one.mentions is not None
                (mention,) = one.mentions
                span = (mention.start + start, mention.end + start)
                about.append(About((span,), (mention.entity,), one.target))
            found.append(Example(text, about=tuple(about)))
        return tuple(found)

    return World(world.graph, *map(joined, world[1:]))


def spans_pipeline(graph: Any, *, task: dict[str, Any] | None = None, **more: Any) -> Pipeline:
    """An untrained pipeline whose zero weights are moved, so that marks and the graph matter."""
    given: dict[str, Any] = {
        "task": {"name": "spans", "labels": LABELS, **(task or {})},
        "backbone": TINY,
        "text_encoder": TINY,
        "max_tokens": 32,
    }
    if graph is not None and "encoder" not in more:
        given["encoder"] = {"name": "rgcn", "width": 16}
    made = Pipeline(graph, **{**given, **more})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.model.parameters():
            if not parameter.any():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)
    return made


def scores_of(answers: Any) -> list[dict[str, float]]:
    return [dict(answer.scores) for answer in answers]
