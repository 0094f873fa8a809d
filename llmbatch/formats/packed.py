"""Input files, packed or not: what packs one is known by its content and not by its name.

A packed file is unpacked as it is read, and can be read again from its beginning. Damage, and an
archive that cannot be unpacked, is a UsageError that names the file.
"""

import bz2
import gzip
import io
import lzma
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BUFFER = 1024 * 1024
SUFFIXES = (".gz", ".bz2", ".zst", ".zstd", ".xz", ".lzma", ".zip")
"""The ends of the names of packed files."""

_ZIP_MAGIC = b"PK\x03\x04"
# A file may be packed again; more often than this only to do harm.
_MOST_LAYERS = 3


def _open_zstd(packed: BinaryIO) -> BinaryIO:
    import pyarrow as pa

    lent = pa.PythonFile(_Lent(packed), mode="r")
    return io.BufferedReader(_Arrow(pa.CompressedInputStream(lent, "zstd")), BUFFER)


@dataclass(frozen=True, slots=True)
class _Packing:
    """A way to pack one file: its name, the bytes with which such a file begins, its reader."""

    name: str
    begins: re.Pattern[bytes]
    open: Callable[[BinaryIO], Any]


_PACKINGS = (
    _Packing("gzip", re.compile(rb"\x1f\x8b"), lambda file: gzip.GzipFile(fileobj=file, mode="rb")),
    _Packing("bzip2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.BZ2File),
    _Packing("xz", re.compile(rb"\xfd7zXZ\x00|\x5d\x00\x00"), lzma.LZMAFile),
    _Packing("zstd", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), _open_zstd),
)


def open_input(path: str, member: str | None = None) -> BinaryIO:
    """Open a file for reading, unpacked, or a member of a zip archive.

    Raises UsageError when it cannot be opened; damaged data raises UsageError while reading.
    """
    try:
        stream: BinaryIO = io.BufferedReader(io.FileIO(path), BUFFER)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    if member is not None:
        stream = _open_member(stream, path, member)
        path = f"{path}/{member}"
    try:
        return _unpacked(stream, path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error


def open_stream(stream: BinaryIO, name: str) -> BinaryIO:
    """The unpacked content of a stream that can be read again; it is the result's to close."""
    return _unpacked(stream, name)


def members(path: str) -> list[str] | None:
    """The names of the files in a zip archive, sorted, without hidden ones; None for a file that is
    none. Raises UsageError for a damaged archive."""
    with open_input(path) as stream:
        if head(stream, 4) != _ZIP_MAGIC:
            return None
        with _archive(stream, path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
    return sorted(name for name in names if not _is_hidden(name))


def head(stream: BinaryIO, size: int) -> bytes:
    """The first bytes of a stream, which is left at its beginning."""
    stream.seek(0)
    found = stream.read(size)
    stream.seek(0)
    return found


def is_packed(stream: BinaryIO) -> bool:
    """True for a stream in which going back costs as much as reading anew."""
    return isinstance(getattr(stream, "raw", None), _Unpacked)


def as_file(stream: BinaryIO) -> BinaryIO:
    """A stream that can be read anywhere: what is unpacked on the way goes to a file first."""
    if stream.seekable() and not is_packed(stream):
        return stream
    kept = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the reader)
    with stream:
        shutil.copyfileobj(stream, kept)
    kept.seek(0)
    return kept


def _is_hidden(name: str) -> bool:
    parts = name.split("/")
    return parts[0] == "__MACOSX" or any(part.startswith(".") for part in parts)


def _archive(stream: BinaryIO, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise _damaged(name, "zip", error) from error


def _open_member(stream: BinaryIO, path: str, member: str) -> BinaryIO:
    # The archive may itself be packed, as a part of what is read.
    whole = _unpacked(stream, path)
    archive = _archive(whole, path)
    name = f"{path}/{member}"
    return io.BufferedReader(
        _Unpacked(lambda: _member(archive, member, name), whole, name, "zip"), BUFFER
    )


def _member(archive: zipfile.ZipFile, member: str, name: str) -> Any:
    try:
        return archive.open(member)
    except RuntimeError as error:  # of the password, or of a way to pack
        raise UsageError(f"{name}: cannot be unpacked ({error}): unpack it with 7z x") from error
    except (KeyError, zipfile.BadZipFile) as error:
        raise _damaged(name, "zip", error) from error


def _unpacked(stream: BinaryIO, name: str) -> BinaryIO:
    for _ in range(_MOST_LAYERS):
        begin = head(stream, 16)
        packing = next((known for known in _PACKINGS if known.begins.match(begin)), None)
        if packing is None:
            break
        stream = io.BufferedReader(_layer(packing, stream, name), BUFFER)
    return stream


def _layer(packing: _Packing, below: BinaryIO, name: str) -> "_Unpacked":
    def begin() -> Any:
        below.seek(0)
        return packing.open(below)

    return _Unpacked(begin, below, name, packing.name)


class _Unpacked(io.RawIOBase):
    """Packed data as a raw stream whose errors name the file. Going back begins anew."""

    def __init__(self, begin: Callable[[], Any], below: BinaryIO, name: str, packing: str) -> None:
        self._begin = begin
        self._below = below
        self._name = name
        self._packing = packing
        self._file = begin()
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        try:
            size: int = self._file.readinto(buffer)
        except EOFError as error:
            raise UsageError(
                f"{self._name}: the {self._packing} data ends too early: fetch the whole file again"
            ) from error
        except _FAULTS as error:
            raise _damaged(self._name, self._packing, error) from error
        self._position += size
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence == io.SEEK_CUR:
            offset += self._position
        if whence == io.SEEK_END:
            while self.read(BUFFER):
                pass
            offset += self._position
        if offset < self._position:
            self._file = self._begin()
            self._position = 0
        while (left := offset - self._position) > 0 and self.read(min(left, BUFFER)):
            pass
        return self._position

    def close(self) -> None:
        self._below.close()
        super().close()


_FAULTS = (zlib.error, lzma.LZMAError, zipfile.BadZipFile, OSError)


def _damaged(name: str, packing: str, error: Exception) -> UsageError:
    reason = " ".join(str(error).split())
    return UsageError(f"{name}: the {packing} data is damaged ({reason}): fetch the file again")


class _Lent:
    """A stream to read from, which its borrower cannot close: Arrow does when it is done."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """The stream stays open."""


class _Arrow(io.RawIOBase):
    """A stream of Arrow's as a raw one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        try:
            found: bytes = self._stream.read(len(view))
        except ValueError as error:
            raise OSError(str(error)) from error
        view[: len(found)] = found
        return len(found)
