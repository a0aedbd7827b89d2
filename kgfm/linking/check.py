"""What in a graph will hurt linking or training, and how to mend it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kgfm.graph import KnowledgeGraph
from kgfm.linking.check_links import (
    look_at_hubs,
    look_at_links,
    look_at_relations,
    look_at_triples,
)
from kgfm.linking.check_names import (
    look_at_labels,
    look_at_shared_labels,
    look_at_strange_labels,
    look_at_texts,
)
from kgfm.linking.check_scripts import look_at_scripts
from kgfm.linking.findings import Finding

_CHECKS: tuple[Callable[[KnowledgeGraph], Iterable[Finding]], ...] = (
    look_at_labels,
    look_at_links,
    look_at_shared_labels,
    look_at_strange_labels,
    look_at_texts,
    look_at_scripts,
    look_at_relations,
    look_at_hubs,
    look_at_triples,
)


def check(graph: KnowledgeGraph) -> list[Finding]:
    """Return what will hurt, the worst first.

    Each finding says what it does to linking or training and how to mend it. Nothing is changed.
    """
    if not len(graph):
        says = "The graph has no entities: nothing can be linked."
        return [Finding("fault", "empty", 0, says, "Look at the source and how it was read.")]
    found = [finding for look in _CHECKS for finding in look(graph)]
    return sorted(found, key=lambda finding: ("fault", "warning", "note").index(finding.level))


def as_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings as JSON."""
    return [{**vars(finding), "examples": list(finding.examples)} for finding in findings]
