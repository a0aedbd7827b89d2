"""What happens to a row that cannot be read: an error with its number, or a line in a file."""

from __future__ import annotations

import csv
import json
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ON_ERROR = ("raise", "skip")


def wrong_width(count: int, columns: Sequence[str]) -> str:
    """Say that a row has another number of fields than there are columns, and which these are."""
    names = ", ".join(columns[:8]) + ", ..." * (len(columns) > 8)
    given = f"{count} field{'s' * (count != 1)}"
    return f"{given}, but there are {len(columns)} columns ({names}; --columns names others)"


class Rejects:
    """Raises for the first bad row, or sets bad rows aside, counted and written down.

    Used as a context: the file appears whole, when the context is left without an error.

    Attributes:
        skips: Whether bad rows are set aside.

    Args:
        on_error: ``"raise"`` or ``"skip"``.
        path: With ``"skip"``: a CSV file for table, row number, reason and the row as JSON. An
            older one goes where no row is bad.

    Raises:
        ValueError: ``on_error`` is neither.
    """

    def __init__(self, on_error: str = "raise", path: str | Path | None = None) -> None:
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error is 'raise' or 'skip', not {on_error!r}.")
        self.skips = on_error == "skip"
        self._path = Path(path) if path is not None and self.skips else None
        self._reasons: Counter[str] = Counter()
        self._temporary: Path | None = None
        self._file: IO[str] | None = None

    @property
    def count(self) -> int:
        """How many rows were set aside."""
        return self._reasons.total()

    def add(self, table: str, number: int, reason: str, row: Sequence[Any] | str) -> None:
        """Raise for a row, or set it aside.

        Raises:
            ValueError: Rows are not to be skipped; the message names table, row and reason.
        """
        if not self.skips:
            raise ValueError(f"{table}, row {number}: {reason}: {str(row)[:200]}.")
        self._reasons[reason] += 1
        if self._path is not None:
            content = json.dumps(row, ensure_ascii=True, default=str)
            csv.writer(self._opened(self._path)).writerow([table, number, reason, content])

    def _opened(self, path: Path) -> IO[str]:
        if self._file is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
            self._temporary = Path(name)
            self._file = os.fdopen(descriptor, "w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(["table", "row", "reason", "content"])
        return self._file

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None and self._temporary is not None and self._path is not None:
            self._file.close()
            if kind is None:
                os.chmod(self._temporary, 0o644)
                os.replace(self._temporary, self._path)
            else:
                self._temporary.unlink(missing_ok=True)
        elif kind is None and self._path is not None:
            self._path.unlink(missing_ok=True)
        if kind is None and self._reasons:
            self._warn()

    def _warn(self) -> None:
        most = ", ".join(f"{n:,} × {reason}" for reason, n in self._reasons.most_common(3))
        more = len(self._reasons) - 3
        warnings.warn(
            f"{self.count:,} rows were skipped: {most}"
            f"{f' and {more} more reasons' if more > 0 else ''}."
            f"{f' They are in {self._path}.' if self._path else ''}",
            UserWarning,
            stacklevel=4,
        )
