"""Text vectors of a graph's entities and relations: computed once, whichever part asks first."""

from kgfm.vectors.encode import Encode, Progress
from kgfm.vectors.kept import text_digests, vectors_folder
from kgfm.vectors.live import LiveVectors
from kgfm.vectors.nodes import KeptVectors, NodeVectors, type_vectors
from kgfm.vectors.texts import TextVectors

__all__ = [
    "Encode",
    "KeptVectors",
    "LiveVectors",
    "NodeVectors",
    "Progress",
    "TextVectors",
    "text_digests",
    "type_vectors",
    "vectors_folder",
]
