"""What is right about a question, compared with the graph that it is asked of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kgfm.datasets.mentions import at
from kgfm.graph import KnowledgeGraph
from kgfm.types import Example

_SHOWN = 10
_KEYS_SHOWN = 5


def resolved(examples: Sequence[Example], graph: KnowledgeGraph) -> tuple[Example, ...]:
    """Return questions whose right answers are keys where they were names.

    For a task that ranks the entities of the graph: of any other the targets are labels. A key goes
    before a name, and names are compared letter by letter. Questions of another kind than
    ``entity`` stay as they are.

    Raises:
        KeyError: What is right is neither a key nor a name that one entity alone bears. The
            message counts all of these, and lists the first with where they were read.
    """
    names = {name for example in examples for name in _right(example) if name not in graph}
    if not names:
        return tuple(examples)
    bearers = _bearers(names, graph)
    _refuse_unsure(examples, bearers)
    return tuple(
        replace(
            example,
            target=tuple(dict.fromkeys(bearers.get(key, [key])[0] for key in _right(example))),
        )
        if not bearers.keys().isdisjoint(_right(example))
        else example
        for example in examples
    )


def _right(example: Example) -> tuple[str, ...]:
    return (example.target or ()) if example.kind == "entity" else ()


def _bearers(names: set[str], graph: KnowledgeGraph) -> dict[str, list[str]]:
    """Return the keys of the entities that bear each name."""
    rows: dict[str, set[int]] = {name: set() for name in names}
    for row, label in enumerate(graph.labels):
        if label in rows:
            rows[label].add(row)
    owner = 0
    indptr = graph.alias_indptr.tolist()
    for place, alias in enumerate(graph.aliases):
        if alias in rows:
            while indptr[owner + 1] <= place:
                owner += 1
            rows[alias].add(owner)
    return {name: [graph.keys[row] for row in sorted(found)] for name, found in rows.items()}


def _refuse_unsure(examples: Iterable[Example], bearers: dict[str, list[str]]) -> None:
    unsure = []
    for example in examples:
        for name in _right(example):
            keys = bearers.get(name, [name])
            if len(keys) > 1:
                shown = ", ".join(map(repr, keys[:_KEYS_SHOWN]))
                more = f" and {len(keys) - _KEYS_SHOWN} more" if len(keys) > _KEYS_SHOWN else ""
                unsure.append(f"{at(example.where)}{name!r} is borne by {shown}{more}")
            elif not keys:
                unsure.append(f"{at(example.where)}{name!r} is neither a key nor a name")
    if unsure:
        more = f"; and {len(unsure) - _SHOWN:,} more" if len(unsure) > _SHOWN else ""
        raise KeyError(
            f"{len(unsure):,} right answers are not sure; write the key of the entity that is "
            f"meant. {'; '.join(unsure[:_SHOWN])}{more}."
        )


def check_gold(examples: Iterable[Example], graph: KnowledgeGraph) -> None:
    """See that a graph has the entities and relations of gold triples.

    It need not have the triples themselves. Where the relation is an attribute that the head has,
    the tail is a value and may be anything.

    Raises:
        ValueError: It lacks one; the message says where it was read, and names keys that are near.
    """
    for example in examples:
        for head, relation, tail in example.gold:
            try:
                row = graph.row(head)
                if relation in graph.attributes(row) and graph.relation_keys.find(relation) < 0:
                    continue
                graph.relation_row(relation)
                graph.row(tail)
            except KeyError as error:
                raise ValueError(f"{at(example.where)}gold: {error.args[0]}") from None
