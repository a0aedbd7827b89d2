"""Looks at triples and relations: is there something to read around what texts name?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kgfm.graph import KnowledgeGraph, local_name
from kgfm.graph.describe import component_sizes, dangling
from kgfm.linking.findings import MANY, SHOWN, Finding, is_opaque, keys_of, names_of, share_of

_HUB = 1_000
_HUB_SHARE = 0.02


def look_at_links(graph: KnowledgeGraph) -> Iterator[Finding]:
    count = len(graph)
    if not graph.num_triples:
        yield Finding(
            "fault",
            "no-triples",
            0,
            "The graph has no triples: there is nothing to read but names.",
            "Look at the source: links between entities may be literals there, or types.",
        )
        return
    alone = np.flatnonzero(graph.degree == 0)
    if len(alone) >= MANY * count:
        yield Finding(
            "warning",
            "isolated",
            len(alone),
            f"{share_of(len(alone), count)} entities are in no triple: texts link to them and find "
            "nothing to read.",
            "Leave them out, or bring the triples that they are in (other parts of the source).",
            names_of(graph, alone),
        )
    loose = dangling(graph)
    if len(loose) >= MANY * count:
        yield Finding(
            "warning",
            "dangling",
            len(loose),
            f"{share_of(len(loose), count)} entities are only ever named as a tail, and nothing is "
            "known about them, not even a label: the source refers to what it does not hold.",
            "Bring the part of the source that describes them, or leave these triples out.",
            keys_of(graph, loose),
        )
    sizes = component_sizes(graph)
    islands = sizes[sizes > 1]
    if len(islands) > 1 and islands.max() < 0.5 * islands.sum():
        yield Finding(
            "note",
            "islands",
            len(islands),
            f"The graph falls into {len(islands):,} parts without a link, the largest of "
            f"{int(islands.max()):,} entities: no walk leads from one to another.",
            "That is right for a collection of small graphs; else triples or owl:sameAs are "
            "missing.",
        )


def look_at_hubs(graph: KnowledgeGraph) -> Iterator[Finding]:
    least = max(_HUB, int(_HUB_SHARE * graph.num_triples))
    hubs = np.flatnonzero(graph.degree > least)
    if not len(hubs):
        return
    hubs = hubs[np.argsort(-graph.degree[hubs], kind="stable")]
    examples = tuple(
        f"{graph.labels[row] or graph.keys[row]} ({int(graph.degree[row]):,})"
        for row in hubs[:SHOWN].tolist()
    )
    yield Finding(
        "note",
        "hubs",
        len(hubs),
        f"{share_of(len(hubs), len(graph))} entities with more than {least:,} triples: a walk "
        "through such a hub reaches much that has nothing to do with the text, and fan-out caps "
        "cut it short.",
        "Where a hub is a class, a country or a year, make it a type or an attribute; a retriever "
        "with a small fan-out spends its nodes elsewhere.",
        examples,
    )


def look_at_relations(graph: KnowledgeGraph) -> Iterator[Finding]:
    count = graph.num_relations
    rows = np.flatnonzero(~graph.relation_labelled).tolist()
    opaque = [row for row in rows if is_opaque(local_name(graph.relation_keys[row]))]
    if opaque:
        yield Finding(
            "warning",
            "relations-without-names",
            len(opaque),
            f"{share_of(len(opaque), count)} relations have no label, and their keys are no words: "
            "a model knows relations by their text.",
            "Bring labels of relations: rdfs:label of predicates, or from_tables(..., "
            "relations=...).",
            tuple(graph.relation_keys[row] for row in opaque[:SHOWN]),
        )
    triples = np.bincount(graph.relations, minlength=count)
    rare = np.flatnonzero(triples < 5)
    if len(rare) > 0.2 * count and len(rare) > 3:
        yield Finding(
            "note",
            "rare-relations",
            len(rare),
            f"{share_of(len(rare), count)} relations have fewer than five triples: too few to "
            "learn what they mean.",
            "Merge relations that say the same, or leave rare ones out.",
            tuple(graph.relation_keys[int(row)] for row in rare[:SHOWN]),
        )
    texts: dict[str, list[int]] = {}
    for row in range(count):
        texts.setdefault(graph.relation_text(row).casefold(), []).append(row)
    alike = {text: rows for text, rows in texts.items() if len(rows) > 1}
    if alike:
        yield Finding(
            "note",
            "relations-alike",
            sum(map(len, alike.values())),
            f"{len(alike):,} texts stand for several relations each; by its text a model takes "
            "them for one.",
            "Give them labels that differ, or merge them.",
            tuple(alike)[:SHOWN],
        )


def look_at_triples(graph: KnowledgeGraph) -> Iterator[Finding]:
    repeated = int(graph.manifest["source"].get("repeated_triples", 0))
    if repeated:
        yield Finding(
            "note",
            "repeated-triples",
            repeated,
            f"{repeated:,} triples stood in the source more than once, and are here once.",
            "Nothing; if their attributes differed, the lowest stayed.",
        )
    loops = np.flatnonzero(graph.heads == graph.tails)
    if len(loops) >= MANY * max(1, graph.num_triples):
        yield Finding(
            "note",
            "self-loops",
            len(loops),
            f"{share_of(len(loops), graph.num_triples)} triples lead from an entity to itself, "
            "which tells a graph encoder nothing new.",
            "Leave them out if they say nothing.",
            names_of(graph, graph.heads[loops]),
        )
