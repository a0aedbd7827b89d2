"""What every linker is: texts in, the mentions of each out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

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
            TypeError: One of the texts is no ``str``; the message names its index.
        """

    def __call__(self, text: str) -> list[Mention]:
        """Return the mentions of one text."""
        if not isinstance(text, str):
            raise TypeError(f"A text is a str, got {type(text).__name__}; link() takes several.")
        return list(self.link([text])[0])

    def link_spans(self, text: str, spans: Sequence[tuple[int, int]]) -> list[Mention]:
        """Link given spans (start, end) of a text: a mention for each, in their order, NIL too.

        Raises:
            ValueError: A span does not lie within the text.
            TypeError: This linker finds its spans itself.
        """
        raise TypeError(f"{type(self).__name__} finds its spans itself; it takes no given ones.")

    def pipe(self, texts: Iterable[str], batch_size: int = 64) -> Iterator[tuple[Mention, ...]]:
        """Link a stream of texts, reading ``batch_size`` of them at a time."""
        if batch_size < 1:
            raise ValueError(f"batch_size is at least 1, got {batch_size}.")
        stream, first = iter(texts), 0
        while batch := list(islice(stream, batch_size)):
            check_texts(batch, first)
            yield from self.link(batch)
            first += len(batch)

    def config(self) -> dict[str, Any]:
        """Return the arguments that build an equal linker over another graph, as JSON."""
        return {}

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.config().items())
        return f"{type(self).__name__}({given})"


def check_texts(texts: Sequence[str], first: int = 0) -> None:
    """Refuse what is no text, naming its index; ``first`` is the index of the first text."""
    if isinstance(texts, (str, bytes)):
        raise TypeError("link() takes a list of texts; for one text call the linker itself.")
    for index, text in enumerate(texts, first):
        if not isinstance(text, str):
            raise TypeError(
                f"Text {index} is {type(text).__name__}, not str"
                + (f": {text!r:.40}." if text is not None else "; leave it out or give ''.")
            )
