"""JSON text of any size, value by value, in little memory: where each value begins and ends.

Whether a value is right is for the JSON library to say. Only its brackets and strings are looked
at here, so a value with a fault within ends where it should.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from llmbatch.core.errors import UsageError
from llmbatch.core.records import RAW_LIMIT
from llmbatch.formats import lines
from llmbatch.formats.lines import Oversize

_CHUNK = 1024 * 1024
_MARK = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*")
_BRACKETS = re.compile(rb'[{}\[\]"]')
_ARRAY_OF_OBJECTS = re.compile(rb"\[[ \t\r\n]*\{")
_LOOK = 4096
_STRING = rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
# An object without others in it, as most records are: found at once, if all of it is held.
_FLAT = re.compile(rb'\{[^{}\[\]"]*(?:' + _STRING + rb'[^{}\[\]"]*)*\}')
_IN_STRING = re.compile(rb'["\\\n]')
_SCALAR_END = re.compile(rb"[ \t\r\n,:\]}{\[]")


class MalformedError(Exception):
    """The text is not JSON at this place."""


class JsonText:
    """A place in a stream of JSON. `name` stands in messages."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._held = stream.read(_CHUNK).removeprefix(_MARK)
        self._at = 0
        self._lines_before = self._counted = 0

    @property
    def line(self) -> int:
        """The line of the place, from 1."""
        self._count_lines()
        return 1 + self._lines_before

    def peek(self) -> bytes:
        """The next character that is no white space; nothing at the end."""
        while True:
            found = _SPACE.match(self._held, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._held):
                return self._held[self._at : self._at + 1]
            if not self._more():
                return b""

    def take(self, character: bytes) -> bool:
        """True if this character comes next; the place is then behind it."""
        is_next = self.peek() == character
        self._at += is_next
        return is_next

    def value(self, *, keep: bool = True) -> bytes:
        """The next value as it is written, an Oversize if it is too long to be held; nothing unless
        it is to be kept. Raises MalformedError for what is no value or does not end."""
        first = self.peek()
        if not first or first in b",:]}":
            raise MalformedError
        parts = self._brackets() if first in b'{["' else self._scalar()
        if not keep:
            for _ in parts:
                pass
            return b""
        held, size = [], 0
        for part in parts:
            size += len(part)
            if size <= lines.MAX_RECORD_BYTES:
                held.append(part)
        whole = b"".join(held)
        return whole if size <= lines.MAX_RECORD_BYTES else Oversize(whole[: RAW_LIMIT * 4])

    def members(self) -> Iterator[bytes]:
        """The keys of the object that comes next, as they are written. Whoever takes one has to
        take its value before the next one."""
        if not self.take(b"{"):
            raise MalformedError
        if self.take(b"}"):
            return
        while True:
            if self.peek() != b'"':
                raise MalformedError
            key = self.value()
            if not self.take(b":"):
                raise MalformedError
            yield key
            if self.take(b"}"):
                return
            if not self.take(b","):
                raise MalformedError

    def begins_with_object(self) -> bool:
        """True if an array comes next whose first element is an object."""
        self.peek()
        while self._at + _LOOK > len(self._held) and self._read_on():
            pass
        return _ARRAY_OF_OBJECTS.match(self._held, self._at) is not None

    def error(self, what: str) -> UsageError:
        """A fault of the whole input at this place."""
        return UsageError(f"{self._name}: line {self.line:,}: {what}")

    def _more(self) -> bool:
        """Drop what is behind, and read on. False at the end."""
        self._count_lines()
        self._counted = 0
        self._held = self._held[self._at :] + self._stream.read(_CHUNK)
        self._at = 0
        return bool(self._held)

    def _count_lines(self) -> None:
        self._lines_before += self._held.count(b"\n", self._counted, self._at)
        self._counted = self._at

    def _upto(self, end: int) -> bytes:
        part = self._held[self._at : end]
        self._at = end
        return part

    def _scalar(self) -> Iterator[bytes]:
        while True:
            found = _SCALAR_END.search(self._held, self._at)
            yield self._upto(found.start() if found else len(self._held))
            if found or not self._more():
                return

    def _brackets(self) -> Iterator[bytes]:
        """The parts of a string, or of an object or array up to its last bracket."""
        if flat := _FLAT.match(self._held, self._at):
            yield self._upto(flat.end())
            return
        depth, in_string, at = 0, False, self._at
        while True:
            found = (_IN_STRING if in_string else _BRACKETS).search(self._held, at)
            if found is None or (found[0] == b"\\" and found.end() == len(self._held)):
                yield self._upto(found.start() if found else len(self._held))
                if not self._read_on():
                    raise MalformedError
                at = self._at
                continue
            at = found.end()
            match found[0]:
                case b"\n":
                    raise MalformedError
                case b"\\":
                    at += 1
                case b'"':
                    in_string = not in_string
                case b"{" | b"[":
                    depth += 1
                case _:
                    depth -= 1
            if depth <= 0 and not in_string:
                yield self._upto(at)
                return

    def _read_on(self) -> bool:
        before = len(self._held) - self._at
        return self._more() and len(self._held) > before
