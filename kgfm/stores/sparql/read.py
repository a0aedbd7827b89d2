"""A snapshot of a graph, or of a part of one, from a SPARQL 1.1 endpoint."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.stores import rdf
from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql.crawl import ALL, Crawl, Progress, changed
from kgfm.stores.sparql.endpoint import Endpoint
from kgfm.stores.sparql.part import Part
from kgfm.stores.sparql.terms import iri


def read(
    url: str | Endpoint,
    /,
    *,
    cls: str | None = None,
    where: str | None = None,
    depth: int = 0,
    blank_nodes: bool = True,
    modified: str | None = None,
    schema: GraphSchema | None = None,
    folder: str | Path | None = None,
    page: int = 20_000,
    progress: Progress | None = None,
    **options: Any,
) -> KnowledgeGraph:
    """Build a graph from a SPARQL endpoint: the one that its statements in a file would give.

    Without ``cls`` and ``where`` the whole graph is read. With one of them its part: all
    statements of the chosen entities, of what they point to in ``depth`` steps, and of the blank
    nodes among those; and of everything else that is pointed to, of relations and of classes, the
    names, types and other literals, and what classes are subclasses of.

    Every page is counted, and so is the whole, before and after: an answer that was cut off, or a
    graph that changed meanwhile, is an error and never a smaller graph.

    Args:
        url: The query endpoint, or one made ready.
        cls: IRI of a class: its instances are chosen.
        where: A SPARQL pattern that chooses ``?s``, such as
            ``"?s <http://schema.org/genre> ?g"``. It is code: take it from nobody whom you would
            not let query the endpoint.
        depth: How many steps from the chosen entities whole descriptions are read.
        blank_nodes: Whether to read statements with blank nodes, all of them in one answer.
        modified: IRI of the predicate that says when an entity was last changed, such as
            ``http://purl.org/dc/terms/modified``; with it :func:`update` can tell that nothing was.
        schema: What predicates mean; see :class:`~kgfm.graph.GraphSchema`.
        folder: Where pages wait until all are there. A run that was cut off goes on from what it
            left here; by default a temporary folder, which a crash loses.
        page: Statements that one answer holds, about.
        progress: Told of (done, total) statements.
        options: Of :class:`~kgfm.stores.sparql.Endpoint`, such as ``auth``, ``graph``, ``timeout``.

    Raises:
        ServerUnavailableError: The endpoint does not answer, not whole, or changed meanwhile.
        PermissionError: The sign-in was refused, or the endpoint's address or a redirect leads
            where nobody named.
        ValueError: An argument is malformed, or the endpoint cannot give a page whole.
    """
    if cls is not None and where is not None:
        raise ValueError("Give cls or where, not both; where may hold '?s a <...>' itself.")
    if depth < 0 or page < 1:
        raise ValueError(f"depth is at least 0 and page at least 1, got {depth} and {page}.")
    if depth and cls is None and where is None:
        raise ValueError("depth counts from the entities of cls or where; give one of them.")
    endpoint = url if isinstance(url, Endpoint) else Endpoint(url, **options)
    pattern = where if cls is None else f"?s a {iri(cls)}"
    shape: dict[str, Any] = {"cls": cls, "where": where, "depth": depth, "blank_nodes": blank_nodes}
    shape |= {"modified": modified, "schema": None if schema is None else asdict(schema)}
    shape |= {"graph": list(endpoint.graph)}
    with ExitStack() as stack:
        kept = folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="kgfm-sparql-"))
        pages, gone = Path(kept) / "pages", Path(kept) / ".gone"
        shutil.rmtree(gone, ignore_errors=True)  # what a killed run had begun to remove
        pages.mkdir(parents=True, exist_ok=True)
        crawl = Crawl(endpoint, pages, page, progress)
        state = None if modified is None else crawl.state(modified)
        schema = schema or GraphSchema()
        if pattern is None:
            files = _whole(endpoint, crawl, blank_nodes)
        else:
            files = Part(crawl, schema, pages).read(pattern, depth, blank_nodes)
        graph = rdf.read(files, schema=schema, format="nt")
        graph.manifest["source"] = {
            "store": "sparql",
            "endpoint": endpoint.url,
            "options": {name: value for name, value in shape.items() if value is not None},
            "state": state,
            "blank_node_ties": graph.manifest["source"].get("blank_node_ties", 0),
        }
        pages.replace(gone)  # so that they go all at once
        shutil.rmtree(gone)
    return graph


def update(old: KnowledgeGraph, source: Any = None, **options: Any) -> KnowledgeGraph:
    """Return the graph as the endpoint has it now; :func:`kgfm.stores.refresh.refresh` calls this.

    A graph that was read with ``modified`` is asked two things first: whether any entity was
    changed since, and whether the number of statements is still the same. If nothing was, the old
    graph is the answer. Else it is read anew, for one entity's change may rename the type of a
    million others. What is secret or belongs to the connection, such as ``auth``, is not
    remembered, and has to be given again.
    """
    origin = old.manifest["source"]
    shape = ("cls", "where", "depth", "blank_nodes", "modified", "schema")
    kept = {name: options.pop(name) for name in (*shape, "folder", "page", "progress")
            if name in options}  # fmt: skip
    given = source or origin["endpoint"]
    endpoint = given if isinstance(given, Endpoint) else Endpoint(given, **options)
    before = origin["options"]
    same = all(before.get(name) == _plain(kept.get(name)) for name in shape)
    same &= [endpoint.url, list(endpoint.graph)] == [origin["endpoint"], before["graph"]]
    if same and origin.get("state"):
        with tempfile.TemporaryDirectory(prefix="kgfm-sparql-") as folder:
            now = Crawl(endpoint, Path(folder), 1).state(kept["modified"])
        if now == origin["state"]:
            return old
    return read(endpoint, **kept)


def _plain(value: Any) -> Any:
    """Return an option as the manifest's JSON holds it."""
    return json.loads(json.dumps(asdict(value))) if isinstance(value, GraphSchema) else value


def _whole(endpoint: Endpoint, crawl: Crawl, blank_nodes: bool) -> list[Path]:
    """Fetch all statements, and hold their number to the one before and the one after."""
    expected, subjects = crawl.count(ALL)
    blank = crawl.count_blank() if blank_nodes else 0
    crawl.total = expected + blank
    counts = crawl.list_subjects(ALL, subjects)
    if sum(counts.values()) != expected:
        raise ServerUnavailableError(changed(endpoint, expected, sum(counts.values())))
    files = list(crawl.fetch(counts))
    if blank:
        files.append(crawl.fetch_blank(blank))
    after = crawl.count(ALL)[0] + (crawl.count_blank() if blank_nodes else 0)
    if after != crawl.total:
        raise ServerUnavailableError(changed(endpoint, crawl.total, after))
    return files
