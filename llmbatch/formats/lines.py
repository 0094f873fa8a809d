"""Input as physical lines: their ends, encodings, and lines too long to hold."""

from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from llmbatch.core.errors import UsageError
from llmbatch.core.records import RAW_LIMIT

# The most bytes that one record may have. It bounds memory, and what a forgotten quote can cost.
MAX_RECORD_BYTES = 64 * 1024 * 1024

BUFFER = 1024 * 1024

_UTF8_MARK = b"\xef\xbb\xbf"
# Longer marks first: the UTF-32 one begins like the UTF-16 one.
_FOREIGN_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


class Oversize(bytes):
    """The beginning of a line longer than `MAX_RECORD_BYTES`; the rest was skipped."""


def physical_lines(stream: BinaryIO, name: str, *, by_returns: bool = False) -> Iterator[bytes]:
    """The lines of `stream` with their line ends, split at newlines only, or at carriage returns.

    A UTF-8 byte order mark is dropped. A line over the limit comes as `Oversize`.
    Raises UsageError for UTF-16 and UTF-32.
    """
    if by_returns:
        yield from _split_at_returns(stream)
        return
    limit = MAX_RECORD_BYTES
    head = stream.readline(limit + 1)
    _check_encoding(head, name)
    head = head.removeprefix(_UTF8_MARK)
    if head:
        yield _skip_rest(stream, head) if len(head) > limit else head
    for raw in iter(partial(stream.readline, limit + 1), b""):
        yield _skip_rest(stream, raw) if len(raw) > limit else raw


def has_returns_only(stream: BinaryIO) -> bool:
    """True for a text whose lines end as on the Mac of old; only such a one is read to its end."""
    found = False
    while chunk := stream.read(BUFFER):
        if b"\n" in chunk:
            return False
        found = found or b"\r" in chunk
    return found


def _split_at_returns(stream: BinaryIO) -> Iterator[bytes]:
    rest, is_first = b"", True
    while chunk := stream.read(BUFFER):
        *whole, rest = (rest + chunk).split(b"\r")
        for raw in whole:
            line = raw.removeprefix(_UTF8_MARK) + b"\r" if is_first else raw + b"\r"
            is_first = False
            yield Oversize(line[: RAW_LIMIT * 4]) if len(line) > MAX_RECORD_BYTES else line
    if rest:
        yield rest


def _check_encoding(head: bytes, name: str) -> None:
    for mark, encoding in _FOREIGN_MARKS:
        if head.startswith(mark):
            raise UsageError(f"{name}: is {encoding}, not UTF-8; leave --encoding out")


def _skip_rest(stream: BinaryIO, raw: bytes) -> Oversize:
    """Read to the end of an overlong line, keeping only its beginning."""
    last = raw
    while last and not last.endswith(b"\n"):
        last = stream.readline(BUFFER)
    return Oversize(raw[: RAW_LIMIT * 4])


def too_long() -> str:
    """The reason for which an overlong record is rejected."""
    return f"longer than {MAX_RECORD_BYTES // 1024 // 1024} MiB"
