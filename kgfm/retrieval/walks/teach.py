"""From questions and their answers to the walks that are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
from jaxtyping import Bool, Float, Int

from kgfm.retrieval.base import Answered
from kgfm.retrieval.walks.base import MASK, Tree
from kgfm.retrieval.walks.explore import AllWalks, Explorer
from kgfm.types import Asked, Mention
from kgfm.walks import KINDS, YES, values_of

MOST_MENTIONS = 8
_KEPT, _LEAST = 0.1, 1e-6
_LIMIT = 20_000
_GAIN = 0.1
"""How much better than one walk the meeting of two has to be, to be what is meant."""
_PARTS = 6
"""How many walks from each of two topics are looked at for where they meet."""
_LACKING_AT_MOST, _COULD_NOT = 0.1, 0.1


@dataclass(frozen=True, slots=True)
class Caps:
    """How far walks go: steps at most, and the largest set that leads on."""

    hops: int
    most: int


@dataclass(frozen=True, slots=True)
class Best:
    """The best single walk of a question: from which mention, its actions, and its weight."""

    mention: int
    actions: tuple[int, ...]
    weight: float


def topics_of(asked: Asked) -> list[int]:
    """Numbers of the mentions where a walk may begin: linked, each entity once, the first ones."""
    seen: dict[int, int] = {}
    for number, row in enumerate(asked.rows.tolist()):
        if row >= 0:
            seen.setdefault(row, number)
    return list(seen.values())[:MOST_MENTIONS]


def masked(text: str, mention: Mention) -> str:
    """Return a text with a mask in place of a mention."""
    return text[: mention.start] + MASK + text[mention.end :]


def features_of(mention: Mention, degree: int) -> tuple[float, float, float]:
    """What is known of a mention beside its text: its length, its degree, the linker's score."""
    length = mention.end - mention.start
    return float(np.log1p(length) / 3), float(np.log1p(degree) / 5), float(mention.score)


class Teacher:
    """Makes trees of questions.

    Args:
        explorer: Of the graph.
        caps: How far walks go.
    """

    def __init__(self, explorer: Explorer, caps: Caps) -> None:
        self.explorer = explorer
        self.caps = caps

    def trees(
        self,
        number: int,
        answered: Answered,
        *,
        banned: Bool[np.ndarray, "action"] | None = None,
        lacks: bool = False,
        along: Best | None = None,
    ) -> tuple[list[Tree], Best | None]:
        """Return the trees of a question, and its best walk.

        Args:
            number: Of the question.
            answered: The question.
            banned: Actions that are not there.
            lacks: The graph lacks what is asked for.
            along: In a tree of what is lacking, the walk along which that is noticed.
        """
        asked, kind = answered.asked, KINDS.index(answered.kind)
        topics = topics_of(asked)
        found, weights = [], []
        for mention in topics:
            right = self._right(answered, mention)
            walks = self._walks(int(asked.rows[mention]), right, banned)
            found.append(walks)
            weights.append(self._weights(answered, int(asked.rows[mention]), walks, len(right)))
        best = self._best(topics, found, weights)
        both = -1
        if answered.kind == "entity" and len(topics) > 1 and not lacks and best is not None:
            met = self._meeting(answered, topics, found)
            both = int(met is not None and met[0] > best.weight**0.5 + _GAIN)
            if both and met is not None:
                weights = met[1]
        top = max((float(own.max(initial=0)) for own in weights), default=0.0)
        made = []
        for mention, walks, weight in zip(topics, found, weights, strict=True):
            kept = np.where(weight >= max(_KEPT * top, _LEAST), weight, 0.0)
            if lacks:
                kept[:] = 0
                own = along if along is not None and along.mention == mention else None
                needed = _prefixes(walks, own)
            else:
                needed = kept > 0
            tree = _pruned(walks, kept, needed)
            text = masked(asked.text, asked.mentions[mention])
            degree = int(self.explorer.graph.degree[asked.rows[mention]])
            made.append(
                Tree(
                    number,
                    text,
                    features_of(asked.mentions[mention], degree),
                    *tree,
                    lacks=lacks,
                    kind=-1 if lacks else min(kind, 3) % 3,
                    both=both,
                )
            )
        return made, best

    def _walks(
        self, topic: int, right: Int[np.ndarray, "_"], banned: Bool[np.ndarray, "action"] | None
    ) -> AllWalks:
        return self.explorer.all_walks(
            topic, right, hops=self.caps.hops, most=self.caps.most, limit=_LIMIT, banned=banned
        )

    @staticmethod
    def _right(answered: Answered, mention: int) -> Int[np.ndarray, "_"]:
        """Rows of which a walk from a mention should lead to all."""
        if answered.kind == "yesno":
            rows = answered.asked.rows
            others = rows[(rows >= 0) & (rows != rows[mention])]
            return np.unique(others)
        return answered.rows

    def _weights(
        self, answered: Answered, topic: int, walks: AllWalks, num_right: int
    ) -> Float[np.ndarray, "walk"]:
        """How right it is to end with each walk."""
        is_value = walks.action >= 2 * self.explorer.steps.num_relations
        if answered.kind == "literal":
            return self._of_values(answered, topic, walks, np.flatnonzero(is_value))
        if answered.kind == "count":
            said = answered.values[0] if answered.values else ""
            wanted = int(said) if said.isdecimal() else -1
            return np.where((walks.size == wanted) & ~is_value & (walks.action >= 0), 1.0, 0.0)
        precision = walks.hits / np.maximum(walks.size, 1)
        recall = walks.hits / max(1, num_right)
        if answered.kind == "yesno":
            one = np.minimum(walks.hits, 1)  # which of the others is meant is not known
            weight = one * np.maximum(precision, 1e-12) ** 0.25
            if answered.values != (YES,):
                weight = self._of_no(answered, topic, walks)
        else:
            f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-9)
            weight = f1**2
        return np.where(is_value | (walks.action < 0), 0.0, weight)

    def _of_no(self, answered: Answered, topic: int, walks: AllWalks) -> Float[np.ndarray, "walk"]:
        """How right it is to find none of the others: rather where the last step could lead to one.

        That is one whose like it leads to from elsewhere.
        """
        rows = answered.asked.rows
        others = np.unique(rows[(rows >= 0) & (rows != topic)])
        if not len(others):
            return np.zeros(len(walks.parent))
        steps = self.explorer.steps
        back = np.zeros(self.explorer.num_actions, dtype=bool)
        for other in others.tolist():
            back[steps.actions_at(other)] = True
        relations = steps.num_relations
        could = np.concatenate([back[relations : 2 * relations], back[:relations]])
        action = np.clip(walks.action, 0, 2 * relations - 1)
        return np.where(walks.hits > 0, 0.0, np.where(could[action], 1.0, _COULD_NOT))

    def _of_values(
        self, answered: Answered, topic: int, walks: AllWalks, ends: Int[np.ndarray, "_"]
    ) -> Float[np.ndarray, "walk"]:
        weight = np.zeros(len(walks.parent))
        right = set(answered.values)
        for walk in ends.tolist():
            if walks.size[walk] > len(right) * 10:
                continue
            actions = walks.steps(walk)
            rows = self.explorer.follow(topic, actions)
            said = set(
                values_of(
                    self.explorer.graph,
                    rows.tolist(),
                    self.explorer.steps.step(actions[-1]).relation,
                )
            )
            weight[walk] = (2 * len(said & right) / max(1, len(said) + len(right))) ** 2
        return weight

    @staticmethod
    def _best(
        topics: Sequence[int], found: Sequence[AllWalks], weights: Sequence[np.ndarray]
    ) -> Best | None:
        tops = [float(own.max(initial=0.0)) for own in weights]
        if not tops or max(tops) <= _LEAST:
            return None
        place = int(np.argmax(tops))
        walk = int(np.argmax(weights[place]))
        return Best(topics[place], tuple(found[place].steps(walk)), tops[place])

    def _meeting(
        self, answered: Answered, topics: Sequence[int], found: Sequence[AllWalks]
    ) -> tuple[float, list[np.ndarray]] | None:
        """F1 of the best meeting of two walks, and the weights of walks as parts of a meeting.

        Recall and precision say which walks can be parts; these are weighed by the best meeting.
        """
        right = set(answered.rows.tolist())
        weights, parts = [], []
        for mention, walks in zip(topics, found, strict=True):
            recall = walks.hits / max(1, len(right))
            precision = np.maximum(walks.hits / np.maximum(walks.size, 1), 1e-12) ** 0.25
            entities = (walks.action >= 0) & (walks.action < 2 * self.explorer.steps.num_relations)
            fit = np.where((walks.hits > 0) & entities, recall**2 * precision, 0.0)
            likely = np.argsort(-fit, kind="stable")[:_PARTS]
            topic = int(answered.asked.rows[mention])
            parts.append(
                [
                    (walk, set(self.explorer.follow(topic, walks.steps(walk)).tolist()))
                    for walk in likely[fit[likely] > 0].tolist()
                ]
            )
            weights.append((np.zeros(len(fit)), precision))
        top, pair = 0.0, (0, 0)
        for one, other in combinations(range(len(topics)), 2):
            for (walk, first), (behind, second) in product(parts[one], parts[other]):
                met = first & second
                f1 = 2 * len(met & right) / max(1, len(met) + len(right))
                for number, place in ((one, walk), (other, behind)):
                    own = weights[number][0]
                    own[place] = max(own[place], f1**2)
                if f1 > top:
                    top, pair = f1, (one, other)
        if not top:
            return None
        kept = [
            own * precision if number in pair else np.zeros_like(own)
            for number, (own, precision) in enumerate(weights)
        ]
        return top, kept

    def without(
        self, number: int, answered: Answered, best: Best, random: np.random.Generator
    ) -> list[Tree]:
        """Return the trees of a question of whose best walk one relation was taken out.

        Empty where other relations tell the answer too.
        """
        relations = self.explorer.steps.num_relations
        place = int(random.integers(len(best.actions)))
        action = best.actions[place]
        banned = np.zeros(self.explorer.num_actions, dtype=bool)
        banned[action] = True
        if action < 2 * relations:
            banned[action % relations], banned[action % relations + relations] = True, True
        along = replace(best, actions=best.actions[:place])
        _, left = self.trees(number, answered, banned=banned)
        if left is not None and left.weight > _LACKING_AT_MOST:
            return []
        trees, _ = self.trees(number, answered, banned=banned, lacks=True, along=along)
        return trees

    def composed(self, inner: Answered, own: Best, outer: Answered, other: Best) -> Answered | None:
        """Put one question in place of the other's topic; ``None`` where nothing answers that."""
        actions = [*own.actions, *other.actions]
        if len(actions) > self.caps.hops:
            return None
        topic = int(inner.asked.rows[own.mention])
        rows = self.explorer.follow(topic, actions)
        if not 0 < len(rows) <= self.caps.most:
            return None
        mention = inner.asked.mentions[own.mention]
        hole = outer.asked.mentions[other.mention]
        text = outer.asked.text[: hole.start] + inner.asked.text + outer.asked.text[hole.end :]
        moved = replace(mention, start=mention.start + hole.start, end=mention.end + hole.start)
        asked = Asked(text, (moved,), np.array([topic], np.int64))
        return Answered(asked, rows.astype(np.int64))


def _prefixes(walks: AllWalks, along: Best | None) -> Bool[np.ndarray, "walk"]:
    """The walk without a step, and those on the way along ``along``."""
    needed = np.zeros(len(walks.parent), dtype=bool)
    needed[0] = True
    at = 0
    for action in () if along is None else along.actions:
        on = np.flatnonzero((walks.parent == at) & (walks.action == action))
        if not len(on):
            break
        at = int(on[0])
        needed[at] = True
    return needed


def _pruned(
    walks: AllWalks, weight: Float[np.ndarray, "walk"], needed: Bool[np.ndarray, "walk"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Parent, action, expands and weight of what is needed, what leads there, and siblings."""
    needed = needed.copy()
    for walk in np.flatnonzero(needed).tolist():
        at = int(walks.parent[walk])
        while at >= 0 and not needed[at]:
            needed[at] = True
            at = int(walks.parent[at])
    expands = walks.expands & needed
    keep = np.zeros(len(needed), dtype=bool)
    keep[0] = True
    keep[1:] = expands[walks.parent[1:]]
    place = np.cumsum(keep) - 1
    parent = np.where(walks.parent >= 0, place[walks.parent], -1)[keep]
    return parent, walks.action[keep], expands[keep], weight[keep]
