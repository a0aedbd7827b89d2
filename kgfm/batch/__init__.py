"""From texts and subgraphs to tensors: ``numpy`` ends here and ``torch`` begins."""

from kgfm.batch.collator import Collator
from kgfm.batch.padding import all_known, padded_ids, padded_states
from kgfm.batch.prepared import Asks, Layout, Prepared, PreparedRow, States, Vectors
from kgfm.batch.tensors import Batch, Tensors

__all__ = [
    "Asks",
    "Batch",
    "Collator",
    "Layout",
    "Prepared",
    "PreparedRow",
    "States",
    "Tensors",
    "Vectors",
    "all_known",
    "padded_ids",
    "padded_states",
]
