"""Cut the subgraph that matters for a text."""

from __future__ import annotations

from kgfm.registry import Registry
from kgfm.retrieval.base import Answered, Retriever, ask, drop_triples
from kgfm.retrieval.hops import HopRetriever
from kgfm.retrieval.live import LiveRetriever
from kgfm.retrieval.live_graph import Graph, LiveGraph
from kgfm.retrieval.paths import PathRetriever
from kgfm.retrieval.ppr import PPRRetriever
from kgfm.retrieval.server import Around, GraphServer, Neighbour
from kgfm.retrieval.walks import WalkRetriever

RETRIEVERS: Registry[Retriever] = Registry("retriever", Retriever, surroundings=("graph", "scorer"))
RETRIEVERS.update(
    {
        "hops": HopRetriever,
        "live": LiveRetriever,
        "paths": PathRetriever,
        "ppr": PPRRetriever,
        "walks": WalkRetriever,
    }
)

__all__ = [
    "RETRIEVERS",
    "Answered",
    "Around",
    "Graph",
    "GraphServer",
    "HopRetriever",
    "LiveGraph",
    "LiveRetriever",
    "Neighbour",
    "PPRRetriever",
    "PathRetriever",
    "Retriever",
    "WalkRetriever",
    "ask",
    "drop_triples",
]
