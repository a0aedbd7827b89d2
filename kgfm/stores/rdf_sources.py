"""RDF documents wherever they are: files, packed or in archives, streams, addresses."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from kgfm.stores.rdf_terms import FORMATS, format_of

# A packed file may grow by this factor, or to this size; RDF shrinks to a tenth or a fiftieth.
MAX_RATIO, FREE_SIZE = 200, 64 << 20
PACKED = (".gz", ".bz2", ".xz", ".zst")
ARCHIVES = (".zip", ".tar", ".tgz", ".tbz2", ".txz")
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile)


@dataclass
class Sources:
    """The documents that a user names, one after the other.

    Args:
        given: Files, addresses or streams.
        format: Of all of them, where names do not tell.
        allow_remote: Hosts from which something may be fetched.

    Attributes:
        origin: Name and hash of each file or stream, so far as they have been reached.
    """

    given: Iterable[Any] = ()
    format: str | None = None
    allow_remote: Collection[str] = ()
    origin: list[dict[str, str]] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[BufferedIOBase, str, str]]:
        """Yield the stream of each document, its format and its name."""
        for one in self.given:
            with ExitStack() as stack:
                stream, name = self._opened(one, stack)
                shown = name if "://" in name else Path(name).name
                self.origin.append({"file": shown, "sha256": _hash(stream)})
                for document, suffix, path in self._documents(stream, name):
                    if suffix == "jsonld" and self.allow_remote:
                        from kgfm.stores.rdf_remote import with_contexts

                        document = with_contexts(document, path, self.allow_remote)
                    yield document, suffix, path

    def _opened(self, one: Any, stack: ExitStack) -> tuple[BufferedIOBase, str]:
        if hasattr(one, "read"):
            name = getattr(one, "name", None)
            return _seekable(one, stack), name if isinstance(name, str) else "the stream"
        if isinstance(one, str) and "://" in one:
            from kgfm.stores.rdf_remote import fetched

            file = _temporary(stack)
            return file, fetched(one, self.allow_remote, file)
        path = Path(one)
        if not self.format:  # before anything is read
            _check_name(path.name)
        return _seekable(stack.enter_context(path.open("rb")), stack), str(path)

    def _documents(
        self, stream: BufferedIOBase, name: str, allowance: int = 0
    ) -> Iterator[tuple[BufferedIOBase, str, str]]:
        """Yield what a file holds; ``allowance`` is that of the archive which it is in, if any."""
        in_archive, allowance = bool(allowance), allowance or _allowance(stream)
        with _named_damage(name), ExitStack() as stack:
            unpacked, bare = _unpacked(stream, stack), name
            if unpacked is not None:
                stream = io.BufferedReader(_Bounded(unpacked, name, allowance))
                bare = name.removesuffix(_packing(name))
            if _starts_with(stream, b"PK\x03\x04") and not in_archive:
                yield from self._zipped(stream, name, allowance)
            elif _starts_with(stream, b"ustar", at=257) and not in_archive:
                yield from self._tarred(stream, name, allowance)
            else:
                yield stream, format_of(bare, self.format), name

    def _zipped(
        self, stream: BufferedIOBase, name: str, allowance: int
    ) -> Iterator[tuple[BufferedIOBase, str, str]]:
        with zipfile.ZipFile(stream) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if sum(member.file_size for member in members) > allowance:
                raise _too_large(name, allowance)
            members = [member for member in members if self._is_wanted(name, member.filename)]
            _refuse_none(members, name)
            for member in members:
                if member.external_attr >> 28 == 0o12:
                    raise _refused(name, member.filename, "is a link")
                if member.flag_bits & 1:
                    raise _refused(name, member.filename, "is encrypted")
                with archive.open(member) as opened:
                    inner = cast(BufferedIOBase, opened)
                    yield from self._documents(inner, f"{name}/{member.filename}", allowance)

    def _tarred(
        self, stream: BufferedIOBase, name: str, allowance: int
    ) -> Iterator[tuple[BufferedIOBase, str, str]]:
        found, total = [], 0
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            for member in archive:
                if member.isdir() or not self._is_wanted(name, member.name):
                    continue
                if not member.isreg() or member.issparse():
                    raise _refused(name, member.name, "is a link or no ordinary file")
                total += member.size
                if total > allowance:
                    raise _too_large(name, allowance)
                found.append(member.name)
                opened = cast(BufferedIOBase, archive.extractfile(member))
                yield from self._documents(opened, f"{name}/{member.name}", allowance)
        _refuse_none(found, name)

    def _is_wanted(self, archive: str, member: str) -> bool:
        """Say whether a member of an archive is RDF; refuse one that would lie outside."""
        path = PurePosixPath(member.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]):
            raise _refused(archive, member, "points out of the archive")
        return path.name.removesuffix(_packing(path.name)).rpartition(".")[2].lower() in FORMATS


class _Bounded(io.RawIOBase):
    """What comes out of a packed file, up to a size; seeks as that does."""

    def __init__(self, stream: BufferedIOBase, name: str, allowance: int) -> None:
        super().__init__()
        self._stream, self._name, self._allowance = stream, name, allowance

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _named_damage(self._name):
            block = self._stream.read(len(buffer))
        buffer[: len(block)] = block
        if self._stream.tell() > self._allowance:
            raise _too_large(self._name, self._allowance)
        return len(block)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, place: int, whence: int = 0) -> int:
        return self._stream.seek(place, whence)


def unpacked_file(path: Path, stack: ExitStack) -> BufferedIOBase:
    """Open a file, unpacking it as it is read; one that grows beyond measure is refused.

    A pipe is copied to disk first, since what it holds shows in its beginning.
    """
    stream = _seekable(stack.enter_context(path.open("rb")), stack)
    packed = _unpacked(stream, stack)
    if packed is None:
        return stream
    return io.BufferedReader(_Bounded(packed, str(path), _allowance(stream)))


def _unpacked(stream: BufferedIOBase, stack: ExitStack) -> BufferedIOBase | None:
    """Return the stream that a packed one holds, ``None`` if it is not packed."""
    if _starts_with(stream, b"\x1f\x8b"):
        return stack.enter_context(gzip.GzipFile(fileobj=stream))
    if _starts_with(stream, b"BZh"):
        return stack.enter_context(bz2.BZ2File(stream))
    if _starts_with(stream, b"\xfd7zXZ\x00"):
        return stack.enter_context(lzma.LZMAFile(cast(IO[bytes], stream)))
    if _starts_with(stream, b"\x28\xb5\x2f\xfd"):
        return io.BufferedReader(_Zstandard(stream))
    return None


class _Zstandard(io.RawIOBase):
    """A Zstandard stream that can be read again from the start."""

    def __init__(self, stream: BufferedIOBase) -> None:
        super().__init__()
        self._stream = stream
        self.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._unpacked.read(len(buffer))
        buffer[: len(block)] = block
        self._place += len(block)
        return len(block)

    def tell(self) -> int:
        return self._place

    def seek(self, place: int, whence: int = 0) -> int:
        import pyarrow

        self._stream.seek(0)
        lent = io.BufferedReader(_Bounded(self._stream, "", sys.maxsize))  # pyarrow closes it
        self._unpacked: Any = pyarrow.CompressedInputStream(lent, "zstd")
        self._place = 0
        while self._place < place and self.read(min(1 << 18, place - self._place)):
            pass
        return self._place


def _seekable(stream: Any, stack: ExitStack) -> BufferedIOBase:
    """Return a stream of bytes that can go back to its start; one that cannot is copied to disk."""
    if isinstance(stream, BufferedIOBase) and stream.seekable() and stream.tell() == 0:
        return stream
    copy = _temporary(stack)
    while block := stream.read(1 << 16):
        copy.write(block.encode() if isinstance(block, str) else block)
    copy.seek(0)
    return copy


def _temporary(stack: ExitStack) -> BufferedIOBase:
    return cast(BufferedIOBase, stack.enter_context(tempfile.TemporaryFile()))


def _starts_with(stream: BufferedIOBase, magic: bytes, at: int = 0) -> bool:
    stream.seek(0)
    start = stream.read(at + len(magic))
    stream.seek(0)
    return start[at:] == magic


def _allowance(stream: BufferedIOBase) -> int:
    """Return how large a file may become when it is unpacked."""
    size = stream.seek(0, 2)
    stream.seek(0)
    return max(FREE_SIZE, MAX_RATIO * size)


def _hash(stream: BufferedIOBase) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    stream.seek(0)
    return digest.hexdigest()


def _packing(name: str) -> str:
    """Return the suffix that says how a file is packed, or nothing."""
    suffix = Path(name).suffix
    return suffix if suffix.lower() in PACKED else ""


def _check_name(name: str) -> None:
    bare = name.removesuffix(_packing(name))
    if not bare.lower().endswith(ARCHIVES):
        format_of(bare, None)


def _refuse_none(members: Collection[Any], name: str) -> None:
    if not members:
        raise ValueError(f"{name} holds no RDF: none of its members ends in a known suffix.")


def _refused(archive: str, member: str, why: str) -> ValueError:
    return ValueError(
        f"{archive} is refused: its member {member[:200]!r} {why}. Unpack it yourself if you trust "
        "it, and give the files."
    )


def _too_large(name: str, allowance: int) -> ValueError:
    return ValueError(
        f"{name} is refused: unpacked it has more than {allowance:,} bytes, {MAX_RATIO} times its "
        "size. Unpack it yourself if you trust it, and give the files."
    )


@contextmanager
def _named_damage(name: str) -> Iterator[None]:
    """Say which file is damaged."""
    try:
        yield
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(f"{name} is damaged or cut off ({error}); fetch it anew.") from None
    except NotImplementedError as error:
        raise ValueError(f"{name} cannot be unpacked: {error}.") from None
