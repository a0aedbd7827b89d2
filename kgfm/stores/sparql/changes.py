"""What changed at an endpoint since it was read, and what therefore need not be read again.

A run that knows how changes show leaves its pages in the folder, with the moment at which it began.
A later one asks which subjects changed since, lists all subjects with the number of their
statements, and takes from the pages what did neither change nor grow nor shrink. Subjects that are
gone stand in no list. Statements with blank nodes have no names to ask by and are read anew.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kgfm.storage import replace_file, replacing
from kgfm.stores.literals import Literal
from kgfm.stores.sparql.endpoint import Endpoint
from kgfm.stores.sparql.terms import iri, n_triples

_INDEX, _BEGUN = "kept.json", "begun.json"


@dataclass(frozen=True)
class State:
    """What tells one state of a graph from a later one: its size, and a moment."""

    statements: int
    moment: Literal | None

    def as_json(self) -> dict[str, str]:
        """Return the state as a manifest holds it."""
        modified = "" if self.moment is None else n_triples(self.moment)
        return {"statements": str(self.statements), "modified": modified}


@dataclass(frozen=True)
class ChangeRule:
    """How an endpoint tells what changed.

    Args:
        modified: IRI of the predicate that says when a subject last changed.
        changed: In its place, a SPARQL pattern that chooses the ``?s`` that changed at or after
            ``?since``.
    """

    modified: str | None
    changed: str | None = None

    def state(self, endpoint: Endpoint) -> State:
        """Ask for the size, and for the latest change or, for a pattern, the server's clock."""
        query = "SELECT (NOW() AS ?m) WHERE { }"
        if self.modified is not None:
            query = f"SELECT (MAX(?d) AS ?m) WHERE {{ ?s {iri(self.modified)} ?d }}"
        rows = endpoint.select(query)
        latest = rows[0][0] if rows and rows[0] else None
        ((size,),) = endpoint.select("SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }")
        if not isinstance(size, Literal):
            raise ValueError(f"The endpoint answers a COUNT with {size!r}.")
        return State(int(size.lexical), latest if isinstance(latest, Literal) else None)

    def since(self, endpoint: Endpoint, moment: Literal) -> set[str]:
        """Return the subjects that changed at this moment or after it."""
        pattern = self.changed
        if pattern is None:
            pattern = f"?s {iri(str(self.modified))} ?d FILTER(?d >= ?since)"
        # The line break ends a comment that the pattern may end with.
        values = f"VALUES ?since {{ {n_triples(moment)} }}"
        rows = endpoint.select(f"SELECT DISTINCT ?s WHERE {{ {values} {pattern}\n }}")
        return {str(subject) for (subject,) in rows}

    def begin(self, endpoint: Endpoint, folder: Path) -> State:
        """Return the state at which the pages in a folder were begun.

        Pages of another state are thrown away.
        """
        now, path = self.state(endpoint), folder / _BEGUN
        before = None if not path.exists() else _state_from(json.loads(path.read_bytes()))
        if before is not None and self._unchanged(endpoint, before, now):
            return before
        for page in folder.iterdir():
            page.unlink()
        replace_file(path, json.dumps([now.statements, now.moment]).encode())
        return now

    def _unchanged(self, endpoint: Endpoint, before: State, now: State) -> bool:
        if self.modified is not None or before.moment is None:
            return before == now
        return before.statements == now.statements and not self.since(endpoint, before.moment)


def _state_from(given: Sequence[Any]) -> State:
    return State(int(given[0]), None if given[1] is None else Literal(*map(str, given[1])))


class Kept:
    """The pages of an earlier run, of which those subjects serve that did not change.

    Args:
        folder: Where they are.
        pages: By what was asked for of a subject: the names of the files.
        changed: Subjects that do not serve.
    """

    def __init__(self, folder: Path, pages: Mapping[str, Iterable[str]], changed: set[str]) -> None:
        self._folder, self._pages, self._changed = folder, pages, changed
        self._counts: dict[str, Counter[str]] = {}
        self._written = 0

    @classmethod
    def open(cls, folder: Path, endpoint: Endpoint, rule: ChangeRule) -> Kept | None:
        """Return what an earlier run left for the same endpoint and rule; ``None`` if nothing."""
        try:
            index = json.loads((folder / _INDEX).read_bytes())
            about, pages, moment = index["about"], dict(index["pages"]), index["moment"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if about != _about(endpoint, rule) or moment is None:
            return None
        return cls(folder, pages, rule.since(endpoint, Literal(*map(str, moment))))

    def take(
        self, counts: Mapping[str, int], narrow: str, into: Path
    ) -> tuple[Path, dict[str, int]]:
        """Write the statements of the subjects that serve to a page.

        Args:
            counts: Statements that each subject has now.
            narrow: What is asked for of a subject.
            into: The folder of the page.

        Returns:
            The page, and the subjects in it with their statements.
        """
        if narrow not in self._counts:
            self._counts[narrow] = Counter(subject for subject, _ in self._lines(narrow))
        before = self._counts[narrow]
        served = {
            subject: number
            for subject, number in counts.items()
            if subject not in self._changed and before[subject] == number
        }
        path = into / f"page-kept-{self._written:05}.nt"
        self._written += 1
        with replacing(path) as file:
            file.writelines(line for subject, line in self._lines(narrow) if subject in served)
        return path, served

    def _lines(self, narrow: str) -> Iterator[tuple[str, bytes]]:
        for name in self._pages.get(narrow, ()):
            with (self._folder / Path(name).name).open("rb") as file:
                for line in file:
                    yield line.partition(b" ")[0][1:-1].decode(), line


def write_index(
    folder: Path,
    endpoint: Endpoint,
    rule: ChangeRule,
    *,
    moment: Literal | None,
    pages: Mapping[str, Iterable[Path]],
) -> None:
    """Say in a folder of pages what they are of, for :meth:`Kept.open`."""
    names = {narrow: [path.name for path in paths] for narrow, paths in pages.items()}
    index = {"about": _about(endpoint, rule), "moment": moment, "pages": names}
    replace_file(folder / _INDEX, json.dumps(index).encode())


def _about(endpoint: Endpoint, rule: ChangeRule) -> list[Any]:
    return [endpoint.url, list(endpoint.graph), rule.modified, rule.changed]
