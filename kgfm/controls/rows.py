"""The controls of kgfm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kgfm.controls.base import TRIAL, Case, Control, Shared
from kgfm.recipes import Recipe
from kgfm.retrieval import RETRIEVERS, Retriever
from kgfm.retrieval.altered import RandomEdges, ShuffledEdges, WithoutEdges, WithoutNodes

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph
    from kgfm.pipeline import Pipeline

_ANEW = (
    "over the whole graph before the cut, so that what is learned of it is learned anew and an "
    "answer out of reach counts as wrong"
)
_STAYS = "within each text's subgraph, so that the right answer stays a candidate"


class WithControl(Control):
    """The recipe as it is: what is on trial."""

    title = "with the graph"

    def pipeline(self, recipe: Recipe, shared: Shared, case: Case) -> Pipeline:
        """Build the recipe's own; its linker by name, so that it can be saved."""
        return shared.pipeline(recipe, linker=recipe.linker)

    def against(self, rows: Sequence[str]) -> Sequence[str]:
        """Compare it with every other row."""
        return [row for row in rows if row != TRIAL]


class WithoutControl(Control):
    """The text alone, or where nodes are ranked the candidates by their text alone."""

    title = "without"
    called = "the row without"

    def pipeline(self, recipe: Recipe, shared: Shared, case: Case) -> Pipeline:
        """Build one without encoder and fusion, or with an encoder that reads no edge."""
        retriever = shared.retriever(recipe)
        if not case.ranks_nodes:
            return shared.pipeline(
                recipe, retriever=WithoutNodes(retriever), encoder=None, fusion=None
            )
        if case.learns:
            retriever = _hops_like(retriever)
        encoder = {"name": "text", "width": node_width(recipe)}
        return shared.pipeline(
            recipe, retriever=WithoutEdges(retriever), encoder=encoder, fusion=None
        )

    def meaning(self, case: Case) -> str:
        """Say what is ranked."""
        if not case.ranks_nodes:
            return "reads the text alone"
        if case.learns:
            return "ranks by their text alone what hops of the same budget cuts"
        return "ranks the same candidates by their text alone, edges and graph encoder removed"

    def reads_graph(self, case: Case) -> bool:
        """Read it for the candidates alone."""
        return case.ranks_nodes

    def against(self, rows: Sequence[str]) -> Sequence[str]:
        """Leave that to the others."""
        return ()


class _Altered(Control):
    """One whose graph says something else.

    Args:
        source: Of a merged graph, the source whose triples are altered; ``None`` for all.
    """

    no_better = "what the graph says does not matter"

    def __init__(self, source: str | None = None) -> None:
        self.source = source
        if source is not None:
            self.title = f"{self.title} ({source})"
            self.called = f"{self.called} of {source}"
            self.no_better = f"what {source} says does not matter"

    def check(self, graph: KnowledgeGraph) -> None:
        """Refuse a graph that has no such source."""
        if self.source is not None:
            graph.triples_in(self.source)

    def _meaning(self, said: str) -> str:
        return said if self.source is None else f"{said}, of {self.source} alone"


class ShuffledControl(_Altered):
    """As many nodes and edges, each relation between the kinds of things that it joins."""

    title = "shuffled"
    called = "the shuffled one"

    def pipeline(self, recipe: Recipe, shared: Shared, case: Case) -> Pipeline:
        """Build the recipe's over the shuffled graph, or over shuffled subgraphs."""
        if case.before_the_cut:
            graph = shared.dataset.needed_graph().shuffled(recipe.seed, self.source)
            return shared.pipeline(recipe, graph=graph)
        retriever = ShuffledEdges(shared.retriever(recipe), seed=recipe.seed, source=self.source)
        return shared.pipeline(recipe, retriever=retriever)

    def meaning(self, case: Case) -> str:
        """Say what is permuted where."""
        if not case.before_the_cut:
            return self._meaning(f"permutes relations and tails {_STAYS}")
        return self._meaning(f"permutes the tails of each relation {_where(case)}")


class RandomControl(_Altered):
    """Another graph of the same degrees: every entity has as many edges out and in.

    *Shuffled* over a whole graph keeps each entity's number of edges of each relation, so a
    relation still joins the kinds of things that it did; here an edge's relation is chance as well.
    After the cut it is the other way round: *shuffled* moves the number of edges that lead to a
    node, and this keeps it.
    """

    title = "random"
    called = "the random one"

    def pipeline(self, recipe: Recipe, shared: Shared, case: Case) -> Pipeline:
        """Build the recipe's over the other graph, or over other subgraphs."""
        if case.before_the_cut:
            graph = shared.dataset.needed_graph().rewired(recipe.seed, self.source)
            return shared.pipeline(recipe, graph=graph)
        retriever = RandomEdges(shared.retriever(recipe), seed=recipe.seed, source=self.source)
        return shared.pipeline(recipe, retriever=retriever)

    def meaning(self, case: Case) -> str:
        """Say what is kept where."""
        where = _where(case) if case.before_the_cut else _STAYS
        return self._meaning(
            f"keeps each node's number of edges, of chance relations to chance ends, {where}"
        )


class CounterControl(Control):
    """The recipe with :class:`kgfm.encoders.Counter` in place of its encoder."""

    title = "counter"
    called = "the counter"
    no_better = "to count its edges does as well"

    def pipeline(self, recipe: Recipe, shared: Shared, case: Case) -> Pipeline:
        """Build the recipe's with another encoder."""
        return shared.pipeline(recipe, encoder={"name": "counter", "width": node_width(recipe)})

    def meaning(self, case: Case) -> str:
        """Say what is learned."""
        return (
            "has one learned number a kind of edge in place of the encoder, and no text of a node"
        )


class ProbeControl(Control):
    """Logistic regression on the vectors that the text model gives as it is.

    What is learned in seconds, without a graph, is the least that all else has to be worth.
    """

    title = "probe"
    called = "the probe"
    no_better = "logistic regression on frozen vectors does as well"

    def recipe(self, recipe: Recipe) -> Recipe:
        """Train no layer."""
        task = {name: value for name, value in (recipe.task or {}).items() if name != "start"}
        return replace(recipe, task=task, training=replace(recipe.training, epochs=0))

    def pipeline(self, recipe: Recipe, shared: Shared, case: Case) -> Pipeline:
        """Build one that reads the text alone."""
        retriever = WithoutNodes(shared.retriever(recipe))
        return shared.pipeline(recipe, retriever=retriever, encoder=None, fusion=None)

    def suits(self, case: Case) -> bool:
        """Be there for tasks with labels."""
        return case.probes

    def meaning(self, case: Case) -> str:
        """Say what is learned."""
        return "is logistic regression on the text's vectors, in which no layer is trained"

    def reads_graph(self, case: Case) -> bool:
        """Read the text alone."""
        return False


def node_width(recipe: Recipe) -> int:
    """Return the width of the nodes' states, so that those of another encoder have the same."""
    from kgfm.encoders import ENCODERS

    return int(ENCODERS.default(recipe.encoder, "width") or 128)


def _where(case: Case) -> str:
    return _ANEW if case.learns else "over the whole graph"


def _hops_like(retriever: Retriever) -> Retriever:
    """Return what cuts by hops, to the same budget, and hides the same."""
    same: dict[str, Any] = {
        name: getattr(retriever, name)
        for name in ("hops", "budget", "hide_from_seed")
        if hasattr(retriever, name)
    }
    return RETRIEVERS.build("hops", graph=retriever.graph, **same)
