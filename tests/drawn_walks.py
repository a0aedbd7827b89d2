"""Questions about a graph, drawn by chance from a seed: of all kinds, shapes and directions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from kgfm.graph import KnowledgeGraph
from kgfm.walks import KINDS, Sought, Step, Walk, answers, follow


def drawn_walk(random: Random, graph: KnowledgeGraph, most: int = 3) -> Walk:
    """Most steps lead somewhere; those of pure chance mostly would not."""
    walk = Walk(random.choice([*graph.keys]), (), random.random() < 0.5)
    choice = [Step(r, forward) for r in graph.relation_keys for forward in (True, False)]
    for _ in range(random.randint(0, most)):
        longer = [replace(walk, steps=(*walk.steps, step)) for step in choice]
        if random.random() < 0.85:
            longer = [one for one in longer if len(follow(graph, one))] or longer
        walk = random.choice(longer)
    return walk


def drawn_questions(
    random: Random, graph: KnowledgeGraph, attributes: Sequence[str], number: int
) -> list[Sought]:
    """Return so many questions of each kind; half of those with several walks share an answer."""
    found = []
    for kind in KINDS:
        for _ in range(number):
            walk = drawn_walk(random, graph)
            if kind == "literal":
                last = Step(random.choice(attributes), literal=True)
                found.append(Sought((replace(walk, steps=(*walk.steps, last)),), kind))
                continue
            walks = [walk] + [drawn_walk(random, graph, 2) for _ in range(random.randint(0, 2))]
            while (
                len(walks) > 1 and random.random() < 0.5 and not answers(graph, Sought((*walks,)))
            ):
                walks.pop()
            about = random.choice([*graph.keys]) if kind == "yesno" else None
            among = answers(graph, Sought((*walks,)))
            if about is not None and among and random.random() < 0.5:
                about = random.choice(among)
            found.append(Sought((*walks,), kind, about))
    return found


def share_found(graph: KnowledgeGraph, questions: Sequence[Sought]) -> float:
    """Return the share of questions that find something; a test of nothing shows nothing."""
    nothing = {(), ("0",), ("no",)}
    return sum(answers(graph, sought) not in nothing for sought in questions) / len(questions)
