"""One place that turns a part's name into the part.

Wherever kgfm asks for a part, its name, a mapping ``{"name": ..., argument: value}`` or a ready
object will do. Packages add parts through entry points in the groups ``kgfm.<kind>s``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, TypeVar

Part = TypeVar("Part")


def nearest(given: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?``, or nothing where no known word is near."""
    near = get_close_matches(given, list(known), n=3)
    return f" Did you mean {', '.join(map(repr, near))}?" if near else ""


def available(kind: str, table: Mapping[str, Any]) -> list[str]:
    """Names of all parts of a kind: kgfm's own and those of installed packages."""
    return sorted({*table, *(point.name for point in entry_points(group=f"kgfm.{kind}s"))})


def lookup(kind: str, name: str, table: Mapping[str, Any]) -> Any:
    """Return the class or function called ``name``.

    Raises:
        KeyError: There is no such part; the message names the nearest one.
    """
    if name in table:
        return table[name]
    for point in entry_points(group=f"kgfm.{kind}s"):
        if point.name == name:
            return point.load()
    known = available(kind, table)
    raise KeyError(
        f"No {kind} {name!r}.{nearest(name, known)} The known ones are {', '.join(known)}."
    )


def check_arguments(what: str, callee: Any, given: Iterable[str]) -> None:
    """Refuse a keyword that ``callee`` does not take, naming the nearest that it does."""
    parameters = inspect.signature(callee).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [parameter.name for parameter in parameters]
    for key in given:
        if key not in known:
            raise ValueError(
                f"{what} takes no {key!r}.{nearest(key, known)} It takes {', '.join(known)}."
            )


def check_probabilities(**given: float) -> None:
    """Refuse a probability, such as that of dropout, that is not from 0 to less than 1.

    Raises:
        ValueError: One is not; the message names it.
    """
    for name, value in given.items():
        if not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise ValueError(f"{name}={value!r}: give a probability, 0 <= {name} < 1, such as 0.1.")


def resolve(
    kind: str,
    part: str | Mapping[str, Any] | Part,
    table: Mapping[str, Any],
    base: type[Part],
    /,
    **context: Any,
) -> Part:
    """Return ``part`` itself, or build the one that it names.

    Args:
        kind: What is asked for, such as ``"encoder"``; names the entry-point group too.
        part: A name, a mapping with ``name`` and arguments, or a ready object.
        table: kgfm's own parts by name.
        base: The class that a ready object must be of.
        context: Arguments that the surroundings give, such as widths; a part takes what it knows.

    Raises:
        KeyError: No part has that name.
        ValueError: The mapping has an argument that the part does not take.
        TypeError: The object is of another class.
    """
    if isinstance(part, base):
        return part
    if isinstance(part, str):
        part = {"name": part}
    if not isinstance(part, Mapping) or "name" not in part:
        raise TypeError(
            f"A {kind} is given as a name, as a mapping with 'name', or as a {base.__name__}; "
            f"got {type(part).__name__}."
        )
    build = lookup(kind, part["name"], table)
    arguments = {key: value for key, value in part.items() if key != "name"}
    check_arguments(f"The {kind} {part['name']!r}", build, arguments)
    known = inspect.signature(build).parameters
    arguments |= {k: v for k, v in context.items() if k in known and k not in arguments}
    built: Part = build(**arguments)
    return built
