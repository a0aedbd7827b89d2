"""Walks along the relations that a question asks for."""

from __future__ import annotations

from kgfm.retrieval.walks.retriever import WalkRetriever

__all__ = ["WalkRetriever"]
