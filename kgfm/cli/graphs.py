"""``kgfm graph build`` and ``kgfm graph refresh``: their options, and what comes of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace

from kgfm.cli import sources
from kgfm.graph import KnowledgeGraph

if TYPE_CHECKING:
    from kgfm.stores.refresh import Refreshed

_FLAGS = {
    "rdf": ("schema", "language", "convention"),
    "tables": ("schema", "language", "entities", "relations", "columns", "on_error"),
    "layout": ("on_error",),
    "sparql": ("schema", "language", "convention", "user", "auth"),
    "neo4j": ("schema", "language", "convention", "user", "auth"),
}
"""By road: the options beside ``--set`` that go with it."""


def add_common_options(parser: ArgumentParser) -> None:
    """Add what building and refreshing share."""
    parser.add_argument("--entities", type=str, nargs="+", help="Tables of key, label, alias, ...")
    parser.add_argument("--relations", type=str, nargs="+", help="Tables of key, label.")
    parser.add_argument(
        "--on-error",
        type=str | None,
        help="Of tables and layouts. raise: stop at a bad row (the default); skip: leave such rows "
        "out, and write them beside the snapshot, as SNAPSHOT.rejects.csv.",
    )
    parser.add_argument("--user", type=str | None, help="Who signs in at a server.")
    parser.add_argument(
        "--auth",
        type=str | None,
        help="basic (the default with --user), digest or bearer; the password or token is in the "
        f"variable {sources.SECRET}, or is asked for.",
    )
    parser.add_argument(
        "--set",
        type=str,
        nargs="+",
        default=[],
        help="Other options of the source, as name=value; they are listed above.",
    )


def add_build_options(parser: ArgumentParser) -> None:
    """Add what only a new graph needs."""
    parser.add_argument("--columns", type=str, nargs=3, help="Head's, relation's, tail's column.")
    parser.add_argument("--schema", type=str | None, help="JSON: how labels, ... are called.")
    parser.add_argument("--language", type=str, nargs="+", help="Tags, the preferred one first.")
    parser.add_argument(
        "--convention",
        type=str,
        nargs="+",
        help="In place of a guess: obo, skos-xl, wikidata; neosemantics for Neo4j; plain for none.",
    )
    parser.add_argument("--layout", type=str | None, help=f"One of {', '.join(_layouts())}.")
    parser.add_argument(
        "--store",
        type=str | None,
        help=f"One of {', '.join(sources.ROADS)}, where the source does not tell.",
    )


def options_listed() -> str:
    """Return what ``--set`` may name, a road or layout a line."""
    roads = [(road, None) for road in sources.ROADS if road != "layout"]
    named = [*roads, *(("layout", name) for name in _layouts())]
    lines = [(layout or road, sources.parameters_of(road, layout)) for road, layout in named]
    return "; ".join(f"{name}: {', '.join(known)}" for name, known in lines if known)


def _layouts() -> Sequence[str]:
    from kgfm.stores.layouts import LAYOUTS

    return [*LAYOUTS]


def build(options: Namespace) -> KnowledgeGraph:
    """Compile what the command names into a snapshot."""
    given, layout = list(options.source), options.layout
    road = sources.road_of(given, layout, options.store)
    known = sources.settings_of(options.set, road, layout)
    known |= _flags(options, road)
    if options.on_error == "skip":
        known["rejects"] = f"{options.out}.rejects.csv"
    if road in ("rdf", "tables"):
        for source in given:
            sources.check_exists(source)
    read: Any = getattr(KnowledgeGraph, f"from_{road}")
    named = (layout,) if road == "layout" else ()
    built: KnowledgeGraph = read(*named, given if len(given) > 1 else given[0], **known)
    if not len(built):
        warnings.warn(f"{given[0]} holds nothing: the graph is empty.", UserWarning, stacklevel=2)
    return built.save(options.out)


def _flags(options: Namespace, road: str) -> dict[str, Any]:
    names = {name for kept in _FLAGS.values() for name in kept}
    given = {name: options.get(name) for name in sorted(names)}
    sources.refuse_others(given, road, _FLAGS[road])
    known = {
        name: given[name]
        for name in ("entities", "relations", "columns", "on_error")
        if given[name] is not None
    }
    if given["convention"]:
        several = road != "neo4j" and len(given["convention"]) > 1
        known["convention"] = given["convention"] if several else given["convention"][0]
    schema = sources.schema_of(given["schema"], given["language"])
    auth = sources.sign_in(road, given["user"], given["auth"])
    return (
        known
        | ({} if schema is None else {"schema": schema})
        | ({} if auth is None else {"auth": auth})
    )


def refresh(options: Namespace) -> Refreshed:
    """Bring a snapshot up to date; see :func:`kgfm.stores.refresh.refresh`."""
    from kgfm.stores.refresh import refresh

    origin = KnowledgeGraph.open(options.snapshot).manifest["source"]
    road = origin.get("store")
    known: dict[str, Any] = {}
    if road in sources.ROADS:  # else it is refused below, with the reason
        layout = origin.get("layout")
        known = sources.settings_of(options.set, road, layout, refresh=True)
        known |= _flags(options, road)
    given = list(options.source)
    if road != "layout":
        for source in given:
            sources.check_exists(source)
    if options.on_error == "skip":
        known["rejects"] = f"{options.snapshot}.rejects.csv"
    return refresh(options.snapshot, given if len(given) > 1 else (*given, None)[0], **known)
