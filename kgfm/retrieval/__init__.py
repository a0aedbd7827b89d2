"""Cut the subgraph that matters for a text."""

from __future__ import annotations

from collections.abc import Callable

from kgfm.retrieval.base import Retriever, ask
from kgfm.retrieval.hops import HopRetriever
from kgfm.retrieval.live import LiveRetriever
from kgfm.retrieval.live_graph import Graph, LiveGraph
from kgfm.retrieval.server import GraphServer, Neighbour

RETRIEVERS: dict[str, Callable[..., Retriever]] = {"hops": HopRetriever, "live": LiveRetriever}

__all__ = [
    "RETRIEVERS",
    "Graph",
    "GraphServer",
    "HopRetriever",
    "LiveGraph",
    "LiveRetriever",
    "Neighbour",
    "Retriever",
    "ask",
]
