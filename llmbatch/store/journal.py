"""The journal: an append-only file of the transactions that must outlive a power cut.

A frame is one transaction: a header, then its records as compressed JSON, by table and column.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import orjson
import pyarrow as pa

from llmbatch.core.errors import StoreError, UnwrittenError
from llmbatch.store import drafts, files

Columns = dict[str, list[Any]]
Tables = Mapping[str, Columns]

_MAGIC = b"LBFRAME1"
# Magic, frame number, packed and raw length of the payload, its checksum; then their checksum.
_HEADER = struct.Struct("<8sQQQI")
_SUM = struct.Struct("<I")
_HEAD = _HEADER.size + _SUM.size
# A third of zlib's time at its fastest, and smaller.
_CODEC = pa.Codec("zstd", compression_level=1)


class DamagedError(StoreError):
    """A store or a journal is damaged; `llmbatch repair` saves what the journal holds."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame lies and what its header says."""

    number: int
    start: int
    packed: int
    raw: int
    checksum: int

    @property
    def end(self) -> int:
        return self.start + _HEAD + self.packed


@dataclass(frozen=True, slots=True)
class Extent:
    """What a journal holds: whole frames `first` to `last` (0: none) up to the byte `end`.

    Of what follows, `torn` is the length in bytes; `beyond` is the newest number of a whole
    frame in it, 0 if there is none: then the rest is a frame that was never finished.
    """

    first: int
    last: int
    end: int
    torn: int
    beyond: int


def path_for(store: Path) -> Path:
    """The journal of a store: beside it."""
    return store.with_name("journal")


def encode(number: int, tables: Tables) -> bytes:
    """A frame as bytes."""
    raw = orjson.dumps(tables)
    packed: bytes = _CODEC.compress(raw, asbytes=True)
    header = _HEADER.pack(_MAGIC, number, len(packed), len(raw), zlib.crc32(packed))
    return b"".join((header, _SUM.pack(zlib.crc32(header)), packed))


def scan(path: Path, *, thorough: bool = False) -> Extent:
    """What the journal at `path` holds, by its headers; `thorough` reads every payload too."""
    with path.open("rb") as stream:
        return _extent(stream.fileno(), thorough=thorough)


class Journal:
    """The journal of a store that is open for writing."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self._stream = stream
        self._descriptor = stream.fileno()
        self._in_doubt = False
        self.extent = _extent(self._descriptor)
        self._next = self.extent.last + 1

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal at `path`; an empty one is created where there is none."""
        is_new = not path.exists()
        with _written(path):
            stream = drafts.append(path)
            # What is relied on from here on must be on the disk, whoever wrote it.
            os.fsync(stream.fileno())
            if is_new:
                # The state folder itself may be new, too.
                files.sync_folder(path.parent)
                files.sync_folder(path.parent.parent)
        return cls(path, stream)

    def close(self) -> None:
        self._stream.close()

    def cut(self) -> None:
        """Cut off a frame that was never finished."""
        with _written(self.path):
            os.ftruncate(self._descriptor, self.extent.end)
            os.fsync(self._descriptor)

    def append(self, tables: Tables) -> int:
        """Add a frame and sync it; returns its number.

        Until `confirm` has told that the store holds it too, no further frame is taken: the
        store would count it and never ask for the one before.
        """
        if self._in_doubt:
            raise UnwrittenError(f"{self.path}: the last commit failed; run the same command again")
        self._in_doubt = True
        frame = encode(self._next, tables)
        size = os.fstat(self._descriptor).st_size
        with _written(self.path):
            try:
                _write(self._descriptor, frame)
                os.fsync(self._descriptor)
            except OSError:
                os.ftruncate(self._descriptor, size)
                raise
        return self._next

    def confirm(self) -> None:
        """The store has committed the frame that was appended last."""
        self._in_doubt = False
        self._next += 1

    def follow(self, number: int) -> None:
        """Let the next frame have the number after `number`."""
        self._next = number + 1

    def frames(self, after: int) -> Iterator[tuple[Frame, dict[str, Columns]]]:
        """The frames with numbers above `after`. Raises StoreError at a damaged one."""
        for frame in _chain(self._descriptor, self.extent.end):
            if frame.number > after:
                yield frame, self._read(frame)

    def damaged(self) -> DamagedError:
        """The error for a journal that has lost frames which its store does not hold."""
        return DamagedError(
            f"{self.path}: the journal is damaged in the middle, and the store does not hold "
            f"all of it; to save what is whole: llmbatch repair {self.path.parent}"
        )

    def _read(self, frame: Frame) -> dict[str, Columns]:
        packed = os.pread(self._descriptor, frame.packed, frame.start + _HEAD)
        if zlib.crc32(packed) != frame.checksum:
            raise self.damaged()
        raw = _CODEC.decompress(packed, frame.raw, asbytes=True)
        tables: dict[str, Columns] = orjson.loads(raw)
        return tables


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwrittenError(
            f"{path}: cannot be written: {error.strerror}; what was committed is safe, "
            "run the same command again"
        ) from error


def _extent(descriptor: int, *, thorough: bool = False) -> Extent:
    size = os.fstat(descriptor).st_size
    first = last = former = None
    for frame in _chain(descriptor, size):
        if thorough and not _is_whole(descriptor, frame):
            break
        first, last, former = first or frame, frame, last
    # Each frame was synced before the next was begun: only the last one can have been torn.
    if last is not None and not thorough and not _is_whole(descriptor, last):
        last = former
    end = last.end if last else 0
    beyond = _newest_beyond(descriptor, end, size)
    return Extent(first.number if first and last else 0, _number(last), end, size - end, beyond)


def _number(frame: Frame | None) -> int:
    return frame.number if frame else 0


def _chain(descriptor: int, size: int) -> Iterator[Frame]:
    """Frames with sound headers, one after the other from the start, numbered without a gap."""
    former: Frame | None = None
    while frame := _frame(descriptor, former.end if former else 0, size):
        if former and frame.number != former.number + 1:
            return
        yield frame
        former = frame


def _frame(descriptor: int, start: int, size: int) -> Frame | None:
    header = os.pread(descriptor, _HEAD, start)
    if len(header) < _HEAD or _SUM.unpack_from(header, _HEADER.size)[0] != zlib.crc32(
        header[: _HEADER.size]
    ):
        return None
    magic, number, packed, raw, checksum = _HEADER.unpack_from(header)
    frame = Frame(number, start, packed, raw, checksum)
    return frame if magic == _MAGIC and frame.end <= size else None


def _is_whole(descriptor: int, frame: Frame) -> bool:
    payload = os.pread(descriptor, frame.packed, frame.start + _HEAD)
    return zlib.crc32(payload) == frame.checksum


def _newest_beyond(descriptor: int, start: int, size: int) -> int:
    """The highest number of a whole frame that lies anywhere after `start`; 0 if none does."""
    if start >= size:
        return 0
    newest = 0
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as content:
        place = content.find(_MAGIC, start)
        while place >= 0:
            frame = _frame(descriptor, place, size)
            whole = frame is not None and _is_whole(descriptor, frame)
            newest = max(newest, frame.number) if frame and whole else newest
            place = content.find(_MAGIC, frame.end if frame and whole else place + 1)
    return newest


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
