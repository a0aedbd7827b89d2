"""A snapshot of a graph, or of a part of one, from a SPARQL 1.1 endpoint."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kgfm.graph import GraphSchema, KnowledgeGraph
from kgfm.stores import conventions, rdf
from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql.changes import ChangeRule, Kept, write_index
from kgfm.stores.sparql.crawl import ALL, Crawl, Progress, changed
from kgfm.stores.sparql.endpoint import Endpoint
from kgfm.stores.sparql.hosts import check_services
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
    changed: str | None = None,
    allow_remote: Collection[str] = (),
    schema: GraphSchema | None = None,
    convention: str | Sequence[str] | None = None,
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
            ``http://purl.org/dc/terms/modified``; with it :func:`update` can tell what was.
        changed: In place of ``modified``, a SPARQL pattern that chooses the ``?s`` that changed at
            or after ``?since``, such as ``"?e <urn:about> ?s ; <urn:at> ?d FILTER(?d >= ?since)"``;
            ``?since`` is the server's clock when the last reading began. It is code too.
        allow_remote: Hosts that the endpoint may ask where ``where`` or ``changed`` says
            ``SERVICE``.
        schema: What predicates mean; see :class:`~kgfm.graph.GraphSchema`.
        convention: As in :func:`kgfm.stores.rdf.read`.
        folder: Where pages wait until all are there. A run that was cut off goes on from what it
            left here; by default a temporary folder, which a crash loses. With ``modified`` or
            ``changed`` the pages stay, and the next reading, or :func:`update`, asks for what
            changed alone.
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
    if modified is not None and changed is not None:
        raise ValueError("Give modified or changed, not both: each says what changed.")
    if depth < 0 or page < 1:
        raise ValueError(f"depth is at least 0 and page at least 1, got {depth} and {page}.")
    if depth and cls is None and where is None:
        raise ValueError("depth counts from the entities of cls or where; give one of them.")
    for text in (where, changed):
        check_services(text or "", allow_remote)
    endpoint = url if isinstance(url, Endpoint) else Endpoint(url, **options)
    pattern = where if cls is None else f"?s a {iri(cls)}"
    shape: dict[str, Any] = {"cls": cls, "where": where, "depth": depth, "blank_nodes": blank_nodes}
    shape |= {"modified": modified, "changed": changed}
    if convention is not None:
        convention = conventions.named(convention)
    shape |= {"allow_remote": [*allow_remote] or None, "convention": convention}
    shape |= {"schema": None if schema is None else asdict(schema), "graph": list(endpoint.graph)}
    rule = None if modified is changed else ChangeRule(modified, changed)
    if rule is not None and folder is not None:
        shape["folder"] = str(Path(folder).absolute())
    with ExitStack() as stack:
        place = folder or stack.enter_context(tempfile.TemporaryDirectory(prefix="kgfm-sparql-"))
        pages, gone, stays = (Path(place) / name for name in ("pages", ".gone", "kept"))
        shutil.rmtree(gone, ignore_errors=True)  # what a killed run had begun to remove
        pages.mkdir(parents=True, exist_ok=True)
        state = None if rule is None else rule.begin(endpoint, pages)
        kept = None if rule is None else Kept.open(stays, endpoint, rule)
        crawl = Crawl(endpoint, pages, page, progress, kept)
        schema = schema or GraphSchema()
        if pattern is None:
            files = _whole(endpoint, crawl, blank_nodes)
        else:
            files = Part(crawl, schema, pages).read(pattern, depth, blank_nodes)
        graph = rdf.read(files, schema=schema, format="nt", convention=convention)
        said = graph.manifest["source"]
        graph.manifest["source"] = {
            "store": "sparql",
            "endpoint": endpoint.url,
            "options": {name: value for name, value in shape.items() if value is not None},
            "state": None if state is None else state.as_json(),
            "blank_node_ties": said.get("blank_node_ties", 0),
            **{name: said[name] for name in ("conventions", "left_out") if name in said},
        }
        if rule is None or state is None:
            pages.replace(gone)  # so that they go all at once
        else:
            write_index(pages, endpoint, rule, moment=state.moment, pages=crawl.pages)
            if stays.exists():
                stays.replace(gone)
            pages.replace(stays)
        shutil.rmtree(gone, ignore_errors=True)
    return graph


def update(old: KnowledgeGraph, source: Any = None, **options: Any) -> KnowledgeGraph:
    """Return the graph as the endpoint has it now; :func:`kgfm.stores.refresh.refresh` calls this.

    A graph that was read with ``modified`` or ``changed``, and with a ``folder`` that is still
    there, is read as :func:`read` says: by what changed. So whoever changes what is said about a
    subject must also move its date on, unless the number of its statements changes; what is gone,
    and statements with blank nodes, are found without. Where only ``modified`` was given, two
    questions find out whether any date or the number of statements is another, and if so it is read
    anew. What is secret or belongs to the connection, such as ``auth``, is not remembered, and has
    to be given again.
    """
    origin = old.manifest["source"]
    shape = ("cls", "where", "depth", "blank_nodes", "modified", "changed", "schema",
             "allow_remote", "convention")  # fmt: skip
    given = {name: options.pop(name) for name in (*shape, "folder", "page", "progress")
             if name in options}  # fmt: skip
    place = source or origin["endpoint"]
    endpoint = place if isinstance(place, Endpoint) else Endpoint(place, **options)
    before = origin["options"]
    same = all(before.get(name) == _plain(given.get(name)) for name in shape)
    same &= [endpoint.url, list(endpoint.graph)] == [origin["endpoint"], before["graph"]]
    if same and given.get("folder") is None and before.get("modified"):
        now = ChangeRule(before["modified"]).state(endpoint)
        if now.as_json() == origin["state"]:
            return old
    return read(endpoint, **given)


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
