"""Pictures: the right names, colours and widths, and the same picture each time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from kgfm.draw import draw_evidence, draw_subgraph
from kgfm.graph import KnowledgeGraph
from kgfm.types import Evidence, Mention, Prediction, Subgraph

BASE = "http://example.org/"


@pytest.fixture
def graph() -> KnowledgeGraph:
    people = {"heat": "Heat", "mann": "Michael Mann", "pacino": "Al Pacino", "us": "US$ & <b>"}
    triples = [
        ("heat", "directed_by", "mann"),
        ("heat", "starred", "pacino"),
        ("mann", "born_in", "us"),
    ]
    return KnowledgeGraph.from_records(
        [{"key": BASE + key, "label": label} for key, label in people.items()],
        [(BASE + head, BASE + relation, BASE + tail) for head, relation, tail in triples],
    )


@pytest.fixture
def pyplot() -> Iterator[Any]:
    plt = pytest.importorskip("matplotlib.pyplot")
    yield plt
    plt.close("all")


def whole(graph: KnowledgeGraph, seed: str) -> Subgraph:
    rows = [graph.row(BASE + seed), *graph.rows(k for k in graph.keys if k != BASE + seed)]
    place = {row: number for number, row in enumerate(map(int, rows))}
    ends = [[place[int(row)] for row in column] for column in (graph.heads, graph.tails)]
    hops = [0, *[1 if graph.keys[int(row)] != BASE + "us" else 2 for row in rows[1:]]]
    return Subgraph(np.array(rows), np.array(ends), graph.relations.copy(), np.array(hops))


def asked(answer: str) -> Prediction:
    mention = Mention(13, 17, "Heat", BASE + "heat")
    return Prediction("Who directed Heat?", answer, 0.93, mentions=(mention,))


def triple(head: str, relation: str, tail: str, change: float) -> Evidence:
    return Evidence("triple", ((BASE + head, BASE + relation, BASE + tail),), change)


def words(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_a_subgraph_shows_labels_and_not_keys(graph: KnowledgeGraph, pyplot: Any) -> None:
    ax = draw_subgraph(whole(graph, "heat"), graph)
    assert {"Heat", "Michael Mann", "Al Pacino", "US$ & <b>"} <= set(words(ax))
    assert {"directed by", "starred", "born in"} <= set(words(ax))
    assert not any(BASE in word for word in words(ax))
    assert "4 nodes, 3 edges" in ax.get_title()


def test_the_seed_alone_stands_out(graph: KnowledgeGraph, pyplot: Any) -> None:
    ax = draw_subgraph(whole(graph, "heat"), graph)
    faces = {text.get_text(): text.get_bbox_patch().get_facecolor() for text in ax.texts}
    assert faces["Heat"] not in {face for word, face in faces.items() if word != "Heat"}
    assert faces["Al Pacino"] == faces["Michael Mann"]


def test_nodes_beyond_the_limit_and_their_edges_are_left_out(
    graph: KnowledgeGraph, pyplot: Any
) -> None:
    ax = draw_subgraph(whole(graph, "heat"), graph, max_nodes=1)
    assert words(ax) == ["Heat"]
    assert ax.get_title() == "1 of 4 nodes, 0 edges"
    assert not ax.patches


def test_many_edges_are_told_by_a_legend(pyplot: Any) -> None:
    names = [f"n{number:02}" for number in range(30)]
    graph = KnowledgeGraph.from_records(
        [], [(names[0], f"r{number % 12}", name) for number, name in enumerate(names[1:])]
    )
    subgraph = Subgraph(
        np.arange(30),
        np.stack([graph.heads, graph.tails]),
        graph.relations.copy(),
        np.array([0, *[1] * 29]),
    )
    ax = draw_subgraph(subgraph, graph)
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "r0" in legend
    assert "others" in legend  # there are more relations than colours
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for n, a in enumerate(boxes) for b in boxes[:n])


def test_an_empty_subgraph_says_so(graph: KnowledgeGraph, pyplot: Any) -> None:
    nothing = Subgraph(np.empty(0, int), np.empty((2, 0), int), np.empty(0, int), np.empty(0, int))
    assert "names nothing" in words(draw_subgraph(nothing, graph))[0]


def test_the_same_subgraph_gives_the_same_picture(graph: KnowledgeGraph, pyplot: Any) -> None:
    places = [
        [text.get_position() for text in draw_subgraph(whole(graph, "heat"), graph).texts]
        for _ in range(2)
    ]
    assert places[0] == places[1]


def test_it_draws_where_it_is_told(graph: KnowledgeGraph, pyplot: Any) -> None:
    _, axes = pyplot.subplots(1, 2)
    assert draw_subgraph(whole(graph, "heat"), graph, ax=axes[1]) is axes[1]
    assert len(pyplot.get_fignums()) == 1


def test_stronger_evidence_is_thicker_and_counter_evidence_another_colour(
    graph: KnowledgeGraph, pyplot: Any
) -> None:
    evidence = (
        triple("heat", "directed_by", "mann", 0.81),
        triple("mann", "born_in", "us", 0.2),
        triple("heat", "starred", "pacino", -0.3),
    )
    ax = draw_evidence(asked(BASE + "mann"), evidence, graph)
    assert {"directed by  +0.81", "born in  +0.20", "starred  -0.30"} <= set(words(ax))
    strong, counter, weak = ax.patches  # in the order of their strength
    assert strong.get_linewidth() > counter.get_linewidth() > weak.get_linewidth()
    assert strong.get_edgecolor() == weak.get_edgecolor() != counter.get_edgecolor()
    assert ax.get_title() == "Who directed Heat?\nMichael Mann (0.93)"


def test_evidence_that_does_nothing_is_left_out(graph: KnowledgeGraph, pyplot: Any) -> None:
    evidence = (triple("mann", "born_in", "us", 1e-6),)
    ax = draw_evidence(asked(BASE + "mann"), evidence, graph)
    # The mention and the answer are tied together by what the graph says of them.
    assert words(ax) == ["Heat", "Michael Mann", "directed by"]
    assert "no triple alone" in ax.get_title()


@pytest.mark.parametrize("answer", ["NIL", "good & cheap"])
def test_an_answer_outside_the_graph_stands_in_the_title(
    answer: str, graph: KnowledgeGraph, pyplot: Any
) -> None:
    ax = draw_evidence(asked(answer), (), graph)
    assert words(ax) == ["Heat"]
    assert f"{answer} (0.93)" in ax.get_title()


def test_without_matplotlib_the_error_says_what_to_install(
    graph: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install kgfm\[plot\]"):
        draw_subgraph(whole(graph, "heat"), graph)


def test_a_prediction_shows_its_mentions_and_escapes_all_else() -> None:
    mentions = (Mention(4, 8, "Heat", BASE + "heat"), Mention(5, 8, "eat", None))
    prediction = Prediction("<i> Heat & co", "a<b", 0.5, mentions=mentions)
    shown = prediction._repr_html_()
    assert f'&lt;i&gt; <mark title="{BASE}heat">Heat</mark> &amp; co' in shown
    assert "<b>a&lt;b</b> (0.50)" in shown
    assert repr(prediction) == "Prediction('a<b', 0.50)"
