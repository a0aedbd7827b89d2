"""The part of a graph around chosen entities."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from kgfm.graph import GraphSchema
from kgfm.storage import replace_file
from kgfm.stores.literals import Triple
from kgfm.stores.rdf_terms import read_file
from kgfm.stores.sparql.crawl import WHOLE, Crawl
from kgfm.stores.sparql.terms import iri, is_iri, n_triples


class Part:
    """Reads whole descriptions of chosen entities and of those near them, and names of the rest.

    Args:
        crawl: Asks.
        schema: Says which predicates give types and lead to classes above, and which are no links.
        folder: For the pages.
    """

    def __init__(self, crawl: Crawl, schema: GraphSchema, folder: Path) -> None:
        self._crawl, self._folder = crawl, folder
        self._kinds = [*filter(is_iri, (*schema.type, *schema.subclass))]
        self._no_links = {*schema.type, *schema.ignore}
        self._files: list[Path] = []
        self._mentioned: set[str] = set()

    def read(self, pattern: str, depth: int, blank_nodes: bool) -> list[Path]:
        """Return the files with the statements of the part."""
        # The line break ends a comment that the pattern may end with.
        chosen = f"{{ SELECT DISTINCT ?s WHERE {{ {pattern}\n }} }} ?s ?p ?o FILTER(isIRI(?s))"
        new = {*self._crawl.list_subjects(chosen, self._crawl.count(chosen)[1])}
        blank = self._blank_statements() if blank_nodes else {}
        whole: set[str] = set()
        around: list[Triple] = []
        for _ in range(depth + 1):
            whole |= new
            links = self._fetch(new, WHOLE)
            around = _closure(blank, whole)
            links |= self._links(around)
            new = {key for key in links if is_iri(key)} - whole
        self._keep(around)
        self._fetch_names(whole)
        return self._files

    def _fetch(self, subjects: Iterable[str], narrow: str) -> set[str]:
        """Fetch statements of subjects; return what they link to."""
        links: set[str] = set()
        counts = self._crawl.count_of(sorted(subjects), narrow)
        for path in self._crawl.fetch(counts, narrow):
            self._files.append(path)
            links |= self._links(read_file(path, "nt"))
        return links

    def _links(self, triples: Iterable[Triple]) -> set[str]:
        """Return the IRIs that links lead to, and note every IRI that may have a name."""
        links = set()
        for _, predicate, term in triples:
            self._mentioned.add(predicate)
            if isinstance(term, str) and not term.startswith("_:"):
                self._mentioned.add(term)
                if predicate not in self._no_links:
                    links.add(term)
        return links

    def _fetch_names(self, whole: set[str]) -> None:
        """Fetch literals and types of all that is mentioned, and the classes above classes.

        Types, and the classes above them, are mentioned by that.
        """
        narrow = "FILTER(isLiteral(?o))"
        if self._kinds:
            listed = ", ".join(map(iri, self._kinds))
            narrow = f"FILTER(isLiteral(?o) || (?p IN ({listed}) && !isBlank(?o)))"
        done = {*whole}
        while new := {key for key in self._mentioned if is_iri(key)} - done:
            done |= new
            self._fetch(new, narrow)

    def _blank_statements(self) -> dict[str, list[Triple]]:
        """Return all statements with a blank node by their subject."""
        by_subject: dict[str, list[Triple]] = defaultdict(list)
        expected = self._crawl.count_blank()
        if expected:
            for triple in read_file(self._crawl.fetch_blank(expected), "nt"):
                by_subject[triple[0]].append(triple)
        return by_subject

    def _keep(self, triples: Iterable[Triple]) -> None:
        lines = [" ".join(map(n_triples, triple)) + " .\n" for triple in triples]
        path = self._folder / "page-blank-nodes.nt"
        replace_file(path, "".join(lines).encode())
        self._files.append(path)


def _closure(blank: dict[str, list[Triple]], roots: Iterable[str]) -> list[Triple]:
    """Return the statements of roots with blank nodes, of these nodes, and so on."""
    found: list[Triple] = []
    queue = [key for key in roots if key in blank]
    seen = {*queue}
    for subject in queue:  # grows while it is walked
        for triple in blank.get(subject, ()):
            found.append(triple)
            term = triple[2]
            if isinstance(term, str) and term.startswith("_:") and term not in seen:
                seen.add(term)
                queue.append(term)
    return found
