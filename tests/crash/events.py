"""Changes that a traced process makes under a folder, read from its system calls."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path

_AT_FDCWD = -100
_REMOVE_FOLDER = 0x200

# What can be replayed on a copy of the folder. Anything else is of the kind "other".
KINDS = ("create", "truncate", "write", "sync", "rename", "unlink", "mkdir", "rmdir", "other")


@dataclass
class Event:
    """One change, or one sync. Paths are relative to the folder; "." is the folder itself.

    `offset` and `data` belong to a write, `size` to a write and to a truncation, `target` to a
    rename. `result` is what the system call returned (negative: it failed and changed nothing);
    None: it was never executed.
    """

    kind: str
    path: str
    offset: int = 0
    size: int = 0
    data: bytes = b""
    target: str = ""
    result: int | None = None

    @property
    def name(self) -> str:
        """The kind and the place, for a person."""
        return f"{self.kind} {self.path}" + (f" -> {self.target}" if self.target else "")


class Reader:
    """Turns the system calls of one process into events under `folder`."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._proc = f"/proc/{pid}"
        self._folder = str(folder.resolve())
        self._memory = os.open(f"{self._proc}/mem", os.O_RDONLY)

    def close(self) -> None:
        os.close(self._memory)

    def event(self, call: str, arguments: list[int], *, data: bool) -> Event | None:
        """The effect of the call, or None if it has none under the folder."""
        found = _READERS[call](self, call, arguments)
        if found is None:
            return None
        path, target = self._inside(found.path), self._inside(found.target)
        if path is None and target is None:
            return None
        if path is None or (found.target and target is None):
            found.kind = "other"  # a rename into or out of the folder
        found.path, found.target = path or found.path, target or found.target
        if found.kind == "write" and data:
            found.data = self._written(call, arguments)
        return found

    def opened(self, call: str, args: list[int]) -> Event | None:
        path = self._at(args[0], args[1])
        if not os.path.lexists(path):
            return Event("create", path) if args[2] & os.O_CREAT else None
        return Event("truncate", path) if args[2] & os.O_TRUNC else None

    def written(self, call: str, args: list[int]) -> Event | None:
        path = self._of(args[0])
        if call in ("pwrite64", "pwritev", "pwritev2"):
            return Event("write", path, args[3], self._length(call, args))
        if self._inside(path) is None:
            return None
        return Event("write", path, self._position(args[0], path), self._length(call, args))

    def synced(self, call: str, args: list[int]) -> Event:
        return Event("sync", self._of(args[0]))

    def truncated(self, call: str, args: list[int]) -> Event:
        path = self._of(args[0]) if call == "ftruncate" else self._at(_AT_FDCWD, args[0])
        return Event("truncate", path, size=args[1])

    def renamed(self, call: str, args: list[int]) -> Event:
        if call == "rename":
            args = [_AT_FDCWD, args[0], _AT_FDCWD, args[1]]
        return Event("rename", self._at(args[0], args[1]), target=self._at(args[2], args[3]))

    def unlinked(self, call: str, args: list[int]) -> Event:
        if call == "unlink":
            return Event("unlink", self._at(_AT_FDCWD, args[0]))
        kind = "rmdir" if args[2] & _REMOVE_FOLDER else "unlink"
        return Event(kind, self._at(args[0], args[1]))

    def folder(self, call: str, args: list[int]) -> Event:
        place = args if call == "mkdirat" else [_AT_FDCWD, args[0]]
        return Event("rmdir" if call == "rmdir" else "mkdir", self._at(place[0], place[1]))

    def linked(self, call: str, args: list[int]) -> Event:
        place = {"link": [_AT_FDCWD, args[1]], "symlink": [_AT_FDCWD, args[1]],
                 "linkat": args[2:4], "symlinkat": args[1:3]}[call]  # fmt: skip
        return Event("other", self._at(place[0], place[1]))

    def other(self, call: str, args: list[int]) -> Event:
        return Event("other", self._of(args[2] if call == "copy_file_range" else args[0]))

    def _inside(self, path: str) -> str | None:
        if path == self._folder:
            return "."
        if not path.startswith(self._folder + "/") or path.endswith(" (deleted)"):
            return None
        return path[len(self._folder) + 1 :]

    def _of(self, descriptor: int) -> str:
        try:
            return str(Path(f"{self._proc}/fd/{_signed(descriptor)}").readlink())
        except FileNotFoundError:
            return ""

    def _at(self, folder: int, address: int) -> str:
        path = os.fsdecode(self._text(address))
        if not path.startswith("/"):
            at = _signed(folder)
            base = Path(f"{self._proc}/cwd").readlink() if at == _AT_FDCWD else self._of(at)
            path = f"{base}/{path}"
        # Only the folder that holds the name is resolved: a link is changed itself.
        parent, name = os.path.split(os.path.normpath(path))
        return str(Path(os.path.realpath(parent), name))

    def _text(self, address: int) -> bytes:
        found = b""
        while b"\0" not in found:
            # Up to the end of the page: the next one may not be mapped.
            found += os.pread(
                self._memory, 4096 - (address + len(found)) % 4096, address + len(found)
            )
        return found.partition(b"\0")[0]

    def _position(self, descriptor: int, path: str) -> int:
        fields = dict(
            line.split(":", 1)
            for line in Path(f"{self._proc}/fdinfo/{descriptor}").read_text().splitlines()
            if ":" in line
        )
        if int(fields["flags"], 8) & os.O_APPEND:
            return os.stat(path).st_size  # noqa: PTH116
        return int(fields["pos"])

    def _length(self, call: str, args: list[int]) -> int:
        if call in ("write", "pwrite64"):
            return args[2]
        return sum(length for _, length in self._pieces(args))

    def _pieces(self, args: list[int]) -> list[tuple[int, int]]:
        vector = os.pread(self._memory, 16 * args[2], args[1])
        return list(struct.iter_unpack("QQ", vector))

    def _written(self, call: str, args: list[int]) -> bytes:
        if call in ("write", "pwrite64"):
            return os.pread(self._memory, args[2], args[1])
        return b"".join(os.pread(self._memory, size, at) for at, size in self._pieces(args))


_READERS = {
    "openat": Reader.opened,
    "fsync": Reader.synced,
    "fdatasync": Reader.synced,
    "mkdir": Reader.folder,
    "mkdirat": Reader.folder,
    "rmdir": Reader.folder,
    "sendfile": Reader.other,
    "fallocate": Reader.other,
    "copy_file_range": Reader.other,
    **dict.fromkeys(("write", "pwrite64", "writev", "pwritev", "pwritev2"), Reader.written),
    **dict.fromkeys(("truncate", "ftruncate"), Reader.truncated),
    **dict.fromkeys(("rename", "renameat", "renameat2"), Reader.renamed),
    **dict.fromkeys(("unlink", "unlinkat"), Reader.unlinked),
    **dict.fromkeys(("link", "symlink", "linkat", "symlinkat"), Reader.linked),
}


def _signed(value: int) -> int:
    """A C int out of a 64-bit register."""
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >= 1 << 31 else low
