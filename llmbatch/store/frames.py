"""Frames, the parts of a journal.

A frame is one transaction: a header, then its records as compressed JSON, by table and column.
Each has a link, a digest of its records and of the link before: two journals that agree in one
link have the same history up to that frame.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

Columns = dict[str, list[Any]]
Tables = Mapping[str, Columns]
Link = bytes | None

_MARK = b"LBFRAME"
# By the digit that follows the mark: magic, frame number, packed and raw length of the payload,
# its checksum; since the second version also the link before and its own. Then their checksum.
_HEADERS = {b"1": struct.Struct("<8sQQQI"), b"2": struct.Struct("<8sQQQI16s16s")}
_NEWEST = b"2"
_SUM = struct.Struct("<I")
_LINK_SIZE = 16
# The link before the first of all frames.
ORIGIN = bytes(_LINK_SIZE)
# A third of zlib's time at its fastest, and smaller.
_CODEC = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, slots=True)
class Frame:
    """The place of a frame in the journal (bytes), and its header. `previous` is the link of the
    frame before; it and `link` are None in a frame of a version without links."""

    number: int
    start: int
    payload: int
    packed: int
    raw: int
    checksum: int
    previous: Link
    link: Link

    @property
    def end(self) -> int:
        return self.payload + self.packed

    def follows(self, other: "Frame") -> bool:
        linked = self.previous is None or other.link is None or self.previous == other.link
        return self.number == other.number + 1 and linked


@dataclass(frozen=True, slots=True)
class Extent:
    """The content of a journal: whole frames `first` to `last` (0: none) up to the byte `end`.

    `torn` is the length of the rest in bytes; `beyond` the newest number of a whole frame in that
    rest, or 0: then it is a frame that was never finished, or a damaged one. `link` is that of the
    frame `last`.
    """

    first: int
    last: int
    end: int
    torn: int
    beyond: int
    link: Link = field(default=None, compare=False)

    @property
    def newest(self) -> int:
        return max(self.last, self.beyond)


def encode(number: int, tables: Tables, previous: bytes = ORIGIN) -> bytes:
    """A frame as bytes, linked to the one before."""
    raw = orjson.dumps(tables)
    packed: bytes = _CODEC.compress(raw, asbytes=True)
    link = blake2b(
        previous + number.to_bytes(8, "little") + packed, digest_size=_LINK_SIZE
    ).digest()
    checksum = zlib.crc32(packed)
    fields = (_MARK + _NEWEST, number, len(packed), len(raw), checksum, previous, link)
    header = _HEADERS[_NEWEST].pack(*fields)
    return b"".join((header, _SUM.pack(zlib.crc32(header)), packed))


def link_of(frame: bytes) -> bytes:
    """The link of a frame that was just encoded."""
    size = _HEADERS[_NEWEST].size
    return frame[size - _LINK_SIZE : size]


def scan(path: Path) -> Extent:
    """Read all of the journal at `path`."""
    with path.open("rb") as stream:
        return extent(stream.fileno())


def extent(descriptor: int) -> Extent:
    """Read all of an open journal."""
    size = os.fstat(descriptor).st_size
    first = last = None
    beyond = 0
    for frame in whole(descriptor):
        is_next = frame.start == (last.end if last else 0) and not beyond
        if is_next and (last is None or frame.follows(last)):
            first, last = first or frame, frame
        else:
            beyond = max(beyond, frame.number)
    end = last.end if last else 0
    return Extent(
        first.number if first else 0,
        last.number if last else 0,
        end,
        size - end,
        beyond,
        last.link if last else None,
    )


def whole(descriptor: int, *, verified: bool = True) -> Iterator[Frame]:
    """All whole frames; damaged bytes between them are left out. Without
    `verified` their payloads are not read."""
    size = os.fstat(descriptor).st_size
    start = 0
    while start < size:
        frame = _frame(descriptor, start, size)
        if frame is not None and (not verified or is_whole(descriptor, frame)):
            yield frame
            start = frame.end
        else:
            start = _next_mark(descriptor, start + 1)


def frame_at(descriptor: int, start: int) -> Frame | None:
    """The frame that begins at this byte; None where none does, or not all of it is there yet."""
    frame = _frame(descriptor, start, os.fstat(descriptor).st_size)
    return frame if frame is not None and is_whole(descriptor, frame) else None


def is_whole(descriptor: int, frame: Frame) -> bool:
    return zlib.crc32(payload(descriptor, frame)) == frame.checksum


def payload(descriptor: int, frame: Frame) -> bytes:
    return os.pread(descriptor, frame.packed, frame.payload)


def decode(packed: bytes, frame: Frame) -> dict[str, Columns]:
    """The records of a whole frame."""
    tables: dict[str, Columns] = orjson.loads(_CODEC.decompress(packed, frame.raw, asbytes=True))
    return tables


def _frame(descriptor: int, start: int, size: int) -> Frame | None:
    """The frame whose sound header is at `start`."""
    most = max(shape.size for shape in _HEADERS.values()) + _SUM.size
    found = os.pread(descriptor, most, start)
    shape = _HEADERS.get(found[len(_MARK) : len(_MARK) + 1])
    if not found.startswith(_MARK) or shape is None or len(found) < shape.size + _SUM.size:
        return None
    if _SUM.unpack_from(found, shape.size)[0] != zlib.crc32(found[: shape.size]):
        return None
    _, number, packed, raw, checksum, *links = shape.unpack_from(found)
    previous, link = links or (None, None)
    begin = start + shape.size + _SUM.size
    frame = Frame(number, start, begin, packed, raw, checksum, previous, link)
    return frame if frame.end <= size else None


def _next_mark(descriptor: int, start: int) -> int:
    """The next byte at which a frame may begin, or the end of the file."""
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
        found = content.find(_MARK, start)
        return found if found >= 0 else len(content)
