"""One object for each kind of part, which turns a part's name into the part.

Wherever kgfm asks for a part, its name, a mapping ``{"name": ..., argument: value}`` or a ready
object will do. Packages add parts through entry points in the groups ``kgfm.<kind>s``.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

Part = TypeVar("Part")


def nearest(given: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?``, or nothing where no known word is near."""
    near = get_close_matches(given, list(known), n=3)
    return f" Did you mean {', '.join(map(repr, near))}?" if near else ""


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


def _is_json(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


class Registry(dict[str, Callable[..., Part]], Generic[Part]):
    """All parts of one kind: kgfm's own by name, and those of installed packages.

    It is a dict of kgfm's own parts, each a class or a function that makes the part; the methods
    know those of entry points too.

    Args:
        kind: What a part is, such as ``"encoder"``; names the entry-point group ``kgfm.encoders``.
        base: The class that every part is of.
        formerly: What the kind was called before. A package that still registers under that name
            is told what to do.
        surroundings: Arguments that :meth:`build` is given by what the part stands in, such as
            widths; they are written down nowhere.
    """

    def __init__(
        self,
        kind: str,
        base: type[Any],
        *,
        formerly: str | None = None,
        surroundings: Collection[str] = (),
    ) -> None:
        super().__init__()
        self.kind = kind
        self.base = base
        self.formerly = formerly
        self.surroundings = frozenset(surroundings)

    def names(self) -> list[str]:
        """Names of all parts."""
        return sorted({*self, *(point.name for point in self._points(self.kind))})

    def find(self, name: str) -> Callable[..., Part]:
        """Return the class or function called ``name``.

        Raises:
            KeyError: There is no such part; the message names the nearest one.
        """
        if name in self:
            return self[name]
        for point in self._points(self.kind):
            if point.name == name:
                loaded: Callable[..., Part] = point.load()
                return loaded
        for point in self._points(self.formerly) if self.formerly else ():
            if point.name == name:
                raise KeyError(
                    f"{name!r} ({point.value}) is registered in the group kgfm.{self.formerly}s, "
                    f"which kgfm.{self.kind}s has replaced: derive it from {self.base.__name__} "
                    f"({self.base.__module__}), and register it there."
                )
        known = self.names()
        raise KeyError(
            f"No {self.kind} {name!r}.{nearest(name, known)} The known ones are {', '.join(known)}."
        )

    def as_mapping(self, part: Any) -> dict[str, Any]:
        """Write a part that is given by name as a mapping with its name and arguments.

        Raises:
            TypeError: It has no name.
        """
        if isinstance(part, str):
            return {"name": part}
        if not isinstance(part, Mapping) or not isinstance(part.get("name"), str):
            raise TypeError(
                f"A {self.kind} is given as a name, as a mapping with 'name', or as a "
                f"{self.base.__name__}; got {type(part).__name__}. "
                f"The known ones are {', '.join(self.names())}."
            )
        return dict(part)

    def check(self, part: Any, *, apart_from: Collection[str] = ()) -> None:
        """Refuse an unknown name, or an argument that the part does not take.

        Args:
            part: A name, a mapping, or a ready object, which is not looked at.
            apart_from: Arguments that somebody else takes.

        Raises:
            KeyError: No part has that name.
            ValueError: The mapping has an argument that the part does not take.
            TypeError: The part has no name.
        """
        if isinstance(part, self.base):
            return
        given = self.as_mapping(part)
        name = given.pop("name")
        what = f"The {self.kind} {name!r}"
        check_arguments(what, self.find(name), [key for key in given if key not in apart_from])

    def build(self, part: str | Mapping[str, Any] | Part, /, **context: Any) -> Part:
        """Return ``part`` itself, or build the one that it names.

        Args:
            part: A name, a mapping with ``name`` and arguments, or a ready object.
            context: Arguments that the surroundings give, such as widths; a part takes what it
                knows.

        Raises:
            KeyError: No part has that name.
            ValueError: The mapping has an argument that the part does not take.
            TypeError: The object is of another class.
        """
        if isinstance(part, self.base):
            found: Part = part
            return found
        self.check(part)
        arguments = self.as_mapping(part)
        make = self.find(arguments.pop("name"))
        known = inspect.signature(make).parameters
        arguments |= {k: v for k, v in context.items() if k in known and k not in arguments}
        return make(**arguments)

    def default(self, part: Any, argument: str) -> Any:
        """Return the value that a part will have for an argument; ``None`` where it has none."""
        given = self.as_mapping(part)
        return given.get(argument, self._defaults(given["name"]).get(argument))

    def _defaults(self, name: str) -> dict[str, Any]:
        parameters = inspect.signature(self.find(name)).parameters.values()
        return {p.name: p.default for p in parameters if p.default is not p.empty}

    def name_of(self, part: object) -> str | None:
        """Return the name under which a part's class is known, if it has one."""
        cls = part if isinstance(part, type) else type(part)
        for name, make in self.items():
            if make is cls:
                return name
        return next((p.name for p in self._points(self.kind) if p.load() is cls), None)

    def written(self, part: Any) -> Any:
        """Return a part as JSON: a mapping with its name and every argument that it has.

        An argument that was not given is written as its default is now, so that the part is built
        alike when the default has become another. What the surroundings give is left out, and so is
        a default that JSON cannot hold.

        Raises:
            TypeError: It is a ready object that cannot be written down.
        """
        if part is None:
            return None
        if isinstance(part, (str, Mapping)):
            given = self.as_mapping(part)
        else:
            name, config = self.name_of(part), getattr(part, "config", None)
            if name is None or config is None:
                raise TypeError(
                    f"The {self.kind} was given as a ready {type(part).__name__}, which cannot be "
                    "written down; give it by name or as a mapping to be able to save."
                )
            given = {"name": name, **config()}
        usual = {
            argument: value
            for argument, value in self._defaults(given["name"]).items()
            if argument not in self.surroundings and _is_json(value)
        }
        return {"name": given["name"], **usual, **given}

    @staticmethod
    def _points(kind: str) -> tuple[EntryPoint, ...]:
        return tuple(entry_points(group=f"kgfm.{kind}s"))

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self)})"
