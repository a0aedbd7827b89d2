"""What a live retriever asks of a graph server: few questions, each for a whole batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from kgfm.graph import EntityRecord

Triple = tuple[str, str, str]
"""Keys of head, relation and tail."""


class Neighbour(NamedTuple):
    """One entry of an entity's row of neighbours; entries compare in the order of the rule."""

    degree: int
    """Of the neighbour: triples in which it is the head, plus those in which it is the tail."""
    relation: str
    inward: bool
    """True where the neighbour is the head of the triple."""
    key: str


Link = tuple[str, bool, str]
"""Of an entity: the relation, whether the other end is the head, and the key of the other end."""


class Around(NamedTuple):
    """All that leads on from an entity."""

    links: Sequence[Link] | None = ()
    """One for each triple and direction, in any order; ``None`` where they are too many."""
    attributes: Mapping[str, Any] = MappingProxyType({})
    """Values by name, as an :class:`kgfm.graph.EntityRecord` has them."""


class GraphServer(ABC):
    """A graph that stays where it is, and answers for a batch of entities in one round trip.

    The graph is the one that a snapshot of the same server would hold: the same keys, the same
    triples (each once, however often it is stored), the same names. What does not become a triple
    of the snapshot (types, literals, ignored predicates) is no neighbour and counts in no degree.

    Every question

    - is read-only, and hands keys over as parameters or as checked and escaped terms, never as
      text of the query; an entity or relation that the server does not know is no error;
    - costs one round trip, or a fixed few, however many keys it is for;
    - ends within ``timeout`` seconds, which the server is told too where it can be; a server that
      is down, drops the connection, answers in part or is too slow raises
      :class:`kgfm.stores.server.ServerUnavailableError`, never an answer that is cut short. The
      implementation tries again only as long as the time allows.
    """

    @abstractmethod
    def neighbours(
        self,
        entities: Sequence[str],
        *,
        limit: int | None,
        without: Collection[str],
        timeout: float,
    ) -> Mapping[str, Sequence[Neighbour]]:
        """Return the beginning of each entity's row of neighbours, ordered and cut by the server.

        A row has one entry per triple and direction (a loop has two), in the order (degree of the
        neighbour, relation key, out before in, neighbour key), lowest first; strings compare by
        code point.

        Args:
            entities: Keys, none twice.
            limit: Length of a row at most; ``None`` for all of it.
            without: Relations whose entries are dropped before the limit counts. They still count
                in the degrees.
            timeout: Seconds until the answer is of no use.

        Returns:
            The rows by entity; one without neighbours may be left out.
        """

    @abstractmethod
    def triples_among(
        self, groups: Sequence[Sequence[str]], *, timeout: float
    ) -> Sequence[Iterable[Triple]]:
        """Return for each group all triples whose head and tail are both in it, loops too.

        Args:
            groups: Keys of entities, none twice within a group; the same in several groups.
            timeout: Seconds until the answer is of no use.
        """

    @abstractmethod
    def describe(
        self, entities: Sequence[str], relations: Sequence[str], *, timeout: float
    ) -> tuple[Mapping[str, EntityRecord], Mapping[str, str]]:
        """Return what is known about entities, and the labels of relations.

        Records have the label, aliases, description and types that a snapshot has; an entity or a
        relation of which nothing is known may be left out.
        """

    @abstractmethod
    def around(
        self, entities: Sequence[str], *, longest: int, timeout: float
    ) -> Mapping[str, Around]:
        """Return all links of each entity, both ways, and its attributes.

        These are the entries of its whole row of neighbours, without degrees, and the attributes
        that a snapshot has.

        Args:
            entities: Keys, none twice.
            longest: Of an entity with more links than that ``None`` is said in their place, and
                also of one with more than the server sends at once.
            timeout: Seconds until the answer is of no use.

        Returns:
            By entity; one of which nothing is known may be left out.
        """

    def close(self) -> None:
        """Give connections back; the server may be asked again afterwards."""
        return  # nothing to give back unless a server says so
