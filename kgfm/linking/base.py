"""What every linker is: texts in, the mentions of each out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from kgfm.inputs import text_in, texts_in
from kgfm.types import Mention

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


class BaseLinker(ABC):
    """Find where a text names entities of a graph."""

    graph: KnowledgeGraph

    @abstractmethod
    def link(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions of each text, in the order of the text.

        None overlaps another, unless the linker was told so.

        Raises:
            TypeError: These are not several texts, or one of them is no ``str``; the message says
                what to write, and names the index of the one.
        """

    def __call__(self, text: str) -> list[Mention]:
        """Return the mentions of one text.

        Raises:
            TypeError: It is no text; the message says what to write.
        """
        return list(self.link([text_in(text, "linker", "linker.link")])[0])

    def link_spans(self, text: str, spans: Sequence[tuple[int, int]]) -> list[Mention]:
        """Link given spans (start, end) of a text: a mention for each, in their order, NIL too.

        Raises:
            ValueError: A span does not lie within the text.
            TypeError: This linker finds its spans itself.
        """
        raise TypeError(f"{type(self).__name__} finds its spans itself; it takes no given ones.")

    def pipe(self, texts: Iterable[str], batch_size: int = 64) -> Iterator[tuple[Mention, ...]]:
        """Link a stream of texts, reading ``batch_size`` of them at a time.

        Raises:
            ValueError: ``batch_size`` is less than 1.
            TypeError: These are not several texts, or one of them is no ``str``; the message says
                what to write, and names the index of the one.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, got {batch_size}.")
        return self._pipe(texts_in(texts, "linker.pipe"), batch_size)

    def _pipe(self, stream: Iterator[str], batch_size: int) -> Iterator[tuple[Mention, ...]]:
        while batch := list(islice(stream, batch_size)):
            yield from self.link(batch)

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal linker over another graph, as JSON."""
        return {}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({given})"
