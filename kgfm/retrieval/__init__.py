"""Cut the subgraph that matters for a text."""

from __future__ import annotations

from collections.abc import Callable

from kgfm.retrieval.base import Retriever
from kgfm.retrieval.hops import HopRetriever

RETRIEVERS: dict[str, Callable[..., Retriever]] = {"hops": HopRetriever}

__all__ = ["RETRIEVERS", "HopRetriever", "Retriever"]
