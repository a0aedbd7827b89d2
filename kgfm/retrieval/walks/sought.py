"""From likely walks to what a question seeks: a set, its number, a member, values."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Int

from kgfm.retrieval.walks.base import Reading
from kgfm.retrieval.walks.beam import Prefix, Walked
from kgfm.retrieval.walks.calibrate import Calibration
from kgfm.retrieval.walks.explore import Explorer
from kgfm.types import Found
from kgfm.walks import KINDS, NO, YES, Kind, Sought, Walk, values_of

_NEAR, _PER_MENTION = 4, 4
_MEET = 0.3
"""Walks that meet are what is meant if they are that likely beside the likeliest two."""
_NO_ROWS = np.empty(0, np.int64)


class Reader:
    """Reads what walks say of a question.

    Args:
        explorer: Of the graph.
        calibration: Of probabilities.
        unsure: Scores below are no answer.
    """

    def __init__(self, explorer: Explorer, calibration: Calibration, unsure: float) -> None:
        self.explorer = explorer
        self.calibration = calibration
        self.unsure = unsure

    def unnamed(self) -> Found:
        """What is said where no entity of the graph is named."""
        return Found(None, _NO_ROWS, refused="unnamed")

    def __call__(
        self,
        mentions: Int[np.ndarray, "_"],
        reading: Reading,
        topics: Sequence[int],
        walked: Walked,
    ) -> Found:
        """Return what is sought.

        Args:
            mentions: Numbers of the question's mentions.
            reading: Of the texts.
            topics: Row of each mention.
            walked: What the walks found.
        """
        logits = reading.mention[mentions].astype(np.float64)
        share = np.exp(logits - logits.max())
        share /= share.sum()
        kind = KINDS[int(np.argmax(share @ reading.kind[mentions]))]
        sets = self._sets(walked)
        several = kind in ("entity", "count") and len(mentions) > 1
        if several and float(share @ reading.both[mentions]) > 0.5:
            sets = self._meetings(walked) or sets
        if not sets:
            return Found(None, _NO_ROWS, lacking=walked.lacking, refused="lacking")
        sought = []
        for score, walks in sets[:_NEAR]:
            rows = self._rows(walks)
            about = self._about(mentions, reading, topics, walks) if kind == "yesno" else -1
            sought.append((self._sought(walks, kind, about), rows, about, score))
        best, rows, about, score = sought[0]
        values = self._values(best, rows, about)
        calibrated = self.calibration(min(score, 1.0))
        refused = None
        if (not len(rows) and best.kind != "count") or walked.lacking > self.calibration.lacking:
            refused = "lacking"
        elif calibrated < self.unsure:
            refused = "unsure"
        return Found(
            best,
            rows,
            values,
            calibrated,
            walked.lacking,
            refused,  # type: ignore[arg-type]
            tuple((one, own) for one, _, _, own in sought[1:]),
        )

    def _end(self, walk: Prefix) -> int:
        """The attribute that a walk ends in; -1 for one that ends in entities."""
        last = walk.actions[-1]
        return last if last >= 2 * self.explorer.steps.num_relations else -1

    def _sets(self, walked: Walked) -> list[tuple[float, tuple[Prefix, ...]]]:
        """Distinct sets, with the sum of the probabilities of the walks that lead there."""
        sums: dict[tuple[bytes, int], float] = {}
        first: dict[tuple[bytes, int], Prefix] = {}
        for log, walk in walked.ended:
            if not len(walk.rows):
                continue
            key = (np.sort(walk.rows).tobytes(), self._end(walk))
            sums[key] = sums.get(key, 0.0) + float(np.exp(log))
            first.setdefault(key, walk)
        ordered = sorted(sums, key=lambda key: -sums[key])
        return [(sums[key], (first[key],)) for key in ordered]

    def _meetings(self, walked: Walked) -> list[tuple[float, tuple[Prefix, ...]]]:
        """What walks to entities from two mentions share, likeliest first."""
        own: dict[int, list[tuple[float, Prefix]]] = {}
        for log, walk in walked.ended:
            kept = own.setdefault(walk.mention, [])
            if len(walk.rows) and len(kept) < _PER_MENTION and self._end(walk) < 0:
                kept.append((log, walk))
        met: list[tuple[float, tuple[Prefix, ...]]] = []
        for one, other in combinations(own.values(), 2):
            for log, walk in one:
                for also, behind in other:
                    met.append((float(np.exp((log + also) / 2)), (walk, behind)))
        met.sort(key=lambda item: -item[0])
        some = [item for item in met if len(self._rows(item[1]))]
        # The likeliest walks may share nothing, and that is the answer unless others are as likely.
        empty = met and (not some or some[0][0] < _MEET * met[0][0])
        return met[:1] + some if empty else some

    @staticmethod
    def _rows(walks: Sequence[Prefix]) -> Int[np.ndarray, "_"]:
        rows = np.sort(walks[0].rows).astype(np.int64)
        for walk in walks[1:]:
            rows = np.intersect1d(rows, walk.rows)
        return rows.astype(np.int64)

    @staticmethod
    def _about(
        mentions: Int[np.ndarray, "_"],
        reading: Reading,
        topics: Sequence[int],
        walks: Sequence[Prefix],
    ) -> int:
        """Row of what a yes-or-no question is about: the likeliest mention beside the topic."""
        others = [m for m in mentions.tolist() if topics[m] != walks[0].topic]
        return topics[max(others, key=lambda m: float(reading.mention[m]))] if others else -1

    def _sought(self, walks: Sequence[Prefix], kind: Kind, about: int) -> Sought:
        steps = self.explorer.steps
        keys = self.explorer.graph.keys
        made = tuple(
            Walk(
                keys[walk.topic],
                tuple(steps.step(action) for action in walk.actions),
                self.explorer.come_back,
            )
            for walk in walks
        )
        if made[0].is_literal:
            return Sought(made, "literal")
        if kind == "yesno" and about >= 0:
            return Sought(made, "yesno", keys[about])
        return Sought(made, "count" if kind == "count" else "entity")

    def _values(self, sought: Sought, rows: Int[np.ndarray, "_"], about: int) -> tuple[str, ...]:
        if sought.kind == "count":
            return (str(len(rows)),)
        if sought.kind == "yesno":
            return (YES if about in rows.tolist() else NO,)
        if sought.kind == "literal":
            attribute = sought.walks[0].steps[-1].relation
            return values_of(self.explorer.graph, rows.tolist(), attribute)
        return ()
