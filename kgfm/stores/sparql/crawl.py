"""Reads the statements of a graph from an endpoint, page after page, onto the disk.

Subjects are listed first, with the number of their statements, in keyset pages (all subjects after
the last one of the page before). Then their statements are asked for by name, some thousand at a
time, and counted. So every page can be checked, none depends on what the server cut off before,
and a page is a question of its own that need not be asked twice: it lies in the folder under the
hash of the question.

Blank nodes have no names that outlive an answer. All statements with a blank node therefore come in
one answer, so that no description of one is cut.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path

from kgfm.storage import replace_file
from kgfm.stores.literals import Literal
from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql.changes import Kept
from kgfm.stores.sparql.endpoint import AnswerTooLargeError, Endpoint, Row
from kgfm.stores.sparql.terms import Term, iris, n_triples, string

Progress = Callable[[int, int], None]
Counts = dict[str, int]
"""Statements of each subject."""

WHOLE = "FILTER(!isBlank(?o))"
"""All of a subject's statements that can be asked for by name."""
ALL = "?s ?p ?o FILTER(isIRI(?s) && !isBlank(?o))"
"""All such statements of a graph."""
_BLANK = "?s ?p ?o FILTER(isBlank(?s) || isBlank(?o))"
_SUBJECTS = 1_000  # named in one question; servers limit the length of a query


class Crawl:
    """Asks for pages and keeps them.

    Args:
        endpoint: Where.
        folder: Pages that an earlier run left here are not asked for again.
        page: Statements, and subjects of a list, that one answer holds at most, about.
        progress: Told of (done, total) statements.
        kept: What an earlier run read, for what has not changed.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        folder: Path,
        page: int,
        progress: Progress | None = None,
        kept: Kept | None = None,
    ) -> None:
        self._endpoint, self._folder, self._page = endpoint, folder, page
        self._progress, self._kept = progress, kept
        self.done, self.total = 0, 0
        self.pages: dict[str, list[Path]] = defaultdict(list)
        """Pages so far, by what was asked for of a subject."""

    def count(self, pattern: str) -> tuple[int, int]:
        """Return the number of statements that match a pattern, and of their subjects."""
        columns = "(COUNT(*) AS ?n) (COUNT(DISTINCT ?s) AS ?m)"
        ((statements, subjects),) = self._endpoint.select(f"SELECT {columns} WHERE {{ {pattern} }}")
        return _number(statements), _number(subjects)

    def list_subjects(self, pattern: str, expected: int) -> Counts:
        """Return the subjects of a pattern, in order, with how many of its statements each has.

        Where all fit in one page no order is asked for, since servers sort slowly.

        Raises:
            ValueError: The endpoint sorts strings in another order than by code point.
        """
        select = "SELECT ?s (COUNT(*) AS ?n) WHERE"
        if expected <= self._page:
            with suppress(AnswerTooLargeError):  # the server allows less; so in pages
                rows = self._listed(f"{select} {{ {pattern} }} GROUP BY ?s")
                if len(rows) == expected:
                    return dict(sorted(rows))
        counts: Counts = {}
        last, page = "", self._page
        while True:
            keyset = f"FILTER(isIRI(?s) && STR(?s) > {string(last)})"
            listing = f"{select} {{ {pattern} {keyset} }} GROUP BY ?s ORDER BY STR(?s)"
            try:
                rows = self._listed(f"{listing} LIMIT {page}")
            except AnswerTooLargeError:
                if page == 1:
                    raise
                page //= 2
                continue
            if not rows:
                return counts
            keys = [last, *(key for key, _ in rows)]
            if any(after <= before for before, after in pairwise(keys)):
                raise ValueError(
                    f"{self._endpoint.url} does not sort subjects by code point, so they cannot be "
                    "read in pages; a larger page= may hold all of them."
                )
            counts |= rows
            last = keys[-1]

    def _listed(self, query: str) -> list[tuple[str, int]]:
        """Return (subject, number) of a list, from the folder or the endpoint."""
        path = self._path(query, ".json")
        if not path.exists():
            rows = [(str(key), _number(number)) for key, number in self._endpoint.select(query)]
            replace_file(path, json.dumps(rows).encode())
        return [(key, number) for key, number in json.loads(path.read_bytes())]

    def count_of(self, subjects: Iterable[str], narrow: str) -> Counts:
        """Return the number of statements of named subjects; those without any are left out."""
        counts: Counts = {}
        stream = iter(subjects)
        while some := list(islice(stream, _SUBJECTS)):
            pattern = f"VALUES ?s {{ {iris(some)} }} ?s ?p ?o {narrow}"
            counts |= self._listed(f"SELECT ?s (COUNT(*) AS ?n) WHERE {{ {pattern} }} GROUP BY ?s")
        return counts

    def fetch(self, counts: Mapping[str, int], narrow: str = WHOLE) -> Iterator[Path]:
        """Yield the pages that hold the statements of the subjects that were counted."""
        left = dict(counts)
        if self._kept is not None:
            path, served = self._kept.take(counts, narrow, self._folder)
            left = {subject: number for subject, number in counts.items() if subject not in served}
            yield self._filled(path, narrow, sum(served.values()))
        for subjects in self._in_pages(left):
            yield from self._fetch(subjects, left, narrow)

    def _in_pages(self, counts: Mapping[str, int]) -> Iterator[list[str]]:
        subjects: list[str] = []
        size = 0
        for subject, number in counts.items():
            if subjects and (size + number > self._page or len(subjects) == _SUBJECTS):
                yield subjects
                subjects, size = [], 0
            subjects.append(subject)
            size += number
        if subjects:
            yield subjects

    def _fetch(
        self, subjects: Sequence[str], counts: Mapping[str, int], narrow: str
    ) -> Iterator[Path]:
        """Fetch a page; one that the server will not give whole is asked for in halves."""
        values = f"VALUES ?s {{ {iris(subjects)} }}"
        expected = sum(counts[subject] for subject in subjects)
        try:
            path = self._statements(f"{values} ?s ?p ?o {narrow}", expected)
        except AnswerTooLargeError:
            if len(subjects) == 1:
                raise
            middle = len(subjects) // 2
            yield from self._fetch(subjects[:middle], counts, narrow)
            yield from self._fetch(subjects[middle:], counts, narrow)
            return
        yield self._filled(path, narrow, expected)

    def _filled(self, path: Path, narrow: str, statements: int) -> Path:
        self.pages[narrow].append(path)
        self.done += statements
        if self._progress is not None:
            self._progress(self.done, max(self.done, self.total))
        return path

    def fetch_blank(self, expected: int) -> Path:
        """Return the page with every statement that has a blank node, all from one answer."""
        try:
            path = self._statements(_BLANK, expected)
        except AnswerTooLargeError as error:
            raise AnswerTooLargeError(
                f"The {expected:,} statements with blank nodes do not fit in one answer, and names "
                f"of blank nodes do not outlive an answer ({error}) Raise the server's limit or "
                "max_bytes=, or leave them out with blank_nodes=False."
            ) from None
        self.done += expected
        return path

    def count_blank(self) -> int:
        """Return the number of statements that have a blank node."""
        return self.count(_BLANK)[0]

    def _statements(self, pattern: str, expected: int) -> Path:
        """Return the file with the statements that match a pattern.

        Raises:
            AnswerTooLargeError: The answer has fewer statements than were counted.
            ServerUnavailableError: It has more: the graph has changed.
        """
        query = f"SELECT ?s ?p ?o WHERE {{ {pattern} }}"
        path = self._path(query, ".nt")
        if path.exists():
            return path
        rows = self._endpoint.select(query)
        if len(rows) < expected:
            raise AnswerTooLargeError(
                f"{self._endpoint.url} counted {expected:,} statements and gave {len(rows):,}: it "
                "cuts answers off, or the graph has changed meanwhile."
            )
        if len(rows) > expected:
            raise ServerUnavailableError(changed(self._endpoint, expected, len(rows)))
        replace_file(path, "".join(map(_line, rows)).encode())
        return path

    def _path(self, question: str, suffix: str) -> Path:
        """Return where the answer to a question is kept."""
        asked = json.dumps([self._endpoint.url, self._endpoint.graph, question])
        return self._folder / f"page-{hashlib.sha256(asked.encode()).hexdigest()[:32]}{suffix}"


def changed(endpoint: Endpoint, before: int, after: int) -> str:
    """Say that the graph did not hold still."""
    return (
        f"{endpoint.url} counted {before:,} statements, then {after:,}: the graph changed while it "
        "was read. Remove the folder of pages and start again."
    )


def _line(row: Row) -> str:
    subject, predicate, term = row
    if subject is None or predicate is None or term is None:
        raise ValueError("The answer holds a statement without a subject, predicate or object.")
    return f"{n_triples(subject)} {n_triples(predicate)} {n_triples(term)} .\n"


def _number(term: Term | None) -> int:
    if not isinstance(term, Literal) or not term.lexical.isdigit():
        raise ValueError(f"The endpoint answers a COUNT with {term!r}.")
    return int(term.lexical)
