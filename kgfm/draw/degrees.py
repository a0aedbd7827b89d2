"""How the degrees of a graph are spread, as a picture."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.draw.subgraphs import matplotlib_or_advice
from kgfm.graph import KnowledgeGraph
from kgfm.graph.describe import power_law_tail
from kgfm.storage import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ALL, _IN, _OUT, _FIT = "#2563eb", "#16a34a", "#9333ea", "#ea580c"


def draw_degrees(graph: KnowledgeGraph, *, ax: Axes | None = None) -> Axes:
    """Draw which share of the entities has a degree or more, on logarithmic axes.

    One line each for all triples of an entity, for those where it is the head, and for those where
    it is the tail; dashed, the power law that fits the upper tail best
    (:func:`~kgfm.graph.describe.power_law_tail`). Entities in no triple are counted but not shown:
    a logarithm has no zero.

    Args:
        graph: The graph.
        ax: What is drawn on; by default a new figure.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    matplotlib_or_advice()
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(7.0, 4.6), layout="constrained")
    out = np.diff(graph.out_indptr)
    for degree, colour, label in (
        (graph.degree, _ALL, "all triples"),
        (graph.degree - out, _IN, "as tail"),
        (out, _OUT, "as head"),
    ):
        values, share = _at_least(np.asarray(degree))
        many = len(values) > 40
        ax.plot(
            values,
            share,
            color=colour,
            label=label,
            linewidth=1.8,
            marker="" if many else "o",
            markersize=3.5,
        )
    _draw_tail(ax, graph)
    _draw_quantiles(ax, graph)
    if graph.num_triples:
        ax.set_xscale("log")
        ax.set_yscale("log")
    ax.set_xlabel("triples of an entity, at least")
    ax.set_ylabel("share of the entities")
    ax.set_title(
        f"{len(graph):,} entities, {graph.num_triples:,} triples", fontsize=10, parse_math=False
    )
    ax.grid(True, which="major", color="#d0d7de", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    return ax


def save_degrees(graph: KnowledgeGraph, path: str | Path) -> None:
    """Write the picture of :func:`draw_degrees` as a PNG, whatever the path's suffix.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    matplotlib_or_advice()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    draw_degrees(graph, ax=figure.add_subplot())
    written = BytesIO()
    figure.savefig(written, format="png", dpi=150)
    replace_file(Path(path), written.getvalue())


def _at_least(degree: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each degree that occurs, and the share of entities of that degree or more."""
    values, counts = np.unique(degree, return_counts=True)
    share = (len(degree) - (np.cumsum(counts) - counts)) / max(1, len(degree))
    return values[values > 0], share[values > 0]


def _draw_tail(ax: Any, graph: KnowledgeGraph) -> None:
    fit = power_law_tail(graph.degree)
    if fit is None:
        return
    ends = np.array([fit["least"], float(graph.degree.max())])
    share = fit["entities"] / len(graph)
    line = share * ((ends - 0.5) / (fit["least"] - 0.5)) ** (1 - fit["exponent"])
    label = f"power law, exponent {fit['exponent']:.2f} from {fit['least']:.0f} on"
    ax.plot(ends, line, color=_FIT, linestyle="--", linewidth=1.4, label=label)


def _draw_quantiles(ax: Any, graph: KnowledgeGraph) -> None:
    if not len(graph):
        return
    for name, share in (("median", 0.5), ("90 %", 0.9), ("99 %", 0.99)):
        value = float(np.quantile(graph.degree, share, method="lower"))
        if value > 0:
            ax.axvline(value, color="#8b949e", linewidth=0.7, linestyle=":")
            ax.annotate(
                f"{name}: {value:.0f}",
                (value, 0.02),
                xycoords=("data", "axes fraction"),
                xytext=(3, 0),
                textcoords="offset points",
                rotation=90,
                fontsize=7.5,
                color="#57606a",
                va="bottom",
            )
