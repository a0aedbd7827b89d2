"""Subgraphs by personalised PageRank from the seeds, to a budget of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.retrieval.arrays import (
    flat,
    hidden_relations,
    neighbours_of,
    plain,
    subgraphs,
    triples_of,
    withheld_entries,
)
from kgfm.retrieval.base import Retriever, checked_seeds, needs_snapshot, only_edges_of
from kgfm.retrieval.caps import BUDGET
from kgfm.types import Asked, Subgraph

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph


class PPRRetriever(Retriever):
    """Show where walkers are who set out from the seeds and often begin anew.

    At each step a walker stops with probability ``alpha``, else follows an entry of the row of
    neighbours of where it stands, each as likely, in either direction; one who cannot move stops.
    The value of an entity is the share of walkers who stop there. It is computed by pushing
    (Andersen, Chung and Lang 2006, https://doi.org/10.1109/FOCS.2006.44): each seed begins with an
    equal residual r; while some ``r[u] > epsilon * degree[u]``, ``alpha * r[u]`` stays at u and the
    rest is spread over its neighbours. A value is what stayed plus ``alpha * r``, what would stay
    next, and is at most ``epsilon * degree`` too low where nothing is hidden.

    The nodes are the seeds in their order, then the entities of most value, ties by row, as many as
    were reached; the edges among them as :class:`kgfm.retrieval.HopRetriever` shows them. Hidden
    triples are followed in no direction; the degrees that decide over a push count them. ``hops``
    of a node is the fewest steps in which mass came to it.

    Args:
        graph: Where to cut.
        alpha: How likely a walker is to stop at each step; larger stays nearer to the seeds.
        epsilon: What is not worth a push, for each entry of a row; smaller is slower and truer.
        budget: Number of nodes that a subgraph has at most.
        hide_from_seed: Keys of relations that a seed must not show.
        prior: Whether each node carries the logarithm of its value as a prior. Off by default:
            a value says how near a node is, and the seeds themselves, which seldom are the answer,
            have most of it.
        source: Of a merged graph, the source whose triples are walked and shown; ``None`` for all.

    Raises:
        ValueError: ``alpha`` is not between 0 and 1, ``epsilon`` not above 0, ``budget`` below 1,
            or the graph has no such source.
        KeyError: The graph has no such relation.
        TypeError: The graph is on a server, or ``hide_from_seed`` is a string.
    """

    graph: KnowledgeGraph

    def __init__(
        self,
        graph: KnowledgeGraph,
        *,
        alpha: float = 0.15,
        epsilon: float = 1e-4,
        budget: int = BUDGET,
        hide_from_seed: Sequence[str] = (),
        prior: bool = False,
        source: str | None = None,
    ) -> None:
        self.graph = only_edges_of(source, needs_snapshot(graph, "ppr"))
        self.source = source
        if not 0 < alpha < 1:
            raise ValueError(f"alpha is a probability between 0 and 1, got {alpha}.")
        if not epsilon > 0:
            raise ValueError(f"epsilon is above 0, such as 1e-4; got {epsilon}.")
        if budget < 1:
            raise ValueError(f"budget is at least 1, got {budget}.")
        if isinstance(hide_from_seed, str):
            raise TypeError(f"hide_from_seed is a list of relations; write [{hide_from_seed!r}].")
        self.alpha, self.epsilon, self.budget, self.prior = alpha, epsilon, budget, prior
        self.hide_from_seed = tuple(hide_from_seed)
        self._hidden = hidden_relations(self.graph, self.hide_from_seed)

    def config(self) -> dict[str, Any]:
        return {
            "alpha": self.alpha,
            "epsilon": self.epsilon,
            "budget": self.budget,
            "hide_from_seed": list(self.hide_from_seed),
            "prior": self.prior,
            "source": self.source,
        }

    def retrieve(self, asked: Sequence[Asked]) -> list[Subgraph]:
        """Return the subgraph of each text; one without seeds has an empty one.

        Raises:
            TypeError: Not texts are asked about, but bare rows.
            IndexError: A seed is no row of the graph.
        """
        from kgfm.retrieval.kernels_ppr import cut  # imports numba, which takes a while

        checked = checked_seeds(asked, self.graph)
        if not checked:
            return []
        *found, values = cut(
            *flat(checked, np.int32),
            (float(self.alpha), float(self.epsilon)),
            min(self.budget, max(1, self.graph.num_entities)),
            (neighbours_of(self.graph), plain(self.graph.degree, np.int32)),
            triples_of(self.graph),
            plain(self._hidden, np.bool_),
            withheld_entries(asked, self.graph),
        )
        cuts = subgraphs(self.graph, *found)
        if not self.prior:
            return cuts
        logs = np.split(np.log(values[: found[0][-1]]).astype(np.float32), found[0][1:-1])
        return [replace(cut, prior=log) for cut, log in zip(cuts, logs, strict=True)]
