"""The files of a layout: by name, in a folder or in the archive that lies in it, row by row."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from fnmatch import fnmatch
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any, cast

from kgfm.storage import sha256
from kgfm.stores.batches import key_fault
from kgfm.stores.rdf_sources import unpacked_file
from kgfm.stores.rejects import Rejects

_LONGEST = 1 << 24  # of a line

Row = tuple[int, list[str]]
"""The number of a row, from 1, and its fields."""


@dataclass(frozen=True)
class LayoutFile:
    """A text file, packed or not, or one in an archive.

    Args:
        path: The file on disk.
        member: Its name in ``path`` where that is a tar archive.
        rejects: What happens to a row that cannot be read.
    """

    path: Path
    member: str = ""
    rejects: Rejects = field(default_factory=Rejects)

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    def error(self, number: int, what: str) -> ValueError:
        """Return the error to raise for a row without which the others mean nothing."""
        return ValueError(f"{self}, row {number}: {what}.")

    def reject(self, number: int, reason: str, row: Sequence[Any] | str) -> None:
        """Raise for a row, or set it aside.

        Raises:
            ValueError: Rows are not to be skipped.
        """
        self.rejects.add(str(self), number, reason, row)

    @contextmanager
    def open(self) -> Iterator[BufferedIOBase]:
        """Open the file, unpacked as it is read; nothing is unpacked to disk."""
        with ExitStack() as stack:
            file = unpacked_file(self.path, stack)
            if self.member:
                archive = stack.enter_context(tarfile.open(fileobj=file, mode="r:"))
                found = next((one for one in archive if one.name == self.member), None)
                packed = archive.extractfile(found) if found else None
                if packed is None:
                    raise ValueError(f"{self} is no file.")
                yield cast(BufferedIOBase, packed)
            else:
                yield file

    @contextmanager
    def text(self) -> Iterator[IO[str]]:
        """Open the file as text, lines ended by newlines only."""
        with (
            self.open() as file,
            io.TextIOWrapper(cast(IO[bytes], file), encoding="utf-8-sig", newline="\n") as text,
        ):
            yield text

    def lines(self) -> Iterator[tuple[int, str]]:
        """Yield the lines that are not empty with their numbers, without what ends them."""
        with self.open() as file:
            for number, line in enumerate(self._raw(file), 1):
                try:
                    text = line.decode().rstrip("\r\n")
                except UnicodeDecodeError as error:
                    reason = f"not UTF-8 ({error.reason}; convert the file, say with iconv)"
                    self.reject(number, reason, line[:1000].decode(errors="backslashreplace"))
                    continue
                if number == 1:
                    text = text.removeprefix("\ufeff")
                if text:
                    yield number, text

    def _raw(self, file: BufferedIOBase) -> Iterator[bytes]:
        try:
            while line := file.readline(_LONGEST):
                if len(line) == _LONGEST:
                    raise ValueError(
                        f"{self} has a line of more than {_LONGEST >> 20} MiB; is it the right one?"
                    )
                yield line
        except tarfile.TarError as error:
            raise ValueError(f"{self} is damaged ({error}); download it anew.") from None

    def rows(
        self,
        what: str,
        separator: str | None = "\t",
        most: int | None = None,
        *,
        keys: bool = False,
    ) -> Iterator[Row]:
        """Yield the rows; one of another width is refused with its number.

        Args:
            what: Names of the fields in order, with blanks between them; it stands in the error.
            separator: Between fields; ``None`` for any white space.
            most: The most fields a row may have, where that is more than ``what`` names.
            keys: Whether the fields in ``what`` are keys, so that none may be empty.
        """
        names = what.split()
        least = len(names)
        between = "blank" if separator is None else repr(separator)
        for number, line in self.lines():
            fields = line.split(separator)
            if not least <= len(fields) <= (most or least):
                given = f"{len(fields)} field{'s' * (len(fields) != 1)}"
                expected = f"expected {what!r} with a {between} between"
                self.reject(number, f"{given}; {expected}", line)
            elif not keys or self.has_keys(number, line, dict(zip(names, fields, strict=False))):
                yield number, fields

    def has_keys(self, number: int, line: str, keys: Mapping[str, str]) -> bool:
        """Say whether fields, given by name, may be keys; refuse the row if not."""
        if all(keys.values()) and "\0" not in line:
            return True
        faults = ((name, key_fault(key)) for name, key in keys.items())
        wrong = next(((name, fault) for name, fault in faults if fault), None)
        if wrong is not None:
            self.reject(number, f"{wrong[1]} {wrong[0]!r}", line)
        return wrong is None

    def json(self) -> dict[str, Any]:
        """Return the content of a JSON file, a mapping."""
        with self.open() as file:
            try:
                content = json.loads(file.read())
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{self} is no JSON ({error}); download it anew.") from None
        if not isinstance(content, dict):
            raise ValueError(f"{self} holds a {type(content).__name__}, not a mapping by key.")
        return content

    def mappings(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield key and fields of a JSON file that holds a mapping for each key.

        A value that is no mapping is refused with the number of its key, from 1.
        """
        for number, (key, fields) in enumerate(self.json().items(), 1):
            if isinstance(fields, dict):
                yield key, fields
            else:
                self.reject(number, f"key {key!r} has no mapping", str(fields)[:80])


class Folder:
    """What a layout is read from: a folder, an archive (``.tar``, ``.tar.gz``), or one file.

    Args:
        path: The folder or file.
        layout: Named in errors.
        rejects: What happens to rows that cannot be read.

    Raises:
        FileNotFoundError: There is nothing at ``path``.
    """

    def __init__(self, path: str | Path, layout: str, rejects: Rejects | None = None) -> None:
        self.path = Path(path)
        self._rejects = rejects or Rejects()
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
            return [LayoutFile(self.path, rejects=self._rejects)] if fits else []
        if "*" in name:
            found = [path for path in sorted(self.path.glob(name)) if path.is_file()]
        else:
            found = [self.path / name] if (self.path / name).is_file() else []
        return [LayoutFile(path, rejects=self._rejects) for path in found]

    def _packed(self, name: str) -> list[LayoutFile]:
        wanted = name.rpartition("/")[2]
        found: list[LayoutFile] = []
        for path in self._archives:
            try:
                with (
                    ExitStack() as stack,
                    tarfile.open(fileobj=unpacked_file(path, stack), mode="r:") as archive,
                ):
                    members = [member.name for member in archive if member.isfile()]
            except (tarfile.TarError, OSError) as error:
                raise ValueError(f"{path} is no sound archive ({error}).") from None
            found += [
                LayoutFile(path, member, self._rejects)
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
        found = {"store": "layout", "layout": self.layout, "options": plain, "files": files}
        return found | ({"skipped": self._rejects.count} if self._rejects.skips else {})


def _is_archive(path: Path) -> bool:
    return path.name.endswith((".tar", ".tar.gz", ".tgz"))


def text_of(value: object) -> str:
    """Return a value of a JSON file if it is a text, else nothing."""
    return value if isinstance(value, str) else ""


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
