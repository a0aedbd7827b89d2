"""What must be known of a graph to ask about it: who bears which step, and what that leads to."""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Int

from kgfm.graph import KnowledgeGraph
from kgfm.graph.order import boundaries
from kgfm.questions.english import means_people
from kgfm.questions.labels import words_of
from kgfm.walks import Step, values_of

Rows = Int[np.ndarray, "_"]
_ROWS_WITH_ATTRIBUTES = 50_000
_SEEN_FOR_A_NOUN = 200
_SHARE_FOR_A_NOUN = 0.8
_WORDS_OF_A_NOUN = 3
_LONGEST = 100


class Index:
    """A graph by its steps, each a number: relations forward, then backward, then attributes.

    Args:
        graph: The graph. Of a very large one, attributes are looked for in a part of the entities.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.graph = graph
        self.num_relations = graph.num_relations
        self._indptr = np.asarray(graph.neighbour_indptr)
        self._entity = np.asarray(graph.neighbour_entity)
        self._relation = np.asarray(graph.neighbour_relation)
        size = max(len(graph), 1)
        owner = np.repeat(np.arange(len(graph)), np.diff(self._indptr))
        pairs = np.unique(self._relation.astype(np.int64) * size + owner)
        counts = np.bincount(pairs // size, minlength=2 * self.num_relations)
        parts = np.split(pairs % size, boundaries(counts)[1:-1])
        self._bearers = parts[: 2 * self.num_relations]
        self.attributes = sorted(self._by_attribute)
        self._bearers += [np.array(self._by_attribute[name]) for name in self.attributes]

    @cached_property
    def _by_attribute(self) -> dict[str, list[int]]:
        """The rows that have each attribute with values short enough for an answer."""
        found: dict[str, list[int]] = defaultdict(list)
        stride = 1 + len(self.graph) // _ROWS_WITH_ATTRIBUTES
        for row in range(0, len(self.graph), stride):
            for name, value in self.graph.attributes(row).items():
                values = value if isinstance(value, list) else [value]
                if all(str(one).strip() and len(str(one)) <= _LONGEST for one in values):
                    found[name].append(row)
        return found

    @property
    def relations(self) -> list[int]:
        """All steps along relations that some entity bears."""
        return [step for step in range(2 * self.num_relations) if len(self._bearers[step])]

    @property
    def literals(self) -> list[int]:
        """All steps to the values of attributes."""
        return list(range(2 * self.num_relations, len(self._bearers)))

    def is_literal(self, step: int) -> bool:
        return step >= 2 * self.num_relations

    def is_forward(self, step: int) -> bool:
        return step < self.num_relations or self.is_literal(step)

    def inverse(self, step: int) -> int:
        return (step + self.num_relations) % (2 * self.num_relations)

    def step(self, step: int) -> Step:
        """Return a step as a value."""
        if self.is_literal(step):
            return Step(self.attributes[step - 2 * self.num_relations], literal=True)
        return Step(self.graph.relation_keys[step % self.num_relations], self.is_forward(step))

    def name(self, step: int) -> str:
        """Return the label of a step's relation, or an attribute's name."""
        if self.is_literal(step):
            return self.attributes[step - 2 * self.num_relations]
        return self.graph.relation_labels[step % self.num_relations]

    def names(self) -> list[str]:
        """All labels of relations and names of attributes, as words."""
        return [words_of(name) for name in (*self.graph.relation_labels, *self.attributes)]

    def bearers(self, step: int) -> Rows:
        """Return the entities that have such a step, in order."""
        return self._bearers[step]

    def ends(self, row: int, step: int) -> Rows:
        """Return the entities that a step leads to from one, in order."""
        part = slice(self._indptr[row], self._indptr[row + 1])
        return np.unique(self._entity[part][self._relation[part] == step]).astype(np.int64)

    def neighbours(self, row: int) -> Rows:
        """Return what any relation joins with an entity, in order."""
        part = slice(self._indptr[row], self._indptr[row + 1])
        return np.unique(self._entity[part]).astype(np.int64)

    def steps_at(self, row: int) -> list[int]:
        """Return the steps along relations that an entity has."""
        part = slice(self._indptr[row], self._indptr[row + 1])
        found: list[int] = np.unique(self._relation[part]).tolist()
        return found

    @lru_cache(maxsize=1 << 16)  # noqa: B019 - lives as long as the making of questions
    def spoken(self, row: int) -> tuple[str, ...]:
        """Return the names that a text can use for an entity; keys with underscores are none."""
        label, *aliases = self.graph.names(row)
        aliases = [name for name in aliases if "_" not in name]
        return tuple(
            name for name in (label, *aliases) if name.strip() == name and 0 < len(name) <= _LONGEST
        )

    @lru_cache(maxsize=1 << 12)  # noqa: B019
    def is_functional(self, step: int) -> bool:
        """Say whether it mostly leads to one entity only."""
        rows = self._some(self.bearers(step))
        single = [len(self.ends(row, step)) == 1 for row in rows]
        return bool(single) and sum(single) >= _SHARE_FOR_A_NOUN * len(single)

    def noun(self, step: int) -> str:
        """Return what most of what a step leads to is, by its types."""
        return "" if self.is_literal(step) else self.noun_of_bearers(self.inverse(step))

    @lru_cache(maxsize=1 << 12)  # noqa: B019
    def noun_of_bearers(self, step: int) -> str:
        """Return what most that have a step are, by their types; the least common type will do."""
        rows = self._some(self.bearers(step))
        counts = Counter(type_ for row in rows for type_ in self.graph.types(row))
        least = _SHARE_FOR_A_NOUN * len(rows)
        nouns = [type_ for type_, count in counts.items() if count >= least]
        fit = [one for one in nouns if 0 < len(words_of(one).split()) <= _WORDS_OF_A_NOUN]
        found = words_of(min(fit, key=lambda one: (self._num_of_type[one], one))) if fit else ""
        return "person" if found in ("human", "human being") else found

    def is_person(self, row: int) -> bool:
        """Say whether an entity's types tell that it is somebody."""
        return any(
            means_people(words_of(name)) or name == "human" for name in self.graph.types(row)
        )

    @lru_cache(maxsize=1 << 12)  # noqa: B019
    def values(self, step: int) -> tuple[str, ...]:
        """Return some of the values that a step to values leads to."""
        rows = self._some(self.bearers(step))
        return values_of(self.graph, rows, self.step(step).relation)

    @cached_property
    def _num_of_type(self) -> Counter[str]:
        counts = np.bincount(self.graph.type_ids, minlength=len(self.graph.type_names))
        return Counter(dict(zip(self.graph.type_names, counts.tolist(), strict=True)))

    def _some(self, rows: Rows) -> list[int]:
        some: list[int] = rows[:: 1 + len(rows) // _SEEN_FOR_A_NOUN].tolist()
        return some
