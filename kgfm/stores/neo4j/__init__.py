"""In and out of Neo4j, and other servers that speak Bolt, through the official driver."""

from kgfm.stores.neo4j.annotate import mapping_of, write_links, write_predictions, write_vectors
from kgfm.stores.neo4j.inspection import inspect
from kgfm.stores.neo4j.mapping import Neo4jMapping
from kgfm.stores.neo4j.read import read
from kgfm.stores.neo4j.server import Server
from kgfm.stores.neo4j.update import update
from kgfm.stores.neo4j.write import write

__all__ = [
    "Neo4jMapping",
    "Server",
    "inspect",
    "mapping_of",
    "read",
    "update",
    "write",
    "write_links",
    "write_predictions",
    "write_vectors",
]
