"""Does the graph help at all? A recipe with the graph, and with something else in its place.

===========  ======================================  =============================================
row          where no node is ranked (``classify``)  where nodes are ranked (``answer``)
===========  ======================================  =============================================
with         the recipe                              the recipe
without      the text alone: no nodes, no encoder,   the same candidates ranked by their text
             no fusion                               alone: edges, encoder and fusion removed
shuffled     the tails of each relation permuted     relations and tails permuted after the cut,
             over the whole graph                    so that the right answer stays a candidate
random       another graph of the same degrees,      another subgraph of the same degrees, after
             whose relations and ends are chance     the cut
counter      the recipe, its encoder replaced by one learned number a kind of edge
probe        logistic regression on the text's frozen   there is none
             vectors
===========  ======================================  =============================================

Every row reads the same texts with the same mentions, and nodes have the same text vectors.

A retriever that learns would see the truth before the cut is altered. So with one the whole graph
is altered before the cut, the retriever learns anew from that, and answers that are then out of
reach count as wrong; *without* ranks by their text what ``hops`` of the same budget cuts.

Of a merged graph one source can be altered alone: the rows ``shuffled:affect``, ``random:affect``.

A row of one's own is a :class:`Control`, registered in :data:`CONTROLS` or the entry-point group
``kgfm.controls``.
"""

from kgfm.controls.base import CONTROLS, Case, Control, Shared
from kgfm.controls.rows import (
    CounterControl,
    ProbeControl,
    RandomControl,
    ShuffledControl,
    WithControl,
    WithoutControl,
)
from kgfm.controls.run import ROWS, controls, row_digest, row_pipeline
from kgfm.controls.table import as_text

CONTROLS.update(
    {
        "with": WithControl,
        "without": WithoutControl,
        "shuffled": ShuffledControl,
        "random": RandomControl,
        "counter": CounterControl,
        "probe": ProbeControl,
    }
)

__all__ = [
    "CONTROLS",
    "ROWS",
    "Case",
    "Control",
    "Shared",
    "as_text",
    "controls",
    "row_digest",
    "row_pipeline",
]
