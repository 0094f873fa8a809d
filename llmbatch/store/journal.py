"""The journal: an append-only file of the transactions that must outlive a power cut."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from llmbatch.core import drafts, files
from llmbatch.core.errors import StoreError, UnwrittenError
from llmbatch.core.units import count
from llmbatch.store import frames
from llmbatch.store.frames import ORIGIN, Columns, Frame, Link, Tables


class DamagedError(StoreError):
    """A store or a journal is damaged; `llmbatch repair` saves what the two hold."""


class ForeignError(DamagedError):
    """Store and journal have different histories; neither is damaged."""


def path_for(store: Path) -> Path:
    """The journal of a store: beside it."""
    return store.with_name("journal")


@dataclass(frozen=True, slots=True)
class Recovery:
    """The steps that made store and journal agree at an opening: transactions `replayed` from the
    journal, bytes `torn` off its end, and the journal `rewritten`; `kept`: the path of its copy, if
    something in it was damaged."""

    replayed: int = 0
    torn: int = 0
    rewritten: bool = False
    kept: Path | None = None

    def describe(self, store: Path) -> str:
        """The steps in one line; empty if there were none."""
        path = path_for(store)
        steps = []
        if self.replayed:
            steps.append(
                f"{store}: lacked {count(self.replayed, 'transaction')}, taken from its journal"
            )
        if self.rewritten:
            what = "was damaged" if self.kept else "lacked what the store holds"
            steps.append(f"{path}: {what}, written anew from the store")
        if self.torn:
            steps.append(
                f"{path}: its end ({count(self.torn, 'byte')}) is no whole transaction (never "
                "finished, or damaged), cut off"
            )
        if self.kept:
            steps.append(f"what was there is kept as {self.kept}")
        return "; ".join(steps)


class Journal:
    """The journal of a store that is open for writing."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self._stream = stream
        self.descriptor = stream.fileno()
        self._in_doubt = False
        self.extent = frames.extent(self.descriptor)
        self._next = self.extent.last + 1
        self.link: Link = self.extent.link

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal at `path`; an empty one is created where there is none."""
        is_new = not path.exists()
        with written(path):
            stream = drafts.append(path)
            # The frames that another process has written must be on the disk, too.
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
        with written(self.path):
            os.ftruncate(self.descriptor, self.extent.end)
            os.fsync(self.descriptor)

    def append(self, tables: Tables) -> int:
        """Add a frame and sync it; returns its number. `link` is then that of the frame.

        Until `confirm` reports that the store holds it, too, no further frame is accepted: the
        store would count it, and the one before would be missed.
        """
        if self._in_doubt:
            raise UnwrittenError(f"{self.path}: the last commit failed; run the same command again")
        self._in_doubt = True
        frame = frames.encode(self._next, tables, self.link or ORIGIN)
        size = os.fstat(self.descriptor).st_size
        with written(self.path):
            try:
                _write(self.descriptor, frame)
                os.fsync(self.descriptor)
            except OSError:
                os.ftruncate(self.descriptor, size)
                raise
        self.link = frames.link_of(frame)
        return self._next

    def confirm(self) -> None:
        """Report that the store has committed the frame that was appended last."""
        self._in_doubt = False
        self._next += 1

    def follow(self, number: int, link: Link) -> None:
        """Let the next frame follow the one with this number and link."""
        self._next = number + 1
        self.link = link

    def frames(self, after: int) -> Iterator[tuple[Frame, dict[str, Columns]]]:
        """The whole frames with numbers above `after`, also those behind damaged bytes."""
        for frame in frames.whole(self.descriptor):
            if frame.number > after:
                packed = frames.payload(self.descriptor, frame)
                yield frame, frames.decode(packed, frame)


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn failures to write the journal at `path` into an UnwrittenError."""
    try:
        yield
    except OSError as error:
        raise UnwrittenError(
            f"{path}: cannot be written: {error.strerror}; what was committed is safe, "
            "run the same command again"
        ) from error


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
