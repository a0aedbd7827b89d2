"""Link a file of texts of any length: streamed, in several processes, and resumable.

While it runs, the lines go into ``OUT.part``, with ``OUT.part.json`` beside it, which says of what
they are; at the end ``OUT.part`` becomes ``OUT``. So ``OUT`` is always whole, and the same call
goes on where an interrupted one stopped.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from kgfm.graph.strings import has_surrogate
from kgfm.linking.base import BaseLinker
from kgfm.storage import replace_file
from kgfm.types import Mention

BATCH_TEXTS, BATCH_CHARACTERS = 256, 1 << 18
AHEAD = 3
"""Batches under way for each process, so that memory stays bounded whatever the corpus."""

Progress = Callable[[int, int, int], None]
"""Called with the texts that are done, and how far the file is read, in bytes of how many."""


@dataclass(frozen=True)
class Line:
    """A text of a corpus, with the other fields of its line, and where that line ends."""

    text: str
    fields: dict[str, Any]
    end: int


Batch = list[Line]
Linked = Generator[tuple[Batch, list[str]], None, None]
Engine = Callable[[BaseLinker, Iterator[Batch], int], Linked]


def link_file(
    linker: BaseLinker,
    source: str | Path,
    out: str | Path,
    *,
    jobs: int = 1,
    engine: str = "processes",
    progress: Progress | None = None,
) -> int:
    """Link the texts of a file into another one, a line of JSON for each, in the same order.

    Args:
        linker: A copy of it goes to every process.
        source: JSON lines with ``text`` (``.jsonl``, ``.ndjson``; their other fields are kept), or
            a text a line. With ``.gz`` behind, compressed. Empty lines are left out.
        out: Each line is the fields of the input with ``mentions``: start, end, entity, score.
        jobs: How many processes.
        engine: ``"processes"``, or ``"ray"`` for more than one machine
            (``pip install "kgfm[ray]"``).
        progress: Called after each batch.

    Returns:
        The number of texts.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line has no text (the message names it), or ``OUT.part`` is of other texts,
            another graph or another linker.
        OSError: A process died.
    """
    source, out = Path(source), Path(out)
    if not source.exists() or source.is_dir():  # a pipe will do
        raise FileNotFoundError(f"No file {source}.")
    if jobs < 1:
        raise ValueError(f"jobs is at least 1, got {jobs}.")
    if engine not in ENGINES:
        raise ValueError(f"No engine {engine!r}; there are {', '.join(ENGINES)}.")
    part = out.with_name(f"{out.name}.part")
    size = source.stat().st_size
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as file:
        _lock(file, part)
        done = _begin(part, _header(linker, source))
        lines = islice(read_lines(source), done, None)
        with closing(ENGINES[engine](linker, batches(lines), jobs)) as found:
            for batch, written in found:
                file.write("".join(written).encode())
                file.flush()
                done += len(batch)
                if progress is not None:
                    progress(done, batch[-1].end, size)
        os.fsync(file.fileno())
    os.replace(part, out)
    _header_of(part).unlink()
    return done


def read_lines(source: Path) -> Iterator[Line]:
    """Stream the texts of a file.

    Raises:
        ValueError: A line is not UTF-8, or no JSON object with a ``text``; the message names it.
    """
    suffixes = [suffix for suffix in source.suffixes if suffix != ".gz"]
    is_json = suffixes[-1:] in ([".jsonl"], [".ndjson"])
    with source.open("rb") as raw:
        file: IO[bytes] = gzip.GzipFile(fileobj=raw) if source.suffix == ".gz" else raw  # type: ignore[assignment]
        for number, line in enumerate(file, 1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
                if number == 1 and not suffixes and not source.is_file():
                    is_json = text.startswith('{"')  # a pipe has no name to say so
                if text.strip():
                    fields = _fields(text) if is_json else {"text": text}
                    yield Line(fields["text"], fields, raw.tell() if raw.seekable() else 0)
            except UnicodeDecodeError as error:
                what = f"not UTF-8 ({error.reason}; convert the file, say with iconv)"
                raise ValueError(f"{source}, line {number}: {what}.") from None
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{source}, line {number}: {error}") from None


def as_line(fields: dict[str, Any], mentions: Sequence[Mention]) -> str:
    """Return a text and its mentions as one line of JSON; the data set ``jsonl`` reads it."""
    found = [
        {"start": m.start, "end": m.end, "entity": m.entity, "score": round(float(m.score), 4)}
        for m in mentions
    ]
    record = {**fields, "mentions": found}
    line = json.dumps(record, ensure_ascii=False)
    if has_surrogate(line):  # which UTF-8 cannot hold, and an escape can
        line = json.dumps(record)
    return f"{line}\n"


def _fields(text: str) -> dict[str, Any]:
    fields = json.loads(text)
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise ValueError(f"a line is a JSON object with a string 'text'; got {text[:60]!r}.")
    return fields


def batches(lines: Iterable[Line]) -> Iterator[Batch]:
    batch, characters = Batch(), 0
    for line in lines:
        batch.append(line)
        characters += len(line.text)
        if len(batch) == BATCH_TEXTS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


# -- going on where it stopped --------------------------------------------------------------------


def _header(linker: BaseLinker, source: Path) -> dict[str, Any]:
    """Return what must be the same for the lines of two runs to fit together."""
    state = source.stat()
    return {
        "graph": linker.graph.fingerprint,
        "linker": repr(linker),
        "source": {"bytes": state.st_size, "modified": state.st_mtime_ns},
    }


def _header_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _begin(part: Path, header: dict[str, Any]) -> int:
    """Return how many lines are done; what was cut off in the middle of a line is taken away."""
    path = _header_of(part)
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = None
    if known is not None and known != header:
        different = " and ".join(name for name in header if known.get(name) != header[name])
        raise ValueError(
            f"{part} was begun with another {different}. Remove it to begin anew, or name another "
            "file for the output."
        )
    if known is None:
        part.write_bytes(b"")
        replace_file(path, json.dumps(header).encode())
        return 0
    return _whole_lines(part)


def _lock(file: IO[bytes], part: Path) -> None:
    """Refuse a second process that would write between the lines of this one."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(
            f"Another process is writing {part}; wait for it, or name another file for the output."
        ) from None


def _whole_lines(part: Path) -> int:
    count = kept = 0
    with part.open("r+b") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            count, kept = count + 1, kept + len(line)
        file.truncate(kept)
    return count


# -- engines --------------------------------------------------------------------------------------

_linker: BaseLinker | None = None  # of a worker process


def _start_worker(linker: BaseLinker) -> None:
    import signal

    global _linker
    _linker = linker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer


def _link_in_worker(batch: list[dict[str, Any]]) -> list[str]:
    assert _linker is not None
    return link_batch(_linker, batch)


def link_batch(linker: BaseLinker, batch: list[dict[str, Any]]) -> list[str]:
    found = linker.link([fields["text"] for fields in batch])
    return [as_line(fields, mentions) for fields, mentions in zip(batch, found, strict=True)]


def _fields_of(batch: Batch) -> list[dict[str, Any]]:
    return [line.fields for line in batch]


def _processes(linker: BaseLinker, batches: Iterator[Batch], jobs: int) -> Linked:
    if jobs == 1:
        for batch in batches:
            yield batch, link_batch(linker, _fields_of(batch))
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _start_worker, (linker,))
    try:
        yield from _in_order(
            batches,
            lambda batch: pool.submit(_link_in_worker, _fields_of(batch)).result,
            jobs * AHEAD,
        )
    except BrokenProcessPool:
        raise OSError(
            "A process died, perhaps for want of memory. The same command goes on where this one "
            "stopped; take fewer --jobs."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _ray(linker: BaseLinker, batches: Iterator[Batch], jobs: int) -> Linked:
    """Link on a ray cluster: the one that RAY_ADDRESS names, else one started on this machine.

    The graph's snapshot must be at the same path on every node.
    """
    try:
        import ray
    except ImportError:
        raise ImportError('The engine "ray" needs ray: pip install "kgfm[ray]".') from None
    began = not ray.is_initialized()
    if began:
        local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": jobs}
        ray.init(include_dashboard=False, log_to_driver=False, **local)
    try:
        shared = ray.put(linker)
        task = ray.remote(link_batch)

        def start(batch: Batch) -> Callable[[], list[str]]:
            reference = task.remote(shared, _fields_of(batch))
            return lambda: ray.get(reference)

        yield from _in_order(batches, start, jobs * AHEAD)
    finally:
        if began:
            ray.shutdown()


def _in_order(
    batches: Iterator[Batch], start: Callable[[Batch], Callable[[], list[str]]], ahead: int
) -> Linked:
    """Yield the results in the order of the batches, of which ``ahead`` are under way at most."""
    under_way: deque[tuple[Batch, Callable[[], list[str]]]] = deque()
    for batch in batches:
        under_way.append((batch, start(batch)))
        if len(under_way) >= ahead:
            first, result = under_way.popleft()
            yield first, result()
    while under_way:
        first, result = under_way.popleft()
        yield first, result()


ENGINES: dict[str, Engine] = {"processes": _processes, "ray": _ray}
"""What runs the batches."""
