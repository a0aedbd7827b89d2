"""What a parser may read: documents whose depth and entities stay within bounds.

A few hundred bytes of nested XML entities become gigabytes, XML nested some thousand times takes
quadratic time, and JSON-LD or triple terms nested so overflow the parser's stack and kill the
process. So the bytes pass here first, block by block.
"""

from __future__ import annotations

import io
import re
from io import BufferedIOBase
from typing import Any, NoReturn
from xml.parsers import expat

import numpy as np

# Levels of brackets or elements; what people write does not come near.
MAX_DEPTH = 200
# Longest text that an XML entity may stand for, and how much all of them may add to a document.
_ENTITY, _EXPANSION, _TIMES = 4096, 8 << 20, 16
_BLOCK = 1 << 18
_BOM = b"\xef\xbb\xbf"
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[({")] = 1
_STEP[list(b"])}")] = -1


def guarded(stream: BufferedIOBase, suffix: str, name: str) -> BufferedIOBase:
    """Return the stream behind the guard that its format needs, without a byte order mark.

    Reading from it raises ``ValueError``, with the line, where a bound is passed.
    """
    kinds: dict[str, type[_Guard]] = {"rdf": _Xml, "jsonld": _Json, "nt": _Lines, "nq": _Lines}
    guard = kinds.get(suffix, _Turtle)(stream, name)
    return io.BufferedReader(_Guarded(stream, guard), _BLOCK)


class _Guarded(io.RawIOBase):
    """A stream whose blocks are shown to a guard before anyone gets them."""

    def __init__(self, stream: BufferedIOBase, guard: _Guard) -> None:
        super().__init__()
        self._stream, self._guard = stream, guard
        self._at_start, self._at_end = True, False
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._at_end:
            block = self._stream.read(len(buffer))
            if self._at_start:
                block = block.removeprefix(_BOM)
                self._at_start = False
            self._guard.see(block)
            self._at_end = not block
            self._ready = self._guard.passed(block)
        block, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(block)] = block
        return len(block)


class _Guard:
    """Watches the blocks of one document."""

    def __init__(self, stream: BufferedIOBase, name: str) -> None:
        self.stream, self.name = stream, name
        self.depth, self.line = 0, 1

    def see(self, block: bytes) -> None:
        """Take in the next block; an empty one ends the document."""
        raise NotImplementedError

    def passed(self, block: bytes) -> bytes:
        """Return what the parser gets of a block that was seen, and of what was held back."""
        return block

    def refuse(self, line: int) -> NoReturn:
        raise ValueError(
            f"{self.name}, line {line}: nested more than {MAX_DEPTH} levels deep. Give the inner "
            "parts names of their own."
        )


NO_LANGUAGE = "x-kgfm-none"
"""Stands for ``xml:lang=""``, by which a text has no language whatever holds around it (XML 1.0,
sec. 2.12), and which the parser refuses."""
_EMPTY_LANGUAGE = re.compile(rb"""(\sxml:lang\s*=\s*)(?:""|'')""")


class _Xml(_Guard):
    """RDF/XML: short entities for namespaces and the like pass, others do not.

    An empty language is written out as :data:`NO_LANGUAGE`.
    """

    def __init__(self, stream: BufferedIOBase, name: str) -> None:
        super().__init__(stream, name)
        self._parser = expat.ParserCreate()
        self._parser.EntityDeclHandler = self._define
        self._parser.StartElementHandler = self._open
        self._parser.EndElementHandler = self._close
        self._longest = self._uses = self._size = 0
        self._held, self._place = b"", 0
        self._empty: list[int] = []

    def passed(self, block: bytes) -> bytes:
        """Return the block up to where a tag is not whole."""
        text = self._held + block
        end = text.rfind(b"<") if block else -1
        end = len(text) if end < 0 or b">" in text[end:] else end
        parts, done = [], 0
        for place in self._empty:
            tag = _EMPTY_LANGUAGE.search(text, place - self._place, end)
            if tag is not None:
                parts += [text[done : tag.end(1)], b'"%s"' % NO_LANGUAGE.encode()]
                done = tag.end()
        self._empty.clear()
        self._held = text[end:]
        self._place += end
        return b"".join([*parts, text[done:end]])

    def see(self, block: bytes) -> None:
        try:
            self._parser.Parse(block, not block)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise ValueError(f"{self.name}, line {error.lineno}: {reason}.") from None
        self._size += len(block)
        self._uses += block.count(b"&") if self._longest else 0
        if self._uses * self._longest > max(_EXPANSION, _TIMES * self._size):
            raise ValueError(
                f"{self.name} uses its XML entities so often that they make up most of it; "
                "convert the file to Turtle."
            )

    def _define(self, name: str, parameter: int, value: str | None, *_: Any) -> None:
        if parameter or value is None or "&" in value or "%" in value or len(value) > _ENTITY:
            raise ValueError(
                f"{self.name}, line {self._parser.CurrentLineNumber}: the XML entity {name!r} is "
                "made of others, comes from elsewhere or is too long, so the file could grow "
                "without bound. Write the text itself, or convert the file to Turtle."
            )
        self._longest = max(self._longest, len(value))

    def _open(self, _: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if attributes.get("xml:lang") == "":
            self._empty.append(self._parser.CurrentByteIndex)
        if self.depth > MAX_DEPTH:
            self.refuse(self._parser.CurrentLineNumber)

    def _close(self, _: str) -> None:
        self.depth -= 1


_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"')
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_NOT_IN_JSON = bytes({*range(256)} - {*b"[]{}\n"})
_NOT_IN_TURTLE = bytes({*range(256)} - {*b"[](){}"})


class _Lines(_Guard):
    """N-Triples and N-Quads, where only a triple term can nest, and only within a line."""

    def __init__(self, stream: BufferedIOBase, name: str) -> None:
        super().__init__(stream, name)
        self._rest = b""
        self._before = 0

    def see(self, block: bytes) -> None:
        if self._rest or self._before or b"<<" in block:
            *lines, self._rest = (self._rest + block).split(b"\n")
            for number, line in enumerate(lines):
                self._check(line, self.line + number)
                self._before = 0
            if b"<<" not in self._rest:
                self._rest = b""
            elif len(self._rest) > _BLOCK:  # a line without end is counted as it comes
                self._check(self._rest, self.line + len(lines))
                self._before += self._rest.count(b"<<")
                self._rest = b""
        self.line += block.count(b"\n")

    def _check(self, line: bytes, number: int) -> None:
        if self._before + line.count(b"<<") > MAX_DEPTH and (
            self._before or _STRING.sub(b"", line).count(b"<<") > MAX_DEPTH
        ):
            self.refuse(number)


# A map by type, id or index has no meaning on another name for a keyword; the parser makes
# predicates of what stands in it.
_KEYWORD, _CONTAINER = rb'"@id"\s*:\s*"(@[a-z]+)"', rb'"@container"\s*:'
_MAP_OF_KEYWORD = re.compile(
    rb"%s[^{}]{0,500}%s|%s[^{}]{0,500}%s" % (_KEYWORD, _CONTAINER, _CONTAINER, _KEYWORD)
)
_OVERLAP = 1000


class _Json(_Guard):
    """JSON-LD: the brackets outside of strings, and what the parser would read wrongly."""

    def __init__(self, stream: BufferedIOBase, name: str) -> None:
        super().__init__(stream, name)
        self._in_string = False
        self._rest = self._tail = b""

    def see(self, block: bytes) -> None:
        text = self._tail + block
        if b"@container" in text and (found := _MAP_OF_KEYWORD.search(text)):
            keyword = (found[1] or found[2]).decode()
            line = self.line - self._tail.count(b"\n") + text.count(b"\n", 0, found.start())
            raise ValueError(
                f"{self.name}, line {line}: a term stands for {keyword} and has a @container, and "
                "what it holds would be read wrongly. Write the nodes as a list under "
                f"{keyword}, each with its @id and @type."
            )
        self._tail = text[-_OVERLAP:]
        block = _ESCAPE.sub(b"", self._rest + block)
        self._rest = block[-1:] if block.endswith(b"\\") else b""
        parts = block.removesuffix(b"\\").split(b'"')
        brackets = b"".join(parts[self._in_string :: 2]).translate(None, _NOT_IN_JSON)
        self._in_string ^= len(parts) % 2 == 0
        depths = self.depth + np.cumsum(_STEP[np.frombuffer(brackets, np.uint8)], dtype=np.int64)
        if depths.max(initial=0) > MAX_DEPTH:
            self.refuse(self.line + brackets.count(b"\n", 0, int(np.argmax(depths > MAX_DEPTH))))
        self.depth = int(depths[-1]) if len(depths) else self.depth
        self.line += brackets.count(b"\n")


_TOKEN = re.compile(rb"""\"{3}|'{3}|["'#\n\[\](){}]|\\.|<<|>>|<(?=[^\s<=])""", re.DOTALL)
_ENDS = {
    b'"""': re.compile(rb'(?:[^"\\]++|\\.|"(?!""))*+"""', re.DOTALL),
    b"'''": re.compile(rb"(?:[^'\\]++|\\.|'(?!''))*+'''", re.DOTALL),
    b'"': re.compile(rb'(?:[^"\\\n]++|\\.)*+["\n]', re.DOTALL),
    b"'": re.compile(rb"(?:[^'\\\n]++|\\.)*+['\n]", re.DOTALL),
    b"<": re.compile(rb"[^>\s]*+[>\s]"),
    b"#": re.compile(rb"[^\n]*+\n"),
}
_UNDECIDED = re.compile(rb"""["'\\<>]*\Z""")


class _Turtle(_Guard):
    """Turtle, TriG and N3: brackets are counted wherever they stand, which is fast.

    Only where that count is high are strings, IRIs and comments told from the rest, from the first
    byte on.
    """

    def __init__(self, stream: BufferedIOBase, name: str) -> None:
        super().__init__(stream, name)
        self._exact = False
        self._quoted = 0
        self._inside = self._rest = b""

    def see(self, block: bytes) -> None:
        if self._exact:
            self._walk(block)
            return
        brackets = np.frombuffer(block.translate(None, _NOT_IN_TURTLE), np.uint8)
        depths = self.depth + np.cumsum(_STEP[brackets], dtype=np.int64)
        self.depth = int(depths[-1]) if len(depths) else self.depth
        self._quoted += block.count(b"<<")
        if max(depths.max(initial=0), self._quoted) > MAX_DEPTH:
            self._exact, self.depth = True, 0
            place = self.stream.tell()
            self.stream.seek(0)
            while seen := self.stream.read(min(_BLOCK, place - self.stream.tell())):
                self._walk(seen)

    def _walk(self, block: bytes) -> None:
        """Follow the brackets that open and close levels."""
        text = self._rest + block
        undecided = _UNDECIDED.search(text)
        end = undecided.start() if undecided and block else len(text)
        text, self._rest = text[:end], text[end:]
        place = 0
        while place < end:
            if self._inside:
                place = self._leave(text, place)
                continue
            token = _TOKEN.search(text, place)
            if token is None:
                break
            place = token.end()
            self._take(token[0])

    def _leave(self, text: bytes, place: int) -> int:
        """Return where the string, IRI or comment ends that ``place`` is inside of."""
        found = _ENDS[self._inside].match(text, place)
        after = len(text) if found is None else found.end()
        self.line += text.count(b"\n", place, after)
        if found is not None:
            self._inside = b""
        return after

    def _take(self, token: bytes) -> None:
        if token in _ENDS:
            self._inside = token
        elif token == b"\n":
            self.line += 1
        elif token in (b"[", b"(", b"{", b"<<"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                self.refuse(self.line)
        elif token[:1] != b"\\":
            self.depth = max(0, self.depth - 1)
