"""Of mentions that overlap, those that say most without overlapping."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from kgfm.types import Mention

Weighed = tuple[int, int, float]
"""Start, end (exclusive) and weight."""


def best_apart(spans: Sequence[Weighed]) -> list[int]:
    """Return the places of spans of which no two overlap and whose weights sum to the most.

    Weighted interval scheduling, ``O(n log n)``: with the spans in order of their ends,
    ``best(i) = max(best(i - 1), weight_i + best(p(i)))``, where ``p(i)`` counts the spans that end
    before span ``i`` starts (Kleinberg and Tardos, Algorithm Design, sec. 6.1). Of equal sums the
    one with the earlier spans wins. The result is in the order of the text.
    """
    order = sorted(range(len(spans)), key=lambda place: (spans[place][1], spans[place][0]))
    ends = [spans[place][1] for place in order]
    before = [bisect_right(ends, spans[place][0], hi=i) for i, place in enumerate(order)]
    best = [0.0]
    for i, place in enumerate(order):
        best.append(max(best[i], spans[place][2] + best[before[i]]))
    chosen, left = [], len(order)
    while left:
        if best[left] > best[left - 1]:
            chosen.append(order[left - 1])
            left = before[left - 1]
        else:
            left -= 1
    return chosen[::-1]


def merged(
    exact: Sequence[Mention], others: Sequence[Mention], *, overlapping: bool
) -> list[Mention]:
    """Put mentions of two sources together, in the order of the text.

    Unless they may overlap, what is linked comes before NIL, then the longer, then the exact.
    """
    together = [*exact, *others]
    if not overlapping:
        first = sorted(together, key=lambda m: (m.entity is None, m.start - m.end))
        taken = bytearray(max((mention.end for mention in together), default=0))
        together = []
        for mention in first:
            if not any(taken[mention.start : mention.end]):
                taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
                together.append(mention)
    return sorted(together, key=lambda mention: (mention.start, mention.end))
