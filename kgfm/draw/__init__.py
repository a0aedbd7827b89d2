"""Pictures of subgraphs, of evidence, and of a graph's degrees."""

from kgfm.draw.degrees import draw_degrees
from kgfm.draw.subgraphs import draw_evidence, draw_subgraph

__all__ = ["draw_degrees", "draw_evidence", "draw_subgraph"]
