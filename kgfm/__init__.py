"""kgfm puts a knowledge graph inside a language model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Example": "types",
    "KnowledgeGraph": "graph",
    "GraphSchema": "graph",
    "KGModel": "model",
    "Linker": "linking",
    "Mention": "types",
    "NIL": "types",
    "Pipeline": "pipeline",
    "Prediction": "types",
    "Retriever": "retrieval",
    "Subgraph": "types",
}

__all__ = ["__version__", *_HOMES]  # noqa: PLE0604

if TYPE_CHECKING:
    from kgfm.graph import GraphSchema as GraphSchema
    from kgfm.graph import KnowledgeGraph as KnowledgeGraph
    from kgfm.linking import Linker as Linker
    from kgfm.model import KGModel as KGModel
    from kgfm.pipeline import Pipeline as Pipeline
    from kgfm.retrieval import Retriever as Retriever
    from kgfm.types import NIL as NIL
    from kgfm.types import Example as Example
    from kgfm.types import Mention as Mention
    from kgfm.types import Prediction as Prediction
    from kgfm.types import Subgraph as Subgraph


def __getattr__(name: str) -> Any:
    """Load a public name on first use, so that ``import kgfm`` stays fast (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'kgfm' has no attribute {name!r}")
    value = getattr(import_module(f"kgfm.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
