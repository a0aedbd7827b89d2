"""Questions made from any graph, in words from the labels of its relations alone."""

from __future__ import annotations

from kgfm.questions.make import PARTS, Made, make, make_parts, write

__all__ = ["PARTS", "Made", "make", "make_parts", "write"]
