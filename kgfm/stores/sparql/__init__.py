"""Graphs from SPARQL 1.1 endpoints."""

from kgfm.stores.sparql.auth import Basic, Bearer, Digest
from kgfm.stores.sparql.endpoint import AnswerTooLargeError, Endpoint
from kgfm.stores.sparql.read import read, update

__all__ = ["AnswerTooLargeError", "Basic", "Bearer", "Digest", "Endpoint", "read", "update"]
