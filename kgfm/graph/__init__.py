"""KnowledgeGraph: entities, relations and triples as an immutable, memory-mapped snapshot."""

from kgfm.graph.build import GraphBuilder
from kgfm.graph.describe import describe
from kgfm.graph.knowledge_graph import KnowledgeGraph
from kgfm.graph.records import EntityRecord
from kgfm.graph.schema import GraphSchema, local_name, readable_name
from kgfm.graph.strings import StringTable

__all__ = [
    "EntityRecord",
    "GraphBuilder",
    "GraphSchema",
    "KnowledgeGraph",
    "StringTable",
    "describe",
    "local_name",
    "readable_name",
]
