"""A disk that forgets: what a power cut may leave of the changes that a process has made.

Only a sync makes anything certain: that of a file its content and length, that of a folder the
names in it. Everything later may be there, or not, or in part, in any order.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from tests.crash.events import Event

SECTOR = 512


@dataclass(frozen=True)
class Change:
    """A write, or a truncation (`data` None) to the length `offset`, that is not synced yet."""

    offset: int
    data: bytes | None

    def apply(self, content: bytearray) -> None:
        if self.data is None:
            del content[self.offset :]
            content.extend(bytes(self.offset - len(content)))
            return
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data

    def sectors(self) -> list["Change"]:
        """The pieces that a disk writes at once."""
        if self.data is None:
            return [self]
        first = SECTOR - self.offset % SECTOR
        cuts = [0, *range(first, len(self.data), SECTOR), len(self.data)]
        return [
            Change(self.offset + start, self.data[start:end])
            for start, end in pairwise(cuts)
            if start < end
        ]


@dataclass
class File:
    """A file by its content, under any name."""

    synced: bytes = b""
    pending: list[Change] = field(default_factory=list)

    def content(self, changes: list[Change]) -> bytes:
        content = bytearray(self.synced)
        for change in changes:
            change.apply(content)
        return bytes(content)

    def sync(self) -> None:
        self.synced = self.content(self.pending)
        self.pending = []


FOLDER = File()
# Names that appear (with what they name) or vanish (None), at once.
Naming = dict[str, File | None]


class Disk:
    """The changes, and those of them that are certain to be on the disk. `orderly`: names reach the
    disk in the order of their changes, and the sync of any file takes them along, as on a
    journaling file system."""

    def __init__(self, *, orderly: bool) -> None:
        self._orderly = orderly
        self._names: dict[str, File] = {}
        self._certain: dict[str, File] = {}
        self._pending: list[Naming] = []

    def change(self, event: Event) -> None:
        """One more change has happened."""
        if event.result is not None and event.result < 0:
            return
        _CHANGES[event.kind](self, event)

    def _create(self, event: Event) -> None:
        self._name({event.path: FOLDER if event.kind == "mkdir" else File()})

    def _write(self, event: Event) -> None:
        self._names[event.path].pending.append(Change(event.offset, event.data))

    def _truncate(self, event: Event) -> None:
        self._names[event.path].pending.append(Change(event.size, None))

    def _rename(self, event: Event) -> None:
        self._name({event.path: None, event.target: self._names[event.path]})

    def _unlink(self, event: Event) -> None:
        self._name({event.path: None})

    def _sync(self, event: Event) -> None:
        known = self._names.get(event.path, FOLDER)
        if known is not FOLDER:
            known.sync()
        if self._orderly:
            settled, self._pending = self._pending, []
        else:
            here = [naming for naming in self._pending if _parent(naming) == event.path]
            settled = here if known is FOLDER else []
            self._pending = [naming for naming in self._pending if naming not in settled]
        for naming in settled:
            _apply(naming, self._certain)

    def _name(self, naming: Naming) -> None:
        _apply(naming, self._names)
        self._pending.append(naming)

    def image(self, rng: random.Random, manner: str) -> dict[str, bytes]:
        """A content of the files, by name, that a power cut may leave."""
        names = dict(self._certain)
        for naming in self._kept_names(rng, manner):
            _apply(naming, names)
        kept: dict[int, bytes] = {}
        for file in names.values():
            if file is not FOLDER and id(file) not in kept:
                kept[id(file)] = file.content(_MANNERS[manner](file.pending, rng))
        return {
            name: kept[id(file)]
            for name, file in names.items()
            if file is not FOLDER and _is_reachable(name, names)
        }

    def _kept_names(self, rng: random.Random, manner: str) -> list[Naming]:
        if manner == "kept":
            return self._pending
        if self._orderly:
            return self._pending[: rng.randint(0, len(self._pending))]
        return [naming for naming in self._pending if rng.random() < 0.5]


def _apply(naming: Naming, names: dict[str, File]) -> None:
    for name, file in naming.items():
        if file is None:
            names.pop(name, None)
        else:
            names[name] = file


def _parent(naming: Naming) -> str:
    return str(PurePosixPath(next(iter(naming))).parent)


def _is_reachable(name: str, names: dict[str, File]) -> bool:
    folders = [str(folder) for folder in PurePosixPath(name).parents][:-1]
    return all(folder in names for folder in folders)


def _some(pending: list[Change], rng: random.Random) -> list[Change]:
    return [change for change in pending if rng.random() < 0.5]


def _torn(pending: list[Change], rng: random.Random) -> list[Change]:
    """The last one in part, in sectors; those before it are there."""
    if not pending:
        return []
    sectors = pending[-1].sectors()
    start = rng.randint(0, len(sectors))
    part = sectors[:start] if rng.random() < 0.5 else sectors[start:]
    return [*pending[:-1], *part]


def _scattered(pending: list[Change], rng: random.Random) -> list[Change]:
    return _some([sector for change in pending for sector in change.sectors()], rng)


_MANNERS: dict[str, Callable[[list[Change], random.Random], list[Change]]] = {
    "kept": lambda pending, rng: pending,
    "dropped": lambda pending, rng: [],
    "some": _some,
    "torn": _torn,
    "scattered": _scattered,
}
MANNERS = tuple(_MANNERS)

_CHANGES: dict[str, Callable[[Disk, Event], None]] = {
    "create": Disk._create,
    "mkdir": Disk._create,
    "write": Disk._write,
    "truncate": Disk._truncate,
    "rename": Disk._rename,
    "unlink": Disk._unlink,
    "rmdir": Disk._unlink,
    "sync": Disk._sync,
}


def write(image: dict[str, bytes], folder: Path) -> None:
    """Put an image into an empty folder."""
    for name, content in image.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
