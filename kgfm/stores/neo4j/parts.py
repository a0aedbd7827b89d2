"""What has been read so far, as files: each is there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar

from kgfm.storage import replace_file

T = TypeVar("T")
_ABOUT = "export.json"
_TEMPORARY = ".tmp-"


class PartFile:
    """Lines of JSON on their way to disk."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def restart(self) -> None:
        """Forget all lines so far."""
        self._file.seek(0)
        self._file.truncate()

    def add(self, line: Any) -> None:
        """Add a line."""
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")


class Parts:
    """A folder of parts of an export, which a broken-off one goes on from.

    Args:
        folder: Where; removed by :meth:`remove`. ``None`` is a temporary one.
        about: What is being exported; parts of another export are thrown away.
    """

    def __init__(self, folder: str | Path | None, about: Mapping[str, Any]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kgfm-neo4j-") if folder is None else folder)
        content = json.dumps(about, sort_keys=True, ensure_ascii=True).encode()
        self._folder.mkdir(parents=True, exist_ok=True)
        known = self._folder / _ABOUT
        if not known.exists():
            # One that was killed as it began, or as it removed its last file, leaves temporaries.
            if any(not path.name.startswith(_TEMPORARY) for path in self._folder.iterdir()):
                raise ValueError(
                    f"{self._folder} holds other files; name a new or empty folder with parts=."
                )
        elif known.read_bytes() != content:
            self._clear()
        if not known.exists():
            replace_file(known, content)

    def _clear(self) -> None:
        for path in [*self._folder.glob("*.jsonl"), *self._folder.glob(f"{_TEMPORARY}*")]:
            path.unlink()
        (self._folder / _ABOUT).unlink()  # last: without it the folder would be somebody else's

    def remove(self) -> None:
        """Remove the folder, once what it holds is no longer needed."""
        with suppress(OSError):
            self._clear()
            self._folder.rmdir()

    def missing(self, name: str) -> bool:
        """Say whether a part is still to be read."""
        return not self._path(name).exists()

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.jsonl"

    def write(self, name: str, fill: Callable[[PartFile], T]) -> T:
        """Write a part, and return what ``fill`` returns, which may begin anew at any time."""
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=_TEMPORARY)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                value = fill(PartFile(file))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path(name))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return value

    def lines(self, name: str) -> Iterator[Any]:
        """Yield the lines of a part."""
        with self._path(name).open(encoding="utf-8") as file:
            yield from map(json.loads, file)

    def last(self, name: str) -> Any:
        """Return the last line of a part."""
        *_, last = self.lines(name)
        return last

    def names(self, beginning: str) -> list[str]:
        """Return the parts there are, in order."""
        return sorted(path.stem for path in self._folder.glob(f"{beginning}*.jsonl"))
