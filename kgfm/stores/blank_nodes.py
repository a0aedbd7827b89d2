"""Names for blank nodes that come from what is said about them, and from nothing else.

A node's colour starts as the hash of its statements about IRIs and literals. Then, as in the first
steps of RDFC-1.0 (https://www.w3.org/TR/rdf-canon/), it takes in the colours of the blank nodes
around it, again and again, until that tells no more nodes apart. Each group of linked blank nodes
is on its own, so that its names do not depend on the rest of the graph. What is still alike in a
group is told apart by choosing one node and refining once more; groups that are alike are numbered.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from kgfm.stores.literals import Literal, Triple

# Most hashes spent on one group; past it nodes that are still alike are numbered as they came.
BUDGET = 2_000_000

_Links = dict[str, list[tuple[str, str]]]


def new_names(triples: Iterable[Triple]) -> tuple[dict[str, str], int]:
    """Name the blank nodes of triples that have one.

    Returns:
        New names by old ones, and how many nodes have a twin that nothing sets apart from them.
    """
    ordered = list(dict.fromkeys(triples))
    facts, links = _statements(ordered)
    groups = [_Group(nodes, facts, links) for nodes in _connected(links)]
    copies: Counter[str] = Counter()
    names: dict[str, str] = {}
    for group in groups:
        copies[group.signature] += 1
        copy = copies[group.signature]
        for node, colour in group.colours.items():
            name = _hash(group.signature, colour)[:32]
            names[node] = f"_:{name}" if copy == 1 else f"_:{name}-{copy}"
    ties = sum(
        len(group.colours) if copies[group.signature] > 1 else group.ties for group in groups
    )
    return names, ties


def _is_blank(term: str | Literal) -> bool:
    return isinstance(term, str) and term.startswith("_:")


def _statements(triples: Sequence[Triple]) -> tuple[dict[str, list[str]], _Links]:
    """Return what links each blank node to others, and its other statements."""
    facts: dict[str, list[str]] = defaultdict(list)
    links: _Links = {}
    for subject, predicate, term in triples:
        if _is_blank(subject):
            links.setdefault(subject, [])
            if isinstance(term, str) and _is_blank(term):
                links[subject].append((f"> {predicate}", term))
            else:
                facts[subject].append(f"> {predicate} {term!r}")
        if isinstance(term, str) and _is_blank(term):
            links.setdefault(term, [])
            if _is_blank(subject):
                links[term].append((f"< {predicate}", subject))
            else:
                facts[term].append(f"< {predicate} {subject!r}")
    return facts, links


def _connected(links: _Links) -> Iterator[list[str]]:
    """Yield the groups of nodes that are linked to one another."""
    seen: set[str] = set()
    for start in links:
        if start in seen:
            continue
        seen.add(start)
        group = [start]
        for node in group:  # grows while it is walked
            for _, other in links[node]:
                if other not in seen:
                    seen.add(other)
                    group.append(other)
        yield group


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class _Group:
    """Linked blank nodes, and a colour of its own for each of them.

    Attributes:
        colours: By node; no two alike.
        ties: How many nodes had the colour of another before any was chosen or numbered.
        signature: The same for two groups exactly if they say the same.
    """

    def __init__(self, nodes: list[str], facts: dict[str, list[str]], links: _Links) -> None:
        self._links = {node: links[node] for node in nodes}
        self._spent = 0
        self.colours = {node: _hash(*sorted(facts.get(node, ()))) for node in nodes}
        self._refine()
        alike = Counter(self.colours.values())
        self.ties = sum(count for count in alike.values() if count > 1)
        while tied := self._first_tied():
            self._tell_apart(tied)
        self.signature = _hash(*sorted(self._mixed().values()))

    def _mixed(self) -> dict[str, str]:
        """Return each colour with those around it mixed in."""
        self._spent += len(self.colours)
        return {
            node: _hash(self.colours[node], *sorted(f"{how} {self.colours[n]}" for how, n in links))
            for node, links in self._links.items()
        }

    def _refine(self) -> None:
        """Mix colours until that tells no more nodes apart."""
        kinds = len({*self.colours.values()})
        while kinds < len(self.colours) and self._spent < BUDGET:
            self.colours = self._mixed()
            before, kinds = kinds, len({*self.colours.values()})
            if kinds == before:
                break

    def _first_tied(self) -> list[str]:
        """Return the nodes of the lowest colour that several have."""
        by_colour: dict[str, list[str]] = defaultdict(list)
        for node, colour in self.colours.items():
            by_colour[colour].append(node)
        tied = [colour for colour, nodes in by_colour.items() if len(nodes) > 1]
        return by_colour[min(tied)] if tied else []

    def _tell_apart(self, tied: list[str]) -> None:
        """Number nodes that can be exchanged freely; else choose one and refine."""
        around = {tuple(sorted(self._links[node])) for node in tied}
        if len(around) > 1 and self._spent < BUDGET:
            self.colours[tied[0]] = _hash(self.colours[tied[0]], "chosen")
        else:
            for number, node in enumerate(tied):
                self.colours[node] = _hash(self.colours[node], str(number))
        self._refine()
