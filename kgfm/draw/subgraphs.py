"""Pictures of subgraphs and of the evidence behind a prediction.

Entities stand in columns by their distance from what the text names, so that no two labels meet
however many there are, and the same graph always gives the same picture.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kgfm.graph import KnowledgeGraph
from kgfm.types import Evidence, Prediction, Subgraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Point = tuple[float, float]

_COLUMN = 3.0
"""Inches between columns; one unit of the axes is an inch of a figure of our own."""
_ROW = 0.3
_FEW = 10
"""Up to so many edges carry their relation; of more, the colours and a legend tell it."""
_COLOURS = (
    *("#2563eb", "#16a34a", "#9333ea", "#db2777", "#0891b2"),
    *("#ca8a04", "#dc2626", "#65a30d", "#7c5cc4", "#a16207"),
)
_OTHER, _FALLS, _RISES = "#8b949e", "#ea580c", "#2563eb"
_NODE = {"facecolor": "#ffffff", "edgecolor": "#8b949e", "linewidth": 1.0}
_SEED = {"facecolor": "#dbeafe", "edgecolor": "#2563eb", "linewidth": 1.8}
_ANSWER = {"facecolor": "#ffedd5", "edgecolor": "#ea580c", "linewidth": 1.8}


@dataclass(frozen=True, slots=True)
class _Edge:
    head: int
    tail: int
    label: str
    colour: str
    width: float = 1.2


def draw_subgraph(
    subgraph: Subgraph, graph: KnowledgeGraph, *, max_nodes: int = 40, ax: Axes | None = None
) -> Axes:
    """Draw what the retriever cut out for a text; the seeds are blue and stand on the left.

    Args:
        subgraph: What to draw, such as ``pipe.retriever(mentions)``.
        graph: Names the entities and relations.
        max_nodes: The nodes that come first are drawn, and the title tells how many there are.
        ax: Where to draw; by default a figure of the right size.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    nodes = subgraph.nodes[:max_nodes].tolist()
    levels = subgraph.hops[:max_nodes].tolist()
    triples = [
        (head, relation, tail)
        for head, tail, relation in zip(
            *subgraph.edge_index.tolist(), subgraph.edge_type.tolist(), strict=True
        )
        if head < len(nodes) and tail < len(nodes)
    ]
    colours = dict(zip(sorted({r for _, r, _ in triples}), _COLOURS, strict=False))
    edges = [
        _Edge(head, tail, graph.relation_text(relation), colours.get(relation, _OTHER))
        for head, relation, tail in triples
    ]
    ax = _draw(
        [graph.labels[row] for row in nodes],
        levels,
        edges,
        [_NODE if level else _SEED for level in levels],
        ax,
    )
    shown = f"{len(nodes)} of " if len(nodes) < len(subgraph.nodes) else ""
    ax.set_title(
        f"{shown}{len(subgraph.nodes)} nodes, {len(edges)} edges", fontsize=10, color="#57606a"
    )
    return ax


def draw_evidence(
    prediction: Prediction,
    evidence: Sequence[Evidence],
    graph: KnowledgeGraph,
    *,
    ax: Axes | None = None,
) -> Axes:
    """Draw the triples and paths that mattered most for a prediction.

    The thicker a line, the further the score falls without its triple; a blue line is a triple
    without which the score would rise; a grey one does next to nothing by itself. What the text
    names is blue, the answer orange.

    Args:
        prediction: What the pipeline said.
        evidence: What :meth:`kgfm.Pipeline.explain` measured.
        graph: Names the entities and relations.
        ax: Where to draw; by default a figure of the right size.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    matplotlib_or_advice()
    found = _strongest(evidence)
    named = [m.entity for m in prediction.mentions if m.entity is not None and m.entity in graph]
    shown = [(triple, item.change) for item in found for triple in item.triples]
    ends = [key for (head, _, tail), _ in shown for key in (head, tail)]
    answer = [prediction.answer] if prediction.answer in graph else []
    place = {key: number for number, key in enumerate(dict.fromkeys([*named, *ends, *answer]))}
    edges = [
        _Edge(
            place[head],
            place[tail],
            f"{graph.relation_text(graph.relation_row(relation))}  {change:+.2f}",
            _FALLS if change > 0 else _RISES,
            1.0 + 4.0 * min(1.0, abs(change) / max(abs(found[0].change), 0.1)),
        )
        for (head, relation, tail), change in shown
    ]
    edges += _other_edges(graph, place, edges)
    styles = [
        _ANSWER if key == prediction.answer else _SEED if key in named else _NODE for key in place
    ]
    labels = [graph.label(key) for key in place]
    ax = _draw(labels, _distances(len(place), edges, len(set(named))), edges, styles, ax)
    said = graph.label(prediction.answer) if answer else prediction.answer
    title = f"{_short(prediction.text, 70)}\n{_short(said)} ({prediction.score:.2f})"
    if place and not found:
        title += "\nno triple alone changes the score by 0.01"
    ax.set_title(title, fontsize=10, parse_math=False)
    return ax


def _strongest(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Return the eight that did most, without those that did next to nothing beside the first."""
    found = sorted(evidence, key=lambda item: -abs(item.change))[:8]
    least = max(0.005, 0.02 * max((abs(item.change) for item in found), default=0.0))
    return [item for item in found if abs(item.change) >= least]


def _other_edges(
    graph: KnowledgeGraph, place: dict[str, int], edges: Sequence[_Edge]
) -> list[_Edge]:
    """Return, in grey, triples that tie together what the evidence leaves apart."""
    shown = {graph.row(key): number for key, number in place.items()}
    part = list(range(len(place)))  # which part of the picture a node belongs to

    def join(head: int, tail: int) -> bool:
        old, new = part[tail], part[head]
        part[:] = [new if own == old else own for own in part]
        return old != new

    for edge in edges:
        join(edge.head, edge.tail)
    others = []
    for row, head in shown.items():
        first, last = graph.out_indptr[row : row + 2].tolist()
        rows = np.flatnonzero(np.isin(graph.tails[first:last], list(shown))) + first
        for triple in rows.tolist():
            tail = shown[int(graph.tails[triple])]
            if join(head, tail):
                relation = graph.relation_text(int(graph.relations[triple]))
                others.append(_Edge(head, tail, relation, _OTHER))
    return others


def matplotlib_or_advice() -> None:
    """Say how to install matplotlib, before any work is done."""
    try:
        import matplotlib.pyplot  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"Drawing needs {error.name}, which is not installed: pip install kgfm[plot]"
        ) from None


def _distances(num_nodes: int, edges: Sequence[_Edge], num_seeds: int) -> list[int]:
    """Return how many edges each node is away from the seeds, which are the first nodes."""
    neighbours: dict[int, list[int]] = defaultdict(list)
    for edge in edges:
        neighbours[edge.head].append(edge.tail)
        neighbours[edge.tail].append(edge.head)
    distance = dict.fromkeys(range(num_seeds), 0)
    for start in range(num_nodes):
        distance.setdefault(start, 1 if num_seeds else 0)  # what no path ties to a seed
        queue = [start] if start >= num_seeds else list(range(num_seeds))
        for node in queue:
            for other in neighbours[node]:
                if other not in distance:
                    distance[other] = distance[node] + 1
                    queue.append(other)
    return [distance[node] for node in range(num_nodes)]


def _draw(
    labels: Sequence[str],
    levels: Sequence[int],
    edges: Sequence[_Edge],
    styles: Sequence[dict[str, Any]],
    ax: Axes | None,
) -> Axes:
    matplotlib_or_advice()
    import matplotlib.pyplot as plt

    few = len(edges) <= _FEW
    columns = _columns(levels, edges)
    tallest = max(map(len, columns), default=1)
    # A label on each edge needs room: the more edges for a row, the more.
    row = _ROW + (0.3 * max(1.0, len(edges) / tallest) if few and edges else 0.0)
    width, height = _COLUMN * max(len(columns), 1), row * tallest + 0.6
    if ax is None:
        _, ax = plt.subplots(figsize=(width, height + 0.5))
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_xlim(-_COLUMN / 2, width - _COLUMN / 2)
    ax.set_ylim(-height / 2, height / 2)
    where = {}
    for number, column in enumerate(columns):
        step = min(1.0, (tallest * row) / max(len(column), 1))
        for place, node in enumerate(column):
            where[node] = (_COLUMN * number, step * ((len(column) - 1) / 2 - place))
    if not labels:
        ax.text(0, 0, "no node: the text names nothing in the graph", ha="center")
    boxes = [
        ax.text(
            *where[node],
            _short(label),
            ha="center",
            va="center",
            fontsize=9,
            zorder=3,
            parse_math=False,
            bbox={"boxstyle": "round,pad=0.35", **styles[node]},
        )
        for node, label in enumerate(labels)
    ]
    ax.apply_aspect()
    inverse = ax.transData.inverted()
    extents = [inverse.transform_bbox(box.get_window_extent()) for box in boxes]
    # Half the text, the box's padding (0.35 of nine points) and a little air.
    half = [extent.width / 2 + 0.06 for extent in extents]
    _draw_edges(ax, edges, where, half, labelled=few)
    return ax


def _columns(levels: Sequence[int], edges: Sequence[_Edge]) -> list[list[int]]:
    """Put nodes into columns by level, each near the nodes of the column before that it knows."""
    known: dict[int, list[int]] = defaultdict(list)
    for edge in edges:
        known[edge.head].append(edge.tail)
        known[edge.tail].append(edge.head)
    columns: list[list[int]] = []
    height: dict[int, float] = {}
    for level in sorted(set(levels)):
        column = [node for node, own in enumerate(levels) if own == level]
        middle = {
            node: sum(height[n] for n in known[node] if n in height)
            / max(1, sum(n in height for n in known[node]))
            for node in column
        }
        column.sort(key=lambda node: (middle[node], node))
        height |= {node: place - (len(column) - 1) / 2 for place, node in enumerate(column)}
        columns.append(column)
    return columns


def _draw_edges(
    ax: Axes,
    edges: Sequence[_Edge],
    where: dict[int, Point],
    half: Sequence[float],
    *,
    labelled: bool,
) -> None:
    """Draw arrows from side to side of the boxes, which are as wide as twice ``half``."""
    from matplotlib.patches import FancyArrowPatch

    height: dict[float, int] = defaultdict(int)
    for x, _ in where.values():
        height[x] += 1
    between: dict[tuple[int, int], int] = defaultdict(int)
    for edge in edges:
        (x1, y1), (x2, y2) = where[edge.head], where[edge.tail]
        pair = (min(edge.head, edge.tail), max(edge.head, edge.tail))
        # Seen from one and the same end, the second edge bends to one side, the third to the other.
        turn, between[pair] = between[pair], between[pair] + 1
        bend = (0.22, -0.22)[turn % 2] * ((turn + 1) // 2) * (1 if edge.head == pair[0] else -1)
        if x1 == x2:  # around the right side of the column
            bend = min(0.5, 1.5 / abs(y2 - y1)) + abs(bend)  # no more than an inch or so
            bend = bend if y1 < y2 else -bend
        start = (x1 + (half[edge.head] if x1 <= x2 else -half[edge.head]), y1)
        end = (x2 - (half[edge.tail] if x1 < x2 else -half[edge.tail]), y2)
        ax.add_patch(
            FancyArrowPatch(
                start,
                end,
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=8 + 1.5 * edge.width,
                linewidth=edge.width,
                color=edge.colour,
                alpha=0.9 if labelled else 0.6,
                shrinkA=0,
                shrinkB=1,
                zorder=1,
                clip_on=False,
            )
        )
        if labelled:
            # Nearer to the column with more nodes, where the lines lie further apart.
            crowd = height[x2] - height[x1]
            share = 0.5 + (0.1 if crowd > 3 else -0.1 if crowd < -3 else 0.0)
            _label(ax, edge, _on_arc(start, end, bend, share))
    if not labelled:
        _add_legend(ax, edges)


def _label(ax: Axes, edge: _Edge, place: Point) -> None:
    ax.text(
        *place,
        edge.label,
        ha="center",
        va="center",
        fontsize=8,
        color=edge.colour,
        zorder=2,
        parse_math=False,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "#ffffff", "linewidth": 0},
    )


def _on_arc(start: Point, end: Point, bend: float, share: float) -> Point:
    """Return a point of the arc (a quadratic Bézier curve) that matplotlib draws for a bend."""
    (x1, y1), (x2, y2) = start, end
    x3, y3 = (x1 + x2) / 2 + bend * (y2 - y1), (y1 + y2) / 2 - bend * (x2 - x1)
    a, b, c = (1 - share) ** 2, 2 * share * (1 - share), share**2
    return a * x1 + b * x3 + c * x2, a * y1 + b * y3 + c * y2


def _add_legend(ax: Axes, edges: Sequence[_Edge]) -> None:
    from matplotlib.lines import Line2D

    shown = {("others" if e.colour == _OTHER else e.label): e.colour for e in edges}
    ax.legend(
        [Line2D([], [], color=colour, linewidth=2) for colour in shown.values()],
        list(shown),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=4,
        frameon=False,
        fontsize=8,
    )


def _short(text: str, width: int = 26) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
