"""A pipeline over a graph that stays on its server."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from kgfm.linking import BaseLinker
from kgfm.retrieval import Retriever
from kgfm.retrieval.altered import WithoutNodes
from kgfm.stores.server import ServerUnavailableError
from kgfm.types import Asked, Subgraph

_log = logging.getLogger(__name__)


def check_linker(linker: object) -> None:
    """Refuse a linker by name: it would be built of all names, which a live graph does not hold.

    Raises:
        TypeError: The linker is none that is ready.
    """
    if linker is not None and not isinstance(linker, BaseLinker):
        raise TypeError(
            f"A live graph cannot list its names for the linker {linker!r}. Give a ready linker, "
            "such as kgfm.Linker(snapshot) over a snapshot with the same keys."
        )


def live_retriever(retriever: Any) -> Any:
    """Return what goes by the same caps on a server as ``hops`` does over a snapshot.

    Others see by the graph where it is, as ``walks`` does, or say that they need a snapshot.
    """
    if retriever == "hops":
        return "live"
    if isinstance(retriever, Mapping) and retriever.get("name") == "hops":
        given = {**retriever, "name": "live"}
        return {k: v for k, v in given.items() if k != "source" or v is not None}
    return retriever


def retrieve_or_nothing(retriever: Retriever, asked: Sequence[Asked]) -> list[Subgraph]:
    """Return each text's subgraph; while the server is unavailable, none for any of them.

    A text without a subgraph is answered from its words alone, as if it named nothing.
    """
    try:
        return retriever.retrieve(asked)
    except ServerUnavailableError as error:
        _log.warning("Answering %d texts without the graph: %s", len(asked), error)
        return WithoutNodes(retriever).retrieve(asked)
