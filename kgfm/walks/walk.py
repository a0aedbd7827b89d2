"""Walks along relations: what a question seeks in a graph, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from kgfm.types import KINDS, Kind

YES, NO = "yes", "no"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a walk.

    Args:
        relation: Key of the relation, or name of the attribute.
        forward: From head to tail; else from tail to head.
        literal: It reads an attribute of the entities, so that the walk ends in values.

    Raises:
        ValueError: An attribute is read backwards.
    """

    relation: str
    forward: bool = True
    literal: bool = False

    def __post_init__(self) -> None:
        if self.literal and not self.forward:
            raise ValueError(f"The attribute {self.relation!r} cannot be read backwards.")


@dataclass(frozen=True, slots=True)
class Walk:
    """Relations to follow from an entity.

    A step leads from a set of entities to all that the relation joins with one of them. The topic
    itself is in no set that a step leads to, unless the walk may come back to it.

    Args:
        topic: Key of the entity where it begins.
        steps: What is followed, in order.
        come_back: Whether it may come back to the topic.

    Raises:
        ValueError: An attribute is read before the last step.
    """

    topic: str
    steps: tuple[Step, ...]
    come_back: bool = False

    def __post_init__(self) -> None:
        if any(step.literal for step in self.steps[:-1]):
            raise ValueError("An attribute is read in the last step of a walk only.")

    @property
    def is_literal(self) -> bool:
        """Whether it ends in values."""
        return bool(self.steps) and self.steps[-1].literal


@dataclass(frozen=True, slots=True)
class Sought:
    """What a question seeks: the entities at the end of a walk, or what is made of them.

    Args:
        walks: One walk, or several; what all of them lead to is meant.
        kind: ``entity``: these entities; ``literal``: the values of the last step; ``count``: how
            many they are; ``yesno``: whether ``about`` is among them.
        about: Key of the entity that a yes-or-no question is about.

    Raises:
        ValueError: There is no walk, the kind is unknown, or it does not fit walks and ``about``.
    """

    walks: tuple[Walk, ...]
    kind: Kind = "entity"
    about: str | None = None

    def __post_init__(self) -> None:
        if not self.walks:
            raise ValueError("A question seeks what at least one walk leads to.")
        if self.kind not in KINDS:
            raise ValueError(f"The kind {self.kind!r} is none of {', '.join(KINDS)}.")
        if (self.about is not None) != (self.kind == "yesno"):
            raise ValueError("A yes-or-no question, and no other, is about an entity.")
        literal = [walk.is_literal for walk in self.walks]
        if literal != [self.kind == "literal"] * len(literal) or (any(literal) and literal[1:]):
            raise ValueError("One walk that ends in values, and no other, answers with values.")
