"""What ``graph build`` and ``graph refresh`` read: by which road, with which options, as whom."""

from __future__ import annotations

import getpass
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kgfm.graph import GraphSchema
from kgfm.registry import nearest

ROADS = ("rdf", "tables", "layout", "sparql", "neo4j")
SECRET = "KGFM_PASSWORD"
"""The variable that holds a password or token: on a command line everybody could read it."""
_BOLT = re.compile(r"(bolt|neo4j)(\+s|\+ssc)?://", re.I)
# Given by other means than --set, or no plain value.
_ELSEWHERE = {
    *("schema", "auth", "source", "on_error", "rejects", "convention"),
    *("mapping", "progress", "say", "driver"),
}
_TABLES = {"entities", "relations", "columns"}


def road_of(sources: Sequence[str], layout: str | None, store: str | None) -> str:
    """Return the road that sources come by: the one that is named, or the one that they look like.

    Raises:
        ValueError: There is no such road, or the sources are not for one.
    """
    if store is not None and store not in ROADS:
        raise ValueError(f"--store {store!r} is none of {', '.join(ROADS)}.{nearest(store, ROADS)}")
    if layout is not None and store not in ("layout", None):
        raise ValueError(f"--layout reads a folder, which is no {store}; leave out --store.")
    road = "layout" if layout is not None else store or _guessed(sources[0])
    if len(sources) > 1 and road != "rdf":
        raise ValueError(f"several sources make one graph of RDF only; {sources[0]} is {road}.")
    if road == "layout" and layout is None:
        raise ValueError("--layout says in which layout the folder is.")
    return road


def _guessed(source: str) -> str:
    from kgfm.stores import rdf, store_for
    from kgfm.stores.rdf_sources import PACKED

    if _BOLT.match(source):
        return "neo4j"
    if re.match(r"https?://", source, re.I):
        suffixes = [end for end in Path(urlsplit(source).path).suffixes if end not in PACKED]
        return "rdf" if suffixes and suffixes[-1].lower() in rdf.SUFFIXES else "sparql"
    check_exists(source)
    return store_for(source)


def check_exists(source: str) -> None:
    """Refuse a file that is not there.

    Raises:
        FileNotFoundError: There is none; the message says what a folder needs.
    """
    path = Path(source)
    if "://" not in source and (path.is_dir() or not path.exists()):  # a pipe will do
        hint = " A folder needs --layout, which says how to read it." * Path(source).is_dir()
        raise FileNotFoundError(f"No file {source}.{hint}")


# -- options --------------------------------------------------------------------------------------


def parameters_of(
    road: str, layout: str | None = None, refresh: bool = False
) -> dict[str, inspect.Parameter]:
    """Return what ``--set`` may name."""
    functions: list[Callable[..., Any]]
    if road == "layout":
        from kgfm.stores.layouts import reader_of

        functions = [reader_of(layout or "")]
    elif road == "sparql":
        from kgfm.stores import sparql

        functions = [sparql.read, sparql.Endpoint]
    elif road == "neo4j":
        from kgfm.stores import neo4j

        functions = [neo4j.update if refresh else neo4j.read, neo4j.Server]
    else:
        from kgfm.stores import rdf, tables

        functions = [rdf.read if road == "rdf" else tables.read]
    left_out = _ELSEWHERE | (_TABLES if road == "tables" else set())
    return {
        name: parameter
        for function in functions
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in left_out
    }


def settings_of(
    settings: Sequence[str], road: str, layout: str | None = None, refresh: bool = False
) -> dict[str, Any]:
    """Read ``name=value`` pairs; a value is JSON, else a text, or several with commas between.

    Raises:
        ValueError: The source takes no such option, or not such a value.
    """
    known = parameters_of(road, layout, refresh) if settings else {}
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name:
            raise ValueError(f"--set takes name=value, got {setting!r}.")
        if name not in known:
            raise ValueError(
                f"{layout or road} has no option {name!r}.{nearest(name, known)} It has "
                f"{', '.join(known) or 'none'}."
            )
        found[name] = _value(name, text, str(known[name].annotation))
    return found


def _value(name: str, text: str, wanted: str) -> Any:
    """Return a value of the kind that an annotation wants."""
    kinds = {kind.strip() for kind in wanted.split("|")}
    several = "Sequence[" in wanted or "Collection[" in wanted or "Iterable[" in wanted
    if kinds <= {"str", "Path", "None"}:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        value = text.split(",") if "," in text else text
    plain = {"bool": (bool,), "int": (int,), "float": (int, float), "None": (type(None),)}
    if kinds <= plain.keys():
        fits = {kind for one in kinds for kind in plain[one]}
        if type(value) not in fits:
            raise ValueError(f"{name} is {' or '.join(sorted(kinds))}, got {text!r}.")
    if not several or isinstance(value, (list, dict)):
        return value
    return text if "str" in kinds else [text]


def schema_of(path: str | None, languages: Sequence[str] | None) -> GraphSchema | None:
    """Return the schema in a JSON file, with the languages in place of its own."""
    schema = None if path is None else _schema(Path(path))
    if languages:
        return replace(schema or GraphSchema(), language=tuple(languages))
    return schema


def _schema(path: Path) -> GraphSchema:
    """Read a schema; an unknown field is refused with the nearest known one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}.") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, not the fields of a schema.")
    try:
        return GraphSchema.from_json(content)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from None


# -- whom it is read as ---------------------------------------------------------------------------


def sign_in(road: str, user: str | None, kind: str | None) -> Any:
    """Return how to sign in at a server; the secret is in a variable, or is asked for.

    Raises:
        ValueError: The secret is missing, or the server's kind has no such way.
    """
    if user is None and kind is None:
        return None
    kind = kind or "basic"
    ways = {"sparql": ("basic", "digest", "bearer"), "neo4j": ("basic", "bearer")}.get(road, ())
    if kind not in ways:
        raise ValueError(
            f"--auth {kind} is not for {road}; {' or '.join(ways) or '--user and --auth'} "
            f"{'are' if ways else 'go with a server'}."
        )
    if (user is None) == (kind != "bearer"):
        raise ValueError("--user goes with basic and digest, and bearer has no user.")
    secret = _secret()
    if road == "neo4j":
        import neo4j

        return neo4j.bearer_auth(secret) if kind == "bearer" else (user, secret)
    from kgfm.stores import sparql

    if kind == "bearer":
        return sparql.Bearer(secret)
    return (sparql.Digest if kind == "digest" else sparql.Basic)(str(user), secret)


def _secret() -> str:
    secret = os.environ.get(SECRET)
    if secret is None and sys.stdin.isatty():
        secret = getpass.getpass("password or token: ")
    if not secret:
        raise ValueError(f"the password or token is missing: set the variable {SECRET}.")
    return secret


def refuse_others(given: Mapping[str, Any], road: str, kept: Sequence[str]) -> None:
    """Refuse the options that are not for this road.

    Raises:
        ValueError: One was given.
    """
    for name, value in given.items():
        if value and name not in kept:
            goes = {"user": "a server", "auth": "a server", "schema": "RDF, tables and servers"}
            goes["language"] = goes["schema"]
            goes["convention"] = "RDF and servers"
            goes["on_error"] = "a table of triples or a layout"
            raise ValueError(
                f"--{name.replace('_', '-')} goes with {goes.get(name, 'a table of triples')}, "
                f"and this is {road}."
            )
