"""An input as lines of UTF-8, whatever its encoding and line ends, as often as they are needed."""

from collections.abc import Iterator
from typing import BinaryIO

from llmbatch.formats import encodings, lines
from llmbatch.formats.encodings import Encoding


class TextSource:
    """The text of a stream. One that cannot be read twice is taken for UTF-8, line by line."""

    def __init__(self, stream: BinaryIO, name: str, encoding: str | None) -> None:
        self._stream = stream
        self._name = name
        self.can_rewind = stream.seekable()
        self._encoding = Encoding("utf-8")
        self._by_returns = False
        if self.can_rewind:
            self._encoding = encodings.find(stream, name, encoding)
            self._by_returns = lines.has_returns_only(self.stream())

    @property
    def found(self) -> list[str]:
        """The words for what was found out of the encoding and the line ends; none for UTF-8."""
        found = [self._encoding.found] if self._encoding.found else []
        return found + ["carriage returns as line ends"] * self._by_returns

    def lines(self) -> Iterator[bytes]:
        """The physical lines from the beginning; those asked for before are of no use any more."""
        return lines.physical_lines(self.stream(), self._name, by_returns=self._by_returns)

    def stream(self) -> BinaryIO:
        """The text from the beginning, as a stream of UTF-8."""
        if not self.can_rewind:
            return self._stream
        return encodings.as_utf8(self._stream, self._encoding.name)
