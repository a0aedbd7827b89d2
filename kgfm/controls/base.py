"""What a control is: one row of the table that puts the graph on trial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kgfm.datasets import Dataset
from kgfm.linking import BaseLinker
from kgfm.recipes import Recipe, build_pipeline
from kgfm.registry import Registry
from kgfm.retrieval import RETRIEVERS, Graph, Retriever

if TYPE_CHECKING:
    from kgfm.graph import KnowledgeGraph
    from kgfm.pipeline import Pipeline
    from kgfm.vectors import NodeVectors

TRIAL, BASELINE = "with", "without"
"""The row that is on trial, and the one that every row has to beat."""


class Case(NamedTuple):
    """What decides how a graph can be altered.

    Args:
        ranks_nodes: The task's answers are nodes, so candidates must stay what they are.
        learns: The retriever learns from the graph, so that must be altered before it does.
        probes: The task can learn a head on frozen vectors alone.
    """

    ranks_nodes: bool
    learns: bool
    probes: bool = False

    @property
    def before_the_cut(self) -> bool:
        """Whether the whole graph is altered, rather than each text's subgraph."""
        return self.learns or not self.ranks_nodes


class Shared(NamedTuple):
    """What all rows have in common, made once."""

    dataset: Dataset
    linker: BaseLinker | None
    vectors: NodeVectors | None

    def retriever(self, recipe: Recipe) -> Retriever:
        """Return a new retriever of the recipe's over the graph, which has learned nothing."""
        return RETRIEVERS.build(recipe.retriever, graph=self.dataset.needed_graph())

    def pipeline(self, recipe: Recipe, **ready: Any) -> Pipeline:
        """Build an untrained pipeline that reads what all rows read.

        Args:
            recipe: Names the parts.
            ready: Arguments of :class:`kgfm.Pipeline` that take the place of the recipe's, such as
                another graph.
        """
        same = {"linker": self.linker, "vectors": self.vectors}
        return build_pipeline(recipe, self.dataset, **{**same, **ready})


class Control(ABC):
    """One row: how the recipe's pipeline is built in it, and what it stands for."""

    title: str
    """Of the row in the table."""
    called: str = ""
    """What a sentence calls it; by default its title."""
    no_better: str = ""
    """What a sentence says where the graph is no better than this row."""

    @abstractmethod
    def pipeline(self, recipe: Recipe, shared: Shared, case: Case) -> Pipeline:
        """Build the untrained pipeline of the row, from the recipe and what the rows share."""

    def recipe(self, recipe: Recipe) -> Recipe:
        """Return what is trained in the row; by default the recipe as it is."""
        return recipe

    def suits(self, case: Case) -> bool:
        """Say whether there is such a row; by default there is."""
        return True

    def check(self, graph: KnowledgeGraph) -> None:
        """Refuse a graph to which it cannot be applied; by default it can be to any.

        Raises:
            ValueError: It cannot; the message says why.
        """
        return

    def meaning(self, case: Case) -> str:
        """Say what the row does to the graph, as what follows its name; by default nothing."""
        return ""

    def reads_graph(self, case: Case) -> bool:
        """Say whether its figures depend on the graph; such of texts alone hold for any."""
        return True

    def against(self, rows: Sequence[str]) -> Sequence[str]:
        """Return those of the table's rows from which its difference is taken."""
        return [row for row in rows if row == BASELINE]


CONTROLS: Registry[Control] = Registry("control", Control)


def control_of(row: str) -> Control:
    """Return the control of a row: ``shuffled``, or ``shuffled:affect`` for one source alone.

    Raises:
        KeyError: There is no such control.
        ValueError: It cannot be limited to a source.
    """
    name, colon, source = row.partition(":")
    return CONTROLS.build({"name": name, "source": source} if colon else name)


def case_of(recipe: Recipe, graph: Graph | None) -> Case:
    """Ask the recipe's task and retriever."""
    from kgfm.tasks import TASKS

    assert recipe.task is not None
    task = TASKS.find(recipe.task["name"])
    retriever = RETRIEVERS.build(recipe.retriever, graph=graph)
    asks = (bool(getattr(task, name, False)) for name in ("ranks_nodes", "probes"))
    ranks_nodes, probes = asks
    return Case(ranks_nodes, bool(retriever.learns), probes)
