"""The files of a layout: by name, in a folder or in the archive that lies in it, row by row."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import IO, Any, cast

from kgfm.storage import sha256

Row = tuple[int, list[str]]
"""The number of a row, from 1, and its fields."""


@dataclass(frozen=True)
class LayoutFile:
    """A text file, or one in an archive.

    Args:
        path: The file on disk.
        member: Its name in ``path`` where that is a tar archive.
    """

    path: Path
    member: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    def error(self, number: int, what: str) -> ValueError:
        """Return the error to raise for a row."""
        return ValueError(f"{self}, row {number}: {what}.")

    @contextmanager
    def open(self) -> Iterator[IO[str]]:
        """Open the file as text; nothing of an archive is unpacked to disk."""
        if not self.member:
            opened = gzip.open if self.path.suffix == ".gz" else open
            with opened(self.path, "rt", encoding="utf-8-sig", newline="\n") as file:
                yield cast(IO[str], file)
            return
        with tarfile.open(self.path) as archive:
            packed = archive.extractfile(self.member)
            if packed is None:
                raise ValueError(f"{self} is no file.")
            with io.TextIOWrapper(packed, encoding="utf-8-sig", newline="\n") as file:
                yield file

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that are not empty with their numbers, without what ends them."""
        with self.open() as file:
            try:
                for number, line in enumerate(file, 1):
                    if line := line.rstrip("\r\n"):
                        yield number, line
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{self} is not UTF-8 ({error}); convert it, say with iconv."
                ) from None
            except (EOFError, gzip.BadGzipFile) as error:
                raise ValueError(f"{self} is damaged ({error}); download it anew.") from None

    def rows(
        self, what: str, separator: str | None = "\t", most: int | None = None
    ) -> Iterator[Row]:
        """Yield the rows; one of another width is refused with its number.

        Args:
            what: Names of the fields in order, with blanks between them; it stands in the error.
            separator: Between fields; ``None`` for any white space.
            most: The most fields a row may have, where that is more than ``what`` names.
        """
        least = len(what.split())
        for number, line in self.lines():
            fields = line.split(separator)
            if not least <= len(fields) <= (most or least):
                given = f"{len(fields)} field{'s' * (len(fields) != 1)} ({line[:80]!r})"
                between = "blank" if separator is None else repr(separator)
                raise self.error(number, f"{given}; expected {what!r} with a {between} between")
            yield number, fields

    def json(self) -> dict[str, Any]:
        """Return the content of a JSON file, a mapping."""
        with self.open() as file:
            try:
                content = json.load(file)
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{self} is no JSON ({error}); download it anew.") from None
        if not isinstance(content, dict):
            raise ValueError(f"{self} holds a {type(content).__name__}, not a mapping by key.")
        return content


class Folder:
    """What a layout is read from: a folder, an archive (``.tar``, ``.tar.gz``), or one file.

    Args:
        path: The folder or file.
        layout: Named in errors.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
    """

    def __init__(self, path: str | Path, layout: str) -> None:
        self.path = Path(path)
        self.layout = layout
        self.used: dict[Path, None] = {}
        if not self.path.exists():
            raise FileNotFoundError(f"No folder {self.path} to read as {layout!r}.")
        found = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        self._archives = [path for path in found if _is_archive(path)]

    def find(self, *names: str) -> LayoutFile | None:
        """Return the first file of these names; patterns such as ``*.kg`` may fit one file only.

        Names are looked for in the folder and then, without their folders, in its archives.

        Raises:
            ValueError: Several files fit a pattern.
        """
        for name in names:
            found = self._on_disk(name) or self._packed(name)
            if len(found) > 1:
                raise ValueError(
                    f"{self.path} has several files for {name!r}: "
                    f"{', '.join(sorted(map(str, found))[:5])}. Name the one to read."
                )
            if found:
                self.used.setdefault(found[0].path)
                return found[0]
        return None

    def need(self, *names: str) -> LayoutFile:
        """Return the first file of these names.

        Raises:
            FileNotFoundError: There is none; the message names what the folder holds.
        """
        found = self.find(*names)
        if found is None:
            held = sorted(path.name for path in self.path.iterdir()) if self.path.is_dir() else []
            raise FileNotFoundError(
                f"{self.path} has no {' or '.join(names)}, which the layout {self.layout!r} needs; "
                f"it holds {', '.join(held[:12]) or 'nothing'}{', ...' * (len(held) > 12)}."
            )
        return found

    def _on_disk(self, name: str) -> list[LayoutFile]:
        if not self.path.is_dir():
            fits = fnmatch(self.path.name, name) and not _is_archive(self.path)
            return [LayoutFile(self.path)] if fits else []
        if "*" in name:
            return [LayoutFile(path) for path in sorted(self.path.glob(name)) if path.is_file()]
        return [LayoutFile(self.path / name)] if (self.path / name).is_file() else []

    def _packed(self, name: str) -> list[LayoutFile]:
        wanted = name.rpartition("/")[2]
        found: list[LayoutFile] = []
        for path in self._archives:
            try:
                with tarfile.open(path) as archive:
                    members = [member.name for member in archive if member.isfile()]
            except (tarfile.TarError, EOFError, OSError) as error:
                raise ValueError(f"{path} is no sound archive ({error}).") from None
            found += [
                LayoutFile(path, member)
                for member in members
                if fnmatch(member.rpartition("/")[2], wanted)
            ]
        return found

    def origin(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a graph remembers of where it comes from, and how that was read."""
        files = [{"file": path.name, "sha256": sha256(path)} for path in self.used]
        plain = {
            name: asdict(value)
            if is_dataclass(value) and not isinstance(value, type)
            else value
            if isinstance(value, (str, bool, int, float))
            else list(value)
            for name, value in options.items()
            if value is not None
        }
        return {"store": "layout", "layout": self.layout, "options": plain, "files": files}


def _is_archive(path: Path) -> bool:
    return path.name.endswith((".tar", ".tar.gz", ".tgz"))


def parts_of(given: Iterable[str] | str, known: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the names of the parts to read, each once.

    Raises:
        ValueError: One is unknown.
    """
    parts = [given] if isinstance(given, str) else list(dict.fromkeys(given))
    for part in parts:
        if part not in known:
            raise ValueError(f"No part {part!r}; parts are {', '.join(map(repr, known))}.")
    if not parts:
        raise ValueError(f"Name at least one part of {', '.join(map(repr, known))}.")
    return parts


PARTS = {name: (f"{name}.txt", f"{name}.tsv") for name in ("train", "valid", "test")}
