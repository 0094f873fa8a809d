"""Frames: what a journal is made of.

A frame is one transaction: a header, then its records as compressed JSON, by table and column.
Each has a link, a digest of its records and of the link before: two journals that agree in one
link have the same history up to there.
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
# What the first of all frames is linked to.
ORIGIN = bytes(_LINK_SIZE)
# A third of zlib's time at its fastest, and smaller.
_CODEC = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame lies and what its header says. `former` and `link` are None in one that was
    written before frames were linked."""

    number: int
    start: int
    payload: int
    packed: int
    raw: int
    checksum: int
    former: Link
    link: Link

    @property
    def end(self) -> int:
        return self.payload + self.packed

    def follows(self, other: "Frame") -> bool:
        linked = self.former is None or other.link is None or self.former == other.link
        return self.number == other.number + 1 and linked


@dataclass(frozen=True, slots=True)
class Extent:
    """What a journal holds: whole frames `first` to `last` (0: none) up to the byte `end`.

    Of what follows, `torn` is the length in bytes; `beyond` is the newest number of a whole
    frame in it, 0 if there is none: then the rest is a frame that was never finished, or one
    that was damaged. `link` is that of the frame `last`.
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


def encode(number: int, tables: Tables, former: bytes = ORIGIN) -> bytes:
    """A frame as bytes, linked to the one before."""
    raw = orjson.dumps(tables)
    packed: bytes = _CODEC.compress(raw, asbytes=True)
    link = blake2b(former + number.to_bytes(8, "little") + packed, digest_size=_LINK_SIZE).digest()
    checksum = zlib.crc32(packed)
    fields = (_MARK + _NEWEST, number, len(packed), len(raw), checksum, former, link)
    header = _HEADERS[_NEWEST].pack(*fields)
    return b"".join((header, _SUM.pack(zlib.crc32(header)), packed))


def link_of(frame: bytes) -> bytes:
    """The link of a frame that was just encoded."""
    size = _HEADERS[_NEWEST].size
    return frame[size - _LINK_SIZE : size]


def scan(path: Path) -> Extent:
    """What the journal at `path` holds; all of it is read."""
    with path.open("rb") as stream:
        return extent(stream.fileno())


def extent(descriptor: int) -> Extent:
    """What an open journal holds."""
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
    """All whole frames, wherever they lie: what is damaged between them is left out. Without
    `verified` their payloads are not read."""
    size = os.fstat(descriptor).st_size
    place = 0
    while place < size:
        frame = _frame(descriptor, place, size)
        if frame is not None and (not verified or is_whole(descriptor, frame)):
            yield frame
            place = frame.end
        else:
            place = _next_mark(descriptor, place + 1)


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
    former, link = links or (None, None)
    begin = start + shape.size + _SUM.size
    frame = Frame(number, start, begin, packed, raw, checksum, former, link)
    return frame if frame.end <= size else None


def _next_mark(descriptor: int, start: int) -> int:
    """Where a frame may begin next; the end of the file if nowhere."""
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
        place = content.find(_MARK, start)
        return place if place >= 0 else len(content)
