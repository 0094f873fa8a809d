"""Texts that are too long for a table, in a file beside the store; the table has their places.

DuckDB holds 2,048 values of a column in memory at once, several times over when a transaction is
committed, and lets none of them go for its memory limit: 2,000 rows of 200 KB ended a run. So of a
long text a table holds only a part, by which it is found, sorted and shown.

A file belongs to one snapshot or plan, and is synced before these are committed. Like rows and
requests it is made again of the input when it is gone.
"""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llmbatch.core import drafts, exact_json, files
from llmbatch.core.errors import StoreError

LONG = 16_000
"""Characters from which on a text is long; 2,048 such texts are 32 MB."""
_KEPT = 12_000
# Of a value of a long record at least.
_LEAST = 16


@dataclass(frozen=True, slots=True)
class LongText:
    """The place of a text: a file, and the bytes from `at` on that hold it in UTF-8."""

    path: Path
    at: int
    size: int

    def read(self) -> str:
        """The text. Raises StoreError where it is gone."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.at)
                content = stream.read(self.size)
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}: {_CURE}") from error
        if len(content) < self.size:
            raise StoreError(f"{self.path}: ends too early: {_CURE}")
        return content.decode()


_CURE = "the rows' long texts are gone; the next run reads them from the input again"


def file_of(store: Path, what: str, number: int) -> Path:
    """The file of the long texts of a snapshot or plan (`what`)."""
    return store.with_name(f"texts.{what}-{number}")


def found(store: Path, what: str, number: int, text: str, at: int | None, size: int) -> str:
    """A text as it was, of what a table has of it. Raises StoreError where it is gone."""
    return text if at is None else LongText(file_of(store, what, number), at, size).read()


class Writer:
    """Puts long texts into a new file, which exists only if there are some. A context manager:
    after the block the file is synced."""

    def __init__(self, store: Path, what: str, number: int) -> None:
        self._path = file_of(store, what, number)
        self._stream: BinaryIO | None = None
        self._end = 0

    def __enter__(self) -> "Writer":
        self._path.unlink(missing_ok=True)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._stream is not None:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            files.sync_folder(self._path.parent)

    def put(self, text: str) -> tuple[int, int]:
        """Add a text; returns its place, `at` and the number of its bytes."""
        if self._stream is None:
            self._stream = drafts.create(self._path)
        content = text.encode()
        self._stream.write(content)
        at, self._end = self._end, self._end + len(content)
        return at, len(content)


def remove_others(store: Path, what: str, number: int) -> None:
    """Remove the files of former snapshots or plans."""
    kept = file_of(store, what, number)
    with suppress(OSError):
        for path in store.parent.glob(f"texts.{what}-*"):
            if path != kept:
                path.unlink(missing_ok=True)


def is_whole(store: Path, what: str, number: int, size: int | None) -> bool:
    """True if the file of a snapshot or plan has so many bytes at least (None: no long texts)."""
    try:
        return not size or file_of(store, what, number).stat().st_size >= size
    except OSError:
        return False


def short_record(data: str) -> str:
    """A long record with its long values cut short, or null if they are no texts."""
    record = exact_json.parse_record(data)
    most = max(_LEAST, _KEPT // len(record))
    return exact_json.dump_record({name: _short(value, most) for name, value in record.items()})


def _short(value: object, most: int) -> object:
    if isinstance(value, str):
        return value[:most]
    return None if len(exact_json.dump_record(value)) > most else value


def sort_text(messages: str) -> str:
    """The beginning of long messages, and digests of longer and longer beginnings: sorted by it,
    messages that begin alike come together."""
    lengths = [_KEPT]
    while lengths[-1] * 2 < len(messages):
        lengths.append(lengths[-1] * 2)
    digests = [hashlib.blake2b(messages[:n].encode(), digest_size=8).hexdigest() for n in lengths]
    return messages[:_KEPT] + "".join(digests[1:])


def digest_of(text: str) -> str:
    """A name for a long text, the same for equal ones."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
